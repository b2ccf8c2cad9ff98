//! How often something is expected.

use std::fmt;
use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// How often a request is expected. In JSON: `{"exactly":1}` or the number alone, `{"between":{"from":1,"to":3}}`,
/// `"never"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self", rename_all = "camelCase", deny_unknown_fields)]
pub enum Times {
    /// So many, no more and no less.
    Exactly(u64),
    /// So many or more.
    AtLeast(u64),
    /// So many or fewer.
    AtMost(u64),
    /// From so many to so many, both included.
    Between {
        /// The fewest.
        from: u64,
        /// The most.
        to: u64,
    },
    /// Not at all.
    Never,
}

impl Serialize for Times {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Times;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0, \"never\", or an object such as {\"atLeast\":1}")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Times, E> {
                Ok(Times::Exactly(count))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Times, E> {
                match text {
                    "never" => Ok(Times::Never),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Times, A::Error> {
                let times = Times::deserialize(MapAccessDeserializer::new(&mut map))?;
                match map.next_key::<String>()? {
                    None => Ok(times),
                    Some(more) => Err(de::Error::custom(format_args!(
                        "it takes one word, and `{}` and `{more}` are there; a range is written \
                         {{\"between\":{{\"from\":1,\"to\":2}}}}",
                        times.word()
                    ))),
                }
            }
        }

        deserializer.deserialize_any(Written)
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::AtLeast(1)
    }
}

impl Times {
    /// What it is called in JSON.
    fn word(self) -> &'static str {
        match self {
            Self::Exactly(_) => "exactly",
            Self::AtLeast(_) => "atLeast",
            Self::AtMost(_) => "atMost",
            Self::Between { .. } => "between",
            Self::Never => "never",
        }
    }

    fn bounds(self) -> (u64, u64) {
        match self {
            Self::Exactly(count) => (count, count),
            Self::AtLeast(count) => (count, u64::MAX),
            Self::AtMost(count) => (0, count),
            Self::Between { from, to } => (from, to),
            Self::Never => (0, 0),
        }
    }

    /// Whether this many are right.
    pub fn allows(self, count: u64) -> bool {
        let (from, to) = self.bounds();
        (from..=to).contains(&count)
    }

    /// Whether one of these numbers is right.
    pub(super) fn allows_any(self, counts: RangeInclusive<u64>) -> bool {
        let (from, to) = self.bounds();
        *counts.start() <= to && from <= *counts.end()
    }

    /// Whether this many are too few.
    pub(super) fn wants_more_than(self, count: u64) -> bool {
        count < self.bounds().0
    }
}

impl From<u64> for Times {
    fn from(count: u64) -> Self {
        Self::Exactly(count)
    }
}

impl From<RangeFrom<u64>> for Times {
    fn from(range: RangeFrom<u64>) -> Self {
        Self::AtLeast(range.start)
    }
}

impl From<RangeToInclusive<u64>> for Times {
    fn from(range: RangeToInclusive<u64>) -> Self {
        Self::AtMost(range.end)
    }
}

impl From<RangeInclusive<u64>> for Times {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self::Between { from: *range.start(), to: *range.end() }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |count: u64| match count {
            1 => "once".to_owned(),
            2 => "twice".to_owned(),
            count => format!("{count} times"),
        };
        match *self {
            Self::Exactly(0) | Self::AtMost(0) | Self::Never => f.write_str("never"),
            Self::Exactly(count) => write!(f, "exactly {}", times(count)),
            Self::AtLeast(count) => write!(f, "at least {}", times(count)),
            Self::AtMost(count) => write!(f, "at most {}", times(count)),
            Self::Between { from, to } => write!(f, "{from} to {to} times"),
        }
    }
}
