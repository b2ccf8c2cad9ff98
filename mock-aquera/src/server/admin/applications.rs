//! Applications: which there are, how they behave, what they accept.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::Shared;
use super::answer::{AdminError, AnyJson, ErrorBody, Json, Named, Parameters, SeenAs, answer, bad_body, ok};
use crate::application::{Application, ApplicationConfig};
use crate::auth::{Auth, AuthKind};
use crate::clock::ClockState;
use crate::journal::JournalSize;
use crate::profile::{Profile, check_paths};

/// An application as it stands.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApplicationView {
    /// Its name; `default` for the one at `/scim`.
    name: String,
    /// The base URL of its SCIM endpoint.
    scim_url: String,
    /// Where it gives tokens, if it knows OAuth 2 clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_url: Option<String>,
    /// The name of the profile that it follows.
    profile: String,
    /// The kinds of credentials that it accepts; what they are is told to nobody.
    auth: Vec<&'static str>,
    /// What its ids and draws come from.
    seed: u64,
    /// How many users there are.
    users: usize,
    /// How many resources there are, by type.
    resources: BTreeMap<String, usize>,
    /// The rules of the faults that can still strike.
    faults: Vec<String>,
    /// What its journal holds.
    journal: JournalSize,
    /// What its clock shows.
    clock: ClockState,
}

/// All applications in order of their names.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ApplicationList {
    applications: Vec<ApplicationView>,
}

/// How to set an application up. What is left out is as the server was started, or as it is in an application that
/// exists.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Configuration {
    /// The name of a built-in profile, or a profile as its file has it; without name and summary if need be.
    profile: Option<Value>,
    /// What is accepted: `none`, `basic:USER:PASSWORD`, `bearer:TOKEN` or `oauth:CLIENT:SECRET`, any of several.
    #[schema(value_type = Option<Vec<String>>)]
    auth: Option<Value>,
    /// Decides ids and draws; only for an application that doesn't exist yet.
    seed: Option<u64>,
}

/// What is accepted.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Credentials {
    /// `none`, `basic:USER:PASSWORD`, `bearer:TOKEN` or `oauth:CLIENT:SECRET`, at least one
    /// of them.
    #[schema(value_type = Vec<String>)]
    auth: Value,
}

/// The kinds of credentials that are accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Kinds {
    auth: Vec<&'static str>,
}

/// List the applications.
#[utoipa::path(get, path = "/applications", tag = "applications",
    responses((status = 200, description = "All of them.", body = ApplicationList)))]
pub(super) async fn list(State(admin): State<Shared>, seen: SeenAs) -> Response {
    let applications =
        admin.config.server.applications().iter().map(|each| ApplicationView::of(each, &seen)).collect();
    ok(&ApplicationList { applications })
}

/// Show an application.
#[utoipa::path(get, path = "/applications/{name}", tag = "applications",
    responses((status = 200, description = "How it stands.", body = ApplicationView)))]
pub(super) async fn describe(Named(application): Named, seen: SeenAs) -> Response {
    ok(&ApplicationView::of(&application, &seen))
}

/// Make an application, or change one.
///
/// A new one has the faults that the server was started with. Of one that exists the profile and the credentials can be
/// changed, not the seed.
#[utoipa::path(put, path = "/applications/{name}", tag = "applications", request_body = Configuration,
    responses(
        (status = 200, description = "It is changed.", body = ApplicationView),
        (status = 201, description = "It is made.", body = ApplicationView),
        (status = 503, description = "The server holds as many as it can.", body = ErrorBody)))]
pub(super) async fn configure(
    State(admin): State<Shared>,
    Parameters { name, .. }: Parameters,
    seen: SeenAs,
    Json(Configuration { profile, auth, seed }): Json<Configuration>,
) -> Result<Response, AdminError> {
    let profile = profile.map(profile_of).transpose()?;
    let auth = auth.as_ref().map(credentials).transpose()?;
    if let Some(application) = admin.config.server.application(&name) {
        if seed.is_some() {
            return Err(bad_body("the seed of an application that exists can't be changed; remove it first"));
        }
        if let Some(profile) = profile {
            check_paths(&profile, &admin.config.server.defaults.types).map_err(bad_body)?;
            application.set_profile(profile);
        }
        if let Some(auth) = auth {
            application.set_auth(auth);
        }
        return Ok(ok(&ApplicationView::of(&application, &seen)));
    }
    let defaults = &admin.config.server.defaults;
    let config = ApplicationConfig {
        profile: profile.unwrap_or_else(|| defaults.profile.clone()),
        auth: auth.unwrap_or_default(),
        seed: seed.unwrap_or(defaults.seed),
    };
    let application = admin.config.server.create(&name, config, &defaults.faults)?;
    Ok(answer(StatusCode::CREATED, &ApplicationView::of(&application, &seen)))
}

/// Remove an application with all that it holds.
///
/// The next authenticated request to it makes it anew, as it was when the server was started.
#[utoipa::path(delete, path = "/applications/{name}", tag = "applications",
    responses((status = 204, description = "It is gone.")))]
pub(super) async fn remove(
    State(admin): State<Shared>,
    Parameters { name, .. }: Parameters,
) -> Result<StatusCode, AdminError> {
    if admin.config.server.remove(&name) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(AdminError::NoSuchApplication(name))
    }
}

/// Show the profile that an application follows, as its file would have it.
#[utoipa::path(get, path = "/applications/{name}/profile", tag = "applications",
    responses((status = 200, description = "The profile, with what it extends applied.", body = Object)))]
pub(super) async fn profile(Named(application): Named) -> Response {
    ok(&application.settings().profile.to_json())
}

/// Follow another profile from the next request on.
///
/// The body is the name of a built-in profile as a JSON string, or a profile as its file has it:
/// `{"extends":"aquera","gateway":{"put":"answers-501"}}`.
#[utoipa::path(put, path = "/applications/{name}/profile", tag = "applications", request_body = Value,
    responses((status = 200, description = "The profile, with what it extends applied.", body = Object)))]
pub(super) async fn set_profile(
    Named(application): Named,
    AnyJson(profile): AnyJson,
) -> Result<Response, AdminError> {
    let profile = profile_of(profile)?;
    check_paths(&profile, &application.settings().types).map_err(bad_body)?;
    application.set_profile(profile);
    Ok(ok(&application.settings().profile.to_json()))
}

/// Show the kinds of credentials that an application accepts.
#[utoipa::path(get, path = "/applications/{name}/auth", tag = "applications",
    responses((status = 200, description = "The kinds alone.", body = Kinds)))]
pub(super) async fn auth(Named(application): Named) -> Response {
    ok(&Kinds { auth: kinds(&application) })
}

/// Accept other credentials from the next request on.
#[utoipa::path(put, path = "/applications/{name}/auth", tag = "applications", request_body = Credentials,
    responses((status = 200, description = "The kinds alone.", body = Kinds)))]
pub(super) async fn set_auth(
    Named(application): Named,
    Json(Credentials { auth }): Json<Credentials>,
) -> Result<Response, AdminError> {
    application.set_auth(credentials(&auth)?);
    Ok(ok(&Kinds { auth: kinds(&application) }))
}

impl ApplicationView {
    fn of(application: &Application, seen: &SeenAs) -> Self {
        let settings = application.settings();
        let scim_url = seen.scim_url(application);
        let token_url = settings.gatekeeper.has_clients().then(|| {
            let base = scim_url.strip_suffix("/scim").unwrap_or(&scim_url);
            format!("{base}/oauth/token")
        });
        Self {
            name: application.name().to_owned(),
            scim_url,
            token_url,
            profile: settings.profile.name.clone(),
            auth: kinds(application),
            seed: application.seed_number(),
            users: application.user_count(),
            resources: application.counts().into_iter().collect(),
            faults: application.faults(),
            journal: application.journal_size(),
            clock: application.clock().state(),
        }
    }
}

fn kinds(application: &Application) -> Vec<&'static str> {
    let settings = application.settings();
    let name = |auth: &Auth| match auth.kind() {
        AuthKind::None => "none",
        AuthKind::Basic { .. } => "basic",
        AuthKind::Bearer { .. } => "bearer",
        AuthKind::OAuth { .. } => "oauth",
    };
    settings.gatekeeper.accepted().iter().map(name).collect()
}

/// A built-in profile by its name, or one that is written out.
fn profile_of(written: Value) -> Result<Profile, AdminError> {
    match written {
        Value::String(name) => {
            Profile::builtin(&name).ok_or_else(|| bad_body(crate::profile::unknown(&name)))
        }
        Value::Object(members) => {
            let mut whole = Map::new();
            whole.insert("name".to_owned(), "inline".into());
            whole.insert("summary".to_owned(), "set by administration".into());
            whole.extend(members);
            Profile::from_json(&Value::Object(whole)).map_err(bad_body)
        }
        _ => Err(bad_body("a profile is the name of a built-in one, or an object as its file has it")),
    }
}

/// Written as a list of texts. What is wrong is told without repeating it.
fn credentials(written: &Value) -> Result<Vec<Auth>, AdminError> {
    let Value::Array(kinds) = written else {
        return Err(bad_body("`auth` is a list of texts such as [\"bearer:TOKEN\"]"));
    };
    if kinds.is_empty() {
        return Err(bad_body(
            "`auth` is empty, and no credentials would be good; write [\"none\"] to ask for none, or those to accept, such \
             as [\"bearer:TOKEN\"]",
        ));
    }
    let one = |(at, kind): (usize, &Value)| match kind {
        Value::String(text) => {
            text.parse::<Auth>().map_err(|error| bad_body(format!("`auth` element {}: {error}", at + 1)))
        }
        _ => Err(bad_body(format!("`auth` element {} is no text", at + 1))),
    };
    kinds.iter().enumerate().map(one).collect()
}
