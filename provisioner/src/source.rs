//! The identity source: PingOne users, read whole from a file and proved whole before anybody acts on them.
//!
//! A user that is missing from a snapshot is a deleted user, so a snapshot is either complete or an error: no line is
//! skipped, nothing is guessed. Who of the users is in scope, and what of them is written, is decided elsewhere.

mod attributes;
mod canonical;
mod csv;
mod error;
mod json;
mod proof;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use attributes::Attributes;
pub(crate) use attributes::{Case, Place};
pub(crate) use canonical::fingerprint;
pub use error::{SourceError, SourceProblem};

use crate::ids::SourceId;

/// A user at the source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceUser {
    /// The opaque id, unique in a snapshot.
    pub id: SourceId,
    /// The PingOne user name, not empty; several users may share one.
    pub username: String,
    /// Whether the user is enabled at the source.
    pub enabled: bool,
    /// The whole PingOne user object, as it was read.
    pub attributes: Value,
    /// The line of the file on which the user begins, counted from 1.
    pub line: usize,
}

impl SourceUser {
    /// The hex SHA-256 of the user object, the same for the same content whatever the order of its members.
    pub fn digest(&self) -> String {
        canonical::digest([&self.attributes])
    }
}

/// All users of the source at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The users in the order of the file.
    pub users: Vec<SourceUser>,
    /// The hex SHA-256 of the users in that order.
    pub digest: String,
}

/// Where the users are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// What sort of source it is.
    pub kind: SourceKind,
    /// The file, relative paths resolved against the folder of the configuration.
    pub path: PathBuf,
    /// Kind and path as they were written: another identity than that of the last run is another source.
    pub identity: String,
    /// What filters and mappings may name.
    pub attributes: Attributes,
}

/// The sorts of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// An NDJSON, JSON or CSV file.
    File,
}

/// The formats of a source file, told apart by the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Ndjson,
    Json,
    Csv,
}

impl Format {
    /// The format that the extension of `path` stands for.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// Reads the whole source, or says why it cannot be read whole.
///
/// `allow_empty` accepts a source without a single user, which otherwise is taken for a mistake.
///
/// # Errors
///
/// The file cannot be read, is cut off or malformed anywhere, holds a user without an id or a user name, holds one id
/// twice, or is empty.
pub fn read(source: &SourceConfig, allow_empty: bool) -> Result<Snapshot, SourceError> {
    let path = source.path.as_path();
    let refused = |problem| SourceError::new(path, None, problem);
    let format = Format::of(path).ok_or_else(|| refused(SourceProblem::UnknownFormat))?;
    let bytes = fs::read(path).map_err(|error| {
        refused(match error.kind() {
            ErrorKind::NotFound => SourceProblem::NotFound,
            ErrorKind::IsADirectory => SourceProblem::Directory,
            kind => SourceProblem::Unreadable(kind),
        })
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let valid = String::from_utf8_lossy(error.as_bytes().get(..offset).unwrap_or_default()).into_owned();
        SourceError::new(path, Some((&valid, offset)), SourceProblem::NotUtf8)
    })?;
    parse(&text, format, allow_empty).map_err(|(offset, problem)| {
        SourceError::new(path, offset.map(|at| (without_bom(&text), at)), problem)
    })
}

/// A problem, and the byte it was met at where it has a place.
type Misplaced = (Option<usize>, SourceProblem);

fn parse(text: &str, format: Format, allow_empty: bool) -> Result<Snapshot, Misplaced> {
    let text = without_bom(text);
    let records = if text.trim().is_empty() {
        Vec::new()
    } else {
        match format {
            Format::Ndjson => json::lines(text)?,
            Format::Json => json::array(text)?,
            Format::Csv => csv::rows(text)?,
        }
    };
    if records.is_empty() && !allow_empty {
        return Err((None, SourceProblem::Empty));
    }
    let users = proof::users(text, records)?;
    let digest = canonical::digest(users.iter().map(|user| &user.attributes));
    Ok(Snapshot { users, digest })
}

fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
