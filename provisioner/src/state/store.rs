//! The SQLite file behind the state.
//!
//! One task owns the connection and writes what has queued up in one transaction, so that many users' intents
//! cost one flush; a caller goes on when its own change is durable. A lock file beside the database keeps a second
//! run out for as long as this process lives, however it ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteLockingMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{Change, ConnectionRecord, Record};
use crate::ids::{ScimUrl, SourceId};

/// The layout this version reads and writes (`PRAGMA user_version`).
const LAYOUT: i64 = 1;
/// Changes written in one transaction at most.
const BATCH: usize = 512;

const CREATE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE target (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
CREATE TABLE subject (
  target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL,
  account TEXT, user_name TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (target, source_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX subject_account ON subject (target, account) WHERE account IS NOT NULL;
CREATE TABLE removal (target INTEGER NOT NULL REFERENCES target (id), at INTEGER NOT NULL);
CREATE TABLE source (only INTEGER PRIMARY KEY CHECK (only = 1), identity TEXT NOT NULL);
PRAGMA user_version = 1;
COMMIT;
";

/// All that is stored for a URL: what kind of row, its text, and whose it is. One statement, because each has a way to
/// the connection's thread and back.
const LOAD: &str = "
SELECT 0, record, CAST (id AS TEXT) FROM target WHERE url = ?1
UNION ALL SELECT 1, subject.record, source_id FROM target JOIN subject ON target = id WHERE url = ?1
UNION ALL SELECT 2, CAST (at AS TEXT), '' FROM target JOIN removal ON target = id WHERE url = ?1
UNION ALL SELECT 3, identity, '' FROM source
";

/// How much a finished write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A loss of power (`synchronous = FULL`).
    #[default]
    Full,
    /// An end of this process between two writes, and no worse (`synchronous = OFF`, the journal in memory): for test
    /// harnesses.
    Off,
}

/// Whether the file is opened to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One process at a time.
    Write,
    /// To look, beside a run.
    Read,
}

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another run holds it.
    #[error("the state file {0} is in use by another run; wait for it to end, or name another with --state")]
    InUse(PathBuf),
    /// The folder or the file cannot be written.
    #[error(
        "cannot open the state file {path}: {source}; check that its folder exists and is writable, or name another with --state"
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder has that name.
    #[error("the state {0} is a folder: name a file with --state")]
    Folder(PathBuf),
    /// It is no state file, or damaged.
    #[error(
        "cannot use the state file {path}: {source}; restore it from a copy, or name another with --state"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// Written by another version.
    #[error(
        "the state file {path} has layout {found}, this version reads {LAYOUT}: use the version that wrote it"
    )]
    Layout {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: i64,
    },
    /// A record that does not parse.
    #[error("the state file {path} holds an unreadable record: {message}; restore it from a copy")]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The writing task is gone.
    #[error("the state file was closed while it was being written")]
    Closed,
}

/// What was stored when the state was opened.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Every user known at this target.
    pub records: BTreeMap<SourceId, Arc<Record>>,
    /// The connection.
    pub connection: ConnectionRecord,
    /// Seconds since the epoch of the removals that were finished.
    pub removals: Vec<i64>,
    /// Where the users of the last run came from.
    pub source: Option<String>,
}

impl Loaded {
    fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Put(id, record) => drop(self.records.insert(id, record)),
                Change::Remove(id) => drop(self.records.remove(&id)),
                Change::Connection(record) => self.connection = *record,
                Change::Removal(at) => self.removals.push(at),
                Change::Source(identity) => self.source = Some(identity),
            }
        }
    }
}

type Job = (Vec<Change>, oneshot::Sender<Result<(), StoreError>>);

/// An open state file.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    /// The way to the writing task, and the task; `None` where there is none, or no longer.
    writer: Mutex<Option<(mpsc::UnboundedSender<Job>, JoinHandle<()>)>>,
    mirror: Arc<Mutex<Loaded>>,
}

impl Store {
    /// Opens (and makes, for writing) the state at `path` and reads all that is stored for `url`.
    pub async fn open(
        path: &Path,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Self, StoreError> {
        let still = |loaded| Self {
            path: path.to_owned(),
            writer: Mutex::new(None),
            mirror: Arc::new(Mutex::new(loaded)),
        };
        if access == Access::Read && !path.exists() {
            return Ok(still(Loaded::default()));
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
        let database = |source| StoreError::Database { path: path.to_owned(), source };
        let mut connection = connect(path, durability, access).await.map_err(database)?;
        if !prepare(&mut connection, path, access).await? {
            return Ok(still(Loaded::default()));
        }
        let (found, loaded) = load(&mut connection, url, path).await?;
        if access == Access::Read {
            connection.close().await.map_err(database)?;
            return Ok(still(if found.is_some() { loaded } else { Loaded::default() }));
        }
        let target = match found {
            Some(id) => id,
            None => insert(&mut connection, url).await.map_err(database)?,
        };
        forget_old(&mut connection, target, &loaded.removals).await.map_err(database)?;
        let mirror = Arc::new(Mutex::new(loaded));
        let (jobs, queue) = mpsc::unbounded_channel();
        let writer = Writer { connection, target, path: path.to_owned(), mirror: Arc::clone(&mirror), lock };
        let task = tokio::spawn(writer.run(queue));
        Ok(Self { path: path.to_owned(), writer: Mutex::new(Some((jobs, task))), mirror })
    }

    /// A copy of all that is stored.
    pub fn loaded(&self) -> Loaded {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is known of the connection.
    pub fn connection(&self) -> ConnectionRecord {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner).connection.clone()
    }

    /// Changes what is known of the connection until it is written the next time.
    pub fn amend_connection(&self, change: impl FnOnce(&mut ConnectionRecord)) {
        change(&mut self.mirror.lock().unwrap_or_else(PoisonError::into_inner).connection);
    }

    /// Writes `changes` together; they are durable when this returns.
    ///
    /// # Errors
    /// The state was opened for reading, is closed, or cannot be written.
    pub async fn write(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        let (done, answer) = oneshot::channel();
        {
            let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
            let (jobs, _) = writer.as_ref().ok_or(StoreError::Closed)?;
            jobs.send((changes, done)).map_err(|_| StoreError::Closed)?;
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Where the state is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the writing task and lets go of the file; what was written stays. Whoever writes afterwards is told so.
    pub async fn close(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((jobs, task)) = writer else { return };
        drop(jobs);
        if let Err(error) = task.await {
            tracing::warn!(%error, "the state's writer did not end well");
        }
    }
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

/// Elsewhere the folder's permissions decide.
#[cfg(not(unix))]
fn keep_private(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

async fn connect(
    path: &Path,
    durability: Durability,
    access: Access,
) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path).disable_statement_logging();
    if access == Access::Read {
        let reading = options.clone().read_only(true);
        if let Ok(mut connection) = reading.connect().await
            && readable(&mut connection).await
        {
            return Ok(connection);
        }
        // In a folder that cannot be written to, nobody else writes either.
        return reading.immutable(true).connect().await;
    }
    let options = options.create_if_missing(true);
    if durability == Durability::Off {
        let options = options.synchronous(SqliteSynchronous::Off);
        let options = options.locking_mode(SqliteLockingMode::Exclusive);
        return options.journal_mode(SqliteJournalMode::Memory).connect().await;
    }
    let mut connection = options.synchronous(SqliteSynchronous::Full).connect().await?;
    // Not among the options: there it comes before `synchronous`, and flushes a new file to disk.
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut connection).await?;
    Ok(connection)
}

/// Whether anything can be read over `connection`, which needs a shared-memory file beside the database.
async fn readable(connection: &mut SqliteConnection) -> bool {
    sqlx::query("SELECT count(*) FROM sqlite_master").fetch_one(connection).await.is_ok()
}

/// Checks the layout and makes it in a new file; whether there is one to read.
async fn prepare(connection: &mut SqliteConnection, path: &Path, access: Access) -> Result<bool, StoreError> {
    let database = |source| StoreError::Database { path: path.to_owned(), source };
    let found: i64 =
        sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await.map_err(database)?;
    match found {
        LAYOUT => Ok(true),
        0 if access == Access::Read => Ok(false),
        0 => sqlx::raw_sql(CREATE).execute(connection).await.map(|_| true).map_err(database),
        found => Err(StoreError::Layout { path: path.to_owned(), found }),
    }
}

async fn insert(connection: &mut SqliteConnection, url: &ScimUrl) -> Result<i64, sqlx::Error> {
    let made = sqlx::query("INSERT INTO target (url, record) VALUES (?, '{}')")
        .bind(url.to_string())
        .execute(connection)
        .await?;
    Ok(made.last_insert_rowid())
}

/// The target of this URL, where there is one, and what is stored for it.
async fn load(
    connection: &mut SqliteConnection,
    url: &ScimUrl,
    path: &Path,
) -> Result<(Option<i64>, Loaded), StoreError> {
    let database = |source| StoreError::Database { path: path.to_owned(), source };
    let unreadable = |message: String| StoreError::Record { path: path.to_owned(), message };
    let parsed = |error: serde_json::Error| unreadable(error.to_string());
    let number = |text: &str| text.parse::<i64>().map_err(|error| unreadable(error.to_string()));
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as(LOAD).bind(url.to_string()).fetch_all(connection).await.map_err(database)?;
    let (mut target, mut loaded) = (None, Loaded::default());
    for (kind, text, whose) in rows {
        match kind {
            0 => {
                target = Some(number(&whose)?);
                loaded.connection = serde_json::from_str(&text).map_err(parsed)?;
            }
            1 => {
                let record: Record = serde_json::from_str(&text).map_err(parsed)?;
                let id = whose.parse::<SourceId>().map_err(|error| unreadable(error.to_string()))?;
                loaded.records.insert(id, Arc::new(record));
            }
            2 => loaded.removals.push(number(&text)?),
            _ => loaded.source = Some(text),
        }
    }
    Ok((target, loaded))
}

/// The guard looks back 24 hours; what is much older than the newest removal serves nobody.
async fn forget_old(
    connection: &mut SqliteConnection,
    target: i64,
    removals: &[i64],
) -> Result<(), sqlx::Error> {
    let old = removals.iter().max().map_or(0, |newest| newest - 2 * 24 * 60 * 60);
    if removals.iter().any(|at| *at < old) {
        let delete = sqlx::query("DELETE FROM removal WHERE target = ? AND at < ?").bind(target).bind(old);
        delete.execute(connection).await?;
    }
    Ok(())
}

/// The task that owns the connection.
struct Writer {
    connection: SqliteConnection,
    target: i64,
    path: PathBuf,
    mirror: Arc<Mutex<Loaded>>,
    lock: Option<File>,
}

impl Writer {
    async fn run(mut self, mut queue: mpsc::UnboundedReceiver<Job>) {
        while let Some(first) = queue.recv().await {
            let mut jobs = vec![first];
            while jobs.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
                jobs.push(job);
            }
            let result = self.write(&jobs).await;
            for (changes, done) in jobs {
                if result.is_ok() {
                    self.mirror.lock().unwrap_or_else(PoisonError::into_inner).apply(changes);
                }
                let answer = match &result {
                    Ok(()) => Ok(()),
                    Err(error) => Err(StoreError::Database {
                        path: self.path.clone(),
                        source: sqlx::Error::Io(std::io::Error::other(error.to_string())),
                    }),
                };
                // Whoever asked may have been cancelled; the change is written all the same.
                drop(done.send(answer));
            }
        }
        if let Err(error) = self.connection.close().await {
            tracing::warn!(%error, "cannot close the state file cleanly");
        }
        // Said aloud, not left to the drop: a process that is being started beside this one may have inherited the handle.
        if let Some(Err(error)) = self.lock.map(|lock| lock.unlock()) {
            tracing::warn!(%error, "cannot unlock the state file");
        }
    }

    async fn write(&mut self, jobs: &[Job]) -> Result<(), sqlx::Error> {
        let mut changes = jobs.iter().flat_map(|(changes, _)| changes);
        if let (Some(only), None) = (changes.next(), changes.next()) {
            // One statement is a transaction of its own.
            return apply(&mut self.connection, self.target, only).await;
        }
        let mut transaction = self.connection.begin().await?;
        for change in jobs.iter().flat_map(|(changes, _)| changes) {
            apply(&mut transaction, self.target, change).await?;
        }
        transaction.commit().await
    }
}

async fn apply(connection: &mut SqliteConnection, target: i64, change: &Change) -> Result<(), sqlx::Error> {
    let encode = |error: serde_json::Error| sqlx::Error::Encode(Box::new(error));
    match change {
        Change::Put(id, record) => {
            sqlx::query(
                "INSERT INTO subject (target, source_id, account, user_name, record) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT (target, source_id) DO UPDATE SET account = excluded.account, \
                 user_name = excluded.user_name, record = excluded.record",
            )
            .bind(target)
            .bind(id.as_str())
            .bind(record.link.as_ref().map(|link| link.account.as_str()))
            .bind(record.user_name.as_str())
            .bind(serde_json::to_string(&**record).map_err(encode)?)
            .execute(connection)
            .await?;
        }
        Change::Remove(id) => {
            sqlx::query("DELETE FROM subject WHERE target = ? AND source_id = ?")
                .bind(target)
                .bind(id.as_str())
                .execute(connection)
                .await?;
        }
        Change::Connection(record) => {
            sqlx::query("UPDATE target SET record = ? WHERE id = ?")
                .bind(serde_json::to_string(&**record).map_err(encode)?)
                .bind(target)
                .execute(connection)
                .await?;
        }
        Change::Removal(at) => {
            sqlx::query("INSERT INTO removal (target, at) VALUES (?, ?)")
                .bind(target)
                .bind(*at)
                .execute(connection)
                .await?;
        }
        Change::Source(identity) => {
            sqlx::query("INSERT OR REPLACE INTO source (only, identity) VALUES (1, ?)")
                .bind(identity)
                .execute(connection)
                .await?;
        }
    }
    Ok(())
}
