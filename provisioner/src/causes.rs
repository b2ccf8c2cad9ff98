//! Errors with their causes, in one line. An error's own text leaves its cause out.

use std::error::Error;

/// The text of `error`, and that of what caused it.
pub fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
