//! Events that were received and not yet answered by a run, kept in a file beside the state: an event is acknowledged once it
//! is there, so that a crash between the answer and the run loses nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The file with the events that wait for a run.
pub struct PendingEvents {
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events that were taken in so far.
    received: u64,
    /// Whether the file is there, durably.
    is_stored: bool,
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    /// When the first of the events came.
    since: String,
}

/// The events up to one moment, which a run answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen(u64);

impl PendingEvents {
    /// Opens the file beside `state`.
    pub fn beside(state: &Path) -> Self {
        let mut name = state.file_name().unwrap_or_default().to_owned();
        name.push(".events");
        let file = state.with_file_name(name);
        let is_stored = file.exists();
        Self { file, state: Mutex::new(State { received: 0, is_stored }) }
    }

    /// Returns the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether events wait for a run.
    pub fn is_pending(&self) -> bool {
        self.lock().is_stored
    }

    /// Takes `count` events in, at the time `now`; once this returns they outlive a crash.
    ///
    /// # Errors
    ///
    /// The file cannot be written: the events are not taken in.
    pub fn add(&self, count: usize, now: &str) -> io::Result<()> {
        let mut state = self.lock();
        if !state.is_stored {
            self.store(now)?;
            state.is_stored = true;
        }
        state.received += count as u64;
        Ok(())
    }

    /// Returns the events so far: to be asked before a run reads the source.
    pub fn seen(&self) -> Seen {
        Seen(self.lock().received)
    }

    /// Forgets the events that a run has answered; later ones go on waiting.
    ///
    /// # Errors
    ///
    /// The file cannot be removed, so the next start runs once more.
    pub fn answered(&self, seen: Seen) -> io::Result<()> {
        let mut state = self.lock();
        if state.received != seen.0 || !state.is_stored {
            return Ok(());
        }
        match fs::remove_file(&self.file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => state.is_stored = false,
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn store(&self, now: &str) -> io::Result<()> {
        let folder = match self.file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        let stored = serde_json::to_string(&Stored { since: now.to_owned() }).map_err(io::Error::other)?;
        file.write_all(stored.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&self.file).map_err(|error| error.error)?;
        sync_folder(folder)
    }
}

/// Makes the name of a new file durable.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A directory cannot be opened as a file here; the file system keeps names with its journal.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_wait_until_a_run_that_began_after_them_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("aquera.db");
        let pending = PendingEvents::beside(&state);
        assert!(!pending.is_pending());
        pending.add(3, "now").unwrap();
        assert!(PendingEvents::beside(&state).is_pending(), "after a crash");
        let seen = pending.seen();
        pending.add(1, "now").unwrap();
        pending.answered(seen).unwrap();
        assert!(PendingEvents::beside(&state).is_pending(), "one came while the run was on");
        pending.answered(pending.seen()).unwrap();
        assert!(!pending.is_pending() && !PendingEvents::beside(&state).is_pending());
        pending.add(1, "now").unwrap();
        assert!(PendingEvents::beside(&state).is_pending());
    }

    #[test]
    fn event_that_cannot_be_stored_is_not_taken_in() {
        let folder = tempfile::tempdir().unwrap();
        let pending = PendingEvents::beside(&folder.path().join("missing").join("aquera.db"));
        assert!(pending.add(1, "now").is_err());
        assert!(!pending.is_pending());
    }
}
