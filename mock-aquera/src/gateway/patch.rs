//! Partial updates (RFC 7644 §3.5.2).

mod dotted;

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use scim::filter::Filter;
use scim::patch::{Dialect, PatchOp, PatchRequest};
use scim::path::AttrPath;
use serde_json::{Map, Value};

use super::members::{self, Split};
use super::write::{self, Next, carry_out, refused};
use super::{Refusal, RequestContext, noted, notes, patch_rule, quick, resource};
use crate::downstream::{self, Change, DownstreamOperation, Downstreams};
use crate::gateway::write_base::{Basis, TRIES};
use crate::gateway::{eventual_consistency, ignored_input, unstored};
use crate::journal::{ChangeKind, Note};
use crate::problem::Problem;
use crate::profile::{
    CanonicalValues, DisableRule, DottedPaths, EtagRule, GatewayRules, MembersPastCut, PatchReply, PatchRule,
    Profile, Support, UnknownAttributes,
};
use crate::reply::Reply;
use crate::store::content::Content;
use crate::store::{Ref, Store};
use crate::types::{Role, TypeId, TypeInfo};

const OPERATIONS: &[DownstreamOperation] = &[DownstreamOperation::PartialUpdate];

pub(super) fn patch(context: &RequestContext<'_>, kind_at: TypeId, id: &str) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let profile = &settings.profile;
    let kind = settings.types.get(kind_at);
    let rule = patch_rule(&profile.gateway, kind);
    if let Some(answer) = whatever_it_says(rule) {
        return answer;
    }
    let body = context.body()?;
    if settings.plain_patches
        && rule == PatchRule::Works
        && let Some(setting) = quick::read(kind, body)
    {
        return set(context, kind_at, id, &setting);
    }
    let message = own_urls(context, context.json()?);
    let (mut request, dialects) =
        PatchRequest::read(&message, settings.dialects).map_err(|error| notes::bad_patch(kind, &error))?;
    let mut notes = ignored_input::of_operations(&message);
    notes.extend(ignored_input::read_only_parts(kind, &request));
    notes.extend(filters_that_never_match(kind, &request));
    if profile.gateway.unknown_attributes == UnknownAttributes::Dropped {
        let mut dropped = scim::patch::strip_unknown(&mut request, &kind.schemas);
        let more = dropped.len().saturating_sub(scim::decode::MAX_DROPPED);
        dropped.truncate(scim::decode::MAX_DROPPED);
        notes.extend(notes::dropped(kind, &dropped, more));
    }
    let ignored = if is_swallowed(rule) { notes::named(&request) } else { Vec::new() };
    let mut outcome = patch_by(context, kind_at, id, rule, request, dialects);
    if let Ok(reply) = &mut outcome {
        let what = "was not changed: the profile of this application answers PATCH and ignores it";
        reply.known.notes.extend(notes::by_profile(&ignored, what));
    }
    noted(outcome, notes)
}

/// Whether a PATCH is answered as if it had been carried out.
fn is_swallowed(rule: PatchRule) -> bool {
    matches!(rule, PatchRule::Ignored200 | PatchRule::Ignored204 | PatchRule::Lies200)
}

fn patch_by(
    context: &RequestContext<'_>,
    kind_at: TypeId,
    id: &str,
    rule: PatchRule,
    mut request: PatchRequest,
    mut dialects: Vec<Dialect>,
) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let profile = &settings.profile;
    let kind = settings.types.get(kind_at);
    check(&profile.gateway, &request)?;
    // What the profile takes for the names of members.
    let literal = match profile.gateway.patch_dotted_paths {
        DottedPaths::Works => Vec::new(),
        DottedPaths::Swallowed => dotted::take_out(&mut request),
    };
    let swallowed = is_swallowed(rule);
    let refuse = |problem: Problem| -> Refusal {
        if swallowed { problem.into() } else { refused(problem, OPERATIONS, Some(id)) }
    };
    let unfit = |problem| {
        // An application without the operation doesn't look at what it is about.
        let has_it = downstream::has(profile, DownstreamOperation::PartialUpdate);
        refuse(if has_it { problem } else { Problem::PartialUpdateUnsupported })
    };
    let mut tries = 0;
    let (mut store, at, was_active, patched) = loop {
        let mut store = context.store();
        let found = write::visible(context, &store, kind_at, id);
        let (at, record) = found.ok_or_else(|| refuse(write::no_such(context, kind_at, id)))?;
        if let Some(problem) = write::other_version(context, &store, record) {
            return Err(refuse(problem));
        }
        match rule {
            PatchRule::Ignored200 => return write::represented(context, &store, at),
            PatchRule::Ignored204 => return Ok(Reply::empty(StatusCode::NO_CONTENT)),
            _ => {}
        }
        let basis = Basis::of(&store, at, record);
        let split = match kind.role {
            Role::Group => members::split(context, &store, at, &request).map_err(unfit)?,
            Role::User | Role::Other => Split::without_members(&request),
        };
        // Members are worked out in the store itself.
        let apart = kind.role != Role::Group && tries < TRIES && basis.is_long(context.body);
        if apart {
            drop(store);
            let patched = patched(context, kind, &basis, split, &literal);
            store = context.store();
            if !store.get(at).is_some_and(|record| basis.is_of(record)) {
                tries += 1;
                continue;
            }
            break (store, at, basis.active, patched.map_err(unfit)?);
        }
        let mut patched = patched(context, kind, &basis, split, &literal).map_err(unfit)?;
        if kind.role == Role::Group {
            settle_members(&store, at, &mut patched);
        }
        break (store, at, basis.active, patched);
    };
    dialects.extend(patched.dialects);
    let mut left_out = notes::not_stored(&patched.left_out);
    let swallowed: Vec<String> = literal.iter().map(|(path, _)| path.clone()).collect();
    let what = "was stored as a member of that name, and the attribute is as it was: so has it the profile of this \
                application";
    left_out.extend(notes::by_profile(&swallowed, what));
    if rule == PatchRule::Lies200 {
        let body = write::would_be(context, &store, at, &patched.next.content)?;
        return Ok(Reply::scim(StatusCode::OK, body));
    }
    let next = write::allowed(context, kind, patched.next, &patched.tree, was_active).map_err(&refuse)?;
    left_out.extend(next.note.clone());
    let becomes = downstream::of_patch(profile, next.change);
    let mut reply = if patched.only_members {
        change_members(context, &mut store, at, &patched.members, becomes)?
    } else {
        carry_out(context, &mut store, at, next, becomes)?
    };
    write::echo(context, &store, at, patched.asked.as_ref(), &mut reply)?;
    drop(store);
    write::note(&mut reply, &dialects);
    reply.known.notes = left_out;
    Ok(answered(context, rule, kind_at, id, reply))
}

/// Notes on the value filters of paths that select nothing, whatever there is.
fn filters_that_never_match(kind: &TypeInfo, request: &PatchRequest) -> Vec<Note> {
    let paths = request.operations.iter().filter_map(PatchOp::path);
    let filters = paths.filter_map(|path| {
        let filter = Box::new(path.filter.clone()?);
        Some(Filter::ValuePath { path: AttrPath { sub: None, ..path.attr_path() }, filter })
    });
    filters.flat_map(|filter| notes::never_matching(&filter, &[kind])).collect()
}

/// The request with the URLs in the filters of its paths as they are kept.
fn own_urls(context: &RequestContext<'_>, mut body: Value) -> Value {
    let Some(seen) = context.seen_as else { return body };
    let (seen, own) = (format!("\"{seen}/"), format!("\"{}/", context.settings.scim_url));
    let operations = body.as_object_mut().into_iter().flatten().map(|(_, value)| value);
    for operation in operations.filter_map(Value::as_array_mut).flatten() {
        if let Some(Value::String(path)) = operation.get_mut("path")
            && path.contains(&seen)
        {
            *path = path.replace(&seen, &own);
        }
    }
    body
}

/// What a profile answers without a look at the request.
fn whatever_it_says(rule: PatchRule) -> Option<Result<Reply, Refusal>> {
    let why = "PATCH is refused by the profile of this application, whatever it says";
    let refused = |status, scim_type| Some(Err(Problem::by_profile(status, scim_type, why).into()));
    match rule {
        PatchRule::Answers400 => refused(400, Some(scim::error::ScimType::InvalidSyntax)),
        PatchRule::Answers403 => refused(403, None),
        PatchRule::Answers404Html => Some(Ok(Reply::html_not_found())),
        PatchRule::Answers501 => Some(Err(Problem::NotImplemented("PATCH").into())),
        _ => None,
    }
}

/// The answer that a profile gives to a PATCH that was carried out.
fn answered(
    context: &RequestContext<'_>,
    rule: PatchRule,
    kind_at: TypeId,
    id: &str,
    mut reply: Reply,
) -> Reply {
    let problem = match rule {
        PatchRule::AppliedThen404 => Some(write::no_such(context, kind_at, id)),
        PatchRule::AppliedThen500 => {
            Some(Problem::by_profile(500, None, "an internal error came after the change was made"))
        }
        _ => None,
    };
    let other = match problem {
        Some(problem) => Reply::from(problem),
        // RFC 7644 §3.5.2: a body is owed where attributes were asked for.
        None if context.settings.profile.gateway.patch_reply == PatchReply::NoContent
            && !context.asks_for_attributes() =>
        {
            let mut empty = Reply::empty(StatusCode::NO_CONTENT);
            if let Some(tag) = reply.headers.remove(header::ETAG) {
                empty.headers.insert(header::ETAG, tag);
            }
            empty
        }
        None => return reply,
    };
    reply.answered_as(other)
}

/// What a gateway has against a request by its form.
fn check(gateway: &GatewayRules, request: &PatchRequest) -> Result<(), Problem> {
    use scim::error::ScimType;
    let operations = &request.operations;
    let most = gateway.max_patch_operations.get() as usize;
    if operations.len() > most {
        let why = format!("the request has {} operations, and {most} is the most here", operations.len());
        return Err(Problem::by_profile(400, Some(ScimType::TooMany), why));
    }
    for (at, operation) in operations.iter().enumerate() {
        let Some(path) = operation.path() else { continue };
        if gateway.patch_paths == Support::Answers400 {
            let why = format!("operation {}: paths are not supported by this application", at + 1);
            return Err(Problem::by_profile(400, Some(ScimType::InvalidPath), why));
        }
        if gateway.patch_value_filters == Support::Answers400 && path.filter.is_some() {
            let why = format!("operation {}: filters in paths are not supported by this application", at + 1);
            return Err(Problem::by_profile(400, Some(ScimType::InvalidPath), why));
        }
    }
    Ok(())
}

/// What a request makes of a resource.
struct Patched {
    next: Next,
    tree: Map<String, Value>,
    members: Vec<crate::store::members::MembersChange>,
    only_members: bool,
    dialects: Vec<Dialect>,
    /// What the request asked for, where not all of it is stored and answers echo it.
    asked: Option<Content>,
    /// The attributes that are not stored.
    left_out: Vec<String>,
}

fn patched(
    context: &RequestContext<'_>,
    kind: &TypeInfo,
    basis: &Basis,
    split: Split,
    literal: &[dotted::Literal],
) -> Result<Patched, Problem> {
    let settings = context.settings;
    let profile = &settings.profile;
    let mut dialects = split.dialects;
    // A user's tree has its groups, so that a write to them is refused and not lost.
    let before = match kind.role {
        Role::User => basis.shown(),
        Role::Group | Role::Other => basis.kept(),
    };
    let applied = scim::patch::apply_with(before, &split.rest, &kind.schemas, settings.dialects);
    let (after, used) = applied.map_err(|error| notes::bad_patch(kind, &error))?;
    dialects.extend(used);
    if profile.gateway.canonical_values == CanonicalValues::Enforced {
        suggested(kind, &after)?;
    }
    let mut tree = match after {
        Value::Object(tree) => tree,
        _ => Map::new(),
    };
    for name in ["id", "meta", "groups", "members"] {
        if name != "members" || kind.role == Role::Group {
            tree.remove(name);
        }
    }
    dotted::put_in(&mut tree, literal);
    if settings.normalises {
        resource::normalise(profile, kind, &mut tree)?;
    }
    if scim::json::key_ci(&tree, "password").is_some() {
        super::feature(profile.features.change_password, "changing a password")?;
    }
    let kept_before = basis.kept();
    let kept = unstored::keep(settings, kind, Some(&kept_before), Content::of_tree(kind, &tree))?;
    let (mut content, asked, left_out) = (kept.content, kept.asked, kept.left_out);
    // What is kept apart is compared apart.
    let tree = resource::tree_of(&content.members)?;
    if let Some((refs, names)) = split.result {
        (content.refs, content.names) = (Some(refs), names);
    }
    if kind.role == Role::User {
        // An account that does not say whether it is active is.
        content.active = content.active.or(Some(true));
    }
    let change = write::difference(basis, &kept_before, &tree, &content);
    let next = Next { content, change, note: None };
    Ok(Patched { next, tree, members: split.changes, only_members: false, dialects, asked, left_out })
}

/// Decides whether a PATCH of a group is one of its members alone, which is done in the store.
fn settle_members(store: &Store, at: Ref, patched: &mut Patched) {
    let Next { content, change, .. } = &mut patched.next;
    change.rest |= write::differs_in_members(store, at, content);
    let only_members = !change.rest && change.active.is_none() && content.refs.is_none();
    change.rest |= !patched.members.is_empty();
    if !patched.members.is_empty() && !only_members {
        // Attributes and members together: one write.
        let (refs, names) = members::outcome(store, at, &patched.members);
        (content.refs, content.names) = (Some(refs), names);
    }
    patched.only_members = only_members && !patched.members.is_empty();
}

fn suggested(kind: &TypeInfo, after: &Value) -> Result<(), Problem> {
    use scim::validate::{ProblemKind, ResourceForm, ValidateOptions, validate_with};
    let options = ValidateOptions { canonical_values: true, form: ResourceForm::Request };
    let problems = validate_with(after, &kind.schemas, options).err().unwrap_or_default();
    let wrong: Vec<String> = problems
        .iter()
        .filter(|problem| matches!(problem.kind, ProblemKind::Canonical(_)))
        .map(ToString::to_string)
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Problem::BadValue(wrong.join("; "))) }
}

/// Changes who is in a group, and nothing else.
fn change_members(
    context: &RequestContext<'_>,
    store: &mut Store,
    at: Ref,
    changes: &[crate::store::members::MembersChange],
    operations: &'static [DownstreamOperation],
) -> Result<Reply, Refusal> {
    let kind = context.settings.types.get(at.kind);
    let Some(record) = store.get(at) else { return Err(Problem::NoSuchPath.into()) };
    let (id, before) = (Arc::clone(&record.id), record.document.shared());
    write::may(context, operations, &id)?;
    eventual_consistency::keep(context, store, at, true);
    let changed = store.change_members(at, changes, context.now);
    let unseen = context.settings.profile.gateway.patch_reply == PatchReply::NoContent;
    let mut reply = if context.inner || (unseen && !context.asks_for_attributes()) {
        // Nobody looks at the members: they need not be written out.
        let mut reply = Reply::scim(StatusCode::OK, Bytes::new());
        if let Some(record) = store.get(at) {
            write::tag(context, store, record, &mut reply);
        }
        reply
    } else {
        write::represented(context, store, at)?
    };
    reply.known.downstream = Downstreams::done(operations, &id);
    if changed {
        let after = store.get(at).map(|record| record.document.shared());
        reply.known.changes.push(write::change(kind, &id, ChangeKind::Updated, Some(before), after));
    }
    Ok(reply)
}

/// Sets one plain member in the text.
fn set(
    context: &RequestContext<'_>,
    kind_at: TypeId,
    id: &str,
    setting: &quick::Setting<'_>,
) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let kind = settings.types.get(kind_at);
    let mut store = context.store();
    let (at, record) = write::existing(context, &store, kind_at, id, OPERATIONS)?;
    write::same_version(context, &store, record, OPERATIONS)?;
    let place = record.document.place(setting.name);
    let same = place.clone().is_some_and(|place| record.document.text()[place] == *setting.json);
    let active = setting.active.filter(|active| kind.role == Role::User && *active != record.active);
    let change = Change { active, rest: !same && active.is_none() };
    let (id, before) = (Arc::clone(&record.id), record.document.shared());
    let operations = downstream::of_patch(&settings.profile, change);
    write::may(context, operations, &id)?;
    let mut changed = None;
    if !same {
        store.set_member(at, (setting.name, place), &setting.json, setting.active, context.now);
        let after = store.get(at).map(|record| record.document.shared());
        changed = Some(write::change(kind, &id, ChangeKind::Updated, Some(before), after));
    }
    let mut reply = write::represented(context, &store, at)?.became(Downstreams::done(operations, &id));
    drop(store);
    reply.known.changes.extend(changed);
    Ok(answered(context, PatchRule::Works, kind_at, &id, reply))
}

/// Whether a PATCH of one plain member may be done in the text: nothing in the profile looks closer.
pub(crate) fn are_plain(profile: &Profile) -> bool {
    let gateway = &profile.gateway;
    gateway.enable == Support::Works
        && gateway.disable == DisableRule::Works
        && gateway.patch_paths == Support::Works
        && gateway.active_change != crate::profile::ActiveChange::Delete
        && profile.list.members_past_cut == MembersPastCut::Kept
        && profile.application.stale_reads.is_zero()
        && profile.application.max_values.is_empty()
        && !unstored::withholds(profile)
        && profile.features.etag == EtagRule::Works
}
