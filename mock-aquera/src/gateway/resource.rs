//! From what a client sends to what is kept.
//!
//! The protocol crate reads the body by the schema; here a profile's wishes are added: what is normalised, how many
//! values an attribute may have, and who is meant by the members of a group.

use scim::decode::{DecodeError, DecodeOptions, DecodedResource, Rejection};
use scim::dialect::Dialect;
use scim::schema::SchemaSet;
use scim::text::lower_case;
use serde_json::{Map, Value};

use super::{Refusal, notes};
use crate::gateway::{Settings, ignored_input};
use crate::journal::Note;
use crate::problem::Problem;
use crate::profile::{CanonicalValues, EmailValue, Profile, UnknownAttributes, UnknownMember, UserNameValue};
use crate::route::decoded;
use crate::store::content::Content;
use crate::store::members::Names;
use crate::store::render::own_name;
use crate::store::{Ref, Store};
use crate::types::{Role, TypeInfo};

/// What a body came to.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) content: Content,
    /// The members of a group as they were sent.
    pub(crate) members: Option<Value>,
    /// The habits that were met and taken.
    pub(crate) dialects: Vec<Dialect>,
    /// What has no effect.
    pub(crate) notes: Vec<Note>,
    /// What stands at the top that only the server writes.
    pub(super) read_only_top: Vec<(String, Value)>,
    /// The URNs in `schemas` that the type lacks.
    pub(super) unknown_schemas: Vec<String>,
}

/// Reads the body of a POST or a PUT.
pub(crate) fn take(settings: &Settings, kind: &TypeInfo, body: &[u8]) -> Result<Taken, Refusal> {
    let profile = &settings.profile;
    let accepted = kind.reader.decode(body, options(settings));
    let mut accepted = accepted.map_err(|Rejection { error, dropped, dropped_more }| {
        let problem = match &error {
            DecodeError::Syntax(error) => super::bad_json(body, error),
            DecodeError::Problems(problems) => notes::unfit(kind, problems),
            DecodeError::NotAnObject => Problem::BadSyntax(error.to_string()),
        };
        Refusal { notes: notes::dropped(kind, &dropped, dropped_more), ..Refusal::from(problem) }
    })?;
    let dialects = std::mem::take(&mut accepted.dialects);
    let mut notes = notes::dropped(kind, &accepted.dropped, accepted.dropped_more);
    notes.extend(ignored_input::read_only_places(&accepted.read_only));
    let members = accepted.captured.take();
    let read_only_top = std::mem::take(&mut accepted.read_only_top);
    let unknown_schemas = std::mem::take(&mut accepted.unknown_schemas);
    let content = if settings.normalises {
        normalised(profile, kind, accepted)?
    } else {
        Content::of_accepted(kind, accepted)
    };
    Ok(Taken { content, members, dialects, notes, read_only_top, unknown_schemas })
}

fn options(settings: &Settings) -> DecodeOptions {
    let gateway = &settings.profile.gateway;
    DecodeOptions {
        refuse_unknown: gateway.unknown_attributes == UnknownAttributes::Refused,
        enforce_canonical_values: gateway.canonical_values == CanonicalValues::Enforced,
        dialects: settings.dialects,
    }
}

/// Whether a profile changes or counts values.
pub(crate) fn normalises(profile: &Profile) -> bool {
    profile.application.user_name_value != UserNameValue::Kept
        || profile.application.email_value != EmailValue::Kept
        || !profile.application.max_values.is_empty()
}

fn normalised(profile: &Profile, kind: &TypeInfo, accepted: DecodedResource) -> Result<Content, Problem> {
    let mut tree = tree_of(&accepted.members)?;
    normalise(profile, kind, &mut tree)?;
    for (name, value) in accepted.secrets {
        tree.insert(name, value);
    }
    Ok(Content::of_tree(kind, &tree))
}

/// The tree of members that are JSON text without the braces.
pub(super) fn tree_of(members: &[u8]) -> Result<Map<String, Value>, Problem> {
    let mut text = Vec::with_capacity(members.len() + 2);
    text.push(b'{');
    text.extend_from_slice(members);
    text.push(b'}');
    serde_json::from_slice(&text).map_err(|error| Problem::BadSyntax(error.to_string()))
}

/// Changes values as the application behind the gateway does, and counts them as it does.
pub(super) fn normalise(
    profile: &Profile,
    kind: &TypeInfo,
    tree: &mut Map<String, Value>,
) -> Result<(), Problem> {
    if kind.role == Role::User {
        if let Some(Value::String(name)) = tree.get_mut("userName") {
            match profile.application.user_name_value {
                UserNameValue::Kept => {}
                UserNameValue::LowerCased => *name = lower_case(name).into_owned(),
                UserNameValue::Trimmed => *name = name.trim().to_owned(),
            }
        }
        if profile.application.email_value == EmailValue::LowerCased
            && let Some(Value::Array(emails)) = tree.get_mut("emails")
        {
            for email in emails {
                if let Some(Value::String(value)) = email.get_mut("value") {
                    *value = lower_case(value).into_owned();
                }
            }
        }
    }
    for (name, most) in &profile.application.max_values {
        let most = most.get() as usize;
        if let Some(Value::Array(values)) = scim::json::get_ci(tree, name)
            && values.len() > most
        {
            let given = values.len();
            return Err(Problem::BadValue(format!("{name} has {given} values, and {most} is the most here")));
        }
    }
    Ok(())
}

/// Members of a group, and the names that they were given.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    pub(crate) refs: Vec<Ref>,
    pub(crate) names: Names,
}

impl Joining {
    fn add(&mut self, store: &Store, found: Ref, member: &Value) {
        self.refs.push(found);
        let given = member.as_object().and_then(|member| scim::json::get_ci(member, "display"));
        if let Some(Value::String(name)) = given.filter(|name| name.as_str() != Some("")) {
            let own = store.get(found).and_then(own_name);
            let own = own.and_then(|own| serde_json::from_slice::<String>(own).ok());
            // Its own name goes on following the resource.
            if own.as_ref() != Some(name) {
                self.names.push((found, name.as_str().into()));
            }
        }
    }

    /// Makes these the members of a content.
    pub(crate) fn join(self, content: &mut Content) {
        content.refs = Some(self.refs);
        content.names = self.names;
    }

    /// Of members that somebody seeds: those that exist.
    pub(crate) fn known(store: &Store, members: &Value) -> Self {
        let mut joining = Self::default();
        for member in members.as_array().into_iter().flatten() {
            let id = member.get("value").and_then(Value::as_str);
            if let Some(found) = id.and_then(|id| store.find(id)) {
                joining.add(store, found, member);
            }
        }
        joining
    }
}

/// Who is meant by members as a client sends them: an array, or one of them.
pub(crate) fn resolve(settings: &Settings, store: &Store, members: &Value) -> Result<Joining, Problem> {
    let members = match members {
        Value::Array(members) => members.as_slice(),
        single => std::slice::from_ref(single),
    };
    let mut joining = Joining { refs: Vec::with_capacity(members.len()), names: Names::new() };
    for (at, member) in members.iter().enumerate() {
        match resolve_one(settings, store, member, at)? {
            Some(found) => joining.add(store, found, member),
            None if settings.profile.gateway.unknown_member == UnknownMember::Dropped => {}
            None => {
                let detail = format!("members[{at}]: no user or group has that id; make it first");
                return Err(Problem::BadValue(detail));
            }
        }
    }
    Ok(joining)
}

/// The resource that a member is about, by `value` or by the end of `$ref`.
fn resolve_one(
    settings: &Settings,
    store: &Store,
    member: &Value,
    at: usize,
) -> Result<Option<Ref>, Problem> {
    let Value::Object(members) = member else {
        return Err(Problem::BadValue(format!("members[{at}] must be an object with a value")));
    };
    let text = |name: &str| scim::json::get_ci(members, name).and_then(Value::as_str);
    let id = match (text("value"), text("$ref")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(address)) => {
            let last = address.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            decoded(last).into_owned()
        }
        (None, None) => return Err(Problem::BadValue(format!("members[{at}].value is required"))),
    };
    let found = store.find(&id).filter(|found| store.get(*found).is_some());
    if let (Some(found), Some(said)) = (found, text("type")) {
        let name = settings.types.get(found.kind).name();
        if !said.eq_ignore_ascii_case(name) {
            let detail = format!("members[{at}].type is {said}, and the resource of that id is a {name}");
            return Err(Problem::BadValue(detail));
        }
    }
    Ok(found)
}

/// An unchecked resource as the library and the administration seed it.
pub(crate) fn completed(kind: &TypeInfo, resource: Value) -> Content {
    let mut tree = match resource {
        Value::Object(resource) => resource,
        _ => Map::new(),
    };
    if kind.role == Role::User {
        tree.entry("active").or_insert(Value::Bool(true));
    }
    // What is never shown is not told either, and there is nothing to compare it with.
    let mut content = Content::of_tree(kind, &tree);
    content.secret = None;
    content
}

/// A body as the schemas have it, from a tree that may lack `schemas`.
pub(crate) fn with_schemas(resource: &Value, schemas: &SchemaSet) -> Value {
    let mut resource = resource.clone();
    if let Value::Object(members) = &mut resource
        && !members.contains_key("schemas")
    {
        let used = schemas.extensions().iter().filter(|e| members.contains_key(e.id().as_str()));
        let urns = std::iter::once(schemas.core()).chain(used).map(|schema| schema.id().as_str());
        let urns: Vec<&str> = urns.collect();
        members.insert("schemas".to_owned(), Value::from(urns));
    }
    resource
}
