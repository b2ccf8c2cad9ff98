//! The values that a request writes to known attributes.

use serde_json::Value;

use crate::client::attributes::{Attribute, Kind, ResourceKind, named};
use crate::client::filter;
use crate::client::recording::RecordedExchange;
use crate::json::get;

/// A value that a request writes to a known attribute.
#[derive(Debug)]
pub(super) struct Written<'a> {
    /// The attribute path without list elements, as in `emails.type`.
    pub(super) path: String,
    pub(super) attribute: &'static Attribute,
    pub(super) value: &'a Value,
    pub(super) target: Target,
}

/// How a request names the attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// As a member of a resource, or of a complex value.
    Member,
    /// By the path of a PATCH operation.
    Path,
    /// By the path of a PATCH operation with a filter: it names elements of a list.
    Element,
}

impl Written<'_> {
    /// Whether the request writes the attribute's whole list.
    pub(super) fn is_whole_list(&self) -> bool {
        self.attribute.is_many && self.target != Target::Element
    }

    /// Returns the complex values among what is written: the elements of a list, or the value itself.
    pub(super) fn elements(&self) -> Vec<&Value> {
        match self.value {
            Value::Array(elements) if self.is_whole_list() => elements.iter().collect(),
            value => vec![value],
        }
    }
}

/// Returns the values that a POST, PUT or PATCH of users or groups writes, sub-attributes after their attribute. A null
/// writes no value (RFC 7643 §2.5).
pub(super) fn written(exchange: &RecordedExchange) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    let Some(kind) = ResourceKind::of(exchange).filter(|_| !exchange.is_search()) else { return all };
    if exchange.method == "PATCH" {
        for operation in exchange.operations() {
            let Some(value) = get(operation, "value").filter(|_| !is_remove(operation)) else { continue };
            match path_of(operation) {
                Some(path) => at_path(kind, path, value, &mut all),
                None => members(kind, value, &mut all),
            }
        }
    } else if let Some(resource) = written_resource(exchange) {
        members(kind, resource, &mut all);
    }
    all
}

/// Returns the values that a resource has.
pub(super) fn values_of(kind: ResourceKind, resource: &Value) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    members(kind, resource, &mut all);
    all
}

/// Returns the resource of a POST or a PUT.
pub(super) fn written_resource(exchange: &RecordedExchange) -> Option<&Value> {
    let writes = matches!(exchange.method.as_str(), "POST" | "PUT") && !exchange.is_search();
    exchange.body.as_ref().filter(|body| writes && body.is_object())
}

/// Returns the path of an operation, if it has one.
pub(super) fn path_of(operation: &Value) -> Option<&str> {
    get(operation, "path").and_then(Value::as_str).filter(|path| !path.trim().is_empty())
}

/// Whether an operation has this `op`, without case.
pub(super) fn has_op(operation: &Value, word: &str) -> bool {
    get(operation, "op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case(word))
}

/// Whether an operation removes.
pub(super) fn is_remove(operation: &Value) -> bool {
    has_op(operation, "remove")
}

fn members<'a>(kind: ResourceKind, resource: &'a Value, all: &mut Vec<Written<'a>>) {
    for (name, value) in resource.as_object().into_iter().flatten() {
        if let Some(attribute) = named(kind.attributes(), name) {
            collect(attribute.name.to_owned(), attribute, value, Target::Member, all);
        }
        let extension = kind.attributes_of(name);
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Some(attribute) = named(extension, name) {
                collect(attribute.name.to_owned(), attribute, value, Target::Member, all);
            }
        }
    }
}

fn at_path<'a>(kind: ResourceKind, path: &str, value: &'a Value, all: &mut Vec<Written<'a>>) {
    let Ok(parsed) = filter::path(path) else { return };
    let Some(attribute) = kind.attribute(&parsed.attribute) else {
        // The path of a whole extension.
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Some(attribute) = named(kind.attributes_of(path), name) {
                collect(attribute.name.to_owned(), attribute, value, Target::Member, all);
            }
        }
        return;
    };
    match (&parsed.sub, &parsed.filter) {
        (Some(sub), _) => {
            if let Some(part) = attribute.part(sub) {
                collect(format!("{}.{}", attribute.name, part.name), part, value, Target::Path, all);
            }
        }
        (None, Some(_)) => collect(attribute.name.to_owned(), attribute, value, Target::Element, all),
        (None, None) => collect(attribute.name.to_owned(), attribute, value, Target::Path, all),
    }
}

fn collect<'a>(
    path: String,
    attribute: &'static Attribute,
    value: &'a Value,
    target: Target,
    all: &mut Vec<Written<'a>>,
) {
    if value.is_null() {
        return;
    }
    if let Kind::Complex(parts) = attribute.kind {
        let elements = match value {
            Value::Array(elements) => elements.iter().collect(),
            value => vec![value],
        };
        for (name, value) in elements.into_iter().filter_map(Value::as_object).flatten() {
            if let Some(part) = named(parts, name) {
                collect(format!("{path}.{}", part.name), part, value, Target::Member, all);
            }
        }
    }
    all.push(Written { path, attribute, value, target });
}
