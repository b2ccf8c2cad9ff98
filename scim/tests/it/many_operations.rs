//! PATCH requests of many operations on attributes of many values.

use scim::{
    error::ScimType,
    patch::{PatchError, PatchRequest, apply},
    schema::{PATCH_URN, Schema, SchemaSet},
};
use serde_json::{Value, json};

/// The number of operations and of values for which one search per operation exceeds the limit.
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
fn many_value_filters_stay_below_the_work_limit() {
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
fn many_removals_keep_the_order_of_the_others() {
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
fn operations_see_the_results_of_earlier_ones() {
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
fn removal_of_every_value_removes_the_attribute() {
    let operations: Vec<Value> = (0..40)
        .map(|n| json!({"op": "remove", "path": format!("emails[value eq \"e{n}@example.com\"]")}))
        .collect();
    assert_eq!(applied(&user(40), operations).unwrap().get("emails"), None);
}

#[test]
fn work_beyond_the_limit_is_too_many() {
    let operations = many(|_| json!({"op": "remove", "path": "emails[not (value pr)]"}));
    let error = applied(&user(VALUES), operations).unwrap_err();
    assert_eq!((error.scim_type(), error.operation()), (ScimType::TooMany, Some(334)));
    assert_eq!(
        error.to_string(),
        "operation 334: it is one operation too many: the request looks at more than 2000000 values (operations times \
         values), which is the most; send fewer operations at once"
    );
}

/// Values without a `value` are identified by all sub-attributes.
#[test]
fn values_without_value_are_added_and_removed_by_all_sub_attributes() {
    const MANY: usize = 4000;
    let address =
        |n: usize| json!({"streetAddress": format!("Main street {n}"), "locality": "Sal", "type": "work"});
    let all: Vec<Value> = (0..MANY).map(address).collect();
    let ida = json!({"userName": "ida"});
    let operation =
        |op: &str, values: &[Value]| vec![json!({"op": op, "path": "addresses", "value": values})];
    let after = applied(&ida, operation("add", &all)).unwrap();
    assert_eq!(after["addresses"], json!(all));
    // The same again, in another order of the members, in other case and as the primary one.
    let again: Vec<Value> = all
        .iter()
        .enumerate()
        .map(|(n, address)| json!({"TYPE": "Work", "locality": "SAL", "streetAddress": address["streetAddress"], "primary": n == 7}))
        .collect();
    let twice = applied(&after, operation("add", &again)).unwrap();
    assert_eq!(twice["addresses"].as_array().unwrap().len(), MANY);
    assert_eq!(twice["addresses"][7]["primary"], json!(true));
    let one_by_one: Vec<Value> =
        (0..MANY).map(|n| json!({"op": "add", "path": "addresses", "value": [address(n)]})).collect();
    assert_eq!(applied(&ida, one_by_one).unwrap()["addresses"], json!(all));
    let left = applied(&after, operation("remove", &again[1..])).unwrap();
    assert_eq!(left["addresses"], json!(all[..1]));
}

#[test]
fn many_additions_to_a_sub_attribute_stay_below_the_work_limit() {
    const MANY: usize = 30_000;
    let list = json!({"name": "l", "type": "string", "multiValued": true});
    let schema = json!({"id": "urn:example:Device", "name": "Device", "attributes": [
        {"name": "c", "type": "complex", "subAttributes": [list]},
        {"name": "ps", "type": "complex", "multiValued": true,
            "subAttributes": [{"name": "value", "type": "string"}, list]}]});
    let schemas = SchemaSet::new(Schema::from_json(&schema).unwrap(), Vec::new());
    let texts: Vec<String> = (0..MANY).map(|n| n.to_string()).collect();
    let before = json!({"c": {"l": texts}, "ps": [{"value": "a", "l": texts}]});
    for path in ["c.l", "ps[value eq \"a\"].l"] {
        let list = |device: &Value| {
            let holder = if path == "c.l" { &device["c"] } else { &device["ps"][0] };
            holder["l"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| text.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let applied = |operations: Vec<Value>| {
            let request =
                PatchRequest::from_json(&json!({"schemas": [PATCH_URN], "Operations": operations})).unwrap();
            apply(&before, &request, &schemas).unwrap()
        };
        let addition = |n: usize| json!({"op": "add", "path": path, "value": [format!("n{}", n / 2)]});
        let added = applied((0..1000).map(addition).collect());
        let expected: Vec<String> = texts.iter().cloned().chain((0..500).map(|n| format!("n{n}"))).collect();
        assert_eq!(list(&added), expected, "{path}");
        let gone: Vec<String> = (0..1000).map(|n| (2 * n).to_string()).collect();
        let operation = json!({"op": "remove", "path": path, "value": gone});
        let removed = applied(vec![operation]);
        let expected: Vec<String> =
            (0..MANY).filter(|n| *n >= 2000 || n % 2 == 1).map(|n| n.to_string()).collect();
        assert_eq!(list(&removed), expected, "{path}");
        // The indexes of the values are dropped if the values change otherwise.
        let mixed = applied(vec![
            json!({"op": "add", "path": path, "value": ["x"]}),
            json!({"op": "remove", "path": path, "value": ["0", "x"]}),
            json!({"op": "add", "path": path, "value": ["0"]}),
            json!({"op": "replace", "path": path, "value": ["a", "b"]}),
            json!({"op": "add", "path": path, "value": ["0", "B", "c"]}),
            json!({"op": "add", "path": path, "value": ["C", "d"]}),
        ]);
        assert_eq!(list(&mixed), ["a", "b", "0", "c", "d"], "{path}");
    }
}

#[test]
fn too_many_advice_fits_a_single_operation() {
    let terms = vec!["value pr"; 256].join(" or ");
    let one = vec![json!({"op": "remove", "path": format!("emails[not ({terms})]")})];
    let error = applied(&user(8000), one).unwrap_err();
    assert_eq!((error.scim_type(), error.operation()), (ScimType::TooMany, Some(1)));
    let told = error.to_string();
    assert!(!told.contains("operations at once") && told.contains("values"), "{told}");
}

#[test]
fn operations_find_values_by_a_text_that_an_earlier_one_set() {
    let path = |text: &str, sub: &str| format!("emails[value eq \"{text}\"].{sub}");
    let operations = vec![
        json!({"op": "replace", "path": path("e7@example.com", "display"), "value": "one"}),
        json!({"op": "replace", "path": path("e7@example.com", "value"), "value": "new@example.com"}),
        json!({"op": "replace", "path": path("new@example.com", "display"), "value": "two"}),
        json!({"op": "add", "path": "emails", "value": [{"value": "NEW@example.com", "type": "work"}]}),
        json!({"op": "add", "path": "emails", "value": [{"value": "e7@example.com", "type": "work"}]}),
        json!({"op": "replace", "path": path("e9@example.com", "primary"), "value": true}),
        json!({"op": "replace", "path": path("e8@example.com", "primary"), "value": true}),
    ];
    let before = user(100);
    let after = applied(&before, operations).unwrap();
    let emails = after["emails"].as_array().unwrap();
    assert_eq!(emails.len(), 101);
    assert_eq!(emails[7], json!({"value": "new@example.com", "type": "work", "display": "two"}));
    assert_eq!(emails[100], json!({"value": "e7@example.com", "type": "work"}));
    let primary: Vec<&Value> = emails.iter().filter(|email| email["primary"] == true).collect();
    assert_eq!(primary, [&json!({"value": "e8@example.com", "type": "work", "primary": true})]);
}
