//! Expectations of a response.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::case::file::expectation::only_true;
use crate::case::template::{JsonTemplate, Place, Template};
use crate::requirement::Level;

/// An expectation.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(with = "crate::case::file::expectation::ExpectationTable")]
pub struct Expectation {
    /// The level of the expectation if it differs from the case's.
    pub level: Option<Level>,
    /// The meaning of an unexpected value, in plain words for the report.
    pub why: Option<String>,
    /// The meaning of a missing value.
    pub gone: Option<String>,
    /// The check.
    pub check: Check,
}

/// Statuses that an expectation speaks of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Foreseen<'a> {
    /// The statuses that count; empty: any error.
    pub(crate) status: &'a [StatusSet],
    /// The types of error that count; empty: all types.
    pub(crate) error: Option<&'a [String]>,
}

impl Expectation {
    /// Returns the expected statuses, each alternative by itself.
    pub(crate) fn foreseen(&self) -> Vec<Foreseen<'_>> {
        match &self.check {
            Check::Status(status) => vec![Foreseen { status, error: None }],
            Check::Error { status, types, .. } => vec![Foreseen { status, error: Some(types) }],
            Check::ErrorForm => vec![Foreseen { status: &[], error: Some(&[]) }],
            Check::AnyOf(lists) => lists.iter().flatten().flat_map(Self::foreseen).collect(),
            Check::Header(..)
            | Check::MediaType
            | Check::Body(_)
            | Check::List
            | Check::Total(_)
            | Check::Lists(..)
            | Check::Unchanged(_)
            | Check::ExactlyOne(..)
            | Check::Every(_)
            | Check::Nowhere(_)
            | Check::At { .. } => Vec::new(),
        }
    }
}

/// A check of a response.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// The status is one of these.
    Status(Vec<StatusSet>),
    /// A header field, as plain text.
    Header(String, HeaderCheck),
    /// `application/scim+json`.
    MediaType,
    /// The body is empty, or is JSON.
    Body(BodyKind),
    /// A SCIM error.
    Error {
        /// The accepted statuses.
        status: Vec<StatusSet>,
        /// The accepted types; empty: any type, or none.
        types: Vec<String>,
        /// The level of the check of the type.
        types_level: Level,
    },
    /// An error has a SCIM error as its body.
    ErrorForm,
    /// A ListResponse.
    List,
    /// `totalResults`.
    Total(Total),
    /// Resources by name among `Resources`.
    Lists(Listing, Vec<String>),
    /// Equals the last representation of the name before the step, except for `meta`.
    Unchanged(String),
    /// Of several answers, exactly one has a status of the first kind, and the others one of the second.
    ExactlyOne(Vec<StatusSet>, Vec<StatusSet>),
    /// Each of several answers has one of these statuses.
    Every(Vec<StatusSet>),
    /// The text is nowhere in the body.
    Nowhere(Template),
    /// A value.
    At {
        /// JSON pointer with `*`.
        pointer: Template,
        /// The condition of the value.
        condition: Condition,
        /// A missing value passes too.
        if_present: bool,
    },
    /// One of these lists of expectations holds as a whole.
    AnyOf(Vec<Vec<Expectation>>),
}

impl Check {
    /// Whether it looks at what a body says.
    pub fn reads_body(&self) -> bool {
        match self {
            Self::List | Self::Total(_) | Self::Lists(..) | Self::Unchanged(_) | Self::At { .. } => true,
            Self::Status(_)
            | Self::Header(..)
            | Self::MediaType
            | Self::Body(_)
            | Self::Error { .. }
            | Self::ErrorForm
            | Self::ExactlyOne(..)
            | Self::Every(_)
            | Self::Nowhere(_)
            // Judging the alternatives shows what is wrong with each of them.
            | Self::AnyOf(_) => false,
        }
    }

    /// Returns the names of the case that it looks at.
    pub(crate) fn names(&self) -> Vec<String> {
        let of_places = |places: Vec<&Place>| {
            places.into_iter().filter_map(Place::name).map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        match self {
            Self::Unchanged(name) => vec![name.clone()],
            Self::Lists(_, listed) => {
                listed.iter().map(|name| name.strip_suffix(".*").unwrap_or(name).to_owned()).collect()
            }
            Self::Nowhere(text) => of_places(text.places().collect()),
            Self::At { pointer, condition, .. } => {
                of_places(pointer.places().chain(condition.places()).collect())
            }
            Self::AnyOf(lists) => lists.iter().flatten().flat_map(|inner| inner.check.names()).collect(),
            Self::Status(_)
            | Self::Header(..)
            | Self::MediaType
            | Self::Body(_)
            | Self::Error { .. }
            | Self::ErrorForm
            | Self::List
            | Self::ExactlyOne(..)
            | Self::Every(_)
            | Self::Total(_) => Vec::new(),
        }
    }
}

/// A status, or a class of them as in `"2xx"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum StatusSet {
    /// Exactly this status.
    Exactly(u16),
    /// All statuses that start with this digit.
    Class(u16),
}

/// A value that is neither a status nor a class of them.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("invalid status `{0}`: expected an integer from 100 to 599, or a class like \"2xx\"")]
pub struct StatusError(toml::Value);

impl TryFrom<toml::Value> for StatusSet {
    type Error = StatusError;

    fn try_from(value: toml::Value) -> Result<Self, StatusError> {
        let set = match &value {
            toml::Value::Integer(status @ 100..=599) => u16::try_from(*status).ok().map(Self::Exactly),
            toml::Value::String(text) => match text.as_bytes() {
                [digit @ b'1'..=b'5', b'x', b'x'] => Some(Self::Class(u16::from(digit - b'0'))),
                _ => None,
            },
            _ => None,
        };
        set.ok_or(StatusError(value))
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A status, or a class of them as in \"2xx\".",
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^[1-5]xx$" },
            ],
        })
    }
}

impl StatusSet {
    /// Whether a status is among them.
    pub fn has(self, status: u16) -> bool {
        match self {
            Self::Exactly(wanted) => wanted == status,
            Self::Class(digit) => status / 100 == digit,
        }
    }
}

impl std::fmt::Display for StatusSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(status) => write!(f, "{status}"),
            Self::Class(digit) => write!(f, "{digit}xx"),
        }
    }
}

/// A check of a header field.
#[derive(Debug, Clone, PartialEq)]
pub enum HeaderCheck {
    /// The field is present.
    Present,
    /// The field is absent.
    Absent,
    /// The field has this value.
    Equals(Template),
    /// The value of the field starts with this.
    StartsWith(Template),
    /// The field has another value than this.
    Differs(Template),
}

/// The kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// No body.
    Empty,
    /// JSON.
    Any,
}

/// The number that `totalResults` has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Total {
    /// This number.
    Exactly(u64),
    /// The number of resources that are listed, on each page.
    AsListed,
}

/// A value that is no total.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("invalid total `{0}`: expected a whole number, or \"as-listed\"")]
pub struct TotalError(toml::Value);

impl TryFrom<toml::Value> for Total {
    type Error = TotalError;

    fn try_from(value: toml::Value) -> Result<Self, TotalError> {
        let total = match &value {
            toml::Value::Integer(total) => u64::try_from(*total).ok().map(Self::Exactly),
            toml::Value::String(text) if text == "as-listed" => Some(Self::AsListed),
            _ => None,
        };
        total.ok_or(TotalError(value))
    }
}

impl JsonSchema for Total {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Total".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number, or \"as-listed\": the number of resources on all pages.",
            "anyOf": [{ "type": "integer", "minimum": 0 }, { "const": "as-listed" }],
        })
    }
}

/// A check of the resources in `Resources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// Each of the resources is listed.
    All,
    /// None of the resources is listed.
    Not,
    /// Exactly these resources are listed.
    Exactly,
    /// Each of the resources is listed, in this order.
    InOrder,
}

/// A condition of a value.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// The same.
    #[serde(skip)]
    Equals(JsonTemplate),
    /// The same text, without case.
    EqualsIgnoringCase(Template),
    /// The same address, relative or not.
    SameAddress(Template),
    /// The value is one of these statuses, as a string or as a number: a case of its own judges the type.
    #[serde(rename = "says-status")]
    Status(Vec<StatusSet>),
    /// The value differs from this one.
    #[serde(skip)]
    Differs(JsonTemplate),
    /// The value is one of these.
    OneOf(JsonTemplate),
    /// Has at least this.
    Includes(JsonTemplate),
    /// Has no such element.
    Lacks(JsonTemplate),
    /// A date and time after another, or the same where they are told in whole seconds.
    LaterThan(Template),
    /// A date and time at most this number of minutes away from the time of the answer.
    WithinMinutes(u32),
    /// Is of this kind.
    Is(Kind),
    /// An array of this length.
    Count(usize),
    /// A number, or the length of an array, not below.
    AtLeast(f64),
    /// A number, or the length of an array, not above.
    AtMost(f64),
    /// No two elements are equal.
    #[serde(deserialize_with = "only_true")]
    #[schemars(with = "bool")]
    Unique,
    /// The values are in this order.
    Sorted(Direction),
}

impl Condition {
    /// Returns the places in what a value is compared with.
    fn places(&self) -> Vec<&Place> {
        match self {
            Self::Equals(json)
            | Self::Differs(json)
            | Self::OneOf(json)
            | Self::Includes(json)
            | Self::Lacks(json) => json.places(),
            Self::EqualsIgnoringCase(text) | Self::SameAddress(text) | Self::LaterThan(text) => {
                text.places().collect()
            }
            Self::Is(_)
            | Self::WithinMinutes(_)
            | Self::Status(_)
            | Self::Count(_)
            | Self::AtLeast(_)
            | Self::AtMost(_)
            | Self::Unique
            | Self::Sorted(_) => Vec::new(),
        }
    }
}

/// Kinds of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value is neither missing, nor null, nor an empty array (RFC 7643 §2.5).
    Present,
    /// Missing, null or an empty array.
    Absent,
    /// Text.
    String,
    /// Text with something in it.
    NonEmptyString,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// An object.
    Object,
    /// An array.
    Array,
    /// `xsd:dateTime` with a time zone (RFC 7643 §2.3.5).
    DateTime,
    /// An absolute or relative URI.
    Uri,
}

impl Kind {
    /// Returns the kind in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Present => "a value",
            Self::Absent => "no value",
            Self::String => "a string",
            Self::NonEmptyString => "a string that is not empty",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::DateTime => "a date and time, as in 2026-05-04T10:00:00Z",
            Self::Uri => "a URI",
        }
    }
}

/// Orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}
