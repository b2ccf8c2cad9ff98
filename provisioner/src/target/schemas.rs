//! Attributes that a read does not show by the target's schemas (RFC 7643 §7: `returned`, `mutability`).

use std::collections::BTreeSet;

use reqwest::StatusCode;
use scim::json::get_ci;
use serde_json::{Map, Value};

use super::client::{Client, Request};
use crate::mapping::TargetPath;

/// The attributes that an ordinary read leaves out, as the target's schemas say.
#[derive(Debug, Default)]
pub(crate) struct HiddenAttributes(BTreeSet<String>);

impl HiddenAttributes {
    /// Whether an ordinary read lacks the value at `path`.
    pub(crate) fn contains(&self, path: &TargetPath) -> bool {
        let attribute = key(path.urn().unwrap_or(scim::schema::USER_URN), path.attribute());
        let sub = path.sub().map(|sub| format!("{attribute}.{}", sub.to_lowercase()));
        self.0.contains(&attribute) || sub.is_some_and(|sub| self.0.contains(&sub))
    }

    fn of(schemas: &Value) -> Self {
        let mut hidden_attributes = BTreeSet::new();
        let listed = schemas.as_object().and_then(|list| get_ci(list, "Resources")).unwrap_or(schemas);
        for schema in listed.as_array().into_iter().flatten().filter_map(Value::as_object) {
            let Some(urn) = get_ci(schema, "id").and_then(Value::as_str) else { continue };
            for attribute in members(schema, "attributes") {
                let Some(name) = text(attribute, "name") else { continue };
                let name = key(urn, name);
                for sub in members(attribute, "subAttributes").filter(|sub| is_unshown(sub)) {
                    hidden_attributes
                        .extend(text(sub, "name").map(|sub| format!("{name}.{}", sub.to_lowercase())));
                }
                if is_unshown(attribute) {
                    hidden_attributes.insert(name);
                }
            }
        }
        Self(hidden_attributes)
    }
}

impl Client {
    /// Requests the target's schemas. Without any, no attribute counts as hidden.
    pub(crate) async fn hidden_attributes(&self) -> HiddenAttributes {
        match self.count_and_exchange(Request::get(&["Schemas"])).await {
            Ok(response) if response.status == StatusCode::OK => match &response.body {
                super::response::Body::Json(schemas) => HiddenAttributes::of(schemas),
                super::response::Body::Empty
                | super::response::Body::Other
                | super::response::Body::Excess(_) => HiddenAttributes::default(),
            },
            Ok(_) | Err(_) => HiddenAttributes::default(),
        }
    }
}

fn key(urn: &str, attribute: &str) -> String {
    format!("{urn}:{attribute}").to_lowercase()
}

fn members<'a>(object: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = &'a Map<String, Value>> {
    get_ci(object, name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    get_ci(object, name)?.as_str()
}

fn is_unshown(attribute: &Map<String, Value>) -> bool {
    let is = |name: &str, words: &[&str]| {
        text(attribute, name).is_some_and(|word| words.iter().any(|one| word.eq_ignore_ascii_case(one)))
    };
    is("returned", &["never", "request"]) || is("mutability", &["writeOnly"])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_that_a_read_leaves_out_are_found_in_sloppy_schemas_too() {
        let schema = json!({ "ID": "urn:example:Hr", "attributes": [
            { "name": "pin", "returned": "never" },
            { "name": "badge", "RETURNED": "Request" },
            { "name": "key", "mutability": "writeonly", "returned": "default" },
            { "name": "desk", "subAttributes": [{ "name": "code", "returned": "never" }, { "name": "floor" }] },
            { "name": "room", "returned": "default" }, { "returned": "never" }, 7,
        ] });
        for schemas in [json!({ "Resources": [schema, null] }), json!([schema])] {
            let hidden_attributes = HiddenAttributes::of(&schemas);
            let check = |path: &str| hidden_attributes.contains(&path.parse().unwrap());
            for path in [
                "urn:example:hr:PIN",
                "urn:example:Hr:badge",
                "urn:example:Hr:key",
                "urn:example:Hr:desk.code",
            ] {
                assert!(check(path), "{path}");
            }
            for path in ["urn:example:Hr:room", "urn:example:Hr:desk.floor", "pin", "urn:example:Other:pin"] {
                assert!(!check(path), "{path}");
            }
        }
        for schemas in [json!(null), json!({}), json!({ "Resources": {} }), json!("text")] {
            assert!(!HiddenAttributes::of(&schemas).contains(&"title".parse().unwrap()));
        }
    }
}
