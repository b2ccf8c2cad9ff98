//! The state of the groups.

use std::collections::BTreeMap;

use serde::Serialize;

use super::NAME;
use crate::cli::output::{OUTCOME, Output, Row};
use crate::cli::terminal::cell;
use crate::report::groups::{GroupOperation, GroupReason};
use crate::report::{Outcome, word};
use crate::state::groups::GroupLinkState;
use crate::state::store::Loaded;

/// The figures of the groups that are known.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroupsStanding {
    linked: u64,
    kept: u64,
    pending_deletions: u64,
    members: u64,
    unsynced: u64,
    partial: u64,
    failed: u64,
    unresolved: u64,
}

impl GroupsStanding {
    pub(super) fn line(&self) -> String {
        format!(
            "groups: {} linked with {} members, {} left and kept, {} deletions pending; {} unsynced, {} partial, {} failed; {} \
             unresolved writes",
            self.linked,
            self.members,
            self.kept,
            self.pending_deletions,
            self.unsynced,
            self.partial,
            self.failed,
            self.unresolved,
        )
    }
}

/// One group that does not stand as it should.
#[derive(Serialize)]
#[serde(tag = "type", rename = "group", rename_all = "camelCase")]
struct Group<'a> {
    source_id: &'a str,
    name: &'a str,
    target_id: Option<&'a str>,
    operation: GroupOperation,
    outcome: Outcome,
    reason: GroupReason,
    detail: Option<&'a str>,
    since: &'a str,
}

/// Counts the groups, or returns `None` if none is known.
pub(super) fn standing(loaded: &Loaded) -> Option<GroupsStanding> {
    let mut standing = GroupsStanding::default();
    for record in loaded.groups.values() {
        match record.link.as_ref().map(|link| link.state) {
            Some(GroupLinkState::Owned) => {
                standing.linked += 1;
                standing.members += record.written.len() as u64;
            }
            Some(GroupLinkState::Kept(_)) => standing.kept += 1,
            Some(GroupLinkState::Pending(_)) => standing.pending_deletions += 1,
            None => {}
        }
        match record.last_reported.as_ref().map(|told| told.outcome) {
            Some(Outcome::Unsynced) => standing.unsynced += 1,
            Some(Outcome::Partial) => standing.partial += 1,
            Some(Outcome::Failed) => standing.failed += 1,
            Some(Outcome::Success) | None => {}
        }
        standing.unresolved += u64::from(record.intent.is_some());
    }
    (!loaded.groups.is_empty()).then_some(standing)
}

/// Prints a line of JSON for each group that does not stand as it should.
pub(super) fn print_json(loaded: &Loaded) {
    for (id, record) in &loaded.groups {
        let Some(told) = record.last_reported.as_ref().filter(|told| told.outcome != Outcome::Success) else {
            continue;
        };
        Output::object(&Group {
            source_id: id.as_str(),
            name: &record.name,
            target_id: record.link.as_ref().map(|link| link.id.as_str()),
            operation: told.operation,
            outcome: told.outcome,
            reason: told.reason,
            detail: told.detail.as_deref(),
            since: &told.since,
        });
    }
}

/// Returns a row for each reason, with the number of its groups.
pub(super) fn reasons(loaded: &Loaded, width: usize) -> String {
    let mut reasons: BTreeMap<(Outcome, GroupReason), (usize, &str)> = BTreeMap::new();
    for record in loaded.groups.values() {
        if let Some(told) = record.last_reported.as_ref().filter(|told| told.outcome != Outcome::Success) {
            reasons.entry((told.outcome, told.reason)).or_insert((0, &record.name)).0 += 1;
        }
    }
    let mut text = String::new();
    for ((outcome, reason), (count, example)) in reasons.iter().rev() {
        let groups = match count {
            1 => format!("group {}", cell(example, NAME)),
            _ => format!("{count} groups, for instance {}", cell(example, NAME)),
        };
        let row = Row {
            lead: &[(word(outcome), OUTCOME)],
            outcome: *outcome,
            user: &format!("{}: {groups}", word(reason)),
            change: String::new(),
            below: vec![reason.explain().to_owned()],
        };
        text.push_str(&row.render(width));
    }
    text
}
