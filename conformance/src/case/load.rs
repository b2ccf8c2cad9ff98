//! Loads cases from files: the built-in ones, or a folder's.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::case::Case;
use crate::case::file::{CaseError, CaseFile, CaseText};
use crate::case::over::{self, Placed};
use crate::case::step::{Action, Body, Step};
use crate::case::template::Place;

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// An invalid file of cases, scenarios or mutants.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("failed to read {path}", path = .path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A folder holds no TOML file.
    #[error("failed to read {folder}: it holds no TOML file", folder = .0.display())]
    Empty(PathBuf),
    /// A file is invalid.
    #[error("invalid file {file}")]
    Invalid {
        /// Below the folder.
        file: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Two cases have the same id, or two mutants the same slug.
    #[error("two {what}s are called {name}")]
    Twice {
        /// The kind of item, as in `case`.
        what: &'static str,
        /// The id or the slug.
        name: String,
    },
}

impl LoadError {
    pub(crate) fn invalid(file: &str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Invalid { file: file.to_owned(), source: source.into() }
    }
}

/// An invalid file of cases.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file is in another folder.
    #[error("expected <document>/<section>/<file>.toml")]
    Place,
    /// The text is no TOML, or has other keys or values.
    #[error(transparent)]
    Toml(#[from] toml::de::Error),
    /// A case is invalid.
    #[error("invalid case `{slug}`")]
    Case {
        /// The case.
        slug: String,
        /// The cause.
        source: CaseError,
    },
}

/// Returns the cases that are built in, in the order of their ids.
///
/// # Errors
/// A file is invalid, which a test rules out.
pub fn built_in() -> Result<Vec<Case>, LoadError> {
    all(CASES.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())))
}

/// Returns the cases of a folder, laid out as `<document>/<section>/*.toml`.
///
/// # Errors
/// A file is invalid; the error has the first one.
pub fn folder(folder: &Path) -> Result<Vec<Case>, LoadError> {
    all(texts(folder)?.into_iter())
}

/// Returns the TOML files below a folder: path below it, with slashes, and text.
pub(crate) fn texts(folder: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        let unreadable = |source| LoadError::Unreadable { path: current.clone(), source };
        for entry in std::fs::read_dir(&current).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path)
                    .map_err(|source| LoadError::Unreadable { path: path.clone(), source })?;
                let below = path.strip_prefix(folder).unwrap_or(&path);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                files.push((parts.join("/"), text));
            }
        }
    }
    if files.is_empty() {
        return Err(LoadError::Empty(folder.to_owned()));
    }
    files.sort();
    Ok(files)
}

fn all(files: impl Iterator<Item = (String, String)>) -> Result<Vec<Case>, LoadError> {
    let mut cases = Vec::new();
    for (file, text) in files {
        cases.extend(self::file(&file, &text).map_err(|error| LoadError::invalid(&file, error))?);
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    if let Some([case, _]) = cases.array_windows::<2>().find(|[a, b]| a.id == b.id) {
        return Err(LoadError::Twice { what: "case", name: case.id.clone() });
    }
    Ok(cases)
}

/// Returns the cases of one file; `path` as in `rfc7644/3.5.2.1/values.toml`.
fn file(path: &str, text: &str) -> Result<Vec<Case>, FileError> {
    let mut parts = path.split('/');
    let (Some(document), Some(section), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(FileError::Place);
    };
    written(text)?
        .into_iter()
        .map(|(words, case)| {
            let slug = case.slug.clone();
            let read = || {
                let case = case.into_case(document, section, &words)?;
                check_names(&case)?;
                Ok(case)
            };
            read().map_err(|source| FileError::Case { slug, source })
        })
        .collect()
}

/// Returns the cases of a file as written, each with the words of its place.
fn written(text: &str) -> Result<Vec<(Vec<String>, CaseText)>, FileError> {
    if !over::is_used(text) {
        let file: CaseFile = toml::from_str(text)?;
        return Ok(file.case.into_iter().map(|case| (Vec::new(), case)).collect());
    }
    let file: WithOver = toml::from_str(text)?;
    let mut cases = Vec::new();
    for item in file.case {
        let slug = item.get("slug").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
        let failed = |source| FileError::Case { slug: slug.clone(), source };
        for Placed { words, item } in over::expand(item).map_err(|error| failed(error.into()))? {
            let read = CaseText::deserialize(item);
            let place = || if words.is_empty() { "no place".to_owned() } else { words.join("/") };
            let case = read.map_err(|source| failed(CaseError::Place { place: place(), source }))?;
            cases.push((words, case));
        }
    }
    Ok(cases)
}

/// A file with cases that are written for several places.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithOver {
    case: Vec<toml::Table>,
}

/// Returns the names that steps send or judge by. The values of other names are not needed again.
pub(crate) fn used_names(case: &Case) -> BTreeSet<String> {
    let mut used = Vec::new();
    for step in case.steps.iter().chain(&case.clean_up).flat_map(Step::all) {
        used.extend(target(step).map(ToOwned::to_owned));
        used.extend(step.untouched.iter().cloned());
        used.extend(sent(step).into_iter().filter_map(Place::name).map(ToOwned::to_owned));
        used.extend(step.expect.iter().flat_map(|expectation| expectation.check.names()));
    }
    used.into_iter().collect()
}

/// Returns the name that a step reads or writes.
fn target(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Read(name) | Action::Replace(name, _) | Action::Patch(name, _) | Action::Delete(name) => {
            Some(name.as_str())
        }
        _ => None,
    }
}

/// Checks that every name is given before it is used.
fn check_names(case: &Case) -> Result<(), CaseError> {
    let mut known = BTreeSet::from(["config".to_owned()]);
    let steps = case.steps.iter().chain(&case.clean_up).enumerate();
    for (index, step) in steps.flat_map(|(index, step)| step.all().map(move |step| (index, step))) {
        let check = |known: &BTreeSet<String>, name: &str| {
            // Resource types have paths too, and start with a capital.
            if known.contains(name) || name.starts_with(|c: char| c.is_ascii_uppercase()) {
                return Ok(());
            }
            let known = known.iter().cloned().collect();
            Err(CaseError::UnknownName { step: index + 1, name: name.to_owned(), known })
        };
        let sent = sent(step);
        for name in target(step).into_iter().chain(sent.iter().filter_map(|place| place.name())) {
            check(&known, name.strip_suffix(".*").unwrap_or(name))?;
        }
        if let Action::Create { count: Some(count), .. } = step.action {
            known.extend((1..=count).map(|number| format!("{}.{number}", step.name)));
        }
        if let Action::Together { steps, times } = &step.action {
            let name = |step: &Step, number| format!("{}.{number}", step.name);
            known.extend(steps.iter().flat_map(|step| (1..=*times).map(move |number| name(step, number))));
        }
        // The resources of the operations of a bulk request.
        known.extend((1..=step.action.operations()).map(|number| format!("{}.{number}", step.name)));
        for name in &step.untouched {
            check(&known, name.strip_suffix(".*").unwrap_or(name))?;
        }
        known.insert(step.name.clone());
        for name in step.expect.iter().flat_map(|expectation| expectation.check.names()) {
            check(&known, &name)?;
        }
    }
    Ok(())
}

/// Returns the places in the body of a step.
fn sent(step: &Step) -> Vec<&Place> {
    fn body(body: &Body) -> Vec<&Place> {
        match body {
            Body::None | Body::Bytes(_) => Vec::new(),
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
        | Action::Walk(..)
        | Action::Together { .. } => {}
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::with_causes;

    fn case(rest: &str) -> Result<Vec<Case>, FileError> {
        let head = "[[case]]\nslug = \"a-b\"\ntitle = \"t\"\nlevel = \"must\"\nrequirement = \"r\"\n";
        file("rfc7644/3.3/x.toml", &format!("{head}{rest}"))
    }

    #[test]
    fn valid_case_is_parsed() {
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
    fn invalid_case_is_refused_with_the_place() {
        #[track_caller]
        fn check(rest: &str, told: &[&str]) {
            let problem = with_causes(&case(rest).expect_err("a bad case"));
            for told in told {
                assert!(problem.contains(told), "{problem}");
            }
        }
        check("[[case.step]]\nread = \"ada\"\n", &["invalid case `a-b`: step 1: unknown name `ada`"]);
        check(
            "[[case.step]]\ncreate = \"User\"\ndelete = \"it\"\n",
            &["line 6", "exactly one action, found create and delete"],
        );
        check("[[case.step]]\nas = \"x\"\n", &["line 6", "exactly one action, found none"]);
        check(
            "[[case.step]]\ncreate = \"User\"\nops = '[]'\n",
            &["line 6", "`ops` does not belong to `create`"],
        );
        check("[[case.step]]\nreplace = \"it\"\n", &["`replace` needs `with` or `body` or `text`"]);
        check("[[case.step]]\nwalk = \"User\"\n", &["`walk` needs `by`"]);
        check(
            "[[case.step]]\nsend = \"PUT /x\"\nbody = '1'\ntext = '1'\n",
            &["expected at most one body, found body and text"],
        );
        check("[[case.step]]\ncreate = \"User\"\nwith = '{'\n", &["line 8, column 8", "invalid JSON `{`"]);
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ at = \"/a\" }]\n",
            &["line 8, column 11", "expected exactly one condition of `at`, found none"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ status = [99] }]\n",
            &["line 8, column 22", "invalid status `99`"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ at = \"a\", count = 1 }]\n",
            &["line 8", "invalid JSON pointer `a`: expected a slash at the start"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ list = true, count = 1 }]\n",
            &["line 8", "`count` does not belong to `list`"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ list = true, if-present = true }]\n",
            &["`if-present` does not belong to `list`"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ at = \"/a\", count = 1, equals = '1' }]\n",
            &["expected exactly one condition of `at`, found count and equals"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ header = \"ETag\", is = \"string\" }]\n",
            &["invalid `is` of a header: expected `present` or `absent`"],
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nexpect = [{ unchanged = \"eve\" }]\n",
            &["step 1: unknown name `eve`"],
        );
        check("[[case.step]]\nsend = \"GET\"\n", &["line 7", "expected a method and a path"]);
        check(
            "[[case.step]]\ncreate = \"User\"\nwiht = '{}'\n",
            &["line 8, column 1", "unknown field `wiht`; did you mean `with`?"],
        );
        check("needs = [\"ptach\"]\nstep = []\n", &["line 6", "need `ptach`"]);
        let misplaced = file("rfc7644/x.toml", "").expect_err("a bad place");
        assert!(misplaced.to_string().contains("<document>/<section>"), "{misplaced}");
    }

    #[test]
    fn case_is_expanded_over_its_places() {
        let cases = case(
            r#"
            cycle = ["read"]
            [case.over]
            write = ["post", "patch-path", "bulk-put"]
            read = ["get", "filter"]
            kind = { x = '"X"' }
            [[case.step]]
            write = "ada"
            before = '{"title": "old"}'
            set = '{"title": <<kind>>, "name": {"givenName": null}}'
            untouched = []
            [[case.step]]
            look = "ada"
            expect = [{ at = "/title", equals = '<<kind>>' }, { header = "ETag", is = "present" }]
            "#,
        );
        let cases = cases.expect("a good case");
        let ids: Vec<_> = cases.iter().map(|case| case.id.as_str()).collect();
        assert_eq!(
            ids,
            [
                "rfc7644/3.3/a-b/post/get/x",
                "rfc7644/3.3/a-b/patch-path/filter/x",
                "rfc7644/3.3/a-b/bulk-put/get/x"
            ]
        );
        let told = |case: &Case| crate::case::describe::describe(case);
        assert!(told(&cases[0]).contains("create a User, called ada"), "{}", told(&cases[0]));
        let patch = told(&cases[1]);
        for line in [
            r#"body the smallest, with {"title":"old"}"#,
            r#"Operations [{"op":"remove","path":"name.givenName"},{"op":"replace","path":"title","value":"X"}]"#,
            r#"query filter=id eq "{{ada.id}}""#,
            "exactly ada in the list",
            r#"/Resources/0/title is "X""#,
            "Needs     filter, patch",
        ] {
            assert!(patch.contains(line), "{line}: {patch}");
        }
        assert!(!patch.contains("ETag"), "a list has no entity tag: {patch}");
        let bulk = told(&cases[2]);
        assert!(bulk.contains("/Operations/0/status is the status 2xx"), "{bulk}");
        assert!(bulk.contains("a header ETag"), "{bulk}");
    }

    #[test]
    fn step_that_cannot_be_expanded_is_refused() {
        #[track_caller]
        fn check(rest: &str, told: &str) {
            let problem = with_causes(&case(rest).expect_err("a bad case"));
            assert!(problem.contains(told), "{problem}");
        }
        check("[[case.step]]\nwrite = \"ada\"\nset = '{}'\n", "`write` needs a case with `over`");
        check(
            "over = { kind = [\"x\"] }\n[[case.step]]\nlook = \"ada\"\n",
            "step 1: `look` needs the dimension `read` of `over`",
        );
        check(
            "over = { write = [\"put\"] }\n[[case.step]]\nwrite = \"ada\"\n",
            "step 1: `write` needs `set`, a JSON object of attributes",
        );
        check("over = { kind = [\"x\"] }\n[[case.step]]\nread = \"<<kind>>\"\n", "step 1: unknown name `x`");
        check(
            "[[case.step]]\ntogether = [{ walk = \"User\", by = \"index\" }]\n",
            "a step of `together` is one request, so it cannot be `walk`",
        );
        check(
            "[[case.step]]\ncreate = \"User\"\nbetween = [{ list = \"User\" }]\n",
            "`between` needs `walk`",
        );
    }

    #[test]
    fn false_flag_without_opposite_is_refused() {
        for flag in ["list = false", "error-form = false", "at = \"/a\", unique = false"] {
            let refused = case(&format!("[[case.step]]\ncreate = \"User\"\nexpect = [{{ {flag} }}]\n"));
            let refused = refused.expect_err(flag).to_string();
            assert!(refused.contains("line 8") && refused.contains("expected `true`"), "{refused}");
        }
    }

    #[test]
    fn old_keys_of_a_case_are_aliases() {
        let step = "[[case.step]]\ncreate = \"User\"\n";
        let old = case(&format!("mend = \"Do it.\"\nalone = true\n{step}")).expect("a case");
        let new = case(&format!("hint = \"Do it.\"\nexclusive = true\n{step}")).expect("a case");
        assert_eq!(old, new);
        assert!(new[0].exclusive && new[0].hint.as_deref() == Some("Do it."));
    }

    #[test]
    fn built_in_cases_are_valid() {
        let cases = built_in().unwrap_or_else(|error| panic!("{}", with_causes(&error)));
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
