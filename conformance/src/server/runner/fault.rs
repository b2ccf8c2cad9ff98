//! The cause of a case's most binding miss, if it is outside the subject of the case.

use crate::requirement::Shared;
use crate::server::runner::Player;

/// The cause of a failed case.
pub(super) struct Fault {
    /// The expectation that does not hold, whatever is done.
    pub(super) shared: Shared,
    /// The attribute, as in `emails.type`, where it is about one.
    pub(super) attribute: Option<String>,
    /// The reason in plain words.
    pub(super) because: String,
    /// The case has another subject, and only needs the broken feature.
    pub(super) is_means: bool,
}

impl Player<'_> {
    /// Returns the cause of the case's most binding miss. Requests that isolate it are sent once for all cases.
    pub(super) async fn fault(&mut self) -> Option<Fault> {
        match self.broken_filter().await {
            Some(fault) => Some(fault),
            None => self.lost_attribute().await,
        }
    }
}
