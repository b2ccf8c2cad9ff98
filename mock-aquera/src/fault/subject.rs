//! What a rule can ask of a body.

use serde_json::{Map, Value};

/// The `userName` in the body of a POST or a PUT.
pub(crate) fn user_name(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    member(body.as_object()?, "userName")?.as_str().map(str::to_owned)
}

/// What the operations in the body of a PATCH name: their paths, and of those without one the members of the value,
/// which is the same change in other words (RFC 7644 §3.5.2.3).
pub(crate) fn patch_paths(body: &[u8]) -> Vec<String> {
    let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Vec::new() };
    let operations = match member(&body, "Operations") {
        Some(Value::Array(operations)) => operations.as_slice(),
        Some(operation) => std::slice::from_ref(operation),
        None => return Vec::new(),
    };
    let mut paths = Vec::new();
    for operation in operations.iter().filter_map(Value::as_object) {
        match (member(operation, "path"), member(operation, "value")) {
            (Some(Value::String(path)), _) => paths.push(path.clone()),
            (None | Some(Value::Null), Some(Value::Object(value))) => name_members(value, &mut paths),
            _ => {}
        }
    }
    paths
}

/// Each member, and each one of a member that is an object itself.
fn name_members(value: &Map<String, Value>, paths: &mut Vec<String>) {
    for (name, value) in value {
        paths.push(name.clone());
        let joint = if name.contains(':') { ':' } else { '.' };
        let inner = value.as_object().into_iter().flat_map(Map::keys);
        paths.extend(inner.map(|inner| format!("{name}{joint}{inner}")));
    }
}

fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_of_a_patch_names_its_paths() {
        #[track_caller]
        fn check(body: &str, paths: &[&str]) {
            assert_eq!(patch_paths(body.as_bytes()), paths, "{body}");
        }
        check(
            r#"{"Operations":[{"op":"replace","path":"active","value":false},{"op":"remove","path":"title"}]}"#,
            &["active", "title"],
        );
        check(r#"{"operations":{"Op":"Replace","Path":"active","value":false}}"#, &["active"]);
        check(
            r#"{"Operations":[{"op":"replace","value":{"active":false,"name.givenName":"A"}}]}"#,
            &["active", "name.givenName"],
        );
        check(
            r#"{"Operations":[{"op":"add","value":{"name":{"givenName":"A"},"urn:a:b":{"c":1}}}]}"#,
            &["name", "name.givenName", "urn:a:b", "urn:a:b:c"],
        );
        check(r#"{"Operations":[{"op":"add","value":[1]},7]}"#, &[]);
        check(r#"{"Operations":7}"#, &[]);
        check("[]", &[]);
        check("{", &[]);
    }

    #[test]
    fn a_body_names_its_user() {
        assert_eq!(user_name(br#"{"username":"ana"}"#).as_deref(), Some("ana"));
        for body in ["{}", r#"{"userName":1}"#, "[]", "", "{"] {
            assert_eq!(user_name(body.as_bytes()), None, "{body}");
        }
    }
}
