//! PATCH (RFC 7644 §3.5.2): requests, their application to a resource, and the operations that
//! turn one resource into another.
//!
//! Where the RFC leaves room, this is what happens:
//!
//! - [`PatchRequest::from_json`] matches the three words of `op` without case, and forgives nothing
//!   else in the message; [`PatchRequest::read`] takes the [`Dialects`] that it is told to take.
//! - `null` and the empty array mean "no value": `replace` with either removes, `add` does nothing.
//! - Members of a value without a path are paths themselves (`name.givenName`, an extension's URN,
//!   `urn:…:User:department`). A read-only one is let pass where it says what is so already.
//! - A read-only sub-attribute inside a complex value is ignored, as RFC 7644 §3.5.1 has it for PUT.
//! - `replace` of a complex value, or of values that a filter selects, sets the sub-attributes that
//!   are given and leaves the others.
//! - `add` with a filter that selects nothing makes the value that the filter describes, if it
//!   consists of equalities only; otherwise, and for `replace`, that is `noTarget`.
//! - `add` knows a value again by its `value` and `type` (either may lack the type), or, without a
//!   `value`, by all its sub-attributes but `primary`; what is there already is completed, not doubled.
//! - `remove` with a `value` removes just those values of a multi-valued attribute, and none where it is an empty list.
//!   The RFC does not give a value to `remove`; clients that send one mean this, and not "all".
//! - `add` to a sub-attribute with several values joins them to those that are there.
//! - Removing what is not there is fine, also where it was looked for with a filter.
//! - A request that looks at more than [`MAX_WORK`] values in all is `tooMany`.

mod apply;
mod booleans;
mod diff;
mod index;
mod request;
mod strip_unknown;
mod sub_attribute;
mod value_identity;
mod values;

pub use crate::dialect::{Dialect, Dialects};
pub use apply::{apply, apply_with};
pub use diff::diff;
pub use index::MAX_WORK;
pub use strip_unknown::strip_unknown;

use serde_json::Value;

use crate::{dialect, error::ScimType, filter::ParseError, path::PatchPath, validate::Problem};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// Gives a value, or another one.
    Add,
    /// Takes values away.
    Remove,
    /// Puts a value in the place of another.
    Replace,
}

impl PatchKind {
    /// The word in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Replace => "replace",
        }
    }
}

/// One operation of a PATCH request.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchOp {
    /// What is done.
    pub op: PatchKind,
    /// To what; without a path, to the resource.
    pub path: Option<PatchPath>,
    /// With what.
    pub value: Option<Value>,
}

/// A PATCH request: operations, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// The operations.
    pub operations: Vec<PatchOp>,
}

/// Why a request is not a PATCH request, or cannot be applied. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{place} {problem}", .operation.map_or_else(String::new, |n| format!("operation {n}: ")))]
pub struct PatchError {
    scim_type: ScimType,
    operation: Option<usize>,
    place: String,
    problem: String,
    mistake: Option<Mistake>,
}

/// A name in a request that may be a mistyped one.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mistake {
    /// The path or member that no schema defines.
    UnknownAttribute(String),
    /// A word or a member without a meaning, and those that have one.
    Misspelt { word: String, known: &'static [&'static str] },
}

impl PatchError {
    fn new(scim_type: ScimType, place: impl AsRef<str>, problem: impl Into<String>) -> Self {
        let place = crate::name::shown(place.as_ref()).into_owned();
        Self { scim_type, operation: None, place, problem: problem.into(), mistake: None }
    }

    fn path(error: &ParseError) -> Self {
        Self::new(ScimType::InvalidPath, "the path", format!("does not parse: {error}"))
    }

    /// The first of the problems with a value.
    fn values(problems: Vec<Problem>) -> Self {
        let first = problems.into_iter().next();
        let (place, problem) = first.map_or_else(Default::default, |p| (p.place, p.kind.to_string()));
        Self::new(ScimType::InvalidValue, place, problem)
    }

    fn mutability(place: &str, problem: &str) -> Self {
        Self::new(ScimType::Mutability, place, problem)
    }

    fn about(self, unknown: String) -> Self {
        Self { mistake: Some(Mistake::UnknownAttribute(unknown)), ..self }
    }

    fn misspelt(self, word: &str, known: &'static [&'static str]) -> Self {
        Self { mistake: Some(Mistake::Misspelt { word: word.to_owned(), known }), ..self }
    }

    /// Returns the word or name of a member that is probably misspelt, and those that it may stand for.
    pub fn misspelt_word(&self) -> Option<(&str, &'static [&'static str])> {
        match &self.mistake {
            Some(Mistake::Misspelt { word, known }) => Some((word, known)),
            Some(Mistake::UnknownAttribute(_)) | None => None,
        }
    }

    /// Returns the path of the attribute that no schema defines, if that is the error.
    pub fn unknown_attribute(&self) -> Option<&str> {
        match &self.mistake {
            Some(Mistake::UnknownAttribute(path)) => Some(path),
            Some(Mistake::Misspelt { .. }) | None => None,
        }
    }

    /// The same error in the operation of this number, counted from one.
    #[must_use]
    pub fn in_operation(self, number: usize) -> Self {
        Self { operation: Some(number), ..self }
    }

    /// The error keyword of RFC 7644 §3.12.
    pub fn scim_type(&self) -> ScimType {
        self.scim_type
    }

    /// Which operation failed, counted from one; none if the request as a whole is at fault.
    pub fn operation(&self) -> Option<usize> {
        self.operation
    }
}
