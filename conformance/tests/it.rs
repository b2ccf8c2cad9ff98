//! Integration tests of the harness.

#[path = "it/cli.rs"]
mod cli;
#[path = "it/model.rs"]
mod model;
#[path = "it/workspace.rs"]
mod workspace;
