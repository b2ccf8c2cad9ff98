//! What is known of the groups: links, intents, members as they were written, and what their writes have shown.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::id_set::IdSet;
use crate::ids::{RuleName, TargetId};
use crate::policy::Leave;
use crate::report::groups::{GroupOperation, GroupReason};
use crate::report::{Outcome, word};
use crate::target::groups::RemoteGroup;

/// The state of one source group at one target. The members are stored beside it ([`GroupRecord::written`]).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupRecord {
    /// The name that it should have at the target, when it was last seen.
    pub name: String,
    /// The group rule that owned it when it was last evaluated.
    pub rule: Option<RuleName>,
    /// Its group at the target, if one was created or adopted here.
    pub link: Option<GroupLink>,
    /// A write that was about to be sent and whose outcome is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<GroupIntent>,
    /// The status after the last run that reported it.
    pub last_reported: Option<GroupReported>,
    /// Digest of rule, name and external id of the last evaluation that left nothing to try again.
    pub fingerprint: Option<String>,
    /// The accounts that are its members as far as they were written or adopted here.
    #[serde(skip)]
    pub written: IdSet,
}

impl GroupRecord {
    /// Creates the record of a group of which nothing is known yet.
    pub fn new(name: String) -> Self {
        Self {
            name,
            rule: None,
            link: None,
            intent: None,
            last_reported: None,
            fingerprint: None,
            written: IdSet::default(),
        }
    }

    /// Whether a POST may have made a group that is not linked.
    pub(crate) fn has_unresolved_create(&self) -> bool {
        self.link.is_none() && matches!(self.intent, Some(GroupIntent::Create { .. }))
    }
}

/// A group at the target that was created or adopted here: no other one is ever written or deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupLink {
    /// Its `id`.
    pub id: TargetId,
    /// Its `displayName`, as it was last written or read.
    pub display_name: String,
    /// Whether it was linked without a look at its members, because the target does not show them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub members_unseen: bool,
    /// Whether the group has left, and the state of its deletion.
    pub state: GroupLinkState,
}

impl GroupLink {
    /// Creates the link to a group that was found at the target.
    pub(crate) fn to(group: &RemoteGroup) -> Self {
        Self {
            id: group.id.clone(),
            display_name: group.display_name.clone().unwrap_or_default(),
            members_unseen: group.members.is_none(),
            state: GroupLinkState::Owned,
        }
    }
}

/// The status of a linked group with respect to the group rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupLinkState {
    /// Owned by a group rule.
    Owned,
    /// Left, and kept as the rule says.
    Kept(Leave),
    /// Left, and its deletion failed: it is tried in each run.
    Pending(Leave),
}

/// A write to a group that is about to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum GroupIntent {
    /// POST of a new group.
    Create {
        /// The `displayName` that was sent; the group may have another one at the source by now.
        display_name: String,
    },
    /// Name or members.
    Update,
    /// DELETE.
    Delete,
}

/// The status of a group: two equal ones in a row are reported once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupReported {
    /// The operation that failed; `none` for any other outcome.
    pub operation: GroupOperation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: GroupReason,
    /// More for a person.
    pub detail: Option<String>,
    /// When the situation came about, RFC 3339.
    pub since: String,
}

impl GroupReported {
    /// Whether `other` is the same status, at any time.
    pub fn same_as(&self, other: &Self) -> bool {
        (self.operation, self.outcome, self.reason, &self.detail)
            == (other.operation, other.outcome, other.reason, &other.detail)
    }
}

/// What was learned of a form of write, each by its own read-back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FormSupport {
    /// It was not sent yet.
    #[default]
    Unknown,
    /// It took effect.
    Works,
    /// It was refused, and another form worked for the same group.
    Refused,
    /// It was answered as done and changed nothing.
    Ignored,
    /// It removed members that it did not name. It is not sent again until the connection is tested.
    RemovesOthers,
}

/// Whether the target shows the members of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MembersShown {
    /// No group with members was read yet.
    #[default]
    Unknown,
    /// It does.
    Shown,
    /// Its answers have no members, or an empty list, for groups that have some.
    Hidden,
}

/// What the writes to groups have shown of the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LearnedGroups {
    /// A POST with members.
    pub create: FormSupport,
    /// A PATCH of `displayName`.
    pub rename: FormSupport,
    /// A PATCH that adds members.
    pub add: FormSupport,
    /// A PATCH that removes members by `members[value eq "…"]`.
    pub remove_by_path: FormSupport,
    /// A PATCH that removes the members in its `value`.
    pub remove_by_value: FormSupport,
    /// A PUT of the whole group.
    pub put: FormSupport,
    /// Whether members show.
    pub members: MembersShown,
    /// The number of members that one request may add or remove; `None` if no limit was met.
    pub chunk: Option<usize>,
}

impl LearnedGroups {
    /// Returns what was learned in lines for a person; none if no group was written.
    pub fn lines(&self) -> Vec<String> {
        if *self == Self::default() {
            return Vec::new();
        }
        let mut line = format!(
            "  groups: create {}, rename {}, add members {}, remove by path {}, remove by value {}, PUT {}; members {}",
            word(&self.create),
            word(&self.rename),
            word(&self.add),
            word(&self.remove_by_path),
            word(&self.remove_by_value),
            word(&self.put),
            word(&self.members),
        );
        if let Some(chunk) = self.chunk {
            let _ = write!(line, "; at most {chunk} members a request");
        }
        vec![line]
    }
}
