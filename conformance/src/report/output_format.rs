//! The formats of `--report FORMAT=FILE`.

use std::str::FromStr;

use super::{Report, badge, html, json, junit, markdown};

/// A format that a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The whole report, with a published schema.
    Json,
    /// JUnit XML, for viewers of test results.
    Junit,
    /// A single page without dependencies.
    Html,
    /// Markdown, for a pull request.
    Markdown,
    /// An SVG for a README.
    Badge,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 5] = [Self::Json, Self::Junit, Self::Html, Self::Markdown, Self::Badge];

    /// Returns the word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Badge => "badge",
        }
    }

    /// Returns the report in this format.
    ///
    /// # Errors
    /// A serializer refuses.
    pub fn write(self, report: &Report) -> Result<String, WriteError> {
        match self {
            Self::Json => Ok(json::write(report)?),
            Self::Junit => Ok(junit::write(report)?),
            Self::Html => Ok(html::write(report)),
            Self::Markdown => Ok(markdown::write(report)),
            Self::Badge => Ok(badge::write(report)),
        }
    }
}

/// A report that cannot be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The JSON serializer refuses.
    #[error("failed to write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// The JUnit serializer refuses.
    #[error("failed to write the report as JUnit")]
    Junit(#[from] quick_junit::SerializeError),
}

/// A word that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format `{0}`; the formats are {known}", known = Format::ALL.map(Format::as_str).join(", "))]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let format = Self::ALL.into_iter().find(|format| format.as_str() == text);
        format.ok_or_else(|| FormatError(text.to_owned()))
    }
}
