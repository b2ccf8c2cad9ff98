//! The run of one user: its requests in order, its line, and its record.

mod settle;

use std::sync::Arc;

pub(crate) use self::settle::{to_write, with_clash};
use super::context::Context;
use super::correlate::personal_data;
use super::outcome::{OutcomePart, names, refuses_external_id};
use super::remove;
use super::renames::is_temporary;
use super::resolve::find_again;
use super::scope::Owned;
use super::task::{LookupResult, OwnedTask, Task, TaskStep};
use super::write::{AccountWrite, Effects, WriteOutcome, go_together, write};
use crate::account_values::{comparable_value, is_carried};
use crate::diff::PathEffect;
use crate::ids::TargetId;
use crate::mapping::{Desired, TargetPath};
use crate::policy::{AccountChange, NoAccount, NotCreated, OwnedDecision};
use crate::report::{ChangeLabel, Operation, Outcome, Reason, UserLine};
use crate::state::{Intent, Link, Record, ShownForm, StateChange};
use crate::target::lookup::{Lookup, SearchKeys, Searched};
use crate::target::personal_data::with_personal_data;
use crate::target::{Halt, Trouble};

/// The maximum number of decisions about a user in one run, each after another state of the account was found.
const ROUNDS: usize = 3;

/// The way out where the target does not take `externalId`.
const WITHOUT_EXTERNAL_ID: &str =
    "if the target has no place for externalId, set external-id = false under [connection.options]";

/// The result of a task.
pub(crate) enum TaskResult {
    /// The user is settled; `None` if there is no line.
    Settled(Option<UserLine>),
    /// The new user name is taken: the rename is tried again after all other users.
    Deferred(Box<Task>),
    /// The user is settled, and a write was refused for want of support: with the task that tries it once more if such
    /// writes have worked for others meanwhile.
    Refused(Option<UserLine>, Box<Task>),
}

/// The step after an effect.
pub(super) enum NextStep {
    Through,
    /// No further request is sent for the user in this run.
    End,
    /// The user enters (again), with this at the target.
    Enter(ChangeLabel, LookupResult),
    /// The user name is taken.
    Taken(String),
}

/// A task in work.
pub(crate) struct TaskRun<'a> {
    pub(crate) context: &'a Context,
    pub(crate) task: Task,
    /// Whether a request may have had an effect that is not known.
    pub(crate) unsure: bool,
    /// Whether an intent was stored, so that its end has to be stored too.
    intended: bool,
    /// The account that the line names where the link is gone at its end.
    account: Option<TargetId>,
    before: Record,
}

/// Runs `task`; `last` makes a taken user name final.
pub(crate) async fn run(context: &Context, task: Task, last: bool) -> Result<TaskResult, Halt> {
    let wanted = match &task.step {
        TaskStep::Owned(owned) => Some(&owned.wanted),
        TaskStep::Fail(_) | TaskStep::Left { .. } => None,
    };
    with_personal_data(personal_data(wanted, &task.record), Box::pin(run_alone(context, task, last))).await
}

async fn run_alone(context: &Context, task: Task, last: bool) -> Result<TaskResult, Halt> {
    let account = task.record.link.as_ref().map(|link| link.account.clone());
    let before = task.record.clone();
    let mut work = TaskRun { context, task, unsure: false, intended: false, account, before };
    match work.task.step.clone() {
        TaskStep::Fail(trouble) => {
            work.unsure = trouble.unsure;
            // A trouble before any decision leaves an intent as it is.
            work.push(OutcomePart {
                decided: trouble.reason == Reason::DeletedByTarget,
                ..OutcomePart::failed(failed_operation(&trouble), trouble)
            });
            work.finish(None, None).await
        }
        TaskStep::Left { decision, leave } => remove::run(work, decision, leave, last).await,
        TaskStep::Owned(owned) => work.owned(owned, last).await,
    }
}

const fn failed_operation(trouble: &Trouble) -> Operation {
    match trouble.reason {
        Reason::DeletedByTarget => Operation::Disable,
        _ => Operation::None,
    }
}

impl TaskRun<'_> {
    pub(crate) fn push(&mut self, part: OutcomePart) {
        self.task.parts.push(part);
    }

    pub(crate) fn failed(&mut self, operation: Operation, mut trouble: Trouble) {
        self.unsure |= trouble.unsure;
        if let Some(way_out) = self.way_out(operation, &trouble) {
            trouble.detail.push_str("; ");
            trouble.detail.push_str(way_out);
        }
        self.push(OutcomePart::failed(operation, trouble));
    }

    /// Returns the way out of `trouble` if the configuration has the nearest one.
    fn way_out(&self, operation: Operation, trouble: &Trouble) -> Option<&'static str> {
        let removal = matches!(self.task.step, TaskStep::Left { .. });
        match trouble.reason {
            Reason::PartialUpdateUnsupported if self.context.capabilities.may_switch() => {
                Some(match (operation, removal) {
                    (Operation::Disable, true) => {
                        "PATCH and PUT were tried: use remove-action = \"delete\", or ask the vendor for partial update"
                    }
                    _ => "PATCH and PUT were tried: ask the vendor for partial update",
                })
            }
            Reason::Rejected
                if self.context.config.options.external_id && refuses_external_id(&trouble.detail) =>
            {
                Some(WITHOUT_EXTERNAL_ID)
            }
            _ => None,
        }
    }

    /// Makes the intent durable, before the request that it announces.
    ///
    /// # Errors
    /// The run is being stopped: nothing is announced that is not sent any more.
    pub(crate) async fn intend(&mut self, intent: Intent) -> Result<(), Halt> {
        if self.context.client.is_stopping() {
            return Err(Halt::Stopped);
        }
        self.intended = true;
        self.task.record.intent = Some(intent);
        let mut changes: Vec<StateChange> =
            self.task.moved_from.take().map(StateChange::Remove).into_iter().collect();
        changes.push(StateChange::Put(self.task.id.clone(), Arc::new(self.task.record.clone())));
        self.context.save(changes).await
    }

    /// Makes a new link durable, before the next request of its user.
    pub(super) async fn keep_link(&mut self) -> Result<(), Halt> {
        self.task.record.resolve_intent();
        let record = Arc::new(self.task.record.clone());
        let mut changes = vec![StateChange::Put(self.task.id.clone(), record)];
        // A run that ends here leaves a user with nothing more to do, who gets no line: the account has its entry now.
        let link = self.task.record.link.as_ref();
        changes.extend(link.map(|link| self.context.audit_created(&self.task, link)));
        self.context.save(changes).await
    }

    /// Removes the link: no user holds the account any longer.
    pub(crate) fn unlink(&mut self) {
        if let Some(link) = self.task.record.link.take() {
            self.context.release(&link.account);
        }
    }

    async fn owned(mut self, mut owned: OwnedTask, last: bool) -> Result<TaskResult, Halt> {
        for round in 1.. {
            let flow = match owned.decision {
                OwnedDecision::NotCreated { reason, .. } => {
                    self.push(not_created(reason));
                    break;
                }
                OwnedDecision::NoAccount(reason) => {
                    self.push(no_account(reason));
                    break;
                }
                OwnedDecision::Create { .. } => self.create(&owned).await?,
                OwnedDecision::Adopt(change) => {
                    self.account = self.task.record.link.as_ref().map(|link| link.account.clone());
                    self.push(OutcomePart::done(Operation::Link));
                    self.change(&owned, change).await?
                }
                OwnedDecision::Linked(change) => self.change(&owned, change).await?,
            };
            match flow {
                NextStep::Through | NextStep::End => break,
                NextStep::Taken(_) if !last => {
                    let active_withheld = owned.decision.change().is_some_and(AccountChange::active_withheld);
                    owned.decision = OwnedDecision::Linked(AccountChange::Attributes { active_withheld });
                    self.task.step = TaskStep::Owned(owned);
                    return Ok(TaskResult::Deferred(Box::new(self.task)));
                }
                NextStep::Taken(detail) => {
                    self.failed(Operation::Update, Trouble::new(Reason::UserNameTaken, detail));
                    break;
                }
                NextStep::Enter(..) if round >= ROUNDS => {
                    let trouble =
                        Trouble::new(Reason::Rejected, "the account keeps appearing and disappearing");
                    self.failed(Operation::None, trouble);
                    break;
                }
                NextStep::Enter(label, lookup) => {
                    let Some(entered) = self.enter(&owned, label, lookup) else { break };
                    owned = entered;
                }
            }
        }
        let again = if last { None } else { self.second_try(|| TaskStep::Owned(self.refused(&owned))) };
        if let Some(trouble) = self.task.held.take() {
            self.failed(Operation::Disable, trouble);
        }
        self.task.parts.extend(owned.withheld());
        let note = self.task.rename_note.take().or_else(|| self.temporary_name());
        if let Some(note) = note {
            let failed = |part: &&mut OutcomePart| part.outcome == Outcome::Failed;
            if let Some(part) = self.task.parts.iter_mut().find(failed) {
                let detail = part.detail.take().map(|detail| format!("{detail}; {note}"));
                part.detail = Some(detail.unwrap_or(note));
            }
        }
        self.finish(Some(&owned), again).await
    }

    /// Returns what is to be said of an account that a swap of names left with a temporary one.
    fn temporary_name(&self) -> Option<String> {
        let name = self.task.record.link.as_ref().and_then(Link::user_name).filter(is_temporary)?;
        Some(format!(
            "its account has the temporary userName {:?}, because users swap their names and a rename failed; each run tries again",
            name.as_str()
        ))
    }

    /// Decides anew for a user who turned out to have no link, or another account than thought.
    fn enter(&mut self, owned: &OwnedTask, label: ChangeLabel, lookup: LookupResult) -> Option<OwnedTask> {
        let OwnedTask { wanted, enabled, targets, .. } = owned.clone();
        let fingerprint = self.task.fingerprint.clone().unwrap_or_default();
        let again = Owned { enabled, wanted: Ok(wanted.clone()), targets, fingerprint };
        let (id, record) = (self.task.id.clone(), self.task.record.clone());
        // Another user that took the account during this run is in the source.
        let task = Task::entering(self.context, id, record, again, wanted, lookup, &|_| true);
        let (parts, rename_note) = (std::mem::take(&mut self.task.parts), self.task.rename_note.take());
        self.task = Task { label, parts, rename_note, ..task };
        match &self.task.step {
            TaskStep::Owned(owned) => Some(owned.clone()),
            TaskStep::Fail(_) | TaskStep::Left { .. } => None,
        }
    }

    async fn send(
        &mut self,
        owned: &OwnedTask,
        paths: &[TargetPath],
        active: Option<bool>,
    ) -> Result<WriteOutcome, Halt> {
        if paths.contains(&TargetPath::user_name()) {
            self.task.record.note_rename(owned.wanted.user_name());
        }
        self.intend(if active == Some(false) { Intent::Disable } else { Intent::Update }).await?;
        let Some(link) = self.task.record.link.clone() else {
            return Ok(WriteOutcome::Refused(Trouble::new(Reason::Rejected, "the user has no account")));
        };
        let keys = self.task.record.keys_at(&link);
        let request = AccountWrite {
            account: &link.account,
            keys: &keys,
            wanted: &owned.wanted,
            link: &link,
            paths,
            active,
            base: owned.base.as_deref(),
        };
        let written = match write(self.context, request).await {
            Err(Halt::Failed(trouble)) => WriteOutcome::Refused(trouble),
            other => other?,
        };
        if matches!(written, WriteOutcome::Done(_) | WriteOutcome::Ignored(..) | WriteOutcome::Hidden) {
            self.wrote();
        }
        Ok(written)
    }

    async fn change(&mut self, owned: &OwnedTask, change: AccountChange) -> Result<NextStep, Halt> {
        match change {
            AccountChange::Unwritten { .. } => Ok(NextStep::Through),
            AccountChange::Attributes { .. } => self.write(owned, &owned.differs, None).await,
            AccountChange::Active { active, attributes: true } => {
                self.write(owned, &owned.differs, Some(active)).await
            }
            AccountChange::Active { active, attributes: false } => self.write(owned, &[], Some(active)).await,
        }
    }

    async fn write(
        &mut self,
        owned: &OwnedTask,
        paths: &[TargetPath],
        active: Option<bool>,
    ) -> Result<NextStep, Halt> {
        let Some(active) = active else {
            let written = self.send(owned, paths, None).await?;
            return self.after(owned, paths, None, written).await;
        };
        if paths.is_empty() || !go_together(self.context, paths, active) {
            let written = self.send(owned, &[], Some(active)).await?;
            let flow = self.after(owned, &[], Some(active), written).await?;
            let is_over =
                matches!(flow, NextStep::Enter(..) | NextStep::End) || self.task.record.link.is_none();
            if paths.is_empty() || is_over {
                return Ok(flow);
            }
            let written = self.send(owned, paths, None).await?;
            return self.after(owned, paths, None, written).await;
        }
        let written = self.send(owned, paths, Some(active)).await?;
        match written {
            WriteOutcome::Withheld => {
                self.after(owned, &[], Some(active), WriteOutcome::Withheld).await?;
            }
            // The change of `active` was refused: only the attributes are sent again.
            WriteOutcome::Refused(trouble) if refuses_switch(&trouble) => {
                self.after(owned, &[], Some(active), WriteOutcome::Refused(trouble)).await?;
            }
            // A refused attribute or a taken name must not keep a leaver active: each is sent alone.
            refused if refused.may_be_of_either() => {
                let alone = self.send(owned, &[], Some(active)).await?;
                let flow = self.after(owned, &[], Some(active), alone).await?;
                if matches!(flow, NextStep::Enter(..) | NextStep::End) {
                    return Ok(flow);
                }
                if self.task.record.link.is_none() {
                    return Ok(NextStep::Through);
                }
            }
            other => return self.after(owned, paths, Some(active), other).await,
        }
        let written = self.send(owned, paths, None).await?;
        self.after(owned, paths, None, written).await
    }

    /// Notes the result of a write.
    async fn after(
        &mut self,
        owned: &OwnedTask,
        paths: &[TargetPath],
        active: Option<bool>,
        written: WriteOutcome,
    ) -> Result<NextStep, Halt> {
        let switch = active.map(|active| if active { Operation::Enable } else { Operation::Disable });
        match written {
            WriteOutcome::Done(effects) => {
                self.note(owned, &effects);
                let took = |active: bool| effects.active == Some(active);
                match switch {
                    Some(operation) if took(false) => {
                        let detail = "the write was answered as done and left active as it was";
                        self.failed(operation, Trouble::new(Reason::IgnoredByTarget, detail));
                    }
                    Some(operation) => {
                        if let (Some(link), Some(active)) = (&mut self.task.record.link, active) {
                            link.active = active;
                        }
                        self.excuse_lost();
                        self.push(OutcomePart::done(operation));
                    }
                    None => {}
                }
                if !paths.is_empty() {
                    let part = OutcomePart::done(Operation::Update);
                    self.push(OutcomePart { detail: describe_effects(&effects, &owned.wanted), ..part });
                }
            }
            WriteOutcome::Ignored(effects, detail) => {
                self.note(owned, &effects);
                let not_stored = effects.not_stored();
                let switched = self.task.parts.iter().any(|part| {
                    part.outcome == Outcome::Success
                        && matches!(part.operation, Operation::Enable | Operation::Disable)
                });
                // `active` took effect in the same step: the user is provisioned except for the attributes that the
                // target does not store.
                if switched && switch.is_none() && !not_stored.is_empty() {
                    let part = OutcomePart::done(Operation::Update);
                    self.push(part.with_detail(not_stored_words(&not_stored)));
                } else {
                    let detail = if not_stored.is_empty() {
                        detail
                    } else {
                        format!("{detail}; {}", not_stored_words(&not_stored))
                    };
                    let operation = switch.unwrap_or(Operation::Update);
                    if let Some(link) = &mut self.task.record.link {
                        link.fail_for(&not_stored);
                    }
                    self.failed(operation, Trouble::new(Reason::IgnoredByTarget, detail));
                }
            }
            WriteOutcome::Refused(trouble) => {
                let operation = switch.unwrap_or(Operation::Update);
                self.failed(operation, trouble);
            }
            WriteOutcome::Withheld => {
                let detail = "an earlier disable deleted an account at this target";
                self.failed(Operation::Disable, Trouble::new(Reason::DisableWithheld, detail));
            }
            WriteOutcome::DeletedByTarget => {
                self.unlink();
                let detail = "the account is gone after it was to be disabled";
                self.failed(Operation::Disable, Trouble::new(Reason::DeletedByTarget, detail));
            }
            WriteOutcome::Taken(detail) => return Ok(NextStep::Taken(detail)),
            WriteOutcome::Gone(searched) => {
                let origin = owned.wanted.external_id();
                let trouble = match self.find_again(&owned.wanted, &searched).await {
                    Ok(lookup) => {
                        let hidden = self.context.not_shown_yet(&self.task.record, origin, &lookup);
                        let Some(trouble) = hidden else {
                            self.unlink();
                            let found = LookupResult::InsteadOfGone(lookup);
                            return Ok(NextStep::Enter(ChangeLabel::Enters, found));
                        };
                        // A write that was cut off before this run is known from its beginning.
                        Trouble { unsure: false, ..trouble }
                    }
                    // The link stays: without it the next run would make a twin of an account that may be this one.
                    Err(Halt::Failed(trouble)) => trouble,
                    Err(Halt::Stopped) => return Err(Halt::Stopped),
                };
                self.failed(switch.unwrap_or(Operation::Update), trouble);
                return Ok(NextStep::End);
            }
            WriteOutcome::Hidden => {
                let written = self.task.record.link.as_ref().and_then(|link| link.written);
                let hidden = Trouble::new(Reason::TargetError, "the account is not found after the write");
                let trouble = self.context.account_not_shown(written).unwrap_or(hidden);
                self.failed(switch.unwrap_or(Operation::Update), Trouble { unsure: true, ..trouble });
                return Ok(NextStep::End);
            }
        }
        Ok(NextStep::Through)
    }

    /// Counts updates as done whose attributes the target does not store. With `active` in effect the user is
    /// provisioned, so an earlier report of them is no failure.
    fn excuse_lost(&mut self) {
        for part in &mut self.task.parts {
            if part.operation == Operation::Update && part.reason == Reason::IgnoredByTarget {
                (part.outcome, part.reason) = (Outcome::Success, Reason::Done);
            }
        }
    }

    /// Looks for the account that is gone by its id.
    async fn find_again(&self, wanted: &Desired, searched: &Searched) -> Result<Lookup, Halt> {
        let record = &self.task.record;
        let carried = record.link.as_ref().and_then(Link::external_id);
        let keys = SearchKeys::new(record.names(), carried.or(wanted.external_id()));
        find_again(self.context, &self.task.id, &keys, &wanted.user_name(), searched).await
    }

    /// Notes the effect on each written path in the link.
    pub(super) fn note(&mut self, owned: &OwnedTask, effects: &Effects) {
        let Some(link) = &mut self.task.record.link else { return };
        for path in &effects.carried {
            let wanted = owned.wanted.get(path);
            let form = link.shows.get(path).filter(|shows| matches!(shows, ShownForm::As(_))).cloned();
            let form = form.filter(|_| is_carried(&link.carries, path, wanted));
            link.carry(path, wanted, form);
        }
        for path in &effects.left_out {
            let sent = owned.wanted.get(path).map(|value| comparable_value(path, value));
            link.shows.insert(path.clone(), ShownForm::Ignored { sent, alone: false, failed: false });
        }
        for (path, path_effect) in &effects.path_effects {
            let wanted = owned.wanted.get(path);
            match path_effect {
                PathEffect::Stored | PathEffect::Unverifiable => link.carry(path, wanted, None),
                PathEffect::StoredAs(shown) | PathEffect::SameForm(shown) => {
                    link.carry(path, wanted, Some(ShownForm::As(shown.clone())));
                }
                PathEffect::Assumed(before) => {
                    link.carry(path, wanted, Some(ShownForm::Unseen(before.clone())));
                }
                PathEffect::NotStored(now) => {
                    let sent = wanted.map(|value| comparable_value(path, value));
                    let alone = self.context.capabilities.is_stored(path);
                    let ignored = ShownForm::Ignored { sent, alone, failed: false };
                    link.carry_still(path, now.clone(), Some(ignored));
                }
            }
        }
    }
}

/// Returns the detail about attributes that did not take effect as they were written.
pub(super) fn describe_effects(effects: &Effects, wanted: &Desired) -> Option<String> {
    let (not_stored, other) = (effects.not_stored(), effects.in_other_form(wanted));
    let mut words = Vec::new();
    if !not_stored.is_empty() {
        words.push(not_stored_words(&not_stored));
    }
    if !other.is_empty() {
        words.push(format!("stored in another form by the target: {}", names(&other)));
    }
    let as_before = effects.left_as_spelled();
    if !as_before.is_empty() {
        words.push(format!(
            "not stored as sent, but shown in the same spelling as before: {}",
            names(&as_before)
        ));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

/// Names the paths that the target does not store, and the way out.
pub(super) fn not_stored_words(paths: &[TargetPath]) -> String {
    let way_out = if paths.contains(&TargetPath::external_id()) {
        format!("; {WITHOUT_EXTERNAL_ID}")
    } else {
        String::new()
    };
    format!("not stored by the target: {}{way_out}", names(paths))
}

/// Whether a write of attributes and `active` was refused because of `active`.
const fn refuses_switch(trouble: &Trouble) -> bool {
    !trouble.unsure && matches!(trouble.reason, Reason::PartialUpdateUnsupported)
}

/// Returns the part for a user for whom no account is created.
pub(crate) const fn not_created(reason: NotCreated) -> OutcomePart {
    match reason {
        NotCreated::CreationOff => OutcomePart::none(Outcome::Unsynced, Reason::CreationOff),
        NotCreated::DisabledAtSource => OutcomePart::none(Outcome::Unsynced, Reason::DisabledAtSource),
    }
}

/// Returns the part for a user to whom no account can be assigned.
pub(crate) const fn no_account(reason: NoAccount) -> OutcomePart {
    match reason {
        NoAccount::AmbiguousMatch => OutcomePart::none(Outcome::Failed, Reason::AmbiguousMatch),
        NoAccount::AccountLinkedElsewhere => {
            OutcomePart::none(Outcome::Failed, Reason::AccountLinkedElsewhere)
        }
    }
}
