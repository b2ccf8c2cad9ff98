//! What can be wrong with a request, and the one place that says how each is answered (RFC 7644 §3.12).

use axum::http::StatusCode;
use scim::error::ScimType;

/// A request that isn't carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("no user has the id `{0}`")]
    NoSuchUser(String),
    #[error("no {kind} is called `{name}`")]
    NoSuchDefinition { kind: &'static str, name: String },
    #[error("nothing is at this path; SCIM is at /scim and /apps/NAME/scim, administration under /_mock")]
    NoSuchPath,
    #[error("the name of an application is 1 to 64 letters, digits, hyphens or underscores")]
    BadApplicationName,
    #[error("the server holds {0} applications already, and makes no more until one is removed")]
    TooManyApplications(usize),
    #[error("the credentials are missing or wrong")]
    Unauthorized,
    #[error("{method} is not possible here; what is: {allow}")]
    MethodNotAllowed { method: String, allow: String },
    #[error("{0} is not supported by this endpoint")]
    NotImplemented(&'static str),
    #[error("the application behind the gateway has no partial update, which this change becomes")]
    PartialUpdateUnsupported,
    #[error("the body is sent as application/scim+json or application/json")]
    UnsupportedMediaType,
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the body is not usable: {0}")]
    BadSyntax(String),
    #[error("the userName `{0}` is taken")]
    UserNameTaken(String),
    #[error("the account is not at the version that If-Match names; it is at {0}")]
    VersionMismatch(String),
    #[error("the filter is not understood: {0}")]
    BadFilter(String),
    #[error("{0}")]
    BadValue(String),
    #[error("{detail}")]
    BadPatch { scim_type: ScimType, detail: String },
    #[error("a filter on a discovery endpoint is forbidden")]
    FilterOnDiscovery,
    #[error("the request is refused by the profile of this application, whatever it says")]
    RefusedByProfile,
    #[error("a fault was asked for here")]
    Fault(StatusCode),
}

impl Problem {
    /// The status and the `scimType` that it is answered with.
    pub(crate) fn wire(&self) -> (StatusCode, Option<ScimType>) {
        match self {
            Self::NoSuchUser(_)
            | Self::NoSuchDefinition { .. }
            | Self::NoSuchPath
            | Self::BadApplicationName => (StatusCode::NOT_FOUND, None),
            Self::TooManyApplications(_) => (StatusCode::SERVICE_UNAVAILABLE, None),
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, None),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, None),
            Self::NotImplemented(_) | Self::PartialUpdateUnsupported => (StatusCode::NOT_IMPLEMENTED, None),
            Self::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::BadSyntax(_) | Self::RefusedByProfile => {
                (StatusCode::BAD_REQUEST, Some(ScimType::InvalidSyntax))
            }
            Self::UserNameTaken(_) => (StatusCode::CONFLICT, Some(ScimType::Uniqueness)),
            Self::VersionMismatch(_) => (StatusCode::PRECONDITION_FAILED, None),
            Self::BadFilter(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidFilter)),
            Self::BadValue(_) => (StatusCode::BAD_REQUEST, Some(ScimType::InvalidValue)),
            Self::BadPatch { scim_type, .. } => (StatusCode::BAD_REQUEST, Some(*scim_type)),
            Self::FilterOnDiscovery => (StatusCode::FORBIDDEN, None),
            Self::Fault(StatusCode::CONFLICT) => (StatusCode::CONFLICT, Some(ScimType::Uniqueness)),
            Self::Fault(status) => (*status, None),
        }
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
        check(&Problem::NoSuchUser(text()), 404, None);
        check(&Problem::NoSuchDefinition { kind: "schema", name: text() }, 404, None);
        check(&Problem::NoSuchPath, 404, None);
        check(&Problem::BadApplicationName, 404, None);
        check(&Problem::TooManyApplications(1), 503, None);
        check(&Problem::Unauthorized, 401, None);
        check(&Problem::MethodNotAllowed { method: text(), allow: text() }, 405, None);
        check(&Problem::NotImplemented("bulk"), 501, None);
        check(&Problem::PartialUpdateUnsupported, 501, None);
        check(&Problem::UnsupportedMediaType, 415, None);
        check(&Problem::TooLarge(1), 413, None);
        check(&Problem::BadSyntax(text()), 400, Some("invalidSyntax"));
        check(&Problem::RefusedByProfile, 400, Some("invalidSyntax"));
        check(&Problem::UserNameTaken(text()), 409, Some("uniqueness"));
        check(&Problem::VersionMismatch(text()), 412, None);
        check(&Problem::BadFilter(text()), 400, Some("invalidFilter"));
        check(&Problem::BadValue(text()), 400, Some("invalidValue"));
        check(&Problem::BadPatch { scim_type: ScimType::NoTarget, detail: text() }, 400, Some("noTarget"));
        check(&Problem::FilterOnDiscovery, 403, None);
        check(&Problem::Fault(StatusCode::CONFLICT), 409, Some("uniqueness"));
        check(&Problem::Fault(StatusCode::TOO_MANY_REQUESTS), 429, None);
    }
}
