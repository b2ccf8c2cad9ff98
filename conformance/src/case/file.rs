//! Case files as they are written, and from there to [`Case`].

pub mod expectation;
pub mod step;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::capability::Capability;
use crate::case::over::{Over, OverError};
use crate::case::step::{Action, Step};
use crate::case::{Case, DOCUMENTS, Volume, noun};
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
    /// The places that the case is played at: dimensions, and the words of each.
    pub(crate) over: Option<Over>,
    /// Dimensions that take their next word at each combination of the others, and do not multiply.
    pub(crate) cycle: Option<Vec<String>>,
    /// The least `--volume` that plays it.
    #[serde(default)]
    volume: Volume,
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
    /// `over` is invalid.
    #[error(transparent)]
    Over(#[from] OverError),
    /// The case is invalid at a place.
    #[error("at {place}: {source}")]
    Place {
        /// The words, with slashes.
        place: String,
        /// The cause.
        source: toml::de::Error,
    },
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
    /// Returns the case, in the folder of a document and a section, at the place of the words.
    ///
    /// # Errors
    /// The document is unknown, the slug is invalid, or a text is empty.
    pub fn into_case(self, document: &str, section: &str, words: &[String]) -> Result<Case, CaseError> {
        let document = &*current_id(document);
        let Some((_, name)) = DOCUMENTS.iter().find(|(folder, _)| *folder == document) else {
            return Err(CaseError::Document(document.to_owned()));
        };
        check_slug(&self.slug)?;
        if self.over.is_some() || self.cycle.is_some() {
            return Err(OverError::Key("over").into());
        }
        for (key, text) in [("title", &self.title), ("requirement", &self.requirement)] {
            if text.trim().is_empty() {
                return Err(CaseError::Empty(key));
            }
        }
        let (mut steps, mut clean_up) = (self.step, self.clean_up);
        let nouns = noun::nouns(steps.iter().chain(&clean_up));
        for step in steps.iter_mut().chain(&mut clean_up) {
            name_step(step, &nouns);
        }
        let place = words.iter().fold(String::new(), |place, word| place + "/" + word);
        Ok(Case {
            id: format!("{document}/{section}/{}{place}", self.slug),
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
            volume: self.volume,
            nouns,
            steps,
            clean_up,
        })
    }
}

/// Gives a step, and those within it, the phrase for reports.
fn name_step(step: &mut Step, nouns: &noun::Nouns) {
    step.label = noun::label(&step.action, &step.name, nouns);
    if let Action::Together { steps, .. } = &mut step.action {
        for inner in steps {
            name_step(inner, nouns);
        }
    }
    step.between.iter_mut().for_each(|inner| name_step(inner, nouns));
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
