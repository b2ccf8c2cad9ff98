//! A window on a long text: what was parsed is dropped, and what is needed is read.

use std::io::Read;

use super::problems::{Place, Shift};
use super::text::TextReader;
use super::{LONGEST_USER, LocatedProblem, SourceProblem};

/// Bytes that are dropped at a time.
const PARSED: usize = 1 << 18;

/// The part of a text that is being parsed.
pub(super) struct Window<R> {
    reader: TextReader<R>,
    text: String,
    has_more: bool,
    /// The text before the window.
    before: Shift,
    /// A byte whose place is known: places are asked for in rising order.
    mark: (usize, Place),
}

const START: Place = Place { line: 1, column: 1 };

impl<R: Read> Window<R> {
    pub(super) fn new(reader: TextReader<R>) -> Self {
        Self { reader, text: String::new(), has_more: true, before: Shift::lines(0), mark: (0, START) }
    }

    /// Returns the text from a byte on, as far as it was read.
    pub(super) fn rest(&self, at: usize) -> &str {
        self.text.get(at..).unwrap_or_default()
    }

    /// Returns the end of what was read.
    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether there may be text behind the window.
    pub(super) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Reads on, so that the window is longer: by the half of its length at least, because what did not fit into it is parsed
    /// again. Returns `false` at the end of the text.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is not a text, or a user in it is too long.
    pub(super) fn grow(&mut self) -> Result<bool, LocatedProblem> {
        let before = self.text.len();
        if before > LONGEST_USER {
            return Err((Some(self.place(0)), SourceProblem::TooLong));
        }
        while self.has_more && self.text.len() <= before + before / 2 {
            match self.reader.read_into(&mut self.text) {
                Ok(more) => self.has_more = more,
                Err(problem) => {
                    self.has_more = false;
                    let place = problem.is_in_text().then(|| self.place(self.text.len()));
                    return Err((place, problem));
                }
            }
        }
        Ok(self.text.len() > before)
    }

    /// Drops the text before a byte, if it is worth it, and returns where that byte is now.
    pub(super) fn drop_before(&mut self, at: usize) -> usize {
        if at < PARSED {
            return at;
        }
        let place = self.place(at);
        self.before = Shift::from(place);
        self.text.drain(..at);
        self.mark = (0, START);
        0
    }

    /// Returns the place of a byte in the whole text.
    pub(super) fn place(&mut self, at: usize) -> Place {
        let (marked, place) = if self.mark.0 <= at { self.mark } else { (0, START) };
        let part = self.text.get(marked..).unwrap_or_default();
        let place = Place::of(part, at - marked).after(Shift::from(place));
        self.mark = (at, place);
        place.after(self.before)
    }
}
