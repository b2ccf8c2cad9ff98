//! A SCIM user (RFC 7643 §4.1) as the user object that rules and mappings read: PingOne's names where it has them, and the
//! attribute's own name elsewhere.

use scim::json::get_ci;
use serde_json::{Map, Value};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Attributes with one value each, and PingOne's names for them.
const SINGLE: [(&str, &str); 12] = [
    ("id", "id"),
    ("userName", "username"),
    ("active", "enabled"),
    ("externalId", "externalId"),
    ("title", "title"),
    ("userType", "type"),
    ("nickName", "nickname"),
    ("locale", "locale"),
    ("preferredLanguage", "preferredLanguage"),
    ("timezone", "timezone"),
    ("displayName", "displayName"),
    ("profileUrl", "profileUrl"),
];

const NAME: [(&str, &str); 6] = [
    ("formatted", "formatted"),
    ("givenName", "given"),
    ("middleName", "middle"),
    ("familyName", "family"),
    ("honorificPrefix", "honorificPrefix"),
    ("honorificSuffix", "honorificSuffix"),
];

const ADDRESS: [(&str, &str); 5] = [
    ("streetAddress", "streetAddress"),
    ("locality", "locality"),
    ("region", "region"),
    ("postalCode", "postalCode"),
    ("country", "countryCode"),
];

const META: [(&str, &str); 2] = [("created", "createdAt"), ("lastModified", "updatedAt")];

/// Returns the user object of a SCIM user; anything else stays as it is, and is refused by the validation.
pub(super) fn attributes(resource: Value) -> Value {
    let Value::Object(resource) = resource else { return resource };
    let mut user = renamed(&resource, &SINGLE);
    let mut part = |name: &str, value: Option<Map<String, Value>>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            user.insert(name.to_owned(), Value::Object(value));
        }
    };
    part("name", object(&resource, "name").map(|name| renamed(name, &NAME)));
    part("address", value_of(&resource, "addresses", "work", true).map(|address| renamed(address, &ADDRESS)));
    let photo =
        value_of(&resource, "photos", "photo", true).map(|photo| renamed(photo, &[("value", "href")]));
    part("photo", photo);
    let mut text = |name: &str, value: Option<&Value>| {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            user.insert(name.to_owned(), value.clone());
        }
    };
    let contact =
        |attribute: &str, kind: &str, any: bool| get_ci(value_of(&resource, attribute, kind, any)?, "value");
    text("email", contact("emails", "work", true));
    text("mobilePhone", contact("phoneNumbers", "mobile", false));
    text("primaryPhone", contact("phoneNumbers", "work", false));
    if let Some(extension) = object(&resource, ENTERPRISE) {
        for name in ["employeeNumber", "costCenter", "organization", "division", "department"] {
            text(name, get_ci(extension, name));
        }
        let manager = get_ci(extension, "manager");
        text(
            "manager",
            manager.and_then(Value::as_object).and_then(|manager| get_ci(manager, "value")).or(manager),
        );
    }
    if let Some(meta) = object(&resource, "meta") {
        user.extend(renamed(meta, &META));
    }
    let groups: Vec<Value> = get_ci(&resource, "groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .map(|group| Value::Object(renamed(group, &[("value", "id"), ("display", "name")])))
        .collect();
    if !groups.is_empty() {
        user.insert("memberOfGroups".to_owned(), Value::Array(groups));
    }
    Value::Object(user)
}

/// Returns the members that have another name, under that name. A member that is null is none.
fn renamed(object: &Map<String, Value>, names: &[(&str, &str)]) -> Map<String, Value> {
    let value = |name: &str| get_ci(object, name).filter(|value| !value.is_null()).cloned();
    names.iter().filter_map(|(scim, own)| Some(((*own).to_owned(), value(scim)?))).collect()
}

fn object<'a>(resource: &'a Map<String, Value>, name: &str) -> Option<&'a Map<String, Value>> {
    get_ci(resource, name)?.as_object()
}

/// Returns the value of a multi-valued attribute with this type; if `any` does, the primary one or the first in its place.
fn value_of<'a>(
    resource: &'a Map<String, Value>,
    attribute: &str,
    kind: &str,
    any: bool,
) -> Option<&'a Map<String, Value>> {
    let values = get_ci(resource, attribute)?.as_array()?;
    let values = || values.iter().filter_map(Value::as_object);
    let is_kind = |value: &&Map<String, Value>| {
        get_ci(value, "type").and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(kind))
    };
    let is_primary = |value: &&Map<String, Value>| get_ci(value, "primary") == Some(&Value::Bool(true));
    let rest = || any.then(|| values().find(is_primary).or_else(|| values().next())).flatten();
    values().find(is_kind).or_else(rest)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scim_user_gets_the_names_of_pingone() {
        let resource = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "id": "1", "userName": "ada", "active": false, "externalId": "e1", "password": "s3cret",
            "name": { "givenName": "Ada", "familyName": "Lovelace", "middleName": null },
            "emails": [{ "type": "home", "value": "h@x" }, { "type": "Work", "value": "w@x" }],
            "phoneNumbers": [{ "type": "mobile", "value": "1" }, { "type": "fax", "value": "2" }],
            "addresses": [{ "country": "GB", "locality": "London" }],
            "groups": [{ "value": "g1", "display": "Staff", "$ref": "x" }],
            "meta": { "created": "2026-01-01T00:00:00Z", "version": "W/\"1\"" },
            (ENTERPRISE): { "department": "R&D", "manager": { "value": "9" } },
        });
        let expected = json!({
            "id": "1", "username": "ada", "enabled": false, "externalId": "e1",
            "name": { "given": "Ada", "family": "Lovelace" }, "email": "w@x", "mobilePhone": "1",
            "address": { "countryCode": "GB", "locality": "London" },
            "memberOfGroups": [{ "id": "g1", "name": "Staff" }],
            "createdAt": "2026-01-01T00:00:00Z", "department": "R&D", "manager": "9",
        });
        assert_eq!(attributes(resource), expected);
        assert_eq!(attributes(json!(7)), json!(7));
    }
}
