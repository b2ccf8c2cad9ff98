//! `conformance mutants`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::cli::reporting::{Choice, Reporting};
use crate::cli::server::progress;
use crate::cli::{Complaint, cases, say};
use crate::exit::Exit;
use crate::mutants::file::{self, Mutant};
use crate::mutants::load;
use crate::mutants::run::{self, Played};
use crate::report::redact::Redactor;

#[derive(Debug, Args)]
pub(super) struct Mutants {
    #[command(flatten)]
    choice: Choice,
    /// Play only the cases that a mutant says it is found by, not all of them
    #[arg(long)]
    named: bool,
    /// So many mutants at once
    #[arg(long, value_name = "N", default_value = "2")]
    jobs: NonZeroUsize,
    /// Mutant files in place of those built in
    #[arg(long, value_name = "DIR")]
    mutants: Option<PathBuf>,
    /// Case files in place of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Do not ask that every MUST case fails on a mutant; for a part of the mutants
    #[arg(long)]
    partial: bool,
    /// Write the kill table in Markdown
    #[arg(long, value_name = "FILE.md")]
    table: Option<PathBuf>,
    /// Print the JSON Schema of mutant files
    #[arg(long)]
    schema: bool,
    #[command(flatten)]
    reporting: Reporting,
}

impl Mutants {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        if self.schema {
            let schema = serde_json::to_string_pretty(&file::schema())
                .map_err(|error| Complaint::broken(format!("failed to write the schema: {error}")))?;
            return say(&format!("{schema}\n")).map(|()| Exit::Passed);
        }
        let all = self.mutants.as_deref().map_or_else(load::built_in, load::folder);
        let all = all.map_err(|error| Complaint::usage(error.to_string()))?;
        let whole = all.len();
        let chosen: Vec<Mutant> = self.choice.choose(all)?;
        if self.choice.list {
            let ids: Vec<_> = chosen.iter().map(|mutant| mutant.slug.clone()).collect();
            return Choice::print("mutant", &ids, self.reporting.json);
        }
        if chosen.is_empty() {
            return Err(Complaint::usage("no mutant is selected"));
        }
        let partial = self.partial || chosen.len() < whole;
        let cases = cases::load(self.cases.as_deref())?;
        let ending = self.reporting.open(Redactor::new().nobody_is_real())?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Complaint::broken(format!("failed to start the runtime: {error}")))?;
        let started = Instant::now();
        let progress = progress(chosen.len(), "mutants");
        let played = if self.named { Played::Named } else { Played::All };
        let mut table = runtime
            .block_on(run::run(chosen, &cases, played, self.jobs.get(), |_| progress.inc(1)))
            .map_err(|error| Complaint::broken(error.to_string()))?;
        progress.finish_and_clear();
        if partial {
            table.must.retain(|_, killed| !killed.is_empty());
        }
        if let Some(file) = &self.table {
            std::fs::write(file, table.markdown())
                .map_err(|error| Complaint::broken(format!("failed to write {}: {error}", file.display())))?;
        }
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let report = table.report(milliseconds);
        if self.reporting.json {
            for case in &report.cases {
                ending.tell("mutant", case)?;
            }
        } else {
            say(&format!("{}{}\n\n", table.text(), table.summary()))?;
        }
        let catalogue: Vec<_> = report.cases.iter().map(|case| case.id.clone()).collect();
        ending.finish(report, catalogue)
    }
}
