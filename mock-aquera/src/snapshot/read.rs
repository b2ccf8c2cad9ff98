//! From the file to the stores. All of it is looked at, and nothing is believed.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{SnapshotError, VERSION};
use crate::application::Application;
use crate::clock::read as date_time;
use crate::lock;
use crate::plain::{self, Mistake};
use crate::server::Server;
use crate::store::content::{Content, Secret};
use crate::store::members::Names;
use crate::store::restore::Restored;
use crate::store::{Past, Ref};
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

/// Takes a file in. `false` where there is none.
pub(super) fn read(file: &Path, server: &Server) -> Result<bool, SnapshotError> {
    let unread = |source| SnapshotError::Read { file: file.to_owned(), source };
    let opened = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened.map_err(unread)?,
    };
    let mut reader = Reader { server, application: None, ties: Vec::new(), resources: 0, ended: false };
    let mut input = BufReader::with_capacity(1 << 18, opened);
    let (mut text, mut line) = (Vec::new(), 0);
    loop {
        text.clear();
        if input.read_until(b'\n', &mut text).map_err(unread)? == 0 {
            break;
        }
        line += 1;
        reader.take(line, &text).map_err(|(line, detail)| damaged(file, line, detail))?;
    }
    if reader.ended {
        return Ok(true);
    }
    Err(damaged(file, line + 1, "it ends here, though its last line is not there".to_owned()))
}

fn damaged(file: &Path, line: usize, detail: String) -> SnapshotError {
    SnapshotError::Damaged { file: file.to_owned(), line, detail }
}

struct Reader<'s> {
    server: &'s Server,
    application: Option<Application>,
    ties: Vec<Ties>,
    resources: u64,
    ended: bool,
}

impl Reader<'_> {
    fn take(&mut self, line: usize, text: &[u8]) -> Result<(), (usize, String)> {
        let here = |detail: String| (line, detail);
        if line == 1 {
            return header(text).map_err(here);
        }
        if self.ended {
            return Err(here("something stands behind the last line".to_owned()));
        }
        match serde_json::from_slice(text).map_err(|error| here(in_line(text, &error)))? {
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
                Err(here(format!("{resources} resources were written, and {} are here", self.resources)))
            }
        }
    }

    fn application(&mut self, about: ApplicationLine) -> Result<(), String> {
        let ApplicationLine { name, seed, ids_drawn, freed_ids } = about;
        let application = self.server.restore(&name, seed).map_err(|problem| problem.to_string())?;
        let same_ids = application.seed_number() == seed;
        let mut store = lock(application.store());
        let freed = freed_ids.into_iter().map(Arc::from).collect();
        store.restore_id_state(if same_ids { ids_drawn } else { 0 }, freed);
        drop(store);
        self.application = Some(application);
        Ok(())
    }

    fn resource(&mut self, line: usize, resource: ResourceLine) -> Result<(), String> {
        let ResourceLine { of_type, hidden, secret, members, names, member_of, document } = resource;
        let application = self.application.as_ref().ok_or("no application stands before this resource")?;
        let settings = application.settings();
        let kind_at = settings.types.named(&of_type).ok_or_else(|| {
            format!(
                "there is no resource type `{of_type}`; give the --resource-type that it was written with"
            )
        })?;
        let mut restored = restored(settings.types.get(kind_at), &document)?;
        restored.hidden = hidden;
        restored.content.secret =
            secret.map(|text| digest(&text).ok_or("`secret` is no digest")).transpose()?;
        let mut store = lock(application.store());
        if !hidden && store.find(&restored.id).is_some() {
            return Err(format!("the id {} stands here a second time", restored.id));
        }
        let at = store.put_back(kind_at, restored);
        self.resources += 1;
        if !members.is_empty() || !member_of.is_empty() {
            self.ties.push(Ties { line, at, members, names, member_of });
        }
        Ok(())
    }

    /// Puts together what the application before holds.
    fn finish(&mut self) -> Result<(), (usize, String)> {
        let Some(application) = self.application.take() else { return Ok(()) };
        let mut store = lock(application.store());
        let ties = std::mem::take(&mut self.ties);
        for Ties { line, at, members, names, .. } in &ties {
            let found = members.iter().map(|id| {
                store.find(id).ok_or_else(|| (*line, format!("its member {id} is not in this file")))
            });
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

fn header(text: &[u8]) -> Result<(), String> {
    let Ok(Header { format: Format { version } }) = serde_json::from_slice(text) else {
        return Err("this is no snapshot of mock-aquera".to_owned());
    };
    if version == VERSION {
        return Ok(());
    }
    Err(format!("it is of version {version}, and this program reads version {VERSION}"))
}

/// The message of a JSON error with its column alone.
fn in_line(text: &[u8], error: &serde_json::Error) -> String {
    let Mistake { column, message, .. } = plain::json(text, error);
    format!("column {column}: {message}")
}

pub(super) fn restored(kind: &Kind, document: &Map<String, Value>) -> Result<Restored, String> {
    let id = document.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
    let meta = |name: &str| {
        let value = document.get("meta").and_then(|meta| meta.get(name)).and_then(Value::as_str);
        value.ok_or_else(|| format!("`document.meta.{name}` is missing"))
    };
    let time = |name: &str| {
        let text = meta(name)?;
        date_time(text).map_err(|expected| format!("`document.meta.{name}` is {expected}"))
    };
    let version = meta("version")?;
    let number = version.trim_start_matches("W/").trim_matches('"').parse();
    Ok(Restored {
        id: Arc::from(id.ok_or("`document.id` is missing")?),
        content: Content::of_tree(kind, document),
        past: Past {
            created: time("created")?,
            modified: time("lastModified")?,
            version: number.map_err(|_| format!("`document.meta.version` is none of ours: {version}"))?,
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
