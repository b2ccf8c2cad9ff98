//! Texts cut at a byte. What the standard library has for that is made for any pattern, and slow for texts as short as
//! the parts of a URL.

use std::borrow::Cow;

use memchr::memchr;

/// What is in front of the first such ASCII character, and what is behind it.
pub(crate) fn split_once(text: &str, at: u8) -> Option<(&str, &str)> {
    let found = memchr(at, text.as_bytes())?;
    Some((text.get(..found)?, text.get(found + 1..)?))
}

/// What is between such ASCII characters; the text itself where there is none.
pub(crate) fn split(text: &str, at: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let (first, after) = match split_once(rest?, at) {
            Some((first, after)) => (first, Some(after)),
            None => (rest?, None),
        };
        rest = after;
        Some(first)
    })
}

/// Returns a path in which no letter, digit, hyphen, point, underscore or tilde is percent-encoded (RFC 3986 §6.2.2.2).
/// What else is encoded stays so: `%2F` separates nothing.
pub(crate) fn normal_path(path: &str) -> Cow<'_, str> {
    let mut pieces = path.split('%');
    let Some(first) = pieces.next().filter(|first| first.len() < path.len()) else { return path.into() };
    let mut normal = first.to_owned();
    for piece in pieces {
        let code = piece.get(..2).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        if let Some(byte) = byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            normal.push(char::from(byte));
            normal.push_str(&piece[2..]);
        } else {
            normal.push('%');
            normal.push_str(piece);
        }
    }
    if normal == path { path.into() } else { normal.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_cut_like_the_standard_library(text in "[a&é=]{0,12}") {
            prop_assert_eq!(split_once(&text, b'='), text.split_once('='));
            prop_assert_eq!(split(&text, b'&').collect::<Vec<_>>(), text.split('&').collect::<Vec<_>>());
        }
    }

    #[test]
    fn path_is_normal_where_nothing_is_encoded_that_need_not_be() {
        for (path, normal) in [
            ("/scim/%55sers", "/scim/Users"),
            ("/%73%63im/Users/%2D%5f%7E%2e", "/scim/Users/-_~."),
            ("/scim%2FUsers/%20%25", "/scim%2FUsers/%20%25"),
            ("/a%2541", "/a%2541"),
            ("/%", "/%"),
            ("/%4", "/%4"),
            ("/%4\u{e9}", "/%4\u{e9}"),
            ("/%%41", "/%A"),
        ] {
            assert_eq!(normal_path(path), normal, "{path}");
        }
    }
}
