//! A finding as a case file, which `conformance server --cases` plays.

mod expectations;
mod names;
mod reads;
mod steps;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::value::{Array, Table};

use crate::case::file::{CaseError, CaseFile};
use crate::case::{Case, DOCUMENTS};
use crate::explore::Options;
use crate::explore::case_file::names::Names;
use crate::explore::case_file::reads::Which;
use crate::explore::check::Judged;
use crate::explore::rule::{Violation, slug};
use crate::explore::shrink::Minimal;
use crate::report::CaseResult;
use crate::server::discovery::Facts;
use crate::subject::server::client::Client;

/// Why a finding is not saved.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// The finding depends on what a case cannot tell.
    #[error("the finding cannot be told as a case: {0}")]
    Untold(&'static str),
    /// The text is no valid case file.
    #[error("the case is invalid")]
    Invalid(#[source] toml::de::Error),
    /// The text cannot be written as TOML.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
    /// The text has another mistake.
    #[error("the case is invalid")]
    Case(#[from] CaseError),
    /// The case does not fail at the subject.
    #[error(
        "the case does not fail when it is played ({0}): what it depends on is in no request of its own, or in their timing"
    )]
    Passes(String),
    /// The file cannot be written.
    #[error("failed to write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// The number of times that a case is played until it fails: what depends on timing comes now and then only.
const ATTEMPTS: u64 = 3;

/// The subject that a finding is of.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The way to it.
    pub client: &'a Client,
    /// What it says of itself.
    pub facts: &'a Facts,
    /// The options of the run.
    pub options: &'a Options,
}

/// Writes the case of a finding below a folder, if it fails at the subject. Returns the path of the file below the folder.
pub(crate) async fn save(
    violation: &Violation,
    minimal: &Minimal,
    folder: &Path,
    subject: Subject<'_>,
) -> Result<PathBuf, SaveError> {
    let spec = violation.spec();
    let document =
        DOCUMENTS.iter().find(|(_, name)| *name == spec.document).map_or("rfc7644", |(folder, _)| folder);
    let below =
        Path::new(document).join(&spec.section).join(format!("explore-{}.toml", slug(&violation.key())));
    let path = folder.join(&below);
    let write = |text: &str| {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, text)
    };
    let mut ends = String::new();
    for which in [Which::Needed, Which::All] {
        let text = text(violation, minimal, which, subject.client)?;
        let file = toml::from_str::<CaseFile>(&text).map_err(SaveError::Invalid)?;
        let cases = file.case.into_iter().map(|case| case.into_case(document, &spec.section, &[]));
        let cases: Vec<Case> = cases.collect::<Result<_, _>>()?;
        // A finding that came again now and then only, or a run that was interrupted, is saved as it is.
        let is_sure = minimal.is_certain() && !*subject.options.stop.borrow();
        match if is_sure { not_failing(&cases, &violation.key(), subject).await } else { None } {
            None => {
                write(&text).map_err(|source| SaveError::Write { path: path.clone(), source })?;
                return Ok(below);
            }
            Some(end) => ends = end,
        }
    }
    Err(SaveError::Passes(ends))
}

/// Plays cases until one fails. Returns how they end if none does.
async fn not_failing(cases: &[Case], key: &str, subject: Subject<'_>) -> Option<String> {
    let Subject { client, facts, options } = subject;
    // Names of their own: a server may delete nothing.
    let seed = key.bytes().fold(options.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut end = String::new();
    for attempt in 0..ATTEMPTS {
        let options = crate::server::Options {
            jobs: 1,
            seed: seed.wrapping_add(attempt),
            keep: false,
            keep_exchanges: false,
            blank: options.blank.clone(),
            stop: options.stop.clone(),
        };
        let report = crate::server::run(client.clone(), facts.clone(), cases, options, |_| ()).await;
        if report.cases.iter().any(|case| case.verdict.fails_or_warns()) {
            return None;
        }
        if let Some(CaseResult { verdict, because, .. }) = report.cases.into_iter().next() {
            end = because
                .map_or_else(|| verdict.as_str().to_owned(), |why| format!("{}: {why}", verdict.as_str()));
        }
    }
    Some(end)
}

/// Returns the case file of a finding.
fn text(
    violation: &Violation,
    minimal: &Minimal,
    which: Which,
    client: &Client,
) -> Result<String, SaveError> {
    let check = violation.check.as_ref().map_err(|why| SaveError::Untold(why))?;
    let mut names = Names::new(client, &minimal.transcript.unique, check.crowd.is_some());
    let steps: Array = steps::steps(check, &minimal.transcript, which, &mut names)?;
    let mut case = Table::new();
    let rule = violation.rule;
    for (key, text) in [
        ("slug", slug(&violation.key())),
        ("title", format!("{}: {}", rule.title(), names.replaced(&violation.why))),
        ("level", violation.level.as_str().to_owned()),
        ("requirement", rule.requirement().to_owned()),
        ("hint", rule.hint().to_owned()),
    ] {
        case.insert(key.to_owned(), text.into());
    }
    if matches!(&check.judged, Judged::Walk(walk) if walk.is_exclusive) {
        case.insert("exclusive".to_owned(), true.into());
    }
    case.insert("step".to_owned(), steps.into());
    let file = Table::from_iter([("case".to_owned(), toml::Value::Array(vec![case.into()]))]);
    Ok(format!("# Found by `conformance explore`.\n\n{}", toml::to_string_pretty(&file)?))
}
