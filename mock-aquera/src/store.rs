//! The resources of one application and all their indexes. A write keeps the indexes, and what groups and users say of
//! each other, true; it knows no other protocol rule.
//!
//! A resource is kept as the text that goes over the wire ([`document`]). Everything is behind the application's one
//! lock, so a write is atomic. What users and groups say of each other (`groups`, `members`) is worked out when
//! somebody reads ([`show`]), so it cannot become stale.

pub(crate) mod content;
pub(crate) mod document;
mod inconsistency;
mod index;
mod keys;
pub(crate) mod members;
mod order;
pub(crate) mod render;
pub(crate) mod restore;
mod table;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Bytes;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::store::render::MembersShown;
use crate::types::{Role, TypeId, Types};
use content::{Content, Key};
use document::{Document, Meta};
pub use inconsistency::Inconsistency;
use index::Index;
use members::Members;
use table::Membership;
pub(crate) use table::{Record, Table};

/// A place in the table of a type. It is used again once its resource is gone.
///
/// Not zero inside, so that an optional one takes no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Slot(NonZeroU32);

impl Slot {
    /// The place with this index; of more than four billion, the last.
    pub(crate) fn new(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(u32::try_from(index).unwrap_or(u32::MAX)))
    }

    pub(crate) fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// Where a resource is: its type and its place there. A place is used again once its resource is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Ref {
    pub(crate) kind: TypeId,
    pub(crate) slot: Slot,
}

/// Of work on more resources than this, some are done at a time, and others are let in before the next.
pub(crate) const MANY: usize = 256;

/// Lets those who wait for a store have it: whoever locks it anew at once would be faster than they wake up.
pub(crate) fn let_others() {
    std::thread::sleep(std::time::Duration::from_micros(50));
}

/// How many places have a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Equals {
    None,
    One(Slot),
    Several,
}

/// What `meta` says of the versions of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) version: u32,
}

/// All resources of one application.
#[derive(Debug)]
pub(crate) struct Store {
    types: Arc<Types>,
    endpoints: Vec<String>,
    tables: Vec<Table>,
    ids: Index<Ref>,
    random: StdRng,
    /// How often an id was drawn.
    drawn: u64,
    freed_ids: Vec<Arc<str>>,
    /// How many resources are out of sight.
    hidden: usize,
    /// What reads still show, by id, the oldest first.
    stale: HashMap<Arc<str>, Vec<Stale>>,
}

/// What reads of an id show until an instant.
#[derive(Debug)]
pub(crate) struct Stale {
    until: Timestamp,
    pub(crate) kind: TypeId,
    /// The place in the order of creation.
    pub(crate) order: u64,
    pub(crate) etag: String,
    /// `None` if the resource did not exist.
    pub(crate) shown: Option<Bytes>,
}

impl Store {
    /// `base_url` is the address of the application, without a slash at the end; `seed` decides all ids.
    pub(crate) fn new(types: Arc<Types>, base_url: &str, seed: u64) -> Self {
        Self {
            endpoints: types.all().iter().map(|kind| format!("{base_url}/{}", kind.endpoint)).collect(),
            tables: types.all().iter().map(|kind| Table::new(kind.indexed.len())).collect(),
            types,
            ids: Index::default(),
            random: StdRng::seed_from_u64(seed),
            drawn: 0,
            freed_ids: Vec::new(),
            hidden: 0,
            stale: HashMap::new(),
        }
    }

    pub(crate) fn types(&self) -> &Arc<Types> {
        &self.types
    }

    pub(crate) fn table(&self, kind: TypeId) -> &Table {
        &self.tables[kind.index()]
    }

    fn table_mut(&mut self, kind: TypeId) -> &mut Table {
        &mut self.tables[kind.index()]
    }

    /// How many resources of a type there are.
    pub(crate) fn count(&self, kind: TypeId) -> usize {
        self.table(kind).order.len()
    }

    /// The resource at a place, hidden ones excepted.
    pub(crate) fn get(&self, at: Ref) -> Option<&Record> {
        self.table(at.kind).get(at.slot).filter(|record| !record.hidden)
    }

    /// The resource of an id, of whatever type.
    pub(crate) fn find(&self, id: &str) -> Option<Ref> {
        self.ids
            .candidates(id.as_bytes())
            .find(|at| self.table(at.kind).get(at.slot).is_some_and(|record| record.is_called(id)))
    }

    /// The resource of a type and id.
    pub(crate) fn find_in(&self, kind: TypeId, id: &str) -> Option<(Ref, &Record)> {
        let at = self.find(id).filter(|at| at.kind == kind)?;
        self.get(at).map(|record| (at, record))
    }

    /// Whether one place, several or none have this indexed text.
    pub(crate) fn equals(&self, kind: TypeId, index: usize, text: &str) -> Equals {
        let folded = self.types.get(kind).indexed[index].fold(text);
        let mut found = self.table(kind).having(index, &folded).filter(|(_, record)| !record.hidden);
        match (found.next(), found.next()) {
            (None, _) => Equals::None,
            (Some((slot, _)), None) => Equals::One(slot),
            (Some(_), Some(_)) => Equals::Several,
        }
    }

    /// The places whose indexed text is this one, in order of creation.
    pub(crate) fn equal(&self, kind: TypeId, index: usize, text: &str) -> Vec<Slot> {
        let folded = self.types.get(kind).indexed[index].fold(text);
        let table = self.table(kind);
        let mut found: Vec<(u64, Slot)> = table
            .having(index, &folded)
            .filter(|(_, record)| !record.hidden)
            .map(|(slot, record)| (record.order, slot))
            .collect();
        if found.len() > 1 {
            found.sort_unstable();
            found.dedup();
        }
        found.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The path of the first unique text that another resource of the type has, also one that is hidden.
    pub(crate) fn taken<'s>(&'s self, kind: TypeId, keys: &[Key], except: Option<Slot>) -> Option<&'s str> {
        let indexed = &self.types.get(kind).indexed;
        let table = self.table(kind);
        keys.iter().find_map(|key| {
            let index = indexed.get(usize::from(key.index))?;
            // Nothing says that two accounts may not share an `externalId`; one that was deleted softly keeps it.
            if !index.unique && (self.hidden == 0 || index.text != "externalId") {
                return None;
            }
            let mut others = table.having(usize::from(key.index), &key.text);
            others.find(|(slot, record)| Some(*slot) != except && (index.unique || record.hidden))?;
            Some(index.text.as_str())
        })
    }

    /// A new id, which nobody has.
    pub(crate) fn new_id(&mut self) -> Arc<str> {
        loop {
            let mut buffer = uuid::Uuid::encode_buffer();
            let id = uuid::Builder::from_random_bytes(self.draw()).into_uuid();
            let id: &str = id.hyphenated().encode_lower(&mut buffer);
            if self.find(id).is_none() {
                return id.into();
            }
        }
    }

    fn draw(&mut self) -> [u8; 16] {
        self.drawn += 1;
        self.random.random()
    }

    /// The id that was given up last, which is given again.
    pub(crate) fn reused_id(&mut self) -> Option<Arc<str>> {
        while let Some(id) = self.freed_ids.pop() {
            if self.find(&id).is_none() {
                return Some(id);
            }
        }
        None
    }

    /// Adds a resource; whoever has the id already goes.
    pub(crate) fn insert(&mut self, kind: TypeId, id: Arc<str>, content: Content, now: Timestamp) -> Ref {
        self.restore(kind, id, content, &Past { created: now, modified: now, version: 1 })
    }

    /// Adds a resource that has been somewhere before; whoever has the id already goes.
    pub(crate) fn restore(&mut self, kind: TypeId, id: Arc<str>, content: Content, past: &Past) -> Ref {
        if let Some(before) = self.find(&id) {
            self.remove(before);
        }
        let Past { created, modified, version } = *past;
        let document = self.document(kind, &content, &id, *past);
        let Content { active, refs, names, secret, on_request, .. } = content;
        let group = self.types.get(kind).role == Role::Group;
        let key = Arc::clone(&id);
        let record = Record {
            id,
            document,
            order: 0,
            version,
            created,
            modified,
            active: active.unwrap_or(true),
            on_request,
            hidden: false,
            membership: group
                .then(|| Box::new(Membership { members: Some(Members::default()), member_of: Vec::new() })),
            secret: secret.map(Box::new),
        };
        let slot = self.table_mut(kind).insert(record);
        let at = Ref { kind, slot };
        self.ids.insert(key.as_bytes(), at);
        if let Some(refs) = refs {
            self.set_members(at, &refs, &names);
        }
        at
    }

    fn document(&self, kind: TypeId, content: &Content, id: &str, past: Past) -> Document {
        let schemas = &self.types.get(kind).schemas;
        let used = content.extensions.iter().filter_map(|at| schemas.extensions().get(*at));
        let urns = std::iter::once(schemas.core()).chain(used).map(|schema| schema.id().as_str());
        let (resource_type, endpoint) = (self.types.get(kind).name(), &*self.endpoints[kind.index()]);
        Document::new(urns, &content.members, &Meta { resource_type, endpoint, id, past }, &content.keys)
    }

    /// Writes a resource anew under its id and its place in the order: a new version.
    pub(crate) fn replace(&mut self, at: Ref, content: Content, now: Timestamp) {
        let Some(record) = self.get(at) else { return };
        let (id, past) = (Arc::clone(&record.id), record.next(now));
        let document = self.document(at.kind, &content, &id, past);
        let Content { active, refs, names, secret, on_request, .. } = content;
        let table = self.table_mut(at.kind);
        table.rewrite(at.slot, document);
        if let Some(record) = table.get_mut(at.slot) {
            record.version = past.version;
            record.modified = now;
            record.active = active.unwrap_or(record.active);
            record.on_request = on_request;
            // What nobody can read is not taken away by leaving it out.
            record.secret = secret.map(Box::new).or(record.secret.take());
        }
        if let Some(refs) = refs {
            self.set_members(at, &refs, &names);
        }
    }

    /// Sets one top-level member that no index is about, given as JSON text: a new version. `member` is its name, and
    /// where its value is in the document.
    pub(crate) fn set_member(
        &mut self,
        at: Ref,
        member: (&str, Option<Range<usize>>),
        json: &[u8],
        active: Option<bool>,
        now: Timestamp,
    ) {
        let record = self.renew(at, now, |document, past| document.with_member(member, json, past));
        if let Some(record) = record {
            record.active = active.unwrap_or(record.active);
        }
    }

    /// A new version of the same content: something that it is read with has changed.
    fn touch(&mut self, at: Ref, now: Timestamp) {
        self.renew(at, now, Document::touched);
    }

    /// A new version with the document that is made of the one before. No index is about what differs.
    fn renew(
        &mut self,
        at: Ref,
        now: Timestamp,
        make: impl FnOnce(&Document, Past) -> Document,
    ) -> Option<&mut Record> {
        let record = self.table_mut(at.kind).get_mut(at.slot)?;
        let past = record.next(now);
        let document = make(&record.document, past);
        (record.document, record.version, record.modified) = (document, past.version, now);
        Some(record)
    }

    /// Removes a resource, also from the groups that it is a member of, which are changed by that.
    pub(crate) fn remove_at(&mut self, at: Ref, now: Timestamp) -> Option<Record> {
        let groups = self.table(at.kind).get(at.slot)?.member_of().to_vec();
        let record = self.remove(at)?;
        if let Some(kind) = self.types.of_role(Role::Group) {
            for slot in groups {
                self.touch(Ref { kind, slot }, now);
            }
        }
        Some(record)
    }

    fn remove(&mut self, at: Ref) -> Option<Record> {
        self.unlink(at);
        let record = self.table_mut(at.kind).remove(at.slot)?;
        self.ids.remove(record.id.as_bytes(), at);
        self.freed_ids.push(Arc::clone(&record.id));
        if self.freed_ids.len() > 1024 {
            self.freed_ids.remove(0);
        }
        Some(record)
    }

    /// Takes out again what was just added and nobody has seen.
    pub(crate) fn withdraw(&mut self, added: &[Ref]) {
        for at in added.iter().rev() {
            if let Some(record) = self.remove(*at) {
                self.freed_ids.retain(|id| *id != record.id);
            }
        }
    }

    /// Takes a resource out of sight: nobody can read it any more, but its unique texts stay taken.
    pub(crate) fn hide(&mut self, at: Ref, now: Timestamp) {
        let groups =
            self.table(at.kind).get(at.slot).map(|record| record.member_of().to_vec()).unwrap_or_default();
        self.unlink(at);
        if let Some(id) = self.table_mut(at.kind).hide(at.slot) {
            self.ids.remove(id.as_bytes(), at);
            self.hidden += 1;
        }
        if let Some(kind) = self.types.of_role(Role::Group) {
            for slot in groups {
                self.touch(Ref { kind, slot }, now);
            }
        }
    }

    /// Lets reads show until an instant what a resource is now: `members` says how, and nothing that it isn't there.
    pub(crate) fn keep_stale(
        &mut self,
        at: Ref,
        until: Timestamp,
        now: Timestamp,
        members: Option<MembersShown>,
    ) {
        let Some(record) = self.get(at) else { return };
        let id = Arc::clone(&record.id);
        let shown = members.map(|members| self.shown(at, record, members));
        let stale = Stale { until, kind: at.kind, order: record.order, etag: self.etag(record), shown };
        self.stale.retain(|_, kept| {
            kept.retain(|stale| stale.until > now);
            !kept.is_empty()
        });
        self.stale.entry(id).or_default().push(stale);
    }

    /// What reads of an id still show.
    pub(crate) fn stale(&self, id: &str, now: Timestamp) -> Option<&Stale> {
        if self.stale.is_empty() {
            return None;
        }
        self.stale.get(id)?.iter().find(|stale| stale.until > now)
    }

    /// Whether some read shows what was.
    pub(crate) fn has_stale(&self, now: Timestamp) -> bool {
        self.stale.values().flatten().any(|stale| stale.until > now)
    }

    /// What lists of a type still show though it is gone: its place in the order, and the text.
    pub(crate) fn gone(&self, kind: TypeId, now: Timestamp) -> Vec<(u64, Bytes)> {
        let shown = self.stale.keys().filter_map(|id| Some((id, self.stale(id, now)?)));
        let gone = shown.filter(|(id, stale)| {
            stale.kind == kind && self.find_in(kind, id).is_none_or(|(_, record)| record.order != stale.order)
        });
        gone.filter_map(|(_, stale)| Some((stale.order, stale.shown.clone()?))).collect()
    }

    /// Whether indexes, order, totals and memberships agree with the resources. For tests; takes its time.
    ///
    /// # Errors
    /// The first inconsistency.
    pub(crate) fn check(&self) -> Result<(), Inconsistency> {
        let mut visible = 0;
        for (kind, _) in self.types.positions() {
            let table = self.table(kind);
            table.check()?;
            for (slot, record) in table.records().filter(|(_, record)| !record.hidden) {
                visible += 1;
                let at = Ref { kind, slot };
                if self.find(&record.id) != Some(at) {
                    return Err(Inconsistency::Id(Arc::clone(&record.id)));
                }
                self.check_links(at, record)?;
            }
        }
        if self.ids.len() == visible { Ok(()) } else { Err(Inconsistency::SpareId) }
    }
}

#[cfg(test)]
mod tests;
