//! How an instant is written (RFC 7643 §2.3.5): UTC, to the millisecond, what is finer cut off.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// A text is no instant. The message is the end of a sentence that says whose text it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParseInstantError {
    #[error("an instant such as 2026-01-31T12:00:00Z (xsd:dateTime), not `{0}`")]
    Form(String),
    #[error("an instant from {first} to {last}, not `{0}`", first = whole(Timestamp::MIN), last = whole(Timestamp::MAX))]
    Range(String),
}

/// Parses an `xsd:dateTime`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, ParseInstantError> {
    let shown = || text.chars().take(100).collect();
    let instant = scim::date_time::instant(text).ok_or_else(|| ParseInstantError::Form(shown()))?;
    instant.timestamp().ok_or_else(|| ParseInstantError::Range(shown()))
}

/// An instant as `xsd:dateTime` in all its precision: years before the first have four digits, where jiff writes six.
pub(crate) fn whole(instant: Timestamp) -> String {
    four_digits(&instant.to_string())
}

fn four_digits(text: &str) -> String {
    text.strip_prefix("-00").map_or_else(|| text.to_owned(), |rest| format!("-{rest}"))
}

/// An instant as text, `2026-05-04T03:02:01.123Z`.
pub(crate) fn date_time(instant: Timestamp) -> String {
    let mut text = String::with_capacity(32);
    // Writing to a text cannot fail.
    let _ = MILLISECONDS.print_timestamp(&instant, &mut text);
    if text.starts_with('-') { four_digits(&text) } else { text }
}

const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(instant: Timestamp) {
        let text = date_time(instant);
        assert_eq!(text, four_digits(&format!("{instant:.3}")));
        // What is written is read.
        let read = parse(&text).unwrap();
        assert!(instant.duration_since(read).abs() < SignedDuration::from_millis(1), "{text}");
        assert_eq!(parse(&whole(instant)), Ok(instant));
    }

    #[test]
    fn it_is_what_jiff_writes_at_every_turn() {
        for text in [
            "1970-01-01T00:00:00Z",
            "1969-12-31T23:59:59.9999Z",
            "2000-02-29T12:34:56.789Z",
            "1900-02-28T23:59:59.999999999Z",
            "1900-03-01T00:00:00Z",
            "2100-12-31T23:59:59.001Z",
            "0000-01-01T00:00:00Z",
            "-000001-12-31T23:59:59.999Z",
            "-009998-01-01T00:00:00.5Z",
            "9999-12-30T22:00:00.999Z",
        ] {
            check(text.parse().unwrap());
        }
        check(Timestamp::MIN);
        check(Timestamp::MAX);
    }

    #[test]
    fn years_before_the_first_have_four_digits() {
        let instant: Timestamp = "-000044-03-15T12:00:00.5Z".parse().unwrap();
        assert_eq!(date_time(instant), "-0044-03-15T12:00:00.500Z");
        assert_eq!(whole(instant), "-0044-03-15T12:00:00.5Z");
    }

    proptest! {
        #[test]
        fn any_instant_is_what_jiff_writes(
            second in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
            nanosecond in 0..1_000_000_000_i64,
        ) {
            let instant = Timestamp::new(second, 0).unwrap();
            let instant = instant.checked_add(SignedDuration::from_nanos(nanosecond)).unwrap();
            check(instant);
        }
    }
}
