//! An answer that would pass: what advice looks like when it is followed.

use serde_json::{Map, Value, json};

use crate::case::expect::{
    BodyKind, Check, Condition, Expectation, HeaderCheck, Kind, Listing, Shared, StatusSet,
};
use crate::case::step::{Action, Step};
use crate::server::judge::Miss;
use crate::server::memory::Memory;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// An answer, as far as the expectations say what is in it.
#[derive(Default)]
struct Answer {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// Returns an answer to a step that its expectations take, as text: the status, header fields, the body. `came` is the
/// status that came, which is right where nothing is said of it. `misses` are what it has otherwise.
pub(crate) fn of(step: &Step, memory: &Memory<'_>, came: u16, misses: &[Miss]) -> String {
    let mut answer = Answer::default();
    for expectation in &step.expect {
        answer.take(&expectation.check, memory, came);
    }
    // What is missed beyond the expectations is the form of the answer.
    for miss in misses {
        let is_name = miss
            .expected
            .as_str()
            .is_some_and(|name| miss.what.trim_start_matches('/').eq_ignore_ascii_case(name));
        if miss.shared == Some(Shared::Schemas) {
            answer.set(&miss.what, miss.expected.clone());
        } else if is_name {
            let check = if came >= 400 { Check::ErrorForm } else { Check::List };
            answer.take(&check, memory, came);
        }
    }
    let usual = match step.action {
        Action::Create { .. } => 201,
        Action::Delete(_) => 204,
        _ if came < 300 => came,
        _ => 200,
    };
    let status = answer.status.unwrap_or(usual);
    let mut text = format!("{status} {}", crate::report::words::phrase(status)).trim_end().to_owned();
    if answer.body.is_some() && !answer.headers.iter().any(|(name, _)| name == "Content-Type") {
        answer.headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
    }
    for (name, value) in &answer.headers {
        append!(text, "\n{name}: {value}");
    }
    if let Some(body) = &answer.body {
        append!(text, "\n\n{}", serde_json::to_string_pretty(body).unwrap_or_default());
    }
    text
}

impl Answer {
    fn take(&mut self, check: &Check, memory: &Memory<'_>, came: u16) {
        match check {
            Check::Status(wanted) => self.status = self.status.or_else(|| first(wanted, came)),
            Check::Header(name, check) => {
                let value = match check {
                    HeaderCheck::Present => sample_header(name).map(str::to_owned),
                    HeaderCheck::Equals(text) | HeaderCheck::StartsWith(text) => text.fill(memory).ok(),
                    HeaderCheck::Absent => None,
                };
                self.headers.extend(value.map(|value| (name.clone(), value)));
            }
            Check::MediaType => {
                self.headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
            }
            Check::Body(BodyKind::Empty) => self.body = None,
            Check::Error { status, types, .. } => {
                self.status = self.status.or_else(|| first(status, came));
                self.body = Some(error(self.status.unwrap_or(400), types.first().map(String::as_str)));
            }
            Check::ErrorForm => {
                self.status = self.status.or(Some(came));
                self.body = Some(error(came, None));
            }
            Check::List => {
                let body = self.body.get_or_insert_with(|| json!({}));
                merge(body, json!({ "schemas": [LIST], "totalResults": 0, "Resources": [] }));
            }
            Check::Total(total) => self.set("/totalResults", json!(total)),
            Check::Lists(Listing::Not, _)
            | Check::Unchanged(_)
            | Check::Nowhere(_)
            | Check::Body(BodyKind::Any) => {}
            Check::Lists(_, names) => {
                let names: Vec<_> = names.iter().flat_map(|name| memory.expand(name)).take(2).collect();
                let resources: Value =
                    names.iter().filter_map(|name| memory.id(name)).map(|id| json!({ "id": id })).collect();
                self.set("/Resources", resources);
            }
            Check::At { pointer, condition, .. } => {
                if let (Ok(pointer), Some(value)) = (pointer.fill(memory), sample(condition, memory)) {
                    self.set(&pointer, value);
                }
            }
            Check::AnyOf(lists) => {
                for expectation in lists.first().into_iter().flatten() {
                    let Expectation { check, .. } = expectation;
                    self.take(check, memory, came);
                }
            }
        }
    }

    /// Puts a value at a pointer, and makes what holds it. Of `*` and of places in arrays there is one element.
    fn set(&mut self, pointer: &str, value: Value) {
        let mut place = self.body.get_or_insert_with(|| json!({}));
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            if name == "*" || name.parse::<usize>().is_ok() {
                if place.as_array().is_none_or(Vec::is_empty) {
                    *place = json!([null]);
                }
                place = &mut place[0];
            } else {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                place = &mut place[&name];
            }
        }
        match (&mut *place, value) {
            // Several things are asked of one list.
            (Value::Array(known), Value::Array(more)) => known.extend(more),
            (place, value) => *place = value,
        }
    }
}

fn merge(body: &mut Value, over: Value) {
    if let (Some(body), Value::Object(over)) = (body.as_object_mut(), over) {
        for (name, value) in over {
            body.entry(name).or_insert(value);
        }
    }
}

fn first(wanted: &[StatusSet], came: u16) -> Option<u16> {
    if wanted.iter().any(|set| set.has(came)) {
        return Some(came);
    }
    wanted.first().map(|set| match set {
        StatusSet::Exactly(status) => *status,
        StatusSet::Class(digit) => digit * 100,
    })
}

/// A SCIM error (RFC 7644 §3.12).
pub(crate) fn error(status: u16, scim_type: Option<&str>) -> Value {
    let mut body =
        json!({ "schemas": [ERROR], "status": status.to_string(), "detail": "What is wrong, for people" });
    if let Some(scim_type) = scim_type {
        body["scimType"] = json!(scim_type);
    }
    body
}

fn sample_header(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "location" => Some("https://scim.example.com/v2/Users/2819c223"),
        "etag" => Some("W/\"1\""),
        "www-authenticate" => Some("Bearer"),
        _ => None,
    }
}

fn sample(condition: &Condition, memory: &Memory<'_>) -> Option<Value> {
    match condition {
        Condition::Equals(wanted) => wanted.fill(memory).ok(),
        Condition::EqualsIgnoringCase(wanted) | Condition::SameAddress(wanted) => {
            wanted.fill(memory).ok().map(Value::from)
        }
        Condition::OneOf(wanted) => wanted.fill(memory).ok()?.as_array()?.first().cloned(),
        Condition::Includes(wanted) => {
            let wanted = wanted.fill(memory).ok()?;
            Some(if wanted.is_array() { wanted } else { json!([wanted]) })
        }
        Condition::Status(wanted) => first(wanted, 0).map(|status| json!(status.to_string())),
        Condition::Is(kind) => match kind {
            Kind::Boolean => Some(json!(true)),
            Kind::Integer => Some(json!(100)),
            Kind::Object => Some(json!({})),
            Kind::DateTime => Some(json!("2026-01-01T00:00:00Z")),
            Kind::Uri => Some(json!("https://scim.example.com/v2/Users/2819c223")),
            Kind::Present | Kind::String | Kind::NonEmptyString => Some(json!("…")),
            Kind::Absent | Kind::Array => None,
        },
        Condition::Differs(_)
        | Condition::AtLeast(_)
        | Condition::Lacks(_)
        | Condition::LaterThan(_)
        | Condition::Count(_)
        | Condition::AtMost(_)
        | Condition::Unique
        | Condition::Sorted(_) => None,
    }
}
