//! Validation of records: each is a user, and no two have one id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde_json::Value;

use super::error::line;
use super::{Problems, SourceProblem, SourceUser};
use crate::ids::SourceId;

/// A parsed record and the byte where it starts.
pub(super) struct Record {
    pub(super) offset: usize,
    pub(super) value: Value,
}

/// Reads users from the records, in their order.
pub(super) fn users(text: &str, records: Vec<Record>, problems: &mut Problems) -> Vec<SourceUser> {
    let (mut at_line, mut counted) = (1, 0);
    let (mut users, mut offsets) = (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
    for Record { offset, value } in records {
        at_line += text.get(counted..offset).unwrap_or_default().matches('\n').count();
        counted = offset;
        match user(value, at_line) {
            Ok(user) => {
                users.push(user);
                offsets.push(offset);
            }
            Err(problem) => problems.push((Some(offset), problem)),
        }
    }
    let mut seen = HashMap::with_capacity(users.len());
    for (offset, user) in offsets.iter().zip(&users) {
        match seen.entry(&user.id) {
            Entry::Vacant(vacant) => {
                vacant.insert(*offset);
            }
            Entry::Occupied(first) => {
                problems.push_with(|| {
                    let first = line(text, *first.get());
                    (Some(*offset), SourceProblem::DuplicateId { id: user.id.to_string(), first })
                });
            }
        }
    }
    users
}

fn user(attributes: Value, line: usize) -> Result<SourceUser, SourceProblem> {
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
