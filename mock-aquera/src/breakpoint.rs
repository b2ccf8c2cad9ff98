//! Holding a request at one of its two boundaries, so that a test can look, kill or cut there.

use tokio::sync::oneshot;

use crate::fault::Phase;

/// A hold on one request to come, made by [`Application::hold`](crate::Application::hold).
///
/// Dropping it before its request came calls it off. Dropping it while the request is held closes the connection
/// without an answer; if it was held before its effect, it then has none, and the journal doesn't show it.
#[derive(Debug)]
pub struct Hold {
    reached: Option<oneshot::Receiver<()>>,
    release: Option<oneshot::Sender<()>>,
}

impl Hold {
    /// Returns once the request is held; at once if it already is. It never does where the application goes first.
    pub async fn reached(&mut self) {
        if let Some(reached) = &mut self.reached {
            if reached.await.is_err() {
                std::future::pending::<()>().await;
            }
            self.reached = None;
        }
    }

    /// Returns once the held request was given up by its client. Held before its effect, it then never has one.
    pub async fn abandoned(&mut self) {
        if let Some(release) = &mut self.release {
            release.closed().await;
        }
    }

    /// Lets the request go on.
    pub fn release(mut self) {
        if let Some(release) = self.release.take() {
            // The request may be gone (its client gave up): nothing is left to release.
            let _ = release.send(());
        }
    }
}

/// The server's end of a hold.
#[derive(Debug)]
pub(crate) struct Breakpoint {
    arrival: u64,
    pub(crate) phase: Phase,
    reached: oneshot::Sender<()>,
    release: oneshot::Receiver<()>,
}

impl Breakpoint {
    /// Waits for the hold's end. `false`: the connection is to be closed without an answer.
    pub(crate) async fn pass(mut self) -> bool {
        // Released or called off before the request came.
        if !matches!(self.release.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
            return true;
        }
        let _ = self.reached.send(());
        self.release.await.is_ok()
    }
}

/// The holds of one application, and the count of its requests they are measured by.
#[derive(Debug, Default)]
pub(crate) struct Gates {
    arrivals: u64,
    gates: Vec<Breakpoint>,
}

impl Gates {
    /// Holds the `nth` request from now, counted from one.
    pub(crate) fn add(&mut self, nth: usize, phase: Phase) -> Hold {
        let (reached, on_reached) = oneshot::channel();
        let (release, on_release) = oneshot::channel();
        let nth = u64::try_from(nth.max(1)).unwrap_or(u64::MAX);
        let arrival = self.arrivals.saturating_add(nth);
        self.gates.push(Breakpoint { arrival, phase, reached, release: on_release });
        Hold { reached: Some(on_reached), release: Some(release) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.gates.is_empty()
    }

    /// Counts a request and hands out the gates it has to pass, in order.
    pub(crate) fn arrive(&mut self) -> Vec<Breakpoint> {
        self.arrivals += 1;
        let now = self.arrivals;
        self.gates.extract_if(.., |gate| gate.arrival == now).collect()
    }
}
