//! Application of a request: finds the attribute of each operation and checks what the schema allows.

use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use super::{
    PatchError, PatchKind, PatchOp, PatchRequest, booleans,
    dialect::{Dialect, DialectUse, Dialects, twice},
    index::{ValueIndex, WorkBudget},
    value_identity::MAX_SEARCHED,
    values::{AttributeEdit, edit},
};
use crate::error::ScimType;
use crate::filter::parse::patch_path;
use crate::filter::{Filter, PatchPath};
use crate::json::{get_ci, is_unassigned, key_ci};
use crate::path::AttrPath;
use crate::schema::{Attribute, AttributeLocation, Mutability, Schema, SchemaSet};
use crate::validate::immutable_change;

/// Applies a request to a resource and returns the new one. An error leaves the input unchanged.
///
/// `schemas` of the result lists an extension if, and only if, the result has attributes of it.
///
/// # Errors
/// The first operation that cannot be applied, with its error keyword.
///
/// ```
/// use scim::{patch::{PatchRequest, apply}, schema::{PATCH_URN, SchemaSet}};
/// use serde_json::json;
///
/// let user = json!({"userName": "ida", "emails": [{"type": "work", "value": "ida@example.com"}]});
/// let request = PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": [
///     {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "ida@example.org"},
/// ]}))?;
/// let patched = apply(&user, &request, SchemaSet::user())?;
/// assert_eq!(patched["emails"][0]["value"], "ida@example.org");
/// # Ok::<(), scim::patch::PatchError>(())
/// ```
pub fn apply(resource: &Value, request: &PatchRequest, schemas: &SchemaSet) -> Result<Value, PatchError> {
    apply_with(resource.clone(), request, schemas, Dialects::DEFAULT).map(|(patched, _)| patched)
}

/// Applies a request as [`apply`] does, accepts these dialects in its values, and returns those that it uses.
///
/// # Errors
/// The first operation that cannot be applied, with its error keyword. A dialect that is not accepted is `invalidValue`
/// for a text in place of a boolean, `invalidPath` for a path in place of a name.
///
/// ```
/// use scim::{patch::{Dialect, Dialects, PatchRequest, apply_with}, schema::SchemaSet};
/// use serde_json::json;
///
/// let body = json!({"op": "Replace", "path": "active", "value": "False"});
/// let (request, used) = PatchRequest::read(&body, Dialects::all())?;
/// assert_eq!(used, [Dialect::CapitalisedOp, Dialect::SingleOperation]);
/// let user = json!({"userName": "ida", "active": true});
/// let (patched, used) = apply_with(user, &request, SchemaSet::user(), Dialects::all())?;
/// assert_eq!((&patched["active"], used), (&json!(false), vec![Dialect::StringBoolean]));
/// # Ok::<(), scim::patch::PatchError>(())
/// ```
pub fn apply_with(
    resource: Value,
    request: &PatchRequest,
    schemas: &SchemaSet,
    dialects: Dialects,
) -> Result<(Value, Vec<Dialect>), PatchError> {
    let Value::Object(members) = resource else {
        return Err(PatchError::new(ScimType::InvalidSyntax, "the resource", "is not a JSON object"));
    };
    let has = |members: &Members, schema: &Schema| key_ci(members, schema.id().as_str()).is_some();
    let had: Vec<&Schema> = schemas.required_extensions().filter(|schema| has(&members, schema)).collect();
    let before: Vec<String> = lacking(&members, schemas).collect();
    let mut editor = ResourceEditor {
        members,
        schemas,
        dialect_use: DialectUse::new(dialects),
        indexes: HashMap::new(),
        work: WorkBudget::default(),
        many: request.operations.len() > MAX_SEARCHED,
    };
    for (i, operation) in request.operations.iter().enumerate() {
        editor.work.next();
        editor.operation(operation).map_err(|e| e.in_operation(i + 1))?;
    }
    editor.settle();
    if let Some(lost) = had.into_iter().find(|schema| !has(&editor.members, schema)) {
        return Err(PatchError::mutability(lost.id().as_str(), "is required"));
    }
    // The request is not responsible for values that were missing before.
    if let Some(place) = lacking(&editor.members, schemas).find(|place| !before.contains(place)) {
        return Err(PatchError::new(ScimType::InvalidValue, place, "is required"));
    }
    editor.list_schemas();
    Ok((Value::Object(editor.members), editor.dialect_use.used()))
}

type Members = Map<String, Value>;

/// Returns the paths of the required attributes that the extensions of a resource lack.
fn lacking<'a>(members: &'a Members, schemas: &'a SchemaSet) -> impl Iterator<Item = String> + 'a {
    schemas.extensions().iter().flat_map(move |schema| {
        let inner = get_ci(members, schema.id().as_str()).and_then(Value::as_object);
        let required = |attr: &&Attribute| attr.required && attr.mutability != Mutability::ReadOnly;
        schema.attributes().iter().filter(required).filter_map(move |attr| {
            let value = get_ci(inner?, attr.name.as_str()).filter(|value| !is_unassigned(value));
            value.is_none().then(|| format!("{}:{}", schema.id(), attr.name))
        })
    })
}

struct ResourceEditor<'a> {
    members: Members,
    schemas: &'a SchemaSet,
    dialect_use: DialectUse,
    /// The indexes of the values of attributes, and the members that hold these.
    indexes: HashMap<*const Attribute, (AttributeHolder, ValueIndex)>,
    work: WorkBudget,
    /// Whether the request has enough operations to build indexes for them.
    many: bool,
}

/// The member that holds an attribute: the URN of its extension, if any, and its name.
type AttributeHolder = (Option<String>, String);

/// The place of a change's path in the operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PathOrigin {
    /// In `path` of the operation.
    Operation,
    /// It is the name of a member of the value.
    Member,
}

impl ResourceEditor<'_> {
    fn operation(&mut self, operation: &PatchOp) -> Result<(), PatchError> {
        match operation {
            PatchOp::Remove { path, value } => {
                self.at(PatchKind::Remove, path, value.as_ref(), PathOrigin::Operation)
            }
            PatchOp::Add { path, value } | PatchOp::Replace { path, value } => match path {
                Some(path) => self.at(operation.kind(), path, Some(value), PathOrigin::Operation),
                None => self.members(operation.kind(), None, value),
            },
        }
    }

    /// Applies an operation to the whole resource, or to a whole extension: each member is a path.
    fn members(&mut self, op: PatchKind, schema: Option<&Schema>, value: &Value) -> Result<(), PatchError> {
        let Value::Object(given) = value else {
            let place = schema.map_or("the value", |schema| schema.id().as_str());
            return Err(PatchError::new(ScimType::InvalidValue, place, "must be an object"));
        };
        for (key, value) in given {
            // Some clients repeat `schemas` inside an extension, where it has no meaning.
            if schema.is_some_and(|schema| schema.attribute(key).is_none())
                && key.eq_ignore_ascii_case("schemas")
            {
                continue;
            }
            let path = match schema {
                Some(schema) => patch_path(&format!("{}:{key}", schema.id()), &mut self.dialect_use),
                None => patch_path(key, &mut self.dialect_use),
            };
            let path = path.map_err(|_| unknown(key))?;
            let prefixed =
                schema.is_none() && path.urn.is_some() && self.schemas.schema_at(&path.attr_path()).is_none();
            let dotted = path.sub.is_some() || path.filter.is_some() || prefixed;
            if dotted && !self.dialect_use.record(Dialect::DottedKeys) {
                let problem = "is a path where the name of an attribute belongs; it must be sent as `path`";
                return Err(PatchError::new(ScimType::InvalidPath, key, problem));
            }
            self.at(op, &path, Some(value), PathOrigin::Member)?;
        }
        Ok(())
    }

    /// Applies an operation at a path.
    fn at(
        &mut self,
        requested: PatchKind,
        path: &PatchPath,
        value: Option<&Value>,
        origin: PathOrigin,
    ) -> Result<(), PatchError> {
        let schemas = self.schemas;
        let (op, value) = match (requested, value) {
            (PatchKind::Replace, Some(value)) if is_unassigned(value) => (PatchKind::Remove, None),
            (PatchKind::Add, Some(value)) if is_unassigned(value) => return Ok(()),
            (op, value) => (op, value),
        };
        let attr_path = path.attr_path();
        if path.filter.is_none()
            && let Some(schema) = schemas.schema_at(&attr_path)
        {
            return if names_nothing(op, value) { Ok(()) } else { self.schema(op, schema, value) };
        }
        let place = path.to_string();
        let found = schemas.locate(&attr_path).ok_or_else(|| unknown(&place))?;
        if let Some(filter) = &path.filter {
            check_filter(filter, found.attribute, &place)?;
        }
        let mut converted = None;
        let mut converted_path = None;
        if self.dialect_use.accepts(Dialect::StringBoolean) {
            converted = value.and_then(|value| booleans::in_value(found.leaf(), value));
            let filter = path.filter.as_ref().and_then(|f| booleans::in_filter(found.attribute, f));
            converted_path = filter.map(|filter| PatchPath { filter: Some(filter), ..path.clone() });
            if converted.is_some() || converted_path.is_some() {
                self.dialect_use.record(Dialect::StringBoolean);
            }
        }
        let whole = value.filter(|_| self.dialect_use.accepts(Dialect::BareManager));
        if let Some(whole) = whole.and_then(|value| complete_manager(found.leaf(), value)) {
            self.dialect_use.record(Dialect::BareManager);
            converted = Some(whole);
        }
        let value = converted.as_ref().or(value);
        let path = converted_path.as_ref().unwrap_or(path);
        if found.attribute.name == *"schemas" {
            return self.schemas_attribute(op, value);
        }
        let read_only = |attr: &Attribute| attr.mutability == Mutability::ReadOnly;
        if read_only(found.attribute) || found.sub.is_some_and(read_only) {
            if origin == PathOrigin::Member
                && self.current(found).is_some_and(|current| Some(current) == value)
            {
                return Ok(());
            }
            return Err(PatchError::mutability(&place, "is read-only"));
        }
        if names_nothing(op, value) {
            return Ok(());
        }
        // The edit needs the budget while the editor is borrowed.
        let (work, many) = (std::mem::take(&mut self.work), self.many);
        let change =
            AttributeEdit { op, requested, path, attr_path, found, value, place, schemas, many, work: &work };
        let written = self.write(found, &change);
        self.work = work;
        written
    }

    /// Deletes the removed values, which are `null` until now.
    fn settle(&mut self) {
        for ((extension, name), mut index) in std::mem::take(&mut self.indexes).into_values() {
            let holder = match &extension {
                Some(urn) => self.members.get_mut(urn).and_then(Value::as_object_mut),
                None => Some(&mut self.members),
            };
            if let Some(Value::Array(values)) = holder.and_then(|members| members.get_mut(&name)) {
                index.compact(values);
            }
        }
    }

    /// Applies an operation to a bare schema URN.
    fn schema(&mut self, op: PatchKind, schema: &Schema, value: Option<&Value>) -> Result<(), PatchError> {
        let extension = (schema.id() != self.schemas.core().id()).then_some(schema);
        if op == PatchKind::Remove {
            self.settle();
        }
        match (op, value, extension) {
            (PatchKind::Add | PatchKind::Replace, Some(value), _) => self.members(op, extension, value),
            (_, _, None) => {
                Err(PatchError::mutability(schema.id().as_str(), "is the main schema and cannot be removed"))
            }
            (_, _, Some(schema)) => {
                for attr in schema.attributes() {
                    let found = AttributeLocation { extension, attribute: attr, sub: None };
                    let Some(current) = self.current(found).filter(|current| !is_unassigned(current)) else {
                        continue;
                    };
                    let place = format!("{}:{}", schema.id(), attr.name);
                    if attr.mutability == Mutability::ReadOnly {
                        return Err(PatchError::mutability(&place, "is read-only"));
                    }
                    if let [problem, ..] = immutable_change(attr, Some(current), None, &place).as_slice() {
                        return Err(PatchError::mutability(&problem.place, &problem.kind.to_string()));
                    }
                }
                if let Some(key) = key_ci(&self.members, schema.id().as_str()).map(str::to_owned) {
                    self.members.remove(&key);
                }
                Ok(())
            }
        }
    }

    /// Checks an operation on `schemas`. The resource determines its value, so the operation has no effect.
    fn schemas_attribute(&mut self, op: PatchKind, value: Option<&Value>) -> Result<(), PatchError> {
        if op == PatchKind::Remove {
            return Err(PatchError::mutability("schemas", "is required"));
        }
        let given = match value {
            Some(Value::Array(urns)) => urns.as_slice(),
            Some(urn) => std::slice::from_ref(urn),
            None => &[],
        };
        let known = |urn: &Value| {
            urn.as_str().is_some_and(|urn| self.schemas.schemas().any(|schema| *schema.id() == *urn))
        };
        if !given.iter().all(known) {
            let problem = "names a schema that the resource type lacks";
            return Err(PatchError::new(ScimType::InvalidValue, "schemas", problem));
        }
        let urns: Vec<&str> = given.iter().filter_map(Value::as_str).collect();
        match twice(&urns) {
            Some(urn) if !self.dialect_use.record(Dialect::DuplicateSchemas) => {
                let problem = format!("names {urn} twice");
                Err(PatchError::new(ScimType::InvalidValue, "schemas", problem))
            }
            _ => Ok(()),
        }
    }

    fn current(&self, found: AttributeLocation<'_>) -> Option<&Value> {
        let holder = match found.extension {
            Some(schema) => crate::json::get_ci(&self.members, schema.id().as_str())?.as_object()?,
            None => &self.members,
        };
        crate::json::get_ci(holder, found.attribute.name.as_str())
    }

    /// Removes the attribute, edits it and inserts it under its canonical name.
    fn write(&mut self, found: AttributeLocation<'_>, change: &AttributeEdit<'_>) -> Result<(), PatchError> {
        let mut extension = found.extension.map(|schema| {
            let taken = take_ci(&mut self.members, schema.id().as_str());
            let members = match taken {
                Some(Value::Object(members)) => members,
                _ => Map::new(),
            };
            (schema.id().to_string(), members)
        });
        let holder = extension.as_mut().map_or(&mut self.members, |(_, members)| members);
        let attr = found.attribute;
        let current = take_ci(holder, attr.name.as_str()).filter(|value| !is_unassigned(value));
        // Only an attribute with something immutable is compared: a copy of a large list is expensive.
        let immutable = |attr: &Attribute| attr.mutability == Mutability::Immutable;
        let guarded = immutable(attr) || (!attr.multi_valued && attr.sub_attributes.iter().any(immutable));
        let before = if guarded { current.clone() } else { None };
        let mut index = self.indexes.remove(&std::ptr::from_ref(attr)).map(|(_, index)| index);
        let next = edit(change, current, &mut index)?.filter(|value| !is_unassigned(value));
        if let Some(index) = index.filter(|_| next.is_some()) {
            let standing = (found.extension.map(|schema| schema.id().to_string()), attr.name.to_string());
            self.indexes.insert(std::ptr::from_ref(attr), (standing, index));
        }
        if immutable(attr) && before.is_some() && next != before {
            return Err(PatchError::mutability(&change.place, "is immutable and has a value"));
        }
        if guarded {
            let place = AttrPath { sub: None, ..change.attr_path.clone() }.to_string();
            let problems = immutable_change(attr, before.as_ref(), next.as_ref(), &place);
            if let Some(problem) = problems.into_iter().next() {
                return Err(PatchError::mutability(&problem.place, &problem.kind.to_string()));
            }
        }
        match next {
            Some(next) => {
                holder.insert(attr.name.to_string(), next);
            }
            None if attr.required => return Err(PatchError::mutability(&change.place, "is required")),
            None => {}
        }
        if let Some((urn, members)) = extension
            && !members.is_empty()
        {
            self.members.insert(urn, Value::Object(members));
        }
        Ok(())
    }

    fn list_schemas(&mut self) {
        let listed = match take_ci(&mut self.members, "schemas") {
            Some(Value::Array(listed)) => listed,
            _ => vec![self.schemas.core().id().as_str().into()],
        };
        let used = |schema: &Schema| key_ci(&self.members, schema.id().as_str()).is_some();
        let keep = |urn: &Value| urn.as_str().and_then(|urn| self.schemas.extension(urn)).is_none_or(used);
        let mut listed: Vec<Value> = listed.into_iter().filter(keep).collect();
        for schema in self.schemas.extensions().iter().filter(|schema| used(schema)) {
            if !listed.iter().filter_map(Value::as_str).any(|urn| *schema.id() == *urn) {
                listed.push(schema.id().as_str().into());
            }
        }
        self.members.insert("schemas".to_owned(), Value::Array(listed));
    }
}

/// Whether a removal lists the values to remove, and the list is empty.
fn names_nothing(op: PatchKind, value: Option<&Value>) -> bool {
    op == PatchKind::Remove && value.and_then(Value::as_array).is_some_and(Vec::is_empty)
}

/// Returns the complete manager for an id alone, or for an array of one.
fn complete_manager(attr: &Attribute, value: &Value) -> Option<Value> {
    let sub = attr.sub("value").filter(|_| attr.is_manager())?;
    match value {
        Value::String(id) => Some(json!({ sub.name.as_str(): id })),
        Value::Array(one) => match one.as_slice() {
            [Value::String(id)] => Some(json!({ sub.name.as_str(): id })),
            [manager @ Value::Object(_)] => Some(manager.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Removes a member, in any spelling of its name.
pub(super) fn take_ci(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    let key = key_ci(members, name)?.to_owned();
    members.remove(&key)
}

fn unknown(place: &str) -> PatchError {
    PatchError::new(ScimType::InvalidPath, place, "is not an attribute of the schema").about(place.to_owned())
}

fn check_filter(filter: &Filter, attr: &Attribute, place: &str) -> Result<(), PatchError> {
    if !attr.multi_valued {
        let problem = "selects among values, but the attribute has only one";
        return Err(PatchError::new(ScimType::InvalidPath, place, problem));
    }
    let known = |path: &AttrPath| {
        let name = path.name.as_str();
        let simple = !attr.is_complex() && path.name == *"value";
        path.urn.is_none() && path.sub.is_none() && (simple || attr.sub(name).is_some())
    };
    let bad = match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            return parts.iter().try_for_each(|part| check_filter(part, attr, place));
        }
        Filter::Not(inner) => return check_filter(inner, attr, place),
        Filter::Compare { path, .. } | Filter::Present(path) => (!known(path)).then_some(path),
        Filter::ValuePath { path, .. } => Some(path),
    };
    match bad {
        Some(path) => {
            let alone = (path.name == attr.name).then_some(path.sub.as_ref()).flatten();
            let hint = match alone.filter(|sub| attr.sub(sub.as_str()).is_some()) {
                Some(sub) => format!("; inside brackets sub-attributes stand alone: {sub}"),
                None => String::new(),
            };
            let problem = format!("compares {path}, which is not a sub-attribute of {}{hint}", attr.name);
            let error = PatchError::new(ScimType::InvalidPath, place, problem);
            Err(if hint.is_empty() { error.about(format!("{}.{path}", attr.name)) } else { error })
        }
        None => Ok(()),
    }
}
