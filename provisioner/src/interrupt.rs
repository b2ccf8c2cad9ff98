//! Interrupting a run: no further request is sent, requests in flight are finished and stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Ends a run of its [`Provisioner`](crate::Provisioner) at the next request. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_set: AtomicBool,
    set: Notify,
}

impl Interrupt {
    /// Sends no further request. A later run resumes where this one stopped.
    pub fn interrupt(&self) {
        self.shared.is_set.store(true, Ordering::Release);
        self.shared.set.notify_waiters();
    }

    /// Whether the run is to end.
    pub fn is_interrupted(&self) -> bool {
        self.shared.is_set.load(Ordering::Acquire)
    }

    /// Waits until the run is to end.
    pub(crate) async fn interrupted(&self) {
        let notified = self.shared.set.notified();
        tokio::pin!(notified);
        // Registered first: an interrupt between the check and the wait is not missed.
        notified.as_mut().enable();
        if !self.is_interrupted() {
            notified.await;
        }
    }
}
