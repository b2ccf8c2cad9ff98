//! The types of values, and their descriptions in reports.

use serde_json::Value;

use crate::case::expect::Kind;
use crate::casing::lower_case;
use crate::json::{get, is_absent, same};

pub(super) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), lower_case)
}

pub(super) fn shown(value: Option<&Value>) -> Value {
    value.cloned().unwrap_or(Value::Null)
}

/// Describes a value in a sentence.
pub(super) fn brief(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "missing".to_owned(),
        Some(value) => cut(&value.to_string()),
    }
}

pub(super) fn cut(text: &str) -> String {
    const MOST: usize = 160;
    match text.char_indices().nth(MOST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

pub(super) fn has_schema(body: &Value, urn: &str) -> bool {
    let schemas = get(body, "schemas").and_then(Value::as_array);
    schemas.is_some_and(|schemas| {
        schemas.iter().filter_map(Value::as_str).any(|known| known.eq_ignore_ascii_case(urn))
    })
}

/// Returns the members in which two objects differ.
pub(crate) fn differing(before: &Value, now: &Value) -> (Value, Value) {
    let (Some(a), Some(b)) = (before.as_object(), now.as_object()) else {
        return (before.clone(), now.clone());
    };
    let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let null = Value::Null;
    let differs = |name: &&&String| {
        let (a, b) = (a.get(**name).unwrap_or(&null), b.get(**name).unwrap_or(&null));
        !(same(a, b) || is_absent(Some(a)) && is_absent(Some(b)))
    };
    let side = |side: &serde_json::Map<String, Value>| {
        names
            .iter()
            .filter(differs)
            .map(|name| ((*name).clone(), side.get(*name).cloned().unwrap_or_default()))
            .collect::<Value>()
    };
    (side(a), side(b))
}

pub(super) fn is(kind: Kind, value: Option<&Value>) -> bool {
    if kind == Kind::Absent || is_absent(value) {
        return (kind == Kind::Absent && is_absent(value))
            || (kind == Kind::Array && value.is_some_and(Value::is_array));
    }
    let Some(value) = value else { return false };
    match kind {
        Kind::Present => true,
        Kind::Absent => false,
        Kind::String => value.is_string(),
        Kind::NonEmptyString => value.as_str().is_some_and(|text| !text.is_empty()),
        Kind::Boolean => value.is_boolean(),
        Kind::Integer => value.is_i64() || value.is_u64(),
        Kind::Object => value.is_object(),
        Kind::Array => value.is_array(),
        Kind::DateTime => value.as_str().is_some_and(is_date_time),
        Kind::Uri => value.as_str().is_some_and(|text| {
            !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "<>\"{}|\\^`".contains(c))
        }),
    }
}

/// Whether a text is an `xsd:dateTime` with a zone: `2026-05-04T10:00:00.5Z`, `…+02:00`.
pub(super) fn is_date_time(text: &str) -> bool {
    text.contains(['T', 't']) && text.parse::<jiff::Timestamp>().is_ok()
}
