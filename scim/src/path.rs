//! Attribute paths (RFC 7644 §3.10) and PATCH paths (RFC 7644 §3.5.2), and member look-up
//! without case.
//!
//! The grammar does not depend on schemas. A bare schema URN, which is a PATCH path too, is therefore parsed as a URN
//! and an attribute; [`AttrPath::whole`] returns it as one URN, and a [`SchemaSet`](crate::schema::SchemaSet) decides
//! which of the two it is.

use std::{fmt, str::FromStr};

use crate::name::{AttrName, Urn, is_urn, looks_like_urn};
use crate::parse_error::ParseError;

/// An attribute, or a sub-attribute, of a resource: `userName`, `name.givenName`,
/// `members.$ref`, `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttrPath {
    /// The schema, if the path has one.
    pub urn: Option<Urn>,
    /// The attribute.
    pub name: AttrName,
    /// The sub-attribute, if the path has one.
    pub sub: Option<AttrName>,
}

impl AttrPath {
    /// Returns the path of an attribute without URN and sub-attribute.
    pub fn of(name: AttrName) -> Self {
        Self { urn: None, name, sub: None }
    }

    /// Returns the path of a sub-attribute.
    pub fn child(&self, sub: AttrName) -> Self {
        Self { urn: self.urn.clone(), name: self.name.clone(), sub: Some(sub) }
    }

    /// Returns the whole path as one URN, such as `urn:…:2.0:User`, or `None` if it has no URN.
    pub fn whole(&self) -> Option<Urn> {
        self.urn.as_ref()?;
        self.to_string().parse().ok()
    }

    /// Parses a path that starts at `offset` of a longer input; spans are positions in that input.
    pub(crate) fn parse_at(text: &str, offset: usize) -> Result<Self, ParseError> {
        let (urn, rest_at) = match text.rfind(':') {
            Some(colon) if looks_like_urn(text) => {
                let (urn, name) = (&text[..colon], &text[colon + 1..]);
                let whole = is_urn(text).then(|| Urn::part(urn));
                let urn = match (urn.parse::<Urn>(), whole) {
                    (Ok(urn), None) => urn,
                    // The last part of a schema URN need not be a valid attribute name: `urn:a:b:2.0`.
                    (urn, Some(whole)) => {
                        let is_path = Self::parse_at(name, 0).is_ok();
                        if !is_path {
                            return Ok(Self { urn: Some(whole), name: AttrName::part(name), sub: None });
                        }
                        urn.unwrap_or(whole)
                    }
                    (Err(_), None) => {
                        let message = "a path that begins with a URN needs an attribute name after it";
                        return Err(ParseError::new(message, offset..offset + text.len()));
                    }
                };
                (Some(urn), colon + 1)
            }
            _ => (None, 0),
        };
        let rest = &text[rest_at..];
        let start = offset + rest_at;
        let name_of = |part: &str, at: usize| {
            part.parse::<AttrName>().map_err(|e| ParseError::new(e.to_string(), at..at + part.len()))
        };
        let Some((name, sub)) = rest.split_once('.') else {
            return Ok(Self { urn, name: name_of(rest, start)?, sub: None });
        };
        let sub_at = start + name.len() + 1;
        if sub.contains('.') {
            let message = "a path goes no deeper than one sub-attribute";
            return Err(ParseError::new(message, sub_at..sub_at + sub.len()));
        }
        Ok(Self { urn, name: name_of(name, start)?, sub: Some(name_of(sub, sub_at)?) })
    }
}

impl FromStr for AttrPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse_at(text, 0)
    }
}

impl fmt::Display for AttrPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        write!(f, "{}", self.name)?;
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::PatchPath;

    #[track_caller]
    fn check(text: &str, urn: Option<&str>, name: &str, sub: Option<&str>) {
        let path: AttrPath = text.parse().unwrap();
        assert_eq!(path.urn.as_ref().map(Urn::as_str), urn);
        assert_eq!(path.name.as_str(), name);
        assert_eq!(path.sub.as_ref().map(AttrName::as_str), sub);
        assert_eq!(path.to_string(), text);
    }

    #[test]
    fn attribute_path_parses_and_prints() {
        const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        check("userName", None, "userName", None);
        check("name.givenName", None, "name", Some("givenName"));
        check("members.$ref", None, "members", Some("$ref"));
        check(&format!("{ENTERPRISE}:department"), Some(ENTERPRISE), "department", None);
        check(&format!("{ENTERPRISE}:manager.value"), Some(ENTERPRISE), "manager", Some("value"));
        for urn in ["urn:example:Ext", "urn:example:ext:2.0", "urn:example:v2.a", "urn:a:b:1.0/c"] {
            let path: PatchPath = urn.parse().unwrap();
            assert_eq!((path.to_string().as_str(), path.attr_path().whole().unwrap().as_str()), (urn, urn));
        }
        let bare: PatchPath = ENTERPRISE.parse().unwrap();
        assert_eq!(bare.attr_path().whole().unwrap().as_str(), ENTERPRISE);
    }

    #[track_caller]
    fn refuse(text: &str, span: std::ops::Range<usize>) {
        let error = text.parse::<AttrPath>().unwrap_err();
        assert_eq!(error.span(), span, "{error}");
    }

    #[test]
    fn invalid_path_names_the_place() {
        refuse("", 0..0);
        refuse("1st", 0..3);
        refuse("a.b.c", 2..5);
        refuse("name.", 5..5);
        refuse("urn:x", 0..5);
        refuse("urn:a:b:c d", 8..11);
    }
}
