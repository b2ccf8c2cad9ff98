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

use serde::{Deserialize, Serialize};

use super::{CaseResult, Known, Report, Summary, Verdict};
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

/// What is known of the cases there are, run or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Catalogue {
    /// Their ids, all of them.
    Of(BTreeSet<String>),
    /// Nothing.
    Unknown,
}

/// Why a baseline is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    /// Not TOML, or with something else in it.
    #[error("{0}")]
    Syntax(String),
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
    /// With everything that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BaselineError> {
        let File { known } =
            toml::from_str(text).map_err(|error| BaselineError::Syntax(error.to_string()))?;
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
        if matches!(case.verdict, Verdict::Fail | Verdict::Warn)
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

    /// The text of a baseline of a report's failures. What was known keeps its reason; the others have an empty one,
    /// which is refused until somebody fills it in.
    pub fn of(report: &Report) -> String {
        let known = report
            .cases
            .iter()
            .filter(|case| matches!(case.verdict, Verdict::Fail | Verdict::Warn))
            .map(|case| match &case.known {
                Some(Known { reason, link }) => {
                    Entry { id: case.id.clone(), reason: reason.clone(), link: link.clone() }
                }
                None => Entry { id: case.id.clone(), reason: String::new(), link: None },
            })
            .collect();
        let body = toml::to_string(&File { known }).unwrap_or_default();
        format!("{HEAD}\n{body}")
    }
}

impl Entry {
    /// Why it holds no longer, and what to do; none where it holds, or where nobody can tell.
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
                    let nearest = ids.iter().min_by_key(|name| strsim::damerau_levenshtein(name, id));
                    let nearest =
                        nearest.map_or_else(String::new, |name| format!("; the nearest is `{name}`"));
                    return Some(format!(
                        "{id}: there is no such case{nearest}. Take the entry out, or mend its id"
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
