//! Cells as cases of the report that all suites share.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::matrix::cell::Cell;
use crate::matrix::run::{Difference, Played, Verdict};
use crate::report;
use crate::report::labels::ABOUT;
use crate::report::{CaseResult, Report};
use crate::requirement::{Level, Spec};
use crate::transcript::{Exchange, REDACTED, Received, Sent};

/// The document that the model is written from.
const DOCUMENT: &str = "PingOne, Creating an Aquera connection";
const SECTION: &str = "Configure Preferences";

/// Returns a cell as a case.
pub fn case(cell: &Cell, played: &Played) -> CaseResult {
    let (verdict, because) = match &played.verdict {
        Verdict::Pass => (report::Verdict::Pass, None),
        Verdict::Error(message) => (report::Verdict::Error, Some(message.clone())),
        Verdict::Fail(differences) => {
            (report::Verdict::Fail, differences.first().map(|first| because(first, differences.len())))
        }
    };
    let side = |side: fn(&Difference) -> &String| match &played.verdict {
        Verdict::Pass | Verdict::Error(_) => Value::Null,
        Verdict::Fail(differences) => {
            let sides = differences.iter().map(|it| (place(it), side(it).clone().into()));
            Value::Object(sides.collect::<Map<_, _>>())
        }
    };
    let spec = Spec { document: DOCUMENT.to_owned(), section: SECTION.to_owned(), also: Vec::new() };
    CaseResult {
        verdict,
        because,
        expected: side(|difference| &difference.expected),
        actual: side(|difference| &difference.actual),
        tags: vec![format!("{ABOUT}{}", cell.title())],
        exchanges: played.exchanges.iter().filter_map(exchange).collect(),
        ..CaseResult::new(cell.id(), cell.title(), Level::Must, cell.title(), spec)
    }
}

fn place(difference: &Difference) -> String {
    format!("run {}, {}", difference.run, difference.what)
}

fn because(first: &Difference, count: usize) -> String {
    let more = match count {
        0 | 1 => String::new(),
        2 => ", and one more difference".to_owned(),
        _ => format!(", and {} more differences", count - 1),
    };
    format!("{}: expected {}, got {}{more}", place(first), first.expected, first.actual)
}

/// Converts an exchange of the mock's journal.
fn exchange(journalled: &Value) -> Option<Exchange> {
    let journalled: mock_aquera::Exchange = serde_json::from_value(journalled.clone()).ok()?;
    let downstream = journalled.downstream.iter().map(|write| {
        format!("downstream {:?}{}", write.operation, if write.accepted { "" } else { " refused" })
    });
    let faults = journalled.faults.iter().map(|fault| format!("fault {fault}"));
    let step = downstream.chain(faults).collect::<Vec<_>>().join(", ");
    // Nothing came where the connection was cut.
    let status = journalled.status.map(|status| status.as_u16());
    Some(Exchange {
        step,
        request: Sent {
            method: journalled.method,
            url: journalled.path,
            headers: journalled.request_headers.into_iter().map(credentials).collect(),
            body: journalled.request_body.unwrap_or_default(),
        },
        response: status.map(|status| Received {
            status,
            headers: journalled.response_headers,
            body: journalled.response_body.unwrap_or_default(),
        }),
        error: status.is_none().then(|| "the connection ended without an answer".to_owned()),
        milliseconds: u64::try_from(journalled.took.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Marks the credentials as redacted: the journal keeps the scheme alone.
fn credentials((name, value): (String, String)) -> (String, String) {
    let alone = name.eq_ignore_ascii_case("authorization") && !value.is_empty() && !value.contains(' ');
    let value = if alone { format!("{value} {REDACTED}") } else { value };
    (name, value)
}

/// Returns the report of a run, without its selection.
pub fn report(cells: &[Cell], results: &[Played], took: Duration) -> Report {
    let cases = cells.iter().zip(results).map(|(cell, played)| case(cell, played)).collect();
    let mut report = Report::new("matrix", "provisioner", cases);
    report.milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    report
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::format;
    use crate::matrix::cell::Extent;

    fn played(verdict: Verdict, exchanges: Vec<Value>) -> Played {
        Played { verdict, last: None, exchanges }
    }

    fn difference(what: &str, expected: &str, actual: &str) -> Difference {
        Difference { run: 2, what: what.into(), expected: expected.into(), actual: actual.into() }
    }

    #[test]
    fn failed_cell_shows_the_difference_and_the_journal() {
        let journalled = json!({
            "seq": 3, "application": "default", "at": "2026-11-27T19:00:00Z", "took": 2_500,
            "method": "PATCH", "path": "/scim/Users/1",
            "requestHeaders": [["Authorization", "Bearer"]], "requestBody": { "Operations": [] },
            "status": 501, "responseHeaders": [], "responseBody": { "status": "501" },
            "operations": [], "downstream": [{ "operation": "partialUpdate", "target": "1", "accepted": false }],
            "changes": [], "fault": null, "faults": ["status:501"], "dialects": [],
        });
        let mut cut_off = journalled.clone();
        cut_off["status"] = json!(0);
        let differences = vec![difference("exit code", "0", "1"), difference("summary: failed", "0", "1")];
        let cell = Cell::all(Extent::Every).into_iter().next().expect("a cell");
        let case = case(&cell, &played(Verdict::Fail(differences), vec![journalled, cut_off]));
        assert_eq!((case.id.as_str(), case.verdict), (cell.id().as_str(), report::Verdict::Fail));
        let because = "run 2, exit code: expected 0, got 1, and one more difference";
        assert_eq!(case.because.as_deref(), Some(because));
        let pairs = format::pairs(&case.expected, &case.actual);
        assert_eq!(pairs[0], (Some("run 2, exit code".to_owned()), &json!("0"), &json!("1")));
        let [exchange, cut_off] = case.exchanges.as_slice() else { panic!("{:?}", case.exchanges) };
        assert_eq!(exchange.step, "downstream PartialUpdate refused, fault status:501");
        assert_eq!((exchange.request.method.as_str(), exchange.milliseconds), ("PATCH", 2));
        assert_eq!(exchange.response.as_ref().map(|answer| answer.status), Some(501));
        assert_eq!(exchange.request.headers[0].1, "Bearer [redacted]");
        assert_eq!((&cut_off.response, cut_off.error.is_some()), (&None, true));
    }

    #[test]
    fn broken_cell_has_a_reason_and_passed_cell_has_none() {
        let cell = Cell::all(Extent::Every).into_iter().next().expect("a cell");
        let broken = case(&cell, &played(Verdict::Error("no socket".into()), Vec::new()));
        assert_eq!((broken.verdict, broken.because.as_deref()), (report::Verdict::Error, Some("no socket")));
        let passed = case(&cell, &played(Verdict::Pass, Vec::new()));
        assert_eq!(
            (passed.verdict, &passed.because, &passed.expected),
            (report::Verdict::Pass, &None, &Value::Null)
        );
    }
}
