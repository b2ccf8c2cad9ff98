//! Application of an operation to a sub-attribute, which may be multi-valued.

use serde_json::{Map, Value};

use super::{PatchError, PatchKind, apply::take_ci, index::WorkBudget, value_identity::IndexedValues};
use crate::json::is_unassigned;
use crate::schema::{Attribute, Mutability};
use crate::validate::{ValidateOptions, canonical_value, check_attribute};

/// Applies an operation to a sub-attribute. A multi-valued one keeps its values when others are added, and loses only
/// the named ones when these are removed (RFC 7644 §3.5.2.1, §3.5.2.2). Returns the index of its values if it is still
/// valid; with `many` operations it is built if it is not `known`.
pub(super) fn set_sub(
    members: &mut Map<String, Value>,
    sub: &Attribute,
    (op, many): (PatchKind, bool),
    value: Option<&Value>,
    place: &str,
    work: &WorkBudget,
    known: Option<IndexedValues>,
) -> Result<Option<IndexedValues>, PatchError> {
    let before = take_ci(members, sub.name.as_str()).filter(|value| !is_unassigned(value));
    let given = value.filter(|value| !is_unassigned(value)).map(|value| canonical_value(value, sub));
    let immutable = sub.mutability == Mutability::Immutable;
    if let (PatchKind::Add, Some(Value::Array(values)), Some(given)) = (op, &before, &given)
        && sub.multi_valued
        && !immutable
        && (many || known.is_some())
    {
        // Only the added values are examined.
        check_attribute(sub, given, place, ValidateOptions::default()).map_err(PatchError::values)?;
        if known.is_none() {
            work.spend(values.len())?;
        }
        let mut known = known.unwrap_or_else(|| IndexedValues::of(sub, values));
        let Some(before) = before else { return Ok(None) };
        let next = joined(sub, before, given.clone(), &mut known, work)?;
        members.insert(sub.name.to_string(), next);
        return Ok(Some(known));
    }
    let count = before.as_ref().and_then(Value::as_array).map_or(1, Vec::len);
    work.spend(count)?;
    let was = before.clone().filter(|_| immutable);
    let next = match (op, before, given) {
        (PatchKind::Add, Some(before), Some(given)) if sub.multi_valued => {
            let before = Value::Array(listed(before));
            let mut known = IndexedValues::of(sub, before.as_array().map_or(&[][..], Vec::as_slice));
            Some(joined(sub, before, given, &mut known, work)?)
        }
        (PatchKind::Remove, Some(before), Some(given)) if sub.multi_valued => without(sub, before, &given),
        (PatchKind::Remove, _, _) => None,
        (PatchKind::Add | PatchKind::Replace, _, given) => given,
    };
    if let Some(next) = &next {
        check_attribute(sub, next, place, ValidateOptions::default()).map_err(PatchError::values)?;
    }
    if immutable && was.is_some() && was != next {
        return Err(PatchError::mutability(place, "is immutable and has a value"));
    }
    match next {
        Some(next) => {
            members.insert(sub.name.to_string(), next);
        }
        None if sub.required => return Err(PatchError::mutability(place, "is required")),
        None => {}
    }
    Ok(None)
}

/// Returns the values of an array, or the single value.
fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        single => vec![single],
    }
}

/// Returns the values of a sub-attribute with the added ones, each once, and updates the index.
fn joined(
    sub: &Attribute,
    before: Value,
    given: Value,
    known: &mut IndexedValues,
    work: &WorkBudget,
) -> Result<Value, PatchError> {
    let mut values = listed(before);
    for value in listed(given).into_iter().filter(|value| !value.is_null()) {
        work.spend(known.cost(sub, &value))?;
        if known.find(sub, &values, &value).is_none() {
            known.insert(sub, values.len(), &value);
            values.push(value);
        }
    }
    Ok(Value::Array(values))
}

/// Returns the values of a sub-attribute without the given ones, or `None` if none is left.
fn without(sub: &Attribute, before: Value, given: &Value) -> Option<Value> {
    let (mut values, gone) = (listed(before), listed(given.clone()));
    let known = IndexedValues::of(sub, &gone);
    values.retain(|value| known.find(sub, &gone, value).is_none());
    (!values.is_empty()).then_some(Value::Array(values))
}
