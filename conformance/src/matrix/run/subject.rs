//! The provisioner, as the harness drives it. The one module that knows its API; verdicts see JSON only.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use provisioner::clock::{InstantClock, SystemClock};
use provisioner::{Clock, Config, Durability, Environment, Provisioner, SyncOptions, Transport};
use serde_json::Value;

use crate::matrix::model::Options;

/// What all subjects share, so that connections are pooled.
#[derive(Clone)]
pub struct Wire(Transport);

impl Wire {
    /// A pool of connections, to this machine only.
    ///
    /// # Errors
    /// In words, where no client can be made.
    pub fn new() -> Result<Self, String> {
        Transport::for_http(true).map(Self).map_err(|error| error.to_string())
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The exit code.
    pub exit: u8,
    /// The users' lines.
    pub lines: Vec<Value>,
    /// The summary.
    pub summary: Value,
}

/// An open provisioner.
pub struct Subject(Provisioner);

/// A clock, one for all the runs of a cell: moved on by sleeping, unless it is the real one.
#[derive(Clone)]
pub struct Time(Arc<dyn Clock>);

impl Time {
    /// It starts at the same moment for every cell.
    pub fn new() -> Self {
        Self(Arc::new(InstantClock::new(SystemTime::UNIX_EPOCH + Duration::from_hours(500_000))))
    }

    /// The computer's clock, on which waits take their time.
    pub fn real() -> Self {
        Self(Arc::new(SystemClock))
    }

    /// What it shows.
    pub fn now(&self) -> SystemTime {
        self.0.now()
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::new()
    }
}

/// The options at fault in a configuration's preferences; none where it is accepted.
pub fn contradictions(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("aquera.toml")) {
        Ok(_) => Vec::new(),
        Err(error) => error.contradictions(),
    }
}

impl Subject {
    /// Opens the provisioner on a folder: `aquera.toml` is this text, the state is beside it.
    ///
    /// # Errors
    /// In words, where the configuration or the state is refused.
    pub async fn open(
        text: &str,
        folder: &Path,
        wire: &Wire,
        time: &Time,
        seed: u64,
    ) -> Result<Self, String> {
        let config = Config::parse(text, &folder.join("aquera.toml")).map_err(|error| error.to_string())?;
        let environment = Environment {
            clock: time.0.clone(),
            transport: wire.0.clone(),
            state: folder.join("aquera.db"),
            durability: Durability::Off,
            seed,
            progress: Arc::new(()),
        };
        Provisioner::open(config, environment).await.map(Self).map_err(|error| error.to_string())
    }

    /// One run.
    ///
    /// # Errors
    /// Where the report does not become JSON.
    pub async fn sync(&self, options: Options) -> Result<Report, String> {
        let report = self
            .0
            .sync(SyncOptions {
                full: options.full,
                accept_new_source: options.accept_new_source,
                allow_empty_source: options.allow_empty_source,
                approve_removals: None,
            })
            .await;
        let json = |value: serde_json::Result<Value>| value.map_err(|error| format!("no JSON: {error}"));
        Ok(Report {
            exit: report.exit.code(),
            lines: report
                .lines
                .iter()
                .map(|line| json(serde_json::to_value(line)))
                .collect::<Result<_, _>>()?,
            summary: json(serde_json::to_value(&report.summary))?,
        })
    }

    /// What a person does with `test-connection`.
    ///
    /// # Errors
    /// In words, where the state cannot be written.
    pub async fn test_connection(&self) -> Result<(), String> {
        self.0.test_connection().await.map(drop).map_err(|error| error.to_string())
    }

    /// Closes the state.
    pub async fn close(self) {
        self.0.close().await;
    }
}
