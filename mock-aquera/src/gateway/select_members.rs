//! Some members of a representation as a tree, without making one of the others: what a filter or an order looks at.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

/// The named top-level members of a JSON object.
pub(super) fn members(text: &[u8], names: &[String]) -> Value {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    crate::or_default(deserializer.deserialize_map(Wanted(names)), "read a stored resource")
}

/// Whether a representation says that its account is in use. One that doesn't say is.
pub(super) fn is_active(text: &[u8]) -> bool {
    members(text, &["active".to_owned()])["active"] != Value::Bool(false)
}

struct Wanted<'n>(&'n [String]);

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut found = Map::new();
        while let Some(Name(name)) = map.next_key()? {
            if let Some(wanted) = self.0.iter().find(|wanted| wanted.eq_ignore_ascii_case(&name)) {
                found.insert(wanted.clone(), map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Value::Object(found))
    }
}

/// The name of a member, copied only if it has escapes.
#[derive(Deserialize)]
struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::gateway::select_members::*;

    #[test]
    fn only_what_is_wanted_is_read() {
        let text = br#"{"a":[{"b":1}],"title":"x","urn:q:w":{"c":2}}"#;
        let names = ["title".to_owned(), "urn:q:w".to_owned()];
        assert_eq!(members(text, &names), json!({"title": "x", "urn:q:w": {"c": 2}}));
        assert_eq!(members(b"[]", &names), Value::Null);
    }
}
