//! A walk over resources: which of them a filter selects, and where each stands in the order.

use std::sync::Mutex;

use axum::body::Bytes;
use scim::sort::SortBy;

use super::super::filters::{Comparing, Indexed};
use super::super::page::{Position, Rank};
use super::super::partial;
use super::{Chosen, List};
use crate::lock;
use crate::store::show::MembersShown;
use crate::store::{Record, Ref, Store};

/// How many resources a walk looks at before it lets others at the store.
const STRIDE: usize = 256;

/// A walk over the resources of one type.
pub(super) struct Walk<'l> {
    list: &'l List,
    kind_at: u16,
    comparing: Comparing<'l>,
    /// What the filter and the order look at.
    needed: Vec<String>,
    /// Whether that is worked out when somebody reads.
    computed: bool,
    sort: Option<&'l SortBy>,
}

impl<'l> Walk<'l> {
    pub(super) fn new(list: &'l List, nth: usize, kind_at: u16) -> Self {
        let kind = list.types.get(kind_at);
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
        }
    }

    /// The resource's sort key where it satisfies the filter.
    fn judge(&self, text: &[u8]) -> Option<Rank> {
        let tree = partial::members(text, &self.needed);
        let holds = self.list.filter.as_ref().is_none_or(|filter| filter.matches(&tree, &self.comparing));
        holds.then(|| self.sort.map(|by| by.key(&tree)))
    }

    fn text(&self, store: &Store, slot: u32, record: &Record) -> Bytes {
        if self.computed {
            store.shown(Ref { kind: self.kind_at, slot }, record, MembersShown::Whole)
        } else {
            record.document.text().clone()
        }
    }

    pub(super) fn candidates(&self, store: &Store, indexed: &Indexed<'_>, chosen: &mut Vec<Chosen>) {
        let kind = self.kind_at;
        let slots = match indexed {
            Indexed::Id(id) => store.find_in(kind, id).map(|(at, _)| at.slot).into_iter().collect(),
            Indexed::Watched(index, text) => store.equal(kind, *index, text),
            Indexed::MemberOf(id) => store.direct_groups(id),
        };
        for slot in slots {
            let Some(record) = store.get(Ref { kind, slot }) else { continue };
            if let Some(key) = self.judge(&self.text(store, slot, record)) {
                chosen.push((key, Position { kind, number: record.order }, slot));
            }
        }
    }

    pub(super) fn everything(&self, store: &Mutex<Store>, chosen: &mut Vec<Chosen>) {
        let kind = self.kind_at;
        let mut after = None;
        loop {
            let some: Vec<(u64, u32, Bytes)> = {
                let store = lock(store);
                let order = store.table(kind).order.after(after).take(STRIDE);
                order
                    .filter_map(|(number, slot)| {
                        let record = store.get(Ref { kind, slot })?;
                        Some((number, slot, self.text(&store, slot, record)))
                    })
                    .collect()
            };
            let Some((last, ..)) = some.last() else { return };
            after = Some(*last);
            for (number, slot, text) in some {
                if let Some(key) = self.judge(&text) {
                    chosen.push((key, Position { kind, number }, slot));
                }
            }
        }
    }
}
