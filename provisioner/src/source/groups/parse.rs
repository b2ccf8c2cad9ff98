//! From the text of a file to groups: a group's members are packed while they are read, so that a group of 100,000 is not
//! a list of 100,000 texts for long.

use std::fmt;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use super::GroupProblem;
use crate::id_set::IdSet;
use crate::ids::SourceId;
use crate::source::Format;
use crate::source::unique::{DOUBLED, Unique};

/// A group as the file has it.
#[derive(Debug)]
pub(super) struct ParsedGroup {
    pub(super) id: SourceId,
    pub(super) attributes: Value,
    /// `None` if the group has no `members` at all.
    pub(super) members: Option<IdSet>,
    pub(super) line: usize,
}

/// A problem, with the line on which it was met.
type Located = (Option<usize>, GroupProblem);

/// Parses every group of a file, by its extension: one a line, or an array of them.
pub(super) fn groups(text: &str, path: &Path) -> Result<Vec<ParsedGroup>, Located> {
    match Format::of(path) {
        Some(Format::Ndjson) => {
            let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
            lines
                .map(|(index, line)| {
                    let raw =
                        serde_json::from_str(line).map_err(|error| (Some(index + 1), not_json(&error)))?;
                    group(raw, index + 1)
                })
                .collect()
        }
        Some(Format::Json) if text.trim().is_empty() => Ok(Vec::new()),
        Some(Format::Json) => {
            let mut json = serde_json::Deserializer::from_str(text);
            let raw: Vec<RawGroup> = Vec::deserialize(&mut json)
                .and_then(|raw| json.end().map(|()| raw))
                .map_err(|error| (Some(error.line()), not_json(&error)))?;
            // An array keeps no places: the number of the group stands for its line.
            raw.into_iter().enumerate().map(|(index, raw)| group(raw, index + 1)).collect()
        }
        Some(Format::Csv) | None => Err((None, GroupProblem::UnknownFormat)),
    }
}

/// Takes the groups that a server has listed.
pub(super) fn listed(listed: Vec<Value>) -> Result<Vec<ParsedGroup>, Located> {
    let raw = |value| serde_json::from_value::<RawGroup>(value).map_err(|error| (None, not_json(&error)));
    listed.into_iter().map(|value| group(raw(value)?, 0).map_err(|(_, problem)| (None, problem))).collect()
}

fn not_json(error: &serde_json::Error) -> GroupProblem {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    match text.strip_prefix(DOUBLED) {
        Some(key) => GroupProblem::DoubledKey(key.to_owned()),
        None => GroupProblem::NotJson(text.to_owned()),
    }
}

fn group(raw: RawGroup, line: usize) -> Result<ParsedGroup, Located> {
    let id = raw.attributes.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let id: SourceId = id.ok_or((Some(line), GroupProblem::BadId))?;
    Ok(ParsedGroup { id, attributes: Value::Object(raw.attributes), members: raw.members, line })
}

/// A group object: its members, and everything else.
struct RawGroup {
    attributes: Map<String, Value>,
    members: Option<IdSet>,
}

impl<'de> Deserialize<'de> for RawGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawGroupVisitor)
    }
}

struct RawGroupVisitor;

impl<'de> Visitor<'de> for RawGroupVisitor {
    type Value = RawGroup;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group as a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawGroup, A::Error> {
        let mut group = RawGroup { attributes: Map::new(), members: None };
        let mut has_members = false;
        while let Some(key) = entries.next_key::<String>()? {
            if key == "members" {
                if std::mem::replace(&mut has_members, true) {
                    return Err(de::Error::custom(format!("{DOUBLED}{key}")));
                }
                group.members = entries.next_value::<Option<MemberList>>()?.map(|list| IdSet::new(list.0));
                continue;
            }
            match group.attributes.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(entries.next_value::<Unique>()?.0);
                }
                Entry::Occupied(occupied) => {
                    return Err(de::Error::custom(format!("{DOUBLED}{}", occupied.key())));
                }
            }
        }
        Ok(group)
    }
}

/// The ids of members: texts, or objects with an `id`.
struct MemberList(Vec<String>);

impl<'de> Deserialize<'de> for MemberList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(MemberListVisitor)
    }
}

struct MemberListVisitor;

impl<'de> Visitor<'de> for MemberListVisitor {
    type Value = MemberList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`members` as a list of ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<MemberList, A::Error> {
        let mut ids = Vec::new();
        while let Some(Member(id)) = items.next_element()? {
            ids.push(id);
        }
        Ok(MemberList(ids))
    }
}

/// The id of one member.
struct Member(String);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a member, or an object with its `id`")
    }

    fn visit_str<E: de::Error>(self, id: &str) -> Result<Member, E> {
        if id.trim().is_empty() {
            return Err(E::invalid_value(de::Unexpected::Str(id), &self));
        }
        Ok(Member(id.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Member, A::Error> {
        let mut id = None;
        while let Some(key) = entries.next_key::<String>()? {
            if key == "id" {
                id = Some(entries.next_value::<Member>()?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        id.ok_or_else(|| de::Error::missing_field("id"))
    }
}
