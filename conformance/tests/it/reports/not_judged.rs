//! Reports of a subject that could not be judged: each format says why, and nothing empty stays behind.

use std::path::Path;

use conformance::report::{CONNECTION_TEST, Verdict, json};
use serde_json::Value;

use super::command::{conformance, text};
use super::json::fits;

/// An address at which no server listens.
const URL: &str = "http://127.0.0.1:1/scim";

const WHY: &str = "failed to reach http://127.0.0.1:1/scim";

fn run(command: &str, folder: &Path, more: &[&str]) -> (String, String) {
    let formats = ["json", "junit", "html", "markdown", "badge"];
    let reports = formats.map(|format| format!("{format}={}", folder.join(format).display()));
    let mut arguments = vec![command, URL];
    arguments.extend(reports.iter().flat_map(|report| ["--report", report]));
    arguments.extend(more);
    let summary = folder.join("summary").display().to_string();
    let output = conformance(&arguments, &[("GITHUB_STEP_SUMMARY", &summary)]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn each_format_says_why_no_case_was_run() {
    for command in ["server", "probe"] {
        let folder = tempfile::tempdir().expect("a folder");
        // What an earlier run wrote says nothing of this one.
        std::fs::write(folder.path().join("markdown"), "all passed").expect("a file");
        let (out, error) = run(command, folder.path(), &["--seed", "7"]);
        assert!(out.is_empty() && error.contains(WHY), "{out}{error}");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect(name);

        let value: Value = serde_json::from_str(&read("json")).expect("JSON");
        assert_eq!(fits(&json::schema(), &json::schema(), &value), Ok(()));
        let report = json::read(&read("json")).expect("a report");
        let why = report.not_judged.expect("a reason");
        assert_eq!((report.suite.as_str(), why.code.as_str()), (command, "refused"));
        assert!(why.message.starts_with(WHY) && why.next.contains("nothing listens"), "{why:?}");
        let [case] = &report.cases[..] else { panic!("{:?}", report.cases) };
        assert_eq!((case.id.as_str(), case.verdict), (CONNECTION_TEST, Verdict::Error));
        assert_eq!((report.summary.error, report.summary.total()), (1, 1));

        let junit = read("junit");
        assert!(junit.contains(r#"tests="1""#) && junit.contains(r#"errors="1""#), "{junit}");
        assert!(junit.contains(&format!("no case was run: {WHY}")), "{junit}");
        assert!(!junit.contains("--select"), "there is nothing to select: {junit}");
        assert!(junit.contains(&format!("classname=\"{command}\"")), "readers group by it: {junit}");
        for name in ["html", "markdown", "summary"] {
            assert!(read(name).contains("no case was run: failed to reach"), "{name}: {}", read(name));
        }
        assert!(read("badge").contains("1 broke off"), "{}", read("badge"));
    }
}

#[test]
fn the_last_line_of_json_says_why_no_case_was_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (out, _) = run("server", folder.path(), &["--json"]);
    let line: Value = serde_json::from_str(&out).expect("one line");
    assert_eq!((&line["type"], &line["error"]), (&"summary".into(), &1.into()));
    assert_eq!(line["notJudged"]["code"], "refused");
}

#[test]
fn failed_run_leaves_no_empty_file_and_keeps_old_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    run("server", folder.path(), &["--write-baseline", &path("new.toml")]);
    run("probe", folder.path(), &["--out", &path("profile.toml"), "--write-baseline", &path("new.toml")]);
    assert!(!folder.path().join("new.toml").exists() && !folder.path().join("profile.toml").exists());
    std::fs::write(path("old.toml"), "").expect("a file");
    run("server", folder.path(), &["--write-baseline", &path("old.toml")]);
    assert!(folder.path().join("old.toml").exists());
    // Another reason why nothing is judged: the port is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let report = format!("json={}", path("client.json"));
    let output = conformance(&["client", "--listen", &address, "--drive", "true", "--report", &report], &[]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(!folder.path().join("client.json").exists());
}
