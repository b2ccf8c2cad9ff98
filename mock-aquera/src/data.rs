//! Resources in bulk: import and export as text, generated users, snapshots on disk.
//!
//! Works on a [`Store`], and knows no application and no server.

mod fake_users;
mod import;
mod snapshot;

pub(crate) use fake_users::FakeUsers;
pub(crate) use import::{Arrivals, Destination, InitialResource, Piece, Source, pieces, take_in};
pub use import::{Load, LoadError, LoadNote, LoadProblem, Loaded};
pub use snapshot::SnapshotError;
pub(crate) use snapshot::{RestoreError, RestoreTarget, SnapshotFile, Stock, beside};

use jiff::Timestamp;

use crate::gateway::Settings;
use crate::problem::Problem;
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

/// The resources that an application starts with.
#[derive(Debug, Default)]
pub(crate) enum InitialData {
    /// None.
    #[default]
    Nothing,
    /// Imported resources, and fake users after them.
    Given { sources: Vec<Source>, users: Option<FakeUsers> },
    /// Those of a snapshot.
    Snapshot(Stock),
}

/// Why an application cannot be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("add generated user {}", index + 1)]
    FakeUser {
        /// The position of the user, from zero.
        index: usize,
        #[source]
        problem: Problem,
    },
    #[error(transparent)]
    Snapshot(#[from] RestoreError),
}

impl InitialData {
    /// Puts the resources into an empty store. Returns what was left out of them.
    pub(crate) fn fill(
        &self,
        settings: &Settings,
        store: &mut Store,
        now: Timestamp,
    ) -> Result<Vec<LoadNote>, FillError> {
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::Given { sources, users } => {
                let how = Load::default();
                let texts = sources.iter().map(|Source { file, text }| (file.clone(), text.as_slice()));
                let arrivals = Arrivals::read(settings, texts, how, now);
                let loaded = take_in(settings, &mut Destination::Own(store), arrivals, how)?;
                if let Some(users) = users {
                    users.add_to(settings, store, now)?;
                }
                Ok(loaded.notes)
            }
            Self::Snapshot(stock) => {
                stock.put_back(store).map_err(|(_, error)| error)?;
                Ok(Vec::new())
            }
        }
    }
}
