//! Bodies that fit the subject's schemas: without sub-attributes that they lack, and with those that they demand.

use serde_json::{Value, json};

use crate::json::{get, is_absent};
use crate::server::discovery::{Facts, ResourceType, attribute, is_wanted, value_of};

/// The constraints that bodies are adapted to.
pub(crate) struct Fit<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) resource_type: &'a ResourceType,
    /// The text at places where two resources must differ.
    pub(crate) unique: &'a str,
    /// Returns the address of the resource with an id, for `$ref`.
    pub(crate) locate: &'a dyn Fn(&str) -> Option<String>,
}

impl Fit<'_> {
    /// Adapts a resource, or a part of one. Attributes that the schema lacks as a whole stay, because a case may be
    /// about them.
    pub(crate) fn body(&self, body: &mut Value) {
        let core = self.facts.schemas.get(&self.resource_type.schema.to_ascii_lowercase());
        self.members(body, core, None);
    }

    /// Adapts the operations of a PATCH: values that they set anew get what the schema demands. Nothing is removed,
    /// because the case is about the content of the operations; and nothing is added to a complex attribute of the
    /// resource, with which the value is merged (RFC 7644 §3.5.2.3).
    pub(crate) fn operations(&self, operations: &mut Value, resource: &Value) {
        let core = self.facts.schemas.get(&self.resource_type.schema.to_ascii_lowercase());
        for operation in operations.as_array_mut().into_iter().flatten() {
            let path = get(operation, "path").and_then(Value::as_str).map(ToOwned::to_owned);
            let Some(value) = operation.as_object_mut().and_then(|members| members.get_mut("value")) else {
                continue;
            };
            match path {
                None => self.members(value, core, Some(resource)),
                Some(path) => {
                    if let Some(known) = core.and_then(|core| attribute(core, "attributes", &path))
                        && !is_merged(known, get(resource, &path))
                    {
                        self.value(value, known, false);
                    }
                }
            }
        }
    }

    /// Adapts members. `resource`: the resource that the members of a PATCH are merged into.
    fn members(&self, body: &mut Value, schema: Option<&Value>, resource: Option<&Value>) {
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            let before = resource.map(|resource| get(resource, name).unwrap_or(&Value::Null));
            if let Some(extension) = self.facts.schemas.get(&name.to_ascii_lowercase()) {
                self.members(value, Some(extension), before);
            } else if let Some(known) = schema.and_then(|schema| attribute(schema, "attributes", name))
                && !is_merged(known, before)
            {
                self.value(value, known, before.is_none());
            }
        }
    }

    fn value(&self, value: &mut Value, known: &Value, prune: bool) {
        match value {
            Value::Array(elements) => {
                for element in elements.iter_mut() {
                    self.element(element, known, prune);
                }
            }
            one => self.element(one, known, prune),
        }
    }

    fn element(&self, element: &mut Value, known: &Value, prune: bool) {
        let parts =
            get(known, "subAttributes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if parts.is_empty() {
            return;
        }
        if prune {
            self::prune(element, known);
        }
        let Some(members) = element.as_object_mut() else { return };
        for part in parts.iter().filter(|part| is_wanted(part)) {
            let Some(name) = get(part, "name").and_then(Value::as_str) else { continue };
            if members.keys().any(|known| known.eq_ignore_ascii_case(name)) {
                continue;
            }
            if name == "$ref" {
                // What refers to nothing is refused with good reason.
                let id = members.get("value").and_then(Value::as_str);
                if let Some(location) = id.and_then(|id| (self.locate)(id)) {
                    members.insert(name.to_owned(), json!(location));
                }
            } else {
                members.insert(name.to_owned(), value_of(part, self.unique));
            }
        }
    }
}

/// Whether a value of an attribute is merged with the stored one, and so needs no member that is stored already.
fn is_merged(known: &Value, before: Option<&Value>) -> bool {
    let is_many = get(known, "multiValued").and_then(Value::as_bool).unwrap_or(false);
    !is_many && before.and_then(Value::as_object).is_some_and(|members| !members.is_empty())
}

/// Whether a schema requires an attribute that a body clears, which no server has to take.
pub(crate) fn clears_what_is_required(
    facts: &Facts,
    resource_type: &ResourceType,
    with: &Value,
) -> Option<String> {
    fn find(schema: &Value, list: &str, with: &Value) -> Option<String> {
        with.as_object()?.iter().find_map(|(name, value)| {
            let known = attribute(schema, list, name)?;
            if is_absent(Some(value)) {
                return is_wanted(known).then(|| name.clone());
            }
            find(known, "subAttributes", value).map(|part| format!("{name}.{part}"))
        })
    }
    let core = facts.schemas.get(&resource_type.schema.to_ascii_lowercase())?;
    // What RFC 7643 requires is cleared to see that it is refused.
    find(core, "attributes", with)
        .filter(|name| !name.eq_ignore_ascii_case("userName") && !name.eq_ignore_ascii_case("displayName"))
}

/// Removes the members of a complex value that the schema lacks, unless nothing would be left.
pub(crate) fn prune(element: &mut Value, known: &Value) {
    let is_known = |name: &str| attribute(known, "subAttributes", name).is_some();
    let has_parts =
        get(known, "subAttributes").and_then(Value::as_array).is_some_and(|parts| !parts.is_empty());
    if let Some(members) = element.as_object_mut()
        && has_parts
        && members.keys().any(|name| is_known(name))
    {
        members.retain(|name, _| is_known(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_adapted_to_the_schema() {
        let types = json!([{ "name": "User", "endpoint": "/Users", "schema": "urn:u" }]);
        let part =
            |name: &str, required: bool| json!({ "name": name, "type": "string", "required": required });
        let schemas = json!([{ "id": "urn:u", "name": "User", "attributes": [
            { "name": "emails", "type": "complex", "multiValued": true, "subAttributes": [part("value", true), part("label", true)] },
            { "name": "manager", "type": "complex", "subAttributes": [part("value", true), part("$ref", true)] },
        ] }]);
        let facts = Facts::of(None, Some(&types), Some(&schemas));
        let user = facts.resource_type("User").expect("a type");
        let locate = |id: &str| (id == "7").then(|| "https://h/Users/7".to_owned());
        let fit = Fit { facts: &facts, resource_type: user, unique: "u", locate: &locate };
        let mut body = json!({ "zebra": { "a": 1 }, "emails": [{ "value": "x", "type": "work" }, { "odd": 1 }], "manager": { "value": "7" } });
        fit.body(&mut body);
        assert_eq!(
            body,
            json!({ "zebra": { "a": 1 }, "emails": [{ "value": "x", "label": "u" }, { "odd": 1, "value": "u", "label": "u" }],
                "manager": { "value": "7", "$ref": "https://h/Users/7" } })
        );
        let mut operations = json!([{ "op": "add", "path": "emails", "value": [{ "value": "y", "type": "home" }] }, { "op": "remove", "path": "emails" }]);
        fit.operations(&mut operations, &json!({ "emails": [{ "value": "x" }] }));
        assert_eq!(operations[0]["value"], json!([{ "value": "y", "type": "home", "label": "u" }]));
        // What refers to nobody is not made up.
        let mut body = json!({ "manager": { "value": "8" } });
        fit.body(&mut body);
        assert_eq!(body, json!({ "manager": { "value": "8" } }));
    }
    #[test]
    fn patch_value_merged_into_a_resource_gets_no_new_members() {
        let types = json!([{ "name": "User", "endpoint": "/Users", "schema": "urn:u" }]);
        let name = json!({ "name": "name", "type": "complex", "multiValued": false, "subAttributes": [
            { "name": "givenName", "type": "string" }, { "name": "familyName", "type": "string", "required": true },
        ] });
        let schemas = json!([{ "id": "urn:u", "name": "User", "attributes": [
            name, { "name": "userName", "type": "string", "required": true },
            { "name": "emails", "type": "complex", "multiValued": true, "required": true, "subAttributes": [] },
        ] }]);
        let facts = Facts::of(None, Some(&types), Some(&schemas));
        let user = facts.resource_type("User").expect("a type");
        let fit = Fit { facts: &facts, resource_type: user, unique: "u", locate: &|_| None };
        let given = json!({ "givenName": "Ada" });
        let operations = json!([{ "op": "add", "path": "name", "value": given }, { "op": "add", "value": { "name": given } }]);
        let mut merged = operations.clone();
        fit.operations(&mut merged, &json!({ "name": { "familyName": "Quay" } }));
        assert_eq!(merged, operations);
        let mut anew = operations;
        fit.operations(&mut anew, &json!({ "userName": "ada" }));
        let whole = json!({ "givenName": "Ada", "familyName": "u" });
        assert_eq!((&anew[0]["value"], &anew[1]["value"]["name"]), (&whole, &whole));
        let clears = |with: Value| clears_what_is_required(&facts, user, &with);
        assert_eq!(clears(json!({ "emails": [] })).as_deref(), Some("emails"));
        assert_eq!(clears(json!({ "name": { "familyName": null } })).as_deref(), Some("name.familyName"));
        assert_eq!(clears(json!({ "name": { "givenName": null }, "userName": null })), None);
    }
}
