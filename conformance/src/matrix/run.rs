//! Running cells: the provisioner against the mock, over real sockets, each cell in an application of its own.

#[cfg(test)]
mod agreement;
mod compare;
pub mod configuration;
pub mod environment;
mod play;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::matrix::cell::Cell;
pub use crate::matrix::run::compare::Difference;
use crate::matrix::run::environment::SharedEnvironment;
pub use crate::matrix::run::play::{LastWord, PlayError, transcript};

/// A cell that takes longer than this is broken.
const PATIENCE: Duration = Duration::from_mins(2);

/// The result of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The run agrees with the model.
    Pass,
    /// The subject did something else than the model.
    Fail(Vec<Difference>),
    /// The harness broke.
    Error(String),
}

/// The result of a cell with its details.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The verdict.
    pub verdict: Verdict,
    /// The last line about the user; none for refusals and wrong credentials.
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
    /// The mock cannot be started.
    #[error("failed to start the mock")]
    Mock(#[from] mock_aquera::StartError),
    /// The mock cannot be set up.
    #[error("failed to set up the mock")]
    Environment(#[from] environment::EnvironmentError),
    /// The provisioner cannot be set up.
    #[error("failed to set up the provisioner")]
    Subject(#[from] crate::subject::provisioner::SubjectError),
    /// The runtime of a thread, or the temporary folder, cannot be made.
    #[error("failed to create a runtime or a temporary folder")]
    System(#[from] std::io::Error),
}

/// The number of cells that run in parallel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Width {
    /// Threads, each with a server, a pool of connections and a runtime of its own: none wakes another.
    pub threads: NonZeroUsize,
    /// Cells at once on each.
    pub each: NonZeroUsize,
}

/// The state that all threads share.
struct Work<'a> {
    cells: &'a [Cell],
    next: AtomicUsize,
    seed: u64,
    each: usize,
}

/// Runs the cells and tells each result as it comes. The results come back in the order of `cells`.
///
/// # Errors
/// A mock or a temporary folder cannot be created; a cell that breaks is a verdict.
pub fn run(
    cells: &[Cell],
    width: Width,
    seed: u64,
    mut told: impl FnMut(&Cell, &Played),
) -> Result<(Vec<Played>, Duration), RunError> {
    let started = Instant::now();
    let work = Work { cells, next: AtomicUsize::new(0), seed, each: width.each.get() };
    let mut results: Vec<Option<Played>> = vec![None; cells.len()];
    let (sender, receiver) = mpsc::channel();
    let mut broken = None;
    std::thread::scope(|scope| {
        for _ in 0..width.threads.get().min(cells.len().max(1)) {
            let (work, sender) = (&work, sender.clone());
            scope.spawn(move || {
                if let Err(error) = work.share(&sender) {
                    // Nobody listens any more where another thread broke first.
                    drop(sender.send(Err(error)));
                }
            });
        }
        drop(sender);
        for result in receiver {
            match result {
                Ok((index, played)) => {
                    told(&cells[index], &played);
                    results[index] = Some(played);
                }
                Err(error) => {
                    work.next.store(cells.len(), Ordering::Relaxed);
                    broken = Some(error);
                }
            }
        }
    });
    if let Some(error) = broken {
        return Err(error);
    }
    let missing = || Played::error("the cell was never run".to_owned());
    let results = results.into_iter().map(|played| played.unwrap_or_else(missing)).collect();
    Ok((results, started.elapsed()))
}

type Told = mpsc::Sender<Result<(usize, Played), RunError>>;

impl Work<'_> {
    /// Runs cells on one thread until none is left.
    fn share(&self, sender: &Told) -> Result<(), RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let shared = Arc::new(SharedEnvironment::open(self.seed).await?);
            let workers = (0..self.each).map(|_| self.worker(&shared, sender));
            futures_util::future::join_all(workers).await;
            Ok(())
        })
    }

    async fn worker(&self, shared: &Arc<SharedEnvironment>, sender: &Told) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(cell) = self.cells.get(index).copied() else { break };
            // A task of its own, so that a panic in it is a verdict and not the end.
            let shared = shared.clone();
            let task = tokio::spawn(async move {
                tokio::time::timeout(PATIENCE, play::play(&shared, index, cell)).await
            });
            let played = match task.await {
                Ok(Ok(played)) => played,
                Ok(Err(_)) => Played::error(format!("no end after {} s", PATIENCE.as_secs())),
                Err(panic) => Played::error(format!("the cell broke off: {panic}")),
            };
            if sender.send(Ok((index, played))).is_err() {
                break;
            }
        }
    }
}
