//! The cost of a run for its subject, printed before the first request that writes.

use std::fmt;

use crate::case::Case;
use crate::case::step::{Action, Step};
use crate::report::labels::count;
use crate::server::discovery::{Facts, Met};

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
    /// Estimates the cost of the cases whose capabilities the subject has.
    pub fn of(cases: &[Case], facts: &Facts) -> Self {
        let mut cost = Self::default();
        let played = cases.iter().filter(|case| case.needs.iter().all(|need| facts.met(need) == Met::Yes));
        for step in played.flat_map(|case| &case.steps) {
            cost.add(step);
        }
        cost
    }

    fn add(&mut self, step: &Step) {
        // What is compared is read before and after, and what has to agree is read and listed.
        let times = |is_wanted: bool| if is_wanted { 2 } else { 0 };
        self.requests += 2 * step.untouched.len() + times(step.reads_agree) + times(step.list_agrees);
        step.between.iter().for_each(|inner| self.add(inner));
        self.requests += match &step.action {
            Action::Together { steps, times } => {
                (0..*times).for_each(|_| steps.iter().for_each(|inner| self.add(inner)));
                0
            }
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
