//! What is behind a case's most binding miss, where that is something other than what the case is about.

use crate::requirement::Shared;
use crate::server::runner::Player;

/// What is behind a case.
pub(super) struct Fault {
    /// The expectation that does not hold, whatever is done.
    pub(super) shared: Shared,
    /// The attribute, as in `emails.type`, where it is about one.
    pub(super) attribute: Option<String>,
    /// In plain words.
    pub(super) because: String,
    /// The case is about something else, and only needs what is broken.
    pub(super) is_means: bool,
}

impl Player<'_> {
    /// Returns what is behind the case's most binding miss. Requests that isolate it are sent once for all cases.
    pub(super) async fn fault(&mut self) -> Option<Fault> {
        match self.broken_filter().await {
            Some(fault) => Some(fault),
            None => self.lost_attribute().await,
        }
    }
}
