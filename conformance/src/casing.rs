//! Text without case. Every comparison of the harness goes through [`lower_case`], on both sides.

/// The text in lower case, character by character (RFC 7643 §2.1, RFC 7644 §3.4.2.2).
///
/// [`str::to_lowercase`] looks at the neighbours of a sigma, so that the lower case of `ΟΔΟΣ` would not be found in the
/// lower case of `ΟΔΟΣΑ`.
pub(crate) fn lower_case(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether two texts are the same without case.
pub(crate) fn same_without_case(a: &str, b: &str) -> bool {
    a.chars().flat_map(char::to_lowercase).eq(b.chars().flat_map(char::to_lowercase))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigma_is_lowered_whatever_follows_it() {
        assert_eq!(lower_case("ΟΔΟΣ"), "οδοσ");
        assert!(lower_case("ΟΔΟΣΑ").starts_with(&lower_case("ΟΔΟΣ")));
        assert!(same_without_case("ΟΔΟΣ", "οδοσ") && same_without_case("Ada", "aDA"));
        assert!(!same_without_case("ada", "adam") && !same_without_case("adam", "ada"));
    }
}
