//! What a request presents in `Authorization`, and what is wrong with its form.

use axum::http::{HeaderMap, header};

use super::access::Refusal;

/// A scheme that credentials may be sent by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Bearer,
}

impl Scheme {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Basic => "Basic",
            Self::Bearer => "Bearer",
        }
    }
}

/// The scheme and the credentials of a request; `None` where it carries none.
pub(super) fn presented(headers: &HeaderMap) -> Result<Option<(Scheme, &str)>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::Several);
    }
    let text = value.to_str().map_err(|_| Refusal::Unreadable)?.trim_ascii();
    let (scheme, credentials) = text.split_once(' ').unwrap_or((text, ""));
    let scheme = if scheme.eq_ignore_ascii_case("bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case("basic") {
        Scheme::Basic
    } else {
        return Err(if credentials.is_empty() { Refusal::NoScheme } else { unknown_scheme(scheme) });
    };
    Ok(Some((scheme, credentials.trim_ascii())))
}

/// Schemes that are registered with IANA or that other services ask for. Only their names are repeated.
const SCHEMES: [&str; 15] = [
    "Token",
    "Digest",
    "ApiKey",
    "Api-Key",
    "SSWS",
    "OAuth",
    "JWT",
    "Key",
    "Negotiate",
    "NTLM",
    "DPoP",
    "HOBA",
    "Mutual",
    "GNAP",
    "AWS4-HMAC-SHA256",
];

fn unknown_scheme(written: &str) -> Refusal {
    let known = SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(written));
    Refusal::WrongScheme(known.unwrap_or("of this request"))
}

/// What is wrong with a token that nobody gave out.
pub(super) fn wrong_token(token: &str) -> Refusal {
    let bytes = token.as_bytes();
    if bytes.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"bearer ")) {
        Refusal::Decorated("the scheme Bearer in front of it twice")
    } else if bytes.len() > 1 && matches!((bytes[0], bytes[bytes.len() - 1]), (b'"', b'"') | (b'\'', b'\'')) {
        Refusal::Decorated("quotation marks around it")
    } else {
        Refusal::UnknownToken
    }
}
