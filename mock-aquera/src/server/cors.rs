//! Which web pages may read answers (the CORS protocol of the Fetch standard).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::body::Incoming;
use hyper::{Request, Response};

use crate::address::is_host;
use crate::net::{Later, ReplyBody};

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

    /// The origin of the page that sent a request, if it may read the answer.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let origin = headers.get(header::ORIGIN)?;
        let is_it = |known: &Origin| origin.as_bytes().eq_ignore_ascii_case(known.0.as_bytes());
        self.0.iter().any(is_it).then(|| origin.clone())
    }
}

/// Lets the page of an origin read an answer.
pub(super) fn expose(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READABLE));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}

/// The answer to the question of a browser whether a page may send a request; `None` if it is not that.
pub(super) fn preflight(
    method: &Method,
    asked: &HeaderMap,
    origin: &HeaderValue,
) -> Option<Response<ReplyBody>> {
    if *method != Method::OPTIONS || !asked.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    let mut reply = Response::new(ReplyBody::Empty);
    *reply.status_mut() = StatusCode::NO_CONTENT;
    let headers = reply.headers_mut();
    expose(headers, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    Some(reply)
}

/// Answers a request of a page that may read the answer.
pub(super) fn for_page(
    page: HeaderValue,
    request: Request<Incoming>,
    answer: impl FnOnce(Request<Incoming>) -> Later,
) -> Later {
    if let Some(reply) = preflight(request.method(), request.headers(), &page) {
        return Box::pin(std::future::ready(reply));
    }
    let answered = answer(request);
    Box::pin(async move {
        let mut reply = answered.await;
        expose(reply.headers_mut(), page);
        reply
    })
}
