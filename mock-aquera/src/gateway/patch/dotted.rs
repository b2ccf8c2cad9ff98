//! PATCH paths with a dot, where the application behind the gateway takes them for the names of members.

use scim::filter::PatchPath;
use scim::patch::{PatchKind, PatchRequest};
use serde_json::{Map, Value};

/// A member by the text of a path, and its new value; `None` removes it.
pub(super) type Literal = (String, Option<Value>);

/// Takes out of a request what is about a sub-attribute without a filter: whole operations, and members of values
/// without a path.
pub(super) fn take_out(request: &mut PatchRequest) -> Vec<Literal> {
    let mut literal = Vec::new();
    request.operations.retain_mut(|operation| {
        let kind = operation.kind();
        match operation.parts_mut() {
            (Some(path), value) if is_dotted(path) => {
                let value = value.filter(|_| kind != PatchKind::Remove).map(Value::take);
                literal.push((path.to_string(), value));
                return false;
            }
            (None, Some(Value::Object(members))) => {
                let whole = members.len();
                let keys: Vec<String> = members.keys().cloned().collect();
                for key in keys.into_iter().filter(|key| key.parse().is_ok_and(|path| is_dotted(&path))) {
                    let value = members.remove(&key);
                    literal.push((key, value));
                }
                // An operation of which nothing is left does nothing.
                return !members.is_empty() || whole == 0;
            }
            _ => {}
        }
        true
    });
    literal
}

fn is_dotted(path: &PatchPath) -> bool {
    path.sub.is_some() && path.filter.is_none()
}

/// Sets the members in a resource.
pub(super) fn put_in(tree: &mut Map<String, Value>, literal: &[Literal]) {
    for (name, value) in literal {
        match value {
            Some(value) => drop(tree.insert(name.clone(), value.clone())),
            None => drop(tree.remove(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use scim::schema::PATCH_URN;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_paths_with_a_dot_and_no_filter_are_taken_out() {
        let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.displayName";
        let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        let body = json!({"schemas": [PATCH_URN], "Operations": [
            {"op": "replace", "path": "name.givenName", "value": "Ida"},
            {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "i@example.com"},
            {"op": "replace", "path": department, "value": "Ops"},
            {"op": "remove", "path": manager},
            {"op": "replace", "value": {"title": "t", "name.familyName": "L"}},
            {"op": "add", "value": {"name.middleName": "M"}},
        ]});
        let mut request = PatchRequest::from_json(&body).unwrap();
        let literal = take_out(&mut request);
        let mut tree = json!({manager: "x", "title": "old"}).as_object().cloned().unwrap();
        put_in(&mut tree, &literal);
        let expected =
            json!({"title": "old", "name.givenName": "Ida", "name.familyName": "L", "name.middleName": "M"});
        assert_eq!(Value::Object(tree), expected);
        assert_eq!(request.operations.len(), 3);
        assert_eq!(request.operations[2].value(), Some(&json!({"title": "t"})));
    }
}
