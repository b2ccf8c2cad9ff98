//! Judges the state of accounts, and the attributes that a replacement keeps.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finding, Outcome, Scope};
use crate::casing::lower_case;
use crate::client::matcher::{Matcher, at};
use crate::client::trace::accounts_of;
use crate::json::get;
use crate::json_text::JsonText;

/// The state of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The account exists, and it is active.
    Active,
    /// The account exists, and it is not active.
    Inactive,
    /// The account exists, active or not.
    There,
    /// There is no account.
    Gone,
    /// There is no account, or one that is not active.
    GoneOrInactive,
    /// There is at most one account.
    AtMostOne,
}

impl State {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Active => "there and active",
            Self::Inactive => "there and not active",
            Self::There => "there",
            Self::Gone => "gone",
            Self::GoneOrInactive => "gone or not active",
            Self::AtMostOne => "not there twice",
        }
    }
}

/// Members that are the server's, or that nobody reads.
const NOT_THE_CLIENTS: [&str; 5] = ["id", "meta", "schemas", "groups", "password"];

pub(super) fn accounts(
    scope: &Scope<'_>,
    of: &[String],
    are: State,
    step: Option<&str>,
    with: &BTreeMap<String, JsonText>,
) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(play) = scope.play else { return outcome };
    let act = match step {
        Some(step) => play.act(step),
        None => play.acts.last(),
    };
    let Some(act) = act else { return outcome };
    let people = play.people();
    for key in of {
        // As they are called at that step; whoever is gone from the source keeps the last name.
        let Some(person) = act.people.get(key).or_else(|| people.get(key.as_str()).copied()) else {
            continue;
        };
        outcome.applies = true;
        let found = accounts_of(&act.accounts, &person.user_name);
        let active = found.iter().any(|account| account["active"] != json!(false));
        let fine = match (are, found.len()) {
            (_, 2..) => false,
            (State::Active, count) => count == 1 && active,
            (State::Inactive, count) => count == 1 && !active,
            (State::There, count) => count == 1,
            (State::Gone, count) => count == 0,
            (State::GoneOrInactive, count) => count == 0 || !active,
            (State::AtMostOne, _) => true,
        };
        let exchanges: Vec<usize> = act
            .range
            .clone()
            .filter(|index| scope.knowledge.about[*index].as_deref() == Some(&lower_case(&person.user_name)))
            .collect();
        if !fine {
            let is = match (found.len(), active) {
                (0, _) => "not there",
                (1, true) => "there and active",
                (1, false) => "there and not active",
                _ => "there more than once",
            };
            outcome.findings.push(Finding {
                because: format!("after the step {} the account of {} is {is}", act.step, person.user_name),
                expected: json!(are.in_words()),
                actual: json!(is),
                exchanges,
            });
            continue;
        }
        outcome.seen.extend(&exchanges);
        for (pointer, JsonText(wanted)) in with {
            let has: Vec<&Value> = found.iter().flat_map(|account| at(account, pointer)).collect();
            if !has.contains(&wanted) {
                let has = has.first().copied().cloned().unwrap_or_default();
                outcome.findings.push(Finding {
                    because: format!(
                        "after the step {} {pointer} of {} is {has}",
                        act.step, person.user_name
                    ),
                    expected: wanted.clone(),
                    actual: has,
                    exchanges: exchanges.clone(),
                });
            }
        }
    }
    outcome
}

pub(super) fn strangers(scope: &Scope<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let Some(play) = scope.play else { return outcome };
    let after = play.acts.last().map(|act| act.accounts.as_slice()).unwrap_or_default();
    for account in &play.before {
        let name = account["userName"].as_str().unwrap_or_default();
        if scope.knowledge.somebody.contains(&lower_case(name)) {
            continue;
        }
        outcome.applies = true;
        let now = after.iter().find(|other| other["id"] == account["id"]);
        let same = now.is_some_and(|now| without_meta(now) == without_meta(account));
        if !same {
            let id = account["id"].as_str().unwrap_or_default();
            let touching = scope.range.clone().filter(|index| {
                let exchange = &scope.knowledge.trace.exchanges[*index];
                exchange.is_write() && exchange.user_id().as_deref() == Some(id)
            });
            outcome.findings.push(Finding {
                because: format!("the account {name}, of nobody at the source, was changed"),
                expected: without_meta(account),
                actual: now.map(without_meta).unwrap_or_default(),
                exchanges: touching.collect(),
            });
        }
    }
    outcome
}

fn without_meta(account: &Value) -> Value {
    let mut account = account.clone();
    if let Some(members) = account.as_object_mut() {
        members.remove("meta");
    }
    account
}

pub(super) fn keeps(scope: &Scope<'_>, of: &Matcher) -> Outcome {
    let mut outcome = Outcome::default();
    let exchanges = &scope.knowledge.trace.exchanges;
    for index in scope.fitting(of) {
        let put = &exchanges[index];
        let (Some(id), Some(body)) = (put.user_id(), &put.body) else { continue };
        let Some((before, resource)) = scope.knowledge.last_read(&id, index) else { continue };
        outcome.applies = true;
        outcome.seen.extend([before, index]);
        let lost = resource.as_object().into_iter().flatten().find(|(name, value)| {
            let own = NOT_THE_CLIENTS.iter().any(|known| known.eq_ignore_ascii_case(name));
            !own && !value.is_null() && get(body, name).is_none()
        });
        if let Some((name, value)) = lost {
            outcome.findings.push(Finding {
                because: format!("{} lacks {name}, which the account has", put.in_short()),
                expected: json!({ name: value }),
                actual: body.clone(),
                exchanges: vec![before, index],
            });
        }
    }
    outcome
}
