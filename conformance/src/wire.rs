//! The way to a subject: a client that records what it sent and what came, redacted.

pub mod exchange;
