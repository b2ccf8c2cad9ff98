//! Taking everything out of a store, and putting it back as it was: ids, versions, times, order and memberships.

use std::sync::Arc;

use axum::body::Bytes;

use super::content::{Content, Secret};
use super::members::Members;
use super::{Past, Record, Ref, Store};
use crate::types::{Role, TypeId};

/// One resource as it is taken out.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) kind: TypeId,
    /// The representation without what is worked out when somebody reads.
    pub(crate) text: Bytes,
    pub(crate) hidden: bool,
    pub(crate) secret: Option<Secret>,
    /// The ids of the members, in the order in which they joined.
    pub(crate) members: Vec<Arc<str>>,
    /// The ids of members that were given another name than their own, and that name.
    pub(crate) names: Vec<(Arc<str>, Box<str>)>,
    /// The ids of the groups in the order in which they were joined; empty where there is one at most.
    pub(crate) member_of: Vec<Arc<str>>,
}

/// One resource as it is put back.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) id: Arc<str>,
    pub(crate) content: Content,
    pub(crate) past: Past,
    pub(crate) hidden: bool,
}

impl Store {
    /// Everything that is kept, in the order in which it is to be put back: hidden resources first, since their ids
    /// may be in use again, then each type in order of creation.
    pub(crate) fn take_stock(&self) -> Vec<Kept> {
        let mut stock = Vec::with_capacity(self.ids.len());
        for (kind, _) in self.types.positions() {
            let hidden = self.table(kind).records().filter(|(_, record)| record.hidden);
            stock.extend(hidden.map(|(_, record)| self.kept(kind, record)));
        }
        for (kind, _) in self.types.positions() {
            let table = self.table(kind);
            let shown = table.order.after(None).filter_map(|(_, slot)| table.get(slot));
            stock.extend(shown.map(|record| self.kept(kind, record)));
        }
        stock
    }

    fn kept(&self, kind: TypeId, record: &Record) -> Kept {
        let id_of = |at: Ref| self.get(at).map(|record| Arc::clone(&record.id));
        let groups = self.types.of_role(Role::Group).filter(|_| record.member_of().len() > 1);
        let above = groups.map(|kind| record.member_of().iter().map(move |slot| Ref { kind, slot: *slot }));
        let named = record.members().into_iter().flat_map(|members| {
            let named = members.iter().filter_map(|at| Some((at, members.name(at)?)));
            named.filter_map(|(at, name)| Some((id_of(at)?, Box::from(name))))
        });
        Kept {
            kind,
            text: record.document.shared(),
            hidden: record.hidden,
            secret: record.secret.as_deref().copied(),
            members: record.members().into_iter().flat_map(Members::iter).filter_map(id_of).collect(),
            names: named.collect(),
            member_of: above.into_iter().flatten().filter_map(id_of).collect(),
        }
    }

    /// Puts a resource back, at the end of the order and a member of nothing.
    pub(crate) fn put_back(&mut self, kind: TypeId, resource: Restored) -> Ref {
        let Restored { id, content, past, hidden } = resource;
        let at = self.restore(kind, id, content, &past);
        if hidden {
            self.hide(at, past.modified);
        }
        at
    }

    /// How many ids were drawn so far, and the ids that may be given again.
    pub(crate) fn id_state(&self) -> (u64, Vec<Arc<str>>) {
        (self.drawn, self.freed_ids.clone())
    }

    /// Goes on drawing ids where another store of the same seed was.
    pub(crate) fn restore_id_state(&mut self, drawn: u64, freed: Vec<Arc<str>>) {
        for _ in self.drawn..drawn {
            self.draw();
        }
        self.freed_ids = freed;
    }
}
