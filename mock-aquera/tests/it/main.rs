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

use std::time::Duration;

/// Returns what a future comes to, and panics if it takes longer than a minute: so that no test waits for ever.
async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    let outcome = tokio::time::timeout(Duration::from_mins(1), future).await;
    outcome.unwrap_or_else(|_| panic!("{what}: not within a minute"))
}
