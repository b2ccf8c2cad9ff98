//! Steps that say what is written or looked at, and not how: each word of `write` and `read` makes requests of them.

use serde_json::{Value as Json, json};
use toml::{Table, Value};

use crate::case::over::{OverError, READ, WRITE};

/// The words of `write`: word, phrase, needs.
const WRITES: [(&str, &str, &[&str]); 7] = [
    ("post", "a POST", &[]),
    ("put", "a PUT", &[]),
    ("patch-path", "a PATCH with a path", &["patch"]),
    ("patch-without-path", "a PATCH without path", &["patch"]),
    ("bulk-post", "a POST in a bulk request", &["bulk"]),
    ("bulk-put", "a PUT in a bulk request", &["bulk"]),
    ("bulk-patch", "a PATCH in a bulk request", &["bulk", "patch"]),
];

/// The words of `read`: word, phrase, needs.
const READS: [(&str, &str, &[&str]); 4] = [
    ("get", "a GET", &[]),
    ("list", "a list", &["filter"]),
    ("filter", "a filter on it", &["filter"]),
    ("search", "a POST to .search", &["filter"]),
];

/// Statuses of a server without `.search`.
const WITHOUT_SEARCH: [i64; 4] = [403, 404, 405, 501];

/// Why a step cannot be turned into requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StepsError {
    /// The step stands in a case without the dimension.
    #[error("`{step}` needs the dimension `{dimension}` of `over`")]
    Dimension {
        /// The step.
        step: &'static str,
        /// The dimension.
        dimension: &'static str,
    },
    /// A key is missing, or has another type.
    #[error("`{step}` needs `{key}`, {expected}")]
    Key {
        /// The step.
        step: &'static str,
        /// The key.
        key: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
}

/// Returns the phrase of a word, and what it needs.
pub(super) fn known(
    dimension: &'static str,
    word: &str,
) -> Result<(&'static str, &'static [&'static str]), OverError> {
    let words: &[(&str, &str, &[&str])] = if dimension == WRITE { &WRITES } else { &READS };
    let found = words.iter().find(|(known, ..)| *known == word);
    found.map(|(_, by, needs)| (*by, *needs)).ok_or_else(|| OverError::Word {
        dimension,
        word: word.to_owned(),
        known: words.iter().map(|(known, ..)| *known).collect(),
    })
}

/// Replaces the steps `write` and `look` of an item by the requests of the words.
pub(super) fn expand(item: &mut Table, write: Option<&str>, read: Option<&str>) -> Result<(), OverError> {
    let is_must = item.get("level").and_then(Value::as_str).is_none_or(|level| level == "must");
    let Some(Value::Array(steps)) = item.get_mut("step") else { return Ok(()) };
    let mut done = Vec::with_capacity(steps.len());
    for (at, step) in std::mem::take(steps).into_iter().enumerate() {
        let failed = |source| OverError::Step { step: at + 1, source };
        match step {
            Value::Table(step) if step.contains_key("write") => {
                let word = write.ok_or(StepsError::Dimension { step: "write", dimension: WRITE });
                let made = word.and_then(|word| self::write(step, word, is_must)).map_err(failed)?;
                done.extend(made.into_iter().map(Value::Table));
            }
            Value::Table(step) if step.contains_key("look") => {
                let word = read.ok_or(StepsError::Dimension { step: "look", dimension: READ });
                done.push(Value::Table(word.and_then(|word| look(step, word)).map_err(failed)?));
            }
            other => done.push(other),
        }
    }
    *steps = done;
    Ok(())
}

/// Takes a text out of a step.
fn text(step: &mut Table, of: &'static str, key: &'static str) -> Result<Option<String>, StepsError> {
    match step.remove(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(StepsError::Key { step: of, key, expected: "a text" }),
    }
}

fn required(step: &mut Table, of: &'static str, key: &'static str) -> Result<String, StepsError> {
    text(step, of, key)?.ok_or(StepsError::Key { step: of, key, expected: "a text" })
}

/// Takes the JSON object of a key out of a step.
fn object(step: &mut Table, key: &'static str) -> Result<Option<serde_json::Map<String, Json>>, StepsError> {
    let Some(text) = text(step, "write", key)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|_| StepsError::Key {
        step: "write",
        key,
        expected: "a JSON object",
    })
}

fn list(step: &mut Table, key: &'static str) -> Result<Vec<Value>, StepsError> {
    match step.remove(key) {
        None => Ok(Vec::new()),
        Some(Value::Array(elements)) => Ok(elements),
        Some(_) => Err(StepsError::Key { step: "write", key, expected: "an array" }),
    }
}

fn table<const N: usize>(members: [(&str, Value); N]) -> Table {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn expectation<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Table(table(members))
}

fn statuses(statuses: &[Value]) -> Value {
    Value::Array(statuses.to_vec())
}

/// Returns the requests of `write = "ada"`, with `set` as the attributes. `before` are the attributes that the resource is created
/// with, where it is there before. `refused` is the error that has to come.
fn write(mut step: Table, word: &str, is_must: bool) -> Result<Vec<Table>, StepsError> {
    let name = required(&mut step, "write", "write")?;
    let kind = text(&mut step, "write", "type")?.unwrap_or_else(|| "User".to_owned());
    let set = object(&mut step, "set")?.ok_or(StepsError::Key {
        step: "write",
        key: "set",
        expected: "a JSON object of attributes",
    })?;
    let before = text(&mut step, "write", "before")?;
    let is_there = step.remove("exists").and_then(|value| value.as_bool()).unwrap_or(false);
    let refused = step.remove("refused");
    let mut expect = list(&mut step, "expect")?;
    let mut made = Vec::new();
    if !is_there && !matches!(word, "post" | "bulk-post") {
        let mut create = table([("create", Value::from(kind.as_str())), ("as", Value::from(name.as_str()))]);
        if let Some(before) = before {
            create.insert("with".to_owned(), Value::String(before));
        }
        made.push(create);
    }
    let name_of = if kind == "Group" { "displayName" } else { "userName" };
    let put = |set: &serde_json::Map<String, Json>| {
        let mut data = serde_json::Map::new();
        data.insert("...".to_owned(), json!(format!("{{{{{kind}.new}}}}")));
        if word == "bulk-put" {
            data.insert(name_of.to_owned(), json!(format!("{{{{{name}/{name_of}}}}}")));
        }
        let extensions: Vec<_> = set.keys().filter(|key| is_extension(key)).collect();
        if !extensions.is_empty() {
            let mut schemas = vec![json!(format!("{{{{{kind}.new/schemas/0}}}}"))];
            schemas.extend(extensions.into_iter().map(|key| json!(key)));
            data.insert("schemas".to_owned(), json!(schemas));
        }
        data.extend(set.clone());
        Json::Object(data)
    };
    let path = format!("{{{{{name}.path}}}}");
    let set_text = || Value::String(Json::Object(set.clone()).to_string());
    let operation = match word {
        "post" => {
            step.insert("create".to_owned(), Value::String(kind.clone()));
            step.insert("with".to_owned(), set_text());
            None
        }
        "put" => {
            step.insert("replace".to_owned(), Value::String(name.clone()));
            step.insert("with".to_owned(), set_text());
            None
        }
        "patch-path" | "patch-without-path" => {
            let operations = if word == "patch-path" {
                with_paths(&set)
            } else {
                json!([{ "op": "replace", "value": set }])
            };
            step.insert("patch".to_owned(), Value::String(name.clone()));
            step.insert("ops".to_owned(), Value::String(operations.to_string()));
            None
        }
        "bulk-post" => Some(json!({
            "method": "POST", "path": format!("{{{{{kind}.path}}}}"), "bulkId": "a", "data": put(&set),
        })),
        "bulk-put" => Some(json!({ "method": "PUT", "path": path, "data": put(&set) })),
        _ => Some(json!({
            "method": "PATCH", "path": path,
            "data": { "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": with_paths(&set) },
        })),
    };
    let is_bulk = operation.is_some();
    let answer = if is_bulk { format!("{name}-bulk") } else { name.clone() };
    let own = if let Some(operation) = operation {
        step.insert("bulk".to_owned(), Value::String(json!([operation]).to_string()));
        of_bulk(refused.as_ref())
    } else {
        match &refused {
            Some(error) => vec![expectation([("error", error.clone())])],
            None => vec![expectation([("status", statuses(&[Value::from("2xx")]))])],
        }
    };
    step.insert("as".to_owned(), Value::String(answer.clone()));
    // A SHOULD is not about whether the write is done at all.
    step.entry("preparation").or_insert(Value::Boolean(!is_must && refused.is_none()));
    expect.splice(0..0, own);
    step.insert("expect".to_owned(), Value::Array(expect));
    made.push(step);
    if word == "bulk-post" && refused.is_none() {
        let line = format!("GET {{{{{answer}/Operations/0/location}}}}");
        made.push(table([
            ("send", Value::String(line)),
            ("as", Value::String(name)),
            ("preparation", Value::Boolean(!is_must)),
            (
                "expect",
                Value::Array(vec![
                    expectation([("status", statuses(&[Value::from(200)]))]),
                    expectation([("body", Value::from("any"))]),
                ]),
            ),
        ]));
    }
    Ok(made)
}

/// Returns what has to be said of the only operation of a bulk request.
fn of_bulk(refused: Option<&Value>) -> Vec<Value> {
    let answered = expectation([("status", statuses(&[Value::from(200)]))]);
    let of = |name: &str, condition: (&str, Value), level: Option<&str>| {
        let mut members = table([("at", Value::String(format!("/Operations/0/{name}"))), condition]);
        members.extend(level.map(|level| ("level".to_owned(), Value::from(level))));
        Value::Table(members)
    };
    let Some(error) = refused else {
        return vec![answered, of("status", ("says-status", statuses(&[Value::from("2xx")])), None)];
    };
    let wanted = error.get("status").cloned().unwrap_or_else(|| statuses(&[Value::from("4xx")]));
    let mut told = vec![answered, of("status", ("says-status", wanted), None)];
    if let Some(Value::Array(types)) = error.get("types") {
        let types: Vec<_> = types.iter().filter_map(Value::as_str).collect();
        let types = Value::String(json!(types).to_string());
        let level = error.get("types-level").and_then(Value::as_str).unwrap_or("should");
        told.push(of("response/scimType", ("one-of", types), Some(level)));
    }
    told
}

fn is_extension(key: &str) -> bool {
    key.starts_with("urn:") || key.starts_with("{{")
}

/// Returns an operation with a path for each attribute and sub-attribute.
fn with_paths(set: &serde_json::Map<String, Json>) -> Json {
    let mut operations = Vec::new();
    let mut one = |path: String, value: &Json| {
        operations.push(match value {
            Json::Null => json!({ "op": "remove", "path": path }),
            value => json!({ "op": "replace", "path": path, "value": value }),
        });
    };
    for (name, value) in set {
        match value {
            Json::Object(parts) => {
                let mark = if is_extension(name) { ':' } else { '.' };
                for (part, value) in parts {
                    one(format!("{name}{mark}{part}"), value);
                }
            }
            value => one(name.clone(), value),
        }
    }
    Json::Array(operations)
}

/// Returns the request of `look = "ada"`.
fn look(mut step: Table, word: &str) -> Result<Table, StepsError> {
    let name = required(&mut step, "look", "look")?;
    let kind = text(&mut step, "look", "type")?.unwrap_or_else(|| "User".to_owned());
    let by = text(&mut step, "look", "by-filter")?;
    let mut expect = list(&mut step, "expect")?;
    if word == "get" {
        step.insert("read".to_owned(), Value::String(name));
        expect.insert(0, expectation([("status", statuses(&[Value::from(200)]))]));
        step.insert("expect".to_owned(), Value::Array(expect));
        return Ok(step);
    }
    let name_of = if kind == "Group" { "displayName" } else { "userName" };
    let filter = match by {
        Some(by) if word == "filter" => by,
        _ if word == "filter" => format!("id eq \"{{{{{name}.id}}}}\""),
        _ => format!("{name_of} eq \"{{{{{name}/{name_of}}}}}\""),
    };
    if word == "search" {
        step.insert("search".to_owned(), Value::String(kind));
        step.insert("body".to_owned(), Value::String(json!({ "filter": filter }).to_string()));
        let without = WITHOUT_SEARCH.into_iter().map(Value::from).collect();
        step.insert("unsupported".to_owned(), Value::Array(without));
    } else {
        step.insert("list".to_owned(), Value::String(kind));
        step.insert("query".to_owned(), expectation([("filter", Value::String(filter))]));
    }
    // Other resources may have the same value: what is looked at is then not the only one.
    let mut wanted = vec![
        expectation([("status", statuses(&[Value::from(200)]))]),
        expectation([("lists-exactly", Value::Array(vec![Value::String(name)]))]),
    ];
    wanted.extend(expect.into_iter().filter_map(anchored));
    step.insert("expect".to_owned(), Value::Array(wanted));
    Ok(step)
}

/// Returns an expectation of a resource as one of the first resource of a list; `None` where a list has nothing of it.
fn anchored(expectation: Value) -> Option<Value> {
    let Value::Table(mut table) = expectation else { return Some(expectation) };
    if ["header", "unchanged", "status"].iter().any(|key| table.contains_key(*key)) {
        return None;
    }
    if let Some(Value::String(pointer)) = table.get_mut("at") {
        pointer.insert_str(0, "/Resources/0");
    }
    if let Some(Value::Array(lists)) = table.get_mut("any-of") {
        for list in lists {
            if let Value::Array(inner) = list {
                *inner = std::mem::take(inner).into_iter().filter_map(anchored).collect();
            }
        }
    }
    Some(Value::Table(table))
}
