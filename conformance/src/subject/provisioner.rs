//! The provisioner, as the harness drives it. The one module that knows its API; verdicts see JSON only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provisioner::clock::{InstantClock, Sleep, SystemClock};
use provisioner::{Clock, Config, Durability, Environment, Provisioner, SyncOptions, Transport};
use serde_json::Value;

/// The transport that all subjects share, so that connections are pooled.
#[derive(Clone)]
pub struct Wire(Transport);

impl Wire {
    /// Returns a pool of connections, to this machine only.
    ///
    /// # Errors
    /// No client can be made.
    pub fn new() -> Result<Self, SubjectError> {
        Transport::for_http(true).map(Self).map_err(|error| SubjectError::Transport(error.into()))
    }
}

/// The reason why the provisioner cannot be driven.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// No HTTP client can be made.
    #[error("failed to make an HTTP client")]
    Transport(#[source] Cause),
    /// The configuration is refused.
    #[error("invalid configuration")]
    Configuration(#[source] Cause),
    /// No setting has all preferences off.
    #[error("unknown setting `none`")]
    NoSetting,
    /// The provisioner refuses the state.
    #[error("failed to open the provisioner")]
    Open(#[source] Cause),
    /// The state cannot be written.
    #[error("failed to test the connection")]
    State(#[source] Cause),
    /// The report of a run cannot be written as JSON.
    #[error("failed to write the report as JSON")]
    Report(#[from] serde_json::Error),
}

/// An error of the provisioner, whose types this module keeps to itself.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The options of a run that a person would give on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SyncFlags {
    /// `--full`.
    pub full: bool,
    /// `--accept-new-source`.
    pub accept_new_source: bool,
    /// `--allow-empty-source`.
    pub allow_empty_source: bool,
    /// `--allow-empty-scope`, for every rule.
    pub allow_empty_scope: bool,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The exit code.
    pub exit: u8,
    /// The users' lines.
    pub lines: Vec<Value>,
    /// The groups' lines.
    pub groups: Vec<Value>,
    /// The summary.
    pub summary: Value,
}

/// The name of the state file in a cell's folder.
pub(crate) const STATE: &str = "aquera.db";

/// A configuration that was accepted, with the text that it was read from.
#[derive(Clone)]
pub struct Configuration(Config);

impl Configuration {
    /// Reads `aquera.toml` as it would be in this folder.
    ///
    /// # Errors
    /// It is refused.
    pub fn read(text: &str, folder: &Path) -> Result<Self, SubjectError> {
        Config::parse(text, &folder.join("aquera.toml"))
            .map(Self)
            .map_err(|error| SubjectError::Configuration(error.into()))
    }
}

/// An open provisioner.
pub struct Subject(Provisioner);

/// The time between two runs, as in a schedule: changes that an application shows late are visible by then.
const BETWEEN_RUNS: Duration = Duration::from_mins(15);

/// A clock, one for all the runs of a cell: moved on by sleeping.
#[derive(Clone)]
pub struct Time(Arc<InstantClock>);

impl Time {
    /// Returns a clock that starts at the same moment for every cell.
    pub fn new() -> Self {
        Self(Arc::new(InstantClock::new(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000))))
    }

    /// Moves it on to the next run.
    pub fn pass(&self) {
        self.0.advance(BETWEEN_RUNS);
    }

    /// Returns the current time of the clock.
    pub fn now(&self) -> SystemTime {
        self.0.now()
    }
}

/// The computer's clock, on which waits take their time, ahead by so much.
struct Later(Duration);

impl Clock for Later {
    fn now(&self) -> SystemTime {
        SystemClock.now() + self.0
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the options at fault in a configuration's preferences; none where it is accepted.
pub fn contradictions(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("aquera.toml")) {
        Ok(_) => Vec::new(),
        Err(error) => error.contradictions(),
    }
}

impl Subject {
    /// Opens the provisioner on a folder, with the state that lies there.
    ///
    /// # Errors
    /// The state is refused.
    pub async fn open(
        configuration: Configuration,
        folder: &Path,
        wire: &Wire,
        time: &Time,
        seed: u64,
    ) -> Result<Self, SubjectError> {
        Self::open_at(configuration, folder, wire, time.0.clone(), seed).await
    }

    /// Opens a provisioner on the system clock; `before` is the number of earlier runs on the same state, each of
    /// which counts as one of a schedule.
    ///
    /// # Errors
    /// The state is refused.
    pub async fn open_now(
        configuration: Configuration,
        folder: &Path,
        wire: &Wire,
        before: u32,
    ) -> Result<Self, SubjectError> {
        let clock = Later(BETWEEN_RUNS.saturating_mul(before));
        Self::open_at(configuration, folder, wire, Arc::new(clock), 0).await
    }

    async fn open_at(
        configuration: Configuration,
        folder: &Path,
        wire: &Wire,
        clock: Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, SubjectError> {
        let environment = Environment {
            clock,
            transport: wire.0.clone(),
            state: folder.join(STATE).into(),
            durability: Durability::Off,
            seed,
            progress: Arc::new(()),
            recording: provisioner::Recording::default(),
        };
        let opened = Provisioner::open(configuration.0, environment).await;
        opened.map(Self).map_err(|error| SubjectError::Open(error.into()))
    }

    /// Creates a state file without users below a configuration, and returns its path.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) async fn empty_state(text: &str, folder: &Path, wire: &Wire) -> Result<PathBuf, SubjectError> {
        let configuration = Configuration::read(text, folder)?;
        Self::open(configuration, folder, wire, &Time::new(), 0).await?.close().await;
        Ok(folder.join(STATE))
    }

    /// Runs the provisioner once, out of any quarantine.
    ///
    /// # Errors
    /// The state cannot be written, or the report cannot be written as JSON.
    pub async fn sync(&self, options: SyncFlags) -> Result<Report, SubjectError> {
        // The cells cause failures on purpose: a run follows at once where an administrator would release the connection.
        self.0.release().await.map_err(|error| SubjectError::State(error.into()))?;
        let report = self
            .0
            .sync(SyncOptions {
                full: options.full,
                accept_new_source: options.accept_new_source,
                allow_empty_source: options.allow_empty_source,
                allow_empty_scope: if options.allow_empty_scope {
                    self.0.config().rules.iter().map(|rule| rule.name.clone()).collect()
                } else {
                    Vec::new()
                },
                approve_removals: None,
                approve_plan: None,
                approve_group_removals: None,
                workers: false,
            })
            .await;
        Ok(Report {
            exit: report.exit.code(),
            lines: report.lines.iter().map(serde_json::to_value).collect::<Result<_, _>>()?,
            groups: report.groups.iter().map(serde_json::to_value).collect::<Result<_, _>>()?,
            summary: serde_json::to_value(&report.summary)?,
        })
    }

    /// Carries out `test-connection`.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn test_connection(&self) -> Result<(), SubjectError> {
        self.0.test_connection().await.map(drop).map_err(|error| SubjectError::State(error.into()))
    }

    /// Closes the state.
    pub async fn close(self) {
        self.0.close().await;
    }
}
