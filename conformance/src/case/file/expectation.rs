//! Expectations as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::case::expect::{
    BodyKind, Check, Condition, Expectation, HeaderCheck, Kind, Listing, StatusSet, Total,
};
use crate::case::template::error::TemplateError;
use crate::case::template::{JsonTemplate, Template};
use crate::requirement::Level;
use crate::table::{ChoiceError, Group, Table, deserialize_from_table};

/// An expectation as written: exactly one check, and of `at` and `header` exactly one condition.
pub(crate) type ExpectationTable = Table<(Group<CheckKey>, Group<Comparand>, Group<Condition>, Group<Key>)>;

/// The check of an expectation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CheckKey {
    Status(Vec<StatusSet>),
    Header(String),
    MediaType(MediaType),
    Body(BodyKind),
    Error(ScimError),
    ErrorForm(True),
    List(True),
    Total(Total),
    Lists(Vec<String>),
    ListsNot(Vec<String>),
    ListsExactly(Vec<String>),
    ListsInOrder(Vec<String>),
    Unchanged(String),
    ExactlyOne(Vec<StatusSet>),
    Every(Vec<StatusSet>),
    Nowhere(Template),
    At(Template),
    AnyOf(Vec<Vec<Expectation>>),
}

/// The value of a comparison: JSON, or plain text for a header.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Comparand {
    Equals(String),
    Differs(String),
    /// The start of a header field.
    StartsWith(Template),
}

/// Keys of every expectation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Key {
    Level(Level),
    /// The meaning of an unexpected value.
    Why(String),
    /// The meaning of a missing value.
    Gone(String),
    IfPresent(bool),
    /// The statuses of the other answers, beside `exactly-one`.
    Others(Vec<StatusSet>),
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MediaType {
    Scim,
}

/// A SCIM error.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ScimError {
    status: Vec<StatusSet>,
    #[serde(default)]
    types: Vec<String>,
    types_level: Option<Level>,
}

/// A flag that has no opposite.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "bool")]
#[schemars(with = "bool")]
pub(crate) struct True;

impl TryFrom<bool> for True {
    type Error = ExpectationError;

    fn try_from(flag: bool) -> Result<Self, ExpectationError> {
        if flag { Ok(Self) } else { Err(ExpectationError::False) }
    }
}

/// Reads a flag that has no opposite as a variant without fields.
pub(crate) fn only_true<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    True::deserialize(deserializer).map(|True| ())
}

/// An invalid expectation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpectationError {
    /// Exactly one check, and of a value exactly one condition, belongs to an expectation.
    #[error(transparent)]
    Choice(#[from] ChoiceError),
    /// A condition of a value stands beside a check that has none.
    #[error("`{key}` does not belong to `{check}`")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The check.
        check: &'static str,
    },
    /// The kind of a header field can be `present` and `absent` alone.
    #[error("invalid `is` of a header: expected `present` or `absent`")]
    HeaderKind,
    /// `at` has a text that is no JSON pointer.
    #[error("invalid JSON pointer `{0}`: expected a slash at the start")]
    Pointer(Template),
    /// A flag that has no opposite is `false`.
    #[error("expected `true`: the flag has no opposite; leave it out")]
    False,
    /// A text has an invalid place, or is no JSON.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

deserialize_from_table!(Expectation, ExpectationTable);

impl TryFrom<ExpectationTable> for Expectation {
    type Error = ExpectationError;

    fn try_from(
        Table((check, comparands, conditions, keys)): ExpectationTable,
    ) -> Result<Self, ExpectationError> {
        let (name, check) = check.one("check")?;
        let (mut level, mut why, mut gone, mut if_present) = (None, None, None, false);
        let mut others = None;
        for key in keys.into_values() {
            match key {
                Key::Level(own) => level = Some(own),
                Key::Why(text) => why = Some(text),
                Key::Gone(text) => gone = Some(text),
                Key::IfPresent(own) => if_present = own,
                Key::Others(own) => others = Some(own),
            }
        }
        if if_present && !matches!(check, CheckKey::At(_)) {
            return Err(ExpectationError::Misplaced { key: "if-present", check: name });
        }
        if !matches!(check, CheckKey::At(_) | CheckKey::Header(_))
            && let Some(key) = comparands.keys().chain(conditions.keys()).next()
        {
            return Err(ExpectationError::Misplaced { key, check: name });
        }
        if others.is_some() && !matches!(check, CheckKey::ExactlyOne(_)) {
            return Err(ExpectationError::Misplaced { key: "others", check: name });
        }
        let check = match check {
            CheckKey::ExactlyOne(one) => Check::ExactlyOne(one, others.unwrap_or_default()),
            CheckKey::Every(statuses) => Check::Every(statuses),
            CheckKey::Status(status) => Check::Status(status),
            CheckKey::Header(name) => Check::Header(name, header_check(comparands, conditions)?),
            CheckKey::MediaType(MediaType::Scim) => Check::MediaType,
            CheckKey::Body(kind) => Check::Body(kind),
            CheckKey::Error(ScimError { status, types, types_level }) => {
                Check::Error { status, types, types_level: types_level.unwrap_or(Level::Should) }
            }
            CheckKey::ErrorForm(True) => Check::ErrorForm,
            CheckKey::List(True) => Check::List,
            CheckKey::Total(total) => Check::Total(total),
            CheckKey::Lists(names) => Check::Lists(Listing::All, names),
            CheckKey::ListsNot(names) => Check::Lists(Listing::Not, names),
            CheckKey::ListsExactly(names) => Check::Lists(Listing::Exactly, names),
            CheckKey::ListsInOrder(names) => Check::Lists(Listing::InOrder, names),
            CheckKey::Unchanged(name) => Check::Unchanged(name),
            CheckKey::Nowhere(text) => Check::Nowhere(text),
            CheckKey::At(pointer) => {
                let text = pointer.to_string();
                if !text.is_empty() && !text.starts_with('/') {
                    return Err(ExpectationError::Pointer(pointer));
                }
                Check::At { pointer, condition: condition(comparands, conditions)?, if_present }
            }
            CheckKey::AnyOf(lists) => Check::AnyOf(lists),
        };
        Ok(Self { level, why, gone, check })
    }
}

fn header_check(
    comparands: Group<Comparand>,
    conditions: Group<Condition>,
) -> Result<HeaderCheck, ExpectationError> {
    let mut checks = comparands.try_map(|_, comparand| match comparand {
        Comparand::Equals(text) => Ok::<_, ExpectationError>(HeaderCheck::Equals(Template::parse(&text)?)),
        Comparand::Differs(text) => Ok(HeaderCheck::Differs(Template::parse(&text)?)),
        Comparand::StartsWith(text) => Ok(HeaderCheck::StartsWith(text)),
    })?;
    checks.append(conditions.try_map(|key, condition| match condition {
        Condition::Is(Kind::Present) => Ok(HeaderCheck::Present),
        Condition::Is(Kind::Absent) => Ok(HeaderCheck::Absent),
        Condition::Is(_) => Err(ExpectationError::HeaderKind),
        _ => Err(ExpectationError::Misplaced { key, check: "header" }),
    })?);
    Ok(checks.one("condition of `header`")?.1)
}

fn condition(
    comparands: Group<Comparand>,
    mut conditions: Group<Condition>,
) -> Result<Condition, ExpectationError> {
    conditions.append(comparands.try_map(|key, comparand| match comparand {
        Comparand::Equals(text) => Ok::<_, ExpectationError>(Condition::Equals(JsonTemplate::parse(&text)?)),
        Comparand::Differs(text) => Ok(Condition::Differs(JsonTemplate::parse(&text)?)),
        Comparand::StartsWith(_) => Err(ExpectationError::Misplaced { key, check: "at" }),
    })?);
    Ok(conditions.one("condition of `at`")?.1)
}
