//! Attribute names and schema URNs, which compare without case (RFC 7643 §2.1, RFC 7644 §3.10).
//!
//! Both keep their original spelling for output. Cloning is cheap.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::Arc,
};

/// A text that is not the expected attribute name or URN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is not an attribute name.
    #[error("invalid attribute name `{}`: expected a letter, `$` or `_`, then letters, digits, `-`, `_` or `$`", shown(.0))]
    Attribute(String),
    /// The text is not a URN.
    #[error("invalid URN `{}`: expected urn:namespace:name", shown(.0))]
    Urn(String),
}

/// Returns a text from a request as a message shows it: only the beginning of a long one.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    const MOST: usize = 200;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

pub(crate) fn cmp_ci(a: &str, b: &str) -> Ordering {
    let fold = |b: u8| b.to_ascii_lowercase();
    a.bytes().map(fold).cmp(b.bytes().map(fold))
}

macro_rules! caseless {
    ($(#[$doc:meta])* $name:ident, $valid:path, $error:path) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Returns the text in its original spelling.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Creates a part of the URN of a schema, which need not be valid on its own.
            pub(crate) fn part(text: &str) -> Self {
                Self(text.into())
            }

            /// Creates a name from a literal in this crate.
            pub(crate) fn literal(text: &str) -> Self {
                debug_assert!($valid(text), "bad literal {text}");
                Self(text.into())
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $valid(text) { Ok(Self(text.into())) } else { Err($error(text.to_owned())) }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = NameError;

            fn try_from(text: &str) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.eq_ignore_ascii_case(&other.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0.eq_ignore_ascii_case(other)
            }
        }

        impl Eq for $name {}

        impl Hash for $name {
            fn hash<H: Hasher>(&self, state: &mut H) {
                for byte in self.0.bytes() {
                    state.write_u8(byte.to_ascii_lowercase());
                }
                state.write_u8(0xff);
            }
        }

        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                cmp_ci(&self.0, &other.0)
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }
    };
}

caseless!(
    /// The name of an attribute or sub-attribute, such as `userName` or `$ref`.
    ///
    /// ```
    /// use scim::name::AttrName;
    ///
    /// let name: AttrName = "userName".parse()?;
    /// assert_eq!(name, "USERNAME".parse::<AttrName>()?);
    /// assert_eq!(name.to_string(), "userName");
    /// # Ok::<(), scim::name::NameError>(())
    /// ```
    AttrName,
    is_attr_name,
    NameError::Attribute
);

caseless!(
    /// The URN of a schema, such as [`USER_URN`](crate::schema::USER_URN).
    Urn,
    is_urn,
    NameError::Urn
);

pub(crate) fn is_attr_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'$' || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'$' | b'-' | b'_'))
}

pub(crate) fn is_urn(text: &str) -> bool {
    let mut parts = text.splitn(3, ':');
    let scheme = parts.next().is_some_and(|s| s.eq_ignore_ascii_case("urn"));
    let namespace = parts.next().is_some_and(|s| !s.is_empty());
    let rest = parts.next().is_some_and(|s| !s.is_empty() && !s.ends_with(':'));
    scheme && namespace && rest && text.bytes().all(is_urn_byte)
}

/// Whether a URN may have the byte. Bytes with a meaning in a filter are excluded.
pub(crate) fn is_urn_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b':' | b'.' | b'-' | b'_' | b'$' | b'%' | b'+' | b'~' | b'/')
}

/// Whether the text starts like a URN.
pub(crate) fn looks_like_urn(text: &str) -> bool {
    text.as_bytes().get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"urn:"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn attribute_names_compare_hash_and_order_without_case() {
        let a = AttrName::literal("userName");
        let b = AttrName::literal("USERname");
        assert_eq!(a, b);
        assert_eq!(a.cmp(&b), Ordering::Equal);
        assert!(HashSet::from([a.clone()]).contains(&b));
        assert!(a < AttrName::literal("Zip"));
        assert_ne!(a, AttrName::literal("userNam"));
    }

    #[test]
    fn attribute_name_follows_the_grammar() {
        for good in ["a", "$ref", "x509Certificates", "nick-name", "a_b"] {
            assert!(good.parse::<AttrName>().is_ok(), "{good}");
        }
        for bad in ["", "1a", "a.b", "a b", "é", "-a", "a:b"] {
            assert!(bad.parse::<AttrName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn long_text_is_shortened_in_messages() {
        assert_eq!(shown("userName"), "userName");
        assert_eq!(shown(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(shown(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
        assert!("1".repeat(100_000).parse::<AttrName>().unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn urn_follows_the_grammar() {
        assert!("URN:ietf:params:scim:schemas:core:2.0:User".parse::<Urn>().is_ok());
        for bad in ["", "urn", "urn:", "urn:a", "urn:a:", "urn::a", "http://x", "urn:a:b c", "urn:a:b["] {
            assert!(bad.parse::<Urn>().is_err(), "{bad}");
        }
    }
}
