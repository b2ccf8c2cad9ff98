//! Variants as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::file::expectation::only_true;
use crate::json_text::JsonSource;
use crate::probe::variant::{Goal, Sender, Sent, Start, Topic, Variant};
use crate::select::{SlugError, check_slug};
use crate::table::{ChoiceError, Group, Table, deserialize_from_table};

/// A file of variants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariantFile {
    pub(crate) variant: Vec<Variant>,
}

/// A variant as written: exactly one request.
type VariantTable = Table<(Group<Key>, Group<Request>)>;

/// The keys of every variant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Key {
    Slug(String),
    Title(String),
    Topic(Topic),
    Senders(Vec<Sender>),
    Standard(bool),
    Section(String),
    Start(Start),
    Before(Vec<Goal>),
    Goal(Vec<Goal>),
}

/// The request, and its JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Request {
    Patch(JsonSource),
    Put(JsonSource),
    Post(JsonSource),
    Delete(
        #[serde(deserialize_with = "only_true")]
        #[schemars(with = "bool")]
        (),
    ),
}

impl From<Request> for Sent {
    fn from(request: Request) -> Self {
        match request {
            Request::Patch(json) => Self::Patch(json),
            Request::Put(json) => Self::Put(json),
            Request::Post(json) => Self::Post(json),
            Request::Delete(()) => Self::Delete,
        }
    }
}

/// An invalid variant.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VariantError {
    /// Exactly one request belongs to a variant.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    #[error(transparent)]
    Slug(#[from] SlugError),
    #[error("`{0}` is missing")]
    Missing(&'static str),
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("invalid JSON pointer `{0}`: expected a slash at the start")]
    Pointer(String),
    /// A POST creates its account; all others need a resource.
    #[error("`post` needs `start = \"nothing\"`, and no other request can have it")]
    Start,
    #[error("`delete` takes no `goal`: the resource must be gone")]
    GoalOfDelete,
}

deserialize_from_table!(Variant, VariantTable);

impl TryFrom<VariantTable> for Variant {
    type Error = VariantError;

    fn try_from(Table((keys, request)): VariantTable) -> Result<Self, VariantError> {
        let (mut slug, mut title, mut section) = (None, None, None);
        let (mut topic, mut standard, mut start) = (None, None, None);
        let (mut senders, mut before, mut goal) = (Vec::new(), Vec::new(), Vec::new());
        for key in keys.into_values() {
            match key {
                Key::Slug(text) => slug = Some(text),
                Key::Title(text) => title = Some(text),
                Key::Topic(heading) => topic = Some(heading),
                Key::Senders(known) => senders = known,
                Key::Standard(flag) => standard = Some(flag),
                Key::Section(text) => section = Some(text),
                Key::Start(resource) => start = Some(resource),
                Key::Before(goals) => before = goals,
                Key::Goal(goals) => goal = goals,
            }
        }
        let (_, request) = request.one("request")?;
        let variant = Self {
            slug: slug.ok_or(VariantError::Missing("slug"))?,
            title: title.ok_or(VariantError::Missing("title"))?,
            topic: topic.ok_or(VariantError::Missing("topic"))?,
            senders,
            standard: standard.ok_or(VariantError::Missing("standard"))?,
            section: section.ok_or(VariantError::Missing("section"))?,
            start: start.ok_or(VariantError::Missing("start"))?,
            before,
            sent: request.into(),
            goal,
        };
        check(&variant).map(|()| variant)
    }
}

fn check(variant: &Variant) -> Result<(), VariantError> {
    check_slug(&variant.slug)?;
    for (key, text) in [("title", &variant.title), ("section", &variant.section)] {
        if text.trim().is_empty() {
            return Err(VariantError::Empty(key));
        }
    }
    if let Some(goal) = variant.before.iter().chain(&variant.goal).find(|goal| !goal.at.starts_with('/')) {
        return Err(VariantError::Pointer(goal.at.clone()));
    }
    if matches!(variant.sent, Sent::Post(_)) != (variant.start == Start::Nothing) {
        return Err(VariantError::Start);
    }
    match (&variant.sent, variant.goal.is_empty()) {
        (Sent::Delete, true) | (Sent::Patch(_) | Sent::Put(_) | Sent::Post(_), false) => Ok(()),
        (Sent::Delete, false) => Err(VariantError::GoalOfDelete),
        (Sent::Patch(_) | Sent::Put(_) | Sent::Post(_), true) => Err(VariantError::Missing("goal")),
    }
}
