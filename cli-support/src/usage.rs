//! Usage errors in plain words: the standard library's errors name Rust's types.

use std::error::Error as _;
use std::io::{self, Write as _};

/// Prints a usage error, or the help or version that the user asked for.
pub fn print_usage_error(error: &clap::Error) {
    let said = error.source().map(ToString::to_string);
    let plain = said.as_deref().and_then(|said| Some((said, plain_words(said)?)));
    // This fails only if the terminal is closed, and then there is no reader.
    let _ = match plain {
        Some((said, plain)) => {
            let text = error.to_string();
            // The value may contain the same words; the message comes after it.
            let (before, after) = text.rsplit_once(said).unwrap_or((&text, ""));
            write!(io::stderr(), "{before}{plain}{after}")
        }
        None => error.print(),
    };
}

/// Rewrites an error about a number. Returns `None` for any other error.
fn plain_words(said: &str) -> Option<String> {
    Some(match said {
        "invalid digit found in string" | "cannot parse integer from empty string" => {
            "expected a whole number".to_owned()
        }
        "number too large to fit in target type" => "the number is too large".to_owned(),
        "number too small to fit in target type" => "the number is too small".to_owned(),
        "number would be zero for non-zero type" => "expected a whole number from 1".to_owned(),
        "invalid float literal" | "cannot parse float from empty string" => "expected a number".to_owned(),
        _ => {
            let (_, range) = said.rsplit_once(" is not in ")?;
            let (from, to) = range.split_once("..=")?;
            format!("expected a whole number from {from} to {to}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_library_number_errors_have_plain_words() {
        let errors = [
            "x".parse::<u8>().unwrap_err().to_string(),
            "".parse::<u8>().unwrap_err().to_string(),
            "256".parse::<u8>().unwrap_err().to_string(),
            "-129".parse::<i8>().unwrap_err().to_string(),
            "0".parse::<std::num::NonZeroU8>().unwrap_err().to_string(),
            "x".parse::<f64>().unwrap_err().to_string(),
            "".parse::<f64>().unwrap_err().to_string(),
            "70000 is not in 0..=65535".to_owned(),
        ];
        for error in errors {
            assert!(plain_words(&error).is_some(), "{error}");
        }
        assert_eq!(plain_words("there is no profile `x`"), None);
    }
}
