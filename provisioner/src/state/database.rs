//! The SQL of the state file.

use std::path::Path;
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use super::store::{Access, Durability, Loaded, StoreError};
use super::{Record, StateChange, Withdrawal, WithdrawalKind};
use crate::ids::{ScimUrl, SourceId};

/// The layout this version reads and writes (`PRAGMA user_version`).
pub(super) const LAYOUT: i64 = 2;

const CREATE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE target (id INTEGER PRIMARY KEY, url TEXT NOT NULL UNIQUE, record TEXT NOT NULL);
CREATE TABLE subject (
  target INTEGER NOT NULL REFERENCES target (id), source_id TEXT NOT NULL,
  account TEXT, user_name TEXT NOT NULL, record TEXT NOT NULL,
  PRIMARY KEY (target, source_id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX subject_account ON subject (target, account) WHERE account IS NOT NULL;
CREATE TABLE removal (
  target INTEGER NOT NULL REFERENCES target (id), at INTEGER NOT NULL, disable INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE source (only INTEGER PRIMARY KEY CHECK (only = 1), identity TEXT NOT NULL);
PRAGMA user_version = 2;
COMMIT;
";

/// From layout 1, which did not count disables, to layout 2.
const MIGRATE: &str = "
BEGIN IMMEDIATE;
ALTER TABLE removal ADD COLUMN disable INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
COMMIT;
";

/// Everything that is stored for a URL: the kind of row, its text, and its owner. One statement, because each has to be
/// parsed.
const LOAD: &str = "
SELECT 0, record, CAST (id AS TEXT) FROM target WHERE url = ?1
UNION ALL SELECT 1, subject.record, source_id FROM target JOIN subject ON target = id WHERE url = ?1
UNION ALL SELECT 2, CAST (at AS TEXT), CAST (removal.disable AS TEXT) FROM target JOIN removal ON target = id WHERE url = ?1
UNION ALL SELECT 3, identity, '' FROM source
";

/// An open database.
pub(super) struct Database {
    connection: Connection,
    /// The row of the URL it was opened for.
    target: i64,
}

impl Database {
    /// Opens (and makes, for writing) the database at `path`, with all that it holds for `url`. `None` if there is
    /// nothing, and nothing may be written.
    pub(super) fn open(
        path: &Path,
        url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Option<(Self, Loaded)>, StoreError> {
        let failed = |source| StoreError::Database { path: path.to_owned(), source };
        let connection = connect(path, durability, access).map_err(failed)?;
        let Some(layout) = prepare(&connection, path, access)? else { return Ok(None) };
        let (found, loaded) = load(&connection, url, path, layout)?;
        let target = match found {
            Some(id) => id,
            None if access == Access::Read => return Ok(None),
            None => insert(&connection, url).map_err(failed)?,
        };
        if access == Access::Write {
            forget_old(&connection, target, &loaded.withdrawals).map_err(failed)?;
        }
        Ok(Some((Self { connection, target }, loaded)))
    }

    /// Writes the changes in one transaction.
    pub(super) fn write(&mut self, changes: &[&StateChange]) -> rusqlite::Result<()> {
        if let [only] = changes {
            // One statement is a transaction of its own.
            return apply(&self.connection, self.target, only);
        }
        let transaction = self.connection.transaction()?;
        for change in changes {
            apply(&transaction, self.target, change)?;
        }
        transaction.commit()
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
        return match read_only(path, flags) {
            Ok(connection) => Ok(connection),
            // No other process writes in a read-only folder either.
            Err(error) => {
                tracing::debug!(%error, "failed to open the state file with shared memory; reading it without");
                immutable(path, flags)
            }
        };
    }
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;
    connection.execute_batch(match durability {
        Durability::Off => {
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"
        }
        // In this order: the other way round a new file is flushed to disk.
        Durability::Full => "PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL",
    })?;
    Ok(connection)
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

/// Checks the layout, and makes it in a new file or brings an older one to it; the layout that there is to read.
fn prepare(connection: &Connection, path: &Path, access: Access) -> Result<Option<i64>, StoreError> {
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
    match (found, access) {
        (LAYOUT, _) | (1, Access::Read) => Ok(Some(found)),
        (0, Access::Read) => Ok(None),
        (0, Access::Write) => connection.execute_batch(CREATE).map(|()| Some(LAYOUT)).map_err(failed),
        (1, Access::Write) => connection.execute_batch(MIGRATE).map(|()| Some(LAYOUT)).map_err(failed),
        (found, _) => Err(StoreError::Layout { path: path.to_owned(), found }),
    }
}

fn insert(connection: &Connection, url: &ScimUrl) -> rusqlite::Result<i64> {
    connection.execute("INSERT INTO target (url, record) VALUES (?, '{}')", [url.to_string()])?;
    Ok(connection.last_insert_rowid())
}

/// Loads the target of this URL, if it is stored, and its state.
fn load(
    connection: &Connection,
    url: &ScimUrl,
    path: &Path,
    layout: i64,
) -> Result<(Option<i64>, Loaded), StoreError> {
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let invalid = |source| StoreError::Record { path: path.to_owned(), source };
    let number = |text: &str| text.parse::<i64>().map_err(|error| invalid(error.into()));
    let query = if layout == 1 { LOAD.replace("removal.disable", "0") } else { LOAD.to_owned() };
    let mut statement = connection.prepare(&query).map_err(failed)?;
    let mut rows = statement.query([url.to_string()]).map_err(failed)?;
    let (mut target, mut loaded) = (None, Loaded::default());
    while let Some(row) = rows.next().map_err(failed)? {
        let (kind, text, whose): (i64, String, String) = row.try_into().map_err(failed)?;
        match kind {
            0 => {
                target = Some(number(&whose)?);
                loaded.connection = serde_json::from_str(&text).map_err(|error| invalid(error.into()))?;
            }
            1 => {
                let record: Record = serde_json::from_str(&text).map_err(|error| invalid(error.into()))?;
                let id = whose.parse::<SourceId>().map_err(|error| invalid(error.into()))?;
                loaded.records.insert(id, Arc::new(record));
            }
            2 => {
                let kind = if whose == "0" { WithdrawalKind::Removal } else { WithdrawalKind::Disable };
                loaded.withdrawals.push(Withdrawal { at: number(&text)?, kind });
            }
            _ => loaded.source = Some(text),
        }
    }
    Ok((target, loaded))
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

fn apply(connection: &Connection, target: i64, change: &StateChange) -> rusqlite::Result<()> {
    let encode = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    match change {
        StateChange::Put(id, record) => connection
            .prepare_cached(
                "INSERT INTO subject (target, source_id, account, user_name, record) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT (target, source_id) DO UPDATE SET account = excluded.account, \
                 user_name = excluded.user_name, record = excluded.record",
            )?
            .execute(params![
                target,
                id.as_str(),
                record.link.as_ref().map(|link| link.account.as_str()),
                record.user_name.as_str(),
                serde_json::to_string(&**record).map_err(encode)?,
            ]),
        StateChange::Remove(id) => connection
            .prepare_cached("DELETE FROM subject WHERE target = ? AND source_id = ?")?
            .execute(params![target, id.as_str()]),
        StateChange::Connection(record) => connection
            .prepare_cached("UPDATE target SET record = ? WHERE id = ?")?
            .execute(params![serde_json::to_string(&**record).map_err(encode)?, target]),
        StateChange::Withdrawal(Withdrawal { at, kind }) => connection
            .prepare_cached("INSERT INTO removal (target, at, disable) VALUES (?, ?, ?)")?
            .execute(params![target, at, *kind == WithdrawalKind::Disable]),
        StateChange::Source(identity) => connection
            .prepare_cached("INSERT OR REPLACE INTO source (only, identity) VALUES (1, ?)")?
            .execute([identity]),
    }
    .map(drop)
}
