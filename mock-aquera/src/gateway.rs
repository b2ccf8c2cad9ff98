//! The SCIM endpoint of one application, without HTTP around it: a request goes in, a [`Reply`] comes out.
//!
//! Routing below the base URL, method checks and body checks are here; [`users`] carries out what concerns accounts,
//! [`discovery`] the three describing endpoints, [`query`] the parameters of a list.

pub(crate) mod discovery;
mod query;
mod resource;
mod users;

pub(crate) use resource::{accept, completed};

use std::sync::{Mutex, MutexGuard};

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, header};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::application::Settings;
use crate::lock;
use crate::problem::Problem;
use crate::profile::{DeleteRule, PatchRule, Profile, PutRule};
use crate::reply::Reply;
use crate::store::Store;

/// One request, its application and the instant.
pub(crate) struct Scene<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) store: &'a Mutex<Store>,
    pub(crate) now: Timestamp,
    pub(crate) method: &'a Method,
    /// The path below the base URL of the application.
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a Bytes,
}

/// Answers a request that has been let in.
pub(crate) fn handle(scene: &Scene<'_>) -> Reply {
    let path = scene.path.strip_suffix('/').unwrap_or(scene.path);
    let mut segments = path.strip_prefix('/').unwrap_or_default().split('/');
    let (first, second, more) = (segments.next().unwrap_or_default(), segments.next(), segments.next());
    let reply = match (first, second, more) {
        ("Users", None, None) => users_endpoint(scene),
        ("Users", Some(".search"), None) => Err(Problem::NotImplemented("searching by POST").into()),
        ("Users", Some(id), None) => user_endpoint(scene, &decoded(id)),
        ("ServiceProviderConfig", None, None) => discovery::configuration(scene),
        ("ResourceTypes", name, None) => discovery::resource_types(scene, name.map(decoded).as_deref()),
        ("Schemas", name, None) => discovery::schemas(scene, name.map(decoded).as_deref()),
        ("Me", _, _) => Err(Problem::NotImplemented("/Me").into()),
        ("Bulk", None, None) => Err(Problem::NotImplemented("bulk").into()),
        _ => Err(Problem::NoSuchPath.into()),
    };
    reply.unwrap_or_else(|refusal| Reply::from(refusal.problem).became(refusal.downstream))
}

fn users_endpoint(scene: &Scene<'_>) -> Result<Reply, Refusal> {
    match *scene.method {
        Method::GET => users::list(scene),
        Method::POST => users::create(scene),
        _ => Err(scene.not_allowed("GET, POST".to_owned())),
    }
}

fn user_endpoint(scene: &Scene<'_>, id: &str) -> Result<Reply, Refusal> {
    let allow = allowed_on_user(&scene.settings.profile);
    match *scene.method {
        Method::GET => users::read(scene, id),
        Method::PUT => users::replace(scene, id),
        Method::PATCH if scene.settings.profile.gateway.patch == PatchRule::Answers405 => {
            Err(scene.not_allowed(allow))
        }
        Method::PATCH => users::patch(scene, id),
        Method::DELETE if scene.settings.profile.gateway.delete == DeleteRule::Answers405 => {
            Err(scene.not_allowed(allow))
        }
        Method::DELETE => users::delete(scene, id),
        _ => Err(scene.not_allowed(allow)),
    }
}

/// The value of `Allow` on one user, truthful for the profile.
fn allowed_on_user(profile: &Profile) -> String {
    let mut methods = vec!["GET"];
    if profile.gateway.put == PutRule::Works {
        methods.push("PUT");
    }
    if !matches!(profile.gateway.patch, PatchRule::Answers405 | PatchRule::Answers501) {
        methods.push("PATCH");
    }
    if profile.gateway.delete == DeleteRule::Works {
        methods.push("DELETE");
    }
    methods.join(", ")
}

pub(crate) fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

impl Scene<'_> {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(self.store)
    }

    fn not_allowed(&self, allow: String) -> Refusal {
        Problem::MethodNotAllowed { method: self.method.to_string(), allow }.into()
    }

    /// The body as JSON, once its media type is one that SCIM knows (RFC 7644 §3.1).
    fn json(&self) -> Result<Value, Problem> {
        let kind = self.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or_default());
        let essence = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
        if !["application/scim+json", "application/json"]
            .iter()
            .any(|known| essence.eq_ignore_ascii_case(known))
        {
            return Err(Problem::UnsupportedMediaType);
        }
        serde_json::from_slice(self.body).map_err(|error| Problem::BadSyntax(error.to_string()))
    }
}

/// A problem, and the downstream operations that were refused with it.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    downstream: Vec<crate::journal::Downstream>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem, downstream: Vec::new() }
    }
}
