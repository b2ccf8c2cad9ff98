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
mod bad_clients;
mod banner;
mod bulk;
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
mod kept;
mod library;
mod profiles;
mod program;
mod protocol;
mod queries;
mod raw;
mod robust;
mod robust_admin;
mod switches;
mod tls;
mod users;
