//! What a profile does otherwise than the RFC, read off its serialised form and told in the words of its JSON Schema.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Profile;

/// What a file says of itself and not of the behaviour, and rate limits, which are told one by one.
const APART: [&str; 7] = ["name", "summary", "extends", "source", "date", "deviation", "rate-limit"];

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
        compare(&mut Vec::new(), &serialised(self), &RFC, &mut differences);
        for limit in &self.rate_limits {
            differences.push(Difference {
                key: "rate-limit".to_owned(),
                value: crate::or_default(serde_json::to_value(limit), "write a rate limit as JSON"),
                rfc: Value::Null,
                meaning: limit.to_string(),
            });
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
    let keys: BTreeSet<&String> = own.keys().chain(rfc.keys()).collect();
    for key in keys {
        if path.is_empty() && APART.contains(&key.as_str()) {
            continue;
        }
        let (value, other) = (own.get(key).unwrap_or(&Value::Null), rfc.get(key).unwrap_or(&Value::Null));
        path.push(key.clone());
        if value.is_object() || other.is_object() {
            let table = |value: &Value| value.as_object().cloned().unwrap_or_default();
            compare(path, &table(value), &table(other), differences);
        } else if value != other {
            differences.push(Difference {
                key: path.join("."),
                meaning: meaning(path, value),
                value: value.clone(),
                rfc: other.clone(),
            });
        }
        path.pop();
    }
}

/// What the schema says of a key, and of the word it is set to.
fn meaning(path: &[String], value: &Value) -> String {
    let mut at = &*SCHEMA;
    for name in path {
        let next = &target(at)["properties"][name];
        // A table of free names, such as `max-values`, is described as a whole.
        if next.is_null() {
            break;
        }
        at = next;
    }
    let about = at["description"].as_str().unwrap_or_default().replace('\n', " ");
    let about = about.split(" Absent:").next().unwrap_or_default().trim_end_matches('.');
    match word(target(at), value) {
        Some(word) => format!("{about}: {word}"),
        None => format!("{about}."),
    }
}

/// What the schema of a switch says of one of its words.
fn word(switch: &Value, value: &Value) -> Option<String> {
    let words = switch["oneOf"].as_array()?;
    let one = words.iter().find(|word| word["const"] == *value)?;
    let text = one["description"].as_str()?.replace('\n', " ");
    let mut letters = text.chars();
    let first = letters.next()?;
    // A word in capitals stays one.
    let lower = letters.clone().next().is_none_or(|second| second.is_lowercase() || second == ' ');
    Some(if lower { format!("{}{}", first.to_lowercase(), letters.as_str()) } else { text })
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// As much of JSON Schema as the schema of a profile uses. What it doesn't know is a failure.
    fn validate(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let refuse = |why: &str| Err(format!("{at}: {why}"));
        for (keyword, rule) in schema.as_object().ok_or("no schema")? {
            match keyword.as_str() {
                "$ref" => {
                    let name = rule.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                    validate(&SCHEMA["$defs"][name], value, at)?;
                }
                "anyOf" | "oneOf" => {
                    let fitting = rule
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|rule| validate(rule, value, at).is_ok())
                        .count();
                    if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                        return refuse(keyword);
                    }
                }
                "const" if rule != value => return refuse("const"),
                "type" => {
                    let is = |name: &Value| match name.as_str().unwrap() {
                        "string" => value.is_string(),
                        "integer" => value.is_i64() || value.is_u64(),
                        "object" => value.is_object(),
                        "array" => value.is_array(),
                        "null" => value.is_null(),
                        other => panic!("type {other}"),
                    };
                    let fits = rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is));
                    if !fits {
                        return refuse("type");
                    }
                }
                "properties" => {
                    for (name, rule) in rule.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            validate(rule, value, &format!("{at}/{name}"))?;
                        }
                    }
                }
                "additionalProperties" => {
                    let known = schema["properties"].as_object().cloned().unwrap_or_default();
                    for (name, value) in value.as_object().into_iter().flatten() {
                        match rule {
                            _ if known.contains_key(name) => {}
                            Value::Bool(false) => return refuse(name),
                            rule => validate(rule, value, &format!("{at}/{name}"))?,
                        }
                    }
                }
                "required" => {
                    for name in rule.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            return refuse("required");
                        }
                    }
                }
                "items" => {
                    for value in value.as_array().into_iter().flatten() {
                        validate(rule, value, at)?;
                    }
                }
                "minimum" if value.as_i64() < rule.as_i64() => return refuse("minimum"),
                "maximum" if value.as_i64() > rule.as_i64() => return refuse("maximum"),
                "const" | "minimum" | "maximum" | "pattern" | "format" | "default" | "description"
                | "title" | "$schema" | "$defs" => {}
                other => panic!("unknown keyword {other}"),
            }
        }
        Ok(())
    }

    /// Every key that can be set to one of some words, or to a number: section, key, definition.
    fn keys() -> Vec<(Vec<String>, &'static Value)> {
        fn walk(path: &[String], schema: &'static Value, found: &mut Vec<(Vec<String>, &'static Value)>) {
            for (name, property) in schema["properties"].as_object().unwrap() {
                let path = [path, std::slice::from_ref(name)].concat();
                if path.len() == 1 && APART.contains(&name.as_str()) {
                    continue;
                }
                match target(property) {
                    table if table["properties"].is_object() => walk(&path, table, found),
                    _ => found.push((path, property)),
                }
            }
        }
        let mut found = Vec::new();
        walk(&[], &SCHEMA, &mut found);
        found
    }

    fn with(path: &[String], value: &Value) -> Value {
        let mut nested = value.clone();
        for name in path.iter().rev() {
            nested = json!({ name.as_str(): nested });
        }
        nested["name"] = json!("x");
        nested["summary"] = json!("y");
        nested
    }

    #[test]
    fn the_schema_takes_every_built_in_profile_and_nothing_wrong() {
        for profile in Profile::builtins() {
            assert_eq!(validate(&SCHEMA, &profile.to_json(), &profile.name), Ok(()));
            let written: Value = toml::from_str(&profile.to_toml()).unwrap();
            assert_eq!(validate(&SCHEMA, &written, &profile.name), Ok(()));
        }
        let good = Profile::builtin("slack").unwrap().to_json();
        for (pointer, wrong) in [
            ("/gateway/patch", json!("workz")),
            ("/gateway", json!({"patsh": "works"})),
            ("/gateway/max-members", json!(0)),
            ("/list/max-count", json!("many")),
            ("/application/max-values", json!({"emails": 0})),
            ("/rate-limit", json!([{"status": 200}])),
            ("/discovery/lacks", json!(["bulk.minOperations"])),
            ("/requests/dialects", json!({"pathless-add": true})),
        ] {
            let mut bad = good.clone();
            let (table, key) = pointer.rsplit_once('/').unwrap();
            bad.pointer_mut(table).unwrap()[key] = wrong;
            assert!(validate(&SCHEMA, &bad, "").is_err(), "{pointer}");
            assert!(Profile::from_json(&bad).is_err(), "{pointer}");
        }
        assert!(validate(&SCHEMA, &json!({"name": "x"}), "").is_err());
    }

    #[test]
    fn the_schema_names_every_switch_and_every_word_has_its_meaning() {
        let names: Vec<String> = keys().into_iter().map(|(path, _)| path.join(".")).collect();
        fn leaves(path: &str, value: &Value, found: &mut Vec<String>) {
            match value.as_object() {
                Some(table) => {
                    for (key, value) in table {
                        leaves(&format!("{path}.{key}"), value, found);
                    }
                }
                None => found.push(path.trim_start_matches('.').to_owned()),
            }
        }
        let mut written = Vec::new();
        leaves("", &Value::Object(RFC.clone()), &mut written);
        written.retain(|key| !APART.contains(&key.as_str()));
        for key in &written {
            assert!(names.contains(key), "{key}");
        }
        assert!(names.len() > written.len(), "those that are absent by default are there too");

        let mut words = 0;
        for (path, property) in keys() {
            assert!(property["description"].is_string(), "{path:?}");
            let kind = target(property);
            assert!(
                ["string", "integer", "array", "object"].iter().any(|name| {
                    kind["type"] == **name
                        || kind["type"].as_array().is_some_and(|types| types.contains(&json!(name)))
                }) || kind["oneOf"].is_array(),
                "{path:?} is a switch whose words have no meaning: {kind}"
            );
            for word in kind["oneOf"].as_array().into_iter().flatten() {
                let text = word["description"].as_str().unwrap_or_else(|| panic!("{path:?} {word}"));
                assert!(text.ends_with('.'), "{text}");
                words += 1;
            }
        }
        assert!(words > 200, "{words}");
    }

    #[test]
    fn each_position_of_each_switch_is_read_told_and_written_back() {
        for (path, property) in keys() {
            let kind = target(property);
            let values: Vec<Value> = match kind["oneOf"].as_array() {
                Some(words) => words.iter().map(|word| word["const"].clone()).collect(),
                None if kind["type"] == "array" => {
                    let item = target(&kind["items"]);
                    vec![json!([item["oneOf"][0].get("const").cloned().unwrap_or(json!("userName"))])]
                }
                None if kind["type"] == "object" => vec![json!({"emails": 1})],
                None if kind["type"] == "string" => vec![json!("7s")],
                None => vec![json!(7)],
            };
            for value in values {
                let profile = Profile::from_json(&with(&path, &value)).unwrap();
                let differences = profile.differences();
                let regular = RFC
                    .get(&path[0])
                    .and_then(|section| path[1..].iter().try_fold(section, |at, name| at.get(name)))
                    == Some(&value);
                assert_eq!(differences.len(), usize::from(!regular), "{path:?} {value} {differences:?}");
                for difference in differences {
                    assert!(difference.key.starts_with(&path.join(".")), "{difference:?}");
                    assert!(
                        difference.meaning.len() > 10 && difference.meaning.ends_with('.'),
                        "{difference:?}"
                    );
                    assert_ne!(difference.value, difference.rfc);
                }
                let text = profile.to_toml();
                assert_eq!(Profile::from_toml(&text), Ok(profile), "{text}");
            }
        }
    }

    #[test]
    fn every_built_in_profile_is_written_back_and_differs_where_it_deviates() {
        for profile in Profile::builtins() {
            let own = Profile { extends: None, ..profile.clone() };
            assert_eq!(Profile::from_toml(&own.to_toml()), Ok(own.clone()), "{}", own.to_toml());
            assert_eq!(Profile::from_json(&own.to_json()), Ok(own));
            // The last one only says aloud what the RFC leaves open.
            let regular = ["aquera", "rfc", "gestalt-3132"].contains(&profile.name.as_str());
            assert_eq!(profile.differences().is_empty(), regular, "{}", profile.name);
        }
    }

    #[test]
    fn a_file_holds_only_what_is_not_as_the_rfc_has_it() {
        assert_eq!(Profile::default().to_toml(), "name = \"aquera\"\nsummary = \"everything works\"\n");
        let mut own = Profile::new("x", "y");
        own.requests.dialects.pathless_add = crate::profile::Dialect::Refused;
        own.list.max_count = 7;
        own.rate_limits = vec![crate::profile::RateLimit {
            max_concurrent: std::num::NonZeroU32::new(2),
            ..Default::default()
        }];
        assert_eq!(
            own.to_toml(),
            "name = \"x\"\nsummary = \"y\"\n\n[list]\nmax-count = 7\n\n[requests.dialects]\npathless-add = \
             \"refused\"\n\n[[rate-limit]]\nper = \"token\"\nmethods = \"all\"\nwindow = \"60s\"\nmax-concurrent = \
             2\nstatus = 429\nretry-after = \"seconds\"\n"
        );
    }

    #[test]
    fn the_meaning_of_a_word_goes_on_after_a_colon() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let switch = json!({"oneOf": [{"const": "x", "description": text}]});
            assert_eq!(word(&switch, &json!("x")).as_deref(), Some(expected));
        }
        check("Answers 405.", "answers 405.");
        check("A page in HTML.", "a page in HTML.");
        check("PUT works.", "PUT works.");
        check("`text/html`.", "`text/html`.");
    }

    #[test]
    fn a_difference_says_what_follows() {
        #[track_caller]
        fn check(text: &str, key: &str, value: Value, rfc: Value, meaning: &str) {
            let profile = Profile::from_toml(&format!("name = \"x\"\nsummary = \"y\"\n{text}\n")).unwrap();
            let expected = Difference { key: key.to_owned(), value, rfc, meaning: meaning.to_owned() };
            assert_eq!(profile.differences(), [expected]);
        }
        check(
            "[gateway]\npatch = \"answers-405\"",
            "gateway.patch",
            json!("answers-405"),
            json!("works"),
            "What becomes of a PATCH: answers 405.",
        );
        check(
            "[list]\nmax-start-index = 2200",
            "list.max-start-index",
            json!(2200),
            Value::Null,
            "A `startIndex` past this answers 400.",
        );
        check(
            "[application.max-values]\nemails = 1",
            "application.max-values.emails",
            json!(1),
            Value::Null,
            "How many values these attributes may have at most; more answers 400 `invalidValue`.",
        );
        check(
            "[[rate-limit]]\nmethods = \"writes\"\nrequests = 180\nburst = 20\nretry-after = \"missing\"",
            "rate-limit",
            json!({"burst": 20, "methods": "writes", "per": "token", "requests": 180, "retry-after": "missing",
                "status": 429, "window": "60s"}),
            Value::Null,
            "writes: 180 in 60s, 20 in a row per token, then 429 without Retry-After",
        );
    }
}
