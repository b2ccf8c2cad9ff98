//! Known failures.

use std::collections::BTreeSet;

use conformance::exit::Exit;
use conformance::report::baseline::{Baseline, Catalogue};
use conformance::report::{Report, Verdict};

use super::sample::case;

fn report(cases: &[(&str, Verdict)]) -> Report {
    Report::new("server", "https://h.example", cases.iter().map(|(id, verdict)| case(id, *verdict)).collect())
}

fn ids(ids: &[&str]) -> Catalogue {
    Catalogue::Of(ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>())
}

/// Applies an entry for `id`, and says which cases are known, what is stale, and how the run ends.
#[track_caller]
fn check(
    id: &str,
    run: &[(&str, Verdict)],
    all: &Catalogue,
    known: &[&str],
    stale: Option<&str>,
    exit: Exit,
) {
    let baseline =
        Baseline::parse(&format!("[[known]]\nid = \"{id}\"\nreason = \"so it is\"\n")).expect("a baseline");
    let mut report = report(run);
    baseline.apply(&mut report, all);
    let marked: Vec<&str> =
        report.cases.iter().filter(|case| case.known.is_some()).map(|case| case.id.as_str()).collect();
    assert_eq!(marked, known, "{id}");
    assert_eq!(report.stale.first().map(String::as_str), stale, "{id}");
    assert_eq!((report.summary.exit(), report.summary.known), (exit, known.len()), "{id}");
}

#[test]
fn baseline_entries_mark_cases_or_are_stale() {
    use Verdict::{Error, Fail, NotAdvertised, Pass, Skipped, Warn};
    let all = ids(&["a/1/x", "a/1/y", "b/1/z"]);
    let unknown = Catalogue::Unknown;
    check("a/1/x", &[("a/1/x", Fail), ("a/1/y", Pass)], &all, &["a/1/x"], None, Exit::Passed);
    check("a/1/x", &[("a/1/x", Fail), ("a/1/y", Fail)], &all, &["a/1/x"], None, Exit::Failed);
    check("a/*", &[("a/1/x", Fail), ("a/1/y", Warn)], &all, &["a/1/x", "a/1/y"], None, Exit::Passed);
    check("a/*", &[("a/1/x", Fail), ("a/1/y", Pass)], &all, &["a/1/x"], None, Exit::Passed);
    let passes = "a/1/x: the case passes now. Take the entry out of the baseline";
    check("a/1/x", &[("a/1/x", Pass)], &all, &[], Some(passes), Exit::Failed);
    check("a/1/x", &[("a/1/x", Pass)], &unknown, &[], Some(passes), Exit::Failed);
    let both = "a/*: all 2 cases pass now. Take the entry out of the baseline";
    check("a/*", &[("a/1/x", Pass), ("a/1/y", Pass)], &all, &[], Some(both), Exit::Failed);
    // Only a part was run: the rest may still fail.
    check("a/*", &[("a/1/x", Pass)], &all, &[], None, Exit::Passed);
    check("a/*", &[("a/1/x", Pass), ("a/1/y", Pass)], &unknown, &[], None, Exit::Passed);
    check("b/1/z", &[("a/1/x", Pass)], &all, &[], None, Exit::Passed);
    check("b/1/z", &[("a/1/x", Pass)], &unknown, &[], None, Exit::Passed);
    let near = "b/1/w: there is no such case; did you mean `b/1/z`? Take the entry out, or correct its id";
    check("b/1/w", &[("a/1/x", Pass)], &all, &[], Some(near), Exit::Failed);
    let none = "other: there is no such case. Take the entry out, or correct its id";
    check("other", &[("a/1/x", Pass)], &all, &[], Some(none), Exit::Failed);
    // What was not judged proves nothing, and what broke is never known.
    check("a/1/x", &[("a/1/x", Skipped)], &all, &[], None, Exit::Passed);
    check("a/1/x", &[("a/1/x", NotAdvertised)], &all, &[], None, Exit::Passed);
    check("a/1/x", &[("a/1/x", Error)], &all, &[], None, Exit::Broken);
}

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let told = Baseline::parse(text).expect_err("a bad baseline").to_string();
    for words in expected {
        assert!(told.contains(words), "{words} is not in {told}");
    }
}

#[test]
fn invalid_baseline_is_refused_with_all_problems() {
    check_refused(
        "[[known]]\nid = \"a\"\n[[known]]\nid = \"a\"\nreason = \" \"\n[[known]]\nid = \"\"\nreason = \"r\"\n",
        &["`a` has no reason", "`a` is there twice", "entry 3 has an empty id"],
    );
    check_refused("[[known]]\nid = \"a\"\nreason = \"r\"\nlinks = \"x\"\n", &["links", "line 4"]);
    check_refused("known = 1", &["known"]);
    check_refused("[[knwon]]\nid = \"a\"", &["knwon"]);
    assert_eq!(Baseline::parse("# nothing is known\n"), Ok(Baseline::default()));
}

#[test]
fn written_baseline_asks_for_reasons() {
    let report = report(&[("a/1/x", Verdict::Fail), ("a/1/y", Verdict::Warn), ("b/1/z", Verdict::Pass)]);
    let (written, changes) = Baseline::default().renewed(&report, &Catalogue::Unknown, None);
    assert_eq!((changes.kept, changes.added.len(), changes.without_reason), (0, 2, 2));
    let text = written.write().expect("TOML");
    check_refused(&text, &["`a/1/x` has no reason", "`a/1/y` has no reason"]);
    assert!(!text.contains("b/1/z"), "{text}");
    let (written, changes) = Baseline::default().renewed(&report, &Catalogue::Unknown, Some("ticket 17"));
    assert_eq!(changes.without_reason, 0);
    assert_eq!(Baseline::parse(&written.write().expect("TOML")), Ok(written));
}

/// The file had a pattern with a link, an entry that holds no longer and one that was not run.
#[test]
fn renewed_baseline_keeps_failures_and_drops_passed_cases() {
    let all = ids(&["a/1/x", "a/1/y", "b/1/z", "b/1/w", "c/1/v"]);
    let old = "[[known]]\nid = \"a/*\"\nreason = \"so it is\"\nlink = \"https://tracker.example/1\"\n\
        [[known]]\nid = \"b/1/z\"\nreason = \"mended since\"\n\
        [[known]]\nid = \"c/1/v\"\nreason = \"not run\"\n";
    let old = Baseline::parse(old).expect("a baseline");
    let report = report(&[
        ("a/1/x", Verdict::Fail),
        ("a/1/y", Verdict::Pass),
        ("b/1/z", Verdict::Pass),
        ("b/1/w", Verdict::Fail),
    ]);
    let (written, changes) = old.renewed(&report, &all, Some("ticket 17"));
    assert_eq!((changes.kept, &changes.added), (2, &vec!["b/1/w".to_owned()]));
    assert_eq!(changes.dropped.len(), 1, "{changes:?}");
    assert!(changes.dropped[0].starts_with("b/1/z: the case passes now"), "{changes:?}");
    let text = written.write().expect("TOML");
    for kept in
        ["id = \"a/*\"", "so it is", "https://tracker.example/1", "c/1/v", "not run", "b/1/w", "ticket 17"]
    {
        assert!(text.contains(kept), "{kept} is not in {text}");
    }
    assert!(!text.contains("b/1/z"), "{text}");
    let mut again = report.clone();
    Baseline::parse(&text).expect("it has its reasons").apply(&mut again, &all);
    assert_eq!(again.summary.exit(), Exit::Passed);
}

#[test]
fn a_folder_that_fails_as_a_whole_is_one_pattern() {
    let all = ["a/1/x", "a/1/y", "a/1/z", "a/2/u", "a/2/v", "a/2/w", "b/1/q"];
    let run: Vec<_> =
        all.iter().map(|id| (*id, if *id == "a/2/w" { Verdict::Pass } else { Verdict::Fail })).collect();
    let (written, changes) = Baseline::default().renewed(&report(&run), &ids(&all), Some("r"));
    assert_eq!(changes.added, ["a/1/*", "a/2/u", "a/2/v", "b/1/q"], "{written:?}");
    // Where not all there is was run, the rest of the folder may pass.
    let (_, changes) = Baseline::default().renewed(&report(&run[..2]), &ids(&all), Some("r"));
    assert_eq!(changes.added, ["a/1/x", "a/1/y"]);
}
