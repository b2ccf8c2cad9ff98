//! Errors with their causes, as text.

use std::error::Error;

/// Returns the text of an error and of its causes, each once: errors of other crates may hold the text of their cause.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            append!(text, ": {told}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read a.toml")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("invalid key: {0}")]
    struct Inner(#[source] std::fmt::Error);

    #[test]
    fn error_with_causes_tells_each_once() {
        let cause = std::fmt::Error;
        let told = format!("failed to read a.toml: invalid key: {cause}");
        assert_eq!(with_causes(&Outer(Inner(cause))), told);
    }
}
