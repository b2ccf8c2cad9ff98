//! Lists of another form than ListResponse (RFC 7644 §3.4.2).

use serde_json::{Map, Value, json};

use crate::json::get;
use crate::server::deviation::Found;
use crate::server::deviation::asked::{Asked, Page};
use crate::server::deviation::resources::is_message;
use crate::subject::server::client::Answer;

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// Members of a list, of an error, and what they have in common.
const OF_LISTS: [&str; 7] =
    ["schemas", "totalResults", "itemsPerPage", "startIndex", "Resources", "nextCursor", "previousCursor"];
const OF_ERRORS: [&str; 4] = ["schemas", "status", "scimType", "detail"];

/// Other names of `totalResults`.
const TOTALS: [&str; 5] = ["total", "totalCount", "total_count", "totalItems", "totalElements"];

/// Returns the elements of a list in any form.
pub(crate) fn elements(document: &Value) -> Option<&Vec<Value>> {
    match document {
        Value::Array(elements) => Some(elements),
        Value::Object(members) => match get(document, "Resources").filter(|all| !all.is_null()) {
            Some(all) => all.as_array(),
            None => envelope(members).and_then(|(holder, name)| match holder {
                Some(holder) => members.get(holder)?.get(name)?.as_array(),
                None => members.get(name)?.as_array(),
            }),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Returns the total number of resources of a list in any form.
pub(crate) fn total(document: &Value) -> Option<u64> {
    let said = get(document, "totalResults").and_then(number);
    said.or_else(|| TOTALS.iter().find_map(|name| number(get(document, name)?)))
}

/// Returns a number, or the number that a text is.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// Returns the body of a list in another form, if a list is due.
fn body<'a>(answer: &'a mut Answer, asked: &Asked<'_>) -> Option<&'a mut Value> {
    answer.json.as_mut().filter(|_| answer.status == 200 && asked.due.is_list())
}

fn found(at: &str, expected: impl Into<Value>, actual: Value) -> Found {
    Found { at: at.to_owned(), expected: expected.into(), actual }
}

/// Detects a list that is an array alone: `[…]`.
pub(super) fn bare(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let body = body(answer, asked)?;
    let elements = body.as_array_mut().filter(|elements| elements.iter().all(Value::is_object))?;
    let length = elements.len();
    let elements = std::mem::take(elements);
    *body = list(Map::new(), elements, asked.page, None);
    Some(found("body", "a ListResponse", json!(format!("an array of {length}"))))
}

/// Detects a list with other names: `{"data": […], "total": 3}`.
pub(super) fn other_envelope(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let body = body(answer, asked)?;
    if get(body, "Resources").is_some_and(|all| !all.is_null()) {
        return None;
    }
    let said = total(body);
    let members = body.as_object_mut()?;
    let (holder, name) = envelope(members)?;
    let (holder, name) = (holder.map(ToOwned::to_owned), name.to_owned());
    let elements = match &holder {
        Some(holder) => members.remove(holder)?.get_mut(&name)?.take(),
        None => members.remove(&name)?,
    };
    let Value::Array(elements) = elements else { return None };
    members.retain(|known, _| !known.eq_ignore_ascii_case("Resources"));
    *body = list(std::mem::take(members), elements, asked.page, said);
    let name = holder.map_or_else(|| name.clone(), |holder| format!("{holder}.{name}"));
    Some(found("/Resources", "an array", json!(format!("under `{name}`"))))
}

/// Returns a ListResponse of the elements of a page, with the other members that are there.
fn list(mut members: Map<String, Value>, elements: Vec<Value>, page: Page, said: Option<u64>) -> Value {
    let length = elements.len();
    let mut set = |name: &str, value: Value| {
        let is_there =
            members.iter().any(|(known, there)| known.eq_ignore_ascii_case(name) && !there.is_null());
        if !is_there {
            members.insert(name.to_owned(), value);
        }
    };
    set("schemas", json!([LIST]));
    set("itemsPerPage", json!(length));
    set("startIndex", json!(page.first()));
    if let Some(total) = said.or_else(|| page.total(length)) {
        set("totalResults", json!(total));
    }
    set("Resources", Value::Array(elements));
    for name in TOTALS {
        members.remove(name);
    }
    Value::Object(members)
}

/// Returns the only member that is an array of objects, in the body of a list or in its `_embedded` (HAL): its
/// holder, and its name.
fn envelope(members: &Map<String, Value>) -> Option<(Option<&str>, &str)> {
    // One resource has arrays too.
    if ["id", "userName", "displayName", "name", "detail"].iter().any(|name| members.contains_key(*name)) {
        return None;
    }
    let only = |members: &Map<String, Value>| {
        let is_list =
            |value: &Value| value.as_array().is_some_and(|elements| elements.iter().all(Value::is_object));
        let mut arrays = members
            .iter()
            .filter(|(name, value)| !name.eq_ignore_ascii_case("schemas") && is_list(value))
            .map(|(name, _)| name.clone());
        let first = arrays.next()?;
        arrays.next().is_none().then_some(first)
    };
    if let Some(name) = only(members) {
        let (name, _) = members.get_key_value(&name)?;
        return Some((None, name));
    }
    let (holder, inner) = members.get_key_value("_embedded")?;
    let inner = inner.as_object()?;
    let (name, _) = inner.get_key_value(&only(inner)?)?;
    Some((Some(holder), name))
}

/// Detects numbers that are texts: `"totalResults": "3"`.
pub(super) fn numbers_as_texts(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let members = body(answer, asked)?.as_object_mut()?;
    let mut first = None;
    for (name, value) in members {
        let is_number = ["totalResults", "itemsPerPage", "startIndex"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known));
        if let Some(read) = number(value).filter(|_| is_number && value.is_string()) {
            let sent = std::mem::replace(value, json!(read));
            first = first.or_else(|| Some(found(&format!("/{name}"), read, sent)));
        }
    }
    first
}

/// Detects a list without `totalResults`, which is counted if the page shows that nothing follows.
pub(super) fn no_total(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let body = body(answer, asked)?;
    if get(body, "totalResults").is_some_and(|total| !total.is_null()) {
        return None;
    }
    let length = get(body, "Resources")?.as_array()?.len();
    let members = body.as_object_mut()?;
    members.retain(|name, _| !name.eq_ignore_ascii_case("totalResults"));
    if let Some(total) = asked.page.total(length) {
        members.insert("totalResults".to_owned(), json!(total));
    }
    Some(found("/totalResults", "a whole number", Value::Null))
}

/// Detects a list that counts resources, on a page with some of them, and has no `Resources`.
pub(super) fn without_resources(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let body = body(answer, asked)?;
    let total = get(body, "totalResults").filter(|_| body.is_object())?.as_u64()?;
    let resources = get(body, "Resources");
    if asked.page.is_empty(total) || resources.is_some_and(Value::is_array) {
        return None;
    }
    Some(found("/Resources", "an array", resources.cloned().unwrap_or_default()))
}

/// `resources` for `Resources`, `scimtype` for `scimType`: names are compared without case (RFC 7643 §2.1), and some
/// clients compare exactly.
pub(super) fn other_case(answer: &mut Answer, asked: &Asked<'_>) -> Option<Found> {
    let names = match answer.status {
        200 if asked.due.is_list() => &OF_LISTS[..],
        400..=599 if answer.json.as_ref().is_some_and(is_message) => &OF_ERRORS[..],
        _ => return None,
    };
    let members = answer.json.as_ref()?.as_object()?;
    members.keys().find_map(|name| {
        let meant = names.iter().find(|known| name.eq_ignore_ascii_case(known))?;
        // Something of that name may be there beside it.
        let is_other = name != meant && !members.contains_key(*meant);
        is_other.then(|| found(&format!("/{name}"), *meant, json!(name)))
    })
}
