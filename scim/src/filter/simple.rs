//! A fast parser of the filter that nearly every client sends.

use std::borrow::Cow;

/// Returns the attribute and the text if the whole filter is `attr eq "text"`, and `None` for every other filter, valid
/// or not, which [`Filter::parse`](super::Filter::parse) parses.
///
/// The attribute may have a sub-attribute and no URN. Allocates only if the text has an escape.
///
/// ```
/// use scim::filter::simple_eq;
///
/// assert_eq!(simple_eq(r#"userName eq "mara""#), Some(("userName", "mara".into())));
/// assert_eq!(simple_eq(r#"userName eq "mara" and active eq true"#), None);
/// ```
pub fn simple_eq(text: &str) -> Option<(&str, Cow<'_, str>)> {
    let (attr, rest) = text.split_at(text.bytes().position(|byte| byte == b' ')?);
    if !is_path(attr) {
        return None;
    }
    let (operator, rest) = rest.strip_prefix(' ')?.split_at_checked(2)?;
    let quoted = rest.strip_prefix(' ')?;
    if !operator.eq_ignore_ascii_case("eq") {
        return None;
    }
    let inner = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // A count is vectorised, a search for the first byte is not.
    if inner.bytes().filter(|b| matches!(b, b'"' | b'\\') || *b < 0x20).count() == 0 {
        return Some((attr, Cow::Borrowed(inner)));
    }
    // One JSON string: an inner quote that is not escaped is an error.
    serde_json::from_str::<String>(quoted).ok().map(|value| (attr, Cow::Owned(value)))
}

fn is_path(text: &str) -> bool {
    match text.bytes().position(|byte| byte == b'.') {
        Some(dot) => is_name(&text[..dot]) && is_name(&text[dot + 1..]),
        None => is_name(text),
    }
}

fn is_name(text: &str) -> bool {
    crate::name::is_attr_name(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let found = simple_eq(text);
        assert_eq!(found.as_ref().map(|(attr, value)| (*attr, &**value)), expected, "{text}");
    }

    #[test]
    fn simple_eq_returns_attribute_and_text() {
        check(r#"userName eq "a""#, Some(("userName", "a")));
        check(r#"userName EQ "a b""#, Some(("userName", "a b")));
        check(r#"emails.value Eq "a@b.c""#, Some(("emails.value", "a@b.c")));
        check(r#"x eq """#, Some(("x", "")));
        check(r#"x eq "日本""#, Some(("x", "日本")));
        check(r#"x eq "a\"b\\""#, Some(("x", "a\"b\\")));
        check(r#"x eq "\u00e9""#, Some(("x", "é")));
        check(r#"not eq "a""#, Some(("not", "a")));
    }

    #[test]
    fn simple_eq_of_another_filter_is_none() {
        for text in [
            "",
            r#"userName  eq "a""#,
            r#"userName eq  "a""#,
            r#"userName eq "a" "#,
            " ",
            "userName",
            "userName eq",
            "userName eq \"",
            "userName eq a",
            "userName eq 1",
            "userName eq\"a\"",
            "userName ne \"a\"",
            "userName eqx \"a\"",
            " userName eq \"a\"",
            "userName eq \"a\" ",
            "userName\teq \"a\"",
            "userName eq \"a\" or x eq \"b\"",
            "userName eq \"a\\\"",
            "userName eq \"a\\x\"",
            "userName eq \"a\nb\"",
            "a.b.c eq \"a\"",
            ".a eq \"a\"",
            "1a eq \"a\"",
            "urn:a:b:c eq \"a\"",
            "emails[type eq \"a\"]",
            "x é \"a\"",
            "x eé \"a\"",
        ] {
            check(text, None);
        }
    }

    #[test]
    fn simple_eq_without_escape_borrows() {
        let found = simple_eq(r#"userName eq "mara""#).map(|(_, value)| value);
        assert!(matches!(found, Some(Cow::Borrowed("mara"))));
    }
}
