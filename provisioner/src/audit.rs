//! The audit log: who did what to whom, why, by which requests, and what it changed.
//!
//! An entry is stored in the transaction that stores the outcome it describes, and is never changed. Values of accounts
//! are personal data: only their presence is kept, unless `audit-values` is set. Of a password never more than that.

mod groups;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::groups::ChangedMembers;
pub use self::groups::GroupEntry;
use crate::account_values::{AccountValues, is_never_returned};
use crate::ids::{RuleName, SourceId, TargetId, UserName};
use crate::mapping::TargetPath;
use crate::recording::AuditRequest;
use crate::report::{ChangeLabel, Operation, Outcome, Reason, Summary, UserLine};

/// The maximum number of characters of one kept value.
const VALUE: usize = 256;
/// The maximum number of characters of a detail.
const DETAIL: usize = 1_000;
/// The maximum number of attributes of one entry.
const ATTRIBUTES: usize = 64;
/// Stands in the place of a value that is not kept.
const PRESENT: &str = "***";

/// What the audit log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditOptions {
    /// Whether values of attributes are kept.
    pub values: bool,
    /// The number of days for which an entry is kept; 0 keeps it for ever.
    pub retention_days: u32,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self { values: false, retention_days: 365 }
    }
}

/// One entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum AuditEntry {
    /// A user's line of a run.
    User(Box<UserEntry>),
    /// A group's line of a run.
    Group(Box<GroupEntry>),
    /// A run, when it ended.
    Run(Box<RunEntry>),
    /// A change by a person outside of a run.
    Command(Box<CommandEntry>),
}

/// What a run did for one user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEntry {
    /// When, RFC 3339.
    pub at: String,
    /// The id of the run.
    pub run: String,
    /// The cause of the run.
    pub who: String,
    /// The user's id at the source.
    pub source_id: SourceId,
    /// Its user name.
    pub user_name: UserName,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: ChangeLabel,
    /// The rule that owned the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// The operation.
    pub operation: Operation,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: Reason,
    /// More for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `active` of the account before and after; `null` where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<(Option<bool>, Option<bool>)>,
    /// The attributes that changed, each with its value before and after.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, (Value, Value)>,
    /// The requests that were sent for the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<AuditRequest>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEntry {
    /// When it ended, RFC 3339.
    pub at: String,
    /// When it began.
    pub started: String,
    /// Its id.
    pub run: String,
    /// Its cause.
    pub who: String,
    /// `sync` or `apply`.
    pub command: String,
    /// What was allowed or approved beyond the usual, as options of the command line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Users with a line.
    pub impacted: u64,
    /// Of these: failed.
    pub failed: u64,
    /// Groups with a line.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub groups_impacted: u64,
    /// Of these: failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub groups_failed: u64,
    /// Requests sent.
    pub requests: u64,
    /// The word of the reason of an early end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// The exit code.
    pub exit_code: u8,
}

/// A change by a person outside of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CommandEntry {
    /// When, RFC 3339.
    pub at: String,
    /// The person.
    pub who: String,
    /// The command.
    pub command: String,
    /// The user it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_id: Option<SourceId>,
    /// Its user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<UserName>,
    /// Its account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<TargetId>,
    /// What was done, in words without values.
    pub detail: String,
}

/// The known state of an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AccountState<'a> {
    pub(crate) active: bool,
    pub(crate) values: &'a AccountValues,
}

/// The cause of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<'a> {
    pub(crate) at: &'a str,
    pub(crate) run: &'a str,
    pub(crate) who: &'a str,
}

impl AuditEntry {
    /// Creates the entry of a user's line.
    pub(crate) fn of_user(
        options: AuditOptions,
        cause: Cause<'_>,
        line: &UserLine,
        rule: Option<RuleName>,
        before: Option<AccountState<'_>>,
        after: Option<AccountState<'_>>,
        requests: Vec<AuditRequest>,
    ) -> Self {
        let active = (before.map(|account| account.active), after.map(|account| account.active));
        Self::User(Box::new(UserEntry {
            at: cause.at.to_owned(),
            run: cause.run.to_owned(),
            who: cause.who.to_owned(),
            source_id: line.source_id.clone(),
            user_name: line.user_name.clone(),
            target_id: line.target_id.clone(),
            change: line.change,
            rule,
            operation: line.operation,
            outcome: line.outcome,
            reason: line.reason,
            detail: line.detail.as_deref().map(|detail| beginning(detail, DETAIL)),
            active: (active.0 != active.1).then_some(active),
            attributes: changed(options, before, after),
            requests,
        }))
    }

    /// Creates the entry of a run that has ended.
    pub(crate) fn of_run(
        cause: Cause<'_>,
        started: String,
        command: &str,
        allowed: Vec<String>,
        summary: &Summary,
    ) -> Self {
        Self::Run(Box::new(RunEntry {
            at: cause.at.to_owned(),
            started,
            run: cause.run.to_owned(),
            who: cause.who.to_owned(),
            command: command.to_owned(),
            allowed,
            impacted: summary.impacted,
            failed: summary.failed,
            groups_impacted: summary.groups.as_ref().map_or(0, |groups| groups.impacted),
            groups_failed: summary.groups.as_ref().map_or(0, |groups| groups.failed),
            requests: summary.requests,
            stopped: summary.stopped.as_ref().map(|stopped| stopped.code.to_owned()),
            exit_code: summary.exit_code.0.code(),
        }))
    }

    /// Returns the time of the entry.
    pub fn at(&self) -> &str {
        match self {
            Self::User(entry) => &entry.at,
            Self::Group(entry) => &entry.at,
            Self::Run(entry) => &entry.at,
            Self::Command(entry) => &entry.at,
        }
    }

    /// Whether the entry is about this group, by its id at the source or at the target, or its name at the target.
    pub fn is_about_group(&self, group: &str) -> bool {
        match self {
            Self::Group(entry) => {
                let target_id = entry.target_id.as_ref().map(TargetId::as_str);
                entry.source_id.as_str() == group || entry.name == group || target_id == Some(group)
            }
            Self::User(_) | Self::Run(_) | Self::Command(_) => false,
        }
    }

    /// Whether the entry is about this user, by its id at the source or its user name.
    pub fn is_about(&self, user: &str) -> bool {
        let (id, name) = match self {
            Self::User(entry) => (Some(&entry.source_id), Some(&entry.user_name)),
            Self::Command(entry) => (entry.source_id.as_ref(), entry.user_name.as_ref()),
            Self::Group(_) | Self::Run(_) => (None, None),
        };
        id.is_some_and(|id| id.as_str() == user)
            || user.parse::<UserName>().is_ok_and(|user| name.is_some_and(|name| *name == user))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Returns the attributes that differ, each with its value before and after.
fn changed(
    options: AuditOptions,
    before: Option<AccountState<'_>>,
    after: Option<AccountState<'_>>,
) -> BTreeMap<String, (Value, Value)> {
    let value = |account: Option<AccountState<'_>>, path: &TargetPath| {
        account.and_then(|account| account.values.get(path)).cloned()
    };
    let kept = |path: &TargetPath, value: Option<Value>| match value {
        None => Value::Null,
        Some(value) if options.values && !is_never_returned(path) => bounded(value),
        Some(_) => PRESENT.into(),
    };
    let paths: BTreeSet<&TargetPath> =
        [before, after].into_iter().flatten().flat_map(|account| account.values.keys()).collect();
    paths
        .into_iter()
        .map(|path| (path, value(before, path), value(after, path)))
        .filter(|(_, before, after)| before != after)
        .take(ATTRIBUTES)
        .map(|(path, before, after)| (path.to_string(), (kept(path, before), kept(path, after))))
        .collect()
}

/// Returns a value of bounded size: a text keeps its beginning, anything else counts as present if it is large.
fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) => beginning(&text, VALUE).into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value,
        Value::Array(_) | Value::Object(_) if value.to_string().len() <= VALUE => value,
        Value::Array(_) | Value::Object(_) => PRESENT.into(),
    }
}

fn beginning(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
