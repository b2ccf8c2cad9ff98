//! The store behind the state: an SQLite file, or a PostgreSQL database.
//!
//! One task writes the queued changes in one transaction, so that many users' intents cost one
//! flush; a caller continues when its own change is durable. Users are not kept in memory: a run reads the `Index` of all of
//! them, and the records of those with something to do. A lock file beside the database keeps a second run out for
//! the lifetime of this process, however it ends.

mod error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use self::error::StoreError;
use super::database::{Database, ReadError, UserAccount};
use super::groups::GroupRecord;
use super::index::Index;
use super::location::StateLocation;
use super::postgres::{AllGroups, AllRecords, IdsIn, Postgres, PostgresError, RecordsIn};
use super::shared::Shared;
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
    /// To carry out what the process decided that writes: PostgreSQL only.
    Work,
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
                | StateChange::RemoveGroup(_)
                | StateChange::Result { .. } => {}
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

/// An open state.
#[derive(Debug)]
pub struct Store {
    /// The way to the writing task, and the task; `None` if there is none, or no longer.
    writer: Mutex<Option<(mpsc::UnboundedSender<Job>, JoinHandle<()>)>>,
    known: Arc<Mutex<Known>>,
    backend: Backend,
}

/// The place where the records are.
#[derive(Clone, Debug)]
enum Backend {
    File(StateFile),
    /// `None` if the database has nothing for the SCIM URL, and nothing may be written, or after the store was closed.
    Postgres(Arc<Mutex<Option<Arc<Postgres>>>>),
}

/// An SQLite file.
#[derive(Clone, Debug)]
struct StateFile {
    path: PathBuf,
    durability: Durability,
    /// `None` if there is no file, or after the store was closed.
    database: SharedDatabase,
}

type SharedDatabase = Arc<Mutex<Option<Database>>>;

impl Store {
    /// Opens (and makes, for writing) the state at `location` and reads all that is stored for `url`.
    pub async fn open(
        location: &StateLocation,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Self, StoreError> {
        match location {
            StateLocation::File(path) => Self::open_file(path, url, durability, access).await,
            StateLocation::Postgres(database) => {
                let found = Postgres::open(database, url, durability, access).await?;
                let (database, known) = found.unzip();
                let backend = Backend::Postgres(Arc::new(Mutex::new(database.map(Arc::new))));
                Ok(Self::opened(backend, known.unwrap_or_default(), access, None))
            }
        }
    }

    async fn open_file(
        path: &Path,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Self, StoreError> {
        let file = |database| {
            let database = Arc::new(Mutex::new(database));
            Backend::File(StateFile { path: path.to_owned(), durability, database })
        };
        let empty = || Self::opened(file(None), Known::default(), Access::Read, None);
        if access == Access::Read && !path.exists() {
            return Ok(empty());
        }
        if access == Access::Work {
            return Err(StoreError::NoDatabase(path.to_owned()));
        }
        if path.is_dir() {
            return Err(StoreError::Folder(path.to_owned()));
        }
        let lock = match access {
            Access::Write => Some(lock(path)?),
            Access::Read | Access::Work => None,
        };
        if access == Access::Write {
            keep_private(path).map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        }
        let found = {
            let (path, url) = (path.to_owned(), url.clone());
            durability.wait(move || Database::open(&path, &url, durability, access)).await??
        };
        let Some((database, known)) = found else { return Ok(empty()) };
        Ok(Self::opened(file(Some(database)), known, access, lock))
    }

    /// Starts the writing task, if the state may be written.
    fn opened(backend: Backend, known: Known, access: Access, lock: Option<File>) -> Self {
        let store = Self { writer: Mutex::new(None), known: Arc::new(Mutex::new(known)), backend };
        if access != Access::Read {
            let (jobs, queue) = mpsc::unbounded_channel();
            let writer = Writer { backend: store.backend.clone(), known: Arc::clone(&store.known), lock };
            let task = tokio::spawn(writer.run(queue));
            *store.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some((jobs, task));
        }
        store
    }

    /// Reads the whole state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn loaded(&self) -> Result<Loaded, StoreError> {
        let records = match &self.backend {
            Backend::File(file) => file.read(Database::all_records),
            Backend::Postgres(database) => read_now(database, AllRecords),
        }?;
        let Known { connection, withdrawals, source } = self.known();
        Ok(Loaded { records, connection, withdrawals, source, groups: self.groups()? })
    }

    /// Reads every group that is known at this target.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn groups(&self) -> Result<BTreeMap<SourceId, Arc<GroupRecord>>, StoreError> {
        match &self.backend {
            Backend::File(file) => file.read(Database::groups),
            Backend::Postgres(database) => read_now(database, AllGroups),
        }
    }

    /// Hands every user to `take`, in the order of their ids; with its record only if `with_records`, which takes longer.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn accounts<T: Default + Send + 'static>(
        &self,
        with_records: bool,
        take: impl Fn(&mut T, UserAccount<'_>) + Send + 'static,
    ) -> Result<T, StoreError> {
        match &self.backend {
            Backend::File(file) => {
                file.read_apart(move |database| {
                    let mut made = T::default();
                    database.accounts(with_records, |user| take(&mut made, user))?;
                    Ok(made)
                })
                .await
            }
            Backend::Postgres(database) => {
                let mut made = T::default();
                let Some(database) = open_database(database) else { return Ok(made) };
                let read = database.accounts(with_records, |user| take(&mut made, user)).await;
                read.map(|()| made).map_err(|error| error.in_database(database.url()))
            }
        }
    }

    /// Returns what is known of the target as a whole.
    pub(crate) fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the index of the users.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn index(&self) -> Result<Index, StoreError> {
        match &self.backend {
            Backend::File(file) => file.read_apart(Database::index).await,
            Backend::Postgres(database) => {
                let Some(database) = open_database(database) else { return Ok(Index::default()) };
                database.index().await.map_err(|error| error.in_database(database.url()))
            }
        }
    }

    /// Reads the records in `rows`, in that order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn records(&self, rows: Vec<i64>) -> Result<Vec<(SourceId, Record)>, StoreError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        match &self.backend {
            Backend::File(file) => file.read_apart(move |database| database.records(&rows)).await,
            Backend::Postgres(database) => {
                let Some(database) = open_database(database) else { return Ok(Vec::new()) };
                database.records(&rows).await.map_err(|error| error.in_database(database.url()))
            }
        }
    }

    /// Reads the record in `row`. A file is read at once: that takes less than the way to another thread.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn record(&self, row: i64) -> Result<Option<(SourceId, Record)>, StoreError> {
        match &self.backend {
            Backend::File(_) => Ok(self.records_now(&[row])?.pop()),
            Backend::Postgres(_) => Ok(self.records(vec![row]).await?.pop()),
        }
    }

    /// Reads the record of a user, as it is now.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn record_of(&self, id: SourceId) -> Result<Option<Record>, StoreError> {
        match &self.backend {
            Backend::File(file) => file.read_apart(move |database| database.record_of(&id)).await,
            Backend::Postgres(database) => {
                let Some(database) = open_database(database) else { return Ok(None) };
                database.record_of(&id).await.map_err(|error| error.in_database(database.url()))
            }
        }
    }

    /// Reads the id of the user in `row`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn source_id(&self, row: i64) -> Result<Option<SourceId>, StoreError> {
        Ok(self.source_ids(&[row])?.pop())
    }

    /// Reads the ids of the users in `rows`, in that order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn source_ids(&self, rows: &[i64]) -> Result<Vec<SourceId>, StoreError> {
        match &self.backend {
            Backend::File(file) => file.read(|database| database.source_ids(rows)),
            Backend::Postgres(database) => read_now(database, IdsIn(rows.to_vec())),
        }
    }

    /// Reads the records in `rows`, in that order, as [`Store::records`] does.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) fn records_now(&self, rows: &[i64]) -> Result<Vec<(SourceId, Record)>, StoreError> {
        match &self.backend {
            Backend::File(file) => file.read(|database| database.records(rows)),
            Backend::Postgres(database) => read_now(database, RecordsIn(rows.to_vec())),
        }
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

    /// Opens what the processes of a run share; at most `rate` requests are sent per second by all workers together.
    ///
    /// # Errors
    /// The state is no database, or cannot be reached.
    pub(crate) async fn shared(&self, rate: Option<NonZeroU32>) -> Result<Arc<Shared>, StoreError> {
        match &self.backend {
            Backend::File(file) => Err(StoreError::NoDatabase(file.path.clone())),
            Backend::Postgres(database) => {
                let database = open_database(database).ok_or(StoreError::Closed)?;
                Shared::open(database, rate.map(|rate| f64::from(rate.get()))).await
            }
        }
    }

    /// Reads again what is known of the target as a whole, after others have written it.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        let Backend::Postgres(database) = &self.backend else { return Ok(()) };
        let Some(database) = open_database(database) else { return Err(StoreError::Closed) };
        let known = database.known().await?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Returns the folder for temporary files.
    pub(crate) fn folder(&self) -> PathBuf {
        match &self.backend {
            Backend::File(file) => StateLocation::File(file.path.clone()).folder(),
            Backend::Postgres(_) => std::env::temp_dir(),
        }
    }

    /// Ends the writing task and closes the state; written changes stay. Later writes fail.
    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((jobs, task)) = writer else { return };
        drop(jobs);
        if let Err(error) = task.await {
            tracing::warn!(%error, "the task that writes the state failed");
        }
    }
}

impl StateFile {
    /// Reads, or returns the default if there is no database.
    fn read<T: Default>(
        &self,
        query: impl FnOnce(&Database) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().map_or_else(
            || Ok(T::default()),
            |database| query(database).map_err(|error| error.at(&self.path)),
        )
    }

    /// Reads as [`StateFile::read`] does, on a blocking thread.
    async fn read_apart<T: Default + Send + 'static>(
        &self,
        query: impl FnOnce(&Database) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = self.clone();
        self.durability.wait(move || file.read(query)).await?
    }
}

fn open_database(database: &Mutex<Option<Arc<Postgres>>>) -> Option<Arc<Postgres>> {
    database.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Reads from the database and waits, or returns the default if there is none.
fn read_now<T: Default + Send + 'static>(
    database: &Mutex<Option<Arc<Postgres>>>,
    read: impl super::postgres::AsyncReadOf<T>,
) -> Result<T, StoreError> {
    let Some(database) = open_database(database) else { return Ok(T::default()) };
    database.wait(read).map_err(|error| error.in_database(database.url()))
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

/// The task that writes the state.
struct Writer {
    backend: Backend,
    known: Arc<Mutex<Known>>,
    lock: Option<File>,
}

impl Writer {
    async fn run(self, mut queue: mpsc::UnboundedReceiver<Job>) {
        let Self { backend, known, lock } = self;
        while let Some(first) = queue.recv().await {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            // Waiting callers get the error that the state is closed, now and from now on.
            let Some((jobs, failed)) = backend.write(jobs).await else { return };
            for (changes, done) in jobs {
                if failed.is_none() {
                    known.lock().unwrap_or_else(PoisonError::into_inner).apply(changes);
                }
                // The caller may have been cancelled; the change is written nevertheless.
                drop(done.send(failed.as_ref().map_or(Ok(()), |failed| Err(failed.error()))));
            }
        }
        backend.close().await;
        // Said aloud, not left to the drop: a process that is being started beside this one may have inherited the handle.
        if let Some(Err(error)) = lock.map(|lock| lock.unlock()) {
            tracing::warn!(%error, "failed to unlock the state file");
        }
    }
}

/// The error of a transaction, for all whose changes were in it.
enum WriteFailure {
    File(PathBuf, Arc<rusqlite::Error>),
    Postgres(String, Arc<PostgresError>),
}

impl WriteFailure {
    fn error(&self) -> StoreError {
        match self {
            Self::File(path, source) => StoreError::Write { path: path.clone(), source: Arc::clone(source) },
            Self::Postgres(url, source) => {
                StoreError::DatabaseWrite { url: url.clone(), source: Arc::clone(source) }
            }
        }
    }
}

impl Backend {
    /// Writes the changes of `jobs` in one transaction, and returns the jobs. `None` if the state is closed.
    async fn write(&self, jobs: Vec<Job>) -> Option<(Vec<Job>, Option<WriteFailure>)> {
        match self {
            Self::File(file) => {
                let shared = Arc::clone(&file.database);
                let written = file.durability.wait(move || {
                    let changes: Vec<&StateChange> = jobs.iter().flat_map(|(changes, _)| changes).collect();
                    let mut database = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    let result = database.as_mut().map(|database| database.write(&changes));
                    (jobs, result)
                });
                let (jobs, result) = written.await.ok()?;
                let failed =
                    result?.err().map(|error| WriteFailure::File(file.path.clone(), Arc::new(error)));
                Some((jobs, failed))
            }
            Self::Postgres(database) => {
                let database = open_database(database)?;
                let changes: Vec<&StateChange> = jobs.iter().flat_map(|(changes, _)| changes).collect();
                let result = database.write(&changes).await;
                let failed = result
                    .err()
                    .map(|error| WriteFailure::Postgres(database.url().to_owned(), Arc::new(error)));
                Some((jobs, failed))
            }
        }
    }

    /// Closes the state. If the runtime ends meanwhile, no caller waits: the database closes when it is dropped, and written
    /// changes are safe.
    async fn close(self) {
        match self {
            Self::File(StateFile { path, durability, database }) => {
                let closed = durability.wait(move || {
                    let database = database.lock().unwrap_or_else(PoisonError::into_inner).take();
                    database.map_or(Ok(()), Database::close)
                });
                if let Ok(Err(source)) = closed.await {
                    let error = StoreError::Database { path, source };
                    tracing::warn!(error = with_cause(&error), "failed to close the state file");
                }
            }
            Self::Postgres(database) => {
                let database = database.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(database) = database {
                    database.close().await;
                }
            }
        }
    }
}
