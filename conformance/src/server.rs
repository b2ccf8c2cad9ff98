//! `conformance server`: plays cases against a subject, judges the answers, and leaves nothing behind.

pub mod facts;
mod judge;
mod memory;
mod play;
pub(crate) mod same;
pub(crate) mod tidy;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::case::Case;
use crate::report::{CaseResult, Report, SCHEMA_VERSION, Summary, Verdict};
use crate::server::facts::{Blank, Facts};
use crate::server::tidy::Leftovers;
use crate::wire::client::{Client, Request};

/// What the names of all that the harness makes start with.
pub const PREFIX: &str = "conformance-";

/// How cases are played.
#[derive(Debug, Clone)]
pub struct Options {
    /// So many at once.
    pub jobs: usize,
    /// Names follow from it.
    pub seed: u64,
    /// What is made stays, to be looked at.
    pub keep: bool,
    /// Bodies to start from.
    pub blank: Blank,
    /// Becomes true when no further step may be taken.
    pub stop: watch::Receiver<bool>,
}

/// Why nothing could be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Nobody answers.
    #[error("failed to reach {url}: {reason}\nis the server running, and is this its SCIM base URL?")]
    Unreachable {
        /// Where.
        url: String,
        /// In words.
        reason: String,
    },
    /// The subject does not let the harness in.
    #[error(
        "{url} refuses the credentials ({status}): give them with --bearer TOKEN or --basic USER:PASSWORD"
    )]
    Refused {
        /// Where.
        url: String,
        /// 401 or 403.
        status: u16,
    },
}

/// What tells a run's names from others'.
pub(crate) fn run_name(seed: u64) -> String {
    play::radix(seed % 36_u64.pow(6))
}

/// What all cases of a run share.
pub(crate) struct Stage {
    client: Client,
    facts: Facts,
    blank: Blank,
    /// What its names have in common.
    run: String,
    keep: bool,
    stop: watch::Receiver<bool>,
    leftovers: Leftovers,
}

/// Asks the subject what it is, after finding out that it answers and lets the harness in.
///
/// # Errors
/// [`ServerError`]. Discovery that is missing or broken is no error.
pub async fn facts(client: &Client) -> Result<Facts, ServerError> {
    let request = Request {
        step: "connection test".to_owned(),
        method: "GET".to_owned(),
        path: "/Users".to_owned(),
        query: vec![("count".to_owned(), "1".to_owned())],
        ..Request::default()
    };
    let (exchange, answer) = client.send(&request).await;
    let url = client.base().to_owned();
    match answer {
        None => Err(ServerError::Unreachable {
            url,
            reason: exchange.error.unwrap_or_else(|| "no answer".to_owned()),
        }),
        Some(answer) if answer.status == 401 => Err(ServerError::Refused { url, status: answer.status }),
        Some(_) => Ok(Facts::ask(client).await),
    }
}

/// Plays the cases, and tells each result as it comes. Those of the report are in the order of their ids.
pub async fn run(
    client: Client,
    facts: Facts,
    cases: &[Case],
    options: Options,
    mut told: impl FnMut(&CaseResult),
) -> Report {
    let started = Instant::now();
    let subject = client.base().to_owned();
    let mut lines = facts.lines();
    let stage = Arc::new(Stage {
        client,
        facts,
        blank: options.blank,
        run: run_name(options.seed),
        keep: options.keep,
        stop: options.stop,
        leftovers: Leftovers::default(),
    });
    let mut results = Vec::with_capacity(cases.len());
    let (alone, together): (Vec<_>, Vec<_>) =
        cases.iter().cloned().enumerate().partition(|(_, case)| case.alone);
    for (cases, jobs) in [(together, options.jobs.max(1)), (alone, 1)] {
        let mut receiver = start(&stage, cases, jobs);
        while let Some(result) = receiver.recv().await {
            told(&result);
            results.push(result);
        }
    }
    results.sort_by(|a, b| a.id.cmp(&b.id));
    let leftovers = stage.leftovers.list();
    if !leftovers.is_empty() {
        lines.insert("left behind".to_owned(), leftovers.join(", "));
    }
    Report {
        schema_version: SCHEMA_VERSION,
        suite: "server".to_owned(),
        subject,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: options.seed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        facts: lines,
        shard: None,
        summary: Summary::of(&results),
        stale: Vec::new(),
        cases: results,
    }
}

/// Plays cases in the background, `jobs` at a time.
fn start(stage: &Arc<Stage>, cases: Vec<(usize, Case)>, jobs: usize) -> mpsc::Receiver<CaseResult> {
    let (sender, receiver) = mpsc::channel(64);
    let cases: Arc<[(usize, Case)]> = cases.into();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..jobs.min(cases.len()) {
        let (stage, cases, next, sender) = (stage.clone(), cases.clone(), next.clone(), sender.clone());
        tokio::spawn(async move {
            while let Some((index, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                // A task of its own, so that a panic in it is a verdict and not the end.
                let playing = {
                    let (stage, case, index) = (stage.clone(), case.clone(), *index);
                    tokio::spawn(async move { play::play(&stage, index, &case).await })
                };
                let result = playing.await.unwrap_or_else(|panic| broken(case, &panic.to_string()));
                if sender.send(result).await.is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn broken(case: &Case, why: &str) -> CaseResult {
    CaseResult {
        id: case.id.clone(),
        title: case.title.clone(),
        level: case.level,
        verdict: Verdict::Error,
        requirement: case.requirement.clone(),
        spec: case.spec.clone(),
        because: Some(format!("the harness broke off: {why}")),
        mend: None,
        expected: serde_json::Value::Null,
        actual: serde_json::Value::Null,
        known: None,
        tags: case.tags.clone(),
        milliseconds: 0,
        exchanges: Vec::new(),
    }
}
