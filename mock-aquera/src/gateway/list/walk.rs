//! A look at every resource of a type, some hundreds at a time, so that nobody else waits for the store.

use std::sync::Mutex;

use axum::body::Bytes;
use scim::sort::SortBy;

use super::super::filters::{Comparing, Indexed};
use super::super::page::{Position, Rank};
use super::{Item, List};
use crate::address::Rebase;
use crate::gateway::select_members;
use crate::lock;
use crate::store::render::MembersShown;
use crate::store::{Record, Ref, Slot, Store};
use crate::types::TypeId;

/// How many resources a walk looks at before it lets others at the store.
const STRIDE: usize = 256;

/// A resource that a query selects.
pub(super) struct Chosen {
    pub(super) key: Rank,
    pub(super) position: Position,
    pub(super) item: Item,
}

/// A walk over the resources of one type.
pub(super) struct Walk<'l> {
    list: &'l List,
    kind_at: TypeId,
    comparing: Comparing<'l>,
    /// What the filter and the order look at.
    needed: Vec<String>,
    /// Whether that is worked out when somebody reads.
    computed: bool,
    sort: Option<&'l SortBy>,
    hides_inactive: bool,
}

impl<'l> Walk<'l> {
    pub(super) fn new(list: &'l List, nth: usize, kind_at: TypeId) -> Self {
        let kind = list.settings.types.get(kind_at);
        let mut needed: Vec<String> =
            list.filter.iter().flat_map(|filter| filter.top_level_members(&kind.schemas)).collect();
        let sort = list.sort.as_ref().and_then(|sort| sort.by[nth].as_ref());
        if let Some(sort) = sort {
            needed.push(sort.member().to_owned());
        }
        Self {
            comparing: Comparing { schemas: &kind.schemas, case: list.settings.profile.filter.case },
            computed: needed.iter().any(|name| name == "members" || name == "groups" || name == "meta"),
            list,
            kind_at,
            needed,
            sort,
            hides_inactive: list.settings.hides_inactive(kind_at),
        }
    }

    /// The resource's sort key where it satisfies the filter.
    fn judge(&self, text: &[u8]) -> Option<Rank> {
        let mut tree = select_members::members(text, &self.needed);
        if let Some(to) = &self.list.seen_as {
            Rebase { from: &self.list.settings.scim_url, to }.value(&mut tree);
        }
        let holds = self.list.filter.as_ref().is_none_or(|filter| filter.matches(&tree, &self.comparing));
        holds.then(|| self.sort.map(|by| by.key(&tree)))
    }

    fn text(&self, store: &Store, slot: Slot, record: &Record) -> Bytes {
        if self.computed {
            store.shown(Ref { kind: self.kind_at, slot }, record, MembersShown::Whole)
        } else {
            record.document.shared()
        }
    }

    /// What is looked at of a resource, and whether that is what it was before; nothing where nobody sees it.
    fn looked_at(&self, store: &Store, slot: Slot, record: &Record) -> Option<(Bytes, bool)> {
        match store.stale(&record.id, self.list.now) {
            None if self.hides_inactive && !record.active => None,
            None => Some((self.text(store, slot, record), false)),
            // What was there before has another place in the order where the id is used again.
            Some(stale) if stale.order != record.order => None,
            Some(stale) => stale.shown.clone().filter(|text| self.sees(text)).map(|text| (text, true)),
        }
    }

    fn sees(&self, text: &[u8]) -> bool {
        !self.hides_inactive || select_members::is_active(text)
    }

    pub(super) fn candidates(&self, store: &Store, indexed: &Indexed<'_>, chosen: &mut Vec<Chosen>) {
        let kind = self.kind_at;
        let slots = match indexed {
            Indexed::Id(id) => store.find_in(kind, id).map(|(at, _)| at.slot).into_iter().collect(),
            Indexed::Text(index, text) => store.equal(kind, *index, text),
            Indexed::MemberOf(id) => store.direct_groups(id),
        };
        for slot in slots {
            let Some(record) = store.get(Ref { kind, slot }) else { continue };
            let looked_at = self.looked_at(store, slot, record);
            if let Some(key) = looked_at.and_then(|(text, _)| self.judge(&text)) {
                let position = Position { kind, number: record.order };
                chosen.push(Chosen { key, position, item: Item::Stored(Ref { kind, slot }) });
            }
        }
    }

    pub(super) fn everything(&self, store: &Mutex<Store>, chosen: &mut Vec<Chosen>) {
        let kind = self.kind_at;
        let mut after = None;
        loop {
            let mut last = None;
            let some: Vec<(u64, Slot, Bytes, bool)> = {
                let store = lock(store);
                let order = store.table(kind).order.after(after).take(STRIDE);
                order
                    .inspect(|(number, _)| last = Some(*number))
                    .filter_map(|(number, slot)| {
                        let record = store.get(Ref { kind, slot })?;
                        let (text, stale) = self.looked_at(&store, slot, record)?;
                        Some((number, slot, text, stale))
                    })
                    .collect()
            };
            if last.is_none() {
                return;
            }
            after = last;
            for (number, slot, text, stale) in some {
                if let Some(key) = self.judge(&text) {
                    let item =
                        if stale { Item::Stale { kind, text } } else { Item::Stored(Ref { kind, slot }) };
                    chosen.push(Chosen { key, position: Position { kind, number }, item });
                }
            }
        }
    }

    /// What is gone, and was there before a write that reads don't show yet.
    pub(super) fn gone(&self, store: &Store, chosen: &mut Vec<Chosen>) {
        let kind = self.kind_at;
        for (number, text) in store.gone(kind, self.list.now) {
            if let Some(key) = self.judge(&text).filter(|_| self.sees(&text)) {
                let item = Item::Stale { kind, text };
                chosen.push(Chosen { key, position: Position { kind, number }, item });
            }
        }
    }
}
