//! `conformance merge`.

use std::path::PathBuf;

use clap::Args;

use crate::causes::with_causes;
use crate::cli::reporting::Reporting;
use crate::cli::{Complaint, diff};
use crate::exit::Exit;
use crate::redact::Redactor;
use crate::report::baseline::Catalogue;
use crate::report::{SELECTED, UP_TO, merge};

#[derive(Debug, Args)]
pub(super) struct Merge {
    /// JSON reports: the shards of one run, or runs of different cases against one subject
    #[arg(required = true, value_name = "REPORT.json")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
}

impl Merge {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let mut reports = Vec::new();
        for file in &self.files {
            reports.push((file.display().to_string(), diff::read(file)?));
        }
        let mut report = merge::merge(reports)
            .map_err(|error| Complaint::usage(format!("failed to merge: {}", with_causes(&error))))?;
        // Whoever wrote the reports has redacted them with what they knew; here nobody's name is known any more.
        let ending = self.reporting.open(Redactor::new().nobody_is_real())?;
        if self.reporting.has_baseline() {
            report.forget_known();
        }
        for case in &report.cases {
            ending.tell("case", case)?;
        }
        // The parts of a whole are all there is; of a selection nobody knows here what else there would be.
        let catalogue = if [SELECTED, UP_TO].iter().any(|fact| report.facts.contains_key(*fact)) {
            Catalogue::Unknown
        } else {
            Catalogue::Of(report.cases.iter().map(|case| case.id.clone()).collect())
        };
        ending.finish_of(report, &catalogue)
    }
}
