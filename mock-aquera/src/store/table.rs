//! The resources of one type: their places, their order, and an index for each indexed path.

use std::sync::Arc;

use jiff::Timestamp;

use super::content::Secret;
use super::document::Document;
use super::index::Index;
use super::keys;
use super::members::Members;
use super::order::Order;
use super::{Inconsistency, Past, Slot};

/// Places in a block of memory, so that growing moves no resource.
const BLOCK: usize = 1024;

/// One resource. All that a read looks at comes first and fits in one line of the cache: of a million resources hardly
/// any is in there.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Record {
    pub(crate) document: Document,
    pub(crate) version: u32,
    /// Whether the account is in use. One that doesn't say is.
    pub(crate) active: bool,
    /// Whether the document has values that are shown only when they are asked for.
    pub(crate) on_request: bool,
    /// Deleted as far as anybody can see.
    pub(crate) hidden: bool,
    pub(super) membership: Option<Box<Membership>>,
    pub(crate) id: Arc<str>,
    pub(crate) order: u64,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) secret: Option<Box<Secret>>,
}

/// What a resource belongs to, and who belongs to it.
#[derive(Debug, Default)]
pub(super) struct Membership {
    /// The members, where it is a group.
    pub(super) members: Option<Members>,
    /// The places of the groups that it is a direct member of.
    pub(super) member_of: Vec<Slot>,
}

impl Record {
    /// Whether that is its id. Looked for in its text, which whoever asks reads next anyway; its own is elsewhere.
    pub(crate) fn is_called(&self, id: &str) -> bool {
        self.document.has_id(id).unwrap_or_else(|| *self.id == *id)
    }

    /// What the next version says of itself.
    pub(super) fn next(&self, now: Timestamp) -> Past {
        Past { created: self.created, modified: now, version: self.version.saturating_add(1) }
    }

    /// Whether it is no group, and in none.
    pub(crate) fn is_alone(&self) -> bool {
        self.membership
            .as_ref()
            .is_none_or(|membership| membership.members.is_none() && membership.member_of.is_empty())
    }

    /// The members, where it is a group.
    pub(crate) fn members(&self) -> Option<&Members> {
        self.membership.as_ref()?.members.as_ref()
    }

    /// The places of the groups that it is a direct member of.
    pub(crate) fn member_of(&self) -> &[Slot] {
        self.membership.as_ref().map_or(&[], |membership| &membership.member_of)
    }

    pub(super) fn membership_mut(&mut self) -> &mut Membership {
        self.membership.get_or_insert_default()
    }
}

/// All resources of a type.
#[derive(Debug)]
pub(crate) struct Table {
    blocks: Vec<Vec<Option<Record>>>,
    free: Vec<Slot>,
    pub(crate) order: Order,
    indexes: Vec<Index<Slot>>,
}

impl Table {
    pub(crate) fn new(indexes: usize) -> Self {
        Self {
            blocks: Vec::new(),
            free: Vec::new(),
            order: Order::default(),
            indexes: (0..indexes).map(|_| Index::default()).collect(),
        }
    }

    pub(crate) fn get(&self, slot: Slot) -> Option<&Record> {
        let at = slot.index();
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut Record> {
        self.place(slot)?.as_mut()
    }

    fn place(&mut self, slot: Slot) -> Option<&mut Option<Record>> {
        let at = slot.index();
        self.blocks.get_mut(at / BLOCK)?.get_mut(at % BLOCK)
    }

    /// Every resource with its place, hidden ones too, in no order.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Slot, &Record)> {
        (0..)
            .map(Slot::new)
            .zip(self.blocks.iter().flatten())
            .filter_map(|(slot, record)| record.as_ref().map(|r| (slot, r)))
    }

    /// The resources with a text at an indexed path.
    pub(crate) fn having<'a>(
        &'a self,
        index: usize,
        text: &'a str,
    ) -> impl Iterator<Item = (Slot, &'a Record)> {
        let wanted = move |(at, key): (usize, &[u8])| at == index && key == text.as_bytes();
        self.indexes
            .get(index)
            .into_iter()
            .flat_map(move |index| index.candidates(text.as_bytes()))
            .filter_map(move |slot| {
                self.get(slot)
                    .filter(|record| keys::unpack(record.document.keys()).any(wanted))
                    .map(|record| (slot, record))
            })
    }

    /// Takes a resource in, at the end of the order.
    pub(crate) fn insert(&mut self, mut record: Record) -> Slot {
        let slot = if let Some(slot) = self.free.pop() {
            slot
        } else {
            if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
                self.blocks.push(Vec::with_capacity(BLOCK));
            }
            let full = (self.blocks.len() - 1) * BLOCK;
            let block = self.blocks.last_mut();
            let within = block.map_or(0, |block| {
                block.push(None);
                block.len() - 1
            });
            Slot::new(full + within)
        };
        record.order = self.order.push(slot);
        self.change_indexes(record.document.keys(), |index, text| index.insert(text, slot));
        if let Some(place) = self.place(slot) {
            *place = Some(record);
        }
        slot
    }

    pub(crate) fn remove(&mut self, slot: Slot) -> Option<Record> {
        let record = self.place(slot)?.take()?;
        self.free.push(slot);
        self.order.remove(record.order);
        self.change_indexes(record.document.keys(), |index, text| index.remove(text, slot));
        Some(record)
    }

    /// Takes a resource out of the order; its indexed texts stay.
    pub(crate) fn hide(&mut self, slot: Slot) -> Option<Arc<str>> {
        let record = self.get_mut(slot)?;
        record.hidden = true;
        let (order, id) = (record.order, Arc::clone(&record.id));
        self.order.remove(order);
        Some(id)
    }

    /// Gives a resource another document, which may have other indexed texts.
    pub(crate) fn rewrite(&mut self, slot: Slot, document: Document) {
        let Some(record) = self.get_mut(slot) else { return };
        let after = document.clone();
        let before = std::mem::replace(&mut record.document, document);
        if before.keys() != after.keys() {
            self.change_indexes(before.keys(), |index, text| index.remove(text, slot));
            self.change_indexes(after.keys(), |index, text| index.insert(text, slot));
        }
    }

    fn change_indexes(&mut self, keys: &[u8], change: impl Fn(&mut Index<Slot>, &[u8])) {
        for (index, text) in keys::unpack(keys) {
            if let Some(index) = self.indexes.get_mut(index) {
                change(index, text);
            }
        }
    }

    pub(crate) fn check(&self) -> Result<(), Inconsistency> {
        let (mut visible, mut keys) = (0, vec![0; self.indexes.len()]);
        for (slot, record) in self.records() {
            visible += usize::from(!record.hidden);
            for (index, text) in keys::unpack(record.document.keys()) {
                keys[index] += 1;
                let text = String::from_utf8_lossy(text);
                if !self.having(index, &text).any(|(other, _)| other == slot) {
                    return Err(Inconsistency::Text { id: Arc::clone(&record.id), text: text.into_owned() });
                }
            }
        }
        let ordered: Vec<(u64, Slot)> = self.order.after(None).collect();
        for (number, slot) in &ordered {
            if self.get(*slot).is_none_or(|record| record.order != *number || record.hidden) {
                return Err(Inconsistency::Order(*number));
            }
        }
        if ordered.len() != visible || self.order.len() != visible {
            return Err(Inconsistency::Totals {
                resources: visible,
                ordered: ordered.len(),
                counted: self.order.len(),
            });
        }
        match self.indexes.iter().zip(&keys).find(|(index, keys)| index.len() != **keys) {
            Some((index, texts)) => Err(Inconsistency::Entries { entries: index.len(), texts: *texts }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    #[test]
    fn what_a_read_looks_at_is_in_the_first_line_of_a_record() {
        assert_eq!(size_of::<Option<Record>>(), 128);
        assert!(offset_of!(Record, membership) + size_of::<usize>() <= 64);
    }
}
