//! The policy: the effect of the preferences on a change, as two pure functions. [`decide_owned`] decides for users that
//! a rule owns, [`decide_leave`] for users that have left.
//!
//! The policy knows no HTTP, no state and no attributes; the engine carries out its decisions. A snapshot holds the whole
//! cross product (`tests/it/policy.rs`).

pub mod groups;

use serde::{Deserialize, Serialize};

use crate::preferences::{Preferences, RemoveAction};

/// The reason for which a linked user is no longer owned by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leave {
    /// The user is gone from the source.
    Deleted,
    /// The user is in the source, and no rule matches it any longer.
    LeftScope,
    /// The user is in the source; its rule was removed from the configuration and no other rule matches it.
    RuleDeleted,
}

/// The change at the source since the last run of a user that a rule owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedChange {
    /// The user is not linked.
    Enters {
        /// Whether the account found (if any) carries other attributes than wanted.
        attributes: bool,
    },
    /// The user is linked, and was owned in the last run too.
    Stays {
        /// Whether mapped attributes are still to be written.
        attributes: bool,
    },
    /// The user is owned again, and its link is marked as left.
    Returns {
        /// Whether mapped attributes are still to be written.
        attributes: bool,
    },
}

/// The known state of the account at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// No account of that user name.
    None,
    /// Exactly one account of that user name, and it is not linked.
    UnlinkedMatch {
        /// The account's `active`.
        active: bool,
    },
    /// Several accounts of that user name.
    Ambiguous,
    /// The one match is linked to another user of the source.
    LinkedElsewhere {
        /// Whether that other user is still in the snapshot.
        holder_in_source: bool,
        /// The account's `active`.
        active: bool,
    },
    /// Linked to this user.
    Linked {
        /// `active` as it was last established here.
        active: bool,
        /// Whether a removal was finished here (by Disable).
        deprovisioned_here: bool,
    },
    /// Linked, and found to be gone at the target.
    LinkedGone,
}

/// The change of the account of an owned user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountChange {
    /// The account is not written.
    Unwritten {
        /// The attributes are out of date and stay so: updation is off.
        attributes_withheld: bool,
        /// `active` is out of date and stays so: disable is off.
        active_withheld: bool,
    },
    /// The mapped attributes are written.
    Attributes {
        /// `active` is out of date and stays so: disable is off.
        active_withheld: bool,
    },
    /// `active` is written.
    Active {
        /// Its new value.
        active: bool,
        /// Whether the mapped attributes are written too.
        attributes: bool,
    },
}

impl AccountChange {
    /// Whether the mapped attributes are written.
    pub const fn writes_attributes(self) -> bool {
        match self {
            Self::Unwritten { .. } => false,
            Self::Attributes { .. } => true,
            Self::Active { attributes, .. } => attributes,
        }
    }

    /// Returns the value of `active` that is written, if any.
    pub const fn active(self) -> Option<bool> {
        match self {
            Self::Unwritten { .. } | Self::Attributes { .. } => None,
            Self::Active { active, .. } => Some(active),
        }
    }

    /// Whether attributes are out of date and the preferences forbid to write them.
    pub const fn attributes_withheld(self) -> bool {
        match self {
            Self::Unwritten { attributes_withheld, .. } => attributes_withheld,
            Self::Attributes { .. } | Self::Active { .. } => false,
        }
    }

    /// Whether `active` is out of date and the preferences forbid to write it.
    pub const fn active_withheld(self) -> bool {
        match self {
            Self::Unwritten { active_withheld, .. } | Self::Attributes { active_withheld } => active_withheld,
            Self::Active { .. } => false,
        }
    }

    /// Returns the change without a write of `active`.
    pub(crate) const fn without_active(self) -> Self {
        match self {
            Self::Active { attributes: true, .. } => Self::Attributes { active_withheld: false },
            Self::Active { attributes: false, .. } => {
                Self::Unwritten { attributes_withheld: false, active_withheld: false }
            }
            Self::Unwritten { .. } | Self::Attributes { .. } => self,
        }
    }

    /// Returns the part of the change that concerns `active`.
    pub(crate) const fn without_attributes(self) -> Self {
        match self {
            Self::Active { active, .. } => Self::Active { active, attributes: false },
            Self::Attributes { active_withheld } | Self::Unwritten { active_withheld, .. } => {
                Self::Unwritten { attributes_withheld: false, active_withheld }
            }
        }
    }
}

/// The reason for which no account is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCreated {
    /// Creation is off.
    CreationOff,
    /// A disabled user is not created.
    DisabledAtSource,
}

/// The reason for which no account can be assigned to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAccount {
    /// Several accounts match.
    AmbiguousMatch,
    /// The match belongs to a user that is still in the source.
    AccountLinkedElsewhere,
}

/// The decision about a user that a rule owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedDecision {
    /// A new account is created, active.
    Create {
        /// Whether the link to an account that is gone is dropped.
        drops_link: bool,
    },
    /// No account is created: the user is unsynced.
    NotCreated {
        /// The reason.
        reason: NotCreated,
        /// Whether the link to an account that is gone is dropped.
        drops_link: bool,
    },
    /// No account can be assigned: the user is failed.
    NoAccount(NoAccount),
    /// The account found is linked to this user, and changed; a former holder's link ends.
    Adopt(AccountChange),
    /// The linked account is changed.
    Linked(AccountChange),
}

impl OwnedDecision {
    /// Returns the change of an existing account, or `None` if there is no account yet.
    pub const fn change(self) -> Option<AccountChange> {
        match self {
            Self::Adopt(change) | Self::Linked(change) => Some(change),
            Self::Create { .. } | Self::NotCreated { .. } | Self::NoAccount(_) => None,
        }
    }

    /// Returns the decision with another change of the account, if it has one.
    pub(crate) fn map_change(self, map: impl FnOnce(AccountChange) -> AccountChange) -> Self {
        match self {
            Self::Adopt(change) => Self::Adopt(map(change)),
            Self::Linked(change) => Self::Linked(map(change)),
            Self::Create { .. } | Self::NotCreated { .. } | Self::NoAccount(_) => self,
        }
    }

    /// Whether the user's link begins or ends with the decision.
    pub const fn changes_link(self) -> bool {
        match self {
            Self::Create { drops_link } | Self::NotCreated { drops_link, .. } => drops_link,
            Self::Adopt(_) => true,
            Self::NoAccount(_) | Self::Linked(_) => false,
        }
    }
}

/// The decision about a user that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveDecision {
    /// Nothing: the user has no account, or its removal was finished before.
    Nothing,
    /// The Remove Action, after a read.
    Remove(RemoveAction),
    /// Success: the account was gone before it was to be removed. The link is dropped.
    AlreadyGone,
    /// Partial: deprovision is off. Account and link stay as they are.
    DeprovisionOff,
    /// Partial: deprovision, or deprovision on rule deletion, is off. The account stays, the link is dropped.
    RuleDeletionOff,
}

/// Decides what `preferences` make of `change` for a user whose account is in the state `account`.
///
/// `source_enabled` is the user's `enabled` at the source.
pub fn decide_owned(
    preferences: Preferences,
    change: OwnedChange,
    account: AccountState,
    source_enabled: bool,
) -> OwnedDecision {
    let (OwnedChange::Enters { attributes }
    | OwnedChange::Stays { attributes }
    | OwnedChange::Returns { attributes }) = change;
    match account {
        AccountState::None => without_account(preferences, source_enabled, false),
        AccountState::LinkedGone => without_account(preferences, source_enabled, true),
        AccountState::Ambiguous => OwnedDecision::NoAccount(NoAccount::AmbiguousMatch),
        AccountState::LinkedElsewhere { holder_in_source: true, .. } => {
            OwnedDecision::NoAccount(NoAccount::AccountLinkedElsewhere)
        }
        AccountState::UnlinkedMatch { active }
        | AccountState::LinkedElsewhere { holder_in_source: false, active } => {
            OwnedDecision::Adopt(account_change(preferences, attributes, active, source_enabled))
        }
        AccountState::Linked { active, deprovisioned_here: _ } => {
            OwnedDecision::Linked(account_change(preferences, attributes, active, source_enabled))
        }
    }
}

fn without_account(preferences: Preferences, source_enabled: bool, drops_link: bool) -> OwnedDecision {
    if !source_enabled {
        OwnedDecision::NotCreated { reason: NotCreated::DisabledAtSource, drops_link }
    } else if preferences.creates() {
        OwnedDecision::Create { drops_link }
    } else {
        OwnedDecision::NotCreated { reason: NotCreated::CreationOff, drops_link }
    }
}

fn account_change(
    preferences: Preferences,
    attributes_differ: bool,
    active: bool,
    source_enabled: bool,
) -> AccountChange {
    let active_differs = active != source_enabled;
    let attributes = attributes_differ && preferences.updates();
    if active_differs && preferences.disables() {
        AccountChange::Active { active: source_enabled, attributes }
    } else if attributes {
        AccountChange::Attributes { active_withheld: active_differs }
    } else {
        AccountChange::Unwritten { attributes_withheld: attributes_differ, active_withheld: active_differs }
    }
}

/// Decides what `preferences` make of the `leave` of a user whose account is in the state `account`.
pub fn decide_leave(preferences: Preferences, leave: Leave, account: AccountState) -> LeaveDecision {
    match account {
        AccountState::None
        | AccountState::UnlinkedMatch { .. }
        | AccountState::Ambiguous
        | AccountState::LinkedElsewhere { .. }
        | AccountState::Linked { deprovisioned_here: true, .. } => LeaveDecision::Nothing,
        AccountState::LinkedGone => LeaveDecision::AlreadyGone,
        AccountState::Linked { active: _, deprovisioned_here: false } => {
            match (preferences.deprovisions(), leave) {
                (Some(deprovision), Leave::Deleted | Leave::LeftScope) => {
                    LeaveDecision::Remove(deprovision.remove_action)
                }
                (None, Leave::Deleted | Leave::LeftScope) => LeaveDecision::DeprovisionOff,
                (Some(deprovision), Leave::RuleDeleted) if deprovision.on_rule_deletion => {
                    LeaveDecision::Remove(deprovision.remove_action)
                }
                (Some(_) | None, Leave::RuleDeleted) => LeaveDecision::RuleDeletionOff,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_tells_what_is_written() {
        let unwritten = AccountChange::Unwritten { attributes_withheld: true, active_withheld: true };
        let attributes = AccountChange::Attributes { active_withheld: true };
        let both = AccountChange::Active { active: false, attributes: true };
        let active = AccountChange::Active { active: true, attributes: false };
        for (change, writes_attributes, writes_active) in [
            (unwritten, false, None),
            (attributes, true, None),
            (both, true, Some(false)),
            (active, false, Some(true)),
        ] {
            assert_eq!(change.writes_attributes(), writes_attributes, "{change:?}");
            assert_eq!(change.active(), writes_active, "{change:?}");
            for (decision, is_linked_anew) in
                [(OwnedDecision::Adopt(change), true), (OwnedDecision::Linked(change), false)]
            {
                assert_eq!(decision.change(), Some(change), "{decision:?}");
                assert_eq!(decision.changes_link(), is_linked_anew, "{decision:?}");
            }
        }
    }

    #[test]
    fn decision_without_an_account_has_no_change() {
        for drops_link in [false, true] {
            let created = OwnedDecision::Create { drops_link };
            let not_created = OwnedDecision::NotCreated { reason: NotCreated::CreationOff, drops_link };
            for decision in [created, not_created] {
                assert_eq!(decision.change(), None, "{decision:?}");
                assert_eq!(decision.changes_link(), drops_link, "{decision:?}");
            }
        }
        assert!(!OwnedDecision::NoAccount(NoAccount::AmbiguousMatch).changes_link());
    }
}
