//! Errors of the state, each with its way out.

use std::path::PathBuf;
use std::sync::Arc;

use crate::state::database::LAYOUT;
use crate::state::location::PostgresUrl;
use crate::state::postgres::PostgresError;

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
    /// Another run holds the lock of this SCIM URL.
    #[error("failed to open the state database {0}: another run uses it for this SCIM URL")]
    DatabaseInUse(String),
    /// The database cannot be reached or read.
    #[error("failed to use the state database {url}")]
    DatabaseUnusable {
        /// The database, without the password.
        url: String,
        /// PostgreSQL's error.
        source: PostgresError,
    },
    /// A change was not written to the database.
    #[error("failed to write the state database {url}")]
    DatabaseWrite {
        /// The database, without the password.
        url: String,
        /// PostgreSQL's error, shared by all whose changes were in the transaction.
        source: Arc<PostgresError>,
    },
    /// Another version made the tables.
    #[error("invalid state database {url}: expected layout {LAYOUT}, found layout {found}")]
    DatabaseLayout {
        /// The database, without the password.
        url: String,
        /// Its layout.
        found: i64,
    },
    /// A record in the database does not parse.
    #[error("failed to read a record of the state database {url}")]
    DatabaseRecord {
        /// The database, without the password.
        url: String,
        /// The problem with the record.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Workers share a database.
    #[error("invalid state {0}: workers need a PostgreSQL database")]
    NoDatabase(PathBuf),
    /// The writing task is gone.
    #[error("failed to write the state: it was closed")]
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
            Self::DatabaseInUse(_) => "wait for that run to end",
            Self::DatabaseUnusable { .. } => {
                "check that the database runs, and that the URL, the password and PGSSLROOTCERT are right"
            }
            Self::DatabaseWrite { .. } => "check that the database runs and has disk space, and run again",
            Self::DatabaseLayout { .. } => "use the version that made it",
            Self::DatabaseRecord { .. } => "restore the database from a backup",
            Self::NoDatabase(_) => "give the coordinator and all workers the same postgres:// URL",
            Self::Closed => "run again",
        }
    }

    /// Returns the error of the job queue in the database.
    pub(crate) fn queue(url: &PostgresUrl, error: &str) -> Self {
        Self::database_unusable(url, PostgresError::of_queue(error))
    }

    pub(in crate::state) fn postgres(url: &PostgresUrl, error: tokio_postgres::Error) -> Self {
        Self::database_unusable(url, error.into())
    }

    pub(in crate::state) fn database_unusable(url: &PostgresUrl, source: PostgresError) -> Self {
        Self::DatabaseUnusable { url: url.to_string(), source }
    }
}
