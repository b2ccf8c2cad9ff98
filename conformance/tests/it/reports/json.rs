//! The JSON form: what is written is read, and its schema is the published one.

use std::error::Error;
use std::path::PathBuf;

use conformance::report::json::{self, SCHEMA_FILE};
use serde_json::Value;

use super::sample;

#[test]
fn written_report_parses_again() {
    let report = sample::report();
    let text = json::write(&report).expect("JSON");
    assert_eq!(json::read(&text).expect("a report"), report);
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let members: Vec<&str> =
        value["summary"].as_object().expect("a summary").keys().map(String::as_str).collect();
    for name in ["pass", "fail", "warn", "notAdvertised", "skipped", "error"] {
        assert!(members.contains(&name), "{members:?}");
    }
}

#[test]
fn invalid_report_is_refused() {
    let told = |text: &str| {
        let error = json::read(text).expect_err("no report");
        error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
    };
    assert!(told("{").starts_with("not a JSON report of conformance: "));
    assert!(told("{}").contains("schemaVersion"));
    assert!(told(r#"{"schemaVersion": 2, "cases": "otherwise"}"#).starts_with("schemaVersion is 2"));
    assert!(told(r#"{"schemaVersion": 1}"#).contains("subject"));
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").join(SCHEMA_FILE)
}

#[test]
fn the_published_schema_is_up_to_date() {
    let now = format!("{}\n", serde_json::to_string_pretty(&json::schema()).expect("JSON"));
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(file(), &now).expect("the schema is written");
    }
    let published = std::fs::read_to_string(file()).expect("the published schema");
    assert!(
        published == now,
        "{SCHEMA_FILE} is not up to date: INSTA_UPDATE=always cargo test -p conformance writes it"
    );
}

#[test]
fn a_report_fits_the_schema() {
    let schema = json::schema();
    let mut value = serde_json::to_value(sample::report()).expect("JSON");
    assert_eq!(fits(&schema, &schema, &value), Ok(()));
    value["cases"][0]["verdict"] = "perhaps".into();
    assert!(fits(&schema, &schema, &value).is_err(), "the schema says something");
    let without = serde_json::json!({ "schemaVersion": 1 });
    assert!(fits(&schema, &schema, &without).is_err());
    let mut other = serde_json::to_value(sample::report()).expect("JSON");
    other["schemaVersion"] = 2.into();
    assert!(fits(&schema, &schema, &other).is_err());
}

/// Validates a value by the part of JSON Schema that the published schema uses; an unknown keyword is an error.
pub(super) fn fits(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let Some(schema) = schema.as_object() else {
        return if schema == &Value::Bool(true) { Ok(()) } else { Err("nothing fits".to_owned()) };
    };
    for (keyword, said) in schema {
        let fine = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            "$ref" => {
                let place = said.as_str().expect("a reference").trim_start_matches('#');
                fits(root, root.pointer(place).expect("what is referred to"), value)?;
                true
            }
            "type" => match said {
                Value::String(name) => is(name, value),
                names => names
                    .as_array()
                    .expect("types")
                    .iter()
                    .any(|name| is(name.as_str().expect("a type"), value)),
            },
            "const" => said == value,
            "enum" => said.as_array().expect("values").contains(value),
            "oneOf" | "anyOf" => {
                said.as_array().expect("schemas").iter().any(|one| fits(root, one, value).is_ok())
            }
            "required" => {
                let names = said.as_array().expect("names");
                names.iter().all(|name| value.get(name.as_str().expect("a name")).is_some())
            }
            "properties" => {
                for (name, schema) in said.as_object().expect("properties") {
                    if let Some(member) = value.get(name) {
                        fits(root, schema, member).map_err(|error| format!("{name}: {error}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (name, member) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        fits(root, said, member)?;
                    }
                }
                true
            }
            "items" => {
                for element in value.as_array().into_iter().flatten() {
                    fits(root, said, element)?;
                }
                true
            }
            "prefixItems" => {
                for (schema, element) in
                    said.as_array().expect("schemas").iter().zip(value.as_array().into_iter().flatten())
                {
                    fits(root, schema, element)?;
                }
                true
            }
            "minItems" => {
                value.as_array().is_none_or(|all| all.len() as u64 >= said.as_u64().expect("a number"))
            }
            "maxItems" => {
                value.as_array().is_none_or(|all| all.len() as u64 <= said.as_u64().expect("a number"))
            }
            "minimum" => value.as_u64().is_none_or(|number| number >= said.as_u64().expect("a number")),
            "maximum" => value.as_u64().is_none_or(|number| number <= said.as_u64().expect("a number")),
            other => return Err(format!("the test does not know the keyword {other}")),
        };
        if !fine {
            return Err(format!("{keyword} {said} does not hold for {value}"));
        }
    }
    Ok(())
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}
