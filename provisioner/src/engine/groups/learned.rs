//! What the target's writes to groups have shown, and the turns of those whose effect is not known yet.
//!
//! Each form of write is judged by its own read-back. A form that failed is tried again once in each run; one that removed
//! members which it did not name is not, until the connection is tested.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Mutex as Turns, MutexGuard};

use crate::config::{MemberDialect, Options};
use crate::id_set::IdSet;
use crate::state::groups::{FormSupport, LearnedGroups, MembersShown};

/// The number of members that one request adds or removes until the target has shown a limit.
const CHUNK: usize = 1000;

/// The forms of writes to groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// POST with members.
    Create,
    /// PATCH of the name.
    Rename,
    /// PATCH that adds members.
    Add,
    /// PATCH that removes members by a path with a value filter.
    RemoveByPath,
    /// PATCH that removes the members in its value.
    RemoveByValue,
    /// PUT of the whole group.
    Put,
}

/// What is known of the target, and what was tried in this run.
pub(crate) struct GroupCapabilities {
    dialect: MemberDialect,
    /// The number of members of one request, as configured.
    chunk: Option<usize>,
    learned: Mutex<LearnedGroups>,
    tried: Mutex<BTreeSet<Form>>,
    first: Turns<()>,
}

impl GroupCapabilities {
    pub(crate) fn new(learned: LearnedGroups, options: &Options) -> Self {
        Self {
            dialect: options.member_dialect,
            chunk: options.member_chunk.map(std::num::NonZeroUsize::get),
            learned: Mutex::new(learned),
            tried: Mutex::new(BTreeSet::new()),
            first: Turns::new(()),
        }
    }

    /// Returns all that was learned.
    pub(crate) fn learned(&self) -> LearnedGroups {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps a lesson.
    pub(crate) fn learn(&self, lesson: impl FnOnce(&mut LearnedGroups)) {
        lesson(&mut self.learned.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Returns what is known of a form.
    pub(crate) fn support(&self, form: Form) -> FormSupport {
        let learned = self.learned();
        match form {
            Form::Create => learned.create,
            Form::Rename => learned.rename,
            Form::Add => learned.add,
            Form::RemoveByPath => learned.remove_by_path,
            Form::RemoveByValue => learned.remove_by_value,
            Form::Put => learned.put,
        }
    }

    /// Keeps what a form has shown.
    pub(crate) fn note(&self, form: Form, support: FormSupport) {
        // One that failed in this run is not tried again in it.
        self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(form);
        self.learn(|learned| {
            let place = match form {
                Form::Create => &mut learned.create,
                Form::Rename => &mut learned.rename,
                Form::Add => &mut learned.add,
                Form::RemoveByPath => &mut learned.remove_by_path,
                Form::RemoveByValue => &mut learned.remove_by_value,
                Form::Put => &mut learned.put,
            };
            *place = support;
        });
    }

    /// Whether a form may be sent now: it is not known to fail, or it failed in an earlier run and is tried for the first
    /// time in this one.
    pub(crate) fn may_send(&self, form: Form) -> bool {
        let support = self.support(form);
        match support {
            FormSupport::Unknown | FormSupport::Works => true,
            FormSupport::RemovesOthers => false,
            FormSupport::Refused | FormSupport::Ignored => {
                self.tried.lock().unwrap_or_else(PoisonError::into_inner).insert(form)
            }
        }
    }

    /// Whether a form is not known to fail.
    pub(crate) fn works(&self, form: Form) -> bool {
        match self.support(form) {
            FormSupport::Unknown | FormSupport::Works => true,
            FormSupport::Refused | FormSupport::Ignored | FormSupport::RemovesOthers => false,
        }
    }

    /// Waits for the turn of a write whose effect is not known, or returns `None` for one that is known to work.
    pub(crate) async fn turn(&self, form: Form) -> Option<MutexGuard<'_, ()>> {
        if self.support(form) == FormSupport::Works {
            return None;
        }
        let turn = self.first.lock().await;
        // Another group may have shown it meanwhile.
        (self.support(form) != FormSupport::Works).then_some(turn)
    }

    /// Returns the forms of a removal in the order in which they are tried.
    pub(crate) fn removals(&self) -> &'static [Form] {
        match self.dialect {
            MemberDialect::Path => &[Form::RemoveByPath],
            MemberDialect::Value => &[Form::RemoveByValue],
            MemberDialect::Auto => &[Form::RemoveByPath, Form::RemoveByValue],
        }
    }

    /// Whether the form of removals is set by a person.
    pub(crate) const fn is_fixed(&self) -> bool {
        match self.dialect {
            MemberDialect::Path | MemberDialect::Value => true,
            MemberDialect::Auto => false,
        }
    }

    /// Returns the number of members that one request adds or removes.
    pub(crate) fn chunk(&self) -> usize {
        self.chunk.unwrap_or_else(|| self.learned().chunk.unwrap_or(CHUNK)).max(1)
    }

    /// Keeps that the target takes no more than `size` members in one request.
    pub(crate) fn limit_chunk(&self, size: usize) {
        if self.chunk.is_none() {
            self.learn(|learned| learned.chunk = Some(learned.chunk.map_or(size, |known| known.min(size))));
        }
    }

    /// Returns members that the target showed, unless it is known not to show them.
    pub(crate) fn trusted(&self, members: Option<&IdSet>) -> Option<IdSet> {
        if self.learned().members == MembersShown::Hidden {
            return None;
        }
        members.cloned()
    }
}
