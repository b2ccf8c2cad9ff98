//! Options that all judging commands share: the selection of cases, and the output of results.
//!
//! ```text
//! #[command(flatten)] choice: Choice,          // --select --shard --seed --list
//! #[command(flatten)] strictness: Strictness,  // --level
//! #[command(flatten)] reporting: Reporting,    // --report --baseline --write-baseline --json
//!
//! let ending = self.reporting.open(redactor)?;        // before anything is run: files and baseline are good
//! ending.tell("case", &result)?;                      // as results come; prints with --json only
//! ending.finish(report, catalogue)                    // redacts, marks, writes, prints; the exit code
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use clap::builder::TypedValueParser;
use serde_json::{Map, Value};

use crate::cli::{Complaint, say};
use crate::exit::Exit;
use crate::format;
use crate::redact::Redactor;
use crate::report::baseline::{Baseline, Catalogue, Changes};
use crate::report::github::{self, Surroundings};
use crate::report::output_format::{Format, FormatError};
use crate::report::shard::Shard;
use crate::report::text::{self, Paint};
use crate::report::{CaseResult, Report, SELECTED, Summary, UP_TO, Verdict};
use crate::requirement::Level;
use crate::select::{Selectable, Selection};

/// The options that select cases.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Choice {
    /// Run only what the expression takes
    #[arg(long, value_name = "EXPR")]
    pub(super) select: Option<String>,
    /// Run the I-th of N parts; `conformance merge` makes one report of them
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    /// Print the ids of what would be run, and run nothing
    #[arg(long)]
    pub(super) list: bool,
    /// The same seed makes the same run
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
}

/// The least binding level of requirement to judge.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Strictness {
    /// Judge what is at least this binding: must; should: those too; may: everything
    #[arg(long, value_name = "LEVEL", default_value = "may", value_parser = levels())]
    pub(super) level: Level,
}

/// The outputs of results.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Reporting {
    /// Write a report; repeatable. The formats are json, junit, html, markdown and badge
    #[arg(long = "report", value_name = "FORMAT=FILE")]
    reports: Vec<ReportFile>,
    /// Known failures with their reasons: they do not fail the run, an entry that holds no longer does
    #[arg(long, value_name = "FILE.toml")]
    baseline: Option<PathBuf>,
    /// Write what fails as a baseline: reasons and links that the file has stay, what is mended goes
    #[arg(long, value_name = "FILE.toml")]
    write_baseline: Option<PathBuf>,
    /// The reason of what --write-baseline adds
    #[arg(long, value_name = "TEXT", requires = "write_baseline")]
    reason: Option<String>,
    /// Keep what was sent and what came of cases that passed too, in the reports
    #[arg(long)]
    pub(super) keep_exchanges: bool,
    /// Print one JSON object a line, the last one a summary
    #[arg(long)]
    pub(super) json: bool,
}

/// A format and a file.
#[derive(Debug, Clone)]
struct ReportFile {
    format: Format,
    file: PathBuf,
}

/// A text that names no format and file.
#[derive(Debug, thiserror::Error)]
enum ReportFileError {
    #[error("expected FORMAT=FILE, as in json=report.json")]
    Form,
    #[error(transparent)]
    Format(#[from] FormatError),
}

impl FromStr for ReportFile {
    type Err = ReportFileError;

    fn from_str(text: &str) -> Result<Self, ReportFileError> {
        match text.split_once('=') {
            Some((format, file)) if !file.is_empty() => {
                Ok(Self { format: format.parse()?, file: file.into() })
            }
            _ => Err(ReportFileError::Form),
        }
    }
}

fn levels() -> impl TypedValueParser<Value = Level> {
    let all = [Level::Must, Level::Should, Level::May];
    clap::builder::PossibleValuesParser::new(all.map(Level::as_str))
        .map(move |word| all.into_iter().find(|level| level.as_str() == word).unwrap_or(Level::May))
}

impl Strictness {
    /// Whether a requirement of this level is judged.
    pub(super) fn takes(self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes into a report that not everything was judged.
    pub(super) fn note(self, report: &mut Report) {
        if self.level != Level::May {
            report.facts.insert(UP_TO.to_owned(), self.level.as_str().to_owned());
        }
    }
}

impl Choice {
    /// Returns the selected items of a list, in its order.
    pub(super) fn choose<S: Selectable>(&self, mut all: Vec<S>) -> Result<Vec<S>, Complaint> {
        let selection = self.select.as_deref().map_or(Ok(Selection::Everything), Selection::parse::<S>);
        let selection = selection.map_err(|error| Complaint::usage(format!("bad --select: {error}")))?;
        all.retain(|one| selection.takes(one));
        Ok(match self.shard {
            Some(shard) => shard.take(all),
            None => all,
        })
    }

    /// Prints the ids of the selected items.
    pub(super) fn print(kind: &str, ids: &[String], json: bool) -> Result<Exit, Complaint> {
        let mut list = String::new();
        for id in ids {
            if json {
                append!(list, "{}\n", serde_json::json!({ "type": kind, "id": id }));
            } else {
                append!(list, "{id}\n");
            }
        }
        if json {
            append!(list, "{}\n", serde_json::json!({ "type": "summary", format!("{kind}s"): ids.len() }));
        }
        say(&list).map(|()| Exit::Passed)
    }

    /// Adds the selection to a report.
    pub(super) fn note(&self, report: &mut Report) {
        report.shard = self.shard.map(|shard| shard.to_string());
        if let Some(select) = &self.select {
            report.facts.insert(SELECTED.to_owned(), select.clone());
        }
    }
}

impl Reporting {
    /// Whether known failures are given.
    pub(super) fn has_baseline(&self) -> bool {
        self.baseline.is_some()
    }

    /// Reads the baseline, and makes sure that every file can be written: found out now, not when all has been run.
    pub(super) fn open(&self, redactor: Redactor) -> Result<Ending, Complaint> {
        let baseline = self.baseline.as_deref().map(read_baseline).transpose()?;
        let renewed = self.write_baseline.as_deref().map(read_unfinished).transpose()?;
        let files: Vec<&Path> = self
            .reports
            .iter()
            .map(|report| &report.file)
            .chain(&self.write_baseline)
            .map(PathBuf::as_path)
            .collect();
        for (at, file) in files.iter().enumerate() {
            if files[..at].contains(file) {
                return Err(Complaint::usage(format!("two reports cannot both go to {}", file.display())));
            }
            check_writable(file)?;
        }
        let old = renewed.map(|renewed| baseline.iter().fold(renewed, Baseline::with));
        Ok(Ending { reporting: self.clone(), baseline, old, redactor, extras: Map::new() })
    }
}

fn read_baseline(file: &Path) -> Result<Baseline, Complaint> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Complaint::usage(format!("failed to read the baseline {}: {error}", file.display()))
    })?;
    Baseline::parse(&text).map_err(|error| {
        Complaint::usage(format!("failed to read the baseline {}:\n  {error}", file.display()))
    })
}

/// Reads the baseline that is replaced. Returns an empty one if there is no such file yet.
fn read_unfinished(file: &Path) -> Result<Baseline, Complaint> {
    let bad = |problem: String| {
        Complaint::usage(format!(
            "failed to read the baseline {}, which is to be written anew:\n  {problem}",
            file.display()
        ))
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Baseline::parse_unfinished(&text).map_err(|error| bad(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Baseline::default()),
        Err(error) => Err(bad(error.to_string())),
    }
}

/// Describes the update of a baseline.
fn told(file: &Path, changes: &Changes) -> String {
    let Changes { kept, added, dropped, without_reason } = changes;
    let mut text =
        format!("{}: {kept} kept, {} added, {} dropped\n", file.display(), added.len(), dropped.len());
    for id in added {
        append!(text, "  added    {}\n", format::one_line(id));
    }
    for why in dropped {
        append!(
            text,
            "  dropped  {}\n",
            format::one_line(why.split(". Take the entry out").next().unwrap_or(why))
        );
    }
    if *without_reason > 0 {
        append!(
            text,
            "  {} no reason yet, and --baseline refuses the file until then: write it there, or run again with --reason TEXT\n",
            if *without_reason == 1 {
                "1 entry has".to_owned()
            } else {
                format!("{without_reason} entries have")
            }
        );
    }
    text
}

/// The outputs of the results, opened before there are any.
#[derive(Debug)]
pub(super) struct Ending {
    reporting: Reporting,
    baseline: Option<Baseline>,
    /// The entries of the baseline that is replaced.
    old: Option<Baseline>,
    redactor: Redactor,
    extras: Map<String, Value>,
}

/// Checks that a file can be written, and removes it again if it did not exist: an empty report is no report, and a
/// program that reads it would fail.
pub(super) fn check_writable(file: &Path) -> Result<(), Complaint> {
    let is_new = std::fs::symlink_metadata(file).is_err();
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(|error| Complaint::usage(format!("cannot write {}: {error}", file.display())))?;
    if is_new {
        // Where it cannot be removed it is written over at the end.
        drop(std::fs::remove_file(file));
    }
    Ok(())
}

impl Ending {
    /// Adds a member to the summary line of `--json`.
    pub(super) fn with(&mut self, name: &str, value: impl Into<Value>) {
        self.extras.insert(name.to_owned(), value.into());
    }

    /// Prints the line of one case with `--json`.
    pub(super) fn tell(&self, kind: &str, case: &CaseResult) -> Result<(), Complaint> {
        if !self.reporting.json {
            return Ok(());
        }
        let mut case = case.clone();
        self.redactor.case(&mut case);
        if let Some(baseline) = &self.baseline {
            baseline.mark(&mut case);
        }
        say(&format!("{}\n", text::json_line(kind, &case).map_err(Complaint::broken_by)?))
    }

    /// Redacts, marks what is known, writes the files, prints what a person or (`--json`) a program reads, and says
    /// how the run ended. `catalogue` has the ids of all cases there are, chosen or not.
    pub(super) fn finish(
        &self,
        report: Report,
        catalogue: impl IntoIterator<Item = String>,
    ) -> Result<Exit, Complaint> {
        let catalogue = if self.baseline.is_some() || self.old.is_some() {
            Catalogue::Of(catalogue.into_iter().collect())
        } else {
            Catalogue::Unknown
        };
        self.finish_of(report, &catalogue)
    }

    /// Works like [`Self::finish`], for callers that may not know the ids of all cases.
    pub(super) fn finish_of(&self, mut report: Report, catalogue: &Catalogue) -> Result<Exit, Complaint> {
        report.cases.sort_by(|a, b| a.id.cmp(&b.id));
        // What was said where nothing is wrong makes a report hundreds of times as long, and is looked at by nobody; to
        // redact it takes as long as to hear it. Only files show why a case was skipped.
        let files = !self.reporting.reports.is_empty();
        for case in &mut report.cases {
            let passed = matches!(case.verdict, Verdict::Pass | Verdict::NotAdvertised);
            if passed && !(files && self.reporting.keep_exchanges)
                || case.verdict == Verdict::Skipped && !files
            {
                case.exchanges = Vec::new();
            }
        }
        self.redactor.report(&mut report);
        report.summary = Summary { stale: report.stale.len(), ..Summary::of(&report.cases) };
        if let Some(baseline) = &self.baseline {
            baseline.apply(&mut report, catalogue);
        }
        self.write(&report, catalogue)?;
        tell_github(&report)?;
        if self.reporting.json {
            let line = text::json_summary(&report, &self.extras).map_err(Complaint::broken_by)?;
            say(&format!("{line}\n"))?;
        } else {
            let paint = Paint::of_stdout();
            let (failures, stages) = (text::failures(&report, paint), text::stages(&report, paint));
            say(&format!("{failures}{stages}{}", text::summary(&report, paint)))?;
        }
        Ok(report.summary.exit())
    }

    /// Writes reports that say why no case was run, and ends with that. A baseline that was to be written stays as it is.
    pub(super) fn not_judged(&self, mut report: Report, why: &str) -> Complaint {
        self.redactor.report(&mut report);
        self.write_reports(&report)
            .and_then(|()| append_summary(&report))
            .and_then(|()| {
                if self.reporting.json {
                    text::json_summary(&report, &self.extras)
                        .map_err(Complaint::broken_by)
                        .and_then(|line| say(&format!("{line}\n")))
                } else {
                    Ok(())
                }
            })
            .err()
            .unwrap_or_else(|| Complaint::broken(why))
    }

    fn write_reports(&self, report: &Report) -> Result<(), Complaint> {
        for ReportFile { format, file } in &self.reporting.reports {
            let text = format
                .write(report)
                .map_err(|error| Complaint::broken(format!("failed to write {}: {error}", file.display())))?;
            write(file, &text)?;
        }
        Ok(())
    }

    fn write(&self, report: &Report, catalogue: &Catalogue) -> Result<(), Complaint> {
        self.write_reports(report)?;
        if let (Some(file), Some(old)) = (&self.reporting.write_baseline, &self.old) {
            let (renewed, mut changes) = old.renewed(report, catalogue, self.reporting.reason.as_deref());
            if changes.without_reason > 0
                && let Some(reason) = self.reporting.reason.as_deref()
            {
                let filled;
                (filled, changes.without_reason) = (renewed.with_reason(reason), 0);
                write(file, &filled.write().map_err(Complaint::broken_by)?)?;
            } else {
                write(file, &renewed.write().map_err(Complaint::broken_by)?)?;
            }
            eprint!("{}", told(file, &changes));
        }
        Ok(())
    }
}

fn write(file: &Path, text: &str) -> Result<(), Complaint> {
    std::fs::write(file, text)
        .map_err(|error| Complaint::broken(format!("failed to write {}: {error}", file.display())))
}

/// Annotations and the step's summary, where GitHub runs this. The annotations go to stderr, which GitHub reads as
/// well, so that stdout is what it is everywhere.
fn tell_github(report: &Report) -> Result<(), Complaint> {
    if Surroundings::of_environment().annotations {
        eprint!("{}", github::annotations(report));
    }
    append_summary(report)
}

/// Appends the step's summary if GitHub runs the command.
fn append_summary(report: &Report) -> Result<(), Complaint> {
    let Some(file) = Surroundings::of_environment().summary else { return Ok(()) };
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&file)
        .and_then(|mut open| open.write_all(github::summary(report).as_bytes()))
        .map_err(|error| Complaint::broken(format!("failed to write the step's summary: {error}")))
}
