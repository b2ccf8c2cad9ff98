//! All resources of an application out of it as NDJSON, and in again.
//!
//! What comes in is looked at as a whole before anything is kept: a load that fails leaves everything as it was.

mod take_in;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use scim::path::get_ci;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Application, Settings, new_store};
use crate::clock::{self, Clock as _};
use crate::gateway::resource;
use crate::journal::Note;
use crate::load::{self, Piece, Source};
use crate::lock;
use crate::plain::{self, Mistake};
use crate::store::content::Content;
use crate::store::show::MembersShown;
use crate::store::{Past, Ref, Store};
use crate::types::{Kind, Role};
use take_in::{Destination, take_in};

/// How resources are taken in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Takes what a POST would refuse: two users with one `userName`, values of the wrong type, members that don't
    /// exist (which are passed over). An `id` that is in use takes the place of the resource that has it.
    pub unchecked: bool,
    /// Takes them in the place of all resources that are there.
    pub replace: bool,
}

/// Why nothing was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// What is wrong, in the order of the lines.
    pub problems: Vec<LoadProblem>,
}

/// What is wrong with one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct LoadProblem {
    /// The file that it stands in, where the text is that of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line on which the resource begins, or the mistake is, from one.
    pub line: usize,
    /// The column, in bytes, from one.
    pub column: usize,
    /// What is wrong there.
    pub detail: String,
}

/// What a load left out of a resource: it has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadNote {
    /// The file that the resource stands in, where the text is that of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line on which the resource begins, from one.
    pub line: usize,
    /// The column, in bytes, from one.
    pub column: usize,
    /// Where in the resource it stands: `emails[0].valu`.
    pub path: String,
    /// What was probably meant, where something comes near.
    pub nearest: Option<String>,
    /// The same in a sentence, without values.
    pub text: String,
}

impl fmt::Display for LoadNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, text, .. } = self;
        let place = LoadProblem { file: file.clone(), line: *line, column: *column, detail: text.clone() };
        place.fmt(f)
    }
}

/// What was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// How many resources.
    pub count: usize,
    /// What was left out of them, in the order of the text: at most 100, and how many more there are.
    pub notes: Vec<LoadNote>,
}

/// How many notes a load tells.
const MAX_NOTES: usize = 100;

impl fmt::Display for LoadProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, detail } = self;
        match file {
            Some(file) => write!(f, "{file}:{line}:{column}: {detail}"),
            None if *column == 1 => write!(f, "line {line}: {detail}"),
            None => write!(f, "line {line}, column {column}: {detail}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// At most so many problems are named.
const MAX_NAMED: usize = 5;

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("load the resources, so none was kept")?;
        for problem in self.problems.iter().take(MAX_NAMED) {
            write!(f, "; {problem}")?;
        }
        match self.problems.len().saturating_sub(MAX_NAMED) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Application {
    /// All resources in full representation, one JSON object a line, type by type in order of creation.
    pub fn dump(&self) -> Vec<u8> {
        let store = lock(&self.0.store);
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

    /// Takes in resources of all types, and gives how many. The text has one JSON object a line, an array of them, or
    /// SCIM list responses as an endpoint answered them, several pages one after another. The type of a resource is what
    /// `meta.resourceType` says, or else whose schema it has; of one that says neither it is User. `id` and `meta` are kept where they are there; the
    /// members of a group may come after it; whoever has no `id` comes behind all others. So what [`dump`](Self::dump) gave comes back as it was, save passwords.
    ///
    /// Others are served meanwhile, and may see a part of it.
    ///
    /// # Errors
    /// What is wrong, with its line. Nothing has changed then.
    pub fn load(&self, text: &[u8], how: Load) -> Result<usize, LoadError> {
        self.load_noting(text, how).map(|loaded| loaded.count)
    }

    /// Takes in resources as [`load`](Self::load) does, and tells what it left out of them.
    ///
    /// # Errors
    /// As `load`.
    pub fn load_noting(&self, text: &[u8], how: Load) -> Result<Loaded, LoadError> {
        let settings = self.settings();
        let arrivals = self.arrivals(&settings, [(None, text)], how);
        let _alone = lock(&self.0.many);
        if how.replace {
            let mut store = new_store(&settings, self.0.seed, &self.0.name);
            let loaded = take_in(&settings, &mut Destination::Own(&mut store), arrivals, how)?;
            // What was there goes once the others are let in.
            drop(std::mem::replace(&mut *lock(&self.0.store), store));
            return Ok(loaded);
        }
        take_in(&settings, &mut Destination::Shared(&self.0.store), arrivals, how)
    }

    /// Takes the resources of several texts into a store that is not the application's yet.
    pub(super) fn load_into(
        &self,
        settings: &Settings,
        store: &mut Store,
        sources: &[Source],
        how: Load,
    ) -> Result<Loaded, LoadError> {
        let texts = sources.iter().map(|Source { file, text }| (file.clone(), text.as_slice()));
        take_in(settings, &mut Destination::Own(store), self.arrivals(settings, texts, how), how)
    }

    /// What stands in texts, each of which may be that of a file, with its problems.
    fn arrivals<'t>(
        &self,
        settings: &Settings,
        texts: impl IntoIterator<Item = (Option<Arc<str>>, &'t [u8])>,
        how: Load,
    ) -> Arrivals {
        let now = self.0.clock.now();
        let (mut arrivals, mut problems, mut notes) = (Vec::new(), Vec::new(), Notes::default());
        for (source, (file, text)) in texts.into_iter().enumerate() {
            let place = |line, column| Place { source, line, column, file: file.clone() };
            let (pieces, mistakes) = load::pieces(text);
            let told = |Mistake { line, column, message }| place(line, column).problem(message);
            problems.extend(mistakes.into_iter().map(told));
            for piece in pieces {
                let place = place(piece.line, piece.column);
                match Arrival::read(settings, place.clone(), &piece, how, now) {
                    Ok((arrival, told)) => {
                        arrivals.push(arrival);
                        notes.add(&place, told);
                    }
                    Err(detail) => problems.push(place.problem(detail)),
                }
            }
        }
        Arrivals { arrivals, problems, notes }
    }
}

/// Resources on their way in, and what is wrong with others.
struct Arrivals {
    arrivals: Vec<Arrival>,
    problems: Vec<Wrong>,
    notes: Notes,
}

/// What is left out of them.
#[derive(Default)]
struct Notes {
    told: Vec<LoadNote>,
    more: usize,
}

impl Notes {
    fn add(&mut self, place: &Place, notes: Vec<Note>) {
        for Note { path, nearest, text, .. } in notes {
            if self.told.len() == MAX_NOTES {
                self.more += 1;
                continue;
            }
            let file = place.file.as_ref().map(ToString::to_string);
            self.told.push(LoadNote { file, line: place.line, column: place.column, path, nearest, text });
        }
    }

    /// The notes, and how many more there are at the end.
    fn into_told(mut self) -> Vec<LoadNote> {
        if let Some(last) = self.told.last().filter(|_| self.more > 0) {
            let (text, path) = (format!("and {} more notes", self.more), "…".to_owned());
            self.told.push(LoadNote { path, nearest: None, text, ..last.clone() });
        }
        self.told
    }
}

/// Where a resource begins, in the order of the texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    source: usize,
    line: usize,
    column: usize,
    file: Option<Arc<str>>,
}

impl Place {
    fn problem(&self, detail: impl Into<String>) -> Wrong {
        Wrong { place: self.clone(), detail: detail.into() }
    }
}

/// What is wrong with one of them.
struct Wrong {
    place: Place,
    detail: String,
}

/// One resource on its way in.
struct Arrival {
    place: Place,
    kind: u16,
    id: Option<Arc<str>>,
    past: Past,
    content: Content,
    members: Option<Value>,
    /// The ids of the groups that it was in, in their order.
    groups: Vec<String>,
}

impl Arrival {
    fn read(
        settings: &Settings,
        place: Place,
        &Piece { text, .. }: &Piece<'_>,
        how: Load,
        now: Timestamp,
    ) -> Result<(Self, Vec<Note>), String> {
        let (tree, doubled) = load::tree(text).map_err(|error| plain::json(text, &error).message)?;
        let Value::Object(tree) = tree else { return Err("a resource is a JSON object".to_owned()) };
        if let Some(doubled) = doubled {
            let shown: String = doubled.chars().take(100).collect();
            return Err(format!("`{shown}` is given twice"));
        }
        let kind_at = kind_of(settings, &tree)?;
        let kind = settings.types.get(kind_at);
        let id = match get_ci(&tree, "id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if !id.is_empty() => Some(Arc::from(id.as_str())),
            Some(_) => return Err("`id` is a text that is not empty; leave it out for a new one".to_owned()),
        };
        let past = past(&tree, now)?;
        // Who was here before, as `meta.created` tells, may have lost `active` since.
        let meta = get_ci(&tree, "meta").and_then(Value::as_object);
        let is_new = meta.is_none_or(|meta| get_ci(meta, "created").is_none());
        let groups = groups(kind, &tree);
        let (content, members, notes) = if how.unchecked {
            let members = get_ci(&tree, "members").cloned();
            let content = if is_new {
                resource::completed(kind, Value::Object(tree))
            } else {
                Content { secret: None, ..Content::of_tree(kind, &tree) }
            };
            (content, members, Vec::new())
        } else {
            let taken = if get_ci(&tree, "schemas").is_some() {
                resource::take(settings, kind, text)
            } else {
                let whole = resource::with_schemas(&Value::Object(tree), &kind.schemas);
                resource::take(settings, kind, whole.to_string().as_bytes())
            };
            let taken = taken.map_err(|refusal| refusal.problem.to_string())?;
            let mut content = taken.content;
            if is_new && kind.role == Role::User && content.active.is_none() {
                content.add_flag("active", true);
            }
            (content, taken.members, taken.notes)
        };
        Ok((Self { place, kind: kind_at, id, past, content, members, groups }, notes))
    }
}

fn failed(mut problems: Vec<Wrong>) -> LoadError {
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    let told = |Wrong { place: Place { line, column, file, .. }, detail }: Wrong| {
        let file = file.map(|file| file.to_string());
        LoadProblem { file, line, column, detail }
    };
    LoadError { problems: problems.into_iter().map(told).collect() }
}

fn kind_of(settings: &Settings, tree: &Map<String, Value>) -> Result<u16, String> {
    let said = get_ci(tree, "meta").and_then(Value::as_object).and_then(|meta| get_ci(meta, "resourceType"));
    if let Some(Value::String(name)) = said {
        return settings.types.named(name).ok_or_else(|| no_type(settings, name));
    }
    let urns = get_ci(tree, "schemas").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has =
        |urn: &str| urns.iter().any(|listed| listed.as_str().is_some_and(|l| l.eq_ignore_ascii_case(urn)));
    if urns.is_empty()
        && let Some(user) = settings.types.of_role(Role::User)
    {
        return Ok(user);
    }
    let mut kinds = settings.types.positions();
    let found = kinds.find(|(_, kind)| has(kind.schemas.core().id().as_str()));
    found
        .map(|(at, _)| at)
        .ok_or_else(|| "its type can't be told: write `schemas`, or `meta` with a `resourceType`".to_owned())
}

/// What is wrong with the name of a type, and which ones there are.
pub(crate) fn no_type(settings: &Settings, name: &str) -> String {
    let names: Vec<&str> = settings.types.all().iter().map(Kind::name).collect();
    format!("there is no resource type `{name}`, only {}", names.join(", "))
}

/// What `meta` says.
///
/// # Errors
/// The dates in it that are none, with what is expected of them.
fn past(tree: &Map<String, Value>, now: Timestamp) -> Result<Past, String> {
    let empty = Map::new();
    let meta = get_ci(tree, "meta").and_then(Value::as_object).unwrap_or(&empty);
    let text = |name: &str| get_ci(meta, name).and_then(Value::as_str);
    let instant = |name: &str| match get_ci(meta, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            clock::read(text).map(Some).map_err(|expected| format!("`meta.{name}` is {expected}"))
        }
        Some(other) => {
            let written: String = other.to_string().chars().take(100).collect();
            Err(format!("`meta.{name}` is a text such as \"2026-01-31T12:00:00Z\", not {written}"))
        }
    };
    let (created, modified) = match (instant("created"), instant("lastModified")) {
        (Ok(created), Ok(modified)) => (created.or(modified).unwrap_or(now), modified),
        (created, modified) => {
            let wrong: Vec<String> = [created.err(), modified.err()].into_iter().flatten().collect();
            return Err(wrong.join("; "));
        }
    };
    // Behind the point stands what the groups of a user add. There has to be room for later ones.
    let version: Option<u64> = text("version").and_then(|tag| {
        let number = tag.trim_start_matches("W/").trim_matches('"');
        number.split('.').next().and_then(|number| number.parse().ok())
    });
    let version =
        version.map_or(1, |version| u32::try_from(version).unwrap_or(u32::MAX)).clamp(1, u32::MAX / 2);
    Ok(Past { created, modified: modified.unwrap_or(created), version })
}

fn groups(kind: &Kind, tree: &Map<String, Value>) -> Vec<String> {
    if kind.role != Role::User {
        return Vec::new();
    }
    let listed = get_ci(tree, "groups").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|group| group.get("value")?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_meta_says_counts() {
        let (now, then) = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        #[track_caller]
        fn check(meta: &Value, now: Timestamp, created: Timestamp, modified: Timestamp, version: u32) {
            let tree = serde_json::json!({ "META": meta });
            let found = past(tree.as_object().unwrap(), now);
            assert_eq!(found, Ok(Past { created, modified, version }), "{tree}");
        }
        use serde_json::json;
        check(&json!(null), now, now, now, 1);
        check(&json!({"created": "2026-01-01T00:00:00.000Z", "version": "W/\"7\""}), now, then, then, 7);
        check(&json!({"lastModified": "2026-01-01T00:00:00Z", "version": "W/\"7.0f\""}), now, then, then, 7);
        check(&json!({"created": null, "lastModified": null, "version": "x"}), now, now, now, 1);
        let wrong = json!({"meta": {"created": "soon", "lastModified": 7}});
        let wrong = past(wrong.as_object().unwrap(), now).unwrap_err();
        let parts =
            ["`meta.created` is an instant such as", "not `soon`; `meta.lastModified` is a text", "not 7"];
        assert!(parts.iter().all(|part| wrong.contains(part)), "{wrong}");
        check(&json!({"version": "0"}), now, now, now, 1);
        check(&json!({"version": u64::MAX.to_string()}), now, now, now, u32::MAX / 2);
    }
}
