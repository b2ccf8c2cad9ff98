//! What administration takes and gives: errors, bodies, queries, and the application that a path names.

use std::str::FromStr;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Shared;
use super::strict::same_key;
use crate::address::Rebase;
use crate::application::{Application, scim_url};
use crate::data::{LoadError, LoadProblem};
use crate::parse_message;
use crate::parse_message::Mistake;
use crate::server::ApplicationError;
use crate::types::{TypeId, UnknownType};
use crate::units::duration;

/// The largest body that is read, in bytes: some hundred thousand users at once.
pub(super) const MAX_BODY: usize = 128 * 1024 * 1024;

/// What administration can answer with instead of doing what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("nothing is at this path of the administration API; GET /_mock lists what there is")]
    NoSuchPath,
    #[error("this method is not possible here; the Allow header says which are")]
    MethodNotAllowed,
    #[error("administration needs its token here: send `Authorization: Bearer TOKEN`, as --admin-token says")]
    Unauthorized,
    #[error(
        "administration is not served under the host name `{0}`, which others could give out for this machine; use \
         localhost or an address, or start the server with --admin-host {0} or --admin-token TOKEN"
    )]
    UnknownHost(String),
    #[error(
        "a web page of the origin `{0}` may not use administration; start the server with --cors ORIGIN to let it"
    )]
    ForeignOrigin(String),
    #[error(
        "a web page of another site may not use administration; start the server with --cors ORIGIN to let it"
    )]
    ForeignSite,
    #[error("the body has the media type {sent}; send the header `Content-Type: {expected}` (curl: --json)")]
    MediaType { sent: String, expected: String },
    #[error("unknown application `{0}`; GET /_mock/applications lists them, and PUT creates one")]
    NoSuchApplication(String),
    #[error(transparent)]
    NoSuchType(#[from] UnknownType),
    #[error("there is no {resource_type} with the id `{id}`")]
    NoSuchResource { resource_type: String, id: String },
    #[error("there is no fault `{0}`; GET on the faults lists them with their ids")]
    NoSuchFault(String),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error("the body is not usable: {0}")]
    BadBody(String),
    #[error("the query is not usable: {0}")]
    BadQuery(String),
    #[error("unknown query parameter `{key}`; {hint}")]
    UnknownQuery { key: String, hint: String },
    #[error("this route takes no body{0}")]
    UnexpectedBody(&'static str),
    #[error(
        "cannot wait for {count} exchanges, the journal holds {most} at most; wait for fewer at a time, with `sinceSeq`, \
         or give it more room with PUT /_mock/applications/NAME/journal/limits"
    )]
    WaitTooLong { count: usize, most: usize },
    #[error("{0} clients follow journals already, and no more can; end one of them")]
    TooManyFollowers(usize),
    #[error(
        "{0} requests wait for exchanges already, and no more can; end one of them, or let each wait less long with \
         `timeout`"
    )]
    TooManyWaits(usize),
    #[error("{0}")]
    BadForwarding(String),
    #[error("failed to {0}")]
    Load(#[from] LoadError),
    #[error("the body is larger than {0} bytes; send it in parts")]
    TooLarge(usize),
    #[error("the server is about to stop")]
    Ending,
    #[error("this could not be carried out; the log says why")]
    Broken,
}

/// What is wrong with a request, for the line that tells of it.
#[derive(Debug, Clone)]
pub(super) struct Told(pub(super) String);

/// An answer to what can't be done.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ErrorBody {
    /// What is wrong, and the way out.
    error: String,
    /// Of a load: everything that is wrong with it, each with its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<LoadProblem>>,
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NoSuchPath
            | Self::NoSuchApplication(_)
            | Self::NoSuchType(_)
            | Self::NoSuchResource { .. }
            | Self::NoSuchFault(_) => StatusCode::NOT_FOUND,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::UnknownHost(_) | Self::ForeignOrigin(_) | Self::ForeignSite => StatusCode::FORBIDDEN,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Application(ApplicationError::BadName(_) | ApplicationError::Profile(_))
            | Self::BadBody(_)
            | Self::BadQuery(_)
            | Self::UnknownQuery { .. }
            | Self::UnexpectedBody(_)
            | Self::WaitTooLong { .. }
            | Self::BadForwarding(_)
            | Self::Load(_) => StatusCode::BAD_REQUEST,
            Self::Application(ApplicationError::Exists(_)) => StatusCode::CONFLICT,
            Self::Application(ApplicationError::TooMany)
            | Self::TooManyFollowers(_)
            | Self::TooManyWaits(_)
            | Self::Ending => StatusCode::SERVICE_UNAVAILABLE,
            Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let error = self.to_string();
        let problems = if let Self::Load(LoadError { problems }) = self { Some(problems) } else { None };
        let mut response = answer(status, &ErrorBody { error: error.clone(), problems });
        response.extensions_mut().insert(Told(error));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static(r#"Bearer realm="mock-aquera administration""#);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

pub(super) fn bad_body(reason: impl std::fmt::Display) -> AdminError {
    AdminError::BadBody(reason.to_string())
}

pub(super) fn bad_query(reason: impl std::fmt::Display) -> AdminError {
    AdminError::BadQuery(reason.to_string())
}

pub(super) fn ok(value: &impl Serialize) -> Response {
    answer(StatusCode::OK, value)
}

pub(super) fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer of administration could not be written as JSON");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Does what takes its time where it holds nobody up.
pub(super) async fn on_blocking_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, AdminError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| AdminError::Broken)
}

/// How whoever asks sees the server.
#[derive(Debug, Clone)]
pub(super) struct SeenAs {
    /// The origin of the SCIM endpoints, where it is not the one that URLs are kept with.
    pub(super) origin: Option<String>,
    /// The path of administration: what a proxy takes away stands in front.
    pub(super) base: String,
}

impl SeenAs {
    /// The base URL of an application.
    pub(super) fn scim_url(&self, application: &Application) -> String {
        match &self.origin {
            Some(origin) => scim_url(origin, application.name()),
            None => application.scim_url(),
        }
    }

    /// A representation with the URLs that are seen.
    pub(super) fn value(&self, application: &Application, mut resource: Value) -> Value {
        if self.origin.is_some() {
            Rebase { from: &application.scim_url(), to: &self.scim_url(application) }.value(&mut resource);
        }
        resource
    }

    /// A text of representations with the URLs that are seen.
    pub(super) fn text(&self, application: &Application, text: Vec<u8>) -> Vec<u8> {
        if self.origin.is_none() {
            return text;
        }
        let rebase = Rebase { from: &application.scim_url(), to: &self.scim_url(application) };
        rebase.text(&text).map_or(text, Vec::from)
    }
}

impl FromRequestParts<Shared> for SeenAs {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, AdminError> {
        // Whoever is let in has it.
        parts.extensions.get().cloned().ok_or(AdminError::Broken)
    }
}

/// The parameters of a path; empty where it has none of that name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    /// The name of an application, whether or not there is one.
    pub(super) name: String,
    /// The name of a resource type.
    #[serde(rename = "type")]
    of_type: Option<String>,
    /// The id at the end.
    pub(super) id: String,
}

impl FromRequestParts<Shared> for Parameters {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, admin: &Shared) -> Result<Self, AdminError> {
        let parameters = Path::from_request_parts(parts, admin).await;
        parameters.map(|Path(parameters)| parameters).map_err(|_| AdminError::NoSuchPath)
    }
}

/// The application that the path names.
pub(super) struct Named(pub(super) Application);

impl FromRequestParts<Shared> for Named {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, admin: &Shared) -> Result<Self, AdminError> {
        let Parameters { name, .. } = Parameters::from_request_parts(parts, admin).await?;
        admin.config.server.application(&name).map(Self).ok_or(AdminError::NoSuchApplication(name))
    }
}

/// A resource type of an application: the one that the path names, or else users or groups as the path ends.
pub(super) struct OfType {
    pub(super) application: Application,
    pub(super) of_type: TypeId,
    /// The name of the type.
    pub(super) name: String,
}

impl FromRequestParts<Shared> for OfType {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, admin: &Shared) -> Result<Self, AdminError> {
        let Named(application) = Named::from_request_parts(parts, admin).await?;
        let Parameters { of_type, .. } = Parameters::from_request_parts(parts, admin).await?;
        let usual = if parts.uri.path().ends_with("/groups") { "Group" } else { "User" };
        let types = &application.settings().types;
        let of_type = types.require(of_type.as_deref().unwrap_or(usual))?;
        let name = types.get(of_type).name().to_owned();
        Ok(Self { application, of_type, name })
    }
}

/// The body as it came, whatever its media type.
pub(super) struct Raw(pub(super) Bytes);

impl FromRequest<Shared> for Raw {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Shared) -> Result<Self, AdminError> {
        let limit =
            if request.uri().path().ends_with("/load") { super::transfer::MAX_LOAD } else { MAX_BODY };
        let refused = |rejection: BytesRejection| match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => AdminError::TooLarge(limit),
            _ => bad_body(rejection.body_text()),
        };
        Bytes::from_request(request, admin).await.map(Self).map_err(refused)
    }
}

/// A JSON object as the body, whatever its media type.
pub(super) struct Json<T>(pub(super) T);

/// Any JSON value as the body, whatever its media type.
pub(super) struct AnyJson(pub(super) Value);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Shared) -> Result<Self, AdminError> {
        let Raw(body) = Raw::from_request(request, admin).await?;
        parsed(&body).map(Self)
    }
}

impl FromRequest<Shared> for AnyJson {
    type Rejection = AdminError;

    async fn from_request(request: Request, admin: &Shared) -> Result<Self, AdminError> {
        let Raw(body) = Raw::from_request(request, admin).await?;
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| bad_json(&body, parse_message::json(&body, &error)))
    }
}

/// What a body says as a JSON object.
pub(super) fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, AdminError> {
    parse_message::read_object(body).map_err(|mistake| bad_json(body, mistake))
}

fn bad_json(body: &[u8], mistake: Mistake) -> AdminError {
    match body.trim_ascii().first() {
        None => bad_body("it is empty, and a JSON text is needed"),
        // A text that stands alone may be a secret, and the message would repeat it.
        Some(first) if !b"{[".contains(first) && serde_json::from_slice::<IgnoredAny>(body).is_ok() => {
            bad_body("it is a single value, and a JSON object is needed")
        }
        Some(_) => bad_body(mistake),
    }
}

/// The pairs of the query, decoded, in order.
#[derive(Debug)]
pub(super) struct Pairs(Vec<(String, String)>);

impl FromRequestParts<Shared> for Pairs {
    type Rejection = AdminError;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, AdminError> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

impl Pairs {
    pub(super) fn of(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Takes out the value of a key that may be there once.
    pub(super) fn take(&mut self, key: &str) -> Result<Option<String>, AdminError> {
        let found: Vec<String> =
            self.0.extract_if(.., |(written, _)| same_key(key, written)).map(|(_, value)| value).collect();
        match found.as_slice() {
            [] => Ok(None),
            [value] => Ok(Some(value.clone())),
            _ => Err(bad_query(format!("`{key}` is there twice, once is enough"))),
        }
    }

    /// Takes out a key that is `true` or `false`; without a value it is true.
    pub(super) fn take_flag(&mut self, key: &str) -> Result<bool, AdminError> {
        match self.take(key)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true" | "") => Ok(true),
            Some(other) => Err(bad_query(format!("`{key}` is true or false, not `{other}`"))),
        }
    }

    /// The keys as they were written.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }

    /// The pairs that nobody has taken.
    pub(super) fn rest(self) -> Vec<(String, String)> {
        self.0
    }
}

/// A duration such as `30s`, `1h 30m` or `PT30S`; a number alone is seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) SignedDuration);

/// Why a value is no [`Span`], or not one to wait for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpanError {
    #[error("invalid duration `{0}`: expected one such as 500ms, 30s, 1h 30m or PT30S")]
    Text(String),
    #[error("a duration is a text such as 30s or PT30S, or a number of seconds")]
    Type,
    #[error("a wait cannot last less than no time")]
    Negative,
}

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let number =
            text.parse::<f64>().ok().and_then(|seconds| SignedDuration::try_from_secs_f64(seconds).ok());
        let parsed = number.or_else(|| duration::parse_signed(text));
        parsed.map(Self).ok_or_else(|| SpanError::Text(text.to_owned()))
    }
}

impl Span {
    /// As what may be waited for.
    pub(super) fn waiting(self) -> Result<Duration, SpanError> {
        Duration::try_from(self.0).map_err(|_| SpanError::Negative)
    }

    /// A text or a number of seconds.
    pub(super) fn of_json(value: &Value) -> Result<Self, SpanError> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(seconds) => seconds.to_string().parse(),
            _ => Err(SpanError::Type),
        }
    }
}

/// Ids of what was made.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub(super) struct Ids {
    /// In the order of what was sent.
    pub(super) ids: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read() {
        #[track_caller]
        fn check(text: &str, milliseconds: i64) {
            assert_eq!(text.parse(), Ok(Span(SignedDuration::from_millis(milliseconds))), "{text}");
        }
        check("30s", 30_000);
        check("500ms", 500);
        check("1h 30m", 5_400_000);
        check("PT1H", 3_600_000);
        check("-5s", -5_000);
        check("2.5", 2_500);
        for text in ["", "soon", "P1Y", "NaN", "inf"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        assert!(Span(SignedDuration::from_secs(-1)).waiting().is_err());
    }

    #[test]
    fn pairs_are_taken_out() {
        let mut pairs = Pairs::of("a=1&b=x+y%26&c&d=no&d=yes&e=maybe");
        assert_eq!(pairs.take("a").unwrap().as_deref(), Some("1"));
        assert_eq!(pairs.take("b").unwrap().as_deref(), Some("x y&"));
        assert!(pairs.take_flag("c").unwrap() && !pairs.take_flag("c").unwrap());
        assert!(pairs.take("d").is_err() && pairs.take_flag("e").is_err());
        assert!(pairs.rest().is_empty());
        assert_eq!(Pairs::of("What=1&no=2").take("what").unwrap().as_deref(), Some("1"));
    }
}
