//! The log filter that the variable `RUST_LOG` asks for.

use std::env;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::suggest::nearest;

/// The levels that a filter can name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// An invalid value of `RUST_LOG`.
#[derive(Debug, thiserror::Error)]
enum FilterError {
    #[error("unknown level `{written}`; did you mean `{meant}`?")]
    MisspeltLevel { written: String, meant: &'static str },
    #[error("unknown level; expected one of {}", LEVELS.join(", "))]
    UnknownLevel,
    #[error(transparent)]
    Directive(#[from] ParseError),
}

/// Reads the filter from the environment. Returns `default` if the variable is not set, and also, with a message for
/// the user, if it is invalid.
pub fn from_environment(default: &str) -> (EnvFilter, Option<String>) {
    let written = env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let written = written.to_string_lossy();
    // Compose files set a variable without a value to the empty text.
    if written.trim().is_empty() {
        return (EnvFilter::new(default), None);
    }
    match parse_filter(&written) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let message =
                format!("invalid RUST_LOG `{}`, so `{default}` is used: {error}", written.escape_debug());
            (EnvFilter::new(default), Some(message))
        }
    }
}

/// Parses a filter. The library takes an unknown level for the name of a module, or ignores it.
fn parse_filter(written: &str) -> Result<EnvFilter, FilterError> {
    let parsed = |text: &str| EnvFilter::builder().parse(text).map_err(FilterError::from);
    // Brackets hold the fields of a span, which may contain commas.
    if written.contains(['[', '{']) {
        return parsed(written);
    }
    let directives: Vec<&str> =
        written.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    match directives.iter().find_map(|directive| unknown_level(directive)) {
        Some(error) => Err(error),
        None => parsed(&directives.join(",")),
    }
}

/// Returns the error of the level that a directive names.
fn unknown_level(directive: &str) -> Option<FilterError> {
    let (level, is_bare) = match directive.rsplit_once('=') {
        Some((_, level)) => (level, false),
        None => (directive, true),
    };
    let is_number = matches!(level.as_bytes(), [b'0'..=b'5']);
    if is_number || LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return None;
    }
    match nearest(level, LEVELS) {
        Some(meant) => Some(FilterError::MisspeltLevel { written: level.escape_debug().to_string(), meant }),
        // The name of a module alone enables all its levels.
        None if is_bare => None,
        None => Some(FilterError::UnknownLevel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_level_is_refused_with_a_suggestion() {
        for (written, part) in [
            ("dbug", "did you mean `debug`?"),
            ("info,mock_aquera=wran", "did you mean `warn`?"),
            ("garbage==", "expected one of off, error"),
            ("provisioner=xyz", "expected one of off, error"),
            ("a=b=c", "expected one of off, error"),
        ] {
            let error = parse_filter(written).map(|_| ()).unwrap_err().to_string();
            assert!(error.contains(part), "{written}: {error}");
        }
        for written in [
            "info",
            "WARN",
            "3",
            "mock_aquera",
            "mock_aquera=debug,hyper=off",
            " info , mock_aquera=Trace",
            "[a{b=1}]=info",
        ] {
            assert!(parse_filter(written).is_ok(), "{written}");
        }
    }
}
