//! The connection to a subject: a client that records requests and responses.
//!
//! Credentials are out of what it records from the start; the rest of what must not be shown is
//! [`crate::redact`]'s.

pub(crate) mod bounded;
mod chunks;
pub mod client;
pub mod credentials;
pub mod failure;
mod notices;
mod pace;
pub(crate) mod retry;
pub mod room;
pub(crate) mod tls;
