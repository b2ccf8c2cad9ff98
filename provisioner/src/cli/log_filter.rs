//! What goes to stderr, as the variable `RUST_LOG` has it.

use std::env;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use crate::causes::with_cause;
use crate::config::suggest;

/// The levels that a filter can name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why a text is no filter.
#[derive(Debug, thiserror::Error)]
enum FilterError {
    #[error("unknown level `{}`; did you mean `{meant}`?", level.escape_debug())]
    UnknownLevel { level: String, meant: &'static str },
    #[error("the levels are {}", LEVELS.join(", "))]
    NoLevel,
    #[error("it does not parse")]
    Syntax(#[from] ParseError),
}

/// The filter that the environment asks for, or else this one; and what is wrong with what it asks for.
pub(super) fn from_environment(default: &str) -> (EnvFilter, Option<String>) {
    let written = env::var_os(EnvFilter::DEFAULT_ENV).unwrap_or_default();
    let written = written.to_string_lossy();
    // Compose files set what they have no value for to nothing.
    if written.trim().is_empty() {
        return (EnvFilter::new(default), None);
    }
    match read(&written) {
        Ok(filter) => (filter, None),
        Err(error) => {
            let written = written.escape_debug();
            let told =
                format!("invalid RUST_LOG `{written}`, so `{default}` is used: {}", with_cause(&error));
            (EnvFilter::new(default), Some(told))
        }
    }
}

/// Reads a filter. A level that there is not is taken for the name of a module by the library, or passed over.
fn read(written: &str) -> Result<EnvFilter, FilterError> {
    let parsed = |text: &str| EnvFilter::builder().parse(text).map_err(FilterError::from);
    // Within brackets are the fields of a span, and commas between them.
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

/// What is wrong with the level that a directive names.
fn unknown_level(directive: &str) -> Option<FilterError> {
    let (level, is_bare) = match directive.rsplit_once('=') {
        Some((_, level)) => (level, false),
        None => (directive, true),
    };
    let is_number = matches!(level.as_bytes(), [b'0'..=b'5']);
    if is_number || LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return None;
    }
    match suggest(level, LEVELS) {
        Some(meant) => Some(FilterError::UnknownLevel { level: level.to_owned(), meant }),
        // The name of a module alone, which is heard whatever it says.
        None if is_bare => None,
        None => Some(FilterError::NoLevel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_level_is_reported_with_the_nearest() {
        for (written, part) in [
            ("dbug", "did you mean `debug`?"),
            ("info,provisioner=wran", "did you mean `warn`?"),
            ("garbage==", "the levels are off, error"),
            ("provisioner=xyz", "the levels are off, error"),
            ("a=b=c", "the levels are off, error"),
        ] {
            let error = read(written).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(part), "{written}: {error}");
        }
        for written in [
            "info",
            "WARN",
            "3",
            "provisioner",
            "provisioner=debug,hyper=off",
            " info , provisioner=Trace",
            "[a{b=1}]=info",
        ] {
            assert!(read(written).is_ok(), "{written}");
        }
    }
}
