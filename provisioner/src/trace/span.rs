//! One span, in the JSON encoding of OTLP (opentelemetry-proto 1, `trace/v1`).

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::source::fingerprint;

/// The role of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Internal = 1,
    Client = 3,
}

/// An attribute of a span.
pub(super) type Attribute = (&'static str, Value);

/// One span.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) trace_id: String,
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) started: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<Attribute>,
    /// The word of the failure.
    pub(super) error: Option<String>,
}

/// Returns an attribute with a text.
pub(super) fn text(key: &'static str, value: &str) -> Attribute {
    (key, json!({ "stringValue": value }))
}

/// Returns an attribute with a number; 64 bits are a text in the JSON of protocol buffers.
pub(super) fn number(key: &'static str, value: u64) -> Attribute {
    (key, json!({ "intValue": value.to_string() }))
}

/// Returns an id of `digits` hexadecimal digits that follows from `parts`.
pub(super) fn id(parts: &[&str], digits: usize) -> String {
    fingerprint(parts.iter().copied()).chars().take(digits).collect()
}

pub(super) fn attributes(attributes: &[Attribute]) -> Value {
    attributes.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

impl Span {
    /// Returns the span in JSON.
    pub(super) fn to_json(&self) -> Value {
        let mut span = json!({
            "traceId": self.trace_id,
            "spanId": self.id,
            "name": self.name,
            "kind": self.kind as i32,
            "startTimeUnixNano": nanoseconds(self.started),
            "endTimeUnixNano": nanoseconds(self.ended),
            "attributes": attributes(&self.attributes),
            "status": match &self.error {
                Some(error) => json!({ "code": 2, "message": error }),
                None => json!({}),
            },
        });
        if let Some(parent) = &self.parent {
            span["parentSpanId"] = parent.as_str().into();
        }
        span
    }
}

fn nanoseconds(at: SystemTime) -> String {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
