//! Dates and times: `xsd:dateTime` (RFC 7643 §2.3.5).

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

/// The instant of an `xsd:dateTime`; one without an offset is taken for UTC. `None` if the text is none, or lies
/// outside the years from -9999 to 9999.
///
/// `24:00:00` is the next day's `00:00:00`. Offsets go up to 14 hours.
///
/// ```
/// use scim::validate::instant;
///
/// assert_eq!(instant("2024-05-01T24:00:00Z"), instant("2024-05-02T02:00:00+02:00"));
/// assert_eq!(instant("2024-05-01 10:00:00Z"), None);
/// ```
pub fn instant(text: &str) -> Option<Timestamp> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = zone(time)?;
    let midnight = day(date)?.to_datetime(Time::midnight());
    let midnight = TimeZone::UTC.to_timestamp(midnight).ok()?;
    midnight.checked_add(of_day(time)?).ok()?.checked_sub(offset).ok()
}

/// Whether a text is an `xsd:dateTime`. Years have any number of digits; what [`instant`] cannot hold (it ends with
/// 9999-12-30) is compared as text.
///
/// ```
/// use scim::validate::is_date_time;
///
/// assert!(is_date_time("12020-01-01T00:00:00Z") && is_date_time("9999-12-31T24:00:00Z"));
/// assert!(!is_date_time("12019-02-29T00:00:00Z"));
/// ```
pub fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let time = zone(time).and_then(|(time, _)| of_day(time));
    time.is_some() && is_day(date)
}

/// Whether it is `-?Y…YYYY-MM-DD`, whatever the year.
fn is_day(text: &str) -> bool {
    let rest = text.strip_prefix('-').unwrap_or(text);
    let Some((year, rest)) = rest.split_once('-') else { return false };
    let whole = year.len() >= 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    if !whole || (year.len() > 4 && year.starts_with('0')) {
        return false;
    }
    // The calendar repeats after 400 years, which the last four digits tell.
    let last: Option<i16> = year.get(year.len() - 4..).and_then(|last| last.parse().ok());
    let like = last.map(|last| 2000 + last % 400);
    let date = rest.split_once('-').and_then(|(month, day)| Date::new(like?, two(month)?, two(day)?).ok());
    date.is_some()
}

/// `-?YYYY-MM-DD`; the year may have more digits than four.
fn day(text: &str) -> Option<Date> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (year, rest) = rest.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    if year.len() < 4 || (year.len() > 4 && year.starts_with('0')) {
        return None;
    }
    let year: i16 = number(year)?.try_into().ok()?;
    Date::new(sign * year, two(month)?, two(day)?).ok()
}

/// `hh:mm:ss(.s+)?` as the time since midnight.
fn of_day(text: &str) -> Option<SignedDuration> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, nanoseconds(fraction)?),
        None => (text, 0),
    };
    let (hours, rest) = whole.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    let [hours, minutes, seconds] = [two(hours)?, two(minutes)?, two(seconds)?].map(i64::from);
    let midnight = hours == 24 && minutes == 0 && seconds == 0 && fraction == 0;
    (midnight || (hours < 24 && minutes < 60 && seconds < 60))
        .then(|| SignedDuration::new((hours * 60 + minutes) * 60 + seconds, fraction))
}

/// Digits behind the point; those beyond nanoseconds are passed over.
fn nanoseconds(digits: &str) -> Option<i32> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
    padded.parse().ok()
}

/// The time of day, and the offset from UTC behind it.
fn zone(text: &str) -> Option<(&str, SignedDuration)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, SignedDuration::ZERO));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, SignedDuration::ZERO)) };
    let (time, offset) = text.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let [hours, minutes] = [two(hours)?, two(minutes)?].map(i64::from);
    let whole = hours * 60 + minutes;
    (minutes < 60 && whole <= 14 * 60).then(|| (time, SignedDuration::from_mins(sign * whole)))
}

/// Two digits.
fn two(text: &str) -> Option<i8> {
    if text.len() == 2 { number(text)?.try_into().ok() } else { None }
}

/// Digits and nothing else: `parse` takes a sign too.
fn number(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_and_time_is_an_instant() {
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
        assert_eq!(instant("1970-01-01T00:00:01Z"), Some(Timestamp::from_second(1).unwrap()));
        assert!(instant("-0044-03-15T12:00:00Z") < instant("0044-03-15T12:00:00Z"));
    }

    #[test]
    fn dates_beyond_the_instants_are_dates() {
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
    fn other_texts_are_none() {
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
