//! The token endpoint of the client credentials grant (RFC 6749 §4.4): what it is sent, and what it answers.
//!
//! A client names itself by HTTP Basic or in the form (RFC 6749 §2.3.1), never both ways at once.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::scheme::BASIC;
use super::secret::Fingerprint;

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

/// What the token endpoint answers. There may be a token in it, so that it is not `Debug`.
pub(crate) struct TokenReply(pub(crate) Response<Bytes>);

/// The answer that gives a token.
pub(super) fn granted(token: &str, lifetime: Duration) -> TokenReply {
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": lifetime.as_secs()});
    TokenReply(response(StatusCode::OK, &body))
}

/// The answer that gives none.
pub(super) fn refused(error: &TokenError) -> TokenReply {
    let (status, code) = match error {
        TokenError::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
        TokenError::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
        TokenError::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
    };
    let mut refused = response(status, &json!({"error": code, "error_description": error.to_string()}));
    if status == StatusCode::UNAUTHORIZED {
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, BASIC);
    }
    TokenReply(refused)
}

fn response(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// Reads a request. A parameter without a value counts as left out, and none may stand twice (RFC 6749 §3.2).
pub(super) fn read(headers: &HeaderMap, form_body: &[u8]) -> Result<TokenRequest, TokenError> {
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| !is_form(kind)) {
        return Err(TokenError::InvalidRequest("the body is sent as application/x-www-form-urlencoded"));
    }
    let [grant_type, client_id, client_secret] = read_form(form_body)?;
    let grant_type = grant_type.ok_or(TokenError::InvalidRequest("grant_type is missing"))?;
    let candidates = match (headers.get(header::AUTHORIZATION), client_id, client_secret) {
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
    let colon = memchr::memchr(b':', &text)?;
    let (id, secret) = (&text[..colon], &text[colon + 1..]);
    Some(vec![Fingerprint::of_pair(id, secret), Fingerprint::of_pair(&decoded(id), &decoded(secret))])
}

/// The grant type, the client and its secret, as far as a form has them.
fn read_form(body: &[u8]) -> Result<[Option<Vec<u8>>; 3], TokenError> {
    let mut form = [const { None }; 3];
    for pair in body.split(|byte| *byte == b'&') {
        let equals = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let value = decoded(pair.get(equals + 1..).unwrap_or_default());
        let (at, twice) = match &*decoded(&pair[..equals]) {
            b"grant_type" => (0, "grant_type stands twice"),
            b"client_id" => (1, "client_id stands twice"),
            b"client_secret" => (2, "client_secret stands twice"),
            _ => continue,
        };
        if !value.is_empty() && form[at].replace(value).is_some() {
            return Err(TokenError::InvalidRequest(twice));
        }
    }
    Ok(form)
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_encoding::percent_decode(&spaced).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::{Access, Auth, Gatekeeper};
    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded";
    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn keeper() -> Gatekeeper {
        let clients = [("id", "pw"), ("a:b", "p w+%41é")];
        let clients =
            clients.map(|(id, secret)| Auth::oauth(id, secret).token_lifetime(Duration::from_secs(90)));
        Gatekeeper::new(clients.into(), 1)
    }

    fn headers(content_type: &'static str, authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if !authorization.is_empty() {
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        }
        headers
    }

    fn basic(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    fn header_of(reply: &Response<Bytes>, name: &HeaderName) -> Option<String> {
        reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
    }

    #[track_caller]
    fn given(headers: &HeaderMap, body: &str) {
        let keeper = keeper();
        let reply = keeper.issue(headers, body.as_bytes(), NOW).0;
        let told: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!(reply.status(), 200, "{told}");
        let token = told["access_token"].as_str().unwrap();
        assert_eq!(told, json!({"access_token": token, "token_type": "Bearer", "expires_in": 90}));
        assert_eq!(header_of(&reply, &header::CONTENT_TYPE).as_deref(), Some("application/json"));
        assert_eq!(header_of(&reply, &header::CACHE_CONTROL).as_deref(), Some("no-store"));
        assert_eq!(header_of(&reply, &header::PRAGMA).as_deref(), Some("no-cache"));
        let bearer = self::headers("", &format!("Bearer {token}"));
        assert!(matches!(keeper.check(&bearer, NOW), Access::Granted(_)));
        assert!(keeper.would_issue(headers, body.as_bytes()));
    }

    #[track_caller]
    fn refused(headers: &HeaderMap, body: &str, status: u16, error: &str) {
        let keeper = keeper();
        let reply = keeper.issue(headers, body.as_bytes(), NOW).0;
        let told: Value = serde_json::from_slice(reply.body()).unwrap();
        assert_eq!((reply.status().as_u16(), told["error"].as_str()), (status, Some(error)), "{told}");
        // The characters that a description may have (RFC 6749 §5.2).
        let description = told["error_description"].as_str().unwrap();
        assert!(description.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')));
        assert_eq!(header_of(&reply, &header::CACHE_CONTROL).as_deref(), Some("no-store"));
        let challenge = header_of(&reply, &header::WWW_AUTHENTICATE);
        assert_eq!(challenge.is_some_and(|text| text.starts_with("Basic ")), status == 401);
        assert!(!keeper.would_issue(headers, body.as_bytes()));
    }

    #[test]
    fn a_client_that_names_itself_gets_a_token() {
        let grant = "grant_type=client_credentials";
        given(&headers(FORM, &basic("id:pw")), grant);
        given(&headers("", &basic("id:pw")), grant);
        given(&headers("Application/X-WWW-Form-URLencoded; charset=UTF-8", &basic("id:pw")), grant);
        given(
            &headers(FORM, &basic("id:pw")),
            "grant_type=client_credentials&scope=a+b&client_id=id&client_secret=",
        );
        given(&headers(FORM, ""), &format!("client_id=id&client_secret=pw&{grant}"));
        given(
            &headers(FORM, ""),
            "grant%5Ftype=client%5Fcredentials&&client_id=id&client_secret=p%77&resource=x&resource=y",
        );
        // A name with a colon has to be encoded, also in the header.
        given(&headers(FORM, ""), &format!("{grant}&client_id=a:b&client_secret=p+w%2B%2541%C3%A9"));
        given(&headers(FORM, &basic("a%3Ab:p+w%2B%2541%C3%A9")), grant);
    }

    #[test]
    fn others_are_told_why_not() {
        let grant = "grant_type=client_credentials";
        let (form, right) = (headers(FORM, ""), headers(FORM, &basic("id:pw")));
        refused(&form, grant, 401, "invalid_client");
        refused(&form, &format!("{grant}&client_id=id"), 401, "invalid_client");
        refused(&form, &format!("{grant}&client_id=id&client_secret=x"), 401, "invalid_client");
        refused(&form, &format!("{grant}&client_id=x&client_secret=pw"), 401, "invalid_client");
        for wrong in [&basic("id:x"), &basic("x:pw"), &basic("id"), "Basic !!!", "Basic", "Bearer id:pw"] {
            refused(&headers(FORM, wrong), grant, 401, "invalid_client");
        }
        refused(&right, "grant_type=password", 400, "unsupported_grant_type");
        refused(&right, "grant_type=CLIENT_CREDENTIALS", 400, "unsupported_grant_type");
        refused(&headers(FORM, &basic("id:x")), "grant_type=password", 401, "invalid_client");
        refused(&right, "", 400, "invalid_request");
        refused(&right, "grant_type=", 400, "invalid_request");
        refused(&right, "grant_type", 400, "invalid_request");
        refused(&right, &format!("{grant}&{grant}"), 400, "invalid_request");
        refused(&right, &format!("{grant}&client_id=id&client_secret=pw"), 400, "invalid_request");
        refused(
            &form,
            &format!("{grant}&client_id=id&client_id=id&client_secret=pw"),
            400,
            "invalid_request",
        );
        refused(&headers("application/json", &basic("id:pw")), grant, 400, "invalid_request");
    }

    #[test]
    fn each_request_gets_a_token_of_its_own() {
        let keeper = keeper();
        let ask = || {
            keeper.issue(&headers(FORM, &basic("id:pw")), b"grant_type=client_credentials", NOW).0.into_body()
        };
        assert_ne!(ask(), ask());
    }

    fn encoded(text: &str) -> String {
        text.bytes().map(|byte| if byte == b' ' { "+".to_owned() } else { format!("%{byte:02X}") }).collect()
    }

    proptest! {
        #[test]
        fn any_name_and_secret_come_through_both_ways(id in ".{1,20}", secret in ".{1,20}") {
            let keeper = Gatekeeper::new(vec![Auth::oauth(id.clone(), secret.clone())], 0);
            let (id, secret) = (encoded(&id), encoded(&secret));
            let grant = "grant_type=client_credentials";
            let form = format!("{grant}&client_id={id}&client_secret={secret}");
            prop_assert!(keeper.would_issue(&headers(FORM, ""), form.as_bytes()));
            let pair = basic(&format!("{id}:{secret}"));
            prop_assert!(keeper.would_issue(&headers(FORM, &pair), grant.as_bytes()));
        }

        #[test]
        fn nothing_that_is_sent_is_too_much(
            body in proptest::collection::vec(any::<u8>(), 0..200),
            authorization in "Basic [A-Za-z0-9+/=]{0,40}",
        ) {
            let keeper = keeper();
            prop_assert!(keeper.issue(&headers(FORM, &authorization), &body, NOW).0.status().is_client_error());
            let mut asked = b"grant_type=client_credentials&".to_vec();
            asked.extend(body);
            prop_assert!(keeper.issue(&headers("", ""), &asked, NOW).0.status().is_client_error());
        }
    }
}
