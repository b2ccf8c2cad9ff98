//! Suggestions for misspelt names.

mod attribute;

pub(crate) use attribute::attribute_name;
pub(crate) use cli_support::suggest::nearest;

/// Returns "did you mean …?" with the nearest candidate, or else `otherwise`.
pub(crate) fn nearest_or<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    nearest(written, candidates).map_or_else(otherwise, question)
}

/// Returns "; did you mean …?" with a suggestion, to stand behind a message, or nothing without one.
pub(crate) fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |suggestion| format!("; {}", question(suggestion)))
}

/// Returns "did you mean …?" for a suggestion.
pub(crate) fn question(suggestion: &str) -> String {
    format!("did you mean `{suggestion}`?")
}
