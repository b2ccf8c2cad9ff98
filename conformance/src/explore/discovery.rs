//! Discovery at the end of a run, held against what it said at the beginning.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::explore::Finding;
use crate::explore::check::{Check, Condition, Earlier};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::Transcript;
use crate::explore::session::checks::difference;
use crate::explore::shrink::Minimal;
use crate::explore::world::{World, request};
use crate::json::{get, is_absent, same};
use crate::server::discovery::Facts;

/// A document that says something else than before.
struct Changed {
    path: &'static str,
    before: Value,
    now: Value,
    check: Result<Check, &'static str>,
}

/// Returns the finding that discovery says something else than before, if it does.
pub(super) async fn changed(world: &World<'_>, before: &Facts) -> Option<Finding> {
    let now = Facts::ask(world.client).await;
    let Changed { path, before, now, check } =
        config(before, &now).or_else(|| schemas(before, &now)).or_else(|| resource_types(before, &now))?;
    let why = format!("{path} says something else at the end of the run than at its beginning");
    let violation =
        Violation::new(Rule::DiscoveryStays, format!("GET {path}"), why).values(before, now).may_check(check);
    let (exchange, _) = world.client.send(&request("GET", path, None)).await;
    let transcript =
        Transcript { exchanges: vec![exchange], unique: world.next_name(), ..Transcript::default() };
    Some(Finding { violation, minimal: Minimal { transcript, hits: 1, tries: 1 }, count: 1 })
}

fn config(before: &Facts, now: &Facts) -> Option<Changed> {
    let path = "/ServiceProviderConfig";
    let of = |before: Value, now: Value, check| Changed { path, before, now, check };
    match (&before.config, &now.config) {
        (Some(before), Some(now)) if !same(before, now) => {
            let (member, old, new) = difference(before, now);
            let pointer = format!("/{}", member.replace('~', "~0").replace('/', "~1"));
            let said = Earlier::Config { pointer: pointer.clone(), is_absent: is_absent(Some(&old)) };
            Some(of(old, new, Ok(Check::at(pointer, Condition::Same(said)))))
        }
        (Some(before), None) => Some(of(before.clone(), Value::Null, Ok(Check::status(&["200"])))),
        (None, Some(now)) => {
            Some(of(Value::Null, now.clone(), Err("a case is played with what discovery says before it")))
        }
        (Some(_), Some(_)) | (None, None) => None,
    }
}

/// Returns the check that a list of documents has one of them, or lacks it.
fn listed(document: Value, is_missing: bool) -> Check {
    let condition = if is_missing { Condition::Includes } else { Condition::Lacks };
    Check::at("/Resources", condition(document))
}

fn schemas(before: &Facts, now: &Facts) -> Option<Changed> {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) =
        (before.schemas.keys().collect(), now.schemas.keys().collect());
    let urn = old.symmetric_difference(&new).next()?;
    let document = before.schemas.get(*urn).or_else(|| now.schemas.get(*urn));
    // The keys are in lower case.
    let id = document.and_then(|document| get(document, "id"));
    let check = listed(json!({ "id": id }), old.contains(urn));
    Some(Changed { path: "/Schemas", before: json!(old), now: json!(new), check: Ok(check) })
}

fn resource_types(before: &Facts, now: &Facts) -> Option<Changed> {
    let is_same = before.resource_types == now.resource_types;
    if is_same || !before.moved.is_empty() || now.resource_types.is_empty() {
        return None;
    }
    let names =
        |facts: &Facts| facts.resource_types.iter().map(|known| known.name.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (names(before), names(now));
    let check = if let Some(name) = old.symmetric_difference(&new).next() {
        Ok(listed(json!({ "name": name }), old.contains(name)))
    } else {
        let is_other = |name: &&String| before.resource_type(name) != now.resource_type(name);
        let other = old.iter().find(is_other).and_then(|name| before.resource_type(name));
        let document = |name, endpoint| json!({ "name": name, "endpoint": endpoint });
        other
            .map(|other| listed(document(&other.name, &other.endpoint), true))
            .ok_or("the order of the resource types alone is another")
    };
    Some(Changed { path: "/ResourceTypes", before: json!(old), now: json!(new), check })
}
