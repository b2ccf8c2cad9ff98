use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN};
use crate::validate::validate;

const WATCHED: [&str; 3] = ["userName", "externalId", "emails.value"];

fn users() -> ResourceDecoder {
    ResourceDecoder::new(SchemaSet::user(), &WATCHED, None)
}

fn read(body: &Value, options: DecodeOptions) -> Result<DecodedResource, DecodeError> {
    users().read(body.to_string().as_bytes(), options)
}

fn members(accepted: &DecodedResource) -> Value {
    let text = String::from_utf8(accepted.members.clone()).unwrap();
    serde_json::from_str(&format!("{{{text}}}")).unwrap()
}

fn user(more: &Value) -> Value {
    let mut user = json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "ida"});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

#[test]
fn what_is_sent_becomes_what_is_kept() {
    #[track_caller]
    fn check(sent: &Value, kept: &Value) {
        assert_eq!(members(&read(sent, DecodeOptions::default()).unwrap()), *kept);
    }
    check(&user(&json!({})), &json!({"userName": "ida"}));
    check(&json!({"SCHEMAS": [USER_URN], "username": "ida"}), &json!({"userName": "ida"}));
    check(
        &user(&json!({"id": "mine", "meta": {"version": "9"}, "groups": [{"value": "g"}], "shoe": 44,
            "title": null, "emails": [], "name": {}, "addresses": [{}, {"shoe": 1}, null], "password": "hunter2"})),
        &json!({"userName": "ida"}),
    );
    check(
        &user(
            &json!({"emails": [{"value": "a", "TYPE": "work", "primary": true}, {"value": "b\"\n\u{1}é"}], "active": false}),
        ),
        &json!({"userName": "ida", "active": false,
            "emails": [{"value": "a", "type": "work", "primary": true}, {"value": "b\"\n\u{1}é"}]}),
    );
    check(
        &user(
            &json!({ENTERPRISE_URN.to_uppercase(): {"DEPARTMENT": "Ops", "shoe": 1, "manager": {"value": "m", "displayName": "x"}}}),
        ),
        &json!({"userName": "ida", ENTERPRISE_URN: {"department": "Ops", "manager": {"value": "m"}}}),
    );
    check(&user(&json!({ENTERPRISE_URN: {}})), &json!({"userName": "ida"}));
    check(&user(&json!({ENTERPRISE_URN: null})), &json!({"userName": "ida"}));
}

#[test]
fn a_required_extension_has_to_be_given() {
    let schemas = [
        json!({"id": "urn:x:Thing", "attributes": [{"name": "size", "type": "integer", "uniqueness": "server"}]}),
        json!({"id": "urn:x:Extra", "attributes": [
            {"name": "code", "required": true}, {"name": "pin", "returned": "never"}]}),
    ]
    .map(|document| Schema::from_json(&document).unwrap());
    let kind = json!({"name": "Thing", "endpoint": "/Things", "schema": "urn:x:Thing",
        "schemaExtensions": [{"schema": "urn:x:Extra", "required": true}]});
    let set = crate::schema::ResourceType::from_json(&kind).unwrap().schema_set(&schemas).unwrap();
    let reader = ResourceDecoder::new(&set, &["size"], None);
    let read = |extra: Value| {
        let body =
            json!({"schemas": ["urn:x:Extra", "urn:x:Thing"], "size": 7, "urn:x:Extra": extra}).to_string();
        reader.read(body.as_bytes(), DecodeOptions::default()).map_err(|error| error.to_string())
    };
    assert_eq!(read(json!({"code": "c"})).unwrap().watched, [(0, "7".to_owned())]);
    for nothing in [json!(null), json!({}), json!({"code": null}), json!({"shoe": 1})] {
        assert_eq!(read(nothing), Err("urn:x:Extra is required".to_owned()));
    }
    assert_eq!(read(json!({"pin": "1"})), Err("urn:x:Extra:code is required".to_owned()));
    assert_eq!(read(json!({"code": 1})), Err("urn:x:Extra:code must be a text".to_owned()));
    assert_eq!(read(json!(1)), Err("urn:x:Extra must be an object".to_owned()));
    let without = reader.read(br#"{"schemas":["urn:x:Thing"]}"#, DecodeOptions::default());
    assert_eq!(without.unwrap_err().to_string(), "urn:x:Extra is required");
}

#[test]
fn what_a_server_needs_is_picked_up() {
    let sent = user(&json!({"active": false, "externalId": "e-1", "password": "hunter2",
        "emails": [{"value": "a@x"}, {"value": "b@x"}], ENTERPRISE_URN: {"department": "Ops"}}));
    let accepted = read(&sent, DecodeOptions::default()).unwrap();
    assert_eq!(accepted.active, Some(false));
    assert_eq!(accepted.extensions, [0]);
    assert_eq!(accepted.secrets, [("password".to_owned(), json!("hunter2"))]);
    let mut watched = accepted.watched;
    watched.sort();
    let texts: Vec<(usize, &str)> = watched.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(texts, [(0, "ida"), (1, "e-1"), (2, "a@x"), (2, "b@x")]);
}

#[test]
fn the_captured_attribute_is_handed_over() {
    let reader = ResourceDecoder::new(SchemaSet::group(), &["displayName"], Some("members"));
    let read = |members: Value| {
        let body = json!({"schemas": [GROUP_URN], "displayName": "g", "members": members});
        reader.read(body.to_string().as_bytes(), DecodeOptions::default())
    };
    let accepted = read(json!([{"value": "u1"}])).unwrap();
    assert_eq!(accepted.captured, Some(json!([{"value": "u1"}])));
    assert_eq!(accepted.members, br#""displayName":"g""#);
    assert_eq!(read(json!([])).unwrap().captured, Some(json!([])));
    assert_eq!(read(json!(null)).unwrap().captured, None);
    assert!(read(json!([{"value": 7}])).unwrap_err().to_string().contains("members[0].value"));
}

#[test]
fn extension_must_be_named_in_schemas() {
    #[track_caller]
    fn check(body: &str, is_unlisted: bool) {
        let read = |options| users().read(body.as_bytes(), options);
        let lenient = DecodeOptions { unlisted_extensions: true, ..DecodeOptions::default() };
        assert_eq!(read(lenient).unwrap().unlisted_extensions, is_unlisted, "{body}");
        let strict = read(DecodeOptions::default()).map_err(|error| error.to_string());
        let refused = format!("schemas does not list {ENTERPRISE_URN}");
        assert_eq!(strict.err(), is_unlisted.then_some(refused), "{body}");
    }
    let (urn, upper) = (ENTERPRISE_URN, ENTERPRISE_URN.to_uppercase());
    let with = |schemas: &str, extension: &str| {
        format!("{{\"{urn}\":{extension},\"schemas\":[{schemas}],\"userName\":\"ida\"}}")
    };
    let core = format!("\"{USER_URN}\"");
    check(&with(&core, "{\"department\":\"d\"}"), true);
    check(&with(&format!("\"{upper}\",{core}"), "{\"department\":\"d\"}"), false);
    for nothing in ["{}", "null", "{\"department\":null}", "{\"shoe\":1}"] {
        check(&with(&core, nothing), false);
    }
    // Without any `schemas` it is that which is told.
    let bare = format!("{{\"{urn}\":{{\"department\":\"d\"}},\"userName\":\"ida\"}}");
    let taken = DecodeOptions { missing_schemas: true, ..DecodeOptions::default() };
    assert!(!users().read(bare.as_bytes(), taken).unwrap().unlisted_extensions);
}

#[test]
fn what_does_not_fit_is_named() {
    #[track_caller]
    fn check(sent: &Value, options: DecodeOptions, expected: &str) {
        assert_eq!(read(sent, options).unwrap_err().to_string(), expected);
    }
    let plain = DecodeOptions::default();
    check(&json!([]), plain, "a resource is a JSON object");
    check(&json!(7), plain, "a resource is a JSON object");
    check(&json!({"schemas": [USER_URN]}), plain, "userName is required");
    check(&json!({"schemas": [USER_URN], "userName": ""}), plain, "userName is required");
    check(&json!({"schemas": [USER_URN], "userName": null}), plain, "userName is required");
    check(&json!({"schemas": [USER_URN], "userName": 7}), plain, "userName must be a text");
    check(&json!({"userName": "a"}), plain, "schemas is required");
    check(&json!({"schemas": [], "userName": "a"}), plain, "schemas is required");
    check(
        &json!({"schemas": ["urn:x:y"], "userName": "a"}),
        plain,
        &format!("schemas does not list {USER_URN}"),
    );
    check(&user(&json!({"active": "False"})), plain, "active must be true or false");
    check(
        &user(&json!({"emails": [{"value": 1}, 2]})),
        plain,
        "emails[0].value must be a text; emails[1] must be an object",
    );
    check(&user(&json!({"emails": {"value": "a"}})), plain, "emails must be an array");
    check(&user(&json!({"title": ["a"]})), plain, "title must be a text");
    check(&user(&json!({"name": "x"})), plain, "name must be an object");
    check(&user(&json!({"password": 1})), plain, "password must be a text");
    check(
        &user(&json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]})),
        plain,
        "emails has more than one primary value",
    );
    check(
        &user(&json!({ENTERPRISE_URN: {"department": 1}})),
        plain,
        &format!("{ENTERPRISE_URN}:department must be a text"),
    );
    check(&user(&json!({ENTERPRISE_URN: 1})), plain, &format!("{ENTERPRISE_URN} must be an object"));
    let refuse = DecodeOptions { refuse_unknown: true, ..plain };
    check(
        &user(&json!({"shoe": 1, "name": {"nick": "x"}, ENTERPRISE_URN: {"hat": 2}})),
        refuse,
        &format!(
            "name.nick is not an attribute of the schema; shoe is not an attribute of the schema; {ENTERPRISE_URN}:hat is not an attribute of the schema"
        ),
    );
}

#[test]
fn canonical_values_and_booleans_as_text_are_options() {
    let canonical = DecodeOptions { enforce_canonical_values: true, ..DecodeOptions::default() };
    assert!(read(&user(&json!({"emails": [{"value": "a", "type": "WORK"}]})), canonical).is_ok());
    let error = read(&user(&json!({"emails": [{"value": "a", "type": "boat"}]})), canonical).unwrap_err();
    assert!(error.to_string().starts_with("emails[0].type must be one of work, home"), "{error}");

    let dialect = DecodeOptions { string_booleans: true, ..DecodeOptions::default() };
    let accepted = read(&user(&json!({"active": "False"})), dialect).unwrap();
    assert_eq!((accepted.active, accepted.string_boolean), (Some(false), true));
    assert_eq!(members(&accepted)["active"], false);
    assert!(read(&user(&json!({"active": "nope"})), dialect).is_err());
}

#[test]
fn bad_syntax_names_the_place() {
    let error = |text: &str| users().read(text.as_bytes(), DecodeOptions::default()).unwrap_err().to_string();
    assert!(error("{\"userName\": ida}").contains("line 1 column 14"), "{}", error("{\"userName\": ida}"));
    assert!(error("{} x").contains("trailing"), "{}", error("{} x"));
    let twice = format!("{{\"schemas\":[\"{USER_URN}\"],\"userName\":\"a\",\"USERNAME\":\"b\"}}");
    assert!(error(&twice).starts_with("userName is given twice"), "{}", error(&twice));
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|n| serde_json::Number::from_f64(n).map_or(Value::Null, Value::Number)),
        ".{0,6}".prop_map(Value::from),
        Just(json!("2024-05-01T10:00:00Z")),
    ];
    let name = prop_oneof![
        Just("value".to_owned()),
        Just("type".to_owned()),
        Just("primary".to_owned()),
        Just("GIVENNAME".to_owned()),
        Just("department".to_owned()),
        Just("manager".to_owned()),
        ".{0,4}"
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name.clone(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// What is let pass is whole JSON that fits the schemas; nothing panics.
    #[test]
    fn what_is_kept_is_valid(parts in proptest::collection::vec((0..9_usize, json_value()), 0..6)) {
        const NAMES: [&str; 9] =
            ["name", "emails", "active", "title", ENTERPRISE_URN, "addresses", "x509Certificates", "other", "Roles"];
        let mut sent = user(&json!({}));
        for (at, value) in parts {
            sent[NAMES[at]] = value;
        }
        if let Ok(accepted) = read(&sent, DecodeOptions::default()) {
            let mut kept = members(&accepted);
            let mut schemas = vec![json!(USER_URN)];
            if !accepted.extensions.is_empty() {
                schemas.push(json!(ENTERPRISE_URN));
            }
            kept["schemas"] = Value::from(schemas);
            prop_assert_eq!(validate(&kept, SchemaSet::user()), Ok(()), "{}", kept);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,80}") {
        drop(users().read(text.as_bytes(), DecodeOptions::default()));
    }

    #[test]
    fn texts_are_written_as_json(text in any::<String>()) {
        let mut out = Vec::new();
        write_text(&mut out, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
