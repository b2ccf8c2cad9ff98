//! What a run does, told as it happens: requests, users, and the run as a whole.
//!
//! The engine tells a `Recorder`, which numbers the requests, keeps those of a user for the audit log, and passes
//! everything on to [`Observer`]s (metrics, traces, reports). Nothing here holds a value of a user's account.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::ids::SourceId;
use crate::report::groups::GroupLine;
use crate::report::{Summary, UserLine};

/// The maximum number of requests that are kept for the audit of one user in one run.
const KEPT: usize = 32;

/// Stands for a person that nothing names.
const UNKNOWN: &str = "unknown";

/// Returns the number of the account of this process: new files belong to it.
#[cfg(unix)]
fn account_number() -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let file = tempfile::tempfile().ok()?;
    file.metadata().ok().map(|file| format!("uid {}", file.uid()))
}

/// Returns `None`: other systems name the account in the environment.
#[cfg(not(unix))]
fn account_number() -> Option<String> {
    None
}

/// The cause of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person at this machine, by the name of the account at the operating system.
    Person(String),
    /// A schedule of `watch`.
    Schedule,
    /// A notice of the source.
    Webhook,
    /// A change of a file of the source.
    FileChange,
}

impl Actor {
    /// Returns the person who started this process: as the environment names it, else by the number of the account where
    /// the system has one.
    pub fn of_process() -> Self {
        match Self::from_environment(&|name| std::env::var(name).ok()) {
            Self::Person(name) if name == UNKNOWN => {
                Self::Person(account_number().unwrap_or_else(|| UNKNOWN.to_owned()))
            }
            named => named,
        }
    }

    /// Returns the person who started this process, as the environment names it. With `sudo` both accounts are named.
    pub fn from_environment(env: &dyn Fn(&str) -> Option<String>) -> Self {
        let named = |name: &&str| env(name).filter(|value| !value.trim().is_empty());
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(named);
        let user = user.unwrap_or_else(|| UNKNOWN.to_owned());
        Self::Person(match named(&"SUDO_USER") {
            Some(person) if person != user => format!("{person} as {user}"),
            Some(_) | None => user,
        })
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Person(name) => name,
            Self::Schedule => "schedule",
            Self::Webhook => "webhook",
            Self::FileChange => "file-change",
        })
    }
}

/// Who causes the runs of an environment, and who is told about them.
#[derive(Clone)]
pub struct Recording {
    /// The cause of the runs.
    pub actor: Actor,
    /// The observers.
    pub observers: Vec<Arc<dyn Observer>>,
}

impl Default for Recording {
    fn default() -> Self {
        Self { actor: Actor::Person(UNKNOWN.to_owned()), observers: Vec::new() }
    }
}

/// A listener for what a run does. Each call is short: a listener with work to do hands it on.
pub trait Observer: Send + Sync {
    /// A run begins.
    fn run_started(&self, _run: &RunStart<'_>) {}
    /// The source was read whole, and has this number of users.
    fn source_read(&self, _users: u64) {}
    /// A request was answered, or failed.
    fn request(&self, _request: &RequestRecord) {}
    /// A request is going to be tried again.
    fn retried(&self) {}
    /// A user is settled.
    fn user(&self, _user: &UserRecord<'_>) {}
    /// A group is settled.
    fn group(&self, _group: &GroupRecord<'_>) {}
    /// A run has ended.
    fn run_ended(&self, _run: &RunEnd<'_>) {}
}

/// The beginning of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunStart<'a> {
    /// The run's id: the beginning of the ids of its requests.
    pub id: &'a str,
    /// What it is: `sync`, `apply`, `test-connection` …
    pub command: &'static str,
    /// When it began.
    pub at: SystemTime,
}

/// The end of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunEnd<'a> {
    /// What it was: `sync`, `apply`.
    pub command: &'static str,
    /// When it began.
    pub started: SystemTime,
    /// When it ended.
    pub at: SystemTime,
    /// What a person allowed or approved beyond the usual, as options of the command line.
    pub allowed: &'a [String],
    /// Its figures.
    pub summary: &'a Summary,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// The value of its `X-Request-Id`.
    pub id: String,
    /// The method.
    pub method: String,
    /// The endpoint below the SCIM URL, with `{id}` for an id.
    pub endpoint: String,
    /// The answer.
    pub answer: RequestAnswer,
    /// When it was sent.
    pub at: SystemTime,
    /// The time until the whole answer was read.
    pub duration: Duration,
    /// The user or group it was sent for, as [`UserRecord::number`] and [`GroupRecord::number`].
    pub user: Option<u64>,
}

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestAnswer {
    /// An HTTP status.
    Status(u16),
    /// No answer, and why in a word.
    Failed(&'static str),
}

impl fmt::Display for RequestAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Failed(word) => f.write_str(word),
        }
    }
}

/// A settled user.
#[derive(Clone, Copy, Debug)]
pub struct UserRecord<'a> {
    /// The number of the user's turn in this run.
    pub number: u64,
    /// When its turn began.
    pub started: SystemTime,
    /// When it was settled.
    pub at: SystemTime,
    /// Its line in the report.
    pub line: &'a UserLine,
}

/// A settled group.
#[derive(Clone, Copy, Debug)]
pub struct GroupRecord<'a> {
    /// The number of the group's turn in this run; users and groups are numbered together.
    pub number: u64,
    /// When its turn began.
    pub started: SystemTime,
    /// When it was settled.
    pub at: SystemTime,
    /// Its line in the report.
    pub line: &'a GroupLine,
}

/// A request as the audit log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRequest {
    /// The value of its `X-Request-Id`.
    pub id: String,
    /// The method.
    pub method: String,
    /// The endpoint below the SCIM URL.
    pub endpoint: String,
    /// The HTTP status, or why there is none.
    pub answer: String,
}

/// The turn of a user or a group: from its first request to its line.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) number: u64,
    pub(crate) started: SystemTime,
    requests: Mutex<Vec<AuditRequest>>,
}

tokio::task_local! {
    static TURN: Arc<Turn>;
}

/// Records one run.
pub(crate) struct Recorder {
    run: String,
    actor: String,
    observers: Vec<Arc<dyn Observer>>,
    requests: AtomicU64,
    turns: AtomicU64,
    /// Requests of users whose turn ended without a line; they go on with their next turn.
    carried: Mutex<HashMap<SourceId, Vec<AuditRequest>>>,
}

/// A request that was sent.
pub(crate) struct SentRequest {
    pub(crate) id: String,
    at: SystemTime,
}

impl Recorder {
    /// Creates the recorder of the run `run`.
    pub(crate) fn new(recording: &Recording, run: String) -> Self {
        Self {
            run,
            actor: recording.actor.to_string(),
            observers: recording.observers.clone(),
            requests: AtomicU64::new(1),
            turns: AtomicU64::new(1),
            carried: Mutex::new(HashMap::new()),
        }
    }

    /// Returns the run's id.
    pub(crate) fn run(&self) -> &str {
        &self.run
    }

    /// Returns the cause of the run.
    pub(crate) fn actor(&self) -> &str {
        &self.actor
    }

    pub(crate) fn start(&self, command: &'static str, at: SystemTime) {
        self.tell(|observer| observer.run_started(&RunStart { id: &self.run, command, at }));
    }

    pub(crate) fn source_read(&self, users: u64) {
        self.tell(|observer| observer.source_read(users));
    }

    pub(crate) fn end(
        &self,
        command: &'static str,
        (started, at): (SystemTime, SystemTime),
        allowed: &[String],
        summary: &Summary,
    ) {
        self.tell(|observer| observer.run_ended(&RunEnd { command, started, at, allowed, summary }));
    }

    /// Numbers a request that is about to be sent.
    pub(crate) fn send(&self, at: SystemTime) -> SentRequest {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        SentRequest { id: format!("{}-{number}", self.run), at }
    }

    /// Records the answer to a request.
    pub(crate) fn answered(
        &self,
        sent: SentRequest,
        method: &str,
        segments: &[&str],
        answer: RequestAnswer,
        at: SystemTime,
    ) {
        let turn = TURN.try_with(Arc::clone).ok();
        let endpoint = endpoint(segments);
        if let Some(turn) = &turn {
            let mut requests = turn.requests.lock().unwrap_or_else(PoisonError::into_inner);
            if requests.len() < KEPT {
                let (id, endpoint) = (sent.id.clone(), endpoint.clone());
                requests.push(AuditRequest {
                    id,
                    method: method.to_owned(),
                    endpoint,
                    answer: answer.to_string(),
                });
            }
        }
        if self.observers.is_empty() {
            return;
        }
        let request = RequestRecord {
            id: sent.id,
            method: method.to_owned(),
            endpoint,
            answer,
            at: sent.at,
            duration: at.duration_since(sent.at).unwrap_or_default(),
            user: turn.map(|turn| turn.number),
        };
        self.tell(|observer| observer.request(&request));
    }

    pub(crate) fn retried(&self) {
        self.tell(|observer| observer.retried());
    }

    /// Carries out `work` as the turn of `user`, or of a group: its requests are recorded as its own.
    pub(crate) async fn in_turn<W: Future>(
        &self,
        user: &SourceId,
        started: SystemTime,
        work: W,
    ) -> (W::Output, Arc<Turn>) {
        let carried = self.carried.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
        let number = self.turns.fetch_add(1, Ordering::Relaxed);
        let requests = Mutex::new(carried.unwrap_or_default());
        let turn = Arc::new(Turn { number, started, requests });
        let output = TURN.scope(Arc::clone(&turn), work).await;
        let left = std::mem::take(&mut *turn.requests.lock().unwrap_or_else(PoisonError::into_inner));
        if !left.is_empty() {
            self.carried.lock().unwrap_or_else(PoisonError::into_inner).insert(user.clone(), left);
        }
        (output, turn)
    }

    /// Returns the requests of the present turn so far.
    pub(crate) fn requests_so_far() -> Vec<AuditRequest> {
        TURN.try_with(|turn| turn.requests.lock().unwrap_or_else(PoisonError::into_inner).clone())
            .unwrap_or_default()
    }

    /// Takes the requests of the present turn.
    pub(crate) fn take_requests() -> Vec<AuditRequest> {
        TURN.try_with(|turn| {
            std::mem::take(&mut *turn.requests.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .unwrap_or_default()
    }

    /// Tells the observers about a settled user.
    pub(crate) fn settled(&self, turn: &Turn, at: SystemTime, line: &UserLine) {
        let user = UserRecord { number: turn.number, started: turn.started, at, line };
        self.tell(|observer| observer.user(&user));
    }

    /// Tells the observers about a settled group.
    pub(crate) fn settled_group(&self, turn: &Turn, at: SystemTime, line: &GroupLine) {
        let group = GroupRecord { number: turn.number, started: turn.started, at, line };
        self.tell(|observer| observer.group(&group));
    }

    fn tell(&self, what: impl Fn(&dyn Observer)) {
        for observer in &self.observers {
            what(&**observer);
        }
    }
}

/// Returns the endpoint of a request without ids: of an id only its place is told.
fn endpoint(segments: &[&str]) -> String {
    match segments {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, ..] => format!("{first}/{{id}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_actor(environment: &[(&str, &str)], expected: &str) {
        let env = |name: &str| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        assert_eq!(Actor::from_environment(&env).to_string(), expected);
    }

    #[test]
    fn person_is_the_user_of_the_machine() {
        check_actor(&[("USER", "ada"), ("LOGNAME", "other")], "ada");
        check_actor(&[("USERNAME", "ada")], "ada");
        check_actor(&[("USER", "root"), ("SUDO_USER", "ada")], "ada as root");
        check_actor(&[("USER", "ada"), ("SUDO_USER", "ada")], "ada");
        check_actor(&[("USER", " ")], "unknown");
    }

    #[cfg(unix)]
    #[test]
    fn account_without_a_name_has_a_number() {
        assert!(account_number().is_some_and(|number| number.starts_with("uid ")));
    }

    #[tokio::test]
    async fn requests_of_a_turn_without_a_line_belong_to_the_next_turn_of_the_user() {
        let recorder = Recorder::new(&Recording::default(), "run".to_owned());
        let (ada, eve): (SourceId, SourceId) = ("ada".parse().unwrap(), "eve".parse().unwrap());
        let at = SystemTime::UNIX_EPOCH;
        let send = || {
            let sent = recorder.send(at);
            recorder.answered(sent, "PUT", &["Users", "7"], RequestAnswer::Status(409), at);
        };
        recorder.in_turn(&ada, at, async { send() }).await;
        let (others, _) = recorder.in_turn(&eve, at, async { Recorder::take_requests() }).await;
        assert_eq!(others, []);
        let (requests, turn) = recorder
            .in_turn(&ada, at, async {
                send();
                Recorder::take_requests()
            })
            .await;
        let ids: Vec<_> = requests.iter().map(|request| request.id.as_str()).collect();
        assert_eq!(ids, ["run-1", "run-2"]);
        assert_eq!((requests[0].endpoint.as_str(), requests[0].answer.as_str()), ("Users/{id}", "409"));
        assert_eq!(turn.number, 3);
        // What was taken is not told again.
        let (again, _) = recorder.in_turn(&ada, at, async { Recorder::take_requests() }).await;
        assert_eq!(again, []);
    }

    #[tokio::test]
    async fn requests_of_one_user_are_kept_up_to_a_limit() {
        let recorder = Recorder::new(&Recording::default(), "run".to_owned());
        let at = SystemTime::UNIX_EPOCH;
        let (kept, _) = recorder
            .in_turn(&"ada".parse().unwrap(), at, async {
                for _ in 0..1_000 {
                    let sent = recorder.send(at);
                    recorder.answered(sent, "GET", &["Users"], RequestAnswer::Failed("timed-out"), at);
                }
                Recorder::take_requests()
            })
            .await;
        assert_eq!(kept.len(), KEPT);
    }
}
