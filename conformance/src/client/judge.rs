//! Judges cases by the trace of a run, without I/O.

mod accounts;
mod pages;
mod sequence;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub use accounts::State;
pub use sequence::Same;

use crate::casing::lower_case;
use crate::client::case::Case;
use crate::client::matcher::Matcher;
use crate::client::predicate::{Broken, Predicate};
use crate::client::trace::{Knowledge, NotPlayed, Play, Trace};
use crate::json_text::JsonText;
use crate::report::{CaseResult, Verdict};
use crate::requirement::Level;

/// A report shows at most this number of exchanges of a case.
const SHOWN: usize = 12;

/// A condition on the traffic. The vocabulary is closed: a new condition is a new variant.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Judgement {
    /// Each matching request fulfils these predicates.
    #[serde(rename_all = "kebab-case")]
    Each {
        /// The requests.
        of: Matcher,
        /// The predicates that each must fulfil.
        has: Vec<Predicate>,
    },
    /// No request is like this.
    Never(Matcher),
    /// The number of matching requests is within bounds.
    #[serde(rename_all = "kebab-case")]
    Count {
        /// The requests.
        of: Matcher,
        /// No fewer.
        #[serde(default)]
        at_least: usize,
        /// No more.
        at_most: Option<usize>,
        /// Counted each for itself.
        #[serde(default)]
        same: Same,
    },
    /// Before each matching request there is one of another kind.
    #[serde(rename_all = "kebab-case")]
    Before {
        /// The requests that need another one before them.
        each: Matcher,
        /// Needs one of these before it.
        needs: Matcher,
        /// The property that both share.
        #[serde(default)]
        same: Same,
    },
    /// After each matching exchange there is, or is not, one of another kind, in the same scenario.
    #[serde(rename_all = "kebab-case")]
    After {
        /// The exchanges that are followed, or not followed, by another one.
        each: Matcher,
        /// Needs one of these after it.
        needs: Option<Matcher>,
        /// The requests that must not follow, except for `grace` of them.
        never: Option<Matcher>,
        /// Requests that were on their way already.
        #[serde(default)]
        grace: usize,
        /// The property that both share.
        #[serde(default)]
        same: Same,
        /// The condition ends with the step.
        #[serde(default)]
        within_step: bool,
    },
    /// There is a third request between a request and the next one of a kind.
    #[serde(rename_all = "kebab-case")]
    Between {
        /// The first request of each pair.
        first: Matcher,
        /// The next of these.
        second: Matcher,
        /// Needs one of these in between.
        needs: Matcher,
        /// The property that all three share.
        #[serde(default)]
        same: Same,
    },
    /// A request that was answered with Retry-After is not repeated before that time.
    #[serde(rename_all = "kebab-case")]
    Waits {
        /// The answers.
        after: Matcher,
        /// No other request is sent either; requests in flight may still arrive.
        #[serde(default)]
        altogether: bool,
    },
    /// A client that reads a list page by page reads it to its end, without gaps.
    Pages(pages::Walk),
    /// A PUT has the attributes that the client last read of the user.
    #[serde(rename_all = "kebab-case")]
    Keeps {
        /// The PUTs.
        of: Matcher,
    },
    /// The accounts of people are in this state at the end of a step.
    #[serde(rename_all = "kebab-case")]
    Accounts {
        /// The names of the people in the scenario.
        of: Vec<String>,
        /// The state of their accounts.
        are: State,
        /// The slug of the step; the last one by default.
        step: Option<String>,
        /// The values of the account at these JSON pointers, as JSON text.
        #[serde(default)]
        with: BTreeMap<String, JsonText>,
    },
    /// Accounts that are nobody's at the source are as they were before the scenario.
    StrangersUntouched,
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    pub(crate) because: String,
    pub(crate) expected: Value,
    pub(crate) actual: Value,
    /// The indices of the exchanges that show it.
    pub(crate) exchanges: Vec<usize>,
}

impl Finding {
    fn of(Broken { because, expected, actual }: Broken, exchanges: Vec<usize>) -> Self {
        Self { because, expected, actual, exchanges }
    }
}

/// The result of a judgement in one scope.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The traffic contains the subject of the judgement.
    pub(crate) applies: bool,
    pub(crate) findings: Vec<Finding>,
    /// The indices of the exchanges that were judged.
    pub(crate) seen: Vec<usize>,
}

/// The part of the trace that a judgement is about.
pub(crate) struct Scope<'a> {
    pub(crate) knowledge: &'a Knowledge<'a>,
    /// The scenario; none: all traffic.
    pub(crate) play: Option<&'a Play>,
    pub(crate) range: Range<usize>,
}

impl<'a> Scope<'a> {
    /// Returns the indices of the matching exchanges, in order.
    pub(crate) fn fitting(&self, matcher: &'a Matcher) -> impl Iterator<Item = usize> + 'a + use<'a> {
        let (knowledge, play) = (self.knowledge, self.play);
        let people: BTreeSet<String> = match play {
            Some(play) => matcher
                .person
                .iter()
                .flat_map(|person| Knowledge::user_names(play, person))
                .map(lower_case)
                .collect(),
            None => BTreeSet::new(),
        };
        self.range.clone().filter(move |index| {
            let place = play.is_none_or(|play| {
                let in_step = matcher.step.is_empty()
                    || play
                        .acts
                        .iter()
                        .any(|act| act.range.contains(index) && matcher.step.contains(&act.step));
                let about = matcher.person.is_empty()
                    || knowledge.about[*index].as_ref().is_some_and(|name| people.contains(name));
                in_step && about
            });
            place && matcher.fits(&knowledge.trace.exchanges[*index])
        })
    }

    /// Returns a matcher in words, with the user names of the people that it is about.
    pub(crate) fn in_words(&self, matcher: &Matcher) -> String {
        let mut names: Vec<String> = Vec::new();
        for person in &matcher.person {
            for name in self.play.into_iter().flat_map(|play| Knowledge::user_names(play, person)) {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
        }
        if names.is_empty() && !matcher.person.is_empty() {
            names.push("the user".to_owned());
        }
        let mut told = matcher.clone();
        told.person = names;
        told.in_words()
    }

    /// Returns the end of the step that contains an exchange.
    pub(crate) fn end_of_step(&self, index: usize) -> usize {
        let act = self.play.and_then(|play| play.acts.iter().find(|act| act.range.contains(&index)));
        act.map_or(self.range.end, |act| act.range.end)
    }

    fn step_of(&self, index: usize) -> Option<&'a str> {
        let act = self.play.and_then(|play| play.acts.iter().find(|act| act.range.contains(&index)));
        act.map(|act| act.step.as_str())
    }
}

fn judge(judgement: &Judgement, scope: &Scope<'_>) -> Outcome {
    match judgement {
        Judgement::Each { of, has } => each(scope, of, has),
        Judgement::Never(matcher) => sequence::never(scope, matcher),
        Judgement::Count { of, at_least, at_most, same } => {
            sequence::count(scope, of, *at_least, *at_most, *same)
        }
        Judgement::Before { each, needs, same } => sequence::before(scope, each, needs, *same),
        Judgement::After { each, needs, never, grace, same, within_step } => {
            let mut outcome = Outcome::default();
            if let Some(needs) = needs {
                outcome = sequence::after(scope, each, needs, *same, *within_step);
            }
            if let Some(never) = never {
                let other = sequence::not_after(scope, each, never, *grace, *same, *within_step);
                outcome.applies |= other.applies;
                outcome.findings.extend(other.findings);
                outcome.seen.extend(other.seen);
            }
            outcome
        }
        Judgement::Between { first, second, needs, same } => {
            sequence::between(scope, first, second, needs, *same)
        }
        Judgement::Waits { after, altogether } => waits::waits(scope, after, *altogether),
        Judgement::Pages(walk) => pages::pages(scope, *walk),
        Judgement::Keeps { of } => accounts::keeps(scope, of),
        Judgement::Accounts { of, are, step, with } => {
            accounts::accounts(scope, of, *are, step.as_deref(), with)
        }
        Judgement::StrangersUntouched => accounts::strangers(scope),
    }
}

fn each(scope: &Scope<'_>, of: &Matcher, has: &[Predicate]) -> Outcome {
    let mut outcome = Outcome::default();
    for index in scope.fitting(of) {
        let exchange = &scope.knowledge.trace.exchanges[index];
        let has: Vec<_> = has.iter().filter(|predicate| predicate.applies(exchange)).collect();
        if has.is_empty() {
            continue;
        }
        outcome.applies = true;
        outcome.seen.push(index);
        for predicate in has {
            if let Err(broken) = predicate.check(scope.knowledge, index) {
                outcome.findings.push(Finding::of(broken, vec![index]));
            }
        }
    }
    outcome
}

/// Returns the judgement in words, for `explain`.
pub fn in_words(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Each { of, has } => {
            let has: Vec<_> = has.iter().map(Predicate::in_words).collect();
            format!("each: {}: {}", of.in_words(), has.join("; "))
        }
        Judgement::Never(matcher) => format!("there is never {}", matcher.in_words()),
        Judgement::Count { of, at_least, at_most, same } => {
            let most = at_most.map_or_else(|| "any number".to_owned(), |most| most.to_string());
            format!("there are from {at_least} to {most} of {}{}", of.in_words(), same.in_words())
        }
        Judgement::Before { each, needs, same } => {
            format!("before {} there is {}{}", each.in_words(), needs.in_words(), same.in_words())
        }
        Judgement::After { each, needs, never, same, grace, within_step } => {
            let needs = needs.iter().map(|needs| format!("there is {}", needs.in_words()));
            let grace = if *grace > 0 { format!(" more than {grace} times") } else { String::new() };
            let never = never.iter().map(|never| format!("there is not {}{grace}", never.in_words()));
            let all: Vec<_> = needs.chain(never).collect();
            let place = if *within_step { ", before the step ends" } else { "" };
            format!("after {} {}{}{place}", each.in_words(), all.join(" and "), same.in_words())
        }
        Judgement::Between { first, second, needs, same } => format!(
            "between {} and {} there is {}{}",
            first.in_words(),
            second.in_words(),
            needs.in_words(),
            same.in_words()
        ),
        Judgement::Waits { after, altogether } => {
            let what = if *altogether { "nothing is sent" } else { "it is not sent again" };
            format!("after {} {what} before Retry-After is over", after.in_words())
        }
        Judgement::Pages(walk) => walk.in_words().to_owned(),
        Judgement::Keeps { of } => format!("{} carries what was last read of the user", of.in_words()),
        Judgement::Accounts { of, are, .. } => {
            format!("the account of {} is {}", of.join(" and of "), are.in_words())
        }
        Judgement::StrangersUntouched => "accounts of nobody at the source are as they were".to_owned(),
    }
}

/// Judges all cases, in their order.
pub fn all(cases: &[Case], trace: &Trace) -> Vec<CaseResult> {
    let knowledge = Knowledge::of(trace);
    cases.iter().map(|case| one(case, &knowledge)).collect()
}

/// Judges one case.
fn one(case: &Case, knowledge: &Knowledge<'_>) -> CaseResult {
    let trace = knowledge.trace;
    let recorded = trace.plays.is_empty() && trace.not_played.is_empty();
    if recorded && case.needs_a_run() {
        let what = if case.scenarios.is_empty() {
            "a run from its beginning".to_owned()
        } else {
            format!("the scenario {}", case.scenarios.join(" or "))
        };
        let because = format!("it needs {what}, which a recorded journal does not tell");
        return result(case, Verdict::Skipped, Some(because));
    }
    let whole = [Scope { knowledge, play: None, range: 0..trace.exchanges.len() }];
    let plays: Vec<Scope<'_>> = if case.scenarios.is_empty() {
        whole.into()
    } else {
        let meant = trace.plays.iter().filter(|play| case.scenarios.contains(&play.scenario));
        meant.map(|play| Scope { knowledge, play: Some(play), range: play.range() }).collect()
    };
    if plays.iter().all(|scope| scope.range.is_empty()) {
        let played = if case.scenarios.is_empty() { !trace.plays.is_empty() } else { !plays.is_empty() };
        return nothing(case, trace, played);
    }
    let mut applies = false;
    let mut seen = Vec::new();
    let mut findings = Vec::new();
    for scope in &plays {
        if case.when.as_ref().is_some_and(|when| scope.fitting(when).next().is_none()) {
            continue;
        }
        for judgement in &case.judge {
            let outcome = judge(judgement, scope);
            applies |= outcome.applies;
            seen.extend(outcome.seen);
            findings.extend(outcome.findings.into_iter().map(|finding| (scope, finding)));
        }
    }
    let Some((scope, first)) = findings.first() else {
        let verdict = if applies { Verdict::Pass } else { Verdict::NotAdvertised };
        let because = (!applies).then(|| "the client did nothing that this is about".to_owned());
        let mut result = result(case, verdict, because);
        seen.dedup();
        show(&mut result, &plays, seen.into_iter().take(2));
        return result;
    };
    let verdict = if case.level == Level::Must { Verdict::Fail } else { Verdict::Warn };
    let place = match (scope.play, first.exchanges.first().and_then(|index| scope.step_of(*index))) {
        (Some(play), Some(step)) => format!("in the scenario {}, step {step}: ", play.scenario),
        (Some(play), None) => format!("in the scenario {}: ", play.scenario),
        (None, _) => String::new(),
    };
    let more = match findings.len() {
        1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    };
    let mut result = result(case, verdict, Some(format!("{place}{}{more}", first.because)));
    result.expected = first.expected.clone();
    result.actual = first.actual.clone();
    let shown: BTreeSet<usize> =
        findings.iter().flat_map(|(_, finding)| finding.exchanges.iter().copied()).collect();
    show(&mut result, &plays, shown.into_iter());
    result
}

/// Returns the result of a case without any traffic to judge.
fn nothing(case: &Case, trace: &Trace, played: bool) -> CaseResult {
    if played {
        let because =
            "nothing arrived: is the provisioner pointed at the URL that was printed, and did it run?";
        return result(case, Verdict::Error, Some(because.to_owned()));
    }
    let meant = |slug: &&String| case.scenarios.is_empty() || case.scenarios.contains(slug);
    let reasons: Vec<_> = trace.not_played.iter().filter(|(slug, _)| meant(slug)).collect();
    let broke = reasons.iter().find_map(|(_, reason)| match reason {
        NotPlayed::Broke(reason) => Some(reason.clone()),
        NotPlayed::Skipped(_) => None,
    });
    if broke.is_some() {
        return result(case, Verdict::Error, broke);
    }
    let because = match reasons.first() {
        Some((slug, NotPlayed::Skipped(reason) | NotPlayed::Broke(reason))) => {
            format!("the scenario {slug} was not played: {reason}")
        }
        None => "its scenario was not played".to_owned(),
    };
    result(case, Verdict::Skipped, Some(because))
}

fn show(result: &mut CaseResult, scopes: &[Scope<'_>], indices: impl Iterator<Item = usize>) {
    for index in indices.take(SHOWN) {
        let scope = scopes.iter().find(|scope| scope.range.contains(&index));
        let Some(scope) = scope else { continue };
        let step = match (scope.play, scope.step_of(index)) {
            (Some(play), Some(step)) => format!("{} / {step}", play.scenario),
            _ => String::new(),
        };
        result.exchanges.push(scope.knowledge.trace.exchanges[index].exchange(&step));
    }
}

fn result(case: &Case, verdict: Verdict, because: Option<String>) -> CaseResult {
    CaseResult {
        verdict,
        because,
        mend: verdict.fails_or_warns().then(|| case.hint.clone()),
        tags: case.tags.clone(),
        ..CaseResult::new(case.id(), case.title.clone(), case.level, case.requirement.clone(), case.spec())
    }
}
