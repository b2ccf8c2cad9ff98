//! The endpoints that describe the service (RFC 7644 §4), truthful for the profile save where the profile lies.
//!
//! Each document is made once for a configuration, when it is first asked for, and then sent as it is.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use scim::schema::{LIST_URN, SPC_URN, SchemaSet};
use serde_json::{Value, json};

use super::page::CURSOR_SECONDS;
use super::query::has_filter;
use super::{Refusal, RequestContext};
use crate::auth::{Auth, schemes};
use crate::problem::Problem;
use crate::profile::{CursorRule, Endpoint, EtagRule, Feature, Profile, SortRule};
use crate::reply::Reply;
use crate::types::{TypeInfo, Types};
use crate::units::suggest::{did_you_mean, nearest};

/// The describing documents of one application.
#[derive(Debug)]
pub(crate) struct Documents {
    configuration: Bytes,
    resource_types: Collection,
    schemas: Collection,
}

/// A list and its members, each ready to be sent.
#[derive(Debug)]
struct Collection {
    list: Bytes,
    members: BTreeMap<String, Bytes>,
    names: Vec<String>,
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
        let names = members.iter().map(|(name, _)| name.clone()).collect();
        let members = members.into_iter().map(|(name, value)| (name.to_lowercase(), text(&value))).collect();
        Self { list: text(&list), members, names }
    }

    /// The name that was probably meant, or all that there are.
    fn hint(&self, name: &str) -> String {
        let last = |name: &'_ str| name.rsplit(':').next().unwrap_or_default().to_owned();
        let short: Vec<String> = self.names.iter().map(|name| last(name)).collect();
        let near = nearest(name, self.names.iter().map(String::as_str)).or_else(|| {
            let found = nearest(&last(name), short.iter().map(String::as_str))?;
            let at = short.iter().position(|short| short == found)?;
            self.names.get(at).map(String::as_str)
        });
        match near {
            Some(_) => did_you_mean(near),
            None => format!("; there are {}", self.names.join(", ")),
        }
    }
}

impl Documents {
    pub(crate) fn new(profile: &Profile, auth: &[Auth], scim_url: &str, types: &Types) -> Self {
        Self {
            configuration: text(&service_provider_config(profile, auth, scim_url)),
            resource_types: resource_type_documents(scim_url, types),
            schemas: schema_documents(scim_url, types),
        }
    }
}

fn resource_type_documents(scim_url: &str, types: &Types) -> Collection {
    let document = |kind: &TypeInfo| {
        let mut document = kind.document.to_json();
        document["id"] = Value::from(kind.name());
        let location = format!("{scim_url}/ResourceTypes/{}", kind.name());
        document["meta"] = json!({"resourceType": "ResourceType", "location": location});
        (kind.name().to_owned(), document)
    };
    Collection::new(types.all().iter().map(document).collect())
}

/// Every schema of a resource type once, and those of the describing documents themselves.
fn schema_documents(scim_url: &str, types: &Types) -> Collection {
    let own =
        [SchemaSet::service_provider_config(), SchemaSet::resource_type(), SchemaSet::schema_documents()];
    let sets = types.all().iter().map(|kind| &kind.schemas).chain(own);
    let mut documents: Vec<(String, Value)> = Vec::new();
    for schema in sets.flat_map(SchemaSet::schemas) {
        let id = schema.id().to_string();
        if documents.iter().any(|(known, _)| known.eq_ignore_ascii_case(&id)) {
            continue;
        }
        let mut document = schema.to_json();
        let location = format!("{scim_url}/Schemas/{id}");
        document["meta"] = json!({"resourceType": "Schema", "location": location});
        documents.push((id, document));
    }
    Collection::new(documents)
}

pub(super) fn configuration(context: &RequestContext<'_>) -> Result<Reply, Refusal> {
    reading(context)?;
    served(context.settings.profile.discovery.service_provider_config, "the ServiceProviderConfig")?;
    Ok(Reply::scim(StatusCode::OK, context.settings.documents().configuration.clone()))
}

pub(super) fn resource_types(context: &RequestContext<'_>, name: Option<&str>) -> Result<Reply, Refusal> {
    served(context.settings.profile.discovery.resource_types, "the list of resource types")?;
    collection(context, &context.settings.documents().resource_types, "resource type", name)
}

pub(super) fn schemas(context: &RequestContext<'_>, name: Option<&str>) -> Result<Reply, Refusal> {
    served(context.settings.profile.discovery.schemas, "the list of schemas")?;
    collection(context, &context.settings.documents().schemas, "schema", name)
}

fn served(rule: Endpoint, what: &'static str) -> Result<(), Problem> {
    match rule {
        Endpoint::Served => Ok(()),
        Endpoint::Answers404 => Err(Problem::NotHere(what)),
        Endpoint::Answers501 => Err(Problem::NotImplemented(what)),
    }
}

fn collection(
    context: &RequestContext<'_>,
    collection: &Collection,
    kind: &'static str,
    name: Option<&str>,
) -> Result<Reply, Refusal> {
    reading(context)?;
    let document = match name {
        None => &collection.list,
        Some(name) => collection.members.get(&name.to_lowercase()).ok_or_else(|| {
            Problem::NoSuchDefinition(format!("no {kind} is called `{name}`{}", collection.hint(name)))
        })?,
    };
    Ok(Reply::scim(StatusCode::OK, document.clone()))
}

/// Describing endpoints are read, and not filtered (RFC 7644 §4).
fn reading(context: &RequestContext<'_>) -> Result<(), Refusal> {
    match *context.method {
        Method::GET | Method::HEAD if has_filter(context.query) => Err(Problem::FilterOnDiscovery.into()),
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(context.not_allowed("GET".to_owned())),
    }
}

fn service_provider_config(profile: &Profile, auth: &[Auth], scim_url: &str) -> Value {
    let supported = |supported: bool| json!({ "supported": supported });
    let features = &profile.features;
    let claims = &profile.discovery;
    let bulk = claims.bulk.or_truth(features.bulk == Feature::Works);
    let filter = claims.filter.or_truth(profile.filter.subset != crate::profile::FilterSubset::None);
    let sort = claims.sort.or_truth(profile.list.sort == SortRule::Works);
    let etag = claims.etag.or_truth(features.etag == EtagRule::Works);
    let password = claims.change_password.or_truth(features.change_password == Feature::Works);
    let cursor = profile.list.cursor != CursorRule::None;
    let index = profile.list.cursor != CursorRule::Only;
    let (operations, payload) =
        if bulk { (features.bulk_max_operations, features.bulk_max_payload) } else { (0, 0) };
    let mut document = json!({
        "schemas": [SPC_URN],
        "patch": supported(profile.advertises_patch()),
        "bulk": {"supported": bulk, "maxOperations": operations, "maxPayloadSize": payload},
        "filter": {"supported": filter, "maxResults": if filter { profile.list.max_count } else { 0 }},
        "changePassword": supported(password),
        "sort": supported(sort),
        "etag": supported(etag),
        "pagination": {
            "cursor": cursor,
            "index": index,
            "defaultPaginationMethod": if index { "index" } else { "cursor" },
            "defaultPageSize": profile.list.default_count,
            "maxPageSize": profile.list.max_count,
        },
        "authenticationSchemes": schemes(auth),
        "meta": {
            "resourceType": "ServiceProviderConfig",
            "location": format!("{scim_url}/ServiceProviderConfig"),
        },
    });
    if cursor {
        document["pagination"]["cursorTimeout"] = json!(CURSOR_SECONDS);
    }
    for lacking in &claims.lacks {
        let (holder, part) = match lacking.as_str().split_once('.') {
            Some((holder, part)) => (document.get_mut(holder), part),
            None => (Some(&mut document), lacking.as_str()),
        };
        if let Some(Value::Object(members)) = holder {
            members.remove(part);
        }
    }
    document
}

fn text(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}
