//! PATCH (RFC 7644 §3.5.2): requests, their application to a resource, and the operations that
//! turn one resource into another.
//!
//! The RFC leaves some cases open. This crate decides them as follows:
//!
//! - [`PatchRequest::from_json`] compares `op` without case and accepts no other deviation in the message;
//!   [`PatchRequest::read`] accepts the given [`Dialects`].
//! - `null` and the empty array mean "no value": `replace` with either removes, `add` does nothing.
//! - The members of a value without a path are paths (`name.givenName`, the URN of an extension,
//!   `urn:…:User:department`). A read-only one is accepted if it equals the current value.
//! - A read-only sub-attribute inside a complex value is ignored, as in a PUT (RFC 7644 §3.5.1).
//! - `replace` of a complex value, or of values that a filter selects, sets the given sub-attributes and keeps the
//!   others.
//! - `add` with a filter that selects nothing creates the value that the filter describes, if the filter consists of
//!   equalities only; otherwise, and for `replace`, the error is `noTarget`.
//! - `add` identifies a value by its `value` and `type` (either may lack the type), or, without a `value`, by all
//!   sub-attributes but `primary`. It completes an existing value and does not add a duplicate.
//! - `remove` with a `value` removes only those values of a multi-valued attribute, and none for an empty array. The
//!   RFC gives no value to `remove`; clients that send one do not mean "all".
//! - `add` to a multi-valued sub-attribute keeps its existing values.
//! - Removing a missing value is no error, with or without a filter.
//! - A request that examines more than [`MAX_WORK`] values is `tooMany`.

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

use crate::dialect;
use crate::error::ScimType;
use crate::filter::PatchPath;
use crate::parse_error::ParseError;
use crate::validate::Problem;

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PatchKind {
    /// Adds a value, or replaces a single one.
    Add,
    /// Removes values.
    Remove,
    /// Replaces values.
    Replace,
}

impl PatchKind {
    /// Returns the word in a request.
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
pub enum PatchOp {
    /// Adds a value, or replaces a single one.
    Add {
        /// The target; the resource if it is `None`.
        path: Option<PatchPath>,
        /// The value; without a path, an object whose members are paths.
        value: Value,
    },
    /// Removes values.
    Remove {
        /// The target.
        path: PatchPath,
        /// The values to remove ([`Dialect::RemoveByValue`]); all that the path selects if it is `None`.
        value: Option<Value>,
    },
    /// Replaces values.
    Replace {
        /// The target; the resource if it is `None`.
        path: Option<PatchPath>,
        /// The value; without a path, an object whose members are paths.
        value: Value,
    },
}

impl PatchOp {
    /// Returns the kind of the operation.
    pub const fn kind(&self) -> PatchKind {
        match self {
            Self::Add { .. } => PatchKind::Add,
            Self::Remove { .. } => PatchKind::Remove,
            Self::Replace { .. } => PatchKind::Replace,
        }
    }

    /// Returns the target, or `None` if it is the resource.
    pub const fn path(&self) -> Option<&PatchPath> {
        match self {
            Self::Add { path, .. } | Self::Replace { path, .. } => path.as_ref(),
            Self::Remove { path, .. } => Some(path),
        }
    }

    /// Returns the value, if the operation has one.
    pub const fn value(&self) -> Option<&Value> {
        match self {
            Self::Add { value, .. } | Self::Replace { value, .. } => Some(value),
            Self::Remove { value, .. } => value.as_ref(),
        }
    }

    /// Returns the operation with another value.
    #[must_use]
    pub fn with_value(&self, value: Value) -> Self {
        match self {
            Self::Add { path, .. } => Self::Add { path: path.clone(), value },
            Self::Remove { path, .. } => Self::Remove { path: path.clone(), value: Some(value) },
            Self::Replace { path, .. } => Self::Replace { path: path.clone(), value },
        }
    }

    /// Returns the operation at another path.
    #[must_use]
    pub fn at(self, path: PatchPath) -> Self {
        match self {
            Self::Add { value, .. } => Self::Add { path: Some(path), value },
            Self::Remove { value, .. } => Self::Remove { path, value },
            Self::Replace { value, .. } => Self::Replace { path: Some(path), value },
        }
    }

    /// Returns the path and the value for a change of the value.
    pub const fn parts_mut(&mut self) -> (Option<&PatchPath>, Option<&mut Value>) {
        match self {
            Self::Add { path, value } | Self::Replace { path, value } => (path.as_ref(), Some(value)),
            Self::Remove { path, value } => (Some(path), value.as_mut()),
        }
    }
}

/// A PATCH request.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {
    /// The operations, in order.
    pub operations: Vec<PatchOp>,
}

/// A request that is not a PATCH request, or cannot be applied. The error never contains a value.
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
    /// A word or a member without a meaning, and the known ones.
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

    /// Returns the error for the first of the problems with a value.
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

    /// Returns the word or member name that is probably misspelt, and the known ones.
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

    /// Returns the error with the number of its operation, from 1.
    #[must_use]
    pub fn in_operation(self, number: usize) -> Self {
        Self { operation: Some(number), ..self }
    }

    /// Returns the error keyword of RFC 7644 §3.12.
    pub fn scim_type(&self) -> ScimType {
        self.scim_type
    }

    /// Returns the number of the failed operation, from 1, or `None` if the request as a whole is invalid.
    pub fn operation(&self) -> Option<usize> {
        self.operation
    }
}
