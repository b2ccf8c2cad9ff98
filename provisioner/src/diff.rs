//! From what is wanted and what the account carries to the body of a write, and back: what of it took effect.

use std::collections::{BTreeMap, BTreeSet};

use scim::path::{get_ci, key_ci};
use serde_json::{Map, Value, json};

use crate::mapping::{Desired, TargetPath};
use crate::state::Carried;
use crate::target::resource::{Account, clear, set};

/// The body of a POST: what is wanted, and `active: true`.
pub(crate) fn create_body(wanted: &Desired) -> Value {
    let mut resource = Map::new();
    resource.insert("schemas".to_owned(), json!([scim::schema::USER_URN]));
    for (path, value) in wanted.iter() {
        set(&mut resource, path, value);
    }
    resource.insert("active".to_owned(), Value::Bool(true));
    name_extensions(&mut resource, wanted);
    Value::Object(resource)
}

/// The body of a PUT: what was read, with `paths` as wanted and `active` as given; what is not mapped stays.
pub(crate) fn merge(
    base: &Account,
    paths: &[TargetPath],
    wanted: &Desired,
    active: bool,
) -> Map<String, Value> {
    let mut resource = writable(&base.resource);
    for path in paths {
        match wanted.get(path) {
            Some(value) => set(&mut resource, path, value),
            None => clear(&mut resource, path),
        }
    }
    let key = key_ci(&resource, "active").unwrap_or("active").to_owned();
    resource.insert(key, Value::Bool(active));
    name_extensions(&mut resource, wanted);
    resource
}

/// `resource` without what only the target writes (RFC 7643 §3.1, §4.1.2).
pub(crate) fn writable(resource: &Map<String, Value>) -> Map<String, Value> {
    resource
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("meta") && !name.eq_ignore_ascii_case("groups"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn name_extensions(resource: &mut Map<String, Value>, wanted: &Desired) {
    let urns: BTreeSet<&str> = wanted
        .iter()
        .filter_map(|(path, _)| path.urn())
        .filter(|urn| !urn.eq_ignore_ascii_case(scim::schema::USER_URN) && get_ci(resource, urn).is_some())
        .collect();
    let key = key_ci(resource, "schemas").unwrap_or("schemas").to_owned();
    let Some(Value::Array(schemas)) = resource.get_mut(&key) else { return };
    for urn in urns {
        if !schemas
            .iter()
            .any(|schema| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(urn)))
        {
            schemas.push(Value::String(urn.to_owned()));
        }
    }
}

/// The operations that bring an account from what it `carries` to what is `wanted` at `paths`, and `active` to its new value.
pub(crate) fn patch_operations(
    paths: &[TargetPath],
    wanted: &Desired,
    carries: &Carried,
    active: Option<bool>,
) -> Vec<Value> {
    let mut operations = Vec::new();
    // New elements of one multi-valued attribute's kind ("the work address") go in one operation.
    let mut elements: BTreeMap<Element, Map<String, Value>> = BTreeMap::new();
    let mut removed: BTreeSet<Element> = BTreeSet::new();
    for path in paths {
        let has = carries.get(path).is_some();
        let Some(((name, literal), element)) = path.selector().zip(Element::of(path)) else {
            operations.push(operation(path, wanted.get(path), has));
            continue;
        };
        let carried = carries.keys().any(|other| Element::of(other).as_ref() == Some(&element));
        let kept = wanted.iter().any(|(other, _)| Element::of(other).as_ref() == Some(&element));
        match (wanted.get(path), path.sub()) {
            (Some(value), Some(sub)) if !carried => {
                let new = elements.entry(element).or_insert_with(|| {
                    Map::from_iter([(name.to_owned(), Value::String(literal.to_owned()))])
                });
                new.insert(sub.to_owned(), value.clone());
            }
            (None, _) if !kept => {
                if removed.insert(element.clone()) {
                    operations.push(json!({ "op": "remove", "path": element.path }));
                }
            }
            (value, _) => operations.push(operation(path, value, has)),
        }
    }
    for (element, value) in elements {
        operations.push(json!({ "op": "add", "path": element.attribute, "value": [value] }));
    }
    if let Some(active) = active {
        operations.push(json!({ "op": "replace", "path": "active", "value": active }));
    }
    operations
}

/// One element of a multi-valued attribute: the one that a selector such as `[type eq "work"]` means.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Element {
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
        Some(Self { attribute, path })
    }
}

fn operation(path: &TargetPath, wanted: Option<&Value>, has: bool) -> Value {
    match wanted {
        Some(value) if has => json!({ "op": "replace", "path": path.to_string(), "value": value }),
        Some(value) => json!({ "op": "add", "path": path.to_string(), "value": value }),
        None => json!({ "op": "remove", "path": path.to_string() }),
    }
}

/// Of `paths`, those that did not change to what was wanted, nor at all.
///
/// A target may normalise what it is given, so any change counts; what it never returns cannot be judged.
pub(crate) fn dropped(
    paths: &[TargetPath],
    wanted: &Desired,
    before: &Carried,
    after: &Account,
) -> Vec<TargetPath> {
    paths
        .iter()
        .filter(|path| {
            let now = after.read(path);
            let took = now == wanted.get(path) || now != before.get(path);
            !took && !is_never_returned(path)
        })
        .cloned()
        .collect()
}

/// Whether a target never shows what it has there (RFC 7643 §4.1.1: `password`).
pub(crate) fn is_never_returned(path: &TargetPath) -> bool {
    path.urn().is_none() && path.attribute().eq_ignore_ascii_case("password")
}
