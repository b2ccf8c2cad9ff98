//! The count at the end, and the list of what fails.

use std::time::Duration;

use crate::exit::Exit;
use crate::matrix::cell::{Cell, Kind};
use crate::matrix::run::{Played, Verdict};

/// Failures told in full; the rest are counted, and told in the JSON report.
const TOLD_IN_FULL: usize = 20;

/// How many cells ended how.
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
    /// Of the cells of these kinds.
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

    /// All of them.
    pub fn total(self) -> usize {
        self.pass + self.fail + self.error
    }

    /// The exit code for these counts; what broke comes before what failed, because the failures may not be all.
    pub fn exit(self) -> Exit {
        match self {
            Self { error: 1.., .. } => Exit::Broken,
            Self { fail: 1.., .. } => Exit::Failed,
            Self { .. } => Exit::Passed,
        }
    }
}

/// The cells that failed or broke, with what was expected and the command line that runs each alone.
pub fn failures(cells: &[Cell], results: &[Played]) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    let mut told = 0;
    for (cell, played) in cells.iter().zip(results) {
        if played.verdict == Verdict::Pass {
            continue;
        }
        told += 1;
        if told > TOLD_IN_FULL {
            left_out += 1;
            continue;
        }
        text.push_str(&failure(cell, played));
    }
    if left_out > 0 {
        append!(text, "… and {left_out} more; `--report json=FILE` has them all\n");
    }
    text
}

fn failure(cell: &Cell, played: &Played) -> String {
    let mut text = String::new();
    let mut line = |arguments: std::fmt::Arguments<'_>| {
        text.push_str(&arguments.to_string());
        text.push('\n');
    };
    match &played.verdict {
        Verdict::Pass => {}
        Verdict::Error(message) => {
            line(format_args!("ERROR {}", cell.id()));
            line(format_args!("  {message}"));
        }
        Verdict::Fail(differences) => {
            line(format_args!("FAIL  {}", cell.id()));
            line(format_args!("  {}", cell.title()));
            for difference in differences {
                line(format_args!("  run {}, {}", difference.run, difference.what));
                line(format_args!("    expected  {}", difference.expected));
                line(format_args!("    actual    {}", difference.actual));
            }
        }
    }
    line(format_args!("  alone: {}", cell.command()));
    text
}

/// The count and the time; refusals and wrong credentials apart.
pub fn summary(cells: &[Cell], results: &[Played], took: Duration) -> String {
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
    let cells_of = count(&[Kind::Matrix, Kind::Sequence]);
    let mut text = row("cells", cells_of);
    text.push_str(&row("  of the table", count(&[Kind::Matrix])));
    text.push_str(&row("  other sequences", count(&[Kind::Sequence])));
    text.push_str(&row("settings that must be refused", count(&[Kind::Refusal])));
    text.push_str(&row("wrong credentials", count(&[Kind::Credentials])));
    let seconds = took.as_secs_f64();
    append!(text, "{} cells in {seconds:.1} s\n", cells_of.total());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::run::Difference;

    fn played(verdict: Verdict) -> Played {
        Played { verdict, last: None, exchanges: Vec::new() }
    }

    #[test]
    fn what_broke_comes_before_what_failed() {
        let cells: Vec<Cell> = Cell::all().into_iter().take(3).collect();
        let difference =
            Difference { run: 2, what: "exit code".into(), expected: "0".into(), actual: "1".into() };
        let mut results =
            vec![played(Verdict::Pass), played(Verdict::Pass), played(Verdict::Fail(vec![difference]))];
        let exit = |results: &[Played]| Counts::of(cells.iter().zip(results), &Kind::ALL).exit();
        assert_eq!(exit(&results), Exit::Failed);
        let text = failures(&cells, &results);
        assert!(text.contains("run 2, exit code\n    expected  0\n    actual    1"), "{text}");
        assert!(text.contains(&format!("--select 'id={}'", cells[2].id())), "{text}");
        results[0] = played(Verdict::Error("no socket".into()));
        assert_eq!(exit(&results), Exit::Broken);
        assert!(failures(&cells, &results).contains("no socket"));
        results = vec![played(Verdict::Pass); 3];
        assert_eq!(exit(&results), Exit::Passed);
        assert_eq!(failures(&cells, &results), "");
    }
}
