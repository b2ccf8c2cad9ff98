//! The outcome of a group, from the outcomes of its operations: the worst one, with the strongest operation.

use super::GroupTrouble;
use crate::policy::groups::{GroupDifferences, GroupLeaveDecision, GroupWrites, NoGroup, OwnedGroupDecision};
use crate::report::groups::{GroupOperation, GroupReason};
use crate::report::{Outcome, word};

/// One thing that was done, refused or withheld for a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupPart {
    pub(crate) operation: GroupOperation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: GroupReason,
    pub(crate) detail: Option<String>,
}

/// The combined outcome of a group's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupOutcome {
    pub(crate) operation: GroupOperation,
    pub(crate) outcome: Outcome,
    pub(crate) reason: GroupReason,
    pub(crate) detail: Option<String>,
}

impl GroupPart {
    /// Creates the part of an operation that was carried out.
    pub(crate) const fn done(operation: GroupOperation) -> Self {
        let reason = match operation {
            GroupOperation::Link => GroupReason::Linked,
            GroupOperation::None
            | GroupOperation::Update
            | GroupOperation::Create
            | GroupOperation::Delete => GroupReason::Done,
        };
        Self { operation, outcome: Outcome::Success, reason, detail: None }
    }

    /// Creates the part of an operation that failed.
    pub(crate) fn failed(operation: GroupOperation, trouble: GroupTrouble) -> Self {
        let detail = Some(trouble.detail).filter(|detail| !detail.is_empty());
        Self { operation, outcome: Outcome::Failed, reason: trouble.reason, detail }
    }

    /// Creates a part without an operation.
    pub(crate) const fn none(outcome: Outcome, reason: GroupReason) -> Self {
        Self { operation: GroupOperation::None, outcome, reason, detail: None }
    }

    pub(crate) fn with_detail(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Returns the part of members that cannot be removed because they do not show.
    pub(crate) fn unseen(is_so: bool) -> Option<Self> {
        is_so.then(|| Self::none(Outcome::Partial, GroupReason::MembersNotShown))
    }

    /// Returns the part of members in scope that have no account.
    pub(crate) fn pending(members: usize) -> Option<Self> {
        let part = Self::none(Outcome::Partial, GroupReason::MembersPending);
        (members > 0).then(|| part.with_detail(format!("{members} members have no account yet")))
    }
}

/// Returns the part of an owned group that is not written, if it is not.
pub(crate) fn unwritten(decision: OwnedGroupDecision) -> Option<GroupPart> {
    match decision {
        OwnedGroupDecision::NotCreated { .. } => {
            Some(GroupPart::none(Outcome::Unsynced, GroupReason::CreateOff))
        }
        OwnedGroupDecision::NoGroup(NoGroup::AmbiguousMatch) => {
            Some(GroupPart::none(Outcome::Failed, GroupReason::AmbiguousMatch))
        }
        OwnedGroupDecision::NoGroup(NoGroup::LinkedElsewhere) => {
            Some(GroupPart::none(Outcome::Failed, GroupReason::GroupLinkedElsewhere))
        }
        OwnedGroupDecision::Adopt(GroupWrites::Withheld(differs))
        | OwnedGroupDecision::Linked(GroupWrites::Withheld(differs)) => {
            let part = GroupPart::none(Outcome::Partial, GroupReason::UpdateOff);
            Some(part.with_detail(format!("differs: {}", differing(differs))))
        }
        OwnedGroupDecision::Create { .. }
        | OwnedGroupDecision::Adopt(GroupWrites::Nothing | GroupWrites::Write(_))
        | OwnedGroupDecision::Linked(GroupWrites::Nothing | GroupWrites::Write(_)) => None,
    }
}

fn differing(differs: GroupDifferences) -> &'static str {
    match (differs.name, differs.members) {
        (true, true) => "name, members",
        (true, false) => "name",
        (false, true) => "members",
        (false, false) => "nothing",
    }
}

/// Returns the part of a group that left and is not deleted, if it is not.
pub(crate) const fn not_deleted(decision: GroupLeaveDecision) -> Option<GroupPart> {
    match decision {
        GroupLeaveDecision::Nothing | GroupLeaveDecision::Delete => None,
        GroupLeaveDecision::AlreadyGone => Some(GroupPart::none(Outcome::Success, GroupReason::AlreadyGone)),
        GroupLeaveDecision::Kept => Some(GroupPart::none(Outcome::Partial, GroupReason::Kept)),
        GroupLeaveDecision::Released => Some(GroupPart::none(Outcome::Partial, GroupReason::RuleDeleted)),
    }
}

/// Combines `parts` into the outcome of a group, or returns `None` if there are none.
pub(crate) fn group_outcome(parts: &[GroupPart]) -> Option<GroupOutcome> {
    let main = parts.iter().max_by_key(|part| (part.outcome, part.operation))?;
    let operation = parts.iter().map(|part| part.operation).max().unwrap_or(GroupOperation::None);
    let mut details: Vec<String> = main.detail.iter().cloned().collect();
    for part in parts.iter().filter(|part| *part != main) {
        let about = match part.outcome {
            Outcome::Success => part.detail.clone(),
            Outcome::Unsynced | Outcome::Partial | Outcome::Failed => {
                let words = part.detail.clone().unwrap_or_else(|| part.reason.explain().to_owned());
                Some(format!("also {}: {words}", word(&part.reason)))
            }
        };
        details.extend(about);
    }
    Some(GroupOutcome {
        operation,
        outcome: main.outcome,
        reason: main.reason,
        detail: (!details.is_empty()).then(|| details.join("; ")),
    })
}
