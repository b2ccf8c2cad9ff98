//! What must come out of each step, worked out without the provisioner.
//!
//! A small world of symbols: users at the source, accounts at the target, links between them, what a connection has
//! learned. [`World::sync`] plays one run under a profile's behaviour and says which lines, writes, accounts and exit
//! code it must have. Written from the design alone; it shares no code with the program that it judges.

mod client;
mod fault;
mod gateway;
mod guard;
mod policy;
mod profile;
mod removal;
mod sync;
mod types;
mod unresolved;
mod words;

pub use fault::{FaultKind, FaultRule, On};
pub use profile::{Behaviour, DeleteWay, PatchWay, PutWay, builtin, builtins};
pub use sync::{Expectation, Options};
pub use types::{Account, Attribute, Fields, Key, Method, Rule, User, World, Write};
pub use words::{Change, Downstream, Line, Operation, Outcome, Reason};

/// For the test that holds the model of the two hops against the mock.
#[cfg(test)]
pub(crate) fn desired_for_test(fields: Fields, external_id: &str) -> types::Desired {
    types::Desired {
        user_name: fields.user_name,
        external_id: external_id.to_owned(),
        attributes: fields.attributes.into_iter().map(|(name, value)| (name, Some(value))).collect(),
    }
}
