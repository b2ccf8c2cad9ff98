//! A resource as a tree, from text whose keys may be doubled: a tree alone would show the last of them.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Objects with more members than this are looked through with a set.
const FEW: usize = 32;

/// Reads JSON, and gives the place of the first key that an object has twice, without case.
///
/// # Errors
/// That the text is no JSON.
pub(crate) fn tree(text: &[u8]) -> serde_json::Result<(Value, Option<String>)> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let mut pass = Pass::default();
    let tree = Any(&mut pass).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok((tree, pass.doubled))
}

#[derive(Default)]
struct Pass {
    /// Where the pass is.
    place: String,
    doubled: Option<String>,
}

impl Pass {
    /// Reads what stands at a place below.
    fn below<T>(&mut self, step: fmt::Arguments<'_>, read: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.place.len();
        self.place.push_str(&step.to_string());
        let read = read(self);
        self.place.truncate(length);
        read
    }
}

struct Any<'p>(&'p mut Pass);

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Number::from_f64(number).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::from(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        loop {
            let at = values.len();
            let next = self.0.below(format_args!("[{at}]"), |pass| seq.next_element_seed(Any(pass)))?;
            match next {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let pass = self.0;
        let mut members = Map::new();
        let mut many: Option<HashSet<String>> = None;
        while let Some(name) = map.next_key::<String>()? {
            let joint = if pass.place.is_empty() { "" } else { "." };
            if members.len() == FEW && many.is_none() {
                many = Some(members.keys().map(|key: &String| key.to_ascii_lowercase()).collect());
            }
            let again = match &mut many {
                Some(many) => !many.insert(name.to_ascii_lowercase()),
                None => members.keys().any(|key| key.eq_ignore_ascii_case(&name)),
            };
            if again && pass.doubled.is_none() {
                pass.doubled = Some(format!("{}{joint}{name}", pass.place));
            }
            let value = pass.below(format_args!("{joint}{name}"), |pass| map.next_value_seed(Any(pass)))?;
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_there_twice_are_told_with_their_place() {
        #[track_caller]
        fn check(text: &str, doubled: Option<&str>) {
            let (read, found) = tree(text.as_bytes()).unwrap();
            assert_eq!(found.as_deref(), doubled, "{text}");
            assert_eq!(read, serde_json::from_str::<Value>(text).unwrap());
        }
        check(r#"{"a":1,"b":{"a":[-1,2.5,null,true,"x\ny"]}}"#, None);
        check(r#"{"a":1,"A":2,"b":1,"b":2}"#, Some("A"));
        check(r#"{"c":[{"a":1},{"d":{"a":1,"a":2}}]}"#, Some("c[1].d.a"));
        let many = |last: usize| {
            let members: Vec<String> = (0..100).chain([last]).map(|n| format!("\"K{n}\":{n}")).collect();
            format!("{{{}}}", members.join(","))
        };
        check(&many(100), None);
        check(&many(7), Some("K7"));
        check(&many(99).replace("\"K99\":99}", "\"k99\":1}"), Some("k99"));
        assert!(tree(b"{\"a\":1} x").is_err() && tree(b"{").is_err());
    }
}
