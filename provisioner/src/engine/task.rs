//! The task of one user: the decision, and its input.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::context::Context;
use super::outcome::{OutcomePart, names};
use super::scope::{Owned, ScopeStatus, Subject};
use crate::account_values::comparable_value;
use crate::ids::SourceId;
use crate::mapping::{Desired, TargetPath};
use crate::policy::{
    AccountChange, AccountState, Leave, LeaveDecision, NoAccount, OwnedChange, OwnedDecision, decide_leave,
    decide_owned,
};
use crate::preferences::RemoveAction;
use crate::report::{ChangeLabel, Operation, Outcome, Reason};
use crate::state::index::Key;
use crate::state::{
    Learned, Link, LinkState, PathSupport, Record, ShownForm, WriteKind, differences, matched,
};
use crate::target::Trouble;
use crate::target::lookup::Lookup;
use crate::target::resource::Account;

/// One user with its decision.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) id: SourceId,
    pub(crate) record: Record,
    pub(crate) label: ChangeLabel,
    pub(crate) step: TaskStep,
    /// The user that held this user's account so far.
    pub(crate) moved_from: Option<SourceId>,
    /// The record's fingerprint after the user is settled.
    pub(crate) fingerprint: Option<String>,
    /// Parts that are reported beside the result of the step, such as those before the task was deferred.
    pub(crate) parts: Vec<OutcomePart>,
    /// The number of these parts that are stored already, if the task is tried a second time.
    pub(crate) told: usize,
    /// The reason for which the removal or disable, which the target refused before, is not tried in this run.
    pub(crate) held: Option<Trouble>,
    /// Why the rename could not be carried out, said beside a failure of it.
    pub(crate) rename_note: Option<String>,
}

/// The step of a task.
#[derive(Clone)]
pub(crate) enum TaskStep {
    /// The user is failed before anything could be decided.
    Fail(Trouble),
    /// The user is owned.
    Owned(OwnedTask),
    /// The user has left.
    Left { decision: LeaveDecision, leave: Leave },
}

/// The accounts that were found for a user without a link.
pub(crate) enum LookupResult {
    /// The user was not linked.
    Unlinked(Lookup),
    /// The user was linked, and the account is gone.
    InsteadOfGone(Lookup),
}

/// The reads of a linked account before its decision.
pub(crate) struct ReadAnew {
    /// The account, where it was read.
    pub(crate) account: Option<Box<Account>>,
    /// Whether the run compares every user with the account that it reads.
    pub(crate) full: bool,
}

/// The decision about an owned user, with the wanted values.
#[derive(Clone)]
pub(crate) struct OwnedTask {
    pub(crate) decision: OwnedDecision,
    pub(crate) wanted: Desired,
    pub(crate) enabled: bool,
    pub(crate) targets: Arc<[TargetPath]>,
    /// Attributes in which the account differs, as far as is known.
    pub(crate) differs: Vec<TargetPath>,
    /// The account, where this run has read it and something is to be written.
    pub(crate) base: Option<Arc<Account>>,
}

impl OwnedTask {
    /// Returns the parts that the preferences forbid, for a run and for a plan.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = OutcomePart> {
        let change = self.decision.change();
        let attributes = change.is_some_and(AccountChange::attributes_withheld).then(|| {
            let part = OutcomePart::withheld(Operation::Update, Reason::UpdationOff);
            part.with_detail(format!("differs: {}", names(&self.differs)))
        });
        let active = change.is_some_and(AccountChange::active_withheld).then(|| {
            let operation = if self.enabled { Operation::Enable } else { Operation::Disable };
            OutcomePart::withheld(operation, Reason::DisableOff)
        });
        attributes.into_iter().chain(active)
    }
}

impl Task {
    /// Returns how the account of an owned user is changed, or `None` if the user has no account or has left.
    pub(crate) const fn account_change(&self) -> Option<AccountChange> {
        match &self.step {
            TaskStep::Owned(owned) => owned.decision.change(),
            TaskStep::Fail(_) | TaskStep::Left { .. } => None,
        }
    }

    /// Returns the Remove Action that is to be carried out, if any.
    pub(crate) const fn removal(&self) -> Option<RemoveAction> {
        match &self.step {
            TaskStep::Left { decision: LeaveDecision::Remove(action), .. } => Some(*action),
            TaskStep::Left {
                decision:
                    LeaveDecision::Nothing
                    | LeaveDecision::AlreadyGone
                    | LeaveDecision::DeprovisionOff
                    | LeaveDecision::RuleDeletionOff,
                ..
            }
            | TaskStep::Fail(_)
            | TaskStep::Owned(_) => None,
        }
    }

    /// Whether the Remove Action is to be carried out.
    pub(crate) const fn removes(&self) -> bool {
        self.removal().is_some()
    }

    /// Whether an account is to be made.
    pub(crate) const fn creates(&self) -> bool {
        match &self.step {
            TaskStep::Owned(owned) => matches!(owned.decision, OwnedDecision::Create { .. }),
            TaskStep::Fail(_) | TaskStep::Left { .. } => false,
        }
    }

    /// Whether an account that was found is to be linked.
    pub(crate) const fn adopts(&self) -> bool {
        match &self.step {
            TaskStep::Owned(owned) => matches!(owned.decision, OwnedDecision::Adopt(_)),
            TaskStep::Fail(_) | TaskStep::Left { .. } => false,
        }
    }

    /// Whether the user has no account as far as is known, and it could not be found out which one it should have.
    pub(crate) fn is_unclear(&self) -> bool {
        let undecided = match &self.step {
            TaskStep::Fail(_) => true,
            TaskStep::Owned(owned) => owned.decision == OwnedDecision::NoAccount(NoAccount::AmbiguousMatch),
            TaskStep::Left { .. } => false,
        };
        undecided && self.record.link.is_none()
    }

    /// Whether a line without a write is reported: a removal is cancelled, or the last reported trouble is over.
    pub(crate) fn is_relieved(&self) -> bool {
        let told_of_trouble =
            self.record.last_reported.as_ref().is_some_and(|told| told.outcome != Outcome::Success);
        self.label == ChangeLabel::Returns || (told_of_trouble && matches!(self.step, TaskStep::Owned(_)))
    }

    /// Whether a request like those of the task has taken effect in this run.
    pub(crate) fn may_work_now(&self, context: &Context) -> bool {
        let capabilities = &context.capabilities;
        let change_may = self.account_change().is_some_and(|change| {
            (change.writes_attributes() && capabilities.has_worked(WriteKind::Attributes))
                || (change.active().is_some() && capabilities.has_worked(WriteKind::of(change.active())))
        });
        change_may
            || match self.removal() {
                Some(RemoveAction::Disable) => capabilities.has_worked(WriteKind::Disable),
                Some(RemoveAction::Delete) => capabilities.has_deleted(),
                None => false,
            }
    }

    /// Creates a task that only reports a failure.
    pub(crate) fn failed(subject: Subject, trouble: Trouble) -> Self {
        let label = match &subject.standing {
            ScopeStatus::Left(leave) => leave_label(&subject.record, *leave),
            ScopeStatus::Owned(owned) => label_of_unknown(&subject.record, owned),
        };
        let Subject { id, record, .. } = subject;
        Self {
            id,
            record,
            label,
            step: TaskStep::Fail(trouble),
            moved_from: None,
            fingerprint: None,
            parts: Vec::new(),
            told: 0,
            held: None,
            rename_note: None,
        }
    }

    /// Creates the task of a linked user that has left.
    pub(crate) fn left(context: &Context, id: SourceId, record: Record, leave: Leave) -> Self {
        let account = record.link.as_ref().map_or(AccountState::None, |link| AccountState::Linked {
            active: link.active,
            deprovisioned_here: link.state == LinkState::Removed,
        });
        let decision = decide_leave(context.config.preferences, leave, account);
        let label = match decision {
            LeaveDecision::Remove(_) => leave_label(&record, leave),
            LeaveDecision::Nothing
            | LeaveDecision::AlreadyGone
            | LeaveDecision::DeprovisionOff
            | LeaveDecision::RuleDeletionOff => leave.into(),
        };
        Self {
            id,
            record,
            label,
            step: TaskStep::Left { decision, leave },
            moved_from: None,
            fingerprint: None,
            parts: Vec::new(),
            told: 0,
            held: None,
            rename_note: None,
        }
    }

    /// Creates the task of an owned user that is linked.
    pub(crate) fn linked(
        context: &Context,
        id: SourceId,
        record: Record,
        link: &Link,
        owned: Owned,
        wanted: Desired,
        read: ReadAnew,
    ) -> Self {
        let clear = context.config.options.clear_missing_attributes;
        let again = read.full || record.was_ignored() || link.has_news(&context.capabilities.learned());
        let differs = differences(&wanted, link, &owned.targets, clear, again);
        let attributes = !differs.is_empty();
        let returns = link.state != LinkState::Owned;
        let change =
            if returns { OwnedChange::Returns { attributes } } else { OwnedChange::Stays { attributes } };
        let state = AccountState::Linked {
            active: link.active,
            deprovisioned_here: link.state == LinkState::Removed,
        };
        let decision = decide_owned(context.config.preferences, change, state, owned.enabled);
        let label = if returns {
            ChangeLabel::Returns
        } else {
            stays_label(&record, link, attributes, owned.enabled)
        };
        let writes = |change: AccountChange| change.writes_attributes() || change.active().is_some();
        let base = read.account.filter(|_| decision.change().is_some_and(writes)).map(Arc::from);
        Self::owned(id, record, label, decision, owned, wanted, differs).with_base(base)
    }

    /// Decides about an owned user without a link, after the look-up; `present` tells whether a user is in the source.
    pub(crate) fn entering(
        context: &Context,
        id: SourceId,
        mut record: Record,
        owned: Owned,
        wanted: Desired,
        found: LookupResult,
        present: &dyn Fn(Key) -> bool,
    ) -> Self {
        let label = label_of_unlinked(&record, owned.enabled);
        let mut differs = Vec::new();
        let mut moved_from = None;
        let state = match found {
            LookupResult::Unlinked(Lookup::None) => AccountState::None,
            LookupResult::InsteadOfGone(Lookup::None) => AccountState::LinkedGone,
            LookupResult::Unlinked(Lookup::Several(_)) | LookupResult::InsteadOfGone(Lookup::Several(_)) => {
                AccountState::Ambiguous
            }
            LookupResult::Unlinked(Lookup::One(account))
            | LookupResult::InsteadOfGone(Lookup::One(account)) => {
                let holder = context.claim(&account.id, &id);
                let mut link = link_to(&account, &owned, &wanted);
                link.late_disable = context.late_disable(&account, owned.enabled);
                let made_here = record.link.is_some();
                if made_here {
                    note_lost_origin(&mut link, &wanted, &context.capabilities.learned());
                }
                let active = link.active;
                let clear = context.config.options.clear_missing_attributes;
                differs = differences(&wanted, &link, &owned.targets, clear, !made_here);
                if holder == Key::from(&id) {
                    record.link = Some(link);
                    AccountState::UnlinkedMatch { active }
                } else if present(holder) {
                    AccountState::LinkedElsewhere { holder_in_source: true, active }
                } else {
                    context.hand_over(&account.id, &id);
                    record.link = Some(link);
                    moved_from = context.known_user(holder);
                    AccountState::LinkedElsewhere { holder_in_source: false, active }
                }
            }
        };
        let change = OwnedChange::Enters { attributes: !differs.is_empty() };
        let decision = decide_owned(context.config.preferences, change, state, owned.enabled);
        if !matches!(decision, OwnedDecision::Adopt(_)) {
            record.link = None;
        }
        Self { moved_from, ..Self::owned(id, record, label, decision, owned, wanted, differs) }
    }

    fn owned(
        id: SourceId,
        record: Record,
        label: ChangeLabel,
        decision: OwnedDecision,
        owned: Owned,
        wanted: Desired,
        differs: Vec<TargetPath>,
    ) -> Self {
        let Owned { enabled, targets, fingerprint, .. } = owned;
        let step = TaskStep::Owned(OwnedTask { decision, wanted, enabled, targets, differs, base: None });
        Self {
            id,
            record,
            label,
            step,
            moved_from: None,
            fingerprint: Some(fingerprint),
            parts: Vec::new(),
            told: 0,
            held: None,
            rename_note: None,
        }
    }

    /// Creates the task of a linked user who cannot be mapped. A Disable or Enable needs no mapping, so it is not
    /// withheld.
    pub(crate) fn unmapped(context: &Context, subject: Subject, trouble: Trouble) -> Self {
        let (Some(link), ScopeStatus::Owned(owned)) = (subject.record.link.clone(), &subject.standing) else {
            return Self::failed(subject, trouble);
        };
        if link.active == owned.enabled || !context.config.preferences.disables() {
            return Self::failed(subject, trouble);
        }
        let wanted = Desired::only_user_name(&subject.record.name_at(&link));
        let (targets, fingerprint) = (Arc::from([]), owned.fingerprint.clone());
        let owned = Owned { enabled: owned.enabled, wanted: Ok(wanted.clone()), targets, fingerprint };
        let Subject { id, record, .. } = subject;
        let read = ReadAnew { account: None, full: false };
        let mut task = Self::linked(context, id, record, &link, owned, wanted, read);
        if let TaskStep::Owned(owned) = &mut task.step {
            owned.differs.clear();
            owned.decision = owned.decision.map_change(AccountChange::without_attributes);
        }
        task.parts.push(OutcomePart { decided: false, ..OutcomePart::failed(Operation::None, trouble) });
        task
    }

    /// Returns the task with the account as this run has read it, so that it is not read twice.
    fn with_base(mut self, base: Option<Arc<Account>>) -> Self {
        if let TaskStep::Owned(owned) = &mut self.step {
            owned.base = base;
        }
        self
    }
}

fn link_to(account: &Account, owned: &Owned, wanted: &Desired) -> Link {
    let paths = owned.targets.iter().chain(wanted.iter().map(|(path, _)| path));
    Link {
        account: account.id.clone(),
        carries: matched(account, wanted, paths),
        shows: BTreeMap::new(),
        active: account.active(),
        written: None,
        late_disable: None,
        state: LinkState::Owned,
    }
}

/// Notes in the link of an account made by a create that was cut off that `externalId` was not stored, if a POST is known
/// not to store it.
fn note_lost_origin(link: &mut Link, wanted: &Desired, learned: &Learned) {
    let path = TargetPath::external_id();
    if let Some(value) = wanted.get(&path)
        && !link.carries.contains_key(&path)
        && learned.paths.post.get(&path) == Some(&PathSupport::NotStored)
    {
        let sent = Some(comparable_value(&path, value));
        link.shows.insert(path, ShownForm::Ignored { sent, alone: false, failed: false });
    }
}

fn leave_label(record: &Record, leave: Leave) -> ChangeLabel {
    match record.link.as_ref().map(|link| link.state) {
        Some(LinkState::Pending(_)) => ChangeLabel::Retry,
        Some(LinkState::Owned | LinkState::Removed | LinkState::Withheld(_)) | None => leave.into(),
    }
}

fn label_of_unlinked(record: &Record, enabled: bool) -> ChangeLabel {
    let was_disabled = record
        .last_reported
        .as_ref()
        .is_some_and(|told| told.outcome == Outcome::Unsynced && told.wanted_active == Some(false));
    if was_disabled && enabled { ChangeLabel::Enabled } else { ChangeLabel::Enters }
}

fn label_of_unknown(record: &Record, owned: &Owned) -> ChangeLabel {
    match &record.link {
        Some(link) if link.state != LinkState::Owned => ChangeLabel::Returns,
        Some(link) => stays_label(record, link, false, owned.enabled),
        None => label_of_unlinked(record, owned.enabled),
    }
}

/// Returns the change of a user that stays: `active` is compared with the account, or else with the value wanted last.
fn stays_label(record: &Record, link: &Link, attributes: bool, enabled: bool) -> ChangeLabel {
    let wanted_last =
        record.last_reported.as_ref().and_then(|told| told.wanted_active).unwrap_or(link.active);
    let was = if link.active == enabled { wanted_last } else { link.active };
    match (attributes, was, enabled) {
        (false, true, false) => ChangeLabel::Disabled,
        (false, false, true) => ChangeLabel::Enabled,
        (true, true, false) => ChangeLabel::AttributesAndDisabled,
        (true, false, true) => ChangeLabel::AttributesAndEnabled,
        (_, true, true) | (_, false, false) => ChangeLabel::Attributes,
    }
}
