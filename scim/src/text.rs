//! Comparison of text without case.

use std::borrow::Cow;

const FINAL_SIGMA: char = 'ς';
const SIGMA: char = 'σ';

/// Returns the text in lower case for comparison, character by character, whatever the neighbours are.
///
/// [`str::to_lowercase`] considers the context of a sigma, so the lower case of a prefix need not be a prefix of the
/// lower case. Here a final sigma equals any other: `ΟΔΟΣ` and `οδος` are the same. A text in lower case is not copied
/// if it is ASCII.
///
/// ```
/// use scim::text::lower_case;
///
/// assert_eq!(lower_case("ΟΔΟΣ"), lower_case("οδος"));
/// assert!(lower_case("ΟΔΟΣΑ").starts_with(&*lower_case("ΟΔΟΣ")));
/// assert!(!"ΟΔΟΣΑ".to_lowercase().starts_with(&"ΟΔΟΣ".to_lowercase()));
/// ```
pub fn lower_case(text: &str) -> Cow<'_, str> {
    // A count is vectorised, a search for the first byte is not.
    if text.bytes().filter(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()).count() == 0 {
        return Cow::Borrowed(text);
    }
    if text.is_ascii() {
        return Cow::Owned(text.to_ascii_lowercase());
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    Cow::Owned(lower.map(|c| if c == FINAL_SIGMA { SIGMA } else { c }).collect())
}

/// Whether two texts are equal without case.
pub(crate) fn same_without_case(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && lower_case(a) == lower_case(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_ignores_neighbouring_characters() {
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
