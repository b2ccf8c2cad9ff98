//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod admin;
mod applications;
mod auth;
mod banner;
mod client;
mod custom_types;
mod dialects;
mod discovery;
mod faults_and_holds;
mod groups;
mod kept;
mod profiles;
mod program;
mod queries;
mod tls;
mod users;
