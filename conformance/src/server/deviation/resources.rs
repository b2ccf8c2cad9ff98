//! Resources that lack what all have, or write it otherwise (RFC 7643 §3).

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::json::{get, is_absent};
use crate::server::blank::name_schemas;
use crate::server::deviation::Found;
use crate::server::deviation::asked::{Asked, Due};
use crate::server::discovery::{ResourceType, id_text};
use crate::subject::server::client::Answer;

/// Returns the resources of an answer, with their type if it is known.
fn each<'a>(answer: &'a mut Answer, asked: &'a Asked<'_>) -> Vec<(&'a mut Value, Option<&'a ResourceType>)> {
    if !answer.is_success() {
        return Vec::new();
    }
    let Some(body) = answer.json.as_mut().filter(|body| body.is_object()) else { return Vec::new() };
    match &asked.due {
        Due::Resource(known, _) if !is_message(body) => vec![(body, Some(known))],
        Due::List(known) => {
            let members = body.as_object_mut().into_iter().flatten();
            let all = members.filter(|(name, _)| name.eq_ignore_ascii_case("Resources"));
            let all = all.filter_map(|(_, all)| all.as_array_mut()).flatten();
            all.filter(|resource| resource.is_object())
                .map(|resource| {
                    let known = known.or_else(|| {
                        let named = get(get(resource, "meta")?, "resourceType")?.as_str()?;
                        asked.facts.resource_type(named)
                    });
                    (resource, known)
                })
                .collect()
        }
        Due::Resource(..) | Due::Discovery | Due::Other => Vec::new(),
    }
}

/// Whether a body says that it is a list, an error or the like.
pub(super) fn is_message(body: &Value) -> bool {
    let urns = get(body, "schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    urns.map(str::to_ascii_lowercase).any(|urn| urn.starts_with("urn:ietf:params:scim:api:messages:"))
}

/// Returns the id of a resource: its own, else that of its address.
pub(crate) fn id_of(resource: &Value) -> Option<String> {
    let own = get(resource, "id").and_then(id_text);
    own.or_else(|| id_in(get(get(resource, "meta")?, "location")?.as_str()?))
}

/// Returns the id in an address.
fn id_in(address: &str) -> Option<String> {
    let path = address.split(['?', '#']).next()?.trim_end_matches('/');
    let (before, id) = path.rsplit_once('/')?;
    let id = percent_decode_str(id).decode_utf8().ok()?;
    (!before.is_empty() && !id.is_empty()).then(|| id.into_owned())
}

/// Detects a successful answer whose body is no JSON.
pub(super) fn no_json(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let is_due = match asked.due {
        Due::Resource(..) | Due::List(_) | Due::Discovery => true,
        Due::Other => false,
    };
    let is_text = answer.json.is_none() && !answer.text.trim().is_empty();
    let is_it = answer.is_success() && is_due && is_text;
    is_it.then(|| Found {
        at: "body".to_owned(),
        expected: json!("JSON"),
        actual: Value::from(answer.text.as_str()),
    })
}

/// Detects resources without `id`.
pub(super) fn no_ids(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let told = answer.header("location").and_then(id_in);
    let asked_for = match &asked.due {
        Due::Resource(_, id) => id.clone().or(told),
        Due::List(_) | Due::Discovery | Due::Other => None,
    };
    let is_list = asked.due.is_list();
    let mut first = None;
    for (at, (resource, _)) in each(answer, asked).into_iter().enumerate() {
        if get(resource, "id").is_some_and(|id| !id.is_null()) {
            continue;
        }
        let id = asked_for.clone().or_else(|| id_of(resource)).or_else(|| (asked.known)(resource));
        if let (Some(id), Some(members)) = (id, resource.as_object_mut()) {
            members.retain(|name, _| !name.eq_ignore_ascii_case("id"));
            members.insert("id".to_owned(), Value::from(id));
        }
        first = first.or_else(|| {
            let at = if is_list { format!("/Resources/{at}/id") } else { "/id".to_owned() };
            Some(Found { at, expected: json!("a text"), actual: Value::Null })
        });
    }
    first
}

/// Detects resources without `schemas`. If attributes are selected, they may be left out.
pub(super) fn no_schemas(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    if asked.is_narrowed {
        return None;
    }
    let is_list = asked.due.is_list();
    let mut first = None;
    for (at, (resource, known)) in each(answer, asked).into_iter().enumerate() {
        let Some(known) = known.filter(|_| is_absent(get(resource, "schemas"))) else { continue };
        name_schemas(resource, known);
        first = first.or_else(|| {
            let at = if is_list { format!("/Resources/{at}/schemas") } else { "/schemas".to_owned() };
            Some(Found { at, expected: json!([known.schema]), actual: Value::Null })
        });
    }
    first
}

/// Detects texts in place of Booleans: `"active": "true"`.
pub(super) fn active_as_text(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    if asked.sent_texts {
        return None;
    }
    let mut first = None;
    for (resource, _) in each(answer, asked) {
        let members = resource.as_object_mut().into_iter().flatten();
        for (_, active) in members.filter(|(name, _)| name.eq_ignore_ascii_case("active")) {
            let Some(read) = active.as_str().and_then(boolean) else { continue };
            let sent = std::mem::replace(active, Value::from(read));
            first = first.or_else(|| {
                Some(Found { at: "/active".to_owned(), expected: Value::from(read), actual: sent })
            });
        }
    }
    first
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// Whether a body says `active` as a text, be it a resource or the operations of a PATCH.
pub(crate) fn says_active_as_text(body: &Value) -> bool {
    if get(body, "active").is_some_and(Value::is_string) {
        return true;
    }
    let operations = get(body, "Operations").and_then(Value::as_array).into_iter().flatten();
    operations.into_iter().any(|operation| {
        let Some(value) = get(operation, "value") else { return false };
        let path = get(operation, "path").and_then(Value::as_str).unwrap_or_default();
        let is_active = path.rsplit(':').next().is_some_and(|name| name.eq_ignore_ascii_case("active"));
        (is_active && value.is_string()) || get(value, "active").is_some_and(Value::is_string)
    })
}

/// Ids that are numbers, of resources, members and groups. [`Answer::raw`] keeps the body with these.
pub(super) fn numeric_ids(answer: &mut Answer, _: &Asked<'_>) -> Option<Found> {
    // Answers may be long, and nearly all are as they should be.
    let number = first_number(answer.json.as_ref()?)?.clone();
    answer.raw.clone_from(&answer.json);
    texts_for_ids(answer.json.as_mut()?);
    Some(Found { at: "/id".to_owned(), expected: json!(id_text(&number)), actual: number })
}

/// Returns the first id that [`texts_for_ids`] rewrites.
fn first_number(value: &Value) -> Option<&Value> {
    fn in_list<'a>(list: &'a Value, of: impl Fn(&'a Value) -> Option<&'a Value>) -> Option<&'a Value> {
        list.as_array()?.iter().find_map(of)
    }
    value.as_object()?.iter().find_map(|(name, member)| match name.to_ascii_lowercase().as_str() {
        "id" => Some(member).filter(|member| member.is_number()),
        "members" | "groups" => {
            in_list(member, |reference| get(reference, "value").filter(|value| value.is_number()))
        }
        "resources" | "operations" => in_list(member, first_number),
        "response" => first_number(member),
        _ => None,
    })
}

/// Writes the ids of resources, members and groups as texts.
fn texts_for_ids(value: &mut Value) {
    fn as_text(id: &mut Value) {
        if let Some(text) = Some(&*id).filter(|id| id.is_number()).and_then(id_text) {
            *id = Value::String(text);
        }
    }
    for (name, member) in value.as_object_mut().into_iter().flatten() {
        match name.to_ascii_lowercase().as_str() {
            "id" => as_text(member),
            "members" | "groups" => {
                for reference in member.as_array_mut().into_iter().flatten() {
                    let inner = reference.as_object_mut().into_iter().flatten();
                    inner
                        .filter(|(name, _)| name.eq_ignore_ascii_case("value"))
                        .for_each(|(_, id)| as_text(id));
                }
            }
            "resources" | "operations" => member.as_array_mut().into_iter().flatten().for_each(texts_for_ids),
            "response" => texts_for_ids(member),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_addresses() {
        for (address, id) in
            [("https://h/scim/Users/a%40b", Some("a@b")), ("/Users/7/", Some("7")), ("7", None), ("", None)]
        {
            assert_eq!(id_in(address).as_deref(), id, "{address}");
        }
        assert_eq!(id_of(&json!({ "meta": { "location": "https://h/Users/9" } })).as_deref(), Some("9"));
        assert_eq!(
            id_of(&json!({ "id": 4, "meta": { "location": "https://h/Users/9" } })).as_deref(),
            Some("4")
        );
    }

    #[test]
    fn text_for_active_is_found_in_requests() {
        let operation = |operation: Value| json!({ "Operations": [operation] });
        for body in [
            json!({ "active": "False" }),
            operation(json!({ "op": "replace", "path": "active", "value": "no" })),
            operation(json!({ "op": "replace", "path": "urn:x:User:active", "value": "no" })),
            operation(json!({ "op": "replace", "value": { "Active": "False" } })),
        ] {
            assert!(says_active_as_text(&body), "{body}");
        }
        for body in [
            json!({ "active": true, "title": "False" }),
            operation(json!({ "op": "replace", "path": "active", "value": false })),
            operation(json!({ "op": "replace", "path": "title", "value": "active" })),
        ] {
            assert!(!says_active_as_text(&body), "{body}");
        }
    }
}
