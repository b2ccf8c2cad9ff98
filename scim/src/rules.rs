//! What a resource may hold (RFC 7643 §2, §3): the one set of rules that the [decoder](crate::decode) of bodies and
//! [`validate`](crate::validate::validate()) check.
//!
//! The decoder walks over JSON text and `validate` over a tree. Both gather what a rule is about and ask this module;
//! neither decides anything itself.
//!
//! | about | rules |
//! |---|---|
//! | one value of an attribute | [`check_value`] |
//! | all values of an attribute | [`check_shape`], [`check_primary`] |
//! | the members of an object | [`is_required`], [`is_ignored`], [`ProblemKind::Unknown`], [`ProblemKind::Repeated`] |
//! | an extension | [`check_extension`], [`ProblemKind::Missing`] |
//! | `schemas` | [`ListedSchemas`] |

use std::fmt;

use serde_json::{Number, Value};

use crate::{
    date_time::is_date_time,
    dialect::{Dialect, DialectUse},
    error::ScimType,
    precis::{has_control, is_blank},
    schema::{Attribute, AttributeType, Mutability, SchemaSet},
};

/// One thing in a resource that does not fit its schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the attribute, with the position of a value in brackets.
    pub place: String,
    /// The broken rule.
    pub kind: ProblemKind,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.kind)
    }
}

/// A problem with an attribute. The text follows the path of the attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProblemKind {
    /// No schema defines the attribute.
    #[error("is not an attribute of the schema")]
    Unknown,
    /// The schema spells the name otherwise.
    #[error("is spelled {0}")]
    Spelling(String),
    /// The attribute is given twice, with its name in two spellings.
    #[error("is given twice")]
    Repeated,
    /// A required attribute has no value.
    #[error("is required")]
    Missing,
    /// A user name has no visible character.
    #[error("must not be blank")]
    Blank,
    /// A user name has a control character, or one that sets the direction of text.
    #[error("must not have control characters, or characters that set the direction of text")]
    Control,
    /// The value has the wrong type.
    #[error("must be {0}")]
    Type(&'static str),
    /// More than one value is primary.
    #[error("has more than one primary value")]
    Primary,
    /// `schemas` does not list a schema that the resource uses.
    #[error("does not list {0}")]
    Unlisted(String),
    /// `schemas` lists a schema twice.
    #[error("names {0} twice")]
    Twice(String),
    /// `schemas` lists a schema that the resource type does not have.
    #[error("names {0}, which the resource type does not have")]
    Foreign(String),
    /// The value is not one of the `canonicalValues` of the schema.
    #[error("must be one of {}", .0.join(", "))]
    Canonical(Vec<String>),
    /// The attribute is immutable and has another value already.
    #[error("is immutable and has a value")]
    Immutable,
}

impl ProblemKind {
    /// Returns the error keyword of RFC 7644 §3.12 for the problem.
    pub const fn scim_type(&self) -> ScimType {
        match self {
            Self::Immutable => ScimType::Mutability,
            Self::Unknown
            | Self::Spelling(_)
            | Self::Repeated
            | Self::Missing
            | Self::Type(_)
            | Self::Primary
            | Self::Unlisted(_)
            | Self::Foreign(_)
            | Self::Blank
            | Self::Control
            | Self::Twice(_)
            | Self::Canonical(_) => ScimType::InvalidValue,
        }
    }
}

/// The form in which a resource is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourceForm {
    /// As a server stores or returns it: every member counts, each in the spelling of its schema.
    #[default]
    Stored,
    /// As a client sends it (RFC 7644 §3.3, §3.5.1): names compare without case, read-only attributes are ignored, and
    /// `null` and empty values are no values.
    Request,
}

/// A JSON value, as far as the rules look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JsonValue<'v> {
    Null,
    Boolean,
    Number(&'v Number),
    Text(&'v str),
    Array,
    Object,
}

impl<'v> From<&'v Value> for JsonValue<'v> {
    fn from(value: &'v Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::Text(text),
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }
}

/// Checks one value of an attribute, and its `canonicalValues` (RFC 7643 §7) only if they are enforced: they are
/// suggestions otherwise.
pub(crate) fn check_value(
    attribute: &Attribute,
    value: JsonValue<'_>,
    enforce_canonical_values: bool,
) -> Result<(), ProblemKind> {
    check_type(attribute.kind, value)?;
    let JsonValue::Text(text) = value else { return Ok(()) };
    if attribute.required && text.is_empty() {
        return Err(ProblemKind::Missing);
    }
    if attribute.is_user_name() {
        check_user_name(text)?;
    }
    if enforce_canonical_values && !is_canonical(attribute, text) {
        return Err(ProblemKind::Canonical(attribute.canonical_values.clone()));
    }
    Ok(())
}

/// Checks that a user name has a visible character and no control character.
fn check_user_name(name: &str) -> Result<(), ProblemKind> {
    if is_blank(name) {
        return Err(ProblemKind::Blank);
    }
    if has_control(name) { Err(ProblemKind::Control) } else { Ok(()) }
}

fn check_type(kind: AttributeType, value: JsonValue<'_>) -> Result<(), ProblemKind> {
    let text = if let JsonValue::Text(text) = value { Some(text) } else { None };
    let (fits, expected) = match kind {
        AttributeType::String => (text.is_some(), "a text"),
        AttributeType::Reference => (text.is_some(), "a URI as text"),
        AttributeType::Boolean => (matches!(value, JsonValue::Boolean), "true or false"),
        AttributeType::Integer => {
            (matches!(value, JsonValue::Number(number) if !number.is_f64()), "a whole number")
        }
        AttributeType::Decimal => (matches!(value, JsonValue::Number(_)), "a number"),
        AttributeType::DateTime => {
            (text.is_some_and(is_date_time), "a date and time such as 2026-11-30T09:30:00Z")
        }
        AttributeType::Binary => (text.is_some_and(is_base64), "Base64 text"),
        AttributeType::Complex => (matches!(value, JsonValue::Object), "an object"),
    };
    if fits { Ok(()) } else { Err(ProblemKind::Type(expected)) }
}

fn is_base64(text: &str) -> bool {
    let data = text.trim_end_matches('=');
    text.len() - data.len() <= 2
        && data.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_'))
}

fn is_canonical(attribute: &Attribute, text: &str) -> bool {
    let is_same = |known: &String| {
        if attribute.case_exact { known == text } else { known.eq_ignore_ascii_case(text) }
    };
    attribute.canonical_values.is_empty() || attribute.canonical_values.iter().any(is_same)
}

/// Checks that a multi-valued attribute is given as an array.
pub(crate) fn check_shape(attribute: &Attribute, value: JsonValue<'_>) -> Result<(), ProblemKind> {
    match value {
        JsonValue::Array => Ok(()),
        _ if attribute.multi_valued => Err(ProblemKind::Type("an array")),
        _ => Ok(()),
    }
}

/// Checks that at most one value of an attribute is primary (RFC 7643 §2.4).
pub(crate) fn check_primary(primary_values: usize) -> Result<(), ProblemKind> {
    if primary_values > 1 { Err(ProblemKind::Primary) } else { Ok(()) }
}

/// Whether the sub-attribute marks the primary value (RFC 7643 §2.4).
pub(crate) fn marks_primary(sub_attribute: &Attribute) -> bool {
    sub_attribute.kind == AttributeType::Boolean
        && !sub_attribute.multi_valued
        && sub_attribute.name == *"primary"
}

/// Whether a value of the attribute is ignored, because only the server writes it.
pub(crate) fn is_ignored(attribute: &Attribute, form: ResourceForm) -> bool {
    form == ResourceForm::Request && attribute.mutability == Mutability::ReadOnly
}

/// Whether an object that can have the attribute must have a value of it.
pub(crate) fn is_required(attribute: &Attribute, form: ResourceForm) -> bool {
    attribute.required && !is_ignored(attribute, form)
}

/// Checks the type of an extension.
pub(crate) fn check_extension(value: JsonValue<'_>) -> Result<(), ProblemKind> {
    match value {
        JsonValue::Object => Ok(()),
        _ => Err(ProblemKind::Type("an object")),
    }
}

/// The URNs that `schemas` of a resource may list.
#[derive(Debug)]
pub(crate) struct SchemaUrns {
    core: Box<str>,
    extensions: Vec<Box<str>>,
}

impl SchemaUrns {
    pub(crate) fn new(schemas: &SchemaSet) -> Self {
        let extensions = schemas.extensions().iter().map(|schema| schema.id().as_str().into());
        Self { core: schemas.core().id().as_str().into(), extensions: extensions.collect() }
    }

    /// Returns the position of an extension. Its exact spelling is the fast case.
    pub(crate) fn extension(&self, urn: &str) -> Option<usize> {
        let exact = self.extensions.iter().position(|known| **known == *urn);
        exact.or_else(|| self.extensions.iter().position(|known| known.eq_ignore_ascii_case(urn)))
    }

    /// Whether the URN is that of the main schema or of an extension.
    pub(crate) fn has(&self, urn: &str) -> bool {
        self.is_core(urn) || self.extension(urn).is_some()
    }

    fn is_core(&self, urn: &str) -> bool {
        *self.core == *urn || self.core.eq_ignore_ascii_case(urn)
    }
}

/// The URNs that `schemas` of a resource lists (RFC 7643 §3), checked as they are read.
#[derive(Debug, Default)]
pub(crate) struct ListedSchemas {
    /// Whether the main schema is listed; `None` if `schemas` is absent or empty.
    lists_core: Option<bool>,
    others: Vec<String>,
}

impl ListedSchemas {
    /// Returns the problem of a `schemas` that is not an array.
    pub(crate) fn not_an_array(&mut self) -> ProblemKind {
        // The wrong type is the problem; the missing URNs follow from it.
        self.lists_core = Some(true);
        ProblemKind::Type("an array")
    }

    /// Returns the problem of an element of `schemas` that is not a text.
    pub(crate) const fn not_a_text() -> ProblemKind {
        ProblemKind::Type("an array of texts")
    }

    /// Adds a URN, and returns the problems with it.
    pub(crate) fn add(
        &mut self,
        urn: &str,
        urns: &SchemaUrns,
        refuse_unknown: bool,
        dialect_use: &mut DialectUse,
    ) -> Vec<ProblemKind> {
        let mut problems = Vec::new();
        let is_core = urns.is_core(urn);
        let repeated = if is_core {
            self.lists_core == Some(true)
        } else {
            let listed = self.lists(urn);
            self.others.push(urn.to_owned());
            listed
        };
        if repeated && !dialect_use.record(Dialect::DuplicateSchemas) {
            problems.push(ProblemKind::Twice(urn.to_owned()));
        }
        if refuse_unknown && !urns.has(urn) {
            problems.push(ProblemKind::Foreign(urn.to_owned()));
        }
        self.lists_core = Some(self.lists_core == Some(true) || is_core);
        problems
    }

    /// Returns the problems with `schemas` as a whole, where the resource uses the extensions at these positions.
    pub(crate) fn finish(
        &self,
        used: &[usize],
        urns: &SchemaUrns,
        dialect_use: &mut DialectUse,
    ) -> Vec<ProblemKind> {
        let mut problems = Vec::new();
        match self.lists_core {
            None if dialect_use.record(Dialect::MissingSchemas) => {}
            None => problems.push(ProblemKind::Missing),
            Some(false) => problems.push(ProblemKind::Unlisted(urns.core.to_string())),
            Some(true) => {}
        }
        if self.lists_core.is_some() {
            let used = used.iter().filter_map(|at| urns.extensions.get(*at));
            for urn in used.filter(|urn| !self.lists(urn)) {
                if !dialect_use.record(Dialect::UnlistedExtensions) {
                    problems.push(ProblemKind::Unlisted(urn.to_string()));
                }
            }
        }
        problems
    }

    fn lists(&self, urn: &str) -> bool {
        self.others.iter().any(|listed| listed.eq_ignore_ascii_case(urn))
    }
}
