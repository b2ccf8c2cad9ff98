//! The token endpoint of the client credentials grant (RFC 6749 §4.4): what it is sent, and what it answers.
//!
//! A client names itself by HTTP Basic or in the form (RFC 6749 §2.3.1), never both ways at once.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::scheme::BASIC;
use super::secret::Fingerprint;

/// What the token endpoint answers. `Debug` shows the status alone.
#[cfg_attr(not(test), expect(dead_code, reason = "the server sends it once it has a token endpoint"))]
pub(crate) struct TokenReply {
    /// The status.
    pub(crate) status: StatusCode,
    /// All headers, the content type among them.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// A JSON object.
    pub(crate) body: Bytes,
}

/// Why a client gets no token (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("{0}")]
    InvalidRequest(&'static str),
    #[error("the client is unknown, its secret is wrong, or it named neither")]
    InvalidClient,
    #[error("the only grant type here is client_credentials")]
    UnsupportedGrantType,
}

/// A request that is well formed.
pub(super) struct TokenRequest {
    /// What the client may be. A header is taken as it is and with percent-encoding undone, which many clients forget.
    pub(super) candidates: Vec<Fingerprint>,
    /// Whether it asks for the grant that there is.
    pub(super) is_client_credentials: bool,
}

impl TokenReply {
    pub(super) fn token(token: &str, lifetime: Duration) -> Self {
        let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime.as_secs()});
        Self::new(StatusCode::OK, &body)
    }

    pub(super) fn error(error: &TokenError) -> Self {
        let (status, code) = match error {
            TokenError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            TokenError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            TokenError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
        };
        let mut reply = Self::new(status, &json!({"error": code, "error_description": error.to_string()}));
        if status == StatusCode::UNAUTHORIZED {
            reply.headers.push((header::WWW_AUTHENTICATE, BASIC));
        }
        reply
    }

    fn new(status: StatusCode, body: &serde_json::Value) -> Self {
        let headers = vec![
            (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (header::PRAGMA, HeaderValue::from_static("no-cache")),
        ];
        Self { status, headers, body: Bytes::from(body.to_string()) }
    }
}

impl fmt::Debug for TokenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenReply").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Reads a request. A parameter without a value counts as left out, and none may stand twice (RFC 6749 §3.2).
pub(super) fn read(headers: &HeaderMap, form_body: &[u8]) -> Result<TokenRequest, TokenError> {
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| !is_form(kind)) {
        return Err(TokenError::InvalidRequest("the body is sent as application/x-www-form-urlencoded"));
    }
    let form = Form::read(form_body)?;
    let grant_type = form.grant_type.ok_or(TokenError::InvalidRequest("grant_type is missing"))?;
    let candidates = match (headers.get(header::AUTHORIZATION), form.client_id, form.client_secret) {
        (Some(_), _, Some(_)) => {
            return Err(TokenError::InvalidRequest("the client names itself in the header and in the form"));
        }
        (Some(value), _, None) => from_header(value).ok_or(TokenError::InvalidClient)?,
        (None, Some(id), Some(secret)) => vec![Fingerprint::of_pair(&id, &secret)],
        (None, _, _) => Vec::new(),
    };
    Ok(TokenRequest { candidates, is_client_credentials: grant_type == b"client_credentials" })
}

fn is_form(content_type: &HeaderValue) -> bool {
    let kind = content_type.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn from_header(value: &HeaderValue) -> Option<Vec<Fingerprint>> {
    let (scheme, credentials) = value.to_str().ok()?.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = STANDARD.decode(credentials.trim()).ok()?;
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (id, secret) = (&text[..colon], &text[colon + 1..]);
    Some(vec![Fingerprint::of_pair(id, secret), Fingerprint::of_pair(&decoded(id), &decoded(secret))])
}

#[derive(Default)]
struct Form {
    grant_type: Option<Vec<u8>>,
    client_id: Option<Vec<u8>>,
    client_secret: Option<Vec<u8>>,
}

impl Form {
    fn read(body: &[u8]) -> Result<Self, TokenError> {
        let mut form = Self::default();
        for pair in body.split(|byte| *byte == b'&') {
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let value = decoded(pair.get(equals + 1..).unwrap_or_default());
            let (slot, twice) = match &*decoded(&pair[..equals]) {
                b"grant_type" => (&mut form.grant_type, "grant_type stands twice"),
                b"client_id" => (&mut form.client_id, "client_id stands twice"),
                b"client_secret" => (&mut form.client_secret, "client_secret stands twice"),
                _ => continue,
            };
            if !value.is_empty() && slot.replace(value).is_some() {
                return Err(TokenError::InvalidRequest(twice));
            }
        }
        Ok(form)
    }
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> = if text.contains(&b'+') {
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect::<Vec<_>>().into()
    } else {
        text.into()
    };
    percent_encoding::percent_decode(&spaced).collect()
}
