//! From the stores to the file. A store is locked only while its resources are counted up, not while they are written.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::line::{ApplicationLine, EndLine, Line, ResourceLine};
use super::{RestoreError, VERSION, beside, read};
use crate::lock;
use crate::store::restore::Kept;
use crate::store::{Ref, Store};
use crate::types::Types;

/// The data of one application.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(super) name: String,
    pub(super) seed: u64,
    pub(super) ids_drawn: u64,
    pub(super) freed_ids: Vec<Arc<str>>,
    pub(super) types: Arc<Types>,
    pub(super) resources: Vec<Kept>,
}

impl Stock {
    /// What the store of an application holds at this moment. It shares the texts.
    pub(crate) fn of(name: &str, seed: u64, store: &Mutex<Store>) -> Self {
        let store = lock(store);
        let (ids_drawn, freed_ids) = store.id_state();
        Self {
            name: name.to_owned(),
            seed,
            ids_drawn,
            freed_ids,
            types: Arc::clone(store.types()),
            resources: store.take_stock(),
        }
    }

    /// Puts everything into a store that is empty, as it was.
    ///
    /// # Errors
    /// The position of a resource that cannot be put back, and why.
    pub(crate) fn put_back(&self, store: &mut Store) -> Result<(), (usize, RestoreError)> {
        store.restore_id_state(self.ids_drawn, self.freed_ids.clone());
        let mut ties = Vec::new();
        for (nth, kept) in self.resources.iter().enumerate() {
            let at = self.put_back_one(kept, store).map_err(|error| (nth, error))?;
            if !kept.members.is_empty() || !kept.member_of.is_empty() {
                ties.push((nth, at, kept));
            }
        }
        for (nth, at, kept) in &ties {
            let find = |id: &Arc<str>| {
                store.find(id).ok_or_else(|| (*nth, RestoreError::MissingMember(Arc::clone(id))))
            };
            let found = kept.members.iter().map(find).collect::<Result<Vec<Ref>, _>>()?;
            let named = kept.names.iter().filter_map(|(id, name)| Some((store.find(id)?, name.clone())));
            let named = named.collect();
            store.set_members(*at, &found, &named);
        }
        for (_, at, kept) in ties.iter().filter(|(_, _, kept)| !kept.member_of.is_empty()) {
            let places: HashMap<&str, usize> = kept.member_of.iter().map(|id| &**id).zip(0..).collect();
            store.sort_groups(*at, |id| places.get(id).copied());
        }
        Ok(())
    }

    fn put_back_one(&self, kept: &Kept, store: &mut Store) -> Result<Ref, RestoreError> {
        let mut restored = read::restored(self.types.get(kept.kind), &read::parsed(&kept.text)?)?;
        restored.hidden = kept.hidden;
        restored.content.secret = kept.secret;
        if !kept.hidden && store.find(&restored.id).is_some() {
            return Err(RestoreError::DoubledId(restored.id));
        }
        Ok(store.put_back(kept.kind, restored))
    }
}

/// A number that changes when anything has changed: each change of a resource makes a new text.
pub(super) fn fingerprint(stock: &[Stock]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for Stock { name, seed, ids_drawn, resources, .. } in stock {
        (name, seed, ids_drawn, resources.len()).hash(&mut hasher);
        for Kept { text, hidden, secret, members, names, member_of, .. } in resources {
            let tail = &text[text.len().saturating_sub(192)..];
            (text.as_ptr() as usize, text.len(), tail).hash(&mut hasher);
            (members, names, member_of, hidden, secret).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// Whoever reads the file sees the one before or the whole new one, whenever the machine stops.
pub(super) fn write(file: &Path, stock: &[Stock]) -> io::Result<()> {
    let (new, old) = (beside(file, ".new"), beside(file, ".bak"));
    let mut out = BufWriter::with_capacity(1 << 18, File::create(&new)?);
    lines(&mut out, stock)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    if file.exists() {
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Not every file system has links.
        fs::hard_link(file, &old).or_else(|_| fs::copy(file, &old).map(drop))?;
    }
    fs::rename(&new, file)
}

fn lines(out: &mut impl Write, stock: &[Stock]) -> io::Result<()> {
    writeln!(out, "{}", json!({"mock-aquera-snapshot": {"version": VERSION}}))?;
    let mut write = |line: &Line<'_>| {
        serde_json::to_writer(&mut *out, line)?;
        out.write_all(b"\n")
    };
    let mut written = 0;
    for Stock { name, seed, ids_drawn, freed_ids, types, resources } in stock {
        let freed_ids = freed_ids.iter().map(ToString::to_string).collect();
        let about = ApplicationLine { name: name.clone(), seed: *seed, ids_drawn: *ids_drawn, freed_ids };
        write(&Line::Application(about))?;
        for kept in resources {
            write(&Line::Resource(ResourceLine::of(kept, types)?))?;
            written += 1;
        }
    }
    write(&Line::End(EndLine { resources: written }))
}
