//! The report in Markdown, for a pull request: short, bounded, and safe to paste.

use serde_json::Value;

use super::{CaseResult, Report, Verdict};
use crate::format;
use crate::report::entries::{self, Entry};
use crate::report::root_causes::Cause;
use crate::report::{labels, stages};

/// A comment on GitHub may have 65,536 characters; GitLab's and Bitbucket's may have more.
pub const MOST: usize = 60_000;
/// Characters reserved for the note about cut parts, and for the end.
const MARGIN: usize = 600;
/// Causes that are told.
const CAUSES: usize = 10;
/// Rows of the tables.
const ROWS: usize = 50;
/// Characters of a cell of the table.
const CELL: usize = 300;
/// Characters of a value in the details.
const VALUE: usize = 1_500;

/// Returns the text, of at most [`MOST`] characters.
pub fn write(report: &Report) -> String {
    let mut text = head(report);
    for (setting, rating, meaning) in labels::preferences(report) {
        append!(
            text,
            "- **{}** ({}): {}\n",
            prose(setting),
            prose(rating),
            prose(&format::cut(meaning, CELL))
        );
    }
    if labels::preferences(report).next().is_some() {
        text.push('\n');
    }
    text.push_str(&clients(report));
    let entries = entries::in_order(report);
    text.push_str(&findings(report, &entries));
    // Of a shared expectation all is said; the JSON and HTML reports have its cases.
    let detailed = entries.iter().filter(|entry| !matches!(entry, Entry::Cause(cause) if cause.says_all()));
    let trouble: Vec<&CaseResult> = detailed.flat_map(super::entries::Entry::cases).copied().collect();
    for stale in report.stale.iter().take(ROWS) {
        append!(text, "- **stale baseline entry** {}\n", prose(&format::cut(stale, CELL)));
    }
    if !report.stale.is_empty() {
        text.push('\n');
    }
    let mut length = text.chars().count();
    let mut told = 0;
    for case in &trouble {
        let details = details(report, case);
        let more = details.chars().count();
        if length + more + MARGIN > MOST {
            break;
        }
        length += more;
        told += 1;
        text.push_str(&details);
    }
    let known = known(report);
    let known_fits = length + known.chars().count() + MARGIN <= MOST;
    if known_fits {
        text.push_str(&known);
    }
    if told < trouble.len() {
        append!(
            text,
            "\nThe details of {} were cut to keep this short; `--report html=FILE` has all of them.\n",
            labels::count(trouble.len() - told, labels::noun(report))
        );
    }
    if !known_fits {
        text.push_str("\nThe list of known failures was cut to keep this short.\n");
    }
    text
}

/// Returns a row for each client: whether it would work, and what does not.
fn clients(report: &Report) -> String {
    let verdicts = stages::verdicts(report);
    if verdicts.is_empty() {
        return String::new();
    }
    let mut text = "| client | would it work? | what does not |\n|---|---|---|\n".to_owned();
    for verdict in verdicts {
        let failing: Vec<_> = verdict
            .failing()
            .map(|(request, case, _)| format!("{} ({})", prose(&request.does), code(case)))
            .collect();
        append!(
            text,
            "| {} | {} | {} |\n",
            prose(&verdict.client.name),
            verdict.words(),
            failing.join("<br>")
        );
    }
    text.push('\n');
    text
}

fn head(report: &Report) -> String {
    let summary = &report.summary;
    let noun = labels::noun(report);
    let headline = if summary.fail > 0 {
        let broke = if summary.error > 0 {
            format!(", {} broke off", format::number(summary.error))
        } else {
            String::new()
        };
        format!(
            "❌ {} of {} failed{broke}",
            format::number(summary.fail),
            labels::count(summary.total(), noun)
        )
    } else if summary.error > 0 {
        format!("💥 {} broke off", labels::count(summary.error, noun))
    } else if summary.stale > 0 {
        "❌ the baseline has stale entries".to_owned()
    } else if summary.warn > 0 {
        format!("⚠️ {} passed, with warnings", labels::count(summary.pass, noun))
    } else {
        format!("✅ {} passed", labels::count(summary.pass, noun))
    };
    let counts: Vec<String> = labels::counts(summary).into_iter().map(|(_, text)| text).collect();
    let mut about = vec![code(&report.subject)];
    about.push(format!("{} in {}", counts.join(", "), format::duration(report.milliseconds)));
    if report.seed > 0 {
        about.push(format!("seed {}", report.seed));
    }
    if let Some(shard) = &report.shard {
        about.push(format!("shard {}", prose(shard)));
    }
    about.push(prose(&format!("conformance {}", report.version)));
    format!("### Conformance ({}): {headline}\n\n{}\n\n", prose(&report.suite), about.join(" · "))
}

/// Returns the failures in order: causes as paragraphs, cases as rows of tables between them.
fn findings(report: &Report, entries: &[Entry<'_>]) -> String {
    let mut text = String::new();
    let (mut causes, mut rows) = (0, 0);
    let (mut is_apart, mut in_table) = (false, false);
    for entry in entries {
        let (told, most) = match entry {
            Entry::Cause(_) => (&mut causes, CAUSES),
            Entry::Case(_) => (&mut rows, ROWS),
        };
        if *told == most {
            continue;
        }
        *told += 1;
        let begins_apart = !is_apart && entry.is_apart();
        is_apart |= begins_apart;
        match entry {
            Entry::Cause(cause) => {
                if std::mem::take(&mut in_table) {
                    text.push('\n');
                }
                if begins_apart {
                    append!(text, "**{}**\n\n", labels::APART);
                }
                text.push_str(&paragraph(report, cause));
            }
            Entry::Case(case) => {
                if !std::mem::replace(&mut in_table, true) {
                    text.push_str("| | what | why | how to mend |\n|---|---|---|---|\n");
                }
                if begins_apart {
                    append!(text, "| | **{}** | | |\n", labels::APART);
                }
                text.push_str(&row(case));
            }
        }
    }
    if let Some(more) = entries.len().checked_sub(causes + rows).filter(|more| *more > 0) {
        append!(text, "\n… and {} more.\n", format::number(more));
    }
    if in_table {
        text.push('\n');
    }
    text
}

fn paragraph(report: &Report, cause: &Cause<'_>) -> String {
    format!(
        "> **One {} behind {}:** {}. {}\n\n",
        if cause.says_all() { "cause" } else { "refusal" },
        labels::count(cause.cases.len(), labels::noun(report)),
        prose(&format::cut(&cause.because(), CELL)),
        prose(&cause.advice(report)),
    )
}

fn row(case: &CaseResult) -> String {
    let sign = match case.verdict {
        Verdict::Warn => "⚠️ ",
        Verdict::Error => "💥 ",
        Verdict::Fail | Verdict::Pass | Verdict::NotAdvertised | Verdict::Skipped => "❌ ",
    };
    let cell = |text: Option<&String>| text.map_or_else(String::new, |text| prose(&format::cut(text, CELL)));
    format!(
        "| {sign}{} | {}<br>{} {} | {} | {} |\n",
        labels::level(case.level),
        cell(Some(&case.title)),
        code(&case.id),
        section(case),
        cell(case.because.as_ref()),
        cell(case.mend.as_ref()),
    )
}

fn section(case: &CaseResult) -> String {
    let name = prose(&labels::section(&case.spec));
    labels::address(&case.spec).map_or(name.clone(), |address| format!("[{name}]({address})"))
}

fn details(report: &Report, case: &CaseResult) -> String {
    let mut text = format!("<details><summary>{}</summary>\n\n", html(&case.id));
    append!(text, "{}\n\n", prose(&case.requirement));
    for (what, expected, actual) in format::pairs(&case.expected, &case.actual) {
        let what = what.map_or_else(String::new, |what| format!(", {}", code(&what)));
        for (name, value) in [("Expected", expected), ("Got", actual)] {
            if !(value.is_null() && what.is_empty()) {
                append!(text, "{name}{what}:\n{}\n", fenced(value));
            }
        }
    }
    if let Some(example) = &case.example {
        append!(text, "An answer that passes:\n{}\n", fenced(&Value::from(example.as_str())));
    }
    for exchange in &case.exchanges {
        append!(text, "- {}\n", code(&format::cut(&labels::exchange(exchange), CELL)));
    }
    append!(text, "\nAgain: {}\n\n</details>\n\n", code(&labels::again(report, case)));
    text
}

fn known(report: &Report) -> String {
    let known: Vec<String> = report
        .cases
        .iter()
        .filter_map(|case| {
            let known = case.known.as_ref()?;
            let link = known
                .link
                .as_deref()
                .filter(|link| link.starts_with("https://") || link.starts_with("http://"));
            let link =
                link.map_or_else(String::new, |link| format!(" <{}>", link.replace(['<', '>', ' '], "")));
            Some(format!("- {}: {}{link}\n", code(&case.id), prose(&known.reason)))
        })
        .collect();
    if known.is_empty() {
        return String::new();
    }
    format!(
        "<details><summary>{}</summary>\n\n{}\n</details>\n\n",
        labels::count(known.len(), "known failure"),
        known.concat()
    )
}

/// Returns a block of code; its fence is longer than any in it.
fn fenced(value: &Value) -> String {
    let text = format::pretty(value, VALUE);
    let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
    let kind = if value.is_string() || format::in_words(value).is_some() { "" } else { "json" };
    format!("{fence}{kind}\n{text}\n{fence}\n")
}

/// Words as code: nothing in them is obeyed, nobody in them is called.
fn code(text: &str) -> String {
    format!("<code>{}</code>", html(text))
}

/// Escapes a text for HTML within Markdown, in a line or a table cell.
fn html(text: &str) -> String {
    let mut safe = String::new();
    for character in format::one_line(text).chars() {
        match character {
            // Whatever Markdown would obey, within HTML too.
            '&' | '<' | '>' | '"' | '\'' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '@' | '#'
            | '$' => {
                append!(safe, "&#{};", u32::from(character));
            }
            other => safe.push(other),
        }
    }
    // Nor are links looked for.
    safe.replace("://", "&#58;//").replace("www.", "www&#46;")
}

/// Words as words: no mark-up, no links, and nobody is called by `@` or `#`. What is quoted as code is code.
fn prose(text: &str) -> String {
    labels::with_code(
        text,
        // A mention is looked for in the rendered text: something has to stand in between.
        |words| html(words).replace("&#64;", "&#64;&#8203;").replace("&#35;", "&#35;&#8203;"),
        code,
    )
}

fn longest_run(text: &str, of: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for character in text.chars() {
        run = if character == of { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
