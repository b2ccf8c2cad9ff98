//! From the file to the stores. All of it is looked at, and nothing is believed.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Deserialize;
use serde_json::{Map, Value};

use super::line::{ApplicationLine, EndLine, Line, ResourceLine};
use super::{SnapshotError, Stock, VERSION};
use crate::clock::{self, ParseInstantError};
use crate::lock;
use crate::parse_message;
use crate::parse_message::Mistake;
use crate::problem::Problem;
use crate::store::content::Content;
use crate::store::restore::Restored;
use crate::store::{Past, Store};
use crate::types::TypeInfo;

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
    Version(u64),
    #[error("column {}: {}", .0.column, .0.message)]
    Json(Mistake),
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
    MissingMember(Arc<str>),
    #[error("`document.{0}` is missing")]
    Missing(&'static str),
    #[error("`document.{name}` is {expected}")]
    Instant { name: &'static str, expected: ParseInstantError },
    #[error("invalid `document.meta.version`: {0}")]
    ResourceVersion(String),
}

/// An error with its line.
type AtLine = (usize, RestoreError);

/// Takes JSON for a value of this type.
pub(super) fn parsed<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Result<T, RestoreError> {
    serde_json::from_slice(text).map_err(|error| RestoreError::Json(parse_message::json(text, &error)))
}

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
    let mut reader = Reader { place, application: None, resources: 0, ended: false };
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
    /// The application whose resources come, its line, and those that came.
    application: Option<(P, usize, Stock)>,
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
        match parsed(text).map_err(here)? {
            Line::Application(about) => {
                self.finish()?;
                self.application(line, about).map_err(here)
            }
            Line::Resource(resource) => self.resource(resource).map_err(here),
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

    fn application(&mut self, line: usize, about: ApplicationLine) -> Result<(), RestoreError> {
        let ApplicationLine { name, seed, ids_drawn, freed_ids } = about;
        let application = (self.place)(&name, seed)?;
        let ids_drawn = if application.seed() == seed { ids_drawn } else { 0 };
        let freed_ids = freed_ids.into_iter().map(Arc::from).collect();
        let types = Arc::clone(lock(application.store()).types());
        let stock = Stock { name, seed, ids_drawn, freed_ids, types, resources: Vec::new() };
        self.application = Some((application, line, stock));
        Ok(())
    }

    fn resource(&mut self, resource: ResourceLine<'_>) -> Result<(), RestoreError> {
        let (_, _, stock) = self.application.as_mut().ok_or(RestoreError::NoApplication)?;
        stock.resources.push(resource.kept(&stock.types)?);
        self.resources += 1;
        Ok(())
    }

    /// Restores the application before, whose resources stand on the lines behind its own.
    fn finish(&mut self) -> Result<(), AtLine> {
        let Some((application, line, stock)) = self.application.take() else { return Ok(()) };
        stock.put_back(&mut lock(application.store())).map_err(|(nth, error)| (line + 1 + nth, error))
    }
}

fn check_header(text: &[u8]) -> Result<(), RestoreError> {
    let header: Value = serde_json::from_slice(text).unwrap_or_default();
    match header["mock-aquera-snapshot"]["version"].as_u64() {
        Some(VERSION) => Ok(()),
        Some(version) => Err(RestoreError::Version(version)),
        None => Err(RestoreError::NoSnapshot),
    }
}

pub(super) fn restored(kind: &TypeInfo, document: &Map<String, Value>) -> Result<Restored, RestoreError> {
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
