//! Errors with their causes, as one line.

use std::error::Error;

/// Returns the message of an error and those of its sources, separated by colons.
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read the file")]
    struct ReadError(#[source] io::Error);

    #[test]
    fn chain_names_each_cause_once() {
        let error = ReadError(io::Error::other("no such file"));
        assert_eq!(error_chain(&error), "failed to read the file: no such file");
        assert_eq!(error_chain(&io::Error::other("alone")), "alone");
    }
}
