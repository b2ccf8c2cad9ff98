//! What a profile does otherwise than the RFC, read off its serialised form and told in the words of its JSON Schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Profile;

/// What a file says of itself and not of the behaviour.
const ABOUT: [&str; 6] = ["name", "summary", "extends", "source", "date", "deviation"];

/// A switch that isn't where the RFC has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Section and key, as in `gateway.patch`.
    pub key: String,
    /// What it is in the profile. `null`: nothing.
    pub value: Value,
    /// What it is in the profile `rfc`. `null`: nothing.
    pub rfc: Value,
    /// What follows from it, in words.
    pub meaning: String,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(Profile).to_value());

static RFC: LazyLock<Map<String, Value>> = LazyLock::new(|| serialised(&Profile::new("", "")));

impl Profile {
    /// The JSON Schema of a profile file.
    pub fn schema() -> Value {
        SCHEMA.clone()
    }

    /// Every switch that isn't where the RFC has it, by key.
    pub fn differences(&self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut own = serialised(self);
        own.retain(|key, _| !ABOUT.contains(&key.as_str()));
        compare(&mut Vec::new(), &own, &RFC, &mut differences);
        for difference in &mut differences {
            difference.meaning = match difference.key.as_str() {
                "rate-limit" => {
                    self.rate_limits.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
                key => meaning(key, &difference.value),
            };
        }
        differences
    }
}

/// The profile as a table, whole.
pub(super) fn serialised(profile: &Profile) -> Map<String, Value> {
    match serde_json::to_value(profile) {
        Ok(Value::Object(table)) => table,
        // Unreachable: a struct with names for its fields is a table.
        _ => Map::new(),
    }
}

/// The sections that have a key of this name.
pub(super) fn sections_with(key: &str) -> Vec<&'static str> {
    let sections = SCHEMA["properties"].as_object().into_iter().flatten();
    let has = |section: &Value| !target(section)["properties"][key].is_null();
    sections.filter(|(_, section)| has(section)).map(|(name, _)| name.as_str()).collect()
}

fn compare(
    path: &mut Vec<String>,
    own: &Map<String, Value>,
    rfc: &Map<String, Value>,
    differences: &mut Vec<Difference>,
) {
    let empty = Map::new();
    let keys: BTreeSet<&String> = own.keys().chain(rfc.keys()).collect();
    for key in keys {
        if path.is_empty() && ABOUT.contains(&key.as_str()) {
            continue;
        }
        let (value, other) = (own.get(key).unwrap_or(&Value::Null), rfc.get(key).unwrap_or(&Value::Null));
        path.push(key.clone());
        if value.is_object() || other.is_object() {
            let table = |value: &'_ Value| value.as_object().cloned().unwrap_or_else(|| empty.clone());
            compare(path, &table(value), &table(other), differences);
        } else if value != other {
            differences.push(Difference {
                key: path.join("."),
                value: value.clone(),
                rfc: other.clone(),
                meaning: String::new(),
            });
        }
        path.pop();
    }
}

/// What the schema says of a key, and of the word it is set to.
fn meaning(key: &str, value: &Value) -> String {
    let mut at = &*SCHEMA;
    for name in key.split('.') {
        let next = &target(at)["properties"][name];
        // A table of free names, such as `max-values`, is described as a whole.
        if next.is_null() {
            break;
        }
        at = next;
    }
    let about = at["description"].as_str().unwrap_or_default().replace('\n', " ");
    let about = about.split(" Absent:").next().unwrap_or_default().trim_end_matches('.');
    let words = match value {
        Value::Array(_) => Vec::new(),
        value => word(target(at), value).into_iter().collect(),
    };
    if words.is_empty() { format!("{about}.") } else { format!("{about}: {}", words.join(", ")) }
}

/// What the schema of a switch says of one of its words.
fn word(switch: &Value, value: &Value) -> Option<String> {
    let words = switch["oneOf"].as_array()?;
    let one = words.iter().find(|word| word["const"] == *value)?;
    let text = one["description"].as_str()?.replace('\n', " ");
    let mut letters = text.chars();
    let (first, second) = (letters.next()?, letters.next());
    // A word in capitals stays one.
    let lower = second.is_none_or(|second| second.is_lowercase() || second == ' ');
    let rest: String = text.chars().skip(1).collect();
    Some(if lower { format!("{}{rest}", first.to_lowercase()) } else { text })
}

/// What a place of the schema refers to; of an optional one, what it is where it is there.
fn target(schema: &Value) -> &Value {
    let optional = schema["anyOf"].as_array().and_then(|kinds| kinds.first());
    let schema = optional.unwrap_or(schema);
    match schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/")) {
        Some(name) => &SCHEMA["$defs"][name],
        None => schema,
    }
}
