//! A finding as a case file, which `conformance server --cases` plays.

mod expectations;
mod names;
mod reads;
mod steps;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use toml::value::{Array, Table};

use crate::case::DOCUMENTS;
use crate::case::file::CaseFile;
use crate::explore::case_file::names::Names;
use crate::explore::check::Judged;
use crate::explore::rule::{Violation, slug};
use crate::explore::shrink::Minimal;
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
    /// The file cannot be written.
    #[error("failed to write {path}", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

/// Writes the case of a finding below a folder. Returns the path of the file below it.
pub(crate) fn save(
    violation: &Violation,
    minimal: &Minimal,
    folder: &Path,
    client: &Client,
) -> Result<PathBuf, SaveError> {
    let text = text(violation, minimal, client)?;
    toml::from_str::<CaseFile>(&text).map_err(SaveError::Invalid)?;
    let spec = violation.spec();
    let document =
        DOCUMENTS.iter().find(|(_, name)| *name == spec.document).map_or("rfc7644", |(folder, _)| folder);
    let below =
        Path::new(document).join(&spec.section).join(format!("explore-{}.toml", slug(&violation.key())));
    let path = folder.join(&below);
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, &text)
    };
    write().map_err(|source| SaveError::Write { path: path.clone(), source })?;
    Ok(below)
}

/// Returns the case file of a finding.
fn text(violation: &Violation, minimal: &Minimal, client: &Client) -> Result<String, SaveError> {
    let check = violation.check.as_ref().map_err(|why| SaveError::Untold(why))?;
    let mut names = Names::new(client, &minimal.transcript.unique, check.crowd.is_some());
    let steps: Array = steps::steps(check, &minimal.transcript, &mut names)?;
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
