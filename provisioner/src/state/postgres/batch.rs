//! Changes as the columns of the statements that write them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::PostgresError;
use crate::ids::{RuleName, SourceId};
use crate::state::audit_log::{kept_since, seconds_of};
use crate::state::groups::GroupRecord;
use crate::state::index::Flags;
use crate::state::{Record, StateChange, Withdrawal, WithdrawalKind};

/// Changes as the columns of what is written; of several changes to one user the last one counts.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) removed: Vec<Cow<'a, str>>,
    pub(super) ids: Vec<Cow<'a, str>>,
    pub(super) accounts: Vec<Option<&'a str>>,
    pub(super) fingerprints: Vec<Option<&'a str>>,
    pub(super) rules: Vec<Option<&'a str>>,
    pub(super) flags: Vec<i64>,
    pub(super) records: Vec<String>,
    pub(super) connection: Option<String>,
    pub(super) withdrawn_at: Vec<i64>,
    pub(super) disabled: Vec<bool>,
    pub(super) source: Option<&'a str>,
    pub(super) audit: Audit,
    pub(super) results: Results<'a>,
    pub(super) groups: Groups<'a>,
}

/// The columns of groups; of several changes to one group the last one counts.
#[derive(Default)]
pub(super) struct Groups<'a> {
    pub(super) removed: Vec<Cow<'a, str>>,
    pub(super) ids: Vec<Cow<'a, str>>,
    pub(super) links: Vec<Option<&'a str>>,
    pub(super) records: Vec<String>,
    pub(super) members: Vec<&'a [u8]>,
}

/// The columns of the audit log.
#[derive(Default)]
pub(super) struct Audit {
    pub(super) at: Vec<i64>,
    pub(super) entries: Vec<String>,
    /// Entries from before that time are deleted, in seconds since the epoch.
    pub(super) kept_since: Option<i64>,
}

/// The columns of results.
#[derive(Default)]
pub(super) struct Results<'a> {
    pub(super) ids: Vec<Cow<'a, str>>,
    pub(super) runs: Vec<i64>,
    pub(super) positions: Vec<i64>,
    pub(super) texts: Vec<&'a str>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(changes: &[&'a StateChange]) -> Result<Self, PostgresError> {
        let encoded =
            |text: serde_json::Result<String>| text.map_err(|error| PostgresError(error.to_string()));
        let mut batch = Self::default();
        let mut users: BTreeMap<&SourceId, Option<&Record>> = BTreeMap::new();
        let mut groups: BTreeMap<&SourceId, Option<&GroupRecord>> = BTreeMap::new();
        for &change in changes {
            match change {
                StateChange::Put(id, record) => drop(users.insert(id, Some(&**record))),
                StateChange::Remove(id) => drop(users.insert(id, None)),
                StateChange::PutGroup(id, record) => drop(groups.insert(id, Some(&**record))),
                StateChange::RemoveGroup(id) => drop(groups.insert(id, None)),
                StateChange::Connection(record) => {
                    batch.connection = Some(encoded(serde_json::to_string(&**record))?);
                }
                StateChange::Withdrawal(Withdrawal { at, kind }) => {
                    batch.withdrawn_at.push(*at);
                    batch.disabled.push(*kind == WithdrawalKind::Disable);
                }
                StateChange::Source(identity) => batch.source = Some(identity.as_str()),
                StateChange::Audit(entry) => {
                    batch.audit.at.push(seconds_of(entry));
                    batch.audit.entries.push(encoded(serde_json::to_string(entry))?);
                }
                StateChange::ForgetAudit { days, now } => {
                    batch.audit.kept_since = batch.audit.kept_since.max(Some(kept_since(*days, *now)));
                }
                StateChange::Result { place, id, result } => {
                    batch.results.ids.push(storable(id.as_str()));
                    batch.results.runs.push(place.run);
                    batch.results.positions.push(place.position);
                    batch.results.texts.push(result);
                }
            }
        }
        for (id, record) in users {
            let id = storable(id.as_str());
            let Some(record) = record else {
                batch.removed.push(id);
                continue;
            };
            batch.ids.push(id);
            batch.accounts.push(record.link.as_ref().map(|link| link.account.as_str()));
            batch.fingerprints.push(record.fingerprint.as_deref());
            batch.rules.push(record.rule.as_ref().map(RuleName::as_str));
            batch.flags.push(Flags::of(record).bits());
            batch.records.push(encoded(serde_json::to_string(record))?);
        }
        for (id, record) in groups {
            let id = storable(id.as_str());
            let Some(record) = record else {
                batch.groups.removed.push(id);
                continue;
            };
            batch.groups.ids.push(id);
            batch.groups.links.push(record.link.as_ref().map(|link| link.id.as_str()));
            batch.groups.records.push(encoded(serde_json::to_string(record))?);
            batch.groups.members.push(record.written.as_bytes());
        }
        Ok(batch)
    }
}

/// Returns a source id in a form that PostgreSQL can keep, which has no U+0000. The order stays.
pub(in crate::state) fn storable(id: &str) -> Cow<'_, str> {
    if id.contains(['\u{0}', '\u{1}']) {
        return Cow::Owned(id.replace('\u{1}', "\u{1}1").replace('\u{0}', "\u{1}0"));
    }
    Cow::Borrowed(id)
}

/// Returns the source id behind [`storable`].
pub(in crate::state) fn restored(id: &str) -> Cow<'_, str> {
    if id.contains('\u{1}') {
        return Cow::Owned(id.replace("\u{1}0", "\u{0}").replace("\u{1}1", "\u{1}"));
    }
    Cow::Borrowed(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storable_ids_keep_their_order_and_are_restored() {
        let ids = ["a", "a\u{0}", "a\u{0}\u{0}b", "a\u{0}\u{1}", "a\u{1}", "a\u{1}0", "a\u{2}", "b"];
        for pair in ids.windows(2) {
            assert!(storable(pair[0]) < storable(pair[1]), "{pair:?}");
        }
        for id in ids {
            assert_eq!(restored(&storable(id)), id);
            assert!(!storable(id).contains('\u{0}'));
        }
    }
}
