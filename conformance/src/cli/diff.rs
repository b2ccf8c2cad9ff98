//! `conformance diff`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::causes::with_causes;
use crate::cli::{Complaint, say};
use crate::exit::Exit;
use crate::report::{Report, diff, json};

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The JSON report before
    #[arg(value_name = "OLD.json")]
    old: PathBuf,
    /// The JSON report now
    #[arg(value_name = "NEW.json")]
    new: PathBuf,
    /// Print Markdown, for a comment on a pull request
    #[arg(long)]
    markdown: bool,
}

/// Reads a JSON report.
pub(super) fn read(file: &Path) -> Result<Report, Complaint> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Complaint::usage(format!("failed to read {name}: {}", with_causes(&error))))?;
    json::read(&text)
        .map_err(|error| Complaint::usage(format!("failed to read {name}: {}", with_causes(&error))))
}

impl Diff {
    /// Prints the difference. Ends with 1 if a case fails that did not before.
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        if old.suite != new.suite {
            return Err(Complaint::usage(format!(
                "the reports are of different suites: `{}` and `{}`",
                old.suite, new.suite
            )));
        }
        let difference = diff::difference(&old, &new);
        let text = if self.markdown { difference.markdown(&old, &new) } else { difference.text() };
        say(&text)?;
        Ok(if difference.broken.is_empty() { Exit::Passed } else { Exit::Failed })
    }
}
