//! The report as one page: no request leaves it, and it can be read without scripts, on a phone, in the dark.
//!
//! First comes what is wrong and what to do, in the order of importance; then case by case, by subject; then what
//! passed. Everything that a subject sent is text: it is escaped, and the page's policy lets no script run but its own.

mod case;
mod escape;
mod points;
mod rest;

use base64::Engine;
use sha2::{Digest, Sha256};

use self::escape::{inline, prose};
use super::{CaseResult, Report, Verdict};
use crate::format;
use crate::report::{labels, stages};

const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// Cases that need attention and are told in full. Further ones are lines of the rest.
const TOLD: usize = 1_000;
/// Characters of all transcripts together.
const TRANSCRIPTS: usize = 8_000_000;

/// Returns the page.
pub fn write(report: &Report) -> String {
    let mut told: Vec<&CaseResult> = report.cases.iter().filter(|case| is_told(case)).collect();
    labels::sort(&mut told);
    let left_over = told.split_off(told.len().min(TOLD));
    let quiet: Vec<&CaseResult> =
        report.cases.iter().filter(|case| !is_told(case)).chain(left_over.iter().copied()).collect();

    let mut page = String::new();
    head(&mut page, report);
    page.push_str("<main id=\"main\">\n");
    preferences(&mut page, report);
    verdict(&mut page, report);
    first_screen(&mut page, report);
    stale(&mut page, report);
    points::write(&mut page, report);
    toolbar(&mut page, report);
    details(&mut page, report, &told, left_over.len());
    rest::write(&mut page, report, &quiet);
    page.push_str("</main>\n");
    foot(&mut page, report);
    append!(page, "<script>{SCRIPT}</script>\n</body>\n</html>\n");
    page
}

/// Whether a case is told in full: whatever did not go well, known or not.
fn is_told(case: &CaseResult) -> bool {
    matches!(case.verdict, Verdict::Fail | Verdict::Warn | Verdict::Error)
}

fn hash(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
}

fn head(page: &mut String, report: &Report) {
    append!(
        *page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
         script-src 'sha256-{}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{} – conformance of {}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip-link\" href=\"#main\">Skip to the results</a>\n",
        hash(STYLE),
        hash(SCRIPT),
        inline(&headline(report).0),
        inline(&report.subject),
    );
    append!(
        *page,
        "<header><p class=\"kind\">Conformance report{}</p><h1>{}</h1></header>\n",
        if report.suite.is_empty() { String::new() } else { format!(" · {}", inline(&report.suite)) },
        inline(&report.subject),
    );
}

/// Writes the meaning of a probe for each preference, at the top of the page.
fn preferences(page: &mut String, report: &Report) {
    let settings: Vec<_> = labels::preferences(report).collect();
    if settings.is_empty() {
        return;
    }
    page.push_str(
        "<section aria-labelledby=\"preferences\"><h2 id=\"preferences\">What this means for a connection of PingOne to Aquera</h2>\n<table><thead><tr><th scope=\"col\">Preference</th><th scope=\"col\">Rating</th><th scope=\"col\">What to expect</th></tr></thead><tbody>\n",
    );
    for (setting, rating, text) in settings {
        append!(
            *page,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n",
            inline(setting),
            inline(rating),
            inline(text)
        );
    }
    page.push_str("</tbody></table></section>\n");
}

/// Writes the stages in which clients need a server, the first one that fails opened, and whether each client would work.
fn first_screen(page: &mut String, report: &Report) {
    let (stages, clients) = (stages::stages(report), stages::verdicts(report));
    if clients.is_empty() {
        return;
    }
    page.push_str(
        "<section class=\"screen\" aria-labelledby=\"stages\"><h2 id=\"stages\">What a client needs, in this order</h2>\n<table><thead><tr><th scope=\"col\">Stage</th><th scope=\"col\">Judged</th><th scope=\"col\">Failed</th><th scope=\"col\">Warnings</th></tr></thead><tbody>\n",
    );
    let mut is_opened = false;
    for count in stages {
        let class = if count.failed > 0 { " class=\"fail\"" } else { "" };
        append!(
            *page,
            "<tr{class}><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            count.stage.word(),
            count.judged,
            count.failed,
            count.warned
        );
        if count.failed > 0 && !is_opened {
            is_opened = true;
            page.push_str("<tr><td colspan=\"4\"><ul>\n");
            for case in stages::failed(report, count.stage).take(OPENED) {
                let why = case.because.as_deref().unwrap_or(&case.title);
                append!(
                    *page,
                    "<li>{} <code>{}</code></li>\n",
                    prose(&format::cut(why, WHY)),
                    inline(&case.id)
                );
            }
            page.push_str("</ul></td></tr>\n");
        }
    }
    page.push_str(
        "</tbody></table>\n<h2 id=\"clients\">Would a client work with this server?</h2>\n<table class=\"clients\"><thead><tr><th scope=\"col\">Client</th><th scope=\"col\">Verdict</th><th scope=\"col\">What does not work, and the case that says why</th></tr></thead><tbody>\n",
    );
    for verdict in clients {
        append!(
            *page,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td><ul>",
            inline(&verdict.client.name),
            verdict.words()
        );
        for (request, case, why) in verdict.failing() {
            append!(
                *page,
                "<li>{}: {} <code>{}</code></li>\n",
                prose(&request.does),
                prose(&format::cut(why, WHY)),
                inline(case)
            );
        }
        page.push_str("</ul></td></tr>\n");
    }
    page.push_str("</tbody></table></section>\n");
}

/// Cases of the first stage that fails, as they are shown.
const OPENED: usize = 5;

/// Characters of a reason in a table.
const WHY: usize = 200;

/// Returns the verdict of the run in a line, its colour class, and the next step.
fn headline(report: &Report) -> (String, &'static str, String) {
    let summary = &report.summary;
    let noun = labels::noun(report);
    let judged = summary.pass + summary.fail + summary.warn + summary.known + summary.error;
    if summary.fail > 0 {
        let broke = match summary.error {
            0 => String::new(),
            broke => format!(
                " {} broke off and {} not judged.",
                labels::count(broke, noun),
                if broke == 1 { "was" } else { "were" }
            ),
        };
        let text = format!("{} of {} failed", format::number(summary.fail), labels::count(judged, noun));
        return (text, "fail", format!("What to mend comes first, the most important on top.{broke}"));
    }
    if summary.error > 0 {
        let text = format!("{} broke off", labels::count(summary.error, noun));
        let more = "The harness or the network failed, which says nothing about the subject. Mend that and run it again.";
        return (text, "error", more.to_owned());
    }
    if summary.stale > 0 {
        let more = "Nothing new fails, but entries of the baseline hold no longer.".to_owned();
        return ("The baseline has stale entries".to_owned(), "fail", more);
    }
    if summary.warn > 0 {
        let text = format!("All that is required holds, with {}", labels::count(summary.warn, "warning"));
        return (text, "warn", "Recommendations of the documents that do not hold are below.".to_owned());
    }
    if judged == 0 {
        return ("Nothing was judged".to_owned(), "quiet", "No case was run, or none applies.".to_owned());
    }
    let known = match summary.known {
        0 => "Nothing to mend.".to_owned(),
        known => format!(
            "{} in the baseline.",
            if known == 1 {
                "One failure is known and".to_owned()
            } else {
                format!("{} failures are known and", format::number(known))
            }
        ),
    };
    (format!("All {} passed", labels::count(judged - summary.known, noun)), "pass", known)
}

fn verdict(page: &mut String, report: &Report) {
    let (headline, class, more) = headline(report);
    append!(
        *page,
        "<section class=\"verdict {class}\" aria-labelledby=\"verdict\"><h2 id=\"verdict\">{}</h2><p>{}</p>\n",
        inline(&headline),
        inline(&more)
    );
    bar(page, report);
    page.push_str("</section>\n");
}

/// Writes the counts as a bar and as a list.
fn bar(page: &mut String, report: &Report) {
    let summary = &report.summary;
    let parts = [
        ("fail", "failed", summary.fail),
        ("error", "broke off", summary.error),
        ("warn", "warnings", summary.warn),
        ("known", "known", summary.known),
        ("pass", "passed", summary.pass),
        ("na", "not advertised", summary.not_advertised),
        ("skip", "skipped", summary.skipped),
    ];
    let total = summary.total().max(1);
    page.push_str(
        "<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
    );
    let mut at = 0;
    for (class, _, count) in parts.iter().filter(|(_, _, count)| *count > 0) {
        // What is there is seen, however little it is.
        let wide = (count * 1000 / total).max(6);
        append!(*page, "<rect class=\"{class}\" x=\"{at}\" width=\"{wide}\" height=\"10\"/>");
        at += wide;
    }
    page.push_str("</svg>\n<ul class=\"counts\">");
    for (class, word, count) in
        parts.iter().filter(|(class, _, count)| *count > 0 || matches!(*class, "fail" | "pass"))
    {
        let class = if *count > 0 { class } else { "none" };
        append!(*page, "<li class=\"{class}\"><b>{}</b> {word}</li>", format::number(*count));
    }
    page.push_str("</ul>\n");
}

fn stale(page: &mut String, report: &Report) {
    if report.stale.is_empty() {
        return;
    }
    page.push_str("<section aria-labelledby=\"stale\"><h2 id=\"stale\">Baseline entries that hold no longer</h2><ul class=\"stale\">");
    for stale in &report.stale {
        append!(*page, "<li>{}</li>", inline(stale));
    }
    page.push_str("</ul></section>\n");
}

/// Writes the filters; the script shows them, because they need it.
fn toolbar(page: &mut String, report: &Report) {
    let mut documents: Vec<&str> = report.cases.iter().map(|case| case.spec.document.as_str()).collect();
    documents.sort_unstable();
    documents.dedup();
    page.push_str(
        "<form class=\"toolbar\" id=\"toolbar\" role=\"search\" aria-label=\"Filter the cases\" hidden>\
         <label class=\"search\"><span>Search</span><input id=\"search\" type=\"search\" placeholder=\"words, an id, a section\" autocomplete=\"off\"></label>\
         <label><span>Verdict</span><select id=\"by-verdict\"><option value=\"\">all</option>",
    );
    for verdict in Verdict::ALL {
        if report.cases.iter().any(|case| case.verdict == verdict) {
            append!(*page, "<option value=\"{}\">{}</option>", verdict.as_str(), labels::verdict(verdict));
        }
    }
    if report.summary.known > 0 {
        page.push_str("<option value=\"known\">known</option>");
    }
    page.push_str(
        "</select></label><label><span>Level</span><select id=\"by-level\"><option value=\"\">all</option>",
    );
    for level in ["must", "should", "may"] {
        append!(*page, "<option value=\"{level}\">{}</option>", level.to_ascii_uppercase());
    }
    page.push_str("</select></label><label><span>Document</span><select id=\"by-document\"><option value=\"\">all</option>");
    for document in documents {
        append!(*page, "<option>{}</option>", inline(document));
    }
    page.push_str(
        "</select></label><button type=\"button\" id=\"unfold\">Unfold all</button>\
         <output id=\"shown\" role=\"status\" aria-live=\"polite\"></output></form>\n",
    );
}

fn details(page: &mut String, report: &Report, told: &[&CaseResult], left_over: usize) {
    if told.is_empty() {
        return;
    }
    page.push_str("<section id=\"details\" aria-labelledby=\"details-title\"><h2 id=\"details-title\">Case by case</h2>\n");
    let mut budget = TRANSCRIPTS;
    for (subject, cases) in labels::groups(told.iter().copied()) {
        append!(
            *page,
            "<section class=\"group\"><h3>{} <span class=\"of\">{}</span></h3>\n",
            inline(&subject),
            labels::count(cases.len(), labels::noun(report))
        );
        for case in cases {
            case::write(page, report, case, &mut budget);
        }
        page.push_str("</section>\n");
    }
    if left_over > 0 {
        append!(
            *page,
            "<p class=\"note\">{} more did not go well. They are listed below, and told in full in the JSON report.</p>\n",
            format::number(left_over)
        );
    }
    page.push_str("</section>\n");
}

fn foot(page: &mut String, report: &Report) {
    page.push_str("<footer><details><summary>About this run</summary><dl>");
    let mut facts = vec![("Harness".to_owned(), format!("conformance {}", report.version))];
    facts.push(("Took".to_owned(), format::duration(report.milliseconds)));
    if report.seed > 0 {
        facts.push(("Seed".to_owned(), format!("{} (the same seed makes the same run)", report.seed)));
    }
    if let Some(shard) = &report.shard {
        facts.push(("Shard".to_owned(), shard.clone()));
    }
    let told = |name: &str| labels::preferences(report).any(|(setting, ..)| setting == name);
    let facts_left = report.facts.iter().filter(|(name, _)| !told(name));
    facts.extend(facts_left.map(|(name, fact)| (name.clone(), fact.clone())));
    for (name, fact) in facts {
        append!(*page, "<div><dt>{}</dt><dd>{}</dd></div>", inline(&name), inline(&fact));
    }
    page.push_str(
        "</dl></details><details><summary>What the words mean</summary><dl>\
         <div><dt>passed</dt><dd>All that the case looks at holds.</dd></div>\
         <div><dt>failed</dt><dd>The subject does something that the document rules out.</dd></div>\
         <div><dt>warning</dt><dd>A recommendation does not hold, or an option is done otherwise than the document has it.</dd></div>\
         <div><dt>known</dt><dd>A failure that the baseline has, with a reason.</dd></div>\
         <div><dt>not advertised</dt><dd>The subject does not claim to have what the case is about.</dd></div>\
         <div><dt>skipped</dt><dd>It could not be tried, because what it builds upon did not work.</dd></div>\
         <div><dt>broke off</dt><dd>The harness or the network failed. That is neither for nor against the subject.</dd></div>\
         <div><dt>MUST, SHOULD, MAY</dt><dd>How binding a requirement is: always, unless there is a good reason, at will.</dd></div>\
         <div><dt>[redacted]</dt><dd>A secret, or something about a person, was taken out.</dd></div>\
         </dl></details></footer>\n",
    );
}
