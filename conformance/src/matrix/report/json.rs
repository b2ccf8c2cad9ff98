//! The results as JSON: one object a line, or the report of the outer face.

use std::time::Duration;

use serde_json::{Value, json};

use crate::matrix::cell::{Cell, Kind};
use crate::matrix::report::summary::Counts;
use crate::matrix::run::{Played, Verdict};

fn verdict(played: &Played) -> &'static str {
    match played.verdict {
        Verdict::Pass => "pass",
        Verdict::Fail(_) => "fail",
        Verdict::Error(_) => "error",
    }
}

/// One cell as a case of the report.
fn case(cell: &Cell, played: &Played) -> Value {
    let (expected, actual) = match &played.verdict {
        Verdict::Pass => (Value::Null, Value::Null),
        Verdict::Error(message) => (Value::Null, json!(message)),
        Verdict::Fail(differences) => {
            let side = |side: fn(&crate::matrix::run::Difference) -> &String| {
                differences
                    .iter()
                    .map(|difference| {
                        json!({ "run": difference.run, "what": difference.what, "value": side(difference) })
                    })
                    .collect::<Value>()
            };
            (side(|difference| &difference.expected), side(|difference| &difference.actual))
        }
    };
    json!({
        "id": cell.id(),
        "title": cell.title(),
        "level": "must",
        "verdict": verdict(played),
        "requirement": cell.title(),
        "spec": { "document": "PingOne, Creating an Aquera connection", "section": "Configure Preferences" },
        "expected": expected,
        "actual": actual,
        "exchanges": played.exchanges,
    })
}

/// The report of the outer face.
pub fn report(cells: &[Cell], results: &[Played]) -> Value {
    let counts = Counts::of(cells.iter().zip(results), &Kind::ALL);
    json!({
        "schemaVersion": 1,
        "subject": "provisioner",
        "summary": {
            "pass": counts.pass,
            "fail": counts.fail,
            "warn": 0,
            "notAdvertised": 0,
            "skipped": 0,
            "error": counts.error,
        },
        "cases": cells.iter().zip(results).map(|(cell, played)| case(cell, played)).collect::<Vec<_>>(),
    })
}

/// The line of one cell.
pub fn line(cell: &Cell, played: &Played) -> Value {
    let mut line = case(cell, played);
    line["type"] = json!("cell");
    line
}

/// The last line.
pub fn summary(cells: &[Cell], results: &[Played], took: Duration) -> Value {
    let all = Counts::of(cells.iter().zip(results), &Kind::ALL);
    let count = |kind| Counts::of(cells.iter().zip(results), &[kind]).total();
    json!({
        "type": "summary",
        "pass": all.pass,
        "fail": all.fail,
        "error": all.error,
        "cells": count(Kind::Matrix) + count(Kind::Sequence),
        "refusals": count(Kind::Refusal),
        "wrongCredentials": count(Kind::Credentials),
        "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    })
}
