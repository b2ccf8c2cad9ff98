//! What a run will cost its subject, told before the first request that writes.

use std::fmt;

use crate::case::Case;
use crate::case::step::{Action, Step};
use crate::probe::form::{FORMS, Start};
use crate::report::words::count;
use crate::server::facts::{Facts, Met};

/// About how much a run sends and makes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests, those that clean up included.
    pub requests: usize,
    /// Users made and deleted again.
    pub users: usize,
    /// Groups made and deleted again.
    pub groups: usize,
}

impl Cost {
    /// Of cases, as far as the subject has what they need.
    pub fn of(cases: &[Case], facts: &Facts) -> Self {
        let mut cost = Self::default();
        let played = cases.iter().filter(|case| case.needs.iter().all(|need| facts.met(need) == Met::Yes));
        for step in played.flat_map(|case| &case.steps) {
            cost.add(step);
        }
        cost
    }

    /// Of `probe`.
    pub fn of_forms() -> Self {
        let mut cost = Self::default();
        for form in FORMS {
            let (users, groups, looks) = match form.start {
                Start::Nothing => (1, 0, 1),
                Start::Active => (1, 0, 3),
                // Whatever way makes an account inactive is tried.
                Start::Inactive => (1, 0, 5),
                Start::Group => (2, 1, 3),
            };
            let users = users + usize::from(form.names_another_user());
            cost.users += users;
            cost.groups += groups;
            cost.requests += 2 * (users + groups) + looks;
        }
        cost
    }

    fn add(&mut self, step: &Step) {
        self.requests += match &step.action {
            Action::Create { resource_type, count, .. } => {
                let made = count.unwrap_or(1);
                let group = resource_type.eq_ignore_ascii_case("Group");
                *(if group { &mut self.groups } else { &mut self.users }) += made;
                // Each is deleted again.
                2 * made
            }
            // A few pages.
            Action::Walk(..) => 5,
            _ => 1,
        };
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, users, groups } = *self;
        write!(f, "about {}", count(requests, "request"))?;
        if users + groups > 0 {
            write!(f, ", which create and delete about {}", count(users, "user"))?;
            if groups > 0 {
                write!(f, " and {}", count(groups, "group"))?;
            }
        }
        Ok(())
    }
}
