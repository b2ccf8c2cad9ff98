//! Dates and times: `xsd:dateTime` (RFC 7643 §2.3.5).

use std::fmt;

use jiff::Timestamp;

const SECONDS_A_DAY: i128 = 86_400;
const DAYS_IN_400_YEARS: i128 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const MARCH_TO_1970: i128 = 719_468;
/// The maximum number of digits of a year. XML Schema allows a limit, and the seconds of such years fit.
const YEAR_DIGITS: usize = 30;

/// A point in time, in any year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateTime {
    /// Seconds since 1970-01-01.
    second: i128,
    nanosecond: u32,
}

impl DateTime {
    /// Returns the instant as a timestamp, or `None` if it is outside the years -9999 to 9999. The last timestamp is
    /// 9999-12-30T22:00:00Z.
    pub fn timestamp(self) -> Option<Timestamp> {
        let nanosecond = i32::try_from(self.nanosecond).ok()?;
        // Before 1970 the fraction of jiff has the sign of the seconds; `new` normalises it.
        Timestamp::new(i64::try_from(self.second).ok()?, nanosecond).ok()
    }

    /// Returns the instant as bytes, which [`from_bytes`](Self::from_bytes) reads.
    pub(crate) fn to_bytes(self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[..16].copy_from_slice(&self.second.to_be_bytes());
        bytes[16..].copy_from_slice(&self.nanosecond.to_be_bytes());
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (second, nanosecond) = bytes.split_first_chunk()?;
        let nanosecond = u32::from_be_bytes(nanosecond.try_into().ok()?);
        (nanosecond < 1_000_000_000).then_some(Self { second: i128::from_be_bytes(*second), nanosecond })
    }
}

/// Seconds since 1970, with nine decimal places.
impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.second, self.nanosecond)
    }
}

/// Parses an `xsd:dateTime`, or returns `None` if the text is not one. A missing offset means UTC.
///
/// `24:00:00` is `00:00:00` of the next day. Offsets have at most 14 hours, years at most 30 digits. Digits beyond
/// nanoseconds are ignored.
///
/// ```
/// use scim::date_time::instant;
///
/// assert_eq!(instant("2024-05-01T24:00:00Z"), instant("2024-05-02T02:00:00+02:00"));
/// assert!(instant("9999-12-31T23:59:59Z") < instant("12020-01-01T00:00:00Z"));
/// assert_eq!(instant("2024-05-01 10:00:00Z"), None);
/// ```
pub fn instant(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = zone(time)?;
    let (second_of_day, nanosecond) = of_day(time)?;
    let second = day(date)? * SECONDS_A_DAY + second_of_day - offset;
    Some(DateTime { second, nanosecond })
}

/// Whether a text is an `xsd:dateTime`.
///
/// ```
/// use scim::date_time::is_date_time;
///
/// assert!(is_date_time("12020-01-01T00:00:00Z") && is_date_time("9999-12-31T24:00:00Z"));
/// assert!(!is_date_time("12019-02-29T00:00:00Z"));
/// ```
pub fn is_date_time(text: &str) -> bool {
    instant(text).is_some()
}

/// Parses `-?Y…YYYY-MM-DD` as days since 1970.
fn day(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (year, rest) = rest.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    if !(4..=YEAR_DIGITS).contains(&year.len()) || (year.len() > 4 && year.starts_with('0')) {
        return None;
    }
    let year = sign * number(year)?;
    let (month, day) = (two(month)?, two(day)?);
    if day < 1 || day > days_in_month(year, month)? {
        return None;
    }
    // In years that start in March the leap day is the last day, and the lengths of months have a fixed pattern.
    let year = if month <= 2 { year - 1 } else { year };
    let (cycle, year_of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    Some(cycle * DAYS_IN_400_YEARS + day_of_cycle - MARCH_TO_1970)
}

fn days_in_month(year: i128, month: i128) -> Option<i128> {
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if is_leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Parses `hh:mm:ss(.s+)?` as seconds and nanoseconds since midnight.
fn of_day(text: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, nanoseconds(fraction)?),
        None => (text, 0),
    };
    let (hours, rest) = whole.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let [hours, minutes, seconds] = [two(hours)?, two(minutes)?, two(seconds)?];
    let midnight = hours == 24 && minutes == 0 && seconds == 0 && fraction == 0;
    (midnight || (hours < 24 && minutes < 60 && seconds < 60))
        .then_some(((hours * 60 + minutes) * 60 + seconds, fraction))
}

/// Parses the digits of a fraction as nanoseconds; further digits are ignored.
fn nanoseconds(digits: &str) -> Option<u32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    padded.parse().ok()
}

/// Splits the time of day from the offset, and returns the offset from UTC in seconds.
fn zone(text: &str) -> Option<(&str, i128)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, offset) = text.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let whole = hours * 60 + minutes;
    (minutes < 60 && whole <= 14 * 60).then_some((time, sign * whole * 60))
}

/// Parses two digits.
fn two(text: &str) -> Option<i128> {
    if text.len() == 2 { number(text) } else { None }
}

/// Parses digits only: `parse` accepts a sign too.
fn number(text: &str) -> Option<i128> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_time_parses_to_an_instant() {
        #[track_caller]
        fn same(one: &str, other: &str) {
            assert!(instant(one).is_some(), "{one}");
            assert_eq!(instant(one), instant(other), "{one} {other}");
        }
        same("2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00Z");
        same("2024-05-01T10:00:00", "2024-05-01T10:00:00Z");
        same("2024-05-01T24:00:00Z", "2024-05-02T00:00:00Z");
        same("2023-12-31T24:00:00.000Z", "2024-01-01T00:00:00Z");
        same("2024-02-29T00:00:00-14:00", "2024-02-29T14:00:00Z");
        same("2024-05-01T10:00:00.50Z", "2024-05-01T10:00:00.5Z");
        same("2024-05-01T10:00:00.1234567891234567891234Z", "2024-05-01T10:00:00.123456789Z");
        same("0001-01-01T00:00:00Z", "0001-01-01T01:00:00+01:00");
        assert_eq!(timestamp("1970-01-01T00:00:01Z"), Some(Timestamp::from_second(1).unwrap()));
        assert!(instant("-0044-03-15T12:00:00Z") < instant("0044-03-15T12:00:00Z"));
        same("9999-12-31T24:00:00Z", "10000-01-01T01:00:00+01:00");
        same("9999-12-31T23:59:59.000Z", "9999-12-31T23:59:59Z");
        same("-10000-12-31T24:00:00Z", "-9999-01-01T00:00:00Z");
    }

    fn timestamp(text: &str) -> Option<Timestamp> {
        instant(text)?.timestamp()
    }

    #[test]
    fn instants_order_like_the_calendar() {
        let texts = [
            "-123456789012345678901234567890-01-01T00:00:00Z",
            "-12020-01-01T00:00:00Z",
            "-9999-12-31T23:59:59Z",
            "0000-02-29T00:00:00Z",
            "1969-12-31T23:59:59.999999999Z",
            "1970-01-01T00:00:00Z",
            "9999-12-30T22:00:00Z",
            "9999-12-30T22:00:01Z",
            "9999-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "12020-01-01T00:00:00Z",
            "123456789012345678901234567890-01-01T00:00:00Z",
        ];
        for pair in texts.windows(2) {
            assert!(instant(pair[0]).unwrap() < instant(pair[1]).unwrap(), "{pair:?}");
        }
        for text in texts {
            let instant = instant(text).unwrap();
            assert_eq!(DateTime::from_bytes(&instant.to_bytes()), Some(instant), "{text}");
        }
    }

    #[test]
    fn instant_of_four_digit_year_equals_jiff() {
        use jiff::tz::TimeZone;
        let days = |from: i64, step: i64| (0..4000).map(move |nth| from + nth * step);
        // Each day of some leap years, and single days of other years.
        for day in days(-3700, 1).chain(days(10_000, 1)).chain(days(-4_000_000, 1700)) {
            let expected = Timestamp::from_second(day * 86_400).unwrap();
            let date = TimeZone::UTC.to_datetime(expected).date();
            let (year, sign) = (date.year().abs(), if date.year() < 0 { "-" } else { "" });
            let text = format!("{sign}{year:04}-{:02}-{:02}T00:00:00Z", date.month(), date.day());
            assert_eq!(timestamp(&text), Some(expected), "{text}");
        }
        let (last, before_1970) = ("9999-12-30T22:00:00Z", "1969-12-31T23:59:59.25Z");
        assert_eq!(timestamp(last).map(Timestamp::as_second), Some(Timestamp::MAX.as_second()));
        assert_eq!(timestamp(before_1970), Some(before_1970.parse().unwrap()));
        assert_eq!(timestamp("9999-12-31T00:00:00Z"), None);
    }

    #[test]
    fn date_time_beyond_timestamp_range_is_valid() {
        for text in [
            "12020-01-01T00:00:00Z",
            "99999-02-28T00:00:00Z",
            "12000-02-29T00:00:00Z",
            "9999-12-31T24:00:00Z",
            "-12004-02-29T23:59:59.5+14:00",
            "123456789012345678901234-12-31T00:00:00",
        ] {
            assert!(is_date_time(text), "{text}");
        }
        assert!(is_date_time("2024-02-29T24:00:00Z"));
        for text in [
            "12019-02-29T00:00:00Z",
            "12100-02-29T00:00:00Z",
            "012020-01-01T00:00:00Z",
            "12020-13-01T00:00:00Z",
        ] {
            assert!(!is_date_time(text), "{text}");
        }
    }

    #[test]
    fn text_that_is_no_date_time_has_no_instant() {
        for text in [
            "",
            "soon",
            "2024-05-01",
            "2024-05-01 10:00:00Z",
            "2024-05-01t10:00:00z",
            "2024-05-01T10:00Z",
            "2024-05-01T10:00:00 Z",
            "2024-05-01T10:00:00-24:00",
            "2024-05-01T10:00:00+14:01",
            "2024-05-01T10:00:00+0200",
            "2024-05-01T10:00:00+02",
            "2024-05-01T24:00:01Z",
            "2024-05-01T24:00:00.1Z",
            "2024-05-01T25:00:00Z",
            "2024-05-01T23:59:60Z",
            "2024-05-01T10:00:00.Z",
            "2023-02-29T00:00:00Z",
            "2024-02-30T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "24-05-01T00:00:00Z",
            "02024-05-01T00:00:00Z",
            "+2024-05-01T00:00:00Z",
            "1234567890123456789012345678901-01-01T00:00:00Z",
            "2024-05-00T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2024-5-1T00:00:00Z",
            "2024-05-01T+1:00:00Z",
            "2024-05-01T10:00:00[UTC]",
            "20240501T100000Z",
        ] {
            assert_eq!(instant(text), None, "{text}");
            assert!(!is_date_time(text), "{text}");
        }
    }
}
