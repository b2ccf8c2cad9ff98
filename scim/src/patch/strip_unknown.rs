//! Removal of unknown members from the values of a request.

use serde_json::{Map, Value};

use super::PatchRequest;
use crate::filter::PatchPath;
use crate::path::AttrPath;
use crate::schema::{Attribute, Schema, SchemaSet};

type Members = Map<String, Value>;

/// Removes the members that no schema defines from the values of a request, as a server may do in a POST (RFC 7644
/// §3.3), and returns their places. An operation at an unknown path stays, and is an error when it is applied.
///
/// ```
/// use scim::{patch::{PatchRequest, strip_unknown}, schema::{PATCH_URN, SchemaSet}};
/// use serde_json::json;
///
/// let mut request = PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": [
///     {"op": "add", "value": {"title": "Nurse", "shoe": 44, "name": {"givenName": "Ida", "size": "S"}}},
/// ]}))?;
/// assert_eq!(strip_unknown(&mut request, SchemaSet::user()), ["name.size", "shoe"]);
/// assert_eq!(request.operations[0].value(), Some(&json!({"title": "Nurse", "name": {"givenName": "Ida"}})));
/// # Ok::<(), scim::patch::PatchError>(())
/// ```
pub fn strip_unknown(request: &mut PatchRequest, schemas: &SchemaSet) -> Vec<String> {
    let mut dropped = Vec::new();
    for operation in &mut request.operations {
        match operation.parts_mut() {
            (_, None) => {}
            (None, Some(value)) => in_members(value, schemas, &mut dropped),
            (Some(path), Some(value)) => in_value(value, path, schemas, &mut dropped),
        }
    }
    dropped
}

/// Strips a value without a path, whose members are paths.
fn in_members(value: &mut Value, schemas: &SchemaSet, dropped: &mut Vec<String>) {
    let Value::Object(members) = value else { return };
    members.retain(|key, value| {
        if let Some(schema) = schemas.extension(key) {
            in_extension(value, schema, dropped);
            return true;
        }
        let path = key.parse::<PatchPath>().ok().filter(|path| {
            let path: AttrPath = path.attr_path();
            schemas.schema_at(&path).is_some() || schemas.locate(&path).is_some()
        });
        match &path {
            Some(path) => in_value(value, path, schemas, dropped),
            None => dropped.push(key.clone()),
        }
        path.is_some()
    });
}

fn in_value(value: &mut Value, path: &PatchPath, schemas: &SchemaSet, dropped: &mut Vec<String>) {
    let attr_path = path.attr_path();
    match (schemas.schema_at(&attr_path), schemas.locate(&attr_path)) {
        (Some(schema), _) if schema.id() == schemas.core().id() => in_members(value, schemas, dropped),
        (Some(schema), _) => in_extension(value, schema, dropped),
        (None, Some(found)) => in_attribute(value, found.leaf(), &attr_path.to_string(), dropped),
        (None, None) => {}
    }
}

fn in_extension(value: &mut Value, schema: &Schema, dropped: &mut Vec<String>) {
    let Value::Object(members) = value else { return };
    retain(members, &format!("{}:", schema.id()), |key| schema.attribute(key), dropped);
}

fn in_attribute(value: &mut Value, attribute: &Attribute, place: &str, dropped: &mut Vec<String>) {
    if !attribute.is_complex() {
        return;
    }
    match value {
        Value::Array(values) => {
            for (at, value) in values.iter_mut().enumerate() {
                if let Value::Object(members) = value {
                    retain(members, &format!("{place}[{at}]."), |key| attribute.sub(key), dropped);
                }
            }
        }
        Value::Object(members) => retain(members, &format!("{place}."), |key| attribute.sub(key), dropped),
        _ => {}
    }
}

fn retain<'a>(
    members: &mut Members,
    prefix: &str,
    look_up: impl Fn(&str) -> Option<&'a Attribute>,
    dropped: &mut Vec<String>,
) {
    members.retain(|key, value| {
        let place = format!("{prefix}{key}");
        let known = look_up(key);
        match known {
            Some(attribute) => in_attribute(value, attribute, &place, dropped),
            None => dropped.push(place),
        }
        known.is_some()
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{ENTERPRISE_URN, PATCH_URN, USER_URN};

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
    fn check(operation: Value, left: Value) {
        let body = json!({"schemas": [PATCH_URN], "Operations": [operation]});
        let mut request = PatchRequest::from_json(&body).unwrap();
        let path = request.operations[0].path().cloned();
        let before = request.operations[0].value().cloned().unwrap_or_default();
        let dropped = strip_unknown(&mut request, SchemaSet::user());
        assert_eq!(dropped.is_empty(), left == before, "{dropped:?}");
        assert_eq!(request.operations[0].value(), Some(&left));
        assert_eq!(request.operations[0].path(), path.as_ref());
    }

    #[test]
    fn unknown_members_are_stripped() {
        let add = |path: &str, value: Value| json!({"op": "add", "path": path, "value": value});
        check(
            json!({"op": "replace", "value": {"shoe": 1, "TITLE": "x", "name.shoe": 1, "name.givenName": "I", "a b": 2,
                ENTERPRISE_URN: {"department": "Ops", "hat": 1, "manager": {"value": "m", "hat": 1}},
                format!("{ENTERPRISE_URN}:division"): "d", format!("{ENTERPRISE_URN}:hat"): "d"}}),
            json!({"TITLE": "x", "name.givenName": "I",
                ENTERPRISE_URN: {"department": "Ops", "manager": {"value": "m"}},
                format!("{ENTERPRISE_URN}:division"): "d"}),
        );
        check(add("name", json!({"givenName": "I", "shoe": 1})), json!({"givenName": "I"}));
        check(add("emails", json!([{"value": "a", "shoe": 1}, "b"])), json!([{"value": "a"}, "b"]));
        check(add("emails[type eq \"work\"]", json!({"value": "a", "shoe": 1})), json!({"value": "a"}));
        check(add(ENTERPRISE_URN, json!({"department": "Ops", "hat": 1})), json!({"department": "Ops"}));
        check(add(USER_URN, json!({"title": "x", "hat": 1})), json!({"title": "x"}));
        check(add("shoe", json!({"size": 1})), json!({"size": 1}));
        check(add("title", json!("x")), json!("x"));
    }
}
