//! Carrying out the decisions about groups: groups beside each other, each one's requests in order.

use std::sync::{Arc, Mutex, PoisonError};

use super::super::Environment;
use super::super::context::Context;
use super::accounts::AccountTable;
use super::decide::{Evaluation, GroupDecision, evaluate};
use super::learned::{Form, GroupCapabilities};
use super::outcome::{GroupOutcome, GroupPart, group_outcome, not_deleted, unwritten};
use super::scope::{GroupStanding, GroupSubject, OwnedGroup};
use super::{GroupTrouble, PreparedGroups};
use crate::audit::ChangedMembers;
use crate::clock::timestamp;
use crate::engine::worker_pool::in_parallel;
use crate::id_set::IdSet;
use crate::policy::Leave;
use crate::policy::groups::{
    GroupLeaveDecision, GroupState, GroupWrites, MemberChanges, MembersMode, OwnedGroupDecision,
};
use crate::report::Outcome;
use crate::report::groups::{GroupChange, GroupLine, GroupOperation, GroupReason};
use crate::state::StateChange;
use crate::state::groups::{FormSupport, GroupIntent, GroupLink, GroupLinkState, GroupRecord, GroupReported};
use crate::target::Halt;

/// Shared by all groups of a run.
pub(super) struct Shared {
    pub(super) context: Arc<Context>,
    pub(super) capabilities: Arc<GroupCapabilities>,
    pub(super) accounts: AccountTable,
}

/// Decides about every group by the accounts that there are now, writes, and returns the lines.
pub(crate) async fn all(
    context: &Arc<Context>,
    prepared: PreparedGroups,
    accounts: AccountTable,
    environment: &Environment,
) -> Vec<GroupLine> {
    let PreparedGroups { subjects, capabilities, .. } = prepared;
    let shared = Arc::new(Shared { context: Arc::clone(context), capabilities, accounts });
    environment.progress.begin("groups", subjects.len());
    let slots: Arc<Vec<_>> =
        Arc::new(subjects.into_iter().map(|subject| Mutex::new(Some(subject))).collect());
    let width = context.config.options.concurrency.get();
    let lines = in_parallel(slots.len(), width, &environment.progress, move |index| {
        let (shared, slots) = (Arc::clone(&shared), Arc::clone(&slots));
        async move {
            let subject = slots[index].lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let (context, id) = (Arc::clone(&shared.context), subject.id.clone());
            context.standing_failures.note_group(&id, &subject.record);
            let started = context.client.now();
            let run = async { GroupRun::new(&shared, subject).run().await };
            let (line, turn) = context.client.recorder().in_turn(&id, started, run).await;
            if let Some(line) = &line {
                context.client.recorder().settled_group(&turn, context.client.now(), line);
            }
            line
        }
    })
    .await;
    environment.progress.end();
    lines.into_iter().flatten().collect()
}

/// One group being carried out.
pub(super) struct GroupRun<'a> {
    pub(super) shared: &'a Shared,
    pub(super) subject: GroupSubject,
    /// The record as it is stored.
    stored: GroupRecord,
    /// The members that were known before the run.
    before: IdSet,
    pub(super) parts: Vec<GroupPart>,
    pub(super) added: usize,
    pub(super) removed: usize,
    /// Members in scope without an account.
    pending: usize,
    /// Whether the outcome of a write is not known, so that the intent stays.
    pub(super) unsure: bool,
    /// Forms of writes that had no effect; that is a lesson only where another form has one.
    pub(super) failed_forms: Vec<(Form, FormSupport)>,
    /// Whether the group turned out to be gone and was decided again.
    again: bool,
}

impl<'a> GroupRun<'a> {
    fn new(shared: &'a Shared, subject: GroupSubject) -> Self {
        let stored = subject.record.clone();
        Self {
            shared,
            subject,
            before: stored.written.clone(),
            stored,
            pending: 0,
            parts: Vec::new(),
            added: 0,
            removed: 0,
            unsure: false,
            failed_forms: Vec::new(),
            again: false,
        }
    }

    pub(super) fn context(&self) -> &'a Context {
        &self.shared.context
    }

    /// Carries the group out, and returns its line if it has one.
    async fn run(mut self) -> Option<GroupLine> {
        let evaluation = evaluate(&self.context().config, &self.subject, &self.shared.accounts);
        let label = evaluation.label;
        match self.carry_out(evaluation).await {
            Ok(()) => {}
            Err(Halt::Failed(trouble)) => {
                self.unsure |= trouble.unsure;
                self.fail(GroupOperation::None, trouble.into());
            }
            Err(Halt::Stopped) => return None,
        }
        self.settle(label).await
    }

    async fn carry_out(&mut self, evaluation: Evaluation) -> Result<(), Halt> {
        match evaluation.decision.clone() {
            GroupDecision::Fail(trouble) => self.fail(GroupOperation::None, trouble),
            GroupDecision::Left(decision, leave) => self.leave(decision, leave).await?,
            GroupDecision::Owned(decision) => {
                let Some(owned) = self.subject.owned().cloned() else { return Ok(()) };
                self.parts.extend(unwritten(decision));
                self.carry_out_owned(decision, &owned, evaluation.changes).await?;
                self.parts.extend(GroupPart::unseen(evaluation.unseen));
                self.parts.extend(GroupPart::pending(evaluation.pending));
                self.pending = evaluation.pending;
            }
        }
        Ok(())
    }

    async fn carry_out_owned(
        &mut self,
        decision: OwnedGroupDecision,
        owned: &OwnedGroup,
        changes: MemberChanges,
    ) -> Result<(), Halt> {
        match decision {
            OwnedGroupDecision::NoGroup(_) => Ok(()),
            OwnedGroupDecision::NotCreated { drops_link } => {
                self.drop_link(drops_link);
                Ok(())
            }
            OwnedGroupDecision::Create { drops_link } => {
                self.drop_link(drops_link);
                self.create(owned).await
            }
            OwnedGroupDecision::Adopt(writes) => {
                self.adopt().await?;
                self.write(owned, writes, changes).await
            }
            OwnedGroupDecision::Linked(writes) => {
                if let Some(link) = &mut self.subject.record.link {
                    if link.state != GroupLinkState::Owned {
                        self.parts.push(GroupPart::none(Outcome::Success, GroupReason::Done));
                    }
                    link.state = GroupLinkState::Owned;
                }
                self.write(owned, writes, changes).await
            }
        }
    }

    /// Writes what differs, and notes which of the members are this group's own from now on.
    async fn write(
        &mut self,
        owned: &OwnedGroup,
        writes: GroupWrites,
        changes: MemberChanges,
    ) -> Result<(), Halt> {
        let wanted = self.shared.accounts.resolve(&owned.members).wanted;
        if let Some(present) = &self.subject.present {
            // Members of the source that the target has already are managed from now on.
            let held = wanted.in_both(present);
            let record = &mut self.subject.record;
            record.written = record.written.in_both(present).with(&held);
        }
        match writes {
            GroupWrites::Nothing | GroupWrites::Withheld(_) => Ok(()),
            GroupWrites::Write(differs) => {
                self.intend(GroupIntent::Update).await?;
                let gone = self.change(owned, differs, changes).await?;
                if !gone || std::mem::replace(&mut self.again, true) {
                    return Ok(());
                }
                // Deleted out of band: the link is dropped, and the group enters.
                self.subject.state = GroupState::LinkedGone;
                self.subject.present = None;
                let evaluation = evaluate(&self.context().config, &self.subject, &self.shared.accounts);
                let GroupDecision::Owned(decision) = evaluation.decision else { return Ok(()) };
                self.parts.extend(unwritten(decision));
                Box::pin(self.carry_out_owned(decision, owned, evaluation.changes)).await
            }
        }
    }

    fn drop_link(&mut self, drops: bool) {
        if drops {
            self.subject.record.link = None;
            self.subject.record.written = IdSet::default();
        }
    }

    pub(super) fn mode(&self, owned: &OwnedGroup) -> MembersMode {
        self.context().config.group_rules[owned.rule].members
    }

    /// Links the group that was found, and ends the link of a former holder.
    async fn adopt(&mut self) -> Result<(), Halt> {
        let Some(found) = &self.subject.found else { return Ok(()) };
        let was_posted = self.subject.record.has_unresolved_create();
        let is_ours = found.external_id.as_deref() == Some(self.subject.id.as_str());
        let operation = if was_posted && is_ours { GroupOperation::Create } else { GroupOperation::Link };
        let mut link = GroupLink::to(found);
        link.members_unseen &= operation == GroupOperation::Link;
        self.subject.record.link = Some(link);
        self.parts.push(GroupPart::done(operation));
        let holder = self.subject.moved_from.take();
        self.save(holder.into_iter().map(StateChange::RemoveGroup).collect()).await
    }

    async fn leave(&mut self, decision: GroupLeaveDecision, leave: Leave) -> Result<(), Halt> {
        self.parts.extend(not_deleted(decision));
        match decision {
            GroupLeaveDecision::Nothing => Ok(()),
            GroupLeaveDecision::AlreadyGone | GroupLeaveDecision::Released => {
                self.subject.record.link = None;
                Ok(())
            }
            GroupLeaveDecision::Kept => {
                if let Some(link) = &mut self.subject.record.link {
                    link.state = GroupLinkState::Kept(leave);
                }
                Ok(())
            }
            GroupLeaveDecision::Delete => self.delete(leave).await,
        }
    }

    pub(super) fn fail(&mut self, operation: GroupOperation, trouble: GroupTrouble) {
        self.parts.push(GroupPart::failed(operation, trouble));
    }

    /// Makes it known that a write is about to be sent.
    pub(super) async fn intend(&mut self, intent: GroupIntent) -> Result<(), Halt> {
        if self.subject.record.intent.as_ref() == Some(&intent) {
            return Ok(());
        }
        self.subject.record.intent = Some(intent);
        self.subject.record.fingerprint = None;
        self.save(Vec::new()).await
    }

    /// Stores the record, after `changes`.
    pub(super) async fn save(&mut self, mut changes: Vec<StateChange>) -> Result<(), Halt> {
        let record = self.subject.record.clone();
        changes.push(StateChange::PutGroup(self.subject.id.clone(), Arc::new(record.clone())));
        self.stored = record;
        self.context().save(changes).await
    }

    /// Stores the group's status and what was learned, and returns its line, unless it is as it was reported before.
    async fn settle(mut self, label: GroupChange) -> Option<GroupLine> {
        let outcome = group_outcome(&self.parts).unwrap_or(GroupOutcome {
            operation: GroupOperation::None,
            outcome: Outcome::Success,
            reason: GroupReason::Done,
            detail: None,
        });
        let failed = outcome.outcome == Outcome::Failed;
        let since = timestamp(self.context().client.now());
        let record = &mut self.subject.record;
        if !self.unsure {
            record.intent = None;
        }
        record.fingerprint = match &self.subject.standing {
            GroupStanding::Owned(owned) if !failed && !self.unsure && record.link.is_some() => {
                Some(owned.fingerprint.clone())
            }
            GroupStanding::Owned(_) | GroupStanding::Left { .. } => None,
        };
        let done = outcome.outcome == Outcome::Success;
        let reported = GroupReported {
            operation: if failed { outcome.operation } else { GroupOperation::None },
            outcome: outcome.outcome,
            reason: if done { GroupReason::Done } else { outcome.reason },
            detail: outcome.detail.clone().filter(|_| !done),
            since,
        };
        let before = record.last_reported.as_ref();
        let is_same = before.is_some_and(|before| before.same_as(&reported));
        let is_quiet = !failed
            && self.parts.iter().all(|part| part.operation == GroupOperation::None)
            && (is_same || (done && before.is_none_or(|before| before.outcome == Outcome::Success)))
            && label != GroupChange::Returns;
        if !is_same {
            record.last_reported = Some(reported);
        }
        let line = GroupLine {
            source_id: self.subject.id.clone(),
            name: record.name.clone(),
            target_id: record.link.as_ref().map(|link| link.id.clone()),
            change: label,
            operation: outcome.operation,
            outcome: outcome.outcome,
            reason: outcome.reason,
            members_added: self.added,
            members_removed: self.removed,
            members_pending: self.pending,
            detail: outcome.detail,
        };
        let line = (!is_quiet).then_some(line);
        let audit = line.as_ref().map(|line| self.audit(line));
        // A stopped run goes on here in the next one: its records say what is not known.
        let _ = self.store(audit).await;
        line
    }

    /// Returns the audit entry of the line. Members that were there before the first look are not of this run.
    fn audit(&self, line: &GroupLine) -> StateChange {
        let record = &self.subject.record;
        let known =
            self.subject.present.as_ref().map_or_else(|| self.before.clone(), |has| self.before.with(has));
        let (added, removed) = (record.written.without(&known), self.before.without(&record.written));
        let members = ChangedMembers { added: &added, removed: &removed };
        self.context().audit_group(line, record.rule.as_ref(), members)
    }

    async fn store(&mut self, audit: Option<StateChange>) -> Result<(), Halt> {
        let mut changes: Vec<StateChange> = audit.into_iter().collect();
        let is_over = self.subject.record.link.is_none()
            && !self.unsure
            && matches!(self.subject.standing, GroupStanding::Left { .. });
        if is_over {
            changes.push(StateChange::RemoveGroup(self.subject.id.clone()));
            self.context().save(changes).await?;
        } else if self.subject.record != self.stored {
            self.save(changes).await?;
        } else {
            self.context().save(changes).await?;
        }
        self.context().keep_group_lessons(&self.shared.capabilities.learned()).await
    }
}
