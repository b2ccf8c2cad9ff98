//! The trace of a run: its exchanges, its steps, and the people at the source and the accounts at the mock in each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use serde_json::Value;

use crate::casing::{lower_case, same_without_case};
use crate::client::filter;
use crate::client::recording::RecordedExchange;
use crate::client::scenario::Person;
use crate::json::get;

/// The exchanges and steps that are judged.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The exchanges, in the order of their answers.
    pub exchanges: Vec<RecordedExchange>,
    /// The scenarios that were played; none for a recorded journal.
    pub plays: Vec<Play>,
    /// The credentials, which must stand nowhere but in their header.
    pub secrets: Vec<String>,
    /// Why some scenarios were not played, by their slug.
    pub not_played: BTreeMap<String, NotPlayed>,
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotPlayed {
    /// Nobody asked for it, or somebody left it out.
    Skipped(String),
    /// The driver or the harness broke.
    Broke(String),
}

/// A scenario that was played.
#[derive(Debug, Clone, Default)]
pub struct Play {
    /// The slug of the scenario.
    pub scenario: String,
    /// The steps, in order.
    pub acts: Vec<Act>,
    /// The accounts at the mock before the first step.
    pub before: Vec<Value>,
}

/// A step that was played.
#[derive(Debug, Clone, Default)]
pub struct Act {
    /// The slug of the step.
    pub step: String,
    /// The range of its exchanges.
    pub range: Range<usize>,
    /// The people at the source, by their name in the scenario.
    pub people: BTreeMap<String, Person>,
    /// The accounts at the mock after it.
    pub accounts: Vec<Value>,
}

impl Play {
    /// Returns all its exchanges.
    pub fn range(&self) -> Range<usize> {
        let start = self.acts.first().map_or(0, |act| act.range.start);
        start..self.acts.last().map_or(start, |act| act.range.end)
    }

    /// Returns a step by its slug.
    pub fn act(&self, step: &str) -> Option<&Act> {
        self.acts.iter().find(|act| act.step == step)
    }

    /// Returns everybody who was at the source at some time, by their name in the scenario, in their last state.
    pub fn people(&self) -> BTreeMap<&str, &Person> {
        self.acts.iter().flat_map(|act| &act.people).map(|(key, person)| (key.as_str(), person)).collect()
    }
}

/// Returns the accounts of a user name, without case.
pub fn accounts_of<'a>(accounts: &'a [Value], user_name: &str) -> Vec<&'a Value> {
    let named = |account: &&Value| {
        account["userName"].as_str().is_some_and(|name| same_without_case(name, user_name))
    };
    accounts.iter().filter(named).collect()
}

/// Facts that follow from the trace, computed once.
#[derive(Debug)]
pub struct Knowledge<'a> {
    /// The trace.
    pub trace: &'a Trace,
    /// The user name, in lower case, that each exchange is about.
    pub about: Vec<Option<String>>,
    /// The present and former user names, ids and addresses of people at the source, in lower case.
    pub somebody: BTreeSet<String>,
    /// The first exchange whose answer has this text somewhere: how a client may know an id.
    told: HashMap<String, usize>,
    /// The user names in answers, in lower case, and the ids of these users.
    user_names: BTreeSet<String>,
    user_ids: BTreeSet<String>,
}

impl<'a> Knowledge<'a> {
    /// Collects the facts of a trace.
    pub fn of(trace: &'a Trace) -> Self {
        let mut told = HashMap::new();
        let mut names: HashMap<String, String> = HashMap::new();
        for (index, exchange) in trace.exchanges.iter().enumerate() {
            let mut note = |text: &str| {
                told.entry(text.to_owned()).or_insert(index);
            };
            if let Some(location) = exchange.answer_header("location") {
                note(location.rsplit('/').next().unwrap_or_default());
            }
            if let Some(answer) = &exchange.answer {
                each_text(answer, &mut note);
                each_resource(answer, &mut |resource| {
                    let text = |name| get(resource, name).and_then(Value::as_str);
                    if let (Some(id), Some(name)) = (text("id"), text("userName")) {
                        names.entry(id.to_owned()).or_insert_with(|| lower_case(name));
                    }
                });
            }
        }
        let user_names = names.values().cloned().collect();
        let user_ids = names.keys().cloned().collect();
        let acts = trace.plays.iter().flat_map(|play| &play.acts);
        for account in acts.flat_map(|act| &act.accounts) {
            if let (Some(id), Some(name)) = (account["id"].as_str(), account["userName"].as_str()) {
                names.entry(id.to_owned()).or_insert_with(|| lower_case(name));
            }
        }
        for person in trace.plays.iter().flat_map(|play| &play.acts).flat_map(|act| act.people.values()) {
            // Whoever looks up by the source's id, or by the address, means the same user.
            for alias in std::iter::once(&person.id).chain(&person.email) {
                names.entry(lower_case(alias)).or_insert_with(|| lower_case(&person.user_name));
            }
        }
        let called: BTreeSet<&String> = names.values().collect();
        let about = trace.exchanges.iter().map(|exchange| about(exchange, &names, &called)).collect();
        let people = trace.plays.iter().flat_map(|play| &play.acts).flat_map(|act| act.people.values());
        let called = people.flat_map(|person| {
            [Some(&person.user_name), Some(&person.id), person.email.as_ref()].into_iter().flatten()
        });
        Self {
            trace,
            about,
            somebody: called.map(|name| lower_case(name)).collect(),
            told,
            user_names,
            user_ids,
        }
    }

    /// Whether an answer before this exchange has this text.
    pub fn was_told(&self, text: &str, before: usize) -> bool {
        self.told.get(text).is_some_and(|first| *first < before)
    }

    /// Whether answers have the text as a user name, without case, and not as the id of a user.
    pub fn is_user_name_only(&self, text: &str) -> bool {
        !self.user_ids.contains(text) && self.user_names.contains(&lower_case(text))
    }

    /// Returns the resource with this id as an answer before this exchange had it last, with the number of that exchange.
    pub fn last_read(&self, id: &str, before: usize) -> Option<(usize, &'a Value)> {
        let exchanges = &self.trace.exchanges;
        (0..before).rev().find_map(|index| {
            let mut found = None;
            let answer = exchanges[index].answer.as_ref().filter(|_| exchanges[index].succeeded())?;
            each_resource(answer, &mut |resource| {
                if get(resource, "id").and_then(Value::as_str) == Some(id) {
                    found = Some(resource);
                }
            });
            found.map(|resource| (index, resource))
        })
    }

    /// Returns the resource that a PUT replaces, as an answer had it last.
    pub fn replaced(&self, index: usize) -> Option<&'a Value> {
        let put = Some(&self.trace.exchanges[index]).filter(|exchange| exchange.method == "PUT")?;
        self.last_read(&put.resource_id()?, index).map(|(_, resource)| resource)
    }

    /// Returns the user names of a person in a scenario, as they are sent; a renamed person has several.
    pub fn user_names<'p>(play: &'p Play, person: &str) -> impl Iterator<Item = &'p str> {
        play.acts.iter().filter_map(move |act| act.people.get(person)).map(|person| person.user_name.as_str())
    }
}

/// Returns the user name that an exchange is about; `names` has it for ids and addresses, `called` has all of them.
fn about(
    exchange: &RecordedExchange,
    names: &HashMap<String, String>,
    called: &BTreeSet<&String>,
) -> Option<String> {
    if let Some(id) = exchange.user_id() {
        return names.get(&id).cloned().or(Some(id));
    }
    if let Some(filter) = exchange.parameter("filter") {
        let read = filter::filter(&filter).ok()?;
        let compared = read.comparisons.iter().filter(|one| one.operator == "eq");
        let texts: Vec<String> =
            compared.filter_map(|one| Some(lower_case(one.value.as_ref()?.as_str()?))).collect();
        // Whatever else it compares with, a schema's URN say: who is known counts.
        let known = texts.iter().find_map(|text| names.get(text).or_else(|| called.get(text).copied()));
        return known.or(texts.first()).cloned();
    }
    let creates =
        exchange.method == "POST" && exchange.path().trim_matches('/').eq_ignore_ascii_case("Users");
    let name = exchange.body.as_ref().filter(|_| creates).and_then(|body| get(body, "userName"))?;
    name.as_str().map(lower_case)
}

fn each_text(value: &Value, note: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => note(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text(element, note)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, note)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls `act` for the resource of an answer, or for each that it lists.
pub(crate) fn each_resource<'v>(answer: &'v Value, act: &mut impl FnMut(&'v Value)) {
    match get(answer, "Resources").and_then(Value::as_array) {
        Some(resources) => resources.iter().for_each(act),
        None if answer.is_object() => act(answer),
        None => {}
    }
}
