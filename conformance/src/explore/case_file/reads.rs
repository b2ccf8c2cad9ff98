//! The reads of a transcript that are steps of the case: most reads between the writes were looks only.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::explore::case_file::SaveError;
use crate::explore::case_file::names::{Names, deletions, is_condition, is_done, versions_sent};
use crate::explore::check::{Check, Condition, Earlier, Expectation, Judged, When};
use crate::explore::session::Transcript;
use crate::transcript::Exchange;

/// The name of what a read showed before the last write.
pub(super) const BEFORE: &str = "before";

/// Requests of a transcript that may make a step, by their places.
#[derive(Debug, Clone)]
pub(super) enum Sent {
    One(usize),
    Together(Range<usize>),
}

impl Sent {
    pub(super) fn range(&self) -> Range<usize> {
        match self {
            Self::One(at) => *at..at + 1,
            Self::Together(range) => range.clone(),
        }
    }
}

/// Returns the first exchanges of a transcript as units.
pub(super) fn units(transcript: &Transcript, end: usize) -> Vec<Sent> {
    let mut all = Vec::new();
    let mut at = 0;
    while at < end {
        let several = transcript.together.iter().find(|range| range.start == at && range.len() > 1);
        let unit = several.map_or(Sent::One(at), |range| Sent::Together(range.clone()));
        at = unit.range().end;
        all.push(unit);
    }
    all
}

/// Whether a request only looks at something.
pub(super) fn is_look(exchange: &Exchange) -> bool {
    let path = exchange.request.url.split('?').next().unwrap_or_default();
    exchange.request.method == "GET" || path.ends_with("/.search")
}

/// Whether a request is a GET without a condition.
fn is_plain_read(exchange: &Exchange) -> bool {
    exchange.request.method == "GET" && !exchange.request.headers.iter().any(|(name, _)| is_condition(name))
}

/// Returns the paths whose reads a check compares with, and which of the reads.
fn compared(expectation: &Expectation) -> Vec<(&str, When)> {
    match expectation {
        Expectation::Header(_, _, earlier)
        | Expectation::At(
            _,
            Condition::Same(earlier) | Condition::Other(earlier) | Condition::LaterThan(earlier),
        ) => match earlier {
            Earlier::Read { path, when, .. } => vec![(path, *when)],
            Earlier::Version(path) => vec![(path, When::BeforeWrite)],
            Earlier::Bulk(_) | Earlier::Config { .. } => Vec::new(),
        },
        Expectation::AsBefore(path) => vec![(path, When::BeforeWrite)],
        Expectation::AnyOf(all) => all.iter().flat_map(compared).collect(),
        Expectation::Status(_)
        | Expectation::Every(_)
        | Expectation::OneSuccess(_)
        | Expectation::Shows(_)
        | Expectation::Lists(..)
        | Expectation::TotalAsListed
        | Expectation::Nowhere(_)
        | Expectation::AsAnswered(_)
        | Expectation::At(..) => Vec::new(),
    }
}

/// Which reads are steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The reads whose answers the check compares.
    Needed,
    /// All of them: what a server answers may depend on the requests before.
    All,
}

/// The reads that are steps, by their places. Each step has the name of the resource, or [`BEFORE`].
pub(super) type Reads = BTreeSet<(usize, Option<&'static str>)>;

/// Chooses the reads that become steps. A read becomes one if a request sends the version that it shows, or if the judged
/// answer is compared with it. So does the last read of the judged resource before the last write: a cache may show that state.
pub(super) fn reads(
    check: &Check,
    exchanges: &[Exchange],
    (before, last): (&[Sent], Option<&Sent>),
    which: Which,
    names: &Names<'_>,
) -> Result<Reads, SaveError> {
    let mut reads = Reads::new();
    let end = last.map_or(exchanges.len(), |last| last.range().start);
    let writes = |unit: &&Sent| !exchanges[unit.range()].iter().all(is_look);
    let last_write = before.iter().rfind(writes).map_or(0, |unit| unit.range().start);
    let find = |limit: usize, is_it: &dyn Fn(&str, &str) -> bool| {
        exchanges[..limit].iter().rposition(|exchange| {
            let is_same = names.address(exchange).is_some_and(|(path, query)| is_it(&path, query));
            is_plain_read(exchange) && is_done(exchange) && is_same
        })
    };
    let judged = match (&check.judged, last) {
        (Judged::Last | Judged::At(_), Some(Sent::One(at))) if is_plain_read(&exchanges[*at]) => {
            names.address(&exchanges[*at]).map(|(path, query)| (path, query.to_owned()))
        }
        (Judged::Read(path) | Judged::ReadAndList(path), _) => Some((path.clone(), String::new())),
        _ => None,
    };
    if let Some((path, query)) = judged {
        let is_deletion = |exchange: &Exchange| {
            let of = names.address(exchange).map(|(of, _)| deletions(exchange, &of));
            of.is_some_and(|of| of.contains(&path))
        };
        let deleted = exchanges.iter().position(is_deletion).unwrap_or(usize::MAX);
        let cached = find(last_write.min(deleted), &|known, of| known == path && of == query);
        reads.extend(cached.map(|at| (at, None)));
    }
    if let Judged::Location(path) = &check.judged {
        reads.extend(find(end, &|known, query| known == path && query.is_empty()).map(|at| (at, None)));
    }
    reads.extend(check.premise.iter().map(|(at, _)| (*at, None)));
    let sends = before.iter().filter(writes).chain(last);
    for (at, exchange) in sends.flat_map(Sent::range).map(|at| (at, &exchanges[at])) {
        let Some((path, _)) = names.address(exchange) else { continue };
        for (path, version) in versions_sent(exchange, &path) {
            let shows = |known: &Exchange| names.version_in(known).filter(|(of, _)| *of == path);
            let shown = exchanges[..at].iter().rposition(|known| shows(known).is_some());
            let is_it = |shown: &usize| shows(&exchanges[*shown]).is_some_and(|(_, known)| known == version);
            reads.extend(shown.filter(is_it).map(|shown| (shown, None)));
        }
    }
    for (path, when) in check.expectations.iter().flat_map(compared) {
        let limit = if when == When::BeforeWrite { last_write } else { end };
        let shown = find(limit, &|known, query| known == path && query.is_empty());
        let shown = shown.ok_or(SaveError::Untold("no read before shows what it is compared with"))?;
        reads.insert((shown, Some(BEFORE)));
    }
    if which == Which::All {
        let looks = before.iter().flat_map(Sent::range).filter(|at| is_look(&exchanges[*at]));
        let more: Vec<_> = looks.filter(|at| reads.iter().all(|(known, _)| known != at)).collect();
        reads.extend(more.into_iter().map(|at| (at, None)));
    }
    Ok(reads)
}
