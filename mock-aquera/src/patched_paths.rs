//! What the operations of a PATCH change, as paths that can be compared.
//!
//! Faults, the journal and expectations ask for such paths. An attribute of the resource's own schema may be named with
//! the URN of that schema in front of it (RFC 7644 §3.10), and a value may name it as a member: it is the same change
//! (RFC 7644 §3.5.2.3).

use scim::json::get_ci;
use scim::text::lower_case;
use serde_json::{Map, Value};

/// The beginning of the URNs of the schemas that resources have by the RFCs: that of an extension has another.
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";

/// How deep members are named: a schema, an attribute of it, and a sub-attribute.
const DEPTH: usize = 3;

/// The paths that the operations in the body of a PATCH name, as they are sent: their `path`, and the members of an
/// object as `value` behind it.
pub(crate) fn paths(body: &Value) -> Vec<String> {
    let operations = match body.as_object().and_then(|body| get_ci(body, "Operations")) {
        Some(Value::Array(operations)) => operations.as_slice(),
        Some(operation) => std::slice::from_ref(operation),
        // Some clients send one operation without the message around it.
        None => std::slice::from_ref(body),
    };
    let mut paths = Vec::new();
    for operation in operations.iter().filter_map(Value::as_object) {
        let path = match get_ci(operation, "path") {
            None | Some(Value::Null) => "",
            Some(Value::String(path)) => path,
            Some(_) => continue,
        };
        if !path.is_empty() {
            paths.push(path.to_owned());
        }
        if let Some(Value::Object(value)) = get_ci(operation, "value") {
            name_members(value, path, DEPTH, &mut paths);
        }
    }
    paths
}

/// Names each member, and those of a member that is an object itself.
fn name_members(value: &Map<String, Value>, parent: &str, depth: usize, paths: &mut Vec<String>) {
    if depth == 0 {
        return;
    }
    let is_urn = parent.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
    // A URN alone doesn't tell whether it names a schema or an attribute of one, so both readings count.
    let joints: &[&str] = match parent {
        "" => &[""],
        parent if is_urn && !parent.contains('[') => &[":", "."],
        _ => &["."],
    };
    for (name, value) in value {
        for joint in joints {
            let path = format!("{parent}{joint}{name}");
            if let Value::Object(inner) = value {
                name_members(inner, &path, depth - 1, paths);
            }
            paths.push(path);
        }
    }
}

/// A path as it is compared: without the URN of the resource's own schema, without case, and with one space where there
/// are several. `core` is that URN, where it is known.
pub(crate) fn comparable(path: &str, core: Option<&str>) -> String {
    let spaced = path.split_whitespace().collect::<Vec<_>>().join(" ");
    lower_case(without_urn(&spaced, core)).into_owned()
}

fn without_urn<'p>(path: &'p str, core: Option<&str>) -> &'p str {
    let behind = |start: &str| {
        let (found, rest) = path.split_at_checked(start.len())?;
        found.eq_ignore_ascii_case(start).then_some(rest)
    };
    if let Some(attribute) = core.and_then(behind).and_then(|rest| rest.strip_prefix(':')) {
        return attribute;
    }
    behind(CORE).and_then(|rest| rest.split_once(':')).map_or(path, |(_, attribute)| attribute)
}

#[cfg(test)]
mod tests {
    use crate::patched_paths::*;

    #[test]
    fn every_dialect_of_a_patch_names_its_paths() {
        #[track_caller]
        fn check(body: &str, expected: &[&str]) {
            let found = paths(&serde_json::from_str(body).unwrap());
            for path in expected {
                assert!(found.iter().any(|found| found == path), "{body}: {found:?} lacks {path}");
            }
            let urns = |path: &&String| path.starts_with("urn:");
            assert_eq!(
                found.iter().filter(|path| !urns(path)).count(),
                expected.iter().filter(|path| !path.starts_with("urn:")).count(),
                "{found:?}"
            );
        }
        check(
            r#"{"Operations":[{"op":"replace","path":"active","value":false},{"op":"remove","path":"title"}]}"#,
            &["active", "title"],
        );
        check(r#"{"operations":{"Op":"Replace","Path":"active","value":false}}"#, &["active"]);
        check(r#"{"op":"Replace","path":"active","value":false}"#, &["active"]);
        check(
            r#"{"Operations":[{"op":"replace","value":{"active":false,"name.givenName":"A"}}]}"#,
            &["active", "name.givenName"],
        );
        check(
            r#"{"Operations":[{"op":"add","value":{"name":{"givenName":"A"},"urn:a:b":{"c":{"d":{"e":1}}}}}]}"#,
            &["name", "name.givenName", "urn:a:b", "urn:a:b:c", "urn:a:b:c.d"],
        );
        check(
            r#"{"Operations":[{"op":"add","path":"urn:a:B:name","value":{"givenName":"A"}}]}"#,
            &["urn:a:B:name", "urn:a:B:name.givenName"],
        );
        check(
            r#"{"Operations":[{"op":"add","path":"emails[type eq \"work\"]","value":{"value":"a@x"}}]}"#,
            &["emails[type eq \"work\"]", "emails[type eq \"work\"].value"],
        );
        check(r#"{"Operations":[{"op":"add","value":[1]},7,{"op":"add","path":7,"value":{"a":1}}]}"#, &[]);
        for body in [r#"{"Operations":7}"#, "[]", "7", "{}"] {
            check(body, &[]);
        }
    }

    #[test]
    fn paths_are_compared_without_the_urn_of_their_own_schema() {
        let user = "urn:ietf:params:scim:schemas:core:2.0:User";
        for path in
            ["Active", "active", &format!("{user}:active"), &format!("{}:ACTIVE", user.to_uppercase())]
        {
            assert_eq!(comparable(path, None), "active", "{path}");
        }
        assert_eq!(comparable("emails[type  eq \"work\"]", None), "emails[type eq \"work\"]");
        assert_eq!(comparable(user, None), user.to_lowercase());
        let own = Some("urn:example:Device");
        assert_eq!(comparable("URN:example:device:serial", own), "serial");
        assert_eq!(comparable("urn:example:DeviceX:serial", own), "urn:example:devicex:serial");
        assert_eq!(comparable("urn:example:é:serial", own), "urn:example:é:serial");
    }
}
