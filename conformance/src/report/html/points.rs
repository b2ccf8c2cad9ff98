//! The findings, in the order of all reports: by level, in each the causes first, then the needs of clients.

use super::escape::{self, attribute, inline};
use crate::format;
use crate::report::entries::{self, Entry};
use crate::report::root_causes::Cause;
use crate::report::{CaseResult, Report, Verdict, labels};
use crate::requirement::Level;

/// Points of a level that are shown at once.
const SHOWN: usize = 20;
/// Points of a level. In what is wholly broken there is no telling what comes first.
const MOST: usize = 300;
/// Cases of a point that are named.
const NAMED: usize = 5;

/// A finding, and its cases.
struct Point<'a> {
    mend: &'a str,
    cases: Vec<&'a CaseResult>,
}

pub(super) fn write(page: &mut String, report: &Report) {
    let mut entries = entries::in_order(report);
    entries.retain(|entry| entry.cases().iter().any(|case| case.verdict != Verdict::Error));
    if entries.is_empty() {
        return;
    }
    let all_say_how = entries.iter().flat_map(Entry::cases).all(|case| case.mend.is_some());
    append!(
        *page,
        "<section class=\"points\" aria-labelledby=\"points\"><h2 id=\"points\">{}</h2>\n",
        if all_say_how { "What to mend, in this order" } else { "What is wrong, the most important first" }
    );
    let mut number = 0;
    for entries in entries.chunk_by(|one, other| heading_of(one) == heading_of(other)) {
        let Some(heading) = entries.first().and_then(heading_of) else { continue };
        level(page, report, heading, entries, &mut number);
    }
    page.push_str("</section>\n");
}

fn heading_of(entry: &Entry<'_>) -> Option<&'static str> {
    entry.cases().first().map(|case| heading(case))
}

/// Returns the heading of the section of a case.
fn heading(case: &CaseResult) -> &'static str {
    match case.level {
        _ if labels::is_apart(case) => labels::APART,
        Level::Must => "What is required (MUST)",
        Level::Should => "What is recommended (SHOULD)",
        Level::May => "What is optional (MAY)",
    }
}

/// Writes the findings of one level.
fn level(page: &mut String, report: &Report, name: &str, entries: &[Entry<'_>], number: &mut usize) {
    let count: usize = entries.iter().map(|entry| entry.cases().len()).sum();
    let judged = report.cases.iter().filter(|case| {
        matches!(case.verdict, Verdict::Pass | Verdict::Fail | Verdict::Warn) && heading(case) == name
    });
    let of = judged.count().max(count);
    append!(
        *page,
        "<section><h3>{} <span class=\"of\">{} of {}</span></h3>\n",
        inline(name),
        format::number(count),
        labels::count(of, labels::noun(report))
    );
    if count > SHOWN && count * 2 > of {
        page.push_str(
            "<p class=\"note\">Most of what was tried here does not hold, so there may be one cause behind it. \
             Mend the first and run it again before you go on.</p>\n",
        );
    }
    let causes = entries.iter().filter_map(|entry| match entry {
        Entry::Cause(cause) => Some(cause),
        Entry::Case(_) => None,
    });
    several(page, report, &causes.collect::<Vec<_>>(), number);
    let own = entries.iter().filter_map(|entry| match entry {
        Entry::Cause(_) => None,
        Entry::Case(case) => Some(*case),
    });
    let points = of_cases(own);
    let (first, more) = points.split_at(points.len().min(SHOWN));
    if !first.is_empty() {
        list(page, first, number);
    }
    if !more.is_empty() {
        append!(
            *page,
            "<details class=\"more\"><summary>{}</summary>",
            labels::count(more.len(), "further point")
        );
        list(page, more, number);
        page.push_str("</details>\n");
    }
    page.push_str("</section>\n");
}

/// Writes the causes of several cases.
fn several(page: &mut String, report: &Report, causes: &[&Cause<'_>], number: &mut usize) {
    if causes.is_empty() {
        return;
    }
    page.push_str("<h4>What is behind several cases</h4>\n<ol>");
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
    page.push_str("</ol>\n");
}

/// Returns the points, in the order of the first case of each.
fn of_cases<'a>(cases: impl Iterator<Item = &'a CaseResult>) -> Vec<Point<'a>> {
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

/// Writes the cases of a point: the first ones by name.
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
