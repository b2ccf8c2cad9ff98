//! The report for a terminal: failures with reason and remedy, and the counts at the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{CaseResult, Report, Verdict};
use crate::format;
use crate::report::entries::{self, Entry};
use crate::report::labels;
use crate::report::root_causes::Cause;
use crate::report::stages;
use crate::transcript::Exchange;

/// Failures told in full; the rest are counted, and told in the written reports.
const TOLD_IN_FULL: usize = 20;
/// Requests of a client that are shown of a finding.
const SHOWN: usize = 3;
/// Characters of a value.
const VALUE: usize = 300;

/// Characters of an example answer, which is worth little by half.
const EXAMPLE: usize = 900;

/// Whether the terminal shows colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Colours.
    Colours,
    /// No colours.
    Plain,
}

impl Paint {
    /// Returns whether standard output shows colours.
    pub fn of_stdout() -> Self {
        use std::io::IsTerminal;
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if std::io::stdout().is_terminal() && !set("NO_COLOR") && !dumb { Self::Colours } else { Self::Plain }
    }

    fn with(self, code: &str, text: &str) -> String {
        match self {
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }

    fn verdict(self, verdict: Verdict, text: &str) -> String {
        let code = match verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "1;31",
            Verdict::Error => "1;35",
            Verdict::Warn => "33",
            Verdict::NotAdvertised | Verdict::Skipped => "2",
        };
        self.with(code, text)
    }

    fn faint(self, text: &str) -> String {
        self.with("2", text)
    }
}

/// Returns the cases that need attention: failures, cases that broke off, warnings; then stale entries of the
/// baseline.
pub fn failures(report: &Report, paint: Paint) -> String {
    let mut text = String::new();
    let (entries, alike) = folded(entries::in_order(report));
    // What is optional, and the habits of single clients, stand apart.
    let mut is_apart = false;
    let mut cases = 0_usize;
    for entry in &entries {
        cases += usize::from(matches!(entry, Entry::Case(_)));
        if cases > TOLD_IN_FULL && matches!(entry, Entry::Case(_)) {
            continue;
        }
        if !is_apart && entry.is_apart() {
            is_apart = true;
            append!(text, "{}\n\n", paint.with("1", labels::APART));
        }
        match entry {
            Entry::Cause(it) => cause(&mut text, report, it, paint),
            Entry::Case(case) => {
                failure(&mut text, report, case, paint);
                let others = case.because.as_deref().and_then(|because| alike.get(because));
                if let Some(others) = others.filter(|_| case.verdict == Verdict::Error) {
                    append!(text, "… and {} more for the same reason\n\n", format::number(*others));
                }
            }
        }
    }
    if let Some(left_out) = cases.checked_sub(TOLD_IN_FULL).filter(|left_out| *left_out > 0) {
        let left_out = format::number(left_out);
        append!(text, "… and {left_out} more; `--report html=FILE` or `json=FILE` has them all\n\n");
    }
    for stale in &report.stale {
        append!(text, "{} {}\n", paint.verdict(Verdict::Fail, "STALE"), format::one_line(stale));
    }
    if !report.stale.is_empty() {
        text.push('\n');
    }
    text
}

/// Folds cases that broke off for the same reason into one, and returns the number of further ones by reason.
fn folded(entries: Vec<Entry<'_>>) -> (Vec<Entry<'_>>, BTreeMap<&str, usize>) {
    let mut seen = BTreeSet::new();
    let mut alike = BTreeMap::new();
    let told = entries.into_iter().filter(|entry| {
        let Entry::Case(case) = entry else { return true };
        match case.because.as_deref() {
            Some(because) if case.verdict == Verdict::Error && !seen.insert(because) => {
                *alike.entry(because).or_default() += 1;
                false
            }
            _ => true,
        }
    });
    (told.collect(), alike)
}

/// Writes a cause of several cases.
fn cause(text: &mut String, report: &Report, cause: &Cause<'_>, paint: Paint) {
    append!(
        *text,
        "{} {}\n",
        paint.verdict(Verdict::Fail, "CAUSE"),
        paint.with("1", &format::one_line(&cause.because()))
    );
    let ids: Vec<&str> = cause.cases.iter().map(|case| case.id.as_str()).collect();
    let mut line = |name: &str, value: &str| {
        append!(*text, "      {} {}\n", paint.faint(&format!("{name:<9}")), format::one_line(value));
    };
    line("means", &cause.advice(report));
    if let Some(example) = cause.example() {
        line("example", &on_one_line(example));
    }
    line("among", &ids.join(", "));
    text.push('\n');
}

fn failure(text: &mut String, report: &Report, case: &CaseResult, paint: Paint) {
    let head = match case.verdict {
        Verdict::Fail => "FAIL ",
        Verdict::Warn => "WARN ",
        Verdict::Error => "ERROR",
        Verdict::Pass | Verdict::NotAdvertised | Verdict::Skipped => "     ",
    };
    append!(
        *text,
        "{} {}  {}\n",
        paint.verdict(case.verdict, head),
        paint.with("1", &format::one_line(&case.id)),
        paint.faint(&format::one_line(&format!(
            "{}, {}",
            labels::level(case.level),
            labels::spec(&case.spec)
        )))
    );
    let mut line = |name: &str, value: &str| {
        append!(*text, "      {} {}\n", paint.faint(&format!("{name:<9}")), format::one_line(value));
    };
    line("holds if", &case.title);
    if let Some(because) = &case.because {
        line("why", because);
    }
    for (what, expected, actual) in format::pairs(&case.expected, &case.actual) {
        if let Some(what) = &what {
            line("about", what);
        }
        for (name, value) in [("expected", expected), ("got", actual)] {
            if !value.is_null() || what.is_some() {
                line(name, &format::value(value, VALUE));
            }
        }
    }
    for exchange in shown(report, case) {
        line("request", &labels::exchange(exchange));
    }
    if let Some(mend) = &case.mend {
        line("mend", mend);
    }
    if let Some(example) = &case.example {
        line("example", &on_one_line(example));
    }
    if let Some(explain) = labels::explain(report, case) {
        line("more", &explain);
    }
    line("again", &labels::again(report, case));
    text.push('\n');
}

/// Returns the requests that show the failure: all that were found of a client, the last one sent to a server.
fn shown<'a>(report: &Report, case: &'a CaseResult) -> &'a [Exchange] {
    let all = case.exchanges.as_slice();
    if report.suite == "client" { &all[..all.len().min(SHOWN)] } else { &all[all.len().saturating_sub(1)..] }
}

/// Returns an example answer without line breaks and insignificant blanks.
fn on_one_line(example: &str) -> String {
    let (head, body) = example.split_once("\n\n").unwrap_or((example, ""));
    let body = match serde_json::from_str::<Value>(body) {
        Ok(json) => json.to_string(),
        Err(_) => body.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    let text = format!("{} {body}", head.lines().collect::<Vec<_>>().join(" "));
    format::cut(text.trim_end(), EXAMPLE).into_owned()
}

/// Returns the stages in which clients need a server, with the first one that fails opened, and a line for each client. Empty for
/// other suites, and for a report of a few cases.
pub fn stages(report: &Report, paint: Paint) -> String {
    let stages = stages::stages(report);
    if report.suite != "server" || report.not_judged.is_some() || stages.len() < FEW_STAGES {
        return String::new();
    }
    let mut text = String::new();
    let mut is_opened = false;
    for count in &stages {
        let (verdict, sign) = match (count.failed, count.warned) {
            (0, 0) => (Verdict::Pass, "ok  "),
            (0, _) => (Verdict::Warn, "warn"),
            _ => (Verdict::Fail, "FAIL"),
        };
        let told = match (count.failed, count.warned) {
            (0, 0) => format!("{} held", count.judged),
            (0, warned) => format!("{warned} of {} warn", count.judged),
            (failed, _) => format!("{failed} of {} failed", count.judged),
        };
        append!(text, "{} {:<8} {told}\n", paint.verdict(verdict, sign), count.stage.word());
        if count.failed > 0 && !is_opened {
            is_opened = true;
            let failed: Vec<_> = stages::failed(report, count.stage).collect();
            for case in failed.iter().take(OPENED) {
                let because = case.because.as_deref().unwrap_or(&case.title);
                append!(
                    text,
                    "       {}: {}\n",
                    paint.faint(&case.id),
                    format::one_line(&format::cut(because, EXAMPLE))
                );
            }
            if failed.len() > OPENED {
                append!(text, "       … and {} more\n", failed.len() - OPENED);
            }
        }
    }
    text.push('\n');
    for verdict in stages::verdicts(report) {
        let sign = match verdict.words() {
            "works" => Verdict::Pass,
            "does not work" => Verdict::Fail,
            _ => Verdict::Warn,
        };
        append!(text, "{}: {}\n", verdict.client.name, paint.verdict(sign, verdict.words()));
        for (request, case, why) in verdict.failing() {
            append!(
                text,
                "       {}: {} {}\n",
                request.does,
                format::one_line(&format::cut(why, EXAMPLE)),
                paint.faint(case)
            );
        }
    }
    text.push('\n');
    text
}

/// A report of fewer stages is of a few cases.
const FEW_STAGES: usize = 5;

/// Cases of the first stage that fails, as they are shown.
const OPENED: usize = 3;

/// Returns the count and the time, on one line.
pub fn summary(report: &Report, paint: Paint) -> String {
    let parts: Vec<String> = labels::counts(&report.summary)
        .into_iter()
        .map(|(verdict, text)| verdict.map_or_else(|| text.clone(), |verdict| paint.verdict(verdict, &text)))
        .collect();
    format!(
        "{} of {} in {}: {}\n",
        labels::count(report.summary.total(), labels::noun(report)),
        format::one_line(&report.subject),
        format::duration(report.milliseconds),
        if parts.is_empty() { "nothing was run".to_owned() } else { parts.join(", ") },
    )
}

/// Returns a case as a line of NDJSON.
///
/// # Errors
/// The case cannot be written as JSON.
pub fn json_line(kind: &str, case: &CaseResult) -> serde_json::Result<Value> {
    let mut line = serde_json::to_value(case)?;
    line["type"] = kind.into();
    Ok(line)
}

/// Returns the last line of NDJSON.
///
/// # Errors
/// The summary cannot be written as JSON.
pub fn json_summary(report: &Report, extras: &serde_json::Map<String, Value>) -> serde_json::Result<Value> {
    let mut line = serde_json::to_value(report.summary)?;
    line["type"] = "summary".into();
    line["milliseconds"] = report.milliseconds.into();
    if !report.stale.is_empty() {
        line["staleEntries"] = report.stale.clone().into();
    }
    if let Some(why) = &report.not_judged {
        line["notJudged"] = serde_json::to_value(why)?;
    }
    for (name, value) in extras {
        line[name] = value.clone();
    }
    Ok(line)
}
