use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::Dialect;
use crate::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN};

const WATCHED: [&str; 3] = ["userName", "externalId", "emails.value"];

fn users() -> ResourceDecoder {
    ResourceDecoder::new(SchemaSet::user(), &WATCHED, None)
}

fn decode(body: &Value, options: DecodeOptions) -> Result<DecodedResource, DecodeError> {
    users().decode(body.to_string().as_bytes(), options).map_err(|rejection| rejection.error)
}

fn accepting(dialect: Dialect) -> DecodeOptions {
    DecodeOptions { dialects: Dialects::none().with(dialect), ..DecodeOptions::default() }
}

fn members(decoded: &DecodedResource) -> Value {
    let text = String::from_utf8(decoded.members.clone()).unwrap();
    serde_json::from_str(&format!("{{{text}}}")).unwrap()
}

fn user(more: &Value) -> Value {
    let mut user = json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "ida"});
    user.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    user
}

#[test]
fn body_is_decoded_to_canonical_members() {
    #[track_caller]
    fn check(sent: &Value, kept: &Value) {
        assert_eq!(members(&decode(sent, DecodeOptions::default()).unwrap()), *kept);
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
fn missing_required_extension_is_a_problem() {
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
        reader
            .decode(body.as_bytes(), DecodeOptions::default())
            .map_err(|rejection| rejection.error.to_string())
    };
    assert_eq!(read(json!({"code": "c"})).unwrap().indexed, [(0, "7".to_owned())]);
    for nothing in [json!(null), json!({}), json!({"code": null}), json!({"shoe": 1})] {
        assert_eq!(read(nothing), Err("urn:x:Extra is required".to_owned()));
    }
    assert_eq!(read(json!({"pin": "1"})), Err("urn:x:Extra:code is required".to_owned()));
    assert_eq!(read(json!({"code": 1})), Err("urn:x:Extra:code must be a text".to_owned()));
    assert_eq!(read(json!(1)), Err("urn:x:Extra must be an object".to_owned()));
    let without = reader.decode(br#"{"schemas":["urn:x:Thing"]}"#, DecodeOptions::default());
    assert_eq!(without.unwrap_err().error.to_string(), "urn:x:Extra is required");
}

#[test]
fn watched_texts_secrets_and_active_are_collected() {
    let sent = user(&json!({"active": false, "externalId": "e-1", "password": "hunter2",
        "emails": [{"value": "a@x"}, {"value": "b@x"}], ENTERPRISE_URN: {"department": "Ops"}}));
    let decoded = decode(&sent, DecodeOptions::default()).unwrap();
    assert_eq!(decoded.active, Some(false));
    assert_eq!(decoded.extensions, [0]);
    assert_eq!(decoded.secrets, [("password".to_owned(), json!("hunter2"))]);
    let mut indexed = decoded.indexed;
    indexed.sort();
    let texts: Vec<(usize, &str)> = indexed.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(texts, [(0, "ida"), (1, "e-1"), (2, "a@x"), (2, "b@x")]);
}

#[test]
fn values_that_only_the_server_writes_and_unknown_schemas_are_reported() {
    let body = user(&json!({"ID": "mine", "groups": [], "schemas": [USER_URN, ENTERPRISE_URN, "urn:x:y"],
        ENTERPRISE_URN: {"manager": {"value": "m", "displayName": "x"}}}));
    let decoded = decode(&body, DecodeOptions::default()).unwrap();
    let mut top = decoded.read_only_top;
    top.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(top, [("groups".to_owned(), json!([])), ("id".to_owned(), json!("mine"))]);
    assert_eq!(decoded.read_only, [format!("{ENTERPRISE_URN}:manager.displayName")]);
    assert_eq!(decoded.unknown_schemas, ["urn:x:y"]);
}

#[test]
fn captured_attribute_is_handed_over_and_not_written() {
    let reader = ResourceDecoder::new(SchemaSet::group(), &["displayName"], Some("members"));
    let read = |members: Value| {
        let body = json!({"schemas": [GROUP_URN], "displayName": "g", "members": members});
        reader.decode(body.to_string().as_bytes(), DecodeOptions::default())
    };
    let decoded = read(json!([{"value": "u1"}])).unwrap();
    assert_eq!(decoded.captured, Some(json!([{"value": "u1"}])));
    assert_eq!(decoded.members, br#""displayName":"g""#);
    assert_eq!(read(json!([])).unwrap().captured, Some(json!([])));
    assert_eq!(read(json!(null)).unwrap().captured, None);
    assert_eq!(read(json!([{"VALUE": "u1"}])).unwrap().captured, Some(json!([{"VALUE": "u1"}])));
    assert!(read(json!([{"value": 7}])).unwrap_err().error.to_string().contains("members[0].value"));
}

#[test]
fn unknown_attribute_in_a_captured_value_is_dropped_under_the_same_option() {
    let reader = ResourceDecoder::new(SchemaSet::group(), &["displayName"], Some("members"));
    let body = json!({
        "schemas": [GROUP_URN],
        "displayName": "g",
        "members": [{"value": "u1", "dispaly": "Ada"}],
    });
    let read = |options| reader.decode(body.to_string().as_bytes(), options);
    assert_eq!(read(DecodeOptions::default()).unwrap().dropped, ["members[0].dispaly"]);
    let refuse = DecodeOptions { refuse_unknown: true, ..DecodeOptions::default() };
    let error = read(refuse).unwrap_err().error.to_string();
    assert!(error.contains("members[0].dispaly is not an attribute of the schema"), "{error}");
}

#[test]
fn unlisted_extension_is_a_problem() {
    #[track_caller]
    fn check(body: &str, is_unlisted: bool) {
        let read = |options| users().decode(body.as_bytes(), options);
        let used: &[Dialect] = if is_unlisted { &[Dialect::UnlistedExtensions] } else { &[] };
        assert_eq!(read(accepting(Dialect::UnlistedExtensions)).unwrap().dialects, used, "{body}");
        let strict = read(DecodeOptions::default()).map_err(|rejection| rejection.error.to_string());
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
    // A body without `schemas` uses that dialect alone.
    let bare = format!("{{\"{urn}\":{{\"department\":\"d\"}},\"userName\":\"ida\"}}");
    let decoded = users().decode(bare.as_bytes(), accepting(Dialect::MissingSchemas)).unwrap();
    assert_eq!(decoded.dialects, [Dialect::MissingSchemas]);
}

#[test]
fn problem_names_the_attribute() {
    #[track_caller]
    fn check(sent: &Value, options: DecodeOptions, expected: &str) {
        assert_eq!(decode(sent, options).unwrap_err().to_string(), expected);
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
fn canonical_values_and_string_booleans_are_optional() {
    let canonical = DecodeOptions { enforce_canonical_values: true, ..DecodeOptions::default() };
    assert!(decode(&user(&json!({"emails": [{"value": "a", "type": "WORK"}]})), canonical).is_ok());
    let error = decode(&user(&json!({"emails": [{"value": "a", "type": "boat"}]})), canonical).unwrap_err();
    assert!(error.to_string().starts_with("emails[0].type must be one of work, home"), "{error}");

    let dialect = accepting(Dialect::StringBoolean);
    let decoded = decode(&user(&json!({"active": "False"})), dialect).unwrap();
    assert_eq!(
        (decoded.active, decoded.dialects.as_slice()),
        (Some(false), [Dialect::StringBoolean].as_slice())
    );
    assert_eq!(members(&decoded)["active"], false);
    assert!(decode(&user(&json!({"active": "nope"})), dialect).is_err());
}

#[test]
fn bad_syntax_names_the_position() {
    let error =
        |text: &str| users().decode(text.as_bytes(), DecodeOptions::default()).unwrap_err().error.to_string();
    assert!(error("{\"userName\": ida}").contains("line 1 column 14"), "{}", error("{\"userName\": ida}"));
    assert!(error("{} x").contains("trailing"), "{}", error("{} x"));
    let twice = format!("{{\"schemas\":[\"{USER_URN}\"],\"userName\":\"a\",\"USERNAME\":\"b\"}}");
    assert!(error(&twice).starts_with("userName is given twice"), "{}", error(&twice));
}

proptest! {
    #[test]
    fn arbitrary_text_does_not_panic(text in ".{0,80}") {
        drop(users().decode(text.as_bytes(), DecodeOptions::default()));
    }

    #[test]
    fn written_text_is_json(text in any::<String>()) {
        let mut out = Vec::new();
        write_text(&mut out, &text);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
    }
}
