//! Attributes that the application behind the gateway doesn't store, keeps as they were, or refuses to change.

use std::collections::HashMap;

use scim::json::{get_ci, key_ci};
use scim::schema::{AttributeLocation, SchemaSet};
use serde_json::{Map, Value};

use super::resource::tree_of;
use crate::gateway::Settings;
use crate::problem::Problem;
use crate::profile::{AttributePath, NotStoredReply, Profile};
use crate::store::content::Content;
use crate::types::TypeInfo;

type Members = Map<String, Value>;

/// What becomes of a write.
pub(super) struct Kept {
    pub(super) content: Content,
    /// What was asked for, where not all of it is kept and answers echo it.
    pub(super) asked: Option<Content>,
    /// The attributes of the write that are not stored.
    pub(super) left_out: Vec<String>,
}

/// Whether a profile has anything to say here.
pub(crate) fn withholds(profile: &Profile) -> bool {
    let rules = &profile.application;
    !(rules.not_stored.is_empty() && rules.not_updated.is_empty() && rules.read_only.is_empty())
}

/// The part of a write that is stored. `before` is the resource as it was, absent at creation.
///
/// # Errors
/// `mutability` where a read-only attribute would change.
pub(super) fn keep(
    settings: &Settings,
    kind: &TypeInfo,
    before: Option<&Value>,
    content: Content,
) -> Result<Kept, Problem> {
    if !settings.withholds {
        return Ok(Kept { content, asked: None, left_out: Vec::new() });
    }
    let (rules, schemas) = (&settings.profile.application, &kind.schemas);
    let none = Map::new();
    let was = before.and_then(Value::as_object).unwrap_or(&none);
    let asked = tree_of(&content.members)?;
    if let Some(path) = rules.read_only.iter().find(|path| !is_same(path, schemas, was, &asked)) {
        let detail = format!("{path} is read-only in this application; leave it out");
        return Err(Problem::Immutable(detail));
    }
    let mut after = asked.clone();
    let updated = before.map(|_| rules.not_updated.as_slice()).unwrap_or_default();
    let mut left_out = Vec::new();
    for path in rules.not_stored.iter().chain(updated) {
        let written = after.clone();
        put_back(path, schemas, was, &mut after);
        if after != written {
            left_out.push(path.to_string());
        }
    }
    if after == asked {
        return Ok(Kept { content, asked: None, left_out: Vec::new() });
    }
    let stored = Content {
        active: content.active,
        secret: content.secret,
        refs: content.refs.clone(),
        names: content.names.clone(),
        ..Content::of_tree(kind, &after)
    };
    let echoes = rules.not_stored_reply == NotStoredReply::Echoed;
    Ok(Kept { content: stored, asked: echoes.then_some(content), left_out })
}

fn is_same(path: &AttributePath, schemas: &SchemaSet, was: &Members, asked: &Members) -> bool {
    let mut after = asked.clone();
    put_back(path, schemas, was, &mut after);
    after == *asked
}

/// Makes an attribute what it was before.
fn put_back(path: &AttributePath, schemas: &SchemaSet, was: &Members, after: &mut Members) {
    if let Some(schema) = schemas.schema_at(path.path()) {
        if schema.id() != schemas.core().id() {
            set(after, schema.id().as_str(), get_ci(was, schema.id().as_str()).cloned());
        }
        return;
    }
    // A path that leads nowhere in this type of resource is about another one.
    let Some(found) = schemas.locate(path.path()) else { return };
    let Some(extension) = found.extension else { return put_back_in(found, was, after) };
    let urn = extension.id().as_str();
    let none = Map::new();
    let was = get_ci(was, urn).and_then(Value::as_object).unwrap_or(&none);
    let mut inner = get_ci(after, urn).and_then(Value::as_object).cloned().unwrap_or_default();
    put_back_in(found, was, &mut inner);
    set(after, urn, (!inner.is_empty()).then_some(Value::Object(inner)));
}

/// The same within the object that holds the attribute.
fn put_back_in(found: AttributeLocation<'_>, was: &Members, after: &mut Members) {
    let name = found.attribute.name.as_str();
    let before = get_ci(was, name);
    let Some(sub) = found.sub else { return set(after, name, before.cloned()) };
    let sub = sub.name.as_str();
    let now = match (get_ci(after, name).cloned(), before) {
        (Some(Value::Array(values)), before) => {
            let earlier = before.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let earlier = by_value(earlier);
            let values: Vec<Value> =
                values.into_iter().filter_map(|value| of_value(value, sub, &earlier)).collect();
            (!values.is_empty()).then_some(Value::Array(values))
        }
        (now, before) => {
            let mut inner = now.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
            let earlier = before.and_then(Value::as_object).and_then(|before| get_ci(before, sub));
            set(&mut inner, sub, earlier.cloned());
            (!inner.is_empty()).then_some(Value::Object(inner))
        }
    };
    set(after, name, now);
}

/// Values by the text of their `value`, the first of each.
fn by_value(values: &[Value]) -> HashMap<&str, &Members> {
    let mut known = HashMap::new();
    for members in values.iter().filter_map(Value::as_object) {
        if let Some(Value::String(text)) = get_ci(members, "value") {
            known.entry(text.as_str()).or_insert(members);
        }
    }
    known
}

/// One of several values with the sub-attribute that it had before. It is known again by its `value`.
fn of_value(value: Value, sub: &str, earlier: &HashMap<&str, &Members>) -> Option<Value> {
    let Value::Object(mut value) = value else { return Some(value) };
    let text = get_ci(&value, "value").and_then(Value::as_str);
    let before = text.and_then(|text| get_ci(earlier.get(text)?, sub)).cloned();
    set(&mut value, sub, before);
    (!value.is_empty()).then_some(Value::Object(value))
}

fn set(members: &mut Members, name: &str, value: Option<Value>) {
    let key = key_ci(members, name).unwrap_or(name).to_owned();
    match value {
        Some(value) => drop(members.insert(key, value)),
        None => drop(members.remove(&key)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::gateway::unstored::*;

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn attributes_are_put_back_to_what_they_were() {
        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "called with json!")]
        fn check(path: &str, was: Value, after: Value, expected: Value) {
            let (Value::Object(was), Value::Object(mut after)) = (was, after) else { panic!("objects") };
            put_back(&path.parse().unwrap(), SchemaSet::user(), &was, &mut after);
            assert_eq!(Value::Object(after), expected, "{path}");
        }
        let mails = |kind: Value| json!({"emails": [{"value": "a", "type": kind}]});
        check("title", json!({}), json!({"title": "new", "nickName": "n"}), json!({"nickName": "n"}));
        check("title", json!({"title": "old"}), json!({"title": "new"}), json!({"title": "old"}));
        check("TITLE", json!({"title": "old"}), json!({}), json!({"title": "old"}));
        check(
            "name.familyName",
            json!({"name": {"familyName": "L"}}),
            json!({"name": {"familyName": "M", "givenName": "I"}}),
            json!({"name": {"familyName": "L", "givenName": "I"}}),
        );
        check("name.familyName", json!({}), json!({"name": {"familyName": "M"}}), json!({}));
        check("emails.type", json!({}), mails(json!("work")), json!({"emails": [{"value": "a"}]}));
        check("emails.type", mails(json!("home")), mails(json!("work")), mails(json!("home")));
        check("emails.value", json!({}), json!({"emails": [{"value": "a"}]}), json!({}));
        check("emails", mails(json!("home")), json!({}), mails(json!("home")));
        check(
            &format!("{ENTERPRISE}:department"),
            json!({}),
            json!({ENTERPRISE: {"department": "Ops"}}),
            json!({}),
        );
        check(
            &format!("{ENTERPRISE}:manager.value"),
            json!({ENTERPRISE: {"manager": {"value": "1"}}}),
            json!({ENTERPRISE: {"division": "D"}}),
            json!({ENTERPRISE: {"division": "D", "manager": {"value": "1"}}}),
        );
        check(ENTERPRISE, json!({}), json!({ENTERPRISE: {"department": "Ops"}}), json!({}));
        check("shoe", json!({}), json!({"title": "t"}), json!({"title": "t"}));
    }
}
