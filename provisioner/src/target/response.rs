//! One HTTP response, and its meaning.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use scim::json::get_ci;
use serde_json::{Map, Value};

use super::redact::is_redacted;
use super::resource::Account;
use super::{Trouble, echoed};
use crate::ids::TargetId;
use crate::report::Reason;

/// Characters of a target's own words that are passed on.
const WORDS: usize = 200;
/// Characters of a keyword or a content type.
const WORD: usize = 40;

/// An HTTP response with its whole body.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) challenges: Vec<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Body,
    /// A resource, or a list of them, before credentials were cleared from it; `None` if there were none. It is for
    /// sending back, never for people or for the state.
    pub(crate) as_read: Option<Value>,
    /// Whether the target repeated the connection's credentials somewhere; they are cleared.
    pub(crate) echoes: bool,
    /// Whether no credential can be in the body, as it was received.
    pub(crate) is_plain: bool,
}

/// The body of a response.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Other,
    /// More than is read: how much.
    Excess(String),
}

impl Response {
    /// Returns the body, if it is a JSON object.
    pub(crate) fn object(&self) -> Option<&Map<String, Value>> {
        match &self.body {
            Body::Json(Value::Object(object)) => Some(object),
            Body::Json(_) | Body::Empty | Body::Other | Body::Excess(_) => None,
        }
    }

    /// Returns the account in the body.
    pub(crate) fn into_account(self) -> Option<Account> {
        match self.body {
            Body::Json(Value::Object(object)) => Account::of(object, None),
            Body::Json(_) | Body::Empty | Body::Other | Body::Excess(_) => None,
        }
    }

    /// Returns the id of the account that a POST made: from the body, or from the end of `Location`.
    ///
    /// # Errors
    /// The target names no id, or one with a credential in it. The account may exist nevertheless.
    pub(crate) fn new_account(&self) -> Result<TargetId, Trouble> {
        let in_body = || get_ci(self.object()?, "id")?.as_str();
        let located = || self.location.as_deref()?.trim_end_matches('/').rsplit('/').next();
        let id = in_body().and_then(|id| id.parse::<TargetId>().ok());
        let id = id.or_else(|| located()?.parse().ok());
        match id {
            Some(id) if is_redacted(id.as_str()) => Err(Trouble { unsure: true, ..echoed() }),
            Some(id) => Ok(id),
            None => Err(Trouble {
                unsure: true,
                ..self
                    .excess()
                    .unwrap_or_else(|| Trouble::new(Reason::Rejected, "the response to POST has no id"))
            }),
        }
    }

    /// Returns the trouble with a response above the size limit, or `None` for any other.
    pub(crate) fn excess(&self) -> Option<Trouble> {
        let Body::Excess(what) = &self.body else { return None };
        let detail = format!(
            "the target answered {} with {what}, which is too large to be read",
            self.status.as_u16()
        );
        Some(Trouble::new(Reason::TargetError, detail))
    }

    /// Whether the body is a SCIM error (RFC 7644 §3.12), leniently: vendors spell `schemas` and `status` in their own ways.
    pub(crate) fn is_scim_error(&self) -> bool {
        let Some(object) = self.object() else { return false };
        let names_error = |value: &Value| {
            value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(scim::error::ERROR_URN))
        };
        let by_schema =
            ["schemas", "schema"].iter().filter_map(|name| get_ci(object, name)).any(|value| match value {
                Value::Array(urns) => urns.iter().any(names_error),
                other => names_error(other),
            });
        let by_status = get_ci(object, "status").is_some_and(|status| match status {
            Value::String(text) => text.parse() == Ok(self.status.as_u16()),
            Value::Number(number) => number.as_u64() == Some(u64::from(self.status.as_u16())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
        });
        by_schema
            || (by_status && (get_ci(object, "detail").is_some() || get_ci(object, "scimType").is_some()))
    }

    /// Whether this is a SCIM error for a missing resource.
    pub(crate) fn is_scim_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_scim_error()
    }

    /// Whether the request is worth another try, later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
    }

    /// Returns the time for which the target asks to wait, as seconds or an HTTP date, at most `cap`.
    pub(crate) fn wait(&self, now: SystemTime, cap: Duration) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More than fits is no less a wish to wait long.
            text.parse().map_or(cap, Duration::from_secs)
        } else {
            httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
        };
        Some(wait.min(cap))
    }

    /// Returns the status, `scimType` and the target's own words in one line.
    pub(crate) fn describe(&self) -> String {
        let status = self.status.as_u16();
        let Some(object) = self.object() else {
            let kind = self
                .content_type
                .as_deref()
                .and_then(|kind| kind.split(';').next())
                .unwrap_or("no content type");
            return match &self.body {
                Body::Excess(what) => format!("the target answered {status} with {what}"),
                Body::Empty => format!("the target answered {status} without a body"),
                Body::Json(_) | Body::Other => {
                    format!("the target answered {status} with {}, which is not SCIM", in_line(kind, WORD))
                }
            };
        };
        let said = |name: &str| get_ci(object, name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut text = format!("the target answered {status}");
        if let Some(scim_type) = said("scimType") {
            text.push(' ');
            text.push_str(&in_line(scim_type, WORD));
        }
        if let Some(words) = said("detail") {
            text.push_str(": ");
            text.push_str(&in_line(words, WORDS));
        }
        text
    }

    /// Returns the trouble of this response, which is no success, for the user of the request.
    pub(crate) fn trouble(&self) -> Trouble {
        let reason = match self.status.as_u16() {
            403 => Reason::Forbidden,
            412 => Reason::Conflict,
            429 => Reason::RateLimited,
            408 | 500..=599 => Reason::TargetError,
            _ => Reason::Rejected,
        };
        Trouble { unsure: self.is_transient(), ..Trouble::new(reason, self.describe()) }
    }
}

/// Returns the beginning of `text` in one line that is safe for a terminal.
fn in_line(text: &str, characters: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(characters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(status: u16, body: Body) -> Response {
        Response {
            status: StatusCode::from_u16(status).unwrap(),
            etag: None,
            location: None,
            retry_after: None,
            challenges: Vec::new(),
            content_type: None,
            body,
            as_read: None,
            echoes: false,
            is_plain: false,
        }
    }

    #[track_caller]
    fn check_scim_error(body: Value, expected: bool) {
        let told = body.to_string();
        let response = response(404, Body::Json(body));
        assert_eq!(response.is_scim_error(), expected, "{told}");
        assert_eq!(response.is_scim_not_found(), expected, "{told}");
    }

    #[test]
    fn scim_errors_are_known_leniently() {
        let urn = scim::error::ERROR_URN;
        check_scim_error(json!({ "schemas": [urn], "status": "404" }), true);
        check_scim_error(json!({ "schemas": [urn.to_uppercase()] }), true);
        check_scim_error(json!({ "Schemas": urn }), true);
        check_scim_error(json!({ "schema": [urn] }), true);
        check_scim_error(json!({ "schemas": ["urn:other", urn] }), true);
        check_scim_error(json!({ "status": "404", "detail": "gone" }), true);
        check_scim_error(json!({ "STATUS": 404, "scimType": "noTarget" }), true);
        check_scim_error(json!({ "status": 404 }), false);
        check_scim_error(json!({ "status": "400", "detail": "gone" }), false);
        check_scim_error(json!({ "status": "Not Found", "detail": "gone" }), false);
        check_scim_error(json!({ "status": null, "detail": "gone" }), false);
        check_scim_error(json!({ "detail": "gone" }), false);
        check_scim_error(json!({ "schemas": [scim::schema::USER_URN] }), false);
        check_scim_error(json!({ "schemas": [404, null] }), false);
        check_scim_error(json!([{ "schemas": [urn] }]), false);
        check_scim_error(json!("gone"), false);
        for body in [Body::Empty, Body::Other] {
            assert!(!response(404, body).is_scim_not_found());
        }
        assert!(!response(410, Body::Json(json!({ "schemas": [urn] }))).is_scim_not_found());
    }

    #[track_caller]
    fn check_wait(text: &str, seconds: Option<u64>) {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // 1994-11-06 08:49:37
        let response = Response { retry_after: Some(text.to_owned()), ..response(429, Body::Empty) };
        let wait = response.wait(now, Duration::from_mins(1));
        assert_eq!(wait, seconds.map(Duration::from_secs), "{text}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_up_to_a_cap() {
        check_wait("0", Some(0));
        check_wait("7", Some(7));
        check_wait("  7 ", Some(7));
        check_wait("60", Some(60));
        check_wait("61", Some(60));
        check_wait("18446744073709551615", Some(60));
        check_wait("99999999999999999999999999", Some(60));
        check_wait("Sun, 06 Nov 1994 08:49:47 GMT", Some(10));
        check_wait("Sunday, 06-Nov-94 08:49:47 GMT", Some(10));
        check_wait("Sun Nov  6 08:49:47 1994", Some(10));
        check_wait("Sun, 06 Nov 1994 18:49:37 GMT", Some(60));
        check_wait("Sun, 06 Nov 1994 08:49:37 GMT", Some(0));
        check_wait("Sat, 05 Nov 1994 08:49:37 GMT", Some(0));
        for garbage in ["", "-5", "+5", "1.5", "5s", "soon", "1994-11-06T08:49:47Z", "Sun, 06 Nov"] {
            check_wait(garbage, None);
        }
        assert_eq!(response(429, Body::Empty).wait(SystemTime::UNIX_EPOCH, Duration::MAX), None);
    }

    #[track_caller]
    fn check_words(body: Value, expected: &str) {
        assert_eq!(response(400, Body::Json(body)).describe(), format!("the target answered 400{expected}"));
    }

    #[test]
    fn answer_is_described_in_one_short_line() {
        check_words(json!({ "scimType": "invalidValue", "detail": "bad title" }), " invalidValue: bad title");
        check_words(json!({ "SCIMTYPE": "noTarget", "DETAIL": "d" }), " noTarget: d");
        check_words(json!({ "detail": "d" }), ": d");
        check_words(json!({}), "");
        check_words(json!({ "scimType": "", "detail": "" }), "");
        check_words(json!({ "scimType": 7, "detail": { "a": 1 } }), "");
        check_words(json!({ "detail": "a\r\nb\u{1b}[31mc\u{85}d" }), ": a  b [31mc d");
        check_words(json!({ "scimType": "a\nb" }), " a b");
        check_words(
            json!({ "scimType": "é".repeat(50), "detail": "ü".repeat(300) }),
            &format!(" {}: {}", "é".repeat(40), "ü".repeat(200)),
        );
    }

    #[track_caller]
    fn check_kind(body: Body, content_type: Option<&str>, expected: &str) {
        let response = Response { content_type: content_type.map(str::to_owned), ..response(502, body) };
        assert_eq!(response.describe(), format!("the target answered 502 {expected}"));
    }

    #[test]
    fn answer_that_is_not_scim_is_described_by_its_kind() {
        check_kind(Body::Empty, Some("text/html"), "without a body");
        check_kind(Body::Other, Some("text/html; charset=utf-8"), "with text/html, which is not SCIM");
        check_kind(Body::Other, None, "with no content type, which is not SCIM");
        check_kind(
            Body::Json(json!([])),
            Some("application/json"),
            "with application/json, which is not SCIM",
        );
        let long = "x".repeat(5000);
        check_kind(Body::Other, Some(&long), &format!("with {}, which is not SCIM", "x".repeat(40)));
    }

    #[track_caller]
    fn check_trouble(status: u16, reason: Reason, unsure: bool) {
        let trouble = response(status, Body::Empty).trouble();
        let detail = format!("the target answered {status} without a body");
        assert_eq!(trouble, Trouble { reason, detail, unsure });
    }

    #[test]
    fn error_status_has_its_reason() {
        for status in [400, 404, 405, 409, 410, 413, 415, 422] {
            check_trouble(status, Reason::Rejected, false);
        }
        check_trouble(403, Reason::Forbidden, false);
        check_trouble(412, Reason::Conflict, false);
        check_trouble(429, Reason::RateLimited, true);
        for status in [408, 500, 502, 503, 504] {
            check_trouble(status, Reason::TargetError, true);
        }
        for status in [501, 505, 599] {
            check_trouble(status, Reason::TargetError, false);
        }
    }
}
