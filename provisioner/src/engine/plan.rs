//! A plan: the requests of a run with their reasons, to be examined, saved, and carried out only if nothing has changed
//! meanwhile.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::capabilities::LAST_FAILED;
use super::context::Context;
use super::groups::plan::{GroupEntry, GroupPlanSummary, entries as group_entries};
use super::outcome::{OutcomePart, UserOutcome, names, user_outcome};
use super::remove::not_removed;
use super::task::{OwnedTask, Task, TaskStep};
use super::user::{no_account, not_created, to_write, with_clash};
use super::{PreparedRun, Provisioner, SyncOptions};
use crate::ids::{SourceId, TargetId, UserName};
use crate::mapping::TargetPath;
use crate::policy::{LeaveDecision, OwnedDecision};
use crate::preferences::RemoveAction;
use crate::report::{ChangeLabel, Operation, Outcome, Reason, RunReport};
use crate::source::fingerprint;
use crate::state::{Method, MethodSupport, WriteKind};
use crate::target::{Halt, Trouble};

/// The expected requests of a run. It has the names of attributes, never their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Plan {
    /// The layout of this document.
    pub version: u32,
    /// The connection's name.
    pub connection: String,
    /// The target.
    pub scim_url: String,
    /// When it was made, RFC 3339.
    pub made_at: String,
    /// Whether it is a full run.
    pub full: bool,
    /// A digest of the decisions and of the attribute values behind them.
    pub preconditions: String,
    /// One entry a user that has something to do.
    pub entries: Vec<Entry>,
    /// One entry a group that has something to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupEntry>,
    /// The figures.
    pub summary: PlanSummary,
    /// The reason for which the delete guard would stop a run of this plan, with the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

/// One user of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// The user's id at the source.
    pub source_id: SourceId,
    /// Its user name.
    pub user_name: UserName,
    /// Its account, if it has one.
    pub target_id: Option<TargetId>,
    /// The change at the source.
    pub change: ChangeLabel,
    /// The strongest operation.
    pub operation: Operation,
    /// The expected outcome.
    pub outcome: Outcome,
    /// The reason.
    pub reason: Reason,
    /// The requests in order, in words.
    pub requests: Vec<String>,
    /// The explanation of the outcome.
    pub why: String,
}

/// The figures of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PlanSummary {
    /// Users in the source.
    pub users: u64,
    /// Users with something to do.
    pub impacted: u64,
    /// Accounts to be made.
    pub creates: u64,
    /// Existing accounts to be linked.
    pub links: u64,
    /// Accounts whose attributes are to be written.
    pub updates: u64,
    /// Accounts to be enabled.
    pub enables: u64,
    /// Accounts to be disabled, removals aside.
    pub disables: u64,
    /// Accounts to be removed by the Remove Action.
    pub removals: u64,
    /// Users that cannot be provisioned as things stand.
    pub failed: u64,
    /// The figures of the groups, where there are group rules or were groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<GroupPlanSummary>,
}

/// The report of a run that ends before any decision, so that there is no plan.
pub type NoPlan = RunReport;

/// A plan that is not carried out.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The decisions have changed since the plan was made.
    #[error("the plan is stale: {0}; nothing was written")]
    Stale(String),
}

impl Provisioner {
    /// Plans a run with `options`; nothing is written, neither here nor at the target.
    ///
    /// # Errors
    /// The run would end before any decision; the report has the reason.
    pub async fn plan(&self, options: SyncOptions) -> Result<Plan, NoPlan> {
        let _running = self.running.lock().await;
        match self.prepare(&options, None).await {
            Ok(prepared) => self.document(&prepared, &options).await.map_err(|_| prepared.stopped()),
            Err(ended) => Err(ended.report()),
        }
    }

    /// Carries out `plan`, if a plan made now would be the same.
    ///
    /// # Errors
    /// The plan is stale.
    pub async fn apply(&self, plan: &Plan, options: SyncOptions) -> Result<RunReport, ApplyError> {
        let _running = self.running.lock().await;
        let options = SyncOptions { full: plan.full, ..options };
        self.begin_run("apply");
        let prepared = self.prepare(&options, None).await;
        if let Ok(prepared) = &prepared {
            let Ok(now) = self.document(prepared, &options).await else { return Ok(prepared.stopped()) };
            if let Some(difference) = difference(plan, &now) {
                return Err(ApplyError::Stale(difference));
            }
        }
        Ok(self.carry_out(prepared, &options).await)
    }

    /// Returns the plan of a prepared run.
    ///
    /// # Errors
    /// The state cannot be read: the run is stopped.
    pub(super) async fn document(&self, prepared: &PreparedRun, options: &SyncOptions) -> Result<Plan, Halt> {
        let mut summary = PlanSummary { users: prepared.users, ..PlanSummary::default() };
        let mut entries = Vec::new();
        let mut behind = Vec::new();
        let mut created = BTreeSet::new();
        for at in 0..prepared.tasks.len() {
            let Some(task) = prepared.tasks.get(&prepared.context, at).await? else { continue };
            if prepared.groups.is_some() && task.creates() {
                created.insert(task.id.clone());
            }
            let Some(entry) = entry(&prepared.context, &task) else { continue };
            count(&mut summary, &task, &entry);
            behind.push(format!("{} {}", entry.source_id, values(&task)));
            entries.push(entry);
        }
        let config = self.config();
        let mut groups = Vec::new();
        if let Some(prepared) = &prepared.groups {
            prepared.expected.note_created(created);
            let (entries, figures, digest) = group_entries(config, prepared);
            (groups, summary.groups) = (entries, Some(figures));
            behind.push(digest);
        }
        // The settings that affect decisions and requests; speed and patience do not.
        let settings = format!(
            "{:?} {:?} {} {:?} {:?}",
            config.preferences,
            config.options.update_method,
            config.options.clear_missing_attributes,
            config.options.exclude,
            config.authentication.fingerprint()
        );
        let preconditions =
            fingerprint(std::iter::once(settings.as_str()).chain(behind.iter().map(String::as_str)));
        Ok(Plan {
            version: 1,
            connection: config.name.clone(),
            scim_url: config.authentication.scim_url.to_string(),
            made_at: self.now(),
            full: options.full,
            preconditions,
            entries,
            groups,
            summary,
            guard: self.over_limit(prepared, options).err().map(|over| over.message),
        })
    }
}

/// Returns the expected outcome of a task and its requests in words, or `None` if a run would not report it.
pub(crate) fn outlook(context: &Context, task: &Task) -> Option<(UserOutcome, Vec<String>)> {
    let method = |active| context.capabilities.order(WriteKind::of(active)).first;
    let mut parts = task.parts.clone();
    let mut requests = Vec::new();
    let account = task.record.link.as_ref().map_or("{id}", |link| link.account.as_str());
    match &task.step {
        TaskStep::Fail(trouble) => {
            parts.push(OutcomePart {
                decided: false,
                ..OutcomePart::failed(Operation::None, trouble.clone())
            });
        }
        TaskStep::Left { decision, .. } => match (*decision, &task.held) {
            (LeaveDecision::Remove(action), Some(trouble)) => {
                let operation = match action {
                    RemoveAction::Delete => Operation::Delete,
                    RemoveAction::Disable => Operation::Disable,
                };
                parts.push(OutcomePart::failed(operation, trouble.clone()));
            }
            (LeaveDecision::Remove(RemoveAction::Delete), None) => {
                parts.push(expected(context, task, Operation::Delete, &[]));
                requests.extend([format!("GET Users/{account}"), format!("DELETE Users/{account}")]);
            }
            (LeaveDecision::Remove(RemoveAction::Disable), None) => {
                parts.push(expected(context, task, Operation::Disable, &[]));
                requests.push(format!("GET Users/{account}"));
                if !is_withheld(&parts) {
                    requests.extend(writes(account, method(Some(false)), &[], Some(false)));
                }
            }
            (
                LeaveDecision::Nothing
                | LeaveDecision::AlreadyGone
                | LeaveDecision::DeprovisionOff
                | LeaveDecision::RuleDeletionOff,
                _,
            ) => parts.extend(not_removed(*decision)),
        },
        TaskStep::Owned(owned) => {
            if task.adopts() {
                parts.push(OutcomePart::done(Operation::Link));
            }
            match owned.decision {
                OwnedDecision::NotCreated { reason, .. } => parts.push(not_created(reason)),
                OwnedDecision::NoAccount(reason) => parts.push(no_account(reason)),
                OwnedDecision::Create { .. } => {
                    parts.push(OutcomePart::done(Operation::Create));
                    let paths: Vec<TargetPath> = owned.wanted.iter().map(|(path, _)| path.clone()).collect();
                    requests.push(format!("POST Users ({}, active: true)", names(&paths)));
                }
                OwnedDecision::Adopt(change) | OwnedDecision::Linked(change) => {
                    let (attributes, active) = (change.writes_attributes(), change.active());
                    let paths = if attributes { owned.differs.as_slice() } else { &[] };
                    if attributes {
                        parts.push(expected(context, task, Operation::Update, paths));
                    }
                    if let Some(active) = active {
                        let operation = if active { Operation::Enable } else { Operation::Disable };
                        parts.push(expected(context, task, operation, &[]));
                    }
                    let active = active.filter(|_| !is_withheld(&parts));
                    if !paths.is_empty() || active.is_some() {
                        requests.extend(writes(account, method(active), paths, active));
                    }
                }
            }
            parts.extend(task.held.clone().map(|trouble| OutcomePart::failed(Operation::Disable, trouble)));
            parts.extend(owned.withheld());
        }
    }
    if parts.is_empty() && task.is_relieved() {
        parts.push(OutcomePart::none(Outcome::Success, Reason::Done));
    }
    let user_outcome = user_outcome(&parts)?;
    if is_standing(context, task, &user_outcome) {
        return None;
    }
    let detail = with_clash(user_outcome.detail, context.clash(&task.id));
    Some((UserOutcome { detail, ..user_outcome }, requests))
}

/// Returns the entry of a task in a plan, or `None` if a run would not report it.
pub(crate) fn entry(context: &Context, task: &Task) -> Option<Entry> {
    let (UserOutcome { operation, outcome, reason, detail }, requests) = outlook(context, task)?;
    Some(Entry {
        source_id: task.id.clone(),
        user_name: task.record.user_name.clone(),
        target_id: task.record.link.as_ref().map(|link| link.account.clone()),
        change: task.label,
        operation,
        outcome,
        reason,
        requests,
        why: why(task, (operation, reason), detail),
    })
}

/// Returns the expected end of `operation` on an existing account, by the connection test and earlier runs.
fn expected(context: &Context, task: &Task, operation: Operation, paths: &[TargetPath]) -> OutcomePart {
    let trouble = match operation {
        Operation::Disable => expected_of(context, task, operation, WriteKind::Disable, paths),
        Operation::Enable => expected_of(context, task, operation, WriteKind::Enable, paths),
        Operation::Update => expected_of(context, task, operation, WriteKind::Attributes, paths),
        Operation::Delete => {
            context.capabilities.learned().delete_failure.map(|reason| Trouble::new(reason, LAST_FAILED))
        }
        Operation::None | Operation::Link | Operation::Create => None,
    };
    trouble.map_or_else(|| OutcomePart::done(operation), |trouble| OutcomePart::failed(operation, trouble))
}

/// Returns the expected failure of a write, by what is known of the target or by the last such write of the same user. A
/// refusal does not count if the method has worked since, or if its cause was temporary.
fn expected_of(
    context: &Context,
    task: &Task,
    operation: Operation,
    kind: WriteKind,
    paths: &[TargetPath],
) -> Option<Trouble> {
    let capabilities = &context.capabilities;
    capabilities.expected_failure(kind, paths).or_else(|| {
        let told = task.record.last_reported.as_ref()?;
        let wanted = match &task.step {
            TaskStep::Owned(owned) => (to_write(context, owned, &task.record), Some(owned.enabled)),
            TaskStep::Fail(_) | TaskStep::Left { .. } => (None, None),
        };
        let is_same = told.outcome == Outcome::Failed
            && told.operation == operation
            && (&told.to_write, told.wanted_active) == (&wanted.0, wanted.1);
        let of_the_method = matches!(told.reason, Reason::PartialUpdateUnsupported | Reason::Rejected);
        let works = capabilities.support(kind, capabilities.order(kind).first) == MethodSupport::Works;
        (is_same && of_the_method && !works).then(|| Trouble::new(told.reason, LAST_FAILED))
    })
}

/// Whether a Disable among `parts` is not going to be sent.
fn is_withheld(parts: &[OutcomePart]) -> bool {
    parts.iter().any(|part| part.reason == Reason::DisableWithheld)
}

/// Whether the user's outcome is the reported one already, so that a run does not report it again.
fn is_standing(context: &Context, task: &Task, user_outcome: &UserOutcome) -> bool {
    let Some(told) = &task.record.last_reported else { return false };
    let (to_write, wanted_active) = match &task.step {
        TaskStep::Owned(owned) => (to_write(context, owned, &task.record), Some(owned.enabled)),
        TaskStep::Fail(_) | TaskStep::Left { .. } => (None, None),
    };
    (told.outcome, told.reason, &told.to_write, told.wanted_active)
        == (user_outcome.outcome, user_outcome.reason, &to_write, wanted_active)
        && user_outcome.operation == Operation::None
        && user_outcome.outcome != Outcome::Failed
        && task.label != ChangeLabel::Returns
}

fn writes(account: &str, method: Method, paths: &[TargetPath], active: Option<bool>) -> Vec<String> {
    let mut what = Vec::new();
    if !paths.is_empty() {
        what.push(names(paths));
    }
    what.extend(active.map(|active| format!("active: {active}")));
    let what = what.join(", ");
    let mut requests = match method {
        Method::Patch => vec![format!("PATCH Users/{account} ({what})")],
        Method::Put => {
            vec![format!("GET Users/{account}"), format!("PUT Users/{account} ({what}; the rest as read)")]
        }
    };
    if active == Some(false) {
        requests.push(format!("GET Users/{account} (to see that it is inactive)"));
    }
    requests
}

fn why(task: &Task, (operation, reason): (Operation, Reason), detail: Option<String>) -> String {
    let change = match task.label {
        ChangeLabel::Enters => "enters the scope",
        ChangeLabel::Attributes => "attributes changed",
        ChangeLabel::Disabled => "disabled at the source",
        ChangeLabel::Enabled => "enabled at the source",
        ChangeLabel::AttributesAndDisabled => "attributes changed, and disabled at the source",
        ChangeLabel::AttributesAndEnabled => "attributes changed, and enabled at the source",
        ChangeLabel::Returns => "comes back",
        ChangeLabel::Deleted => "gone from the source",
        ChangeLabel::LeftScope => "no rule matches any longer",
        ChangeLabel::RuleDeleted => "its rule was deleted",
        ChangeLabel::Retry => "its removal failed before",
    };
    let mut text = match reason {
        Reason::Done => change.to_owned(),
        other => format!("{change}; {}", other.explain_for(operation)),
    };
    if let Some(detail) = detail {
        text.push_str("; ");
        text.push_str(&detail);
    }
    text
}

fn count(summary: &mut PlanSummary, task: &Task, entry: &Entry) {
    summary.impacted += 1;
    summary.failed += u64::from(entry.outcome == Outcome::Failed);
    summary.links += u64::from(task.adopts());
    summary.removals += u64::from(task.removes());
    if let TaskStep::Owned(OwnedTask { decision: OwnedDecision::Create { .. }, .. }) = &task.step {
        summary.creates += 1;
    }
    if let Some(change) = task.account_change() {
        summary.updates += u64::from(change.writes_attributes());
        summary.enables += u64::from(change.active() == Some(true));
        summary.disables += u64::from(change.active() == Some(false));
    }
}

/// Returns the attribute values behind a task, for the digest only.
fn values(task: &Task) -> String {
    match &task.step {
        TaskStep::Owned(owned) => owned.wanted.to_json(),
        TaskStep::Fail(_) | TaskStep::Left { .. } => String::new(),
    }
}

/// Returns the first difference of two plans.
fn difference(plan: &Plan, now: &Plan) -> Option<String> {
    if plan.version != now.version {
        return Some(format!("it has version {}, and this program reads {}", plan.version, now.version));
    }
    if plan.scim_url != now.scim_url {
        return Some(format!("it was made for {}, and the connection is {}", plan.scim_url, now.scim_url));
    }
    for entry in &plan.entries {
        match now.entries.iter().find(|other| other.source_id == entry.source_id) {
            None => return Some(format!("user {} has nothing to do any longer", entry.source_id)),
            Some(other) if other != entry => {
                return Some(format!("what is to be done for user {} has changed", entry.source_id));
            }
            Some(_) => {}
        }
    }
    for entry in &plan.groups {
        match now.groups.iter().find(|other| other.source_id == entry.source_id) {
            None => return Some(format!("group {} has nothing to do any longer", entry.source_id)),
            Some(other) if other != entry => {
                return Some(format!("what is to be done for group {} has changed", entry.source_id));
            }
            Some(_) => {}
        }
    }
    let known = |id: &SourceId| plan.groups.iter().any(|other| other.source_id == *id);
    if let Some(new) = now.groups.iter().find(|entry| !known(&entry.source_id)) {
        return Some(format!("group {} has something to do that is not in it", new.source_id));
    }
    let new =
        now.entries.iter().find(|entry| plan.entries.iter().all(|other| other.source_id != entry.source_id));
    if let Some(new) = new {
        return Some(format!("user {} has something to do that is not in it", new.source_id));
    }
    (plan.preconditions != now.preconditions).then(|| "attribute values or settings have changed".to_owned())
}
