//! The way to a subject: a client that says what it sent and what came.
//!
//! Credentials are out of what it records from the start; the rest of what must not be shown is
//! [`crate::report::redact`]'s.

pub(crate) mod bounded;
pub mod client;
mod credentials;
pub mod exchange;
pub mod failure;
mod notices;
mod pace;
pub mod query;
pub(crate) mod retry;
pub mod room;
pub(crate) mod tls;
