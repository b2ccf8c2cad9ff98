//! What goes to stderr, as the variable `RUST_LOG` has it.

use std::env;

use tracing_subscriber::EnvFilter;

use crate::nearest::nearest;

/// The levels that a filter can name.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

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
        Err(why) => {
            let told =
                format!("invalid RUST_LOG `{}`, so `{default}` is used: {why}", written.escape_debug());
            (EnvFilter::new(default), Some(told))
        }
    }
}

/// Reads a filter. A level that there is not is taken for the name of a module by the library, or passed over.
fn read(written: &str) -> Result<EnvFilter, String> {
    let parsed = |text: &str| EnvFilter::builder().parse(text).map_err(|error| error.to_string());
    // Within brackets are the fields of a span, and commas between them.
    if written.contains(['[', '{']) {
        return parsed(written);
    }
    let directives: Vec<&str> =
        written.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    match directives.iter().find_map(|directive| unknown_level(directive)) {
        Some(why) => Err(why),
        None => parsed(&directives.join(",")),
    }
}

/// What is wrong with the level that a directive names.
fn unknown_level(directive: &str) -> Option<String> {
    let (level, is_bare) = match directive.rsplit_once('=') {
        Some((_, level)) => (level, false),
        None => (directive, true),
    };
    let is_number = matches!(level.as_bytes(), [b'0'..=b'5']);
    if is_number || LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
        return None;
    }
    match nearest(level, LEVELS) {
        Some(meant) => Some(format!("there is no level `{}`; did you mean `{meant}`?", level.escape_debug())),
        // The name of a module alone, which is heard whatever it says.
        None if is_bare => None,
        None => Some(format!("the levels are {}", LEVELS.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn level_that_there_is_not_is_told_with_the_nearest() {
        for (written, part) in [
            ("dbug", "did you mean `debug`?"),
            ("info,mock_aquera=wran", "did you mean `warn`?"),
            ("garbage==", "the levels are off, error"),
            ("mock_aquera=xyz", "the levels are off, error"),
            ("a=b=c", "the levels are off, error"),
        ] {
            let error = read(written).map(|_| ()).unwrap_err();
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
            assert!(read(written).is_ok(), "{written}");
        }
    }
}
