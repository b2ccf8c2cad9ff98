//! Reading a source in batches: users in the order of the source, and at the end the proof that they are all.
//!
//! A batch may be kept, and must not be acted upon before [`Step::End`]: a problem may still follow.

mod file;
mod pass;
mod pingone;
mod remote;
mod scim;

use std::sync::Arc;
use std::time::SystemTime;

use self::file::FileReader;
use self::pingone::PingOneReader;
use self::scim::ScimReader;
use crate::clock::{Clock, SystemClock};
use crate::config::{SourceConfig, SourceKind};
use crate::ids::SourceId;
use crate::interrupt::Interrupt;
use crate::source::{SourceError, SourceProblem, SourceUser, digest};

/// What reading a source needs beside its configuration.
#[derive(Clone)]
pub struct ReadContext {
    /// The clock of waits and of the lifetime of tokens.
    pub clock: Arc<dyn Clock>,
    /// Ends the reading early.
    pub interrupt: Interrupt,
    /// The seed of the jitter between retries.
    pub seed: u64,
    /// Accepts a source without a single user, which otherwise is taken for a mistake.
    pub allow_empty: bool,
}

impl ReadContext {
    /// Returns the context of a command that keeps no state: the system's clock, and no users of earlier runs.
    pub fn system(allow_empty: bool) -> Self {
        let seed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { clock: Arc::new(SystemClock), interrupt: Interrupt::default(), seed, allow_empty }
    }
}

/// All users of the source at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The users in the order of the source.
    pub users: Vec<SourceUser>,
}

impl Snapshot {
    /// Returns the hex SHA-256 of the users in their order.
    pub fn digest(&self) -> String {
        digest(self.users.iter().map(|user| &user.attributes))
    }
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

/// The proof that every user of the source was yielded; only a reader makes one.
#[derive(Debug)]
pub struct Whole {
    users: u64,
}

impl Whole {
    /// Returns the number of users in the source.
    pub const fn users(&self) -> u64 {
        self.users
    }
}

/// What a reader yields.
#[derive(Debug)]
pub enum Step {
    /// The users that follow those of the last batch; at least one.
    Batch(Vec<SourceUser>),
    /// The source changed while it was read, and is read again: every batch so far is void.
    Restart,
    /// The source listed the users of the rules' filters only, and needs [`Reader::look_up`] with the ids of users that earlier
    /// runs know and that were not yielded: to tell those that are gone from those that only left a filter.
    AskMissing,
    /// The end.
    End(Whole),
}

/// A source that is being read.
pub struct Reader {
    kind: Kind,
    place: String,
    allow_empty: bool,
    yielded: bool,
}

enum Kind {
    File(FileReader),
    PingOne(Box<PingOneReader>),
    Scim(Box<ScimReader>),
    /// Reading cannot begin.
    Unusable(SourceProblem),
}

impl Reader {
    /// Begins to read a source.
    pub fn open(source: &SourceConfig, context: &ReadContext) -> Self {
        let remote = match &source.kind {
            SourceKind::File(path) => Ok(Kind::File(FileReader::open(path))),
            SourceKind::PingOne(source) => {
                PingOneReader::new(source, context).map(|reader| Kind::PingOne(Box::new(reader)))
            }
            SourceKind::Scim(source) => {
                ScimReader::new(source, context).map(|reader| Kind::Scim(Box::new(reader)))
            }
        };
        Self {
            kind: remote.unwrap_or_else(Kind::Unusable),
            place: source.place(),
            allow_empty: context.allow_empty,
            yielded: false,
        }
    }

    /// Answers [`Step::AskMissing`]; those of `missing` that the source still has are yielded next.
    pub fn look_up(&mut self, missing: Vec<SourceId>) {
        match &mut self.kind {
            Kind::PingOne(reader) => reader.look_up(missing),
            // These are read whole.
            Kind::File(_) | Kind::Scim(_) | Kind::Unusable(_) => {}
        }
    }

    /// Returns the next step. After the end or an error there is none: it is returned again.
    ///
    /// # Errors
    ///
    /// Anything is wrong with the source, from its beginning on; the first of several problems is returned.
    pub async fn next(&mut self) -> Result<Step, SourceError> {
        let step = match &mut self.kind {
            Kind::File(reader) => reader.next().await?,
            Kind::PingOne(reader) => {
                reader.next().await.map_err(|problem| of_server(&self.place, problem))?
            }
            Kind::Scim(reader) => reader.next().await.map_err(|problem| of_server(&self.place, problem))?,
            Kind::Unusable(problem) => {
                return Err(SourceError::of_source(self.place.clone(), problem.clone()));
            }
        };
        match &step {
            Step::Batch(_) => self.yielded = true,
            Step::Restart => self.yielded = false,
            Step::End(_) if !self.yielded && !self.allow_empty => {
                return Err(SourceError::of_source(self.place.clone(), SourceProblem::Empty));
            }
            Step::AskMissing | Step::End(_) => {}
        }
        Ok(step)
    }
}

fn of_server(place: &str, problem: SourceProblem) -> SourceError {
    SourceError::of_source(place.to_owned(), problem)
}

/// Reads the whole source, or fails if any part is invalid.
///
/// # Errors
///
/// The source cannot be read, is cut off or malformed anywhere, holds a user without an id or a user name, holds one id or
/// one key of an object twice, is one page of many, or is empty. The first of several problems is returned.
pub async fn read_all(source: &SourceConfig, context: &ReadContext) -> Result<Snapshot, SourceError> {
    let mut reader = Reader::open(source, context);
    let mut users = Vec::new();
    loop {
        match reader.next().await? {
            Step::Batch(batch) => users.extend(batch),
            Step::Restart => users.clear(),
            Step::AskMissing => reader.look_up(Vec::new()),
            Step::End(_) => return Ok(Snapshot { users }),
        }
    }
}

/// Reads the whole source as [`read_all`] does, and returns the users that are meant; the others are not kept.
///
/// # Errors
///
/// As [`read_all`].
pub(crate) async fn read_matching(
    source: &SourceConfig,
    context: &ReadContext,
    is_meant: impl Fn(&SourceUser) -> bool,
) -> Result<Vec<SourceUser>, SourceError> {
    let mut reader = Reader::open(source, context);
    let mut users = Vec::new();
    loop {
        match reader.next().await? {
            Step::Batch(batch) => users.extend(batch.into_iter().filter(|user| is_meant(user))),
            Step::Restart => users.clear(),
            Step::AskMissing => reader.look_up(Vec::new()),
            Step::End(_) => return Ok(users),
        }
    }
}

/// Reads what can be read of the source, and tells everything that is wrong with it.
pub(crate) async fn inspect(source: &SourceConfig, context: &ReadContext) -> Inspection {
    let mut reader = Reader::open(source, context);
    let mut users = Vec::new();
    let error = loop {
        match reader.next().await {
            Ok(Step::Batch(batch)) => users.extend(batch),
            Ok(Step::Restart) => users.clear(),
            Ok(Step::AskMissing) => reader.look_up(Vec::new()),
            Ok(Step::End(_)) => break None,
            Err(error) => break Some(error),
        }
    };
    let end = match reader.kind {
        Kind::File(reader) => reader.into_end(),
        Kind::PingOne(_) | Kind::Scim(_) | Kind::Unusable(_) => None,
    };
    let (columns, mut problems, mut count) =
        end.map_or_else(Default::default, |end| (end.columns, end.problems, end.count));
    if count == 0 {
        count = usize::from(error.is_some());
        problems.extend(error);
    }
    Inspection { users, columns, problems, count }
}
