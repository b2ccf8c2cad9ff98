//! The SQL of the state file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::groups::GroupRecord;
use super::index::{Flags, Index, IndexError, IndexRow};
use super::postgres::PostgresError;
use super::store::{Access, Durability, Known, StoreError};
use super::{Record, StateChange, Withdrawal, WithdrawalKind, audit_log};
use crate::id_set::IdSet;
use crate::ids::{RuleName, ScimUrl, SourceId};

/// The layout this version reads and writes (`PRAGMA user_version`).
pub(super) const LAYOUT: i64 = 4;

/// `subject` has what a run asks of every user, so that a million of them are read in a second; `record` has the rest, which is
/// read for users with something to do.
const CREATE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE target (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
CREATE TABLE subject (
  target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL,
  account TEXT, fingerprint TEXT, rule TEXT, flags INTEGER NOT NULL, row INTEGER NOT NULL,
  PRIMARY KEY (target, source_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX subject_account ON subject (target, account) WHERE account IS NOT NULL;
CREATE TABLE record (
  row INTEGER PRIMARY KEY, target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL, record TEXT NOT NULL
);
CREATE TABLE removal (
  target INTEGER NOT NULL REFERENCES target (id), at INTEGER NOT NULL, disable INTEGER NOT NULL
);
CREATE TABLE source (only INTEGER PRIMARY KEY CHECK (only = 1), identity TEXT NOT NULL);
CREATE TABLE grouping (
  target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL,
  group_id TEXT, record TEXT NOT NULL, members BLOB NOT NULL,
  PRIMARY KEY (target, source_id)
);
CREATE UNIQUE INDEX grouping_group ON grouping (target, group_id) WHERE group_id IS NOT NULL;
PRAGMA user_version = 4;
COMMIT;
";

/// From layout 3, which had no groups, to layout 4.
const MIGRATE_3: &str = "
BEGIN IMMEDIATE;
CREATE TABLE grouping (
  target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL,
  group_id TEXT, record TEXT NOT NULL, members BLOB NOT NULL,
  PRIMARY KEY (target, source_id)
);
CREATE UNIQUE INDEX grouping_group ON grouping (target, group_id) WHERE group_id IS NOT NULL;
PRAGMA user_version = 4;
COMMIT;
";

/// The small part of what is stored for a URL: the kind of row, its text, and its owner. One statement, because each has to be
/// parsed.
const LOAD: &str = "
SELECT 0, record, CAST (id AS TEXT) FROM target WHERE url = ?1
UNION ALL SELECT 2, CAST (at AS TEXT), CAST (removal.disable AS TEXT) FROM target JOIN removal ON target = id WHERE url = ?1
UNION ALL SELECT 3, identity, '' FROM source
";

/// A user with its account, as the groups have to know it.
pub(crate) struct UserAccount<'a> {
    pub(crate) source_id: &'a str,
    pub(crate) account: Option<&'a str>,
    /// The rule that owned it when it was last evaluated.
    pub(crate) rule: Option<&'a str>,
    /// Whether a rule owned its account then.
    pub(crate) is_owned: bool,
    /// Its record, if it was asked for.
    pub(crate) record: Option<Record>,
}

/// An open database.
#[derive(Debug)]
pub(super) struct Database {
    connection: Connection,
    /// The row of the URL it was opened for.
    target: i64,
    /// The row of the next new record.
    next_row: i64,
}

impl Database {
    /// Opens (and makes, for writing) the database at `path`, with all that it holds for `url`. `None` if there is
    /// nothing, and nothing may be written.
    pub(super) fn open(
        path: &Path,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Option<(Self, Known)>, StoreError> {
        let failed = |source| StoreError::Database { path: path.to_owned(), source };
        let connection = connect(path, durability, access).map_err(failed)?;
        if !prepare(&connection, path, access)? {
            return Ok(None);
        }
        let (found, loaded) = load(&connection, url, path)?;
        let target = match found {
            Some(id) => id,
            None if access == Access::Read => return Ok(None),
            None => insert(&connection, url).map_err(failed)?,
        };
        if access == Access::Write {
            audit_log::create(&connection).map_err(failed)?;
            forget_old(&connection, target, &loaded.withdrawals).map_err(failed)?;
        }
        let next_row = connection
            .query_row("SELECT coalesce(max(row), 0) + 1 FROM record", [], |row| row.get(0))
            .map_err(failed)?;
        Ok(Some((Self { connection, target, next_row }, loaded)))
    }

    /// Writes the changes in one transaction.
    pub(super) fn write(&mut self, changes: &[&StateChange]) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for change in changes {
            apply(&transaction, self.target, &mut self.next_row, change)?;
        }
        transaction.commit()
    }

    /// Reads what a run has to know of every user.
    pub(super) fn index(&self) -> Result<Index, ReadError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT row, source_id, account, fingerprint, rule, flags FROM subject WHERE target = ?",
        )?;
        let mut rows = statement.query([self.target])?;
        let mut index = Index::default();
        while let Some(row) = rows.next()? {
            let text = |column: usize| -> Result<Option<&str>, ReadError> {
                Ok(row.get_ref(column)?.as_str_or_null()?)
            };
            index.push(&IndexRow {
                row: row.get(0)?,
                source_id: text(1)?.unwrap_or_default(),
                account: text(2)?,
                fingerprint: text(3)?,
                rule: text(4)?,
                flags: row.get(5)?,
            })?;
        }
        Ok(index)
    }

    /// Reads the records in `rows`, in that order.
    pub(super) fn records(&self, rows: &[i64]) -> Result<Vec<(SourceId, Record)>, ReadError> {
        let mut statement =
            self.connection.prepare_cached("SELECT source_id, record FROM record WHERE row = ?")?;
        rows.iter()
            .map(|row| {
                let (id, record): (String, String) =
                    statement.query_row([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
                parse_record(&id, &record)
            })
            .collect()
    }

    /// Reads the record of a user.
    pub(super) fn record_of(&self, id: &SourceId) -> Result<Option<Record>, ReadError> {
        let query = "SELECT record.record FROM subject JOIN record USING (row) \
                     WHERE subject.target = ? AND subject.source_id = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        let record: Option<String> =
            statement.query_row(params![self.target, id.as_str()], |row| row.get(0)).optional()?;
        record.map(|record| Ok(parse_record(id.as_str(), &record)?.1)).transpose()
    }

    /// Reads the ids of the users in `rows`, in that order.
    pub(super) fn source_ids(&self, rows: &[i64]) -> Result<Vec<SourceId>, ReadError> {
        let mut statement = self.connection.prepare_cached("SELECT source_id FROM record WHERE row = ?")?;
        rows.iter()
            .map(|row| {
                let id: String = statement.query_row([row], |row| row.get(0))?;
                id.parse().map_err(ReadError::record)
            })
            .collect()
    }

    /// Reads every record, by id.
    pub(super) fn all_records(&self) -> Result<BTreeMap<SourceId, Arc<Record>>, ReadError> {
        let mut statement =
            self.connection.prepare_cached("SELECT source_id, record FROM record WHERE target = ?")?;
        let mut rows = statement.query([self.target])?;
        let mut records = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (id, record): (String, String) = row.try_into()?;
            let (id, record) = parse_record(&id, &record)?;
            records.insert(id, Arc::new(record));
        }
        Ok(records)
    }

    /// Hands every user to `take`, in the order of their ids; with its record only if `with_records`.
    pub(super) fn accounts(
        &self,
        with_records: bool,
        mut take: impl FnMut(UserAccount<'_>),
    ) -> Result<(), ReadError> {
        let mut statement = self.connection.prepare_cached(if with_records {
            "SELECT subject.source_id, account, rule, flags, record FROM subject JOIN record ON record.row = subject.row \
             WHERE subject.target = ? ORDER BY subject.source_id"
        } else {
            "SELECT source_id, account, rule, flags, NULL FROM subject WHERE target = ? ORDER BY source_id"
        })?;
        let mut rows = statement.query([self.target])?;
        while let Some(row) = rows.next()? {
            let text = |column: usize| -> Result<Option<&str>, ReadError> {
                Ok(row.get_ref(column)?.as_str_or_null()?)
            };
            let record = match text(4)? {
                Some(record) => Some(serde_json::from_str(record).map_err(ReadError::record)?),
                None => None,
            };
            take(UserAccount {
                source_id: text(0)?.unwrap_or_default(),
                account: text(1)?,
                rule: text(2)?,
                is_owned: Flags::from_bits(row.get(3)?).is_owned(),
                record,
            });
        }
        Ok(())
    }

    /// Reads every group.
    pub(super) fn groups(&self) -> Result<BTreeMap<SourceId, Arc<GroupRecord>>, ReadError> {
        let has_groups = "SELECT count(*) FROM sqlite_master WHERE name = 'grouping'";
        if self.connection.query_row(has_groups, [], |row| row.get::<_, i64>(0))? == 0 {
            return Ok(BTreeMap::new());
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT source_id, record, members FROM grouping WHERE target = ?")?;
        let mut rows = statement.query([self.target])?;
        let mut groups = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let (id, text, members): (String, String, Vec<u8>) = row.try_into()?;
            let mut record: GroupRecord = serde_json::from_str(&text).map_err(ReadError::record)?;
            record.written = IdSet::from_bytes(members).map_err(ReadError::record)?;
            groups.insert(id.parse::<SourceId>().map_err(ReadError::record)?, Arc::new(record));
        }
        Ok(groups)
    }

    /// Closes the file.
    pub(super) fn close(self) -> rusqlite::Result<()> {
        self.connection.close().map_err(|(_, error)| error)
    }
}

fn connect(path: &Path, durability: Durability, access: Access) -> rusqlite::Result<Connection> {
    // One task has it at a time: SQLite need not lock against others in this process.
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if access == Access::Read {
        return connect_to_read(path, flags);
    }
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.execute_batch(match durability {
        Durability::Off => {
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"
        }
        // In this order: the other way round a new file is flushed to disk.
        Durability::Full => {
            "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 8192"
        }
    })?;
    Ok(connection)
}

/// Opens a file to read it, beside a run or in a read-only folder.
pub(super) fn connect_to_read(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    match read_only(path, flags) {
        Ok(connection) => Ok(connection),
        // No other process writes in a read-only folder either.
        Err(error) => {
            tracing::debug!(%error, "failed to open the state file with shared memory; reading it without");
            immutable(path, flags)
        }
    }
}

/// Opens a file that cannot change while it is open: no shared memory beside it is needed.
fn immutable(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // RFC 8089 leaves relative names out.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let address = url::Url::from_file_path(&absolute).map_err(|()| rusqlite::Error::InvalidPath(absolute))?;
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("{address}?immutable=1"), flags)
}

/// Opens a file that another process may write: reading needs a shared-memory file beside the database.
fn read_only(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(connection)
}

/// Checks the layout, and makes it in a new file; returns whether there is one.
fn prepare(connection: &Connection, path: &Path, access: Access) -> Result<bool, StoreError> {
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match (found, access) {
        (LAYOUT, _) => Ok(true),
        (0, Access::Read) => Ok(false),
        (0, Access::Write | Access::Work) => connection.execute_batch(CREATE).map(|()| true).map_err(failed),
        (3, Access::Write | Access::Work) => {
            connection.execute_batch(MIGRATE_3).map(|()| true).map_err(failed)
        }
        // It has no groups, and a reader does not make their table.
        (3, Access::Read) => Ok(true),
        (found, _) => Err(StoreError::Layout { path: path.to_owned(), found }),
    }
}

fn insert(connection: &Connection, url: &ScimUrl) -> rusqlite::Result<i64> {
    connection.execute("INSERT INTO target (url, record) VALUES (?, '{}')", [url.to_string()])?;
    Ok(connection.last_insert_rowid())
}

/// Loads the target of this URL, if it is stored, and what is known of it.
fn load(connection: &Connection, url: &ScimUrl, path: &Path) -> Result<(Option<i64>, Known), StoreError> {
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let invalid = |source| StoreError::Record { path: path.to_owned(), source };
    let number = |text: &str| text.parse::<i64>().map_err(|error| invalid(error.into()));
    let mut statement = connection.prepare(LOAD).map_err(failed)?;
    let mut rows = statement.query([url.to_string()]).map_err(failed)?;
    let (mut target, mut known) = (None, Known::default());
    while let Some(row) = rows.next().map_err(failed)? {
        let (kind, text, whose): (i64, String, String) = row.try_into().map_err(failed)?;
        match kind {
            0 => {
                target = Some(number(&whose)?);
                known.connection = serde_json::from_str(&text).map_err(|error| invalid(error.into()))?;
            }
            2 => {
                let kind = match whose.as_str() {
                    "0" => WithdrawalKind::Removal,
                    "2" => WithdrawalKind::Group,
                    _ => WithdrawalKind::Disable,
                };
                known.withdrawals.push(Withdrawal { at: number(&text)?, kind });
            }
            _ => known.source = Some(text),
        }
    }
    Ok((target, known))
}

pub(super) fn parse_record(id: &str, record: &str) -> Result<(SourceId, Record), ReadError> {
    let record = serde_json::from_str(record).map_err(ReadError::record)?;
    Ok((id.parse::<SourceId>().map_err(ReadError::record)?, record))
}

/// A read of an open state file that failed.
#[derive(Debug)]
pub(super) enum ReadError {
    Database(rusqlite::Error),
    Postgres(PostgresError),
    Record(Box<dyn std::error::Error + Send + Sync>),
}

impl ReadError {
    pub(super) fn record(source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Record(Box::new(source))
    }

    /// Returns the error of the file at `path`.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Database(source) => StoreError::Database { path, source },
            Self::Postgres(source) => {
                StoreError::DatabaseUnusable { url: path.display().to_string(), source }
            }
            Self::Record(source) => StoreError::Record { path, source },
        }
    }
}

impl ReadError {
    /// Returns the error of the database at `url`.
    pub(super) fn in_database(self, url: &str) -> StoreError {
        let url = url.to_owned();
        match self {
            Self::Database(source) => StoreError::Database { path: url.into(), source },
            Self::Postgres(source) => StoreError::DatabaseUnusable { url, source },
            Self::Record(source) => StoreError::DatabaseRecord { url, source },
        }
    }
}

impl From<PostgresError> for ReadError {
    fn from(error: PostgresError) -> Self {
        Self::Postgres(error)
    }
}

impl From<tokio_postgres::Error> for ReadError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<IndexError> for ReadError {
    fn from(error: IndexError) -> Self {
        Self::record(error)
    }
}

impl From<rusqlite::types::FromSqlError> for ReadError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::record(error)
    }
}

/// Deletes old withdrawals. The guard looks back 24 hours, so those long before the newest one are not needed.
fn forget_old(connection: &Connection, target: i64, withdrawals: &[Withdrawal]) -> rusqlite::Result<()> {
    let times = || withdrawals.iter().map(|withdrawal| withdrawal.at);
    let old = times().max().map_or(0, |newest| newest - 2 * 24 * 60 * 60);
    if times().any(|at| at < old) {
        connection.execute("DELETE FROM removal WHERE target = ? AND at < ?", params![target, old])?;
    }
    Ok(())
}

fn apply(
    connection: &Connection,
    target: i64,
    next_row: &mut i64,
    change: &StateChange,
) -> rusqlite::Result<()> {
    let encode = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    match change {
        StateChange::Put(id, record) => {
            // A new user gets the next row; a known one keeps its own.
            let row: i64 = connection
                .prepare_cached(
                    "INSERT INTO subject (target, source_id, account, fingerprint, rule, flags, row) VALUES (?, ?, ?, ?, ?, ?, ?) \
                     ON CONFLICT (target, source_id) DO UPDATE SET account = excluded.account, \
                     fingerprint = excluded.fingerprint, rule = excluded.rule, flags = excluded.flags RETURNING row",
                )?
                .query_row(
                    params![
                        target,
                        id.as_str(),
                        record.link.as_ref().map(|link| link.account.as_str()),
                        record.fingerprint.as_deref(),
                        record.rule.as_ref().map(RuleName::as_str),
                        Flags::of(record).bits(),
                        *next_row,
                    ],
                    |row| row.get(0),
                )?;
            *next_row = (*next_row).max(row + 1);
            connection
                .prepare_cached("INSERT OR REPLACE INTO record (row, target, source_id, record) VALUES (?, ?, ?, ?)")?
                .execute(params![
                    row,
                    target,
                    id.as_str(),
                    serde_json::to_string(&**record).map_err(encode)?
                ])
        }
        StateChange::Remove(id) => {
            let deleted = connection
                .prepare_cached("DELETE FROM subject WHERE target = ? AND source_id = ? RETURNING row")?
                .query_row(params![target, id.as_str()], |row| row.get::<_, i64>(0))
                .optional()?;
            match deleted {
                Some(row) => connection.prepare_cached("DELETE FROM record WHERE row = ?")?.execute([row]),
                None => Ok(0),
            }
        }
        StateChange::Connection(record) => connection
            .prepare_cached("UPDATE target SET record = ? WHERE id = ?")?
            .execute(params![serde_json::to_string(&**record).map_err(encode)?, target]),
        StateChange::Withdrawal(Withdrawal { at, kind }) => connection
            .prepare_cached("INSERT INTO removal (target, at, disable) VALUES (?, ?, ?)")?
            .execute(params![target, at, kind_number(*kind)]),
        StateChange::Audit(entry) => audit_log::append(connection, target, entry),
        StateChange::ForgetAudit { days, now } => audit_log::forget(connection, target, *days, *now),
        StateChange::Source(identity) => connection
            .prepare_cached("INSERT OR REPLACE INTO source (only, identity) VALUES (1, ?)")?
            .execute([identity]),
        StateChange::PutGroup(id, record) => connection
            .prepare_cached(
                "INSERT INTO grouping (target, source_id, group_id, record, members) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT (target, source_id) DO UPDATE SET group_id = excluded.group_id, \
                 record = excluded.record, members = excluded.members",
            )?
            .execute(params![
                target,
                id.as_str(),
                record.link.as_ref().map(|link| link.id.as_str()),
                serde_json::to_string(&**record).map_err(encode)?,
                record.written.as_bytes(),
            ]),
        StateChange::RemoveGroup(id) => connection
            .prepare_cached("DELETE FROM grouping WHERE target = ? AND source_id = ?")?
            .execute(params![target, id.as_str()]),
        // Workers share no file.
        StateChange::Result { .. } => Ok(0),
    }
    .map(drop)
}

/// Returns the number that stands for the kind in the column `disable`.
const fn kind_number(kind: WithdrawalKind) -> i64 {
    match kind {
        WithdrawalKind::Removal => 0,
        WithdrawalKind::Disable => 1,
        WithdrawalKind::Group => 2,
    }
}
