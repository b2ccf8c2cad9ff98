//! From the file to the stores. All of it is looked at, and nothing is believed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SnapshotError, VERSION};
use crate::clock::{self, ParseInstantError};
use crate::lock;
use crate::parse_message;
use crate::parse_message::Mistake;
use crate::problem::Problem;
use crate::store::content::{Content, Secret};
use crate::store::members::Names;
use crate::store::restore::Restored;
use crate::store::{Past, Ref, Store};
use crate::types::Kind;

#[derive(Debug, Deserialize)]
struct Header {
    #[serde(rename = "mock-aquera-snapshot")]
    format: Format,
}

#[derive(Debug, Deserialize)]
struct Format {
    version: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Line {
    Application(ApplicationLine),
    Resource(ResourceLine),
    End(EndLine),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApplicationLine {
    name: String,
    seed: u64,
    ids_drawn: u64,
    freed_ids: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceLine {
    #[serde(rename = "type")]
    of_type: String,
    #[serde(default)]
    hidden: bool,
    secret: Option<String>,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default)]
    names: BTreeMap<String, Box<str>>,
    #[serde(default)]
    member_of: Vec<String>,
    document: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndLine {
    resources: u64,
}

/// What is put together once everybody is there.
struct Ties {
    line: usize,
    at: Ref,
    members: Vec<String>,
    names: BTreeMap<String, Box<str>>,
    member_of: Vec<String>,
}

/// Where the resources of an application go.
pub(crate) trait RestoreTarget {
    /// The seed of its ids.
    fn seed(&self) -> u64;
    fn store(&self) -> &Mutex<Store>;
}

/// Why a line of a snapshot cannot be restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("this is no snapshot of mock-aquera")]
    NoSnapshot,
    #[error("it is of version {0}, and this program reads version {VERSION}")]
    Version(u32),
    #[error("column {}: {}", .0.column, .0.message)]
    Json(Mistake),
    #[error(transparent)]
    Document(#[from] serde_json::Error),
    #[error("something stands behind the last line")]
    AfterEnd,
    #[error("it ends here, though its last line is not there")]
    NoEnd,
    #[error("{written} resources were written, and {found} are here")]
    Count { written: u64, found: u64 },
    #[error("no application stands before this resource")]
    NoApplication,
    #[error(transparent)]
    Application(#[from] Problem),
    #[error("there is no resource type `{0}`; give the --resource-type that it was written with")]
    UnknownType(String),
    #[error("`secret` is no digest")]
    Secret,
    #[error("the id {0} stands here a second time")]
    DoubledId(Arc<str>),
    #[error("its member {0} is not in this file")]
    MissingMember(String),
    #[error("`document.{0}` is missing")]
    Missing(&'static str),
    #[error("`document.{name}` is {expected}")]
    Instant { name: &'static str, expected: ParseInstantError },
    #[error("invalid `document.meta.version`: {0}")]
    ResourceVersion(String),
}

/// An error with its line.
type AtLine = (usize, RestoreError);

/// Restores the applications of a file. Returns `false` if there is none.
pub(super) fn read<P: RestoreTarget>(
    file: &Path,
    place: impl FnMut(&str, u64) -> Result<P, RestoreError>,
) -> Result<bool, SnapshotError> {
    let unread = |source| SnapshotError::Read { file: file.to_owned(), source };
    let damaged = |(line, error): AtLine| SnapshotError::Damaged {
        file: file.to_owned(),
        line,
        detail: error.to_string(),
    };
    let opened = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(unread)?,
    };
    let mut reader = Reader { place, application: None, ties: Vec::new(), resources: 0, ended: false };
    let mut input = BufReader::with_capacity(1 << 18, opened);
    let (mut text, mut line) = (Vec::new(), 0);
    loop {
        text.clear();
        if input.read_until(b'\n', &mut text).map_err(unread)? == 0 {
            break;
        }
        line += 1;
        reader.take(line, &text).map_err(damaged)?;
    }
    if reader.ended { Ok(true) } else { Err(damaged((line + 1, RestoreError::NoEnd))) }
}

struct Reader<F, P> {
    place: F,
    application: Option<P>,
    ties: Vec<Ties>,
    resources: u64,
    ended: bool,
}

impl<P: RestoreTarget, F: FnMut(&str, u64) -> Result<P, RestoreError>> Reader<F, P> {
    fn take(&mut self, line: usize, text: &[u8]) -> Result<(), AtLine> {
        let here = |error: RestoreError| (line, error);
        if line == 1 {
            return check_header(text).map_err(here);
        }
        if self.ended {
            return Err(here(RestoreError::AfterEnd));
        }
        match serde_json::from_slice(text)
            .map_err(|error| here(RestoreError::Json(parse_message::json(text, &error))))?
        {
            Line::Application(about) => {
                self.finish()?;
                self.application(about).map_err(here)
            }
            Line::Resource(resource) => self.resource(line, resource).map_err(here),
            Line::End(EndLine { resources }) => {
                self.finish()?;
                self.ended = true;
                if resources == self.resources {
                    return Ok(());
                }
                Err(here(RestoreError::Count { written: resources, found: self.resources }))
            }
        }
    }

    fn application(&mut self, about: ApplicationLine) -> Result<(), RestoreError> {
        let ApplicationLine { name, seed, ids_drawn, freed_ids } = about;
        let application = (self.place)(&name, seed)?;
        let same_ids = application.seed() == seed;
        let freed = freed_ids.into_iter().map(Arc::from).collect();
        lock(application.store()).restore_id_state(if same_ids { ids_drawn } else { 0 }, freed);
        self.application = Some(application);
        Ok(())
    }

    fn resource(&mut self, line: usize, resource: ResourceLine) -> Result<(), RestoreError> {
        let ResourceLine { of_type, hidden, secret, members, names, member_of, document } = resource;
        let application = self.application.as_ref().ok_or(RestoreError::NoApplication)?;
        let mut store = lock(application.store());
        let types = Arc::clone(store.types());
        let type_id = types.named(&of_type).ok_or(RestoreError::UnknownType(of_type))?;
        let mut restored = restored(types.get(type_id), &document)?;
        restored.hidden = hidden;
        restored.content.secret = secret.map(|text| digest(&text).ok_or(RestoreError::Secret)).transpose()?;
        if !hidden && store.find(&restored.id).is_some() {
            return Err(RestoreError::DoubledId(restored.id));
        }
        let at = store.put_back(type_id, restored);
        self.resources += 1;
        if !members.is_empty() || !member_of.is_empty() {
            self.ties.push(Ties { line, at, members, names, member_of });
        }
        Ok(())
    }

    /// Puts together what the application before holds.
    fn finish(&mut self) -> Result<(), AtLine> {
        let Some(application) = self.application.take() else { return Ok(()) };
        let mut store = lock(application.store());
        let ties = std::mem::take(&mut self.ties);
        for Ties { line, at, members, names, .. } in &ties {
            let found = members
                .iter()
                .map(|id| store.find(id).ok_or_else(|| (*line, RestoreError::MissingMember(id.clone()))));
            let found = found.collect::<Result<Vec<Ref>, _>>()?;
            let named = names.iter().filter_map(|(id, name)| Some((store.find(id)?, name.clone())));
            let named: Names = named.collect();
            store.set_members(*at, &found, &named);
        }
        for Ties { at, member_of, .. } in ties.iter().filter(|ties| !ties.member_of.is_empty()) {
            let places: HashMap<&str, usize> = member_of.iter().map(String::as_str).zip(0..).collect();
            store.sort_groups(*at, |id| places.get(id).copied());
        }
        Ok(())
    }
}

fn check_header(text: &[u8]) -> Result<(), RestoreError> {
    let Ok(Header { format: Format { version } }) = serde_json::from_slice(text) else {
        return Err(RestoreError::NoSnapshot);
    };
    if version == VERSION { Ok(()) } else { Err(RestoreError::Version(version)) }
}

pub(super) fn restored(kind: &Kind, document: &Map<String, Value>) -> Result<Restored, RestoreError> {
    let id = document.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let meta = |name: &'static str| {
        let (_, member) = name.split_once('.').unwrap_or(("", name));
        let value = document.get("meta").and_then(|meta| meta.get(member)).and_then(Value::as_str);
        value.ok_or(RestoreError::Missing(name))
    };
    let time = |name: &'static str| {
        clock::parse(meta(name)?).map_err(|expected| RestoreError::Instant { name, expected })
    };
    let version = meta("meta.version")?;
    let number = version.trim_start_matches("W/").trim_matches('"').parse();
    Ok(Restored {
        id: Arc::from(id.ok_or(RestoreError::Missing("id"))?),
        content: Content::of_tree(kind, document),
        past: Past {
            created: time("meta.created")?,
            modified: time("meta.lastModified")?,
            version: number.map_err(|_| RestoreError::ResourceVersion(version.to_owned()))?,
        },
        hidden: false,
    })
}

fn digest(text: &str) -> Option<Secret> {
    let mut digest = Secret::default();
    if text.len() != 2 * digest.len() || !text.is_ascii() {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}
