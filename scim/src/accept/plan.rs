//! A schema set, laid out for reading: what to do with each member, found by its name.

use crate::accept::write_text;
use crate::schema::{Attribute, AttributeType, Mutability, Returned, Schema};

/// How many places the table of names has; a power of two.
const PLACES: usize = 64;

/// The attributes that may stand in one object.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) nodes: Vec<Node>,
    /// The attributes by what is quickly seen of their names, exactly spelled.
    places: Vec<Vec<u16>>,
}

/// Tells most names of a schema apart by their length and ends.
fn place(name: &str) -> usize {
    let bytes = name.as_bytes();
    let at = |at: usize| bytes.get(at).copied().map_or(0, usize::from);
    let last = at(bytes.len().saturating_sub(1));
    (bytes.len().wrapping_mul(7) ^ at(0).wrapping_mul(3) ^ last.wrapping_mul(5) ^ at(bytes.len() / 2))
        % PLACES
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
        let mut places = vec![Vec::new(); if nodes.is_empty() { 0 } else { PLACES }];
        for (at, node) in nodes.iter().enumerate() {
            places[place(node.attribute.name.as_str())].push(u16::try_from(at).unwrap_or(u16::MAX));
        }
        Self { nodes, places }
    }

    /// The position of an attribute; its exact spelling is the quick case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let near = self.places.get(place(name))?;
        let exact = near
            .iter()
            .map(|at| usize::from(*at))
            .find(|at| self.nodes.get(*at).is_some_and(|node| node.attribute.name.as_str() == name));
        exact.or_else(|| self.nodes.iter().position(|node| node.attribute.name == *name))
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
