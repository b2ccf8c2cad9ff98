//! A resource as somebody reads it: the text that is kept, with what users and groups say of each other.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use axum::body::Bytes;
use axum::http::HeaderValue;
use scim::decode::write_text;
use serde_json::Value;

use super::document::write_location;
use super::{Record, Ref, Store};
use crate::types::Role;

/// How the members of a group are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum MembersShown {
    /// All of them; the attribute is left out where there are none (RFC 7643 §2.5).
    #[default]
    Whole,
    /// Not at all.
    Missing,
    /// As an empty list, whoever is in it.
    Empty,
    /// The first ones only.
    First(usize),
}

impl Store {
    /// The representation of a resource, shared with the store where nothing has to be worked out.
    pub(crate) fn shown(&self, at: Ref, record: &Record, members: MembersShown) -> Bytes {
        if record.is_alone() {
            return record.document.shared();
        }
        let (extras, version) = self.extras(at, record, members);
        if extras.is_empty() && version.is_empty() {
            return record.document.shared();
        }
        Bytes::from(record.document.with_extras(&extras, &version))
    }

    /// Appends the representation of a resource.
    pub(crate) fn show_into(&self, out: &mut Vec<u8>, at: Ref, record: &Record, members: MembersShown) {
        if record.is_alone() {
            out.extend_from_slice(record.document.text());
        } else {
            out.extend_from_slice(&self.shown(at, record, members));
        }
    }

    /// The representation as a tree.
    pub(crate) fn tree(&self, at: Ref, record: &Record) -> Value {
        let text = self.shown(at, record, MembersShown::Whole);
        crate::or_default(serde_json::from_slice(&text), "read a stored resource")
    }

    /// The entity tag as the value of a header.
    pub(crate) fn etag_header(&self, record: &Record) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.etag(record)).ok()
    }

    /// The entity tag of a representation (RFC 7644 §3.14), weak like all of ours.
    pub(crate) fn etag(&self, record: &Record) -> String {
        let groups = if self.types_have_groups(record) { self.groups_text(record) } else { Vec::new() };
        let mut tag = String::with_capacity(24);
        tag.push_str("W/\"");
        tag.push_str(itoa::Buffer::new().format(record.version));
        tag.push_str(&version_suffix(&groups));
        tag.push('"');
        tag
    }

    fn types_have_groups(&self, record: &Record) -> bool {
        record.members().is_none()
            && !record.member_of().is_empty()
            && self.find(&record.id).is_some_and(|at| self.types().get(at.kind).shows_groups)
    }

    /// The members that are worked out, as JSON text, and what they add to the version.
    fn extras(&self, at: Ref, record: &Record, shown: MembersShown) -> (Vec<u8>, String) {
        match self.types().get(at.kind).role {
            Role::User if !self.types().get(at.kind).shows_groups => (Vec::new(), String::new()),
            Role::User => {
                let groups = self.groups_text(record);
                let version = version_suffix(&groups);
                (groups, version)
            }
            Role::Group => (self.members_text(record, shown), String::new()),
            Role::Other => (Vec::new(), String::new()),
        }
    }

    fn groups_text(&self, record: &Record) -> Vec<u8> {
        let Some(kind) = self.types().of_role(Role::Group) else { return Vec::new() };
        let mut out = Vec::new();
        for (slot, direct) in self.groups_of(record) {
            let at = Ref { kind, slot };
            let Some(group) = self.get(at) else { continue };
            out.extend_from_slice(if out.is_empty() { b"\"groups\":[" } else { b"," });
            self.pointer(&mut out, at, group, None, if direct { "direct" } else { "indirect" });
        }
        if !out.is_empty() {
            out.push(b']');
        }
        out
    }

    fn members_text(&self, record: &Record, shown: MembersShown) -> Vec<u8> {
        let Some(members) = record.members() else { return Vec::new() };
        let limit = match shown {
            MembersShown::Whole => usize::MAX,
            MembersShown::Missing => return Vec::new(),
            MembersShown::Empty => return b"\"members\":[]".to_vec(),
            MembersShown::First(limit) => limit,
        };
        let mut out = Vec::with_capacity(members.len().min(limit) * 192);
        for at in members.iter().take(limit) {
            let Some(member) = self.get(at) else { continue };
            out.extend_from_slice(if out.is_empty() { b"\"members\":[" } else { b"," });
            self.pointer(&mut out, at, member, members.name(at), self.types().get(at.kind).name());
        }
        if !out.is_empty() {
            out.push(b']');
        }
        out
    }

    /// `{"value":…,"$ref":…,"display":…,"type":…}`.
    fn pointer(&self, out: &mut Vec<u8>, at: Ref, record: &Record, name: Option<&str>, of_type: &str) {
        out.extend_from_slice(b"{\"value\":");
        write_text(out, &record.id);
        out.extend_from_slice(b",\"$ref\":\"");
        write_location(out, &self.endpoints[at.kind.index()], &record.id);
        out.push(b'"');
        if let Some(name) = name {
            out.extend_from_slice(b",\"display\":");
            write_text(out, name);
        } else if let Some(display) = own_name(record) {
            out.extend_from_slice(b",\"display\":");
            out.extend_from_slice(display);
        }
        out.extend_from_slice(b",\"type\":");
        write_text(out, of_type);
        out.push(b'}');
    }
}

/// What a resource calls itself, as JSON text.
pub(crate) fn own_name(record: &Record) -> Option<&[u8]> {
    let name = ["displayName", "userName"].iter().find_map(|name| record.document.member(name));
    name.filter(|name| name.first() == Some(&b'"'))
}

/// A user's version changes with its groups too, though its attributes do not.
fn version_suffix(groups: &[u8]) -> String {
    if groups.is_empty() {
        return String::new();
    }
    // Fixed keys: the same groups give the same tag in every process.
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(groups);
    format!(".{:08x}", hash & 0xffff_ffff)
}
