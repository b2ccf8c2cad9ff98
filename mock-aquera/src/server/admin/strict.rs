//! What a request to administration may carry: a query parameter that its route does not know, or a body that it does
//! not take, is refused. Whoever writes `DELETE users?userName=ida` means one user, and must not lose them all.
//!
//! What a route takes is what its description says, so the two cannot drift apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::{BodyExt as _, Collected, Limited};

use super::answer::{AdminError, Pairs};
use super::openapi;
use crate::units::suggest::{nearest, question};

/// The largest body that is looked at on a route that takes none, in bytes.
const MAX_LOOKED_AT: usize = 64 * 1024;

/// What the methods of one path take.
#[derive(Debug, Clone)]
pub(super) struct Takes(Arc<BTreeMap<Method, Taken>>);

#[derive(Debug)]
struct Taken {
    queries: Vec<&'static str>,
    /// The media types of its body; none where it takes no body.
    types: Vec<&'static str>,
    /// What to send instead, where there is something that people look for here.
    instead: &'static str,
}

impl Takes {
    /// What the description says of a path below the base.
    pub(super) fn described(path: &str) -> Self {
        let methods = openapi::operations(path).map(|(method, operation)| {
            let taken = Taken {
                queries: openapi::queries(operation).collect(),
                types: openapi::media_types(operation).collect(),
                instead: instead(&method, path),
            };
            (method, taken)
        });
        Self(Arc::new(methods.collect()))
    }

    fn of(&self, method: &Method) -> Option<&Taken> {
        self.0.get(if *method == Method::HEAD { &Method::GET } else { method })
    }
}

/// Lets a request through that says nothing but what its route takes.
pub(super) async fn check(State(takes): State<Takes>, request: Request, next: Next) -> Response {
    let Some(taken) = takes.of(request.method()) else { return next.run(request).await };
    let checked = match taken.check_query(request.uri().query().unwrap_or_default()) {
        Ok(()) if !taken.types.is_empty() => taken.check_type(&request).map(|()| request),
        Ok(()) => taken.without_body(request).await,
        Err(error) => Err(error),
    };
    match checked {
        Ok(request) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

impl Taken {
    fn check_query(&self, query: &str) -> Result<(), AdminError> {
        let pairs = Pairs::of(query);
        let unknown = pairs.keys().find(|key| !self.queries.iter().any(|known| same_key(known, key)));
        let Some(key) = unknown else { return Ok(()) };
        let hint = match (nearest(key, self.queries.iter().copied()), self.queries.as_slice()) {
            (Some(meant), _) => question(meant),
            (None, []) => format!("this route takes none{}", self.instead),
            (None, known) => format!("this route takes {}", known.join(", ")),
        };
        Err(AdminError::UnknownQuery { key: key.to_owned(), hint })
    }

    /// Checks that a body says to be what it is. A web page of another origin can send only other types unasked.
    fn check_type(&self, request: &Request) -> Result<(), AdminError> {
        if request.body().is_end_stream() {
            return Ok(());
        }
        let sent = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
        let sent = sent.map(|sent| String::from_utf8_lossy(sent).to_ascii_lowercase());
        let essence = sent.as_deref().map(|sent| sent.split(';').next().unwrap_or_default().trim());
        let fits = |essence: &str| self.types.contains(&essence) || essence.ends_with("+json");
        if essence.is_some_and(fits) {
            return Ok(());
        }
        let sent = essence.map_or_else(|| "(none)".to_owned(), |sent| format!("`{sent}`"));
        Err(AdminError::MediaType { sent, expected: self.types.join(" or ") })
    }

    /// The request without its body, if that says nothing: some clients send `{}` with every POST.
    async fn without_body(&self, request: Request) -> Result<Request, AdminError> {
        let (parts, body) = request.into_parts();
        let read = Limited::new(body, MAX_LOOKED_AT).collect().await.map(Collected::to_bytes);
        match read {
            Ok(body) if [&b""[..], b"{}", b"null"].contains(&body.trim_ascii()) => {
                Ok(Request::from_parts(parts, Body::empty()))
            }
            _ => Err(AdminError::UnexpectedBody(self.instead)),
        }
    }
}

/// Whether a query parameter is this one: without case, hyphens and underscores.
pub(super) fn same_key(known: &str, written: &str) -> bool {
    let plain = written.chars().filter(|letter| !matches!(letter, '-' | '_'));
    plain
        .map(|letter| letter.to_ascii_lowercase())
        .eq(known.chars().map(|letter| letter.to_ascii_lowercase()))
}

/// What to send instead of a query or a body that a route does not take.
fn instead(method: &Method, path: &str) -> &'static str {
    match (method.as_str(), path) {
        ("DELETE", "/applications/{name}/users") => {
            "; it removes all users, and DELETE /_mock/applications/NAME/resources/User/ID removes one"
        }
        ("DELETE", "/applications/{name}/groups") => {
            "; it removes all groups, and DELETE /_mock/applications/NAME/resources/Group/ID removes one"
        }
        ("DELETE", "/applications/{name}/resources/{type}") => {
            "; it removes all resources of the type, and DELETE …/resources/TYPE/ID removes one"
        }
        ("DELETE", "/applications/{name}/faults") => {
            "; it removes all faults, and DELETE /_mock/applications/NAME/faults/ID removes one"
        }
        ("DELETE", "/applications/{name}/journal") => {
            "; it empties the whole journal, and GET with `sinceSeq` passes over what came before"
        }
        ("DELETE", "/applications/{name}") => {
            "; it removes the application, and POST /_mock/applications/NAME/reset?what=… resets a part of it"
        }
        (
            "GET",
            "/applications/{name}/users"
            | "/applications/{name}/groups"
            | "/applications/{name}/resources/{type}",
        ) => "; it lists all of them, and the SCIM endpoint has filters and pages",
        ("POST", "/reset" | "/applications/{name}/reset") => "; `?what=` names what to reset",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_compared_without_case_and_hyphens() {
        for written in ["sinceSeq", "sinceseq", "since-seq", "SINCE_SEQ"] {
            assert!(same_key("sinceSeq", written), "{written}");
        }
        for written in ["since", "sinceSeqs", "", "since seq"] {
            assert!(!same_key("sinceSeq", written), "{written}");
        }
    }

    #[test]
    fn each_method_takes_what_is_described() {
        let takes = Takes::described("/applications/{name}/journal");
        let queries = |method| takes.of(&method).map(|taken| taken.queries.len());
        assert_eq!((queries(Method::GET), queries(Method::HEAD)), (Some(13), Some(13)));
        assert_eq!((queries(Method::DELETE), queries(Method::PUT)), (Some(0), None));
        assert!(Takes::described("").of(&Method::GET).is_some(), "the index is described as `/`");
    }
}
