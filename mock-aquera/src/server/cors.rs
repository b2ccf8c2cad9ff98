//! Which web pages may read answers (the CORS protocol of the Fetch standard).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::host::is_host;

/// The methods and headers that pages may use, and the headers of answers that they may read.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const READABLE: &str = "ETag, Location, Retry-After, WWW-Authenticate, Allow";
/// Long enough for a page to work, short enough for a changed option to count.
const MAX_AGE: &str = "600";

/// Where a web page is from: `https://console.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

/// Why a text is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid origin `{0}`: expected scheme and host as browsers send them, such as https://console.example.com"
)]
pub struct OriginError(String);

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let host = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        match host {
            Some(host) if is_host(host.as_bytes()) => Ok(Self(text.to_ascii_lowercase())),
            _ => Err(OriginError(text.to_owned())),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The origins whose pages may read answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cors(Arc<[Origin]>);

impl Cors {
    pub(crate) fn new(origins: Vec<Origin>) -> Self {
        Self(origins.into())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The origin of the page that sent a request, if it may read the answer.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let is_it = |known: &Origin| origin.as_bytes().eq_ignore_ascii_case(known.0.as_bytes());
        self.0.iter().any(is_it).then(|| origin.clone())
    }
}

/// Lets the pages of the allowed origins read the responses to their requests.
pub(super) async fn layer(State(cors): State<Cors>, request: Request, next: Next) -> Response {
    let Some(origin) = cors.allowed(request.headers()) else { return next.run(request).await };
    let mut response = match preflight(&request) {
        Some(response) => response,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    response
}

/// Returns the response to a browser that asks whether a page may send a request; `None` if the request is another one.
fn preflight(request: &Request) -> Option<Response> {
    let asked = request.headers();
    if *request.method() != Method::OPTIONS || !asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(response)
}
