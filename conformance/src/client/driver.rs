//! Drivers, which carry out steps at the identity source: a person, a command, or our own provisioner in this
//! process.

pub mod in_process;
pub mod interactive;
use std::process::Stdio;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::client::driver::in_process::{InProcess, InProcessError};
use crate::client::driver::interactive::Prompt;
use crate::client::environment::Environment;
use crate::client::scenario::Person;

/// The exit code of a command that cannot carry the scenario out.
const CANNOT: i32 = 77;

/// So much of what a command that failed said is told.
const LAST_LINES: usize = 5;

/// The step that a driver carries out. A command gets it as JSON on its standard input.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Brief {
    /// 1.
    pub schema_version: u32,
    /// The slug of the scenario.
    pub scenario: String,
    /// The step in a sentence.
    pub title: String,
    /// The slug of the step.
    pub step: String,
    /// The number of the step in the run, from 1.
    pub number: usize,
    /// The number of steps of the run.
    pub of: usize,
    /// The instructions for the source, in plain words.
    pub say: String,
    /// The SCIM base URL of the mock: always the same in a run.
    pub scim_url: String,
    /// The credentials that the mock accepts: the token, or user and password. Always the same in a run.
    pub credentials: Shown,
    /// Everybody at the source, as it must be before the sync.
    pub users: Vec<Person>,
    /// The ids of those who are new.
    pub created: Vec<String>,
    /// The ids of those who changed.
    pub changed: Vec<String>,
    /// The ids of those who left.
    pub removed: Vec<String>,
}

/// Credentials as a driver gets them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The token for `Authorization: Bearer`.
    pub bearer: String,
    /// The user for basic authentication.
    pub basic_user: String,
    /// The password for basic authentication.
    pub basic_password: String,
}

/// The result of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// The step was carried out.
    Done,
    /// The scenario cannot or shall not be carried out.
    Skip(String),
    /// Nobody goes on.
    Quit,
}

/// The reason why a step was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The command cannot be started.
    #[error("failed to start the driver")]
    Start(#[source] std::io::Error),
    /// The step for the command cannot be written as JSON.
    #[error("failed to write the step as JSON")]
    Brief(#[from] serde_json::Error),
    /// The end of the command cannot be waited for.
    #[error("failed to wait for the driver")]
    Wait(#[source] std::io::Error),
    /// The command takes too long.
    #[error("the driver did not end within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// The command failed.
    #[error("the driver ended with {end}; {said}")]
    Ended {
        /// The exit code, or a signal.
        end: String,
        /// The last lines of its output.
        said: String,
    },
    /// Our own provisioner failed.
    #[error(transparent)]
    InProcess(#[from] InProcessError),
}

/// A driver, which carries out steps.
#[derive(Debug)]
pub enum Driver {
    /// A person who reads the instructions.
    Interactive(Prompt),
    /// A command that is started for each step.
    Command(Run),
    /// Our own provisioner.
    InProcess(Box<InProcess>),
}

/// A command.
#[derive(Debug, Clone)]
pub struct Run {
    /// The command line for the shell.
    pub command: String,
    /// The time limit for one step.
    pub timeout: Duration,
    /// The time without requests that ends the step, after the command has ended.
    pub quiet: Duration,
}

impl Driver {
    /// Carries a step out, and returns once its requests have arrived.
    ///
    /// # Errors
    /// The command or the provisioner failed.
    pub async fn act(&mut self, brief: &Brief, environment: &Environment) -> Result<Acted, DriverError> {
        match self {
            Self::Interactive(prompt) => Ok(prompt.act(brief, environment).await),
            Self::Command(run) => {
                let acted = tokio::time::timeout(run.timeout, run.start(brief))
                    .await
                    .unwrap_or(Err(DriverError::TimedOut(run.timeout)))?;
                if acted == Acted::Done {
                    run.settle(environment).await;
                }
                Ok(acted)
            }
            Self::InProcess(own) => Ok(own.act(brief).await.map(|()| Acted::Done)?),
        }
    }
}

impl Run {
    async fn start(&self, brief: &Brief) -> Result<Acted, DriverError> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut child = Command::new(shell)
            .args([flag, &self.command])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(DriverError::Start)?;
        let text = serde_json::to_vec(brief)?;
        if let Some(mut input) = child.stdin.take() {
            // A command that needs no input may close it.
            drop(input.write_all(&text).await);
            drop(input.shutdown().await);
        }
        let output = child.wait_with_output().await.map_err(DriverError::Wait)?;
        let said = last_lines(&[output.stdout, output.stderr].concat());
        match output.status.code() {
            Some(0) => Ok(Acted::Done),
            Some(CANNOT) => {
                let why = if said.is_empty() { String::new() } else { format!(": {said}") };
                Ok(Acted::Skip(format!("the driver cannot carry it out{why}")))
            }
            code => {
                let end = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
                let said =
                    if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {said}") };
                Err(DriverError::Ended { end, said })
            }
        }
    }

    /// Waits until nothing has arrived for a while.
    async fn settle(&self, environment: &Environment) {
        let mut seen = environment.last_seq();
        while !self.quiet.is_zero() {
            tokio::time::sleep(self.quiet).await;
            let now = environment.last_seq();
            if now == seen {
                break;
            }
            seen = now;
        }
    }
}

fn last_lines(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join(" / ")
}

/// Returns the JSON Schema of the standard input of a command.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Brief)
}
