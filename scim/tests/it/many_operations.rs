//! PATCH requests of many operations on attributes of many values.

use scim::{
    error::ScimType,
    patch::{PatchError, PatchRequest, apply},
    schema::{PATCH_URN, SchemaSet},
};
use serde_json::{Value, json};

/// As many operations on as many values that a look at each value for each operation is refused.
const VALUES: usize = 6000;
const OPERATIONS: usize = 500;

fn user(values: usize) -> Value {
    let email = |n: usize| json!({"value": format!("e{n}@example.com"), "type": "work"});
    json!({"userName": "ida", "emails": (0..values).map(email).collect::<Vec<_>>()})
}

fn applied(user: &Value, operations: Vec<Value>) -> Result<Value, PatchError> {
    let request = PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": operations}))?;
    apply(user, &request, SchemaSet::user())
}

fn many(operation: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..OPERATIONS).map(operation).collect()
}

#[test]
fn many_value_filters_look_at_what_they_select() {
    let before = user(VALUES);
    let path = |n: usize, rest: &str| format!("emails[value eq \"E{n}@example.com\"]{rest}");
    let both = |n: usize| format!("emails[type eq \"WORK\" and value eq \"e{n}@example.com\"].display");
    for (told, operations) in [
        ("replace", many(|n| json!({"op": "replace", "path": path(n, ".display"), "value": "seen"}))),
        ("and", many(|n| json!({"op": "add", "path": both(n), "value": "seen"}))),
        ("whole", many(|n| json!({"op": "replace", "path": path(n, ""), "value": {"display": "seen"}}))),
    ] {
        let after = applied(&before, operations).unwrap();
        let emails = after["emails"].as_array().unwrap();
        assert_eq!(emails.len(), VALUES, "{told}");
        let seen = emails.iter().filter(|email| email["display"] == "seen").count();
        assert_eq!((seen, &emails[OPERATIONS - 1]["display"]), (OPERATIONS, &json!("seen")), "{told}");
    }
}

#[test]
fn many_removals_leave_the_others_in_order() {
    let before = user(VALUES);
    let by_filter =
        many(|n| json!({"op": "remove", "path": format!("emails[value eq \"e{n}@example.com\"]")}));
    let by_value = many(
        |n| json!({"op": "remove", "path": "emails", "value": [{"value": format!("e{n}@example.com")}]}),
    );
    for operations in [by_filter, by_value] {
        let after = applied(&before, operations).unwrap();
        assert_eq!(after["emails"].as_array().unwrap(), &before["emails"].as_array().unwrap()[OPERATIONS..]);
    }
}

#[test]
fn removals_additions_and_filters_in_turn_see_each_other() {
    let value = |n: usize| format!("e{n}@example.com");
    let mut operations = Vec::new();
    for n in 0..100 {
        let path = format!("emails[value eq \"{}\"]", value(n));
        operations.push(json!({"op": "remove", "path": path}));
        operations
            .push(json!({"op": "add", "path": "emails", "value": [{"value": value(n), "type": "home"}]}));
        operations.push(json!({"op": "replace", "path": format!("{path}.display"), "value": "back"}));
        operations
            .push(json!({"op": "add", "path": "emails", "value": [{"value": value(n), "primary": true}]}));
    }
    operations.push(json!({"op": "remove", "path": "emails[type eq \"work\"]"}));
    let after = applied(&user(200), operations).unwrap();
    let expected: Vec<Value> = (0..100)
        .map(|n| json!({"value": value(n), "type": "home", "display": "back", "primary": n == 99}))
        .collect();
    assert_eq!(after["emails"], Value::from(expected));
}

#[test]
fn all_values_removed_one_by_one_leave_no_attribute() {
    let operations: Vec<Value> = (0..40)
        .map(|n| json!({"op": "remove", "path": format!("emails[value eq \"e{n}@example.com\"]")}))
        .collect();
    assert_eq!(applied(&user(40), operations).unwrap().get("emails"), None);
}

#[test]
fn more_work_than_the_bound_is_too_many() {
    let operations = many(|_| json!({"op": "remove", "path": "emails[not (value pr)]"}));
    let error = applied(&user(VALUES), operations).unwrap_err();
    assert_eq!((error.scim_type(), error.operation()), (ScimType::TooMany, Some(334)));
    assert_eq!(
        error.to_string(),
        "operation 334: it is one operation too many: the request looks at more than 2000000 values (operations times \
         values), which is the most; send fewer operations at once"
    );
}
