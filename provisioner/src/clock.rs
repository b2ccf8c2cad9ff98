//! Time as an input: the clock that the engine asks, the system's one, and one for tests whose sleeps take no time.

use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// A future that ends when a sleep is over.
pub type Sleep<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The source of time and of waits.
pub trait Clock: Send + Sync {
    /// Returns the present time.
    fn now(&self) -> SystemTime;

    /// Waits for `duration` of this clock's time.
    fn sleep(&self, duration: Duration) -> Sleep<'_>;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that was set once and runs on by itself: the machine's clock may jump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SetClock {
    set_to: SystemTime,
    at: Instant,
}

impl SetClock {
    /// Creates a clock that shows `now`.
    pub(crate) fn new(now: SystemTime) -> Self {
        Self { set_to: now, at: Instant::now() }
    }
}

impl Clock for SetClock {
    fn now(&self) -> SystemTime {
        self.set_to + self.at.elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that advances only by sleeps; a sleep returns at once.
#[derive(Debug)]
pub struct InstantClock {
    now: Mutex<SystemTime>,
}

impl InstantClock {
    /// Creates a clock that shows `start`.
    pub fn new(start: SystemTime) -> Self {
        Self { now: Mutex::new(start) }
    }

    /// Moves the clock on by `duration`.
    pub fn advance(&self, duration: Duration) {
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now += duration;
    }
}

impl Clock for InstantClock {
    fn now(&self) -> SystemTime {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.advance(duration);
        Box::pin(tokio::task::yield_now())
    }
}

/// Returns `time` in whole seconds since the epoch.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Returns `time` as an RFC 3339 timestamp in UTC, to the second.
pub(crate) fn timestamp(time: SystemTime) -> String {
    Timestamp::try_from(time).map_or_else(
        |_| "1970-01-01T00:00:00Z".to_owned(),
        |at| Timestamp::from_second(at.as_second()).unwrap_or(at).to_string(),
    )
}
