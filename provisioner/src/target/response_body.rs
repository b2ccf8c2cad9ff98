//! Reading of a response body within bounds: the target decides neither the memory nor the time that it takes.
//!
//! Of a list only the first entries are kept, because a look-up that finds several has nothing to choose from. Values are
//! counted as they are read: small ones take many times the memory of their text.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::response::Body;

const MIB: usize = 1 << 20;
/// The maximum number of values of one response.
const MOST_VALUES: usize = 100_000;
/// Entries kept of one list.
const MOST_LISTED: usize = 16;

/// The maximum size of a response that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// An error: the words of a target, or a web page.
    Error,
    /// One resource, or a look-up that should find one.
    Account,
    /// The first page of all users. A target that has no pages sends them all.
    Page,
}

impl Limit {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Error => MIB,
            Self::Account => 8 * MIB,
            Self::Page => 32 * MIB,
        }
    }

    /// Returns the body that is not read.
    pub(super) fn exceeded(self) -> Body {
        Body::Excess(format!("more than {} MiB", self.bytes() / MIB))
    }
}

/// Parses a body.
pub(super) fn parse(bytes: &[u8]) -> Body {
    if bytes.is_empty() {
        return Body::Empty;
    }
    let left = Cell::new(MOST_VALUES);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Part { left: &left, is_whole: true }.deserialize(&mut json);
    match read.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Body::Json(value),
        Err(_) if left.get() == 0 => Body::Excess(format!("more than {MOST_VALUES} values")),
        Err(_) => Body::Other,
    }
}

/// Reads one value.
#[derive(Clone, Copy)]
struct Part<'a> {
    /// The number of values that may still be read.
    left: &'a Cell<usize>,
    /// Whether it is the whole body.
    is_whole: bool,
}

impl Part<'_> {
    fn count<E: de::Error>(self) -> Result<Self, E> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(Self { is_whole: false, ..self })
            }
            None => Err(E::custom("too many values")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    crate::scalars::visit_scalars!();

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self.count()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = if self.is_whole && key.eq_ignore_ascii_case("Resources") {
                members.next_value_seed(Listed(self.count()?))?
            } else {
                members.next_value_seed(self.count()?)?
            };
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Reads the entries of a list, and skips those behind the first.
struct Listed<'a>(Part<'a>);

impl<'de> DeserializeSeed<'de> for Listed<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Any other value in the place of the list is read as usual.
macro_rules! as_value {
    ($($method:ident: $type:ty),+) => {$(
        fn $method<E: de::Error>(self, value: $type) -> Result<Value, E> {
            self.0.$method(value)
        }
    )+};
}

impl<'de> Visitor<'de> for Listed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    as_value!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_string: String);

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        self.0.visit_map(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while values.len() < MOST_LISTED {
            match items.next_element_seed(self.0.count()?)? {
                Some(value) => values.push(value),
                None => return Ok(Value::Array(values)),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Array(values))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let told = match parse(text.as_bytes()) {
            Body::Empty => "empty".to_owned(),
            Body::Other => "other".to_owned(),
            Body::Excess(what) => what,
            Body::Json(value) => value.to_string(),
        };
        assert_eq!(told, expected, "{text:.100}");
    }

    #[test]
    fn body_is_json_empty_or_other() {
        check("", "empty");
        for text in ["<html>", "{", "{} {}", "[1,]", "\u{feff}{}"] {
            check(text, "other");
        }
        for text in [
            "null",
            "true",
            "-7",
            "7",
            "1.5",
            r#""é\n""#,
            r#"[1,[true,null,{"a":{}}]]"#,
            r#"{"Resources":null,"a":[]}"#,
            r#"{"Resources":{"Resources":7}}"#,
            r#"{"Resources":"x","resources":[{"a":1}]}"#,
        ] {
            check(text, text);
        }
    }

    #[test]
    fn only_the_first_entries_of_a_list_are_kept() {
        let list =
            |count: usize| json!({ "Resources": vec![json!({ "id": "1" }); count], "totalResults": count });
        check(&list(16).to_string(), &list(16).to_string());
        let kept = json!({ "Resources": list(16)["Resources"], "totalResults": 200_000 });
        check(&list(200_000).to_string(), &kept.to_string());
        // Elsewhere the name means nothing.
        let groups = json!({ "groups": { "Resources": vec![1; 20] } }).to_string();
        check(&groups, &groups);
    }

    #[test]
    fn body_with_too_many_values_is_excess() {
        check(&format!("[{}1]", "1,".repeat(99_998)), &format!("[{}1]", "1,".repeat(99_998)));
        check(&format!("[{}1]", "1,".repeat(100_000)), "more than 100000 values");
        check(&format!("{{\"a\":[{}{{}}]}}", "{\"a\":1},".repeat(60_000)), "more than 100000 values");
        check(&format!("{}1{}", "[".repeat(500), "]".repeat(500)), "other");
    }
}
