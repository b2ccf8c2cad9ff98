//! A file of users, read in pieces.

use std::io::ErrorKind;
use std::path::Path;

use super::text::TextReader;
use super::validation::Collector;
use super::{Format, SourceError, SourceProblem, SourceUser, archive, csv, json, ndjson, pages};

/// The end of the reading of a file.
#[derive(Debug)]
pub(crate) struct FileEnd {
    /// The dotted names of a CSV file's columns, those without a name left out.
    pub(crate) columns: Vec<String>,
    /// The first of the problems, in the order of the file.
    pub(crate) problems: Vec<SourceError>,
    /// The number of problems.
    pub(crate) count: usize,
}

impl FileEnd {
    /// Returns the end of a file whose reading ended by a panic or with the runtime: never an empty source.
    pub(crate) fn broken(path: &Path) -> Self {
        let problem = SourceProblem::Unreadable(ErrorKind::Interrupted);
        Self { columns: Vec::new(), problems: vec![SourceError::new(path, None, problem)], count: 1 }
    }
}

/// Reads a file or a directory of pages, and hands its users to `yield_users` in their order until that returns `false`.
pub(crate) fn read(path: &Path, yield_users: &mut dyn FnMut(Vec<SourceUser>) -> bool) -> FileEnd {
    if path.is_dir() {
        return pages::read(path, yield_users);
    }
    let mut users = Collector::new(yield_users);
    let mut columns = Vec::new();
    match archive::open(path) {
        Ok((bytes, format)) => {
            let reader = TextReader::new(bytes);
            match format {
                Format::Ndjson => ndjson::read(reader, &mut users),
                Format::Json => json::read(reader, &mut users),
                Format::Csv => csv::read(reader, &mut columns, &mut users),
            }
        }
        Err(problem) => users.problems.push(None, problem),
    }
    users.flush();
    let (problems, count) = users.problems.into_errors(path);
    FileEnd { columns, problems, count }
}
