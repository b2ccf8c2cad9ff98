//! From what a client sends to what an account holds.
//!
//! Members are matched without case and kept in the schema's spelling. Left aside, as RFC 7644 §3.3 lets us: what only
//! the server writes, what no schema knows, `null` and empty values. `schemas` is made from what is there. A password
//! is checked like everything else and then not kept: nothing here ever asks for it.

use scim::schema::{Attribute, Mutability, Returned, SchemaSet, USER_URN};
use scim::validate::{ProblemKind, canonicalise, validate};
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The account that the body of a PUT describes, without `id` and `meta`. An absent `active` is for the caller to fill.
pub(super) fn for_replacement(sent: &Value) -> Result<Map<String, Value>, Problem> {
    let schemas = SchemaSet::user();
    let Value::Object(mut resource) = canonicalise(sent, schemas) else {
        return Err(Problem::BadSyntax("a user is a JSON object".to_owned()));
    };
    prune(&mut resource, &|name| schemas.top_level(name), &|name| schemas.extension(name).is_some());
    for extension in schemas.extensions() {
        let urn = extension.id().as_str();
        if let Some(Value::Object(members)) = resource.get_mut(urn) {
            prune(members, &|name| extension.attribute(name), &|_| false);
            if members.is_empty() {
                resource.remove(urn);
            }
        }
    }
    let resource = Value::Object(resource);
    let problems = validate(&resource, schemas).err().unwrap_or_default();
    let wrong: Vec<String> = problems
        .iter()
        .filter(|problem| match &problem.kind {
            ProblemKind::Unlisted(urn) => urn == USER_URN,
            ProblemKind::Unknown
            | ProblemKind::Spelling(_)
            | ProblemKind::Missing
            | ProblemKind::Type(_)
            | ProblemKind::Primary
            | ProblemKind::Canonical(_)
            | ProblemKind::Immutable => true,
        })
        .map(ToString::to_string)
        .collect();
    match resource {
        Value::Object(mut resource) if wrong.is_empty() => {
            settle(&mut resource);
            Ok(resource)
        }
        _ => Err(Problem::BadValue(wrong.join("; "))),
    }
}

/// The account that the body of a POST describes. An absent `active` means true.
pub(crate) fn accept(sent: &Value) -> Result<Map<String, Value>, Problem> {
    let mut resource = for_replacement(sent)?;
    resource.entry("active").or_insert(Value::Bool(true));
    Ok(resource)
}

/// The outcome of a PATCH, ready to be kept. An account always says whether it is active: removing that keeps it.
pub(super) fn patched(outcome: Value, was_active: bool) -> Map<String, Value> {
    let mut resource = match outcome {
        Value::Object(resource) => resource,
        _ => Map::new(),
    };
    resource.remove("id");
    resource.remove("meta");
    settle(&mut resource);
    resource.entry("active").or_insert(Value::Bool(was_active));
    resource
}

/// An unchecked account with what the server adds to each.
pub(crate) fn completed(resource: Value) -> Map<String, Value> {
    let mut resource = match resource {
        Value::Object(resource) => resource,
        _ => Map::new(),
    };
    drop_secrets(&mut resource);
    resource.entry("active").or_insert(Value::Bool(true));
    if !resource.contains_key("schemas") {
        list_schemas(&mut resource);
    }
    resource
}

/// Drops what is never returned and names the schemas.
fn settle(resource: &mut Map<String, Value>) {
    drop_secrets(resource);
    list_schemas(resource);
}

fn drop_secrets(resource: &mut Map<String, Value>) {
    let never = |attribute: &Attribute| attribute.returned == Returned::Never;
    resource.retain(|name, _| !SchemaSet::user().top_level(name).is_some_and(never));
}

fn list_schemas(resource: &mut Map<String, Value>) {
    let schemas = SchemaSet::user();
    let used = schemas.extensions().iter().map(|schema| schema.id().as_str());
    let used = used.filter(|urn| resource.contains_key(*urn));
    let listed: Vec<Value> = std::iter::once(USER_URN).chain(used).map(Value::from).collect();
    resource.insert("schemas".to_owned(), Value::Array(listed));
}

/// Takes out what only the server writes, what is unknown (save what `keep` knows better) and what is empty.
fn prune<'a>(
    members: &mut Map<String, Value>,
    look_up: &dyn Fn(&str) -> Option<&'a Attribute>,
    keep: &dyn Fn(&str) -> bool,
) {
    members.retain(|name, value| match look_up(name) {
        Some(attribute) if attribute.mutability != Mutability::ReadOnly => {
            prune_value(value, attribute);
            !is_nothing(value)
        }
        Some(_) => false,
        None => keep(name) && !value.is_null(),
    });
}

fn prune_value(value: &mut Value, attribute: &Attribute) {
    match value {
        Value::Array(values) => {
            for value in values.iter_mut() {
                prune_value(value, attribute);
            }
            values.retain(|value| !is_nothing(value));
        }
        Value::Object(members) if attribute.is_complex() => {
            prune(members, &|name| attribute.sub(name), &|_| false);
        }
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(values) => values.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use scim::schema::ENTERPRISE_URN;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sent_becomes_an_account() {
        #[track_caller]
        fn check(sent: &Value, expected: &Value) {
            assert_eq!(accept(sent).map(Value::Object).as_ref(), Ok(expected));
        }
        let user = |more: Value| {
            let mut user = json!({"schemas": [USER_URN], "userName": "ida", "active": true});
            user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            user
        };
        check(&user(json!({})), &user(json!({})));
        check(&json!({"SCHEMAS": [USER_URN], "username": "ida"}), &user(json!({})));
        check(
            &user(json!({"id": "mine", "meta": {"version": "9"}, "groups": [{"value": "g"}], "shoe": 44,
                "title": null, "emails": [], "name": {}, "password": "hunter2"})),
            &user(json!({})),
        );
        check(&user(json!({"active": false})), &user(json!({"active": false})));
        check(
            &user(json!({ENTERPRISE_URN: {"department": "Ops", "shoe": 1}})),
            &user(json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {"department": "Ops"}})),
        );
        check(&user(json!({"schemas": [USER_URN, ENTERPRISE_URN], ENTERPRISE_URN: {}})), &user(json!({})));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        #[track_caller]
        fn check(sent: &Value, part: &str) {
            match accept(sent) {
                Err(Problem::BadValue(detail)) => assert!(detail.contains(part), "{detail} lacks {part}"),
                other => panic!("{other:?}"),
            }
        }
        check(&json!({"schemas": [USER_URN]}), "userName");
        check(&json!({"schemas": [USER_URN], "userName": ""}), "userName");
        check(&json!({"schemas": [USER_URN], "userName": 7}), "userName");
        check(&json!({"userName": "a"}), "schemas");
        check(&json!({"schemas": ["urn:x:y"], "userName": "a"}), "schemas");
        check(&json!({"schemas": [USER_URN], "userName": "a", "active": "False"}), "active");
        check(&json!({"schemas": [USER_URN], "userName": "a", "emails": [{"value": 1}]}), "emails[0].value");
        check(&json!({"schemas": [USER_URN], "userName": "a", "password": 1}), "password");
        assert!(matches!(accept(&json!([])), Err(Problem::BadSyntax(_))));
    }
}
