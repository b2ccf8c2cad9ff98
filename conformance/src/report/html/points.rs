//! What to mend, in the order of importance: by subject, and in each by how much it mends.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::escape::{self, attribute, inline};
use crate::format;
use crate::report::root_causes;
use crate::report::root_causes::Cause;
use crate::report::{CaseResult, Report, Verdict, labels};

/// Points of a subject that are shown at once.
const SHOWN: usize = 5;
/// Points of a subject. In what is wholly broken there is no telling what comes first.
const MOST: usize = 300;
/// Cases of a point that are named.
const NAMED: usize = 5;

/// One thing to do, and the cases that it mends.
struct Point<'a> {
    mend: &'a str,
    cases: Vec<&'a CaseResult>,
}

pub(super) fn write(page: &mut String, report: &Report) {
    let broken = |case: &&CaseResult| case.verdict != Verdict::Error;
    let trouble: Vec<&CaseResult> =
        report.cases.iter().filter(|case| labels::is_trouble(case)).filter(broken).collect();
    if trouble.is_empty() {
        return;
    }
    let judged = judged(report);
    let all_say_how = trouble.iter().all(|case| case.mend.is_some());
    append!(
        *page,
        "<section class=\"points\" aria-labelledby=\"points\"><h2 id=\"points\">{}</h2>\n",
        if all_say_how { "What to mend, in this order" } else { "What is wrong, the most important first" }
    );
    let mut number = 0;
    let causes = root_causes::of(report);
    refusals(page, report, &causes, &mut number);
    let own = trouble.into_iter().filter(|case| !root_causes::explain(&causes, case));
    for (subject, cases) in labels::groups(own) {
        let of = judged.get(&subject).copied().unwrap_or(cases.len());
        append!(
            *page,
            "<section><h3>{} <span class=\"of\">{} of {}</span></h3>\n",
            inline(&subject),
            format::number(cases.len()),
            labels::count(of, labels::noun(report))
        );
        if cases.len() > SHOWN && cases.len() * 2 > of {
            page.push_str(
                "<p class=\"note\">Most of what was tried here does not hold, so there may be one cause behind it. \
                 Mend the first and run it again before you go on.</p>\n",
            );
        }
        let points = of_cases(&cases);
        let (first, more) = points.split_at(points.len().min(SHOWN));
        list(page, first, &mut number);
        if !more.is_empty() {
            append!(
                *page,
                "<details class=\"more\"><summary>{}</summary>",
                labels::count(more.len(), "further point")
            );
            list(page, more, &mut number);
            page.push_str("</details>\n");
        }
        page.push_str("</section>\n");
    }
    page.push_str("</section>\n");
}

/// What stands before everything else, because it hides it.
fn refusals(page: &mut String, report: &Report, causes: &[Cause<'_>], number: &mut usize) {
    if causes.is_empty() {
        return;
    }
    page.push_str("<section><h3>What is behind several cases</h3>\n<ol>");
    for cause in causes {
        *number += 1;
        append!(
            *page,
            "<li><span class=\"number\">{number}</span><p class=\"mend\">{}</p><p class=\"why\">{}</p>",
            escape::prose(&format::cut(&cause.because(), 600)),
            escape::prose(&cause.advice(report)),
        );
        if let Some(example) = cause.example() {
            append!(*page, "<pre>{}</pre>", escape::block(&format::cut(example, 2_000)));
        }
        about(page, &cause.cases);
        page.push_str("</li>\n");
    }
    page.push_str("</ol></section>\n");
}

/// How many cases of each subject were judged.
fn judged(report: &Report) -> BTreeMap<String, usize> {
    let mut judged = BTreeMap::new();
    for case in &report.cases {
        if matches!(case.verdict, Verdict::Pass | Verdict::Fail | Verdict::Warn) {
            *judged.entry(labels::subject(case).1).or_default() += 1;
        }
    }
    judged
}

/// The things to do: first what is most urgent, then what mends most.
fn of_cases<'a>(cases: &[&'a CaseResult]) -> Vec<Point<'a>> {
    let mut points: Vec<Point<'a>> = Vec::new();
    for case in cases {
        let mend = case.mend.as_deref().or(case.because.as_deref()).unwrap_or(&case.title);
        let enough = points.len() >= MOST;
        match points.iter_mut().find(|point| point.mend == mend) {
            Some(point) => point.cases.push(case),
            None if enough => {}
            None => points.push(Point { mend, cases: vec![case] }),
        }
    }
    points.sort_by_key(|point| {
        (point.cases.first().map(|case| labels::urgency(case)), Reverse(point.cases.len()))
    });
    points
}

fn list(page: &mut String, points: &[Point<'_>], number: &mut usize) {
    page.push_str("<ol>");
    for it in points {
        *number += 1;
        point(page, it, *number);
    }
    page.push_str("</ol>\n");
}

fn point(page: &mut String, Point { mend, cases }: &Point<'_>, number: usize) {
    append!(*page, "<li><span class=\"number\">{number}</span><p class=\"mend\">{}</p>", escape::prose(mend));
    let because = cases.first().and_then(|case| case.because.as_deref()).filter(|because| because != mend);
    if let Some(because) = because {
        let now = if cases.len() > 1 { "For instance" } else { "Now" };
        append!(*page, "<p class=\"why\">{now}: {}</p>", escape::prose(&format::cut(because, 400)));
    }
    about(page, cases);
    page.push_str("</li>\n");
}

/// The cases behind a point: the first ones by name.
fn about(page: &mut String, cases: &[&CaseResult]) {
    let class = if cases.iter().any(|case| case.verdict == Verdict::Fail) { "fail" } else { "warn" };
    page.push_str("<p class=\"about\">");
    if let Some(case) = cases.first() {
        append!(*page, "<span class=\"badge {class}\">{}</span> ", labels::level(case.level));
    }
    for (at, case) in cases.iter().take(NAMED).enumerate() {
        append!(
            *page,
            "{}<a href=\"#{}\">{}</a>",
            if at == 0 { "" } else { ", " },
            attribute(&escape::fragment(&case.id)),
            escape::prose(&case.title)
        );
    }
    if let Some(more) = cases.len().checked_sub(NAMED).filter(|more| *more > 0) {
        append!(*page, " and {} more", format::number(more));
    }
    page.push_str("</p>");
}
