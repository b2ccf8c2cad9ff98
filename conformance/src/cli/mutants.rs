//! `conformance mutants`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use crate::cli::progress::Progress;
use crate::cli::reporting::{Choice, Ending, Reporting};
use crate::cli::{Complaint, cases, client, runtime, say};
use crate::client::mutants::run as clients;
use crate::exit::Exit;
use crate::mutants::defect::Defective;
use crate::mutants::kill_matrix::KillTable;
use crate::mutants::run::{self, Played, Sequences};
use crate::mutants::{file, load};
use crate::redact::Redactor;

#[derive(Debug, Args)]
pub(super) struct Mutants {
    #[command(flatten)]
    choice: Choice,
    /// Run the suite of `client` against broken clients instead; --mutants and --cases name a folder like conformance/data/client
    #[arg(long, conflicts_with_all = ["named", "schema"])]
    client: bool,
    /// Play only the cases that a mutant says it is found by, not all of them
    #[arg(long)]
    named: bool,
    /// Number of sequences of `explore` to play against each mutant; by default only against mutants that name one of its rules
    #[arg(long, value_name = "N")]
    explore: Option<usize>,
    /// Number of mutants to run in parallel
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

/// The result of a choice of mutants.
enum Chosen<M> {
    /// The chosen mutants, and whether they are a part only.
    Some(Vec<M>, bool),
    /// They were printed, and that is all.
    Listed(Exit),
}

impl Mutants {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        if self.schema {
            let schema = serde_json::to_string_pretty(&file::schema())
                .map_err(|error| Complaint::broken(format!("failed to write the schema: {error}")))?;
            return say(&format!("{schema}\n")).map(|()| Exit::Passed);
        }
        if self.client {
            return self.clients();
        }
        let all = self.mutants.as_deref().map_or_else(load::built_in, load::folder);
        let all = all.map_err(Complaint::usage_by)?;
        let (chosen, partial) = match self.chosen(all)? {
            Chosen::Some(chosen, partial) => (chosen, partial),
            Chosen::Listed(exit) => return Ok(exit),
        };
        let cases = cases::load(self.cases.as_deref())?;
        let played = if self.named { Played::Named } else { Played::All };
        self.play(chosen.len(), partial, async |progress| {
            let sequences =
                self.explore.map_or(Sequences::USUAL, |all| Sequences { named: all, others: all });
            let table =
                run::run(chosen, &cases, played, sequences, self.jobs.get(), |_| progress.inc()).await;
            table.map_err(Complaint::broken_by)
        })
    }

    /// Runs the suite against broken clients.
    fn clients(&self) -> Result<Exit, Complaint> {
        let written = client::load(self.cases.as_deref().or(self.mutants.as_deref()))?;
        let (chosen, partial) = match self.chosen(written.mutants.clone())? {
            Chosen::Some(chosen, partial) => (chosen, partial),
            Chosen::Listed(exit) => return Ok(exit),
        };
        self.play(chosen.len(), partial, async |progress| {
            let table = clients::run(&written, chosen, self.jobs.get(), |_| progress.inc()).await;
            table.map_err(Complaint::broken_by)
        })
    }

    fn chosen<M: Defective>(&self, all: Vec<M>) -> Result<Chosen<M>, Complaint> {
        let whole = all.len();
        let chosen = self.choice.choose(all)?;
        if self.choice.list {
            let ids: Vec<_> = chosen.iter().map(|mutant| mutant.slug().to_owned()).collect();
            return Choice::print("mutant", &ids, self.reporting.json).map(Chosen::Listed);
        }
        if chosen.is_empty() {
            return Err(Complaint::usage("no mutant is selected"));
        }
        let partial = self.partial || chosen.len() < whole;
        Ok(Chosen::Some(chosen, partial))
    }

    fn play(
        &self,
        mutants: usize,
        partial: bool,
        judge: impl AsyncFnOnce(&Progress) -> Result<KillTable, Complaint>,
    ) -> Result<Exit, Complaint> {
        let ending = self.reporting.open(Redactor::new().nobody_is_real())?;
        let runtime = runtime()?;
        let started = Instant::now();
        let progress = Progress::new(mutants, "mutants");
        let mut table = runtime.block_on(judge(&progress))?;
        progress.end();
        self.end(&mut table, partial, &ending, started)
    }

    fn end(
        &self,
        table: &mut KillTable,
        partial: bool,
        ending: &Ending,
        started: Instant,
    ) -> Result<Exit, Complaint> {
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
