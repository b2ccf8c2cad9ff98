//! Results go to stdout: a table and a last line for people, NDJSON for programs.

use std::io::{self, Write as _};

use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use serde::Serialize;

use crate::report::{Outcome, RunReport, UserLine, word};

/// Users told in the table at most, per outcome; the rest is counted.
const TOLD: usize = 50;
/// The width of tables that go into a file or a pipe.
const WIDTH: u16 = 160;

/// Where a subcommand's results go.
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// One line, for people.
    pub(super) fn line(text: &str) {
        Self::raw(&format!("{text}\n"));
    }

    /// Text as it is. A reader that has gone away is no failure.
    pub(super) fn raw(text: &str) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            tracing::debug!("nobody reads the output any longer");
        }
    }

    /// One object, for programs.
    pub(super) fn object<T: Serialize>(value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => Self::line(&text),
            Err(error) => tracing::error!(%error, "cannot write a result"),
        }
    }

    /// A run's lines and its summary.
    pub(super) fn report(&self, report: &RunReport) {
        if self.json {
            let mut text = String::new();
            for line in &report.lines {
                text.push_str(&serde_json::to_string(line).unwrap_or_default());
                text.push('\n');
            }
            Self::raw(&text);
            Self::object(&report.summary);
            return;
        }
        if !report.lines.is_empty() {
            Self::line(&lines_table(&report.lines));
        }
        if let Some(stopped) = &report.summary.stopped {
            eprintln!("error: {}", stopped.message);
        }
        let summary = &report.summary;
        Self::line(&format!(
            "{} users in the source, {} impacted: {} success, {} unsynced, {} partial, {} failed ({} failed deprovisions); {} requests{}",
            summary.users,
            summary.impacted,
            summary.success,
            summary.unsynced,
            summary.partial,
            summary.failed,
            summary.failed_deprovisions,
            summary.requests,
            summary
                .stopped
                .as_ref()
                .map(|stopped| format!("; stopped: {}", stopped.code))
                .unwrap_or_default(),
        ));
    }
}

/// A table without borders, as wide as the terminal.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(header.to_vec());
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(WIDTH);
    table.set_width(width);
    table
}

/// The worst first; what is too much to read is counted.
fn lines_table(lines: &[UserLine]) -> String {
    let mut table = table(&["user", "change", "operation", "outcome", "reason", "detail"]);
    let mut left_out = 0;
    for outcome in [Outcome::Failed, Outcome::Partial, Outcome::Unsynced, Outcome::Success] {
        let mut told = 0;
        for line in lines.iter().filter(|line| line.outcome == outcome) {
            if told == TOLD {
                left_out += 1;
                continue;
            }
            told += 1;
            table.add_row([
                line.user_name.as_str().to_owned(),
                word(&line.change),
                word(&line.operation),
                word(&line.outcome),
                word(&line.reason),
                line.detail.clone().unwrap_or_else(|| match line.outcome {
                    Outcome::Success => String::new(),
                    Outcome::Unsynced | Outcome::Partial | Outcome::Failed => {
                        line.reason.explain().to_owned()
                    }
                }),
            ]);
        }
    }
    let text = trimmed(&table);
    if left_out == 0 {
        return text;
    }
    format!("{text}\n… and {left_out} more: --json lists everybody")
}

/// A table's text without blanks at the ends of its lines.
pub(super) fn trimmed(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
