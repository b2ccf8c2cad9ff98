//! The conditions that stop a run before its first write: too many removals and disables, a rule that matches nobody,
//! other people.

use crate::matrix::model::policy::Holder;
use crate::matrix::model::removal::Due;
use crate::matrix::model::types::{Left, World};
use crate::matrix::model::words::Reason;

/// This number of removals and disables a day always passes the guard.
const ALWAYS: usize = 5;
/// The share of the managed accounts that passes, in percent.
const SHARE: usize = 20;

impl World {
    /// Whether all users with accounts are gone and others are there, as in a wrong file.
    pub(crate) fn is_of_strangers(&self) -> bool {
        let mut held = self.links[self.url]
            .iter()
            .filter(|(_, link)| link.left == Left::No)
            .map(|(id, _)| id)
            .peekable();
        let several = held.clone().nth(1).is_some();
        several && !self.source.is_empty() && held.all(|id| !self.source.contains_key(id))
    }

    /// Whether an enabled rule matches nobody, and somebody with an account leaves because of it.
    pub(crate) fn has_an_emptied_rule(&self) -> bool {
        let links = &self.links[self.url];
        let empty = |name: &str| {
            let rule = self.rules.iter().find(|rule| rule.name == name);
            rule.is_some_and(|rule| rule.enabled && !self.source.values().any(|user| rule.matches(user)))
        };
        !self.source.is_empty()
            && links.iter().any(|(id, link)| {
                link.left == Left::No && empty(&link.rule) && matches!(self.holder(id), Holder::Leaves(_))
            })
    }

    /// Whether the run would take too many accounts from their users.
    pub(crate) fn is_guarded_against(&self, order: &[(String, Holder)], full: bool) -> bool {
        let withdrawn = &self.withdrawn[self.url];
        let planned = self.removals_due(order, full) + self.disables_due(order);
        planned > 0 && planned + withdrawn.removals + withdrawn.disables > self.most_in_a_day()
    }

    fn most_in_a_day(&self) -> usize {
        let managed = self.links[self.url].values().filter(|link| link.left != Left::Removed).count()
            + self.withdrawn[self.url].removals;
        self.max_removals.min(ALWAYS.max(managed * SHARE / 100))
    }

    /// Decides which removals that the target refused before are not tried in this run.
    pub(crate) fn hold_back(&mut self, order: &[(String, Holder)], full: bool) {
        let withdrawn = &self.withdrawn[self.url];
        let planned = self.removals_due(order, full) + self.disables_due(order);
        let room = self.most_in_a_day().saturating_sub(planned + withdrawn.removals + withdrawn.disables);
        let again = |(id, holder): &&(String, Holder)| match (holder, self.links[self.url].get(id)) {
            (Holder::Leaves(leave), Some(link)) => {
                matches!(self.due(link, *leave, full), Due::Removal(_))
                    && withdrawn.refused_removals.contains_key(id)
            }
            (Holder::Leaves(_) | Holder::Frozen | Holder::Rule(_), _) => false,
        };
        let held = order.iter().filter(again).skip(room).map(|(id, _)| id.clone()).collect();
        self.withdrawn[self.url].held = held;
    }

    fn removals_due(&self, order: &[(String, Holder)], full: bool) -> usize {
        let due = |(id, holder): &&(String, Holder)| match (holder, self.links[self.url].get(id)) {
            (Holder::Leaves(leave), Some(link)) => matches!(self.due(link, *leave, full), Due::Removal(_)),
            (Holder::Leaves(_) | Holder::Frozen | Holder::Rule(_), _) => false,
        };
        let refused = &self.withdrawn[self.url].refused_removals;
        order.iter().filter(due).filter(|(id, _)| !self.taken_over(id) && !refused.contains_key(id)).count()
    }

    fn disables_due(&self, order: &[(String, Holder)]) -> usize {
        let refused = &self.withdrawn[self.url].refused_disables;
        let due = |(id, holder): &&(String, Holder)| {
            let active = self.links[self.url].get(id).is_some_and(|link| link.active);
            let disabled = self.source.get(id).is_some_and(|user| !user.enabled);
            matches!(holder, Holder::Rule(_)) && active && disabled && !refused.contains(id)
        };
        if self.setting.disables() { order.iter().filter(due).count() } else { 0 }
    }
}

/// Whether a failure is the target's own no, and not one of the moment.
pub(crate) fn is_refusal(reason: Reason) -> bool {
    !matches!(reason, Reason::Unreachable | Reason::TargetError | Reason::RateLimited | Reason::Conflict)
}
