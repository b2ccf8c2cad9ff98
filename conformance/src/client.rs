//! `conformance client`: judges a provisioner by its requests.
//!
//! The subject is pointed at the mock. [`scenario`]s say what happens at the identity source and at the mock, [`run`]
//! walks through them with the help of a [`driver::Driver`] (a person, a command, or our own provisioner in this process),
//! and the requests become a [`trace`]. [`case`]s are data, described in `conformance/data/client/README.md`; [`judge`]
//! compares them with the trace. A recorded journal is a trace too, without the steps that caused its requests.
//! [`mutants`] are broken clients, to find out whether the cases find them.

mod attributes;
pub mod case;
pub mod driver;
pub mod environment;
pub mod filter;
pub mod judge;
pub mod load;
pub mod matcher;
pub mod mutants;
pub mod predicate;
pub mod recording;
pub mod run;
pub mod scenario;
pub mod trace;

/// The suite's name in reports.
pub const SUITE: &str = "client";
