//! Running users beside each other, and telling how far the run is.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::task::JoinSet;

/// A listener for the progress of a run.
pub trait Progress: Send + Sync {
    /// Begins a stage of `total` users.
    fn begin(&self, stage: &'static str, total: usize);
    /// Counts one user as settled.
    fn advance(&self);
    /// Ends the stage.
    fn end(&self);
}

impl Progress for () {
    fn begin(&self, _stage: &'static str, _total: usize) {}
    fn advance(&self) {}
    fn end(&self) {}
}

/// Calls `work` with 0..`total`, at most `width` at a time, and returns the results in order.
pub(crate) async fn in_parallel<T, F, TaskRun>(
    total: usize,
    width: usize,
    progress: &Arc<dyn Progress>,
    work: TaskRun,
) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send,
    TaskRun: Fn(usize) -> F + Clone + Send + Sync + 'static,
{
    if width <= 1 || total <= 1 {
        let mut results = Vec::with_capacity(total);
        for index in 0..total {
            results.push(work(index).await);
            progress.advance();
        }
        return results;
    }
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..width.min(total) {
        let (next, work, progress) = (Arc::clone(&next), work.clone(), Arc::clone(progress));
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= total {
                    return done;
                }
                done.push((index, work(index).await));
                progress.advance();
            }
        });
    }
    let mut results = BTreeMap::new();
    while let Some(joined) = workers.join_next().await {
        match joined {
            Ok(done) => results.extend(done),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {} // cancelled together with its caller
        }
    }
    results.into_values().collect()
}
