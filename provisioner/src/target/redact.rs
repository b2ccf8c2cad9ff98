//! Removal of the connection's credentials from the data of a target, before any other code sees them.
//!
//! A target may repeat them anywhere: in headers, in ids, in the words of an error. A text that held them has
//! [`REDACTED`] in their place. An id that did cannot be addressed any longer, and a version that did is dropped.

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::personal_data;
use super::response::{Body, Response};
use super::text_pattern::{Beginnings, TextPattern, UNMISTAKABLE, replace};
use crate::config::Credentials;
use crate::transport::NetworkError;

/// Stands in the place of a credential.
pub(crate) const REDACTED: &str = "[redacted]";

/// Knows the credentials in the forms in which they may come back.
pub(crate) struct Redactor {
    text_patterns: Vec<(TextPattern, String)>,
    beginnings: Beginnings,
    /// The patterns in one search, if all of them are ASCII.
    search: Option<AhoCorasick>,
    /// Whether a `+` may stand for a blank of a credential.
    has_blanks: bool,
    /// Whether an escaped quotation mark may be one of a credential.
    has_quotes: bool,
    /// Whether a number may be a credential.
    numbers: bool,
}

impl Redactor {
    /// Creates the patterns of the credentials, and of further secrets that requests carry.
    pub(crate) fn new<'a>(credentials: &Credentials, others: impl Iterator<Item = &'a str>) -> Self {
        let mut secrets = match credentials {
            Credentials::Basic { user, password } => {
                let password = password.expose_secret();
                vec![format!("{user}:{password}"), password.to_owned()]
            }
            Credentials::Bearer { token } => vec![token.expose_secret().to_owned()],
        };
        secrets.extend(others.map(str::to_owned));
        let numeric = |secret: &String| {
            secret.bytes().any(|byte| byte.is_ascii_digit()) && secret.parse::<f64>().is_ok()
        };
        let numbers = secrets.iter().any(numeric);
        let forms: BTreeSet<String> = secrets
            .iter()
            .flat_map(|secret| {
                let encoded = [STANDARD_NO_PAD.encode(secret), URL_SAFE_NO_PAD.encode(secret)];
                std::iter::once(secret.clone()).chain(encoded).chain(respelled(secret))
            })
            .filter(|form| !form.is_empty())
            .collect();
        let text_patterns =
            forms.iter().map(|form| (TextPattern::secret(form), REDACTED.to_owned())).collect::<Vec<_>>();
        let beginnings = Beginnings::of(text_patterns.iter().map(|(text_pattern, _)| text_pattern));
        let is_plain = forms.iter().all(|form| form.is_ascii());
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&forms)
            .ok();
        let has_blanks = forms.iter().any(|form| form.contains(' '));
        let has_quotes = forms.iter().any(|form| form.contains('"'));
        let search = search.filter(|_| is_plain);
        Self { text_patterns, beginnings, search, has_blanks, has_quotes, numbers }
    }

    /// Whether a credential may be in a body, in any spelling. Most bodies are cleared by this search alone.
    pub(crate) fn may_be_in(&self, body: &[u8]) -> bool {
        // An escape may stand for any letter, and so may a letter outside of ASCII for one within, without case.
        let has_escape = || {
            // Entity tags have escaped quotation marks.
            let is_benign = |at: usize| !self.has_quotes && body.get(at + 1) == Some(&b'"');
            !body.is_ascii()
                || memchr::memchr2(b'%', b'&', body).is_some()
                || (self.has_blanks && memchr::memchr(b'+', body).is_some())
                || memchr::memchr_iter(b'\\', body).any(|at| !is_benign(at))
        };
        match &self.search {
            Some(search) => has_escape() || search.is_match(body),
            None => true,
        }
    }

    /// Clears a response: every header that is kept, every key and value of its body. In a resource the user's own values
    /// stay, because they are compared with the sent ones; the resource for a PUT is kept as it was read.
    pub(crate) fn clear(&self, response: &mut Response) {
        let Response {
            status,
            etag,
            location,
            retry_after,
            challenges,
            content_type,
            body,
            as_read,
            echoes,
            is_plain,
        } = response;
        if etag.as_deref().is_some_and(|etag| self.cleared(etag).is_some()) {
            *etag = None;
            *echoes = true;
        }
        let texts = [location, retry_after, content_type].into_iter().filter_map(Option::as_mut);
        for text in texts.chain(challenges) {
            *echoes |= self.clear_text(text);
        }
        let is_resource = status.is_success();
        if let Body::Json(value) = body
            && !*is_plain
            && self.is_in(value, is_resource)
        {
            let mut cleared = value.clone();
            if self.clear_value(&mut cleared, is_resource) {
                *echoes = true;
                let read = std::mem::replace(value, cleared);
                *as_read = is_resource.then_some(read);
            }
        }
    }

    /// Clears an error below HTTP: the library's messages may quote the target.
    pub(crate) fn clear_error(&self, mut error: NetworkError) -> NetworkError {
        match &mut error {
            NetworkError::NameResolution(text)
            | NetworkError::Tls(text, _)
            | NetworkError::Broken(text)
            | NetworkError::Proxy(text)
            | NetworkError::Unbuildable(text) => {
                self.clear_text(text);
            }
            NetworkError::Refused
            | NetworkError::TimedOut
            | NetworkError::Address(_)
            | NetworkError::TooLong(_) => {}
        }
        error
    }

    fn cleared(&self, text: &str) -> Option<String> {
        // Most texts have no place where a credential may begin.
        if !self.beginnings.is_any_in(text) {
            return None;
        }
        replace(text, &self.text_patterns)
    }

    /// Whether there was something to clear.
    fn clear_text(&self, text: &mut String) -> bool {
        self.cleared(text).map(|cleared| *text = cleared).is_some()
    }

    /// Whether there is something to clear in `value`.
    fn is_in(&self, value: &Value, is_resource: bool) -> bool {
        match value {
            Value::String(text) => {
                self.cleared(text).is_some() && !(is_resource && personal_data::is_own(text))
            }
            Value::Array(values) => values.iter().any(|value| self.is_in(value, is_resource)),
            Value::Object(members) => members
                .iter()
                .any(|(key, value)| self.cleared(key).is_some() || self.is_in(value, is_resource)),
            Value::Number(number) => self.numbers && self.cleared(&number.to_string()).is_some(),
            Value::Null | Value::Bool(_) => false,
        }
    }

    /// Clears `value`, in a resource except the user's own values, and returns whether anything was cleared.
    fn clear_value(&self, value: &mut Value, is_resource: bool) -> bool {
        let clear = |any: bool, value: &mut Value| self.clear_value(value, is_resource) | any;
        match value {
            Value::String(text) if is_resource && personal_data::is_own(text) => false,
            Value::String(text) => self.clear_text(text),
            Value::Array(values) => values.iter_mut().fold(false, clear),
            Value::Object(members) => {
                let mut any = members.values_mut().fold(false, clear);
                if members.keys().any(|key| self.cleared(key).is_some()) {
                    any = true;
                    *members = std::mem::take(members)
                        .into_iter()
                        .map(|(key, value)| (self.cleared(&key).unwrap_or(key), value))
                        .collect();
                }
                any
            }
            Value::Number(number) if self.numbers => {
                let found = self.cleared(&number.to_string());
                let any = found.is_some();
                if let Some(text) = found {
                    *value = Value::String(text);
                }
                any
            }
            Value::Number(_) | Value::Null | Value::Bool(_) => false,
        }
    }
}

/// Returns a secret that is base64 itself (RFC 4648 §4, §5) in either alphabet and without padding: the spellings of a
/// target that decodes and encodes it.
fn respelled(secret: &str) -> impl Iterator<Item = String> {
    let digits = secret.trim_end_matches('=');
    let is_base64 = digits.chars().count() >= UNMISTAKABLE
        && digits.chars().all(|sign| sign.is_ascii_alphanumeric() || "+/-_".contains(sign));
    let spellings = is_base64.then(|| {
        [
            digits.to_owned(),
            digits.replace('+', "-").replace('/', "_"),
            digits.replace('-', "+").replace('_', "/"),
        ]
    });
    spellings.into_iter().flatten()
}

/// Whether `id` held a credential: it names no account any longer.
pub(crate) fn is_redacted(id: &str) -> bool {
    id.contains(REDACTED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn body_that_is_told_to_be_plain_has_nothing_to_clear() {
        let bearer = |token: &str| {
            Redactor::new(&Credentials::Bearer { token: token.to_owned().into() }, std::iter::empty())
        };
        let secrets =
            ["bench-token", "short", "pass word", "quo\"te-and-more", "çédille-secret", "dG9rZW4+dG9rZW4/"];
        for secret in secrets {
            let redactor = bearer(secret);
            let encoded = STANDARD_NO_PAD.encode(secret);
            let percent = secret.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
            let escaped =
                secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
            let mut bodies: Vec<String> = [secret, &secret.to_uppercase(), &encoded, &percent, &secret.replace(' ', "+")]
                .iter()
                .map(|text| json!({"userName": "ada", "displayName": format!("a {text} b"), "meta": {"version": "W/\"1\""}}).to_string())
                .collect();
            bodies.push(format!("{{\"displayName\":\"{escaped}\"}}"));
            bodies.push(json!({"displayName": "Main Street", "meta": {"version": "W/\"1\""}}).to_string());
            for body in &bodies {
                let value: Value = serde_json::from_str(body).unwrap();
                assert!(
                    !redactor.is_in(&value, false) || redactor.may_be_in(body.as_bytes()),
                    "{secret:?} in {body}"
                );
            }
            assert!(bodies.iter().take(3).all(|body| redactor.may_be_in(body.as_bytes())), "{secret:?}");
        }
        let plain = json!({"displayName": "Main Street", "phone": "+1 555", "meta": {"version": "W/\"1\""}});
        assert!(!bearer("bench-token").may_be_in(plain.to_string().as_bytes()));
    }
}
