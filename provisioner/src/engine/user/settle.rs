//! The end of a user's way: its line, its record, and what of it is tried once more.

use std::sync::Arc;

use serde_json::Value;

use super::{TaskResult, TaskRun};
use crate::clock::{seconds, timestamp};
use crate::engine::context::Context;
use crate::engine::outcome::{self, OutcomePart};
use crate::engine::task::{OwnedTask, Task, TaskStep};
use crate::policy::{AccountChange, OwnedDecision};
use crate::report::{ChangeLabel, Operation, Outcome, Reason, UserLine};
use crate::source::fingerprint;
use crate::state::{LastReported, LinkState, Record, StateChange, Withdrawal, WithdrawalKind, differences};
use crate::target::Halt;

impl TaskRun<'_> {
    /// Settles the user; `again` is the task that is tried once more if such writes work for others.
    pub(crate) async fn finish(
        mut self,
        owned: Option<&OwnedTask>,
        again: Option<Task>,
    ) -> Result<TaskResult, Halt> {
        let line = self.settle(owned, again.is_none()).await?;
        Ok(match again {
            Some(again) => TaskResult::Refused(line, Box::new(Task { record: self.task.record, ..again })),
            None => TaskResult::Settled(line),
        })
    }

    /// Returns the task that tries `step` once more, with all parts but those refused for want of support, or `None` if
    /// none was refused.
    pub(crate) fn second_try(&self, step: impl FnOnce() -> TaskStep) -> Option<Task> {
        let parts: Vec<OutcomePart> =
            self.task.parts.iter().filter(|part| !is_unsupported(part)).cloned().collect();
        (parts.len() < self.task.parts.len()).then(|| Task {
            id: self.task.id.clone(),
            record: self.task.record.clone(),
            label: self.task.label,
            step: step(),
            moved_from: None,
            fingerprint: self.task.fingerprint.clone(),
            told: parts.len(),
            parts,
            held: self.task.held.clone(),
            rename_note: None,
        })
    }

    /// Returns the writes that were refused for want of support.
    pub(super) fn refused(&self, owned: &OwnedTask) -> OwnedTask {
        let is_refused =
            |of: Operation| self.task.parts.iter().any(|part| is_unsupported(part) && part.operation == of);
        let switch = if owned.enabled { Operation::Enable } else { Operation::Disable };
        let mut owned = owned.clone();
        let attributes = is_refused(Operation::Update);
        let withheld = |is: fn(AccountChange) -> bool| owned.decision.change().is_some_and(is);
        let change = if is_refused(switch) {
            AccountChange::Active { active: owned.enabled, attributes }
        } else if attributes {
            AccountChange::Attributes { active_withheld: withheld(AccountChange::active_withheld) }
        } else {
            AccountChange::Unwritten {
                attributes_withheld: withheld(AccountChange::attributes_withheld),
                active_withheld: withheld(AccountChange::active_withheld),
            }
        };
        owned.decision = match owned.decision {
            OwnedDecision::Create { .. } | OwnedDecision::Adopt(_) | OwnedDecision::Linked(_) => {
                OwnedDecision::Linked(change)
            }
            // There is no account to write to.
            OwnedDecision::NotCreated { .. } | OwnedDecision::NoAccount(_) => owned.decision,
        };
        owned
    }

    /// Puts the line together, and stores how the user stands.
    ///
    /// The record is not needed afterwards if this `is_last`.
    async fn settle(&mut self, owned: Option<&OwnedTask>, is_last: bool) -> Result<Option<UserLine>, Halt> {
        if let (true, Some(link)) = (owned.is_some(), &mut self.task.record.link) {
            link.state = LinkState::Owned;
        }
        let mut user_outcome = outcome::user_outcome(&self.task.parts);
        if self.task.parts.is_empty() && self.task.is_relieved() {
            user_outcome = outcome::user_outcome(&[OutcomePart::none(Outcome::Success, Reason::Done)]);
        }
        let failed =
            user_outcome.as_ref().is_some_and(|user_outcome| user_outcome.outcome == Outcome::Failed);
        let leaves = matches!(self.task.step, TaskStep::Left { .. });
        let removes = self.task.removes();
        let undecided = matches!(self.task.step, TaskStep::Fail(_));
        // A link that came or went with the decision is in the record already, and not yet in the store.
        let relinked = owned.is_some_and(|owned| owned.decision.changes_link()) || undecided;
        let record = &mut self.task.record;
        if !self.unsure && !undecided {
            record.resolve_intent();
        }
        let last_reported = user_outcome.as_ref().map(|user_outcome| LastReported {
            operation: if failed { user_outcome.operation } else { Operation::None },
            outcome: user_outcome.outcome,
            reason: user_outcome.reason,
            detail: user_outcome.detail.clone(),
            to_write: owned.and_then(|owned| to_write(self.context, owned, record)),
            wanted_active: owned.map(|owned| owned.enabled),
            failed_deprovision: failed && leaves && removes,
            since: timestamp(self.context.client.now()),
        });
        let known = match (&record.last_reported, &last_reported) {
            (Some(before), Some(now)) => before.same_as(now) && !failed,
            (None | Some(_), _) => false,
        };
        let carried_out =
            user_outcome.as_ref().is_some_and(|user_outcome| user_outcome.operation != Operation::None);
        if !known {
            record.last_reported.clone_from(&last_reported);
        }
        record.fingerprint = self.task.fingerprint.take().filter(|_| !failed);
        let line = user_outcome
            .filter(|_| !known || carried_out || self.task.label == ChangeLabel::Returns)
            .map(|user_outcome| UserLine {
                source_id: self.task.id.clone(),
                user_name: record.user_name.clone(),
                target_id: record
                    .link
                    .as_ref()
                    .map(|link| link.account.clone())
                    .or_else(|| self.account.clone()),
                change: self.task.label,
                operation: user_outcome.operation,
                outcome: user_outcome.outcome,
                reason: user_outcome.reason,
                detail: with_clash(user_outcome.detail, self.context.clash(&self.task.id)),
                failed_deprovision: failed && leaves && removes,
            });
        let (rule, before, after) = (record.rule.as_ref(), self.before.link.as_ref(), record.link.as_ref());
        let audit = line.as_ref().map(|line| self.context.audit(line, rule, before, after));
        let mut changes: Vec<StateChange> =
            self.task.moved_from.take().map(StateChange::Remove).into_iter().collect();
        if leaves && record.link.is_none() && record.intent.is_none() {
            changes.push(StateChange::Remove(self.task.id.clone()));
        } else if relinked || self.intended || *record != self.before {
            let stored = if is_last {
                let name = record.user_name.clone();
                std::mem::replace(record, Record::new(name))
            } else {
                record.clone()
            };
            changes.push(StateChange::Put(self.task.id.clone(), Arc::new(stored)));
        }
        changes.extend(self.withdrawal(carried_out && !failed).map(StateChange::Withdrawal));
        changes.extend(audit);
        self.context.push_result(&mut changes, &self.task.id, line.as_ref(), is_last);
        self.context.save(changes).await?;
        Ok(line)
    }

    /// Returns what the delete guard counts of a settled user; `removed` tells whether a Remove Action was carried out. A
    /// Disable that deleted the account counts too.
    fn withdrawal(&self, removed: bool) -> Option<Withdrawal> {
        let disabled = self.task.parts.iter().skip(self.task.told).any(|part| {
            part.operation == Operation::Disable
                && (part.outcome == Outcome::Success || part.reason == Reason::DeletedByTarget)
        });
        let kind = match &self.task.step {
            TaskStep::Left { .. } if removed || disabled => WithdrawalKind::Removal,
            TaskStep::Owned(_) if disabled => WithdrawalKind::Disable,
            TaskStep::Left { .. } | TaskStep::Owned(_) | TaskStep::Fail(_) => return None,
        };
        let now = seconds(self.context.client.now());
        Some(Withdrawal { at: i64::try_from(now).unwrap_or(i64::MAX), kind })
    }
}

/// Whether it was refused because the target does not support such a request.
fn is_unsupported(part: &OutcomePart) -> bool {
    part.outcome == Outcome::Failed
        && matches!(part.reason, Reason::PartialUpdateUnsupported | Reason::DeleteUnsupported)
}

/// Returns the detail of a line, with the other users of the same name.
pub(crate) fn with_clash(detail: Option<String>, clash: Option<&str>) -> Option<String> {
    let parts: Vec<String> = detail.into_iter().chain(clash.map(str::to_owned)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns a digest of the attributes that are still to be written, with their values.
pub(crate) fn to_write(context: &Context, owned: &OwnedTask, record: &Record) -> Option<String> {
    let link = record.link.as_ref()?;
    let clear = context.config.options.clear_missing_attributes;
    let paths = differences(&owned.wanted, link, &owned.targets, clear, true);
    if paths.is_empty() {
        return None;
    }
    let words: Vec<String> = paths
        .iter()
        .flat_map(|path| [path.to_string(), owned.wanted.get(path).map(Value::to_string).unwrap_or_default()])
        .collect();
    Some(fingerprint(words.iter().map(String::as_str)))
}
