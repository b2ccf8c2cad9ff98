//! Text without case. Every comparison of the harness goes through [`lower_case`], on both sides.

/// Returns the text in lower case, character by character (RFC 7643 §2.1, RFC 7644 §3.4.2.2).
///
/// [`str::to_lowercase`] looks at the neighbours of a sigma, so that the lower case of `ΟΔΟΣ` would not be found in the
/// lower case of `ΟΔΟΣΑ`. Here a final sigma is a sigma like any other: `ΟΔΟΣ` and `οδος` are one text.
pub(crate) fn lower_case(text: &str) -> String {
    lowered(text).collect()
}

/// Whether two texts are the same without case.
pub(crate) fn same_without_case(a: &str, b: &str) -> bool {
    lowered(a).eq(lowered(b))
}

fn lowered(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase).map(|letter| if letter == 'ς' { 'σ' } else { letter })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigma_is_lowered_whatever_follows_it() {
        assert_eq!(lower_case("ΟΔΟΣ"), "οδοσ");
        assert!(lower_case("ΟΔΟΣΑ").starts_with(&lower_case("ΟΔΟΣ")));
        assert_eq!(lower_case("οδος"), "οδοσ");
        assert!(same_without_case("ΟΔΟΣ", "οδος") && same_without_case("ς", "Σ"));
        assert!(same_without_case("ΟΔΟΣ", "οδοσ") && same_without_case("Ada", "aDA"));
        assert!(!same_without_case("ada", "adam") && !same_without_case("adam", "ada"));
    }
}
