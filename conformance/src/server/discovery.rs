//! The discovery documents of a subject (RFC 7644 §4), read leniently: an unreadable part counts as absent.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::case::capability::{Capability, Feature};
use crate::json::get;
pub use crate::server::blank::Blank;
pub(crate) use crate::server::blank::{is_wanted, merge, value_of};
use crate::server::deviation::lists;
use crate::subject::server::client::{Client, Request};

/// A resource type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// The name, as in `User`.
    pub name: String,
    /// Below the base URL, with a leading slash.
    pub endpoint: String,
    /// The endpoint in /ResourceTypes if it is no path below the base URL: an address, slashes alone, or an empty
    /// text.
    pub named: Option<String>,
    /// The URN of its schema.
    pub schema: String,
    /// URNs of its extensions, and whether each is required.
    pub extensions: Vec<(String, bool)>,
}

/// The capabilities of a subject.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// ServiceProviderConfig as it came.
    pub config: Option<Value>,
    /// The resource types. Without any, those of RFC 7643 are assumed.
    pub resource_types: Vec<ResourceType>,
    /// Whether the subject said which it has.
    types_said: bool,
    /// Schemas by URN in lower case.
    pub schemas: BTreeMap<String, Value>,
    /// Endpoints that are elsewhere than /ResourceTypes says.
    pub moved: Vec<Moved>,
    /// /ResourceTypes does not list users, and their endpoint answers.
    unlisted: bool,
    /// /Schemas has documents without `attributes`, which say as little as none.
    pub(crate) without_attributes: bool,
}

/// An endpoint that /ResourceTypes names wrongly: the usual one is there and is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The resource type.
    pub name: String,
    /// The endpoint that /ResourceTypes names.
    pub named: String,
    /// The endpoint that is used instead.
    pub used: String,
    /// The content of the named endpoint.
    pub why: String,
}

impl Moved {
    pub(crate) fn new(name: &str, named: &str, used: &str, why: &str) -> Self {
        Self { name: name.to_owned(), named: named.to_owned(), used: used.to_owned(), why: why.to_owned() }
    }
}

/// Whether a capability is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// The capability is present, or nothing denies it.
    Yes,
    /// The capability is absent, for this reason.
    No(String),
}

pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

impl Facts {
    /// Asks a subject. A document that is missing or broken leaves its facts unsaid.
    pub async fn ask(client: &Client) -> Self {
        let get = async |path: &str| {
            let request = Request {
                step: "discovery".to_owned(),
                method: "GET".to_owned(),
                path: path.to_owned(),
                ..Request::default()
            };
            let (_, answer) = client.send(&request).await;
            answer.filter(|answer| answer.status == 200).and_then(|answer| answer.json)
        };
        let (config, types, schemas) =
            tokio::join!(get("/ServiceProviderConfig"), get("/ResourceTypes"), get("/Schemas"));
        Self::of(config, types.as_ref(), schemas.as_ref())
    }

    /// Reads the three documents.
    pub fn of(config: Option<Value>, types: Option<&Value>, schemas: Option<&Value>) -> Self {
        let resource_types: Vec<_> =
            types.map(elements).unwrap_or_default().iter().filter_map(resource_type).collect();
        let types_said = !resource_types.is_empty();
        let resource_types = if types_said { resource_types } else { usual() };
        let mut facts = Self {
            config: config.filter(Value::is_object),
            resource_types,
            types_said,
            schemas: BTreeMap::new(),
            moved: Vec::new(),
            unlisted: false,
            without_attributes: false,
        };
        facts.learn_schemas(schemas);
        facts
    }

    /// Adds the schemas of /Schemas.
    pub(crate) fn learn_schemas(&mut self, schemas: Option<&Value>) {
        let (good, empty): (Vec<_>, Vec<_>) = schemas
            .map(elements)
            .unwrap_or_default()
            .into_iter()
            .partition(|schema| get(schema, "attributes").is_some_and(Value::is_array));
        self.without_attributes = good.is_empty() && !empty.is_empty();
        self.schemas = good
            .into_iter()
            .filter_map(|schema| Some((get(&schema, "id")?.as_str()?.to_ascii_lowercase(), schema)))
            .collect();
    }

    /// Whether discovery says anything.
    pub(crate) fn are_said(&self) -> bool {
        self.speaks_scim() || self.types_said || !self.schemas.is_empty() || self.without_attributes
    }

    /// Whether discovery looks like that of a SCIM server.
    pub(crate) fn speaks_scim(&self) -> bool {
        let said = |name: &str| self.config.as_ref().and_then(|config| get(config, name));
        let urns = said("schemas").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let mut urns = urns.map(str::to_ascii_lowercase);
        // A list or an error, which some servers answer to everything, is no configuration.
        let is_of_scim = |urn: &String| {
            urn.starts_with("urn:ietf:params:scim:") && !urn.starts_with("urn:ietf:params:scim:api:messages:")
        };
        urns.any(|urn| is_of_scim(&urn))
            || ["patch", "bulk", "filter"]
                .iter()
                .filter(|name| said(name).is_some_and(Value::is_object))
                .count()
                > 1
    }

    /// Returns the number of endpoints that /ResourceTypes names wrongly; a missing endpoint is another mistake.
    pub(crate) fn wrong_endpoints(&self) -> usize {
        self.moved.iter().filter(|moved| !moved.named.is_empty()).count()
    }

    /// Uses endpoints that exist in place of the named ones.
    pub(crate) fn move_endpoints(&mut self) {
        for Moved { name, used, .. } in &self.moved {
            for known in &mut self.resource_types {
                if known.name.eq_ignore_ascii_case(name) {
                    known.endpoint.clone_from(used);
                }
            }
        }
    }

    /// Uses an endpoint that was found to answer.
    pub(crate) fn use_endpoint(&mut self, name: &str, endpoint: &str) {
        for known in &mut self.resource_types {
            if known.name.eq_ignore_ascii_case(name) && endpoint.starts_with('/') {
                endpoint.clone_into(&mut known.endpoint);
            }
        }
    }

    /// Adds the resource type of users that /ResourceTypes does not list, because their endpoint answers.
    pub(crate) fn list_unlisted_users(&mut self) {
        self.unlisted = true;
        self.resource_types.insert(0, usual().swap_remove(0));
    }

    /// Returns the endpoint of a resource type as /ResourceTypes names it. If it names none, the case about that says
    /// so.
    pub fn named_endpoint(&self, name: &str) -> Option<&str> {
        let mut moved = self.moved.iter().filter(|moved| !moved.named.is_empty());
        let moved = moved.find(|moved| moved.name.eq_ignore_ascii_case(name));
        moved
            .map(|moved| moved.named.as_str())
            .or_else(|| self.resource_type(name).map(|known| known.endpoint.as_str()))
    }

    /// Returns a resource type by name.
    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.resource_types.iter().find(|known| known.name.eq_ignore_ascii_case(name))
    }

    /// Returns whether the subject advertises a feature, or `None` if it does not say.
    pub fn feature(&self, feature: Feature) -> Option<bool> {
        self.config.as_ref()?.pointer(feature.pointer())?.as_bool()
    }

    /// Returns the URN of a schema by its short name, as in `EnterpriseUser`.
    pub fn urn(&self, name: &str) -> Option<String> {
        if let Some(known) = self.resource_type(name) {
            return Some(known.schema.clone());
        }
        let named = self.schemas.values().find(|schema| {
            get(schema, "name").and_then(Value::as_str).is_some_and(|known| same_name(known, name))
        });
        let said = named.and_then(|schema| get(schema, "id")?.as_str()).map(ToOwned::to_owned);
        said.or_else(|| (name == "EnterpriseUser").then(|| ENTERPRISE.to_owned()))
    }

    /// Whether something is there.
    pub fn met(&self, need: &Capability) -> Met {
        match need {
            Capability::Feature(feature) => match (feature, self.feature(*feature)) {
                (_, Some(false)) => {
                    Met::No(format!("ServiceProviderConfig says {} is false", feature.pointer()))
                }
                // Cursors are an addition: silence means that there are none.
                (Feature::Cursor, None) => Met::No("cursor paging is not advertised".to_owned()),
                (_, Some(true) | None) => Met::Yes,
            },
            Capability::Says(member) => {
                let said = self.config.as_ref().and_then(|config| get(config, member)?.as_bool());
                if said == Some(true) {
                    Met::Yes
                } else {
                    Met::No(format!("ServiceProviderConfig does not say {member}"))
                }
            }
            Capability::Schema { name, path, characteristic } => {
                self.schema_met(name, path, characteristic.as_ref())
            }
        }
    }

    fn schema_met(&self, name: &str, path: &[String], characteristic: Option<&(String, String)>) -> Met {
        let resource = self.resource_type(name);
        let urn = self.urn(name);
        if resource.is_none() {
            let extension = urn.as_ref().is_some_and(|urn| {
                self.resource_types
                    .iter()
                    .flat_map(|known| &known.extensions)
                    .any(|(known, _)| known.eq_ignore_ascii_case(urn))
            });
            if self.types_said && !extension {
                return Met::No(format!("no resource type and no extension is called {name}"));
            }
        }
        let Some((first, rest)) = path.split_first() else { return Met::Yes };
        let Some(schema) = urn.and_then(|urn| self.schemas.get(&urn.to_ascii_lowercase())) else {
            return Met::Yes;
        };
        let missing = || Met::No(format!("the schema of {name} has no attribute {}", path.join(".")));
        let Some(mut attribute) = attribute(schema, "attributes", first) else { return missing() };
        for part in rest {
            match self::attribute(attribute, "subAttributes", part) {
                Some(inner) => attribute = inner,
                None => return missing(),
            }
        }
        let Some((key, wanted)) = characteristic else { return Met::Yes };
        match get(attribute, key) {
            None => Met::Yes,
            Some(value) => {
                let said = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                if said.eq_ignore_ascii_case(wanted) {
                    Met::Yes
                } else {
                    Met::No(format!("the schema says {key} of {name}.{} is {said}", path.join(".")))
                }
            }
        }
    }

    /// Removes sub-attributes that the schemas lack from a value of an attribute of any type.
    pub(crate) fn prune(&self, name: &str, value: &mut Value) {
        let known = self.schemas.values().find_map(|schema| attribute(schema, "attributes", name));
        if let Some(known) = known {
            crate::server::fit::prune(value, known);
        }
    }

    /// Lines for a report.
    pub fn lines(&self) -> BTreeMap<String, String> {
        let mut lines: BTreeMap<_, _> = Feature::ALL
            .into_iter()
            .map(|feature| {
                let said = match self.feature(feature) {
                    Some(true) => "advertised",
                    Some(false) => "not advertised",
                    None => "nothing said",
                };
                (feature.as_str().to_owned(), said.to_owned())
            })
            .collect();
        let types: Vec<_> = self.resource_types.iter().map(|known| known.name.as_str()).collect();
        let types = if self.types_said { types.join(", ") } else { "nothing said".to_owned() };
        lines.insert("resource types".to_owned(), types);
        if self.unlisted {
            let text = "/ResourceTypes does not list User, and /Users answers: it was used";
            lines.insert("unlisted users".to_owned(), text.to_owned());
        }
        if !self.moved.is_empty() {
            let moved = self.moved.iter().map(|Moved { name, named, used, why }| {
                let named = if named.is_empty() { "nothing" } else { named };
                format!("{name}: /ResourceTypes says {named} ({why}); {used} was used")
            });
            lines.insert("wrong endpoints".to_owned(), moved.collect::<Vec<_>>().join("; "));
        }
        lines
    }
}

/// Returns the attribute of a name in a list of definitions.
pub(crate) fn attribute<'a>(holder: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    get(holder, list)?.as_array()?.iter().find(|known| {
        get(known, "name").and_then(Value::as_str).is_some_and(|known| known.eq_ignore_ascii_case(name))
    })
}

/// Whether two schema names are the same: they are written with and without blanks, as in `Enterprise User`.
fn same_name(known: &str, name: &str) -> bool {
    known.chars().filter(|c| !c.is_whitespace()).collect::<String>().eq_ignore_ascii_case(name)
}

/// Returns an id for paths and comparisons: a text, or a number as its digits, which no server should send.
pub(crate) fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns the id in a path or location of a resource: its last segment, decoded. `None` if it has none.
pub(crate) fn id_in(path: &str) -> Option<String> {
    let last = path.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty())?;
    Some(percent_decode_str(last).decode_utf8_lossy().into_owned())
}

/// Returns the elements of a list in any form.
pub(crate) fn resources(document: &Value) -> &[Value] {
    lists::elements(document).map(Vec::as_slice).unwrap_or_default()
}

/// Reads at most this number of documents: no server has more types or schemas.
const MOST_DOCUMENTS: usize = 500;

fn elements(document: &Value) -> Vec<Value> {
    resources(document).iter().take(MOST_DOCUMENTS).cloned().collect()
}

fn resource_type(document: &Value) -> Option<ResourceType> {
    let text = |name| get(document, name).and_then(Value::as_str).map(ToOwned::to_owned);
    let name = text("name").or_else(|| text("id"))?;
    let said = text("endpoint").unwrap_or_default();
    let written = said.trim();
    let said = written.trim_end_matches('/');
    // Some servers write the whole URL, and some nothing: then the usual endpoint is tried.
    let (endpoint, named) = match said.split_once("://") {
        Some((_, rest)) => (rest.rsplit('/').next().unwrap_or_default(), Some(said.to_owned())),
        None if said.is_empty() => (usual_endpoint(&name)?, Some(written.to_owned())),
        None => (said, None),
    };
    Some(ResourceType {
        name,
        endpoint: format!("/{}", endpoint.trim_matches('/')),
        named,
        schema: text("schema").unwrap_or_default(),
        extensions: get(document, "schemaExtensions")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|extension| {
                let required = get(extension, "required").and_then(Value::as_bool).unwrap_or(false);
                Some((get(extension, "schema")?.as_str()?.to_owned(), required))
            })
            .collect(),
    })
}

/// Returns the usual endpoint of a resource type.
pub(crate) fn usual_endpoint(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "user" => Some("/Users"),
        "group" => Some("/Groups"),
        _ => None,
    }
}

/// Returns the resource types of RFC 7643 §4.
fn usual() -> Vec<ResourceType> {
    vec![
        ResourceType {
            name: "User".to_owned(),
            endpoint: "/Users".to_owned(),
            named: None,
            schema: USER.to_owned(),
            extensions: vec![(ENTERPRISE.to_owned(), false)],
        },
        ResourceType {
            name: "Group".to_owned(),
            endpoint: "/Groups".to_owned(),
            named: None,
            schema: GROUP.to_owned(),
            extensions: Vec::new(),
        },
    ]
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use crate::server::discovery::*;

    pub(crate) fn facts() -> Facts {
        let types = json!({ "Resources": [{
            "name": "User", "endpoint": "https://example.com/v2/Users", "schema": USER,
            "schemaExtensions": [{ "schema": "urn:example:Badge", "required": true }],
        }] });
        let schemas = json!([
            { "id": USER, "name": "User", "attributes": [
                { "name": "userName", "type": "string", "required": true, "caseExact": false },
                { "name": "nickName", "type": "string" },
                { "name": "origin", "type": "complex", "required": true, "subAttributes": [{ "name": "value", "type": "integer" }] },
                { "name": "marks", "type": "string", "required": true, "multiValued": true, "canonicalValues": ["blue"] },
                { "name": "number", "type": "integer", "required": true, "mutability": "readOnly" },
            ] },
            { "id": "urn:example:Badge", "name": "Badge", "attributes": [{ "name": "since", "type": "dateTime", "required": true }] },
        ]);
        Facts::of(Some(json!({ "patch": { "supported": false } })), Some(&types), Some(&schemas))
    }

    #[test]
    fn capabilities_are_assumed_unless_denied() {
        let facts = facts();
        let met = |need: &str| facts.met(&need.parse().expect("a need")) == Met::Yes;
        for there in [
            "bulk",
            "filter",
            "User",
            "User.nickName",
            "User.userName:caseExact=false",
            "User.origin.value",
            "Badge.since",
        ] {
            assert!(met(there), "{there}");
        }
        for missing in [
            "patch",
            "cursor",
            "Group",
            "User.title",
            "User.userName:caseExact=true",
            "User.origin.text",
            "EnterpriseUser",
        ] {
            assert!(!met(missing), "{missing}");
        }
        let silent = Facts::of(None, None, None);
        for there in ["patch", "User.title", "Group", "EnterpriseUser.manager.value"] {
            assert_eq!(silent.met(&there.parse().expect("a need")), Met::Yes, "{there}");
        }
    }
}
