//! Judges the order and the number of requests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finding, Outcome, Scope};
use crate::client::matcher::Matcher;

/// The property that two exchanges share.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Same {
    /// No property is required.
    #[default]
    Any,
    /// They are about the same user.
    User,
    /// They are the same request: method, URL and body.
    Request,
    /// They are the same request in the same step.
    RequestInStep,
    /// They are about the same user in the same step.
    UserInStep,
    /// They are in the same step.
    Step,
}

impl Same {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::Any => "",
            Self::User => ", for the same user",
            Self::Request => ", for the same request",
            Self::RequestInStep => ", for the same request in one step",
            Self::UserInStep => ", for the same user in one step",
            Self::Step => ", in the same step",
        }
    }

    /// Returns the value of the property that exchanges share.
    fn key(self, scope: &Scope<'_>, index: usize) -> String {
        let exchange = &scope.knowledge.trace.exchanges[index];
        let step = || scope.step_of(index).unwrap_or_default();
        let user = || scope.knowledge.about[index].clone().unwrap_or_else(|| exchange.target.clone());
        let request = || {
            let body = exchange.body.as_ref().map(Value::to_string).unwrap_or_default();
            format!("{} {} {body}", exchange.method, exchange.target)
        };
        match self {
            Self::Any => String::new(),
            Self::User => user(),
            Self::Request => request(),
            Self::RequestInStep => format!("{} {}", step(), request()),
            Self::UserInStep => format!("{} {}", step(), user()),
            Self::Step => step().to_owned(),
        }
    }

    /// Whether two exchanges have it in common. Who reads the list of everybody reads it for each user.
    fn holds(self, scope: &Scope<'_>, one: usize, other: usize) -> bool {
        let everybody =
            || [one, other].iter().any(|index| scope.knowledge.trace.exchanges[*index].reads_everybody());
        match self {
            Self::User if everybody() => true,
            Self::UserInStep if everybody() => scope.step_of(one) == scope.step_of(other),
            _ => self.key(scope, one) == self.key(scope, other),
        }
    }
}

fn short(scope: &Scope<'_>, index: usize) -> String {
    scope.knowledge.trace.exchanges[index].in_short()
}

pub(super) fn never(scope: &Scope<'_>, matcher: &Matcher) -> Outcome {
    let findings = scope
        .fitting(matcher)
        .map(|index| Finding {
            because: format!("there is {}", short(scope, index)),
            expected: json!(format!("never {}", scope.in_words(matcher))),
            actual: json!(short(scope, index)),
            exchanges: vec![index],
        })
        .collect();
    Outcome { applies: true, findings, seen: Vec::new() }
}

pub(super) fn count(
    scope: &Scope<'_>,
    of: &Matcher,
    at_least: usize,
    at_most: Option<usize>,
    same: Same,
) -> Outcome {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for index in scope.fitting(of) {
        groups.entry(same.key(scope, index)).or_default().push(index);
    }
    let mut outcome = Outcome { applies: true, ..Outcome::default() };
    if groups.is_empty() {
        outcome.applies = at_least > 0;
        groups.insert(String::new(), Vec::new());
    }
    for group in groups.into_values() {
        let few = group.len() < at_least;
        if few || at_most.is_some_and(|most| group.len() > most) {
            let wanted = if few {
                format!("at least {at_least}")
            } else {
                format!("at most {}", at_most.unwrap_or_default())
            };
            let told: Vec<_> = group.iter().take(5).map(|index| short(scope, *index)).collect();
            outcome.findings.push(Finding {
                because: format!("there are {} of {}, not {wanted}", group.len(), scope.in_words(of)),
                expected: json!(wanted),
                actual: json!(told),
                exchanges: group,
            });
        } else {
            outcome.seen.extend(group);
        }
    }
    outcome
}

pub(super) fn before(scope: &Scope<'_>, each: &Matcher, needs: &Matcher, same: Same) -> Outcome {
    let fits = |index, other| other < index && same.holds(scope, other, index);
    each_has(scope, each, needs, fits, |index| {
        format!("{} came without {} before it", short(scope, index), scope.in_words(needs))
    })
}

pub(super) fn after(
    scope: &Scope<'_>,
    each: &Matcher,
    needs: &Matcher,
    same: Same,
    within_step: bool,
) -> Outcome {
    let end = |index| if within_step { scope.end_of_step(index) } else { scope.range.end };
    let fits = |index, other| other > index && other < end(index) && same.holds(scope, other, index);
    each_has(scope, each, needs, fits, |index| {
        format!("after {} there is not {}", short(scope, index), scope.in_words(needs))
    })
}

/// Checks that each of some requests has a matching one among the others.
fn each_has(
    scope: &Scope<'_>,
    each: &Matcher,
    needs: &Matcher,
    fits: impl Fn(usize, usize) -> bool,
    because: impl Fn(usize) -> String,
) -> Outcome {
    let mut outcome = Outcome::default();
    let needed: Vec<usize> = scope.fitting(needs).collect();
    for index in scope.fitting(each) {
        outcome.applies = true;
        match needed.iter().find(|other| fits(index, **other)) {
            Some(other) => outcome.seen.extend([index.min(*other), index.max(*other)]),
            None => outcome.findings.push(Finding {
                because: because(index),
                expected: json!(scope.in_words(needs)),
                actual: Value::Null,
                exchanges: vec![index],
            }),
        }
    }
    outcome
}

pub(super) fn not_after(
    scope: &Scope<'_>,
    each: &Matcher,
    never: &Matcher,
    grace: usize,
    same: Same,
    within_step: bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let unwanted: Vec<usize> = scope.fitting(never).collect();
    let mut told = 0;
    for index in scope.fitting(each) {
        outcome.applies = true;
        outcome.seen.push(index);
        // What follows the first is told once.
        if index < told {
            continue;
        }
        let end = if within_step { scope.end_of_step(index) } else { scope.range.end };
        let follow = unwanted
            .iter()
            .filter(|after| **after > index && **after < end && same.holds(scope, **after, index));
        let follow: Vec<usize> = follow.copied().collect();
        if follow.len() > grace {
            told = end;
            outcome.findings.push(Finding {
                because: format!("after {} there is {}", short(scope, index), short(scope, follow[grace])),
                expected: json!(format!("not {}", scope.in_words(never))),
                actual: json!(follow.iter().take(5).map(|after| short(scope, *after)).collect::<Vec<_>>()),
                exchanges: std::iter::once(index).chain(follow).collect(),
            });
        }
    }
    outcome
}

pub(super) fn between(
    scope: &Scope<'_>,
    first: &Matcher,
    second: &Matcher,
    needs: &Matcher,
    same: Same,
) -> Outcome {
    let mut outcome = Outcome::default();
    let seconds: Vec<usize> = scope.fitting(second).collect();
    let needed: Vec<usize> = scope.fitting(needs).collect();
    for index in scope.fitting(first) {
        outcome.applies = true;
        let Some(next) = seconds.iter().find(|next| **next > index && same.holds(scope, **next, index))
        else {
            outcome.seen.push(index);
            continue;
        };
        let is_between =
            |other: &&usize| **other > index && **other < *next && same.holds(scope, **other, index);
        match needed.iter().find(is_between) {
            Some(other) => outcome.seen.extend([index, *other, *next]),
            None => outcome.findings.push(Finding {
                because: format!(
                    "{} follows {} without {} in between",
                    short(scope, *next),
                    short(scope, index),
                    scope.in_words(needs)
                ),
                expected: json!(scope.in_words(needs)),
                actual: Value::Null,
                exchanges: vec![index, *next],
            }),
        }
    }
    outcome
}
