//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod admin;
mod applications;
mod auth;
mod client;
mod discovery;
mod faults_and_holds;
mod profiles;
mod program;
mod switches;
mod users;
