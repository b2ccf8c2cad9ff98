//! What must not be kept or shown: credentials, passwords and tokens, in headers, queries and bodies.
//!
//! Headers and queries are cleared before a record is kept; bodies when they are read, as most never are.

use std::borrow::Cow;

use hyper::Uri;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::operations::ScimOperation;

/// What stands in the place of a secret.
pub(crate) const REDACTED: &str = "[redacted]";

/// Names of members, parameters and form fields whose values are secrets, wherever they stand.
const SECRETS: [&str; 9] = [
    "password",
    "access_token",
    "client_secret",
    "refresh_token",
    "id_token",
    "token",
    "client_assertion",
    "assertion",
    "api_key",
];

/// Clears the headers of a request. Allocates for no scheme but unusual ones.
pub(super) fn request_headers(headers: &mut HeaderMap) {
    for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION] {
        if let Some(value) = headers.get(&name) {
            let kept = scheme_alone(value);
            headers.insert(name, kept);
        }
    }
    if headers.contains_key(header::COOKIE) {
        headers.insert(header::COOKIE, HeaderValue::from_static(REDACTED));
    }
}

/// Clears the headers of an answer.
pub(super) fn response_headers(headers: &mut HeaderMap) {
    if !headers.is_empty() && headers.contains_key(header::SET_COOKIE) {
        headers.insert(header::SET_COOKIE, HeaderValue::from_static(REDACTED));
    }
}

fn scheme_alone(value: &HeaderValue) -> HeaderValue {
    let bytes = value.as_bytes();
    let Some(end) = memchr::memchr(b' ', bytes) else { return HeaderValue::from_static(REDACTED) };
    match &bytes[..end] {
        b"Bearer" => HeaderValue::from_static("Bearer [redacted]"),
        b"Basic" => HeaderValue::from_static("Basic [redacted]"),
        scheme if scheme.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-') => {
            let kept = [scheme, b" ", REDACTED.as_bytes()].concat();
            HeaderValue::from_bytes(&kept).unwrap_or(HeaderValue::from_static(REDACTED))
        }
        _ => HeaderValue::from_static(REDACTED),
    }
}

/// One header as it is shown: also those that only look as if they held a secret are cleared.
pub(super) fn header(name: &HeaderName, value: &HeaderValue) -> String {
    let looks_secret =
        ["api-key", "apikey", "secret", "password", "-token"].iter().any(|part| name.as_str().contains(part));
    if looks_secret { REDACTED.to_owned() } else { String::from_utf8_lossy(value.as_bytes()).into_owned() }
}

/// A header that somebody expects, as it would be shown: so it can be compared, and told, without a secret.
pub(crate) fn expected_header(name: &str, value: &str) -> String {
    let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) else {
        return value.to_owned();
    };
    let mut headers = HeaderMap::from_iter([(name.clone(), value)]);
    request_headers(&mut headers);
    headers.get(&name).map_or_else(String::new, |value| header(&name, value))
}

/// A value that somebody expects at a JSON pointer, as it would be shown.
pub(crate) fn expected_at(pointer: &str, value: &Value) -> Value {
    if pointer.rsplit('/').next().is_some_and(is_secret) {
        return Value::from(REDACTED);
    }
    let mut value = value.clone();
    json(&mut value);
    value
}

/// Clears the query, and forgets credentials in front of the host.
pub(super) fn uri(uri: &mut Uri) {
    if let Some(query) = uri.query().filter(|query| query.split('&').any(is_secret_pair)) {
        let cleared = format!("{}?{}", uri.path(), pairs(query));
        let cleared = cleared.parse().unwrap_or(PathAndQuery::from_static("/?[redacted]"));
        *uri = Uri::from(cleared);
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        *uri = uri.path_and_query().cloned().map(Uri::from).unwrap_or_default();
    }
}

/// Clears `a=b&c=d`, the form of queries and of token requests.
fn pairs(text: &str) -> String {
    let cleared: Vec<Cow<'_, str>> = text
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if is_secret_pair(pair) => Cow::from(format!("{name}={REDACTED}")),
            _ => Cow::from(pair),
        })
        .collect();
    cleared.join("&")
}

fn is_secret_pair(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else { return false };
    let decoded = decoded(name);
    is_secret(&decoded)
        || (decoded.eq_ignore_ascii_case("filter")
            && (mentions_password(value)
                || (encodes_letters(value) && mentions_password(&self::decoded(value)))))
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') { percent_decode_str(text).decode_utf8_lossy() } else { Cow::from(text) }
}

/// Whether a letter is percent-encoded, which no client does without a reason.
fn encodes_letters(text: &str) -> bool {
    text.as_bytes()
        .windows(3)
        .any(|code| code[0] == b'%' && matches!(code[1], b'4'..=b'7') && code != b"%5B" && code != b"%5D")
}

/// Reads a body. None where there is none.
pub(super) fn body(body: &Bytes, headers: &HeaderMap) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    if let Ok(mut value) = serde_json::from_slice(body) {
        json(&mut value);
        return Some(value);
    }
    let text = String::from_utf8_lossy(body);
    let kind = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    Some(if kind.starts_with(b"application/x-www-form-urlencoded") {
        Value::from(pairs(&text))
    } else if SECRETS.iter().any(|name| contains_word(&text, name)) {
        // What isn't JSON can't be searched for a member.
        Value::from(REDACTED)
    } else {
        Value::from(text.into_owned())
    })
}

/// Replaces the values of secret members, of PATCH operations on a password, and filters that compare one.
pub(super) fn json(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let on_password = members.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("path")
                    && value.as_str().is_some_and(|path| is_secret(attribute(path)))
            });
            for (name, member) in members.iter_mut() {
                if is_secret(name) || (on_password && name.eq_ignore_ascii_case("value")) {
                    *member = Value::from(REDACTED);
                } else if let Value::String(text) = member
                    && compares_password(name, text)
                {
                    REDACTED.clone_into(text);
                } else {
                    json(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(json),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Clears an operation that was read out of a request before its query was, or given by the application.
pub(super) fn operation(operation: &mut ScimOperation) {
    if let Some(filter) = operation.filter.as_mut().filter(|filter| compares_password("filter", filter)) {
        REDACTED.clone_into(filter);
    }
    for path in operation.patch.iter_mut().filter_map(|patched| patched.path.as_mut()) {
        if compares_password("path", path) {
            REDACTED.clone_into(path);
        }
    }
}

/// Whether a filter, or the filter in a path, has the value of a password in it.
fn compares_password(member: &str, text: &str) -> bool {
    (member.eq_ignore_ascii_case("filter") && mentions_password(text))
        || (member.eq_ignore_ascii_case("path") && text.contains('"') && mentions_password(text))
}

/// Whether the value of such a member is a secret; a URN in front doesn't count.
fn is_secret(name: &str) -> bool {
    let last = name.rsplit(':').next().unwrap_or_default();
    SECRETS.iter().any(|secret| last.eq_ignore_ascii_case(secret))
}

/// The attribute that a PATCH path begins with, its URN included.
fn attribute(path: &str) -> &str {
    path.split('[').next().unwrap_or_default().trim()
}

fn mentions_password(text: &str) -> bool {
    let bytes = text.as_bytes();
    memchr::memchr2_iter(b'p', b'P', bytes)
        .any(|at| bytes.get(at..at + 8).is_some_and(|word| word.eq_ignore_ascii_case(b"password")))
}

fn contains_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
