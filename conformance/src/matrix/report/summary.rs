//! The counts at the end, by kind.

use crate::matrix::cell::{Cell, Kind};
use crate::matrix::run::{Played, Verdict};

/// The number of cells by result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Cells that passed.
    pub pass: usize,
    /// Cells where the subject is wrong.
    pub fail: usize,
    /// Cells where the harness broke.
    pub error: usize,
}

impl Counts {
    /// Counts the cells of these kinds.
    pub fn of<'a>(results: impl Iterator<Item = (&'a Cell, &'a Played)>, kinds: &[Kind]) -> Self {
        let mut counts = Self::default();
        for (_, played) in results.filter(|(cell, _)| kinds.contains(&cell.kind())) {
            match played.verdict {
                Verdict::Pass => counts.pass += 1,
                Verdict::Fail(_) => counts.fail += 1,
                Verdict::Error(_) => counts.error += 1,
            }
        }
        counts
    }

    /// Returns the number of all cells.
    pub fn total(self) -> usize {
        self.pass + self.fail + self.error
    }
}

/// Returns the counts in words; refusals and wrong credentials by themselves.
pub fn summary(cells: &[Cell], results: &[Played]) -> String {
    let count = |kinds: &[Kind]| Counts::of(cells.iter().zip(results), kinds);
    let row = |name: &str, counts: Counts| {
        format!(
            "{name:<34} {:>6} run {:>6} passed {:>6} failed {:>6} broke\n",
            counts.total(),
            counts.pass,
            counts.fail,
            counts.error
        )
    };
    let mut text = row("cells", count(&[Kind::Matrix, Kind::Sequence]));
    text.push_str(&row("  of the table", count(&[Kind::Matrix])));
    text.push_str(&row("  other sequences", count(&[Kind::Sequence])));
    text.push_str(&row("settings that must be refused", count(&[Kind::Refusal])));
    text.push_str(&row("wrong credentials", count(&[Kind::Credentials])));
    text.push_str(&row("faults", count(&[Kind::Fault])));
    text.push_str(&row("groups", count(&[Kind::Groups])));
    text.push_str(&row("ten runs in a row", count(&[Kind::Rest])));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::cell::Extent;

    #[test]
    fn kinds_are_counted_separately() {
        let cells: Vec<Cell> = Cell::all(Extent::Every).into_iter().take(3).collect();
        let played = |verdict| Played { verdict, last: None, exchanges: Vec::new() };
        let results = [
            played(Verdict::Pass),
            played(Verdict::Fail(Vec::new())),
            played(Verdict::Error("no socket".into())),
        ];
        let text = summary(&cells, &results);
        let row = text.lines().find(|line| line.starts_with("settings that must be refused")).expect("a row");
        let counts: Vec<&str> = row.split_whitespace().filter(|word| word.parse::<u32>().is_ok()).collect();
        assert_eq!(counts, ["3", "1", "1", "1"], "run, passed, failed, broke");
        assert!(text.starts_with("cells                                   0 run"), "{text}");
    }
}
