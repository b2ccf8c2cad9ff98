//! Judges whether lists are read to their end (RFC 7644 §3.4.2.4, RFC 9865).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Finding, Outcome, Scope};
use crate::client::recording::RecordedExchange;
use crate::json::get;

/// The property of a walk that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Walk {
    /// The walk does not stop before the last page.
    ToTheEnd,
    /// Each page begins where the one before it ended.
    WithoutGaps,
}

impl Walk {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Self::ToTheEnd => "whoever reads a list page by page reads it to its end",
            Self::WithoutGaps => "each page that is asked for begins where the one before it ended",
        }
    }
}

/// A page that was read.
struct Page {
    index: usize,
    start: u64,
    count: u64,
    total: Option<u64>,
    asked_cursor: Option<String>,
    next_cursor: Option<String>,
    /// Whether the request names the start of its page, as in a walk from page to page.
    is_of_a_walk: bool,
}

pub(super) fn pages(scope: &Scope<'_>, walk: Walk) -> Outcome {
    let mut lists: BTreeMap<String, Vec<Page>> = BTreeMap::new();
    for index in scope.range.clone() {
        let exchange = &scope.knowledge.trace.exchanges[index];
        if let Some((list, page)) = page(exchange, index) {
            // A list that is read again is another walk, in another step or from the beginning on.
            let step = scope.knowledge.trace.plays.iter().position(|play| play.range().contains(&index));
            lists.entry(format!("{step:?} {list}")).or_default().push(page);
        }
    }
    let mut outcome = Outcome::default();
    for pages in lists.values() {
        for (at, page) in pages.iter().enumerate() {
            let more = match (&page.next_cursor, page.total) {
                (Some(_), _) => true,
                (None, Some(total)) => page.count > 0 && page.start - 1 + page.count < total,
                (None, None) => false,
            };
            if !more {
                continue;
            }
            let next = pages.get(at + 1);
            // RFC 7644 §3.4.2.4 obliges nobody to read on who wants only the beginning.
            if walk == Walk::ToTheEnd && !page.is_of_a_walk {
                continue;
            }
            outcome.applies = true;
            outcome.seen.push(page.index);
            outcome.findings.extend(match walk {
                Walk::ToTheEnd => stopped(scope, page, next),
                Walk::WithoutGaps => gap(scope, page, next),
            });
        }
    }
    outcome
}

/// Returns the list and the page of a request, or `None` if it is no part of a walk.
fn page(exchange: &RecordedExchange, index: usize) -> Option<(String, Page)> {
    let reads = exchange.method == "GET" && exchange.segments().len() == 1 || exchange.is_search();
    let answer = exchange.answer.as_ref().filter(|_| reads && exchange.succeeded())?;
    let resources = get(answer, "Resources").and_then(Value::as_array);
    let total = get(answer, "totalResults").and_then(Value::as_u64);
    let asked = |name: &str| exchange.parameter(name);
    // Whoever asks for one or none looks whether there is something, and whoever looks somebody up wants no list.
    let looks_up = asked("filter").is_some_and(|filter| filter.to_ascii_lowercase().contains(" eq "));
    if exchange.asks_for_one_at_most() || looks_up || (resources.is_none() && total.is_none()) {
        return None;
    }
    let start = get(answer, "startIndex").and_then(Value::as_u64);
    let start = start.or_else(|| asked("startIndex")?.parse().ok()).unwrap_or(1).max(1);
    let list = format!("{} {}", exchange.path(), asked("filter").unwrap_or_default());
    let next_cursor = get(answer, "nextCursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
    let asked_cursor = asked("cursor");
    // Without being asked to page by cursor, the index counts.
    let next_cursor = next_cursor.filter(|_| asked_cursor.is_some()).map(str::to_owned);
    let count = resources.map_or(0, Vec::len) as u64;
    let total = total.filter(|_| asked_cursor.is_none());
    let is_of_a_walk = asked_cursor.is_some() || asked("startIndex").is_some();
    Some((list, Page { index, start, count, total, asked_cursor, next_cursor, is_of_a_walk }))
}

fn stopped(scope: &Scope<'_>, page: &Page, next: Option<&Page>) -> Option<Finding> {
    let goes_on = next.is_some_and(|next| match &page.next_cursor {
        Some(_) => next.asked_cursor.as_ref().is_some_and(|cursor| !cursor.is_empty()),
        None => next.start > page.start,
    });
    if goes_on {
        return None;
    }
    let read = page.start - 1 + page.count;
    let of = page.total.map_or_else(|| "more".to_owned(), |total| total.to_string());
    let exchange = &scope.knowledge.trace.exchanges[page.index];
    Some(Finding {
        because: format!("the list was read up to {read} of {of}, and no further ({})", exchange.in_short()),
        expected: json!("the next page"),
        actual: json!(next.map(|next| scope.knowledge.trace.exchanges[next.index].in_short())),
        exchanges: std::iter::once(page.index).chain(next.map(|next| next.index)).collect(),
    })
}

fn gap(scope: &Scope<'_>, page: &Page, next: Option<&Page>) -> Option<Finding> {
    let next = next.filter(|next| next.asked_cursor.is_some() || next.start > page.start)?;
    let (expected, actual) = match &page.next_cursor {
        Some(cursor) => (json!(cursor), json!(next.asked_cursor)),
        None => (json!(page.start + page.count), json!(next.start)),
    };
    if expected == actual {
        return None;
    }
    let exchange = &scope.knowledge.trace.exchanges[next.index];
    Some(Finding {
        because: format!(
            "after {} from {} on, {} does not begin where that ended",
            page.count,
            page.start,
            exchange.in_short()
        ),
        expected,
        actual,
        exchanges: vec![page.index, next.index],
    })
}
