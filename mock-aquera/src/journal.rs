//! The journal: what came in, what went out, and the downstream operations in between.
//!
//! It is a ring, bounded by count and by bytes. Recording keeps what is there anyway (header map, body bytes); the
//! readable form is made when somebody asks. Credentials are redacted before anything is kept.

use std::collections::VecDeque;

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::clock::date_time;

/// How many exchanges an application remembers.
pub(crate) const MAX_EXCHANGES: usize = 10_000;
/// How many bytes of bodies and paths an application remembers.
pub(crate) const MAX_BYTES: usize = 32 * 1024 * 1024;

const REDACTED: &str = "[redacted]";

/// One request to an application and its answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// Counts up from one in each application, also over what the ring has forgotten.
    pub seq: u64,
    /// When it was answered.
    pub at: String,
    /// The method.
    pub method: String,
    /// The path with its query, as sent.
    pub path: String,
    /// The headers in the order they came in; of `Authorization` only the scheme is kept.
    pub request_headers: Vec<(String, String)>,
    /// The body; a string where it wasn't JSON. A value of `password` is redacted.
    pub request_body: Option<Value>,
    /// The status of the answer.
    pub status: u16,
    /// The body of the answer; a string where it isn't JSON.
    pub response_body: Option<Value>,
    /// What the gateway asked of the application behind it, in order.
    pub downstream: Vec<Downstream>,
    /// The rule of the fault that struck.
    pub fault: Option<String>,
}

/// One operation on the second hop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Downstream {
    /// What was asked for.
    pub operation: DownstreamOperation,
    /// The id of the account; none for a list and for a refused Create.
    pub target: Option<String>,
    /// Whether the application did it.
    pub accepted: bool,
}

/// What a gateway can ask of the application behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DownstreamOperation {
    /// Make an account.
    Create,
    /// Write an account whole.
    Replace,
    /// Write parts of an account.
    PartialUpdate,
    /// Remove an account.
    Delete,
    /// Read one account or a list.
    Read,
}

/// An exchange as it is kept.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) at: Timestamp,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) request_body: Bytes,
    pub(crate) status: StatusCode,
    pub(crate) response_body: Bytes,
    pub(crate) downstream: Vec<Downstream>,
    pub(crate) fault: Option<String>,
}

impl Record {
    fn redact(mut self) -> Self {
        for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION] {
            if let Some(value) = self.headers.get(&name) {
                let scheme =
                    value.to_str().ok().and_then(|text| text.split_once(' ')).map(|(scheme, _)| scheme);
                let redacted = format!("{} {REDACTED}", scheme.unwrap_or_default());
                let redacted = HeaderValue::from_str(redacted.trim());
                self.headers.insert(name, redacted.unwrap_or(HeaderValue::from_static(REDACTED)));
            }
        }
        self
    }

    fn weight(&self) -> usize {
        self.request_body.len()
            + self.response_body.len()
            + self.uri.path().len()
            + self.headers.len() * 64
            + 256
    }

    fn exchange(&self, seq: u64) -> Exchange {
        Exchange {
            seq,
            at: date_time(self.at),
            method: self.method.to_string(),
            path: self.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            request_headers: self
                .headers
                .iter()
                .map(|(name, value)| {
                    (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
                })
                .collect(),
            request_body: readable(&self.request_body),
            status: self.status.as_u16(),
            response_body: readable(&self.response_body),
            downstream: self.downstream.clone(),
            fault: self.fault.clone(),
        }
    }
}

/// The ring of one application.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    records: VecDeque<Record>,
    bytes: usize,
    next: u64,
}

impl Journal {
    pub(crate) fn record(&mut self, record: Record) {
        let record = record.redact();
        self.bytes += record.weight();
        self.records.push_back(record);
        self.next += 1;
        while self.records.len() > MAX_EXCHANGES || (self.bytes > MAX_BYTES && self.records.len() > 1) {
            if let Some(oldest) = self.records.pop_front() {
                self.bytes -= oldest.weight();
            }
        }
    }

    pub(crate) fn exchanges(&self) -> Vec<Exchange> {
        let first = self.next - self.records.len() as u64;
        (first + 1..).zip(&self.records).map(|(seq, record)| record.exchange(seq)).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.bytes = 0;
    }
}

fn readable(body: &Bytes) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    Some(match serde_json::from_slice(body) {
        Ok(mut value) => {
            hide_passwords(&mut value);
            value
        }
        // What isn't JSON can't be searched for a password member by member.
        Err(_) => match String::from_utf8_lossy(body) {
            text if text.to_ascii_lowercase().contains("password") => Value::from(REDACTED),
            text => Value::from(text.into_owned()),
        },
    })
}

/// Replaces the value of each `password` member, and of each PATCH operation whose path is `password`.
fn hide_passwords(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let on_password = members.iter().any(|(name, value)| {
                name.eq_ignore_ascii_case("path") && value.as_str().is_some_and(is_password)
            });
            for (name, member) in members.iter_mut() {
                if is_password(name) || (on_password && name.eq_ignore_ascii_case("value")) {
                    *member = Value::from(REDACTED);
                } else {
                    hide_passwords(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_passwords),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_password(name: &str) -> bool {
    name.rsplit(':').next().is_some_and(|last| last.eq_ignore_ascii_case("password"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(body: &str) -> Record {
        Record {
            at: Timestamp::UNIX_EPOCH,
            method: Method::POST,
            uri: Uri::from_static("/scim/Users?x=1"),
            headers: HeaderMap::from_iter([(
                header::AUTHORIZATION,
                HeaderValue::from_static("Bearer hunter2"),
            )]),
            request_body: Bytes::copy_from_slice(body.as_bytes()),
            status: StatusCode::OK,
            response_body: Bytes::new(),
            downstream: Vec::new(),
            fault: None,
        }
    }

    #[test]
    fn credentials_are_redacted() {
        #[track_caller]
        fn check(body: &str, expected: &Value) {
            let mut journal = Journal::default();
            journal.record(record(body));
            assert!(!format!("{:?}", journal.records[0].headers).contains("hunter2"));
            let exchange = journal.exchanges().remove(0);
            assert_eq!(
                exchange.request_headers,
                [("authorization".to_owned(), "Bearer [redacted]".to_owned())]
            );
            assert_eq!(exchange.request_body.as_ref(), Some(expected));
        }
        check(r#"{"password":"hunter2","a":1}"#, &json!({"password": "[redacted]", "a": 1}));
        check(
            r#"{"Operations":[{"op":"replace","path":"PASSWORD","value":"hunter2"},{"path":"title","value":"x"}]}"#,
            &json!({"Operations": [
                {"op": "replace", "path": "PASSWORD", "value": "[redacted]"},
                {"path": "title", "value": "x"}
            ]}),
        );
        check(r#"{"password":"hunter2""#, &json!("[redacted]"));
        check("plain", &json!("plain"));
    }

    #[test]
    fn the_ring_is_bounded_by_count() {
        let mut journal = Journal::default();
        for _ in 0..MAX_EXCHANGES + 5 {
            journal.record(record(""));
        }
        let exchanges = journal.exchanges();
        assert_eq!(exchanges.len(), MAX_EXCHANGES);
        assert_eq!(exchanges[0].seq, 6);
    }

    #[test]
    fn the_ring_is_bounded_by_bytes() {
        let mut journal = Journal::default();
        let large = "x".repeat(MAX_BYTES / 4);
        for _ in 0..9 {
            journal.record(record(&large));
        }
        assert!(journal.bytes <= MAX_BYTES, "{}", journal.bytes);
        assert_eq!(journal.records.len(), 3);
        journal.clear();
        assert_eq!(journal.bytes, 0);
        journal.record(record(""));
        assert_eq!(journal.exchanges()[0].seq, 10);
    }
}
