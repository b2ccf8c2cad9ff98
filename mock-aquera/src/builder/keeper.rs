//! Keeps the data of a server in a snapshot file.

use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::application::Application;
use crate::data::{RestoreError, SnapshotError, SnapshotFile, Stock};
use crate::lock;
use crate::server::Server;

/// A server and the file that its data is kept in.
#[derive(Debug)]
pub(super) struct Keeper {
    server: Arc<Server>,
    /// Held while the file is written. `None` once the file is released.
    file: Mutex<Option<SnapshotFile>>,
}

impl Keeper {
    /// Restores the applications of the file into the server, if it exists. Returns whether it does.
    ///
    /// # Errors
    /// The file is there and of no use, in use, or could not be written.
    pub(super) fn open(file: &Path, server: Arc<Server>) -> Result<(Self, bool), SnapshotError> {
        let mut file = SnapshotFile::open(file)?;
        let found = file.restore(|name, seed| server.restore(name, seed).map_err(RestoreError::from))?;
        if found {
            file.holds(&stocks(&server));
        }
        Ok((Self { server, file: Mutex::new(Some(file)) }, found))
    }

    /// Writes the file if anything has changed.
    ///
    /// # Errors
    /// The file cannot be written; the one that is there is left alone.
    pub(super) fn save(&self) -> Result<(), SnapshotError> {
        match &mut *lock(&self.file) {
            Some(file) => file.save(&stocks(&self.server)),
            None => Ok(()),
        }
    }

    /// Lets other processes use the file. It is not written any more.
    pub(super) fn release(&self) {
        *lock(&self.file) = None;
    }
}

fn stocks(server: &Server) -> Vec<Stock> {
    server.applications().iter().map(Application::stock).collect()
}
