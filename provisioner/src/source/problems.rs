//! The problems of a source with their places: the first few are kept, the others counted.

use std::path::Path;

use super::{SourceError, SourceProblem};

/// Maximum number of problems that are kept.
const MOST: usize = 100;

/// A place in a text: line and column, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// The text before a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// Whole lines before the part.
    lines: usize,
    /// Letters before it on its first line.
    letters: usize,
}

impl Shift {
    /// Returns the shift of a part that begins with a line.
    pub(super) const fn lines(lines: usize) -> Self {
        Self { lines, letters: 0 }
    }
}

impl Place {
    /// Returns the place of a byte of `text`.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        Self { line, column: before.get(line_start..).unwrap_or_default().chars().count() + 1 }
    }

    /// Returns the place in the whole text of this place in a part of it.
    pub(super) const fn after(self, shift: Shift) -> Self {
        let letters = if self.line == 1 { shift.letters } else { 0 };
        Self { line: self.line + shift.lines, column: self.column + letters }
    }
}

impl From<Place> for Shift {
    /// Returns the shift of a part that begins at `place`.
    fn from(place: Place) -> Self {
        Self { lines: place.line - 1, letters: place.column - 1 }
    }
}

/// The problems of a source.
#[derive(Debug, Default)]
pub(super) struct Problems {
    first: Vec<(Option<Place>, SourceProblem)>,
    count: usize,
}

impl Problems {
    pub(super) fn push(&mut self, place: Option<Place>, problem: SourceProblem) {
        self.push_with(|| (place, problem));
    }

    /// Adds a problem whose description takes work.
    pub(super) fn push_with(&mut self, problem: impl FnOnce() -> (Option<Place>, SourceProblem)) {
        self.count += 1;
        if self.first.len() < MOST {
            self.first.push(problem());
        }
    }

    /// Adds the problems of a later part.
    pub(super) fn append(&mut self, later: Self) {
        self.count += later.count;
        let room = MOST - self.first.len().min(MOST);
        self.first.extend(later.first.into_iter().take(room));
    }

    /// Returns the first problems as errors of `file`, in the order of their places, and the number of all.
    pub(super) fn into_errors(mut self, file: &Path) -> (Vec<SourceError>, usize) {
        self.first.sort_by_key(|(place, _)| *place);
        let errors =
            self.first.into_iter().map(|(place, problem)| SourceError::new(file, place, problem)).collect();
        (errors, self.count)
    }
}
