//! The data of all applications in a file, so that it outlives the program.
//!
//! The file is NDJSON: a line that says what it is, a line for each application, a line for each of its resources
//! behind it, and a line that says that nothing is missing. Profiles, credentials, faults and journals are not in it:
//! they are what the program is started with. [`write`](mod@write) writes the file, [`read`](mod@read) reads it.

mod line;
mod read;
mod write;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use read::{RestoreError, RestoreTarget};
pub(crate) use write::Stock;

/// The version of the format that is written and understood.
const VERSION: u64 = 1;

/// Why data can't be kept in a file or taken from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file is there and can't be read.
    #[error("read the snapshot {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file isn't what was written.
    #[error(
        "take in the snapshot {file}:{line}: {detail}; the file is left as it is: {way_out}",
        file = file.display(),
        way_out = way_out(file)
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Where, counted from one.
        line: usize,
        /// What is wrong there.
        detail: String,
    },
    /// The path leads to no file that data could be kept in.
    #[error("use the snapshot {}: {detail}", file.display())]
    NotAFile {
        /// What was named.
        file: PathBuf,
        /// What it is instead.
        detail: String,
    },
    /// Another process keeps its data in the file.
    #[error(
        "use the snapshot {}: another mock-aquera is using it; stop that one, or name another file for this one",
        .0.display()
    )]
    InUse(PathBuf),
    /// The file could not be written when the server is to stop, so it doesn't start.
    #[error("prepare the snapshot {}, whose folder must exist and be writable", file.display())]
    Unwritable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file can't be written.
    #[error("write the snapshot {}; the previous one is unchanged", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A snapshot file that no other process uses meanwhile.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    file: PathBuf,
    /// Fingerprint of what was written last, so that nothing is written twice.
    written: Option<u64>,
    /// Keeps other processes from the file for as long as it is open, however the process ends.
    _lock: File,
}

impl SnapshotFile {
    /// Locks the file, which need not exist.
    ///
    /// # Errors
    /// The path cannot be that of a snapshot, or another process uses it.
    pub(crate) fn open(file: &Path) -> Result<Self, SnapshotError> {
        let file = resolved(file)?;
        let lock = lock_file(&file)?;
        Ok(Self { file, written: None, _lock: lock })
    }

    /// Restores the applications of the file; `place` says where the resources of an application go. Returns whether the
    /// file exists.
    ///
    /// # Errors
    /// The file is there and of no use, or could not be written later.
    pub(crate) fn restore<P: RestoreTarget>(
        &self,
        place: impl FnMut(&str, u64) -> Result<P, RestoreError>,
    ) -> Result<bool, SnapshotError> {
        let found = read::read(&self.file, place)?;
        try_to_write(&self.file)
            .map_err(|source| SnapshotError::Unwritable { file: self.file.clone(), source })?;
        Ok(found)
    }

    /// Takes the file for one that holds this data already.
    pub(crate) fn holds(&mut self, stock: &[Stock]) {
        self.written = Some(write::fingerprint(stock));
    }

    /// Writes the file if anything has changed. The one before is kept beside it as `.bak`.
    ///
    /// # Errors
    /// The file cannot be written; the one that is there is left alone.
    pub(crate) fn save(&mut self, stock: &[Stock]) -> Result<(), SnapshotError> {
        let fingerprint = write::fingerprint(stock);
        if self.written == Some(fingerprint) {
            return Ok(());
        }
        write::write(&self.file, stock)
            .map_err(|source| SnapshotError::Write { file: self.file.clone(), source })?;
        self.written = Some(fingerprint);
        Ok(())
    }
}

/// What to do with a file that is damaged.
fn way_out(file: &Path) -> String {
    let old = beside(file, ".bak");
    if old.is_file() {
        format!("put {} in its place, the one before it, or move it away to start without it", old.display())
    } else {
        "move it away to start without it".to_owned()
    }
}

/// The file itself, past all links: two names of one file must not have two locks, and a write puts a new file where the
/// old one is, not where a link to it is.
fn resolved(file: &Path) -> Result<PathBuf, SnapshotError> {
    let failed = |detail| SnapshotError::NotAFile { file: file.to_owned(), detail };
    let mut path = file.to_owned();
    // As many as systems follow.
    for _ in 0..40 {
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => {
                return Err(failed("it is a folder; name a file in it".to_owned()));
            }
            Ok(found) if !found.is_file() => {
                return Err(failed(
                    "it is not a regular file; name one, or one that does not exist yet".to_owned(),
                ));
            }
            Ok(_) => return fs::canonicalize(&path).map_err(|error| failed(error.to_string())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error.to_string())),
            Err(_) => {}
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        if let Ok(target) = fs::read_link(&path) {
            // The link is there, and what it leads to is not yet.
            path = folder.join(target);
            continue;
        }
        let there = fs::canonicalize(&folder).ok().filter(|folder| folder.is_dir());
        return match (there, path.file_name()) {
            (Some(folder), Some(name)) => Ok(folder.join(name)),
            _ => Err(failed(format!("there is no folder {}; make it first", folder.display()))),
        };
    }
    Err(failed("it is a link that leads to itself".to_owned()))
}

/// Keeps other processes from the file. The lock is on a file beside it, because each write puts a new file in its place.
fn lock_file(file: &Path) -> Result<File, SnapshotError> {
    let unwritable = |source| SnapshotError::Unwritable { file: file.to_owned(), source };
    let opened = OpenOptions::new().create(true).truncate(false).write(true).open(beside(file, ".lock"));
    let lock = opened.map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SnapshotError::InUse(file.to_owned())),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
}

/// Does what a write does, save for the file itself: what can't be written is told at the start, not at the end.
fn try_to_write(file: &Path) -> io::Result<()> {
    let new = beside(file, ".new");
    File::create(&new)?;
    fs::remove_file(&new)?;
    let old = beside(file, ".bak");
    if old.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, format!("{} is a folder", old.display())));
    }
    Ok(())
}

/// A file beside another.
pub(crate) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
