//! Notes on what of a request was passed over: query parameters and members of messages that nothing knows, and what the
//! server alone writes.

use hyper::Method;
use scim::path::{AttrPath, get_ci};
use scim::schema::Mutability;
use serde_json::{Map, Value};

use super::notes::{meant, shown};
use super::query::parameters;
use super::{Target, target};
use crate::application::Settings;
use crate::journal::{Note, NoteKind};
use crate::nearest::nearest;
use crate::types::Kind;

/// What a query can say (RFC 7644 §3.4.2, RFC 9865 §2).
const PARAMETERS: [&str; 8] =
    ["filter", "startIndex", "count", "cursor", "sortBy", "sortOrder", "attributes", "excludedAttributes"];

/// What other APIs call those. In lower case, without `_` and `-`.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("limit", "count"),
    ("size", "count"),
    ("pagesize", "count"),
    ("perpage", "count"),
    ("page", "startIndex"),
    ("offset", "startIndex"),
    ("skip", "startIndex"),
    ("start", "startIndex"),
    ("sort", "sortBy"),
    ("orderby", "sortBy"),
    ("order", "sortOrder"),
    ("fields", "attributes"),
    ("select", "attributes"),
    ("exclude", "excludedAttributes"),
    ("q", "filter"),
    ("query", "filter"),
    ("search", "filter"),
];

/// Notes on a request that succeeded; the path is the one below the base URL.
pub(crate) fn of_request(
    settings: &Settings,
    method: &Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Vec<Note> {
    let mut notes = Vec::new();
    let searches = *method == Method::POST;
    if query.is_empty() && !searches && *method != Method::PUT {
        return notes;
    }
    let target = target(settings, path);
    let kinds = asked_about(settings, target);
    for (name, value) in parameters(query) {
        if !PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            notes.push(unknown(&name, "a query parameter", &PARAMETERS));
        }
        check(&name, &value, &kinds, &mut notes);
    }
    match target {
        Target::RootSearch | Target::Search(_) if searches => search(body, &kinds, &mut notes),
        Target::Collection(kind) if searches => resource(settings.types.get(kind), None, body, &mut notes),
        Target::Resource(kind, id) if *method == Method::PUT => {
            resource(settings.types.get(kind), Some(id), body, &mut notes);
        }
        _ => {}
    }
    notes
}

/// The resource types whose attributes a query can name.
fn asked_about<'s>(settings: &'s Settings, target: Target<'_>) -> Vec<&'s Kind> {
    match target {
        Target::Collection(kind) | Target::Search(kind) | Target::Resource(kind, _) => {
            vec![settings.types.get(kind)]
        }
        Target::Root | Target::RootSearch | Target::Me => settings.types.all().iter().collect(),
        _ => Vec::new(),
    }
}

fn note(path: &str, nearest: Option<String>, what: &str) -> Note {
    let hint = nearest.as_ref().map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
    let path = shown(path);
    Note { kind: NoteKind::Dropped, text: format!("`{path}` {what}{hint}"), path, nearest }
}

fn unknown(name: &str, what: &str, known: &[&str]) -> Note {
    let plain: String = name.chars().filter(|sign| !matches!(sign, '_' | '-' | '$')).collect();
    let lower = plain.to_ascii_lowercase();
    let other = OTHER_NAMES.iter().find(|(other, name)| *other == lower && known.contains(name));
    let nearest = other.map(|(_, name)| *name).or_else(|| nearest(&plain, known.iter().copied()));
    note(name, nearest.map(str::to_owned), &format!("is not {what} and was passed over"))
}

/// Looks at what a parameter says, as far as a wrong value is passed over.
fn check(name: &str, value: &str, kinds: &[&Kind], notes: &mut Vec<Note>) {
    if name.eq_ignore_ascii_case("sortOrder") {
        let known = ["ascending", "descending"];
        let value = value.trim();
        if !value.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            let hint = nearest(value, known).map(str::to_owned);
            let value = shown(value);
            notes.push(note(
                "sortOrder",
                hint,
                &format!("is `{value}`, which is neither ascending nor descending"),
            ));
        }
    } else if name.eq_ignore_ascii_case("attributes") || name.eq_ignore_ascii_case("excludedAttributes") {
        for path in value.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            check_attribute(name, path, kinds, notes);
        }
    }
}

fn check_attribute(parameter: &str, written: &str, kinds: &[&Kind], notes: &mut Vec<Note>) {
    if kinds.is_empty() || written.eq_ignore_ascii_case("schemas") {
        return;
    }
    let path = written.parse::<AttrPath>().ok();
    let knows = |kind: &&Kind| {
        path.as_ref()
            .is_some_and(|path| kind.schemas.locate(path).is_some() || kind.schemas.schema_at(path).is_some())
    };
    if !kinds.iter().any(knows) {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let hint = kinds.iter().find_map(|kind| meant(&kind.schemas, written));
        let what = format!("in `{parameter}` is not an attribute of {}", names.join(" or "));
        notes.push(note(written, hint, &what));
    }
}

/// The body of a search (RFC 7644 §3.4.3).
fn search(body: &[u8], kinds: &[&Kind], notes: &mut Vec<Note>) {
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) else { return };
    for (name, value) in &members {
        if !name.eq_ignore_ascii_case("schemas")
            && !PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(name))
        {
            notes.push(unknown(name, "a member of a search request", &PARAMETERS));
        }
        match value {
            Value::String(value) => check(name, value, kinds, notes),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_str).for_each(|value| check(name, value, kinds, notes));
            }
            _ => {}
        }
    }
}

/// The members of PATCH operations that none has.
pub(super) fn of_operations(message: &Value) -> Vec<Note> {
    const MEMBERS: [&str; 3] = ["op", "path", "value"];
    let Some(Value::Array(operations)) = message.as_object().and_then(|all| get_ci(all, "Operations")) else {
        return Vec::new();
    };
    let mut notes: Vec<Note> = Vec::new();
    for name in operations.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !MEMBERS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            let one = unknown(name, "a member of a PATCH operation", &MEMBERS);
            if !notes.contains(&one) {
                notes.push(one);
            }
        }
    }
    notes
}

/// The body of a POST or a PUT. A client that writes a resource back sends what the server wrote, so with a PUT only
/// another id is told.
fn resource(kind: &Kind, id: Option<&str>, body: &[u8], notes: &mut Vec<Note>) {
    if !is_suspicious(kind, body) {
        return;
    }
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(body) else { return };
    for (name, value) in &members {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let is_own = is("id") || is("meta") || read_only(kind).any(is);
        let is_empty = match value {
            Value::Null => true,
            Value::Array(values) => values.is_empty(),
            Value::Object(members) => members.is_empty(),
            _ => false,
        };
        let is_told = match id {
            None => is_own && !is_empty,
            Some(id) => is("id") && value.as_str() != Some(id) && !id.contains('%'),
        };
        if is_told {
            notes.push(note(name, None, "is written by the server alone and was left out"));
        }
        if let Value::Array(urns) = value
            && is("schemas")
        {
            for urn in urns.iter().filter_map(Value::as_str).filter(|urn| !knows(kind, urn)) {
                let nearest = nearest(urn, kind.schemas.schemas().map(|schema| schema.id().as_str()));
                let what = format!("in `schemas` is not a schema of {}", kind.name());
                notes.push(note(urn, nearest.map(str::to_owned), &what));
            }
        }
    }
}

fn knows(kind: &Kind, urn: &str) -> bool {
    kind.schemas.schemas().any(|schema| schema.id().as_str().eq_ignore_ascii_case(urn))
}

fn read_only(kind: &Kind) -> impl Iterator<Item = &str> {
    let attributes = kind.schemas.core().attributes().iter();
    attributes.filter(|attr| attr.mutability == Mutability::ReadOnly).map(|attr| attr.name.as_str())
}

/// Whether a body is worth being read again: most have nothing of all this.
fn is_suspicious(kind: &Kind, body: &[u8]) -> bool {
    let has = |name: &str| memchr::memmem::find(body, format!("\"{name}\"").as_bytes()).is_some();
    let unknown_urn = || {
        memchr::memmem::find_iter(body, b"\"urn:").any(|at| {
            let text = &body[at + 1..];
            let end = memchr::memchr(b'"', text).unwrap_or(text.len());
            !str::from_utf8(&text[..end]).is_ok_and(|urn| knows(kind, urn))
        })
    };
    has("id") || has("meta") || read_only(kind).any(has) || unknown_urn()
}
