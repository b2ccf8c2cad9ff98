//! The policy: one pure function that says what the preferences make of a change.
//!
//! It knows nothing of HTTP, of state or of attributes; what a target does with a decision is the engine's
//! concern. Every combination it can be asked about stands in a snapshot (`tests/it/policy.rs`).

use serde::{Deserialize, Serialize};

use crate::preferences::{Preferences, RemoveAction};

/// Why a linked user is no longer owned by a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leave {
    /// Gone from the source.
    Deleted,
    /// In the source, and no rule matches it any longer.
    LeftScope,
    /// In the source; its rule was taken out of the configuration and no other one holds it.
    RuleDeleted,
}

/// What happened at the source since the last run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Owned by a rule, and not linked.
    Enters {
        /// Whether the account found (if any) carries other attributes than wanted.
        attributes: bool,
    },
    /// Owned, linked, and owned in the last run too.
    Stays {
        /// Whether mapped attributes are still to be written.
        attributes: bool,
    },
    /// Owned again, under a link that had been marked as left.
    Returns {
        /// Whether mapped attributes are still to be written.
        attributes: bool,
    },
    /// Owned by nobody any longer.
    Leaves(Leave),
}

/// What is known of the account at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// No account of that user name.
    None,
    /// Exactly one account of that user name, and it is linked to nobody.
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
    /// Linked, and found gone at the target.
    LinkedGone,
}

/// What becomes of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAction {
    /// It stays as it is (or there is none).
    Keep,
    /// The account found is linked to this user; a former holder's link ends.
    Adopt,
    /// The link is dropped, the account is left as it is.
    Drop,
}

/// What is written to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// A new account, active.
    Create,
    /// Attributes, `active`, or both.
    Write {
        /// Whether the mapped attributes are written.
        attributes: bool,
        /// The new value of `active`, where it changes.
        active: Option<bool>,
    },
    /// The Remove Action, after a read.
    Remove(RemoveAction),
}

/// Why nothing is written although there is an account or a user: final for this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing speaks against it.
    Clear,
    /// Unsynced: creation is off.
    CreationOff,
    /// Unsynced: a disabled user is not created.
    DisabledAtSource,
    /// Partial: deprovision is off.
    DeprovisionOff,
    /// Partial: deprovision, or deprovision on rule deletion, is off.
    RuleDeletionOff,
    /// Failed: several accounts match.
    AmbiguousMatch,
    /// Failed: the match belongs to a user that is still in the source.
    AccountLinkedElsewhere,
    /// Success: the account was gone before it was to be removed.
    AlreadyGone,
}

/// What to do about one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the link.
    pub link: LinkAction,
    /// What is written.
    pub effect: Effect,
    /// What the preferences or the state of the target say about it.
    pub verdict: Verdict,
    /// Attributes are out of date and stay so: updation is off.
    pub attributes_withheld: bool,
    /// `active` is out of date and stays so: disable is off.
    pub active_withheld: bool,
}

impl Decision {
    const NOTHING: Self = Self {
        link: LinkAction::Keep,
        effect: Effect::None,
        verdict: Verdict::Clear,
        attributes_withheld: false,
        active_withheld: false,
    };

    const fn stop(verdict: Verdict) -> Self {
        Self { verdict, ..Self::NOTHING }
    }
}

/// Decides what `preferences` make of `change` for a user whose account is in the state `link`.
///
/// `source_enabled` is the user's `enabled` at the source; it plays no part in a leave.
pub fn decide(preferences: Preferences, change: Change, link: Link, source_enabled: bool) -> Decision {
    match change {
        Change::Leaves(leave) => leaves(preferences, leave, link),
        Change::Enters { attributes } | Change::Stays { attributes } | Change::Returns { attributes } => {
            owned(preferences, attributes, link, source_enabled)
        }
    }
}

fn owned(preferences: Preferences, attributes: bool, link: Link, source_enabled: bool) -> Decision {
    match link {
        Link::None | Link::LinkedGone => {
            let dropped = if link == Link::LinkedGone { LinkAction::Drop } else { LinkAction::Keep };
            let decision = if !source_enabled {
                Decision::stop(Verdict::DisabledAtSource)
            } else if preferences.creates() {
                Decision { effect: Effect::Create, ..Decision::NOTHING }
            } else {
                Decision::stop(Verdict::CreationOff)
            };
            Decision { link: dropped, ..decision }
        }
        Link::Ambiguous => Decision::stop(Verdict::AmbiguousMatch),
        Link::LinkedElsewhere { holder_in_source: true, .. } => {
            Decision::stop(Verdict::AccountLinkedElsewhere)
        }
        Link::UnlinkedMatch { active } | Link::LinkedElsewhere { holder_in_source: false, active } => {
            Decision { link: LinkAction::Adopt, ..write(preferences, attributes, active, source_enabled) }
        }
        Link::Linked { active, deprovisioned_here: _ } => {
            write(preferences, attributes, active, source_enabled)
        }
    }
}

fn write(preferences: Preferences, attributes: bool, active: bool, source_enabled: bool) -> Decision {
    let flips = active != source_enabled;
    let writes_attributes = attributes && preferences.updates();
    let writes_active = (flips && preferences.disables()).then_some(source_enabled);
    Decision {
        effect: if writes_attributes || writes_active.is_some() {
            Effect::Write { attributes: writes_attributes, active: writes_active }
        } else {
            Effect::None
        },
        attributes_withheld: attributes && !writes_attributes,
        active_withheld: flips && writes_active.is_none(),
        ..Decision::NOTHING
    }
}

fn leaves(preferences: Preferences, leave: Leave, link: Link) -> Decision {
    match link {
        Link::None | Link::UnlinkedMatch { .. } | Link::Ambiguous | Link::LinkedElsewhere { .. } => {
            Decision::NOTHING
        }
        Link::Linked { deprovisioned_here: true, .. } => Decision::NOTHING,
        Link::LinkedGone => Decision { link: LinkAction::Drop, ..Decision::stop(Verdict::AlreadyGone) },
        Link::Linked { active: _, deprovisioned_here: false } => match (preferences.deprovisions(), leave) {
            (Some(deprovision), Leave::Deleted | Leave::LeftScope) => {
                Decision { effect: Effect::Remove(deprovision.remove_action), ..Decision::NOTHING }
            }
            (None, Leave::Deleted | Leave::LeftScope) => Decision::stop(Verdict::DeprovisionOff),
            (Some(deprovision), Leave::RuleDeleted) if deprovision.on_rule_deletion => {
                Decision { effect: Effect::Remove(deprovision.remove_action), ..Decision::NOTHING }
            }
            (Some(_) | None, Leave::RuleDeleted) => {
                Decision { link: LinkAction::Drop, ..Decision::stop(Verdict::RuleDeletionOff) }
            }
        },
    }
}
