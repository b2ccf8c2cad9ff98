//! The target paths that a mapping may write: `attr`, `attr.sub`, `attr[sub eq "literal"].sub`, each with a URN before
//! it or not.
//!
//! They are a part of the paths of RFC 7644 §3.5.2: exactly one value is selected by exactly one equality, so that a
//! written value has one place. Whether the schema has such an attribute is not asked here.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The attributes of this schema go by their bare names.
const CORE_USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// A place in a target user; compares, hashes and orders without case, displays canonically. Cheap to clone: every
/// user's desired state names the same few paths.
#[derive(Debug, Clone)]
pub struct TargetPath(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    urn: Option<String>,
    attribute: String,
    selector: Option<(String, String)>,
    sub: Option<String>,
    /// The canonical spelling: each record of the state names its paths.
    text: String,
    /// The same in lower case.
    folded: String,
}

/// A text that is not a target path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TargetPathError {
    message: &'static str,
    span: Range<usize>,
}

impl TargetPathError {
    /// Returns the bytes of the text that are at fault.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

impl TargetPath {
    pub(crate) fn new(
        urn: Option<&str>,
        attribute: &str,
        selector: Option<(&str, &str)>,
        sub: Option<&str>,
    ) -> Self {
        let mut parts = Parts {
            urn: urn.filter(|urn| !urn.eq_ignore_ascii_case(CORE_USER)).map(str::to_owned),
            attribute: attribute.to_owned(),
            selector: selector.map(|(name, literal)| (name.to_owned(), literal.to_owned())),
            sub: sub.map(str::to_owned),
            text: String::new(),
            folded: String::new(),
        };
        parts.text = parts.to_string();
        parts.folded = parts.text.to_lowercase();
        Self(Arc::new(parts))
    }

    /// Returns the path `userName`.
    pub fn user_name() -> Self {
        static PATH: LazyLock<TargetPath> = LazyLock::new(|| TargetPath::new(None, "userName", None, None));
        PATH.clone()
    }

    /// Returns the path `externalId`.
    pub(crate) fn external_id() -> Self {
        static PATH: LazyLock<TargetPath> = LazyLock::new(|| TargetPath::new(None, "externalId", None, None));
        PATH.clone()
    }

    /// Returns the schema of an attribute outside of the core user.
    pub fn urn(&self) -> Option<&str> {
        self.0.urn.as_deref()
    }

    /// Returns the attribute.
    pub fn attribute(&self) -> &str {
        &self.0.attribute
    }

    /// Returns the sub-attribute and the literal that select a value of a multi-valued attribute.
    pub fn selector(&self) -> Option<(&str, &str)> {
        self.0.selector.as_ref().map(|(name, literal)| (name.as_str(), literal.as_str()))
    }

    /// Whether both lead into the same value of a multi-valued attribute.
    pub(crate) fn shares_value(&self, other: &Self) -> bool {
        let same = |one: Option<&str>, other: Option<&str>| match (one, other) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let (Some((name, literal)), Some((other_name, other_literal))) = (self.selector(), other.selector())
        else {
            return false;
        };
        same(self.urn(), other.urn())
            && self.attribute().eq_ignore_ascii_case(other.attribute())
            && name.eq_ignore_ascii_case(other_name)
            && literal.eq_ignore_ascii_case(other_literal)
    }

    /// Returns the sub-attribute that is written.
    pub fn sub(&self) -> Option<&str> {
        self.0.sub.as_deref()
    }
}

impl fmt::Display for TargetPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.text)
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some((name, literal)) = &self.selector {
            write!(f, "[{name} eq {}]", serde_json::Value::from(literal.as_str()))?;
        }
        if let Some(sub) = &self.sub {
            write!(f, ".{sub}")?;
        }
        Ok(())
    }
}

impl FromStr for TargetPath {
    type Err = TargetPathError;

    fn from_str(text: &str) -> Result<Self, TargetPathError> {
        let refuse = |message, span| Err(TargetPathError { message, span });
        let bracket = text.find('[');
        let head_end = bracket.unwrap_or(text.len());
        let head = text.get(..head_end).unwrap_or_default();
        let urn_end = match head.get(..4) {
            Some(start) if start.eq_ignore_ascii_case("urn:") => head.rfind(':').unwrap_or_default(),
            _ => 0,
        };
        let urn = (urn_end > 0).then(|| head.get(..urn_end).unwrap_or_default());
        let name_start = if urn_end > 0 { urn_end + 1 } else { 0 };
        let names = head.get(name_start..).unwrap_or_default();
        let (attribute, mut sub) = match names.split_once('.') {
            Some((attribute, sub)) => (attribute, Some((sub, name_start + attribute.len() + 1))),
            None => (names, None),
        };
        check_name(attribute, name_start)?;
        let mut literal = String::new();
        let mut selector = None;
        if let Some(bracket) = bracket {
            if let Some((sub, at)) = sub {
                return refuse(
                    "the selection in brackets comes before the sub-attribute",
                    at - 1..at + sub.len(),
                );
            }
            let inner = text.get(bracket + 1..).unwrap_or_default();
            let (name, after, end) = parse_selector(inner, bracket + 1)?;
            literal = after;
            selector = Some(name);
            let tail = text.get(end..).unwrap_or_default();
            match tail.strip_prefix('.') {
                Some(name) => sub = Some((name, end + 1)),
                None => return refuse("the sub-attribute to write is missing", bracket..text.len()),
            }
        }
        if let Some((sub, at)) = sub {
            if sub.contains('.') && !sub.starts_with('.') {
                return refuse("a path goes no deeper than one sub-attribute", at..at + sub.len());
            }
            check_name(sub, at)?;
        }
        let selector = selector.map(|name| (name, literal.as_str()));
        Ok(Self::new(urn, attribute, selector, sub.map(|(sub, _)| sub)))
    }
}

/// Parses `sub eq "literal"]`: the name, the literal, and the byte after the bracket.
fn parse_selector(inner: &str, start: usize) -> Result<(&str, String, usize), TargetPathError> {
    let refuse = || TargetPathError {
        message: "a selection is written `[type eq \"work\"]`: one sub-attribute, `eq`, one quoted text",
        span: start - 1..start + inner.len(),
    };
    let trimmed = inner.trim_start_matches(' ');
    let (name, rest) = trimmed.split_once(' ').ok_or_else(refuse)?;
    check_name(name, start + inner.len() - trimmed.len())?;
    let (operator, rest) = rest.trim_start_matches(' ').split_once(' ').ok_or_else(refuse)?;
    if !operator.eq_ignore_ascii_case("eq") {
        return Err(refuse());
    }
    let mut literals = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let literal = literals.next().and_then(Result::ok).filter(|text| !text.is_empty()).ok_or_else(refuse)?;
    let rest = rest.get(literals.byte_offset()..).unwrap_or_default();
    let tail = rest.trim_start_matches(' ').strip_prefix(']').ok_or_else(refuse)?;
    Ok((name, literal, start + inner.len() - tail.len()))
}

/// Accepts the names of RFC 7643 §2.1.
fn check_name(name: &str, at: usize) -> Result<(), TargetPathError> {
    let mut letters = name.chars();
    let first = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '$');
    if first && letters.all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '$')) {
        return Ok(());
    }
    let message =
        if name.is_empty() { "an attribute name is missing here" } else { "this is no attribute name" };
    Err(TargetPathError { message, span: at..at + name.len() })
}

impl PartialEq for TargetPath {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.folded == other.0.folded
    }
}

impl Eq for TargetPath {}

impl PartialOrd for TargetPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for TargetPath {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.folded.cmp(&other.0.folded) }
    }
}

impl Hash for TargetPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.folded.hash(state);
    }
}

impl Serialize for TargetPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<'de> Deserialize<'de> for TargetPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, canonical: &str) {
        let path: TargetPath = text.parse().unwrap();
        assert_eq!(path.to_string(), canonical);
        let again: TargetPath = canonical.parse().unwrap();
        assert_eq!(again, path);
        assert_eq!(again.to_string(), canonical);
    }

    #[test]
    fn paths_have_one_spelling() {
        check("userName", "userName");
        check("name.givenName", "name.givenName");
        check(r#"emails[ type EQ  "work" ].value"#, r#"emails[type eq "work"].value"#);
        check(r#"ims[type eq "a\"]b"].value"#, r#"ims[type eq "a\"]b"].value"#);
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        check(&format!("{enterprise}:department"), &format!("{enterprise}:department"));
        check(&format!("{enterprise}:manager.value"), &format!("{enterprise}:manager.value"));
        check("URN:ietf:params:scim:schemas:core:2.0:user:title", "title");
        check("urn:example:a:2.0:User:x[t eq \"y\"].v", "urn:example:a:2.0:User:x[t eq \"y\"].v");
    }

    #[test]
    fn paths_compare_without_case() {
        let one: TargetPath = r#"Emails[Type eq "Work"].VALUE"#.parse().unwrap();
        let other: TargetPath = r#"emails[type eq "work"].value"#.parse().unwrap();
        assert_eq!(one, other);
        assert_eq!(other.selector(), Some(("type", "work")));
        assert_eq!(other.urn(), None);
        assert_eq!(other.attribute(), "emails");
        assert_eq!(other.sub(), Some("value"));
    }

    #[track_caller]
    fn refused(text: &str, part: &str, message: &str) {
        let error = text.parse::<TargetPath>().unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!(&text[error.span()], part, "{text}: {error}");
    }

    #[test]
    fn other_texts_are_refused_with_their_place() {
        refused("", "", "missing");
        refused("name.", "", "missing");
        refused(".givenName", "", "missing");
        refused("a b", "a b", "no attribute name");
        refused("näme", "näme", "no attribute name");
        refused("a.b.c", "b.c", "no deeper");
        refused("urn:", "", "missing");
        refused("emails[type eq \"work\"]", "[type eq \"work\"]", "to write is missing");
        refused("emails[type eq \"work\"]value", "[type eq \"work\"]value", "to write is missing");
        refused("emails.value[type eq \"work\"]", ".value", "before the sub-attribute");
        for inner in ["", "type", "type eq", "type eq work", "type co \"w\"", "type eq \"w", "type eq \"\""] {
            refused(&format!("emails[{inner}].value"), &format!("[{inner}].value"), "one sub-attribute");
        }
        refused("emails[primary eq true].value", "[primary eq true].value", "one quoted text");
        refused(
            "emails[type eq \"a\" and b eq \"c\"].v",
            "[type eq \"a\" and b eq \"c\"].v",
            "one sub-attribute",
        );
    }
}
