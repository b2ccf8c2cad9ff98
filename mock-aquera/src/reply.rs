//! An answer before it becomes HTTP: the journal reads it, a fault may replace it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use scim::error::error_body;
use serde_json::Value;

use crate::journal::Downstream;
use crate::problem::Problem;
use crate::store::Account;

/// The media type of everything under a SCIM path (RFC 7644 §3.1).
pub(crate) const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

const HTML_404: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Not Found</title></head>\
<body><h1>Not Found</h1><p>The requested URL was not found on this server.</p></body></html>\n";

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    content: Content,
    pub(crate) downstream: Vec<Downstream>,
}

#[derive(Debug)]
enum Content {
    Empty,
    Scim(Bytes),
    Html(&'static str),
}

impl Reply {
    pub(crate) fn scim(status: StatusCode, body: Bytes) -> Self {
        Self { status, headers: Vec::new(), content: Content::Scim(body), downstream: Vec::new() }
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), content: Content::Empty, downstream: Vec::new() }
    }

    /// An account as it is kept, with its ETag.
    pub(crate) fn account(status: StatusCode, account: &Account) -> Self {
        Self::scim(status, account.body()).header(header::ETAG, account.etag())
    }

    /// A representation that isn't kept.
    pub(crate) fn value(status: StatusCode, value: &Value) -> Self {
        Self::scim(status, Bytes::from(value.to_string()))
    }

    /// The answer of a web server that knows no such path.
    pub(crate) fn html_not_found() -> Self {
        Self { content: Content::Html(HTML_404), ..Self::empty(StatusCode::NOT_FOUND) }
    }

    pub(crate) fn became(mut self, downstream: Vec<Downstream>) -> Self {
        self.downstream = downstream;
        self
    }

    /// Adds a header. A value that no header can hold is left out.
    pub(crate) fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.headers.extend(HeaderValue::from_str(value).ok().map(|value| (name, value)));
        self
    }

    pub(crate) fn body(&self) -> Bytes {
        match &self.content {
            Content::Empty => Bytes::new(),
            Content::Scim(body) => body.clone(),
            Content::Html(text) => Bytes::from_static(text.as_bytes()),
        }
    }

    /// The headers as they are sent, apart from what the HTTP layer adds.
    pub(crate) fn all_headers(&self) -> HeaderMap {
        let kind = match &self.content {
            Content::Empty => None,
            Content::Scim(_) => Some(SCIM_JSON),
            Content::Html(_) => Some(HeaderValue::from_static("text/html; charset=utf-8")),
        };
        let mut headers: HeaderMap = kind.map(|kind| (header::CONTENT_TYPE, kind)).into_iter().collect();
        for (name, value) in &self.headers {
            headers.append(name.clone(), value.clone());
        }
        headers
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        *response.headers_mut() = self.all_headers();
        *response.body_mut() = match self.content {
            Content::Empty => Body::empty(),
            Content::Scim(body) => Body::from(body),
            Content::Html(text) => Body::from(text),
        };
        response
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let (status, scim_type) = problem.wire();
        let reply = Self::value(status, &error_body(status.as_u16(), scim_type, &problem.to_string()));
        match problem {
            Problem::MethodNotAllowed { allow, .. } => reply.header(header::ALLOW, &allow),
            _ => reply,
        }
    }
}

/// A response that ends the connection before its first byte: the HTTP layer gives up when the body fails before
/// the head was written out.
pub(crate) fn cut_off() -> Response {
    Response::new(Body::new(CutOff))
}

struct CutOff;

impl HttpBody for CutOff {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        Poll::Ready(Some(Err(std::io::Error::other("the hold on this request was dropped"))))
    }
}
