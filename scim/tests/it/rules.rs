//! The decoder of bodies and `validate` check the same rules.

use std::sync::LazyLock;

use proptest::{collection::vec, option, prelude::*, sample::select};
use scim::{
    decode::{DecodeError, DecodeOptions, DecodedResource, ResourceDecoder},
    dialect::Dialects,
    schema::{ENTERPRISE_URN, ResourceType, Schema, SchemaSet, USER_URN},
    validate::{ResourceForm, ValidateOptions, validate_with},
};
use serde_json::{Map, Value, json};

const THING: &str = "urn:x:Thing";
const EXTRA: &str = "urn:x:Extra";
const OTHER: &str = "urn:x:Other";

/// A resource type that has an attribute for every rule.
static THINGS: LazyLock<SchemaSet> = LazyLock::new(|| {
    let primary = json!({"name": "primary", "type": "boolean"});
    let items = json!({"name": "items", "type": "complex", "multiValued": true, "subAttributes": [
        {"name": "value", "required": true}, {"name": "type", "canonicalValues": ["work", "home"]}, primary,
        {"name": "inner", "type": "complex", "multiValued": true, "subAttributes": [{"name": "x"}, primary]}]});
    let thing = json!({"id": THING, "attributes": [
        {"name": "userName", "required": true},
        {"name": "code", "required": true},
        {"name": "colour", "canonicalValues": ["red", "blue"]},
        {"name": "grade", "canonicalValues": ["A", "B"], "caseExact": true},
        {"name": "active", "type": "boolean"},
        {"name": "size", "type": "integer"},
        {"name": "weight", "type": "decimal"},
        {"name": "made", "type": "dateTime"},
        {"name": "key", "type": "binary"},
        {"name": "link", "type": "reference"},
        {"name": "serial", "required": true, "mutability": "readOnly"},
        {"name": "pin", "returned": "never", "canonicalValues": ["one", "two"]},
        {"name": "names", "multiValued": true, "required": true},
        {"name": "counts", "type": "integer", "multiValued": true},
        {"name": "name", "type": "complex", "subAttributes": [
            {"name": "given"}, {"name": "family", "required": true}, {"name": "seen", "mutability": "readOnly"},
            {"name": "pin", "returned": "never"}, {"name": "title", "type": "complex", "subAttributes": [
                {"name": "short", "required": true}, {"name": "long"}]}]},
        {"name": "vault", "type": "complex", "subAttributes": [{"name": "key", "returned": "never"}]},
        {"name": "log", "type": "complex", "multiValued": true, "mutability": "readOnly", "subAttributes": [
            {"name": "entry"}]},
        items]});
    let extra = json!({"id": EXTRA, "attributes": [
        {"name": "code", "required": true}, {"name": "pin", "returned": "never"}, items]});
    let other = json!({"id": OTHER, "attributes": [{"name": "note"}, {"name": "on", "type": "boolean"}]});
    let schemas = [thing, extra, other].map(|document| Schema::from_json(&document).unwrap());
    let resource_type = json!({"name": "Thing", "endpoint": "/Things", "schema": THING,
        "schemaExtensions": [{"schema": EXTRA, "required": true}, {"schema": OTHER, "required": false}]});
    ResourceType::from_json(&resource_type).unwrap().schema_set(&schemas).unwrap()
});

/// Generates a value of any type.
fn any_value() -> impl Strategy<Value = Value> {
    let pool = [
        json!(null),
        json!([]),
        json!({}),
        json!(true),
        json!("true"),
        json!(7),
        json!(1.5),
        json!(""),
        json!("red"),
        json!("A"),
        json!("boat"),
        json!("2024-05-01T10:00:00Z"),
        json!([null]),
        json!([[]]),
        json!([{}]),
        json!(["a", 7]),
        json!({"value": 1}),
        json!([{"primary": true}, {"primary": true}]),
    ];
    select(pool.to_vec())
}

/// Generates a single value of an attribute from its definition in a schema document.
fn single_value(attribute: &Value) -> BoxedStrategy<Value> {
    match attribute["type"].as_str().unwrap() {
        "boolean" => any::<bool>().prop_map(Value::from).boxed(),
        "integer" => any::<i16>().prop_map(Value::from).boxed(),
        "decimal" => select(vec![json!(1), json!(-2.5)]).boxed(),
        "dateTime" => Just(json!("2024-05-01T10:00:00Z")).boxed(),
        "binary" => select(vec![json!("AAEC"), json!("")]).boxed(),
        "complex" => members(attribute["subAttributes"].as_array().map_or(&[], Vec::as_slice))
            .prop_map(Value::Object)
            .boxed(),
        _ => {
            let known = attribute["canonicalValues"].as_array().cloned().unwrap_or_default();
            let upper = known.iter().filter_map(Value::as_str).map(|text| Value::from(text.to_uppercase()));
            let mut usual: Vec<Value> = known.iter().cloned().chain(upper).collect();
            usual.push(json!("a"));
            let odd = select(vec![json!(""), json!(" \u{3000}"), json!("a\u{202e}b"), json!("a\nb")]);
            prop_oneof![40 => select(usual), 1 => odd].boxed()
        }
    }
}

/// Generates the value of an attribute in a body, mostly a valid one.
fn value(attribute: &Value) -> BoxedStrategy<Value> {
    let single = single_value(attribute);
    let fitting = if attribute["multiValued"] == true {
        let element = prop_oneof![20 => single, 1 => Just(Value::Null)];
        vec(element, 0..3).prop_map(Value::from).boxed()
    } else {
        single
    };
    prop_oneof![40 => fitting, 1 => any_value()].boxed()
}

/// Generates the members of an object from the definitions of its attributes.
fn members(attributes: &[Value]) -> BoxedStrategy<Map<String, Value>> {
    let member = |attribute: &Value| {
        let name = attribute["name"].as_str().unwrap().to_owned();
        let chance = if attribute["required"] == true { 0.98 } else { 0.3 };
        let upper = name.to_uppercase();
        let name = prop_oneof![30 => Just(name), 1 => Just(upper)];
        option::weighted(chance, (name, value(attribute)))
    };
    let known: Vec<_> = attributes.iter().map(member).collect();
    let again: Vec<Value> = attributes.to_vec();
    let unusual = (select(again), any_value(), any::<bool>()).prop_map(|(attribute, value, is_known)| {
        let name = attribute["name"].as_str().unwrap();
        (if is_known { name.to_uppercase() } else { format!("{name}s-") }, value)
    });
    (known, option::weighted(0.02, unusual))
        .prop_map(|(known, unusual)| known.into_iter().flatten().chain(unusual).collect())
        .boxed()
}

/// Generates a body with attributes of the main schema and the extensions.
fn body(schemas: &SchemaSet) -> BoxedStrategy<Value> {
    let attributes = |schema: &Schema| schema.to_json()["attributes"].as_array().unwrap().clone();
    let urn = |schema: &Schema| schema.id().to_string();
    let value = |schema: &Schema| prop_oneof![20 => members(&attributes(schema)).prop_map(Value::Object), 1 => any_value()];
    let extension = |schema: &Schema| {
        let again = option::weighted(0.03, (Just(urn(schema).to_uppercase()), value(schema)));
        (option::weighted(0.8, (Just(urn(schema)), value(schema))), again)
    };
    let extensions: Vec<_> = schemas.extensions().iter().map(extension).collect();
    let all: Vec<String> = schemas.schemas().map(urn).collect();
    let mut elements: Vec<Value> = all.iter().map(|urn| json!(urn)).collect();
    elements.extend([json!("urn:x:Foreign"), json!(all[0].to_uppercase()), json!(7), json!(null)]);
    let listed = prop_oneof![
        10 => Just(json!(all)),
        1 => vec(select(elements), 0..5).prop_map(Value::from),
        1 => any_value(),
    ];
    (members(&attributes(schemas.core())), extensions, option::weighted(0.98, listed))
        .prop_map(|(mut body, extensions, listed)| {
            body.extend(extensions.into_iter().flat_map(|(given, again)| given.into_iter().chain(again)));
            body.extend(listed.map(|listed| ("schemas".to_owned(), listed)));
            Value::Object(body)
        })
        .boxed()
}

/// Returns the decoded resource as a server stores it.
fn stored(decoded: &DecodedResource, schemas: &SchemaSet) -> Value {
    let text = format!("{{{}}}", std::str::from_utf8(&decoded.members).unwrap());
    let mut stored: Value = serde_json::from_str(&text).unwrap();
    let used = decoded.extensions.iter().map(|at| &schemas.extensions()[*at]);
    stored["schemas"] =
        std::iter::once(schemas.core()).chain(used).map(|schema| schema.id().as_str()).collect();
    if schemas.core().attribute("serial").is_some() {
        stored["serial"] = json!("1");
    }
    stored
}

#[track_caller]
fn check(body: &Value, schemas: &SchemaSet, canonical_values: bool) -> bool {
    let decoder = ResourceDecoder::new(schemas, &[], None);
    let validate = |resource: &Value, form| {
        let problems = validate_with(resource, schemas, ValidateOptions { canonical_values, form });
        let texts = problems.err().unwrap_or_default().iter().map(ToString::to_string).collect();
        let mut texts: Vec<String> = texts;
        texts.sort();
        texts
    };
    let strict = DecodeOptions {
        refuse_unknown: true,
        enforce_canonical_values: canonical_values,
        dialects: Dialects::none(),
    };
    let decode = |options| decoder.decode(body.to_string().as_bytes(), options);
    let none: &[String] = &[];
    let expected = validate(body, ResourceForm::Request);
    let decoded = decode(strict);
    match &decoded {
        Ok(decoded) => {
            assert_eq!(expected, none, "{body}");
            let stored = stored(decoded, schemas);
            assert_eq!(validate(&stored, ResourceForm::Stored), none, "{body} is stored as {stored}");
        }
        Err(rejection) => match &rejection.error {
            DecodeError::Problems(problems) => {
                let mut found: Vec<String> = problems.iter().map(ToString::to_string).collect();
                found.sort();
                assert_eq!(found, expected, "{body}");
            }
            DecodeError::Syntax(error) => {
                let is_repeated = expected.iter().any(|problem| problem.ends_with("is given twice"));
                assert!(is_repeated && error.to_string().contains("is given twice"), "{error}: {body}");
            }
            DecodeError::NotAnObject => panic!("{body}"),
        },
    }
    let lenient = DecodeOptions { refuse_unknown: false, dialects: Dialects::all(), ..strict };
    if let Ok(decoded) = decode(lenient) {
        let stored = stored(&decoded, schemas);
        assert_eq!(validate(&stored, ResourceForm::Stored), none, "{body} is stored as {stored}");
    }
    decoded.is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn decoder_and_validate_refuse_the_same_things(body in body(&THINGS), canonical_values in any::<bool>()) {
        check(&body, &THINGS, canonical_values);
    }

    #[test]
    fn decoder_and_validate_refuse_the_same_users(body in body(SchemaSet::user()), canonical_values in any::<bool>()) {
        check(&body, SchemaSet::user(), canonical_values);
    }
}

#[test]
fn each_broken_rule_is_refused_by_decoder_and_validate() {
    #[track_caller]
    fn refuse(change: &Value, problem: &str) {
        let mut body = json!({"schemas": [USER_URN, ENTERPRISE_URN], "userName": "ida"});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        assert!(!check(&body, SchemaSet::user(), true), "{problem}: {body}");
        let options = ValidateOptions { canonical_values: true, form: ResourceForm::Request };
        let problems = validate_with(&body, SchemaSet::user(), options).unwrap_err();
        assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [problem]);
    }
    refuse(&json!({"title": 7}), "title must be a text");
    refuse(&json!({"userName": ""}), "userName is required");
    refuse(&json!({"userName": " "}), "userName must not be blank");
    refuse(
        &json!({"userName": "a\u{202e}"}),
        "userName must not have control characters, or characters that set the direction of text",
    );
    refuse(&json!({"emails": [{"type": "boat"}]}), "emails[0].type must be one of work, home, other");
    refuse(&json!({"emails": {}}), "emails must be an array");
    refuse(
        &json!({"emails": [{"primary": true}, {"primary": true}]}),
        "emails has more than one primary value",
    );
    refuse(&json!({"userName": null}), "userName is required");
    refuse(&json!({"shoe": 44}), "shoe is not an attribute of the schema");
    refuse(&json!({"TITLE": "a", "title": "b"}), "title is given twice");
    refuse(&json!({ENTERPRISE_URN: 7}), &format!("{ENTERPRISE_URN} must be an object"));
    refuse(&json!({"schemas": null}), "schemas is required");
    refuse(&json!({"schemas": 7}), "schemas must be an array");
    refuse(&json!({"schemas": [USER_URN, 7]}), "schemas must be an array of texts");
    refuse(&json!({"schemas": [ENTERPRISE_URN]}), &format!("schemas does not list {USER_URN}"));
    refuse(&json!({"schemas": [USER_URN, USER_URN]}), &format!("schemas names {USER_URN} twice"));
    refuse(
        &json!({"schemas": [USER_URN, "urn:x:y"]}),
        "schemas names urn:x:y, which the resource type does not have",
    );
    refuse(
        &json!({"schemas": [USER_URN], ENTERPRISE_URN: {"department": "d"}}),
        &format!("schemas does not list {ENTERPRISE_URN}"),
    );
}
