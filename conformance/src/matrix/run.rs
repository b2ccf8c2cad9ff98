//! Running cells: the provisioner against the mock, over real sockets, each cell in an application of its own.

#[cfg(test)]
mod agreement;
mod compare;
pub mod configuration;
mod play;
pub mod stage;
pub mod subject;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::matrix::cell::Cell;
pub use crate::matrix::run::compare::Difference;
pub use crate::matrix::run::play::{LastWord, transcript};
use crate::matrix::run::stage::Theatre;

/// A cell that takes longer than this is broken.
const PATIENCE: Duration = Duration::from_mins(2);

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// All held.
    Pass,
    /// The subject did something else than the model.
    Fail(Vec<Difference>),
    /// The harness broke.
    Error(String),
}

/// What is known of a cell that was run.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The verdict.
    pub verdict: Verdict,
    /// What was last said of a user; none for refusals and wrong credentials.
    pub last: Option<LastWord>,
    /// The exchanges of the run in which the first difference showed, as the mock's journal has them.
    pub exchanges: Vec<Value>,
}

impl Played {
    fn error(message: String) -> Self {
        Self { verdict: Verdict::Error(message), last: None, exchanges: Vec::new() }
    }
}

/// Why nothing could be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No server.
    #[error("failed to start the mock: {0}")]
    Mock(String),
    /// No client.
    #[error("failed to make an HTTP client: {0}")]
    Client(String),
    /// No folder.
    #[error("failed to make a temporary folder: {0}")]
    Folder(#[from] std::io::Error),
}

/// Runs the cells, `jobs` at a time, and tells each result as it comes. The results come back in the order of `cells`.
///
/// # Errors
/// Where the mock or the temporary folder cannot be set up; a cell that breaks is a verdict.
pub async fn run(
    cells: &[Cell],
    jobs: usize,
    seed: u64,
    mut told: impl FnMut(&Cell, &Played),
) -> Result<(Vec<Played>, Duration), RunError> {
    let started = Instant::now();
    let theatre = Arc::new(Theatre::open(seed).await?);
    let cells: Arc<[Cell]> = cells.into();
    let next = Arc::new(AtomicUsize::new(0));
    let (sender, mut receiver) = mpsc::channel(64);
    for _ in 0..jobs.clamp(1, cells.len().max(1)) {
        let (theatre, cells, next, sender) = (theatre.clone(), cells.clone(), next.clone(), sender.clone());
        tokio::spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(cell) = cells.get(index).copied() else { break };
                // A task of its own, so that a panic in it is a verdict and not the end.
                let theatre = theatre.clone();
                let task = tokio::spawn(async move {
                    tokio::time::timeout(PATIENCE, play::play(&theatre, index, cell)).await
                });
                let played = match task.await {
                    Ok(Ok(played)) => played,
                    Ok(Err(_)) => Played::error(format!("no end after {} s", PATIENCE.as_secs())),
                    Err(panic) => Played::error(format!("the cell broke off: {panic}")),
                };
                if sender.send((index, played)).await.is_err() {
                    break;
                }
            }
        });
    }
    drop(sender);
    let mut results: Vec<Option<Played>> = vec![None; cells.len()];
    while let Some((index, played)) = receiver.recv().await {
        told(&cells[index], &played);
        results[index] = Some(played);
    }
    let missing = || Played::error("the cell was never run".to_owned());
    let results = results.into_iter().map(|played| played.unwrap_or_else(missing)).collect();
    Ok((results, started.elapsed()))
}
