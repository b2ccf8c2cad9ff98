//! Create, read, replace and delete.
//!
//! What can be said from the request alone is refused at the gateway and reaches no application. What depends on the
//! resources (no such id, a taken `userName`, another version, a PATCH that doesn't fit) is refused by the application
//! behind it, and the journal shows the refused operation.

mod condition;
mod put;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

pub(super) use super::refused;
use super::{Refusal, RequestContext, noted, resource};
use crate::downstream::{self, Change, DownstreamOperation, Downstreams};
use crate::gateway::write_base::Basis;
use crate::gateway::{eventual_consistency, ignored_input, unstored};
use crate::journal::{ChangeKind, Note, StateChange};
use crate::problem::Problem;
use crate::profile::{
    CreateDisabled, DeleteRule, DisableRule, DownstreamDelete, EtagRule, Ids, ReplyBody, Support,
};
use crate::reply::Reply;
use crate::store::content::Content;
use crate::store::{Record, Ref, Store};
use crate::types::{Role, TypeId, TypeInfo};
pub(super) use condition::{names_version, other_version, same_version};
pub(super) use put::replace;

pub(super) fn create(context: &RequestContext<'_>, kind_at: TypeId) -> Result<Reply, Refusal> {
    let kind = context.settings.types.get(kind_at);
    let mut taken = resource::take(context.settings, kind, context.body()?)?;
    let mut notes = std::mem::take(&mut taken.notes);
    notes.extend(ignored_input::of_resource(kind, None, &taken));
    noted(create_of(context, kind_at, taken), notes)
}

fn create_of(context: &RequestContext<'_>, kind_at: TypeId, body: resource::Taken) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let profile = &settings.profile;
    let kind = settings.types.get(kind_at);
    let resource::Taken { mut content, members, dialects, .. } = body;
    let mut made_active = Vec::new();
    if kind.role == Role::User {
        let active = content.active;
        match (active, profile.gateway.create_disabled) {
            (Some(false), CreateDisabled::Answers400) => {
                let why = "a user cannot be created disabled in this application";
                return Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidValue), why).into());
            }
            (Some(false), CreateDisabled::CreatesEnabled) => {
                let mut tree = resource::tree_of(&content.members)?;
                tree.insert("active".to_owned(), Value::Bool(true));
                made_active.push("active".to_owned());
                content = Content { secret: content.secret, ..Content::of_tree(kind, &tree) };
            }
            (None, _) => {
                content.add_flag("active", true);
                content.active = Some(true);
            }
            (Some(_), _) => {}
        }
    }
    let refuse = |problem| refused(problem, &[DownstreamOperation::Create], None);
    let kept = unstored::keep(settings, kind, None, content).map_err(&refuse)?;
    let left_out = super::notes::not_stored(&kept.left_out);
    let (mut content, asked) = (kept.content, kept.asked);
    if !downstream::has(profile, DownstreamOperation::Create) {
        return Err(refuse(Problem::OperationUnsupported("Create")));
    }
    let mut store = context.store();
    if let Some(path) = store.taken(kind_at, &content.keys, None) {
        let problem = taken(path, kind, &content);
        return Err(refuse(problem));
    }
    if let Some(members) = &members {
        let joining = resource::resolve(settings, &store, members).map_err(&refuse)?;
        super::members::check_changes(&profile.gateway, joining.refs.len()).map_err(&refuse)?;
        check_members(context, joining.refs.len()).map_err(&refuse)?;
        (content.refs, content.names) = (Some(joining.refs), joining.names);
    }
    let id = match (&context.reserved, profile.application.ids) {
        (Some(id), _) => Arc::clone(id),
        (None, Ids::UserName) => new_id(context, &mut store, user_name_id(kind, &content)),
        (None, Ids::Fresh | Ids::Reused) => new_id(context, &mut store, None),
    };
    let at = store.insert(kind_at, id, content, context.now);
    eventual_consistency::keep(context, &mut store, at, false);
    let Some(record) = store.get(at) else { return Err(Problem::NoSuchPath.into()) };
    let whole =
        !context.inner && (profile.replies.create_body == ReplyBody::Whole || context.asks_for_attributes());
    let body = match asked {
        _ if !whole => Bytes::new(),
        Some(asked) => would_be(context, &store, at, &asked)?,
        None => represent(context, &store, at, record)?,
    };
    let location = record.document.location();
    let change = change(kind, &record.id, ChangeKind::Created, None, Some(record.document.shared()));
    let mut reply = Reply::scim(StatusCode::CREATED, body);
    if !whole {
        reply.headers.remove(header::CONTENT_TYPE);
    }
    tag(context, &store, record, &mut reply);
    let downstream = Downstreams::done(&[DownstreamOperation::Create], &record.id);
    drop(store);
    if let Ok(location) = HeaderValue::from_maybe_shared(location) {
        reply.headers.insert(header::LOCATION, location);
    }
    note(&mut reply, &dialects);
    reply.known.notes = left_out;
    let what = "was set to true: the profile of this application creates users enabled";
    reply.known.notes.extend(super::notes::by_profile(&made_active, what));
    reply.known.downstream = downstream;
    reply.known.changes.push(change);
    Ok(reply)
}

/// The id of a resource that is about to be made.
pub(super) fn new_id(
    context: &RequestContext<'_>,
    store: &mut Store,
    user_name: Option<Arc<str>>,
) -> Arc<str> {
    match (context.settings.profile.application.ids, user_name) {
        (Ids::UserName, Some(id)) if store.find(&id).is_none() => id,
        (Ids::Reused, _) => store.reused_id().unwrap_or_else(|| store.new_id()),
        (Ids::Fresh | Ids::UserName, _) => store.new_id(),
    }
}

/// A dialect is noted where it was made use of.
pub(super) fn note(reply: &mut Reply, dialects: &[scim::patch::Dialect]) {
    for dialect in dialects {
        if !reply.known.dialects.contains(&dialect.as_str()) {
            reply.known.dialects.push(dialect.as_str());
        }
    }
}

fn user_name_id(kind: &TypeInfo, content: &Content) -> Option<Arc<str>> {
    if kind.role != Role::User {
        return None;
    }
    let tree = resource::tree_of(&content.members).ok()?;
    Some(tree.get("userName")?.as_str()?.into())
}

/// Says which text is taken, in the spelling of the request where it is at hand.
pub(super) fn taken(path: &str, kind: &TypeInfo, content: &Content) -> Problem {
    let index = kind.indexed.iter().position(|indexed| indexed.text == path);
    let key = content.keys.iter().find(|key| Some(usize::from(key.index)) == index);
    let spelled = resource::tree_of(&content.members)
        .ok()
        .and_then(|tree| tree.get(path).and_then(Value::as_str).map(str::to_owned));
    let value = spelled.or(key.map(|key| key.text.to_string())).unwrap_or_default();
    Problem::Taken { path: path.to_owned(), value }
}

pub(super) fn check_members(context: &RequestContext<'_>, count: usize) -> Result<(), Problem> {
    match context.settings.profile.gateway.max_members.map(|most| most.get() as usize) {
        Some(most) if count > most => {
            let why = format!("the group would have {count} members, and {most} is the most here");
            Err(Problem::by_profile(413, None, why))
        }
        _ => Ok(()),
    }
}

pub(super) fn read(context: &RequestContext<'_>, kind_at: TypeId, id: &str) -> Result<Reply, Refusal> {
    let operations = &[DownstreamOperation::Read];
    let store = context.store();
    if let Some(stale) = store.stale(id, context.now).filter(|stale| stale.kind == kind_at) {
        return eventual_consistency::read(context, kind_at, id, stale);
    }
    let (at, record) = existing(context, &store, kind_at, id, operations)?;
    let is_known = || names_version(context, &header::IF_NONE_MATCH, &store.etag(record)) == Some(true);
    let mut reply = if context.conditional && is_known() {
        Reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        Reply::scim(StatusCode::OK, represent(context, &store, at, record)?)
    };
    tag(context, &store, record, &mut reply);
    Ok(reply.became(Downstreams::done(operations, id)))
}

/// The representation that a request asks for.
pub(super) fn represent(
    context: &RequestContext<'_>,
    store: &Store,
    at: Ref,
    record: &Record,
) -> Result<Bytes, Problem> {
    let projection = context.projection(at.kind)?;
    let members = super::members_shown(projection.as_ref(), context.settings.members_in_reads());
    let shown = store.shown(at, record, members);
    match projection {
        Some(projection) => Ok(super::projected(&shown, &projection)),
        None if record.on_request => {
            let schemas = &context.settings.types.get(at.kind).schemas;
            Ok(super::projected(&shown, &scim::project::Projection::default_for(schemas)))
        }
        None => Ok(shown),
    }
}

/// Adds the entity tag.
pub(super) fn tag(context: &RequestContext<'_>, store: &Store, record: &Record, reply: &mut Reply) {
    if context.settings.profile.features.etag == EtagRule::Works
        && let Some(tag) = store.etag_header(record)
    {
        reply.headers.insert(header::ETAG, tag);
    }
}

/// Answers with what was asked for, where a profile echoes what was not stored.
pub(super) fn echo(
    context: &RequestContext<'_>,
    store: &Store,
    at: Ref,
    asked: Option<&Content>,
    reply: &mut Reply,
) -> Result<(), Problem> {
    if let Some(asked) = asked.filter(|_| store.get(at).is_some()) {
        reply.body = would_be(context, store, at, asked)?;
    }
    Ok(())
}

/// What a write comes to.
pub(super) struct Next {
    pub(super) content: Content,
    pub(super) change: Change,
    /// What the profile made of a change of `active`.
    pub(super) note: Option<Note>,
}

/// What a write changes, but for the members of a group.
pub(super) fn difference(
    basis: &Basis,
    before: &Value,
    after: &Map<String, Value>,
    content: &Content,
) -> Change {
    let mut change = Change::between(before, after);
    change.active = content.active.filter(|active| *active != basis.active);
    change.rest |= content.secret.is_some() && content.secret != basis.secret;
    change
}

/// Whether a write changes who is in a group, or what members are called there.
pub(super) fn differs_in_members(store: &Store, at: Ref, content: &Content) -> bool {
    content.refs.as_ref().is_some_and(|refs| {
        store.members_of(at).is_none_or(|members| {
            let distinct: std::collections::HashSet<_> = refs.iter().collect();
            members.len() != distinct.len()
                || !refs.iter().all(|member| members.contains(*member))
                || !members.has_names(&content.names)
        })
    })
}

/// What a profile lets a change of `active` do.
pub(super) fn allowed(
    context: &RequestContext<'_>,
    kind: &TypeInfo,
    next: Next,
    after: &Map<String, Value>,
    was_active: bool,
) -> Result<Next, Problem> {
    let gateway = &context.settings.profile.gateway;
    let refused = |why: &str| Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidValue), why));
    match next.change.active {
        Some(true) if gateway.enable == Support::Answers400 => {
            refused("a user cannot be enabled again in this application")
        }
        Some(false) if gateway.disable == DisableRule::Answers400 => {
            refused("a user cannot be disabled in this application")
        }
        Some(false) if gateway.disable == DisableRule::Ignored200 => {
            let mut tree = after.clone();
            tree.insert("active".to_owned(), Value::Bool(was_active));
            let content = Content {
                secret: next.content.secret,
                refs: next.content.refs,
                names: next.content.names,
                ..Content::of_tree(kind, &tree)
            };
            let what = "was not changed: the profile of this application answers a disable and ignores it";
            let note = super::notes::by_profile(&["active".to_owned()], what).pop();
            Ok(Next { content, change: Change { active: None, ..next.change }, note })
        }
        _ => Ok(next),
    }
}

pub(super) fn delete(context: &RequestContext<'_>, kind_at: TypeId, id: &str) -> Result<Reply, Refusal> {
    let gateway = &context.settings.profile.gateway;
    let kind = context.settings.types.get(kind_at);
    let rule = super::delete_rule(gateway, kind);
    match rule {
        DeleteRule::Works | DeleteRule::Answers405 | DeleteRule::Ignored204 => {}
        DeleteRule::Answers403 => {
            return Err(Problem::by_profile(403, None, "nothing may be deleted in this application").into());
        }
        DeleteRule::Answers501 => return Err(Problem::NotImplemented("DELETE").into()),
    }
    let operations = &[DownstreamOperation::Delete];
    let mut store = context.store();
    let (at, record) = existing(context, &store, kind_at, id, operations)?;
    same_version(context, &store, record, operations)?;
    if rule == DeleteRule::Ignored204 {
        let mut reply = Reply::empty(StatusCode::NO_CONTENT);
        let what = "was not carried out: the profile of this application answers DELETE and ignores it";
        reply.known.notes = super::notes::by_profile(&["DELETE".to_owned()], what);
        return Ok(reply);
    }
    let downstream = Downstreams::done(operations, &record.id);
    let changes = remove(context, &mut store, at);
    let mut reply = Reply::empty(StatusCode::NO_CONTENT).became(downstream);
    reply.known.changes.extend(changes);
    Ok(reply)
}

/// Does what a write came to, all or nothing.
pub(super) fn carry_out(
    context: &RequestContext<'_>,
    store: &mut Store,
    at: Ref,
    next: Next,
    operations: &'static [DownstreamOperation],
) -> Result<Reply, Refusal> {
    let kind = context.settings.types.get(at.kind);
    let Some(record) = store.get(at) else { return Err(Problem::NoSuchPath.into()) };
    let (id, before) = (Arc::clone(&record.id), record.document.shared());
    may(context, operations, &id)?;
    let done = Downstreams::done(operations, &id);
    if operations == [DownstreamOperation::Delete] {
        let shown = would_be(context, store, at, &next.content)?;
        let changes = remove(context, store, at);
        let mut reply = Reply::scim(StatusCode::OK, shown).became(done);
        reply.known.changes.extend(changes);
        return Ok(reply);
    }
    if let Some(path) = store.taken(at.kind, &next.content.keys, Some(at.slot)) {
        let problem = taken(path, kind, &next.content);
        let last = &operations[operations.len().saturating_sub(1)..];
        return Err(refused(problem, last, Some(&id)));
    }
    let mut changed = None;
    // A write that changes nothing makes no new version (RFC 7644 §3.5.2.1).
    if !next.change.is_nothing() {
        eventual_consistency::keep(context, store, at, true);
        store.replace(at, next.content, context.now);
        let after = store.get(at).map(|record| record.document.shared());
        changed = Some(change(kind, &id, ChangeKind::Updated, Some(before), after));
    }
    let mut reply = represented(context, store, at)?.became(done);
    reply.known.changes.extend(changed);
    Ok(reply)
}

/// A 200 with the resource.
pub(super) fn represented(context: &RequestContext<'_>, store: &Store, at: Ref) -> Result<Reply, Refusal> {
    let Some(record) = store.get(at) else { return Err(Problem::NoSuchPath.into()) };
    // In a bulk response nobody sees it.
    let body = if context.inner { Bytes::new() } else { represent(context, store, at, record)? };
    let mut reply = Reply::scim(StatusCode::OK, body);
    tag(context, store, record, &mut reply);
    Ok(reply)
}

/// Refuses what the application behind the gateway has no operation for.
pub(super) fn may(
    context: &RequestContext<'_>,
    operations: &'static [DownstreamOperation],
    id: &str,
) -> Result<(), Refusal> {
    let profile = &context.settings.profile;
    let Some(missing) = operations.iter().position(|operation| !downstream::has(profile, *operation)) else {
        return Ok(());
    };
    let missing = &operations[missing..=missing];
    let problem = match missing {
        [DownstreamOperation::PartialUpdate] => Problem::PartialUpdateUnsupported,
        [DownstreamOperation::Replace] => Problem::OperationUnsupported("Replace"),
        _ => Problem::OperationUnsupported("of that kind"),
    };
    Err(refused(problem, missing, Some(id)))
}

/// The representation of content that is not kept, under the id and meta of the resource that it is about.
pub(super) fn would_be(
    context: &RequestContext<'_>,
    store: &Store,
    at: Ref,
    content: &Content,
) -> Result<Bytes, Problem> {
    let Some(record) = store.get(at) else { return Err(Problem::NoSuchPath) };
    let mut tree = resource::tree_of(&content.members)?;
    let before = store.tree(at, record);
    for name in ["schemas", "id", "meta", "groups", "members"] {
        if let Some(value) = before.get(name) {
            tree.insert(name.to_owned(), value.clone());
        }
    }
    let text = Bytes::from(Value::Object(tree).to_string());
    Ok(match context.projection(at.kind)? {
        Some(projection) => super::projected(&text, &projection),
        None => text,
    })
}

/// Removes a resource the way the application behind the gateway does.
fn remove(context: &RequestContext<'_>, store: &mut Store, at: Ref) -> Option<StateChange> {
    let kind = context.settings.types.get(at.kind);
    let record = store.get(at)?;
    let (id, before, active) = (Arc::clone(&record.id), record.document.shared(), record.active);
    let rule = match (context.settings.profile.application.delete, kind.role) {
        (DownstreamDelete::Deactivates, Role::User) => DownstreamDelete::Deactivates,
        (DownstreamDelete::Hides, _) => DownstreamDelete::Hides,
        (DownstreamDelete::Removes | DownstreamDelete::Deactivates, _) => DownstreamDelete::Removes,
    };
    if rule != DownstreamDelete::Deactivates || active {
        eventual_consistency::keep(context, store, at, true);
    }
    let after = match rule {
        DownstreamDelete::Removes => {
            store.remove_at(at, context.now);
            None
        }
        DownstreamDelete::Hides => {
            store.hide(at, context.now);
            None
        }
        DownstreamDelete::Deactivates if !active => return None,
        DownstreamDelete::Deactivates => {
            let place = store.get(at).and_then(|record| record.document.place("active"));
            store.set_member(at, ("active", place), b"false", Some(false), context.now);
            store.get(at).map(|record| record.document.shared())
        }
    };
    let what = if after.is_some() { ChangeKind::Updated } else { ChangeKind::Deleted };
    Some(change(kind, &id, what, Some(before), after))
}

pub(super) fn change(
    kind: &TypeInfo,
    id: &Arc<str>,
    what: ChangeKind,
    before: Option<Bytes>,
    after: Option<Bytes>,
) -> StateChange {
    StateChange {
        resource_type: Arc::clone(&kind.shared_name),
        id: Arc::clone(id),
        kind: what,
        before,
        after,
    }
}

pub(super) fn no_such(context: &RequestContext<'_>, kind_at: TypeId, id: &str) -> Problem {
    Problem::NoSuchResource { kind: context.settings.types.get(kind_at).name().to_owned(), id: id.to_owned() }
}

pub(super) fn existing<'s>(
    context: &RequestContext<'_>,
    store: &'s Store,
    kind_at: TypeId,
    id: &str,
    operations: &'static [DownstreamOperation],
) -> Result<(Ref, &'s Record), Refusal> {
    visible(context, store, kind_at, id)
        .ok_or_else(|| refused(no_such(context, kind_at, id), operations, Some(id)))
}

/// The resource, where the application behind the gateway lets anybody see it.
pub(super) fn visible<'s>(
    context: &RequestContext<'_>,
    store: &'s Store,
    kind_at: TypeId,
    id: &str,
) -> Option<(Ref, &'s Record)> {
    store
        .find_in(kind_at, id)
        .filter(|(_, record)| record.active || !context.settings.hides_inactive(kind_at))
}
