//! How far a server is on its way to the end.

use std::time::Duration;

use tokio::sync::watch;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serve,
    /// Replies on their way are finished, nothing else is begun.
    Drain,
    /// Everything ends where it stands.
    Abort,
}

/// What a connection knows of the stage of its server. A server whose handle is gone drains.
#[derive(Debug, Clone)]
pub(super) struct Follow(watch::Receiver<Stage>);

impl Follow {
    pub(super) fn new(stage: watch::Receiver<Stage>) -> Self {
        Self(stage)
    }

    /// Is over once the server is at this stage, or past it.
    pub(super) async fn reached(&self, stage: Stage) {
        let gone = self.0.clone().wait_for(|now| *now >= stage).await.is_err();
        if gone && stage > Stage::Drain {
            std::future::pending::<()>().await;
        }
    }

    /// For a future that is polled for every request: a [`Follow::reached`] within it has to be polled again only
    /// where this says so. As long as nothing happened that costs one load, not a lock.
    pub(super) fn alarm(&self) -> Alarm<'_> {
        Alarm { follow: self, armed: false }
    }
}

pub(super) struct Alarm<'a> {
    follow: &'a Follow,
    armed: bool,
}

impl Alarm<'_> {
    pub(super) fn due(&mut self) -> bool {
        !std::mem::replace(&mut self.armed, true) || self.follow.0.has_changed().unwrap_or(true)
    }
}

/// Is over after this time; without one, never.
pub(super) async fn elapsed(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
