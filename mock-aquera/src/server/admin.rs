//! Administration under `/_mock`: applications, their users, journals and faults. Plain JSON, no credentials.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{ApplicationError, Server};
use crate::application::{Application, ApplicationConfig};
use crate::auth::Auth;
use crate::fault::Fault;
use crate::journal::Exchange;
use crate::profile::Profile;

/// The largest body that is read, in bytes: some hundred thousand users at once.
const MAX_BODY: usize = 128 * 1024 * 1024;

/// Administration as something that answers requests.
#[derive(Debug, Clone)]
pub(crate) struct AdminFront {
    pub(super) router: Router,
}

impl AdminFront {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { router: Router::new().nest("/_mock", router()).with_state(server) }
    }
}

fn router() -> Router<Arc<Server>> {
    Router::new()
        .route("/health", get(health))
        .route("/applications", get(applications))
        .route("/applications/{name}", put(configure).get(describe).delete(remove))
        .route("/applications/{name}/users", get(users).post(seed_users))
        .route("/applications/{name}/journal", get(journal).delete(clear_journal))
        .route("/applications/{name}/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/applications/{name}/reset", post(reset))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .fallback(|| async { AdminError::NoSuchPath })
        .method_not_allowed_fallback(|| async { AdminError::MethodNotAllowed })
}

/// What administration can answer with instead of doing what it was asked.
#[derive(Debug, thiserror::Error)]
enum AdminError {
    #[error("nothing is at this path of the administration API")]
    NoSuchPath,
    #[error("this method is not possible here; the Allow header says which are")]
    MethodNotAllowed,
    #[error("there is no application called `{0}`")]
    NoSuchApplication(String),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error("the body is not usable: {0}")]
    BadBody(String),
    #[error("the body is larger than {MAX_BODY} bytes")]
    TooLarge,
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoSuchPath | Self::NoSuchApplication(_) => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Application(ApplicationError::BadName(_)) | Self::BadBody(_) => StatusCode::BAD_REQUEST,
            Self::Application(ApplicationError::Exists(_)) => StatusCode::CONFLICT,
            Self::Application(ApplicationError::TooMany) => StatusCode::SERVICE_UNAVAILABLE,
        };
        answer(status, &json!({ "error": self.to_string() }))
    }
}

/// The application that the path names.
struct Named(Application);

impl FromRequestParts<Arc<Server>> for Named {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, AdminError> {
        let Path(name): Path<String> =
            Path::from_request_parts(parts, server).await.map_err(|_| AdminError::NoSuchPath)?;
        server.application(&name).map(Self).ok_or(AdminError::NoSuchApplication(name))
    }
}

/// A JSON body, whatever its media type.
struct Json<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<Server>> for Json<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, server: &Arc<Server>) -> Result<Self, AdminError> {
        let body =
            Bytes::from_request(request, server).await.map_err(
                |rejection: BytesRejection| match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => AdminError::TooLarge,
                    _ => bad_body(rejection.body_text()),
                },
            )?;
        serde_json::from_slice(&body).map(Self).map_err(bad_body)
    }
}

/// The body of PUT to an application. What is left out is as the server was started.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Configuration {
    profile: Option<String>,
    auth: Option<Vec<String>>,
    seed: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct FaultRule {
    rule: String,
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    ok(&json!({ "status": "ready", "applications": server.applications.len() }))
}

async fn applications(State(server): State<Arc<Server>>) -> Response {
    let all: Vec<Value> = server.applications().iter().map(description).collect();
    ok(&json!({ "applications": all }))
}

async fn describe(Named(application): Named) -> Response {
    ok(&description(&application))
}

/// Makes an application, or changes the profile and the credentials of one that exists. The seed of one that exists
/// can't be changed.
async fn configure(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Json(Configuration { profile, auth, seed }): Json<Configuration>,
) -> Result<Response, AdminError> {
    let profile = profile.as_deref().map(built_in).transpose()?;
    let auth = auth.map(|kinds| kinds.iter().map(|kind| kind.parse::<Auth>()).collect::<Result<Vec<_>, _>>());
    let auth = auth.transpose().map_err(bad_body)?;
    if let Some(application) = server.application(&name) {
        if seed.is_some() {
            return Err(bad_body("the seed of an application that exists can't be changed; remove it first"));
        }
        if let Some(profile) = profile {
            application.set_profile(profile);
        }
        if let Some(auth) = auth {
            application.set_auth(auth);
        }
        return Ok(ok(&description(&application)));
    }
    let config = ApplicationConfig {
        profile: profile.unwrap_or_else(|| server.defaults.profile.clone()),
        auth: auth.unwrap_or_default(),
        seed: seed.unwrap_or(server.defaults.seed),
    };
    let application = server.create(&name, config)?;
    Ok(answer(StatusCode::CREATED, &description(&application)))
}

async fn remove(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<StatusCode, AdminError> {
    if server.remove(&name) { Ok(StatusCode::NO_CONTENT) } else { Err(AdminError::NoSuchApplication(name)) }
}

async fn users(Named(application): Named) -> Response {
    ok(&Value::from(application.users()))
}

async fn seed_users(Named(application): Named, Json(body): Json<Value>) -> Result<Response, AdminError> {
    let resources = match body {
        Value::Array(resources) => resources,
        resource => vec![resource],
    };
    if let Some(at) = resources.iter().position(|resource| !resource.is_object()) {
        return Err(bad_body(format!("element {} is not an object", at + 1)));
    }
    let ids: Vec<String> = resources.into_iter().map(|resource| application.seed_user(resource)).collect();
    Ok(answer(StatusCode::CREATED, &json!({ "ids": ids })))
}

async fn journal(Named(application): Named) -> Result<Response, AdminError> {
    let exchanges: Vec<Exchange> = application.journal();
    Ok(ok(&serde_json::to_value(exchanges).map_err(bad_body)?))
}

async fn clear_journal(Named(application): Named) -> StatusCode {
    application.clear_journal();
    StatusCode::NO_CONTENT
}

async fn faults(Named(application): Named) -> Response {
    ok(&json!({ "rules": application.faults() }))
}

async fn add_fault(
    Named(application): Named,
    Json(FaultRule { rule }): Json<FaultRule>,
) -> Result<Response, AdminError> {
    for fault in Fault::parse_all(&rule).map_err(bad_body)? {
        application.add_fault(fault);
    }
    Ok(answer(StatusCode::CREATED, &json!({ "rules": application.faults() })))
}

async fn clear_faults(Named(application): Named) -> StatusCode {
    application.clear_faults();
    StatusCode::NO_CONTENT
}

async fn reset(Named(application): Named) -> StatusCode {
    application.reset();
    StatusCode::NO_CONTENT
}

fn description(application: &Application) -> Value {
    json!({
        "name": application.name(),
        "scimUrl": application.scim_url(),
        "profile": application.settings().profile.name,
        "users": application.user_count(),
    })
}

fn built_in(name: &str) -> Result<Profile, AdminError> {
    Profile::builtin(name).ok_or_else(|| bad_body(crate::profile::unknown(name)))
}

fn bad_body(reason: impl std::fmt::Display) -> AdminError {
    AdminError::BadBody(reason.to_string())
}

fn ok(value: &Value) -> Response {
    answer(StatusCode::OK, value)
}

fn answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}
