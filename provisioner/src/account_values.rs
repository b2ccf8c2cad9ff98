//! The values of an account at mapped paths: how they are kept, and when two of them say the same.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::mapping::TargetPath;
use crate::source::fingerprint;

/// The values of an account at mapped paths, as far as they are known.
pub type AccountValues = BTreeMap<TargetPath, Value>;

/// Returns `value` as it is kept for comparison; of a password only a digest.
pub(crate) fn comparable_value(path: &TargetPath, value: &Value) -> Value {
    if is_never_returned(path) {
        Value::String(fingerprint([value.to_string().as_str()]))
    } else {
        value.clone()
    }
}

/// Whether an account that `carries` this is at `path` as wanted.
pub(crate) fn is_carried(carries: &AccountValues, path: &TargetPath, wanted: Option<&Value>) -> bool {
    if is_never_returned(path) {
        return carries.get(path) == wanted.map(|value| comparable_value(path, value)).as_ref();
    }
    carries.get(path) == wanted
}

/// Whether `shown` equals `written` in a spelling of a target: other case or blanks, a text for a number or a boolean, a
/// telephone number by its digits, a language tag with `_`. Exact values (`externalId`) must be equal.
pub(crate) fn is_form_of(path: &TargetPath, shown: &Value, written: &Value) -> bool {
    if shown == written {
        return true;
    }
    let exact = path.urn().is_none() && path.attribute().eq_ignore_ascii_case("externalId");
    match (text_of(shown), text_of(written)) {
        (Some(shown), Some(written)) if !exact => {
            let key: fn(&str) -> String = if is_any(path, &["phoneNumbers"]) {
                digits
            } else if is_any(path, &["locale", "preferredLanguage"]) {
                |text| folded(text).replace('_', "-")
            } else {
                folded
            };
            key(&shown) == key(&written)
        }
        _ => false,
    }
}

/// Whether a target never returns the value (RFC 7643 §4.1.1: `password`).
pub(crate) fn is_never_returned(path: &TargetPath) -> bool {
    path.urn().is_none() && path.attribute().eq_ignore_ascii_case("password")
}

fn is_any(path: &TargetPath, attributes: &[&str]) -> bool {
    path.urn().is_none() && attributes.iter().any(|name| path.attribute().eq_ignore_ascii_case(name))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Returns a telephone number without the characters that only group its digits (RFC 3966 §3).
fn digits(text: &str) -> String {
    let text = text.trim().to_lowercase();
    let text = text.strip_prefix("tel:").unwrap_or(&text);
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '-' | '.' | '(' | ')' | '/')).collect()
}
