//! `conformance matrix`.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::reporting::{Choice, Ending, Reporting};
use crate::cli::{Complaint, say};
use crate::exit::Exit;
use crate::matrix::cell::{Cell, Extent, Kind};
use crate::matrix::report::summary::{Counts, summary};
use crate::matrix::report::{cases, limitation, table};
use crate::matrix::run::{self, Played, Verdict, Width};
use crate::redact::Redactor;

const SELECT_HELP: &str = "\
Run only the cells that the expression takes

NAME=PATTERN or NAME!=PATTERN, joined by & (and), | (or), ! (not) and parentheses; * in a pattern stands for any \
characters. Names: id, kind (matrix, sequence, refusal, credentials, rest, \
fault), setting, auth, method, profile, scenario, fault (as in reset or status-503), operation (of a fault: look-up, read, \
create, update, disable, enable, delete, remove-by-disable, read-back), times (of a fault: once, always), and the options create, update, disable, deprovision, rule-deletion (on, off) and remove-action (delete, disable). \
Example: 'profile=no-partial-update & scenario=left-scope & !method=put'";

/// Cells at once on each thread, unless `--jobs` says otherwise.
const AT_ONCE: usize = 2;

/// Ids and jitter follow from it.
const DEFAULT_SEED: u64 = 1;

#[derive(Debug, Args)]
#[command(mut_arg("select", |select| select.long_help(SELECT_HELP)))]
pub(super) struct Matrix {
    #[command(flatten)]
    choice: Choice,
    /// Every combination: without this and without --select, the two authentications take turns in basic scenarios, and the three methods in other sequences
    #[arg(long)]
    all: bool,
    /// Number of cells to run in parallel; by default twice the number of cores
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Tables to print; `limitation` alone also selects its cells
    #[arg(long, value_name = "TABLE", value_enum, default_value_t = Table::All)]
    table: Table,
    #[command(flatten)]
    reporting: Reporting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Table {
    /// Settings by scenarios for each profile, and the other sequences
    All,
    /// Remove Action by partial updates, in Markdown
    Limitation,
    /// None
    None,
}

impl Matrix {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let choice = self.choice();
        let cells = choice.choose(Cell::all(self.extent(&choice)))?;
        if choice.list {
            let ids: Vec<String> = cells.iter().map(Cell::id).collect();
            return Choice::print("cell", &ids, self.reporting.json);
        }
        if cells.is_empty() {
            return Err(Complaint::usage("no cell is selected"));
        }
        // Everybody in a cell is made up; its credentials are, too, but look like anybody's.
        let mut ending = self.reporting.open(Redactor::new().nobody_is_real())?;
        let (results, took) = self.play(&cells, &choice, &ending)?;
        let count = |kinds: &[Kind]| Counts::of(cells.iter().zip(&results), kinds).total();
        ending.with("cells", count(&[Kind::Matrix, Kind::Sequence]));
        ending.with("refusals", count(&[Kind::Refusal]));
        ending.with("wrongCredentials", count(&[Kind::Credentials]));
        ending.with("faults", count(&[Kind::Fault]));
        ending.with("tenRunsInARow", count(&[Kind::Rest]));
        if !self.reporting.json {
            let table = match self.table {
                Table::All => format!("{}\n", table::tables(&cells, &results)),
                Table::Limitation => format!("{}\n", limitation::table(&cells, &results)),
                Table::None => String::new(),
            };
            say(&format!("{table}{}\n", summary(&cells, &results)))?;
        }
        let mut report = cases::report(&cells, &results, took);
        choice.note(&mut report);
        report.seed = choice.seed.unwrap_or(DEFAULT_SEED);
        ending.finish(report, Cell::all(Extent::Every).iter().map(Cell::id))
    }

    /// Returns the combinations for a choice: a selection may name any cell.
    fn extent(&self, choice: &Choice) -> Extent {
        if self.all || choice.select.is_some() { Extent::Every } else { Extent::InTurns }
    }

    /// Returns a thread for each core, and enough cells on each that none waits for its disk.
    fn width(&self) -> Width {
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let Some(jobs) = self.jobs else {
            return Width { threads: cores, each: NonZeroUsize::MIN.saturating_add(AT_ONCE - 1) };
        };
        let threads = cores.min(jobs);
        let each = NonZeroUsize::new(jobs.get().div_ceil(threads.get())).unwrap_or(NonZeroUsize::MIN);
        Width { threads, each }
    }

    /// Returns the choice, with the cells of the requested table if nothing else is selected.
    fn choice(&self) -> Choice {
        let mut choice = self.choice.clone();
        if choice.select.is_none() && self.table == Table::Limitation {
            choice.select = Some(limitation::SELECTION.to_owned());
        }
        choice
    }

    fn play(
        &self,
        cells: &[Cell],
        choice: &Choice,
        ending: &Ending,
    ) -> Result<(Vec<Played>, Duration), Complaint> {
        let width = self.width();
        // Drawn on stderr, and only where that is a terminal.
        let progress = ProgressBar::new(cells.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} cells, {msg}, {eta} left") {
            progress.set_style(style);
        }
        progress.set_message("0 failed");
        let seed = choice.seed.unwrap_or(DEFAULT_SEED);
        let mut failed = 0;
        let mut trouble = Ok(());
        let told = |cell: &Cell, played: &Played| {
            if played.verdict != Verdict::Pass {
                failed += 1;
                progress.set_message(format!("{failed} failed"));
            }
            progress.inc(1);
            if self.reporting.json && trouble.is_ok() {
                trouble = ending.tell("cell", &cases::case(cell, played));
            }
        };
        let played = run::run(cells, width, seed, told).map_err(Complaint::broken_by);
        progress.finish_and_clear();
        trouble.and(played)
    }
}
