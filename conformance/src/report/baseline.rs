//! `--baseline FILE`: failures that are known and accepted for now.
//!
//! ```toml
//! [[known]]
//! id = "rfc7644/3.5.2.1/add-keeps-other-values"   # or a pattern: * stands for any characters
//! reason = "the directory behind it keeps one address"
//! link = "https://tracker.example/SCIM-17"        # optional
//! ```
//!
//! A known failure does not fail a run. An entry that holds no longer does: a baseline only ever shrinks by itself.

use std::collections::BTreeSet;

use cli_support::suggest::did_you_mean;
use serde::{Deserialize, Serialize};

use super::{CaseResult, Known, Report, Summary, Verdict};
use crate::requirement::current_id;
use crate::select::fits;

/// The known failures, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    #[serde(default)]
    reason: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Entry>,
}

/// The ids of all cases, run or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Catalogue {
    /// Their ids, all of them.
    Of(BTreeSet<String>),
    /// The ids are unknown.
    Unknown,
}

/// Why a baseline is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// The text is no TOML, or has other keys.
    #[error(transparent)]
    Syntax(#[from] toml::de::Error),
    /// Entries that say too little or too much; all of them.
    #[error("{}", .0.join("\n  "))]
    Entries(Vec<String>),
}

const HEAD: &str = "\
# Known failures: they do not fail a run with --baseline.
# Each needs a reason before this file is accepted. A link to where it is tracked is welcome: link = \"https://…\"
";

impl Baseline {
    /// Reads a file's text.
    ///
    /// # Errors
    /// The file is invalid; the error has all problems.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let known = read(text)?;
        let mut wrong = Vec::new();
        let mut seen = BTreeSet::new();
        for (number, entry) in (1..).zip(&known) {
            let name = &entry.id;
            if name.trim().is_empty() {
                wrong.push(format!("entry {number} has an empty id"));
            } else if !seen.insert(name) {
                wrong.push(format!("`{name}` is there twice; keep one of them"));
            }
            if entry.reason.trim().is_empty() {
                wrong.push(format!("`{name}` has no reason; write why its failure is accepted"));
            }
        }
        if wrong.is_empty() { Ok(Self { entries: known }) } else { Err(BaselineError::Entries(wrong)) }
    }

    /// Marks one case, if it failed and is known.
    pub fn mark(&self, case: &mut CaseResult) {
        if case.verdict.fails_or_warns()
            && let Some(entry) = self.entries.iter().find(|entry| fits(&entry.id, &case.id))
        {
            case.known = Some(Known { reason: entry.reason.clone(), link: entry.link.clone() });
        }
    }

    /// Marks the known failures of a report, tells the entries that hold no longer, and counts anew.
    ///
    /// An entry whose case was not run is not judged, unless there is no such case at all.
    pub fn apply(&self, report: &mut Report, catalogue: &Catalogue) {
        for case in &mut report.cases {
            self.mark(case);
        }
        for entry in &self.entries {
            if let Some(stale) = entry.stale(&report.cases, catalogue)
                && !report.stale.contains(&stale)
            {
                report.stale.push(stale);
            }
        }
        report.summary = Summary { stale: report.stale.len(), ..Summary::of(&report.cases) };
    }

    /// Returns the baseline of a report's failures, and the differences: entries that hold keep their reason, link
    /// and pattern; entries of passed cases are removed; new entries have `reason`, or an empty one, which is refused
    /// until somebody fills it in. A folder whose cases all fail is one entry with a pattern.
    pub fn renewed(&self, report: &Report, catalogue: &Catalogue, reason: Option<&str>) -> (Self, Changes) {
        let mut changes = Changes::default();
        let mut entries = Vec::new();
        for entry in &self.entries {
            if let Some(why) = entry.stale(&report.cases, catalogue) {
                changes.dropped.push(why);
            } else {
                changes.kept += 1;
                entries.push(entry.clone());
            }
        }
        let new: BTreeSet<&str> = report
            .cases
            .iter()
            .filter(|case| case.verdict.fails_or_warns())
            .map(|case| case.id.as_str())
            .filter(|id| !entries.iter().any(|entry| fits(&entry.id, id)))
            .collect();
        // What another baseline knew when the report was written keeps what that said.
        let known = |id: &str| report.cases.iter().find(|case| case.id == id)?.known.clone();
        let (said, unsaid): (BTreeSet<&str>, BTreeSet<&str>) =
            new.into_iter().partition(|id| known(id).is_some());
        for id in said {
            let Some(Known { reason, link }) = known(id) else { continue };
            changes.added.push(id.to_owned());
            entries.push(Entry { id: id.to_owned(), reason, link });
        }
        for id in grouped(&unsaid, report, catalogue) {
            let reason = reason.unwrap_or_default().to_owned();
            changes.added.push(id.clone());
            changes.without_reason += usize::from(reason.is_empty());
            entries.push(Entry { id, reason, link: None });
        }
        changes.without_reason += entries
            .iter()
            .filter(|entry| entry.reason.trim().is_empty() && !changes.added.contains(&entry.id))
            .count();
        (Self { entries }, changes)
    }

    /// Returns the entries of both; of two for the same id, those of `self`.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for entry in &other.entries {
            if !self.entries.iter().any(|known| known.id == entry.id) {
                self.entries.push(entry.clone());
            }
        }
        self
    }

    /// Reads a file that is to be written anew: entries may lack their reasons still.
    ///
    /// # Errors
    /// The text is no baseline.
    pub fn parse_unfinished(text: &str) -> Result<Self, BaselineError> {
        let known = read(text)?;
        Ok(Self { entries: known })
    }

    /// Gives this reason to entries without one.
    #[must_use]
    pub fn with_reason(mut self, reason: &str) -> Self {
        for entry in self.entries.iter_mut().filter(|entry| entry.reason.trim().is_empty()) {
            reason.clone_into(&mut entry.reason);
        }
        self
    }

    /// Returns the text of the file.
    ///
    /// # Errors
    /// The entries cannot be written as TOML.
    pub fn write(&self) -> Result<String, toml::ser::Error> {
        let body = toml::to_string(&File { known: self.entries.clone() })?;
        Ok(format!("{HEAD}\n{body}"))
    }
}

/// The differences between a renewed baseline and the old one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entries that stay.
    pub kept: usize,
    /// Ids or patterns of new entries.
    pub added: Vec<String>,
    /// Why entries are gone.
    pub dropped: Vec<String>,
    /// Entries that somebody has to give a reason.
    pub without_reason: usize,
}

/// The least number of cases that become one pattern.
const LEAST_OF_A_PATTERN: usize = 3;

/// Ids, and patterns where all the cases of a folder that there are fail.
fn grouped(failed: &BTreeSet<&str>, report: &Report, catalogue: &Catalogue) -> Vec<String> {
    let all: BTreeSet<&str> = match catalogue {
        Catalogue::Of(ids) => ids.iter().map(String::as_str).collect(),
        // What was not run may pass.
        Catalogue::Unknown => BTreeSet::new(),
    };
    let run: BTreeSet<&str> = report.cases.iter().map(|case| case.id.as_str()).collect();
    let whole = |pattern: &str| {
        let there: Vec<_> = all.iter().filter(|id| fits(pattern, id)).collect();
        there.len() >= LEAST_OF_A_PATTERN
            && there.iter().all(|id| failed.contains(**id) && run.contains(**id))
    };
    let mut written: Vec<String> = Vec::new();
    for id in failed {
        if written.iter().any(|pattern| fits(pattern, id)) {
            continue;
        }
        // The widest folder first.
        let folders = id.match_indices('/').map(|(at, _)| format!("{}*", &id[..=at]));
        let pattern = folders.into_iter().find(|pattern| whole(pattern));
        written.push(pattern.unwrap_or_else(|| (*id).to_owned()));
    }
    written
}

/// Reads the entries. Ids of a document that was renamed get its current name.
fn read(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let File { mut known } = toml::from_str(text)?;
    for entry in &mut known {
        entry.id = current_id(&entry.id).into_owned();
    }
    Ok(known)
}

impl Entry {
    /// Returns why the entry is stale, and the next step. Returns `None` if it holds, or if that is unknown.
    fn stale(&self, cases: &[CaseResult], catalogue: &Catalogue) -> Option<String> {
        let id = &self.id;
        let run: Vec<&CaseResult> = cases.iter().filter(|case| fits(id, &case.id)).collect();
        match catalogue {
            // Of a pattern, what was not run may still fail.
            Catalogue::Unknown if run.is_empty() || id.contains('*') => return None,
            Catalogue::Unknown => {}
            Catalogue::Of(ids) => {
                let there = ids.iter().filter(|name| fits(id, name)).count();
                if there == 0 && run.is_empty() {
                    let meant = did_you_mean(id, ids.iter().map(String::as_str));
                    let end = if meant.is_empty() { "." } else { meant.as_str() };
                    return Some(format!(
                        "{id}: there is no such case{end} Take the entry out, or correct its id"
                    ));
                }
                if run.is_empty() || run.len() < there {
                    return None;
                }
            }
        }
        // What was skipped, or broke off, was not judged either.
        if run.iter().any(|case| case.verdict != Verdict::Pass) {
            return None;
        }
        let what = match run.len() {
            1 => "the case passes now".to_owned(),
            several => format!("all {several} cases pass now"),
        };
        Some(format!("{id}: {what}. Take the entry out of the baseline"))
    }
}
