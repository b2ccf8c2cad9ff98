//! Dialects: each is accepted if it is in the set, and refused otherwise.

use scim::{
    filter::Filter,
    patch::{Dialect, Dialects, PatchRequest, apply, apply_with},
    schema::{ENTERPRISE_URN, GROUP_URN, PATCH_URN, Schema, SchemaSet, USER_URN},
};
use serde_json::{Value, json};

fn user() -> Value {
    json!({"schemas": [USER_URN], "userName": "ida", "active": true, "name": {"givenName": "Ida"},
        "emails": [{"type": "work", "value": "w@x.example", "primary": true}, {"type": "home", "value": "h@x.example"}]})
}

fn group(members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    json!({"schemas": [GROUP_URN], "displayName": "Crew", "members": members})
}

fn message(operations: Value) -> Value {
    json!({"schemas": [PATCH_URN], "Operations": operations})
}

/// Returns the patched resource with the used dialects, or the keyword and the message of the error.
fn run(body: &Value, resource: Value, dialects: Dialects) -> Result<(Value, Vec<Dialect>), String> {
    let schemas = if resource.get("displayName").is_some() { SchemaSet::group() } else { SchemaSet::user() };
    let told = |e: scim::patch::PatchError| format!("{} {e}", e.scim_type());
    let (request, mut met) = PatchRequest::read(body, dialects).map_err(told)?;
    let (patched, more) = apply_with(resource, &request, schemas, dialects).map_err(told)?;
    met.extend(more);
    Ok((patched, met))
}

/// Asserts that a body is accepted if all dialects or this one alone are, and refused without this one.
#[track_caller]
fn check(dialect: Dialect, body: Value, resource: Value, expected: (&str, Value), refusal: &str) {
    let (pointer, value) = expected;
    for dialects in [Dialects::all(), Dialects::none().with(dialect)] {
        let (patched, met) = run(&body, resource.clone(), dialects).unwrap();
        assert_eq!(patched.pointer(pointer), Some(&value), "{patched}");
        assert_eq!(met, [dialect]);
    }
    for dialects in [Dialects::none(), Dialects::all().without(dialect)] {
        assert_eq!(run(&body, resource.clone(), dialects).unwrap_err(), refusal);
    }
}

#[test]
fn capitalised_op_is_a_dialect() {
    check(
        Dialect::CapitalisedOp,
        message(json!([
            {"op": "replace", "path": "title", "value": "a"}, {"op": "Replace", "path": "title", "value": "b"}])),
        user(),
        ("/title", json!("b")),
        "invalidSyntax operation 2: it has the `op` \"Replace\"; it must be written \"replace\"",
    );
}

#[test]
fn string_boolean_is_a_dialect() {
    let replace =
        |path: &str, value: Value| message(json!([{"op": "replace", "path": path, "value": value}]));
    let refused = |place: &str| format!("invalidValue operation 1: {place} must be true or false");
    let check = |body, at, value, place: &str| {
        check(Dialect::StringBoolean, body, user(), (at, value), &refused(place));
    };
    check(replace("active", json!("False")), "/active", json!(false), "active");
    check(replace("active", json!("true")), "/active", json!(true), "active");
    check(
        message(json!([{"op": "replace", "value": {"active": "FALSE"}}])),
        "/active",
        json!(false),
        "active",
    );
    check(
        replace("emails", json!([{"value": "n@x.example", "primary": "True"}])),
        "/emails/0/primary",
        json!(true),
        "emails.primary",
    );
    check(
        replace("emails[type eq \"home\"].primary", json!("True")),
        "/emails/1/primary",
        json!(true),
        "emails[type eq \"home\"].primary",
    );
    // What means neither is refused by all.
    let body = replace("active", json!("yes"));
    assert_eq!(run(&body, user(), Dialects::all()).unwrap_err(), refused("active"));
    // Text stays text.
    let (patched, met) = run(&replace("title", json!("True")), user(), Dialects::all()).unwrap();
    assert_eq!((&patched["title"], met), (&json!("True"), vec![]));
}

#[test]
fn string_boolean_in_value_filter_is_a_dialect() {
    let path = "emails[primary eq \"True\" and type eq \"work\"].value";
    check(
        Dialect::StringBoolean,
        message(json!([{"op": "replace", "path": path, "value": "n@x.example"}])),
        user(),
        ("/emails/0/value", json!("n@x.example")),
        &format!("noTarget operation 1: {path} selects no value"),
    );
}

#[test]
fn dotted_keys_is_a_dialect() {
    let check = |op: &str, key: &str, at: &str| {
        let body = message(json!([{"op": op, "value": {key: "new"}}]));
        let refusal = format!(
            "invalidPath operation 1: {key} is a path where the name of an attribute belongs; it must be sent as `path`"
        );
        check(Dialect::DottedKeys, body, user(), (at, json!("new")), &refusal);
    };
    check("replace", "name.givenName", "/name/givenName");
    check("replace", "emails[type eq \"work\"].value", "/emails/0/value");
    check("replace", &format!("{ENTERPRISE_URN}:department"), &format!("/{ENTERPRISE_URN}/department"));
    check("replace", &format!("{USER_URN}:title"), "/title");
    // What the RFC has is not a dialect.
    let plain = message(json!([{"op": "replace", "value": {
        "title": "new", "name": {"givenName": "new"}, ENTERPRISE_URN: {"department": "new"}}}]));
    let (patched, met) = run(&plain, user(), Dialects::none()).unwrap();
    assert_eq!((&patched[ENTERPRISE_URN]["department"], met), (&json!("new"), vec![]));
    // Below an extension as well.
    let inside = message(json!([{"op": "replace", "value": {ENTERPRISE_URN: {"manager.value": "7"}}}]));
    let (patched, met) = run(&inside, user(), Dialects::all()).unwrap();
    assert_eq!(patched[ENTERPRISE_URN]["manager"]["value"], "7");
    assert_eq!(met, [Dialect::DottedKeys]);
    assert!(run(&inside, user(), Dialects::none()).is_err());
}

#[test]
fn remove_by_value_is_a_dialect() {
    let check = |value: Value| {
        check(
            Dialect::RemoveByValue,
            message(json!([{"op": "remove", "path": "members", "value": value}])),
            group(&["1", "2", "3"]),
            ("/members", json!([{"value": "1"}, {"value": "3"}])),
            "invalidValue operation 1: remove takes no value; it must select with a path such as members[…]",
        );
    };
    check(json!({"value": "2"}));
    check(json!([{"value": "2"}, {"value": "9"}]));
    // Without a value, or with one that is none, it is the RFC's own.
    for operation in [
        json!({"op": "remove", "path": "members", "value": null}),
        json!({"op": "remove", "path": "members"}),
    ] {
        let (patched, met) = run(&message(json!([operation])), group(&["1"]), Dialects::none()).unwrap();
        assert_eq!((patched.get("members"), met), (None, vec![]));
    }
}

#[test]
fn remove_with_empty_array_removes_nothing() {
    check(
        Dialect::RemoveByValue,
        message(json!([{"op": "remove", "path": "members", "value": []}])),
        group(&["1", "2"]),
        ("/members", json!([{"value": "1"}, {"value": "2"}])),
        "invalidValue operation 1: remove takes no value; it must select with a path such as members[…]",
    );
    for (path, place) in
        [("title", "/title"), ("emails[type eq \"work\"]", "/emails"), ("emails.value", "/emails")]
    {
        let before = json!({"userName": "ida", "title": "Cook", "emails": [{"type": "work", "value": "a"}]});
        let body = message(json!([{"op": "remove", "path": path, "value": []}]));
        let (patched, met) = run(&body, before.clone(), Dialects::all()).unwrap();
        assert_eq!(
            (patched.pointer(place), met),
            (before.pointer(place), vec![Dialect::RemoveByValue]),
            "{path}"
        );
    }
    let unknown = message(json!([{"op": "remove", "path": "shoe", "value": []}]));
    assert!(run(&unknown, user(), Dialects::all()).is_err());
}

#[test]
fn duplicate_schemas_is_a_dialect() {
    for operation in [
        json!({"op": "add", "path": "schemas", "value": [USER_URN, USER_URN]}),
        json!({"op": "replace", "path": "schemas", "value": [USER_URN, USER_URN.to_uppercase()]}),
        json!({"op": "replace", "value": {"schemas": [USER_URN, USER_URN]}}),
    ] {
        let body = message(json!([operation]));
        let (_, met) = run(&body, user(), Dialects::all()).unwrap();
        assert_eq!(met, [Dialect::DuplicateSchemas]);
        let refused = run(&body, user(), Dialects::all().without(Dialect::DuplicateSchemas)).unwrap_err();
        assert!(
            refused.starts_with("invalidValue operation 1: schemas names ") && refused.ends_with(" twice"),
            "{refused}"
        );
    }
}

#[test]
fn bare_manager_is_a_dialect() {
    for value in
        [json!([{"value": "7"}]), json!(["7"]), json!("7"), json!([{"$ref": "../Users/7", "value": "7"}])]
    {
        for operation in [
            json!({"op": "add", "path": "manager", "value": value}),
            json!({"op": "replace", "path": format!("{ENTERPRISE_URN}:manager"), "value": value}),
            json!({"op": "replace", "value": {ENTERPRISE_URN: {"manager": value}}}),
        ] {
            let body = message(json!([operation]));
            let (patched, met) = run(&body, user(), Dialects::all()).unwrap();
            assert_eq!(patched[ENTERPRISE_URN]["manager"]["value"], "7", "{body}");
            assert_eq!(met, [Dialect::BareManager]);
            let refused = run(&body, user(), Dialects::all().without(Dialect::BareManager)).unwrap_err();
            assert!(refused.contains("must be an object"), "{refused}");
        }
    }
    let two = message(json!([{"op": "add", "path": "manager", "value": [{"value": "7"}, {"value": "8"}]}]));
    assert!(run(&two, user(), Dialects::all()).is_err());
}

#[test]
fn filter_literal_case_and_blanks_are_dialects() {
    #[track_caller]
    fn check(text: &str, dialect: Dialect, expected: &str, refused: &str) {
        let (filter, met) = Filter::parse_with(text, Dialects::all()).unwrap();
        assert_eq!((filter.to_string().as_str(), met.as_slice()), (expected, [dialect].as_slice()), "{text}");
        let error = Filter::parse_with(text, Dialects::all().without(dialect)).unwrap_err();
        assert_eq!(error.to_string(), refused, "{text}");
    }
    let case = Dialect::FilterLiteralCase;
    check(
        "active eq True",
        case,
        "active eq true",
        "\"True\" must be written in lower case, `true` (at byte 10)",
    );
    check(
        "active ne FALSE",
        case,
        "active ne false",
        "\"FALSE\" must be written in lower case, `false` (at byte 10)",
    );
    check(
        "title eq NULL",
        case,
        "title eq null",
        "\"NULL\" must be written in lower case, `null` (at byte 9)",
    );
    let blanks = |text: &str, expected: &str, at: usize| {
        let refused = format!(
            "one space stands between the parts of a filter, and none at its ends or inside brackets (at byte {at})"
        );
        check(text, Dialect::FilterBlanks, expected, &refused);
    };
    blanks("title  eq \"a\"", "title eq \"a\"", 5);
    blanks("title eq\t\"a\"", "title eq \"a\"", 8);
    blanks(" title pr", "title pr", 0);
    blanks("title pr ", "title pr", 8);
    blanks("title pr\n", "title pr", 8);
    blanks("( title pr )", "title pr", 1);
    blanks("emails[ type eq \"a\" ]", "emails[type eq \"a\"]", 7);
    blanks("emails[type eq \"a\" ]", "emails[type eq \"a\"]", 18);
    blanks("not  (title pr)", "not (title pr)", 3);
    for text in [
        "title eq \"a  b\\\"  c\" and (active eq true or not (title pr))",
        "not(title pr)",
        "emails[type eq \" \" and value pr]",
        "title eq \"\\\\\" and title pr",
    ] {
        let met = Filter::parse_with(text, Dialects::none()).map(|(_, met)| met);
        assert_eq!(met, Ok(Vec::new()), "{text}");
    }
    let path = message(json!([{"op": "remove", "path": "emails[ primary eq True]"}]));
    let (_, met) = PatchRequest::read(&path, Dialects::all()).unwrap();
    assert_eq!(met, [case, Dialect::FilterBlanks]);
}

#[test]
fn value_filter_with_full_path_names_the_sub_attribute() {
    let body = message(json!([{"op": "remove", "path": "emails[emails.value eq \"x\"]"}]));
    let error = run(&body, user(), Dialects::all()).unwrap_err();
    assert!(
        error
            .ends_with("is not a sub-attribute of emails; inside brackets sub-attributes stand alone: value"),
        "{error}"
    );
}

#[test]
fn add_without_path_is_a_dialect() {
    check(
        Dialect::PathlessAdd,
        message(json!([{"op": "add", "value": {"title": "Cook"}}])),
        user(),
        ("/title", json!("Cook")),
        "noTarget operation 1: add needs a path here; it must name the attribute in `path`",
    );
}

#[test]
fn single_operation_is_a_dialect() {
    let operation = json!({"op": "replace", "path": "title", "value": "Cook"});
    check(
        Dialect::SingleOperation,
        message(operation.clone()),
        user(),
        ("/title", json!("Cook")),
        "invalidSyntax the request has one operation as `Operations`; it must be an array",
    );
    let mut named = operation.clone();
    named["schemas"] = json!([PATCH_URN]);
    for body in [operation, named] {
        check(
            Dialect::SingleOperation,
            body,
            user(),
            ("/title", json!("Cook")),
            "invalidSyntax the request is one operation; it must be a message with an array `Operations`",
        );
    }
    // An empty list is no operation at all.
    for dialects in [Dialects::none(), Dialects::all()] {
        assert!(run(&message(json!([])), user(), dialects).is_err());
    }
}

#[test]
fn used_dialects_are_returned_in_order() {
    let body = json!({"op": "Add", "value": {"active": "False", "name.givenName": "Ada"}});
    let (patched, met) = run(&body, user(), Dialects::all()).unwrap();
    assert_eq!((&patched["active"], &patched["name"]["givenName"]), (&json!(false), &json!("Ada")));
    assert_eq!(
        met,
        [
            Dialect::CapitalisedOp,
            Dialect::PathlessAdd,
            Dialect::SingleOperation,
            Dialect::StringBoolean,
            Dialect::DottedKeys
        ]
    );
}

#[test]
fn password_and_schemas_can_be_patched() {
    let write = |path: &str, value: Value| {
        let body = message(json!([{"op": "replace", "path": path, "value": value}]));
        run(&body, user(), Dialects::none()).map(|(patched, _)| patched)
    };
    assert_eq!(write("password", json!("s3cret")).unwrap()["password"], "s3cret");
    assert_eq!(write("schemas", json!([USER_URN, ENTERPRISE_URN])).unwrap(), user());
}

/// Returns schemas with a required extension whose URN does not end in a name.
fn device() -> SchemaSet {
    let core = json!({"id": "urn:example:device", "attributes": [
        {"name": "made", "type": "complex", "subAttributes": [{"name": "place", "mutability": "immutable"}]}]});
    let more = json!({"id": "urn:example:more:1.0", "attributes": [{"name": "colour"}]});
    let schemas: Vec<Schema> = [core, more].iter().map(|s| Schema::from_json(s).unwrap()).collect();
    let kind = json!({"name": "Device", "endpoint": "/Devices", "schema": "urn:example:device",
        "schemaExtensions": [{"schema": "urn:example:more:1.0", "required": true}]});
    scim::schema::ResourceType::from_json(&kind).unwrap().schema_set(&schemas).unwrap()
}

#[test]
fn immutable_value_must_stay() {
    let set = device();
    let before = json!({"schemas": ["urn:example:device", "urn:example:more:1.0"],
        "made": {"place": "x"}, "urn:example:more:1.0": {"colour": "red"}});
    let patch = |operation: Value| {
        let request = PatchRequest::from_json(&message(json!([operation]))).unwrap();
        apply(&before, &request, &set).map_err(|e| format!("{} {e}", e.scim_type()))
    };
    let gone = "mutability urn:example:more:1.0 is required".to_owned();
    assert_eq!(patch(json!({"op": "remove", "path": "urn:example:more:1.0:colour"})), Err(gone.clone()));
    assert_eq!(patch(json!({"op": "replace", "value": {"urn:example:more:1.0": null}})), Err(gone));
    let blue =
        patch(json!({"op": "replace", "value": {"urn:example:more:1.0": {"colour": "blue"}}})).unwrap();
    assert_eq!(blue["urn:example:more:1.0"]["colour"], "blue");
    let place = "mutability operation 1: made.place is immutable and has a value".to_owned();
    assert_eq!(patch(json!({"op": "remove", "path": "made"})), Err(place.clone()));
    assert_eq!(patch(json!({"op": "replace", "path": "made", "value": {"place": "y"}})), Err(place));
}

#[test]
fn patch_of_many_members_stays_below_the_work_limit() {
    const COUNT: usize = 20_000;
    let ids: Vec<String> = (0..COUNT).map(|i| format!("id-{i}")).collect();
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let members = |range: std::ops::Range<usize>| -> Vec<Value> {
        ids[range].iter().map(|id| json!({"value": id})).collect()
    };
    let patch = |operation: Value, group: Value| {
        run(&message(json!([operation])), group, Dialects::all()).unwrap().0["members"]
            .as_array()
            .map_or(0, Vec::len)
    };
    // Each of these would compare every member with every other one: hundreds of millions of times.
    let add = json!({"op": "add", "path": "members", "value": members(0..COUNT)});
    assert_eq!(patch(add, group(&all[..COUNT / 2])), COUNT);
    let remove = json!({"op": "remove", "path": "members", "value": members(1..COUNT)});
    assert_eq!(patch(remove, group(&all)), 1);
    let remove = json!({"op": "remove", "path": "members[not (value eq \"id-7\")]"});
    assert_eq!(patch(remove, group(&all)), 1);
}
