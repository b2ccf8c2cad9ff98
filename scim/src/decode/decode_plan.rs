//! A schema set, laid out for reading: what to do with each member, found by its name.

use crate::decode::write_text;
use crate::schema::{Attribute, AttributeType, Mutability, Returned, Schema};

/// The attributes that may stand in one object.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) nodes: Vec<Node>,
    names: Names,
    /// The positions of those that an object has to have.
    pub(super) required: Vec<usize>,
}

/// The names of attributes, exactly spelled, in one piece of memory: a name is mostly found at the first look.
#[derive(Debug, Default)]
struct Names {
    /// A power of two, at most half of them taken; none where there are no attributes.
    places: Vec<Name>,
}

/// How long a name may be that is found quickly. Those of RFC 7643 have up to 17 bytes.
const NAME: usize = 29;

#[derive(Debug, Clone, Copy, Default)]
struct Name {
    bytes: [u8; NAME],
    /// 0 where the place is free.
    length: u8,
    node: u16,
}

impl Names {
    fn of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        if names.len() == 0 {
            return Self::default();
        }
        let mut places = vec![Name::default(); (names.len() * 2).next_power_of_two()];
        for (node, name) in names.enumerate() {
            // One of so many that it has no number here is found all the same, more slowly.
            let Ok(node) = u16::try_from(node) else { break };
            let mut bytes = [0; NAME];
            let Some(room) = bytes.get_mut(..name.len()).filter(|room| !room.is_empty()) else { continue };
            room.copy_from_slice(name.as_bytes());
            let mask = places.len() - 1;
            let mut at = quick(name.as_bytes()) & mask;
            while places[at].length > 0 {
                at = (at + 1) & mask;
            }
            places[at] = Name { bytes, length: u8::try_from(name.len()).unwrap_or(u8::MAX), node };
        }
        Self { places }
    }

    fn find(&self, name: &str) -> Option<usize> {
        let mask = self.places.len().checked_sub(1)?;
        let name = name.as_bytes();
        let mut at = quick(name) & mask;
        loop {
            let there = self.places.get(at).filter(|there| there.length > 0)?;
            if usize::from(there.length) == name.len() && there.bytes.starts_with(name) {
                return Some(usize::from(there.node));
            }
            at = (at + 1) & mask;
        }
    }
}

/// Tells most names of a schema apart by their length and ends.
fn quick(name: &[u8]) -> usize {
    let at = |at: usize| name.get(at).copied().map_or(0, usize::from);
    let last = at(name.len().saturating_sub(1));
    name.len().wrapping_mul(7) ^ at(0).wrapping_mul(3) ^ last.wrapping_mul(5) ^ at(name.len() / 2)
}

/// One attribute.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) attribute: Attribute,
    /// The name as a JSON member, `"name":`.
    pub(super) key: Box<[u8]>,
    pub(super) read_only: bool,
    pub(super) never_shown: bool,
    pub(super) on_request: bool,
    pub(super) user_name: bool,
    pub(super) captured: bool,
    pub(super) role: Role,
    /// The positions of the watched paths that its text is for.
    pub(super) watched: Option<usize>,
    pub(super) subs: Members,
}

/// What an attribute is to the reader beyond its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Schemas,
    Active,
    Primary,
}

/// An extension and its attributes.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) urn: Box<str>,
    pub(super) key: Box<[u8]>,
    pub(super) members: Members,
    /// Whether every resource has it.
    pub(super) required: bool,
}

impl Extension {
    pub(super) fn new(schema: &Schema, required: bool, watched: &[&str]) -> Self {
        let urn = schema.id().as_str();
        Self {
            urn: urn.into(),
            key: member_key(urn),
            members: Members::new(schema.attributes().iter(), &format!("{urn}:"), watched, None),
            required,
        }
    }
}

impl Members {
    pub(super) fn new<'a>(
        attributes: impl Iterator<Item = &'a Attribute>,
        prefix: &str,
        watched: &[&str],
        captured: Option<&str>,
    ) -> Self {
        let top = prefix.is_empty();
        let nodes: Vec<Node> = attributes
            .map(|attribute| {
                let mut node = Node::new(attribute, prefix, watched);
                node.captured = captured.is_some_and(|name| attribute.name == *name);
                node.role = match attribute.name.as_str() {
                    "schemas" if top => Role::Schemas,
                    "active" if top => Role::Active,
                    "primary" if !top => Role::Primary,
                    _ => Role::Plain,
                };
                node
            })
            .collect();
        let names = Names::of(nodes.iter().map(|node| node.attribute.name.as_str()));
        let is_required =
            |node: &Node| node.attribute.required && !node.read_only && node.role != Role::Schemas;
        let required = (0..).zip(&nodes).filter(|(_, node)| is_required(node)).map(|(at, _)| at).collect();
        Self { nodes, names, required }
    }

    /// The position of an attribute; its exact spelling is the quick case. No name has a colon (RFC 7643 §2.1), but
    /// every URN has.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let exact = self.names.find(name);
        if exact.is_some() || name.contains(':') {
            return exact;
        }
        self.nodes.iter().position(|node| node.attribute.name == *name)
    }
}

impl Node {
    fn new(attribute: &Attribute, prefix: &str, watched: &[&str]) -> Self {
        let name = attribute.name.as_str();
        let path = format!("{prefix}{name}");
        let watches = |path: &str| watched.iter().position(|watched| *watched == path);
        let (subs, watched) = if attribute.kind == AttributeType::Complex {
            (Members::new(attribute.sub_attributes.iter(), &format!("{path}."), watched, None), None)
        } else {
            (Members::default(), watches(&path))
        };
        Self {
            key: member_key(name),
            read_only: attribute.mutability == Mutability::ReadOnly,
            never_shown: attribute.returned == Returned::Never
                || attribute.mutability == Mutability::WriteOnly,
            on_request: attribute.returned == Returned::Request,
            user_name: attribute.is_user_name(),
            captured: false,
            role: Role::Plain,
            watched,
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
