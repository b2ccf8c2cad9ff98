//! Durable state: the knowledge of each user and of the connection, kept over runs and crashes.
//!
//! The records here are plain data; [`store`] keeps them in SQLite or PostgreSQL. Links belong to a SCIM URL: everything but the
//! source's identity is stored under the URL it was learned at, and is not looked at under another.

mod audit_log;
mod database;
pub mod groups;
pub(crate) mod index;
mod learned;
mod link;
pub mod location;
mod postgres;
mod quarantine;
pub(crate) mod shared;
pub mod store;

use std::sync::Arc;
use std::time::SystemTime;

pub use audit_log::read_audit_log;
pub(crate) use database::UserAccount;
pub use learned::{DisableKind, Learned, MethodSupport, Methods, PathSupport, Paths};
pub(crate) use learned::{Method, WriteKind, WriteMethod};
pub(crate) use link::matched;
pub use link::{Link, LinkState, ShownForm, differences};
pub use quarantine::{Quarantine, QuarantineCause};
use serde::{Deserialize, Serialize};
pub use shared::JobPlace;

use self::groups::{GroupRecord, LearnedGroups};
use crate::audit::AuditEntry;
use crate::ids::{RuleName, SourceId, UserName};
use crate::report::{Operation, Outcome, Reason};
use crate::target::lookup::SearchKeys;

/// The beginning of the detail of a write that was not sent because others of its kind were ignored.
pub(crate) const NOT_SENT: &str = "not sent";

/// The state of one source user at one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// The user name it had when it was last seen.
    pub user_name: UserName,
    /// The rule that owned it when it was last evaluated.
    pub rule: Option<RuleName>,
    /// Its account, if one was created or adopted here.
    pub link: Option<Link>,
    /// A write that was about to be sent and whose outcome is not known.
    pub intent: Option<Intent>,
    /// The keys in the POST of an unresolved [`Intent::Create`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted: Option<Posted>,
    /// User names that were sent to its account by writes whose outcome is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed_to: Vec<UserName>,
    /// The user's status after the last run that reported it.
    #[serde(rename = "situation")]
    pub last_reported: Option<LastReported>,
    /// Digest of all that the last evaluation depended on; equal means that nothing has to be looked at again.
    pub fingerprint: Option<String>,
}

impl Record {
    /// Creates the record of a user of whom nothing is known yet.
    pub fn new(user_name: UserName) -> Self {
        Self {
            user_name,
            rule: None,
            link: None,
            intent: None,
            posted: None,
            renamed_to: Vec::new(),
            last_reported: None,
            fingerprint: None,
        }
    }

    /// Returns the keys of the account that an unresolved create may have made, or `None` if no create is unresolved.
    ///
    /// A record of an earlier version lacks the sent user name. It is the record's user name, as long as the source's
    /// present name has not replaced that.
    pub(crate) fn unresolved_create(&self, id: &SourceId) -> Option<Posted> {
        if self.link.is_some() || self.intent != Some(Intent::Create) {
            return None;
        }
        let legacy =
            || Posted { user_name: self.user_name.clone(), external_id: Some(id.to_string()), at: None };
        Some(self.posted.clone().unwrap_or_else(legacy))
    }

    /// Returns every user name that its account may have.
    pub(crate) fn names(&self) -> impl Iterator<Item = UserName> {
        let carried = self.link.as_ref().and_then(Link::user_name);
        let posted = self.posted.as_ref().map(|posted| posted.user_name.clone());
        [Some(self.user_name.clone()), carried, posted]
            .into_iter()
            .flatten()
            .chain(self.renamed_to.iter().cloned())
    }

    /// Notes, before a request is sent, that the account may have this `name` from now on.
    pub(crate) fn note_rename(&mut self, name: UserName) {
        if !self.renamed_to.contains(&name) {
            self.renamed_to.push(name);
        }
    }

    /// Forgets a write whose outcome is known now.
    pub(crate) fn resolve_intent(&mut self) {
        (self.intent, self.posted) = (None, None);
        self.renamed_to.clear();
    }

    /// Returns the user name under which a look-up finds the account of `link`, as far as is known.
    pub(crate) fn name_at(&self, link: &Link) -> UserName {
        link.user_name().unwrap_or_else(|| self.user_name.clone())
    }

    /// Returns every key by which a look-up may find the account of `link`: its known name, the names that were sent
    /// since, and its `externalId`.
    pub(crate) fn keys_at(&self, link: &Link) -> SearchKeys {
        SearchKeys::new(std::iter::once(self.name_at(link)).chain(self.names()), link.external_id())
    }

    /// Whether the last report was that the account is gone and another one may be it.
    pub(crate) fn is_perhaps_elsewhere(&self) -> bool {
        self.link.is_some()
            && self
                .last_reported
                .as_ref()
                .is_some_and(|told| told.outcome == Outcome::Failed && told.reason == Reason::AmbiguousMatch)
    }

    /// Whether the last report was that the target ignored a write.
    pub(crate) fn was_ignored(&self) -> bool {
        self.last_reported
            .as_ref()
            .is_some_and(|told| told.outcome == Outcome::Failed && told.reason == Reason::IgnoredByTarget)
    }

    /// Whether the last write was ignored: other users are more likely to show the present behaviour of a target.
    pub(crate) fn was_sent_in_vain(&self) -> bool {
        let unsent = self.last_reported.as_ref().and_then(|told| told.detail.as_deref()).unwrap_or_default();
        self.was_ignored() && !unsent.starts_with(NOT_SENT)
    }

    /// Whether it has an account that is provisioned, and not removed by Disable.
    pub fn is_managed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.state != LinkState::Removed)
    }
}

/// A write that is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// POST of a new account.
    Create,
    /// Attributes, or `active: true`.
    Update,
    /// `active: false`, perhaps with attributes.
    Disable,
    /// DELETE.
    Delete,
}

/// The values of a POST that identify its account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Posted {
    /// The `userName` that was sent; the user may have another one at the source by now.
    pub user_name: UserName,
    /// The `externalId` that was sent, if any.
    pub external_id: Option<String>,
    /// When it was sent, in seconds since the epoch; unknown in a record of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// The status of a user: two equal ones in a row are reported once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LastReported {
    /// The operation that is still to be done, or that failed; `none` once it was carried out.
    pub operation: Operation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: Reason,
    /// More for a person, without personal data.
    pub detail: Option<String>,
    /// Digest of the attributes still to be written, values included.
    pub to_write: Option<String>,
    /// `active` as the source wants it; `None` if the user has left.
    pub wanted_active: Option<bool>,
    /// Whether it is a failed deprovision.
    pub failed_deprovision: bool,
    /// When the situation came about, RFC 3339.
    pub since: String,
}

impl LastReported {
    /// Whether `other` is the same status, at any time.
    pub fn same_as(&self, other: &Self) -> bool {
        (self.operation, self.outcome, self.reason, &self.to_write, self.wanted_active)
            == (other.operation, other.outcome, other.reason, &other.to_write, other.wanted_active)
    }
}

/// The knowledge of a connection's target as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectionRecord {
    /// The knowledge of its writes.
    pub learned: Learned,
    /// The knowledge of its writes to groups.
    pub learned_groups: LearnedGroups,
    /// The authentication and update method under which that was learned.
    pub learned_under: Option<String>,
    /// The last connection test: when, and its one-line result.
    pub last_test: Option<TestRecord>,
    /// The last run.
    pub last_run: Option<RunRecord>,
    /// The last full run that was not stopped.
    pub last_full_run: Option<RunRecord>,
    /// Set while the connection is in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Quarantine>,
}

/// One connection test, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestRecord {
    /// RFC 3339.
    pub at: String,
    /// Whether the connection can be used.
    pub succeeded: bool,
    /// The result in words.
    pub message: String,
}

/// One run, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunRecord {
    /// RFC 3339.
    pub at: String,
    /// Exit code.
    pub exit: u8,
    /// Users with something to do.
    pub impacted: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Users in the source of the last run that was not stopped; 0 where none was.
    #[serde(default)]
    pub users: u64,
}

/// An account that a run took from its user, as the delete guard counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// The kind of withdrawal.
    pub kind: WithdrawalKind,
}

/// The ways in which an account is taken from its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawalKind {
    /// By the Remove Action.
    Removal,
    /// The user was disabled at the source; the account is still managed.
    Disable,
    /// A group was deleted.
    Group,
}

/// One change of the state.
#[derive(Clone, Debug)]
pub enum StateChange {
    /// Writes the record of a user.
    Put(SourceId, Arc<Record>),
    /// Forgets a user.
    Remove(SourceId),
    /// Writes the record of the connection.
    Connection(Box<ConnectionRecord>),
    /// Notes a finished removal or disable for the delete guard.
    Withdrawal(Withdrawal),
    /// Notes where the users come from.
    Source(String),
    /// Appends an entry to the audit log.
    Audit(AuditEntry),
    /// Deletes the entries of the audit log that are older than this number of days.
    ForgetAudit {
        /// The retention.
        days: u32,
        /// The present time.
        now: SystemTime,
    },
    /// Writes the record of a group, and its members.
    PutGroup(SourceId, Arc<GroupRecord>),
    /// Forgets a group.
    RemoveGroup(SourceId),
    /// Stores the result of a worker's job, together with the record of its user.
    Result {
        /// The job.
        place: JobPlace,
        /// The user.
        id: SourceId,
        /// The result, as JSON.
        result: String,
    },
}
