//! `conformance matrix`.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{Complaint, say};
use crate::exit::Exit;
use crate::matrix::cell::{Cell, Kind};
use crate::matrix::report::summary::{Counts, failures, summary};
use crate::matrix::report::{json, limitation, table};
use crate::matrix::run::{self, Played, Verdict};
use crate::select::Selection;

const SELECT_HELP: &str = "\
Run only the cells that the expression takes

NAME=PATTERN or NAME!=PATTERN, joined by & (and), | (or), ! (not) and parentheses; * in a pattern stands for any \
characters. Names: id, kind (matrix, sequence, refusal, credentials), setting, auth, method, profile, scenario, and \
the options create, update, disable, deprovision, rule-deletion (on, off) and remove-action (delete, disable). \
Example: 'profile=no-partial-update & scenario=left-scope & !method=put'";

#[derive(Debug, Args)]
pub(super) struct Matrix {
    #[arg(long, value_name = "EXPR", help = "Run only the cells that the expression takes", long_help = SELECT_HELP)]
    select: Option<String>,
    /// Print the ids of the cells and run nothing
    #[arg(long)]
    list: bool,
    /// Run the I-th of N parts
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// So many cells at once; by default twice the number of cores
    #[arg(long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// For ids and jitter
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object a line, the last one a summary
    #[arg(long)]
    json: bool,
    /// Write a report; repeatable. The format is json
    #[arg(long, value_name = "FORMAT=FILE")]
    report: Vec<ReportFile>,
    /// Which tables to print; `limitation` alone also selects its cells
    #[arg(long, value_name = "TABLE", value_enum, default_value_t = Table::All)]
    table: Table,
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

/// One part of the cells.
#[derive(Debug, Clone, Copy)]
struct Shard {
    number: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once('/').and_then(|(number, of)| {
            let shard = Self { number: number.parse().ok()?, of: of.parse().ok()? };
            (1..=shard.of).contains(&shard.number).then_some(shard)
        });
        parsed.ok_or_else(|| "expected I/N with I from 1 to N, as in 2/4".to_owned())
    }
}

#[derive(Debug, Clone)]
struct ReportFile(PathBuf);

impl FromStr for ReportFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("json", file)) if !file.is_empty() => Ok(Self(file.into())),
            Some((format, file)) if !file.is_empty() => {
                Err(format!("unknown format `{format}`; the one there is is `json`"))
            }
            _ => Err("expected FORMAT=FILE, as in json=report.json".to_owned()),
        }
    }
}

impl Matrix {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let cells = self.cells()?;
        if self.list {
            let mut list = String::new();
            for cell in &cells {
                if self.json {
                    append!(list, "{}\n", serde_json::json!({ "type": "cell", "id": cell.id() }));
                } else {
                    append!(list, "{}\n", cell.id());
                }
            }
            if self.json {
                append!(list, "{}\n", serde_json::json!({ "type": "summary", "cells": cells.len() }));
            }
            return say(&list).map(|()| Exit::Passed);
        }
        if cells.is_empty() {
            return Err(Complaint::usage("no cell is selected"));
        }
        for ReportFile(file) in &self.report {
            // Found out now, not when everything has been run.
            std::fs::File::create(file)
                .map_err(|error| Complaint::usage(format!("cannot write {}: {error}", file.display())))?;
        }
        let (results, took) = self.play(&cells)?;
        self.tell(&cells, &results, took)?;
        Ok(Counts::of(cells.iter().zip(&results), &Kind::ALL).exit())
    }

    fn cells(&self) -> Result<Vec<Cell>, Complaint> {
        let expression = match (&self.select, self.table) {
            (Some(expression), _) => Some(expression.as_str()),
            (None, Table::Limitation) => Some(limitation::SELECTION),
            (None, Table::All | Table::None) => None,
        };
        let selection = expression.map_or(Ok(Selection::Everything), Selection::parse::<Cell>);
        let selection = selection.map_err(|error| Complaint::usage(format!("bad --select: {error}")))?;
        let mut cells = Cell::all();
        cells.retain(|cell| selection.takes(cell));
        if let Some(Shard { number, of }) = self.shard {
            cells = cells.into_iter().skip(number - 1).step_by(of).collect();
        }
        Ok(cells)
    }

    fn play(&self, cells: &[Cell]) -> Result<(Vec<Played>, Duration), Complaint> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get);
        let jobs = self.jobs.map_or(2 * cores, std::num::NonZeroUsize::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Complaint::broken(format!("failed to start the runtime: {error}")))?;
        // Drawn on stderr, and only where that is a terminal.
        let progress = ProgressBar::new(cells.len() as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} cells, {msg}, {eta} left") {
            progress.set_style(style);
        }
        progress.set_message("0 failed");
        let mut failed = 0;
        let mut trouble = Ok(());
        let told = |cell: &Cell, played: &Played| {
            if played.verdict != Verdict::Pass {
                failed += 1;
                progress.set_message(format!("{failed} failed"));
            }
            progress.inc(1);
            if self.json && trouble.is_ok() {
                trouble = say(&format!("{}\n", json::line(cell, played)));
            }
        };
        let played = runtime
            .block_on(run::run(cells, jobs, self.seed, told))
            .map_err(|error| Complaint::broken(error.to_string()));
        progress.finish_and_clear();
        trouble.and(played)
    }

    fn tell(&self, cells: &[Cell], results: &[Played], took: Duration) -> Result<(), Complaint> {
        for ReportFile(file) in &self.report {
            let failed = |error: &dyn std::fmt::Display| {
                Complaint::broken(format!("failed to write {}: {error}", file.display()))
            };
            let text =
                serde_json::to_vec_pretty(&json::report(cells, results)).map_err(|error| failed(&error))?;
            std::fs::write(file, text).map_err(|error| failed(&error))?;
        }
        if self.json {
            return say(&format!("{}\n", json::summary(cells, results, took)));
        }
        let table = match self.table {
            Table::All => format!("{}\n", table::tables(cells, results)),
            Table::Limitation => format!("{}\n", limitation::table(cells, results)),
            Table::None => String::new(),
        };
        say(&format!("{table}{}{}", failures(cells, results), summary(cells, results, took)))
    }
}
