//! A duration in a profile file: `"500ms"`, `"30s"`, `"5m"`, `"2h"`, `"1h 30m"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::duration;

/// A duration of whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(description = "A duration with its unit, such as 500ms, 30s, 5m, 2h or 1h 30m.")]
pub struct Period(#[schemars(with = "String")] Duration);

/// A text is no [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is whole milliseconds with their units, ms, s, m or h, such as \"30s\" or \"1h 30m\"")]
pub struct ParsePeriodError;

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The same as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl FromStr for Period {
    type Err = ParsePeriodError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let duration = duration::parse(text).ok_or(ParsePeriodError)?;
        let is_whole = duration.subsec_nanos().is_multiple_of(1_000_000);
        match u64::try_from(duration.as_millis()) {
            Ok(milliseconds) if is_whole => Ok(Self::from_millis(milliseconds)),
            _ => Err(ParsePeriodError),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::display(self.0))
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Cow<'de, str> = Cow::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_periods_are_read_and_written() {
        #[track_caller]
        fn check(text: &str, millis: u64, written: &str) {
            let period: Period = text.parse().unwrap();
            assert_eq!(period, Period::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), written, "{text}");
            assert_eq!(written.parse(), Ok(period));
        }
        check("0s", 0, "0s");
        check("500ms", 500, "500ms");
        check("1500ms", 1500, "1500ms");
        check("30s", 30_000, "30s");
        check("5m", 300_000, "300s");
        check("2h", 7_200_000, "7200s");
        check("1.5s", 1500, "1500ms");
        check("1h 30m", 5_400_000, "5400s");
        for text in ["", "s", "30", "-1s", "1.5ms", "30us", "99999999999999999999s", "9999999999999999999h"] {
            assert_eq!(text.parse::<Period>(), Err(ParsePeriodError), "{text}");
        }
    }
}
