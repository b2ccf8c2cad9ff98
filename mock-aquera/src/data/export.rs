//! Export of all resources as text.

use crate::store::render::MembersShown;
use crate::store::{Ref, Store};

/// Writes all resources in full representation, one JSON object a line, type by type in order of creation.
pub(crate) fn export(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, _) in store.types().positions() {
        for (_, slot) in store.table(kind).order.after(None) {
            let at = Ref { kind, slot };
            if let Some(record) = store.get(at) {
                store.show_into(&mut out, at, record, MembersShown::Whole);
                out.push(b'\n');
            }
        }
    }
    out
}
