//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod admin;
mod applications;
mod auth;
mod bulk;
mod client;
mod custom_types;
mod dialects;
mod discovery;
mod faults_and_holds;
mod groups;
mod profiles;
mod program;
mod protocol;
mod queries;
mod users;
