//! The integration tests of the provisioner, in one binary.

#![expect(clippy::unwrap_used, reason = "the helpers of tests panic like the tests themselves")]

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
mod groups;
mod hostile;
mod learning;
mod leavers;
mod limits;
mod mapping;
mod operation;
mod pitfalls;
mod policy;
mod program;
mod refusals;
mod safety;
mod scripted;
mod source;
mod support;
mod unresolved;
