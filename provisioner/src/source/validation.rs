//! Validation of records: each is a user, and no two have one id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::problems::{Place, Problems};
use super::{SourceProblem, SourceUser};
use crate::ids::SourceId;

/// Users of a batch.
const BATCH: usize = 1000;

/// The users of a file as they are read: they are handed on in batches.
pub(super) struct Collector<'a> {
    pub(super) problems: Problems,
    ids: UniqueIds,
    batch: Vec<SourceUser>,
    yield_users: &'a mut dyn FnMut(Vec<SourceUser>) -> bool,
    is_unwanted: bool,
    /// Whether the users come from pages in files of their own.
    has_pages: bool,
}

impl<'a> Collector<'a> {
    pub(super) fn new(yield_users: &'a mut dyn FnMut(Vec<SourceUser>) -> bool) -> Self {
        Self {
            problems: Problems::default(),
            ids: UniqueIds::default(),
            batch: Vec::new(),
            yield_users,
            is_unwanted: false,
            has_pages: false,
        }
    }

    /// Adds one record.
    pub(super) fn record(&mut self, place: Place, value: Value) {
        match user(value, place.line) {
            Ok(user) => self.batch.push(user),
            Err(problem) => self.problems.push(Some(place), problem),
        }
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    /// Hands on the users of a part that was parsed by itself.
    pub(super) fn part(&mut self, users: Vec<SourceUser>, problems: Problems) {
        self.problems.append(problems);
        self.batch = users;
        self.flush();
    }

    /// Hands on the users that wait.
    pub(super) fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        for user in &batch {
            if let Some(first) = self.ids.insert(user) {
                let id = || user.id.to_string();
                let problem = || {
                    if self.has_pages {
                        SourceProblem::RepeatedUser { id: id() }
                    } else {
                        SourceProblem::DuplicateId { id: id(), first }
                    }
                };
                self.problems.push_with(|| (Some(Place { line: user.line, column: 1 }), problem()));
            }
        }
        if !batch.is_empty() {
            self.is_unwanted |= !(self.yield_users)(batch);
        }
    }

    /// Whether nobody takes the users any longer.
    pub(super) const fn is_unwanted(&self) -> bool {
        self.is_unwanted
    }

    /// Begins a page that is a file of its own: lines of one page say nothing about another.
    pub(super) fn begin_page(&mut self) {
        self.has_pages = true;
    }
}

/// The ids of the users so far with their lines: digests of them, because a source may have millions.
#[derive(Default)]
pub(crate) struct UniqueIds {
    seen: HashMap<[u8; 12], u32>,
}

impl UniqueIds {
    /// Adds the user's id, and returns the line of the user that has it already.
    pub(crate) fn insert(&mut self, user: &SourceUser) -> Option<usize> {
        match self.seen.entry(digest(&user.id)) {
            Entry::Vacant(vacant) => {
                vacant.insert(u32::try_from(user.line).unwrap_or(u32::MAX));
                None
            }
            Entry::Occupied(first) => Some(usize::try_from(*first.get()).unwrap_or(usize::MAX)),
        }
    }
}

/// Returns 96 bits that identify an id.
fn digest(id: &SourceId) -> [u8; 12] {
    let hash = Sha256::digest(id.as_str().as_bytes());
    let mut digest = [0; 12];
    digest.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    digest
}

/// Reads one user, on line `line`.
pub(crate) fn user(attributes: Value, line: usize) -> Result<SourceUser, SourceProblem> {
    let Value::Object(members) = &attributes else {
        return Err(SourceProblem::NotAnObject(kind(Some(&attributes))));
    };
    if members.get("_embedded").is_some_and(|embedded| embedded.get("users").is_some()) {
        return Err(SourceProblem::PageAsUser);
    }
    let id = text(members.get("id")).map_err(SourceProblem::BadId)?;
    let username = text(members.get("username"))
        .map_err(|found| SourceProblem::BadUsername { id: id.to_owned(), found })?
        .to_owned();
    let enabled = match members.get("enabled") {
        None => true,
        Some(Value::Bool(enabled)) => *enabled,
        Some(other) => {
            return Err(SourceProblem::BadEnabled { id: id.to_owned(), found: not_a_boolean(other) });
        }
    };
    let id = SourceId::try_from(id).map_err(|_| SourceProblem::BadId("an empty text"))?;
    Ok(SourceUser { id, username, enabled, attributes, line })
}

/// Describes a value in place of a boolean. A text is quoted, because it is a word of the export and not of the person.
fn not_a_boolean(value: &Value) -> String {
    const SHOWN: usize = 20;
    match value {
        Value::String(text) if !text.trim().is_empty() => {
            let more = if text.chars().count() > SHOWN { "…" } else { "" };
            format!("the text {:?}{more}", text.chars().take(SHOWN).collect::<String>())
        }
        Value::Number(number) => format!("the number {number}"),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            kind(Some(value)).to_owned()
        }
    }
}

/// Returns a text that is not blank; the error describes any other value.
fn text(value: Option<&Value>) -> Result<&str, &'static str> {
    match value {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        other => Err(kind(other)),
    }
}

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(text)) if text.trim().is_empty() => "an empty text",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
}
