//! What is kept of a resource, however it came: the text of its members, the texts that are indexed, and what the
//! store keeps apart from the text.

use std::borrow::Cow;

use scim::decode::{DecodedResource, write_text};
use scim::filter::AttrInfo as _;
use scim::json::get_ci;
use scim::schema::{Attribute, Mutability, Returned};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Ref;
use super::members::Names;
use crate::types::{Role, TypeInfo};

/// A text that is indexed, in the form in which it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The position of its path among the indexed ones.
    pub(crate) index: u8,
    pub(crate) text: Box<str>,
}

/// The digest of what is never returned, so that a change of it can be told.
pub(crate) type Secret = [u8; 32];

/// The content of a resource, without what only the server knows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Content {
    /// The JSON members, without `schemas`, `id`, `meta`, and what is worked out when somebody reads.
    pub(crate) members: Vec<u8>,
    /// The positions of the extensions that have values.
    pub(crate) extensions: Vec<usize>,
    pub(crate) keys: Vec<Key>,
    pub(crate) active: Option<bool>,
    /// The members of a group; `None` leaves those that are there.
    pub(crate) refs: Option<Vec<Ref>>,
    /// What the members are called.
    pub(crate) names: Names,
    pub(crate) secret: Option<Secret>,
    /// Whether some value is shown only when it is asked for.
    pub(crate) on_request: bool,
}

impl Content {
    /// What a reader found in a body. The members of a group are the caller's to resolve.
    pub(crate) fn of_accepted(kind: &TypeInfo, accepted: DecodedResource) -> Self {
        let keys = accepted.indexed.into_iter().map(|(at, text)| key(kind, at, text)).collect();
        let mut extensions = accepted.extensions;
        extensions.sort_unstable();
        Self {
            members: accepted.members,
            extensions,
            keys,
            active: accepted.active,
            refs: None,
            names: Names::new(),
            secret: secret(accepted.secrets.iter().map(|(name, value)| (name.as_str(), value))),
            on_request: accepted.on_request,
        }
    }

    /// What a tree holds, whether or not it fits the schemas. `schemas`, `id`, `meta` and what the server works out
    /// are passed over; members come in the order of the schema, what no schema knows behind them.
    pub(crate) fn of_tree(kind: &TypeInfo, tree: &Map<String, Value>) -> Self {
        let mut content = Self::default();
        let schemas = &kind.schemas;
        let computed = |name: &str| {
            matches!(name, "schemas" | "id" | "meta")
                || (kind.role == Role::Group && name == "members")
                || (kind.role == Role::User && name == "groups")
        };
        let mut secrets: Vec<(&str, Cow<'_, Value>)> = Vec::new();
        for attribute in schemas.common().iter().chain(schemas.core().attributes()) {
            let name = attribute.name.as_str();
            let Some(value) = get_ci(tree, name).filter(|_| !computed(name)) else { continue };
            content.take(None, attribute, value, &mut secrets);
        }
        for (at, extension) in schemas.extensions().iter().enumerate() {
            let urn = extension.id().as_str();
            let Some(Value::Object(members)) = get_ci(tree, urn) else { continue };
            let mut inner = Vec::new();
            for attribute in extension.attributes() {
                if let Some(value) = get_ci(members, attribute.name.as_str()) {
                    content.take(Some(&mut inner), attribute, value, &mut secrets);
                }
            }
            for (name, value) in members.iter().filter(|(name, _)| extension.attribute(name).is_none()) {
                write_member(&mut inner, name, value, None);
            }
            if inner.is_empty() {
                continue;
            }
            content.extensions.push(at);
            comma(&mut content.members);
            write_text(&mut content.members, urn);
            content.members.extend_from_slice(b":{");
            content.members.extend_from_slice(&inner);
            content.members.push(b'}');
        }
        let foreign = |name: &str| schemas.top_level(name).is_none() && schemas.extension(name).is_none();
        for (name, value) in tree.iter().filter(|(name, _)| foreign(name)) {
            write_member(&mut content.members, name, value, None);
        }
        content.keys = keys_of(kind, tree);
        content.active = get_ci(tree, "active").and_then(Value::as_bool);
        content.secret = secret(secrets.iter().map(|(name, value)| (*name, &**value)));
        content
    }

    /// Writes an attribute, or keeps it apart where it must never be seen.
    fn take<'v>(
        &mut self,
        inner: Option<&mut Vec<u8>>,
        attribute: &'v Attribute,
        value: &'v Value,
        secrets: &mut Vec<(&'v str, Cow<'v, Value>)>,
    ) {
        let name = attribute.name.as_str();
        if is_secret(attribute) {
            secrets.push((name, Cow::Borrowed(value)));
            return;
        }
        let value = without_secrets(attribute, value, secrets);
        if matches!(&*value, Value::Object(members) if members.is_empty()) {
            return;
        }
        self.on_request |= asks_to_be_asked(attribute);
        write_member(inner.unwrap_or(&mut self.members), name, &value, Some(attribute));
    }

    /// Adds a top-level member that is not there yet.
    pub(crate) fn add_flag(&mut self, name: &str, flag: bool) {
        write_member(&mut self.members, name, &Value::Bool(flag), None);
    }
}

fn is_secret(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Never || attribute.mutability == Mutability::WriteOnly
}

/// A complex value without the parts that must never be seen.
fn without_secrets<'v>(
    attribute: &'v Attribute,
    value: &'v Value,
    secrets: &mut Vec<(&'v str, Cow<'v, Value>)>,
) -> Cow<'v, Value> {
    if !attribute.sub_attributes.iter().any(is_secret) {
        return Cow::Borrowed(value);
    }
    let mut value = value.clone();
    let values = match &mut value {
        Value::Array(values) => values.as_mut_slice(),
        single => std::slice::from_mut(single),
    };
    for members in values.iter_mut().filter_map(Value::as_object_mut) {
        for sub in attribute.sub_attributes.iter().filter(|sub| is_secret(sub)) {
            let key = scim::json::key_ci(members, sub.name.as_str()).map(str::to_owned);
            if let Some(secret) = key.and_then(|key| members.remove(&key)) {
                secrets.push((sub.name.as_str(), Cow::Owned(secret)));
            }
        }
    }
    Cow::Owned(value)
}

fn asks_to_be_asked(attribute: &Attribute) -> bool {
    attribute.returned == Returned::Request
        || attribute.sub_attributes.iter().any(|sub| sub.returned == Returned::Request)
}

fn key(kind: &TypeInfo, at: usize, text: String) -> Key {
    let folded = match kind.indexed.get(at).map(|indexed| indexed.fold(&text)) {
        Some(Cow::Owned(folded)) => Some(folded),
        Some(Cow::Borrowed(_)) | None => None,
    };
    let text = folded.unwrap_or(text).into_boxed_str();
    Key { index: u8::try_from(at).unwrap_or(u8::MAX), text }
}

/// The indexed texts of a tree.
fn keys_of(kind: &TypeInfo, tree: &Map<String, Value>) -> Vec<Key> {
    let mut keys = Vec::new();
    for (at, indexed) in kind.indexed.iter().enumerate() {
        let holder = match kind.schemas.facts(&indexed.path).and_then(|facts| facts.extension) {
            Some(urn) => get_ci(tree, urn.as_str()).and_then(Value::as_object),
            None => Some(tree),
        };
        let Some(value) = holder.and_then(|holder| get_ci(holder, indexed.path.name.as_str())) else {
            continue;
        };
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        for value in values {
            let found = match (&indexed.path.sub, value) {
                (Some(sub), Value::Object(members)) => get_ci(members, sub.as_str()),
                (None, simple) => Some(simple),
                (Some(_), _) => None,
            };
            match found {
                Some(Value::String(text)) => keys.push(key(kind, at, text.clone())),
                Some(Value::Number(number)) => keys.push(key(kind, at, number.to_string())),
                _ => {}
            }
        }
    }
    keys
}

fn secret<'a>(secrets: impl Iterator<Item = (&'a str, &'a Value)>) -> Option<Secret> {
    let mut digest = Sha256::new();
    let mut any = false;
    let mut secrets: Vec<(&str, &Value)> = secrets.filter(|(_, value)| !value.is_null()).collect();
    // However the body was ordered.
    secrets.sort_by_key(|(name, _)| *name);
    for (name, value) in secrets {
        any = true;
        digest.update(name);
        digest.update([0]);
        digest.update(value.to_string());
        digest.update([0]);
    }
    any.then(|| digest.finalize().into())
}

fn comma(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(b',');
    }
}

fn write_member(out: &mut Vec<u8>, name: &str, value: &Value, attribute: Option<&Attribute>) {
    comma(out);
    write_text(out, name);
    out.push(b':');
    write_value(out, value, attribute);
}

/// Writes a value, the parts of a complex one in the order of the schema.
fn write_value(out: &mut Vec<u8>, value: &Value, attribute: Option<&Attribute>) {
    match (value, attribute) {
        (Value::Array(values), Some(_)) => {
            out.push(b'[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_value(out, value, attribute);
            }
            out.push(b']');
        }
        (Value::Object(members), Some(attribute)) => {
            let mut inner = Vec::new();
            for sub in &attribute.sub_attributes {
                if let Some(value) = members.get(sub.name.as_str()) {
                    write_member(&mut inner, sub.name.as_str(), value, Some(sub));
                }
            }
            let known = |name: &str| attribute.sub_attributes.iter().any(|sub| sub.name.as_str() == name);
            for (name, value) in members.iter().filter(|(name, _)| !known(name)) {
                write_member(&mut inner, name, value, None);
            }
            out.push(b'{');
            out.extend_from_slice(&inner);
            out.push(b'}');
        }
        (Value::String(text), _) => write_text(out, text),
        (other, _) => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::TypeId;
    use crate::types::Types;

    #[test]
    fn both_ways_in_come_to_the_same() {
        let types = Types::standard();
        let kind = types.get(TypeId::FIRST);
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "userName": "Ida@X", "externalId": "E-1", "active": false, "password": "hunter2",
            "emails": [{"value": "Ida@X", "type": "work"}, {"value": "b@x", "primary": true}],
            "name": {"familyName": "L", "givenName": "I"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Ops"},
        });
        let accepted =
            kind.reader.decode(body.to_string().as_bytes(), scim::decode::DecodeOptions::default()).unwrap();
        let one = Content::of_accepted(kind, accepted);
        let other = Content::of_tree(kind, body.as_object().unwrap());
        let tree = |content: &Content| {
            serde_json::from_str::<Value>(&format!("{{{}}}", String::from_utf8_lossy(&content.members)))
                .unwrap()
        };
        assert_eq!(tree(&one), tree(&other));
        assert!(!String::from_utf8_lossy(&one.members).contains("hunter2"));
        let sorted = |content: &Content| {
            let mut keys = content.keys.clone();
            keys.sort();
            keys
        };
        assert_eq!(sorted(&one), sorted(&other));
        assert_eq!(
            sorted(&one).iter().map(|key| &*key.text).collect::<Vec<_>>(),
            ["E-1", "ida@x", "b@x", "ida@x"]
        );
        assert_eq!(
            (one.active, one.extensions.clone(), one.secret),
            (other.active, other.extensions.clone(), other.secret)
        );
        assert!(one.secret.is_some());
    }
}
