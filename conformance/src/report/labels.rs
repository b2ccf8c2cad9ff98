//! The words that all formats share: levels, sections, counts, subjects, and what comes first.

use std::cmp::Reverse;

use super::{CaseResult, OPTIONS, Report, Summary, Verdict};
use crate::format;
use crate::format::number;
use crate::requirement::{Level, Spec};
use crate::transcript::Exchange;

/// The settings, in the order in which they are told.
pub const SETTINGS: [&str; 9] = [
    "Enable users creation",
    "Update method: PUT",
    "Update method: PATCH",
    "Enable users disable",
    "Enabling users again",
    "Deprovision, Remove Action = Disable",
    "Deprovision, Remove Action = Delete",
    "A client whose PUT does not say active",
    "Group members",
];

/// Returns the result of a probe for each preference: setting, rating and text, in the order of the preferences.
pub fn preferences(report: &Report) -> impl Iterator<Item = (&'static str, &str, &str)> {
    let facts = (report.suite == "probe").then_some(&report.facts);
    SETTINGS.into_iter().filter_map(move |setting| {
        let (rating, text) = facts?.get(setting)?.split_once(": ")?;
        Some((setting, rating, text))
    })
}

/// Returns the level as RFC 2119 writes it.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Must => "MUST",
        Level::Should => "SHOULD",
        Level::May => "MAY",
    }
}

/// Returns the section, as in `RFC 7644 §3.5.2.1`, with further places if there are any.
pub fn spec(spec: &Spec) -> String {
    let mut text = section(spec);
    for also in &spec.also {
        text.push_str(", ");
        text.push_str(also);
    }
    text
}

/// Returns the section, as in `RFC 7644 §3.5.2.1`.
pub fn section(Spec { document, section, .. }: &Spec) -> String {
    if section.is_empty() {
        document.clone()
    } else if section.starts_with(|first: char| first.is_ascii_digit()) {
        format!("{document} §{section}")
    } else {
        format!("{document}, {section}")
    }
}

/// Returns the address of the section, or `None` if it has no stable one.
pub fn address(spec: &Spec) -> Option<String> {
    let number = spec.document.strip_prefix("RFC ")?;
    if !number.chars().all(|digit| digit.is_ascii_digit()) || spec.section.is_empty() {
        return None;
    }
    let section =
        spec.section.chars().all(|sign| sign.is_ascii_digit() || sign == '.').then_some(&spec.section)?;
    Some(format!("https://www.rfc-editor.org/rfc/rfc{number}#section-{section}"))
}

/// Returns a number with its noun, as in `1 case`, `2 cases`.
pub fn count(count: usize, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

/// Returns the id of the rule that a case is one place of; `None` if it is a case by itself.
pub fn rule<'a>(report: &Report, id: &'a str) -> Option<&'a str> {
    if report.suite != "server" {
        return None;
    }
    let (end, _) = id.match_indices('/').nth(2)?;
    Some(&id[..end])
}

/// Returns the noun for a suite's cases.
pub fn noun(report: &Report) -> &'static str {
    if report.suite == "matrix" { "cell" } else { "case" }
}

/// Returns the word for a verdict.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Warn => "warning",
        Verdict::NotAdvertised => "not advertised",
        Verdict::Skipped => "skipped",
        Verdict::Error => "broke off",
    }
}

/// Returns the counts that are not zero, in words, each with the verdict whose colour it has.
pub fn counts(summary: &Summary) -> Vec<(Option<Verdict>, String)> {
    let Summary { pass, fail, warn, not_advertised, skipped, error, known, stale } = *summary;
    let warnings = if warn == 1 { "warning" } else { "warnings" };
    let entries = if stale == 1 { "stale baseline entry" } else { "stale baseline entries" };
    [
        (Some(Verdict::Pass), pass, "passed"),
        (Some(Verdict::Fail), fail, "failed"),
        (Some(Verdict::Warn), warn, warnings),
        (None, known, "known"),
        (Some(Verdict::NotAdvertised), not_advertised, "not advertised"),
        (Some(Verdict::Skipped), skipped, "skipped"),
        (Some(Verdict::Error), error, "broke off"),
        (Some(Verdict::Fail), stale, entries),
    ]
    .into_iter()
    .filter(|(_, count, _)| *count > 0)
    .map(|(verdict, count, word)| (verdict, format!("{} {word}", number(count))))
    .collect()
}

/// Whether somebody has to look at a case: it broke off, or it failed and is not in the baseline.
pub fn needs_attention(case: &CaseResult) -> bool {
    match case.verdict {
        Verdict::Error => true,
        Verdict::Fail | Verdict::Warn => case.known.is_none(),
        Verdict::Pass | Verdict::NotAdvertised | Verdict::Skipped => false,
    }
}

/// The urgency: whether a case is optional, its rank, and its level.
pub type Urgency = (bool, u8, Level);

/// Returns the urgency of a case: failures of a MUST first, then cases that broke off, then warnings, then known
/// failures; optional cases come after all of these.
pub fn urgency(case: &CaseResult) -> Urgency {
    let rank = match (case.verdict, &case.known) {
        (Verdict::Fail, None) => 0,
        (Verdict::Error, _) => 1,
        (Verdict::Warn, None) => 2,
        (Verdict::Fail, Some(_)) => 3,
        (Verdict::Warn, Some(_)) => 4,
        (Verdict::Skipped, _) => 5,
        (Verdict::NotAdvertised, _) => 6,
        (Verdict::Pass, _) => 7,
    };
    (is_apart(case), rank, case.level)
}

/// The heading of what stands apart.
pub const APART: &str = "Optional, and habits of single clients";

/// Tags of the clients whose habits cases are about.
const CLIENTS: [&str; 3] = ["entra", "okta", "sailpoint"];

/// Whether a case is about something optional, or a habit of one client that no document asks a server to take.
pub fn is_apart(case: &CaseResult) -> bool {
    let habit = case.tags.iter().any(|tag| CLIENTS.contains(&tag.as_str()));
    case.level == Level::May || habit && case.level != Level::Must
}

/// Returns the rank of a case by the order in which a client depends on it: connect, create, find, disable, list,
/// groups; then the rest.
fn need(case: &CaseResult) -> u8 {
    let id = case.id.as_str();
    let slug = id.rsplit('/').next().unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| slug.contains(word));
    let section = |sections: &[&str]| {
        case.spec.document == "RFC 7644"
            && sections.iter().any(|start| {
                case.spec
                    .section
                    .strip_prefix(start)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    };
    let of_groups = |word: &str| ["group", "groups"].contains(&word);
    if says(&["group", "member"]) || case.title.split_whitespace().any(of_groups) {
        GROUPS
    } else if says(&["cannot-be-"]) && section(&["4"]) {
        // That nobody writes to discovery is no client's need.
        7
    } else if section(&["2", "4"]) || says(&["connection-can-be-tested", "endpoints-answer"]) {
        0
    } else if section(&["3.3"]) || says(&["is-looked-up-before"]) {
        1
    } else if says(&["disable", "enable", "activat", "inactive", "active"]) && !says(&["interactive"]) {
        3
    } else if section(&["3.4.1", "3.4.2.2"]) || says(&["finds", "still-found"]) {
        2
    } else if section(&["3.4"]) {
        4
    } else {
        6
    }
}

/// The rank of groups in that order.
const GROUPS: u8 = 5;

/// Returns the cases that need attention, the most important first; of the same importance, those on which others
/// depend.
pub fn by_importance(cases: &[CaseResult]) -> Vec<&CaseResult> {
    let mut cases: Vec<&CaseResult> = cases.iter().filter(|case| needs_attention(case)).collect();
    cases.sort_by(|a, b| key(a).cmp(&key(b)));
    cases
}

/// Sorts cases, the most important first.
pub fn sort(cases: &mut [&CaseResult]) {
    cases.sort_by(|a, b| key(a).cmp(&key(b)));
}

/// The importance of a case for clients, its urgency first.
type Importance = (Urgency, bool, u8, bool);

fn needed(case: &CaseResult) -> Importance {
    let builds_upon = !case.tags.iter().any(|tag| tag == FOUNDATION);
    let need = need(case);
    // Only what is about groups is built upon what groups are like.
    (urgency(case), builds_upon || need == GROUPS, need, builds_upon)
}

fn key(case: &CaseResult) -> (Importance, usize, &str) {
    (needed(case), subject(case).0, &case.id)
}

/// Returns the place of a cause of several cases: that of the most needed of them, the first; then by their number.
pub(super) fn place_of_cause<'a>(
    cases: &[&'a CaseResult],
) -> (Option<Importance>, Reverse<usize>, Option<(usize, &'a str)>) {
    let first = cases.first().copied();
    let place = first.map(|case| (subject(case).0, case.id.as_str()));
    (first.map(needed), Reverse(cases.len()), place)
}

/// The tag of cases about what nearly all others build upon.
pub const FOUNDATION: &str = "foundation";

/// The tag of cases that ask whether requests after each other, and at the same time, say the same.
pub const CONSISTENCY: &str = "consistency";

/// Sections of RFC 7644 and 7643 by what they are about; the first that fits decides. In the order in which things
/// build upon each other.
const SUBJECTS: [(&str, &[&str]); 15] = [
    ("Authentication and security", &["7644/2", "7644/7", "7643/9.3", "7643/7.9"]),
    ("Discovery", &["7644/4", "7643/5", "7643/6", "7643/7", "7643/8.5", "7643/8.6", "7643/8.7"]),
    ("Reading", &["7644/3.4.1"]),
    ("Filters", &["7644/3.4.2.2"]),
    ("Sorting", &["7644/3.4.2.3"]),
    ("Paging", &["7644/3.4.2.4", "9865/"]),
    ("Which attributes are returned", &["7644/3.4.2.5", "7644/3.9"]),
    ("Lists and search", &["7644/3.4.2", "7644/3.4.3", "7644/3.4"]),
    ("Partial updates (PATCH)", &["7644/3.5.2"]),
    ("Replacing (PUT)", &["7644/3.5.1", "7644/3.5"]),
    ("Deleting", &["7644/3.6"]),
    ("Bulk requests", &["7644/3.7"]),
    ("Versions and conditional requests", &["7644/3.14"]),
    (
        "Errors, media types and other rules of the protocol",
        &["7644/3.1", "7644/3.8", "7644/3.11", "7644/3.12", "7644/3.13", "7644/5"],
    ),
    ("Creating", &["7644/3.3", "7644/3.2"]),
];

/// The rank of creation in that order, because everything needs it though its section comes last.
const CREATING: usize = 14;

/// The beginning of a tag that says what a case is about, where its section doesn't.
pub const ABOUT: &str = "about:";

/// Returns the subject of a case, with its place in the order of subjects: by a tag like `about:paging`, else by the
/// section.
pub fn subject(case: &CaseResult) -> (usize, String) {
    if is_apart(case) && needs_attention(case) {
        return (SUBJECTS.len() + 9, APART.to_owned());
    }
    if let Some(about) = case.tags.iter().find_map(|tag| tag.strip_prefix(ABOUT)) {
        return (SUBJECTS.len(), about.to_owned());
    }
    subject_of(&case.spec)
}

/// Returns the subject of a section, with its place in the order of subjects.
pub fn subject_of(Spec { document, section, .. }: &Spec) -> (usize, String) {
    if let Some(number) = document.strip_prefix("RFC ") {
        let place = format!("{number}/{section}");
        let is_below = |start: &str| {
            place
                .strip_prefix(start)
                .is_some_and(|rest| start.ends_with('/') || !rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        // The longest that fits: 3.4.2.2 before 3.4.2.
        let found = SUBJECTS
            .iter()
            .enumerate()
            .flat_map(|(at, (name, starts))| starts.iter().map(move |start| (at, *name, *start)))
            .filter(|(_, _, start)| is_below(start))
            .max_by_key(|(_, _, start)| start.len());
        if let Some((at, name, _)) = found {
            let order = if at == CREATING {
                2
            } else if at < 2 {
                at
            } else {
                at + 1
            };
            return (order, name.to_owned());
        }
        if number == "7643" {
            return (SUBJECTS.len() + 1, "Resources and their attributes".to_owned());
        }
        return (SUBJECTS.len() + 2, format!("RFC {number}"));
    }
    (SUBJECTS.len() + 3, if document.is_empty() { "Others".to_owned() } else { document.clone() })
}

/// Groups cases by subject: first the subjects with the most urgent case, then in the order in which they depend on
/// each other.
pub fn groups<'a>(cases: impl IntoIterator<Item = &'a CaseResult>) -> Vec<(String, Vec<&'a CaseResult>)> {
    let mut groups: Vec<(usize, String, Vec<&CaseResult>)> = Vec::new();
    for case in cases {
        let (order, name) = subject(case);
        match groups.iter_mut().find(|(_, known, _)| *known == name) {
            Some((_, _, cases)) => cases.push(case),
            None => groups.push((order, name, vec![case])),
        }
    }
    for (_, _, cases) in &mut groups {
        sort(cases);
    }
    groups.sort_by_key(|(order, name, cases)| {
        let worst = cases.first().map(|case| urgency(case));
        let as_bad = cases.iter().filter(|case| Some(urgency(case)) == worst).count();
        (worst, cases.first().map(|case| need(case)), *order, Reverse(as_bad), name.clone())
    });
    groups.into_iter().map(|(_, name, cases)| (name, cases)).collect()
}

/// Returns the `conformance explain` command for a case, or `None` if the suite has no cases of its own.
pub fn explain(report: &Report, case: &CaseResult) -> Option<String> {
    (report.not_judged.is_none() && ["server", "client", "matrix", "probe"].contains(&report.suite.as_str()))
        .then(|| format!("conformance explain {}", case.id))
}

/// Returns the command line that runs the case alone.
pub fn again(report: &Report, case: &CaseResult) -> String {
    let target = if report.subject.contains("://") { format!(" {}", report.subject) } else { String::new() };
    let seed = if report.seed == 0 { String::new() } else { format!(" --seed {}", report.seed) };
    let select = match report.suite.as_str() {
        // Whatever was to be run is.
        _ if report.not_judged.is_some() => String::new(),
        // A probe is one thing: its answers say something together. An exploration finds its violations by chance.
        "probe" | "explore" => String::new(),
        "mutants" => match case.id.strip_prefix("mutant/") {
            Some(slug) => format!(" --select 'slug={slug}'"),
            None => String::new(),
        },
        _ => format!(" --select 'id={}'", case.id),
    };
    let options = report.facts.get(OPTIONS).map(|options| format!(" {options}")).unwrap_or_default();
    format!("conformance {}{target}{options}{seed}{select}", report.suite)
}

/// Returns an exchange on one line.
pub fn exchange(exchange: &Exchange) -> String {
    let Exchange { request, response, error, .. } = exchange;
    let answer = match (response, error) {
        (Some(response), _) => {
            format!("{} {}", response.status, phrase(response.status)).trim_end().to_owned()
        }
        (None, Some(error)) => error.clone(),
        (None, None) => "no answer".to_owned(),
    };
    format::one_line(&format!("{} {} -> {answer}", request.method, request.url)).into_owned()
}

/// Returns the reason phrase of a status.
pub fn phrase(status: u16) -> &'static str {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default()
}

/// Formats a text whose parts between backticks are code.
pub fn with_code(text: &str, words: impl Fn(&str) -> String, code: impl Fn(&str) -> String) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        // One of them has no other.
        return words(text);
    }
    let mut written = String::new();
    for (at, part) in parts.into_iter().enumerate() {
        written.push_str(&if at % 2 == 0 { words(part) } else { code(part) });
    }
    written
}
