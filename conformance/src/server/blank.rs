//! The smallest bodies that a subject's schemas allow, from a template where there is one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::json::get;
use crate::server::discovery::{Facts, ResourceType};

/// Builds the smallest body that a schema allows.
#[derive(Debug, Clone, Default)]
pub struct Blank {
    /// Bodies to start from, by the name of the resource type in lower case (`--template`).
    pub templates: BTreeMap<String, Value>,
}

impl Blank {
    /// Returns a new resource of a type. `unique` is inserted where two resources must differ.
    pub fn make(&self, facts: &Facts, resource_type: &ResourceType, unique: &str) -> Value {
        let mut body = json!({ "schemas": [resource_type.schema] });
        let schema = facts.schemas.get(&resource_type.schema.to_ascii_lowercase());
        fill(&mut body, schema, unique, "");
        for (urn, required) in &resource_type.extensions {
            let schema = facts.schemas.get(&urn.to_ascii_lowercase());
            let mut inner = json!({});
            fill(&mut inner, schema, unique, urn);
            let needed = inner.as_object().is_some_and(|inner| !inner.is_empty());
            if *required
                && needed
                && let Some(schemas) = body["schemas"].as_array_mut()
            {
                schemas.push(Value::from(urn.as_str()));
                body[urn.as_str()] = inner;
            }
        }
        if let Some(template) = self.templates.get(&resource_type.name.to_ascii_lowercase()) {
            merge(&mut body, &personal(template, unique));
            list_extensions(&mut body);
        }
        // What makes it ours, and findable: always with the prefix.
        match resource_type.name.to_ascii_lowercase().as_str() {
            "user" => body["userName"] = Value::from(self.user_name(unique)),
            "group" if !body["displayName"].as_str().is_some_and(|dressed| dressed.contains(unique)) => {
                body["displayName"] = Value::from(unique);
            }
            _ => {}
        }
        body
    }

    /// Returns a user name in the form of the template's, else in that of an e-mail address, which more servers
    /// accept than any other.
    pub fn user_name(&self, unique: &str) -> String {
        let shape = self.templates.get("user").and_then(|user| get(user, "userName")?.as_str());
        match shape {
            Some(shape) if shape.contains(UNIQUE) => shape.replace(UNIQUE, unique),
            // Somebody's real name: its domain is its shape.
            Some(shape) => match shape.rsplit_once('@') {
                Some((_, domain)) => format!("{unique}@{domain}"),
                None => unique.to_owned(),
            },
            None => format!("{unique}@example.com"),
        }
    }

    /// Returns the start of the user names whose unique parts begin with `unique`: the text of the template before
    /// the unique part belongs to it.
    pub fn user_names_start(&self, unique: &str) -> String {
        let name = self.user_name(unique);
        let end = name.find(unique).map_or(name.len(), |at| at + unique.len());
        name.get(..end).unwrap_or_default().to_owned()
    }
}

/// Names the schemas that a resource uses, where it does not: that of its type, and of the extensions whose attributes it has.
pub(crate) fn name_schemas(body: &mut Value, resource_type: &ResourceType) {
    let Some(members) = body.as_object_mut() else { return };
    let is_urn = |name: &&String| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    let used: Vec<String> = members.keys().filter(is_urn).cloned().collect();
    let known = members.keys().find(|name| name.eq_ignore_ascii_case("schemas")).cloned();
    let schemas = members.entry(known.unwrap_or_else(|| "schemas".to_owned())).or_insert(Value::Null);
    if !schemas.is_array() {
        *schemas = json!([]);
    }
    for urn in std::iter::once(&resource_type.schema).chain(&used).filter(|urn| !urn.is_empty()) {
        let is_named = |known: &Value| known.as_str().is_some_and(|known| known.eq_ignore_ascii_case(urn));
        if let Some(schemas) = schemas.as_array_mut().filter(|schemas| !schemas.iter().any(is_named)) {
            schemas.push(Value::from(urn.as_str()));
        }
    }
}

/// The placeholder of a template at which two resources must differ.
const UNIQUE: &str = "{{unique}}";

/// Fills `{{unique}}` in, in the texts of a template.
fn personal(template: &Value, unique: &str) -> Value {
    match template {
        Value::String(text) => Value::from(text.replace(UNIQUE, unique)),
        Value::Array(elements) => elements.iter().map(|element| personal(element, unique)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), personal(member, unique))).collect()
        }
        other => other.clone(),
    }
}

/// Adds the required attributes of a schema.
fn fill(body: &mut Value, schema: Option<&Value>, unique: &str, extension: &str) {
    let attributes = schema.and_then(|schema| get(schema, "attributes")).and_then(Value::as_array);
    for attribute in attributes.into_iter().flatten().filter(|attribute| is_wanted(attribute)) {
        let Some(name) = get(attribute, "name").and_then(Value::as_str) else { continue };
        if extension.is_empty() && matches!(name, "id" | "schemas" | "meta") {
            continue;
        }
        body[name] = value_of(attribute, unique);
    }
}

/// Whether an attribute is required and writable.
pub(crate) fn is_wanted(attribute: &Value) -> bool {
    let required = get(attribute, "required").and_then(Value::as_bool).unwrap_or(false);
    required && get(attribute, "mutability").and_then(Value::as_str) != Some("readOnly")
}

/// Whether it is the address of another resource, which cannot be made up.
fn refers(attribute: &Value) -> bool {
    get(attribute, "name").and_then(Value::as_str) == Some("$ref")
}

pub(crate) fn value_of(attribute: &Value, unique: &str) -> Value {
    let canonical =
        get(attribute, "canonicalValues").and_then(Value::as_array).and_then(|values| values.first());
    let one = match (canonical, get(attribute, "type").and_then(Value::as_str)) {
        (Some(value), _) => value.clone(),
        (None, Some("boolean")) => json!(true),
        (None, Some("integer")) => json!(1),
        (None, Some("decimal")) => json!(1.5),
        (None, Some("dateTime")) => json!("2026-01-01T00:00:00Z"),
        (None, Some("binary")) => json!("Y29uZm9ybWFuY2U="),
        (None, Some("reference")) => json!(format!("https://example.com/{unique}")),
        (None, Some("complex")) => {
            let parts = get(attribute, "subAttributes").and_then(Value::as_array);
            let mut object = json!({});
            for part in parts.into_iter().flatten().filter(|part| is_wanted(part) && !refers(part)) {
                if let Some(name) = get(part, "name").and_then(Value::as_str) {
                    object[name] = value_of(part, unique);
                }
            }
            // At least something, and `value` is what identifies.
            if object.as_object().is_some_and(serde_json::Map::is_empty) {
                let value = parts
                    .into_iter()
                    .flatten()
                    .find(|part| get(part, "name").and_then(Value::as_str) == Some("value"));
                object["value"] = value.map_or_else(|| json!(unique), |part| value_of(part, unique));
            }
            object
        }
        (None, _) => json!(unique),
    };
    let many = get(attribute, "multiValued").and_then(Value::as_bool).unwrap_or(false);
    if many { json!([one]) } else { one }
}

/// Merges `over` into `body`: objects member by member, null removes, anything else replaces. Names without case.
pub(crate) fn merge(body: &mut Value, over: &Value) {
    match (body, over) {
        (Value::Object(body), Value::Object(over)) => {
            for (name, member) in over {
                let known = body.keys().find(|known| known.eq_ignore_ascii_case(name)).cloned();
                let name = known.unwrap_or_else(|| name.clone());
                if member.is_null() {
                    body.remove(&name);
                } else {
                    merge(body.entry(name).or_insert(Value::Null), member);
                }
            }
        }
        (body, over) => *body = over.clone(),
    }
}

/// Names in `schemas` the extensions that a body has values of (RFC 7643 §3): a template need not.
pub(crate) fn list_extensions(body: &mut Value) {
    let is_urn = |name: &str| name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    let has_values = |value: &Value| value.as_object().is_some_and(|members| !members.is_empty());
    let members = body.as_object().into_iter().flatten();
    let urns: Vec<String> = members
        .filter(|(name, value)| is_urn(name) && has_values(value))
        .map(|(name, _)| name.clone())
        .collect();
    let Some(Value::Array(schemas)) = body.get_mut("schemas") else { return };
    for urn in urns {
        if !schemas
            .iter()
            .any(|listed| listed.as_str().is_some_and(|listed| listed.eq_ignore_ascii_case(&urn)))
        {
            schemas.push(Value::from(urn));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::discovery::USER;
    use crate::server::discovery::tests::facts;

    #[test]
    fn blank_has_required_attributes_and_those_of_the_template() {
        let facts = facts();
        let user = facts.resource_type("user").expect("a type");
        assert_eq!(user.endpoint, "/Users");
        let mut blank = Blank::default();
        assert_eq!(
            blank.make(&facts, user, "conformance-1"),
            json!({
                "schemas": [USER, "urn:example:Badge"], "userName": "conformance-1@example.com", "origin": { "value": 1 }, "marks": ["blue"],
                "urn:example:Badge": { "since": "2026-01-01T00:00:00Z" },
            })
        );
        blank.templates.insert("user".to_owned(), json!({ "title": "t-{{unique}}", "marks": null }));
        let made = blank.make(&facts, user, "u");
        assert_eq!((&made["title"], made.get("marks")), (&json!("t-u"), None));
        let template = json!({ "urn:example:Extra": { "code": "x" }, "urn:example:None": {} });
        blank.templates.insert("user".to_owned(), template);
        let schemas = json!([USER, "urn:example:Badge", "urn:example:Extra"]);
        assert_eq!(blank.make(&facts, user, "u")["schemas"], schemas);
        for (shape, expected) in [
            ("{{unique}}@corp.example", "u@corp.example"),
            ("x-{{unique}}", "x-u"),
            ("ada@corp.example", "u@corp.example"),
            ("ada", "u"),
        ] {
            blank.templates.insert("user".to_owned(), json!({ "USERNAME": shape }));
            assert_eq!(blank.user_name("u"), expected, "{shape}");
            assert_eq!(blank.make(&facts, user, "u")["userName"], json!(expected), "{shape}");
            let start = blank.user_names_start("u-");
            assert!(blank.user_name("u-1").starts_with(&start), "{shape}: {start}");
            assert!(!blank.user_name("u1-1").starts_with(&start), "{shape}: {start}");
        }
    }
}
