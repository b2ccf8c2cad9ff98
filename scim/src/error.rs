//! SCIM error bodies and the detail error keywords (RFC 7644 §3.12, RFC 9865).

use std::fmt;

use serde_json::{Value, json};

/// An error (RFC 7644 §3.12).
pub const ERROR_URN: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The `scimType` of an error: its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScimType {
    /// The filter is malformed, or its comparison is not supported.
    InvalidFilter,
    /// The response would be larger than the server allows.
    TooMany,
    /// A value that must be unique is in use.
    Uniqueness,
    /// The attribute is read-only, or immutable and has a value.
    Mutability,
    /// The body is not the expected message.
    InvalidSyntax,
    /// The path of a PATCH operation is malformed, or no schema defines it.
    InvalidPath,
    /// The path of a PATCH operation selects nothing.
    NoTarget,
    /// A value is missing or has the wrong type.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request would put confidential data into a URI.
    Sensitive,
    /// The server did not issue the cursor (RFC 9865).
    InvalidCursor,
    /// The cursor has expired; the client starts again (RFC 9865).
    ExpiredCursor,
    /// The page size is invalid, or differs from that of the cursor (RFC 9865).
    InvalidCount,
}

impl ScimType {
    /// Every keyword, in the order of the tables of RFC 7644 and RFC 9865.
    pub const ALL: [Self; 13] = [
        Self::InvalidFilter,
        Self::TooMany,
        Self::Uniqueness,
        Self::Mutability,
        Self::InvalidSyntax,
        Self::InvalidPath,
        Self::NoTarget,
        Self::InvalidValue,
        Self::InvalidVers,
        Self::Sensitive,
        Self::InvalidCursor,
        Self::ExpiredCursor,
        Self::InvalidCount,
    ];

    /// Returns the keyword in an error body.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }

    /// Returns the HTTP status that the RFC pairs with the keyword.
    pub const fn status(self) -> u16 {
        match self {
            Self::Uniqueness => 409,
            Self::Sensitive => 403,
            Self::InvalidFilter
            | Self::TooMany
            | Self::Mutability
            | Self::InvalidSyntax
            | Self::InvalidPath
            | Self::NoTarget
            | Self::InvalidValue
            | Self::InvalidVers
            | Self::InvalidCursor
            | Self::ExpiredCursor
            | Self::InvalidCount => 400,
        }
    }
}

impl fmt::Display for ScimType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns the body of an error response. Its status is a JSON string (RFC 7644 §3.12).
///
/// ```
/// use scim::error::{ScimType, error_body};
///
/// let body = error_body(409, Some(ScimType::Uniqueness), "the userName is taken");
/// assert_eq!(body["status"], "409");
/// assert_eq!(body["scimType"], "uniqueness");
/// ```
pub fn error_body(status: u16, scim_type: Option<ScimType>, detail: &str) -> Value {
    let mut body = json!({
        "schemas": [ERROR_URN],
        "status": status.to_string(),
        "detail": detail,
    });
    if let (Some(kind), Value::Object(members)) = (scim_type, &mut body) {
        members.insert("scimType".to_owned(), kind.as_str().into());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_body_without_keyword_has_no_scim_type() {
        let body = error_body(404, None, "no such user");
        assert_eq!(body, json!({"schemas": [ERROR_URN], "status": "404", "detail": "no such user"}));
    }

    #[test]
    fn keywords_are_distinct_and_have_an_error_status() {
        let words: std::collections::BTreeSet<_> = ScimType::ALL.iter().map(|t| t.as_str()).collect();
        assert_eq!(words.len(), ScimType::ALL.len());
        assert!(ScimType::ALL.iter().all(|t| (400..500).contains(&t.status())));
        for cursor in [ScimType::InvalidCursor, ScimType::ExpiredCursor, ScimType::InvalidCount] {
            assert_eq!(cursor.status(), 400);
        }
    }
}
