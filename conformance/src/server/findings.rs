//! Causes that several cases share: each is detected once and reported by the cases about it, while the others are
//! skipped with a reference to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::report::root_causes::{other_error, skipped_for};
use crate::report::{CaseResult, Verdict};
use crate::requirement::Shared;

/// The case that tells which operators of filters do not work.
pub(crate) const OPERATORS: &str = "rfc7644/3.4.2.2/all-operators-are-taken";

/// The least number of operators, or cases, of a common cause: fewer may fail for separate reasons.
const LEAST: usize = 3;

/// The findings about a server during a run.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The usual status of a kind of request; none where that cannot be told.
    statuses: Mutex<BTreeMap<String, Option<u16>>>,
    /// The missing sub-attributes of an attribute; none if unknown.
    attributes: Mutex<BTreeMap<String, Option<BTreeSet<String>>>>,
    /// The defect of all filters of an endpoint; none if unknown.
    endpoints: Mutex<BTreeMap<String, Option<BrokenFilters>>>,
    /// Cases that use an attribute, or a filter, for something else.
    means: Mutex<BTreeSet<String>>,
    /// Operators of the filter at which a case failed.
    filters: Mutex<BTreeMap<String, BTreeSet<String>>>,
    /// Operators that do not work.
    operators: Mutex<BTreeSet<String>>,
    /// Cases that were skipped because a filter is refused.
    refused_filters: Mutex<BTreeSet<String>>,
    /// A creation was answered as done.
    created: AtomicBool,
    /// A creation was answered 403.
    forbidden: AtomicBool,
}

/// A finding; none if it is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told<T>(pub(crate) Option<T>);

/// A defect of all filters of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrokenFilters {
    /// They select nothing: the whole list comes back.
    Ignored,
    /// They do not find resources that exist.
    FindNothing,
    /// Filters by name do not find resources that exist.
    FindNoName,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Findings {
    pub(crate) fn status(&self, key: &str) -> Option<Told<u16>> {
        lock(&self.statuses).get(key).copied().map(Told)
    }

    pub(crate) fn note_status(&self, key: String, status: Option<u16>) {
        lock(&self.statuses).insert(key, status);
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<Told<BTreeSet<String>>> {
        lock(&self.attributes).get(key).cloned().map(Told)
    }

    pub(crate) fn note_attribute(&self, key: String, missing: Option<BTreeSet<String>>) {
        lock(&self.attributes).insert(key, missing);
    }

    /// Returns the defect of all filters of an endpoint.
    pub(crate) fn filters_of(&self, endpoint: &str) -> Option<Told<BrokenFilters>> {
        lock(&self.endpoints).get(endpoint).copied().map(Told)
    }

    pub(crate) fn note_filters_of(&self, endpoint: String, broken: Option<BrokenFilters>) {
        lock(&self.endpoints).insert(endpoint, broken);
    }

    /// Notes that the cause of a case's failure is outside its subject.
    pub(crate) fn note_means(&self, case: &str) {
        lock(&self.means).insert(case.to_owned());
    }

    /// Notes the operators of the filter at which a case failed.
    pub(crate) fn note_filter(&self, case: &str, operators: BTreeSet<String>) {
        lock(&self.filters).insert(case.to_owned(), operators);
    }

    /// Notes the operators that do not work.
    pub(crate) fn note_operators(&self, operators: BTreeSet<String>) {
        lock(&self.operators).extend(operators);
    }

    /// Notes that a case was skipped because a filter is refused.
    pub(crate) fn note_refused_filter(&self, case: &str) {
        lock(&self.refused_filters).insert(case.to_owned());
    }

    /// Notes how a creation was answered.
    pub(crate) fn note_creation(&self, status: u16) {
        match status {
            200..300 => self.created.store(true, Ordering::Relaxed),
            403 => self.forbidden.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Skips the cases that could not be tried because of what others tell, and names these.
    pub(crate) fn settle(&self, results: &mut [CaseResult]) {
        self.settle_rights(results);
        self.settle_means(results, &[Shared::FilterIgnored, Shared::LookUp], 2);
        self.settle_operators(results);
        self.settle_means(results, &[Shared::Stored], LEAST);
        self.name_operators(results);
    }

    /// Credentials that may only read get 403 whatever is wrong with a request: that hides the error that is due.
    fn settle_rights(&self, results: &mut [CaseResult]) {
        if self.created.load(Ordering::Relaxed) || !self.forbidden.load(Ordering::Relaxed) {
            return;
        }
        for case in
            results.iter_mut().filter(|case| case.verdict.fails_or_warns() && other_error(case) == Some(403))
        {
            let why = "it could not be tried: the credentials may not write, every creation is answered 403";
            skip(case, why.to_owned());
        }
    }

    fn settle_operators(&self, results: &mut [CaseResult]) {
        let broken = lock(&self.operators);
        if broken.len() < LEAST
            || !results.iter().any(|case| case.id == OPERATORS && case.verdict.fails_or_warns())
        {
            return;
        }
        let filters = lock(&self.filters);
        for case in results.iter_mut().filter(|case| case.id != OPERATORS && case.verdict.fails_or_warns()) {
            let used = filters.get(&case.id).into_iter().flatten();
            let words: Vec<_> = used.filter(|word| broken.contains(*word)).collect();
            if let Some(word) = words.first() {
                let why = format!(
                    "it could not be tried: the operator `{word}` does not work in filters; {OPERATORS} says which do"
                );
                skip(case, why);
            }
        }
    }

    /// Names the case that tells which operators are refused, in the cases that were skipped for that.
    fn name_operators(&self, results: &mut [CaseResult]) {
        if !results.iter().any(|case| case.id == OPERATORS && case.verdict.fails_or_warns()) {
            return;
        }
        let refused = lock(&self.refused_filters);
        for case in results.iter_mut().filter(|case| refused.contains(&case.id)) {
            if let Some(because) = &mut case.because {
                append!(*because, "; {OPERATORS} says which operators it refuses");
            }
        }
    }

    /// Skips the cases that only needed something that `causes` show to be broken, if at least `least` cases have it as their cause.
    fn settle_means(&self, results: &mut [CaseResult], causes: &[Shared], least: usize) {
        let mut groups: BTreeMap<(Shared, Option<String>), Vec<usize>> = BTreeMap::new();
        for (at, case) in results.iter().enumerate().filter(|(_, case)| case.verdict.fails_or_warns()) {
            if let Some(cause) = case.cause.filter(|cause| causes.contains(cause)) {
                groups.entry((cause, case.concerns.clone())).or_default().push(at);
            }
        }
        let (means, filters) = (lock(&self.means), lock(&self.filters));
        for ((cause, attribute), cases) in groups.into_iter().filter(|(_, cases)| cases.len() >= least) {
            let (means, about): (Vec<usize>, Vec<usize>) =
                cases.iter().partition(|at| means.contains(&results[**at].id));
            // Where no case is about it, the one that is nearest to it tells it. Other documents build on the RFCs.
            let nearest = |cases: &[usize]| {
                cases.iter().copied().min_by_key(|at| {
                    let case = &results[*at];
                    let is_of_an_rfc = case.id.starts_with("rfc");
                    (
                        cause == Shared::Stored && filters.contains_key(&case.id),
                        case.level,
                        !is_of_an_rfc,
                        *at,
                    )
                })
            };
            let Some(first) = nearest(&about).or_else(|| nearest(&means)) else { continue };
            let why = format!("{}{} says", skipped_for(cause, attribute.as_deref()), results[first].id);
            for at in means.into_iter().filter(|at| *at != first) {
                skip(&mut results[at], why.clone());
            }
        }
    }
}

fn skip(case: &mut CaseResult, why: String) {
    case.verdict = Verdict::Skipped;
    case.because = Some(why);
    case.mend = None;
    case.example = None;
    case.cause = None;
    case.concerns = None;
    case.expected = Value::Null;
    case.actual = Value::Null;
}
