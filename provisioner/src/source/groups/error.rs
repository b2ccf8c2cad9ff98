//! Errors of the groups of a source with their place, line and a way out.

use std::fmt;
use std::io::ErrorKind;

use super::GroupPlace;

/// The groups could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the groups {place}{}: {problem}", ShownLine(*.line))]
pub struct GroupSourceError {
    place: GroupPlace,
    line: Option<usize>,
    problem: GroupProblem,
}

/// A problem with the groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupProblem {
    /// There is no such file.
    #[error("there is no such file")]
    NotFound,
    /// The path is a directory.
    #[error("it is a directory")]
    Directory,
    /// The file cannot be opened or read.
    #[error("{}", crate::file_error::words(*.0))]
    Unreadable(ErrorKind),
    /// The extension stands for no format.
    #[error("unknown file extension: expected .ndjson, .jsonl or .json")]
    UnknownFormat,
    /// The text cannot be decoded.
    #[error("invalid UTF-8 or UTF-16")]
    Encoding,
    /// A line or an element is no group.
    #[error("invalid group: {0}")]
    NotJson(String),
    /// An object has a key twice.
    #[error("duplicate key {0:?} in one object")]
    DoubledKey(String),
    /// The id of a group is absent or not a text.
    #[error("invalid `id`: expected a non-empty text")]
    BadId,
    /// Two groups have one id.
    #[error("duplicate id {id:?}, first on line {first}")]
    DuplicateId {
        /// The id.
        id: String,
        /// The line of the first group that has it.
        first: usize,
    },
    /// A group has no `members`.
    #[error("the group with id {id:?} has no `members`")]
    NoMembers {
        /// The group's id.
        id: String,
    },
    /// A group has `members` although the users name their groups.
    #[error("the group with id {id:?} has `members`, and memberships = \"users\" takes them from the users")]
    MembersTwice {
        /// The group's id.
        id: String,
    },
    /// No user names its groups.
    #[error("no user has `memberOfGroupIDs`, and memberships = \"users\" takes the members from there")]
    NoMemberOf,
    /// The groups of a user are no list of ids.
    #[error(
        "invalid `memberOfGroupIDs` of the user with id {id:?} (line {line} of the users): expected a list of ids"
    )]
    BadMemberOf {
        /// The user's id.
        id: String,
        /// The line of the user.
        line: usize,
    },
}

impl GroupProblem {
    pub(super) fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::IsADirectory => Self::Directory,
            kind => Self::Unreadable(kind),
        }
    }

    fn way_out(&self) -> &'static str {
        match self {
            Self::NotFound => {
                "correct `groups` under [source]; a relative path starts at the folder of the configuration"
            }
            Self::Directory => "name the file in it: `groups` under [source] is a file of groups",
            Self::Unreadable(_) => "make the file readable for the user that runs this program",
            Self::UnknownFormat => "name it groups.ndjson (or .jsonl) or groups.json, as what it is",
            Self::Encoding => "save the file as UTF-8",
            Self::NotJson(_) => {
                "write each group as `{\"id\": \"…\", \"name\": \"…\", \"members\": [\"…\"]}`, one a line in .ndjson, in one array in \
                 .json; if the file was cut off, export the groups again"
            }
            Self::DoubledKey(_) => "remove one of the two",
            Self::BadId => "give it the id it has in PingOne, as a text that is not empty",
            Self::DuplicateId { .. } => "an id is one group: leave one of the two out",
            Self::NoMembers { .. } => {
                "every member would be removed from it: write `\"members\": []` for a group without members, or \
                 memberships = \"users\" under [source] where the users name their groups"
            }
            Self::MembersTwice { .. } => "leave one of the two out",
            Self::NoMemberOf => {
                "every member would be removed from every group: export the users with `include=memberOfGroupIDs`"
            }
            Self::BadMemberOf { .. } => "write it as in `\"memberOfGroupIDs\": [\"…\", \"…\"]`",
        }
    }
}

impl GroupSourceError {
    pub(super) fn new(place: &GroupPlace, line: Option<usize>, problem: GroupProblem) -> Self {
        Self { place: place.clone(), line, problem }
    }

    /// Returns the problem.
    pub fn problem(&self) -> &GroupProblem {
        &self.problem
    }

    /// Returns the way out.
    pub fn way_out(&self) -> &'static str {
        self.problem.way_out()
    }
}

/// A line as it stands behind a file name.
struct ShownLine(Option<usize>);

impl fmt::Display for ShownLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |line| write!(f, ", line {line}"))
    }
}
