//! The interface of broken servers and broken clients: a name, a defect, the cases that name it, and a row of the
//! kill table.

use std::panic::resume_unwind;

use futures_util::{StreamExt as _, stream};

use crate::mutants::kill_matrix::Row;
use crate::select::Selectable;

/// A server or client with one defect.
pub trait Defective {
    /// Returns a stable name.
    fn slug(&self) -> &str;
    /// Returns the defect in a sentence.
    fn defect(&self) -> &str;
    /// Returns the ids of the cases that name the defect.
    fn found_by(&self) -> &[String];
}

impl<M: Defective> Selectable for M {
    fn properties() -> Vec<(&'static str, Vec<String>)> {
        vec![("slug", Vec::new()), ("found-by", Vec::new())]
    }

    fn has(&self, name: &str, fits: &dyn Fn(&str) -> bool) -> bool {
        match name {
            "slug" => fits(self.slug()),
            "found-by" => self.found_by().iter().any(|case| fits(case)),
            _ => false,
        }
    }
}

/// Has mutants judged, `jobs` at a time, and tells of each as it comes. The rows come back in the order of their slugs.
///
/// # Errors
/// The first of `judge`.
pub(crate) async fn side_by_side<M, J, E>(
    mutants: Vec<M>,
    jobs: usize,
    judge: impl Fn(M) -> J,
    mut told: impl FnMut(&Row),
) -> Result<Vec<Row>, E>
where
    J: Future<Output = Result<Row, E>> + Send + 'static,
    E: Send + 'static,
{
    // Tasks, so that they have more than one core.
    let judged = stream::iter(mutants).map(|mutant| tokio::spawn(judge(mutant)));
    let mut judged = judged.buffer_unordered(jobs.max(1));
    let mut rows = Vec::new();
    while let Some(row) = judged.next().await {
        // Nobody stops a task here: it panicked.
        let row = row.unwrap_or_else(|error| resume_unwind(error.into_panic()))?;
        told(&row);
        rows.push(row);
    }
    rows.sort_by(|a, b| a.slug.cmp(&b.slug));
    Ok(rows)
}
