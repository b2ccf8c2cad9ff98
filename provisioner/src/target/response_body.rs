//! Reading of a response body within bounds: the target decides neither the memory nor the time that it takes.
//!
//! Of a list only the first entries are kept, because a look-up that finds several has nothing to choose from. Values are
//! counted as they are read: small ones take many times the memory of their text.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::response::Body;

const MIB: usize = 1 << 20;
/// The maximum number of values of one response.
const MOST_VALUES: usize = 100_000;
/// The maximum number of values of one response with groups; a member counts as one.
const MOST_GROUP_VALUES: usize = 1_000_000;
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
    /// A group with its members, or a page of groups.
    Groups,
}

impl Limit {
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Error => MIB,
            Self::Account => 8 * MIB,
            Self::Page => 32 * MIB,
            Self::Groups => 64 * MIB,
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
    parse_part(bytes, false, MOST_VALUES)
}

/// Parses a body with groups: every group of a list is kept, and `members` becomes the list of the members' ids.
pub(super) fn parse_groups(bytes: &[u8]) -> Body {
    if bytes.is_empty() {
        return Body::Empty;
    }
    parse_part(bytes, true, MOST_GROUP_VALUES)
}

fn parse_part(bytes: &[u8], groups: bool, most: usize) -> Body {
    let left = Cell::new(most);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = Part { left: &left, is_whole: true, groups }.deserialize(&mut json);
    match read.and_then(|value| json.end().map(|()| value)) {
        Ok(value) => Body::Json(value),
        Err(_) if left.get() == 0 => Body::Excess(format!("more than {most} values")),
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
    /// Whether the body has groups.
    groups: bool,
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
            let value = if self.groups && key.eq_ignore_ascii_case("members") {
                members.next_value_seed(GroupMembers(self.count()?))?
            } else if self.is_whole && !self.groups && key.eq_ignore_ascii_case("Resources") {
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

/// Reads the members of a group as the list of their ids; an entry without an id is left out.
struct GroupMembers<'a>(Part<'a>);

impl<'de> DeserializeSeed<'de> for GroupMembers<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for GroupMembers<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the members of a group")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    as_value!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str, visit_string: String);

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Value, A::Error> {
        self.0.visit_map(members)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut ids = Vec::new();
        while let Some(MemberId(id)) = items.next_element()? {
            self.0.count()?;
            ids.extend(id.map(Value::String));
        }
        Ok(Value::Array(ids))
    }
}

/// The id of a member: its `value`, or a text in the place of the member.
struct MemberId(Option<String>);

impl<'de> Deserialize<'de> for MemberId {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberIdVisitor)
    }
}

struct MemberIdVisitor;

impl<'de> Visitor<'de> for MemberIdVisitor {
    type Value = MemberId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member")
    }

    fn visit_unit<E>(self) -> Result<MemberId, E> {
        Ok(MemberId(None))
    }

    fn visit_str<E>(self, id: &str) -> Result<MemberId, E> {
        Ok(MemberId(Some(id.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<MemberId, A::Error> {
        let mut id = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key.eq_ignore_ascii_case("value") {
                id = match entries.next_value::<Value>()? {
                    Value::String(id) => Some(id),
                    Value::Number(id) => Some(id.to_string()),
                    Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
                };
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(MemberId(id))
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
    fn members_of_groups_are_read_as_their_ids() {
        let read = |text: &str| match parse_groups(text.as_bytes()) {
            Body::Json(value) => value.to_string(),
            Body::Empty | Body::Other | Body::Excess(_) => "nothing".to_owned(),
        };
        let group = r#"{"id":"1","Members":[{"value":"a","display":"A"},"b",{"VALUE":7},{"$ref":"x"},null]}"#;
        assert_eq!(read(group), r#"{"Members":["a","b","7"],"id":"1"}"#);
        assert_eq!(read(r#"{"members":null}"#), r#"{"members":null}"#);
        let list = json!({ "Resources": vec![json!({ "id": "1" }); 40] });
        assert_eq!(read(&list.to_string()), list.to_string());
        assert_eq!(read("[}"), "nothing");
    }

    #[test]
    fn body_with_too_many_values_is_excess() {
        check(&format!("[{}1]", "1,".repeat(99_998)), &format!("[{}1]", "1,".repeat(99_998)));
        check(&format!("[{}1]", "1,".repeat(100_000)), "more than 100000 values");
        check(&format!("{{\"a\":[{}{{}}]}}", "{\"a\":1},".repeat(60_000)), "more than 100000 values");
        check(&format!("{}1{}", "[".repeat(500), "]".repeat(500)), "other");
    }
}
