//! Errors of a source file with file, line and a way out, and never with a user's data beyond ids and the word for
//! `enabled`.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use super::RemoteProblem;
use super::problems::Place;

/// The source could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the source {}{}: {problem}{}", .place, ShownPosition(*.position), More(*.more))]
pub struct SourceError {
    /// The file, or the address of the server.
    place: String,
    position: Option<(usize, usize)>,
    problem: SourceProblem,
    /// Problems beside this one.
    more: usize,
}

/// A problem with the source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceProblem {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// A problem with the server of the source.
    #[error(transparent)]
    Remote(#[from] RemoteProblem),
    /// The run was interrupted.
    #[error("the reading was interrupted")]
    Interrupted,
    /// The path is a directory without a page.
    #[error("it is a directory, and has no page of users")]
    Directory,
    /// A file in a directory of pages is no page.
    #[error("this file among the pages is none")]
    StrayFile,
    /// A file in a directory of pages has another content.
    #[error("this is not a page of PingOne's API")]
    NotAPage,
    /// A compressed file that cannot be decompressed to its end.
    #[error("the compressed file is cut off or damaged")]
    DamagedArchive,
    /// A file that is named as if it were compressed.
    #[error("the file is not {0}, although its name ends so")]
    NotCompressed(&'static str),
    /// A user is on two pages.
    #[error("the user with id {id:?} is there twice, on this page or on an earlier one")]
    RepeatedUser {
        /// The id.
        id: String,
    },
    /// The file cannot be opened or read.
    #[error("{}", crate::file_error::words(*.0))]
    Unreadable(ErrorKind),
    /// The extension stands for no format.
    #[error("unknown file extension: expected .ndjson, .jsonl, .json or .csv, alone or with .gz or .zst")]
    UnknownFormat,
    /// The file is not UTF-8.
    #[error("invalid UTF-8 here; the file may be Windows-1252 or Latin-1")]
    NotUtf8,
    /// The file is UTF-16, and cut off or malformed.
    #[error("invalid or truncated UTF-16 here")]
    BadUtf16,
    /// The file is UTF-32.
    #[error("it is UTF-32; use UTF-8 or UTF-16")]
    Utf32,
    /// A user is longer than any is.
    #[error("this user has more than {} MiB", super::LONGEST_USER >> 20)]
    TooLong,
    /// The file holds no user.
    #[error("it has no users")]
    Empty,
    /// A line or an element is not JSON.
    #[error("invalid JSON: {0}")]
    NotJson(String),
    /// The text ends before the JSON does.
    #[error("the JSON of this user is incomplete")]
    CutOff,
    /// The text is no array.
    #[error("this is not a JSON array")]
    NotAnArray,
    /// The array is not closed.
    #[error("the array is not closed: the file was cut off")]
    ArrayNotClosed,
    /// Neither a comma nor the end of the array follows a user.
    #[error("a comma or the end of the array is missing here")]
    ArrayBroken,
    /// There is text after the array.
    #[error("unexpected text after the array")]
    AfterArray,
    /// A user is something else than an object.
    #[error("expected a user as a JSON object, found {0}")]
    NotAnObject(&'static str),
    /// An object has a key twice.
    #[error("duplicate key {0:?} in one object")]
    DoubledKey(String),
    /// A page of the API, and others follow.
    #[error("this is one of several pages: it has {users} users, and `_links.next` leads to more")]
    PageOfMany {
        /// The users of the page.
        users: usize,
    },
    /// A page of the API that has fewer users than its count.
    #[error("this page has {users} users, but its count is {count}")]
    PageNotWhole {
        /// The users of the page.
        users: usize,
        /// The count.
        count: u64,
    },
    /// Pages of the API without the number of all users.
    #[error("no page names the number of all users (`count`), so nothing proves that all are there")]
    PageWithoutCount,
    /// Pages of the API of which one is missing, or that are not in their order.
    #[error("page {page} of this array does not follow the page before it (`_links.next`)")]
    PageOutOfOrder {
        /// The number of the page, from 1.
        page: usize,
    },
    /// A page of the API where a user has to be.
    #[error("expected a user, found a page of PingOne's API")]
    PageAsUser,
    /// The id of a user is absent or not a text.
    #[error("invalid `id`: expected a non-empty text, found {0}")]
    BadId(&'static str),
    /// The user name of a user is absent or not a text.
    #[error("invalid `username` of the user with id {id:?}: expected a non-empty text, found {found}")]
    BadUsername {
        /// The user's id.
        id: String,
        /// The type of the value.
        found: &'static str,
    },
    /// `enabled` is neither true nor false.
    #[error("invalid `enabled` of the user with id {id:?}: expected true or false, found {found}")]
    BadEnabled {
        /// The user's id.
        id: String,
        /// The type of the value.
        found: String,
    },
    /// Two users have one id.
    #[error("duplicate id {id:?}, first on line {first}")]
    DuplicateId {
        /// The id.
        id: String,
        /// The line of the first user that has it.
        first: usize,
    },
    /// A required column is missing.
    #[error("the header has no column `{required}`{}", Meant(.meant.as_deref()))]
    MissingColumn {
        /// Its name.
        required: &'static str,
        /// The column that is probably meant to be it.
        meant: Option<String>,
    },
    /// A column without a name, or with an empty part between its dots.
    #[error("column {0} has an empty or invalid name")]
    BadColumn(usize),
    /// Two columns for one attribute, or one for an attribute and one for a part of it.
    #[error("columns {0} and {1} contradict each other")]
    ColumnClash(usize, usize),
    /// Two columns of one name.
    #[error("columns {0} and {1} have the same name, {2:?}")]
    SameColumn(usize, usize, String),
    /// An id that a spreadsheet has turned into a number with an exponent.
    #[error("invalid id {0:?}: a spreadsheet has rounded it, so its last digits are lost")]
    ShortenedId(String),
    /// A row has more or fewer cells than the header.
    #[error("this row has {found} cells; the header has {expected}")]
    Width {
        /// The header's cells.
        expected: usize,
        /// The row's cells.
        found: usize,
    },
    /// A quote stands inside a cell that is not quoted.
    #[error("unexpected quote inside an unquoted cell")]
    StrayQuote,
    /// There is text after the closing quote of a cell.
    #[error("unexpected text after the closing quote of a cell")]
    AfterQuote,
    /// A quoted cell never ends.
    #[error("the quoted cell that starts here is not closed")]
    OpenQuote,
}

impl SourceError {
    /// Creates an error of the source at `place` as a whole.
    pub(crate) fn of_source(place: String, problem: SourceProblem) -> Self {
        Self { place, position: None, problem, more: 0 }
    }

    /// Creates an error in `file`.
    pub(super) fn new(file: &Path, place: Option<Place>, problem: SourceProblem) -> Self {
        let position = place.map(|place| (place.line, place.column));
        Self { place: file.display().to_string(), position, problem, more: 0 }
    }

    /// Returns the error as the first of several problems.
    pub(crate) fn with_more(self, more: usize) -> Self {
        Self { more, ..self }
    }

    /// Returns the line, counted from 1, if the problem has a place.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|(line, _)| line)
    }

    /// Returns the problem.
    pub fn problem(&self) -> &SourceProblem {
        &self.problem
    }

    /// Returns the way out.
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
    /// Whether the problem is met in the text of a file, at the end of what could be decoded.
    pub(super) const fn is_in_text(&self) -> bool {
        matches!(self, Self::NotUtf8 | Self::BadUtf16 | Self::Utf32)
    }

    fn way_out(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "correct `path` under [source]; a relative path starts at the folder of the configuration"
            }
            Self::Directory => {
                "name the file in it, or put the pages of PingOne's API into it, each as a file: page-1.json, page-2.json, …"
            }
            Self::Remote(problem) => problem.way_out(),
            Self::Interrupted => "run it again",
            Self::StrayFile => {
                "a directory of pages has pages only, as .json, .json.gz or .json.zst: move the file elsewhere"
            }
            Self::NotAPage => {
                "a page has its users in `_embedded.users`: save each answer of the API as it is"
            }
            Self::DamagedArchive => "nothing is removed by half a file: export or copy it again",
            Self::NotCompressed(_) => "name it as what it is, without .gz or .zst if it is not compressed",
            Self::RepeatedUser { .. } => {
                "the users changed while the pages were fetched: fetch all of them again"
            }
            Self::Unreadable(_) => "make the file readable for the user that runs this program",
            Self::UnknownFormat => "name it users.ndjson (or .jsonl), users.json or users.csv, as what it is",
            Self::NotUtf8 => {
                "save the file as UTF-8 (in Excel: `CSV UTF-8`), or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW"
            }
            Self::BadUtf16 => {
                "save the file again, as UTF-8 or UTF-16; if it was cut off, export the users again"
            }
            Self::Utf32 => "save the file as UTF-8",
            Self::TooLong => "one user is one line in NDJSON: break the lines, or export the users again",
            Self::Empty => {
                "every managed account would be removed: export the users again, or allow an empty source if that is meant"
            }
            Self::NotJson(_) | Self::ArrayBroken => "correct the place, or export the users again",
            Self::CutOff => {
                "one user is one line in NDJSON: join the lines, or export again if the file was cut off"
            }
            Self::NotAnArray => {
                "a .json source is `[ {user}, {user}, … ]`, or the API's `{\"_embedded\": {\"users\": [ … ]}}`, one page or an \
                 array of all; for one user a line name the file .ndjson"
            }
            Self::ArrayNotClosed => "nothing is removed by half a file: export the users again",
            Self::AfterArray => "put all users into one array",
            Self::NotAnObject(_) => "write each user as `{\"id\": \"…\", \"username\": \"…\", …}`",
            Self::DoubledKey(_) => "remove one of the two",
            Self::PageOfMany { .. } => {
                "users who are missing count as deleted: fetch every page and join them, as in \
                 `jq -s '[.[]._embedded.users[]]' page*.json > users.json`"
            }
            Self::PageNotWhole { .. } => {
                "users who are missing count as deleted: fetch them all, with a larger `limit` or page by page"
            }
            Self::PageWithoutCount => {
                "users who are missing count as deleted: save each answer of the API as it is; if all users are there, write them \
                 as one array, as in `jq -s '[.[]._embedded.users[]]' page*.json > users.json`"
            }
            Self::PageOutOfOrder { .. } => {
                "users who are missing count as deleted: put every page into the array, in the order in which the API gave them"
            }
            Self::PageAsUser => {
                "write either users or pages: one user a line in .ndjson; in .json an array of users, one page with all of them, or \
                 an array of all pages"
            }
            Self::BadId(_) => "give it the id it has in PingOne, as a text that is not empty",
            Self::BadUsername { .. } => "give it its PingOne user name, as a text that is not empty",
            Self::BadEnabled { .. } => {
                "write true or false (in CSV also yes or no, 1 or 0, in any case); in JSON it may be left out, which means true"
            }
            Self::DuplicateId { .. } => "an id is one user: leave one of the two out",
            Self::MissingColumn { .. } => {
                "the first row names the columns, with commas, semicolons or tabs between them; `id`, `username` and \
                 `enabled` must be there"
            }
            Self::BadColumn(_) => "name it like the PingOne attribute: `email`, `name.given`",
            Self::SameColumn(..) => "an attribute has one column: leave one of the two out",
            Self::ShortenedId(_) => {
                "format the column `id` as text in the spreadsheet before the ids are put in, or export the users again"
            }
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

/// The suggestion for a missing column, as it follows its name.
struct Meant<'a>(Option<&'a str>);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(meant) => write!(f, "; did you mean `{meant}`?"),
            None => Ok(()),
        }
    }
}

/// The number of problems beside the reported one.
struct More(usize);

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more problem)"),
            more => write!(f, " (and {more} more problems)"),
        }
    }
}

/// A position as it stands behind a file name.
struct ShownPosition(Option<(usize, usize)>);

impl fmt::Display for ShownPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((line, 1)) => write!(f, ", line {line}"),
            Some((line, column)) => write!(f, ", line {line}, column {column}"),
            None => Ok(()),
        }
    }
}
