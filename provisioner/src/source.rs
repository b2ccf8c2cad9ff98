//! The identity source: PingOne users, read completely and validated before the run acts on them.
//!
//! Here are the users, their attributes, and the files they stand in; [`crate::reader`] reads a source of any kind.
//!
//! A user that is missing from a snapshot is a deleted user, so a snapshot is either complete or an error: no line is
//! skipped, nothing is guessed. Rules and mappings are applied elsewhere.

mod archive;
mod attributes;
mod csv;
mod error;
mod file;
mod fingerprint;
pub mod groups;
mod json;
mod ndjson;
mod pages;
mod problems;
mod remote_problem;
mod text;
mod unique;
mod validation;
mod window;

use std::path::Path;

use serde_json::Value;

pub use attributes::Attributes;
pub(crate) use attributes::{AttributeKind, Case};
pub use error::{SourceError, SourceProblem};
pub(crate) use file::{FileEnd, read as read_file};
pub(crate) use fingerprint::{digest, fingerprint};
pub use remote_problem::RemoteProblem;
pub(crate) use unique::value as parse_unique;
pub(crate) use validation::{UniqueIds, user};

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
    /// The line of the file on which the user begins, counted from 1; 0 if the source is no file.
    pub line: usize,
}

impl SourceUser {
    /// Returns the hex SHA-256 of the user object, the same for the same content in any order of its members.
    pub fn digest(&self) -> String {
        fingerprint::digest([&self.attributes])
    }
}

/// The formats of a source file, by its extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Ndjson,
    Json,
    Csv,
}

impl Format {
    /// Returns the format for the extension of `path`.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "json" => Some(Self::Json),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }
}

/// A problem, and where it was met if it has a place.
type LocatedProblem = (Option<problems::Place>, SourceProblem);

/// Maximum length of one user in bytes.
const LONGEST_USER: usize = 16 << 20;
