//! What is there: the index, its description as OpenAPI, health, metrics, and the built-in profiles.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;

use super::answer::{AdminError, SeenAs, ok, on_blocking_thread};
use super::openapi::{self, Route};
use super::{BASE, Shared};
use crate::journal::{Scrape, render_prometheus};
use crate::profile::Profile;

/// What administration offers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Index {
    name: &'static str,
    version: &'static str,
    /// How many applications there are.
    applications: usize,
    /// Where all of this is described.
    openapi: String,
    routes: Vec<Route>,
}

/// Whether the server is ready.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Health {
    /// `ready`.
    status: &'static str,
    /// How many applications there are.
    applications: usize,
}

/// A built-in profile.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ProfileLine {
    name: String,
    summary: String,
    /// Where the behaviour was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    /// When the source was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
}

/// The built-in profiles.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ProfileList {
    profiles: Vec<ProfileLine>,
}

/// List the routes, as JSON or, for a browser, as a page.
#[utoipa::path(get, path = "/", tag = "server",
    responses((status = 200, description = "The routes.",
        content((Index = "application/json"), (String = "text/html")))))]
pub(super) async fn index(
    State(admin): State<Shared>,
    SeenAs { base, .. }: SeenAs,
    headers: HeaderMap,
) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let index = Index {
        name: "mock-aquera",
        version: env!("CARGO_PKG_VERSION"),
        applications: admin.config.server.count(),
        openapi: format!("{base}/openapi.json"),
        routes: openapi::index(&base),
    };
    if accepts.contains("text/html") {
        return ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page(&index)).into_response();
    }
    ok(&index)
}

/// Describe all of this as OpenAPI 3.1.
#[utoipa::path(get, path = "/openapi.json", tag = "server",
    responses((status = 200, description = "The description.", body = Object)))]
pub(super) async fn openapi(SeenAs { base, .. }: SeenAs) -> Response {
    if base == BASE {
        return ok(&*openapi::DOCUMENT);
    }
    let mut document = openapi::DOCUMENT.clone();
    document["servers"][0]["url"] = base.into();
    ok(&document)
}

/// Tell whether the server is ready. Needs no token.
#[utoipa::path(get, path = "/health", tag = "server",
    responses((status = 200, description = "It is.", body = Health)))]
pub(super) async fn health(State(admin): State<Shared>) -> Response {
    ok(&Health { status: "ready", applications: admin.config.server.count() })
}

/// Show the metrics of all applications as text for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server",
    responses((status = 200, description = "Text exposition format 0.0.4.", content_type = "text/plain", body = String)))]
pub(super) async fn metrics(State(admin): State<Shared>) -> Result<Response, AdminError> {
    let text = on_blocking_thread(move || {
        let applications = admin.config.server.applications();
        let scrapes: Vec<Scrape<'_>> = applications
            .iter()
            .map(|application| {
                let size = application.journal_size();
                let counts = application.counts().into_iter();
                Scrape {
                    application: application.name(),
                    resources: counts.map(|(kind, count)| (kind, count as u64)).collect(),
                    faults: application.faults().len() as u64,
                    journal: (size.exchanges, size.bytes),
                    counters: application.counters(),
                }
            })
            .collect();
        render_prometheus(&scrapes)
    });
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.await?).into_response())
}

/// List the built-in profiles.
#[utoipa::path(get, path = "/profiles", tag = "server",
    responses((status = 200, description = "By name, with what they do in a line.", body = ProfileList)))]
pub(super) async fn profiles() -> Response {
    let line = |profile: &Profile| ProfileLine {
        name: profile.name.clone(),
        summary: profile.summary.clone(),
        source: profile.source.clone(),
        date: profile.date.clone(),
    };
    ok(&ProfileList { profiles: Profile::builtins().iter().map(line).collect() })
}

fn page(index: &Index) -> String {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{name}</title><style>\
         body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}\
         td{{padding:.2rem 1rem .2rem 0;vertical-align:top}}code{{white-space:nowrap}}</style></head><body>\n\
         <h1>{name} {version}</h1>\n<p>Administration of {applications} application(s); described in \
         <a href=\"{openapi}\">{openapi}</a>.</p>\n<table>\n",
        name = index.name,
        version = index.version,
        applications = index.applications,
        openapi = index.openapi,
    );
    for Route { method, path, summary } in &index.routes {
        let summary = summary.replace('&', "&amp;").replace('<', "&lt;");
        let link = if method == "GET" && !path.contains('{') {
            format!("<a href=\"{path}\"><code>{path}</code></a>")
        } else {
            format!("<code>{path}</code>")
        };
        // Writing to a string can't fail.
        let _ = writeln!(page, "<tr><td><code>{method}</code></td><td>{link}</td><td>{summary}</td></tr>");
    }
    page.push_str("</table>\n</body></html>\n");
    page
}
