//! A case on the page: the reason, the remedy, the expected and the actual value, and the command to try it again.

use serde_json::Value;

use super::escape::{self, attribute, block, inline};
use crate::format;
use crate::report::{CaseResult, Report, Verdict, curl, labels};
use crate::requirement::Level;
use crate::transcript::Exchange;

/// Characters of an expected or actual value.
const VALUE: usize = 4_000;
/// Characters of a body.
const BODY: usize = 12_000;

/// Returns the word, the sign and the class of a case's verdict.
pub(super) fn look(case: &CaseResult) -> (&'static str, &'static str, &'static str) {
    match (case.verdict, &case.known) {
        (Verdict::Fail | Verdict::Warn, Some(_)) => ("known", "◇", "known"),
        (Verdict::Fail, None) => ("failed", "✕", "fail"),
        (Verdict::Warn, None) => ("warning", "!", "warn"),
        (Verdict::Error, _) => ("broke off", "⚡", "error"),
        (Verdict::Pass, _) => ("passed", "✓", "pass"),
        (Verdict::NotAdvertised, _) => ("not advertised", "–", "na"),
        (Verdict::Skipped, _) => ("skipped", "○", "skip"),
    }
}

/// Opens the element of a case, with what the script filters by.
pub(super) fn open(page: &mut String, case: &CaseResult) {
    let (word, sign, class) = look(case);
    let verdict = if case.known.is_some() { "known" } else { case.verdict.as_str() };
    append!(
        *page,
        "<details class=\"case {class}\" id=\"{}\" data-verdict=\"{verdict}\" data-level=\"{}\" data-document=\"{}\">\
         <summary><span class=\"sign\" aria-hidden=\"true\">{sign}</span><span class=\"what\"><span class=\"title\">{}</span>",
        escape::id(&case.id),
        case.level.as_str(),
        attribute(&case.spec.document),
        escape::prose(&case.title),
    );
    if let Some(because) = &case.because {
        append!(*page, "<span class=\"because\">{}</span>", escape::prose(&format::cut(because, 400)));
    }
    append!(
        *page,
        "<span class=\"id\">{}</span></span><span class=\"badges\"><span class=\"badge {class}\">{word}</span> \
         <span class=\"badge level\">{}</span></span></summary>\n<div class=\"body\">\n",
        inline(&case.id),
        labels::level(case.level),
    );
}

pub(super) fn write(page: &mut String, report: &Report, case: &CaseResult, budget: &mut usize) {
    open(page, case);
    if let Some(known) = &case.known {
        append!(*page, "<p class=\"known\"><b>Known:</b> {}", escape::prose(&known.reason));
        if let Some(link) =
            known.link.as_deref().filter(|it| it.starts_with("https://") || it.starts_with("http://"))
        {
            append!(
                *page,
                " <a href=\"{}\" rel=\"noreferrer noopener\">{}</a>",
                attribute(link),
                inline(link)
            );
        }
        page.push_str("</p>\n");
    }
    if let Some(mend) = &case.mend {
        append!(*page, "<div class=\"mend\"><h4>What to mend</h4><p>{}</p></div>\n", escape::prose(mend));
    }
    if let Some(example) = &case.example {
        append!(*page, "<h4>An answer that passes</h4><pre>{}</pre>\n", block(&format::cut(example, VALUE)));
    }
    if let Some(because) = &case.because {
        append!(*page, "<h4>Why it {}</h4><p>{}</p>\n", failed(case.verdict), escape::prose(because));
    }
    requirement(page, case);
    sides(page, case);
    exchanges(page, case, budget);
    page.push_str("<h4>Run it again</h4>\n");
    append!(*page, "<pre class=\"copy\">{}</pre>\n", block(&labels::again(report, case)));
    if let Some(explain) = labels::explain(report, case) {
        append!(*page, "<p class=\"note\">More about it: <code>{}</code></p>\n", inline(&explain));
    }
    page.push_str("</div></details>\n");
}

fn failed(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Error => "broke off",
        Verdict::Warn => "is a warning",
        Verdict::Fail | Verdict::Pass | Verdict::NotAdvertised | Verdict::Skipped => "failed",
    }
}

/// Writes the requirement and its section.
pub(super) fn requirement(page: &mut String, case: &CaseResult) {
    let how = match case.level {
        Level::Must => "always",
        Level::Should => "unless there is a good reason",
        Level::May => "at will",
    };
    let place = labels::spec(&case.spec);
    let place = match labels::address(&case.spec) {
        Some(address) => {
            format!("<a href=\"{}\" rel=\"noreferrer noopener\">{}</a>", attribute(&address), inline(&place))
        }
        None => inline(&place),
    };
    append!(
        *page,
        "<h4>What is required</h4><p>{} <span class=\"place\">{place}, {} ({how})</span></p>\n",
        escape::prose(&case.requirement),
        labels::level(case.level),
    );
}

fn sides(page: &mut String, case: &CaseResult) {
    if case.expected.is_null() && case.actual.is_null() {
        return;
    }
    for (what, expected, actual) in format::pairs(&case.expected, &case.actual) {
        if let Some(what) = what {
            append!(*page, "<h4>{}</h4>\n", inline(&what));
        }
        page.push_str("<div class=\"sides\">");
        for (name, class, value) in [("Expected", "wanted", expected), ("Got", "got", actual)] {
            append!(*page, "<div class=\"{class}\"><h5>{name}</h5><pre>{}</pre></div>", shown(value));
        }
        page.push_str("</div>\n");
    }
}

fn shown(value: &Value) -> String {
    if value.is_null() { "<i>nothing</i>".to_owned() } else { block(&format::pretty(value, VALUE)) }
}

fn exchanges(page: &mut String, case: &CaseResult, budget: &mut usize) {
    if case.exchanges.is_empty() {
        return;
    }
    append!(*page, "<h4>What was sent and what came</h4>\n");
    if *budget == 0 {
        for exchange in &case.exchanges {
            append!(*page, "<p class=\"note\"><code>{}</code></p>\n", inline(&labels::exchange(exchange)));
        }
        page.push_str(
            "<p class=\"note\">Bodies are in the JSON report; this page would be too large with them.</p>\n",
        );
        return;
    }
    let before = page.len();
    page.push_str("<ol class=\"exchanges\">");
    let last = case.exchanges.len() - 1;
    for (at, it) in case.exchanges.iter().enumerate() {
        exchange(page, it, at == last);
    }
    page.push_str("</ol>\n");
    *budget = budget.saturating_sub(page.len() - before);
}

fn exchange(page: &mut String, exchange: &Exchange, open: bool) {
    let Exchange { step, request, response, error, milliseconds } = exchange;
    append!(
        *page,
        "<li><details{}><summary><code><b>{}</b> {}</code> <span class=\"answer\">",
        if open { " open" } else { "" },
        inline(&request.method),
        inline(&format::cut(&request.url, 300)),
    );
    match response {
        Some(response) => append!(*page, "{} {}", response.status, labels::phrase(response.status)),
        None => append!(*page, "{}", inline(error.as_deref().unwrap_or("no answer"))),
    }
    append!(*page, " · {}</span>", format::duration(*milliseconds));
    if !step.is_empty() {
        append!(*page, "<span class=\"step\">{}</span>", inline(step));
    }
    page.push_str("</summary>\n<div class=\"sides\"><div>");
    side(page, "Request", &request.headers, &request.body);
    page.push_str("</div><div>");
    match response {
        Some(response) => side(page, "Answer", &response.headers, &response.body),
        None => append!(*page, "<h5>Answer</h5><p>{}</p>", inline(error.as_deref().unwrap_or("none"))),
    }
    append!(
        *page,
        "</div></div><h5>As a command</h5><pre class=\"copy\">{}</pre></details></li>\n",
        block(&curl::command(exchange))
    );
}

fn side(page: &mut String, name: &str, headers: &[(String, String)], body: &Value) {
    append!(*page, "<h5>{name}</h5>");
    if !headers.is_empty() {
        page.push_str("<pre class=\"headers\">");
        for (name, value) in headers {
            append!(*page, "<b>{}</b>: {}\n", inline(name), inline(&format::cut(value, 1_000)));
        }
        page.push_str("</pre>");
    }
    if body.is_null() {
        page.push_str("<p class=\"note\">no body</p>");
    } else {
        append!(*page, "<pre>{}</pre>", block(&format::pretty(body, BODY)));
    }
}
