//! Reports, baselines and shards on the command line.

use std::path::Path;
use std::process::{Command, Output};

use conformance::report::{Report, Summary, Verdict, json};
use serde_json::Value;

use super::sample;

pub(super) fn conformance(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(arguments)
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITHUB_STEP_SUMMARY")
        .envs(variables.iter().copied())
        .output()
        .expect("the program runs")
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn write(folder: &Path, name: &str, report: &Report) -> String {
    let file = folder.join(name);
    std::fs::write(&file, json::write(report).expect("JSON")).expect("a file");
    file.display().to_string()
}

/// One failure, one pass, nothing else.
fn one_failed() -> Report {
    let mut report = sample::report();
    report.cases.retain(|case| case.verdict == Verdict::Pass || case.id.ends_with("add-keeps-other-values"));
    report.stale.clear();
    report.summary = Summary::of(&report.cases);
    report
}

#[test]
fn every_format_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let formats = [
        ("json", "r.json"),
        ("junit", "r.xml"),
        ("html", "r.html"),
        ("markdown", "r.md"),
        ("badge", "r.svg"),
    ];
    let reports: Vec<String> =
        formats.iter().map(|(format, name)| format!("{format}={}", path(name).display())).collect();
    let mut arguments = vec!["matrix", "--select", "kind=refusal"];
    arguments.extend(reports.iter().flat_map(|report| ["--report", report]));
    let output = conformance(&arguments, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with(": 42 passed\n"), "{}", text(&output.stdout));
    let starts = ["{", "<?xml", "<!doctype html>", "### Conformance (matrix): ✅ 42 cells passed", "<svg "];
    for ((_, name), start) in formats.iter().zip(starts) {
        let written = std::fs::read_to_string(path(name)).expect(name);
        assert!(written.starts_with(start), "{name}: {}", &written[..written.len().min(80)]);
    }
    let report = json::read(&std::fs::read_to_string(path("r.json")).expect("JSON")).expect("a report");
    assert_eq!((report.suite.as_str(), report.summary.pass, report.seed), ("matrix", 42, 1));
    assert_eq!(report.facts.get("selected").map(String::as_str), Some("kind=refusal"));
}

#[track_caller]
fn check_usage(arguments: &[&str], expected: &str) {
    let output = conformance(arguments, &[]);
    let told = text(&output.stderr);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(2), String::new()),
        "{arguments:?}: {told}"
    );
    assert!(told.contains(expected), "{arguments:?}: {told}");
}

#[test]
fn invalid_options_are_refused_before_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let nowhere = format!("html={}", folder.path().join("no/such/folder.html").display());
    check_usage(&["matrix", "--report", &nowhere], "cannot write");
    let file = folder.path().join("r").display().to_string();
    let (page, data) = (format!("html={file}"), format!("json={file}"));
    check_usage(&["matrix", "--report", &page, "--report", &data], "two reports cannot both go to");
    check_usage(&["matrix", "--report", "html"], "expected FORMAT=FILE");
    check_usage(
        &["matrix", "--report", "pdf=x"],
        "unknown format `pdf`; the formats are json, junit, html, markdown, badge",
    );
    check_usage(
        &["matrix", "--baseline", "/no/such/file.toml"],
        "failed to read the baseline /no/such/file.toml",
    );
    let baseline = folder.path().join("known.toml");
    std::fs::write(&baseline, "[[known]]\nid = \"a\"\n").expect("a file");
    let baseline = baseline.display().to_string();
    check_usage(&["matrix", "--baseline", &baseline], "`a` has no reason; write why its failure is accepted");
    check_usage(&["merge"], "REPORT.json");
    check_usage(&["merge", &baseline], "not a JSON report of conformance");
}

#[test]
fn baseline_is_written_applied_and_renewed() {
    let folder = tempfile::tempdir().expect("a folder");
    let failing = write(folder.path(), "failing.json", &one_failed());
    let baseline = folder.path().join("known.toml").display().to_string();

    let output = conformance(&["merge", &failing, "--write-baseline", &baseline], &[]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(text(&output.stdout).contains("FAIL  rfc7644/3.5.2.1/add-keeps-other-values"));
    for words in [
        "0 kept, 1 added, 0 dropped",
        "added    rfc7644/3.5.2.1/add-keeps-other-values",
        "1 entry has no reason yet",
        "--reason TEXT",
    ] {
        assert!(told.contains(words), "{words} is not in {told}");
    }

    check_usage(&["merge", &failing, "--baseline", &baseline], "has no reason");
    let filled = std::fs::read_to_string(&baseline)
        .expect("a baseline")
        .replace("reason = \"\"", "reason = \"ticket 17\"");
    std::fs::write(&baseline, filled).expect("a file");

    let output = conformance(&["merge", &failing, "--baseline", &baseline], &[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.ends_with("4 passed, 1 known\n") && !told.contains("FAIL"), "{told}");

    let mut mended = one_failed();
    mended.cases.iter_mut().for_each(|case| case.verdict = Verdict::Pass);
    let mended = write(folder.path(), "mended.json", &mended);
    let output = conformance(&["merge", &mended, "--baseline", &baseline], &[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains(
            "STALE rfc7644/3.5.2.1/add-keeps-other-values: the case passes now. Take the entry out"
        ),
        "{told}"
    );
    assert!(told.ends_with("5 passed, 1 stale baseline entry\n"), "{told}");

    // Written anew, it keeps what was written there.
    let other = folder.path().join("other.toml").display().to_string();
    std::fs::copy(&baseline, &other).expect("a copy");
    let output = conformance(&["merge", &failing, "--write-baseline", &other], &[]);
    assert!(text(&output.stderr).contains("1 kept, 0 added, 0 dropped"), "{}", text(&output.stderr));
    assert!(std::fs::read_to_string(&other).expect("a baseline").contains("ticket 17"));
    let output = conformance(&["merge", &mended, "--write-baseline", &other], &[]);
    let told = text(&output.stderr);
    assert!(told.contains("0 kept, 0 added, 1 dropped") && told.contains("the case passes now\n"), "{told}");
    std::fs::write(&other, "not a baseline").expect("a file");
    check_usage(&["merge", &failing, "--write-baseline", &other], "which is to be written anew");
}

#[test]
fn a_selection_leaves_the_rest_of_a_baseline_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let baseline = folder.path().join("known.toml");
    let run = |id: &str| {
        std::fs::write(&baseline, format!("[[known]]\nid = \"{id}\"\nreason = \"r\"\n")).expect("a file");
        let baseline = baseline.display().to_string();
        let output = conformance(
            &["matrix", "--select", "kind=refusal", "--shard", "1/42", "--baseline", &baseline],
            &[],
        );
        (output.status.code(), text(&output.stdout))
    };
    let (code, told) = run("matrix/none/basic/put/aquera/created");
    assert_eq!(code, Some(0), "its cell was not run: {told}");
    let (code, told) = run("matrix/none/basic/put/aquera/creatde");
    assert_eq!(code, Some(1), "{told}");
    assert!(
        told.contains("there is no such case; did you mean `matrix/none/basic/put/aquera/created`?"),
        "{told}"
    );
}

#[test]
fn shards_are_merged() {
    let folder = tempfile::tempdir().expect("a folder");
    let shard = |shard: &str| {
        let file = folder.path().join(format!("{}.json", shard.replace('/', "-"))).display().to_string();
        let report = format!("json={file}");
        let output =
            conformance(&["matrix", "--select", "kind=refusal", "--shard", shard, "--report", &report], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        file
    };
    let (first, second) = (shard("1/2"), shard("2/2"));
    let output = conformance(&["merge", &first, &second, "--json"], &[]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}{}", text(&output.stderr));
    let lines: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let summary = lines.last().expect("a summary");
    assert_eq!((lines.len(), &summary["type"], &summary["pass"]), (43, &"summary".into(), &42.into()));
    check_usage(&["merge", &first], "failed to merge: missing: shard 2/2");
}

#[test]
fn broken_case_decides_the_exit_code_of_a_merge() {
    let folder = tempfile::tempdir().expect("a folder");
    let broken = write(folder.path(), "broken.json", &sample::report());
    assert_eq!(conformance(&["merge", &broken], &[]).status.code(), Some(3));
}

#[test]
fn github_runner_gets_annotations_and_a_summary() {
    let folder = tempfile::tempdir().expect("a folder");
    let failing = write(folder.path(), "failing.json", &one_failed());
    let summary = folder.path().join("summary.md");
    std::fs::write(&summary, "before\n").expect("a file");
    let variables = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().expect("UTF-8"))];
    let output = conformance(&["merge", &failing], &variables);
    assert_eq!(output.status.code(), Some(1));
    let told = text(&output.stderr);
    assert!(
        told.starts_with("::error title=rfc7644/3.5.2.1/add-keeps-other-values::after the add"),
        "{told}"
    );
    assert!(!text(&output.stdout).contains("::error"));
    let summary = std::fs::read_to_string(summary).expect("the summary");
    assert!(summary.starts_with("before\n### Conformance (server): ❌ 1 of 5 cases failed\n"), "{summary}");
    assert_eq!(text(&conformance(&["merge", &failing], &[]).stderr), "");
}
