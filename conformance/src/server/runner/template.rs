//! Requests that are refused because they lack an attribute of the template, or have a member that is made up: a server may
//! require more than its schema says, or what no one can make up, so such a refusal judges nothing.

use serde_json::Value;

use crate::format;
use crate::json::{get, is_absent};
use crate::server::PREFIX;
use crate::server::discovery::ResourceType;
use crate::server::runner::{DETAIL, Player};
use crate::subject::server::client::{Answer, Request};

/// Members that no client has to send.
const OF_THE_SERVER: [&str; 3] = ["schemas", "id", "meta"];

impl Player<'_> {
    /// Returns why a refusal judges nothing, or `None` if the request lacks no attribute that the template has.
    pub(super) fn refused_without(&self, request: &Request, answer: &Answer) -> Option<String> {
        if !matches!(answer.status, 400 | 422) {
            return None;
        }
        let below = self.context.client.below(&request.path);
        let path = below.as_deref().unwrap_or(&request.path);
        let types = &self.context.facts.resource_types;
        let known = types.iter().find(|known| {
            let rest = path.strip_prefix(known.endpoint.as_str());
            rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('/') && rest != "/.search"))
        })?;
        let body: Value = serde_json::from_str(request.body.as_deref()?).ok()?;
        let template = self.context.blank.templates.get(&known.name.to_ascii_lowercase());
        let name = template.and_then(|template| match request.method.as_str() {
            "POST" | "PUT" => left_out(template, &body, known),
            "PATCH" => cleared(template, &body),
            _ => None,
        });
        let reason = match name {
            Some(name) => {
                format!("it is without `{name}`, which the template has and the server seems to require")
            }
            None if has_made_up_member(&body) => {
                "the server's schema requires members of a group, and the one sent is made up".to_owned()
            }
            None => return None,
        };
        let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
        let detail =
            detail.map_or_else(String::new, |detail| format!(", saying: {}", format::cut(detail, DETAIL)));
        Some(format!(
            "it could not be tried: {} is answered {}{detail}; {reason}",
            request.method, answer.status
        ))
    }
}

/// Whether a group has a member that [`Blank`](crate::server::blank::Blank) made up.
fn has_made_up_member(body: &Value) -> bool {
    let members = get(body, "members").and_then(Value::as_array).into_iter().flatten();
    let mut values = members.filter_map(|member| get(member, "value")?.as_str());
    values.any(|value| value.starts_with(PREFIX))
}

/// Returns the first attribute of a template that a resource lacks.
fn left_out(template: &Value, body: &Value, known: &ResourceType) -> Option<String> {
    // RFC 7643 §4.1.1 and §4.2 require these: a request without them is refused with good reason.
    let required = if known.name.eq_ignore_ascii_case("Group") { "displayName" } else { "userName" };
    let members = template.as_object().filter(|_| body.is_object())?;
    members.iter().find_map(|(name, value)| {
        let counts = !OF_THE_SERVER.iter().chain([&required]).any(|out| name.eq_ignore_ascii_case(out));
        if counts { lacking(name, value, get(body, name)) } else { None }
    })
}

/// Returns the path of a value of the template that the request lacks.
fn lacking(name: &str, template: &Value, sent: Option<&Value>) -> Option<String> {
    if is_absent(Some(template)) {
        return None;
    }
    match (template, sent) {
        (_, sent) if is_absent(sent) => Some(name.to_owned()),
        (Value::Object(members), Some(sent)) => members
            .iter()
            .find_map(|(part, value)| lacking(part, value, get(sent, part)))
            .map(|part| if name.contains(':') { format!("{name}:{part}") } else { format!("{name}.{part}") }),
        _ => None,
    }
}

/// Returns the first attribute of a template that operations of a PATCH remove or set to nothing.
fn cleared(template: &Value, body: &Value) -> Option<String> {
    let operations = get(body, "Operations")?;
    operations.as_array()?.iter().find_map(|operation| {
        let path = get(operation, "path").and_then(Value::as_str);
        let value = get(operation, "value");
        let removes =
            get(operation, "op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case("remove"));
        match (path, value) {
            (Some(path), value) if removes || is_absent(value) => {
                let root = path.split(['.', '[']).next().unwrap_or_default();
                let given = get(template, root).filter(|given| !is_absent(Some(given)));
                given.map(|_| root.to_owned())
            }
            (None, Some(Value::Object(members))) => members
                .iter()
                .find(|(name, value)| is_absent(Some(value)) && !is_absent(get(template, name)))
                .map(|(name, _)| name.clone()),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::server::discovery::Facts;
    use crate::server::runner::template::*;

    #[test]
    fn made_up_member_is_recognized() {
        for (value, is_made_up) in [("conformance-x-1", true), ("7f3a", false)] {
            let body = json!({ "members": [{ "value": value }] });
            assert_eq!(has_made_up_member(&body), is_made_up, "{value}");
        }
        assert!(!has_made_up_member(&json!({ "members": [], "displayName": "conformance-x" })));
    }

    #[test]
    fn template_attribute_missing_from_a_request_is_found() {
        let types = json!([{ "name": "User", "endpoint": "/Users", "schema": "urn:u" }]);
        let facts = Facts::of(None, Some(&types), None);
        let user = facts.resource_type("User").expect("a type");
        let template = json!({
            "schemas": ["urn:u"], "userName": "{{unique}}", "userType": "staff", "nickName": null,
            "emails": [{ "value": "a@b.example" }], "name": { "familyName": "Quay" }, "urn:x": { "code": "7" },
        });
        let whole = json!({
            "USERTYPE": "x", "emails": [{ "value": "c@d.example" }], "name": { "familyName": "z" },
            "urn:x": { "code": "8" },
        });
        let without = |name: &str, value: Value| {
            let mut body = whole.clone();
            body[name] = value;
            left_out(&template, &body, user)
        };
        assert_eq!(left_out(&template, &whole, user), None, "userName and nickName do not count");
        assert_eq!(without("emails", json!([])).as_deref(), Some("emails"));
        assert_eq!(without("name", json!({ "givenName": "a" })).as_deref(), Some("name.familyName"));
        assert_eq!(without("urn:x", json!({ "code": null })).as_deref(), Some("urn:x:code"));
        let patch = |operation: Value| cleared(&template, &json!({ "Operations": [operation] }));
        for (operation, name) in [
            (json!({ "op": "Remove", "path": "emails[type eq \"work\"]" }), Some("emails")),
            (json!({ "op": "replace", "path": "emails", "value": [] }), Some("emails")),
            (json!({ "op": "replace", "value": { "userType": null } }), Some("userType")),
            (json!({ "op": "remove", "path": "title" }), None),
            (json!({ "op": "replace", "path": "emails", "value": [{ "value": "x" }] }), None),
        ] {
            assert_eq!(patch(operation.clone()).as_deref(), name, "{operation}");
        }
    }
}
