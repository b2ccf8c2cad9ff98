//! A length of time as a profile file writes it: `"500ms"`, `"30s"`, `"5m"`, `"2h"`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(Duration);

/// A text is no [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is a whole number and its unit, ms, s, m or h, such as \"30s\"")]
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
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| ParsePeriodError)?;
        let unit: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(ParsePeriodError),
        };
        number.checked_mul(unit).map(Self::from_millis).ok_or(ParsePeriodError)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 {
            write!(f, "{}s", self.0.as_secs())
        } else {
            write!(f, "{}ms", self.0.as_millis())
        }
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

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(ms|s|m|h)$",
            "description": "A length of time: a whole number and its unit, ms, s, m or h.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_and_written() {
        #[track_caller]
        fn check(text: &str, millis: u64, written: &str) {
            let period: Period = text.parse().unwrap();
            assert_eq!((period, period.to_string().as_str()), (Period::from_millis(millis), written));
            assert_eq!(written.parse(), Ok(period));
        }
        check("0s", 0, "0s");
        check("500ms", 500, "500ms");
        check("1500ms", 1500, "1500ms");
        check("30s", 30_000, "30s");
        check("5m", 300_000, "300s");
        check("2h", 7_200_000, "7200s");
        for text in
            ["", "s", "30", "-1s", "1.5s", "30 s", "30S", "99999999999999999999s", "9999999999999999999h"]
        {
            assert_eq!(text.parse::<Period>(), Err(ParsePeriodError), "{text}");
        }
    }
}
