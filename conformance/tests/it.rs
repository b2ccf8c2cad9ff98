//! Integration tests of the harness.

#![expect(clippy::expect_used, reason = "helpers of tests end a test as the tests themselves do")]

#[path = "it/certificates.rs"]
mod certificates;
#[path = "it/cli.rs"]
mod cli;
#[path = "it/client.rs"]
mod client;
#[path = "it/explore.rs"]
mod explore;
#[path = "it/half_broken.rs"]
mod half_broken;
#[path = "it/matrix.rs"]
mod matrix;
#[path = "it/model.rs"]
mod model;
#[path = "it/odd.rs"]
mod odd;
#[path = "it/probe.rs"]
mod probe;
#[path = "it/reports.rs"]
mod reports;
#[path = "it/sequences.rs"]
mod sequences;
#[path = "it/server.rs"]
mod server;
#[path = "it/wire.rs"]
mod wire;
#[path = "it/workspace.rs"]
mod workspace;
