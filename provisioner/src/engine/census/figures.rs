//! What a census says of the rules and of the users that no rule owns.

use std::sync::atomic::Ordering;

use super::Census;
use crate::state::index::Entry;

impl Census {
    /// Notes a user with something to do that `exclude` protects.
    pub(crate) fn note_excluded(&self) {
        self.excluded.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the numbers of users with something to do that are left alone: those that `exclude` protects, and those of a
    /// rule that is turned off.
    pub(crate) fn left_alone(&self) -> (u64, u64) {
        (self.excluded.load(Ordering::Relaxed), self.frozen)
    }

    /// Returns the enabled rules that match no user, by position.
    pub(crate) fn rules_without_users(&self) -> impl Iterator<Item = usize> {
        let rules = self.survey.config.rules.iter().zip(&self.survey.rules).enumerate();
        rules
            .filter(|(_, (rule, prepared))| rule.enabled && !prepared.has_users.load(Ordering::Relaxed))
            .map(|(at, _)| at)
    }

    /// Returns the known users with an account under a rule that no rule matches now, by place; with whether they are in the
    /// source.
    pub(crate) fn leaving(&self) -> impl Iterator<Item = (&Entry, bool)> {
        let flag = |flags: &[bool], place: usize| flags.get(place).copied().unwrap_or_default();
        self.survey
            .index
            .entries()
            .iter()
            .enumerate()
            .filter(move |(place, entry)| {
                entry.flags().is_owned() && !flag(&self.held, *place) && !self.is_frozen(entry)
            })
            .map(move |(place, entry)| (entry, flag(&self.present, place)))
    }

    /// Returns how many known users have an account under a rule, and whether one of them is in the source.
    pub(crate) fn owned(&self) -> (usize, bool) {
        let owned = || {
            self.survey
                .index
                .entries()
                .iter()
                .zip(&self.present)
                .filter(|(entry, _)| entry.flags().is_owned())
        };
        (owned().count(), owned().any(|(_, present)| *present))
    }
}
