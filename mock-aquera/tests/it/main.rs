//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod admin;
mod admin_applications;
mod admin_door;
mod admin_journal;
mod admin_program;
mod admin_transfer;
mod applications;
mod auth;
mod client;
mod discovery;
mod faults_and_holds;
mod profiles;
mod program;
mod users;
