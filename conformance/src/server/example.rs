//! An answer that would pass: what advice looks like when it is followed.

use serde_json::{Map, Value, json};

use crate::case::expect::{
    BodyKind, Check, Condition, Expectation, HeaderCheck, Kind, Listing, StatusSet, Total,
};
use crate::case::step::{Action, Step};
use crate::case::template::Template;
use crate::json::{get, has_text, includes, selector};
use crate::server::bindings::Bindings;
use crate::server::judge::{Ask, judge};
use crate::subject::server::client;

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// An answer that is being made: whole, and with as little as the expectations leave to be changed.
#[derive(Debug, Clone, Default)]
struct Example {
    status: Option<u16>,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// Returns an answer to a step that its expectations take, as text: the status, header fields, the body. It is made of
/// what the server knows of the resource, so that it is whole; none where no such answer can be made up. To be asked
/// before the bindings get the answer that came.
pub(crate) fn of(
    step: &Step,
    bindings: &Bindings<'_>,
    ask: Ask<'_>,
    came: &client::Answer,
    sent: Option<&Value>,
) -> Option<String> {
    let whole = Example { body: base(step, bindings, came, sent), ..Example::default() };
    [whole, Example::default()].into_iter().find_map(|example| {
        let example = example.fit(step, bindings, ask, came.status);
        let answer = example.answer();
        let passes = judge(&step.expect, Ask { stand_in: None, ..ask }, &answer, bindings)
            .is_ok_and(|misses| misses.is_empty());
        passes.then(|| example.text())
    })
}

/// Returns the server's state of the resource that the answer shows.
fn base(step: &Step, bindings: &Bindings<'_>, came: &client::Answer, sent: Option<&Value>) -> Option<Value> {
    let shown = || came.json.clone().filter(|body| came.is_success() && body.is_object());
    let known = |name: &str| {
        let mut seen = bindings.known(name)?.seen.clone();
        if let (true, None, Some(schema)) = (seen.is_object(), get(&seen, "schemas"), bindings.schema(name)) {
            seen["schemas"] = json!([schema]);
        }
        seen.is_object().then_some(seen)
    };
    let unchanged = step.expect.iter().find_map(|expectation| match &expectation.check {
        Check::Unchanged(name) => known(name),
        _ => None,
    });
    if unchanged.is_some() {
        return unchanged;
    }
    match &step.action {
        Action::Create { resource_type, .. } => {
            let mut body = sent?.clone();
            let shown = shown().unwrap_or_default();
            body["id"] = get(&shown, "id").cloned().unwrap_or_else(|| json!("2819c223"));
            let location = format!("https://scim.example.com/v2/{resource_type}s/2819c223");
            let sample = json!({ "resourceType": resource_type, "created": "2026-01-01T00:00:00Z",
                "lastModified": "2026-01-01T00:00:00Z", "location": location });
            body["meta"] = get(&shown, "meta").cloned().unwrap_or(sample);
            Some(body)
        }
        Action::Replace(name, _) => {
            let mut body = sent.cloned().filter(Value::is_object)?;
            let before = known(name).unwrap_or_default();
            for part in ["schemas", "id", "meta"] {
                if let (None, Some(value)) = (get(&body, part), get(&before, part)) {
                    body[part] = value.clone();
                }
            }
            Some(body)
        }
        Action::Read(name) | Action::Patch(name, _) => known(name).or_else(shown),
        Action::List(_) | Action::Search(..) | Action::Walk(..) => {
            let names = step.expect.iter().filter_map(|expectation| match &expectation.check {
                Check::Lists(Listing::All | Listing::Exactly | Listing::InOrder, names) => Some(names),
                _ => None,
            });
            let resources: Vec<Value> = names
                .flatten()
                .flat_map(|name| bindings.expand(name))
                .filter_map(|name| known(&name))
                .collect();
            if resources.is_empty()
                && let Some(shown) = shown()
            {
                return Some(as_written(shown));
            }
            let count = resources.len();
            Some(json!({ "schemas": [LIST], "totalResults": count, "itemsPerPage": count, "startIndex": 1,
                "Resources": resources }))
        }
        Action::Bulk(_) | Action::Send { .. } => shown(),
        Action::Delete(_) | Action::Together { .. } => None,
    }
}

/// Returns a list whose members have the names of RFC 7644 §3.4.2, because clients may compare them exactly.
fn as_written(mut list: Value) -> Value {
    let names = ["schemas", "totalResults", "itemsPerPage", "startIndex", "Resources"];
    if let Some(members) = list.as_object_mut() {
        for name in names {
            let other =
                members.keys().find(|known| *known != name && known.eq_ignore_ascii_case(name)).cloned();
            if let Some(value) = other.and_then(|other| members.remove(&other)) {
                members.insert(name.to_owned(), value);
            }
        }
    }
    list
}

impl Example {
    /// Changes what the expectations do not take.
    fn fit(mut self, step: &Step, bindings: &Bindings<'_>, ask: Ask<'_>, came: u16) -> Self {
        for expectation in &step.expect {
            // What it already has stays as it is.
            let holds = self.status.is_some()
                && judge(
                    std::slice::from_ref(expectation),
                    Ask { stand_in: None, ..ask },
                    &self.answer(),
                    bindings,
                )
                .is_ok_and(|misses| misses.is_empty());
            if !holds {
                self.take(&expectation.check, bindings, came);
            }
        }
        let usual = match step.action {
            Action::Create { .. } => 201,
            Action::Delete(_) => 204,
            _ if (200..300).contains(&came) => came,
            _ => 200,
        };
        let status = *self.status.get_or_insert(usual);
        if status == 204 || matches!(step.action, Action::Delete(_)) && status < 300 {
            self.body = None;
        }
        if status >= 400 && self.body.as_ref().is_none_or(|body| get(body, "status").is_none()) {
            self.body = Some(error(status, None));
        }
        if self.body.is_some() && !self.headers.iter().any(|(name, _)| name == "Content-Type") {
            self.headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
        }
        self
    }

    /// Returns the example as the response that would be received.
    fn answer(&self) -> client::Answer {
        let headers = self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        client::Answer {
            status: self.status.unwrap_or_default(),
            headers: headers.collect(),
            text: self.body.as_ref().map(Value::to_string).unwrap_or_default(),
            json: self.body.clone(),
            ..client::Answer::default()
        }
    }

    fn text(&self) -> String {
        let status = self.status.unwrap_or_default();
        let mut text = format!("{status} {}", crate::report::labels::phrase(status)).trim_end().to_owned();
        for (name, value) in &self.headers {
            append!(text, "\n{name}: {value}");
        }
        if let Some(body) = &self.body {
            append!(text, "\n\n{body:#}");
        }
        text
    }

    fn take(&mut self, check: &Check, bindings: &Bindings<'_>, came: u16) {
        match check {
            Check::Status(wanted) => self.status = self.status.or_else(|| first(wanted, came)),
            Check::Header(name, check) => {
                let value = match check {
                    HeaderCheck::Present | HeaderCheck::Differs(_) => sample_header(name).map(str::to_owned),
                    HeaderCheck::Equals(text) | HeaderCheck::StartsWith(text) => text.fill(bindings).ok(),
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
                let count = get(body, "Resources").and_then(Value::as_array).map_or(0, Vec::len);
                body["schemas"] = json!([LIST]);
                merge(body, json!({ "totalResults": count, "Resources": [] }));
            }
            Check::Total(Total::Exactly(total)) => self.set("/totalResults", &json!(total)),
            Check::Total(Total::AsListed) => self.change_list(|_| {}),
            Check::Lists(Listing::Not, names) => {
                let unwanted: Vec<_> = names.iter().flat_map(|name| bindings.expand(name)).collect();
                let unwanted: Vec<_> = unwanted.iter().filter_map(|name| bindings.id(name)).collect();
                self.change_list(|resources| {
                    resources.retain(|one| {
                        !get(one, "id").and_then(Value::as_str).is_some_and(|id| unwanted.contains(&id))
                    });
                });
            }
            Check::Lists(_, names) => {
                let names: Vec<_> = names.iter().flat_map(|name| bindings.expand(name)).collect();
                let known =
                    names.iter().filter_map(|name| bindings.known(name)).map(|known| known.seen.clone());
                let wanted: Vec<Value> = known.collect();
                self.body.get_or_insert_with(|| json!({ "schemas": [LIST], "Resources": [] }));
                self.change_list(|resources| *resources = wanted);
            }
            Check::Unchanged(_)
            | Check::Nowhere(_)
            | Check::ExactlyOne(..)
            | Check::Every(_)
            | Check::Body(BodyKind::Any) => {}
            Check::At { pointer, condition, .. } => self.at(pointer, condition, bindings),
            Check::AnyOf(lists) => {
                for expectation in lists.first().into_iter().flatten() {
                    let Expectation { check, .. } = expectation;
                    self.take(check, bindings, came);
                }
            }
        }
    }

    /// Changes the resources of a list, and counts them anew.
    fn change_list(&mut self, change: impl FnOnce(&mut Vec<Value>)) {
        let Some(body) = &mut self.body else { return };
        let Some(resources) = body.get_mut("Resources").and_then(Value::as_array_mut) else { return };
        change(resources);
        let count = resources.len();
        body["totalResults"] = json!(count);
        if body.get("itemsPerPage").is_some() {
            body["itemsPerPage"] = json!(count);
        }
    }

    /// Changes a value so that a condition holds, if the condition is about the value alone.
    fn at(&mut self, pointer: &Template, condition: &Condition, bindings: &Bindings<'_>) {
        let Ok(pointer) = pointer.fill(bindings) else { return };
        match condition {
            Condition::Is(Kind::Absent) => self.each(&pointer, &|place| *place = Value::Null),
            Condition::Lacks(unwanted) => {
                if let Ok(unwanted) = unwanted.fill(bindings) {
                    self.each(&pointer, &|place| match place {
                        Value::Array(elements) => elements.retain(|element| !includes(element, &unwanted)),
                        place => *place = Value::Null,
                    });
                }
            }
            Condition::Count(count) => self.each(&pointer, &|place| {
                if let Value::Array(elements) = place {
                    elements.truncate(*count);
                }
            }),
            Condition::AtLeast(_) if pointer.ends_with("/Resources") => {
                self.change_list(|resources| {
                    *resources = vec![json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                        "id": "2819c223", "userName": "ada@example.com" })];
                });
            }
            Condition::Includes(wanted) => {
                let Ok(wanted) = wanted.fill(bindings) else { return };
                let wanted = if wanted.is_array() { wanted } else { json!([wanted]) };
                self.each(&pointer, &|place| {
                    if !place.is_array() {
                        *place = json!([]);
                    }
                    for (elements, more) in place.as_array_mut().into_iter().zip(wanted.as_array()) {
                        for one in more {
                            join(elements, one);
                        }
                    }
                });
            }
            condition => {
                if let Some(value) = sample(condition, &pointer, bindings) {
                    self.set(&pointer, &value);
                }
            }
        }
        if let Some(body) = &mut self.body {
            strip(body);
        }
    }

    /// Sets a value at a pointer, and creates the objects above it.
    fn set(&mut self, pointer: &str, value: &Value) {
        self.each(pointer, &|place| *place = value.clone());
    }

    /// Changes each value at a pointer. What is not there is made; of `*` and of places in arrays at least one element.
    fn each(&mut self, pointer: &str, change: &dyn Fn(&mut Value)) {
        fn walk(place: &mut Value, tokens: &[&str], change: &dyn Fn(&mut Value)) {
            let Some((token, rest)) = tokens.split_first() else { return change(place) };
            let name = token.replace("~1", "/").replace("~0", "~");
            let index = name.parse::<usize>();
            if name == "*" || index.is_ok() {
                if place.as_array().is_none_or(Vec::is_empty) {
                    *place = json!([null]);
                }
                let elements = place.as_array_mut().into_iter().flatten().enumerate();
                for (at, element) in elements {
                    if name == "*" || index == Ok(at) {
                        walk(element, rest, change);
                    }
                }
                return;
            }
            if let Some((member, text)) = selector(&name) {
                if !place.is_array() {
                    *place = json!([]);
                }
                if let Some(elements) = place.as_array_mut() {
                    if !elements.iter().any(|element| has_text(element, member, text)) {
                        elements.push(json!({ member: text }));
                    }
                    for element in elements.iter_mut().filter(|element| has_text(element, member, text)) {
                        walk(element, rest, change);
                    }
                }
                return;
            }
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let known = place
                .as_object()
                .and_then(|members| members.keys().find(|known| known.eq_ignore_ascii_case(&name)).cloned());
            walk(&mut place[known.unwrap_or(name)], rest, change);
        }
        let tokens: Vec<_> = pointer.split('/').skip(1).collect();
        walk(self.body.get_or_insert_with(|| json!({})), &tokens, change);
    }
}

/// Adds an element to a list, or completes the element with the same `value`.
fn join(elements: &mut Vec<Value>, one: &Value) {
    let value = get(one, "value");
    let same = elements.iter_mut().find(|known| value.is_some() && get(known, "value") == value);
    match (same, one) {
        (Some(Value::Object(known)), Value::Object(more)) => {
            known.extend(more.iter().map(|(name, member)| (name.clone(), member.clone())));
        }
        _ => elements.push(one.clone()),
    }
}

/// Removes members that are null: an attribute without a value is left out.
fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
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

/// Returns a SCIM error (RFC 7644 §3.12).
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

fn sample(condition: &Condition, pointer: &str, bindings: &Bindings<'_>) -> Option<Value> {
    match condition {
        Condition::Equals(wanted) => wanted.fill(bindings).ok(),
        Condition::EqualsIgnoringCase(wanted) | Condition::SameAddress(wanted) => {
            wanted.fill(bindings).ok().map(Value::from)
        }
        Condition::OneOf(wanted) => wanted.fill(bindings).ok()?.as_array()?.first().cloned(),
        Condition::Status(wanted) => first(wanted, 0).map(|status| json!(status.to_string())),
        Condition::AtLeast(bound) => serde_json::from_str(&format!("{bound:.0}")).ok(),
        Condition::Is(kind) => match kind {
            Kind::Boolean => Some(json!(true)),
            Kind::Integer => Some(json!(100)),
            Kind::Object => Some(json!({})),
            Kind::Array => Some(json!([])),
            Kind::DateTime => Some(json!("2026-01-01T00:00:00Z")),
            Kind::Uri => Some(json!("https://scim.example.com/v2/Users/2819c223")),
            Kind::Present | Kind::String | Kind::NonEmptyString => Some(match pointer.rsplit('/').next() {
                Some("schemas") => json!(["urn:ietf:params:scim:schemas:core:2.0:User"]),
                Some("location" | "$ref") => json!("https://scim.example.com/v2/Users/2819c223"),
                Some("id" | "value") => json!("2819c223"),
                Some("resourceType") => json!("User"),
                Some("created" | "lastModified") => json!("2026-01-01T00:00:00Z"),
                Some("version") => json!("W/\"1\""),
                Some("detail" | "description") => json!("What it is, for people"),
                _ => json!("a text"),
            }),
            Kind::Absent => None,
        },
        Condition::Includes(_)
        | Condition::Differs(_)
        | Condition::Lacks(_)
        | Condition::LaterThan(_)
        | Condition::Count(_)
        | Condition::AtMost(_)
        | Condition::Unique
        | Condition::WithinMinutes(_)
        | Condition::Sorted(_) => None,
    }
}
