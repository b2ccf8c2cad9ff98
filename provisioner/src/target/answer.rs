//! One HTTP answer, and what it proves.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use scim::path::get_ci;
use serde_json::{Map, Value};

use super::Trouble;
use crate::report::Reason;

/// Characters of a target's own words that are passed on.
const WORDS: usize = 200;

/// An HTTP answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) challenges: Vec<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Body,
}

/// An answer's body.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    Other,
}

impl Answer {
    /// The body, where it is a JSON object.
    pub(crate) fn object(&self) -> Option<&Map<String, Value>> {
        match &self.body {
            Body::Json(Value::Object(object)) => Some(object),
            Body::Json(_) | Body::Empty | Body::Other => None,
        }
    }

    /// Whether the body is a SCIM error (RFC 7644 §3.12), leniently: vendors spell `schemas` and `status` in their own ways.
    pub(crate) fn is_scim_error(&self) -> bool {
        let Some(object) = self.object() else { return false };
        let names_error = |value: &Value| {
            value.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(scim::schema::ERROR_URN))
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

    /// Whether this says, as SCIM, that there is no such resource.
    pub(crate) fn is_scim_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND && self.is_scim_error()
    }

    /// Whether the request is worth another try, later.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
    }

    /// How long the target asks to wait: seconds or an HTTP date, no longer than `cap`.
    pub(crate) fn wait(&self, now: SystemTime, cap: Duration) -> Option<Duration> {
        let text = self.retry_after.as_deref()?.trim();
        let wait = match text.parse::<u64>() {
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
        };
        Some(wait.min(cap))
    }

    /// Status, `scimType` and the target's own words, in one line.
    pub(crate) fn describe(&self) -> String {
        let status = self.status.as_u16();
        let Some(object) = self.object() else {
            let kind = self
                .content_type
                .as_deref()
                .and_then(|kind| kind.split(';').next())
                .unwrap_or("no content type");
            return match self.body {
                Body::Empty => format!("the target answered {status} without a body"),
                Body::Json(_) | Body::Other => {
                    format!("the target answered {status} with {kind}, which is not SCIM")
                }
            };
        };
        let scim_type = get_ci(object, "scimType").and_then(Value::as_str);
        let words = get_ci(object, "detail").and_then(Value::as_str);
        let mut text = format!("the target answered {status}");
        if let Some(scim_type) = scim_type {
            text.push(' ');
            text.extend(scim_type.chars().take(40));
        }
        if let Some(words) = words {
            text.push_str(": ");
            text.extend(words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(WORDS));
        }
        text
    }

    /// What this answer, which is no success, means for the user it was about.
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
