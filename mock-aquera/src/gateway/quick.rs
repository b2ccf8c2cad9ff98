//! The PATCH that nearly every client sends: one operation that sets one plain attribute, done in the text.

use scim::decode::write_text;
use scim::patch::PatchKind;
use scim::schema::{AttributeType, Mutability, PATCH_URN, Returned, Uniqueness};
use serde::Deserialize;
use serde_json::Value;

use crate::types::TypeInfo;

/// A PATCH request of one operation, with the members that the RFC names, no others and no escapes in their texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request<'r> {
    #[serde(borrow)]
    schemas: [&'r str; 1],
    #[serde(rename = "Operations", borrow)]
    operations: [Operation<'r>; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation<'r> {
    op: &'r str,
    path: &'r str,
    value: Value,
}

/// One top-level member and its new value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Setting<'k> {
    pub(super) name: &'k str,
    pub(super) json: Vec<u8>,
    /// The value, where the member is `active`.
    pub(super) active: Option<bool>,
}

/// Reads a body as such a PATCH; nothing for every other one, be it good or bad.
pub(super) fn read<'k>(kind: &'k TypeInfo, body: &[u8]) -> Option<Setting<'k>> {
    let Request { schemas: [urn], operations: [operation] } =
        serde_json::from_str(str::from_utf8(body).ok()?).ok()?;
    let is_set = [PatchKind::Replace, PatchKind::Add].iter().any(|kind| kind.as_str() == operation.op);
    if !urn.eq_ignore_ascii_case(PATCH_URN) || !is_set {
        return None;
    }
    let attribute = kind.schemas.core().attribute(operation.path)?;
    let plain = !attribute.multi_valued
        && attribute.mutability == Mutability::ReadWrite
        && attribute.returned == Returned::Default
        && attribute.uniqueness == Uniqueness::None
        && !kind.indexed.iter().any(|indexed| indexed.path.name == attribute.name);
    if !plain {
        return None;
    }
    let name = attribute.name.as_str();
    match (attribute.kind, &operation.value) {
        (AttributeType::Boolean, Value::Bool(flag)) => {
            let json = if *flag { b"true".to_vec() } else { b"false".to_vec() };
            Some(Setting { name, json, active: (name == "active").then_some(*flag) })
        }
        (AttributeType::String, Value::String(text))
            if attribute.canonical_values.is_empty() && !attribute.required =>
        {
            let mut json = Vec::with_capacity(text.len() + 2);
            write_text(&mut json, text);
            Some(Setting { name, json, active: None })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::TypeId;
    use crate::types::Types;

    #[test]
    fn only_what_is_plain_is_read() {
        let types = Types::standard();
        let of = |operations: Value| {
            let body = json!({"schemas": [PATCH_URN], "Operations": operations}).to_string();
            read(types.get(TypeId::FIRST), body.as_bytes())
                .map(|s| format!("{} {}", s.name, String::from_utf8(s.json).unwrap()))
        };
        let one = |op: &str, path: &str, value: Value| of(json!([{"op": op, "path": path, "value": value}]));
        assert_eq!(one("replace", "ACTIVE", json!(false)).as_deref(), Some("active false"));
        assert_eq!(one("add", "title", json!("a\"b")).as_deref(), Some("title \"a\\\"b\""));
        for (op, path, value) in [
            ("Replace", "active", json!(true)),
            ("remove", "active", json!(true)),
            ("replace", "active", json!("True")),
            ("replace", "active", json!(null)),
            ("replace", "userName", json!("x")),
            ("replace", "externalId", json!("x")),
            ("replace", "name.givenName", json!("x")),
            ("replace", "emails", json!([])),
            ("replace", "password", json!("x")),
            ("replace", "groups", json!([])),
            ("replace", "shoe", json!(1)),
            ("replace", "title", json!(1)),
        ] {
            assert_eq!(one(op, path, value), None, "{op} {path}");
        }
        assert_eq!(of(json!([])), None);
        assert_eq!(read(types.get(TypeId::FIRST), b"{}"), None);
    }
}
