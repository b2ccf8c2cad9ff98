//! An account as the target represents it: reading and writing it by mapped path.

use scim::json::{get_ci, get_ci_mut, key_ci};
use serde_json::{Map, Value, json};

use super::redact::is_redacted;
use crate::account_values::{AccountValues, comparable_value};
use crate::ids::{TargetId, UserName};
use crate::mapping::TargetPath;

/// An account: a JSON object with an `id`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) id: TargetId,
    pub(crate) resource: Map<String, Value>,
    /// The same as it was read, where credentials were cleared from it.
    as_read: Option<Map<String, Value>>,
    /// The value for `If-Match`, if the target has versions.
    pub(crate) version: Option<String>,
}

impl Account {
    /// Creates the account of `resource`, or returns `None` if that has no valid id, or its id held a credential.
    pub(crate) fn new(resource: &Map<String, Value>, etag: Option<&str>) -> Option<Self> {
        Self::of(resource.clone(), etag)
    }

    /// Creates the account of `resource` as [`Account::new`] does.
    pub(crate) fn of(resource: Map<String, Value>, etag: Option<&str>) -> Option<Self> {
        let id = get_ci(&resource, "id")?.as_str().filter(|id| !is_redacted(id))?.parse().ok()?;
        let in_meta =
            || get_ci(&resource, "meta")?.as_object().and_then(|meta| get_ci(meta, "version"))?.as_str();
        let version = etag
            .filter(|version| !version.is_empty())
            .or_else(in_meta)
            .filter(|version| !version.is_empty())
            .map(str::to_owned);
        Some(Self { id, resource, as_read: None, version })
    }

    /// Returns the account with the resource as it was read.
    pub(crate) fn with_as_read(self, as_read: Option<&Value>) -> Self {
        Self { as_read: as_read.and_then(Value::as_object).cloned(), ..self }
    }

    /// Returns the resource for a write to the target, which alone may see all of it.
    pub(crate) fn to_send_back(&self) -> &Map<String, Value> {
        self.as_read.as_ref().unwrap_or(&self.resource)
    }

    /// Returns `userName`, if the account has one.
    pub(crate) fn user_name(&self) -> Option<UserName> {
        get_ci(&self.resource, "userName")?.as_str()?.parse().ok()
    }

    /// Returns `externalId`, if the account has one.
    pub(crate) fn external_id(&self) -> Option<&str> {
        get_ci(&self.resource, "externalId")?.as_str()
    }

    /// Returns `active`, which is true if it is missing. Some servers write booleans as strings.
    pub(crate) fn active(&self) -> bool {
        match get_ci(&self.resource, "active") {
            Some(Value::Bool(active)) => *active,
            Some(Value::String(text)) => !text.eq_ignore_ascii_case("false"),
            Some(Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_)) | None => true,
        }
    }

    /// Returns the value at `path`; absent, null and empty are the same.
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
        is_content(value).then_some(value)
    }

    /// Whether `wanted` is at `path`. One of several selected elements suffices; so does an element that lost the
    /// sub-attribute that selects it, since some targets store no `type`.
    pub(crate) fn shows(&self, path: &TargetPath, wanted: &Value) -> bool {
        if self.read(path) == Some(wanted) {
            return true;
        }
        let (Some(selector), Some(sub)) = (path.selector(), path.sub()) else { return false };
        self.elements(path).iter().any(|element| {
            let has = |name: &str| element.as_object().and_then(|object| get_ci(object, name));
            has(sub) == Some(wanted) && (selects(element, selector) || has(selector.0).is_none())
        })
    }

    /// Returns the values of the multi-valued attribute that `path` selects from.
    fn elements(&self, path: &TargetPath) -> &[Value] {
        let object = match path.urn() {
            Some(urn) => get_ci(&self.resource, urn).and_then(Value::as_object),
            None => Some(&self.resource),
        };
        let values = object.and_then(|object| get_ci(object, path.attribute()));
        values.and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Returns the value that was written for the selection of `path` and has lost the sub-attribute that selects it,
    /// with the path of `carries` whose value identifies it.
    pub(crate) fn moved_value<'a>(
        &self,
        path: &TargetPath,
        carries: &'a AccountValues,
    ) -> Option<&'a TargetPath> {
        moved_value(self.elements(path), path, carries).map(|(_, by)| by)
    }

    /// Returns the value at `path` if the account has lost the sub-attribute that selects it.
    pub(crate) fn read_moved(&self, path: &TargetPath, carries: &AccountValues) -> Option<&Value> {
        let elements = self.elements(path);
        let (index, _) = moved_value(elements, path, carries)?;
        get_ci(elements.get(index)?.as_object()?, path.sub()?).filter(|value| is_content(value))
    }

    /// Returns the values of the account at `paths`.
    pub(crate) fn project<'a>(&self, paths: impl Iterator<Item = &'a TargetPath>) -> AccountValues {
        paths.filter_map(|path| Some((path.clone(), comparable_value(path, self.read(path)?)))).collect()
    }
}

/// Whether `value` is a value: null and empty are the same as absent (RFC 7643 §2.5).
fn is_content(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

fn selects(element: &Value, (name, literal): (&str, &str)) -> bool {
    element
        .as_object()
        .and_then(|object| get_ci(object, name))
        .and_then(Value::as_str)
        .is_some_and(|value| value.eq_ignore_ascii_case(literal))
}

/// Returns the one of `elements` that was written for the selection of `path` and has lost the sub-attribute that selects
/// it, with the path whose value identifies it. Only a value that no other element has identifies it.
fn moved_value<'a>(
    elements: &[Value],
    path: &TargetPath,
    carries: &'a AccountValues,
) -> Option<(usize, &'a TargetPath)> {
    let selector = path.selector()?;
    if elements.is_empty() || elements.iter().any(|element| selects(element, selector)) {
        return None;
    }
    let of = |element: &Value, name: &str| {
        let value =
            element.as_object().and_then(|object| get_ci(object, name)).filter(|value| is_content(value));
        value.cloned()
    };
    let found = |by: &TargetPath| {
        let (sub, value) = (by.sub()?, carries.get(by)?.as_str()?);
        let key = value.to_lowercase();
        let has = |element: &Value| {
            of(element, sub).and_then(|value| Some(value.as_str()?.to_lowercase())).as_ref() == Some(&key)
        };
        let mut having = elements.iter().enumerate().filter(|(_, element)| has(element));
        let (index, element) = having.next().filter(|_| having.next().is_none())?;
        (of(element, selector.0).is_none() && of(element, sub)?.as_str() == Some(value)).then_some(index)
    };
    let own = carries.get_key_value(path).map(|(path, _)| path);
    let others = carries.keys().filter(|other| *other != path && other.shares_value(path));
    own.into_iter().chain(others).find_map(|by| Some((found(by)?, by)))
}

/// Restores the sub-attribute that selects the value written for `path`, if the value has lost it.
pub(crate) fn select_moved(resource: &mut Map<String, Value>, path: &TargetPath, carries: &AccountValues) {
    let object = match path.urn() {
        Some(urn) => get_ci_mut(resource, urn).and_then(Value::as_object_mut),
        None => Some(resource),
    };
    let elements =
        object.and_then(|object| get_ci_mut(object, path.attribute())).and_then(Value::as_array_mut);
    if let (Some(elements), Some((name, literal))) = (elements, path.selector())
        && let Some((index, _)) = moved_value(elements, path, carries)
        && let Some(Value::Object(element)) = elements.get_mut(index)
    {
        insert(element, name, &Value::from(literal));
    }
}

/// Writes `value` at `path`, and creates missing parents.
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

/// Removes the value at `path`, and the element or extension that becomes empty by it.
pub(crate) fn clear(resource: &mut Map<String, Value>, path: &TargetPath) {
    if let Some(urn) = path.urn() {
        if let Some(Value::Object(extension)) = get_ci_mut(resource, urn) {
            clear_in(extension, path);
            if !extension.values().any(is_content) {
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
            !complex.values().any(is_content)
        }
        (Some(Value::Array(elements)), Some(selector), sub) => {
            elements.retain_mut(|element| {
                if !selects(element, selector) {
                    return true;
                }
                let (Some(element), Some(sub)) = (element.as_object_mut(), sub) else { return false };
                remove(element, sub);
                // A sub-attribute that selects or ranks an element is no content.
                let is_label =
                    |key: &str| key.eq_ignore_ascii_case(selector.0) || key.eq_ignore_ascii_case("primary");
                element.iter().any(|(key, value)| !is_label(key) && is_content(value))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn members(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn path(text: &str) -> TargetPath {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check_new(resource: &Value, etag: Option<&str>, expected: Option<(&str, Option<&str>)>) {
        let account = Account::new(&members(resource), etag);
        let found = account.as_ref().map(|account| (account.id.as_str(), account.version.as_deref()));
        assert_eq!(found, expected, "{resource}");
    }

    #[test]
    fn account_has_an_id_and_perhaps_a_version() {
        check_new(&json!({ "id": "7" }), None, Some(("7", None)));
        check_new(&json!({ "ID": "7" }), Some("W/\"2\""), Some(("7", Some("W/\"2\""))));
        let versioned = json!({ "id": "7", "Meta": { "Version": "W/\"1\"" } });
        check_new(&versioned, None, Some(("7", Some("W/\"1\""))));
        check_new(&versioned, Some("W/\"2\""), Some(("7", Some("W/\"2\""))));
        check_new(&versioned, Some(""), Some(("7", Some("W/\"1\""))));
        check_new(&json!({ "id": "7", "meta": { "version": "" } }), None, Some(("7", None)));
        check_new(&json!({ "id": "7", "meta": "none" }), None, Some(("7", None)));
        for none in [json!({}), json!({ "id": "" }), json!({ "id": 7 }), json!({ "id": null })] {
            check_new(&none, Some("W/\"2\""), None);
        }
    }

    #[track_caller]
    fn check_active(active: &Value, expected: bool) {
        let account = Account::new(&members(&json!({ "id": "7", "ACTIVE": active })), None).unwrap();
        assert_eq!(account.active(), expected, "{active}");
    }

    #[test]
    fn account_is_active_unless_it_says_otherwise() {
        for active in [json!(true), json!("true"), json!("True"), json!(null), json!(""), json!([])] {
            check_active(&active, true);
        }
        for inactive in [json!(false), json!("false"), json!("False"), json!("FALSE")] {
            check_active(&inactive, false);
        }
        assert!(Account::new(&members(&json!({ "id": "7" })), None).unwrap().active());
    }

    const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";

    #[track_caller]
    fn check_read(text: &str, expected: Option<&Value>) {
        let resource = json!({
            "id": "7", "USERNAME": "ida", "title": "", "nickName": null, "locale": false,
            "name": { "GivenName": "Ida", "familyName": null },
            "emails": [
                "loose", { "value": "untyped" }, { "type": "home", "value": "h" },
                { "TYPE": "Work", "Value": "w", "primary": true }, { "type": "work", "value": "second" },
            ],
            "photos": { "type": "photo", "value": "p" },
            "URN:ietf:params:scim:schemas:extension:enterprise:2.0:user": { "Department": "D" },
        });
        let account = Account::new(&members(&resource), None).unwrap();
        assert_eq!(account.read(&path(text)), expected, "{text}");
        let carried = account.project(std::iter::once(&path(text)));
        assert_eq!(carried.get(&path(text)), expected, "{text}");
    }

    #[test]
    fn values_are_read_whatever_the_spelling() {
        check_read("userName", Some(&json!("ida")));
        check_read("name.givenName", Some(&json!("Ida")));
        check_read("locale", Some(&json!(false)));
        check_read(r#"emails[type eq "WORK"].value"#, Some(&json!("w")));
        check_read(r#"emails[type eq "home"].value"#, Some(&json!("h")));
        check_read(DEPARTMENT, Some(&json!("D")));
        for absent in [
            "title",
            "nickName",
            "name.familyName",
            "name.middleName",
            "userName.givenName",
            r#"emails[type eq "other"].value"#,
            r#"emails[type eq "work"].display"#,
            r#"phoneNumbers[type eq "work"].value"#,
            r#"photos[type eq "photo"].value"#,
            "urn:example:other:department",
        ] {
            check_read(absent, None);
        }
    }

    #[track_caller]
    fn check_clear(before: &Value, text: &str, after: &Value) {
        let mut resource = members(before);
        clear(&mut resource, &path(text));
        assert_eq!(&Value::Object(resource), after, "{text}");
    }

    const WORK: &str = r#"emails[type eq "work"].value"#;

    #[test]
    fn clear_removes_emptied_parents_and_nothing_else() {
        check_clear(&json!({ "TITLE": "A", "x": 1 }), "title", &json!({ "x": 1 }));
        check_clear(&json!({ "x": 1 }), "title", &json!({ "x": 1 }));
        check_clear(
            &json!({ "name": { "givenName": "A", "x": 1 } }),
            "name.givenName",
            &json!({ "name": { "x": 1 } }),
        );
        check_clear(&json!({ "Name": { "GivenName": "A" } }), "name.givenName", &json!({}));
        let nulls = json!({ "name": { "givenName": "A", "familyName": null, "middleName": "" } });
        check_clear(&nulls, "name.givenName", &json!({}));
        check_clear(&json!({ "name": "Ida" }), "name.givenName", &json!({ "name": "Ida" }));
        let home = json!({ "type": "home", "value": "h" });
        check_clear(
            &json!({ "emails": [home, { "type": "Work", "value": "w", "primary": true }] }),
            WORK,
            &json!({ "emails": [home] }),
        );
        check_clear(
            &json!({ "emails": [{ "type": "work", "VALUE": "w", "display": null }] }),
            WORK,
            &json!({}),
        );
        check_clear(
            &json!({ "emails": [{ "type": "work", "value": "w", "display": "W" }] }),
            WORK,
            &json!({ "emails": [{ "type": "work", "display": "W" }] }),
        );
        check_clear(&json!({ "emails": [home, "loose"] }), WORK, &json!({ "emails": [home, "loose"] }));
        let urn = scim::schema::ENTERPRISE_URN;
        check_clear(
            &json!({ urn.to_uppercase(): { "department": "D" }, "x": 1 }),
            DEPARTMENT,
            &json!({ "x": 1 }),
        );
        check_clear(
            &json!({ urn: { "department": "D", "division": "V" } }),
            DEPARTMENT,
            &json!({ urn: { "division": "V" } }),
        );
        let manager = format!("{urn}:manager.value");
        check_clear(&json!({ urn: { "manager": { "value": "1" } } }), &manager, &json!({}));
    }

    #[track_caller]
    fn check_set(before: &Value, text: &str, after: &Value) {
        let mut resource = members(before);
        set(&mut resource, &path(text), &json!("v"));
        assert_eq!(&Value::Object(resource), after, "{text}");
    }

    #[test]
    fn setting_keeps_the_spelling_and_the_neighbours() {
        check_set(&json!({ "Title": "A" }), "title", &json!({ "Title": "v" }));
        check_set(
            &json!({ "NAME": { "x": 1 } }),
            "name.givenName",
            &json!({ "NAME": { "x": 1, "givenName": "v" } }),
        );
        check_set(&json!({ "name": null }), "name.givenName", &json!({ "name": { "givenName": "v" } }));
        check_set(&json!({}), WORK, &json!({ "emails": [{ "type": "work", "value": "v" }] }));
        check_set(&json!({ "emails": null }), WORK, &json!({ "emails": [{ "type": "work", "value": "v" }] }));
        check_set(
            &json!({ "EMAILS": ["loose", { "type": "home" }, { "Type": "WORK", "Value": "w", "x": 1 }] }),
            WORK,
            &json!({ "EMAILS": ["loose", { "type": "home" }, { "Type": "WORK", "Value": "v", "x": 1 }] }),
        );
        let urn = scim::schema::ENTERPRISE_URN;
        check_set(
            &json!({ urn.to_lowercase(): { "x": 1 } }),
            DEPARTMENT,
            &json!({ urn.to_lowercase(): { "x": 1, "department": "v" } }),
        );
    }
}
