//! Errors with their causes, in one line. An error's own text leaves its cause out.

use std::error::Error;

/// Returns the message of an error and those of its sources in one line.
pub fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
