//! Notes on what of a request was passed over: query parameters and members of messages that nothing knows, and what the
//! server alone writes.

use hyper::Method;
use scim::decode::MAX_DROPPED;
use scim::filter::PatchPath;
use scim::json::get_ci;
use scim::patch::PatchRequest;
use scim::path::AttrPath;
use scim::schema::{Mutability, Schema};
use serde_json::{Map, Value};

use super::filters::names;
use super::notes::{note, shown};
use super::query::parameters;
use super::resource::Taken;
use crate::gateway::Settings;
use crate::journal::Note;
use crate::route::Route;
use crate::types::{TypeId, TypeInfo};
use crate::units::suggest::{attribute_name, nearest};

/// What a query can say (RFC 7644 §3.4.2, RFC 9865 §2).
const PARAMETERS: [&str; 8] =
    ["filter", "startIndex", "count", "cursor", "sortBy", "sortOrder", "attributes", "excludedAttributes"];

/// Those of them that a request about one resource can have (RFC 7644 §3.9).
const PROJECTION: [&str; 2] = ["attributes", "excludedAttributes"];

/// What other APIs call those, in lower case, without `_` and `-`.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("count", &["limit", "size", "pagesize", "perpage"]),
    ("startIndex", &["page", "offset", "skip", "start"]),
    ("sortBy", &["sort", "orderby"]),
    ("sortOrder", &["order"]),
    ("attributes", &["fields", "select"]),
    ("excludedAttributes", &["exclude"]),
    ("filter", &["q", "query", "search"]),
];

/// Notes on a request that succeeded.
pub(crate) fn of_request(
    settings: &Settings,
    method: &Method,
    route: Route<'_, TypeId>,
    query: &str,
    body: &[u8],
) -> Vec<Note> {
    let mut notes = Vec::new();
    let searches = matches!(route, Route::RootSearch | Route::Search(_)) && *method == Method::POST;
    // Most queries hold nothing to note, and need not be decoded a second time.
    let is_plain =
        |pair: &str| ["filter=", "startIndex=", "count="].iter().any(|name| pair.starts_with(name));
    let is_plain = query.is_empty() || (lists(method, route) && query.split('&').all(is_plain));
    if is_plain && !searches {
        return notes;
    }
    let kinds = asked_about(settings, route);
    for (name, value) in parameters(if is_plain { "" } else { query }) {
        if !PARAMETERS.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            notes.push(unknown(&name, "a query parameter", &PARAMETERS));
        } else if !lists(method, route) && !PROJECTION.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            notes.push(note(&name, None, "is for lists, and was passed over here"));
        }
        check(&name, &value, &kinds, &mut notes);
    }
    if searches {
        search(body, &kinds, &mut notes);
    }
    notes
}

/// Whether the query of a request can be that of a list.
fn lists(method: &Method, route: Route<'_, TypeId>) -> bool {
    match route {
        Route::Root | Route::Collection(_) => *method != Method::POST,
        Route::Resource(..) | Route::Me => false,
        _ => true,
    }
}

/// The resource types whose attributes a query can name.
fn asked_about<'s>(settings: &'s Settings, route: Route<'_, TypeId>) -> Vec<&'s TypeInfo> {
    match route {
        Route::Collection(kind) | Route::Search(kind) | Route::Resource(kind, _) => {
            vec![settings.types.get(kind)]
        }
        Route::Root | Route::RootSearch | Route::Me => settings.types.all().iter().collect(),
        _ => Vec::new(),
    }
}

fn unknown(name: &str, what: &str, known: &[&str]) -> Note {
    let plain: String = name.chars().filter(|sign| !matches!(sign, '_' | '-' | '$')).collect();
    let lower = plain.to_ascii_lowercase();
    let other = OTHER_NAMES.iter().find(|(name, others)| others.contains(&&*lower) && known.contains(name));
    let nearest = other.map(|(name, _)| *name).or_else(|| nearest(&plain, known.iter().copied()));
    note(name, nearest.map(str::to_owned), &format!("is not {what} and was passed over"))
}

/// Looks at what a parameter says, as far as a wrong value is passed over.
fn check(name: &str, value: &str, kinds: &[&TypeInfo], notes: &mut Vec<Note>) {
    if name.eq_ignore_ascii_case("sortOrder") {
        let known = ["ascending", "descending"];
        let value = value.trim();
        if !value.is_empty() && !known.iter().any(|known| known.eq_ignore_ascii_case(value)) {
            let hint = nearest(value, known).map(str::to_owned);
            let value = shown(value);
            let what = format!("is `{value}`, which is neither ascending nor descending");
            notes.push(note("sortOrder", hint, &what));
        }
    } else if name.eq_ignore_ascii_case("attributes") || name.eq_ignore_ascii_case("excludedAttributes") {
        for path in value.split(',').map(str::trim).filter(|path| !path.is_empty()) {
            check_attribute(name, path, kinds, notes);
        }
    }
}

fn check_attribute(parameter: &str, written: &str, kinds: &[&TypeInfo], notes: &mut Vec<Note>) {
    if kinds.is_empty() || written.eq_ignore_ascii_case("schemas") {
        return;
    }
    let path = written.parse::<AttrPath>().ok();
    let knows = |kind: &&TypeInfo| {
        path.as_ref()
            .is_some_and(|path| kind.schemas.locate(path).is_some() || kind.schemas.schema_at(path).is_some())
    };
    if !kinds.iter().any(knows) {
        let hint = kinds.iter().find_map(|kind| attribute_name(&kind.schemas, written));
        let what = format!("in `{parameter}` is not an attribute of {}", names(kinds));
        notes.push(note(written, hint, &what));
    }
}

/// The body of a search (RFC 7644 §3.4.3).
fn search(body: &[u8], kinds: &[&TypeInfo], notes: &mut Vec<Note>) {
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
    const MESSAGE: [&str; 2] = ["schemas", "Operations"];
    const MEMBERS: [&str; 3] = ["op", "path", "value"];
    let mut notes: Vec<Note> = Vec::new();
    let mut look = |members: &Map<String, Value>, known: &[&str], what: &str| {
        for name in members.keys().filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)))
        {
            let one = unknown(name, what, known);
            if notes.len() < MAX_DROPPED && !notes.contains(&one) {
                notes.push(one);
            }
        }
    };
    let Some(message) = message.as_object() else { return notes };
    let operations = match get_ci(message, "Operations") {
        Some(Value::Array(operations)) => operations.as_slice(),
        Some(operation) => std::slice::from_ref(operation),
        None => {
            // It is an operation itself.
            look(message, &["op", "path", "value", "schemas"], "a member of a PATCH operation");
            return notes;
        }
    };
    look(message, &MESSAGE, "a member of a PATCH request");
    for operation in operations.iter().filter_map(Value::as_object) {
        look(operation, &MEMBERS, "a member of a PATCH operation");
    }
    notes
}

/// The parts of values in PATCH operations that the server alone writes: they are left out of what is written.
pub(super) fn read_only_parts(kind: &TypeInfo, request: &PatchRequest) -> Vec<Note> {
    let mut found: Vec<String> = Vec::new();
    let mut look = |path: &AttrPath, value: &Value| {
        let Some(located) = kind.schemas.locate(path).filter(|located| located.sub.is_none()) else { return };
        if located.attribute.mutability == Mutability::ReadOnly {
            return;
        }
        let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        for name in values.iter().filter_map(Value::as_object).flat_map(Map::keys) {
            let sub = located.attribute.sub(name).filter(|sub| sub.mutability == Mutability::ReadOnly);
            let place = sub.map(|sub| format!("{path}.{}", sub.name));
            if let Some(place) = place.filter(|place| found.len() < MAX_DROPPED && !found.contains(place)) {
                found.push(place);
            }
        }
    };
    for operation in &request.operations {
        let Some(value) = operation.value() else { continue };
        let whole = operation.path().map(PatchPath::attr_path);
        let schema = whole.as_ref().and_then(|path| kind.schemas.schema_at(path));
        match (whole, schema, value) {
            (Some(path), None, value) => look(&path, value),
            (Some(_), Some(schema), Value::Object(members)) => in_schema(schema, members, &mut look),
            (None, _, Value::Object(members)) => {
                for (name, value) in members {
                    match (kind.schemas.extension(name), value) {
                        (Some(extension), Value::Object(inner)) => in_schema(extension, inner, &mut look),
                        _ => name.parse().iter().for_each(|path| look(path, value)),
                    }
                }
            }
            _ => {}
        }
    }
    read_only_places(&found)
}

/// Looks at the members of an object that holds the attributes of a schema.
fn in_schema(schema: &Schema, members: &Map<String, Value>, look: &mut impl FnMut(&AttrPath, &Value)) {
    for (name, value) in members {
        if let Ok(path) = format!("{}:{name}", schema.id()).parse() {
            look(&path, value);
        }
    }
}

/// Notes on places that the server alone writes.
pub(super) fn read_only_places(places: &[String]) -> Vec<Note> {
    places.iter().map(|place| read_only_place(place)).collect()
}

fn read_only_place(place: &str) -> Note {
    note(place, None, "is written by the server alone and was left out")
}

/// The body of a POST, or of a PUT to an id. A client that writes a resource back sends what the server wrote, so with a
/// PUT only another id is told of what stands at the top.
pub(super) fn of_resource(kind: &TypeInfo, id: Option<&str>, body: &Taken) -> Vec<Note> {
    let is_told = |(name, value): &&(String, Value)| match (id, value) {
        (Some(id), value) => name == "id" && value.as_str() != Some(id),
        (None, Value::Null) => false,
        (None, Value::Array(values)) => !values.is_empty(),
        (None, Value::Object(members)) => !members.is_empty(),
        (None, _) => true,
    };
    let told = body.read_only_top.iter().filter(is_told);
    let mut notes: Vec<Note> = told.map(|(name, _)| read_only_place(name)).collect();
    for urn in &body.unknown_schemas {
        let nearest = nearest(urn, kind.schemas.schemas().map(|schema| schema.id().as_str()));
        let what = format!("in `schemas` is not a schema of {}", kind.name());
        notes.push(note(urn, nearest.map(str::to_owned), &what));
    }
    notes
}
