//! An account as the target represents it: reading and writing it by mapped path.

use scim::path::{get_ci, get_ci_mut, key_ci};
use serde_json::{Map, Value, json};

use crate::ids::{TargetId, UserName};
use crate::mapping::TargetPath;
use crate::state::Carried;

/// An account: a JSON object with an `id`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) id: TargetId,
    pub(crate) resource: Map<String, Value>,
    /// What `If-Match` wants, where the target has versions.
    pub(crate) version: Option<String>,
}

impl Account {
    /// The account in `resource`; `None` where that is not one.
    pub(crate) fn new(resource: &Map<String, Value>, etag: Option<&str>) -> Option<Self> {
        let id = get_ci(resource, "id")?.as_str()?.parse().ok()?;
        let in_meta =
            || get_ci(resource, "meta")?.as_object().and_then(|meta| get_ci(meta, "version"))?.as_str();
        let version = etag.or_else(in_meta).filter(|version| !version.is_empty()).map(str::to_owned);
        Some(Self { id, resource: resource.clone(), version })
    }

    /// `userName`, where it has one.
    pub(crate) fn user_name(&self) -> Option<UserName> {
        get_ci(&self.resource, "userName")?.as_str()?.parse().ok()
    }

    /// `externalId`, where it has one.
    pub(crate) fn external_id(&self) -> Option<&str> {
        get_ci(&self.resource, "externalId")?.as_str()
    }

    /// `active`; an account that does not say counts as active. Some servers write booleans as strings.
    pub(crate) fn active(&self) -> bool {
        match get_ci(&self.resource, "active") {
            Some(Value::Bool(active)) => *active,
            Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => true,
        }
    }

    /// The value at `path`; absent, null and empty are the same.
    pub(crate) fn read(&self, path: &TargetPath) -> Option<&Value> {
        let object = match path.urn() {
            Some(urn) => get_ci(&self.resource, urn)?.as_object()?,
            None => &self.resource,
        };
        let value = get_ci(object, path.attribute())?;
        let value = match path.selector() {
            Some(selector) => value.as_array()?.iter().find(|element| selects(element, selector))?,
            None => value,
        };
        let value = match path.sub() {
            Some(sub) => get_ci(value.as_object()?, sub)?,
            None => value,
        };
        let empty = matches!(value, Value::Null) || value.as_str() == Some("");
        (!empty).then_some(value)
    }

    /// What the account carries at `paths`.
    pub(crate) fn project<'a>(&self, paths: impl Iterator<Item = &'a TargetPath>) -> Carried {
        paths.filter_map(|path| Some((path.clone(), self.read(path)?.clone()))).collect()
    }
}

fn selects(element: &Value, (name, literal): (&str, &str)) -> bool {
    element
        .as_object()
        .and_then(|object| get_ci(object, name))
        .and_then(Value::as_str)
        .is_some_and(|value| value.eq_ignore_ascii_case(literal))
}

/// Writes `value` at `path`, making what is missing on the way.
pub(crate) fn set(resource: &mut Map<String, Value>, path: &TargetPath, value: &Value) {
    let object = match path.urn() {
        Some(urn) => object_at(resource, urn),
        None => resource,
    };
    match (path.selector(), path.sub()) {
        (None, None) => {
            let key = key_ci(object, path.attribute()).unwrap_or(path.attribute()).to_owned();
            object.insert(key, value.clone());
        }
        (None, Some(sub)) => insert(object_at(object, path.attribute()), sub, value),
        (Some(selector), sub) => {
            let elements = array_at(object, path.attribute());
            let index = elements.iter().position(|element| selects(element, selector)).unwrap_or_else(|| {
                elements.push(json!({ selector.0: selector.1 }));
                elements.len() - 1
            });
            if let (Some(Value::Object(element)), Some(sub)) = (elements.get_mut(index), sub) {
                insert(element, sub, value);
            }
        }
    }
}

/// Removes what is at `path`, and the value or extension that becomes empty by it.
pub(crate) fn clear(resource: &mut Map<String, Value>, path: &TargetPath) {
    if let Some(urn) = path.urn() {
        if let Some(Value::Object(extension)) = get_ci_mut(resource, urn) {
            clear_in(extension, path);
            if extension.is_empty() {
                remove(resource, urn);
            }
        }
    } else {
        clear_in(resource, path);
    }
}

fn clear_in(object: &mut Map<String, Value>, path: &TargetPath) {
    let emptied = match (get_ci_mut(object, path.attribute()), path.selector(), path.sub()) {
        (Some(Value::Object(complex)), None, Some(sub)) => {
            remove(complex, sub);
            complex.is_empty()
        }
        (Some(Value::Array(elements)), Some(selector), sub) => {
            elements.retain_mut(|element| {
                if !selects(element, selector) {
                    return true;
                }
                let (Some(element), Some(sub)) = (element.as_object_mut(), sub) else { return false };
                remove(element, sub);
                // What selects an element, or ranks it, is no content.
                element
                    .keys()
                    .any(|key| !key.eq_ignore_ascii_case(selector.0) && !key.eq_ignore_ascii_case("primary"))
            });
            elements.is_empty()
        }
        (Some(_), None, None) => true,
        (Some(_) | None, _, _) => false,
    };
    if emptied {
        remove(object, path.attribute());
    }
}

fn insert(object: &mut Map<String, Value>, name: &str, value: &Value) {
    let key = key_ci(object, name).unwrap_or(name).to_owned();
    object.insert(key, value.clone());
}

fn remove(object: &mut Map<String, Value>, name: &str) {
    if let Some(key) = key_ci(object, name).map(str::to_owned) {
        object.remove(&key);
    }
}

fn object_at<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let key = key_ci(object, name).unwrap_or(name).to_owned();
    let slot = object.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    match slot {
        Value::Object(inner) => inner,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            unreachable!("made an object above")
        }
    }
}

fn array_at<'a>(object: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let key = key_ci(object, name).unwrap_or(name).to_owned();
    let slot = object.entry(key).or_insert_with(|| Value::Array(Vec::new()));
    if !slot.is_array() {
        *slot = Value::Array(Vec::new());
    }
    match slot {
        Value::Array(inner) => inner,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            unreachable!("made an array above")
        }
    }
}
