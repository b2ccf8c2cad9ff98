//! The report as JUnit, for whatever shows test results.
//!
//! A test suite per subject, a test case per case. What is known, not advertised or skipped is `skipped`; a warning
//! passes, with its text in `system-out`, because JUnit has no word for it.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::{CaseResult, Report, Verdict};
use crate::format;
use crate::report::labels;

/// Characters of an expected or actual value.
const VALUE: usize = 4_000;

/// Returns the text of the report.
///
/// # Errors
/// The serializer refuses.
pub fn write(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut document = Document::new(format!("conformance {}", report.suite));
    document.set_time(Duration::from_millis(report.milliseconds));
    for (name, cases) in labels::groups(&report.cases) {
        let mut suite = TestSuite::new(format::one_line(&name).as_ref());
        suite.set_time(Duration::from_millis(cases.iter().map(|case| case.milliseconds).sum()));
        suite.add_property(("subject", format::one_line(&report.subject).as_ref()));
        if report.seed > 0 {
            suite.add_property(("seed", report.seed.to_string().as_str()));
        }
        suite.add_test_cases(cases.into_iter().map(|case| test_case(report, case)));
        document.add_test_suite(suite);
    }
    if !report.stale.is_empty() {
        let mut suite = TestSuite::new("baseline");
        for stale in &report.stale {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type("stale").set_message(format::one_line(stale).as_ref());
            let name = stale.split(": ").next().unwrap_or(stale);
            let mut case = TestCase::new(format::one_line(name).as_ref(), status);
            case.set_classname("baseline");
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    let text = document.to_string()?;
    Ok(well_formed(&text))
}

/// Returns the document without characters that XML 1.0 forbids; they are escaped.
fn well_formed(text: &str) -> String {
    let is_allowed = |sign: char| matches!(sign, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    if text.chars().all(is_allowed) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for sign in text.chars() {
        if is_allowed(sign) { safe.push(sign) } else { safe.extend(sign.escape_default()) }
    }
    safe
}

fn test_case(report: &Report, case: &CaseResult) -> TestCase {
    let because = case.because.as_deref().unwrap_or(&case.title);
    let because = format::one_line(because);
    let mut status = match (case.verdict, &case.known) {
        (Verdict::Fail | Verdict::Warn, Some(known)) => {
            let mut status = TestCaseStatus::skipped();
            let link = known.link.as_ref().map_or_else(String::new, |link| format!(" ({link})"));
            status.set_message(format!(
                "known: {}{}",
                format::one_line(&known.reason),
                format::one_line(&link)
            ));
            status
        }
        (Verdict::Pass | Verdict::Warn, _) => TestCaseStatus::success(),
        (Verdict::NotAdvertised | Verdict::Skipped, _) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(format!("{}: {because}", labels::verdict(case.verdict)));
            status
        }
        (Verdict::Fail, None) => TestCaseStatus::non_success(NonSuccessKind::Failure),
        (Verdict::Error, _) => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if matches!(status, TestCaseStatus::NonSuccess { .. }) {
        status
            .set_message(because.as_ref())
            .set_type(case.level.as_str())
            .set_description(description(report, case));
    }
    let mut test = TestCase::new(case.id.as_str(), status);
    // Dots make the tree that most readers show.
    let folder = case.id.rsplit_once('/').map_or(report.suite.as_str(), |(folder, _)| folder);
    test.set_classname(folder.replace('.', "_").replace('/', "."));
    test.set_time(Duration::from_millis(case.milliseconds));
    test.add_property(Property::new("level", case.level.as_str()));
    test.add_property(Property::new("verdict", case.verdict.as_str()));
    test.add_property(Property::new("section", labels::spec(&case.spec)));
    if case.verdict == Verdict::Warn && case.known.is_none() {
        test.set_system_out(format!("warning: {because}\n\n{}", description(report, case)));
    }
    test
}

/// Returns the details of a case, in plain text.
fn description(report: &Report, case: &CaseResult) -> String {
    let mut text = format!(
        "{}\nrequired ({}, {}): {}\n",
        format::one_line(&case.title),
        labels::level(case.level),
        labels::spec(&case.spec),
        format::one_line(&case.requirement)
    );
    if let Some(because) = &case.because {
        append!(text, "why: {}\n", format::lines(because));
    }
    if let Some(mend) = &case.mend {
        append!(text, "mend: {}\n", format::one_line(mend));
    }
    if let Some(example) = &case.example {
        append!(text, "an answer that passes:\n{}\n", format::lines(example));
    }
    for (what, expected, actual) in format::pairs(&case.expected, &case.actual) {
        let what = what.map_or_else(String::new, |what| format!(" ({})", format::one_line(&what)));
        for (name, value) in [("expected", expected), ("got", actual)] {
            if !(value.is_null() && what.is_empty()) {
                append!(text, "{name}{what}: {}\n", format::pretty(value, VALUE));
            }
        }
    }
    for exchange in &case.exchanges {
        append!(text, "  {}\n", labels::exchange(exchange));
    }
    append!(text, "again: {}\n", labels::again(report, case));
    text
}
