//! The entries of a report, in one order for all formats.

use std::collections::HashSet;

use super::root_causes::{self, Cause};
use super::{CaseResult, Report, labels};

/// An entry of a report.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry<'a> {
    /// A cause of several cases.
    Cause(Cause<'a>),
    /// A case that needs attention, and has no cause in common with others.
    Case(&'a CaseResult),
}

impl<'a> Entry<'a> {
    /// Returns the cases of the entry, the most urgent first.
    pub fn cases(&self) -> &[&'a CaseResult] {
        match self {
            Self::Cause(cause) => &cause.cases,
            Self::Case(case) => std::slice::from_ref(case),
        }
    }

    /// Whether it is about something optional, or a habit of one client.
    pub fn is_apart(&self) -> bool {
        self.cases().first().is_some_and(|case| labels::is_apart(case))
    }
}

/// Returns the entries of a report: MUST before SHOULD before what stands apart. Of the same urgency, causes come first,
/// since they are behind several cases; then what clients need first.
pub fn in_order(report: &Report) -> Vec<Entry<'_>> {
    let causes = root_causes::of(report);
    let explained: HashSet<&str> =
        causes.iter().flat_map(|cause| &cause.cases).map(|case| case.id.as_str()).collect();
    let cases = labels::by_importance(&report.cases);
    let own = cases.into_iter().filter(|case| !explained.contains(case.id.as_str())).map(Entry::Case);
    let mut entries: Vec<_> = causes.into_iter().map(Entry::Cause).chain(own).collect();
    entries.sort_by_key(|entry| {
        let urgency = entry.cases().first().map(|case| labels::urgency(case));
        (urgency, matches!(entry, Entry::Case(_)))
    });
    entries
}
