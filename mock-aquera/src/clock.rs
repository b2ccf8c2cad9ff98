//! Where the mock reads the time: an input, so that a run can be repeated.

mod movable;
mod text;

use std::fmt;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

use crate::lock;
pub use movable::{AppClock, ClockState};
pub(crate) use text::{ParseInstantError, date_time, parse, whole};

/// Tells the time of one server: `meta.created`, `meta.lastModified` and the journal use it.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The computer's own clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    /// A clock that shows `start`.
    pub fn new(start: Timestamp) -> Self {
        Self(Mutex::new(start))
    }

    /// Moves the clock by `step`; at the end of representable time it stays where it is.
    pub fn advance(&self, step: SignedDuration) {
        let mut now = lock(&self.0);
        *now = now.checked_add(step).unwrap_or(*now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *lock(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        assert_eq!(date_time(clock.now()), "1970-01-01T00:00:00.000Z");
        clock.advance(SignedDuration::from_millis(1500));
        assert_eq!(date_time(clock.now()), "1970-01-01T00:00:01.500Z");
    }
}
