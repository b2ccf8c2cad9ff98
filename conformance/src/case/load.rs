//! Cases out of files: those that are built in, or a folder's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::case::expect::{Check, Condition, Expectation};
use crate::case::file::CaseFile;
use crate::case::step::{Action, Body, Step};
use crate::case::template::{Place, Template};

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// Why a case file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("failed to read {path}: {reason}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// In words.
        reason: String,
    },
    /// A file is not as it should be.
    #[error("{file}: {problem}")]
    Bad {
        /// Below the folder of cases.
        file: String,
        /// With the line, or the case and the step.
        problem: String,
    },
}

/// The cases that are built in, in the order of their ids.
///
/// # Errors
/// Where one is not as it should be, which a test rules out.
pub fn built_in() -> Result<Vec<Case>, LoadError> {
    all(CASES.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
}

/// The cases of a folder, laid out as `<document>/<section>/*.toml`.
///
/// # Errors
/// With the first file that is not as it should be.
pub fn folder(folder: &Path) -> Result<Vec<Case>, LoadError> {
    all(texts(folder)?.into_iter())
}

/// The TOML files below a folder: path below it, with slashes, and text.
pub(crate) fn texts(folder: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let unreadable = |error: std::io::Error| LoadError::Unreadable {
            path: current.clone(),
            reason: error.to_string(),
        };
        for entry in std::fs::read_dir(&current).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).map_err(|error| LoadError::Unreadable {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                let below = path.strip_prefix(folder).unwrap_or(&path);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                files.push((parts.join("/"), text));
            }
        }
    }
    if files.is_empty() {
        return Err(LoadError::Unreadable {
            path: folder.to_owned(),
            reason: "no TOML file in it".to_owned(),
        });
    }
    files.sort();
    Ok(files)
}

fn all(files: impl Iterator<Item = (String, String)>) -> Result<Vec<Case>, LoadError> {
    let mut cases = Vec::new();
    for (file, text) in files {
        cases.extend(self::file(&file, &text).map_err(|problem| LoadError::Bad { file, problem })?);
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some([case, _]) = cases.array_windows::<2>().find(|[a, b]| a.id == b.id) {
        return Err(LoadError::Bad { file: case.id.clone(), problem: "two cases have this id".to_owned() });
    }
    Ok(cases)
}

/// The cases of one file; `path` as in `rfc7644/3.5.2.1/values.toml`.
fn file(path: &str, text: &str) -> Result<Vec<Case>, String> {
    let mut parts = path.split('/');
    let (Some(document), Some(section), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("expected <document>/<section>/<file>.toml".to_owned());
    };
    let file: CaseFile = toml::from_str(text).map_err(|error| error.to_string())?;
    file.case
        .into_iter()
        .map(|case| {
            let slug = case.slug.clone();
            let case = case.read(document, section).map_err(|problem| format!("case `{slug}`: {problem}"))?;
            check_names(&case).map_err(|problem| format!("case `{slug}`: {problem}"))?;
            Ok(case)
        })
        .collect()
}

/// The names that steps send or judge by. What is seen under another one is not looked at again.
pub(crate) fn used_names(case: &Case) -> BTreeSet<String> {
    let mut used = Vec::new();
    for step in case.steps.iter().chain(&case.clean_up) {
        used.extend(target(step).map(ToOwned::to_owned));
        used.extend(sent(step).into_iter().filter_map(Place::name).map(ToOwned::to_owned));
        step.expect.iter().for_each(|expectation| judged(expectation, &mut used));
    }
    used.into_iter().collect()
}

/// The name that a step reads or writes.
fn target(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Read(name) | Action::Replace(name, _) | Action::Patch(name, _) | Action::Delete(name) => {
            Some(name.as_str())
        }
        _ => None,
    }
}

/// Every name is given before it is used.
fn check_names(case: &Case) -> Result<(), String> {
    let mut known = BTreeSet::from(["config".to_owned()]);
    for (index, step) in case.steps.iter().chain(&case.clean_up).enumerate() {
        let told = |problem: String| format!("step {}: {problem}", index + 1);
        let sent = sent(step);
        let used = target(step).into_iter().chain(sent.iter().filter_map(|place| place.name()));
        for name in used {
            check_name(&known, name.strip_suffix(".*").unwrap_or(name)).map_err(told)?;
        }
        if let Action::Create { count: Some(count), .. } = step.action {
            known.extend((1..=count).map(|number| format!("{}.{number}", step.name)));
        }
        known.insert(step.name.clone());
        let mut names = Vec::new();
        for expectation in &step.expect {
            judged(expectation, &mut names);
        }
        for name in names {
            check_name(&known, &name).map_err(told)?;
        }
    }
    Ok(())
}

fn check_name(known: &BTreeSet<String>, name: &str) -> Result<(), String> {
    // Resource types have paths too, and start with a capital.
    if known.contains(name) || name.starts_with(|c: char| c.is_ascii_uppercase()) {
        return Ok(());
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    Err(format!("nothing is called `{name}` there; known are {}", known.join(", ")))
}

/// The places in what a step sends.
fn sent(step: &Step) -> Vec<&Place> {
    fn body(body: &Body) -> Vec<&Place> {
        match body {
            Body::None => Vec::new(),
            Body::Json(json) | Body::With(json) | Body::Operations(json, _) => json.places(),
            Body::Text(text) => text.places().collect(),
        }
    }
    let mut places: Vec<&Place> =
        step.query.iter().chain(&step.headers).flat_map(|(_, template)| template.places()).collect();
    match &step.action {
        Action::Create { with: Some(with), .. } => places.extend(with.places()),
        Action::Replace(_, sent) | Action::Patch(_, sent) | Action::Search(_, sent) | Action::Bulk(sent) => {
            places.extend(body(sent));
        }
        Action::Send { path, body: sent, .. } => {
            places.extend(path.places());
            places.extend(body(sent));
        }
        Action::Create { with: None, .. }
        | Action::Read(_)
        | Action::Delete(_)
        | Action::List(_)
        | Action::Walk(..) => {}
    }
    places
}

/// The names in an expectation.
fn judged(expectation: &Expectation, names: &mut Vec<String>) {
    fn of_template(template: &Template, names: &mut Vec<String>) {
        names.extend(template.places().filter_map(Place::name).map(ToOwned::to_owned));
    }
    match &expectation.check {
        Check::Unchanged(name) => names.push(name.clone()),
        Check::Lists(_, listed) => {
            names.extend(listed.iter().map(|name| name.strip_suffix(".*").unwrap_or(name).to_owned()));
        }
        Check::Nowhere(text) => of_template(text, names),
        Check::At { pointer, condition, .. } => {
            of_template(pointer, names);
            match condition {
                Condition::Equals(json)
                | Condition::Differs(json)
                | Condition::OneOf(json)
                | Condition::Includes(json)
                | Condition::Lacks(json) => {
                    names.extend(json.places().into_iter().filter_map(Place::name).map(ToOwned::to_owned));
                }
                Condition::EqualsIgnoringCase(text)
                | Condition::SameAddress(text)
                | Condition::LaterThan(text) => of_template(text, names),
                Condition::Is(_)
                | Condition::Status(_)
                | Condition::Count(_)
                | Condition::AtLeast(_)
                | Condition::AtMost(_)
                | Condition::Unique
                | Condition::Sorted(_) => {}
            }
        }
        Check::AnyOf(lists) => lists.iter().flatten().for_each(|inner| judged(inner, names)),
        Check::Status(_)
        | Check::Header(..)
        | Check::MediaType
        | Check::Body(_)
        | Check::Error { .. }
        | Check::ErrorForm
        | Check::List
        | Check::Total(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(rest: &str) -> Result<Vec<Case>, String> {
        let head = "[[case]]\nslug = \"a-b\"\ntitle = \"t\"\nlevel = \"must\"\nrequirement = \"r\"\n";
        file("rfc7644/3.3/x.toml", &format!("{head}{rest}"))
    }

    #[test]
    fn a_case_is_read() {
        let cases = case(
            "needs = [\"patch\"]\n[[case.step]]\ncreate = \"User\"\nas = \"ada\"\n\
            [[case.step]]\npatch = \"ada\"\nops = '[{\"op\": \"remove\", \"path\": \"nickName\"}]'\n\
            expect = [{ status = [200, \"4xx\"] }, { at = \"/a\", equals = '{\"b\": \"{{ada/x}}\"}' }]\n",
        );
        let cases = cases.expect("a good case");
        assert_eq!(cases[0].id, "rfc7644/3.3/a-b");
        assert!(cases[0].steps[0].preparation && !cases[0].steps[1].preparation);
        assert_eq!(cases[0].steps[1].name, "ada");
        assert_eq!(cases[0].steps[1].expect.len(), 2);
    }

    #[test]
    fn bad_cases_are_refused_with_the_place() {
        #[track_caller]
        fn check(rest: &str, told: &str) {
            let problem = case(rest).expect_err("a bad case");
            assert!(problem.contains(told), "{problem}");
        }
        check("[[case.step]]\nread = \"ada\"\n", "case `a-b`: step 1: nothing is called `ada`");
        check(
            "[[case.step]]\ncreate = \"User\"\ndelete = \"it\"\n",
            "exactly one action, found create and delete",
        );
        check("[[case.step]]\nas = \"x\"\n", "exactly one action, found none");
        check("[[case.step]]\ncreate = \"User\"\nops = '[]'\n", "`ops` does not belong to `create`");
        check("[[case.step]]\ncreate = \"User\"\nwith = '{'\n", "step 1: not JSON");
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ at = \"/a\" }]\n",
            "expectation 1: `at` wants exactly one",
        );
        check("[[case.step]]\ncreate = \"User\"\nexpect = [{ status = [99] }]\n", "99 is neither a status");
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ at = \"a\", count = 1 }]\n",
            "starts with a slash",
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ list = true, count = 1 }]\n",
            "a condition without",
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ unchanged = \"eve\" }]\n",
            "nothing is called `eve`",
        );
        check("[[case.step]]\nsend = \"GET\"\n", "expected a method and a path");
        check("[[case.step]]\ncreate = \"User\"\nwiht = '{}'\n", "unknown field `wiht`");
        check("needs = [\"ptach\"]\nstep = []\n", "need `ptach`");
        let misplaced = file("rfc7644/x.toml", "").expect_err("a bad place");
        assert!(misplaced.contains("<document>/<section>"), "{misplaced}");
    }

    #[test]
    fn those_built_in_are_good() {
        let cases = built_in().unwrap_or_else(|error| panic!("{error}"));
        assert!(cases.iter().all(|case| !case.steps.is_empty()));
    }

    #[test]
    fn names_that_steps_send_or_judge_by_are_used() {
        let cases = case(
            r#"
            [[case.step]]
            create = "User"
            as = "ada"
            [[case.step]]
            list = "User"
            as = "first"
            [[case.step]]
            list = "User"
            as = "second"
            query = { startIndex = "{{first/itemsPerPage}}" }
            expect = [{ lists = ["ada"] }]
            "#,
        )
        .expect("a case");
        assert_eq!(used_names(&cases[0]), BTreeSet::from(["ada".to_owned(), "first".to_owned()]));
    }
}
