//! All resources of an application out of it as NDJSON, and in again.
//!
//! What comes in is looked at as a whole before anything is kept: a load that fails leaves everything as it was.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use scim::path::get_ci;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Application, Settings, new_store};
use crate::clock::Clock as _;
use crate::gateway::resource::{self, Joining};
use crate::load::{self, Piece, Source};
use crate::lock;
use crate::plain::{self, Mistake};
use crate::store::content::Content;
use crate::store::show::MembersShown;
use crate::store::{Past, Ref, Store};
use crate::types::{Kind, Role};

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
    /// # Errors
    /// What is wrong, with its line. Nothing has changed then.
    pub fn load(&self, text: &[u8], how: Load) -> Result<usize, LoadError> {
        let settings = self.settings();
        if how.replace {
            let mut store = new_store(&settings, self.0.seed, &self.0.name);
            let arrivals = self.arrivals(&settings, [(None, text)], how);
            let mut there = lock(&self.0.store);
            let count = take_in(&settings, &mut store, arrivals, how)?;
            *there = store;
            return Ok(count);
        }
        let arrivals = self.arrivals(&settings, [(None, text)], how);
        take_in(&settings, &mut lock(&self.0.store), arrivals, how)
    }

    /// Takes the resources of several texts into a store that is not the application's yet.
    pub(super) fn load_into(
        &self,
        settings: &Settings,
        store: &mut Store,
        sources: &[Source],
        how: Load,
    ) -> Result<usize, LoadError> {
        let texts = sources.iter().map(|Source { file, text }| (file.clone(), text.as_slice()));
        take_in(settings, store, self.arrivals(settings, texts, how), how)
    }

    /// What stands in texts, each of which may be that of a file, with its problems.
    fn arrivals<'t>(
        &self,
        settings: &Settings,
        texts: impl IntoIterator<Item = (Option<Arc<str>>, &'t [u8])>,
        how: Load,
    ) -> Arrivals {
        let now = self.0.clock.now();
        let (mut arrivals, mut problems) = (Vec::new(), Vec::new());
        for (source, (file, text)) in texts.into_iter().enumerate() {
            let place = |line, column| Place { source, line, column, file: file.clone() };
            let (pieces, mistakes) = load::pieces(text);
            let told = |Mistake { line, column, message }| place(line, column).problem(message);
            problems.extend(mistakes.into_iter().map(told));
            for piece in pieces {
                let place = place(piece.line, piece.column);
                match Arrival::read(settings, place.clone(), &piece, how, now) {
                    Ok(arrival) => arrivals.push(arrival),
                    Err(detail) => problems.push(place.problem(detail)),
                }
            }
        }
        Arrivals { arrivals, problems }
    }
}

/// Resources on their way in, and what is wrong with others.
struct Arrivals {
    arrivals: Vec<Arrival>,
    problems: Vec<Wrong>,
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
    ) -> Result<Self, String> {
        let tree: Value = serde_json::from_slice(text).map_err(|error| plain::json(text, &error).message)?;
        let Value::Object(tree) = tree else { return Err("a resource is a JSON object".to_owned()) };
        let kind_at = kind_of(settings, &tree)?;
        let kind = settings.types.get(kind_at);
        let id = match get_ci(&tree, "id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if !id.is_empty() => Some(Arc::from(id.as_str())),
            Some(_) => return Err("`id` is a text that is not empty; leave it out for a new one".to_owned()),
        };
        let past = past(&tree, now);
        // Who was here before, as `meta.created` tells, may have lost `active` since.
        let meta = get_ci(&tree, "meta").and_then(Value::as_object);
        let is_new = meta.is_none_or(|meta| get_ci(meta, "created").is_none());
        let groups = groups(kind, &tree);
        let (content, members) = if how.unchecked {
            let members = get_ci(&tree, "members").cloned();
            let content = if is_new {
                resource::completed(kind, Value::Object(tree))
            } else {
                Content { secret: None, ..Content::of_tree(kind, &tree) }
            };
            (content, members)
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
            (content, taken.members)
        };
        Ok(Self { place, kind: kind_at, id, past, content, members, groups })
    }
}

/// Checks what can be checked before anything is in, puts everything in, and joins the groups.
fn take_in(
    settings: &Settings,
    store: &mut Store,
    Arrivals { arrivals, mut problems }: Arrivals,
    how: Load,
) -> Result<usize, LoadError> {
    if !how.unchecked {
        problems.extend(clashes(store, &arrivals));
    }
    if !problems.is_empty() {
        return Err(failed(problems));
    }
    let count = arrivals.len();
    // Nobody can be a member who has no id yet. And an id that is drawn is gone, so the others come last.
    let (named, nameless): (Vec<_>, Vec<_>) = arrivals.into_iter().partition(|arrival| arrival.id.is_some());
    let mut added = Vec::with_capacity(count);
    let mut joins = Vec::new();
    for Arrival { place, kind, id, past, content, members, groups } in named {
        let Some(id) = id else { continue };
        added.push(store.restore(kind, Arc::clone(&id), content, &past));
        if members.is_some() || groups.len() > 1 {
            joins.push((place, id, members, groups));
        }
    }
    let mut joining = |store: &Store, place: &Place, members: Option<Value>| match members {
        None => None,
        Some(members) if how.unchecked => Some(Joining::known(store, &members)),
        Some(members) => resource::resolve(settings, store, &members)
            .map_err(|problem| problems.push(place.problem(problem.to_string())))
            .ok(),
    };
    let joins: Vec<_> = joins
        .into_iter()
        .map(|(place, id, members, groups)| (id, joining(store, &place, members), groups))
        .collect();
    let nameless: Vec<_> = nameless
        .into_iter()
        .map(|mut arrival| {
            let joined = joining(store, &arrival.place, arrival.members.take());
            super::join(&mut arrival.content, joined);
            arrival
        })
        .collect();
    if !problems.is_empty() {
        store.withdraw(&added);
        return Err(failed(problems));
    }
    for Arrival { kind, past, content, .. } in nameless {
        let id = store.new_id();
        store.restore(kind, id, content, &past);
    }
    // Of two with one id the later is there by now.
    for (id, joining, _) in &joins {
        if let (Some(at), Some(Joining { refs, names })) = (store.find(id), joining) {
            store.set_members(at, refs, names);
        }
    }
    for (id, _, groups) in &joins {
        if let (Some(at), [_, _, ..]) = (store.find(id), groups.as_slice()) {
            let places: HashMap<&str, usize> = groups.iter().map(String::as_str).zip(0..).collect();
            store.sort_groups(at, |id| places.get(id).copied());
        }
    }
    Ok(count)
}

fn failed(mut problems: Vec<Wrong>) -> LoadError {
    problems.sort_by(|one, other| one.place.cmp(&other.place));
    let told = |Wrong { place: Place { line, column, file, .. }, detail }: Wrong| {
        let file = file.map(|file| file.to_string());
        LoadProblem { file, line, column, detail }
    };
    LoadError { problems: problems.into_iter().map(told).collect() }
}

/// What can't be beside what is there, or beside each other.
fn clashes(store: &Store, arrivals: &[Arrival]) -> Vec<Wrong> {
    let mut problems = Vec::new();
    let mut ids = HashSet::new();
    let mut texts = HashSet::new();
    for Arrival { place, kind, id, content, .. } in arrivals {
        let mut wrong = |detail: String| problems.push(place.problem(detail));
        if let Some(id) = id {
            if store.find(id).is_some() {
                wrong(format!(
                    "there is a resource with the id {id:?} already; replace=true loads in its place"
                ));
            } else if !ids.insert(id) {
                wrong(format!("the id {id:?} is there twice"));
            }
        }
        let watched = &store.types().get(*kind).watched;
        let path = |at: u8| watched.get(usize::from(at)).map_or("", |watched| watched.text.as_str());
        if let Some(taken) = store.taken(*kind, &content.keys, None) {
            let key = content.keys.iter().find(|key| path(key.index) == taken);
            let text = key.map_or("", |key| &*key.text);
            wrong(format!(
                "{taken} {text:?} belongs to a resource that is there; replace=true loads in its place"
            ));
        }
        let unique = |at: u8| watched.get(usize::from(at)).is_some_and(|watched| watched.unique);
        for key in content.keys.iter().filter(|key| unique(key.index)) {
            if !texts.insert((*kind, key)) {
                wrong(format!("{} {:?} is there twice", path(key.index), key.text));
            }
        }
    }
    problems
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

/// What `meta` says, as far as it can be meant.
fn past(tree: &Map<String, Value>, now: Timestamp) -> Past {
    let empty = Map::new();
    let meta = get_ci(tree, "meta").and_then(Value::as_object).unwrap_or(&empty);
    let text = |name: &str| get_ci(meta, name).and_then(Value::as_str);
    let instant = |name: &str| text(name).and_then(|text| text.parse::<Timestamp>().ok());
    let created = instant("created").or_else(|| instant("lastModified")).unwrap_or(now);
    // Behind the point stands what the groups of a user add. There has to be room for later ones.
    let version: Option<u64> = text("version").and_then(|tag| {
        let number = tag.trim_start_matches("W/").trim_matches('"');
        number.split('.').next().and_then(|number| number.parse().ok())
    });
    let version =
        version.map_or(1, |version| u32::try_from(version).unwrap_or(u32::MAX)).clamp(1, u32::MAX / 2);
    Past { created, modified: instant("lastModified").unwrap_or(created), version }
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
    fn what_meta_says_counts_as_far_as_it_can_be_meant() {
        let (now, then) = (Timestamp::UNIX_EPOCH, "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        #[track_caller]
        fn check(meta: &Value, now: Timestamp, created: Timestamp, modified: Timestamp, version: u32) {
            let tree = serde_json::json!({ "META": meta });
            let found = past(tree.as_object().unwrap(), now);
            assert_eq!(found, Past { created, modified, version }, "{tree}");
        }
        use serde_json::json;
        check(&json!(null), now, now, now, 1);
        check(&json!({"created": "2026-01-01T00:00:00.000Z", "version": "W/\"7\""}), now, then, then, 7);
        check(&json!({"lastModified": "2026-01-01T00:00:00Z", "version": "W/\"7.0f\""}), now, then, then, 7);
        check(&json!({"created": "soon", "lastModified": 7, "version": "x"}), now, now, now, 1);
        check(&json!({"version": "0"}), now, now, now, 1);
        check(&json!({"version": u64::MAX.to_string()}), now, now, now, u32::MAX / 2);
    }
}
