//! Text without case.

use std::borrow::Cow;

const FINAL_SIGMA: char = 'ς';
const SIGMA: char = 'σ';

/// The text in lower case for comparison, sign by sign: what becomes of one does not depend on its neighbours.
///
/// [`str::to_lowercase`] looks at the context of a sigma, so that the lower case of a prefix need not be a prefix of
/// the lower case. Here a final sigma is a sigma like any other: `ΟΔΟΣ` and `οδος` are one text. A text that is in
/// lower case already, or ASCII, is not copied without need.
///
/// ```
/// use scim::text::lower_case;
///
/// assert_eq!(lower_case("ΟΔΟΣ"), lower_case("οδος"));
/// assert!(lower_case("ΟΔΟΣΑ").starts_with(&*lower_case("ΟΔΟΣ")));
/// assert!(!"ΟΔΟΣΑ".to_lowercase().starts_with(&"ΟΔΟΣ".to_lowercase()));
/// ```
pub fn lower_case(text: &str) -> Cow<'_, str> {
    // Counting looks at many bytes at once, a search for the first one doesn't.
    if text.bytes().filter(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()).count() == 0 {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    Cow::Owned(lower.map(|sign| if sign == FINAL_SIGMA { SIGMA } else { sign }).collect())
}

/// Whether two texts are the same without case.
pub(crate) fn same_without_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && lower_case(a) == lower_case(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_is_lowered_alone() {
        for (text, lowered) in [
            ("abc-1", "abc-1"),
            ("ABC", "abc"),
            ("ÄbC", "äbc"),
            ("ΟΔΟΣ", "οδοσ"),
            ("οδος", "οδοσ"),
            ("ς", "σ"),
            ("İ", "i\u{307}"),
        ] {
            assert_eq!(lower_case(text), lowered);
        }
        assert!(matches!(lower_case("plain@example.com"), Cow::Borrowed(_)));
        assert!(same_without_case("É", "é") && same_without_case("A", "a") && !same_without_case("a", "é"));
    }
}
