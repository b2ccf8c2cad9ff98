//! Which of the matching requests a fault strikes.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::clock;
use crate::fault::rng::Draw;
use crate::units::duration;

/// An instant as a rule names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// On the clock of the application.
    At(Timestamp),
    /// So long after the rule was added (`+10s`).
    In(Duration),
}

impl Moment {
    fn after(self, added: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::In(span) => later(added, span),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix('+') {
            Some(span) => duration::parse(span).map(Self::In),
            None => clock::parse(text).ok().map(Self::At),
        }
    }
}

impl From<Timestamp> for Moment {
    fn from(instant: Timestamp) -> Self {
        Self::At(instant)
    }
}

impl From<Duration> for Moment {
    fn from(span: Duration) -> Self {
        Self::In(span)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(instant) => f.write_str(&clock::whole(*instant)),
            Self::In(span) => write!(f, "+{}", duration::display(*span)),
        }
    }
}

/// How often at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    UpTo(u32),
    Always,
}

/// When a fault strikes. What is none asks for nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Trigger {
    pub(super) nth: Option<u32>,
    pub(super) times: Option<Times>,
    pub(super) every: Option<u32>,
    pub(super) after: Option<u32>,
    pub(super) probability: Option<f64>,
    pub(super) from: Option<Moment>,
    pub(super) until: Option<Moment>,
    pub(super) ttl: Option<Duration>,
}

impl Trigger {
    /// How many strikes it has in all; none where there is no end to them.
    pub(super) fn strikes(&self) -> Option<u64> {
        match self.times {
            Some(Times::UpTo(times)) => Some(times.into()),
            Some(Times::Always) => None,
            None if self.has_condition() => None,
            None => Some(1),
        }
    }

    /// `nth` says which request is meant, not when, and so leaves it at one strike.
    fn has_condition(&self) -> bool {
        let Self { nth: _, times: _, every, after, probability, from, until, ttl } = self;
        let counted = every.is_some() || after.is_some() || probability.is_some();
        counted || from.is_some() || until.is_some() || ttl.is_some()
    }

    /// Whether the match of this number strikes. It takes one number from `draw`, whatever it needs.
    pub(super) fn pulls(&self, nth: u64, added: Timestamp, now: Timestamp, draw: &mut Draw) -> bool {
        let chance = draw.unit();
        let beyond = nth.saturating_sub(self.after.unwrap_or(0).into());
        self.nth.is_none_or(|wanted| nth == u64::from(wanted))
            && beyond > 0
            && self.every.is_none_or(|every| beyond.is_multiple_of(every.max(1).into()))
            && self.probability.is_none_or(|probability| chance < probability)
            && self.in_window(added, now)
    }

    pub(super) fn in_window(&self, added: Timestamp, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from.after(added) <= now)
            && self.until.is_none_or(|until| now < until.after(added))
    }

    /// Whether the rule has outlived itself.
    pub(super) fn is_over(&self, added: Timestamp, now: Timestamp) -> bool {
        self.ttl.is_some_and(|ttl| later(added, ttl) <= now)
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nth, times, every, after, probability, from, until, ttl } = self;
        let times = times.map(|times| match times {
            Times::UpTo(times) => times.to_string(),
            Times::Always => "always".to_owned(),
        });
        let keys = [
            ("nth", nth.map(|nth| nth.to_string())),
            ("times", times),
            ("every", every.map(|every| every.to_string())),
            ("after", after.map(|after| after.to_string())),
            ("probability", probability.map(|probability| probability.to_string())),
            ("from", from.map(|from| from.to_string())),
            ("until", until.map(|until| until.to_string())),
            ("ttl", ttl.map(duration::display)),
        ];
        keys.iter()
            .filter_map(|(key, value)| Some((key, value.as_ref()?)))
            .try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

/// At the end of representable time it stays there.
fn later(instant: Timestamp, span: Duration) -> Timestamp {
    instant.checked_add(span).unwrap_or(Timestamp::MAX)
}
