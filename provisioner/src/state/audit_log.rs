//! The SQL of the audit log, which lies beside the state: an entry is durable with the outcome it describes.
//!
//! Its table is added to a file of any layout, because versions without it need not know it. A trigger refuses changes;
//! entries go when they are older than the retention.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use super::location::StateLocation;
use super::postgres;
use super::store::StoreError;
use crate::audit::AuditEntry;

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS audit (
  id INTEGER PRIMARY KEY, target INTEGER NOT NULL REFERENCES target (id), at INTEGER NOT NULL,
  entry TEXT NOT NULL
);
CREATE TRIGGER IF NOT EXISTS audit_is_append_only BEFORE UPDATE ON audit
BEGIN SELECT RAISE (ABORT, 'the audit log is append-only'); END;
";

const DAY: Duration = Duration::from_hours(24);

/// Returns the time of an entry, in seconds since the epoch.
pub(super) fn seconds_of(entry: &AuditEntry) -> i64 {
    entry.at().parse::<Timestamp>().map_or(0, Timestamp::as_second)
}

/// Returns the time of the oldest entry that is kept for `days`, in seconds since the epoch.
pub(super) fn kept_since(days: u32, now: SystemTime) -> i64 {
    let since = now.checked_sub(DAY.saturating_mul(days)).unwrap_or(SystemTime::UNIX_EPOCH);
    Timestamp::try_from(since).map_or(0, Timestamp::as_second)
}

/// Makes the table, if it is not there.
pub(super) fn create(connection: &Connection) -> rusqlite::Result<()> {
    let exists = "SELECT 1 FROM sqlite_master WHERE name = 'audit_is_append_only'";
    match connection.query_row(exists, [], |_| Ok(())).optional()? {
        Some(()) => Ok(()),
        None => connection.execute_batch(CREATE),
    }
}

/// Appends an entry.
pub(super) fn append(connection: &Connection, target: i64, entry: &AuditEntry) -> rusqlite::Result<usize> {
    let encode = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
    let at = seconds_of(entry);
    connection.prepare_cached("INSERT INTO audit (target, at, entry) VALUES (?, ?, ?)")?.execute(params![
        target,
        at,
        serde_json::to_string(entry).map_err(encode)?
    ])
}

/// Deletes the entries of this target from before `days` ago.
pub(super) fn forget(
    connection: &Connection,
    target: i64,
    days: u32,
    now: SystemTime,
) -> rusqlite::Result<usize> {
    let since = kept_since(days, now);
    // The first entry is the oldest one: most often that is all there is to look at.
    let oldest = "SELECT at FROM audit WHERE target = ? ORDER BY id LIMIT 1";
    match connection.query_row(oldest, [target], |row| row.get::<_, i64>(0)).optional()? {
        Some(at) if at < since => {
            connection.execute("DELETE FROM audit WHERE target = ? AND at < ?", params![target, since])
        }
        Some(_) | None => Ok(0),
    }
}

/// Calls `each` with every entry of the state from `since` on, oldest first, with the SCIM URL it belongs to. The
/// state may be in use by a run; one that is not there has no entries.
///
/// # Errors
/// There is no state at that place, or an entry does not parse.
pub async fn read_audit_log(
    state: &StateLocation,
    since: Timestamp,
    each: &mut (dyn FnMut(&str, AuditEntry) + Send),
) -> Result<(), StoreError> {
    match state {
        StateLocation::File(path) => read_file(path, since, each),
        StateLocation::Postgres(url) => postgres::read_audit_log(url, since, each).await,
    }
}

fn read_file(
    path: &Path,
    since: Timestamp,
    each: &mut (dyn FnMut(&str, AuditEntry) + Send),
) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    if path.is_dir() {
        return Err(StoreError::Folder(path.to_owned()));
    }
    let failed = |source| StoreError::Database { path: path.to_owned(), source };
    let invalid = |source| StoreError::Record { path: path.to_owned(), source };
    let connection =
        super::database::connect_to_read(path, OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    let exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'audit'";
    if connection.query_row(exists, [], |_| Ok(())).optional().map_err(failed)?.is_none() {
        return Ok(());
    }
    let query =
        "SELECT url, entry FROM audit JOIN target ON target = target.id WHERE at >= ? ORDER BY audit.id";
    let mut statement = connection.prepare(query).map_err(failed)?;
    let mut rows = statement.query([since.as_second()]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        let (url, entry): (String, String) = row.try_into().map_err(failed)?;
        each(&url, serde_json::from_str(&entry).map_err(|error| invalid(error.into()))?);
    }
    Ok(())
}
