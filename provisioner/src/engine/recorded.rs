//! What the engine tells of a run: its beginning and end, and an audit entry for each line.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use super::context::Context;
use super::task::Task;
use super::{Environment, Provisioner, SyncOptions};
use crate::audit::{AccountState, AuditEntry, Cause, ChangedMembers};
use crate::clock::timestamp;
use crate::id_set::IdSet;
use crate::ids::{RuleName, SourceId};
use crate::recording::{AuditRequest, Observer, Recorder};
use crate::report::groups::{GroupChange, GroupLine, GroupOperation, GroupReason};
use crate::report::{Operation, Outcome, Reason, RunReport, UserLine};
use crate::source::fingerprint;
use crate::state::groups::GroupRecord;
use crate::state::{Link, RunRecord, StateChange};

/// The detail of an account that was created and whose user has no line yet.
const CREATED: &str = "the account was created, and is read back";

/// The detail of a group that was created and has no line yet.
const GROUP_CREATED: &str = "the group was created, and more of its members may follow";

/// The run that is being recorded.
pub(super) struct RecordedRun {
    current: Mutex<Begun>,
}

#[derive(Clone)]
struct Begun {
    command: &'static str,
    started: SystemTime,
    recorder: Arc<Recorder>,
}

impl RecordedRun {
    pub(super) fn new(environment: &Environment) -> Self {
        Self { current: Mutex::new(begin("read", environment)) }
    }

    fn begun(&self) -> Begun {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the recorder of the run.
    pub(super) fn recorder(&self) -> Arc<Recorder> {
        self.begun().recorder
    }
}

fn begin(command: &'static str, environment: &Environment) -> Begun {
    let started = environment.clock.now();
    let since_epoch = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let parts =
        [environment.seed.to_string(), since_epoch.as_nanos().to_string(), environment.state.to_string()];
    let run = fingerprint(parts.iter().map(String::as_str));
    let run = run.get(..16).unwrap_or_default().to_owned();
    Begun { command, started, recorder: Arc::new(Recorder::new(&environment.recording, run)) }
}

impl Provisioner {
    /// Returns the provisioner with observers of its runs.
    #[must_use]
    pub fn observed_by(mut self, observers: Vec<Arc<dyn Observer>>) -> Self {
        self.environment.recording.observers.extend(observers);
        self
    }

    /// Returns the last run, as it is stored.
    pub fn last_run(&self) -> Option<RunRecord> {
        self.store.connection().last_run
    }

    /// Begins to record a run of `command`.
    pub(super) fn begin_run(&self, command: &'static str) {
        let begun = begin(command, &self.environment);
        begun.recorder.start(command, begun.started);
        *self.recorded.current.lock().unwrap_or_else(PoisonError::into_inner) = begun;
    }

    /// Tells the end of the run, and returns what is to be stored of it.
    pub(super) fn end_run(&self, report: &RunReport, options: &SyncOptions) -> Vec<StateChange> {
        let Begun { command, started, recorder } = self.recorded.begun();
        let now = self.environment.clock.now();
        recorder.end(command, started, now, &report.summary);
        let cause = Cause { at: &timestamp(now), run: recorder.run(), who: recorder.actor() };
        let entry = AuditEntry::of_run(cause, timestamp(started), command, allowed(options), &report.summary);
        let mut changes = vec![StateChange::Audit(entry)];
        let days = self.config.options.audit.retention_days;
        changes.extend((days > 0).then_some(StateChange::ForgetAudit { days, now }));
        changes
    }
}

impl Context {
    /// Returns the audit entry of a user's line.
    pub(crate) fn audit(
        &self,
        line: &UserLine,
        rule: Option<&RuleName>,
        before: Option<&Link>,
        after: Option<&Link>,
    ) -> StateChange {
        let requests = Recorder::take_requests();
        self.audit_with(line, rule, before, after, requests)
    }

    /// Returns the audit entry of an account that was just created and whose user has no line yet.
    pub(crate) fn audit_created(&self, task: &Task, link: &Link) -> StateChange {
        let line = UserLine {
            source_id: task.id.clone(),
            user_name: task.record.user_name.clone(),
            target_id: Some(link.account.clone()),
            change: task.label,
            operation: Operation::Create,
            outcome: Outcome::Success,
            reason: Reason::Done,
            detail: Some(CREATED.to_owned()),
            failed_deprovision: false,
        };
        let requests = Recorder::requests_so_far();
        self.audit_with(&line, task.record.rule.as_ref(), None, Some(link), requests)
    }

    /// Returns the audit entry of a group's line.
    pub(crate) fn audit_group(
        &self,
        line: &GroupLine,
        rule: Option<&RuleName>,
        members: ChangedMembers<'_>,
    ) -> StateChange {
        self.audit_group_with(line, rule, members, Recorder::take_requests())
    }

    /// Returns the audit entry of a group that was just created with `members` and has no line yet.
    pub(crate) fn audit_created_group(
        &self,
        id: &SourceId,
        record: &GroupRecord,
        members: &IdSet,
    ) -> StateChange {
        let line = GroupLine {
            source_id: id.clone(),
            name: record.name.clone(),
            target_id: record.link.as_ref().map(|link| link.id.clone()),
            change: GroupChange::Enters,
            operation: GroupOperation::Create,
            outcome: Outcome::Success,
            reason: GroupReason::Done,
            members_added: members.len(),
            members_removed: 0,
            members_pending: 0,
            detail: Some(GROUP_CREATED.to_owned()),
        };
        let members = ChangedMembers { added: members, removed: &IdSet::default() };
        self.audit_group_with(&line, record.rule.as_ref(), members, Recorder::requests_so_far())
    }

    fn audit_group_with(
        &self,
        line: &GroupLine,
        rule: Option<&RuleName>,
        members: ChangedMembers<'_>,
        requests: Vec<AuditRequest>,
    ) -> StateChange {
        let (recorder, at) = (self.client.recorder(), timestamp(self.client.now()));
        let cause = Cause { at: &at, run: recorder.run(), who: recorder.actor() };
        StateChange::Audit(AuditEntry::of_group(cause, line, rule.cloned(), members, requests))
    }

    fn audit_with(
        &self,
        line: &UserLine,
        rule: Option<&RuleName>,
        before: Option<&Link>,
        after: Option<&Link>,
        requests: Vec<AuditRequest>,
    ) -> StateChange {
        let recorder = self.client.recorder();
        let at = timestamp(self.client.now());
        StateChange::Audit(AuditEntry::of_user(
            self.config.options.audit,
            Cause { at: &at, run: recorder.run(), who: recorder.actor() },
            line,
            rule.cloned(),
            before.map(state),
            after.map(state),
            requests,
        ))
    }
}

fn state(link: &Link) -> AccountState<'_> {
    AccountState { active: link.active, values: &link.carries }
}

/// Returns what a person allowed for the run, as options of the command line.
fn allowed(options: &SyncOptions) -> Vec<String> {
    let SyncOptions {
        full,
        accept_new_source,
        allow_empty_source,
        allow_empty_scope,
        approve_removals,
        approve_plan,
        approve_group_removals,
        workers,
    } = options;
    let flags = [
        (*full, "--full"),
        (*accept_new_source, "--accept-new-source"),
        (*allow_empty_source, "--allow-empty-source"),
        (*workers, "--workers"),
    ];
    flags
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, flag)| flag.to_owned())
        .chain(allow_empty_scope.iter().map(|rule| format!("--allow-empty-scope {rule}")))
        .chain(approve_removals.map(|number| format!("--approve-removals {number}")))
        .chain(approve_group_removals.map(|number| format!("--approve-group-removals {number}")))
        .chain(approve_plan.as_ref().map(|hash| format!("--approve {hash}")))
        .collect()
}
