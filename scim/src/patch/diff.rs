//! The operations that turn one resource into another.

use serde_json::{Value, json};

use super::{PatchOp, PatchRequest, apply};
use crate::filter::{CompareOp, Filter, Literal, PatchPath, element_matches};
use crate::json::{get_ci, is_unassigned};
use crate::name::AttrName;
use crate::path::AttrPath;
use crate::schema::{Attribute, Mutability, Schema, SchemaSet};

/// Returns the operations that turn `before` into `after`; none if they are equal.
///
/// Every operation has a path and concerns one attribute, one sub-attribute or some values. Both
/// resources must be valid and canonical (no `null`, no empty arrays). Read-only attributes, unknown members and
/// `schemas` are not compared.
pub fn diff(before: &Value, after: &Value, schemas: &SchemaSet) -> Vec<PatchOp> {
    let mut out = Vec::new();
    let top = schemas.common().iter().chain(schemas.core().attributes());
    for attr in top.filter(|attr| attr.name != *"schemas") {
        let path = AttrPath::of(attr.name.clone());
        Pair { before, after, schemas, extension: None }.attribute(attr, &path, &mut out);
    }
    for schema in schemas.extensions() {
        for attr in schema.attributes() {
            let path = AttrPath { urn: Some(schema.id().clone()), ..AttrPath::of(attr.name.clone()) };
            Pair { before, after, schemas, extension: Some(schema) }.attribute(attr, &path, &mut out);
        }
    }
    out
}

struct Pair<'a> {
    before: &'a Value,
    after: &'a Value,
    schemas: &'a SchemaSet,
    extension: Option<&'a Schema>,
}

impl Pair<'_> {
    fn attribute(&self, attr: &Attribute, path: &AttrPath, out: &mut Vec<PatchOp>) {
        let before = self.value(self.before, attr);
        let after = self.value(self.after, attr);
        if attr.mutability == Mutability::ReadOnly || before == after {
            return;
        }
        let nothing = json!([]);
        let before = before.or_else(|| after.is_some_and(Value::is_array).then_some(&nothing));
        let (Some(old), Some(new)) = (before, after) else {
            return plain(attr, path, before, after, out);
        };
        match (old, new) {
            (Value::Array(old), Value::Array(new)) => {
                let by_value = self.by_value(attr, path, old, new);
                out.extend(by_value.unwrap_or_else(|| vec![replace(path, json!(new))]));
            }
            (Value::Object(old), Value::Object(new)) => {
                for sub in &attr.sub_attributes {
                    let name = sub.name.as_str();
                    let path = path.child(sub.name.clone());
                    plain(sub, &path, get_ci(old, name), get_ci(new, name), out);
                }
            }
            _ => out.push(replace(path, new.clone())),
        }
    }

    fn value<'v>(&self, resource: &'v Value, attr: &Attribute) -> Option<&'v Value> {
        let members = resource.as_object()?;
        let holder = match self.extension {
            Some(schema) => get_ci(members, schema.id().as_str())?.as_object()?,
            None => members,
        };
        get_ci(holder, attr.name.as_str()).filter(|value| !is_unassigned(value))
    }

    /// Returns operations on single values, or `None` if these do not lead to the new list.
    fn by_value(
        &self,
        attr: &Attribute,
        path: &AttrPath,
        old: &[Value],
        new: &[Value],
    ) -> Option<Vec<PatchOp>> {
        if !attr.is_complex() {
            return None;
        }
        let mut gone: Vec<&Value> = old.iter().filter(|value| !new.contains(value)).collect();
        let mut come: Vec<&Value> = new.iter().filter(|value| !old.contains(value)).collect();
        let select = |value: &Value| selector(value, old, path, self.schemas);
        let mut operations = Vec::new();
        for value in gone.clone() {
            let Some(at) = come.iter().position(|other| same_type(value, other)) else { continue };
            let filter = select(value)?;
            change(attr, path, &filter, value, come.remove(at), &mut operations);
            gone.retain(|other| *other != value);
        }
        for value in gone {
            let path = PatchPath { filter: Some(select(value)?), ..path.clone().into() };
            operations.push(PatchOp::Remove { path, value: None });
        }
        if !come.is_empty() {
            operations.push(PatchOp::Add { path: Some(path.clone().into()), value: json!(come) });
        }
        self.reaches(attr, old, &operations, new).then_some(operations)
    }

    /// Whether the operations turn the old list of values into the new one.
    fn reaches(&self, attr: &Attribute, old: &[Value], operations: &[PatchOp], new: &[Value]) -> bool {
        let attribute = json!({attr.name.as_str(): old});
        let start = match self.extension {
            Some(schema) => json!({schema.id().as_str(): attribute}),
            None => attribute,
        };
        let request = PatchRequest::new(operations.to_vec());
        let Ok(end) = apply(&start, &request, self.schemas) else { return false };
        let found = self.value(&end, attr).and_then(Value::as_array);
        found.map_or(&[][..], Vec::as_slice) == new
    }
}

/// Adds, removes or replaces a whole value.
fn plain(
    attr: &Attribute,
    path: &AttrPath,
    before: Option<&Value>,
    after: Option<&Value>,
    out: &mut Vec<PatchOp>,
) {
    if attr.mutability == Mutability::ReadOnly {
        return;
    }
    match (before, after) {
        (None, None) => {}
        (None, Some(after)) => {
            out.push(PatchOp::Add { path: Some(path.clone().into()), value: after.clone() });
        }
        (Some(_), None) => out.push(PatchOp::Remove { path: path.clone().into(), value: None }),
        (Some(before), Some(after)) if before != after => out.push(replace(path, after.clone())),
        (Some(_), Some(_)) => {}
    }
}

fn replace(path: &AttrPath, value: Value) -> PatchOp {
    PatchOp::Replace { path: Some(path.clone().into()), value }
}

fn same_type(a: &Value, b: &Value) -> bool {
    a["type"].is_string() && a["type"] == b["type"]
}

/// Replaces or removes sub-attributes of one value.
fn change(
    attr: &Attribute,
    path: &AttrPath,
    filter: &Filter,
    old: &Value,
    new: &Value,
    out: &mut Vec<PatchOp>,
) {
    for sub in &attr.sub_attributes {
        let name = sub.name.as_str();
        let (old, new) = (old.get(name), new.get(name));
        if old != new {
            let path = PatchPath {
                filter: Some(filter.clone()),
                sub: Some(sub.name.clone()),
                ..path.clone().into()
            };
            out.push(match new {
                Some(new) => PatchOp::Replace { path: Some(path), value: new.clone() },
                None => PatchOp::Remove { path, value: None },
            });
        }
    }
}

/// Returns a filter that selects only this value: by type, by value, or by both.
fn selector(value: &Value, all: &[Value], path: &AttrPath, schemas: &SchemaSet) -> Option<Filter> {
    let by = |name: &str| match &value[name] {
        Value::String(text) => Some(Filter::Compare {
            path: AttrPath::of(AttrName::literal(name)),
            op: CompareOp::Eq,
            value: Literal::String(text.clone()),
        }),
        _ => None,
    };
    let both = by("type").zip(by("value")).map(|(a, b)| Filter::And(vec![a, b]));
    let unique = |filter: &Filter| {
        all.iter().filter(|other| element_matches(filter, other, path, schemas)).count() == 1
    };
    [by("type"), by("value"), both].into_iter().flatten().find(unique)
}
