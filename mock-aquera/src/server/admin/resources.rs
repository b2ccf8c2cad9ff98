//! The resources of an application behind its endpoint's back: nothing is checked.

use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answer::{
    AdminError, AnyJson, Ids, Json, OfType, Parameters, SeenAs, answer, bad_body, ok, on_blocking_thread,
};

/// How many resources went.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Removed {
    removed: usize,
}

/// List the resources of a type in full representation, in order of creation.
#[utoipa::path(get, path = "/applications/{name}/resources/{type}", tag = "resources",
    responses((status = 200, description = "All of them.", body = Vec<Object>)))]
pub(super) async fn list(
    OfType { application, of_type, .. }: OfType,
    seen: SeenAs,
) -> Result<Response, AdminError> {
    on_blocking_thread(move || {
        let resources = application.resources_of(of_type).into_iter();
        ok(&resources.map(|resource| seen.value(&application, resource)).collect::<Vec<_>>())
    })
    .await
}

/// Add resources of a type without any check.
///
/// One object or an array: two users of one `userName` if need be. An `id` is kept, and takes the place of whoever
/// has it. Members of a group that don't exist are passed over.
#[utoipa::path(post, path = "/applications/{name}/resources/{type}", tag = "resources", request_body = Value,
    responses((status = 201, description = "They are there.", body = Ids)))]
pub(super) async fn seed(
    OfType { application, of_type, .. }: OfType,
    AnyJson(body): AnyJson,
) -> Result<Response, AdminError> {
    let resources = match body {
        Value::Array(resources) => resources,
        resource => vec![resource],
    };
    if let Some(at) = resources.iter().position(|resource| !resource.is_object()) {
        return Err(bad_body(format!("element {} is not an object", at + 1)));
    }
    let seeded =
        move || resources.into_iter().map(|resource| application.seed_of(of_type, resource)).collect();
    Ok(answer(StatusCode::CREATED, &Ids { ids: on_blocking_thread(seeded).await? }))
}

/// Remove all resources of a type.
#[utoipa::path(delete, path = "/applications/{name}/resources/{type}", tag = "resources",
    responses((status = 200, description = "They are gone.", body = Removed)))]
pub(super) async fn remove_all(OfType { application, of_type, .. }: OfType) -> Result<Response, AdminError> {
    let removed = on_blocking_thread(move || application.remove_all_of(of_type)).await?;
    Ok(ok(&Removed { removed }))
}

/// Show one resource.
#[utoipa::path(get, path = "/applications/{name}/resources/{type}/{id}", tag = "resources",
    responses((status = 200, description = "Its full representation.", body = Object)))]
pub(super) async fn show(
    OfType { application, of_type, name }: OfType,
    Parameters { id, .. }: Parameters,
    seen: SeenAs,
) -> Result<Response, AdminError> {
    match application.resource_of(of_type, &id) {
        Some(resource) => Ok(ok(&seen.value(&application, resource))),
        None => Err(AdminError::NoSuchResource { resource_type: name, id }),
    }
}

/// Write one resource anew without any check, as a new version.
#[utoipa::path(put, path = "/applications/{name}/resources/{type}/{id}", tag = "resources", request_body = Object,
    responses((status = 200, description = "Its full representation.", body = Object)))]
pub(super) async fn write(
    OfType { application, of_type, name }: OfType,
    Parameters { id, .. }: Parameters,
    seen: SeenAs,
    Json(body): Json<Map<String, Value>>,
) -> Result<Response, AdminError> {
    let written = application.edit_of(of_type, &id, |members| *members = body);
    match application.resource_of(of_type, &id) {
        Some(resource) if written => Ok(ok(&seen.value(&application, resource))),
        _ => Err(AdminError::NoSuchResource { resource_type: name, id }),
    }
}

/// Remove one resource, also from the groups that it is in.
#[utoipa::path(delete, path = "/applications/{name}/resources/{type}/{id}", tag = "resources",
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn remove(
    OfType { application, of_type, name }: OfType,
    Parameters { id, .. }: Parameters,
) -> Result<StatusCode, AdminError> {
    if application.remove_of(of_type, &id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(AdminError::NoSuchResource { resource_type: name, id })
    }
}
