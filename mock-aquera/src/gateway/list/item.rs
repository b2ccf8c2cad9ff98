//! The resources of a page, before and while it is written.

use axum::body::Bytes;

use crate::store::{Record, Ref, Store};
use crate::types::TypeId;

/// A resource that is listed.
#[derive(Clone)]
pub(super) enum Item {
    /// What is stored at a place when the page is written.
    Stored(Ref),
    /// What it was before a write that reads don't show yet.
    Stale { kind: TypeId, text: Bytes },
}

/// A listed resource with what is known of it when the page is written.
#[derive(Clone, Copy)]
pub(super) enum Listed<'s> {
    Stored(Ref, &'s Record),
    Stale(TypeId, &'s Bytes),
}

impl<'s> Listed<'s> {
    /// Returns `None` if the resource is gone by now.
    pub(super) fn of(item: &'s Item, store: &'s Store) -> Option<Self> {
        match item {
            Item::Stored(at) => store.get(*at).map(|record| Self::Stored(*at, record)),
            Item::Stale { kind, text } => Some(Self::Stale(*kind, text)),
        }
    }

    pub(super) fn kind(self) -> TypeId {
        match self {
            Self::Stored(at, _) => at.kind,
            Self::Stale(kind, _) => kind,
        }
    }

    pub(super) fn length(self) -> usize {
        match self {
            Self::Stored(_, record) => record.document.text().len(),
            Self::Stale(_, text) => text.len(),
        }
    }
}
