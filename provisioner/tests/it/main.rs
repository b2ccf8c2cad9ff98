//! The integration tests of the provisioner, in one binary.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic like the tests themselves")]

mod campaign;
mod check;
mod config;
mod connection;
mod console;
mod crash;
mod duplicate_names;
mod echo;
mod engine;
mod expectation;
mod forms;
mod hostile;
mod learning;
mod leavers;
mod limits;
mod listing;
mod mapping;
mod policy;
mod program;
mod refusals;
mod safety;
mod scripted;
mod secrets;
mod source;
mod support;
mod tls;
mod unresolved;
mod untyped;
mod workers;
