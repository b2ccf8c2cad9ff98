//! The progress of a run: a bar on a terminal, a line now and then elsewhere. Both go to stderr.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::signal::tell;
use crate::format;

/// Without a bar, the shortest time between two lines about the progress.
const EVERY: Duration = Duration::from_secs(30);

/// The progress of a run. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Progress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bar: ProgressBar,
    began: Instant,
    lines: Mutex<Lines>,
}

/// The lines that stand in for a bar.
#[derive(Debug)]
struct Lines {
    what: &'static str,
    of: usize,
    done: usize,
    last: Duration,
}

impl Lines {
    /// Counts one more after `elapsed`. Returns a line where one is due.
    fn inc(&mut self, elapsed: Duration) -> Option<String> {
        let Self { what, of, .. } = *self;
        self.done += 1;
        if elapsed < self.last + EVERY || self.done >= of {
            return None;
        }
        self.last = elapsed;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (done, left) = (u128::try_from(self.done).ok()?, u128::try_from(of - self.done).ok()?);
        let left = u64::try_from(elapsed.as_millis() * left / done).unwrap_or(u64::MAX);
        Some(format!(
            "{} of {of} {what} in {}, about {} left",
            self.done,
            format::duration(milliseconds(elapsed)),
            format::duration(left)
        ))
    }
}

impl Progress {
    /// Returns the progress of `length` items that are called `what`.
    pub(super) fn new(length: usize, what: &'static str) -> Self {
        let bar = ProgressBar::new(length as u64);
        bar.set_message(what);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}, {eta} left") {
            bar.set_style(style);
        }
        let lines = Lines { what, of: length, done: 0, last: Duration::ZERO };
        Self(Arc::new(Inner { bar, began: Instant::now(), lines: Mutex::new(lines) }))
    }

    /// Counts one more.
    pub(super) fn inc(&self) {
        self.0.bar.inc(1);
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = lines.inc(self.0.began.elapsed());
        drop(lines);
        if let Some(line) = line.filter(|_| self.0.bar.is_hidden()) {
            self.say(&line);
        }
    }

    /// Writes a line to stderr, above the bar.
    pub(super) fn say(&self, line: &str) {
        self.0.bar.suspend(|| tell(line));
    }

    /// Removes the bar.
    pub(super) fn end(&self) {
        self.0.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_lines_are_rare_and_show_the_count() {
        let mut lines = Lines { what: "cases", of: 400, done: 0, last: Duration::ZERO };
        let mut told = Vec::new();
        for second in 1..=100 {
            told.extend(lines.inc(Duration::from_secs(second)));
        }
        assert_eq!(
            told,
            [
                "30 of 400 cases in 30.0 s, about 6 min 10 s left",
                "60 of 400 cases in 1 min 0 s, about 5 min 40 s left",
                "90 of 400 cases in 1 min 30 s, about 5 min 10 s left",
            ]
        );
        let mut last = Lines { what: "cases", of: 2, done: 1, last: Duration::ZERO };
        assert_eq!(last.inc(EVERY * 2), None, "the summary follows");
    }
}
