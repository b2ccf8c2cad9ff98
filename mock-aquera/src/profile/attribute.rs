//! The path of an attribute as a profile file writes it: `"title"`, `"name.familyName"`, `"emails.type"`, or one that
//! begins with the URN of an extension.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use scim::path::AttrPath;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The path of an attribute or sub-attribute, without a value filter.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(
    description = "The path of an attribute: \"title\", \"name.familyName\", \"emails.type\", or one behind the URN of an extension."
)]
pub struct AttributePath(#[schemars(with = "String")] AttrPath);

/// Why a text isn't an [`AttributePath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAttributePathError {
    /// It does not follow the grammar of attribute paths.
    #[error(
        "invalid attribute path `{0}`: expected one such as \"title\", \"name.familyName\" or \"emails.type\""
    )]
    Malformed(String),
    /// The server writes the attribute, or keeps it apart from the others.
    #[error(
        "invalid attribute path `{0}`: `schemas`, `id`, `meta`, `groups`, `members`, `active` and `password` have \
         switches of their own or none"
    )]
    KeptApart(String),
}

/// What the server writes, or keeps apart from the text of a resource.
const KEPT_APART: [&str; 7] = ["schemas", "id", "meta", "groups", "members", "active", "password"];

impl AttributePath {
    pub(crate) fn path(&self) -> &AttrPath {
        &self.0
    }
}

impl FromStr for AttributePath {
    type Err = ParseAttributePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path: AttrPath = text.parse().map_err(|_| ParseAttributePathError::Malformed(text.to_owned()))?;
        if path.urn.is_none() && KEPT_APART.iter().any(|name| path.name == **name) {
            return Err(ParseAttributePathError::KeptApart(text.to_owned()));
        }
        Ok(Self(path))
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for AttributePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AttributePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Cow<'de, str> = Cow::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        for text in
            ["title", "name.familyName", "emails.type", &format!("{enterprise}:manager.value"), enterprise]
        {
            assert_eq!(text.parse::<AttributePath>().unwrap().to_string(), text);
        }
        for text in ["", "a b", "emails[type eq \"work\"]", "a.b.c"] {
            let error = text.parse::<AttributePath>().unwrap_err();
            assert!(matches!(error, ParseAttributePathError::Malformed(_)), "{error}");
        }
        for text in ["active", "ID", "members.value", "password"] {
            let error = text.parse::<AttributePath>().unwrap_err();
            assert!(matches!(error, ParseAttributePathError::KeptApart(_)), "{error}");
        }
    }
}
