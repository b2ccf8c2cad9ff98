//! What a body has to hold, and where it doesn't.

use serde_json::Value;

use super::Difference::{self, Hidden, Known};
use crate::journal::redact::{self, REDACTED};

/// What is wrong at a JSON pointer.
pub(super) fn at(body: Option<&Value>, pointer: &str, written: &Value) -> Option<Difference> {
    let wanted = &redact::expected_at(pointer, written);
    let Some(body) = body else {
        return Some(Known(format!("there is no body, expected {} at {pointer}", short(wanted))));
    };
    match body.pointer(pointer) {
        Some(is) if equal(is, wanted) => (wanted != written).then(|| hidden(pointer)),
        Some(is) if is == REDACTED => Some(hidden(pointer)),
        Some(is) => {
            Some(Known(format!("body {} is {}, expected {}", place(pointer), short(is), short(wanted))))
        }
        None => Some(Known(format!("body has no {}, expected {}", place(pointer), short(wanted)))),
    }
}

/// What a body lacks of a part.
pub(super) fn includes(body: Option<&Value>, part: &Value) -> Vec<Difference> {
    let wanted = redact::expected_at("", part);
    let Some(body) = body else {
        let lacks = format!("there is no body, expected one that includes {}", short(&wanted));
        return vec![Known(lacks)];
    };
    let mut differences = Vec::new();
    compare(body, &wanted, "", &mut differences);
    if differences.is_empty() && wanted != *part {
        differences.push(Hidden("a value in the body is redacted and can't be compared".to_owned()));
    }
    differences
}

fn compare(is: &Value, wanted: &Value, pointer: &str, differences: &mut Vec<Difference>) {
    match (is, wanted) {
        (Value::Object(members), Value::Object(wanted)) => {
            for (name, wanted) in wanted {
                let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                match members.get(name) {
                    Some(is) => compare(is, wanted, &below, differences),
                    None => {
                        differences.push(Known(format!("body has no {below}, expected {}", short(wanted))));
                    }
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
                    None => differences.push(Known(format!(
                        "body {} has nothing that includes {}",
                        place(pointer),
                        short(wanted)
                    ))),
                }
            }
        }
        (is, wanted) if equal(is, wanted) => {}
        (is, _) if is == REDACTED => differences.push(hidden(pointer)),
        (is, wanted) => {
            let text = format!("body {} is {}, expected {}", place(pointer), short(is), short(wanted));
            differences.push(Known(text));
        }
    }
}

/// What isn't kept can't be compared, and what was expected of it isn't told either.
fn hidden(pointer: &str) -> Difference {
    Hidden(format!("body {} is redacted and can't be compared", place(pointer)))
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
