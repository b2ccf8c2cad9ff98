//! The attributes of a new account that a server has to keep.

use serde_json::Value;

use crate::json::get;
use crate::server::discovery::{Facts, attribute};

/// Returns the account without attributes that the client does not control: attributes that are read-only by RFC 7643
/// or by the schema, that are never returned, or that no schema has. A template that was copied from a server is full
/// of these.
pub(super) fn owed(facts: &Facts, account: &Value) -> Value {
    let schema = facts.urn("User").and_then(|urn| facts.schemas.get(&urn.to_ascii_lowercase()));
    let is_extension = |name: &str| {
        let known = facts.resource_type("User").map(|known| known.extensions.as_slice()).unwrap_or_default();
        known.iter().any(|(urn, _)| urn.eq_ignore_ascii_case(name))
    };
    let mut owed = account.clone();
    if let Some(members) = owed.as_object_mut() {
        members.retain(|name, value| {
            let is = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
            if is(&["id", "meta", "groups"]) {
                return false;
            }
            // externalId is common to all types, and in no schema.
            if is(&["schemas", "externalId"]) {
                return true;
            }
            if let Some(extension) = facts.schemas.get(&name.to_ascii_lowercase()) {
                keep(extension, "attributes", value);
                return true;
            }
            is_extension(name) || schema.is_none_or(|schema| is_owed(schema, "attributes", name, value))
        });
    }
    owed
}

/// Removes from a complex value the members that need not be kept.
fn keep(holder: &Value, list: &str, value: &mut Value) {
    match value {
        Value::Object(members) => members.retain(|name, value| is_owed(holder, list, name, value)),
        Value::Array(elements) => elements.iter_mut().for_each(|element| keep(holder, list, element)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether an attribute must be kept; removes from its value the members that need not be.
fn is_owed(holder: &Value, list: &str, name: &str, value: &mut Value) -> bool {
    let Some(known) = attribute(holder, list, name) else { return false };
    let says = |key: &str, words: &[&str]| {
        let said = get(known, key).and_then(Value::as_str);
        said.is_some_and(|said| words.iter().any(|word| said.eq_ignore_ascii_case(word)))
    };
    if says("mutability", &["readOnly"]) || says("returned", &["never", "request"]) {
        return false;
    }
    if get(known, "subAttributes")
        .is_some_and(|parts| parts.as_array().is_some_and(|parts| !parts.is_empty()))
    {
        keep(known, "subAttributes", value);
    }
    true
}
