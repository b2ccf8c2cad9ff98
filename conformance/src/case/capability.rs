//! Capabilities that a subject must advertise for a case to be tried.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Deserialize;

/// A capability that the server must advertise.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub enum Capability {
    /// A feature of ServiceProviderConfig.
    Feature(Feature),
    /// A member of ServiceProviderConfig that must be there and true; silence is no.
    Says(String),
    /// A resource type, or an extension, or with a path an attribute of it.
    Schema {
        /// The name, as in `User`, `EnterpriseUser`.
        name: String,
        /// The path, as in `name.givenName`; empty for the type itself.
        path: Vec<String>,
        /// The characteristic and its value, as in `caseExact` and `false`.
        characteristic: Option<(String, String)>,
    },
}

/// The features of ServiceProviderConfig (RFC 7643 §5, RFC 9865 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `patch.supported`.
    Patch,
    /// `bulk.supported`.
    Bulk,
    /// `filter.supported`.
    Filter,
    /// `sort.supported`.
    Sort,
    /// `etag.supported`.
    Etag,
    /// `changePassword.supported`.
    ChangePassword,
    /// `pagination.cursor`.
    Cursor,
    /// `pagination.index`.
    Index,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Patch,
        Self::Bulk,
        Self::Filter,
        Self::Sort,
        Self::Etag,
        Self::ChangePassword,
        Self::Cursor,
        Self::Index,
    ];

    /// Returns the word in case files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::Bulk => "bulk",
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::Etag => "etag",
            Self::ChangePassword => "change-password",
            Self::Cursor => "cursor",
            Self::Index => "index",
        }
    }

    /// Returns the JSON pointer of the feature in ServiceProviderConfig.
    pub fn pointer(self) -> &'static str {
        match self {
            Self::Patch => "/patch/supported",
            Self::Bulk => "/bulk/supported",
            Self::Filter => "/filter/supported",
            Self::Sort => "/sort/supported",
            Self::Etag => "/etag/supported",
            Self::ChangePassword => "/changePassword/supported",
            Self::Cursor => "/pagination/cursor",
            Self::Index => "/pagination/index",
        }
    }
}

/// An invalid need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid need `{need}`: expected {expected}")]
pub struct CapabilityError {
    need: String,
    expected: String,
}

impl TryFrom<String> for Capability {
    type Error = CapabilityError;

    fn try_from(text: String) -> Result<Self, CapabilityError> {
        text.parse()
    }
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        let invalid =
            |expected: &str| CapabilityError { need: text.to_owned(), expected: expected.to_owned() };
        if let Some(feature) = Feature::ALL.into_iter().find(|feature| feature.as_str() == text) {
            return Ok(Self::Feature(feature));
        }
        if let Some(member) = text.strip_prefix("says:") {
            return if member.is_empty() {
                Err(invalid("the name of a member after the colon"))
            } else {
                Ok(Self::Says(member.to_owned()))
            };
        }
        let (attribute, characteristic) = match text.split_once(':') {
            None => (text, None),
            Some((attribute, characteristic)) => {
                let (name, value) =
                    characteristic.split_once('=').ok_or_else(|| invalid("NAME=VALUE after the colon"))?;
                (attribute, Some((name.to_owned(), value.to_owned())))
            }
        };
        let mut names = attribute.split('.').map(ToOwned::to_owned);
        let name = names.next().unwrap_or_default();
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let features = Feature::ALL.map(Feature::as_str).join(", ");
            return Err(invalid(&format!(
                "a feature ({features}), or a resource type or schema, which start with a capital"
            )));
        }
        let path: Vec<_> = names.collect();
        if path.len() > 2
            || path.iter().any(String::is_empty)
            || (path.is_empty() && characteristic.is_some())
        {
            return Err(invalid("TYPE, TYPE.attribute or TYPE.attribute.subAttribute"));
        }
        Ok(Self::Schema { name, path, characteristic })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feature(feature) => f.write_str(feature.as_str()),
            Self::Says(member) => write!(f, "says:{member}"),
            Self::Schema { name, path, characteristic } => {
                f.write_str(name)?;
                for part in path {
                    write!(f, ".{part}")?;
                }
                characteristic.iter().try_for_each(|(name, value)| write!(f, ":{name}={value}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::case::capability::*;

    #[test]
    fn needs_are_shown_as_written() {
        for text in [
            "says:x",
            "patch",
            "change-password",
            "User",
            "User.name.givenName",
            "User.userName:caseExact=false",
        ] {
            assert_eq!(text.parse::<Capability>().expect("a need").to_string(), text);
        }
        for text in ["ptach", "User.", "User:caseExact=false", "User.a.b.c", "User.a:caseExact", ""] {
            text.parse::<Capability>().expect_err(text);
        }
    }
}
