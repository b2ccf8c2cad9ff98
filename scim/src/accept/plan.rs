//! A schema set, laid out for reading: what to do with each member, found by its name.

use hashbrown::HashMap;

use crate::accept::write_text;
use crate::schema::{Attribute, AttributeType, Mutability, Returned, Schema};

/// The attributes that may stand in one object.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) nodes: Vec<Node>,
    exact: HashMap<Box<str>, usize>,
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
        let exact =
            nodes.iter().enumerate().map(|(at, node)| (node.attribute.name.as_str().into(), at)).collect();
        Self { nodes, exact }
    }

    /// The position of an attribute; its exact spelling is the quick case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        match self.exact.get(name) {
            Some(at) => Some(*at),
            None => self.nodes.iter().position(|node| node.attribute.name == *name),
        }
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
