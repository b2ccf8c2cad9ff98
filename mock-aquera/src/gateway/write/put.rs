//! PUT (RFC 7644 §3.5.1).

use axum::http::{StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Next, allowed, carry_out, difference, differs_in_members, echo, existing, note, refused, represent,
    same_version,
};
use crate::downstream;
use crate::downstream::DownstreamOperation;
use crate::gateway::members::PutMembers;
use crate::gateway::write_base::{Basis, TRIES};
use crate::gateway::{
    Refusal, RequestContext, feature, ignored_input, members, noted, notes, put_rule, resource, unstored,
};
use crate::journal::Note;
use crate::problem::Problem;
use crate::profile::{PutMissingAttributes, PutRule, PutWithoutActive, ReplyBody};
use crate::reply::Reply;
use crate::store::content::Content;
use crate::types::{Role, TypeId, TypeInfo};

pub(in crate::gateway) fn replace(
    context: &RequestContext<'_>,
    kind_at: TypeId,
    id: &str,
) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let gateway = &settings.profile.gateway;
    let kind = settings.types.get(kind_at);
    match put_rule(gateway, kind) {
        PutRule::Works | PutRule::Ignored200 | PutRule::Answers405 => {}
        PutRule::Html404 => return Ok(Reply::html_not_found()),
        PutRule::Answers400 => {
            let why = "PUT is refused by the profile of this application, whatever it says";
            return Err(Problem::by_profile(400, Some(scim::error::ScimType::InvalidSyntax), why).into());
        }
        PutRule::Answers501 => return Err(Problem::NotImplemented("PUT").into()),
    }
    let mut taken = resource::take(settings, kind, context.body()?)?;
    let mut notes = std::mem::take(&mut taken.notes);
    notes.extend(ignored_input::of_resource(kind, Some(id), &taken));
    noted(replace_by(context, kind_at, id, taken), notes)
}

fn replace_by(
    context: &RequestContext<'_>,
    kind_at: TypeId,
    id: &str,
    taken: resource::Taken,
) -> Result<Reply, Refusal> {
    let settings = context.settings;
    let kind = settings.types.get(kind_at);
    if taken.content.secret.is_some() {
        feature(settings.profile.features.change_password, "changing a password")?;
    }
    let dialects = taken.dialects.clone();
    let operations = &[DownstreamOperation::Replace];
    let refuse = |problem| refused(problem, operations, Some(id));
    let mut tries = 0;
    let (mut store, at, basis, replaced) = loop {
        let mut store = context.store();
        let (at, record) = existing(context, &store, kind_at, id, operations)?;
        same_version(context, &store, record, operations)?;
        if put_rule(&settings.profile.gateway, kind) == PutRule::Ignored200 {
            let body = represent(context, &store, at, record)?;
            let mut reply = Reply::scim(StatusCode::OK, body);
            let what = "was not carried out: the profile of this application answers PUT and ignores it";
            reply.known.notes = notes::by_profile(&["PUT".to_owned()], what);
            return Ok(reply);
        }
        let basis = Basis::of(&store, at, record);
        let refs = members::of_put(context, &store, at, taken.members.as_ref()).map_err(refuse)?;
        // Members are worked out in the store itself.
        if kind.role == Role::Group || tries == TRIES || !basis.is_long(context.body) {
            let replaced = replaced(context, kind, &basis, taken.content, refs).map_err(refuse)?;
            break (store, at, basis, replaced);
        }
        drop(store);
        let replaced = replaced(context, kind, &basis, taken.content.clone(), refs);
        store = context.store();
        if store.get(at).is_some_and(|record| basis.is_of(record)) {
            break (store, at, basis, replaced.map_err(refuse)?);
        }
        tries += 1;
    };
    let Replaced { mut next, asked, left_out, after, unsaid } = replaced;
    next.change.rest |= differs_in_members(&store, at, &next.content);
    let next = allowed(context, kind, next, &after, basis.active).map_err(refuse)?;
    let disabled = next.note.clone();
    let becomes = downstream::of_put(&settings.profile, next.change);
    let mut reply = carry_out(context, &mut store, at, next, becomes)?;
    echo(context, &store, at, asked.as_ref(), &mut reply)?;
    if settings.profile.replies.put_body == ReplyBody::Empty && !context.asks_for_attributes() {
        let mut empty = Reply::empty(StatusCode::NO_CONTENT);
        empty.headers = std::mem::take(&mut reply.headers);
        empty.headers.remove(header::CONTENT_TYPE);
        reply = reply.answered_as(empty);
    }
    note(&mut reply, &dialects);
    reply.known.notes = notes::not_stored(&left_out);
    reply.known.notes.extend(unsaid.into_iter().chain(disabled));
    Ok(reply)
}

/// What a PUT makes of a resource.
struct Replaced {
    next: Next,
    /// What was asked for, where not all of it is stored and answers echo it.
    asked: Option<Content>,
    /// What the profile does not let be stored.
    left_out: Vec<String>,
    after: Map<String, Value>,
    /// What the profile did to `active`, of which the request says nothing.
    unsaid: Option<Note>,
}

fn replaced(
    context: &RequestContext<'_>,
    kind: &TypeInfo,
    basis: &Basis,
    content: Content,
    members: Option<PutMembers>,
) -> Result<Replaced, Problem> {
    let before = basis.kept();
    let is_unsaid = kind.role == Role::User && content.active.is_none();
    let unsaid = if is_unsaid { without_active(context, basis, &before) } else { None };
    let mut next = replacement(context, kind, basis, content, &before)?;
    if let Some(members) = members {
        (next.refs, next.names) = members;
    }
    let kept = unstored::keep(context.settings, kind, Some(&before), next)?;
    let (next, asked, left_out) = (kept.content, kept.asked, kept.left_out);
    let after = resource::tree_of(&next.members)?;
    if let Err(problems) =
        scim::validate::check_immutable(&before, &Value::Object(after.clone()), &kind.schemas)
    {
        let detail: Vec<String> = problems.iter().map(ToString::to_string).collect();
        return Err(Problem::Immutable(detail.join("; ")));
    }
    let next = Next { change: difference(basis, &before, &after, &next), content: next, note: None };
    Ok(Replaced { next, asked, left_out, after, unsaid })
}

/// What a PUT without `active` does to it, where that is something.
fn without_active(context: &RequestContext<'_>, basis: &Basis, before: &Value) -> Option<Note> {
    let becomes = match context.settings.profile.gateway.put_without_active {
        PutWithoutActive::Clears => before.get("active").map(|_| "removed"),
        PutWithoutActive::Activates => (!basis.active).then_some("set to true"),
        PutWithoutActive::Deactivates => basis.active.then_some("set to false"),
        PutWithoutActive::Keeps => None,
    }?;
    let what = format!("was {becomes}: the profile of this application does so where a PUT does not say it");
    notes::by_profile(&["active".to_owned()], &what).pop()
}

/// The content that a PUT asks for.
fn replacement(
    context: &RequestContext<'_>,
    kind: &TypeInfo,
    basis: &Basis,
    mut content: Content,
    before: &Value,
) -> Result<Content, Problem> {
    let gateway = &context.settings.profile.gateway;
    if gateway.put_missing_attributes == PutMissingAttributes::Keeps {
        let given = resource::tree_of(&content.members)?;
        let mut tree = before.as_object().cloned().unwrap_or_default();
        // Of `active`, another switch speaks.
        tree.remove("active");
        for (name, value) in given {
            match (tree.get_mut(&name), value) {
                // An extension is a set of attributes, and only those given are named.
                (Some(Value::Object(kept)), Value::Object(given)) if name.contains(':') => kept.extend(given),
                (_, value) => drop(tree.insert(name, value)),
            }
        }
        content = Content { secret: content.secret, ..Content::of_tree(kind, &tree) };
    }
    if kind.role == Role::User && content.active.is_none() {
        let active = match gateway.put_without_active {
            // An absent `active` says nothing about it (RFC 7643 §4.1.1 gives no default).
            PutWithoutActive::Keeps => Some(basis.active),
            PutWithoutActive::Activates => Some(true),
            PutWithoutActive::Deactivates => Some(false),
            PutWithoutActive::Clears => None,
        };
        if let Some(active) = active {
            content.add_flag("active", active);
        }
        // An account that does not say whether it is active is.
        content.active = active.or(Some(true));
    }
    Ok(content)
}
