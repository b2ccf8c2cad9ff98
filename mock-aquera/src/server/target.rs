//! Targets that say the same in other letters: `/scim/%55sers` is `/scim/Users` (RFC 9110 §4.2.3).

use std::borrow::Cow;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use hyper::Request;

use crate::text::normal_path;

/// Whether the path of a request is the one that is compared with.
pub(super) fn is_normal(uri: &Uri) -> bool {
    matches!(normal_path(uri.path()), Cow::Borrowed(_))
}

/// The request with the path that is compared with, everywhere: by routes, rules and the journal.
pub(super) fn normalized<B>(mut request: Request<B>) -> Request<B> {
    if let Some(uri) = normal_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// `None` if the path is normal already.
fn normal_uri(uri: &Uri) -> Option<Uri> {
    let Cow::Owned(path) = normal_path(uri.path()) else { return None };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_alone_is_normalized() {
        let uri = "http://h:1/%61?b=%61".parse().unwrap();
        assert_eq!(normal_uri(&uri).unwrap().to_string(), "http://h:1/a?b=%61");
        assert!(is_normal(&"/scim/Users?filter=%61".parse().unwrap()) && !is_normal(&uri));
    }
}
