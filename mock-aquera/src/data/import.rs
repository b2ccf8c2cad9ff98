//! Import of resources from text: NDJSON, arrays, list responses.
//!
//! All resources are checked before any is stored: a failed import leaves the store as it was. [`pieces`](fn@pieces) cuts a text
//! into resources, [`take_in`] puts them into a store.

mod pieces;
mod take_in;
mod tree;

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use scim::json::get_ci;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::clock::{self, ParseInstantError};
use crate::gateway::{Settings, resource};
use crate::journal::Note;
use crate::parse_message;
use crate::parse_message::Mistake;
use crate::problem::Problem;
use crate::store::Past;
use crate::store::content::Content;
use crate::types::{Role, TypeId, TypeInfo, UnknownType};
pub(crate) use pieces::{Piece, pieces};
pub(crate) use take_in::{Destination, take_in};
use tree::tree;

/// A text with resources.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file that the text is from, if any.
    pub(crate) file: Option<Arc<str>>,
    pub(crate) text: Vec<u8>,
}

/// A resource that the builder was given.
#[derive(Debug, Clone)]
pub(crate) struct InitialResource {
    /// The name of its type.
    pub(crate) resource_type: String,
    pub(crate) resource: Value,
}

impl Source {
    /// A source with one line for each resource, which names its type.
    pub(crate) fn of(resources: &[InitialResource]) -> Self {
        let mut text = Vec::new();
        for InitialResource { resource_type, resource } in resources {
            let mut resource = resource.clone();
            if let Value::Object(members) = &mut resource {
                let meta = members.entry("meta").or_insert(Value::Null);
                if !meta.is_object() {
                    *meta = Value::Object(Map::new());
                }
                meta["resourceType"] = resource_type.as_str().into();
            }
            text.extend_from_slice(resource.to_string().as_bytes());
            text.push(b'\n');
        }
        Self { file: None, text }
    }
}

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("load the resources, so none was kept{}", named(.problems))]
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

/// At most so many problems are named.
const MAX_NAMED: usize = 5;

fn named(problems: &[LoadProblem]) -> String {
    let more = problems.len().saturating_sub(MAX_NAMED);
    let more = (more > 0).then(|| format!("; and {more} more"));
    problems.iter().take(MAX_NAMED).map(|problem| format!("; {problem}")).chain(more).collect()
}

/// The resources of an import, and what is wrong with others.
pub(crate) struct Arrivals {
    arrivals: Vec<Arrival>,
    problems: Vec<Wrong>,
    notes: Vec<LoadNote>,
}

impl Arrivals {
    /// Reads the resources of several texts, each of which may be from a file.
    pub(crate) fn read<'t>(
        settings: &Settings,
        texts: impl IntoIterator<Item = (Option<Arc<str>>, &'t [u8])>,
        how: Load,
        now: Timestamp,
    ) -> Self {
        let (mut arrivals, mut problems, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for (source, (file, text)) in texts.into_iter().enumerate() {
            let place = |line, column| Place { source, line, column, file: file.clone() };
            let (pieces, mistakes) = pieces(text);
            let told = |Mistake { line, column, message }| place(line, column).problem(message);
            problems.extend(mistakes.into_iter().map(told));
            for piece in pieces {
                let place = place(piece.line, piece.column);
                match Arrival::read(settings, place.clone(), &piece, how, now) {
                    Ok((arrival, left_out)) => {
                        arrivals.push(arrival);
                        notes.extend(left_out.into_iter().map(|note| place.note(note)));
                    }
                    Err(error) => problems.push(place.problem(error.to_string())),
                }
            }
        }
        Self { arrivals, problems, notes }
    }
}

/// Why a resource cannot be imported.
#[derive(Debug, thiserror::Error)]
enum ImportError {
    #[error("{}", .0.message)]
    Json(Mistake),
    #[error("a resource is a JSON object")]
    NotAnObject,
    #[error("`{0}` is given twice")]
    DoubledKey(String),
    #[error("`id` is a text that is not empty; leave it out for a new one")]
    BadId,
    #[error(transparent)]
    UnknownType(#[from] UnknownType),
    #[error("its type can't be told: write `schemas`, or `meta` with a `resourceType`")]
    NoType,
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Dates(Vec<DateError>),
    #[error(transparent)]
    Refused(#[from] Problem),
}

/// What is wrong with a date of `meta`.
#[derive(Debug, PartialEq, thiserror::Error)]
enum DateError {
    #[error("`meta.{name}` is {expected}")]
    Text { name: &'static str, expected: ParseInstantError },
    #[error("`meta.{name}` is a text such as \"2026-01-31T12:00:00Z\", not {written}")]
    Type { name: &'static str, written: String },
}

/// The first notes, and how many more there are.
fn told(mut notes: Vec<LoadNote>) -> Vec<LoadNote> {
    let more = notes.len().saturating_sub(MAX_NOTES);
    notes.truncate(MAX_NOTES);
    if let Some(last) = notes.last().filter(|_| more > 0) {
        let (text, path) = (format!("and {more} more notes"), "…".to_owned());
        notes.push(LoadNote { path, nearest: None, text, ..last.clone() });
    }
    notes
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

    fn note(&self, Note { path, nearest, text, .. }: Note) -> LoadNote {
        let file = self.file.as_ref().map(ToString::to_string);
        LoadNote { file, line: self.line, column: self.column, path, nearest, text }
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
    kind: TypeId,
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
    ) -> Result<(Self, Vec<Note>), ImportError> {
        let (tree, doubled) =
            tree(text).map_err(|error| ImportError::Json(parse_message::json(text, &error)))?;
        let Value::Object(tree) = tree else { return Err(ImportError::NotAnObject) };
        if let Some(doubled) = doubled {
            return Err(ImportError::DoubledKey(doubled.chars().take(100).collect()));
        }
        let kind_at = type_of(settings, &tree)?;
        let kind = settings.types.get(kind_at);
        let id = match get_ci(&tree, "id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if !id.is_empty() => Some(Arc::from(id.as_str())),
            Some(_) => return Err(ImportError::BadId),
        };
        let past = past(&tree, now).map_err(ImportError::Dates)?;
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
            let taken = taken.map_err(|refusal| refusal.problem)?;
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

fn type_of(settings: &Settings, tree: &Map<String, Value>) -> Result<TypeId, ImportError> {
    let said = get_ci(tree, "meta").and_then(Value::as_object).and_then(|meta| get_ci(meta, "resourceType"));
    if let Some(Value::String(name)) = said {
        return Ok(settings.types.require(name)?);
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
    found.map(|(at, _)| at).ok_or(ImportError::NoType)
}

/// Reads `meta`.
///
/// # Errors
/// All dates in it that are invalid.
fn past(tree: &Map<String, Value>, now: Timestamp) -> Result<Past, Vec<DateError>> {
    let empty = Map::new();
    let meta = get_ci(tree, "meta").and_then(Value::as_object).unwrap_or(&empty);
    let text = |name: &str| get_ci(meta, name).and_then(Value::as_str);
    let instant = |name: &'static str| match get_ci(meta, name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            clock::parse(text).map(Some).map_err(|expected| DateError::Text { name, expected })
        }
        Some(other) => Err(DateError::Type { name, written: other.to_string().chars().take(100).collect() }),
    };
    let (created, modified) = match (instant("created"), instant("lastModified")) {
        (Ok(created), Ok(modified)) => (created.or(modified).unwrap_or(now), modified),
        (created, modified) => {
            return Err([created.err(), modified.err()].into_iter().flatten().collect());
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

fn groups(kind: &TypeInfo, tree: &Map<String, Value>) -> Vec<String> {
    if kind.role != Role::User {
        return Vec::new();
    }
    let listed = get_ci(tree, "groups").and_then(Value::as_array).into_iter().flatten();
    listed.filter_map(|group| group.get("value")?.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests;
