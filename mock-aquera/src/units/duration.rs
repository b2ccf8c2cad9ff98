//! Durations as text: `200ms`, `1.5s`, `1h 30m`, or as ISO 8601 writes them, `PT30S`.
//!
//! The grammar is jiff's (<https://docs.rs/jiff/latest/jiff/fmt/friendly/>), without days and longer units.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::SpanParser;

/// The units that [`display`] writes, the longest first, with their nanoseconds.
const UNITS: [(&str, u128); 4] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];

/// Parses a duration that has no sign. Returns `None` if the text is none.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text.starts_with(['+', '-']) {
        return None;
    }
    match parse_signed(text) {
        Some(duration) => duration.try_into().ok(),
        // A signed duration is half as long at most.
        None => SpanParser::new().parse_unsigned_duration(text).ok(),
    }
}

/// Parses a duration that may have a sign. Returns `None` if the text is none.
pub(crate) fn parse_signed(text: &str) -> Option<SignedDuration> {
    text.parse().ok()
}

/// Writes a duration exactly, in the longest of `s`, `ms`, `us` and `ns` that needs no fraction. Numbers that are too large
/// for the parser are written in two units.
pub(crate) fn display(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let exact = UNITS.into_iter().find(|(_, size)| nanos.is_multiple_of(*size));
    let (unit, size) = exact.unwrap_or(("ns", 1));
    match u64::try_from(nanos / size) {
        Ok(number) => format!("{number}{unit}"),
        Err(_) => format!("{}s{}ns", duration.as_secs(), duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_durations_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, nanos: u64, canonical: &str) {
            let duration = parse(text).unwrap();
            assert_eq!(duration, Duration::from_nanos(nanos), "{text}");
            assert_eq!(display(duration), canonical, "{text}");
            assert_eq!(parse(canonical), Some(duration), "{canonical}");
        }
        check("200ms", 200_000_000, "200ms");
        check("1.5s", 1_500_000_000, "1500ms");
        check("2m", 120_000_000_000, "120s");
        check("1h", 3_600_000_000_000, "3600s");
        check("0s", 0, "0s");
        check("7us", 7_000, "7us");
        check("1ns", 1, "1ns");
        check("0.25us", 250, "250ns");
        check("1h 30m", 5_400_000_000_000, "5400s");
        check("1h30m", 5_400_000_000_000, "5400s");
        check("PT1M30S", 90_000_000_000, "90s");
    }

    #[test]
    fn invalid_durations_are_refused() {
        for text in [
            "", "5", "ms", "-1s", "+1s", "1s ago", "-PT1S", "1e3s", "1.s", ".5s", "1.2.3s", "3w", "1d",
            "1sms",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("99999999999999999999999s"), None, "too long");
    }

    #[test]
    fn signed_durations_may_be_negative() {
        assert_eq!(parse_signed("-5s"), Some(SignedDuration::from_secs(-5)));
        assert_eq!(parse_signed("5s ago"), Some(SignedDuration::from_secs(-5)));
        assert_eq!(parse_signed("P1Y"), None);
    }

    #[test]
    fn longest_duration_is_read_as_written() {
        for duration in [Duration::MAX, Duration::new(18_446_744_074, 1), Duration::from_nanos(u64::MAX)] {
            assert_eq!(parse(&display(duration)), Some(duration), "{duration:?}");
        }
    }
}
