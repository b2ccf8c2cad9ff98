//! What no schema knows, taken out of the values of a request.

use serde_json::{Map, Value};

use super::PatchRequest;
use crate::{
    path::{AttrPath, PatchPath},
    schema::{Attribute, Schema, SchemaSet},
};

type Members = Map<String, Value>;

/// Takes members that no schema knows out of the values of a request, as a server may do with those of a POST
/// (RFC 7644 §3.3). A path that leads nowhere stays what it is: an error.
///
/// ```
/// use scim::{patch::{PatchRequest, drop_unknown}, schema::{PATCH_URN, SchemaSet}};
/// use serde_json::json;
///
/// let mut request = PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": [
///     {"op": "add", "value": {"title": "Nurse", "shoe": 44, "name": {"givenName": "Ida", "size": "S"}}},
/// ]}))?;
/// drop_unknown(&mut request, SchemaSet::user());
/// assert_eq!(request.operations[0].value, Some(json!({"title": "Nurse", "name": {"givenName": "Ida"}})));
/// # Ok::<(), scim::patch::PatchError>(())
/// ```
pub fn drop_unknown(request: &mut PatchRequest, schemas: &SchemaSet) {
    for operation in &mut request.operations {
        let Some(value) = &mut operation.value else { continue };
        match &operation.path {
            None => in_members(value, schemas),
            Some(path) => in_value(value, path, schemas),
        }
    }
}

/// Of a value without a path, whose members are paths.
fn in_members(value: &mut Value, schemas: &SchemaSet) {
    let Value::Object(members) = value else { return };
    members.retain(|key, value| {
        if let Some(schema) = schemas.extension(key) {
            in_extension(value, schema);
            return true;
        }
        let Ok(path) = key.parse::<PatchPath>() else { return false };
        let attr_path: AttrPath = path.attr_path();
        if schemas.schema_at(&attr_path).is_none() && schemas.locate(&attr_path).is_none() {
            return false;
        }
        in_value(value, &path, schemas);
        true
    });
}

fn in_value(value: &mut Value, path: &PatchPath, schemas: &SchemaSet) {
    let attr_path = path.attr_path();
    match (schemas.schema_at(&attr_path), schemas.locate(&attr_path)) {
        (Some(schema), _) if schema.id() == schemas.core().id() => in_members(value, schemas),
        (Some(schema), _) => in_extension(value, schema),
        (None, Some(found)) => in_attribute(value, found.leaf()),
        (None, None) => {}
    }
}

fn in_extension(value: &mut Value, schema: &Schema) {
    let Value::Object(members) = value else { return };
    retain(members, |key| schema.attribute(key));
}

fn in_attribute(value: &mut Value, attribute: &Attribute) {
    if !attribute.is_complex() {
        return;
    }
    let values = match value {
        Value::Array(values) => values.as_mut_slice(),
        single => std::slice::from_mut(single),
    };
    for members in values.iter_mut().filter_map(Value::as_object_mut) {
        retain(members, |key| attribute.sub(key));
    }
}

fn retain<'a>(members: &mut Members, look_up: impl Fn(&str) -> Option<&'a Attribute>) {
    members.retain(|key, value| match look_up(key) {
        Some(attribute) => {
            in_attribute(value, attribute);
            true
        }
        None => false,
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
        let path = request.operations[0].path.clone();
        drop_unknown(&mut request, SchemaSet::user());
        assert_eq!((request.operations[0].value.as_ref(), &request.operations[0].path), (Some(&left), &path));
    }

    #[test]
    fn only_what_a_schema_knows_is_left() {
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
