//! The formats of `--report FORMAT=FILE`.

use std::str::FromStr;

use super::{Report, badge, html, json, junit, markdown};

/// A format that a report is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The whole report, with a published schema.
    Json,
    /// For whatever shows test results.
    Junit,
    /// One page that needs nothing else.
    Html,
    /// For a pull request.
    Markdown,
    /// An SVG for a README.
    Badge,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Json, Self::Junit, Self::Html, Self::Markdown, Self::Badge];

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Markdown => "markdown",
            Self::Badge => "badge",
        }
    }

    /// The report in this format.
    ///
    /// # Errors
    /// In words, where a serializer refuses.
    pub fn write(self, report: &Report) -> Result<String, String> {
        match self {
            Self::Json => json::write(report).map_err(|error| error.to_string()),
            Self::Junit => junit::write(report),
            Self::Html => Ok(html::write(report)),
            Self::Markdown => Ok(markdown::write(report)),
            Self::Badge => Ok(badge::write(report)),
        }
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| format!("unknown format `{text}`; the formats are {words}"))
    }
}
