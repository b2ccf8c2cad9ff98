//! What must not be kept or shown: credentials, passwords and tokens, in headers, queries and bodies.
//!
//! Headers and queries are cleared before a record is kept; bodies when they are read, as most never are.

use std::borrow::Cow;

use hyper::Uri;
use hyper::header::{self, HeaderName};
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

/// For a header with credentials, what of its value stays in front of [`REDACTED`]; None for any other.
pub(super) fn scheme<'a>(name: &HeaderName, value: &'a [u8]) -> Option<&'a [u8]> {
    if *name == header::AUTHORIZATION || *name == header::PROXY_AUTHORIZATION {
        let end = memchr::memchr(b' ', value).unwrap_or(0);
        let is_scheme = value[..end].iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
        return Some(if is_scheme && end > 0 { &value[..=end] } else { &[] });
    }
    (*name == header::COOKIE || *name == header::SET_COOKIE).then_some(&[])
}

/// Clears, among those that are shown, the headers that only look as if they held a secret.
pub(super) fn headers(headers: &mut [(String, String)]) {
    for (_, value) in headers.iter_mut().filter(|(name, _)| looks_secret(name)) {
        REDACTED.clone_into(value);
    }
}

fn looks_secret(name: &str) -> bool {
    ["api-key", "apikey", "secret", "password", "-token"].iter().any(|part| contains_word(name, part))
}

/// A header that somebody expects, as it would be shown: so it can be compared, and told, without a secret.
pub(crate) fn expected_header(name: &str, value: &str) -> String {
    let scheme = name.parse::<HeaderName>().ok().and_then(|name| scheme(&name, value.as_bytes()));
    match scheme {
        Some(scheme) => format!("{}{REDACTED}", String::from_utf8_lossy(scheme)),
        None if looks_secret(name) => REDACTED.to_owned(),
        None => value.to_owned(),
    }
}

/// Whether a header that is shown so fits one that somebody expects, as far as the journal can tell.
pub(crate) fn header_fits(is: &str, expected: &str) -> bool {
    is == expected || (expected == REDACTED && is.ends_with(REDACTED))
}

/// A value that somebody expects at a JSON pointer, as it would be shown.
pub(crate) fn expected_at(pointer: &str, value: &Value) -> Value {
    if pointer.split('/').any(is_secret) {
        return Value::from(REDACTED);
    }
    if let Value::String(form) = value
        && pointer.is_empty()
    {
        return Value::from(pairs(form));
    }
    let mut value = value.clone();
    json(&mut value);
    value
}

/// A PATCH path that somebody expects, as it would be shown.
pub(crate) fn expected_path(path: &str) -> &str {
    if compares_password("path", path) { REDACTED } else { path }
}

/// The path and the query, cleared; what is in front of them is not kept.
pub(crate) fn path(uri: &Uri) -> Cow<'_, str> {
    match uri.query() {
        Some(query) if query.split('&').any(is_secret_pair) => {
            Cow::from(format!("{}?{}", uri.path(), pairs(query)))
        }
        _ => Cow::from(uri.path_and_query().map_or("", PathAndQuery::as_str)),
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
    let mentions =
        || mentions_password(value) || (encodes_letters(value) && mentions_password(&decoded(value)));
    if name == "filter" {
        return mentions();
    }
    let name = decoded(name);
    is_secret(&name) || (name.eq_ignore_ascii_case("filter") && mentions())
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') { percent_decode_str(text).decode_utf8_lossy() } else { Cow::from(text) }
}

/// Whether a letter may be percent-encoded, which no client does without a reason.
fn encodes_letters(text: &str) -> bool {
    // From `@` to DEL they are letters but for some; of those only `@` is often encoded.
    let is_letter = |code: &[u8]| code[0] == b'%' && matches!(code[1], b'4'..=b'7') && code != b"%40";
    text.as_bytes().windows(3).any(is_letter)
}

/// Reads a body. None where there is none.
pub(super) fn body(body: &[u8], kind: Option<&str>) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    if let Ok(mut value) = serde_json::from_slice(body) {
        json(&mut value);
        return Some(value);
    }
    let text = String::from_utf8_lossy(body);
    Some(if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
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

/// Clears an operation that was read out of a request before its query was.
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
    // The rarest of its letters.
    memchr::memchr2_iter(b'w', b'W', bytes)
        .filter_map(|at| at.checked_sub(4))
        .any(|at| bytes.get(at..at + 8).is_some_and(|word| word.eq_ignore_ascii_case(b"password")))
}

fn contains_word(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}
