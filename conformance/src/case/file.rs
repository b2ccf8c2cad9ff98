//! Case files as they are written, and from there to [`Case`].

pub mod expectation;
pub mod step;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::capability::Capability;
use crate::case::step::Step;
use crate::case::{Case, DOCUMENTS, noun};
use crate::requirement::{Level, Shared, Spec, current_id};
use crate::select::{SlugError, check_slug};

/// A file of cases.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// The cases.
    pub case: Vec<CaseText>,
}

/// A case as written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CaseText {
    /// The last part of the id: a-z, 0-9 and hyphens.
    pub slug: String,
    title: String,
    level: Level,
    requirement: String,
    #[serde(alias = "mend")]
    hint: Option<String>,
    #[serde(default)]
    needs: Vec<Capability>,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
    /// Expectations that many cases share, and that this one is about.
    #[serde(default)]
    about: Vec<Shared>,
    /// The result that the steps with `tries` share if they fail.
    tally: Option<String>,
    #[serde(default, alias = "alone")]
    exclusive: bool,
    step: Vec<Step>,
    #[serde(default)]
    clean_up: Vec<Step>,
}

/// Returns the JSON Schema of case files.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(CaseFile)
}

/// An invalid case.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaseError {
    /// The file is in the folder of no document.
    #[error("unknown document `{0}`; expected one of {known}", known = DOCUMENTS.map(|(folder, _)| folder).join(", "))]
    Document(String),
    /// The slug has other characters.
    #[error(transparent)]
    Slug(#[from] SlugError),
    /// A text is empty.
    #[error("`{0}` is empty")]
    Empty(&'static str),
    /// A step speaks of a name that no step before it gives.
    #[error("step {step}: unknown name `{name}`; known are {}", .known.join(", "))]
    UnknownName {
        /// Counted from 1.
        step: usize,
        /// The name.
        name: String,
        /// The names up to there.
        known: Vec<String>,
    },
}

impl CaseText {
    /// Returns the case, in the folder of a document and a section.
    ///
    /// # Errors
    /// The document is unknown, the slug is invalid, or a text is empty.
    pub fn into_case(self, document: &str, section: &str) -> Result<Case, CaseError> {
        let document = &*current_id(document);
        let Some((_, name)) = DOCUMENTS.iter().find(|(folder, _)| *folder == document) else {
            return Err(CaseError::Document(document.to_owned()));
        };
        check_slug(&self.slug)?;
        for (key, text) in [("title", &self.title), ("requirement", &self.requirement)] {
            if text.trim().is_empty() {
                return Err(CaseError::Empty(key));
            }
        }
        let (mut steps, mut clean_up) = (self.step, self.clean_up);
        let nouns = noun::nouns(steps.iter().chain(&clean_up));
        for step in steps.iter_mut().chain(&mut clean_up) {
            step.label = noun::label(&step.action, &step.name, &nouns);
        }
        Ok(Case {
            id: format!("{document}/{section}/{}", self.slug),
            title: self.title,
            level: self.level,
            requirement: self.requirement,
            spec: Spec { document: (*name).to_owned(), section: section.to_owned(), also: self.also },
            hint: self.hint,
            needs: self.needs,
            tags: self.tags,
            about: self.about,
            tally: self.tally,
            exclusive: self.exclusive,
            nouns,
            steps,
            clean_up,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_has_the_keys_of_each_group() {
        let schema = serde_json::to_string(&schema()).expect("JSON");
        for key in [
            "hint",
            "exclusive",
            "create",
            "fail-on-errors",
            "tries",
            "lists-in-order",
            "starts-with",
            "says-status",
            "unique",
            "if-present",
        ] {
            assert!(schema.contains(&format!("\"{key}\":{{")), "{key} is not in {schema}");
        }
        assert!(!schema.contains("\"mend\""), "{schema}");
    }
}
