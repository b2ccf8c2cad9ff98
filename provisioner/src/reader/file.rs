//! A file that is read in a thread of its own, ahead of what takes the users.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Step, Whole};
use crate::source::{FileEnd, SourceError, SourceUser, read_file};

/// Batches that wait to be taken.
const WAITING: usize = 2;

/// The reading of a file.
pub(super) struct FileReader {
    path: PathBuf,
    batches: mpsc::Receiver<Vec<SourceUser>>,
    work: Option<JoinHandle<FileEnd>>,
    yielded: u64,
    end: Option<FileEnd>,
}

impl FileReader {
    pub(super) fn open(path: &Path) -> Self {
        let (sender, batches) = mpsc::channel(WAITING);
        let file = path.to_owned();
        let work = tokio::task::spawn_blocking(move || {
            read_file(&file, &mut |users| sender.blocking_send(users).is_ok())
        });
        Self { path: path.to_owned(), batches, work: Some(work), yielded: 0, end: None }
    }

    pub(super) async fn next(&mut self) -> Result<Step, SourceError> {
        if let Some(users) = self.batches.recv().await {
            self.yielded += users.len() as u64;
            return Ok(Step::Batch(users));
        }
        if let Some(work) = self.work.take() {
            self.end = Some(work.await.unwrap_or_else(|_| FileEnd::broken(&self.path)));
        }
        let end = self.end.get_or_insert_with(|| FileEnd::broken(&self.path));
        match end.problems.first() {
            Some(first) => Err(first.clone().with_more(end.count - 1)),
            None => Ok(Step::End(Whole { users: self.yielded })),
        }
    }

    /// Returns what the reading found, after its end.
    pub(super) fn into_end(self) -> Option<FileEnd> {
        self.end
    }
}
