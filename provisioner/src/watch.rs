//! What makes a watching provisioner run: a change of the files, a time, or an event of PingOne.
//!
//! Triggers only say that a run is wanted. However many come while one is awaited or carried out, they are one more run.

pub mod files;
pub mod pending;
pub mod schedule;
pub mod webhook;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// What wants a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The watching began.
    Start,
    /// A file changed.
    Files,
    /// The time of the schedule came.
    Schedule,
    /// An event was received.
    Webhook,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "the watch began",
            Self::Files => "a file changed",
            Self::Schedule => "it is time by the schedule",
            Self::Webhook => "an event was received",
        })
    }
}

/// The triggers since the last run. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    triggers: Mutex<BTreeSet<Trigger>>,
    notify: Notify,
}

impl Wanted {
    /// Says that a run is wanted.
    pub fn add(&self, trigger: Trigger) {
        self.shared.triggers.lock().unwrap_or_else(PoisonError::into_inner).insert(trigger);
        self.shared.notify.notify_one();
    }

    /// Waits until a run is wanted. The triggers stay until [`Wanted::take`].
    pub async fn any(&self) {
        loop {
            let notified = self.shared.notify.notified();
            if !self.shared.triggers.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
                return;
            }
            notified.await;
        }
    }

    /// Whether this trigger wants a run.
    pub fn has(&self, trigger: Trigger) -> bool {
        self.shared.triggers.lock().unwrap_or_else(PoisonError::into_inner).contains(&trigger)
    }

    /// Returns the triggers so far, which one run answers.
    pub fn take(&self) -> BTreeSet<Trigger> {
        std::mem::take(&mut *self.shared.triggers.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn triggers_before_a_run_are_one_run() {
        let wanted = Wanted::default();
        for trigger in [Trigger::Webhook, Trigger::Files, Trigger::Webhook] {
            wanted.add(trigger);
        }
        wanted.any().await;
        assert_eq!(wanted.take(), BTreeSet::from([Trigger::Files, Trigger::Webhook]));
        assert!(wanted.take().is_empty());
        // A trigger during the run is not lost.
        let waiting = tokio::spawn({
            let wanted = wanted.clone();
            async move { wanted.any().await }
        });
        wanted.add(Trigger::Schedule);
        waiting.await.unwrap();
        assert_eq!(wanted.take(), BTreeSet::from([Trigger::Schedule]));
    }
}
