//! A whole axum host for the crate `scim-server`, to be judged by `conformance server`.
//! The crate brings the store, the schemas, validation, PATCH, pages and locations; it has no HTTP
//! layer, no filters, no order and no projection. This host adds HTTP, a bearer token (`TOKEN`), error bodies
//! and discovery in the RFC's form, and advertises only what the crate can do.
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use scim_server::{
    ListQuery, Resource, ResourceProvider, ScimOperation, ScimServer, ScimServerBuilder, create_group_resource_handler,
    create_user_resource_handler, providers::StandardResourceProvider, resource::RequestContext, storage::InMemoryStorage,
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};

type Server = Arc<ScimServer<StandardResourceProvider<InMemoryStorage>>>;
type Answer = Result<Response, Response>;
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";
const MESSAGES: &str = "urn:ietf:params:scim:api:messages:2.0:";

fn context() -> RequestContext {
    RequestContext::new(uuid::Uuid::new_v4().to_string())
}

fn out(status: StatusCode, body: Value) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    if let Some(location) = body["meta"]["location"].as_str().and_then(|l| HeaderValue::from_str(l).ok()) {
        headers.insert(header::LOCATION, location);
    }
    (status, headers, body.to_string()).into_response()
}

fn refuse(status: StatusCode, scim_type: Option<&str>, detail: &str) -> Response {
    let mut body = json!({"schemas": [format!("{MESSAGES}Error")], "status": status.as_str(), "detail": detail});
    if let Some(scim_type) = scim_type {
        body["scimType"] = scim_type.into();
    }
    out(status, body)
}

/// The crate's errors are texts by the time they get here: what they mean is read from their words.
fn failed(error: impl std::fmt::Display) -> Response {
    let detail = error.to_string();
    let lower = detail.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    if has(&["duplicate"]) {
        refuse(StatusCode::CONFLICT, Some("uniqueness"), &detail)
    } else if has(&["not found"]) {
        refuse(StatusCode::NOT_FOUND, None, &detail)
    } else if has(&["readonly", "read-only", "immutable"]) {
        refuse(StatusCode::BAD_REQUEST, Some("mutability"), &detail)
    } else if has(&["path"]) {
        refuse(StatusCode::BAD_REQUEST, Some("invalidPath"), &detail)
    } else if has(&["operations array", "operation type", "must have 'op'", "unsupported patch operation"]) {
        refuse(StatusCode::BAD_REQUEST, Some("invalidSyntax"), &detail)
    } else {
        refuse(StatusCode::BAD_REQUEST, Some("invalidValue"), &detail)
    }
}

fn type_of(plural: &str) -> Result<&'static str, Response> {
    match plural {
        "Users" => Ok("User"),
        "Groups" => Ok("Group"),
        _ => Err(refuse(StatusCode::NOT_FOUND, None, "there is no such endpoint")),
    }
}

fn parsed(body: &Bytes) -> Result<Value, Response> {
    let said = |e: &str| refuse(StatusCode::BAD_REQUEST, Some("invalidSyntax"), e);
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(said("the body is no object")),
        Err(e) => Err(said(&e.to_string())),
    }
}

fn shown(server: &Server, status: StatusCode, resource: &Resource) -> Answer {
    Ok(out(status, server.serialize_resource_with_refs(resource, None).map_err(failed)?))
}

fn listed(resources: Vec<Value>, total: usize, start: usize) -> Response {
    out(
        StatusCode::OK,
        json!({"schemas": [format!("{MESSAGES}ListResponse")], "totalResults": total, "itemsPerPage": resources.len(),
               "startIndex": start, "Resources": resources}),
    )
}

async fn list(State(s): State<Server>, Path(plural): Path<String>, Query(q): Query<HashMap<String, String>>) -> Answer {
    let kind = match plural.as_str() {
        "ServiceProviderConfig" | "ResourceTypes" | "Schemas" => return discovery(&s, &plural, &q),
        other => type_of(other)?,
    };
    if q.contains_key("filter") {
        return Err(refuse(StatusCode::BAD_REQUEST, Some("invalidFilter"), "filters are not supported"));
    }
    let number = |name: &str| q.get(name).map(|v| v.parse::<i64>()).transpose();
    let bad = |_| refuse(StatusCode::BAD_REQUEST, Some("invalidValue"), "startIndex and count are integers");
    let start = number("startIndex").map_err(bad)?.unwrap_or(1).max(1) as usize;
    let count = number("count").map_err(bad)?.map(|c| c.max(0) as usize);
    let total = s.list_resources(kind, &context()).await.map_err(failed)?.len();
    let query = ListQuery { start_index: Some(start), count, ..ListQuery::new() };
    let page = s.provider().list_resources(kind, Some(&query), &context()).await.map_err(failed)?;
    let page: Result<Vec<Value>, _> = page.iter().map(|r| s.serialize_resource_with_refs(r.resource(), None)).collect();
    Ok(listed(page.map_err(failed)?, total, start))
}

async fn create(State(s): State<Server>, Path(plural): Path<String>, body: Bytes) -> Answer {
    let kind = type_of(&plural)?;
    let made = s.create_resource(kind, parsed(&body)?, &context()).await.map_err(failed)?;
    shown(&s, StatusCode::CREATED, &made)
}

async fn read(State(s): State<Server>, Path((plural, id)): Path<(String, String)>) -> Answer {
    if matches!(plural.as_str(), "ResourceTypes" | "Schemas") {
        let all = if plural == "Schemas" { schemas(&s) } else { resource_types(&s) };
        let found = all.into_iter().find(|r| r["id"] == id.as_str());
        return found.map(|r| out(StatusCode::OK, r)).ok_or_else(|| refuse(StatusCode::NOT_FOUND, None, "not found"));
    }
    match s.get_resource(type_of(&plural)?, &id, &context()).await.map_err(failed)? {
        Some(found) => shown(&s, StatusCode::OK, &found),
        None => Err(refuse(StatusCode::NOT_FOUND, None, "not found")),
    }
}

async fn replace(State(s): State<Server>, Path((plural, id)): Path<(String, String)>, body: Bytes) -> Answer {
    let kind = type_of(&plural)?;
    // The crate's update makes what is not there; the RFC leaves no room for that.
    if !s.resource_exists(kind, &id, &context()).await.map_err(failed)? {
        return Err(refuse(StatusCode::NOT_FOUND, None, "not found"));
    }
    let now = s.update_resource(kind, &id, parsed(&body)?, &context()).await.map_err(failed)?;
    shown(&s, StatusCode::OK, &now)
}

async fn patch(State(s): State<Server>, Path((plural, id)): Path<(String, String)>, body: Bytes) -> Answer {
    let now = s.patch_resource(type_of(&plural)?, &id, &parsed(&body)?, &context()).await.map_err(failed)?;
    shown(&s, StatusCode::OK, &now)
}

async fn delete(State(s): State<Server>, Path((plural, id)): Path<(String, String)>) -> Answer {
    s.delete_resource(type_of(&plural)?, &id, &context()).await.map_err(failed)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn discovery(s: &Server, plural: &str, q: &HashMap<String, String>) -> Answer {
    if q.contains_key("filter") {
        return Err(refuse(StatusCode::FORBIDDEN, None, "discovery takes no filter"));
    }
    if plural != "ServiceProviderConfig" {
        let all = if plural == "Schemas" { schemas(s) } else { resource_types(s) };
        let total = all.len();
        return Ok(listed(all, total, 1));
    }
    let scheme = json!({"type": "oauthbearertoken", "name": "Bearer token", "description": "A fixed token"});
    Ok(out(
        StatusCode::OK,
        json!({"schemas": [format!("{CORE}ServiceProviderConfig")], "patch": {"supported": true},
               "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
               "filter": {"supported": false, "maxResults": 0}, "changePassword": {"supported": false},
               "sort": {"supported": false}, "etag": {"supported": false}, "authenticationSchemes": [scheme],
               "meta": {"resourceType": "ServiceProviderConfig", "location": at(s, "ServiceProviderConfig")}}),
    ))
}

fn at(s: &Server, path: &str) -> String {
    format!("{}/{}/{path}", s.config().base_url, s.config().scim_version)
}

fn schemas(s: &Server) -> Vec<Value> {
    let one = |schema: &&scim_server::Schema| {
        let mut v = serde_json::to_value(schema).unwrap_or_default();
        v["schemas"] = json!([format!("{CORE}Schema")]);
        v["meta"] = json!({"resourceType": "Schema", "location": at(s, &format!("Schemas/{}", schema.id))});
        v
    };
    s.get_all_schemas().iter().map(one).collect()
}

fn resource_types(s: &Server) -> Vec<Value> {
    let one = |name: &str| {
        json!({"schemas": [format!("{CORE}ResourceType")], "id": name, "name": name, "endpoint": format!("/{name}s"),
               "schema": format!("{CORE}{name}"),
               "meta": {"resourceType": "ResourceType", "location": at(s, &format!("ResourceTypes/{name}"))}})
    };
    ["User", "Group"].into_iter().map(one).collect()
}

async fn known(State(token): State<Option<String>>, request: Request, next: Next) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    match token {
        Some(token) if sent != Some(&format!("Bearer {token}")) => {
            let mut answer = refuse(StatusCode::UNAUTHORIZED, None, "a bearer token is needed");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            answer
        }
        _ => next.run(request).await,
    }
}

#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|p| p.parse().ok()).expect("a port");
    let provider = StandardResourceProvider::new(InMemoryStorage::new());
    let builder = ScimServerBuilder::new(provider).with_base_url(format!("http://127.0.0.1:{port}"));
    let mut s = builder.build().expect("a server");
    let schema = |name: &str| s.get_schema_by_id(&format!("{CORE}{name}")).expect("a schema").clone();
    let (user, group) = (schema("User"), schema("Group"));
    use ScimOperation::*;
    let all = || vec![Create, Read, Update, Patch, Delete, List, Search];
    s.register_resource_type("User", create_user_resource_handler(user), all()).expect("the type User");
    s.register_resource_type("Group", create_group_resource_handler(group), all()).expect("the type Group");
    let nowhere = || async { refuse(StatusCode::NOT_FOUND, None, "there is no such endpoint") };
    let never = || async { refuse(StatusCode::METHOD_NOT_ALLOWED, None, "not by this method") };
    let app = Router::new()
        .route("/v2/{plural}", get(list).post(create))
        .route("/v2/{plural}/{id}", get(read).put(replace).patch(patch).delete(delete))
        .method_not_allowed_fallback(never)
        .fallback(nowhere)
        .layer(middleware::from_fn_with_state(std::env::var("TOKEN").ok(), known))
        .with_state(Arc::new(s));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("the port");
    axum::serve(listener, app).await.expect("an end");
}
