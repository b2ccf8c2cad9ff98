//! An answer before it becomes HTTP: the journal reads it, a fault may replace it.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use scim::error::error_body;
use serde_json::Value;

use crate::downstream::Downstreams;
use crate::journal::RequestMetadata;
use crate::problem::Problem;

/// The media type of everything under a SCIM path (RFC 7644 §3.1).
pub(crate) const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

const HTML_404: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><title>Not Found</title></head>\
<body><h1>Not Found</h1><p>The requested URL was not found on this server.</p></body></html>\n";

#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// What is wrong, where something is: its body can be written in other forms.
    pub(crate) problem: Option<Box<Problem>>,
    /// What the journal is told.
    pub(crate) known: RequestMetadata,
}

impl Reply {
    fn new(status: StatusCode, headers: HeaderMap, body: Bytes) -> Self {
        Self { status, headers, body, ..Self::default() }
    }

    /// Another answer to the same request: what is known of it goes along.
    pub(crate) fn answered_as(self, other: Self) -> Self {
        Self { known: self.known, ..other }
    }

    pub(crate) fn scim(status: StatusCode, body: Bytes) -> Self {
        Self::other(status, SCIM_JSON, body)
    }

    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, HeaderMap::new(), Bytes::new())
    }

    /// A body of another media type.
    pub(crate) fn other(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Self {
        // Room for what nearly every answer gets, so that the map need not grow.
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, kind);
        Self::new(status, headers, body.into())
    }

    pub(crate) fn value(status: StatusCode, value: &Value) -> Self {
        Self::scim(status, Bytes::from(value.to_string()))
    }

    /// The answer of a web server that knows no such path.
    pub(crate) fn html_not_found() -> Self {
        let kind = HeaderValue::from_static("text/html; charset=utf-8");
        Self::other(StatusCode::NOT_FOUND, kind, HTML_404)
    }

    /// What is wrong, in words.
    pub(crate) fn note(&self) -> Option<String> {
        self.problem.as_ref().map(ToString::to_string)
    }

    pub(crate) fn became(mut self, downstream: Downstreams) -> Self {
        self.known.downstream = downstream;
        self
    }

    /// Adds a header. A value that no header can hold is left out.
    pub(crate) fn header(self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => self.with_header(name, value),
            Err(_) => self,
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Self {
        let (status, scim_type) = problem.wire();
        if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
            return Self::empty(status);
        }
        let reply = Self::value(status, &error_body(status.as_u16(), scim_type, &problem.to_string()));
        let mut reply = match &problem {
            Problem::MethodNotAllowed { allow, .. } => reply.header(header::ALLOW, allow),
            _ => reply,
        };
        reply.problem = Some(Box::new(problem));
        reply
    }
}
