//! A schema set prepared for decoding: what to do with each member, found by its name.

use crate::decode::write_text;
use crate::rules::{self, ResourceForm};
use crate::schema::{Attribute, AttributeType, Mutability, Returned, Schema};

/// The attributes that one object may have.
#[derive(Debug, Default)]
pub(super) struct ObjectPlan {
    pub(super) nodes: Vec<AttributePlan>,
    names: NameTable,
    /// The positions of the attributes that the object must have.
    pub(super) required: Vec<usize>,
}

/// An open-addressing hash table of attribute names in their exact spelling, in one allocation.
#[derive(Debug, Default)]
struct NameTable {
    /// A power of two, at least half of them free; empty if there are no attributes.
    places: Vec<NameEntry>,
}

/// The maximum length of a name in the table. The names of RFC 7643 have up to 17 bytes.
const MAX_FAST_NAME: usize = 29;

#[derive(Debug, Clone, Copy, Default)]
struct NameEntry {
    bytes: [u8; MAX_FAST_NAME],
    /// 0 if the place is free.
    length: u8,
    node: u16,
}

impl NameTable {
    fn of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        if names.len() == 0 {
            return Self::default();
        }
        let mut places = vec![NameEntry::default(); (names.len() * 2).next_power_of_two()];
        for (node, name) in names.enumerate() {
            // A longer search finds the attributes whose position does not fit.
            let Ok(node) = u16::try_from(node) else { break };
            let mut bytes = [0; MAX_FAST_NAME];
            let Some(room) = bytes.get_mut(..name.len()).filter(|room| !room.is_empty()) else { continue };
            room.copy_from_slice(name.as_bytes());
            let mask = places.len() - 1;
            let mut at = hash(name.as_bytes()) & mask;
            while places[at].length > 0 {
                at = (at + 1) & mask;
            }
            places[at] = NameEntry { bytes, length: u8::try_from(name.len()).unwrap_or(u8::MAX), node };
        }
        Self { places }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let name = name.as_bytes();
        let mut at = hash(name) & mask;
        loop {
            let there = self.places.get(at).filter(|there| there.length > 0)?;
            if usize::from(there.length) == name.len() && there.bytes.starts_with(name) {
                return Some(usize::from(there.node));
            }
            at = (at + 1) & mask;
        }
    }
}

/// Hashes a name by its length and three of its bytes, which differ for most names of a schema.
fn hash(name: &[u8]) -> usize {
    let at = |at: usize| name.get(at).copied().map_or(0, usize::from);
    let last = at(name.len().saturating_sub(1));
    name.len().wrapping_mul(7) ^ at(0).wrapping_mul(3) ^ last.wrapping_mul(5) ^ at(name.len() / 2)
}

/// How to decode one attribute.
#[derive(Debug)]
pub(super) struct AttributePlan {
    pub(super) attribute: Attribute,
    /// The name as a JSON member, `"name":`.
    pub(super) key: Box<[u8]>,
    pub(super) handling: ValueHandling,
    pub(super) role: AttributeRole,
    /// The position of the indexed path that its text belongs to.
    pub(super) indexed: Option<usize>,
    pub(super) subs: ObjectPlan,
}

/// What the decoder does with the value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueHandling {
    /// It is written.
    Write,
    /// It is written, and is returned only on request.
    WriteOnRequest,
    /// It is ignored, because only the server writes it.
    Ignore,
    /// It is handed over in [`DecodedResource::captured`](super::DecodedResource::captured) and not written.
    Capture,
    /// It is handed over in [`DecodedResource::secrets`](super::DecodedResource::secrets) and not written.
    Secret,
}

/// A meaning of an attribute that its schema does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AttributeRole {
    Plain,
    Schemas,
    Active,
    Primary,
}

/// How to decode an extension.
#[derive(Debug)]
pub(super) struct ExtensionPlan {
    pub(super) urn: Box<str>,
    pub(super) key: Box<[u8]>,
    pub(super) members: ObjectPlan,
    /// Whether every resource must have the extension.
    pub(super) required: bool,
}

impl ExtensionPlan {
    pub(super) fn new(schema: &Schema, required: bool, indexed: &[&str]) -> Self {
        let urn = schema.id().as_str();
        Self {
            urn: urn.into(),
            key: member_key(urn),
            members: ObjectPlan::new(schema.attributes().iter(), &format!("{urn}:"), indexed, None),
            required,
        }
    }
}

impl ObjectPlan {
    pub(super) fn new<'a>(
        attributes: impl Iterator<Item = &'a Attribute>,
        prefix: &str,
        indexed: &[&str],
        captured: Option<&str>,
    ) -> Self {
        let top = prefix.is_empty();
        let nodes: Vec<AttributePlan> = attributes
            .map(|attribute| {
                let mut node = AttributePlan::new(attribute, prefix, indexed);
                if node.handling != ValueHandling::Ignore
                    && captured.is_some_and(|name| attribute.name == *name)
                {
                    node.handling = ValueHandling::Capture;
                }
                node.role = match attribute.name.as_str() {
                    "schemas" if top => AttributeRole::Schemas,
                    "active" if top => AttributeRole::Active,
                    _ if !top && rules::marks_primary(attribute) => AttributeRole::Primary,
                    _ => AttributeRole::Plain,
                };
                node
            })
            .collect();
        let names = NameTable::of(nodes.iter().map(|node| node.attribute.name.as_str()));
        let is_required = |node: &AttributePlan| {
            rules::is_required(&node.attribute, ResourceForm::Request) && node.role != AttributeRole::Schemas
        };
        let required = (0..).zip(&nodes).filter(|(_, node)| is_required(node)).map(|(at, _)| at).collect();
        Self { nodes, names, required }
    }

    /// Returns the position of an attribute. Its exact spelling is the fast case. No name has a colon (RFC 7643 §2.1),
    /// but every URN has.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let exact = self.names.find(name);
        if exact.is_some() || name.contains(':') {
            return exact;
        }
        self.nodes.iter().position(|node| node.attribute.name == *name)
    }
}

impl AttributePlan {
    fn new(attribute: &Attribute, prefix: &str, indexed: &[&str]) -> Self {
        let name = attribute.name.as_str();
        let path = format!("{prefix}{name}");
        let indexes = |path: &str| indexed.iter().position(|indexed| *indexed == path);
        let (subs, indexed) = if attribute.kind == AttributeType::Complex {
            (ObjectPlan::new(attribute.sub_attributes.iter(), &format!("{path}."), indexed, None), None)
        } else {
            (ObjectPlan::default(), indexes(&path))
        };
        let handling = match (attribute.returned, attribute.mutability) {
            _ if rules::is_ignored(attribute, ResourceForm::Request) => ValueHandling::Ignore,
            (Returned::Never, _) | (_, Mutability::WriteOnly) => ValueHandling::Secret,
            (Returned::Request, _) => ValueHandling::WriteOnRequest,
            (Returned::Always | Returned::Default, _) => ValueHandling::Write,
        };
        Self {
            key: member_key(name),
            handling,
            role: AttributeRole::Plain,
            indexed,
            subs,
            attribute: attribute.clone(),
        }
    }
}

fn member_key(name: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 3);
    write_text(&mut key, name);
    key.push(b':');
    key.into()
}
