//! The tasks of a run. Those of users for whom nothing was found at the target follow from their data, so they are made again when
//! their turn comes: a first run of a million users keeps their places only.

use super::context::Context;
use super::correlate::decide_again;
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
    /// The task.
    Kept(Box<Task>),
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
        self.slots.push(match u32::try_from(place) {
            Ok(place) if may_wait && can_be_remade(&task) => Slot::Remade(place),
            Ok(_) | Err(_) => Slot::Kept(Box::new(task)),
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
            Slot::Kept(task) => Some(&**task),
            Slot::Remade(_) => None,
        })
    }

    /// Returns the tasks of [`TaskList::kept`], to be changed.
    pub(crate) fn kept_mut(&mut self) -> impl Iterator<Item = &mut Task> {
        self.slots.iter_mut().filter_map(|slot| match slot {
            Slot::Kept(task) => Some(&mut **task),
            Slot::Remade(_) => None,
        })
    }

    /// Drops tasks among [`TaskList::kept`].
    pub(crate) fn retain(&mut self, is_kept: impl Fn(&Task) -> bool) {
        self.slots.retain(|slot| match slot {
            Slot::Kept(task) => is_kept(task),
            Slot::Remade(_) => true,
        });
    }

    /// Returns the positions in the order in which the tasks are carried out.
    pub(crate) fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(self.slots.len()).unwrap_or(u32::MAX)).collect();
        // An account that takes nothing shows nothing of the target: it is not the first to be asked.
        order.sort_by_key(|at| {
            let slot = self.slots.get(*at as usize);
            matches!(slot, Some(Slot::Kept(task)) if task.record.was_sent_in_vain())
        });
        order
    }

    /// Returns a copy of the task at a position.
    ///
    /// # Errors
    /// The state or the spool cannot be read: the run is stopped.
    pub(crate) fn get(&self, context: &Context, at: usize) -> Result<Option<Task>, Halt> {
        match self.slots.get(at) {
            Some(Slot::Kept(task)) => Ok(Some((**task).clone())),
            Some(Slot::Remade(place)) => remake(context, *place as usize, self.full),
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

fn remake(context: &Context, place: usize, full: bool) -> Result<Option<Task>, Halt> {
    let Some(pending) = context.census.pending.get(place).copied() else { return Ok(None) };
    let record = context.census.entry(pending).map(|entry| entry.row);
    let record = match record {
        Some(row) => context.records_now(&[row])?.pop(),
        None => None,
    };
    let subject = context.subject(pending, record, full, &mut Vec::new())?;
    Ok(subject.and_then(|subject| decide_again(context, subject, full)))
}
