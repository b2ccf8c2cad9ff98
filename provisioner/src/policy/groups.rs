//! The policy of groups: the effect of a group rule's switches on a change, as pure functions. [`decide_owned_group`]
//! decides for groups that a rule owns, [`decide_group_leave`] for groups that have left, and [`member_changes`] says which
//! members are added and removed.
//!
//! A group belongs to this program if it was created or adopted here, and only such a group is ever written or deleted. A
//! snapshot holds the whole cross product (`tests/it/group_policy.rs`).

use serde::{Deserialize, Serialize};

use super::Leave;
use crate::id_set::IdSet;

/// What becomes of members that the target's group has beyond the source's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MembersMode {
    /// They stay; only members that were added here are removed here.
    Merge,
    /// They are removed: the group has the source's members and no others.
    Overwrite,
}

/// What becomes of a group at the target that left the source or the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupDeletion {
    /// It stays, with its members.
    Keep,
    /// It is deleted.
    Delete,
}

/// The switches of a group rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupSwitches {
    /// Whether a group that the target lacks is created.
    pub create: bool,
    /// Whether the name and the members of a group are written.
    pub update: bool,
    /// What becomes of a group that left.
    pub deletion: GroupDeletion,
}

/// The known state of the group at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupState {
    /// No group of that name.
    None,
    /// Exactly one group of that name, and it is not linked.
    UnlinkedMatch,
    /// Several groups of that name.
    Ambiguous,
    /// The one match is linked to another group of the source.
    LinkedElsewhere {
        /// Whether that other group is still in the source.
        holder_in_source: bool,
    },
    /// Linked to this group.
    Linked,
    /// Linked, and found to be gone at the target.
    LinkedGone,
}

/// The ways in which a group at the target differs from the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupDifferences {
    /// The name differs.
    pub name: bool,
    /// Members are to be added or removed.
    pub members: bool,
}

impl GroupDifferences {
    /// Whether anything differs.
    pub const fn any(self) -> bool {
        self.name || self.members
    }
}

/// The writes to a group that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupWrites {
    /// None: the group is as wanted.
    Nothing,
    /// The differences are written.
    Write(GroupDifferences),
    /// The group is out of date and stays so: the rule's `update` is off.
    Withheld(GroupDifferences),
}

/// The reason for which no group at the target can be assigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoGroup {
    /// Several groups match.
    AmbiguousMatch,
    /// The match belongs to a group that is still in the source.
    LinkedElsewhere,
}

/// The decision about a group that a rule owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedGroupDecision {
    /// A new group is created, with its members.
    Create {
        /// Whether the link to a group that is gone is dropped.
        drops_link: bool,
    },
    /// No group is created, because the rule's `create` is off: the group is unsynced.
    NotCreated {
        /// Whether the link to a group that is gone is dropped.
        drops_link: bool,
    },
    /// No group can be assigned: the group is failed.
    NoGroup(NoGroup),
    /// The group found is linked, and written; a former holder's link ends.
    Adopt(GroupWrites),
    /// The linked group is written.
    Linked(GroupWrites),
}

/// The decision about a group that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupLeaveDecision {
    /// Nothing: it has no group at the target.
    Nothing,
    /// The group is deleted, after a read.
    Delete,
    /// Success: the group was gone before it was to be deleted. The link is dropped.
    AlreadyGone,
    /// Partial: the rule keeps it. Group, members and link stay as they are.
    Kept,
    /// Partial: its rule is gone from the configuration, and with it the switch. The group stays, the link is dropped.
    Released,
}

/// Decides what `switches` make of a group that a rule owns; `differs` is known of groups that exist.
pub const fn decide_owned_group(
    switches: GroupSwitches,
    state: GroupState,
    differs: GroupDifferences,
) -> OwnedGroupDecision {
    match state {
        GroupState::None => without_group(switches, false),
        GroupState::LinkedGone => without_group(switches, true),
        GroupState::Ambiguous => OwnedGroupDecision::NoGroup(NoGroup::AmbiguousMatch),
        GroupState::LinkedElsewhere { holder_in_source: true } => {
            OwnedGroupDecision::NoGroup(NoGroup::LinkedElsewhere)
        }
        GroupState::UnlinkedMatch | GroupState::LinkedElsewhere { holder_in_source: false } => {
            OwnedGroupDecision::Adopt(writes(switches, differs))
        }
        GroupState::Linked => OwnedGroupDecision::Linked(writes(switches, differs)),
    }
}

const fn without_group(switches: GroupSwitches, drops_link: bool) -> OwnedGroupDecision {
    if switches.create {
        OwnedGroupDecision::Create { drops_link }
    } else {
        OwnedGroupDecision::NotCreated { drops_link }
    }
}

const fn writes(switches: GroupSwitches, differs: GroupDifferences) -> GroupWrites {
    match (differs.any(), switches.update) {
        (false, _) => GroupWrites::Nothing,
        (true, true) => GroupWrites::Write(differs),
        (true, false) => GroupWrites::Withheld(differs),
    }
}

/// Decides about a group that no enabled rule owns any longer; `deletion` is the switch of the rule that owned it.
pub const fn decide_group_leave(
    deletion: GroupDeletion,
    leave: Leave,
    state: GroupState,
) -> GroupLeaveDecision {
    match state {
        GroupState::None
        | GroupState::UnlinkedMatch
        | GroupState::Ambiguous
        | GroupState::LinkedElsewhere { .. } => GroupLeaveDecision::Nothing,
        GroupState::LinkedGone => GroupLeaveDecision::AlreadyGone,
        GroupState::Linked => match (leave, deletion) {
            (Leave::RuleDeleted, GroupDeletion::Keep | GroupDeletion::Delete) => GroupLeaveDecision::Released,
            (Leave::Deleted | Leave::LeftScope, GroupDeletion::Delete) => GroupLeaveDecision::Delete,
            (Leave::Deleted | Leave::LeftScope, GroupDeletion::Keep) => GroupLeaveDecision::Kept,
        },
    }
}

/// The members of a group, as ids of accounts.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a> {
    /// The accounts of the source's members that are in scope.
    pub wanted: &'a IdSet,
    /// Accounts that are neither added nor removed: those of users that are frozen or excluded.
    pub untouched: &'a IdSet,
    /// The members that were written here, or found and adopted as the source's own.
    pub written: &'a IdSet,
    /// The members that the target was just seen to have; `None` if it was not asked, or does not say.
    pub present: Option<&'a IdSet>,
}

/// The members to add and to remove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberChanges {
    /// To add.
    pub add: IdSet,
    /// To remove.
    pub remove: IdSet,
}

impl MemberChanges {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }
}

/// Returns the members to add and to remove. A group that was not read is taken to have the members that were written.
pub fn member_changes(mode: MembersMode, members: Members<'_>) -> MemberChanges {
    let Members { wanted, untouched, written, present } = members;
    let held = present.unwrap_or(written);
    let removable = match (mode, present) {
        (MembersMode::Overwrite, _) => held.clone(),
        (MembersMode::Merge, Some(present)) => written.in_both(present),
        (MembersMode::Merge, None) => written.clone(),
    };
    MemberChanges { add: wanted.without(held), remove: removable.without(wanted).without(untouched) }
}
