//! Times on the command line.

use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use thiserror::Error;

/// A text that is no time.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a number of seconds, or a number with a unit as in 500ms, 60s or 5m")]
pub(super) struct InvalidTime;

/// A time that has to be above zero.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum InvalidPositiveTime {
    #[error(transparent)]
    Invalid(#[from] InvalidTime),
    #[error("expected a time above 0")]
    Zero,
}

/// Parses a time: a number of seconds, or what jiff calls a friendly duration.
///
/// # Errors
/// The text is neither, or negative.
pub(super) fn time(text: &str) -> Result<Duration, InvalidTime> {
    let seconds = text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let with_unit = || SignedDuration::from_str(text).ok().and_then(|time| Duration::try_from(time).ok());
    seconds.or_else(with_unit).ok_or(InvalidTime)
}

/// Parses a time above zero.
///
/// # Errors
/// The text is no time, or it is zero.
pub(super) fn positive_time(text: &str) -> Result<Duration, InvalidPositiveTime> {
    let time = time(text)?;
    if time.is_zero() { Err(InvalidPositiveTime::Zero) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_units_are_times() {
        for (text, milliseconds) in
            [("0", 0), ("30", 30_000), ("0.5", 500), ("500ms", 500), ("60s", 60_000), ("1m 5s", 65_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "x", "-1", "-1s", "5 parsecs", "inf", "NaN", "1e400"] {
            assert_eq!(time(text), Err(InvalidTime), "{text}");
        }
        assert_eq!(positive_time("0s"), Err(InvalidPositiveTime::Zero));
        assert_eq!(positive_time("1ms"), Ok(Duration::from_millis(1)));
    }
}
