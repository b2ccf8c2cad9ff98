//! The groups of the source, read completely and validated before the run acts on them.
//!
//! A group that is missing is a deleted group, and a member that is missing is removed, so a snapshot is either complete or
//! an error. The members come from the groups' own `members`, or from the users' `memberOfGroupIDs`: the configuration says
//! which, because a group without `members` is not an empty group.

mod error;
mod parse;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use serde_json::Value;

pub use self::error::{GroupProblem, GroupSourceError};
use self::parse::ParsedGroup;
use super::text::TextReader;
use super::{SourceProblem, SourceUser};
use crate::id_set::IdSet;
use crate::ids::SourceId;

/// A group at the source.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceGroup {
    /// The opaque id, unique in a snapshot.
    pub id: SourceId,
    /// The PingOne group object without its members.
    pub attributes: Value,
    /// The source ids of its members.
    pub members: IdSet,
    /// The line of the file on which the group begins, counted from 1; 0 where they come from a server.
    pub line: usize,
}

/// Where the groups are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSource {
    /// The place of the groups themselves.
    pub place: GroupPlace,
    /// Where their members are.
    pub memberships: Memberships,
}

/// The place of the groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupPlace {
    /// A file, relative paths resolved against the folder of the configuration.
    File(PathBuf),
    /// The server of the users, at this address.
    Server(String),
}

impl GroupPlace {
    /// Returns the file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Server(_) => None,
        }
    }
}

impl fmt::Display for GroupPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(address) => f.write_str(address),
        }
    }
}

/// Where the members of the groups are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Memberships {
    /// In `members` of each group, which has to be there.
    #[default]
    Groups,
    /// In `memberOfGroupIDs` of the users.
    Users,
}

/// The attribute of a user with the ids of its groups.
pub(crate) const MEMBER_OF: &str = "memberOfGroupIDs";

/// The groups, read and waiting for the users that may name their groups.
#[derive(Debug)]
pub struct GroupReader {
    source: GroupSource,
    parsed: Vec<ParsedGroup>,
    positions: HashMap<SourceId, usize>,
    /// The members by the position of their group, where the users name their groups.
    members: Vec<Vec<SourceId>>,
    any_user: bool,
    any_member_of: bool,
    problem: Option<GroupProblem>,
}

impl GroupReader {
    /// Reads the file of the groups, or takes those that the server of the users has `listed`.
    ///
    /// # Errors
    /// The file cannot be read, or is cut off or malformed anywhere; a group has no id, or one that another group has.
    pub fn open(source: &GroupSource, listed: Vec<Value>) -> Result<Self, GroupSourceError> {
        let refused = |line, problem| GroupSourceError::new(&source.place, line, problem);
        let parsed = match &source.place {
            GroupPlace::File(path) => {
                let text = text_of(path).map_err(|problem| refused(None, problem))?;
                parse::groups(&text, path).map_err(|(line, problem)| refused(line, problem))?
            }
            GroupPlace::Server(_) => {
                parse::listed(listed).map_err(|(line, problem)| refused(line, problem))?
            }
        };
        let mut positions: HashMap<SourceId, usize> = HashMap::with_capacity(parsed.len());
        for (position, group) in parsed.iter().enumerate() {
            if let Some(first) = positions.insert(group.id.clone(), position) {
                let first = parsed.get(first).map_or(0, |first| first.line);
                let id = group.id.to_string();
                let line = (group.line > 0).then_some(group.line);
                return Err(refused(line, GroupProblem::DuplicateId { id, first }));
            }
        }
        let members = vec![Vec::new(); parsed.len()];
        let source = source.clone();
        let (any_user, any_member_of) = (false, false);
        Ok(Self { source, parsed, positions, members, any_user, any_member_of, problem: None })
    }

    /// Notes the groups that a user of the source names, if the members are to come from there.
    pub fn note(&mut self, user: &SourceUser) {
        if self.source.memberships == Memberships::Groups {
            return;
        }
        self.any_user = true;
        let Some(of) = user.attributes.get(MEMBER_OF) else { return };
        self.any_member_of = true;
        let Some(of) = group_ids(of) else {
            let problem = GroupProblem::BadMemberOf { id: user.id.to_string(), line: user.line };
            self.problem.get_or_insert(problem);
            return;
        };
        for id in of {
            let position = id.parse::<SourceId>().ok().and_then(|id| self.positions.get(&id));
            if let Some(members) = position.and_then(|position| self.members.get_mut(*position)) {
                members.push(user.id.clone());
            }
        }
    }

    /// Returns the reader as it was before the first user, because the users are read again.
    #[must_use]
    pub fn without_notes(mut self) -> Self {
        self.members.iter_mut().for_each(Vec::clear);
        Self { any_user: false, any_member_of: false, problem: None, ..self }
    }

    /// Returns the groups in the order of the source.
    ///
    /// # Errors
    /// A group has no members where it should have them; no user has `memberOfGroupIDs` where the members are to come from
    /// there.
    pub fn finish(self) -> Result<Vec<SourceGroup>, GroupSourceError> {
        let Self { source, parsed, members, any_user, any_member_of, problem, .. } = self;
        let refused = |line, problem| GroupSourceError::new(&source.place, line, problem);
        if let Some(problem) = problem {
            return Err(refused(None, problem));
        }
        if source.memberships == Memberships::Users && any_user && !any_member_of && !parsed.is_empty() {
            return Err(refused(None, GroupProblem::NoMemberOf));
        }
        let group = |(parsed, of_users): (ParsedGroup, Vec<SourceId>)| {
            let ParsedGroup { id, attributes, members, line } = parsed;
            let members = match (source.memberships, members) {
                (Memberships::Groups, Some(members)) => members,
                (Memberships::Users, None) => IdSet::new(of_users.iter().map(SourceId::as_str)),
                (Memberships::Groups, None) => {
                    return Err(refused(Some(line), GroupProblem::NoMembers { id: id.to_string() }));
                }
                (Memberships::Users, Some(_)) => {
                    return Err(refused(Some(line), GroupProblem::MembersTwice { id: id.to_string() }));
                }
            };
            Ok(SourceGroup { id, attributes, members, line })
        };
        parsed.into_iter().zip(members).map(group).collect()
    }
}

/// Reads the whole text of a file.
fn text_of(path: &Path) -> Result<String, GroupProblem> {
    let file = fs::File::open(path).map_err(|error| GroupProblem::of(error.kind()))?;
    let (mut reader, mut text) = (TextReader::new(file), String::new());
    loop {
        match reader.read_into(&mut text) {
            Ok(true) => {}
            Ok(false) => return Ok(text),
            Err(SourceProblem::Directory) => return Err(GroupProblem::Directory),
            Err(SourceProblem::Unreadable(kind)) => return Err(GroupProblem::of(kind)),
            Err(_) => return Err(GroupProblem::Encoding),
        }
    }
}

/// Returns the ids in `memberOfGroupIDs`: a list of texts, or one text with signs between them as CSV has it.
fn group_ids(value: &Value) -> Option<Vec<&str>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::Array(ids) => ids.iter().map(Value::as_str).collect(),
        Value::String(text) => {
            Some(text.split([',', ';', ' ', '|']).map(str::trim).filter(|id| !id.is_empty()).collect())
        }
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}
