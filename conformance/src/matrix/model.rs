//! The model: the expected outcome of each step, computed without the provisioner.
//!
//! A small world of symbols: users at the source, accounts at the target, links between them, the facts that a connection
//! has learned. [`World::sync`] runs once under a profile's behaviour and returns the lines, writes, accounts and exit
//! code that the run must have. Written from the design alone; it shares no code with the program that it judges.

mod client;
mod fault;
mod gateway;
mod guard;
mod learning;
mod policy;
mod profile;
mod removal;
mod sync;
mod types;
mod unresolved;
mod words;

pub use fault::{FaultKind, FaultRule, On};
pub use profile::{Behaviour, DeleteWay, PatchWay, PathRule, PutWay, builtin, builtins};
pub use sync::{Expectation, Options};
pub use types::{Account, Attribute, Fields, Key, Method, Path, Rule, User, Way, World, Write};
pub use words::{Change, Downstream, Line, Operation, Outcome, Reason};

/// Returns the desired fields, for the test that compares the model of the two hops with the mock.
#[cfg(test)]
pub(crate) fn desired_for_test(values: &[(Path, &str)]) -> types::Desired {
    types::Desired(values.iter().map(|(path, value)| (*path, Some((*value).to_owned()))).collect())
}
