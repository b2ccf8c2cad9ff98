//! The data of all applications in a file, so that it outlives the program.
//!
//! The file is NDJSON: a line that says what it is, a line for each application, a line for each of its resources
//! behind it, and a line that says that nothing is missing. Profiles, credentials, faults and journals are not in it:
//! they are what the program is started with. [`write`] makes the file, [`read`] takes it in.

mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::lock;
use crate::server::Server;

/// The version of the format that is written and understood.
const VERSION: u32 = 1;

/// Why data can't be kept in a file or taken from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file is there and can't be read.
    #[error("read the snapshot {}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file isn't what was written.
    #[error(
        "take in the snapshot {file}:{line}: {detail}; the file is left as it is: put {file}.bak in its place, the one \
         before it, or move it away to start without it",
        file = file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where, counted from one.
        line: usize,
        /// What is wrong there.
        detail: String,
    },
    /// The file can't be written.
    #[error("write the snapshot {}: {source}; what was written before is still there", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Keeps the data of a server in a file.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: PathBuf,
    server: Arc<Server>,
    /// What was written last, so that nothing is written twice; held while a file is written.
    written: Mutex<Option<u64>>,
}

impl Keeper {
    /// Takes the file in, if it is there, and keeps the data in it from then on. Gives whether it was.
    ///
    /// # Errors
    /// The file is there and of no use.
    pub(crate) fn open(file: PathBuf, server: Arc<Server>) -> Result<(Self, bool), SnapshotError> {
        let found = read::read(&file, &server)?;
        let written = Mutex::new(found.then(|| write::mark(&write::take_stock(&server))));
        Ok((Self { file, server, written }, found))
    }

    /// Writes the file if anything has changed. The one before is kept beside it as `.bak`.
    ///
    /// # Errors
    /// The file can't be written; the one that is there is left alone.
    pub(crate) fn save(&self) -> Result<(), SnapshotError> {
        let mut written = lock(&self.written);
        let stock = write::take_stock(&self.server);
        let mark = write::mark(&stock);
        if *written == Some(mark) {
            return Ok(());
        }
        write::write(&self.file, &stock)
            .map_err(|source| SnapshotError::Write { file: self.file.clone(), source })?;
        *written = Some(mark);
        Ok(())
    }
}

/// A file beside another.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
