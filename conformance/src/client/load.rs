//! Cases, scenarios and mutants out of files: those that are built in, or a folder's.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::case::load::{LoadError, texts};
use crate::client::case::{Case, CaseFile, DOCUMENTS};
use crate::client::judge::Judgement;
use crate::client::mutants::file::{Mutant, MutantFile};
use crate::client::pattern::Pattern;
use crate::client::scenario::{Scenario, ScenarioFile};

include!(concat!(env!("OUT_DIR"), "/client.rs"));

/// All that is written for `conformance client`.
#[derive(Debug, Clone)]
pub struct Written {
    /// In the order of their ids.
    pub cases: Vec<Case>,
    /// In the order in which they are played.
    pub scenarios: Vec<Scenario>,
    /// In the order of their slugs.
    pub mutants: Vec<Mutant>,
}

/// What is built in.
///
/// # Errors
/// Where something is not as it should be, which a test rules out.
pub fn built_in() -> Result<Written, LoadError> {
    all(CLIENT.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect())
}

/// What a folder holds: `scenarios.toml`, `mutants.toml`, and files of cases.
///
/// # Errors
/// With the first file that is not as it should be.
pub fn folder(folder: &Path) -> Result<Written, LoadError> {
    all(texts(folder)?)
}

fn read<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, LoadError> {
    toml::from_str(text).map_err(|error| LoadError::Bad { file: file.to_owned(), problem: error.to_string() })
}

fn all(files: Vec<(String, String)>) -> Result<Written, LoadError> {
    let mut written = Written { cases: Vec::new(), scenarios: Vec::new(), mutants: Vec::new() };
    // Scenarios first: the others name them.
    let (scenarios, others): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(file, _)| file.starts_with("scenarios"));
    for (file, text) in scenarios {
        for scenario in read::<ScenarioFile>(&file, &text)?.scenario {
            let problem = |problem: String| LoadError::Bad {
                file: file.clone(),
                problem: format!("scenario `{}`: {problem}", scenario.slug),
            };
            scenario.check().map_err(problem)?;
            if written.scenarios.iter().any(|other| other.slug == scenario.slug) {
                return Err(problem("another one has this slug".to_owned()));
            }
            written.scenarios.push(scenario);
        }
    }
    for (file, text) in others {
        if file.starts_with("mutants") {
            written.mutants.extend(read::<MutantFile>(&file, &text)?.mutant);
            continue;
        }
        for case in read::<CaseFile>(&file, &text)?.case {
            check(&case, &written.scenarios).map_err(|problem| LoadError::Bad {
                file: file.clone(),
                problem: format!("case `{}`: {problem}", case.slug),
            })?;
            written.cases.push(case);
        }
    }
    written.cases.sort_by_key(Case::id);
    if let Some([case, _]) = written.cases.array_windows::<2>().find(|[a, b]| a.id() == b.id()) {
        return Err(LoadError::Bad { file: case.id(), problem: "two cases have this id".to_owned() });
    }
    written.mutants.sort_by(|a, b| a.slug.cmp(&b.slug));
    check_mutants(&written)?;
    Ok(written)
}

fn check(case: &Case, scenarios: &[Scenario]) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let named = |text: &str| !text.is_empty() && text.chars().all(fine);
    if !named(&case.slug) || !named(&case.section) {
        return Err("`slug` and `section` may hold a-z, 0-9, hyphens and points".to_owned());
    }
    if !DOCUMENTS.iter().any(|(word, _)| *word == case.document) {
        let words: Vec<_> = DOCUMENTS.iter().map(|(word, _)| *word).collect();
        return Err(format!("`document` is one of {}", words.join(", ")));
    }
    for (what, text) in [("title", &case.title), ("requirement", &case.requirement), ("mend", &case.mend)] {
        if text.trim().is_empty() {
            return Err(format!("`{what}` is empty"));
        }
    }
    if case.judge.is_empty() {
        return Err("`judge` is empty: nothing would ever fail".to_owned());
    }
    let mut meant = Vec::new();
    for slug in &case.scenarios {
        match scenarios.iter().find(|scenario| scenario.slug == *slug) {
            Some(scenario) => meant.push(scenario),
            None => return Err(format!("there is no scenario `{slug}`")),
        }
    }
    let people: BTreeSet<&str> =
        meant.iter().flat_map(|scenario| scenario.people.keys().map(String::as_str)).collect();
    let steps: BTreeSet<&str> =
        meant.iter().flat_map(|scenario| scenario.step.iter().map(|step| step.slug.as_str())).collect();
    for pattern in case.when.iter().chain(case.judge.iter().flat_map(patterns)) {
        if let Some(nobody) = pattern.person.iter().find(|person| !people.contains(person.as_str())) {
            return Err(format!("nobody in its scenarios is called `{nobody}`"));
        }
        if let Some(none) = pattern.step.iter().find(|step| !steps.contains(step.as_str())) {
            return Err(format!("no step of its scenarios is called `{none}`"));
        }
    }
    for judgement in &case.judge {
        let Judgement::Accounts { of, step, with, .. } = judgement else { continue };
        if of.is_empty() || of.iter().any(|person| !people.contains(person.as_str())) {
            return Err("`accounts` needs people of its scenarios".to_owned());
        }
        if step.as_ref().is_some_and(|step| !steps.contains(step.as_str())) {
            return Err("`accounts` names a step that its scenarios do not have".to_owned());
        }
        for text in with.values() {
            serde_json::from_str::<serde_json::Value>(text)
                .map_err(|error| format!("`with`: not JSON ({error}): {text}"))?;
        }
    }
    Ok(())
}

fn patterns(judgement: &Judgement) -> Vec<&Pattern> {
    match judgement {
        Judgement::Each { of, .. } | Judgement::Count { of, .. } | Judgement::Keeps { of } => vec![of],
        Judgement::Never(pattern) | Judgement::Waits { after: pattern, .. } => vec![pattern],
        Judgement::Before { each, needs, .. } => vec![each, needs],
        Judgement::After { each, needs, never, .. } => {
            std::iter::once(each).chain(needs).chain(never).collect()
        }
        Judgement::Between { first, second, needs, .. } => vec![first, second, needs],
        Judgement::Pages(_) | Judgement::Accounts { .. } | Judgement::StrangersUntouched => Vec::new(),
    }
}

fn check_mutants(written: &Written) -> Result<(), LoadError> {
    let mut slugs = BTreeSet::new();
    for mutant in &written.mutants {
        let bad = |problem: String| LoadError::Bad {
            file: "mutants.toml".to_owned(),
            problem: format!("mutant `{}`: {problem}", mutant.slug),
        };
        if !slugs.insert(&mutant.slug) {
            return Err(bad("another one has this slug".to_owned()));
        }
        mutant.check().map_err(bad)?;
        if let Some(none) =
            mutant.found_by.iter().find(|id| !written.cases.iter().any(|case| case.id() == **id))
        {
            return Err(bad(format!("there is no case `{none}`")));
        }
        if let Some(none) =
            mutant.scenarios.iter().find(|slug| !written.scenarios.iter().any(|one| one.slug == **slug))
        {
            return Err(bad(format!("there is no scenario `{none}`")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = "[[scenario]]\nslug = \"s\"\ntitle = \"t\"\n\
        people.ada = { userName = \"ada\", givenName = \"A\", familyName = \"L\" }\n[[scenario.step]]\nslug = \"create\"\ncreate = [\"ada\"]\n";
    const CASE: &str = "[[case]]\nslug = \"a\"\ntitle = \"t\"\nlevel = \"must\"\nrequirement = \"r\"\n\
        document = \"rfc7644\"\nsection = \"3.3\"\nmend = \"m\"\n";

    #[track_caller]
    fn check_refused(scenarios: &str, cases: &str, told: &str) {
        let files = vec![
            ("cases/a.toml".to_owned(), cases.to_owned()),
            ("scenarios.toml".to_owned(), scenarios.to_owned()),
        ];
        let error = all(files).expect_err("something bad").to_string();
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn what_is_built_in_is_good() {
        let written = built_in().unwrap_or_else(|error| panic!("{error}"));
        assert!(written.cases.len() >= 40, "{} cases", written.cases.len());
        assert!(written.mutants.len() >= 30, "{} mutants", written.mutants.len());
    }

    #[test]
    fn what_is_bad_is_refused_with_the_place() {
        let never = "judge = [{ never = { method = [\"DELETE\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}judge = []\n"), "case `a`: `judge` is empty");
        check_refused(SCENARIO, &format!("{CASE}judge = [{{ nevr = {{}} }}]\n"), "unknown variant `nevr`");
        check_refused(SCENARIO, &format!("{CASE}scenarios = [\"x\"]\n{never}"), "there is no scenario `x`");
        check_refused(
            SCENARIO,
            &CASE.replace("rfc7644", "rfc1").replace("mend = \"m\"\n", &format!("mend = \"m\"\n{never}")),
            "`document` is one of",
        );
        let nobody = "scenarios = [\"s\"]\njudge = [{ never = { person = [\"bob\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}{nobody}"), "nobody in its scenarios is called `bob`");
        let step = "scenarios = [\"s\"]\njudge = [{ never = { step = [\"x\"] } }]\n";
        check_refused(SCENARIO, &format!("{CASE}{step}"), "no step of its scenarios is called `x`");
        let twice = format!("{CASE}{never}{CASE}{never}");
        check_refused(SCENARIO, &twice, "two cases have this id");
        check_refused(
            &format!("{SCENARIO}faults = [\"status=oops\"]\n"),
            CASE,
            "scenario `s`: step `create`: fault",
        );
        check_refused(&format!("{SCENARIO}remove = [\"bob\"]\n"), CASE, "nobody in `people` is called `bob`");
        check_refused(
            &SCENARIO.replace("title = \"t\"", "title = \"t\"\nprofile = \"x\""),
            CASE,
            "no profile is called `x`",
        );
        check_refused(&SCENARIO.replace("title", "titel"), CASE, "unknown field `titel`");
    }
}
