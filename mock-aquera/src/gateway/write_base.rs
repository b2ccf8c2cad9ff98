//! What a write starts from: a resource as it was when somebody looked.
//!
//! What a long request makes of a large resource is worked out while the store is not locked, and is written only if
//! nobody else has written the resource meanwhile.

use axum::body::Bytes;
use serde_json::Value;

use super::{RequestContext, write};
use crate::route::{Route, decoded};
use crate::store::content::Secret;
use crate::store::render::MembersShown;
use crate::store::{Record, Ref, Store};

/// A body or a resource of more bytes than this makes a write a long one.
const LARGE: usize = 8 * 1024;

/// A group of more members than this makes a write a long one: all of them are in the answer.
const MANY_MEMBERS: usize = 256;

/// How often a long write is worked out anew because somebody else was faster, before it locks the store meanwhile.
pub(super) const TRIES: usize = 3;

/// A resource as it was when somebody looked.
pub(super) struct Basis {
    pub(super) document: Bytes,
    /// As it is read: a user with its groups.
    shown: Bytes,
    pub(super) active: bool,
    pub(super) secret: Option<Secret>,
}

impl Basis {
    pub(super) fn of(store: &Store, at: Ref, record: &Record) -> Self {
        Self {
            document: record.document.shared(),
            shown: store.shown(at, record, MembersShown::Missing),
            active: record.active,
            secret: record.secret.as_deref().copied(),
        }
    }

    /// The resource as it is kept.
    pub(super) fn kept(&self) -> Value {
        crate::or_default(serde_json::from_slice(&self.document), "read a stored resource")
    }

    /// The resource as it is read, without the members of a group.
    pub(super) fn shown(&self) -> Value {
        crate::or_default(serde_json::from_slice(&self.shown), "read a stored resource")
    }

    /// Whether nobody has written meanwhile: a document is never changed in its place, and this one is held.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        let now = record.document.shared();
        self.document.as_ptr() == now.as_ptr() && self.document.len() == now.len()
    }

    /// Whether a write to it with this body takes so long that nobody should wait for it.
    pub(super) fn is_long(&self, body: &[u8]) -> bool {
        self.document.len() > LARGE || body.len() > LARGE
    }
}

/// Whether a write may take so long that it should not run where others wait for their turn.
pub(crate) fn is_long(context: &RequestContext<'_>) -> bool {
    use axum::http::Method;
    if !matches!(*context.method, Method::POST | Method::PUT | Method::PATCH) {
        return false;
    }
    if context.body.len() > LARGE {
        return true;
    }
    let Route::Resource(kind, id) = context.route else { return false };
    let store = context.store();
    write::visible(context, &store, kind, &decoded(id)).is_some_and(|(_, record)| {
        let members = record.members().map_or(0, crate::store::members::Members::len);
        record.document.text().len() > LARGE || members > MANY_MEMBERS
    })
}
