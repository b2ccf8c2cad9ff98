//! Texts cut at a byte. What the standard library has for that is made for any pattern, and slow for texts as short as
//! the parts of a URL.

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
}
