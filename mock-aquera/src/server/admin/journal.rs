//! The journal of an application: what it is asked, what it may hold, and its export.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use serde::Serialize;

use super::Shared;
use super::answer::{AdminError, Json, Named, Pairs, bad_query, ok, on_blocking_thread};
use crate::address::Addresses;
use crate::application::Application;
use crate::journal::{Exchange, HarCreator, JournalLimits, JournalQuery, JournalSize, archive};

/// What a journal may hold, and what it does.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct JournalState {
    limits: JournalLimits,
    size: JournalSize,
}

/// Ask the journal.
///
/// What isn't asked about doesn't matter; without a query it is all that is remembered, oldest first.
#[utoipa::path(get, path = "/applications/{name}/journal", tag = "journal", params(JournalQuery),
    responses((status = 200, description = "The exchanges that were asked for, without secrets.", body = Vec<Exchange>)))]
pub(super) async fn query(Named(application): Named, query: Pairs) -> Result<Response, AdminError> {
    let query = asked(&application, query)?;
    on_blocking_thread(move || ok(&application.query_journal(&query))).await
}

/// Empty the journal; its numbers go on counting.
#[utoipa::path(delete, path = "/applications/{name}/journal", tag = "journal",
    responses((status = 204, description = "It is empty.")))]
pub(super) async fn clear(Named(application): Named) -> StatusCode {
    application.clear_journal();
    StatusCode::NO_CONTENT
}

/// Show how much the journal may hold, and how much it does.
#[utoipa::path(get, path = "/applications/{name}/journal/limits", tag = "journal",
    responses((status = 200, description = "In exchanges and bytes.", body = JournalState)))]
pub(super) async fn limits(Named(application): Named) -> Response {
    state(&application)
}

/// Let the journal hold more, or less. What is left out is as usual.
#[utoipa::path(put, path = "/applications/{name}/journal/limits", tag = "journal", request_body = JournalLimits,
    responses((status = 200, description = "In exchanges and bytes.", body = JournalState)))]
pub(super) async fn set_limits(Named(application): Named, Json(limits): Json<JournalLimits>) -> Response {
    application.set_journal_limits(limits);
    state(&application)
}

/// Export the journal as an HTTP archive (HAR 1.2).
#[utoipa::path(get, path = "/applications/{name}/journal/har", tag = "journal", params(JournalQuery),
    responses((status = 200, description = "The archive of the exchanges that were asked for.", body = Object)))]
pub(super) async fn har(
    State(admin): State<Shared>,
    Named(application): Named,
    query: Pairs,
) -> Result<Response, AdminError> {
    let query = asked(&application, query)?;
    let addresses = Arc::clone(&admin.config.server.addresses);
    let name = format!("attachment; filename=\"{}.har\"", application.name());
    let mut response = on_blocking_thread(move || {
        let origin = |exchange: &Exchange| origin_of(&addresses, exchange);
        ok(&archive(&application.query_journal(&query), &HarCreator::default(), &origin))
    })
    .await?;
    if let Ok(value) = HeaderValue::try_from(name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

/// The question that the rest of a URL's query asks an application.
pub(super) fn asked(application: &Application, pairs: Pairs) -> Result<JournalQuery, AdminError> {
    let query = JournalQuery::from_pairs(pairs.rest()).map_err(bad_query)?;
    application.check_query(&query).map_err(bad_query)?;
    Ok(query)
}

/// The origin that the client of an exchange used.
fn origin_of(addresses: &Addresses, exchange: &Exchange) -> String {
    let headers: HeaderMap = exchange
        .request_headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, value.parse().ok()?)))
        .collect();
    let uri: Uri = exchange.path.parse().unwrap_or_default();
    let seen = addresses.seen_by(&uri, &headers).ok().flatten();
    seen.unwrap_or_else(|| addresses.origin().to_owned())
}

fn state(application: &Application) -> Response {
    ok(&JournalState { limits: application.journal_limits(), size: application.journal_size() })
}
