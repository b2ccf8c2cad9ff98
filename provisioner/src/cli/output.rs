//! Results go to stdout: lines for people, NDJSON for programs. Errors go to stderr.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

use super::terminal::{cell, hanging, padded, width, wrapped};
use crate::report::{Outcome, Reason, RunReport, UserLine, word};

/// Users listed at most, per outcome; the rest is counted.
const LISTED: usize = 50;
/// Columns of the outcome.
pub(super) const OUTCOME: usize = 9;
/// Columns of the operation.
pub(super) const OPERATION: usize = 8;

/// Where a subcommand's results go.
pub(super) struct Output {
    pub(super) json: bool,
}

impl Output {
    pub(super) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// One line, for people, or several where it is wider than the output; what would steer the terminal is written out.
    pub(super) fn line(text: &str) {
        Self::raw(&(paragraphs(text) + "\n"));
    }

    /// Text as it is. A reader that has gone away is no failure. Colours are left out where stdout is no terminal, or `NO_COLOR` is set.
    pub(super) fn raw(text: &str) {
        let mut stdout = anstream::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            tracing::debug!("stdout is closed");
        }
    }

    /// Something to know meanwhile, on stderr.
    pub(super) fn notice(message: &str) {
        if writeln!(anstream::stderr().lock(), "{}", paragraphs(message)).is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    /// An error, on stderr.
    pub(super) fn error(message: &str) {
        let mut stderr = anstream::stderr().lock();
        let style = AnsiColor::Red.on_default();
        let shown = paragraphs(&format!("error: {message}"));
        let shown = shown.strip_prefix("error").unwrap_or(&shown);
        if writeln!(stderr, "{style}error{style:#}{shown}").is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    /// One object, for programs.
    pub(super) fn object<T: Serialize>(value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => Self::raw(&(text + "\n")),
            Err(error) => tracing::error!(%error, "failed to write a result"),
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
        Self::raw(&user_lines(&report.lines, width()));
        if let Some(stopped) = &report.summary.stopped {
            Self::error(&stopped.message);
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

/// Each line of `text` as [`hanging`] lines.
fn paragraphs(text: &str) -> String {
    let width = width();
    text.split('\n').map(|line| hanging(line, width, 2)).collect::<Vec<_>>().join("\n")
}

/// The colour of an outcome: failed red, partial and unsynced yellow.
pub(super) const fn colour(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Failed => AnsiColor::Red.on_default(),
        Outcome::Partial | Outcome::Unsynced => AnsiColor::Yellow.on_default(),
        Outcome::Success => Style::new(),
    }
}

/// One user in a list: what happened and to whom on the first line, why on those below it.
pub(super) struct Row<'a> {
    /// What stands before the user, each with its columns; the first one in [`colour`].
    pub(super) lead: &'a [(String, usize)],
    pub(super) outcome: Outcome,
    pub(super) user: &'a str,
    /// What happened at the source; may be empty.
    pub(super) change: String,
    /// Below the first line, each piece on lines of its own.
    pub(super) below: Vec<String>,
}

impl Row<'_> {
    /// The row as lines that end with a line break; none is wider than `width`.
    pub(super) fn render(&self, width: usize) -> String {
        let mut style = colour(self.outcome);
        let mut text = String::new();
        for (word, columns) in self.lead {
            let _ = write!(text, "{style}{}{style:#}", padded(word, *columns));
            style = Style::new();
        }
        let room = width.saturating_sub(self.lead.iter().map(|(_, columns)| columns).sum());
        // The name goes first: who it is matters more than what happened.
        let user = cell(self.user, room);
        let change = format!("  ({})", self.change);
        text.push_str(&user);
        if !self.change.is_empty() && user.width() + change.width() <= room {
            text.push_str(&change);
        }
        text.push('\n');
        let indent = self.lead.first().map_or(0, |(_, columns)| *columns);
        for piece in &self.below {
            text.push_str(&wrapped(piece, width, indent));
            text.push('\n');
        }
        text
    }
}

/// The worst first; what is too much to read is counted. What each reason means stands once, at the end.
fn user_lines(lines: &[UserLine], width: usize) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    let mut reasons = BTreeSet::new();
    for outcome in [Outcome::Failed, Outcome::Partial, Outcome::Unsynced, Outcome::Success] {
        let mut listed = 0;
        for line in lines.iter().filter(|line| line.outcome == outcome) {
            if listed == LISTED {
                left_out += 1;
                continue;
            }
            listed += 1;
            let below = match (&line.detail, outcome) {
                (None, Outcome::Success) => None,
                (Some(detail), Outcome::Success) => Some(detail.clone()),
                (None, _) => Some(word(&line.reason)),
                (Some(detail), _) => Some(format!("{}: {detail}", word(&line.reason))),
            };
            if outcome != Outcome::Success {
                reasons.insert(line.reason);
            }
            let row = Row {
                lead: &[(word(&line.outcome), OUTCOME), (word(&line.operation), OPERATION)],
                outcome,
                user: line.user_name.as_str(),
                change: word(&line.change),
                below: below.into_iter().collect(),
            };
            text.push_str(&row.render(width));
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "… and {left_out} more: --json lists everybody");
    }
    text.push_str(&legend(reasons, width));
    text
}

/// What each of `reasons` means, a paragraph each.
pub(super) fn legend(reasons: impl IntoIterator<Item = Reason>, width: usize) -> String {
    let mut text = String::new();
    for reason in reasons {
        let paragraph = format!("{}: {}", word(&reason), reason.explain());
        text.push_str(&hanging(&paragraph, width, 2));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ChangeLabel, Operation};

    fn line(user: &str, outcome: Outcome, reason: Reason, detail: Option<&str>) -> UserLine {
        UserLine {
            source_id: "1".parse().unwrap(),
            user_name: user.parse().unwrap(),
            target_id: None,
            change: ChangeLabel::AttributesAndDisabled,
            operation: Operation::Disable,
            outcome,
            reason,
            detail: detail.map(str::to_owned),
            failed_deprovision: false,
        }
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let lines = [
            line("ada@example.com", Outcome::Success, Reason::Done, None),
            line(
                &"a-rather-long-name.".repeat(9),
                Outcome::Failed,
                Reason::PartialUpdateUnsupported,
                Some(&"x".repeat(500)),
            ),
            line("eve\u{1b}[2J\u{202e}\nroot", Outcome::Partial, Reason::DisableOff, Some("a\u{7}b")),
        ];
        for width in [40, 80, 120] {
            let text = plain(&user_lines(&lines, width));
            for shown in text.lines() {
                assert!(shown.width() <= width, "{} > {width}: {shown}", shown.width());
                assert!(!shown.chars().any(char::is_control), "{shown:?}");
            }
        }
        insta::assert_snapshot!(plain(&user_lines(&lines, 80)));
    }

    #[test]
    fn failed_is_red() {
        let failed = user_lines(&[line("ada", Outcome::Failed, Reason::Rejected, None)], 80);
        assert!(failed.starts_with("\u{1b}[31mfailed"), "{failed:?}");
        let done = user_lines(&[line("ada", Outcome::Success, Reason::Done, None)], 80);
        assert!(done.starts_with("success"), "{done:?}");
    }

    /// Work is bounded by what is shown, not by what a source holds: counted, not timed.
    #[test]
    fn a_huge_name_and_detail_cost_what_is_shown_of_them() {
        let huge =
            line(&"n".repeat(1_000_000), Outcome::Failed, Reason::Rejected, Some(&"d".repeat(1_000_000)));
        let text = user_lines(std::slice::from_ref(&huge), 80);
        assert!(text.len() < 4_000, "{} bytes", text.len());
    }
}
