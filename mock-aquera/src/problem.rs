//! What can be wrong with a request, and the one place that says how each is answered (RFC 7644 §3.12).

use axum::http::StatusCode;
use scim::error::ScimType;
use scim::patch::PatchError;
use scim::sort::SortError;

/// A request that isn't carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("no {} has the id `{id}`", kind.to_lowercase())]
    NoSuchResource { kind: String, id: String },
    #[error("{0}")]
    NoSuchDefinition(String),
    #[error("nothing is at this path; SCIM is at /scim and /apps/NAME/scim, administration under /_mock")]
    NoSuchPath,
    #[error("{0}")]
    NoRoute(String),
    #[error("{0}")]
    NobodyIsMe(String),
    #[error("the name of an application is 1 to 64 letters, digits, hyphens or underscores")]
    BadApplicationName,
    #[error("the server holds {0} applications already, and makes no more until one is removed")]
    TooManyApplications(usize),
    #[error("{0}")]
    Unauthorized(String),
    #[error("{method} is not supported here; supported: {allow}")]
    MethodNotAllowed { method: String, allow: String },
    #[error("{0} is not supported by this endpoint")]
    NotImplemented(&'static str),
    #[error("{0} is not at this endpoint")]
    NotHere(&'static str),
    #[error("the application behind the gateway has no partial update, which this change becomes")]
    PartialUpdateUnsupported,
    #[error("the application behind the gateway has no operation {0}")]
    OperationUnsupported(&'static str),
    #[error("the body is sent as application/scim+json or application/json")]
    UnsupportedMediaType,
    #[error("the response is application/scim+json, and the Accept header does not allow that")]
    NotAcceptable,
    #[error("{what} is larger than {most} bytes")]
    TooLarge { what: &'static str, most: usize },
    #[error("the path and query are longer than {0} bytes; a long query can be sent by POST to .search")]
    UriTooLong(usize),
    #[error("the headers are larger than {0} bytes")]
    HeadersTooLarge(usize),
    #[error("the body is not usable: {0}")]
    BadSyntax(String),
    #[error("the {path} `{value}` is taken")]
    Taken { path: String, value: String },
    #[error("the resource is at {etag}, which is not what {header} asks for")]
    VersionMismatch { header: &'static str, etag: String },
    #[error("the filter is not understood: {0}")]
    BadFilter(String),
    #[error("{0}")]
    BadValue(String),
    #[error("{0}")]
    Immutable(String),
    #[error("{detail}")]
    BadPatch { scim_type: ScimType, detail: String },
    #[error("the cursor is not one that this query was given")]
    BadCursor,
    #[error("the cursor is older than {0} s; begin anew without one")]
    ExpiredCursor(i64),
    #[error("{0}")]
    BadCount(String),
    #[error("a filter on a discovery endpoint is forbidden")]
    FilterOnDiscovery,
    #[error("{detail}")]
    ByProfile { status: StatusCode, scim_type: Option<ScimType>, detail: String },
    #[error("{0}")]
    BadForwarding(String),
    #[error("too many requests: {0}")]
    Limited(StatusCode, String),
    #[error("{}", detail.as_deref().unwrap_or("a fault was asked for here"))]
    Fault { status: StatusCode, scim_type: Option<ScimType>, detail: Option<String> },
}

impl Problem {
    /// What a profile refuses, whatever the request says.
    pub(crate) fn by_profile(status: u16, scim_type: Option<ScimType>, detail: impl Into<String>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Self::ByProfile { status, scim_type, detail: detail.into() }
    }

    /// The status and the `scimType` that it is answered with.
    pub(crate) fn wire(&self) -> (StatusCode, Option<ScimType>) {
        match self {
            Self::NoSuchResource { .. }
            | Self::NoSuchDefinition(_)
            | Self::NoSuchPath
            | Self::NoRoute(_)
            | Self::NobodyIsMe(_)
            | Self::NotHere(_)
            | Self::BadApplicationName => (StatusCode::NOT_FOUND, None),
            Self::TooManyApplications(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
            Self::Unauthorized(_) => (StatusCode::UNAUTHORIZED, None),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, None),
            Self::NotImplemented(_) | Self::PartialUpdateUnsupported | Self::OperationUnsupported(_) => {
                (StatusCode::NOT_IMPLEMENTED, None)
            }
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::NotAcceptable => (StatusCode::NOT_ACCEPTABLE, None),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::UriTooLong(_) => (StatusCode::URI_TOO_LONG, None),
            Self::HeadersTooLarge(_) => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, None),
            Self::BadSyntax(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidSyntax)),
            Self::Taken { .. } => (StatusCode::CONFLICT, Some(ScimType::Uniqueness)),
            Self::VersionMismatch { .. } => (StatusCode::PRECONDITION_FAILED, None),
            Self::BadFilter(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidFilter)),
            Self::BadValue(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidValue)),
            Self::Immutable(_) => (StatusCode::BAD_REQUEST, Some(ScimType::Mutability)),
            Self::BadPatch { scim_type, .. } => (StatusCode::BAD_REQUEST, Some(*scim_type)),
            Self::BadCursor => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidCursor)),
            Self::ExpiredCursor(_) => (StatusCode::BAD_REQUEST, Some(ScimType::ExpiredCursor)),
            Self::BadCount(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidCount)),
            Self::BadForwarding(_) => (StatusCode::BAD_REQUEST, None),
            Self::FilterOnDiscovery => (StatusCode::FORBIDDEN, None),
            Self::ByProfile { status, scim_type, .. } => (*status, *scim_type),
            Self::Limited(status, _) => (*status, None),
            Self::Fault { status: StatusCode::CONFLICT, scim_type: None, .. } => {
                (StatusCode::CONFLICT, Some(ScimType::Uniqueness))
            }
            Self::Fault { status, scim_type, .. } => (*status, *scim_type),
        }
    }
}

impl From<PatchError> for Problem {
    fn from(error: PatchError) -> Self {
        Self::BadPatch { scim_type: error.scim_type(), detail: error.to_string() }
    }
}

impl From<SortError> for Problem {
    fn from(error: SortError) -> Self {
        Self::BadValue(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_has_its_answer() {
        #[track_caller]
        fn check(problem: &Problem, status: u16, scim_type: Option<&str>) {
            let (got, got_type) = problem.wire();
            assert_eq!((got.as_u16(), got_type.map(ScimType::as_str)), (status, scim_type), "{problem}");
        }
        let text = || "x".to_owned();
        let fault = |status| Problem::Fault { status, scim_type: None, detail: None };
        check(&Problem::NoSuchResource { kind: text(), id: text() }, 404, None);
        check(&Problem::NoSuchDefinition(text()), 404, None);
        check(&Problem::NoSuchPath, 404, None);
        check(&Problem::NoRoute(text()), 404, None);
        check(&Problem::NobodyIsMe(text()), 404, None);
        check(&Problem::NotHere("x"), 404, None);
        check(&Problem::BadApplicationName, 404, None);
        check(&Problem::TooManyApplications(1), 503, None);
        check(&Problem::Unauthorized(text()), 401, None);
        check(&Problem::MethodNotAllowed { method: text(), allow: text() }, 405, None);
        check(&Problem::NotImplemented("bulk"), 501, None);
        check(&Problem::PartialUpdateUnsupported, 501, None);
        check(&Problem::OperationUnsupported("x"), 501, None);
        check(&Problem::UnsupportedMediaType, 415, None);
        check(&Problem::NotAcceptable, 406, None);
        check(&Problem::TooLarge { what: "the body", most: 1 }, 413, None);
        check(&Problem::UriTooLong(1), 414, None);
        check(&Problem::HeadersTooLarge(1), 431, None);
        check(&Problem::BadSyntax(text()), 400, Some("invalidSyntax"));
        check(&Problem::Taken { path: text(), value: text() }, 409, Some("uniqueness"));
        check(&Problem::VersionMismatch { header: "If-Match", etag: text() }, 412, None);
        check(&Problem::BadFilter(text()), 400, Some("invalidFilter"));
        check(&Problem::BadValue(text()), 400, Some("invalidValue"));
        check(&Problem::Immutable(text()), 400, Some("mutability"));
        check(&Problem::BadPatch { scim_type: ScimType::NoTarget, detail: text() }, 400, Some("noTarget"));
        check(&Problem::BadCursor, 400, Some("invalidCursor"));
        check(&Problem::ExpiredCursor(1), 400, Some("expiredCursor"));
        check(&Problem::BadCount(text()), 400, Some("invalidCount"));
        check(&Problem::BadForwarding(text()), 400, None);
        check(&Problem::FilterOnDiscovery, 403, None);
        check(&Problem::by_profile(403, Some(ScimType::Sensitive), "x"), 403, Some("sensitive"));
        check(&Problem::Limited(StatusCode::TOO_MANY_REQUESTS, text()), 429, None);
        check(&fault(StatusCode::CONFLICT), 409, Some("uniqueness"));
        check(&fault(StatusCode::TOO_MANY_REQUESTS), 429, None);
    }
}
