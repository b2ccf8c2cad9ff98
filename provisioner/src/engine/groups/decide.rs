//! The decision about one group: its input from what is known, and the policy's answer.

use super::GroupTrouble;
use super::accounts::AccountTable;
use super::scope::{GroupStanding, GroupSubject, OwnedGroup};
use crate::config::Config;
use crate::policy::Leave;
use crate::policy::groups::{
    GroupDifferences, GroupLeaveDecision, MemberChanges, Members, MembersMode, OwnedGroupDecision,
    decide_group_leave, decide_owned_group, member_changes,
};
use crate::report::groups::GroupChange;
use crate::state::groups::GroupLinkState;

/// The decision about a group, with the members to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Evaluation {
    pub(crate) decision: GroupDecision,
    /// Members to add and to remove.
    pub(crate) changes: MemberChanges,
    /// Members in scope without an account.
    pub(crate) pending: usize,
    /// Members whose account is about to be made.
    pub(crate) to_come: usize,
    /// Whether the group may have members that are to be removed and do not show.
    pub(crate) unseen: bool,
    pub(crate) label: GroupChange,
}

/// The decision about a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupDecision {
    /// The group is failed before anything could be decided.
    Fail(GroupTrouble),
    /// The group is owned.
    Owned(OwnedGroupDecision),
    /// The group has left.
    Left(GroupLeaveDecision, Leave),
}

/// Decides about a group, with the members' accounts by `accounts`.
pub(crate) fn evaluate(config: &Config, subject: &GroupSubject, accounts: &AccountTable) -> Evaluation {
    match &subject.standing {
        GroupStanding::Owned(owned) => evaluate_owned(config, subject, owned, accounts),
        GroupStanding::Left { leave, deletion } => {
            let decision = match &subject.trouble {
                Some(trouble) => GroupDecision::Fail(trouble.clone()),
                None => GroupDecision::Left(decide_group_leave(*deletion, *leave, subject.state), *leave),
            };
            let is_pending = subject
                .record
                .link
                .as_ref()
                .is_some_and(|link| link.state == GroupLinkState::Pending(*leave));
            let label = if is_pending { GroupChange::Retry } else { (*leave).into() };
            let changes = MemberChanges::default();
            Evaluation { decision, changes, pending: 0, to_come: 0, unseen: false, label }
        }
    }
}

fn evaluate_owned(
    config: &Config,
    subject: &GroupSubject,
    owned: &OwnedGroup,
    accounts: &AccountTable,
) -> Evaluation {
    let rule = &config.group_rules[owned.rule];
    let resolved = accounts.resolve(&owned.members);
    let members = Members {
        wanted: &resolved.wanted,
        untouched: accounts.untouched(),
        written: &subject.record.written,
        present: subject.present.as_ref(),
    };
    let changes = member_changes(rule.members, members);
    let carried = match (&subject.record.link, &subject.found) {
        (Some(link), _) => Some(link.display_name.as_str()),
        (None, Some(found)) => found.display_name.as_deref(),
        (None, None) => None,
    };
    let differs = GroupDifferences {
        name: carried.is_some_and(|carried| carried != owned.name),
        members: !changes.is_empty() || resolved.to_come > 0,
    };
    let decision = match &subject.trouble {
        Some(trouble) => GroupDecision::Fail(trouble.clone()),
        None => GroupDecision::Owned(decide_owned_group(rule.switches, subject.state, differs)),
    };
    let label = match subject.record.link.as_ref().map(|link| link.state) {
        None => GroupChange::Enters,
        Some(GroupLinkState::Kept(_) | GroupLinkState::Pending(_)) => GroupChange::Returns,
        Some(GroupLinkState::Owned) => match (differs.name, differs.members) {
            (true, true) => GroupChange::NameAndMembers,
            (true, false) => GroupChange::Name,
            (false, true) => GroupChange::Members,
            (false, false) => GroupChange::Unchanged,
        },
    };
    let unseen = rule.members == MembersMode::Overwrite
        && match (&subject.record.link, &subject.found) {
            (Some(link), _) => link.members_unseen,
            (None, Some(found)) => found.members.is_none(),
            (None, None) => false,
        };
    Evaluation { decision, changes, pending: resolved.pending, to_come: resolved.to_come, unseen, label }
}
