//! A resource as a tree, from text whose keys may be doubled: a tree alone would show the last of them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Reads JSON, and gives the place of the first key that an object has twice, without case.
///
/// # Errors
/// That the text is no JSON.
pub(crate) fn tree(text: &[u8]) -> serde_json::Result<(Value, Option<String>)> {
    Ok((serde_json::from_slice(text)?, doubled(serde_json::from_slice(text)?, "")))
}

fn doubled(value: &RawValue, place: &str) -> Option<String> {
    if let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(value.get()) {
        let mut elements = elements.into_iter().enumerate();
        return elements.find_map(|(at, element)| doubled(element, &format!("{place}[{at}]")));
    }
    let members = members(value.get().as_bytes()).ok()?;
    let joint = if place.is_empty() { "" } else { "." };
    let mut known = HashSet::new();
    members.into_iter().find_map(|(Name(name), value)| {
        let place = format!("{place}{joint}{name}");
        if known.insert(name.to_ascii_lowercase()) { doubled(value, &place) } else { Some(place) }
    })
}

#[derive(Deserialize)]
pub(super) struct Name<'t>(#[serde(borrow)] pub(super) Cow<'t, str>);

/// The members of an object as they are written, with those that come twice.
pub(super) fn members(object: &[u8]) -> serde_json::Result<Vec<(Name<'_>, &RawValue)>> {
    serde_json::Deserializer::from_slice(object).deserialize_map(Members)
}

struct Members;

impl<'t> Visitor<'t> for Members {
    type Value = Vec<(Name<'t>, &'t RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
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
