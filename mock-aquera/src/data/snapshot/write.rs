//! From the stores to the file. A store is locked only while its resources are counted up, not while they are written.

use std::collections::HashMap;
use std::fs::{self, File};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use scim::decode::write_text;
use serde_json::json;

use super::{RestoreError, VERSION, beside, read};
use crate::lock;
use crate::store::restore::Kept;
use crate::store::{Ref, Store};
use crate::types::Types;

/// The data of one application.
#[derive(Debug)]
pub(crate) struct Stock {
    name: String,
    seed: u64,
    ids_drawn: u64,
    freed_ids: Vec<Arc<str>>,
    types: Arc<Types>,
    resources: Vec<Kept>,
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
    pub(crate) fn put_back(&self, store: &mut Store) -> Result<(), RestoreError> {
        store.restore_id_state(self.ids_drawn, self.freed_ids.clone());
        let mut ties = Vec::new();
        for kept in &self.resources {
            let document = serde_json::from_slice(&kept.text)?;
            let mut restored = read::restored(self.types.get(kept.kind), &document)?;
            restored.hidden = kept.hidden;
            restored.content.secret = kept.secret;
            let at = store.put_back(kept.kind, restored);
            if !kept.members.is_empty() || !kept.member_of.is_empty() {
                ties.push((at, kept));
            }
        }
        for (at, kept) in &ties {
            let found: Vec<Ref> = kept.members.iter().filter_map(|id| store.find(id)).collect();
            let named = kept.names.iter().filter_map(|(id, name)| Some((store.find(id)?, name.clone())));
            store.set_members(*at, &found, &named.collect());
        }
        for (at, kept) in ties.iter().filter(|(_, kept)| !kept.member_of.is_empty()) {
            let places: HashMap<&str, usize> = kept.member_of.iter().map(|id| &**id).zip(0..).collect();
            store.sort_groups(*at, |id| places.get(id).copied());
        }
        Ok(())
    }
}

/// A number that changes when anything has changed: each change of a resource makes a new text.
pub(super) fn fingerprint(stock: &[Stock]) -> u64 {
    let parts = stock.iter().map(|stock| {
        let texts: Vec<(usize, usize)> =
            stock.resources.iter().map(|kept| (kept.text.as_ptr() as usize, kept.text.len())).collect();
        let tails: Vec<&[u8]> =
            stock.resources.iter().map(|kept| &kept.text[kept.text.len().saturating_sub(192)..]).collect();
        let ties: Vec<_> = stock
            .resources
            .iter()
            .map(|kept| (&kept.members, &kept.names, &kept.member_of, kept.hidden, kept.secret))
            .collect();
        BuildHasherDefault::<DefaultHasher>::default().hash_one((
            &stock.name,
            stock.seed,
            stock.ids_drawn,
            texts,
            tails,
            ties,
        ))
    });
    BuildHasherDefault::<DefaultHasher>::default().hash_one(parts.collect::<Vec<_>>())
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
    let mut line = Vec::new();
    let mut resources = 0_u64;
    for Stock { name, seed, ids_drawn, freed_ids, types, resources: all } in stock {
        let freed: Vec<&str> = freed_ids.iter().map(|id| &**id).collect();
        let about = json!({"name": name, "seed": seed, "idsDrawn": ids_drawn, "freedIds": freed});
        writeln!(out, "{}", json!({ "application": about }))?;
        for kept in all {
            line.clear();
            resource(&mut line, types.get(kept.kind).name(), kept);
            out.write_all(&line)?;
            resources += 1;
        }
    }
    writeln!(out, "{}", json!({"end": {"resources": resources}}))
}

fn resource(line: &mut Vec<u8>, of_type: &str, kept: &Kept) {
    line.extend_from_slice(b"{\"resource\":{\"type\":");
    write_text(line, of_type);
    if kept.hidden {
        line.extend_from_slice(b",\"hidden\":true");
    }
    if let Some(secret) = &kept.secret {
        line.extend_from_slice(b",\"secret\":\"");
        for byte in secret {
            line.extend_from_slice(format!("{byte:02x}").as_bytes());
        }
        line.push(b'"');
    }
    ids(line, b",\"members\":[", &kept.members);
    for (at, (id, name)) in kept.names.iter().enumerate() {
        line.extend_from_slice(if at == 0 { b",\"names\":{" } else { b"," });
        write_text(line, id);
        line.push(b':');
        write_text(line, name);
    }
    if !kept.names.is_empty() {
        line.push(b'}');
    }
    ids(line, b",\"memberOf\":[", &kept.member_of);
    line.extend_from_slice(b",\"document\":");
    line.extend_from_slice(&kept.text);
    line.extend_from_slice(b"}}\n");
}

fn ids(line: &mut Vec<u8>, opening: &[u8], ids: &[Arc<str>]) {
    for (at, id) in ids.iter().enumerate() {
        line.extend_from_slice(if at == 0 { opening } else { b"," });
        write_text(line, id);
    }
    if !ids.is_empty() {
        line.push(b']');
    }
}
