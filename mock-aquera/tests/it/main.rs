//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod admin;
mod applications;
mod auth;
mod bad_clients;
mod client;
mod custom_types;
mod dialects;
mod discovery;
mod fault_http2;
mod fault_kinds;
mod fault_rules;
mod faults_and_holds;
mod groups;
mod guards;
mod hammer;
mod profiles;
mod program;
mod queries;
mod raw;
mod robust;
mod switches;
mod users;
