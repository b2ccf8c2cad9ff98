//! The endpoints that describe the service (RFC 7644 §4), truthful for the profile save where the profile lies.
//!
//! Each document is made once for a configuration, when it is first asked for, and then sent as it is.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use scim::schema::{ENTERPRISE_URN, LIST_URN, RESOURCE_TYPE_URN, SPC_URN, Schema, SchemaSet, USER_URN};
use serde_json::{Value, json};

use super::query::{MAX_COUNT, has_filter};
use super::{Refusal, Scene};
use crate::auth::{Auth, schemes};
use crate::problem::Problem;
use crate::profile::Profile;
use crate::reply::Reply;

/// The describing documents of one application.
#[derive(Debug)]
pub(crate) struct Documents {
    configuration: Bytes,
    scim_url: String,
    resource_types: OnceLock<Collection>,
    schemas: OnceLock<Collection>,
}

/// A list and its members, each ready to be sent.
#[derive(Debug)]
struct Collection {
    list: Bytes,
    members: BTreeMap<String, Bytes>,
}

impl Collection {
    /// Members are found by name or id without case.
    fn new(members: Vec<(String, Value)>) -> Self {
        let values: Vec<&Value> = members.iter().map(|(_, value)| value).collect();
        let list = json!({
            "schemas": [LIST_URN],
            "totalResults": values.len(),
            "startIndex": 1,
            "itemsPerPage": values.len(),
            "Resources": values,
        });
        let members = members.into_iter().map(|(name, value)| (name.to_lowercase(), text(&value))).collect();
        Self { list: text(&list), members }
    }
}

impl Documents {
    pub(crate) fn new(profile: &Profile, auth: &[Auth], scim_url: &str) -> Self {
        Self {
            configuration: text(&service_provider_config(profile, auth, scim_url)),
            scim_url: scim_url.to_owned(),
            resource_types: OnceLock::new(),
            schemas: OnceLock::new(),
        }
    }

    fn resource_types(&self) -> &Collection {
        self.resource_types
            .get_or_init(|| Collection::new(vec![("User".to_owned(), user_type(&self.scim_url))]))
    }

    fn schemas(&self) -> &Collection {
        let document = |schema: &Schema| {
            let mut document = schema.to_json();
            let location = format!("{}/Schemas/{}", self.scim_url, schema.id());
            document["meta"] = json!({"resourceType": "Schema", "location": location});
            (schema.id().to_string(), document)
        };
        self.schemas.get_or_init(|| Collection::new(SchemaSet::user().schemas().map(document).collect()))
    }
}

pub(super) fn configuration(scene: &Scene<'_>) -> Result<Reply, Refusal> {
    reading(scene)?;
    Ok(Reply::scim(StatusCode::OK, scene.settings.documents().configuration.clone()))
}

pub(super) fn resource_types(scene: &Scene<'_>, name: Option<&str>) -> Result<Reply, Refusal> {
    collection(scene, scene.settings.documents().resource_types(), "resource type", name)
}

pub(super) fn schemas(scene: &Scene<'_>, name: Option<&str>) -> Result<Reply, Refusal> {
    collection(scene, scene.settings.documents().schemas(), "schema", name)
}

fn collection(
    scene: &Scene<'_>,
    collection: &Collection,
    kind: &'static str,
    name: Option<&str>,
) -> Result<Reply, Refusal> {
    reading(scene)?;
    let document = match name {
        None => &collection.list,
        Some(name) => collection
            .members
            .get(&name.to_lowercase())
            .ok_or_else(|| Problem::NoSuchDefinition { kind, name: name.to_owned() })?,
    };
    Ok(Reply::scim(StatusCode::OK, document.clone()))
}

/// Describing endpoints are read, and not filtered (RFC 7644 §4).
fn reading(scene: &Scene<'_>) -> Result<(), Refusal> {
    match *scene.method {
        Method::GET if has_filter(scene.query) => Err(Problem::FilterOnDiscovery.into()),
        Method::GET => Ok(()),
        _ => Err(scene.not_allowed("GET".to_owned())),
    }
}

fn service_provider_config(profile: &Profile, auth: &[Auth], scim_url: &str) -> Value {
    let supported = |supported: bool| json!({ "supported": supported });
    json!({
        "schemas": [SPC_URN],
        "patch": supported(profile.advertises_patch()),
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": true, "maxResults": MAX_COUNT},
        "changePassword": supported(false),
        "sort": supported(false),
        "etag": supported(true),
        "authenticationSchemes": schemes(auth),
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{scim_url}/ServiceProviderConfig"),
        },
    })
}

fn user_type(scim_url: &str) -> Value {
    json!({
        "schemas": [RESOURCE_TYPE_URN],
        "id": "User",
        "name": "User",
        "description": "User Account",
        "endpoint": "/Users",
        "schema": USER_URN,
        "schemaExtensions": [{"schema": ENTERPRISE_URN, "required": false}],
        "meta": {"resourceType": "ResourceType", "location": format!("{scim_url}/ResourceTypes/User")},
    })
}

fn text(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}
