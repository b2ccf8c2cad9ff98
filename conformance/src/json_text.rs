//! JSON that is written as text in a TOML file.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

/// A JSON value that is written as text.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct JsonText(pub(crate) Value);

/// JSON that is kept as it is written: places in it are filled in before it is parsed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct JsonSource(String);

impl JsonSource {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JsonSource {
    type Error = JsonTextError;

    fn try_from(text: String) -> Result<Self, JsonTextError> {
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(error) => Err(JsonTextError { text, reason: error.to_string() }),
        }
    }
}

/// A text that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid JSON `{text}`: {reason}")]
pub struct JsonTextError {
    text: String,
    /// The parser's words, with the place.
    reason: String,
}

impl TryFrom<String> for JsonText {
    type Error = JsonTextError;

    fn try_from(text: String) -> Result<Self, JsonTextError> {
        match serde_json::from_str(&text) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(JsonTextError { text, reason: error.to_string() }),
        }
    }
}
