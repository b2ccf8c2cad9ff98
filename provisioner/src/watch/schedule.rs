//! Times by a cron expression, in UTC: the same on every machine, and no hour comes twice or never.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use croner::errors::CronError;
use croner::parser::CronParser;
use croner::{CivilDateTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};

use crate::visible::visible;

/// The names of the fields.
const FIELDS: [&str; 5] = ["minute", "hour", "day of the month", "month", "day of the week"];

/// A cron expression: minute, hour, day of the month, month, day of the week.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    text: String,
}

/// A text that is no cron expression.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0}; expected five fields, minute, hour, day of the month, month and day of the week, as in \"*/15 6-20 * * MON-FRI\""
)]
pub struct ScheduleError(String);

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if fields.len() != FIELDS.len() {
            return Err(ScheduleError(format!("{} fields", fields.len())));
        }
        // Each field alone, so that the error names the one that is wrong.
        for (at, (field, name)) in fields.iter().zip(FIELDS).enumerate() {
            let alone: Vec<&str> =
                (0..FIELDS.len()).map(|place| if place == at { *field } else { "*" }).collect();
            if let Err(error) = CronParser::new().parse(&alone.join(" ")) {
                return Err(ScheduleError(format!("invalid {name} `{}`: {error}", visible(field))));
            }
        }
        let cron = CronParser::new().parse(text).map_err(|error| ScheduleError(error.to_string()))?;
        let schedule = Self { cron, text: text.to_owned() };
        // An expression such as `0 0 30 2 *` has no time.
        if schedule.next_after(SystemTime::UNIX_EPOCH).is_none() {
            return Err(ScheduleError("no time matches it".to_owned()));
        }
        Ok(schedule)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Schedule {
    /// Returns the first time after `now`.
    pub fn next_after(&self, now: SystemTime) -> Option<SystemTime> {
        let now = Offset::UTC.to_datetime(Timestamp::try_from(now).ok()?);
        let next = self.cron.find_next_occurrence(&UtcTime::new(now)?, false).ok()?;
        SystemTime::try_from(Offset::UTC.to_timestamp(next.time).ok()?).ok()
    }

    /// Returns how long it is from `now` to the next time.
    pub fn wait(&self, now: SystemTime) -> Option<Duration> {
        self.next_after(now)?.duration_since(now).ok()
    }
}

/// A time in UTC, as croner's search needs it.
#[derive(Clone)]
struct UtcTime {
    time: DateTime,
    civil: CivilDateTime,
}

impl UtcTime {
    /// Returns the time, or `None` for a year that the search does not have.
    fn new(time: DateTime) -> Option<Self> {
        let unsigned = |number: i8| u32::try_from(number).ok();
        let civil = CivilDateTime::from_ymd_hms_opt(
            i32::from(time.year()),
            unsigned(time.month())?,
            unsigned(time.day())?,
            unsigned(time.hour())?,
            unsigned(time.minute())?,
            unsigned(time.second())?,
        )?;
        Some(Self { time, civil })
    }

    fn of_civil(civil: CivilDateTime) -> Option<Self> {
        let small = |number: u32| i8::try_from(number).ok();
        let time = DateTime::new(
            i16::try_from(civil.year()).ok()?,
            small(civil.month())?,
            small(civil.day())?,
            small(civil.hour())?,
            small(civil.minute())?,
            small(civil.second())?,
            0,
        );
        Some(Self { time: time.ok()?, civil })
    }
}

impl CronDateTime for UtcTime {
    fn to_civil(&self) -> CivilDateTime {
        self.civil
    }

    fn civil_weekday(&self) -> Weekday {
        let days = self.time.weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(u32::try_from(days).unwrap_or_default())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        Self::of_civil(civil).map(Resolution::Single).ok_or(CronError::InvalidDate)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Self::new(self.time.checked_add(SignedDuration::from_secs(seconds)).ok()?)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.time.cmp(&other.time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, after: &str, expected: &str) {
        let after: Timestamp = after.parse().unwrap();
        let next =
            text.parse::<Schedule>().unwrap().next_after(SystemTime::try_from(after).unwrap()).unwrap();
        assert_eq!(Timestamp::try_from(next).unwrap().to_string(), expected, "{text}");
    }

    #[test]
    fn next_time_follows_the_expression() {
        check("*/15 * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z");
        check("*/15 * * * *", "2026-01-01T00:14:59.5Z", "2026-01-01T00:15:00Z");
        check("30 2 * * MON", "2026-01-01T00:00:00Z", "2026-01-05T02:30:00Z");
        check("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z");
    }

    #[test]
    fn invalid_expression_is_refused_with_an_example() {
        for (text, part) in [
            ("", "0 fields"),
            ("x", "1 fields"),
            ("* * * *", "4 fields"),
            ("0 */15 * * * *", "6 fields"),
            ("@daily", "1 fields"),
            ("61 * * * *", "invalid minute `61`"),
            ("0 24 * * *", "invalid hour `24`"),
            ("0 0 32 * *", "invalid day of the month `32`"),
            ("0 0 1 13 *", "invalid month `13`"),
            ("0 0 * * MON-FRY", "invalid day of the week `MON-FRY`"),
            ("0 0 30 2 *", "no time matches it"),
        ] {
            let error = text.parse::<Schedule>().unwrap_err().to_string();
            assert!(error.contains("MON-FRI") && error.starts_with(part), "{text}: {error}");
        }
    }
}
