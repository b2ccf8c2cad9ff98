//! What a body has to hold, and where it doesn't.

use serde_json::Value;

use crate::journal::redact::{self, REDACTED};

/// What is wrong at a JSON pointer.
pub(super) fn at(body: Option<&Value>, pointer: &str, wanted: &Value) -> Option<String> {
    let wanted = &redact::expected_at(pointer, wanted);
    let Some(body) = body else {
        return Some(format!("there is no body, expected {} at {pointer}", short(wanted)));
    };
    match body.pointer(pointer) {
        Some(is) if equal(is, wanted) => None,
        Some(is) if is == REDACTED => Some(hidden(pointer)),
        Some(is) => Some(format!("body {} is {}, expected {}", place(pointer), short(is), short(wanted))),
        None => Some(format!("body has no {}, expected {}", place(pointer), short(wanted))),
    }
}

/// What a body lacks of a part.
pub(super) fn includes(body: Option<&Value>, part: &Value) -> Vec<String> {
    let mut differences = Vec::new();
    match body {
        Some(body) => compare(body, &redact::expected_at("", part), "", &mut differences),
        None => differences.push(format!(
            "there is no body, expected one that includes {}",
            short(&redact::expected_at("", part))
        )),
    }
    differences
}

fn compare(is: &Value, wanted: &Value, pointer: &str, differences: &mut Vec<String>) {
    match (is, wanted) {
        (Value::Object(members), Value::Object(wanted)) => {
            for (name, wanted) in wanted {
                let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                match members.get(name) {
                    Some(is) => compare(is, wanted, &below, differences),
                    None => differences.push(format!("body has no {below}, expected {}", short(wanted))),
                }
            }
        }
        (Value::Array(items), Value::Array(wanted)) => {
            for (at, wanted) in wanted.iter().enumerate() {
                if items.iter().any(|item| holds(item, wanted)) {
                    continue;
                }
                // The one at the same place says most about what is wrong.
                let below = format!("{pointer}/{at}");
                match items.get(at) {
                    Some(is) => compare(is, wanted, &below, differences),
                    None => differences.push(format!(
                        "body {} has nothing that includes {}",
                        place(pointer),
                        short(wanted)
                    )),
                }
            }
        }
        (is, wanted) if equal(is, wanted) => {}
        (is, _) if is == REDACTED => differences.push(hidden(pointer)),
        (is, wanted) => {
            differences.push(format!("body {} is {}, expected {}", place(pointer), short(is), short(wanted)));
        }
    }
}

/// What isn't kept can't be compared, and what was expected of it isn't told either.
fn hidden(pointer: &str) -> String {
    format!("body {} is redacted and can't be compared", place(pointer))
}

fn holds(is: &Value, wanted: &Value) -> bool {
    let mut differences = Vec::new();
    compare(is, wanted, "", &mut differences);
    differences.is_empty()
}

/// Numbers are equal by value: `1` and `1.0` are one in JSON.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        (one, other) => one == other,
    }
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "as a whole" } else { pointer }
}

/// JSON that fits into a line.
pub(super) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
