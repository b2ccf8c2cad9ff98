//! The way to a subject: a client that says what it sent and what came, fit to be shown.

pub mod client;
pub mod exchange;
pub mod redact;
