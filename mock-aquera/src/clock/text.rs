//! How an instant is written (RFC 7643 §2.3.5): UTC, to the millisecond, what is finer cut off.

use jiff::Timestamp;

const SECONDS_A_DAY: i64 = 86_400;
/// Days from the first of March of the year 0 to the first of January 1970.
const MARCH_0_TO_1970: i64 = 719_468;
const DAYS_IN_400_YEARS: i64 = 146_097;

/// An instant as text, `2026-05-04T03:02:01.123Z`. Every write of an account needs it, so it is done by hand where
/// the year has four digits.
pub(crate) fn date_time(instant: Timestamp) -> String {
    let Some(written) = four_digit_year(instant) else { return format!("{instant:.3}") };
    // All of it is ASCII, so this can't fail.
    String::from_utf8(written.to_vec()).unwrap_or_default()
}

/// The 24 bytes of an instant between the years 0 and 9999; `None` before.
pub(crate) fn four_digit_year(instant: Timestamp) -> Option<[u8; 24]> {
    let (mut seconds, mut nanoseconds) = (instant.as_second(), instant.subsec_nanosecond());
    if nanoseconds < 0 {
        seconds -= 1;
        nanoseconds += 1_000_000_000;
    }
    let days = seconds.div_euclid(SECONDS_A_DAY);
    let second = seconds.rem_euclid(SECONDS_A_DAY);
    let (year, month, day) = date(days);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    digits(&mut text[0..4], year);
    digits(&mut text[5..7], month);
    digits(&mut text[8..10], day);
    digits(&mut text[11..13], second / 3600);
    digits(&mut text[14..16], second / 60 % 60);
    digits(&mut text[17..19], second % 60);
    digits(&mut text[20..23], i64::from(nanoseconds / 1_000_000));
    Some(text)
}

/// Year, month and day of a day counted from 1970, in the Gregorian calendar. Years are counted from March, so that
/// the leap day is the last of a year and the months before it have a fixed pattern.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_0_TO_1970;
    let (cycle, day_of_cycle) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
    // Each of 4 years, 100 years and 400 years ends with the day that decides whether it is a leap one.
    let leap_days = day_of_cycle / 1460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year_of_cycle = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Five months from March have 153 days, and so have five from August.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (400 * cycle + year_of_cycle + i64::from(month <= 2), month, day)
}

fn digits(places: &mut [u8], mut number: i64) {
    for place in places.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(instant: Timestamp) {
        assert_eq!(date_time(instant), format!("{instant:.3}"));
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
            nanosecond in 0..1_000_000_000,
        ) {
            let instant = Timestamp::new(second, 0).unwrap();
            let instant = instant.checked_add(SignedDuration::from_nanos(nanosecond)).unwrap();
            prop_assert_eq!(date_time(instant), format!("{instant:.3}"));
        }
    }
}
