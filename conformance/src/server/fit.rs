//! Bodies that fit the subject's schemas: without sub-attributes that they lack, and with those that they demand.

use serde_json::{Value, json};

use crate::server::facts::{Facts, ResourceType, attribute, get, is_wanted, value_of};

/// What bodies are made to fit.
pub(crate) struct Fit<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) resource_type: &'a ResourceType,
    /// Goes where two resources must differ.
    pub(crate) unique: &'a str,
    /// Where the resource of an id is, for `$ref`.
    pub(crate) locate: &'a dyn Fn(&str) -> Option<String>,
}

impl Fit<'_> {
    /// Makes a resource, or a part of one, fit. Attributes that the schema lacks as a whole stay: they may be what a case
    /// is about.
    pub(crate) fn body(&self, body: &mut Value) {
        let core = self.facts.schemas.get(&self.resource_type.schema.to_ascii_lowercase());
        self.members(body, core, true);
    }

    /// Makes the operations of a PATCH fit: what they set has what the schema demands. Nothing is taken away, for what an
    /// operation says is what the case is about.
    pub(crate) fn operations(&self, operations: &mut Value) {
        let core = self.facts.schemas.get(&self.resource_type.schema.to_ascii_lowercase());
        for operation in operations.as_array_mut().into_iter().flatten() {
            let path = get(operation, "path").and_then(Value::as_str).map(ToOwned::to_owned);
            let Some(value) = operation.as_object_mut().and_then(|members| members.get_mut("value")) else {
                continue;
            };
            match path {
                None => self.members(value, core, false),
                Some(path) => {
                    if let Some(known) = core.and_then(|core| attribute(core, "attributes", &path)) {
                        self.value(value, known, false);
                    }
                }
            }
        }
    }

    fn members(&self, body: &mut Value, schema: Option<&Value>, prune: bool) {
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if let Some(extension) = self.facts.schemas.get(&name.to_ascii_lowercase()) {
                self.members(value, Some(extension), prune);
            } else if let Some(known) = schema.and_then(|schema| attribute(schema, "attributes", name)) {
                self.value(value, known, prune);
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

/// Takes away what a complex attribute has no sub-attribute for, unless nothing would be left.
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
    fn bodies_fit_the_schema() {
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
        fit.operations(&mut operations);
        assert_eq!(operations[0]["value"], json!([{ "value": "y", "type": "home", "label": "u" }]));
        // What refers to nobody is not made up.
        let mut body = json!({ "manager": { "value": "8" } });
        fit.body(&mut body);
        assert_eq!(body, json!({ "manager": { "value": "8" } }));
    }
}
