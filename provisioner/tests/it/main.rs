//! The integration tests of the provisioner, in one binary.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic like the tests themselves")]

mod audit;
mod campaign;
mod check;
mod config;
mod connection;
mod console;
mod crash;
mod directory;
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
mod manual_link;
mod mapping;
mod network;
mod operation;
mod pingone;
mod pitfall_cases;
mod pitfalls;
mod policy;
mod program;
mod quarantine;
mod refusals;
mod run_document;
mod safety;
mod scim_source;
mod scripted;
mod secrets;
mod source;
mod support;
mod swaps;
mod telemetry;
mod tls;
mod unresolved;
mod untyped;
mod watch;
