//! `conformance cases`.

use std::path::PathBuf;

use clap::Args;

use crate::case::{Case, file, load};
use crate::cli::{Complaint, say};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct Cases {
    /// Print the JSON Schema of case files
    #[arg(long)]
    schema: bool,
    /// Case files to check and list in place of those built in
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
}

impl Cases {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let text = if self.schema {
            let schema = serde_json::to_string_pretty(&file::schema())
                .map_err(|error| Complaint::broken(format!("failed to write the schema: {error}")))?;
            format!("{schema}\n")
        } else {
            list(&load(self.cases.as_deref())?)
        };
        say(&text).map(|()| Exit::Passed)
    }
}

/// Lists cases, one a line: level, id, title.
fn list(cases: &[Case]) -> String {
    let width = cases.iter().map(|case| case.id.len()).max().unwrap_or_default();
    let mut text = String::new();
    for case in cases {
        append!(text, "{:6} {:width$} {}\n", case.level.as_str(), case.id, case.title);
    }
    text
}

/// Returns the cases of a folder, or those built in.
pub(super) fn load(folder: Option<&std::path::Path>) -> Result<Vec<Case>, Complaint> {
    folder.map_or_else(load::built_in, load::folder).map_err(Complaint::usage_by)
}
