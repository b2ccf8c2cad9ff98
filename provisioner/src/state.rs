//! Durable state: what the provisioner knows of each user and of the connection, kept over runs and crashes.
//!
//! The records here are plain data; [`store`] keeps them in SQLite. Links belong to a SCIM URL: everything but the
//! source's identity is stored under the URL it was learned at, and is not looked at under another.

mod database;
pub mod store;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::diff::is_never_returned;
use crate::ids::{RuleName, SourceId, TargetId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::policy::Leave;
use crate::report::{Operation, Outcome, Reason};
use crate::source::fingerprint;

/// All that is known of one source user at one target.
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
    /// What the POST behind an unresolved [`Intent::Create`] carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted: Option<Posted>,
    /// How the user stood after the last run that had something to say of it.
    pub situation: Option<Situation>,
    /// Digest of all that the last evaluation depended on; equal means that nothing has to be looked at again.
    pub fingerprint: Option<String>,
}

impl Record {
    /// A record of somebody of whom nothing is known yet.
    pub fn new(user_name: UserName) -> Self {
        Self {
            user_name,
            rule: None,
            link: None,
            intent: None,
            posted: None,
            situation: None,
            fingerprint: None,
        }
    }

    /// What identifies the account that an unresolved create may have made; `None` if no create is unresolved.
    ///
    /// A record of an earlier version does not say what was sent: its user name is the one that was sent, as long as
    /// the source's present name has not replaced it.
    pub(crate) fn unresolved_create(&self, id: &SourceId) -> Option<Posted> {
        if self.link.is_some() || self.intent != Some(Intent::Create) {
            return None;
        }
        let legacy = || Posted { user_name: self.user_name.clone(), external_id: Some(id.to_string()) };
        Some(self.posted.clone().unwrap_or_else(legacy))
    }

    /// Every user name that its account may have.
    pub(crate) fn names(&self) -> impl Iterator<Item = UserName> {
        let carried = self.link.as_ref().and_then(Link::user_name);
        let posted = self.posted.as_ref().map(|posted| posted.user_name.clone());
        [Some(self.user_name.clone()), carried, posted].into_iter().flatten()
    }

    /// Forgets a write whose outcome is known now.
    pub(crate) fn resolve_intent(&mut self) {
        (self.intent, self.posted) = (None, None);
    }

    /// The user name under which a look-up finds the account of `link`, as far as is known.
    pub(crate) fn name_at(&self, link: &Link) -> UserName {
        link.user_name().unwrap_or_else(|| self.user_name.clone())
    }

    /// Whether it has an account that is provisioned, and not removed by Disable.
    pub fn is_managed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.mark != Mark::Removed)
    }
}

/// An account at the target that was created or adopted here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Link {
    /// The account's `id`.
    pub account: TargetId,
    /// The mapped attributes that the account carries as far as is known: as sent, or as read when it was matched.
    pub carries: Carried,
    /// `active` as it was last established here, which out-of-band changes do not touch.
    pub active: bool,
    /// Whether the user has left, and what became of it.
    pub mark: Mark,
}

/// What an account carries at mapped paths, as far as is known.
pub type Carried = BTreeMap<TargetPath, Value>;

/// `value` as it is kept for comparison: of a password only a digest.
pub(crate) fn kept(path: &TargetPath, value: &Value) -> Value {
    if is_never_returned(path) {
        Value::String(fingerprint([value.to_string().as_str()]))
    } else {
        value.clone()
    }
}

impl Link {
    /// The user name that the account carries as far as is known.
    pub fn user_name(&self) -> Option<UserName> {
        self.carries.get(&TargetPath::user_name())?.as_str()?.parse().ok()
    }
}

/// Where a linked user stands with respect to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Owned by a rule.
    Owned,
    /// Removed by Disable; nothing more is sent until it returns.
    Removed,
    /// Left, and the preferences forbade the removal.
    Withheld(Leave),
    /// Left, and the removal failed: it is tried in each run.
    Pending(Leave),
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

/// What a POST carried that tells its account from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Posted {
    /// The `userName` that was sent; the user may have another one at the source by now.
    pub user_name: UserName,
    /// The `externalId` that was sent, if any.
    pub external_id: Option<String>,
}

/// How a user stands: two equal situations in a row are told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Situation {
    /// The operation that is still to be done, or that failed; `none` once it was carried out.
    pub operation: Operation,
    /// How it ended.
    pub outcome: Outcome,
    /// Why.
    pub reason: Reason,
    /// More for a person, without personal data.
    pub detail: Option<String>,
    /// Digest of the attributes still to be written, values included.
    pub to_write: Option<String>,
    /// `active` as the source wants it; `None` where the user has left.
    pub wanted_active: Option<bool>,
    /// Whether it is a failed deprovision.
    pub failed_deprovision: bool,
    /// When the situation came about, RFC 3339.
    pub since: String,
}

impl Situation {
    /// Whether `other` says the same, whenever it came about.
    pub fn same_as(&self, other: &Self) -> bool {
        (self.operation, self.outcome, self.reason, &self.to_write, self.wanted_active)
            == (other.operation, other.outcome, other.reason, &other.to_write, other.wanted_active)
    }
}

/// What is known of a connection's target as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConnectionRecord {
    /// What was learned of its writes.
    pub learned: Learned,
    /// The authentication and update method under which that was learned.
    pub learned_under: Option<String>,
    /// The last connection test: when, and its one-line result.
    pub last_test: Option<TestRecord>,
    /// The last run.
    pub last_run: Option<RunRecord>,
    /// The last run over everybody that was not stopped.
    pub last_full_run: Option<RunRecord>,
}

/// One connection test, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestRecord {
    /// RFC 3339.
    pub at: String,
    /// Whether the connection can be used.
    pub succeeded: bool,
    /// What was found.
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

/// What the connection's answers have taught.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Learned {
    /// How PATCH behaves.
    pub patch: Kind,
    /// How PUT behaves.
    pub put: Kind,
    /// How a Disable behaves.
    pub disable: DisableKind,
}

/// What is known of one kind of write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// None has been read back yet: one in flight at a time.
    #[default]
    Unknown,
    /// It takes effect.
    Works,
    /// It was answered as done and changed nothing: no more are sent.
    Ignored,
    /// Under `auto`: refused where PUT does the same, so PUT is used.
    Unusable,
}

/// What is known of Disable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisableKind {
    /// None has read back inactive yet: one in flight at a time.
    #[default]
    Unknown,
    /// One has read back inactive.
    Works,
    /// One deleted the account: none is sent until a person tests the connection.
    Withheld,
}

/// Whether an account that `carries` this is at `path` as wanted.
pub(crate) fn is_carried(carries: &Carried, path: &TargetPath, wanted: Option<&Value>) -> bool {
    carries.get(path) == wanted.map(|value| kept(path, value)).as_ref()
}

/// The attributes in which `wanted` differs from what the account `carries`.
///
/// An attribute that is mapped but absent at the source counts only with `clear_missing`.
pub fn differences(
    wanted: &Desired,
    carries: &Carried,
    mapped: &[TargetPath],
    clear_missing: bool,
) -> Vec<TargetPath> {
    let mut paths: Vec<TargetPath> = wanted
        .iter()
        .filter(|(path, value)| !is_carried(carries, path, Some(value)))
        .map(|(path, _)| path.clone())
        .collect();
    if clear_missing {
        paths.extend(
            carries.keys().filter(|path| mapped.contains(path) && wanted.get(path).is_none()).cloned(),
        );
    }
    paths
}

/// An account that a run took from its user, as the delete guard counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// How.
    pub kind: WithdrawalKind,
}

/// The ways in which an account is taken from its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawalKind {
    /// By the Remove Action.
    Removal,
    /// The user was disabled at the source; the account is still managed.
    Disable,
}

/// One change to what is stored.
#[derive(Clone, Debug)]
pub enum Change {
    /// Writes the record of a user.
    Put(SourceId, Arc<Record>),
    /// Forgets a user.
    Remove(SourceId),
    /// Writes what is known of the connection.
    Connection(Box<ConnectionRecord>),
    /// Notes a finished removal or disable for the delete guard.
    Withdrawal(Withdrawal),
    /// Notes where the users come from.
    Source(String),
}
