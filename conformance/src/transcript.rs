//! What was sent and what came.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What stands where something was taken out.
pub const REDACTED: &str = "[redacted]";

/// The request of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// As in `PATCH`.
    pub method: String,
    /// The whole URL. Credentials in it are redacted.
    pub url: String,
    /// Names as sent, in order; secrets redacted.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: JSON as JSON, other text as a string, null where there is none.
    #[serde(default)]
    pub body: Value,
}

/// The answer of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// As in 204.
    pub status: u16,
    /// Names in lower case, in order; secrets redacted.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: JSON as JSON, other text as a string, null where there is none.
    #[serde(default)]
    pub body: Value,
}

/// One request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// What it is for, as in `patch ada`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// What was sent.
    pub request: Sent,
    /// What came; none where nothing did.
    #[serde(default)]
    pub response: Option<Received>,
    /// Why nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From the request's start to the answer's end.
    #[serde(default)]
    pub milliseconds: u64,
}
