//! The SQLite file behind the state.
//!
//! One task writes the queued changes in one transaction, so that many users' intents cost one
//! flush; a caller continues when its own change is durable. Users are not kept in memory: a run reads the `Index` of all of
//! them, and the records of those with something to do. A lock file beside the database keeps a second run out for
//! the lifetime of this process, however it ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::database::{Database, LAYOUT, ReadError, UserAccount};
use super::groups::GroupRecord;
use super::index::Index;
use super::{ConnectionRecord, Record, StateChange, Withdrawal};
use crate::causes::with_cause;
use crate::ids::{ScimUrl, SourceId};

/// Maximum number of changes in one transaction.
const BATCH: usize = 512;

/// The durability of a finished write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power (`synchronous = FULL`).
    #[default]
    Full,
    /// An end of this process between two writes, and no worse (`synchronous = OFF`, the journal in memory): for test
    /// harnesses.
    Off,
}

impl Durability {
    /// Runs `work` on a blocking thread if it waits for the disk, else at once.
    async fn wait<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Full => tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed),
            Self::Off => Ok(work()),
        }
    }
}

/// Whether the file is opened to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One process at a time.
    Write,
    /// To look, beside a run.
    Read,
}

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another run holds it.
    #[error("failed to open the state file {0}: another run uses it")]
    InUse(PathBuf),
    /// The folder or the file cannot be written.
    #[error("failed to open the state file {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A folder has that name.
    #[error("invalid state file {0}: it is a directory")]
    Folder(PathBuf),
    /// The file is no state file, or is damaged.
    #[error("failed to use the state file {path}")]
    Database {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// A change was not written.
    #[error("failed to write the state file {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// SQLite's error, shared by all whose changes were in the transaction.
        source: Arc<rusqlite::Error>,
    },
    /// Another version wrote the file.
    #[error("invalid state file {path}: expected layout {LAYOUT}, found layout {found}")]
    Layout {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
    },
    /// A record does not parse.
    #[error("failed to read a record of the state file {path}")]
    Record {
        /// The file.
        path: PathBuf,
        /// The problem with the record.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The writing task is gone.
    #[error("failed to write the state file: it was closed")]
    Closed,
}

impl StoreError {
    /// Returns the way out.
    pub const fn way_out(&self) -> &'static str {
        match self {
            Self::InUse(_) => "wait for that run to end, or choose another state file",
            Self::Open { .. } => "check that its folder exists and is writable, or choose another state file",
            Self::Folder(_) => "choose a file",
            Self::Database { .. } => "restore it from a copy, or choose another state file",
            Self::Write { .. } => "free disk space, or choose another state file, and run again",
            Self::Layout { .. } => "use the version that wrote it",
            Self::Record { .. } => "restore it from a copy",
            Self::Closed => "run again",
        }
    }
}

/// The whole content of the state.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Every user known at this target.
    pub records: BTreeMap<SourceId, Arc<Record>>,
    /// The connection.
    pub connection: ConnectionRecord,
    /// Recently finished removals and disables.
    pub withdrawals: Vec<Withdrawal>,
    /// The source of the users of the last run.
    pub source: Option<String>,
    /// Every group known at this target.
    pub groups: BTreeMap<SourceId, Arc<GroupRecord>>,
}

/// What is known of the target as a whole: everything but the users.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// The connection.
    pub(crate) connection: ConnectionRecord,
    /// Recently finished removals and disables.
    pub(crate) withdrawals: Vec<Withdrawal>,
    /// The source of the users of the last run.
    pub(crate) source: Option<String>,
}

impl Known {
    fn apply(&mut self, changes: Vec<StateChange>) {
        for change in changes {
            match change {
                StateChange::Put(..)
                | StateChange::Remove(_)
                | StateChange::PutGroup(..)
                | StateChange::RemoveGroup(_) => {}
                StateChange::Connection(record) => self.connection = *record,
                StateChange::Withdrawal(withdrawal) => self.withdrawals.push(withdrawal),
                StateChange::Source(identity) => self.source = Some(identity),
                // The log is read from the file, and is not kept in memory.
                StateChange::Audit(_) | StateChange::ForgetAudit { .. } => {}
            }
        }
    }
}

type Job = (Vec<StateChange>, oneshot::Sender<Result<(), StoreError>>);

/// An open state file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The way to the writing task, and the task; `None` if there is none, or no longer.
    writer: Mutex<Option<(mpsc::UnboundedSender<Job>, JoinHandle<()>)>>,
    durability: Durability,
    known: Arc<Mutex<Known>>,
    /// `None` if there is no file, or after the store was closed.
    database: SharedDatabase,
}

type SharedDatabase = Arc<Mutex<Option<Database>>>;

impl Store {
    /// Opens (and makes, for writing) the state at `path` and reads all that is stored for `url`.
    pub async fn open(
        path: &Path,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Self, StoreError> {
        let opened = |known, database| Self {
            path: path.to_owned(),
            writer: Mutex::new(None),
            durability,
            known: Arc::new(Mutex::new(known)),
            database: Arc::new(Mutex::new(database)),
        };
        if access == Access::Read && !path.exists() {
            return Ok(opened(Known::default(), None));
        }
        if path.is_dir() {
            return Err(StoreError::Folder(path.to_owned()));
        }
        let lock = match access {
            Access::Write => Some(lock(path)?),
            Access::Read => None,
        };
        if access == Access::Write {
            keep_private(path).map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        }
        let found = {
            let (path, url) = (path.to_owned(), url.clone());
            durability.wait(move || Database::open(&path, &url, durability, access)).await??
        };
        let Some((database, known)) = found else { return Ok(opened(Known::default(), None)) };
        let store = opened(known, Some(database));
        if access == Access::Read {
            return Ok(store);
        }
        let (jobs, queue) = mpsc::unbounded_channel();
        let writer = Writer {
            database: Arc::clone(&store.database),
            durability,
            path: path.to_owned(),
            known: Arc::clone(&store.known),
            lock,
        };
        let task = tokio::spawn(writer.run(queue));
        *store.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some((jobs, task));
        Ok(store)
    }

    /// Reads the whole state.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn loaded(&self) -> Result<Loaded, StoreError> {
        let records = read(&self.database, &self.path, Database::all_records)?;
        let Known { connection, withdrawals, source } = self.known();
        Ok(Loaded { records, connection, withdrawals, source, groups: self.groups()? })
    }

    /// Reads every group that is known at this target.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn groups(&self) -> Result<BTreeMap<SourceId, Arc<GroupRecord>>, StoreError> {
        read(&self.database, &self.path, Database::groups)
    }

    /// Hands every user to `take`, in the order of their ids; with its record only if `with_records`, which takes longer.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn accounts<T: Default + Send + 'static>(
        &self,
        with_records: bool,
        take: impl Fn(&mut T, UserAccount<'_>) + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read(move |database| {
            let mut made = T::default();
            database.accounts(with_records, |user| take(&mut made, user))?;
            Ok(made)
        })
        .await
    }

    /// Returns what is known of the target as a whole.
    pub(crate) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the index of the users.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn index(&self) -> Result<Index, StoreError> {
        self.read(Database::index).await
    }

    /// Reads the records in `rows`, in that order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn records(&self, rows: Vec<i64>) -> Result<Vec<(SourceId, Record)>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |database| database.records(&rows)).await
    }

    /// Reads the id of the user in `row`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn source_id(&self, row: i64) -> Result<Option<SourceId>, StoreError> {
        Ok(self.source_ids(&[row])?.pop())
    }

    /// Reads the ids of the users in `rows`, in that order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn source_ids(&self, rows: &[i64]) -> Result<Vec<SourceId>, StoreError> {
        read(&self.database, &self.path, |database| database.source_ids(rows))
    }

    /// Reads the records in `rows`, in that order, as [`Store::records`] does.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn records_now(&self, rows: &[i64]) -> Result<Vec<(SourceId, Record)>, StoreError> {
        read(&self.database, &self.path, |database| database.records(rows))
    }

    async fn read<T: Default + Send + 'static>(
        &self,
        query: impl FnOnce(&Database) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (database, path) = (Arc::clone(&self.database), self.path.clone());
        self.durability.wait(move || read(&database, &path, query)).await?
    }

    /// Returns what is known of the connection.
    pub fn connection(&self) -> ConnectionRecord {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).connection.clone()
    }

    /// Changes the record of the connection; the next write stores it.
    pub fn amend_connection(&self, change: impl FnOnce(&mut ConnectionRecord)) {
        change(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner).connection);
    }

    /// Writes `changes` together; they are durable when this returns.
    ///
    /// # Errors
    /// The state was opened for reading, is closed, or cannot be written.
    pub async fn write(&self, changes: Vec<StateChange>) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let (jobs, _) = writer.as_ref().ok_or(StoreError::Closed)?;
            jobs.send((changes, done)).map_err(|_| StoreError::Closed)?;
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Returns the path of the state file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the writing task and closes the file; written changes stay. Later writes fail.
    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((jobs, task)) = writer else { return };
        drop(jobs);
        if let Err(error) = task.await {
            tracing::warn!(%error, "the task that writes the state file failed");
        }
    }
}

/// Reads from `database`, or returns the default if there is none.
fn read<T: Default>(
    database: &Mutex<Option<Database>>,
    path: &Path,
    query: impl FnOnce(&Database) -> Result<T, ReadError>,
) -> Result<T, StoreError> {
    let database = database.lock().unwrap_or_else(PoisonError::into_inner);
    database
        .as_ref()
        .map_or_else(|| Ok(T::default()), |database| query(database).map_err(|error| error.at(path)))
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let open = |source| StoreError::Open { path: path.to_owned(), source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(open)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(open(source)),
    }
}

/// Makes a new state file for its owner only: it holds what people are called and where they live.
#[cfg(unix)]
fn keep_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;

    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path).map(drop)
}

/// Does nothing: on other systems the permissions of the folder decide.
#[cfg(not(unix))]
fn keep_private(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// The task that writes the database.
struct Writer {
    database: SharedDatabase,
    durability: Durability,
    path: PathBuf,
    known: Arc<Mutex<Known>>,
    lock: Option<File>,
}

impl Writer {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let Self { database, durability, path, known, lock } = self;
        while let Some(first) = queue.recv().await {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            let shared = Arc::clone(&database);
            let written = durability.wait(move || {
                let changes: Vec<&StateChange> = jobs.iter().flat_map(|(changes, _)| changes).collect();
                let mut database = shared.lock().unwrap_or_else(PoisonError::into_inner);
                let result = database.as_mut().map(|database| database.write(&changes).map_err(Arc::new));
                (jobs, result)
            });
            // Waiting callers get the error that the file is closed, now and from now on.
            let Ok((jobs, Some(result))) = written.await else { return };
            for (changes, done) in jobs {
                if result.is_ok() {
                    known.lock().unwrap_or_else(PoisonError::into_inner).apply(changes);
                }
                let answer = match &result {
                    Ok(()) => Ok(()),
                    Err(source) => Err(StoreError::Write { path: path.clone(), source: Arc::clone(source) }),
                };
                // The caller may have been cancelled; the change is written nevertheless.
                drop(done.send(answer));
            }
        }
        // If the runtime ends meanwhile, no caller waits: the database closes when it is dropped, and written changes are
        // safe.
        let closed = durability.wait(move || {
            let database = database.lock().unwrap_or_else(PoisonError::into_inner).take();
            database.map_or(Ok(()), Database::close)
        });
        if let Ok(Err(source)) = closed.await {
            let error = StoreError::Database { path, source };
            tracing::warn!(error = with_cause(&error), "failed to close the state file");
        }
        // Said aloud, not left to the drop: a process that is being started beside this one may have inherited the handle.
        if let Some(Err(error)) = lock.map(|lock| lock.unlock()) {
            tracing::warn!(%error, "failed to unlock the state file");
        }
    }
}
