//! What can be wrong with a source file, said with file, line and a way out, and never with a user's data beyond ids.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The source could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read the source {}{}: {problem}", .file.display(), Place(*.position))]
pub struct SourceError {
    file: PathBuf,
    position: Option<(usize, usize)>,
    problem: SourceProblem,
}

/// What is wrong with the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceProblem {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// The path is a directory.
    #[error("it is a directory")]
    Directory,
    /// The file cannot be opened or read.
    #[error("{0}")]
    Unreadable(ErrorKind),
    /// The extension stands for no format.
    #[error("its extension does not say in which format it is")]
    UnknownFormat,
    /// The file is not UTF-8.
    #[error("here it is not UTF-8")]
    NotUtf8,
    /// The file holds no user.
    #[error("it holds no user")]
    Empty,
    /// A line or an element is not JSON.
    #[error("this is not JSON: {0}")]
    NotJson(String),
    /// The text ends before the JSON does.
    #[error("the JSON of this user ends half-way")]
    CutOff,
    /// The text is no array.
    #[error("this is no JSON array")]
    NotAnArray,
    /// The array is not closed.
    #[error("the array is not closed: the file was cut off")]
    ArrayNotClosed,
    /// Neither a comma nor the end of the array follows a user.
    #[error("a comma or the end of the array is missing here")]
    ArrayBroken,
    /// Something follows the array.
    #[error("something follows the array")]
    AfterArray,
    /// A user is something else than an object.
    #[error("a user is a JSON object, and this is {0}")]
    NotAnObject(&'static str),
    /// A user has no id, or none that is a text.
    #[error("this user has no `id`: it is {0}")]
    BadId(&'static str),
    /// A user has no user name, or none that is a text.
    #[error("the user with id {id:?} has no `username`: it is {found}")]
    BadUsername {
        /// The user's id.
        id: String,
        /// What stands there.
        found: &'static str,
    },
    /// `enabled` is neither true nor false.
    #[error("`enabled` of the user with id {id:?} is {found}")]
    BadEnabled {
        /// The user's id.
        id: String,
        /// What stands there.
        found: &'static str,
    },
    /// Two users have one id.
    #[error("the id {id:?} is there twice, first on line {first}")]
    DuplicateId {
        /// The id.
        id: String,
        /// The line of the first user that has it.
        first: usize,
    },
    /// A required column is missing.
    #[error("the header has no column `{0}`")]
    MissingColumn(&'static str),
    /// A column without a name, or with an empty part between its dots.
    #[error("column {0} has no proper name")]
    BadColumn(usize),
    /// Two columns for one attribute, or one for an attribute and one for a part of it.
    #[error("columns {0} and {1} contradict each other")]
    ColumnClash(usize, usize),
    /// A row has more or fewer cells than the header.
    #[error("this row has {found} cells, and the header has {expected}")]
    Width {
        /// The header's cells.
        expected: usize,
        /// The row's cells.
        found: usize,
    },
    /// A quote stands inside a cell that is not quoted.
    #[error("there is a quote inside a cell that is not quoted")]
    StrayQuote,
    /// Something follows the closing quote of a cell.
    #[error("something follows the closing quote of a cell")]
    AfterQuote,
    /// A quoted cell never ends.
    #[error("the quoted cell that starts here never ends")]
    OpenQuote,
}

impl SourceError {
    /// An error in `file`, at a byte of its text where it has a place.
    pub(super) fn new(file: &Path, place: Option<(&str, usize)>, problem: SourceProblem) -> Self {
        let position = place.map(|(text, offset)| position(text, offset));
        Self { file: file.to_owned(), position, problem }
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, counted from 1, where the problem has a place.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|(line, _)| line)
    }

    /// What is wrong.
    pub fn problem(&self) -> &SourceProblem {
        &self.problem
    }

    /// What to do about it.
    pub fn way_out(&self) -> &'static str {
        self.problem.way_out()
    }
}

impl miette::Diagnostic for SourceError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.way_out()))
    }
}

impl SourceProblem {
    fn way_out(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "correct `path` under [source]; a relative path starts at the folder of the configuration"
            }
            Self::Directory => "name the file in it: `path` under [source] is a file of users",
            Self::Unreadable(_) => "make the file readable for the user that runs this program",
            Self::UnknownFormat => "name it users.ndjson (or .jsonl), users.json or users.csv, as what it is",
            Self::NotUtf8 => "save the file as UTF-8",
            Self::Empty => {
                "every managed account would be removed: if that is meant, say --allow-empty-source; otherwise export \
                 the users again"
            }
            Self::NotJson(_) | Self::ArrayBroken => "correct the place, or export the users again",
            Self::CutOff => {
                "one user is one line in NDJSON: join the lines, or export again if the file was cut off"
            }
            Self::NotAnArray => {
                "a .json source is `[ {user}, {user}, … ]`; for one user a line name the file .ndjson"
            }
            Self::ArrayNotClosed => "nothing is removed by half a file: export the users again",
            Self::AfterArray => "put all users into one array",
            Self::NotAnObject(_) => "write each user as `{\"id\": \"…\", \"username\": \"…\", …}`",
            Self::BadId(_) => "give it the id it has in PingOne, as a text that is not empty",
            Self::BadUsername { .. } => "give it its PingOne user name, as a text that is not empty",
            Self::BadEnabled { .. } => "write true or false; in JSON it may be left out, which means true",
            Self::DuplicateId { .. } => "an id is one user: leave one of the two out",
            Self::MissingColumn(_) => {
                "the first row names the columns; `id`, `username` and `enabled` must be there"
            }
            Self::BadColumn(_) => "name it like the PingOne attribute: `email`, `name.given`",
            Self::ColumnClash(..) => {
                "have one column per attribute: either `name.given` and its like, or `name`"
            }
            Self::Width { .. } => {
                "give every row as many cells as the header; a cell with a comma needs quotes"
            }
            Self::StrayQuote => "put the whole cell into quotes and double the quote within",
            Self::AfterQuote => {
                "double a quote that belongs to the cell; otherwise a comma or the line's end follows"
            }
            Self::OpenQuote => "close the quote; if the file was cut off, export the users again",
        }
    }
}

/// A position as it stands behind a file name.
struct Place(Option<(usize, usize)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, 1)) => write!(f, ", line {line}"),
            Some((line, column)) => write!(f, ", line {line}, column {column}"),
            None => Ok(()),
        }
    }
}

/// Line and column, counted from 1, of a byte; blanks before it do not count.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// The line, counted from 1, of a byte.
pub(super) fn line(text: &str, offset: usize) -> usize {
    position(text, offset).0
}
