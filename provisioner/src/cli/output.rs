//! Results go to stdout: lines for people, NDJSON for programs. Errors go to stderr.

pub(super) mod groups;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

use super::confirmation;
use super::terminal::{cell, hanging, padded, width, wrapped};
use crate::causes::with_cause;
use crate::config::ConfigError;
use crate::report::{Outcome, RunReport, Summary, UserLine, word};
use crate::state::store::StoreError;
use crate::visible::is_steering;

/// Maximum number of listed users per outcome; the rest is counted.
const LISTED: usize = 50;
/// Maximum columns of a connection's name before its lines.
const LABEL: usize = 30;
/// Columns of the outcome.
pub(super) const OUTCOME: usize = 9;
/// Columns of the operation.
pub(super) const OPERATION: usize = 8;
/// Columns of the word that tells a group from a user.
pub(super) const GROUP: usize = 6;

/// The destination of a subcommand's results.
pub(super) struct Output {
    pub(super) json: bool,
    /// The name of the connection where the output is that of several.
    pub(super) connection: Option<String>,
}

impl Output {
    /// Prints a line for people, wrapped to the width of the output. Characters that would steer the terminal are
    /// escaped, line breaks too, because most texts quote the source or the target.
    pub(super) fn line(text: &str) {
        Self::raw(&(hanging(text, width(), 2) + "\n"));
    }

    /// Prints text unchanged. A closed stdout is no failure. Colours are omitted if stdout is no terminal or `NO_COLOR`
    /// is set.
    pub(super) fn raw(text: &str) {
        let mut stdout = anstream::stdout().lock();
        if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
            tracing::debug!("stdout is closed");
        }
    }

    /// Prints a notice to stderr.
    pub(super) fn notice(message: &str) {
        if writeln!(anstream::stderr().lock(), "{}", hanging(message, width(), 2)).is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    /// Prints an error to stderr.
    pub(super) fn error(message: &str) {
        let mut stderr = anstream::stderr().lock();
        let style = AnsiColor::Red.on_default();
        let shown = hanging(&format!("error: {message}"), width(), 2);
        let shown = shown.strip_prefix("error").unwrap_or(&shown);
        if writeln!(stderr, "{style}error{style:#}{shown}").is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    /// Prints one JSON object, for programs.
    pub(super) fn object<T: Serialize>(value: &T) {
        Self::raw(&json_line(value));
    }

    /// Prints a line of JSON for each value: there is nothing to strip for a terminal in them.
    fn json_lines<'a, T: Serialize + 'a>(values: impl Iterator<Item = &'a T>) {
        let mut stdout = BufWriter::new(std::io::stdout().lock());
        let written = values
            .map(json_line)
            .try_for_each(|line| stdout.write_all(line.as_bytes()))
            .and_then(|()| stdout.flush());
        if written.is_err() {
            tracing::debug!("stdout is closed");
        }
    }

    /// Prints an error of the state file to stderr.
    pub(super) fn store_error(error: &StoreError) {
        Self::error(&format!("{}; {}", with_cause(error), error.way_out()));
        Self::notice("  --state FILE chooses the state file");
    }

    /// Prints the problems of a configuration with their locations to stderr.
    pub(super) fn config_error(error: ConfigError) {
        if writeln!(anstream::stderr().lock(), "{:?}", miette::Report::new(error)).is_err() {
            tracing::debug!("stderr is closed");
        }
    }

    /// Prints the lines and the summary of a run.
    pub(super) fn report(&self, report: &RunReport) {
        let summary = &report.summary;
        let stopped = summary.stopped.as_ref().map(confirmation::stopped);
        if self.json {
            if self.connection.is_none() {
                Self::json_lines(report.lines.iter());
                Self::json_lines(report.groups.iter());
            } else {
                let users = report.lines.iter().map(|line| self.json_line(line));
                let groups = report.groups.iter().map(|line| self.json_line(line));
                Self::raw(&users.chain(groups).collect::<String>());
            }
            if let Some(quarantine) = &summary.quarantine {
                Self::error(quarantine);
            }
            Self::raw(&self.json_line(&Summary { stopped, ..summary.clone() }));
            return;
        }
        let label = self.connection.as_deref().map(|name| format!("[{}] ", cell(name, LABEL)));
        let label = label.unwrap_or_default();
        let width = width().saturating_sub(label.width()).max(LABEL);
        let lines = user_lines(&report.lines, width) + &groups::lines(&report.groups, width);
        let mut figures = hanging(&figures(summary), width, 2) + "\n";
        if let Some(groups) = &summary.groups {
            figures += &(hanging(&groups::figures(groups), width, 2) + "\n");
        }
        if let Some(quarantine) = &summary.quarantine {
            Self::error(&format!("{label}{quarantine}"));
        }
        if let Some(stopped) = &stopped {
            Self::raw(&labelled(&lines, &label));
            Self::error(&format!("{label}{}", stopped.message));
            Self::raw(&labelled(&figures, &label));
        } else {
            Self::raw(&labelled(&(lines + &figures), &label));
        }
    }

    /// Returns `value` as a line of JSON, with the connection where the output is that of several.
    fn json_line<T: Serialize>(&self, value: &T) -> String {
        let Some(connection) = &self.connection else { return json_line(value) };
        match serde_json::to_value(value) {
            Ok(Value::Object(mut members)) => {
                members.insert("connection".to_owned(), connection.as_str().into());
                json_line(&members)
            }
            Ok(_) | Err(_) => json_line(value),
        }
    }
}

/// Returns the figures of a run as a sentence.
fn figures(summary: &Summary) -> String {
    format!(
        "{} users in the source, {} impacted: {} success, {} unsynced, {} partial, {} failed ({} failed deprovisions); {} requests{}{}{}",
        summary.users,
        summary.impacted,
        summary.success,
        summary.unsynced,
        summary.partial,
        summary.failed,
        summary.failed_deprovisions,
        summary.requests,
        skipped(summary.excluded, summary.frozen),
        summary.stopped.as_ref().map(|stopped| format!("; stopped: {}", stopped.code)).unwrap_or_default(),
        if summary.dry_run { "; dry run: nothing was written" } else { "" },
    )
}

/// Returns the numbers of users that are left alone, each with the reason; empty if there are none.
pub(super) fn skipped(excluded: u64, frozen: u64) -> String {
    let part = |number: u64, why: &str| (number > 0).then(|| format!("{number} {why}"));
    let parts = [part(excluded, "named by exclude"), part(frozen, "of a rule that is turned off")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("; left alone: {}", parts.join(", ")) }
}

/// Returns `text` with `label` before each line.
fn labelled(text: &str, label: &str) -> String {
    if label.is_empty() {
        return text.to_owned();
    }
    text.lines().fold(String::new(), |text, line| text + label + line + "\n")
}

/// Returns `value` as a line of JSON, or an empty text if it cannot be written, which is logged.
fn json_line<T: Serialize>(value: &T) -> String {
    match serde_json::to_string(value) {
        Ok(text) => escaped(&text).into_owned() + "\n",
        Err(error) => {
            tracing::error!(%error, "failed to write a result as JSON");
            String::new()
        }
    }
}

/// Escapes the characters of a JSON text that could steer a terminal; serde_json escapes line breaks and the like only.
fn escaped(json: &str) -> Cow<'_, str> {
    if !json.contains(is_steering) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 16);
    for sign in json.chars() {
        if is_steering(sign) {
            // Outside of texts JSON has no such characters.
            for unit in sign.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(sign);
        }
    }
    Cow::Owned(text)
}

/// Returns the colour of an outcome: red for failed, yellow for partial and unsynced.
pub(super) const fn colour(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Failed => AnsiColor::Red.on_default(),
        Outcome::Partial | Outcome::Unsynced => AnsiColor::Yellow.on_default(),
        Outcome::Success => Style::new(),
    }
}

/// One user in a list: user and result on the first line, why on those below it.
pub(super) struct Row<'a> {
    /// The cells before the user, each with its columns; the first one in [`colour`].
    pub(super) lead: &'a [(String, usize)],
    pub(super) outcome: Outcome,
    pub(super) user: &'a str,
    /// The change at the source; may be empty.
    pub(super) change: String,
    /// Below the first line, each piece on lines of its own.
    pub(super) below: Vec<String>,
}

impl Row<'_> {
    /// Returns the row as lines that end with a line break; none is wider than `width`.
    pub(super) fn render(&self, width: usize) -> String {
        let mut style = colour(self.outcome);
        let mut text = String::new();
        for (word, columns) in self.lead {
            let _ = write!(text, "{style}{}{style:#}", padded(word, *columns));
            style = Style::new();
        }
        let room = width.saturating_sub(self.lead.iter().map(|(_, columns)| columns).sum());
        // The name comes first, because it matters more than the change.
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

/// Returns the lines of the users, the worst outcome first. Lines beyond the limit are counted, and each reason is
/// explained once, at the end.
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
                reasons.insert((line.reason, line.reason.explain_for(line.operation)));
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
        let _ = writeln!(text, "… and {left_out} more: --json lists all");
    }
    text.push_str(&legend(reasons, width));
    text
}

/// Returns a paragraph for each of `reasons`, with its meaning.
fn legend<R: Serialize>(reasons: BTreeSet<(R, &str)>, width: usize) -> String {
    let mut text = String::new();
    for (reason, explained) in reasons {
        let paragraph = format!("{}: {explained}", word(&reason));
        text.push_str(&hanging(&paragraph, width, 2));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ChangeLabel, Operation, Reason};

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
    fn json_is_escaped_where_it_could_steer_a_terminal() {
        for text in ["plain é", "a\u{7f}\u{9b}31m\u{202e}b\u{e0001}", "\u{1b}\n"] {
            let json = serde_json::to_string(text).unwrap();
            let shown = escaped(&json);
            assert!(!shown.contains(is_steering), "{shown:?}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    #[test]
    fn failed_outcome_is_red() {
        let failed = user_lines(&[line("ada", Outcome::Failed, Reason::Rejected, None)], 80);
        assert!(failed.starts_with("\u{1b}[31mfailed"), "{failed:?}");
        let done = user_lines(&[line("ada", Outcome::Success, Reason::Done, None)], 80);
        assert!(done.starts_with("success"), "{done:?}");
    }

    /// The work is bounded by the text that is shown, not by the text of the source: counted, not timed.
    #[test]
    fn huge_name_and_detail_cost_what_is_shown_of_them() {
        let huge =
            line(&"n".repeat(1_000_000), Outcome::Failed, Reason::Rejected, Some(&"d".repeat(1_000_000)));
        let text = user_lines(std::slice::from_ref(&huge), 80);
        assert!(text.len() < 4_000, "{} bytes", text.len());
    }
}
