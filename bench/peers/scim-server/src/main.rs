//! Smallest axum host for the `scim-server` crate (it ships no HTTP layer and no
//! filter evaluation: the host maps `userName eq "x"` onto find_resource_by_attribute,
//! the only search that the crate has).
use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use scim_server::{
    ScimServer, multi_tenant::ScimOperation, providers::StandardResourceProvider, resource::RequestContext,
    resource_handlers::create_user_resource_handler, storage::InMemoryStorage,
};
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc};
type S = Arc<ScimServer<StandardResourceProvider<InMemoryStorage>>>;
fn ctx() -> RequestContext {
    RequestContext::new(uuid::Uuid::new_v4().to_string())
}
fn out(code: StatusCode, v: Value) -> Response {
    (code, [(header::CONTENT_TYPE, "application/scim+json")], v.to_string()).into_response()
}
fn fail(e: impl std::fmt::Display) -> Response {
    let m = e.to_string();
    let l = m.to_lowercase();
    let c = if l.contains("not found") {
        404
    } else if l.contains("duplicate") || l.contains("already") {
        409
    } else {
        400
    };
    out(
        StatusCode::from_u16(c).unwrap(),
        json!({"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":c.to_string(),"detail":m}),
    )
}
async fn one(State(s): State<S>, Path(id): Path<String>) -> Response {
    match s.get_resource("User", &id, &ctx()).await {
        Ok(Some(r)) => out(StatusCode::OK, r.to_json().unwrap()),
        Ok(None) => fail("not found"),
        Err(e) => fail(e),
    }
}
async fn post(State(s): State<S>, Json(v): Json<Value>) -> Response {
    match s.create_resource("User", v, &ctx()).await {
        Ok(r) => out(StatusCode::CREATED, r.to_json().unwrap()),
        Err(e) => fail(e),
    }
}
async fn patch(State(s): State<S>, Path(id): Path<String>, Json(v): Json<Value>) -> Response {
    match s.patch_resource("User", &id, &v, &ctx()).await {
        Ok(r) => out(StatusCode::OK, r.to_json().unwrap()),
        Err(e) => fail(e),
    }
}
async fn list(State(s): State<S>, Query(q): Query<HashMap<String, String>>) -> Response {
    let (total, rs) = if let Some(f) = q.get("filter") {
        let x = f.split('"').nth(1).unwrap_or("");
        match s.find_resource_by_attribute("User", "userName", &json!(x), &ctx()).await {
            Ok(r) => (r.is_some() as usize, r.into_iter().map(|r| r.to_json().unwrap()).collect::<Vec<_>>()),
            Err(e) => return fail(e),
        }
    } else {
        let start: usize = q.get("startIndex").and_then(|s| s.parse().ok()).unwrap_or(1);
        let count: usize = q.get("count").and_then(|s| s.parse().ok()).unwrap_or(100);
        match s.list_resources("User", &ctx()).await {
            Ok(r) => (
                r.len(),
                r.iter().skip(start.saturating_sub(1)).take(count).map(|r| r.to_json().unwrap()).collect(),
            ),
            Err(e) => return fail(e),
        }
    };
    out(
        StatusCode::OK,
        json!({"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":total,"itemsPerPage":rs.len(),"startIndex":1,"Resources":rs}),
    )
}
#[tokio::main]
async fn main() {
    let port: u16 = std::env::args().nth(1).and_then(|p| p.parse().ok()).unwrap_or(9003);
    let mut s = ScimServer::new(StandardResourceProvider::new(InMemoryStorage::new())).unwrap();
    let schema = s.get_schema_by_id("urn:ietf:params:scim:schemas:core:2.0:User").unwrap().clone();
    use ScimOperation::*;
    s.register_resource_type(
        "User",
        create_user_resource_handler(schema),
        vec![Create, Read, Update, Patch, Delete, List, Search],
    )
    .unwrap();
    let app = Router::new()
        .route("/Users", get(list).post(post))
        .route("/Users/{id}", get(one).patch(patch))
        .with_state(Arc::new(s));
    let l = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    axum::serve(l, app).await.unwrap();
}
