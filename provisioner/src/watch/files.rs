//! Changes of files, seen by looking at them every now and then.
//!
//! The operating systems' notifications are not used: they miss changes on network file systems and in mounted volumes of
//! containers, differ in what a replaced file is, and a change that is seen two seconds later is early enough here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::clock::Clock;

/// What is seen of a file without reading it.
type Look = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Files and directories that are looked at.
pub struct FileWatch {
    paths: Vec<PathBuf>,
    every: Duration,
    clock: Arc<dyn Clock>,
    reported: Look,
}

impl FileWatch {
    /// Looks at `paths` for the first time; later changes count from here.
    pub fn new(paths: Vec<PathBuf>, every: Duration, clock: Arc<dyn Clock>) -> Self {
        let reported = look(&paths);
        Self { paths, every, clock, reported }
    }

    /// Watches other paths from now on; what is there is taken as seen.
    pub fn set_paths(&mut self, paths: Vec<PathBuf>) {
        if self.paths != paths {
            self.reported = look(&paths);
            self.paths = paths;
        }
    }

    /// Waits until a file has changed, and then stayed as it is from one look to the next: it is written whole.
    pub async fn changed(&mut self) {
        let mut last = self.reported.clone();
        loop {
            self.clock.sleep(self.every).await;
            let now = look(&self.paths);
            if now == last && now != self.reported {
                self.reported = now;
                return;
            }
            last = now;
        }
    }
}

/// Looks at the files, and at those in the directories.
fn look(paths: &[PathBuf]) -> Look {
    let mut look = Look::new();
    for path in paths {
        add(&mut look, path);
        if path.is_dir() {
            let entries = path.read_dir().into_iter().flatten().flatten();
            entries.for_each(|entry| add(&mut look, &entry.path()));
        }
    }
    look
}

fn add(look: &mut Look, path: &Path) {
    // A file that is gone is seen as a change too.
    if let Ok(metadata) = path.metadata() {
        look.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Mutex;

    use super::*;
    use crate::clock::Sleep;

    /// A clock of which each sleep carries out the next step.
    struct Steps(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

    impl Clock for Steps {
        fn now(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        fn sleep(&self, _: Duration) -> Sleep<'_> {
            let step = self.0.lock().unwrap().pop();
            let step = step.unwrap_or_else(|| panic!("the change was not seen in time"));
            step();
            Box::pin(async {})
        }
    }

    #[tokio::test]
    async fn change_is_told_once_the_file_is_at_rest() {
        let folder = tempfile::tempdir().unwrap();
        let (users, pages) = (folder.path().join("users.ndjson"), folder.path().join("pages"));
        fs::write(&users, "1").unwrap();
        fs::create_dir(&pages).unwrap();
        let written = Arc::new(Mutex::new(0));
        let write = |path: PathBuf, text: &'static str| -> Box<dyn FnOnce() + Send> {
            let written = Arc::clone(&written);
            Box::new(move || {
                *written.lock().unwrap() += 1;
                fs::write(path, text).unwrap();
            })
        };
        let rest = || -> Box<dyn FnOnce() + Send> { Box::new(|| {}) };
        // The last step is the first.
        let steps = vec![
            rest(),
            write(pages.join("page-1.json"), "1"),
            rest(),
            write(users.clone(), "123"),
            write(users.clone(), "12"),
            rest(),
            rest(),
        ];
        let clock = Arc::new(Steps(Mutex::new(steps)));
        let mut watch = FileWatch::new(vec![users, pages], Duration::from_secs(2), clock);
        watch.changed().await;
        assert_eq!(*written.lock().unwrap(), 2);
        watch.changed().await;
        assert_eq!(*written.lock().unwrap(), 3);
    }
}
