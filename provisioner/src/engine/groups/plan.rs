//! The groups of a plan: the requests that a run would send for them, with their reasons.

use serde::{Deserialize, Serialize};

use super::PreparedGroups;
use super::decide::{Evaluation, GroupDecision, evaluate};
use super::learned::{Form, GroupCapabilities};
use super::outcome::{GroupOutcome, GroupPart, group_outcome, not_deleted, unwritten};
use super::scope::GroupSubject;
use crate::config::Config;
use crate::id_set::IdSet;
use crate::ids::{SourceId, TargetId};
use crate::policy::groups::{GroupDifferences, GroupLeaveDecision, GroupWrites, OwnedGroupDecision};
use crate::report::Outcome;
use crate::report::groups::{GroupChange, GroupLine, GroupOperation, GroupReason};
use crate::source::fingerprint;

/// One group of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupEntry {
    /// The group's id at the source.
    pub source_id: SourceId,
    /// Its name at the target.
    pub name: String,
    /// Its id at the target, if it has one.
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: GroupChange,
    /// The strongest operation.
    pub operation: GroupOperation,
    /// The expected outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: GroupReason,
    /// Members to be added, those included whose account is about to be made.
    pub members_added: usize,
    /// Members to be removed.
    pub members_removed: usize,
    /// The requests in order, in words.
    pub requests: Vec<String>,
    /// The explanation of the outcome.
    pub why: String,
    /// The part of the explanation that is of this group alone, for a dry run.
    #[serde(skip)]
    detail: Option<String>,
}

/// The figures of the groups of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GroupPlanSummary {
    /// Groups in the source.
    pub groups: u64,
    /// Groups with something to do.
    pub impacted: u64,
    /// Groups to be made.
    pub creates: u64,
    /// Existing groups to be linked.
    pub links: u64,
    /// Groups whose name or members are to be written.
    pub updates: u64,
    /// Groups to be deleted.
    pub deletions: u64,
    /// Members to be added.
    pub members_added: u64,
    /// Members to be removed.
    pub members_removed: u64,
    /// Groups that cannot be provisioned as things stand.
    pub failed: u64,
}

/// Returns the entries of the groups that have something to do, their figures, and a digest of the members behind them.
pub(crate) fn entries(
    config: &Config,
    prepared: &PreparedGroups,
) -> (Vec<GroupEntry>, GroupPlanSummary, String) {
    let mut summary = GroupPlanSummary { groups: prepared.total, ..GroupPlanSummary::default() };
    let (mut entries, mut behind) = (Vec::new(), Vec::new());
    for subject in &prepared.subjects {
        let evaluation = evaluate(config, subject, &prepared.expected);
        let Some(entry) = entry(subject, &evaluation, &prepared.capabilities) else { continue };
        count(&mut summary, &evaluation, &entry);
        behind.push(format!(
            "{} {} {} {} {}",
            entry.source_id,
            entry.name,
            evaluation.to_come,
            digest(&evaluation.changes.add),
            digest(&evaluation.changes.remove),
        ));
        entries.push(entry);
    }
    let rules: Vec<String> =
        config.group_rules.iter().map(crate::group_rule::GroupRule::fingerprint).collect();
    let digest = fingerprint(rules.iter().chain(&behind).map(String::as_str));
    (entries, summary, digest)
}

/// Returns the lines that a run is expected to have for the groups.
pub(crate) fn lines(config: &Config, prepared: &PreparedGroups) -> Vec<GroupLine> {
    let line = |subject: &GroupSubject| {
        let evaluation = evaluate(config, subject, &prepared.expected);
        let entry = entry(subject, &evaluation, &prepared.capabilities)?;
        Some(GroupLine {
            source_id: entry.source_id,
            name: entry.name,
            target_id: entry.target_id,
            change: entry.change,
            operation: entry.operation,
            outcome: entry.outcome,
            reason: entry.reason,
            members_added: entry.members_added,
            members_removed: entry.members_removed,
            members_pending: evaluation.pending,
            detail: entry.detail,
        })
    };
    prepared.subjects.iter().filter_map(line).collect()
}

/// Returns the digest of some members.
fn digest(members: &IdSet) -> String {
    let ids: Vec<String> = members.iter().map(|id| id.to_string()).collect();
    fingerprint(ids.iter().map(String::as_str))
}

fn count(summary: &mut GroupPlanSummary, evaluation: &Evaluation, entry: &GroupEntry) {
    summary.impacted += 1;
    summary.failed += u64::from(entry.outcome == Outcome::Failed);
    summary.members_added += entry.members_added as u64;
    summary.members_removed += entry.members_removed as u64;
    match evaluation.decision {
        GroupDecision::Owned(OwnedGroupDecision::Create { .. }) => summary.creates += 1,
        GroupDecision::Owned(OwnedGroupDecision::Adopt(writes)) => {
            summary.links += 1;
            summary.updates += u64::from(matches!(writes, GroupWrites::Write(_)));
        }
        GroupDecision::Owned(OwnedGroupDecision::Linked(GroupWrites::Write(_))) => summary.updates += 1,
        GroupDecision::Left(GroupLeaveDecision::Delete, _) => summary.deletions += 1,
        GroupDecision::Owned(
            OwnedGroupDecision::NotCreated { .. }
            | OwnedGroupDecision::NoGroup(_)
            | OwnedGroupDecision::Linked(GroupWrites::Nothing | GroupWrites::Withheld(_)),
        )
        | GroupDecision::Left(
            GroupLeaveDecision::Nothing
            | GroupLeaveDecision::AlreadyGone
            | GroupLeaveDecision::Kept
            | GroupLeaveDecision::Released,
            _,
        )
        | GroupDecision::Fail(_) => {}
    }
}

/// Returns the entry of a group, or `None` if a run would not report it.
pub(crate) fn entry(
    subject: &GroupSubject,
    evaluation: &Evaluation,
    capabilities: &GroupCapabilities,
) -> Option<GroupEntry> {
    let id = subject.record.link.as_ref().map(|link| &link.id);
    let found = subject.found.as_ref().map(|group| &group.id);
    let target_id = id.or(found).cloned();
    let place = target_id.as_ref().map_or("{id}", TargetId::as_str);
    let mut parts: Vec<GroupPart> = Vec::new();
    let mut requests = Vec::new();
    match &evaluation.decision {
        GroupDecision::Fail(trouble) => parts.push(GroupPart::failed(GroupOperation::None, trouble.clone())),
        GroupDecision::Left(decision, _) => {
            parts.extend(not_deleted(*decision));
            if *decision == GroupLeaveDecision::Delete {
                parts.push(GroupPart::done(GroupOperation::Delete));
                requests.extend([format!("GET Groups/{place}"), format!("DELETE Groups/{place}")]);
            }
        }
        GroupDecision::Owned(decision) => {
            parts.extend(unwritten(*decision));
            match decision {
                OwnedGroupDecision::Create { .. } => {
                    parts.push(GroupPart::done(GroupOperation::Create));
                    requests.extend(create_requests(evaluation, capabilities));
                }
                OwnedGroupDecision::Adopt(writes) => {
                    parts.push(GroupPart::done(GroupOperation::Link));
                    requests.extend(write_requests(*writes, evaluation, place, capabilities));
                }
                OwnedGroupDecision::Linked(writes) => {
                    if evaluation.label == GroupChange::Returns {
                        parts.push(GroupPart::none(Outcome::Success, GroupReason::Done));
                    }
                    if let GroupWrites::Write(_) = writes {
                        parts.push(GroupPart::done(GroupOperation::Update));
                    }
                    requests.extend(write_requests(*writes, evaluation, place, capabilities));
                }
                OwnedGroupDecision::NotCreated { .. } | OwnedGroupDecision::NoGroup(_) => {}
            }
            parts.extend(GroupPart::unseen(evaluation.unseen));
            parts.extend(GroupPart::pending(evaluation.pending));
        }
    }
    let GroupOutcome { operation, outcome, reason, detail } = group_outcome(&parts)?;
    if is_standing(subject, evaluation.label, operation, outcome, reason, detail.as_ref()) {
        return None;
    }
    Some(GroupEntry {
        source_id: subject.id.clone(),
        name: subject.record.name.clone(),
        target_id,
        change: evaluation.label,
        operation,
        outcome,
        reason,
        members_added: if requests.is_empty() {
            0
        } else {
            evaluation.changes.add.len() + evaluation.to_come
        },
        members_removed: if requests.is_empty() { 0 } else { evaluation.changes.remove.len() },
        requests,
        why: why(evaluation.label, reason, detail.as_deref()),
        detail,
    })
}

/// Whether the outcome is the reported one already, so that a run does not report it again.
fn is_standing(
    subject: &GroupSubject,
    label: GroupChange,
    operation: GroupOperation,
    outcome: Outcome,
    reason: GroupReason,
    detail: Option<&String>,
) -> bool {
    operation == GroupOperation::None
        && outcome != Outcome::Failed
        && label != GroupChange::Returns
        && subject.record.last_reported.as_ref().is_some_and(|told| {
            (told.outcome, told.reason, told.detail.as_ref()) == (outcome, reason, detail)
        })
}

fn create_requests(evaluation: &Evaluation, capabilities: &GroupCapabilities) -> Vec<String> {
    let members = evaluation.changes.add.len() + evaluation.to_come;
    let (chunk, with_members) = (capabilities.chunk(), capabilities.works(Form::Create));
    let first = if with_members { members.min(chunk) } else { 0 };
    let mut requests = vec![format!("POST Groups (displayName, externalId, {first} members)")];
    let rest = members - first;
    requests.extend(in_requests(rest, chunk).map(|size| format!("PATCH Groups/{{id}} (add {size} members)")));
    requests
}

fn write_requests(
    writes: GroupWrites,
    evaluation: &Evaluation,
    place: &str,
    capabilities: &GroupCapabilities,
) -> Vec<String> {
    let GroupWrites::Write(GroupDifferences { name, members }) = writes else { return Vec::new() };
    let mut requests = Vec::new();
    if name {
        requests.push(format!("PATCH Groups/{place} (displayName)"));
    }
    if members {
        let chunk = capabilities.chunk();
        let (add, remove) =
            (evaluation.changes.add.len() + evaluation.to_come, evaluation.changes.remove.len());
        requests.extend(
            in_requests(remove, chunk).map(|size| format!("PATCH Groups/{place} (remove {size} members)")),
        );
        requests
            .extend(in_requests(add, chunk).map(|size| format!("PATCH Groups/{place} (add {size} members)")));
    }
    requests
}

/// Returns the number of members of each request for `count` of them.
fn in_requests(count: usize, chunk: usize) -> impl Iterator<Item = usize> {
    (0..count).step_by(chunk.max(1)).map(move |start| chunk.min(count - start))
}

fn why(label: GroupChange, reason: GroupReason, detail: Option<&str>) -> String {
    let change = match label {
        GroupChange::Enters => "enters the scope",
        GroupChange::Name => "its name changed",
        GroupChange::Members => "its members differ",
        GroupChange::NameAndMembers => "its name and its members changed",
        GroupChange::Unchanged => "nothing changed at the source",
        GroupChange::Returns => "comes back",
        GroupChange::Deleted => "gone from the source",
        GroupChange::LeftScope => "no group rule matches any longer",
        GroupChange::RuleDeleted => "its group rule is gone from the configuration",
        GroupChange::Retry => "its deletion failed before",
    };
    let mut text = match reason {
        GroupReason::Done => change.to_owned(),
        other => format!("{change}; {}", other.explain()),
    };
    if let Some(detail) = detail {
        text.push_str("; ");
        text.push_str(detail);
    }
    text
}
