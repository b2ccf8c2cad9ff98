//! How a server ends: it drains, and aborts what takes too long.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Tells the tasks of a server that it ends.
#[derive(Debug, Clone, Default)]
pub(super) struct ShutdownSignal {
    /// In-flight requests are finished, nothing else is begun.
    pub(super) drain: CancellationToken,
    /// Everything ends where it stands.
    pub(super) abort: CancellationToken,
}

impl ShutdownSignal {
    /// Returns a signal that follows this one. Connections that have one each do not contend for its lock.
    pub(super) fn child(&self) -> Self {
        Self { drain: self.drain.child_token(), abort: self.abort.child_token() }
    }
}

/// Completes after this time; never without one.
pub(super) async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Waits that double, from 10 ms to a second.
#[derive(Debug)]
pub(super) struct BackOff(Duration);

impl Default for BackOff {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl BackOff {
    pub(super) fn is_first(&self) -> bool {
        self.0 == Self::default().0
    }

    /// Returns how long to wait now.
    pub(super) fn wait(&mut self) -> Duration {
        let next = (self.0 * 2).min(Duration::from_secs(1));
        std::mem::replace(&mut self.0, next)
    }
}
