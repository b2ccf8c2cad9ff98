//! The identity source: PingOne users, read completely from a file and validated before the run acts on them.
//!
//! A user that is missing from a snapshot is a deleted user, so a snapshot is either complete or an error: no line is
//! skipped, nothing is guessed. Rules and mappings are applied elsewhere.

mod attributes;
mod csv;
mod error;
mod fingerprint;
pub mod groups;
mod json;
mod text;
mod unique;
mod validation;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;

pub use attributes::Attributes;
pub(crate) use attributes::{AttributeKind, Case};
pub use error::{SourceError, SourceProblem};
pub(crate) use fingerprint::fingerprint;

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
    /// Returns the hex SHA-256 of the user object, the same for the same content in any order of its members.
    pub fn digest(&self) -> String {
        fingerprint::digest([&self.attributes])
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

/// The source of the users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// The kind of the source.
    pub kind: SourceKind,
    /// The file, relative paths resolved against the folder of the configuration.
    pub path: PathBuf,
    /// Kind and path as they were written: another identity than that of the last run is another source.
    pub identity: String,
    /// The attributes that filters and mappings may name.
    pub attributes: Attributes,
    /// The groups, where there are any.
    pub groups: Option<groups::GroupSource>,
}

/// The sorts of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// An NDJSON, JSON or CSV file.
    File,
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

/// Reads the whole source, or fails if any part is invalid.
///
/// `allow_empty` accepts a source without a single user, which otherwise is taken for a mistake.
///
/// # Errors
///
/// The file cannot be read, is cut off or malformed anywhere, holds a user without an id or a user name, holds one id or
/// one key of an object twice, is one page of many, or is empty. The first of several problems is returned.
pub fn read(source: &SourceConfig, allow_empty: bool) -> Result<Snapshot, SourceError> {
    let Inspection { users, mut problems, count, .. } = inspect(source, allow_empty);
    if !problems.is_empty() {
        return Err(problems.swap_remove(0).with_more(count - 1));
    }
    let digest = fingerprint::digest(users.iter().map(|user| &user.attributes));
    Ok(Snapshot { users, digest })
}

/// The content of a source, complete or not.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// The users that can be read.
    pub(crate) users: Vec<SourceUser>,
    /// The dotted names of a CSV file's columns, those without a name left out.
    pub(crate) columns: Vec<String>,
    /// The first of the problems, in the order of the file.
    pub(crate) problems: Vec<SourceError>,
    /// The number of problems.
    pub(crate) count: usize,
}

/// Reads what can be read of the source, and tells everything that is wrong with it.
pub(crate) fn inspect(source: &SourceConfig, allow_empty: bool) -> Inspection {
    let path = source.path.as_path();
    let refused = |place: Option<(&str, usize)>, problem| Inspection {
        users: Vec::new(),
        columns: Vec::new(),
        problems: vec![SourceError::new(path, place, problem)],
        count: 1,
    };
    let Some(format) = Format::of(path) else { return refused(None, SourceProblem::UnknownFormat) };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let problem = match error.kind() {
                ErrorKind::NotFound => SourceProblem::NotFound,
                ErrorKind::IsADirectory => SourceProblem::Directory,
                kind => SourceProblem::Unreadable(kind),
            };
            return refused(None, problem);
        }
    };
    let text = match text::decode(bytes) {
        Ok(text) => text,
        Err((before, problem)) => {
            return refused(Some((without_bom(&before), without_bom(&before).len())), problem);
        }
    };
    let text = without_bom(&text);
    let mut problems = Problems::default();
    let (users, columns) = parse(text, format, allow_empty, &mut problems);
    let Problems { mut first, count } = problems;
    first.sort_by_key(|(offset, _)| *offset);
    let problems = first
        .into_iter()
        .map(|(offset, problem)| SourceError::new(path, offset.map(|at| (text, at)), problem))
        .collect();
    Inspection { users, columns, problems, count }
}

/// Maximum number of problems that are kept; the others are counted.
const MOST: usize = 100;

/// A problem, and the byte it was met at where it has a place.
type LocatedProblem = (Option<usize>, SourceProblem);

/// The problems of a source: the first few, and the number of the others.
#[derive(Default)]
struct Problems {
    first: Vec<LocatedProblem>,
    count: usize,
}

impl Problems {
    fn push(&mut self, problem: LocatedProblem) {
        self.push_with(|| problem);
    }

    /// Adds a problem whose description takes work.
    fn push_with(&mut self, problem: impl FnOnce() -> LocatedProblem) {
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(problem());
        }
    }
}

/// Parses the users, and the names of the columns in which they are.
fn parse(
    text: &str,
    format: Format,
    allow_empty: bool,
    problems: &mut Problems,
) -> (Vec<SourceUser>, Vec<String>) {
    let mut columns = Vec::new();
    let records = if text.trim().is_empty() {
        Vec::new()
    } else {
        match format {
            Format::Ndjson => json::lines(text, problems),
            Format::Json => json::array(text, problems),
            Format::Csv => csv::rows(text, &mut columns, problems),
        }
    };
    if records.is_empty() && problems.count == 0 && !allow_empty {
        problems.push((None, SourceProblem::Empty));
    }
    (validation::users(text, records, problems), columns)
}

fn without_bom(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
