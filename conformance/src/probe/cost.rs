//! The cost of a probe for its subject.

use super::variant::{Start, Variant};
use crate::server::cost::Cost;

/// Estimates the cost of a whole probe.
pub(crate) fn cost(variants: &[Variant]) -> Cost {
    let mut cost = Cost::default();
    for variant in variants {
        let (users, groups, looks) = match variant.start {
            Start::Nothing => (1, 0, 1),
            Start::Active => (1, 0, 3),
            // Whatever way makes an account inactive is tried.
            Start::Inactive => (1, 0, 5),
            Start::Group => (2, 1, 3),
        };
        let users = users + usize::from(variant.names_another_user());
        cost.users += users;
        cost.groups += groups;
        cost.requests += 2 * (users + groups) + looks;
    }
    cost
}
