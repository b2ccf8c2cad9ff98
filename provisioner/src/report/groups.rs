//! The lines of groups in the report of a run. The JSON of these types is a public interface.

use serde::{Deserialize, Serialize};

use super::{Outcome, Reason};
use crate::ids::{SourceId, TargetId};
use crate::policy::Leave;

/// The operation on a group, weakest first: a line names the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupOperation {
    /// No operation.
    None,
    /// An existing group was linked.
    Link,
    /// Name or members were written.
    Update,
    /// A group was made.
    Create,
    /// The group was deleted.
    Delete,
}

/// The reason of the outcome of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "`explain` says each in words")]
pub enum GroupReason {
    Done,
    Linked,
    AlreadyGone,
    CreateOff,
    UpdateOff,
    MembersPending,
    Kept,
    RuleDeleted,
    MembersNotShown,
    MembersRefused,
    InvalidGroup,
    AmbiguousMatch,
    GroupLinkedElsewhere,
    NameTaken,
    HiddenGroup,
    GroupsUnsupported,
    DeleteUnsupported,
    FilterNotHonoured,
    IgnoredByTarget,
    Rejected,
    Forbidden,
    Conflict,
    RateLimited,
    TargetError,
    Unreachable,
}

impl GroupReason {
    /// Returns the meaning and the way out, for a person.
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Done => "carried out",
            Self::Linked => "an existing group was linked",
            Self::AlreadyGone => "the group was gone before it was to be deleted",
            Self::CreateOff => {
                "there is no such group at the target, and `create` of the group rule is false"
            }
            Self::UpdateOff => "name or members differ, and `update` of the group rule is false",
            Self::MembersPending => {
                "some members have no account at the target yet; each is added once it has one"
            }
            Self::Kept => {
                "the group left, and `deletion` of its group rule is \"keep\": group and members stay as they are"
            }
            Self::RuleDeleted => {
                "the group rule is gone from the configuration: the group stays and is no longer managed"
            }
            Self::MembersNotShown => {
                "the target does not show the members of groups, so members that were not written here cannot be removed"
            }
            Self::MembersRefused => {
                "the target refused some of the members and took the others; each run tries again"
            }
            Self::InvalidGroup => {
                "the group has no name for the target: correct it at the source, or `name-source`"
            }
            Self::AmbiguousMatch => {
                "several groups have this name: leave one, at the source and at the target"
            }
            Self::GroupLinkedElsewhere => {
                "the target's group of this name belongs to another group of the source"
            }
            Self::NameTaken => "another group at the target has the new name",
            Self::HiddenGroup => {
                "the target says that the name is taken and does not show the group: restore or purge it there"
            }
            Self::GroupsUnsupported => "the target has no groups: remove the group rules",
            Self::DeleteUnsupported => "the target does not delete groups: use deletion = \"keep\"",
            Self::FilterNotHonoured => {
                "the look-up of the group was answered with something else: the target's filter does not work"
            }
            Self::IgnoredByTarget => {
                "the target answered as if it were done and changed nothing; each run tries again"
            }
            Self::Rejected => "the target refused the request",
            Self::Forbidden => "the credentials are not allowed to do this",
            Self::Conflict => "the group was changed at the target during the write, twice",
            Self::RateLimited => "the target kept answering 429",
            Self::TargetError => "the target kept failing, or sent an answer that is too large",
            Self::Unreachable => "the target did not answer",
        }
    }
}

impl From<Reason> for GroupReason {
    /// Returns the reason of a group for that of a request; the reasons of users do not come from requests about groups.
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Done => Self::Done,
            Reason::Linked => Self::Linked,
            Reason::AlreadyGone => Self::AlreadyGone,
            Reason::IgnoredByTarget => Self::IgnoredByTarget,
            Reason::DeleteUnsupported => Self::DeleteUnsupported,
            Reason::AmbiguousMatch => Self::AmbiguousMatch,
            Reason::AccountLinkedElsewhere => Self::GroupLinkedElsewhere,
            Reason::FilterNotHonoured => Self::FilterNotHonoured,
            Reason::HiddenAccount => Self::HiddenGroup,
            Reason::UserNameTaken => Self::NameTaken,
            Reason::InvalidUser => Self::InvalidGroup,
            Reason::Forbidden => Self::Forbidden,
            Reason::Conflict => Self::Conflict,
            Reason::RateLimited => Self::RateLimited,
            Reason::TargetError => Self::TargetError,
            Reason::Unreachable => Self::Unreachable,
            Reason::Rejected
            | Reason::AlreadyInactive
            | Reason::CreationOff
            | Reason::DisabledAtSource
            | Reason::UpdationOff
            | Reason::DisableOff
            | Reason::DeprovisionOff
            | Reason::RuleDeletionOff
            | Reason::PartialUpdateUnsupported
            | Reason::DeletedByTarget
            | Reason::DisableWithheld => Self::Rejected,
        }
    }
}

/// The change of a group at the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the outer face, explained in docs/groups.md")]
pub enum GroupChange {
    Enters,
    Name,
    Members,
    NameAndMembers,
    Unchanged,
    Returns,
    Deleted,
    LeftScope,
    RuleDeleted,
    Retry,
}

impl From<Leave> for GroupChange {
    fn from(leave: Leave) -> Self {
        match leave {
            Leave::Deleted => Self::Deleted,
            Leave::LeftScope => Self::LeftScope,
            Leave::RuleDeleted => Self::RuleDeleted,
        }
    }
}

/// One group that had something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "group", rename_all = "camelCase")]
pub struct GroupLine {
    /// The group's id at the source.
    pub source_id: SourceId,
    /// Its name at the target.
    pub name: String,
    /// Its id at the target, while it has one.
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: GroupChange,
    /// The strongest operation that was decided.
    pub operation: GroupOperation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: GroupReason,
    /// Members that were added.
    pub members_added: usize,
    /// Members that were removed.
    pub members_removed: usize,
    /// Members in scope that have no account yet.
    pub members_pending: usize,
    /// More for a person. Never values of users, or credentials.
    pub detail: Option<String>,
}

/// The figures of the groups of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupSummary {
    /// Groups in the source.
    pub groups: u64,
    /// Groups with a line.
    pub impacted: u64,
    /// Of these: as wanted.
    pub success: u64,
    /// Of these: no group at the target, and none made.
    pub unsynced: u64,
    /// Of these: out of date by a switch, or with members still to come.
    pub partial: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Members that were added.
    pub members_added: u64,
    /// Members that were removed.
    pub members_removed: u64,
}

impl GroupSummary {
    /// Returns the figures of `lines`; the source has `groups` groups.
    pub(crate) fn of(lines: &[GroupLine], groups: u64) -> Self {
        let mut summary = Self { groups, ..Self::default() };
        for line in lines {
            summary.impacted += 1;
            match line.outcome {
                Outcome::Success => summary.success += 1,
                Outcome::Unsynced => summary.unsynced += 1,
                Outcome::Partial => summary.partial += 1,
                Outcome::Failed => summary.failed += 1,
            }
            summary.members_added += line.members_added as u64;
            summary.members_removed += line.members_removed as u64;
        }
        summary
    }
}
