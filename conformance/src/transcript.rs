//! Exchanges: requests, and the responses to them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The text in place of a value that was removed.
pub const REDACTED: &str = "[redacted]";

/// The request of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sent {
    /// The method, as in `PATCH`.
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
    /// The status, as in 204.
    pub status: u16,
    /// Names in lower case, in order; secrets redacted.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The body: JSON as JSON, other text as a string, null where there is none.
    #[serde(default)]
    pub body: Value,
}

/// A request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exchange {
    /// The purpose, as in `patch ada`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub step: String,
    /// The request.
    pub request: Sent,
    /// The response; none if there was none.
    #[serde(default)]
    pub response: Option<Received>,
    /// Why nothing came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The time from the start of the request to the end of the response.
    #[serde(default)]
    pub milliseconds: u64,
}
