//! Bodies of writes, from the wanted values and those that the account carries, and the effects of writes.

mod moved_values;
mod path_effect;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use moved_values::MovedValues;
pub(crate) use path_effect::{PathEffect, path_effects};
use scim::json::{get_ci, key_ci};
use serde_json::{Map, Value, json};

use crate::account_values::{AccountValues, is_carried};
use crate::mapping::{Desired, TargetPath};
use crate::target::resource::{Account, clear, select_moved, set};

/// Returns the body of a POST: the wanted values, and `active: true`.
pub(crate) fn create_body(wanted: &Desired) -> Value {
    let mut resource = Map::new();
    resource.insert("schemas".to_owned(), json!([scim::schema::USER_URN]));
    for (path, value) in wanted.iter() {
        set(&mut resource, path, value);
    }
    resource.insert("active".to_owned(), Value::Bool(true));
    name_extensions(&mut resource, std::iter::empty());
    Value::Object(resource)
}

/// Returns the body of a PUT: the resource that was read, with `paths` as wanted and `active` as given. Attributes that
/// are not mapped stay. `carries` are the values that were written before.
pub(crate) fn merge(
    base: &Account,
    paths: &[TargetPath],
    wanted: &Desired,
    carries: &AccountValues,
    active: bool,
) -> Map<String, Value> {
    let mut resource = writable(base.to_send_back());
    for path in paths {
        select_moved(&mut resource, path, carries);
        match wanted.get(path) {
            Some(value) => set(&mut resource, path, value),
            None => clear(&mut resource, path),
        }
    }
    let key = key_ci(&resource, "active").unwrap_or("active").to_owned();
    resource.insert(key, Value::Bool(active));
    name_extensions(&mut resource, paths.iter());
    resource
}

/// Returns `resource` without the attributes that only the target writes (RFC 7643 §3.1, §4.1.2).
pub(crate) fn writable(resource: &Map<String, Value>) -> Map<String, Value> {
    resource
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("meta") && !name.eq_ignore_ascii_case("groups"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Lists in `schemas` every extension that `resource` has, and no longer one of `written` that it has lost.
fn name_extensions<'a>(resource: &mut Map<String, Value>, written: impl Iterator<Item = &'a TargetPath>) {
    let is_extension = |name: &str, value: &Value| {
        name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
            && !name.eq_ignore_ascii_case(scim::schema::USER_URN)
            && value.as_object().is_some_and(|members| !members.is_empty())
    };
    let used: Vec<String> = resource
        .iter()
        .filter(|(name, value)| is_extension(name, value))
        .map(|(name, _)| name.clone())
        .collect();
    let lost: BTreeSet<&str> =
        written.filter_map(TargetPath::urn).filter(|urn| get_ci(resource, urn).is_none()).collect();
    let key = key_ci(resource, "schemas").unwrap_or("schemas").to_owned();
    let mut schemas = match resource.remove(&key) {
        Some(Value::Array(schemas)) => schemas,
        _ => vec![Value::from(scim::schema::USER_URN)],
    };
    let is = |schema: &Value, urn: &str| schema.as_str().is_some_and(|name| name.eq_ignore_ascii_case(urn));
    schemas.retain(|schema| !lost.iter().any(|urn| is(schema, urn)));
    for urn in used {
        if !schemas.iter().any(|schema| is(schema, &urn)) {
            schemas.push(Value::String(urn));
        }
    }
    resource.insert(key, Value::Array(schemas));
}

/// Returns the operations that bring an account from the values that it `carries` to the `wanted` ones at `paths`, and
/// `active` to its new value. Values that lost the sub-attribute that selects them are among `moved_values`, and not
/// among `carries`.
pub(crate) fn patch_operations(
    paths: &[TargetPath],
    wanted: &Desired,
    carries: &AccountValues,
    moved_values: &MovedValues,
    active: Option<bool>,
) -> Vec<Value> {
    let mut operations = Vec::new();
    // They come last: a target may drop an element with its last value, and then has no place for a new one.
    let mut removals = Vec::new();
    // New elements of one multi-valued attribute's kind ("the work address") go in one operation.
    let mut elements: BTreeMap<String, (String, Map<String, Value>)> = BTreeMap::new();
    let mut removed: BTreeSet<String> = BTreeSet::new();
    let differs = |path: &&TargetPath| {
        !is_carried(carries, path, wanted.get(path)) || moved_values.location_of(path).is_some()
    };
    // Strays are found by what they have now: nothing of that is changed before they are.
    for path in paths.iter().filter(differs) {
        if let Some(moved_value) = moved_values.location_of(path) {
            let kept = wanted.iter().any(|(other, _)| other.shares_value(path));
            match wanted.get(path) {
                Some(value) if moved_value.is_own => operations.push(write(&moved_value.path, value, true)),
                Some(value) => operations.insert(0, write(&moved_value.path, value, false)),
                None if kept => {
                    removals.push(json!({ "op": "remove", "path": moved_value.path.to_string() }));
                }
                None => {
                    if let Some((lost, element)) = Element::of(path).zip(Element::of(&moved_value.path))
                        && removed.insert(lost.key)
                    {
                        removals.push(json!({ "op": "remove", "path": element.path }));
                    }
                }
            }
            continue;
        }
        let has = carries.get(path).is_some();
        let Some(((name, literal), element)) = path.selector().zip(Element::of(path)) else {
            match wanted.get(path) {
                Some(value) => operations.push(write(path, value, has)),
                None => removals.push(json!({ "op": "remove", "path": path.to_string() })),
            }
            continue;
        };
        let of_it = |other: &TargetPath| Element::of(other).is_some_and(|other| other.key == element.key);
        let carried = carries.keys().any(of_it);
        let kept = wanted.iter().any(|(other, _)| of_it(other))
            || carries.keys().any(|other| of_it(other) && !paths.contains(other));
        match (wanted.get(path), path.sub()) {
            (Some(value), Some(sub)) if !carried => {
                let (_, new) = elements.entry(element.key).or_insert_with(|| {
                    let selector = (name.to_owned(), Value::String(literal.to_owned()));
                    (element.attribute, Map::from_iter([selector]))
                });
                new.insert(sub.to_owned(), value.clone());
            }
            (None, _) if !kept => {
                if removed.insert(element.key) {
                    removals.push(json!({ "op": "remove", "path": element.path }));
                }
            }
            (Some(value), _) => operations.push(write(path, value, has)),
            (None, _) => removals.push(json!({ "op": "remove", "path": path.to_string() })),
        }
    }
    for (attribute, value) in elements.into_values() {
        operations.push(json!({ "op": "add", "path": attribute, "value": [value] }));
    }
    operations.append(&mut removals);
    if let Some(active) = active {
        operations.push(json!({ "op": "replace", "path": "active", "value": active }));
    }
    operations
}

/// One element of a multi-valued attribute: the one that a selector such as `[type eq "work"]` means.
struct Element {
    /// The same for every spelling of it.
    key: String,
    /// `emails`
    attribute: String,
    /// `emails[type eq "work"]`
    path: String,
}

impl Element {
    fn of(path: &TargetPath) -> Option<Self> {
        let (name, literal) = path.selector()?;
        let attribute = match path.urn() {
            Some(urn) => format!("{urn}:{}", path.attribute()),
            None => path.attribute().to_owned(),
        };
        let path = format!("{attribute}[{name} eq {}]", Value::String(literal.to_owned()));
        Some(Self { key: path.to_lowercase(), attribute, path })
    }
}

fn write(path: &TargetPath, value: &Value, has: bool) -> Value {
    let op = if has { "replace" } else { "add" };
    json!({ "op": op, "path": path.to_string(), "value": value })
}

#[cfg(test)]
mod tests;
