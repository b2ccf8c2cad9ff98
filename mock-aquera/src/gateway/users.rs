//! What is done with accounts: create, read, list, replace, patch, delete.
//!
//! What can be said from the request alone is refused at the gateway and reaches no application. What depends on the
//! accounts (no such id, a taken `userName`, another version, a PATCH that doesn't fit) is refused by the application
//! behind it, and the journal shows the refused operation.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::{HeaderName, StatusCode, header};
use scim::patch::{PatchError, PatchRequest};
use scim::schema::{LIST_URN, SchemaSet};
use serde_json::{Map, Value};

use super::query::ListQuery;
use super::{Refusal, Scene, resource};
use crate::hops::{self, Change};
use crate::journal::{Downstream, DownstreamOperation};
use crate::problem::Problem;
use crate::profile::{DownstreamDelete, PatchRule, PutRule};
use crate::reply::Reply;
use crate::store::{Account, Store};

pub(super) fn create(scene: &Scene<'_>) -> Result<Reply, Refusal> {
    let resource = resource::accept(&scene.json()?)?;
    let mut store = scene.store();
    let name = user_name(&resource);
    if store.is_taken(name, None) {
        let problem = Problem::UserNameTaken(name.to_owned());
        return Err(refused(problem, DownstreamOperation::Create, None));
    }
    let account = store.insert(resource, scene.now);
    drop(store);
    Ok(Reply::account(StatusCode::CREATED, &account)
        .header(header::LOCATION, account.location())
        .became(done(&[DownstreamOperation::Create], &account.id)))
}

pub(super) fn read(scene: &Scene<'_>, id: &str) -> Result<Reply, Refusal> {
    let account = existing(&scene.store(), id, DownstreamOperation::Read)?;
    let reply = if names_version(scene, header::IF_NONE_MATCH, &account) == Some(true) {
        Reply::empty(StatusCode::NOT_MODIFIED).header(header::ETAG, account.etag())
    } else {
        Reply::account(StatusCode::OK, &account)
    };
    Ok(reply.became(done(&[DownstreamOperation::Read], id)))
}

pub(super) fn list(scene: &Scene<'_>) -> Result<Reply, Refusal> {
    let list = ListQuery::parse(scene.query)?;
    let by_name = list.filter.as_ref().and_then(|filter| filter.equality_on("userName"));
    let mut accounts: Vec<Arc<Account>> = {
        let store = scene.store();
        match by_name {
            Some(name) => store.named(name).cloned().collect(),
            None => store.all().cloned().collect(),
        }
    };
    if let (Some(filter), None) = (&list.filter, by_name) {
        accounts.retain(|account| filter.matches(&account.resource, SchemaSet::user()));
    }
    let total = accounts.len();
    let page: Vec<_> = accounts.into_iter().skip(list.start_index - 1).take(list.count).collect();
    let read = Downstream { operation: DownstreamOperation::Read, target: None, accepted: true };
    Ok(Reply::scim(StatusCode::OK, list_body(&page, total, list.start_index)).became(vec![read]))
}

/// Joins representations that are already text (RFC 7644 §3.4.2).
fn list_body(page: &[Arc<Account>], total: usize, start_index: usize) -> Bytes {
    let head = format!(
        r#"{{"schemas":["{LIST_URN}"],"totalResults":{total},"startIndex":{start_index},"itemsPerPage":{},"Resources":["#,
        page.len()
    );
    let bodies: Vec<Bytes> = page.iter().map(|account| account.body()).collect();
    let length = head.len() + 2 + bodies.iter().map(|body| body.len() + 1).sum::<usize>();
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(head.as_bytes());
    for (at, body) in bodies.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(body);
    }
    text.extend_from_slice(b"]}");
    Bytes::from(text)
}

pub(super) fn replace(scene: &Scene<'_>, id: &str) -> Result<Reply, Refusal> {
    match scene.settings.profile.gateway.put {
        PutRule::Works => {}
        PutRule::Html404 => return Ok(Reply::html_not_found()),
        PutRule::Answers400 => return Err(Problem::RefusedByProfile.into()),
        PutRule::Answers405 => {
            return Err(scene.not_allowed(super::allowed_on_user(&scene.settings.profile)));
        }
        PutRule::Answers501 => return Err(Problem::NotImplemented("PUT").into()),
        PutRule::Ignored200 => {
            let current = existing(&scene.store(), id, DownstreamOperation::Replace)?;
            return Ok(Reply::account(StatusCode::OK, &current));
        }
    }
    let mut next = resource::for_replacement(&scene.json()?)?;
    let mut store = scene.store();
    let current = existing(&store, id, DownstreamOperation::Replace)?;
    same_version(scene, &current, DownstreamOperation::Replace)?;
    // An absent `active` says nothing about it (RFC 7643 §4.1.1 gives no default).
    next.entry("active").or_insert_with(|| Value::from(current.active()));
    let change = Change::between(&current.resource, &next);
    let operations = hops::of_put(&scene.settings.profile, change);
    carry_out(scene, &mut store, &current, next, operations, change)
}

pub(super) fn patch(scene: &Scene<'_>, id: &str) -> Result<Reply, Refusal> {
    let profile = &scene.settings.profile;
    let rule = profile.gateway.patch;
    match rule {
        PatchRule::Answers400 | PatchRule::Answers403 => return Err(Problem::RefusedByProfile.into()),
        PatchRule::Answers404Html => return Ok(Reply::html_not_found()),
        PatchRule::Answers501 => return Err(Problem::NotImplemented("PATCH").into()),
        PatchRule::Answers405
        | PatchRule::Works
        | PatchRule::Ignored200
        | PatchRule::Ignored204
        | PatchRule::Lies200
        | PatchRule::AppliedThen404
        | PatchRule::AppliedThen500 => {}
    }
    let request = PatchRequest::from_json(&scene.json()?).map_err(|error| bad_patch(&error))?;
    let mut store = scene.store();
    let swallowed = matches!(rule, PatchRule::Ignored200 | PatchRule::Ignored204 | PatchRule::Lies200);
    let refuse = |problem: Problem| -> Refusal {
        if swallowed {
            problem.into()
        } else {
            refused(problem, DownstreamOperation::PartialUpdate, Some(id))
        }
    };
    let current = store.get(id).cloned().ok_or_else(|| refuse(Problem::NoSuchUser(id.to_owned())))?;
    if let Some(problem) = other_version(scene, &current) {
        return Err(refuse(problem));
    }
    match rule {
        PatchRule::Ignored200 => return Ok(Reply::account(StatusCode::OK, &current)),
        PatchRule::Ignored204 => return Ok(Reply::empty(StatusCode::NO_CONTENT)),
        _ => {}
    }
    let patched = scim::patch::apply(&current.resource, &request, SchemaSet::user()).map_err(|error| {
        // An application without the operation doesn't look at what it is about.
        let has_it = hops::has(profile, DownstreamOperation::PartialUpdate);
        refuse(if has_it { bad_patch(&error) } else { Problem::PartialUpdateUnsupported })
    })?;
    let next = resource::patched(patched, current.active());
    if rule == PatchRule::Lies200 {
        return Ok(Reply::value(StatusCode::OK, &shown(&current, next)));
    }
    let change = Change::between(&current.resource, &next);
    let operations = hops::of_patch(profile, change);
    let reply = carry_out(scene, &mut store, &current, next, operations, change)?;
    if rule == PatchRule::AppliedThen404 {
        return Ok(Reply::from(Problem::NoSuchUser(id.to_owned())).became(reply.downstream));
    }
    Ok(reply)
}

pub(super) fn delete(scene: &Scene<'_>, id: &str) -> Result<Reply, Refusal> {
    let mut store = scene.store();
    let current = existing(&store, id, DownstreamOperation::Delete)?;
    same_version(scene, &current, DownstreamOperation::Delete)?;
    remove(scene, &mut store, &current);
    Ok(Reply::empty(StatusCode::NO_CONTENT).became(done(&[DownstreamOperation::Delete], id)))
}

/// Does what a write came to, all or nothing.
fn carry_out(
    scene: &Scene<'_>,
    store: &mut Store,
    current: &Account,
    next: Map<String, Value>,
    operations: &'static [DownstreamOperation],
    change: Change,
) -> Result<Reply, Refusal> {
    let id = current.id.as_str();
    if let Some(&missing) =
        operations.iter().find(|&&operation| !hops::has(&scene.settings.profile, operation))
    {
        return Err(refused(Problem::PartialUpdateUnsupported, missing, Some(id)));
    }
    let done = done(operations, id);
    if operations == [DownstreamOperation::Delete] {
        remove(scene, store, current);
        return Ok(Reply::value(StatusCode::OK, &shown(current, next)).became(done));
    }
    let name = user_name(&next);
    if store.is_taken(name, Some(id)) {
        let writes = operations.last().copied().unwrap_or(DownstreamOperation::Replace);
        return Err(refused(Problem::UserNameTaken(name.to_owned()), writes, Some(id)));
    }
    // A write that changes nothing makes no new version (RFC 7644 §3.5.2.1).
    let account =
        if change.is_nothing() { store.get(id).cloned() } else { store.update(id, next, scene.now) };
    let account = account.ok_or_else(|| Problem::NoSuchUser(id.to_owned()))?;
    Ok(Reply::account(StatusCode::OK, &account).became(done))
}

fn remove(scene: &Scene<'_>, store: &mut Store, current: &Account) {
    match scene.settings.profile.application.delete {
        DownstreamDelete::Removes | DownstreamDelete::Hides => {
            store.remove(&current.id);
        }
        DownstreamDelete::Deactivates if !current.active() => {}
        DownstreamDelete::Deactivates => {
            let mut resource = current.resource.as_object().cloned().unwrap_or_default();
            resource.insert("active".to_owned(), Value::from(false));
            store.update(&current.id, resource, scene.now);
        }
    }
}

/// A representation of what isn't kept, under the `id` and `meta` of the account it is about.
fn shown(current: &Account, mut next: Map<String, Value>) -> Value {
    for name in ["id", "meta"] {
        next.insert(name.to_owned(), current.resource[name].clone());
    }
    Value::Object(next)
}

fn user_name(resource: &Map<String, Value>) -> &str {
    resource.get("userName").and_then(Value::as_str).unwrap_or_default()
}

fn existing(store: &Store, id: &str, operation: DownstreamOperation) -> Result<Arc<Account>, Refusal> {
    store.get(id).cloned().ok_or_else(|| refused(Problem::NoSuchUser(id.to_owned()), operation, Some(id)))
}

fn same_version(scene: &Scene<'_>, current: &Account, operation: DownstreamOperation) -> Result<(), Refusal> {
    other_version(scene, current)
        .map_or(Ok(()), |problem| Err(refused(problem, operation, Some(&current.id))))
}

fn other_version(scene: &Scene<'_>, current: &Account) -> Option<Problem> {
    (names_version(scene, header::IF_MATCH, current) == Some(false))
        .then(|| Problem::VersionMismatch(current.etag().to_owned()))
}

/// Whether a conditional header names this version; `None` where there is no such header. Tags are compared weakly,
/// since all of ours are weak (RFC 7644 §3.14).
fn names_version(scene: &Scene<'_>, name: HeaderName, current: &Account) -> Option<bool> {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let mut values = scene.headers.get_all(name).iter().peekable();
    values.peek()?;
    let own = opaque(current.etag());
    Some(values.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|tag| {
        let tag = opaque(tag);
        tag == "*" || tag == own
    }))
}

fn bad_patch(error: &PatchError) -> Problem {
    Problem::BadPatch { scim_type: error.scim_type(), detail: error.to_string() }
}

fn done(operations: &[DownstreamOperation], id: &str) -> Vec<Downstream> {
    operations
        .iter()
        .map(|&operation| Downstream { operation, target: Some(id.to_owned()), accepted: true })
        .collect()
}

fn refused(problem: Problem, operation: DownstreamOperation, id: Option<&str>) -> Refusal {
    let downstream = vec![Downstream { operation, target: id.map(str::to_owned), accepted: false }];
    Refusal { problem, downstream }
}
