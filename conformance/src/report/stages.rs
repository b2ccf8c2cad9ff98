//! The first screen of a report on a server: the stages in which real clients need it, and whether each client would work.

use std::sync::OnceLock;

use serde::Deserialize;

use crate::report::{CaseResult, Report, Verdict};

include!(concat!(env!("OUT_DIR"), "/clients.rs"));

/// A stage, in the order in which clients need them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Discovery, credentials, the connection test.
    Connect,
    /// POST of users.
    Create,
    /// Reads and filters.
    Find,
    /// PUT and PATCH of users.
    Update,
    /// `active`.
    Disable,
    /// DELETE.
    Delete,
    /// Lists, pages, order, projection.
    Lists,
    /// Groups and members.
    Groups,
    /// Everything else.
    Rest,
}

impl Stage {
    /// All stages.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Create,
        Self::Find,
        Self::Update,
        Self::Disable,
        Self::Delete,
        Self::Lists,
        Self::Groups,
        Self::Rest,
    ];

    /// Returns the word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Create => "create",
            Self::Find => "find",
            Self::Update => "update",
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::Lists => "lists",
            Self::Groups => "groups",
            Self::Rest => "the rest",
        }
    }

    /// Returns the stage of a case.
    pub fn of(case: &CaseResult) -> Self {
        let (document, section) = (case.spec.document.as_str(), case.spec.section.as_str());
        let has = |word: &str| case.id.contains(word);
        if has("group") || has("member") {
            return Self::Groups;
        }
        if has("disable")
            || has("enabled-by")
            || has("deactivat")
            || has("false-as-text")
            || has("okta-without-a-path")
        {
            return Self::Disable;
        }
        match (document, section) {
            ("RFC 7644", section) if is_below(section, &["2", "4"]) => Self::Connect,
            ("RFC 7643", section) if is_below(section, &["5", "6", "7"]) => Self::Connect,
            ("RFC 7644", section) if is_below(section, &["3.3"]) => Self::Create,
            ("RFC 7644", section) if is_below(section, &["3.4.1", "3.4.2.2"]) => Self::Find,
            ("RFC 7644", section) if is_below(section, &["3.5"]) => Self::Update,
            ("RFC 7644", section) if is_below(section, &["3.6"]) => Self::Delete,
            ("RFC 7644", section) if is_below(section, &["3.4", "3.9"]) => Self::Lists,
            ("RFC 9865", _) => Self::Lists,
            _ if has("connection-can-be-tested") => Self::Connect,
            _ if has("looked-up-before") => Self::Create,
            _ if has("updated-by") => Self::Update,
            _ if has("user-is-deleted") => Self::Delete,
            _ => Self::Rest,
        }
    }
}

/// Whether a section is one of these, or below one.
fn is_below(section: &str, all: &[&str]) -> bool {
    all.iter()
        .any(|known| section.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The counts of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StageCount {
    /// The stage.
    pub stage: Stage,
    /// Cases that were judged.
    pub judged: usize,
    /// Cases that failed, known ones aside.
    pub failed: usize,
    /// Cases that warn.
    pub warned: usize,
}

/// Counts the cases of each stage that has any.
pub fn stages(report: &Report) -> Vec<StageCount> {
    let of = |stage: Stage| {
        report.cases.iter().filter(move |case| Stage::of(case) == stage && case.known.is_none())
    };
    Stage::ALL
        .into_iter()
        .map(|stage| {
            let with = |verdict: Verdict| of(stage).filter(|case| case.verdict == verdict).count();
            let (failed, warned) = (with(Verdict::Fail), with(Verdict::Warn));
            StageCount { stage, judged: with(Verdict::Pass) + failed + warned, failed, warned }
        })
        .filter(|count| count.judged > 0)
        .collect()
}

/// Returns the cases of a stage that failed, known ones aside.
pub fn failed(report: &Report, stage: Stage) -> impl Iterator<Item = &CaseResult> {
    let is_it = move |case: &&CaseResult| {
        case.verdict == Verdict::Fail && case.known.is_none() && Stage::of(case) == stage
    };
    report.cases.iter().filter(is_it)
}

/// The clients as they are written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientFile {
    client: Vec<Client>,
}

/// A client, and what it sends.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The name of the product.
    pub name: String,
    /// Its requests.
    pub request: Vec<ClientRequest>,
}

/// A request of a client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRequest {
    /// What it is for.
    pub does: String,
    /// How much depends on it.
    pub needs: Needs,
    /// The cases that try it.
    pub cases: Vec<String>,
}

/// How much depends on a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// The connection is of no use without it.
    All,
    /// A feature is missing without it.
    Some,
}

/// Whether something works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Works {
    /// It works.
    Yes,
    /// It does not work, as this case says.
    No {
        /// The id of the case.
        case: String,
        /// Why it failed.
        why: String,
    },
    /// The server does not have it, as this case says.
    Lacks {
        /// The id of the case.
        case: String,
        /// Why it was not tried.
        why: String,
    },
    /// No case about it was judged.
    Unknown,
}

/// The verdict for a client.
#[derive(Debug)]
pub struct ClientVerdict<'a> {
    /// The client.
    pub client: &'a Client,
    /// Whether each of its requests works.
    pub requests: Vec<Works>,
}

impl ClientVerdict<'_> {
    /// Returns the verdict in words.
    pub fn words(&self) -> &'static str {
        let is = |needs: Needs, test: &dyn Fn(&Works) -> bool| {
            self.client
                .request
                .iter()
                .zip(&self.requests)
                .any(|(request, works)| request.needs == needs && test(works))
        };
        let fails = |works: &Works| matches!(works, Works::No { .. } | Works::Lacks { .. });
        if is(Needs::All, &fails) {
            "does not work"
        } else if is(Needs::All, &|works| *works == Works::Unknown) {
            "not judged in full"
        } else if is(Needs::Some, &fails) {
            "works in part"
        } else {
            "works"
        }
    }

    /// Returns the requests that do not work, with the reason.
    pub fn failing(&self) -> impl Iterator<Item = (&ClientRequest, &str, &str)> {
        self.client.request.iter().zip(&self.requests).filter_map(|(request, works)| match works {
            Works::No { case, why } | Works::Lacks { case, why } => {
                Some((request, case.as_str(), why.as_str()))
            }
            Works::Yes | Works::Unknown => None,
        })
    }
}

/// Returns the clients that are built in. A test shows that the file is valid.
pub fn clients() -> &'static [Client] {
    static ALL: OnceLock<Vec<Client>> = OnceLock::new();
    ALL.get_or_init(|| {
        let files = CLIENTS.iter().filter_map(|(_, text)| toml::from_str::<ClientFile>(text).ok());
        files.flat_map(|file| file.client).collect()
    })
}

/// Returns the verdict for each client, or nothing if the report is on something else than a server, or on a selection of cases.
pub fn verdicts(report: &Report) -> Vec<ClientVerdict<'static>> {
    if report.suite != "server" || report.not_judged.is_some() {
        return Vec::new();
    }
    let verdict = |client: &'static Client| {
        let requests: Vec<Works> = client.request.iter().map(|request| works(report, request)).collect();
        ClientVerdict { client, requests }
    };
    let all = clients().iter().map(verdict);
    all.filter(|verdict| verdict.requests.iter().any(|works| *works != Works::Unknown)).collect()
}

fn works(report: &Report, request: &ClientRequest) -> Works {
    let of =
        |id: &String| report.cases.binary_search_by(|case| case.id.cmp(id)).ok().map(|at| &report.cases[at]);
    let results: Vec<&CaseResult> = request.cases.iter().filter_map(of).collect();
    let why = |case: &CaseResult| case.because.clone().unwrap_or_default();
    let with = |verdict: Verdict| results.iter().find(|case| case.verdict == verdict);
    // A habit of one client that no RFC asks for is a warning to others, and what this client depends on.
    if let Some(case) = with(Verdict::Fail).or_else(|| with(Verdict::Warn)) {
        return Works::No { case: case.id.clone(), why: why(case) };
    }
    if with(Verdict::Pass).is_some() {
        return Works::Yes;
    }
    match with(Verdict::NotAdvertised) {
        Some(case) => Works::Lacks { case: case.id.clone(), why: why(case) },
        None => Works::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::case::load;
    use crate::requirement::{Level, Spec};

    fn result(id: &str, verdict: Verdict) -> CaseResult {
        let (document, section) = match id.split('/').collect::<Vec<_>>().as_slice() {
            ["rfc7644", section, ..] => ("RFC 7644", (*section).to_owned()),
            ["rfc7643", section, ..] => ("RFC 7643", (*section).to_owned()),
            _ => ("PingOne", "connection".to_owned()),
        };
        let spec = Spec { document: document.to_owned(), section, also: Vec::new() };
        CaseResult {
            verdict,
            because: Some("because".to_owned()),
            ..CaseResult::new(id.to_owned(), "t".to_owned(), Level::Must, "r".to_owned(), spec)
        }
    }

    #[test]
    fn clients_name_cases_that_exist() {
        for (file, text) in CLIENTS {
            toml::from_str::<ClientFile>(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        let cases = load::built_in().expect("good cases");
        let ids: BTreeSet<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(clients().len(), 4);
        for client in clients() {
            for request in &client.request {
                let unknown: Vec<_> = request.cases.iter().filter(|id| !ids.contains(id.as_str())).collect();
                assert!(
                    unknown.is_empty() && !request.cases.is_empty(),
                    "{}: {}: {unknown:?}",
                    client.name,
                    request.does
                );
            }
        }
    }

    #[test]
    fn client_works_unless_a_case_of_its_requests_fails() {
        let mut cases: Vec<_> = clients()[0]
            .request
            .iter()
            .flat_map(|request| &request.cases)
            .map(|id| result(id, Verdict::Pass))
            .collect();
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let words = |cases: Vec<CaseResult>| {
            let report = Report::new("server", "http://h", cases);
            let verdicts = verdicts(&report);
            let first = verdicts.first().expect("a verdict");
            (first.words(), first.failing().map(|(_, case, _)| case.to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(words(cases.clone()), ("works", Vec::new()));
        let with = |id: &str, verdict: Verdict| {
            let mut cases = cases.clone();
            cases.iter_mut().filter(|case| case.id == id).for_each(|case| case.verdict = verdict);
            words(cases)
        };
        let disable = "pingone/connection/a-user-is-disabled-by-patch";
        assert_eq!(with(disable, Verdict::Fail), ("does not work", vec![disable.to_owned()]));
        let update = "pingone/connection/a-user-is-updated-by-put";
        assert_eq!(with(update, Verdict::NotAdvertised), ("works in part", vec![update.to_owned()]));
        let test = "pingone/connection/the-connection-can-be-tested";
        assert_eq!(with(test, Verdict::Skipped), ("not judged in full", Vec::new()));
    }

    #[test]
    fn stages_come_in_the_order_of_need_and_count_their_cases() {
        let cases = vec![
            result("rfc7644/3.6/is-gone", Verdict::Fail),
            result("rfc7644/2/no-credentials", Verdict::Pass),
            result("rfc7644/3.5.2.1/adds-the-first-member", Verdict::Warn),
            result("rfc7644/3.4.2.4/count-limits-the-page", Verdict::Pass),
            result("pingone/connection/a-user-is-disabled-by-put", Verdict::Pass),
        ];
        let counted: Vec<_> = stages(&Report::new("server", "http://h", cases))
            .into_iter()
            .map(|count| (count.stage.word(), count.judged, count.failed, count.warned))
            .collect();
        assert_eq!(
            counted,
            [
                ("connect", 1, 0, 0),
                ("disable", 1, 0, 0),
                ("delete", 1, 1, 0),
                ("lists", 1, 0, 0),
                ("groups", 1, 0, 1)
            ]
        );
    }
}
