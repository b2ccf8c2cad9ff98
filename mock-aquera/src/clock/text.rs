//! How an instant is written (RFC 7643 §2.3.5): UTC, to the millisecond, what is finer cut off.

use jiff::Timestamp;

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

const SECONDS_A_DAY: u64 = 86_400;
const DAYS_IN_400_YEARS: u32 = 146_097;
/// Days from the first of March of the year -400 to the first of January 1970.
const MARCH_TO_1970: u32 = 719_468 + DAYS_IN_400_YEARS;
/// The first second of the year 0.
const YEAR_0: i64 = -62_167_219_200;

/// An instant as text, `2026-05-04T03:02:01.123Z`. Every write of an account needs it, so it is done by hand where
/// the year has four digits.
pub(crate) fn date_time(instant: Timestamp) -> String {
    match four_digit_year(instant) {
        // All of it is ASCII, so this can't fail.
        Some(text) => str::from_utf8(&text).unwrap_or_default().to_owned(),
        None => four_digits(&format!("{instant:.3}")),
    }
}

/// The 24 bytes of an instant in the years from 0 to 9999; `None` before.
pub(crate) fn four_digit_year(instant: Timestamp) -> Option<[u8; 24]> {
    let (mut seconds, mut nanoseconds) = (instant.as_second(), instant.subsec_nanosecond());
    if nanoseconds < 0 {
        seconds -= 1;
        nanoseconds += 1_000_000_000;
    }
    if seconds < YEAR_0 {
        return None;
    }
    // No number from here on is negative, and all but the seconds since that day are small: that is what makes it fast.
    let seconds = u64::try_from(seconds + i64::from(MARCH_TO_1970) * 86_400).ok()?;
    let days = u32::try_from(seconds / SECONDS_A_DAY).ok()?;
    let second = u32::try_from(seconds % SECONDS_A_DAY).ok()?;
    let millisecond = u32::try_from(nanoseconds).ok()? / 1_000_000;
    let (year, month, day) = date(days);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut pair = |at: usize, number: u32| {
        text[at] = digit(number / 10);
        text[at + 1] = digit(number % 10);
    };
    pair(0, year / 100);
    pair(2, year % 100);
    pair(5, month);
    pair(8, day);
    pair(11, second / 3600);
    pair(14, second / 60 % 60);
    pair(17, second % 60);
    pair(20, millisecond / 10);
    text[22] = digit(millisecond % 10);
    Some(text)
}

/// Year, month and day of a day counted from the first of March of the year -400, in the Gregorian calendar. Years
/// begin with March, so that the leap day is the last of a year and the months before it have a fixed pattern.
fn date(days: u32) -> (u32, u32, u32) {
    let (cycle, day_of_cycle) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    // Each of 4 years, 100 years and 400 years ends with the day that decides whether it is a leap one.
    let leap_days = day_of_cycle / 1460 + day_of_cycle / 146_096 - day_of_cycle / 36_524;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Five months from March have 153 days, and so have five from August.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * cycle + year_of_cycle + u32::from(month <= 2) - 400, month, day)
}

fn digit(number: u32) -> u8 {
    b'0'.wrapping_add(number.to_le_bytes()[0])
}

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

    #[test]
    fn every_day_of_400_years_is_the_right_one() {
        let start: Timestamp = "1799-12-31T23:59:59.999Z".parse().unwrap();
        for day in 0..146_098 {
            check(start.checked_add(SignedDuration::from_hours(24 * day)).unwrap());
        }
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
