//! Why a user is left alone whatever changes: `exclude` protects it, or its rule is turned off.

use crate::config::Config;
use crate::ids::{RuleName, UserName};
use crate::source::SourceUser;
use crate::state::Record;

/// Why a user is left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeftAlone {
    /// `exclude` has this user name.
    Excluded(UserName),
    /// This rule is turned off, and no other one owns the user.
    Frozen(RuleName),
}

impl LeftAlone {
    /// Returns the reason in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Excluded(name) => {
                format!("`exclude` names {:?}, so the user is never touched", name.as_str())
            }
            Self::Frozen(rule) => {
                format!("rule {:?} is turned off, so its users are left as they are", rule.as_str())
            }
        }
    }
}

/// Returns why a user, as it is in the source and as it is stored, is left alone; `None` if it is not.
pub(crate) fn left_alone(
    config: &Config,
    user: Option<&SourceUser>,
    record: Option<&Record>,
) -> Option<LeftAlone> {
    let is_excluded = |name: &UserName| config.options.exclude.contains(name);
    let owner = user.and_then(|user| config.rules.iter().find(|rule| rule.enabled && rule.matches(user)));
    let wanted = owner.zip(user).and_then(|(owner, user)| owner.mapping.user_name(user));
    let stored = record.into_iter().flat_map(Record::names);
    if let Some(name) = wanted.into_iter().chain(stored).find(is_excluded) {
        return Some(LeftAlone::Excluded(name));
    }
    if owner.is_some() {
        return None;
    }
    let off = || config.rules.iter().filter(|rule| !rule.enabled);
    let of_record = record.and_then(|record| record.rule.as_ref());
    let matching = off().find(|rule| user.is_some_and(|user| rule.matches(user)));
    let frozen = matching.or_else(|| off().find(|rule| Some(&rule.name) == of_record));
    frozen.map(|rule| LeftAlone::Frozen(rule.name.clone()))
}
