//! The words that identify something: source and target ids, user names, rule names, the SCIM URL.
//!
//! Each is a newtype that can only hold an acceptable value, so that the engine never asks again. SCIM ids are
//! opaque (RFC 7643 §3.1); user names compare without case (RFC 7643 §4.1.1).

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use scim::precis::user_name_key;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

use crate::address::is_loopback;

/// A text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The text is empty or blank.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A target id that cannot be a segment of a URL path.
    #[error("the target id has no place in a URL path: it is `.` or `..`, or has control characters")]
    NotASegment,
    /// A URL that does not parse.
    #[error("expected an absolute URL: {0}")]
    NotAUrl(url::ParseError),
    /// A URL of another scheme than http and https.
    #[error("unsupported URL scheme `{0}`; use https or http")]
    Scheme(String),
    /// A URL with a user name or a password in it.
    #[error("the URL must not have a user name or a password")]
    UserInfo,
    /// A URL with something after the path.
    #[error("the URL has a {0}: only scheme, host, port and path are allowed")]
    Excess(&'static str),
}

/// Implements what every textual newtype shares; the type has a constructor `parse(String)` and a field `text`.
macro_rules! textual {
    ($($name:ident),+) => {$(
        impl $name {
            /// Returns the text as it was written.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text.to_owned())
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = IdError;

            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::parse(text.to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }
    )+};
}

/// The id of a user at the source: opaque, compared exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId {
    text: String,
}

/// The id of an account at the target: opaque, compared exactly, and fit to be a segment of a URL path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    text: String,
}

/// The name of a rule, which identifies it: a rule that changes its name is another rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleName {
    text: String,
}

/// A user name at the target: compares, hashes and orders by the key of RFC 7644 §5 (without case, width and
/// composition), and keeps its spelling.
#[derive(Debug, Clone)]
pub struct UserName {
    text: String,
    folded: String,
}

textual!(SourceId, TargetId, RuleName, UserName);

impl SourceId {
    fn parse(text: String) -> Result<Self, IdError> {
        not_blank(&text, "source id")?;
        Ok(Self { text })
    }
}

impl TargetId {
    fn parse(text: String) -> Result<Self, IdError> {
        not_blank(&text, "target id")?;
        // URL parsers drop `.` and `..` even where they are percent-encoded: such an id would address the whole
        // collection.
        if text == "." || text == ".." || text.chars().any(char::is_control) {
            return Err(IdError::NotASegment);
        }
        Ok(Self { text })
    }
}

impl RuleName {
    fn parse(text: String) -> Result<Self, IdError> {
        not_blank(&text, "rule name")?;
        Ok(Self { text })
    }
}

impl UserName {
    fn parse(text: String) -> Result<Self, IdError> {
        not_blank(&text, "user name")?;
        Ok(Self { folded: user_name_key(&text).into_owned(), text })
    }

    /// Returns the key that two user names share if a target treats them as the same ([`scim::precis`]).
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

impl PartialEq for UserName {
    fn eq(&self, other: &Self) -> bool {
        self.folded == other.folded
    }
}

impl Eq for UserName {}

impl PartialOrd for UserName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for UserName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.folded.cmp(&other.folded)
    }
}

impl Hash for UserName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.folded.hash(state);
    }
}

fn not_blank(text: &str, what: &'static str) -> Result<(), IdError> {
    if text.trim().is_empty() { Err(IdError::Empty(what)) } else { Ok(()) }
}

/// The base URL of a SCIM service, in one canonical spelling: no trailing slash, no user info, query or fragment.
///
/// ```
/// use provisioner::ids::ScimUrl;
///
/// let base: ScimUrl = "https://API.example.com:443/scim/".parse()?;
/// assert_eq!(base.to_string(), "https://api.example.com/scim");
/// assert_eq!(base.resource(&["Users", "a/b"]).as_str(), "https://api.example.com/scim/Users/a%2Fb");
/// # Ok::<(), provisioner::ids::IdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScimUrl {
    url: Url,
    text: String,
}

impl ScimUrl {
    fn parse(text: &str) -> Result<Self, IdError> {
        let mut url = Url::parse(text).map_err(IdError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(IdError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(IdError::UserInfo);
        }
        if url.query().is_some() {
            return Err(IdError::Excess("query"));
        }
        if url.fragment().is_some() {
            return Err(IdError::Excess("fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let text = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { url, text })
    }

    /// Returns the canonical text, the key of the stored state.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the URL of a resource below the base, with each segment percent-encoded.
    ///
    /// A segment is a word of the protocol or a [`TargetId`], which is never `.` or `..`.
    pub fn resource(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        // An http or https URL always has a path to append to.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Returns the URL.
    pub fn as_url(&self) -> &Url {
        &self.url
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the host is this machine, judged by its name or address alone.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }
}

impl FromStr for ScimUrl {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for ScimUrl {
    type Error = IdError;

    fn try_from(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl fmt::Display for ScimUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for ScimUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[track_caller]
    fn check_url(text: &str, expected: Result<&str, &str>) {
        let found = text.parse::<ScimUrl>();
        let found = found.map(|url| url.to_string()).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn scim_urls_have_one_spelling() {
        check_url("http://127.0.0.1:8080/scim/", Ok("http://127.0.0.1:8080/scim"));
        check_url("http://127.0.0.1:8080/scim", Ok("http://127.0.0.1:8080/scim"));
        check_url("HTTPS://Api.Example.com:443//", Ok("https://api.example.com"));
        check_url("https://api.example.com", Ok("https://api.example.com"));
        check_url("scim", Err("expected an absolute URL: relative URL without a base"));
        check_url("ftp://h/scim", Err("unsupported URL scheme `ftp`; use https or http"));
        check_url("https://u:p@h/scim", Err("the URL must not have a user name or a password"));
        let rest = "only scheme, host, port and path are allowed";
        check_url("https://h/scim?a=b", Err(&format!("the URL has a query: {rest}")));
        check_url("https://h/scim#a", Err(&format!("the URL has a fragment: {rest}")));
    }

    #[test]
    fn resources_are_below_the_base_and_encoded() {
        for base in ["http://h/scim/", "http://h/scim"] {
            let base: ScimUrl = base.parse().unwrap();
            assert_eq!(base.resource(&["Users"]).as_str(), "http://h/scim/Users");
            assert_eq!(
                base.resource(&["Users", "a/b?c#d%2e é\\"]).as_str(),
                "http://h/scim/Users/a%2Fb%3Fc%23d%252e%20%C3%A9%5C"
            );
        }
        let root: ScimUrl = "http://h".parse().unwrap();
        assert_eq!(root.resource(&["Users", "1"]).as_str(), "http://h/Users/1");
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        for (url, expected) in [
            ("http://localhost:1/", true),
            ("http://127.3.2.1/", true),
            ("http://[::1]:80/", true),
            ("https://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
        ] {
            assert_eq!(url.parse::<ScimUrl>().unwrap().is_loopback(), expected, "{url}");
        }
    }

    #[test]
    fn user_names_compare_without_case_and_keep_their_spelling() {
        let one: UserName = "Zoë.ÖZ@example.com".parse().unwrap();
        let other: UserName = "zoË.öz@EXAMPLE.com".parse().unwrap();
        assert_eq!(one, other);
        assert_eq!(one.cmp(&other), Ordering::Equal);
        assert_eq!(HashSet::from([one.clone(), other]).len(), 1);
        assert_eq!(one.to_string(), "Zoë.ÖZ@example.com");
        // Composed and decomposed, fullwidth and plain, each sigma.
        for (one, other) in [("j\u{fc}rgen", "JU\u{308}RGEN"), ("ＡＮＡ", "ana")] {
            let (one, other): (UserName, UserName) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one, other);
        }
    }

    #[test]
    fn target_id_that_is_no_path_segment_is_refused() {
        for text in ["", " ", ".", "..", "a\tb", "\n"] {
            assert!(text.parse::<TargetId>().is_err(), "{text:?}");
        }
        for text in ["1", "...", "a b", "ü/.."] {
            assert_eq!(text.parse::<TargetId>().unwrap().as_str(), text);
        }
        assert!("".parse::<SourceId>().is_err());
        assert!(serde_json::from_str::<RuleName>("\"  \"").is_err());
    }
}
