//! The mock over real sockets, and the program as a process.

#![expect(clippy::unwrap_used, reason = "a test stops at what it didn't expect")]

mod address;
mod admin;
mod applications;
mod auth;
mod bad_clients;
mod banner;
mod bulk;
mod client;
mod custom_types;
mod dialects;
mod discovery;
mod faults;
mod groups;
mod guards;
mod hammer;
mod kept;
mod library;
mod names;
mod notes;
mod profiles;
mod program;
mod protocol;
mod queries;
mod raw;
mod robust;
mod switches;
mod tls;
mod users;
