//! The SCIM endpoint for the engine: requests with retries, look-ups, reads, and the meaning of responses.

pub(crate) mod client;
pub(crate) mod connection_test;
pub(crate) mod groups;
pub(crate) mod listing;
pub(crate) mod lookup;
pub(crate) mod personal_data;
mod redact;
pub(crate) mod resource;
pub(crate) mod response;
mod response_body;
pub(crate) mod schemas;
mod text_pattern;

use crate::report::Reason;

/// The reason for which one user is not processed further in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
    /// Whether a request that was sent may have had an effect that is not known.
    pub(crate) unsure: bool,
}

impl Trouble {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), unsure: false }
    }
}

/// Returns the trouble of a response that repeats the connection's credentials in place of an id or a user name.
pub(crate) fn echoed() -> Trouble {
    Trouble::new(
        Reason::Rejected,
        "the target repeats the connection's credentials in the id or the user name of this account, so it can be neither \
         addressed nor stored: tell the target's operator, and renew the credentials",
    )
}

/// The reason of an early end of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The whole run stops; nothing is said of this user.
    Stopped,
    /// This user is failed.
    Failed(Trouble),
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}
