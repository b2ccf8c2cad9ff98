//! The normal form of paths.

use std::borrow::Cow;

use memchr::memchr;

/// Returns a path in which no letter, digit, hyphen, point, underscore or tilde is percent-encoded (RFC 3986 §6.2.2.2).
/// What else is encoded stays so: `%2F` separates nothing.
pub(crate) fn normal_path(path: &str) -> Cow<'_, str> {
    let Some(at) = memchr(b'%', path.as_bytes()) else { return path.into() };
    let mut normal = path[..at].to_owned();
    let pieces = path[at + 1..].split('%');
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
    use super::*;

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
