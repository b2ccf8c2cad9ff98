//! `provisioner log`: the audit log, from the state.

use std::fmt::Write as _;
use std::str::FromStr;

use clap::Args;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::Common;
use super::output::{GROUP, OPERATION, Output, Row};
use super::terminal::width;
use crate::audit::{AuditEntry, CommandEntry, GroupEntry, RunEntry, UserEntry};
use crate::exit::Exit;
use crate::recording::AuditRequest;
use crate::report::{Outcome, word};
use crate::state::read_audit_log;

/// Columns of a time.
const TIME: usize = 22;

#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    common: Common,
    /// Shows the entries of this user only: the id at the source, or the user name.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Shows the entries of this group only: the id at the source or at the target, or the name at the target.
    #[arg(long, value_name = "GROUP", conflicts_with = "user")]
    group: Option<String>,
    /// Shows the entries since then: a time span such as `7d` or `12h`, a date, or a time as in RFC 3339 (UTC).
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
}

/// The beginning of the entries that are shown.
#[derive(Clone, Debug)]
enum Since {
    Ago(Span),
    At(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::At(at));
        }
        let midnight = |date: Date| date.to_zoned_datetime(TimeZone::UTC).map(|zoned| zoned.timestamp());
        if let Some(at) = text.parse::<Date>().ok().and_then(|date| midnight(date).ok()) {
            return Ok(Self::At(at));
        }
        let expected =
            || "expected a time span such as 7d or 12h, a date such as 2026-01-31, or a time".to_owned();
        text.parse::<Span>().map(|span| Self::Ago(span.abs())).map_err(|_| expected())
    }
}

impl Since {
    fn before(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => *at,
            Self::Ago(span) => {
                let now = now.to_zoned_datetime(TimeZone::UTC);
                now.checked_sub(*span).map_or(Timestamp::MIN, |at| at.timestamp())
            }
        }
    }
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary {
    entries: u64,
    exit_code: u8,
}

pub(super) async fn run(args: &LogArgs) -> Exit {
    let since = args.since.as_ref().map_or(Timestamp::MIN, |since| since.before(Timestamp::now()));
    let is_wanted = |entry: &AuditEntry| {
        args.user.as_deref().is_none_or(|user| entry.is_about(user))
            && args.group.as_deref().is_none_or(|group| entry.is_about_group(group))
    };
    let (json, width) = (args.common.json, width());
    let mut entries = 0;
    let state = match args.common.state() {
        Ok(state) => state,
        Err(error) => {
            Output::error(&error.to_string());
            return Exit::Usage;
        }
    };
    let read = read_audit_log(&state, since, &mut |_, entry| {
        if !is_wanted(&entry) {
            return;
        }
        entries += 1;
        if json {
            Output::object(&entry);
        } else {
            Output::raw(&shown(&entry, width));
        }
    })
    .await;
    if let Err(error) = read {
        Output::store_error(&error);
        return Exit::Usage;
    }
    if json {
        Output::object(&Summary { entries, exit_code: Exit::Done.code() });
    } else if entries == 0 {
        Output::line("no entries");
    }
    Exit::Done
}

/// Returns the lines of an entry for a person.
fn shown(entry: &AuditEntry, width: usize) -> String {
    match entry {
        AuditEntry::User(entry) => user(entry, width),
        AuditEntry::Group(entry) => group(entry, width),
        AuditEntry::Run(entry) => run_of(entry, width),
        AuditEntry::Command(entry) => command(entry, width),
    }
}

fn user(entry: &UserEntry, width: usize) -> String {
    let mut why = format!("{}: {}", word(&entry.outcome), word(&entry.reason));
    if let Some(detail) = &entry.detail {
        let _ = write!(why, ": {detail}");
    }
    let mut below = vec![why];
    if let Some((before, after)) = entry.active {
        let word =
            |active: Option<bool>| active.map_or("none", |active| if active { "true" } else { "false" });
        below.push(format!("active: {} -> {}", word(before), word(after)));
    }
    let value = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    below.extend(
        entry
            .attributes
            .iter()
            .map(|(path, (before, after))| format!("{path}: {} -> {}", value(before), value(after))),
    );
    below.extend(requests(&entry.requests));
    let rule = entry.rule.as_ref().map_or_else(String::new, |rule| format!(", rule {rule}"));
    below.push(format!("by {} in run {}{rule}", entry.who, entry.run));
    Row {
        lead: &[(entry.at.clone(), TIME), (word(&entry.operation), OPERATION)],
        outcome: entry.outcome,
        user: entry.user_name.as_str(),
        change: word(&entry.change),
        below,
    }
    .render(width)
}

fn group(entry: &GroupEntry, width: usize) -> String {
    let mut why = format!("{}: {}", word(&entry.outcome), word(&entry.reason));
    if let Some(detail) = &entry.detail {
        let _ = write!(why, ": {detail}");
    }
    let mut below = vec![why];
    for (word, number, named) in
        [("added", entry.members_added, &entry.added), ("removed", entry.members_removed, &entry.removed)]
    {
        if number > 0 {
            let more = number.saturating_sub(named.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            below.push(format!("{word}: {}{more}", named.join(", ")));
        }
    }
    below.extend(requests(&entry.requests));
    let rule = entry.rule.as_ref().map_or_else(String::new, |rule| format!(", group rule {rule}"));
    below.push(format!("by {} in run {}{rule}", entry.who, entry.run));
    Row {
        lead: &[(entry.at.clone(), TIME), (word(&entry.operation), OPERATION), ("group".to_owned(), GROUP)],
        outcome: entry.outcome,
        user: &entry.name,
        change: word(&entry.change),
        below,
    }
    .render(width)
}

fn requests(sent: &[AuditRequest]) -> impl Iterator<Item = String> {
    sent.iter().map(|sent| format!("{} {} {} ({})", sent.method, sent.endpoint, sent.answer, sent.id))
}

fn run_of(entry: &RunEntry, width: usize) -> String {
    let mut below = vec![format!(
        "by {}: {} impacted, {} failed, {} requests, exit code {}",
        entry.who, entry.impacted, entry.failed, entry.requests, entry.exit_code
    )];
    if entry.groups_impacted > 0 {
        below.push(format!("{} groups impacted, {} failed", entry.groups_impacted, entry.groups_failed));
    }
    below.extend(entry.stopped.as_ref().map(|code| format!("stopped: {code}")));
    below.extend((!entry.allowed.is_empty()).then(|| format!("allowed: {}", entry.allowed.join(" "))));
    Row {
        lead: &[(entry.at.clone(), TIME), ("run".to_owned(), OPERATION)],
        outcome: if entry.exit_code == 0 { Outcome::Success } else { Outcome::Failed },
        user: &format!("{} {}", entry.command, entry.run),
        change: String::new(),
        below,
    }
    .render(width)
}

fn command(entry: &CommandEntry, width: usize) -> String {
    let user = entry.user_name.as_ref().map_or(entry.command.as_str(), |name| name.as_str());
    Row {
        lead: &[(entry.at.clone(), TIME), (entry.command.clone(), OPERATION)],
        outcome: Outcome::Success,
        user,
        change: String::new(),
        below: vec![format!("by {}: {}", entry.who, entry.detail)],
    }
    .render(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, &str>) {
        let now: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
        let found = text.parse::<Since>().map(|since| since.before(now).to_string());
        match expected {
            Ok(at) => assert_eq!(found.as_deref(), Ok(at), "{text}"),
            Err(words) => {
                assert!(found.as_ref().is_err_and(|error| error.contains(words)), "{text}: {found:?}");
            }
        }
    }

    #[test]
    fn since_is_a_span_a_date_or_a_time() {
        check("7d", Ok("2026-03-03T12:00:00Z"));
        check("12h", Ok("2026-03-10T00:00:00Z"));
        check("1mo 2d", Ok("2026-02-08T12:00:00Z"));
        check("90m", Ok("2026-03-10T10:30:00Z"));
        check("2026-01-31", Ok("2026-01-31T00:00:00Z"));
        check("2026-01-31T08:00:00+02:00", Ok("2026-01-31T06:00:00Z"));
        check("yesterday", Err("a time span"));
        check("", Err("a time span"));
        check("9999999999y", Err("a time span"));
    }
}
