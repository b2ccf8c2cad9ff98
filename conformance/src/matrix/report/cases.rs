//! Cells as cases of the report that all suites share.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::matrix::cell::Cell;
use crate::matrix::run::{Difference, Played, Verdict};
use crate::report::words::ABOUT;
use crate::report::{self, CaseResult, Level, Report, Spec};
use crate::wire::exchange::{Exchange, Received, Sent};

/// Where the requirements stand that the model is written from.
const DOCUMENT: &str = "PingOne, Creating an Aquera connection";
const SECTION: &str = "Configure Preferences";

/// One cell as a case.
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
    CaseResult {
        id: cell.id(),
        title: cell.title(),
        level: Level::Must,
        verdict,
        requirement: cell.title(),
        spec: Spec { document: DOCUMENT.to_owned(), section: SECTION.to_owned(), also: Vec::new() },
        because,
        mend: None,
        expected: side(|difference| &difference.expected),
        actual: side(|difference| &difference.actual),
        known: None,
        tags: vec![format!("{ABOUT}{}", cell.title())],
        milliseconds: 0,
        exchanges: played.exchanges.iter().filter_map(exchange).collect(),
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

/// What the mock's journal has, in the form that all reports have.
fn exchange(journalled: &Value) -> Option<Exchange> {
    let journalled: mock_aquera::Exchange = serde_json::from_value(journalled.clone()).ok()?;
    let downstream = journalled.downstream.iter().map(|write| {
        format!("downstream {:?}{}", write.operation, if write.accepted { "" } else { " refused" })
    });
    let faults = journalled.faults.iter().map(|fault| format!("fault {fault}"));
    let step = downstream.chain(faults).collect::<Vec<_>>().join(", ");
    // Nothing came where the connection was cut.
    let answered = journalled.status != 0;
    Some(Exchange {
        step,
        request: Sent {
            method: journalled.method,
            url: journalled.path,
            headers: journalled.request_headers,
            body: journalled.request_body.unwrap_or_default(),
        },
        response: answered.then(|| Received {
            status: journalled.status,
            headers: journalled.response_headers,
            body: journalled.response_body.unwrap_or_default(),
        }),
        error: (!answered).then(|| "the connection ended without an answer".to_owned()),
        milliseconds: journalled.took / 1_000,
    })
}

/// The report of a run, as yet without what was chosen.
pub fn report(cells: &[Cell], results: &[Played], took: Duration) -> Report {
    let cases = cells.iter().zip(results).map(|(cell, played)| case(cell, played)).collect();
    let mut report = Report::new("matrix", "provisioner", cases);
    report.milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    report
}
