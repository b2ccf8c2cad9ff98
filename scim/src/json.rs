//! Members of JSON objects, whose names compare without case (RFC 7643 §2.1), and values that count as none.

use serde_json::{Map, Value};

/// Returns the member with a name in any case. The exact spelling has priority.
pub fn get_ci<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.get(name).or_else(|| object.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v))
}

/// Returns a member as mutable; see [`get_ci`].
pub fn get_ci_mut<'a>(object: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Value> {
    let key = key_ci(object, name)?.to_owned();
    object.get_mut(&key)
}

/// Returns the spelling of a member name in an object.
pub fn key_ci<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    match object.get_key_value(name) {
        Some((key, _)) => Some(key),
        None => object.keys().find(|k| k.eq_ignore_ascii_case(name)).map(String::as_str),
    }
}

/// Whether a value is the same as no value: `null` or an empty array (RFC 7643 §2.5).
pub(crate) fn is_unassigned(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn member_look_up_prefers_the_exact_spelling() {
        let value = json!({"USERNAME": 1, "userName": 2, "Other": 3});
        let object = value.as_object().unwrap();
        assert_eq!(get_ci(object, "userName"), Some(&json!(2)));
        assert_eq!(get_ci(object, "other"), Some(&json!(3)));
        assert_eq!(key_ci(object, "OTHER"), Some("Other"));
        assert_eq!(key_ci(object, "none"), None);
    }
}
