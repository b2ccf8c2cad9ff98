//! Mutants as they are written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::client::driver::in_process::METHODS;
use crate::client::matcher::Matcher;
use crate::json_text::JsonText;
use crate::mutants::defect::Defective;
use crate::select::{SlugError, check_slug};
use crate::table::{ChoiceError, Group, Table, deserialize_from_table};

/// A file of mutants.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MutantFile {
    /// The mutants.
    pub mutant: Vec<Mutant>,
}

/// A client with one defect.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mutant {
    /// A stable name: a-z, 0-9 and hyphens.
    pub slug: String,
    /// The defect in a sentence.
    pub defect: String,
    /// The ids of the cases that name the defect.
    pub found_by: Vec<String>,
    /// The update method of the provisioner: `put`, `patch` or `auto`.
    #[serde(default = "put")]
    pub method: String,
    /// Played beside the scenarios of those cases. Where neither has any: create, update and disable.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// The changes of its requests.
    pub change: Vec<Change>,
}

fn put() -> String {
    "put".to_owned()
}

/// A change, and its condition.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(with = "ChangeTable")]
pub struct Change {
    /// The matching requests. Conditions on answers count for `again` and `then` alone.
    pub(crate) when: Matcher,
    /// Leaves out this number of matches at the start.
    pub(crate) after: usize,
    /// Applies to at most this number of matches.
    pub(crate) times: Option<usize>,
    pub(crate) edits: Vec<Edit>,
    pub(crate) sending: Option<Sending>,
    /// Sent before it.
    pub(crate) first: Vec<ExtraRequest>,
    /// Sent after it, where the answer is as `when` says.
    pub(crate) then: Vec<ExtraRequest>,
}

/// A change as it is written.
type ChangeTable = Table<(Group<Key>, Group<Edit>, Group<Sending>)>;

/// The condition of a change, and the further requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Key {
    /// The matching requests. Conditions on answers count for `again` and `then` alone.
    When(Matcher),
    /// Leaves out this number of matches at the start.
    After(usize),
    /// Applies to at most this number of matches.
    Times(usize),
    /// Sent before it: method, path below the base URL, and a body if wanted.
    First(Vec<ExtraRequest>),
    /// Sent after it, where the answer is as `when` says.
    Then(Vec<ExtraRequest>),
}

/// An edit of the request. Edits are made in this order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Edit {
    /// Removes these header fields.
    DropHeader(Vec<String>),
    /// Sets these header fields.
    SetHeader(BTreeMap<String, String>),
    /// Sets the method.
    Method(String),
    /// Sets the id in the path.
    Id(String),
    /// Sets the path below the base URL.
    Path(String),
    /// Replaced in the query as it stands on the wire.
    InQuery(BTreeMap<String, String>),
    /// Added to the query as it stands here.
    AddQuery(String),
    /// Sets the body, as text; an empty one: no body.
    Body(String),
    /// Taken out of the body, by JSON pointer.
    BodyRemove(Vec<String>),
    /// Set in the body, by JSON pointer, as JSON text.
    BodySet(BTreeMap<String, JsonText>),
    /// Replaced in the text of the body.
    InBody(BTreeMap<String, String>),
}

/// A change of the sending of a request.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sending {
    /// The request is not sent, and the client gets this status.
    Instead(u16),
    /// A read is not sent, and the client is told what the last write answered.
    Pretend(bool),
    /// A write becomes a DELETE of the user and a POST of the body.
    Recreate(bool),
    /// The request is sent twice.
    Twice(bool),
    /// The request is sent again at once, at most this number of times, as long as the answer matches `when`.
    Again(usize),
}

/// A further request: method, path below the base URL, and a body if wanted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub(crate) struct ExtraRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Option<String>,
}

/// A text that is no request.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid request `{0}`: expected a method and a path")]
pub struct ExtraRequestError(String);

impl TryFrom<String> for ExtraRequest {
    type Error = ExtraRequestError;

    fn try_from(text: String) -> Result<Self, ExtraRequestError> {
        let mut parts = text.splitn(3, ' ').map(ToOwned::to_owned);
        match (parts.next(), parts.next(), parts.next()) {
            (Some(method), Some(path), body) if path.starts_with('/') => Ok(Self { method, path, body }),
            _ => Err(ExtraRequestError(text)),
        }
    }
}

deserialize_from_table!(Change, ChangeTable);

impl TryFrom<ChangeTable> for Change {
    type Error = ChoiceError;

    fn try_from(Table((keys, edits, sending)): ChangeTable) -> Result<Self, ChoiceError> {
        let mut change = Self {
            edits: edits.into_values().collect(),
            sending: sending.at_most_one("way to send the request")?.map(|(_, sending)| sending),
            ..Self::default()
        };
        for key in keys.into_values() {
            match key {
                Key::When(matcher) => change.when = matcher,
                Key::After(count) => change.after = count,
                Key::Times(count) => change.times = Some(count),
                Key::First(requests) => change.first = requests,
                Key::Then(requests) => change.then = requests,
            }
        }
        Ok(change)
    }
}

impl Defective for Mutant {
    fn slug(&self) -> &str {
        &self.slug
    }

    fn defect(&self) -> &str {
        &self.defect
    }

    fn found_by(&self) -> &[String] {
        &self.found_by
    }
}

/// The reason why a mutant is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MutantError {
    #[error(transparent)]
    Slug(#[from] SlugError),
    #[error("`found-by` is empty: no case names its defect")]
    NotFound,
    #[error("`change` is empty: nothing is wrong with it")]
    NoChange,
    #[error("invalid method `{0}`: expected one of {known}", known = METHODS.join(", "))]
    Method(String),
    #[error("unknown case `{0}`")]
    Case(String),
    #[error("unknown scenario `{0}`")]
    Scenario(String),
}

impl Mutant {
    /// Checks what can be checked without cases and scenarios.
    pub(crate) fn check(&self) -> Result<(), MutantError> {
        check_slug(&self.slug)?;
        if self.found_by.is_empty() {
            return Err(MutantError::NotFound);
        }
        if self.change.is_empty() {
            return Err(MutantError::NoChange);
        }
        if !METHODS.contains(&self.method.as_str()) {
            return Err(MutantError::Method(self.method.clone()));
        }
        Ok(())
    }
}
