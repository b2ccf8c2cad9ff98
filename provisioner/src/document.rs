//! The report of a run as a document for an auditor: HTML and Markdown.
//!
//! What needs a person comes first, then every user by outcome and reason, the requests, and the settings that were in
//! force. Users are named by user name and id; no value of an account and no secret is in it.

mod html;
mod markdown;
mod settings;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use sha2::{Digest as _, Sha256};

pub use self::html::to_html;
pub use self::markdown::to_markdown;
use self::settings::{Setting, settings};
use crate::clock::timestamp;
use crate::config::Config;
use crate::recording::{Observer, RequestRecord, RunEnd, RunStart};
use crate::report::groups::GroupLine;
use crate::report::{Operation, Outcome, Reason, RunReport, UserLine, word};

/// The maximum number of users that are listed under one reason; the others are counted.
const LISTED: usize = 1_000;

/// The number of requests by method, endpoint and answer.
type RequestCounts = BTreeMap<(String, String, String), u64>;

/// Keeps what a document needs and a report does not have: the run's id and time, and its requests.
#[derive(Default)]
pub struct RunNotes {
    notes: Mutex<Notes>,
}

#[derive(Clone, Default)]
struct Notes {
    run: String,
    command: &'static str,
    started: Option<SystemTime>,
    ended: Option<SystemTime>,
    allowed: Vec<String>,
    requests: RequestCounts,
}

impl RunNotes {
    fn with<T>(&self, work: impl FnOnce(&mut Notes) -> T) -> T {
        work(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Observer for RunNotes {
    fn run_started(&self, run: &RunStart<'_>) {
        let (id, command, started) = (run.id.to_owned(), run.command, Some(run.at));
        self.with(|notes| *notes = Notes { run: id, command, started, ..Notes::default() });
    }

    fn request(&self, request: &RequestRecord) {
        let key = (request.method.clone(), request.endpoint.clone(), request.answer.to_string());
        self.with(|notes| *notes.requests.entry(key).or_default() += 1);
    }

    fn run_ended(&self, run: &RunEnd<'_>) {
        self.with(|notes| {
            notes.ended = Some(run.at);
            notes.allowed = run.allowed.to_vec();
        });
    }
}

/// The digest of the source's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceDigest {
    /// SHA-256 in hexadecimal digits: the file was the same before and after the run.
    Sha256(String),
    /// The file changed during the run.
    Changed,
    /// There is no such file.
    None,
}

impl SourceDigest {
    /// Computes the digest of a file, or `None` if it cannot be read.
    pub fn of_file(file: &Path) -> Option<String> {
        let mut file = std::fs::File::open(file).ok()?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).ok()? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        Some(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat())
    }

    /// Returns the digest of a file from those before and after the run.
    pub fn of_run(before: Option<String>, after: Option<String>) -> Self {
        match (before, after) {
            (Some(before), Some(after)) if before == after => Self::Sha256(before),
            (None, None) => Self::None,
            (Some(_) | None, Some(_) | None) => Self::Changed,
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Sha256(digest) => format!("sha256:{digest}"),
            Self::Changed => "the file changed during the run".to_owned(),
            Self::None => "none: the file could not be read".to_owned(),
        }
    }
}

/// The report of a run, in the order in which it is read.
pub struct Document<'a> {
    connection: &'a str,
    scim_url: String,
    who: String,
    notes: Notes,
    source: &'a str,
    digest: SourceDigest,
    report: &'a RunReport,
    groups: Vec<Group<'a>>,
    settings: Vec<Setting>,
}

/// The users with one outcome, reason and operation.
struct Group<'a> {
    outcome: Outcome,
    reason: Reason,
    operation: Operation,
    /// Whether nothing was done: a dry run tells what is expected.
    is_expected: bool,
    lines: Vec<&'a UserLine>,
}

impl<'a> Document<'a> {
    /// Puts the document together.
    pub fn new(
        config: &'a Config,
        report: &'a RunReport,
        notes: &RunNotes,
        who: &str,
        digest: SourceDigest,
    ) -> Self {
        Self {
            connection: &config.name,
            scim_url: config.authentication.scim_url.to_string(),
            who: who.to_owned(),
            notes: notes.with(|notes| notes.clone()),
            source: &config.source.identity,
            digest,
            report,
            groups: groups(&report.lines, report.summary.dry_run),
            settings: settings(config),
        }
    }

    /// Returns the outcome of the run in one sentence.
    fn headline(&self) -> String {
        let summary = &self.report.summary;
        let run = if summary.dry_run { "dry run" } else { "run" };
        if let Some(stopped) = &summary.stopped {
            return format!("The {run} was stopped: {}", stopped.code);
        }
        let part = |failed: u64, impacted: u64, noun: &str| match (failed, impacted) {
            (0, 0) => None,
            (0, _) if summary.dry_run => Some(format!("{} would be done", count(impacted, noun))),
            (0, _) => Some(format!("{} done", count(impacted, noun))),
            (failed, _) if summary.dry_run => {
                Some(format!("{failed} of {} would fail", count(impacted, noun)))
            }
            (failed, _) => Some(format!("{failed} of {} failed", count(impacted, noun))),
        };
        let users = part(summary.failed, summary.impacted, "user");
        let groups = summary.groups.as_ref();
        let groups = groups.and_then(|groups| part(groups.failed, groups.impacted, "group"));
        let parts: Vec<String> = users.into_iter().chain(groups).collect();
        match (summary.dry_run, parts.is_empty()) {
            (false, true) => "Nothing had to be done".to_owned(),
            (false, false) => parts.join(", "),
            (true, true) => "Dry run, nothing was written: nothing would have to be done".to_owned(),
            (true, false) => format!("Dry run, nothing was written: {}", parts.join(", ")),
        }
    }

    /// Returns what needs a person beside the users that failed, each in a sentence.
    fn needs(&self) -> Vec<String> {
        let summary = &self.report.summary;
        let stopped = summary.stopped.as_ref();
        let stopped =
            stopped.map(|stopped| format!("The run was stopped ({}): {}", stopped.code, stopped.message));
        stopped.into_iter().chain(summary.quarantine.clone()).collect()
    }

    /// Returns the figures of the run, each with its name.
    fn figures(&self) -> Vec<(&'static str, u64)> {
        let summary = &self.report.summary;
        let skipped = [("skipped: excluded", summary.excluded), ("skipped: rule turned off", summary.frozen)];
        let mut figures = vec![
            ("failed", summary.failed),
            ("failed deprovisions", summary.failed_deprovisions),
            ("partial", summary.partial),
            ("unsynced", summary.unsynced),
            ("success", summary.success),
            ("impacted", summary.impacted),
            ("users in the source", summary.users),
        ];
        if let Some(groups) = &summary.groups {
            figures.extend([
                ("groups failed", groups.failed),
                ("groups impacted", groups.impacted),
                ("groups in the source", groups.groups),
                ("members added", groups.members_added),
                ("members removed", groups.members_removed),
            ]);
        }
        figures.push(("requests", summary.requests));
        figures.extend(skipped.into_iter().filter(|(_, number)| *number > 0));
        figures
    }

    /// Returns the target's groups with something to do, the worst outcome first, and how many more are not listed. `failed` chooses
    /// the failed groups, otherwise the others are returned.
    fn target_groups(&self, failed: bool) -> (Vec<&GroupLine>, usize) {
        let is_wanted = |line: &&GroupLine| (line.outcome == Outcome::Failed) == failed;
        let mut lines: Vec<&GroupLine> = self.report.groups.iter().filter(is_wanted).collect();
        lines.sort_by_key(|line| std::cmp::Reverse(line.outcome));
        let others = lines.len().saturating_sub(LISTED);
        lines.truncate(LISTED);
        (lines, others)
    }

    /// Returns the facts about the run, each with its name.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let at = |at: Option<SystemTime>| at.map_or_else(|| "unknown".to_owned(), timestamp);
        let exit = self.report.exit;
        let allowed = match self.notes.allowed.as_slice() {
            [] => "nothing beyond the usual".to_owned(),
            options => options.join(" "),
        };
        vec![
            ("Connection", self.connection.to_owned()),
            ("SCIM URL", self.scim_url.clone()),
            ("Source", self.source.to_owned()),
            ("Source digest", self.digest.words()),
            ("Command", self.notes.command.to_owned()),
            ("Run", self.notes.run.clone()),
            ("Started by", self.who.clone()),
            ("Began", at(self.notes.started)),
            ("Ended", at(self.notes.ended)),
            ("Allowed or approved", allowed),
            ("Exit code", exit.code().to_string()),
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }

    fn requests(&self) -> impl Iterator<Item = (&str, &str, &str, u64)> {
        self.notes.requests.iter().map(|((method, endpoint, answer), count)| {
            (method.as_str(), endpoint.as_str(), answer.as_str(), *count)
        })
    }
}

impl Group<'_> {
    fn explanation(&self) -> &'static str {
        match self.reason {
            Reason::Done if self.is_expected => "would be carried out",
            Reason::Linked if self.is_expected => "an existing account would be linked",
            reason => reason.explain_for(self.operation),
        }
    }

    /// Returns the listed users, and the number of the others.
    fn listed(&self) -> (&[&UserLine], usize) {
        let listed = self.lines.len().min(LISTED);
        (&self.lines[..listed], self.lines.len() - listed)
    }
}

/// Groups lines by outcome (worst first), reason and operation.
fn groups(lines: &[UserLine], is_expected: bool) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<_, Vec<&UserLine>> = BTreeMap::new();
    for line in lines {
        let key = (std::cmp::Reverse(line.outcome), line.reason, std::cmp::Reverse(line.operation));
        groups.entry(key).or_default().push(line);
    }
    let group = |((outcome, reason, operation), lines): (
        (std::cmp::Reverse<Outcome>, _, std::cmp::Reverse<Operation>),
        _,
    )| { Group { outcome: outcome.0, reason, operation: operation.0, is_expected, lines } };
    groups.into_iter().map(group).collect()
}

/// Returns `number` with the noun in its form.
fn count(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns the id of an account, or a dash.
fn account(line: &UserLine) -> &str {
    line.target_id.as_ref().map_or("–", |id| id.as_str())
}

/// Returns the members that a group has gained and lost in words.
fn members(line: &GroupLine) -> String {
    match (line.members_added, line.members_removed) {
        (0, 0) => String::new(),
        (added, removed) => format!("{added} added, {removed} removed"),
    }
}

/// Returns the reason of a group's outcome, and more where there is more.
fn group_reason(line: &GroupLine) -> String {
    let reason = match line.outcome {
        Outcome::Success => word(&line.reason),
        Outcome::Unsynced | Outcome::Partial | Outcome::Failed => {
            format!("{}: {}", word(&line.reason), line.reason.explain())
        }
    };
    line.detail.as_ref().map_or_else(|| reason.clone(), |detail| format!("{reason}; {detail}"))
}

/// Returns the words of an outcome as a heading.
fn heading(group: &Group<'_>) -> String {
    let users = count(group.lines.len() as u64, "user");
    let operation = match group.operation {
        Operation::None => String::new(),
        operation => format!(", {}", word(&operation)),
    };
    let expected = if group.is_expected { "expected " } else { "" };
    format!("{expected}{}: {}{operation} ({users})", word(&group.outcome), word(&group.reason))
}

/// Returns a sentence with a capital letter.
fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
