//! The outcome of a variant, computed from the state before and after it, without I/O.

mod damage;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::format;
use crate::json::{get, is_absent, reach, same};
pub use crate::probe::outcome::damage::Damage;
pub(crate) use crate::probe::outcome::damage::attribute;
use crate::probe::outcome::damage::{LABELS, TOLD, is_index};
use crate::probe::variant::Variant;
use crate::subject::server::client::Answer;

/// The state of the resource after a request.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The resource, as it is read.
    Readable(Value),
    /// The resource is not found, and its user name is still taken.
    Hidden,
    /// The resource is not found, and its user name is free.
    Gone,
}

/// Names for what differs from run to run.
#[derive(Debug, Clone, Default)]
pub struct Names(pub Vec<(String, &'static str)>);

/// The outcome of a variant.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The variant could not be tried, for this reason.
    Untried(String),
    /// The variant was tried.
    Tried(Tried),
}

/// The outcome of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// The part of the change that took effect.
    pub effect: Effect,
    /// The reply.
    pub reply: Reply,
    /// The side effects, in the order of the pointers.
    pub damages: Vec<Damage>,
    /// Attributes of a POST that was refused and is taken without them. `reply` is the refusal; the rest is what became of
    /// the POST without them.
    pub without: Vec<&'static str>,
}

/// The part of a change that took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// All of it.
    Done,
    /// Some of it.
    Partly,
    /// None of it.
    Nothing,
}

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `scimType` of an error.
    pub scim_type: Option<String>,
    /// The body.
    pub shows: Shows,
}

/// The content of a reply's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// There is no body.
    Nothing,
    /// The resource as it is now.
    Truth,
    /// The resource as it was before.
    Before,
    /// A resource as it never was.
    WrongState,
    /// A SCIM error.
    Error,
    /// HTML.
    Html,
    /// Any other content.
    Other,
}

/// The class of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Accepted and done.
    Done,
    /// Accepted and done in part.
    Partly,
    /// Accepted and ignored.
    Ignored,
    /// Done and answered with an error.
    DoneWithError,
    /// Refused.
    Refused,
    /// The variant was not tried.
    Untried,
}

impl Class {
    /// Returns the class in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "accepted and done",
            Self::Partly => "accepted and done in part",
            Self::Ignored => "accepted and ignored",
            Self::DoneWithError => "done and answered with an error",
            Self::Refused => "refused",
            Self::Untried => "not tried",
        }
    }
}

impl Outcome {
    /// Returns the class.
    pub fn class(&self) -> Class {
        let Self::Tried(tried) = self else { return Class::Untried };
        if !tried.without.is_empty() {
            return Class::Refused;
        }
        match (tried.reply.status / 100 == 2, tried.effect) {
            (true, Effect::Done) => Class::Done,
            (true, Effect::Partly) => Class::Partly,
            (true, Effect::Nothing) => Class::Ignored,
            (false, Effect::Done | Effect::Partly) => Class::DoneWithError,
            (false, Effect::Nothing) => Class::Refused,
        }
    }

    /// Whether it is done and nothing else changed.
    pub fn is_clean(&self) -> bool {
        self.class() == Class::Done && self.damages().is_empty()
    }

    /// Whether it is done and nothing else changed that a provisioner would miss.
    pub fn works(&self) -> bool {
        self.class() == Class::Done && self.damages().iter().all(Damage::is_minor)
    }

    /// Whether it could not be tried.
    pub fn is_untried(&self) -> bool {
        self.class() == Class::Untried
    }

    /// Returns the side effects.
    pub fn damages(&self) -> &[Damage] {
        match self {
            Self::Untried(_) => &[],
            Self::Tried(tried) => &tried.damages,
        }
    }

    /// Attributes that a POST is refused for, and taken without.
    pub fn without(&self) -> &[&'static str] {
        match self {
            Self::Untried(_) => &[],
            Self::Tried(tried) => &tried.without,
        }
    }

    /// Whether the account is gone though it was to stay.
    pub fn loses_account(&self) -> bool {
        self.damages().iter().any(|damage| damage.pointer.is_empty() && damage.now.is_none())
    }

    /// Whether the account can no longer be read, while its user name stays taken.
    pub fn hides_account(&self) -> bool {
        self.damages().iter().any(|damage| damage.pointer.is_empty() && damage.now.is_some())
    }

    /// Returns the status of the answer, and the `scimType` of an error.
    pub fn answered(&self) -> String {
        match self {
            Self::Untried(_) => String::new(),
            Self::Tried(Tried { reply, .. }) => match &reply.scim_type {
                Some(scim_type) => format!("{} {scim_type}", reply.status),
                None => reply.status.to_string(),
            },
        }
    }

    /// Returns the status of the answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Untried(_) => None,
            Self::Tried(tried) => Some(tried.reply.status),
        }
    }

    /// Describes the outcome in a sentence without its start: `refused: 501`.
    pub fn describe(&self) -> String {
        let tried = match self {
            Self::Untried(why) => return format!("not tried: {why}"),
            Self::Tried(tried) => tried,
        };
        let class = self.class();
        let mut text = format!("{}: {}", class.as_str(), self.answered());
        match tried.reply.shows {
            Shows::Html => text.push_str(", a page in HTML"),
            Shows::Other if class == Class::Refused => text.push_str(", no SCIM error"),
            Shows::WrongState => text.push_str(", and shows the account as it is not"),
            Shows::Before if class == Class::Done => text.push_str(", and shows the account as it was"),
            _ => {}
        }
        if !tried.without.is_empty() {
            append!(text, "; accepted without {}", tried.without.join(", "));
        }
        let damages: Vec<_> = tried.damages.iter().map(Damage::describe).collect();
        if !damages.is_empty() {
            append!(text, "; damages: {}", damages.join(", "));
        }
        text
    }
}

impl Names {
    /// Returns a resource without values that differ from run to run: `meta`, `groups`, ids and unique names.
    pub fn view(&self, resource: &Value) -> Value {
        let mut view = self.rename(resource);
        if let Some(members) = view.as_object_mut() {
            members.retain(|name, value| {
                !["meta", "groups", "password", "schemas"].iter().any(|out| name.eq_ignore_ascii_case(out))
                    && !is_absent(Some(value))
            });
            if let Some(list) = members.get_mut("members") {
                let ids = list.as_array().into_iter().flatten();
                *list = ids.filter_map(|member| get(member, "value").cloned()).collect();
            }
        }
        view
    }

    fn rename(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.clone();
                for (from, to) in &self.0 {
                    if text.contains(from.as_str()) {
                        text = text.replace(from.as_str(), to);
                    }
                }
                Value::from(text)
            }
            Value::Array(elements) => elements.iter().map(|element| self.rename(element)).collect(),
            Value::Object(members) => {
                members.iter().map(|(name, member)| (name.clone(), self.rename(member))).collect()
            }
            other => other.clone(),
        }
    }
}

/// Returns the outcome of a variant. `goal` has its pointers filled in. For a POST `before` is the account that was
/// sent.
pub fn classify(
    variant: &Variant,
    goal: &[(String, Value)],
    names: &Names,
    before: &Value,
    answer: &Answer,
    after: &State,
) -> Tried {
    let before = names.view(before);
    let created = matches!(variant.sent, crate::probe::variant::Sent::Post(_));
    let (effect, damages, now) = match after {
        State::Readable(now) => {
            let now = names.view(now);
            let effect =
                if goal.is_empty() { Effect::Nothing } else { reached(goal, &before, &now, created) };
            (effect, damages(goal, &before, &now, created), Some(now))
        }
        State::Gone | State::Hidden => {
            let gone = *after == State::Gone;
            let deactivates =
                goal.iter().any(|(pointer, value)| pointer == "/active" && value.as_bool() == Some(false));
            let effect = match (goal.is_empty(), after) {
                (true, _) => Effect::Done,
                (false, State::Hidden) if deactivates => Effect::Done,
                _ => Effect::Nothing,
            };
            let whole = Damage { pointer: String::new(), now: (!gone).then_some(Value::Null) };
            let damages = if (goal.is_empty() && gone) || created { Vec::new() } else { vec![whole] };
            (effect, damages, None)
        }
    };
    let mut reply = reply(names, &before, answer, now.as_ref());
    // What cannot be read may be as the answer shows it.
    if *after == State::Hidden && reply.shows == Shows::WrongState {
        reply.shows = Shows::Other;
    }
    Tried { effect, reply, damages, without: Vec::new() }
}

/// Returns the part of the goal that is reached. A value that was there before is no effect.
fn reached(goal: &[(String, Value)], before: &Value, now: &Value, created: bool) -> Effect {
    let is = |value: &Value, (pointer, wanted): &(String, Value)| {
        let found = at(value, pointer);
        if is_absent(Some(wanted)) {
            is_absent(found)
        } else {
            found.is_some_and(|found| same(found, wanted))
        }
    };
    let done = goal.iter().filter(|goal| is(now, goal)).count();
    let news = goal.iter().filter(|goal| is(now, goal) && (created || !is(before, goal))).count();
    if done == goal.len() {
        Effect::Done
    } else if news > 0 {
        Effect::Partly
    } else {
        Effect::Nothing
    }
}

fn at<'a>(value: &'a Value, pointer: &str) -> Option<&'a Value> {
    reach(value, pointer).into_iter().next().and_then(|(_, value)| value)
}

/// Returns the attributes that changed and are no part of the goal.
fn damages(goal: &[(String, Value)], before: &Value, now: &Value, created: bool) -> Vec<Damage> {
    let empty = Map::new();
    let (before, now) = (before.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    let mut damages = Vec::new();
    for name in names {
        let asked_for = goal.iter().any(|(pointer, _)| first(pointer).eq_ignore_ascii_case(name));
        // A server gives a new account an id, and defaults.
        // A server may keep `active` to itself, and what is not returned may be stored.
        let unseen = created && name.eq_ignore_ascii_case("active") && !now.contains_key(name);
        if !asked_for && !unseen && (!created || before.contains_key(name)) {
            changes(&format!("/{name}"), before.get(name), now.get(name), created, &mut damages);
        }
    }
    damages
}

/// Collects the differences between `before` and `now`, down to the members of objects of the same shape.
fn changes(
    pointer: &str,
    before: Option<&Value>,
    now: Option<&Value>,
    created: bool,
    damages: &mut Vec<Damage>,
) {
    match (before, now) {
        (before, now) if is_absent(before) && is_absent(now) => {}
        (Some(before), Some(now)) if same(before, now) => {}
        (Some(Value::Object(before)), Some(now @ Value::Object(members))) => {
            for (name, value) in before {
                changes(&format!("{pointer}/{name}"), Some(value), get(now, name), created, damages);
            }
            let in_list = pointer.rsplit('/').next().is_some_and(is_index);
            for (name, value) in members {
                // Defaults of the server: inside a new account, and labels of values.
                let default = created || (in_list && LABELS.contains(&name.as_str()));
                let known = before.keys().any(|known| known.eq_ignore_ascii_case(name));
                if !known && !default {
                    changes(&format!("{pointer}/{name}"), None, Some(value), created, damages);
                }
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(now)))
            if before.len() == now.len() && before.iter().chain(now).all(Value::is_object) =>
        {
            for (at, (value, partner)) in before.iter().zip(partners(before, now)).enumerate() {
                changes(&format!("{pointer}/{at}"), Some(value), Some(partner), created, damages);
            }
        }
        (_, now) => damages.push(Damage { pointer: pointer.to_owned(), now: now.cloned() }),
    }
}

/// Returns for each element of `before` the one of `now` with the same `value`, or one that is left over.
fn partners<'a>(before: &[Value], now: &'a [Value]) -> Vec<&'a Value> {
    let mut left: Vec<&Value> = now.iter().collect();
    let mut found: Vec<Option<&Value>> = before
        .iter()
        .map(|value| {
            let alike =
                |other: &&Value| get(value, "value").is_some() && get(value, "value") == get(other, "value");
            left.iter().position(alike).map(|at| left.remove(at))
        })
        .collect();
    let mut left = left.into_iter();
    for partner in &mut found {
        if partner.is_none() {
            *partner = left.next();
        }
    }
    found.into_iter().flatten().collect()
}

/// Whether all of `goal` was so before a request, which then can show nothing.
pub(crate) fn is_reached(goal: &[(String, Value)], names: &Names, before: &Value) -> bool {
    let view = names.view(before);
    reached(goal, &view, &view, true) == Effect::Done
}

fn first(pointer: &str) -> &str {
    pointer.split('/').nth(1).unwrap_or_default()
}

/// Classifies a reply, where `now` is the state after it.
pub(crate) fn reply(names: &Names, before: &Value, answer: &Answer, now: Option<&Value>) -> Reply {
    let body = answer.json.as_ref();
    let success = answer.status / 100 == 2;
    let kind = answer.header("content-type").unwrap_or_default();
    let shows = if answer.text.is_empty() {
        Shows::Nothing
    } else if let (true, Some(body)) = (success, body) {
        let shown = names.view(body);
        if now.is_some_and(|now| same(&shown, now)) {
            Shows::Truth
        } else if same(&shown, before) {
            Shows::Before
        } else {
            Shows::WrongState
        }
    } else if body.is_some_and(|body| get(body, "schemas").is_some() || get(body, "scimType").is_some()) {
        Shows::Error
    } else if kind.contains("html") {
        Shows::Html
    } else {
        Shows::Other
    };
    let scim_type = body.filter(|_| !success).and_then(|body| get(body, "scimType")?.as_str());
    let scim_type = scim_type.map(|text| format::one_line(&format::cut(text, TOLD)).into_owned());
    Reply { status: answer.status, scim_type, shows }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::probe::variant::load::built_in;

    fn answer(status: u16, body: Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        Answer { status, text, json: Some(body).filter(|body| !body.is_null()), ..Answer::default() }
    }

    #[track_caller]
    fn check(variant: &str, answer: &Answer, after: &State, told: &str) {
        let variant = built_in()
            .expect("valid variants")
            .iter()
            .find(|known| known.slug == variant)
            .expect("a variant");
        let goal: Vec<_> = variant
            .goal
            .iter()
            .map(|goal| (goal.at.clone(), serde_json::from_str(goal.equals.as_str()).expect("JSON")))
            .collect();
        let before = user(true);
        let tried =
            classify(variant, &goal, &Names(vec![("u-1".to_owned(), "@name")]), &before, answer, after);
        assert_eq!(Outcome::Tried(tried).describe(), told);
    }

    fn changes_of(before: &Value, now: &Value, created: bool) -> Vec<Damage> {
        let mut damages = Vec::new();
        changes("", Some(before), Some(now), created, &mut damages);
        damages
    }

    fn user(active: bool) -> Value {
        json!({ "id": "1", "userName": "u-1", "active": active, "title": "Tester", "meta": { "version": "1" } })
    }

    #[test]
    fn outcome_follows_from_the_states_and_the_reply() {
        let readable = |value: Value| State::Readable(value);
        check("patch-inactive", &answer(204, Value::Null), &readable(user(false)), "accepted and done: 204");
        check("patch-inactive", &answer(200, user(false)), &readable(user(false)), "accepted and done: 200");
        check(
            "patch-inactive",
            &answer(204, Value::Null),
            &readable(user(true)),
            "accepted and ignored: 204",
        );
        check(
            "patch-inactive",
            &answer(200, user(false)),
            &readable(user(true)),
            "accepted and ignored: 200, and shows the account as it is not",
        );
        check(
            "patch-inactive",
            &answer(404, json!({ "schemas": [] })),
            &readable(user(false)),
            "done and answered with an error: 404",
        );
        check(
            "patch-inactive",
            &answer(400, json!({ "schemas": [], "scimType": "invalidSyntax" })),
            &readable(user(true)),
            "refused: 400 invalidSyntax",
        );
        check(
            "patch-inactive",
            &answer(204, Value::Null),
            &State::Gone,
            "accepted and ignored: 204; damages: the account is gone",
        );
        check(
            "patch-inactive",
            &answer(204, Value::Null),
            &State::Hidden,
            "accepted and done: 204; damages: the account can no longer be read, and its user name stays taken",
        );
        check(
            "patch-inactive",
            &answer(200, user(false)),
            &State::Hidden,
            "accepted and done: 200; damages: the account can no longer be read, and its user name stays taken",
        );
        check("delete", &answer(204, Value::Null), &State::Gone, "accepted and done: 204");
        check(
            "delete",
            &answer(204, Value::Null),
            &readable(user(false)),
            "accepted and ignored: 204; damages: active is now false",
        );
        let listed = |email: Value| {
            let mut user = user(false);
            user["emails"] = json!([email]);
            user
        };
        let typed = listed(json!({ "value": "a@work.example", "type": "work" }));
        let untyped = listed(json!({ "value": "a@work.example", "primary": true }));
        let changed = changes_of(&typed, &untyped, false);
        assert_eq!(changed.iter().map(Damage::describe).collect::<Vec<_>>(), ["emails.type is lost"]);
        assert!(changed.iter().all(Damage::is_minor));
        let other = listed(json!({ "value": "b@work.example", "type": "work" }));
        let changed = changes_of(&typed, &other, false);
        assert_eq!(changed.iter().map(Damage::attribute).collect::<Vec<_>>(), ["emails.value"]);
        assert!(!changed.iter().any(Damage::is_minor));
        assert_eq!(changes_of(&user(true), &typed, true).len(), 1, "active, and no default of a new account");
        let lost = json!({ "id": "1", "userName": "u-1", "active": false });
        check(
            "patch-inactive",
            &answer(204, Value::Null),
            &readable(lost),
            "accepted and done: 204; damages: title is lost",
        );
        check(
            "patch-inactive-and-title",
            &answer(200, user(false)),
            &readable(user(false)),
            "accepted and done in part: 200",
        );
    }
}
