//! Loads cases, scenarios and mutants from files: the built-in ones, or a folder's.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::case::load::{LoadError, texts};
use crate::client::case::{Case, CaseFile, DOCUMENTS};
use crate::client::judge::Judgement;
use crate::client::matcher::Matcher;
use crate::client::mutants::file::{Mutant, MutantError, MutantFile};
use crate::client::scenario::{Scenario, ScenarioError, ScenarioFile};
use crate::mutants::load::InvalidMutant;
use crate::requirement::current_id;

include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// The cases, scenarios and mutants of `conformance client`.
#[derive(Debug, Clone)]
pub struct Written {
    /// The cases, in the order of their ids.
    pub cases: Vec<Case>,
    /// The scenarios, in the order of the run.
    pub scenarios: Vec<Scenario>,
    /// The mutants, in the order of their slugs.
    pub mutants: Vec<Mutant>,
}

/// Returns the cases, scenarios and mutants that are built in.
///
/// # Errors
/// A file is invalid, which a test rules out.
pub fn built_in() -> Result<Written, LoadError> {
    all(CLIENT.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

/// Reads those of a folder: `scenarios.toml`, `mutants.toml`, and files of cases.
///
/// # Errors
/// A file is invalid; the error has the first one.
pub fn folder(folder: &Path) -> Result<Written, LoadError> {
    all(texts(folder)?)
}

fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|error| LoadError::invalid(file, error))
}

/// An invalid scenario, with its slug.
#[derive(Debug, thiserror::Error)]
#[error("invalid scenario `{slug}`")]
struct InvalidScenario {
    slug: String,
    source: ScenarioError,
}

/// An invalid case, with its slug.
#[derive(Debug, thiserror::Error)]
#[error("invalid case `{slug}`")]
struct InvalidCase {
    slug: String,
    source: CaseError,
}

/// The reason why a case is invalid.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum CaseError {
    #[error("invalid {key} `{name}`: expected a-z, 0-9, hyphens and points")]
    Name { key: &'static str, name: String },
    #[error("unknown document `{0}`; expected one of {known}", known = DOCUMENTS.map(|(word, _)| word).join(", "))]
    Document(String),
    #[error("`{0}` is empty")]
    Empty(&'static str),
    #[error("`judge` is empty: nothing would ever fail")]
    NoJudgement,
    #[error("unknown scenario `{0}`")]
    Scenario(String),
    #[error("unknown person `{0}`: expected people of its scenarios")]
    Person(String),
    #[error("unknown step `{0}`: expected a step of its scenarios")]
    Step(String),
    #[error("`accounts` needs people of its scenarios")]
    NoAccounts,
}

fn all(files: Vec<(String, String)>) -> Result<Written, LoadError> {
    let mut written = Written { cases: Vec::new(), scenarios: Vec::new(), mutants: Vec::new() };
    // Scenarios first: the others name them.
    let (scenarios, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(file, _)| file.starts_with("scenarios"));
    for (file, text) in scenarios {
        for scenario in read::<ScenarioFile>(&file, &text)?.scenario {
            scenario.check().map_err(|source| {
                LoadError::invalid(&file, InvalidScenario { slug: scenario.slug.clone(), source })
            })?;
            if written.scenarios.iter().any(|other| other.slug == scenario.slug) {
                return Err(LoadError::Twice { what: "scenario", name: scenario.slug });
            }
            written.scenarios.push(scenario);
        }
    }
    for (file, text) in others {
        if file.starts_with("mutants") {
            written.mutants.extend(read::<MutantFile>(&file, &text)?.mutant);
            continue;
        }
        for mut case in read::<CaseFile>(&file, &text)?.case {
            case.document = current_id(&case.document).into_owned();
            check(&case, &written.scenarios).map_err(|source| {
                LoadError::invalid(&file, InvalidCase { slug: case.slug.clone(), source })
            })?;
            written.cases.push(case);
        }
    }
    written.cases.sort_by_key(Case::id);
    if let Some([case, _]) = written.cases.array_windows::<2>().find(|[a, b]| a.id() == b.id()) {
        return Err(LoadError::Twice { what: "case", name: case.id() });
    }
    written.mutants.sort_by(|a, b| a.slug.cmp(&b.slug));
    if let Some([mutant, _]) = written.mutants.array_windows::<2>().find(|[a, b]| a.slug == b.slug) {
        return Err(LoadError::Twice { what: "mutant", name: mutant.slug.clone() });
    }
    for mutant in &written.mutants {
        check_mutant(mutant, &written).map_err(|source| {
            LoadError::invalid("mutants.toml", InvalidMutant { slug: mutant.slug.clone(), source })
        })?;
    }
    Ok(written)
}

fn check(case: &Case, scenarios: &[Scenario]) -> Result<(), CaseError> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    for (key, name) in [("slug", &case.slug), ("section", &case.section)] {
        if name.is_empty() || !name.chars().all(fine) {
            return Err(CaseError::Name { key, name: name.clone() });
        }
    }
    if !DOCUMENTS.iter().any(|(word, _)| *word == case.document) {
        return Err(CaseError::Document(case.document.clone()));
    }
    for (key, text) in [("title", &case.title), ("requirement", &case.requirement), ("hint", &case.hint)] {
        if text.trim().is_empty() {
            return Err(CaseError::Empty(key));
        }
    }
    if case.judge.is_empty() {
        return Err(CaseError::NoJudgement);
    }
    let mut meant = Vec::new();
    for slug in &case.scenarios {
        match scenarios.iter().find(|scenario| scenario.slug == *slug) {
            Some(scenario) => meant.push(scenario),
            None => return Err(CaseError::Scenario(slug.clone())),
        }
    }
    let people: BTreeSet<&str> =
        meant.iter().flat_map(|scenario| scenario.people.keys().map(String::as_str)).collect();
    let steps: BTreeSet<&str> =
        meant.iter().flat_map(|scenario| scenario.step.iter().map(|step| step.slug.as_str())).collect();
    let unknown = |names: &[String], known: &BTreeSet<&str>| {
        names.iter().find(|name| !known.contains(name.as_str())).cloned()
    };
    for matcher in case.when.iter().chain(case.judge.iter().flat_map(patterns)) {
        if let Some(person) = unknown(&matcher.person, &people) {
            return Err(CaseError::Person(person));
        }
        if let Some(step) = unknown(&matcher.step, &steps) {
            return Err(CaseError::Step(step));
        }
    }
    for judgement in &case.judge {
        let Judgement::Accounts { of, step, .. } = judgement else { continue };
        if of.is_empty() {
            return Err(CaseError::NoAccounts);
        }
        if let Some(person) = unknown(of, &people) {
            return Err(CaseError::Person(person));
        }
        if let Some(step) = step.as_ref().filter(|step| !steps.contains(step.as_str())) {
            return Err(CaseError::Step(step.clone()));
        }
    }
    Ok(())
}

fn patterns(judgement: &Judgement) -> Vec<&Matcher> {
    match judgement {
        Judgement::Each { of, .. } | Judgement::Count { of, .. } | Judgement::Keeps { of } => vec![of],
        Judgement::Never(matcher) | Judgement::Waits { after: matcher, .. } => vec![matcher],
        Judgement::Before { each, needs, .. } => vec![each, needs],
        Judgement::After { each, needs, never, .. } => {
            std::iter::once(each).chain(needs).chain(never).collect()
        }
        Judgement::Between { first, second, needs, .. } => vec![first, second, needs],
        Judgement::Pages(_) | Judgement::Accounts { .. } | Judgement::StrangersUntouched => Vec::new(),
    }
}

fn check_mutant(mutant: &Mutant, written: &Written) -> Result<(), MutantError> {
    mutant.check()?;
    if let Some(id) = mutant.found_by.iter().find(|id| !written.cases.iter().any(|case| case.id() == **id)) {
        return Err(MutantError::Case(id.clone()));
    }
    if let Some(slug) =
        mutant.scenarios.iter().find(|slug| !written.scenarios.iter().any(|one| one.slug == **slug))
    {
        return Err(MutantError::Scenario(slug.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;

    const SCENARIO: &str = "[[scenario]]\nslug = \"s\"\ntitle = \"t\"\n\
        people.ada = { userName = \"ada\", givenName = \"A\", familyName = \"L\" }\n[[scenario.step]]\nslug = \"create\"\ncreate = [\"ada\"]\n";
    const CASE: &str = "[[case]]\nslug = \"a\"\ntitle = \"t\"\nlevel = \"must\"\nrequirement = \"r\"\n\
        document = \"rfc7644\"\nsection = \"3.3\"\nhint = \"m\"\n";

    #[track_caller]
    fn check_refused(scenarios: &str, cases: &str, told: &str) {
        let files = vec![
            ("cases/a.toml".to_owned(), cases.to_owned()),
            ("scenarios.toml".to_owned(), scenarios.to_owned()),
        ];
        let error = with_causes(&all(files).expect_err("something bad"));
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn built_in_cases_scenarios_and_mutants_are_valid() {
        let written = built_in().unwrap_or_else(|error| panic!("{}", with_causes(&error)));
        assert!(written.cases.len() >= 40, "{} cases", written.cases.len());
        assert!(written.mutants.len() >= 30, "{} mutants", written.mutants.len());
    }

    #[test]
    fn invalid_file_is_refused_with_the_place() {
        let never = "judge = [{ never = { method = [\"DELETE\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}judge = []\n"), "invalid case `a`: `judge` is empty");
        check_refused(SCENARIO, &format!("{CASE}judge = [{{ nevr = {{}} }}]\n"), "unknown variant `nevr`");
        check_refused(SCENARIO, &format!("{CASE}scenarios = [\"x\"]\n{never}"), "unknown scenario `x`");
        check_refused(
            SCENARIO,
            &CASE.replace("rfc7644", "rfc1").replace("hint = \"m\"\n", &format!("hint = \"m\"\n{never}")),
            "unknown document `rfc1`; expected one of",
        );
        let nobody = "scenarios = [\"s\"]\njudge = [{ never = { person = [\"bob\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}{nobody}"), "unknown person `bob`");
        let step = "scenarios = [\"s\"]\njudge = [{ never = { step = [\"x\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}{step}"), "unknown step `x`");
        let twice = format!("{CASE}{never}{CASE}{never}");
        check_refused(SCENARIO, &twice, "two cases are called client/rfc7644/3.3/a");
        check_refused(
            &format!("{SCENARIO}faults = [\"status=oops\"]\n"),
            CASE,
            "invalid scenario `s`: step `create`: invalid fault `status=oops`: ",
        );
        check_refused(
            &format!("{SCENARIO}remove = [\"bob\"]\n"),
            CASE,
            "invalid scenario `s`: step `create`: unknown person `bob`",
        );
        check_refused(
            &SCENARIO.replace("title = \"t\"", "title = \"t\"\nprofile = \"x\""),
            CASE,
            "invalid profile `x`: ",
        );
        check_refused(&SCENARIO.replace("title", "titel"), CASE, "unknown field `titel`");
    }
}
