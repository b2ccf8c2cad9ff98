//! A representation as the text that goes over the wire. Changes are spliced in: the tree is built only where
//! somebody has to look inside.
//!
//! The layout is always `{"schemas":[…],"id":"…",…,"meta":{…,"version":"W/\"N\""}}`: what changes with every write
//! stands at the end, and what is worked out when somebody reads goes in front of it.

use std::ops::Range;

use axum::body::Bytes;
use jiff::Timestamp;
use memchr::{memchr, memchr2, memrchr};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use scim::decode::write_text;
use serde_json::Value;

use super::content::Key;
use super::{Past, keys};
use crate::clock::date_time;

/// What stands for itself in a path segment (RFC 3986 §2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What stands in front of the values in `meta`.
const TYPE: &[u8] = b",\"meta\":{\"resourceType\":\"";
const CREATED: &[u8] = b"\",\"created\":\"";
const MODIFIED: &[u8] = b"\",\"lastModified\":\"";
/// The end of every document: the end of the version, and of the objects around it.
const END: &[u8] = b"\\\"\"}}";

/// What `meta` says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meta<'a> {
    pub(crate) resource_type: &'a str,
    /// The address of the type's endpoint.
    pub(crate) endpoint: &'a str,
    pub(crate) id: &'a str,
    pub(crate) past: Past,
}

impl Meta<'_> {
    /// How long it is as text, unless something has to be escaped.
    fn length(&self) -> usize {
        let digits = self.past.version.checked_ilog10().unwrap_or_default() as usize + 1;
        141 + self.resource_type.len() + self.endpoint.len() + self.id.len() + digits
    }
}

/// One representation, and the texts by which it is found. Clones share both.
///
/// They are in one piece of memory: who compares a text reads the other next, and each piece more is a wait.
#[derive(Debug, Clone)]
pub(crate) struct Document {
    /// The text, and its [`keys`] behind it.
    whole: Bytes,
    /// How long the text is.
    length: u32,
    /// Where `,"meta":` begins.
    meta_at: u32,
    /// Where the text of the id begins; 0 where something in it is escaped.
    id_at: u32,
}

impl Document {
    /// A document of these schemas and members (`"a":1,"b":2`, without `schemas`, `id` and `meta`).
    pub(crate) fn new<'a>(
        schemas: impl Iterator<Item = &'a str> + Clone,
        members: &[u8],
        meta: &Meta<'_>,
        keys: &[Key],
    ) -> Self {
        let urns: usize = schemas.clone().map(|urn| urn.len() + 3).sum();
        // Exact, unless something has to be escaped: a block that fits need not be cut.
        let capacity =
            20 + urns + meta.id.len() + usize::from(!members.is_empty()) + members.len() + meta.length();
        let mut text = Vec::with_capacity(capacity + keys::length(keys));
        text.extend_from_slice(b"{\"schemas\":[");
        for (at, urn) in schemas.enumerate() {
            if at > 0 {
                text.push(b',');
            }
            write_text(&mut text, urn);
        }
        text.extend_from_slice(b"],\"id\":");
        let before = text.len();
        write_text(&mut text, meta.id);
        let is_plain = text.len() == before + meta.id.len() + 2;
        if !members.is_empty() {
            text.push(b',');
            text.extend_from_slice(members);
        }
        let id_at = if is_plain { before + 1 } else { 0 };
        let meta_at = text.len();
        text.extend_from_slice(TYPE);
        text.extend_from_slice(meta.resource_type.as_bytes());
        text.extend_from_slice(CREATED);
        let created = write_instant(&mut text, meta.past.created);
        text.extend_from_slice(MODIFIED);
        if meta.past.modified == meta.past.created {
            text.extend_from_within(created);
        } else {
            write_instant(&mut text, meta.past.modified);
        }
        text.extend_from_slice(b"\",\"location\":\"");
        write_location(&mut text, meta.endpoint, meta.id);
        text.extend_from_slice(b"\",\"version\":\"W/\\\"");
        Self::finished(text, (id_at, meta_at), meta.past.version, |text| keys::pack(text, keys))
    }

    /// The next version, from its text up to `meta`, of which only the instant and the version differ.
    fn renewed(&self, mut text: Vec<u8>, id_at: usize, past: Past) -> Self {
        let meta_at = text.len();
        let tail = &self.text()[self.meta_at as usize..];
        let value_end = |from: usize| memchr(b'"', &tail[from..]).map_or(tail.len(), |end| from + end);
        let modified_at = value_end(value_end(TYPE.len()) + CREATED.len()) + MODIFIED.len();
        let version_at =
            memrchr(b'"', &tail[..tail.len() - END.len()]).map_or(modified_at, |quote| quote + 1);
        text.extend_from_slice(&tail[..modified_at]);
        write_instant(&mut text, past.modified);
        text.extend_from_slice(&tail[value_end(modified_at)..version_at]);
        Self::finished(text, (id_at, meta_at), past.version, |text| text.extend_from_slice(self.keys()))
    }

    /// Adds the version and all behind it.
    fn finished(
        mut text: Vec<u8>,
        (id_at, meta_at): (usize, usize),
        version: u32,
        add_keys: impl FnOnce(&mut Vec<u8>),
    ) -> Self {
        write_number(&mut text, version.into());
        text.extend_from_slice(END);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        add_keys(&mut text);
        // A million of them are kept: what is too much is given back.
        text.shrink_to_fit();
        let meta_at = u32::try_from(meta_at).unwrap_or(u32::MAX);
        let id_at = u32::try_from(id_at).unwrap_or_default();
        Self { whole: Bytes::from(text), length, meta_at, id_at }
    }

    /// Whether this text is the id; nothing where that can't be told from here.
    pub(super) fn has_id(&self, id: &str) -> Option<bool> {
        let from = usize::try_from(self.id_at).ok().filter(|at| *at > 0)?;
        // Nothing in it is escaped, so it ends at the first quote.
        Some(self.text()[from..].strip_prefix(id.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"')))
    }

    /// The text as it is kept, shared.
    pub(crate) fn shared(&self) -> Bytes {
        self.whole.slice(..self.length as usize)
    }

    /// The text as it is kept.
    pub(crate) fn text(&self) -> &[u8] {
        &self.whole[..self.length as usize]
    }

    /// The texts by which it is found, packed.
    pub(super) fn keys(&self) -> &[u8] {
        &self.whole[self.length as usize..]
    }

    /// The value of `meta.location`.
    pub(crate) fn location(&self) -> Bytes {
        // Behind it is only the version, which has no comma, and in it is no quote.
        let tail = &self.text()[self.meta_at as usize..];
        let end = memrchr(b',', tail).map_or(0, |comma| comma.saturating_sub(1));
        let from = memrchr(b'"', &tail[..end]).map_or(end, |quote| quote + 1);
        let meta_at = self.meta_at as usize;
        self.whole.slice(meta_at + from..meta_at + end)
    }

    /// The text with more members in front of `meta`, and an addition to the version.
    pub(crate) fn with_extras(&self, extras: &[u8], version: &str) -> Vec<u8> {
        let meta_at = self.meta_at as usize;
        let end = self.text().len() - END.len();
        let mut text = Vec::with_capacity(self.text().len() + extras.len() + version.len() + 1);
        text.extend_from_slice(&self.text()[..meta_at]);
        if !extras.is_empty() {
            text.push(b',');
            text.extend_from_slice(extras);
        }
        text.extend_from_slice(&self.text()[meta_at..end]);
        text.extend_from_slice(version.as_bytes());
        text.extend_from_slice(END);
        text
    }

    /// The text of a top-level member's value, `meta` excepted. The name is in its canonical spelling.
    pub(crate) fn member(&self, name: &str) -> Option<&[u8]> {
        self.place(name).map(|place| &self.text()[place])
    }

    /// The next version, with a member set to a value given as JSON text. `place` is where its value
    /// [is now](Self::place).
    pub(super) fn with_member(
        &self,
        (name, place): (&str, Option<Range<usize>>),
        value: &[u8],
        past: Past,
    ) -> Self {
        let meta_at = self.meta_at as usize;
        let replaced = place.clone().map_or(0, |place| place.len());
        let added = if place.is_some() { 0 } else { name.len() + 4 };
        let mut text = Vec::with_capacity(self.whole.len() + added + value.len() - replaced);
        let mut id_at = self.id_at as usize;
        if let Some(place) = place {
            // What stands in front of the id moves it.
            id_at = if place.start < id_at { 0 } else { id_at };
            text.extend_from_slice(&self.text()[..place.start]);
            text.extend_from_slice(value);
            text.extend_from_slice(&self.text()[place.end..meta_at]);
        } else {
            text.extend_from_slice(&self.text()[..meta_at]);
            text.push(b',');
            write_text(&mut text, name);
            text.push(b':');
            text.extend_from_slice(value);
        }
        self.renewed(text, id_at, past)
    }

    /// The next version of the same content.
    pub(crate) fn touched(&self, past: Past) -> Self {
        let mut text = Vec::with_capacity(self.whole.len() + 16);
        text.extend_from_slice(&self.text()[..self.meta_at as usize]);
        self.renewed(text, self.id_at as usize, past)
    }

    /// The whole representation as a tree.
    pub(crate) fn value(&self) -> Value {
        crate::or_default(serde_json::from_slice(self.text()), "read a stored resource")
    }

    /// Where the value of a top-level member is in the [text](Self::text), `meta` excepted.
    pub(crate) fn place(&self, name: &str) -> Option<Range<usize>> {
        let text = &self.text()[..self.meta_at as usize];
        let mut at = 1;
        while text.get(at) == Some(&b'"') {
            let key_end = skip_text(text, at);
            let value_end = skip_value(text, key_end + 1);
            if &text[at + 1..key_end - 1] == name.as_bytes() {
                return Some(key_end + 1..value_end);
            }
            at = value_end + 1;
        }
        None
    }
}

/// Appends an instant. Gives where it stands.
fn write_instant(out: &mut Vec<u8>, instant: Timestamp) -> Range<usize> {
    let from = out.len();
    out.extend_from_slice(date_time(instant).as_bytes());
    from..out.len()
}

/// Appends a number.
pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends the address of a resource.
pub(crate) fn write_location(out: &mut Vec<u8>, endpoint: &str, id: &str) {
    out.extend_from_slice(endpoint.as_bytes());
    out.push(b'/');
    // Counting looks at many bytes at once, a search for the first one doesn't.
    if id.bytes().filter(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-').count() == 0 {
        out.extend_from_slice(id.as_bytes());
    } else {
        for piece in utf8_percent_encode(id, SEGMENT) {
            out.extend_from_slice(piece.as_bytes());
        }
    }
}

/// The position behind a JSON text that begins at `at`. The input is our own: well formed, without white space.
fn skip_text(text: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        if text[at + found] == b'"' {
            return at + found + 1;
        }
        at += found + 2;
    }
    text.len()
}

/// The position behind a JSON value that begins at `at`.
fn skip_value(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        Some(b'"') => skip_text(text, at),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = at;
            while let Some(byte) = text.get(at) {
                match byte {
                    b'"' => {
                        at = skip_text(text, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            text.len()
        }
        _ => text[at.min(text.len())..]
            .iter()
            .position(|byte| matches!(byte, b',' | b'}' | b']'))
            .map_or(text.len(), |length| at + length),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn meta(id: &str, version: u32) -> Meta<'_> {
        Meta {
            resource_type: "User",
            endpoint: "http://h/scim/Users",
            id,
            past: Past { created: Timestamp::UNIX_EPOCH, modified: Timestamp::UNIX_EPOCH, version },
        }
    }

    fn members() -> impl Strategy<Value = Vec<(String, Value)>> {
        let value = prop_oneof![
            Just(json!(true)),
            any::<i32>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(json!([])),
            any::<String>().prop_map(|text| json!([{"a": text, "b": [1, {"c": null}]}, "x]"])),
            any::<String>().prop_map(|text| json!({text: "}\"{"})),
        ];
        proptest::collection::btree_map("[a-f\"]{1,3}", value, 0..6).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        /// What is spliced in the text is what a tree would show.
        #[test]
        fn splicing_is_setting_a_member(members in members(), name in "[a-f]{1,3}", id in ".{1,8}", flag in any::<bool>()) {
            let mut text = Vec::new();
            for (name, value) in &members {
                if !text.is_empty() {
                    text.push(b',');
                }
                write_text(&mut text, name);
                text.push(b':');
                text.extend_from_slice(value.to_string().as_bytes());
            }
            let before = Document::new(["urn:a:b"].into_iter(), &text, &meta(&id, 1), &[]);
            let mut expected = before.value();
            prop_assert_eq!(&expected["id"], &json!(id));
            for (name, value) in members.iter().filter(|(name, _)| !name.contains('"')) {
                let kept = before.member(name).map(|raw| serde_json::from_slice::<Value>(raw).unwrap());
                prop_assert_eq!(kept.as_ref(), Some(value));
            }
            let after = before.with_member((&name, before.place(&name)), flag.to_string().as_bytes(), meta(&id, 2).past);
            expected[&name] = json!(flag);
            expected["meta"]["version"] = json!("W/\"2\"");
            prop_assert_eq!(after.value(), expected.clone());
            prop_assert_eq!(after.touched(meta(&id, 2).past).value(), expected.clone());
            let more: Value = serde_json::from_slice(&after.with_extras(b"\"zz\":[1]", ".ab")).unwrap();
            expected["zz"] = json!([1]);
            expected["meta"]["version"] = json!("W/\"2.ab\"");
            prop_assert_eq!(&more, &expected);
            prop_assert_eq!(after.location(), more["meta"]["location"].as_str().unwrap().as_bytes());
        }
    }

    #[test]
    fn the_length_is_known_beforehand() {
        for version in [1, 9, 10, 12_345] {
            let meta = meta("an-id", version);
            let document = Document::new(["urn:a:b", "urn:c:d"].into_iter(), b"\"a\":1", &meta, &[]);
            let urns = 2 * ("urn:a:b".len() + 3);
            assert_eq!(document.text().len(), 20 + urns + "an-id".len() + 1 + 5 + meta.length());
        }
    }

    #[test]
    fn an_id_is_escaped_in_the_location() {
        let document = Document::new([].into_iter(), b"", &meta("a/b c", 1), &[]);
        assert_eq!(document.location(), "http://h/scim/Users/a%2Fb%20c");
        assert_eq!(document.value()["meta"]["version"], "W/\"1\"");
    }
}
