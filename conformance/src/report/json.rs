//! The report as JSON, and back. The schema is published as `conformance/report.schema.json`.

use serde::Deserialize;
use serde_json::Value;

use super::{Report, SCHEMA_VERSION};

/// The path of the published schema below the repository's root.
pub const SCHEMA_FILE: &str = "conformance/report.schema.json";

/// Why a text is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The text is no JSON, or has another shape.
    #[error("not a JSON report of conformance")]
    Shape(#[from] serde_json::Error),
    /// The report has another schema version.
    #[error(
        "schemaVersion is {found}, and this version of conformance reads {SCHEMA_VERSION}; \
         use the version that wrote it"
    )]
    Version {
        /// The version of the report.
        found: u32,
    },
}

/// Returns the text of a JSON report.
///
/// # Errors
/// A value cannot be written as JSON, which the model rules out.
pub fn write(report: &Report) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report).map(|mut text| {
        text.push('\n');
        text
    })
}

/// Reads a JSON report. Members that a later version may add are let pass.
///
/// # Errors
/// The text is no report, or one of another `schemaVersion`.
pub fn read(text: &str) -> Result<Report, ReadError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Head {
        schema_version: u32,
    }
    // First the version alone: a report of another one is told as such, whatever else has changed in it.
    let head: Head = serde_json::from_str(text)?;
    if head.schema_version != SCHEMA_VERSION {
        return Err(ReadError::Version { found: head.schema_version });
    }
    Ok(serde_json::from_str(text)?)
}

/// Returns the JSON Schema of a report.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    if let Some(members) = schema.as_object_mut() {
        members.insert("title".to_owned(), "Report of conformance".into());
        if let Some(version) = members
            .get_mut("properties")
            .and_then(|properties| properties.get_mut("schemaVersion"))
            .and_then(Value::as_object_mut)
        {
            version.insert("const".to_owned(), SCHEMA_VERSION.into());
        }
    }
    schema
}
