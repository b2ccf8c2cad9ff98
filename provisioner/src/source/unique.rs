//! JSON whose objects have each key once: the meaning of a duplicate key is undefined (RFC 8259 §4).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

/// The beginning of the message about a doubled key; the key follows.
pub(super) const DOUBLED: &str = "doubled key ";

/// A value without a doubled key.
pub(super) struct Unique(pub(super) Value);

/// Parses `text` as one value.
pub(crate) fn value(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text).map(|Unique(value)| value)
}

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    crate::scalars::visit_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Unique(value)) = items.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            match object.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(members.next_value::<Unique>()?.0);
                }
                Entry::Occupied(occupied) => {
                    return Err(de::Error::custom(format!("{DOUBLED}{}", occupied.key())));
                }
            }
        }
        Ok(Value::Object(object))
    }
}
