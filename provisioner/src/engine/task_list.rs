//! The tasks of a run. Those of users for whom nothing was found at the target follow from their data, so they are made again when
//! their turn comes: a first run of a million users keeps their places only.

use super::context::Context;
use super::correlate::decide_again;
use super::distribute::digest;
use super::scope::{ScopeStatus, Subject};
use super::task::{Task, TaskStep};
use crate::policy::{AccountChange, OwnedDecision};
use crate::target::Halt;

/// The tasks in the order of the pending users.
#[derive(Default)]
pub(crate) struct TaskList {
    slots: Vec<Slot>,
    /// Whether the run is a full one.
    full: bool,
}

enum Slot {
    /// The task, and the place of its user among the pending ones if its decision can be made again.
    Kept(Box<Task>, Option<u32>),
    /// The place of the user among the pending ones.
    Remade(u32),
}

impl TaskList {
    /// Creates an empty list of a run that is `full` or not.
    pub(crate) const fn new(full: bool) -> Self {
        Self { slots: Vec::new(), full }
    }

    /// Adds the task of the pending user at `place`; `may_wait` tells whether its decision can be made again.
    pub(crate) fn push(&mut self, place: usize, task: Task, may_wait: bool) {
        let place = u32::try_from(place).ok().filter(|_| may_wait);
        self.slots.push(match place {
            Some(place) if can_be_remade(&task) => Slot::Remade(place),
            Some(_) | None => Slot::Kept(Box::new(task), place),
        });
    }

    /// Adds the task of the pending user at `place`, for whom an account is created.
    pub(crate) fn push_create(&mut self, place: usize) {
        // A census has no more users than that.
        self.slots.extend(u32::try_from(place).map(Slot::Remade));
    }

    /// Returns the number of tasks.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Returns the tasks that are kept: all but those of users that are created, or that are updated as they were last time.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Task> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Kept(task, _) => Some(&**task),
            Slot::Remade(_) => None,
        })
    }

    /// Returns the tasks of [`TaskList::kept`], to be changed.
    pub(crate) fn kept_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Kept(task, _) => Some(&mut **task),
            Slot::Remade(_) => None,
        })
    }

    /// Drops tasks among [`TaskList::kept`].
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&Task) -> bool) {
        self.slots.retain(|slot| match slot {
            Slot::Kept(task, _) => is_kept(task),
            Slot::Remade(_) => true,
        });
    }

    /// Returns the positions in the order in which the tasks are carried out.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)).collect();
        // An account that takes nothing shows nothing of the target: it is not the first to be asked.
        order.sort_by_key(|at| {
            let slot = self.slots.get(*at as usize);
            matches!(slot, Some(Slot::Kept(task, _)) if task.record.was_sent_in_vain())
        });
        order
    }

    /// Whether the run is a full one.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the task at a position follows from the data of its user and its record, and is carried out as it was decided.
    pub(crate) fn follows_from_data(&self, at: usize) -> bool {
        match self.slots.get(at) {
            Some(Slot::Remade(_)) => true,
            Some(Slot::Kept(task, Some(_))) => {
                let sends = match &task.step {
                    TaskStep::Owned(owned) => match owned.decision {
                        OwnedDecision::Create { drops_link } => !drops_link,
                        OwnedDecision::Linked(_) => true,
                        OwnedDecision::Adopt(_)
                        | OwnedDecision::NotCreated { .. }
                        | OwnedDecision::NoAccount(_) => false,
                    },
                    TaskStep::Left { .. } => task.removes(),
                    TaskStep::Fail(_) => false,
                };
                sends && task.moved_from.is_none() && task.parts.is_empty() && task.held.is_none()
            }
            Some(Slot::Kept(_, None)) | None => false,
        }
    }

    /// Returns the user of the task at a position, with the digest of its stored record.
    ///
    /// # Errors
    /// The state or the spool cannot be read: the run is stopped.
    pub(crate) async fn subject(
        &self,
        context: &Context,
        at: usize,
    ) -> Result<Option<(Subject, Option<String>)>, Halt> {
        let place = match self.slots.get(at) {
            Some(Slot::Remade(place) | Slot::Kept(_, Some(place))) => *place as usize,
            Some(Slot::Kept(_, None)) | None => return Ok(None),
        };
        let Some(pending) = context.census.pending.get(place).copied() else { return Ok(None) };
        let record = match context.census.entry(pending).map(|entry| entry.row) {
            Some(row) => context.record(row).await?,
            None => None,
        };
        let stored = record.as_ref().map(|(_, record)| digest(record));
        let subject = context.subject(pending, record, self.full, &mut Vec::new())?;
        Ok(subject.map(|subject| (subject, stored)))
    }

    /// Returns the user of the task at a position with its present record, after workers have begun with it.
    ///
    /// # Errors
    /// The state or the spool cannot be read: the run is stopped.
    pub(crate) async fn begun(&self, context: &Context, at: usize) -> Result<Option<Subject>, Halt> {
        let Some((subject, _)) = self.subject(context, at).await? else { return Ok(None) };
        let found = context.store().record_of(subject.id.clone()).await;
        let found = found.map_err(|error| context.stop_for_state(&error))?;
        let Some(mut record) = found else { return Ok(Some(subject)) };
        record.posted = record.unresolved_create(&subject.id);
        if matches!(subject.standing, ScopeStatus::Owned(_)) {
            record.user_name = subject.record.user_name;
            record.rule = subject.record.rule;
        }
        Ok(Some(Subject { record, ..subject }))
    }

    /// Returns a copy of the task at a position.
    ///
    /// # Errors
    /// The state or the spool cannot be read: the run is stopped.
    pub(crate) async fn get(&self, context: &Context, at: usize) -> Result<Option<Task>, Halt> {
        match self.slots.get(at) {
            Some(Slot::Kept(task, _)) => Ok(Some((**task).clone())),
            Some(Slot::Remade(place)) => remake(context, *place as usize, self.full).await,
            None => Ok(None),
        }
    }
}

/// Whether the task follows from the data of its user, and the delete guard need not look at it.
fn can_be_remade(task: &Task) -> bool {
    let is_plain = task.moved_from.is_none()
        && task.parts.is_empty()
        && task.held.is_none()
        && task.record.link.as_ref().is_none_or(|link| link.shows.is_empty())
        && !task.record.was_ignored();
    let owned = match &task.step {
        TaskStep::Owned(owned) => owned,
        TaskStep::Fail(_) | TaskStep::Left { .. } => return false,
    };
    is_plain
        && match owned.decision {
            OwnedDecision::Create { drops_link } => !drops_link,
            OwnedDecision::Linked(change) => matches!(change, AccountChange::Attributes { .. }),
            OwnedDecision::Adopt(_) | OwnedDecision::NotCreated { .. } | OwnedDecision::NoAccount(_) => false,
        }
}

async fn remake(context: &Context, place: usize, full: bool) -> Result<Option<Task>, Halt> {
    let Some(pending) = context.census.pending.get(place).copied() else { return Ok(None) };
    let record = context.census.entry(pending).map(|entry| entry.row);
    let record = match record {
        Some(row) => context.record(row).await?,
        None => None,
    };
    let subject = context.subject(pending, record, full, &mut Vec::new())?;
    Ok(subject.and_then(|subject| decide_again(context, subject, full)))
}
