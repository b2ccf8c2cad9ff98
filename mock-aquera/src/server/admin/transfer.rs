//! All resources of an application out and in, and whether they agree with each other.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::answer::{AdminError, Named, Pairs, Raw, SeenAs, answer, bad_query, ok, on_blocking_thread};
use crate::data::{Load, LoadNote};

/// The largest body of a load, in bytes: a million users.
pub(super) const MAX_LOAD: usize = 2 * 1024 * 1024 * 1024;

/// How many resources were loaded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Loaded {
    loaded: usize,
    /// What was left out of them; at most 100 notes, and how many more there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<LoadNote>,
}

/// Whether everything agrees.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Consistency {
    consistent: bool,
    /// The first thing that doesn't.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Dump all resources of an application in full representation, type by type in order of creation.
///
/// `load` takes them in again as they were. Passwords are never told.
#[utoipa::path(get, path = "/applications/{name}/dump", tag = "resources",
    params(("format" = Option<String>, Query,
        description = "`json` for an array, or `ndjson` for one object a line; `json` unless said otherwise.")),
    responses((status = 200, description = "All of them.",
        content((Vec<Object> = "application/json"), (String = "application/x-ndjson")))))]
pub(super) async fn dump(
    Named(application): Named,
    seen: SeenAs,
    mut query: Pairs,
) -> Result<Response, AdminError> {
    let format = query.take("format")?;
    let lines = match format.as_deref() {
        None | Some("json") => false,
        Some("ndjson") => true,
        Some(other) => return Err(bad_query(format!("`format` is json or ndjson, not `{other}`"))),
    };
    let text = on_blocking_thread(move || {
        let text = seen.text(&application, application.dump());
        if lines { text } else { array(text) }
    })
    .await?;
    let kind = if lines { "application/x-ndjson" } else { "application/json" };
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// Load resources of all types: one JSON object a line, an array of them, or list responses.
///
/// List responses are taken as an endpoint answered them, several pages one after another. The type of a resource is what
/// `meta.resourceType` says, or else whose schema it has; of one that says neither it is User. `id` and `meta` are kept. Each is checked
/// as a POST would check it, unless `unchecked`. All are taken or none, and each problem is told with its line and column.
#[utoipa::path(post, path = "/applications/{name}/load", tag = "resources",
    params(
        ("unchecked" = Option<bool>, Query, description = "Takes what a POST to the endpoint would refuse."),
        ("replace" = Option<bool>, Query, description = "Takes them in the place of all resources that are there.")),
    request_body(content((Vec<Object> = "application/json"), (String = "application/x-ndjson"))),
    responses((status = 201, description = "They are there.", body = Loaded)))]
pub(super) async fn load(
    Named(application): Named,
    mut query: Pairs,
    Raw(body): Raw,
) -> Result<Response, AdminError> {
    let how = Load { unchecked: query.take_flag("unchecked")?, replace: query.take_flag("replace")? };
    let loaded = on_blocking_thread(move || application.load_noting(&body, how)).await??;
    Ok(answer(StatusCode::CREATED, &Loaded { loaded: loaded.count, notes: loaded.notes }))
}

/// Check whether indexes, totals and memberships agree with the resources.
#[utoipa::path(get, path = "/applications/{name}/consistency", tag = "resources",
    responses((status = 200, description = "Consistent or not.", body = Consistency)))]
pub(super) async fn consistency(Named(application): Named) -> Result<Response, AdminError> {
    let problem = on_blocking_thread(move || application.check_consistency()).await?.err();
    let problem = problem.map(|problem| problem.to_string());
    Ok(ok(&Consistency { consistent: problem.is_none(), problem }))
}

/// Lines as the elements of an array. A line feed within an element would be written `\n` in JSON.
fn array(mut lines: Vec<u8>) -> Vec<u8> {
    while lines.last() == Some(&b'\n') {
        lines.pop();
    }
    let mut text = Vec::with_capacity(lines.len() + 8);
    text.push(b'[');
    for (at, line) in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        text.extend_from_slice(if at > 0 { b",\n" } else { b"\n" });
        text.extend_from_slice(line);
    }
    text.extend_from_slice(b"\n]\n");
    text
}
