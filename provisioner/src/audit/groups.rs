//! The entry of a group's line.

use serde::{Deserialize, Serialize};

use super::{AuditEntry, Cause, DETAIL, beginning};
use crate::id_set::IdSet;
use crate::ids::{RuleName, SourceId, TargetId};
use crate::recording::AuditRequest;
use crate::report::Outcome;
use crate::report::groups::{GroupChange, GroupLine, GroupOperation, GroupReason};

/// The maximum number of accounts that are named as added, and as removed; the others are counted.
const MEMBERS: usize = 64;

/// What a run did for one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupEntry {
    /// When, RFC 3339.
    pub at: String,
    /// The id of the run.
    pub run: String,
    /// The cause of the run.
    pub who: String,
    /// The group's id at the source.
    pub source_id: SourceId,
    /// Its name at the target.
    pub name: String,
    /// Its id at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: GroupChange,
    /// The group rule that owned the group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// The operation.
    pub operation: GroupOperation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: GroupReason,
    /// More for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The number of members that were added.
    pub members_added: usize,
    /// The number of members that were removed.
    pub members_removed: usize,
    /// The ids of the accounts that were added, as many as an entry names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// The ids of the accounts that were removed, as many as an entry names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// The requests that were sent for the group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<AuditRequest>,
}

/// The accounts that a run has added to a group, and removed from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChangedMembers<'a> {
    pub(crate) added: &'a IdSet,
    pub(crate) removed: &'a IdSet,
}

impl AuditEntry {
    /// Creates the entry of a group's line.
    pub(crate) fn of_group(
        cause: Cause<'_>,
        line: &GroupLine,
        rule: Option<RuleName>,
        members: ChangedMembers<'_>,
        requests: Vec<AuditRequest>,
    ) -> Self {
        let named = |set: &IdSet| set.iter().take(MEMBERS).map(|id| id.to_string()).collect();
        Self::Group(Box::new(GroupEntry {
            at: cause.at.to_owned(),
            run: cause.run.to_owned(),
            who: cause.who.to_owned(),
            source_id: line.source_id.clone(),
            name: line.name.clone(),
            target_id: line.target_id.clone(),
            change: line.change,
            rule,
            operation: line.operation,
            outcome: line.outcome,
            reason: line.reason,
            detail: line.detail.as_deref().map(|detail| beginning(detail, DETAIL)),
            members_added: line.members_added,
            members_removed: line.members_removed,
            added: named(members.added),
            removed: named(members.removed),
            requests,
        }))
    }
}
