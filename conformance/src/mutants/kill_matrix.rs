//! The kill table: which cases find which mutants.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::case::Case;
use crate::explore;
use crate::mutants::defect::Defective;
use crate::mutants::run::{EXPLORE, Played};
use crate::report::{CaseResult, OPTIONS, Report, Verdict, labels};
use crate::requirement::{Level, Spec};

/// The name of the suite whose mutants are clients.
const CLIENTS: &str = "the suite of conformance client";

/// The result of one mutant.
#[derive(Debug, Clone)]
pub struct Row {
    /// The slug.
    pub slug: String,
    /// The defect.
    pub defect: String,
    /// The cases that name the defect.
    pub found_by: Vec<String>,
    /// Cases that failed.
    pub failed: BTreeSet<String>,
    /// Cases that warned.
    pub warned: BTreeSet<String>,
    /// Cases that could not be judged.
    pub broken: BTreeSet<String>,
}

impl Row {
    /// Returns the row of a mutant from the report of its run.
    pub(crate) fn of(mutant: &impl Defective, report: &Report) -> Self {
        let with = |verdict: Verdict| {
            report.cases.iter().filter(|case| case.verdict == verdict).map(|case| case.id.clone()).collect()
        };
        Self {
            slug: mutant.slug().to_owned(),
            defect: mutant.defect().to_owned(),
            found_by: mutant.found_by().to_vec(),
            failed: with(Verdict::Fail),
            warned: with(Verdict::Warn),
            broken: with(Verdict::Error),
        }
    }

    /// Returns the cases and rules that name the defect and do not see it. A rule sees it by any of its findings.
    pub fn missing(&self) -> Vec<&str> {
        let is_missing = |named: &&String| {
            let rule = format!("{named}/");
            let is_it = |id: &String| id == *named || (named.starts_with(EXPLORE) && id.starts_with(&rule));
            !self.failed.iter().chain(&self.warned).any(is_it)
        };
        self.found_by.iter().filter(is_missing).map(String::as_str).collect()
    }

    /// Returns the rules of `explore` that find it.
    pub fn rules(&self) -> BTreeSet<&str> {
        let ids = self.failed.iter().chain(&self.warned).filter_map(|id| id.strip_prefix(EXPLORE));
        ids.map(|id| id.split('/').next().unwrap_or(id)).collect()
    }

    /// Whether the mutant is found as it says.
    pub fn is_found(&self) -> bool {
        !self.found_by.is_empty() && self.missing().is_empty()
    }
}

/// The kill matrix.
#[derive(Debug, Clone)]
pub struct KillTable {
    /// The rows, by slug.
    pub rows: Vec<Row>,
    /// MUST cases, each with the mutants on which it fails.
    pub must: BTreeMap<String, Vec<String>>,
    /// The number of all cases.
    pub cases: usize,
    /// The cases that fail on the clean server, with the reason.
    pub unclean: Vec<(String, String)>,
    /// Cases that a mutant names and that are not there.
    pub unknown: Vec<String>,
    /// The subject of each case, with its place in the order of subjects.
    pub subjects: BTreeMap<String, (usize, String)>,
    /// The suite of the cases, as in `the suite of conformance server`.
    pub suite: String,
}

/// Returns ids, with those that are places of one rule told once, as `rule/*`, if there are several.
fn by_rule(ids: &[String]) -> Vec<String> {
    let rule = |id: &str| id.match_indices('/').nth(2).map(|(end, _)| format!("{}/*", &id[..end]));
    let mut told: Vec<String> = Vec::new();
    for id in ids {
        let rule = rule(id).filter(|of| ids.iter().filter(|id| rule(id).as_ref() == Some(of)).count() > 1);
        let name = rule.unwrap_or_else(|| id.clone());
        if !told.contains(&name) {
            told.push(name);
        }
    }
    told
}

impl KillTable {
    pub(crate) fn new(rows: Vec<Row>, clean: &Report, cases: &[Case], played: Played) -> Self {
        let subjects = cases.iter().map(|case| (case.id.clone(), labels::subject_of(&case.spec))).collect();
        let cases: Vec<_> = cases.iter().map(|case| (case.id.clone(), case.level)).collect();
        let table = Self::made("the suite of conformance server", rows, clean, &cases, played);
        Self { subjects, ..table }
    }

    /// Returns the table of broken clients.
    pub(crate) fn of_clients(rows: Vec<Row>, clean: &Report, cases: &[(String, Level)]) -> Self {
        Self::made(CLIENTS, rows, clean, cases, Played::All)
    }

    fn made(suite: &str, rows: Vec<Row>, clean: &Report, cases: &[(String, Level)], played: Played) -> Self {
        let mut must: BTreeMap<String, Vec<String>> = cases
            .iter()
            .filter(|(_, level)| *level == Level::Must)
            .map(|(id, _)| (id.clone(), Vec::new()))
            .collect();
        let ids: BTreeSet<&str> = cases.iter().map(|(id, _)| id.as_str()).collect();
        let mut unknown = BTreeSet::new();
        for row in &rows {
            for case in &row.failed {
                // Where only the named cases are played, only those count.
                let counts = played == Played::All || row.found_by.contains(case);
                if let Some(killed) = must.get_mut(case).filter(|_| counts) {
                    killed.push(row.slug.clone());
                }
            }
            let is_unknown = |id: &&String| match id.strip_prefix(EXPLORE) {
                Some(rule) => !explore::rules().any(|known| known == rule),
                None => !ids.contains(id.as_str()),
            };
            unknown.extend(row.found_by.iter().filter(is_unknown).cloned());
        }
        let unclean = clean
            .cases
            .iter()
            .filter(|case| !matches!(case.verdict, Verdict::Pass | Verdict::NotAdvertised))
            .map(|case| {
                (
                    case.id.clone(),
                    format!("{}: {}", case.verdict.as_str(), case.because.clone().unwrap_or_default()),
                )
            })
            .collect();
        Self {
            rows,
            must,
            cases: cases.len(),
            unclean,
            unknown: unknown.into_iter().collect(),
            subjects: BTreeMap::new(),
            suite: suite.to_owned(),
        }
    }

    /// Returns the MUST cases that no mutant makes fail.
    pub fn idle(&self) -> impl Iterator<Item = &str> {
        self.must.iter().filter(|(_, killed)| killed.is_empty()).map(|(case, _)| case.as_str())
    }

    /// Mutants that are not found as they say.
    pub fn survivors(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.is_found())
    }

    /// Whether every mutant is found, every MUST case fails on one, and the clean server is clean.
    pub fn is_complete(&self) -> bool {
        self.survivors().next().is_none()
            && self.idle().next().is_none()
            && self.unclean.is_empty()
            && self.unknown.is_empty()
    }

    /// Returns the counts, in a sentence.
    pub fn summary(&self) -> String {
        let found = self.rows.len() - self.survivors().count();
        let killed = self.must.len() - self.idle().count();
        format!(
            "{found} of {} mutants found by the cases that name their defects; {killed} of {} MUST cases fail on at least one mutant; {} of {} cases wrong on the clean server",
            self.rows.len(),
            self.must.len(),
            self.unclean.len(),
            self.cases
        )
    }

    /// Returns the table as text: troubles first, then a line a mutant.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (case, why) in &self.unclean {
            append!(text, "UNCLEAN   {case}  {why}\n");
        }
        for row in self.survivors() {
            let missing = row.missing();
            let missing = if missing.is_empty() {
                "no case names it".to_owned()
            } else {
                format!("not seen by {}", missing.join(", "))
            };
            append!(text, "SURVIVES  {}  {}: {missing}\n", row.slug, row.defect);
        }
        for case in self.idle() {
            append!(text, "IDLE      {case}  fails on no mutant\n");
        }
        for case in &self.unknown {
            append!(text, "UNKNOWN   {case}  is named by a mutant and is no case\n");
        }
        for row in self.rows.iter().filter(|row| !row.broken.is_empty()) {
            let broken: Vec<_> = row.broken.iter().map(String::as_str).collect();
            append!(text, "BROKEN    {}  could not be judged: {}\n", row.slug, broken.join(", "));
        }
        text
    }

    /// Returns the counts by subject, in Markdown, or nothing if the subjects are unknown. A mutant counts at the
    /// first case that names it.
    pub fn by_subject(&self) -> String {
        let mut counts: BTreeMap<&(usize, String), [usize; 4]> = BTreeMap::new();
        for row in &self.rows {
            let Some(subject) = row.found_by.first().and_then(|case| self.subjects.get(case)) else {
                continue;
            };
            let counts = counts.entry(subject).or_default();
            counts[0] += 1;
            counts[1] += usize::from(row.is_found());
        }
        for (case, killed) in &self.must {
            let Some(subject) = self.subjects.get(case) else { continue };
            let counts = counts.entry(subject).or_default();
            counts[2] += 1;
            counts[3] += usize::from(!killed.is_empty());
        }
        if counts.is_empty() {
            return String::new();
        }
        let mut text =
            "| what it is about | mutants | found | MUST cases | fail on one at least |\n|---|---|---|---|---|\n".to_owned();
        for ((_, subject), [mutants, found, must, killed]) in counts {
            append!(text, "| {subject} | {mutants} | {found} | {must} | {killed} |\n");
        }
        text
    }

    /// Returns the table in Markdown: the counts, then every mutant, its defect, and the cases that name it.
    pub fn markdown(&self) -> String {
        let counts = self.by_subject();
        let counts = if counts.is_empty() { counts } else { format!("{counts}\n") };
        let mut text =
            format!("{}.\n\n{counts}| mutant | defect | found by |\n|---|---|---|\n", self.summary());
        for row in &self.rows {
            let named = if self.suite == CLIENTS { row.found_by.clone() } else { by_rule(&row.found_by) };
            let cases: Vec<_> = named.iter().map(|case| format!("`{case}`")).collect();
            let found = if row.is_found() {
                cases.join("<br>")
            } else {
                format!("**not found**: {}", row.missing().join(", "))
            };
            append!(text, "| `{}` | {} | {found} |\n", row.slug, row.defect.replace('|', "\\|"));
        }
        text
    }

    /// Returns the table as the report of all suites: a case a mutant, and one for each MUST case that fails on none.
    pub fn report(&self, milliseconds: u64) -> Report {
        let spec = || Spec {
            document: if self.suite == CLIENTS {
                "conformance/data/client"
            } else {
                "conformance/data/mutants"
            }
            .to_owned(),
            section: "kill table".to_owned(),
            also: Vec::new(),
        };
        let case = |id: String,
                    title: String,
                    verdict: Verdict,
                    because: Option<String>,
                    seen: &BTreeSet<String>| {
            let requirement = "Every mutant is found by the cases that name its defect, and every MUST case fails on a mutant.";
            CaseResult {
                verdict,
                because,
                actual: json!(seen),
                ..CaseResult::new(id, title, Level::Must, requirement.to_owned(), spec())
            }
        };
        let none = BTreeSet::new();
        let mut cases: Vec<_> = self
            .rows
            .iter()
            .map(|row| {
                let verdict = if row.is_found() { Verdict::Pass } else { Verdict::Fail };
                let because = (!row.is_found()).then(|| format!("not seen by {}", row.missing().join(", ")));
                case(format!("mutant/{}", row.slug), row.defect.clone(), verdict, because, &row.failed)
            })
            .collect();
        cases.extend(self.idle().map(|id| {
            let because = Some("fails on no mutant".to_owned());
            case(format!("idle/{id}"), format!("{id} fails on a mutant"), Verdict::Fail, because, &none)
        }));
        cases.extend(self.unclean.iter().map(|(id, why)| {
            case(
                format!("clean/{id}"),
                format!("{id} passes on the clean server"),
                Verdict::Fail,
                Some(why.clone()),
                &none,
            )
        }));
        cases.extend(self.unknown.iter().map(|id| {
            let because = Some("a mutant names it, and there is no such case".to_owned());
            case(format!("unknown/{id}"), format!("{id} is a case"), Verdict::Fail, because, &none)
        }));
        let options = (self.suite == CLIENTS).then(|| (OPTIONS.to_owned(), "--client".to_owned()));
        let facts = options.into_iter().collect();
        Report { seed: 1, milliseconds, facts, ..Report::new("mutants", &self.suite, cases) }
    }
}
