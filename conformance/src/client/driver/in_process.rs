//! Our own provisioner as a driver: the source is a file, and its clock is the mock's, so that waits take no time.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::driver::Brief;
use crate::client::scenario::Person;
use crate::subject::provisioner::{Configuration, Subject, SubjectError, SyncFlags, Time, Wire};

/// The values of the provisioner's `update-method`.
pub const METHODS: [&str; 3] = ["auto", "put", "patch"];

/// The reason why the provisioner cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum InProcessError {
    /// The folder cannot be made.
    #[error("failed to create the provisioner's folder")]
    Folder(#[source] std::io::Error),
    /// A file cannot be read.
    #[error("failed to read {path}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file that counts the runs holds something else.
    #[error("invalid number of runs `{text}` in {path}: expected a whole number", path = .path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// The text.
        text: String,
    },
    /// The provisioner cannot be driven.
    #[error(transparent)]
    Subject(#[from] SubjectError),
}

/// The provisioner with its folder.
pub struct InProcess {
    folder: TempDir,
    wire: Wire,
    time: Time,
    method: String,
    /// The URL to use in place of the mock's, for a proxy in between.
    url: Option<String>,
    subject: Option<Subject>,
    seed: u64,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").field("method", &self.method).finish_non_exhaustive()
    }
}

/// The provisioner's time as the mock reads it.
#[derive(Clone)]
struct Shared(Time);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl mock_aquera::Clock for Shared {
    fn now(&self) -> Timestamp {
        Timestamp::try_from(self.0.now()).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl InProcess {
    /// Returns a provisioner that has done nothing yet, with this update method.
    ///
    /// # Errors
    /// No temporary folder or no HTTP client can be made.
    pub fn new(method: &str, seed: u64) -> Result<Self, InProcessError> {
        let folder = tempfile::tempdir().map_err(InProcessError::Folder)?;
        let (wire, time) = (Wire::new()?, Time::new());
        Ok(Self { folder, wire, time, method: method.to_owned(), url: None, subject: None, seed })
    }

    /// Returns the clock for the mock.
    pub fn clock(&self) -> Arc<dyn mock_aquera::Clock> {
        Arc::new(Shared(self.time.clone()))
    }

    /// Points the provisioner at something in front of the mock.
    pub(crate) fn point_at(&mut self, url: String) {
        self.url = Some(url);
    }

    pub(crate) async fn act(&mut self, brief: &Brief) -> Result<(), InProcessError> {
        let folder = self.folder.path();
        write_source(folder, &brief.users)?;
        if self.subject.is_none() {
            let url = self.url.as_deref().unwrap_or(&brief.scim_url);
            let text = configuration(url, &brief.credentials.bearer, &self.method);
            let subject =
                Subject::open(Configuration::read(&text, folder)?, folder, &self.wire, &self.time, self.seed)
                    .await?;
            self.subject = Some(subject);
        }
        if let Some(subject) = &self.subject {
            subject.sync(meant()).await?;
            self.time.pass();
        }
        Ok(())
    }

    /// Ends the work with its state.
    pub async fn close(self) {
        if let Some(subject) = self.subject {
            subject.close().await;
        }
    }
}

/// Runs the provisioner once on a permanent folder, with the system clock: a command for `--drive`.
///
/// # Errors
/// Nothing could be run. What a run came to is not judged here.
pub async fn run_once(brief: &Brief, folder: &Path, method: &str) -> Result<String, InProcessError> {
    std::fs::create_dir_all(folder).map_err(InProcessError::Folder)?;
    write_source(folder, &brief.users)?;
    let text = configuration(&brief.scim_url, &brief.credentials.bearer, method);
    let before = count_run(folder)?;
    let subject =
        Subject::open_now(Configuration::read(&text, folder)?, folder, &Wire::new()?, before).await?;
    let report = subject.sync(meant()).await;
    subject.close().await;
    Ok(report?.summary.to_string())
}

/// Returns the number of earlier runs on this folder, and counts this one.
fn count_run(folder: &Path) -> Result<u32, InProcessError> {
    let path = folder.join("runs");
    let before = match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| InProcessError::Count { path: path.clone(), text })?,
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(source) => return Err(InProcessError::Read { path, source }),
    };
    write(&path, &format!("{}\n", before + 1))?;
    Ok(before)
}

fn write_source(folder: &Path, users: &[Person]) -> Result<(), InProcessError> {
    let mut lines = String::new();
    for user in users {
        append!(lines, "{}\n", source_user(user));
    }
    write(&folder.join("users.ndjson"), &lines)
}

fn write(path: &Path, text: &str) -> Result<(), InProcessError> {
    std::fs::write(path, text).map_err(|source| InProcessError::Write { path: path.to_owned(), source })
}

fn source_user(person: &Person) -> Value {
    let mut user = json!({
        "id": person.id,
        "username": person.user_name,
        "enabled": person.enabled,
        "name": { "given": person.given_name, "family": person.family_name },
    });
    if let Some(title) = &person.title {
        user["title"] = json!(title);
    }
    if let Some(email) = &person.email {
        user["email"] = json!(email);
    }
    user
}

fn configuration(url: &str, token: &str, method: &str) -> String {
    format!(
        "[connection]\nname = \"The subject\"\n\n\
         [connection.authentication]\nscim-url = {url:?}\nprofile = \"bearer-token\"\noauth-access-token = {token:?}\n\n\
         [connection.preferences]\n\
         enable-users-creation = true\n\
         enable-users-updation = true\n\
         enable-users-disable = true\n\
         enable-users-deprovision = true\n\
         remove-action = \"delete\"\n\
         deprovision-on-rule-deletion = true\n\n\
         [connection.options]\nupdate-method = {method:?}\nmax-removals-percent = 100\n\n\
         [source]\nkind = \"file\"\npath = \"users.ndjson\"\n\n\
         [[rule]]\nname = \"everyone\"\n"
    )
}

/// Returns flags that allow all changes: a scenario may remove all its people, and add others.
fn meant() -> SyncFlags {
    SyncFlags { accept_new_source: true, allow_empty_scope: true, ..SyncFlags::default() }
}
