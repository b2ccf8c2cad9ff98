//! The program's face.

use std::process::{Command, Output};

fn conformance(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[track_caller]
fn check_usage(arguments: &[&str], expected: &str) {
    let output = conformance(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    let told = text(&output.stderr);
    assert!(told.contains(expected), "{arguments:?}: {told}");
}

#[test]
fn usage_errors_say_what_is_wrong() {
    check_usage(&["matrix", "--select", "profle=aquera"], "unknown name `profle`; did you mean `profile`?");
    check_usage(&["matrix", "--select", "auth=basic & profile=aqera"], "                       ^");
    check_usage(&["matrix", "--select", "auth=basic & auth=bearer"], "no cell is selected");
    check_usage(&["matrix", "--shard", "3/2"], "expected I/N with I from 1 to N");
    check_usage(&["matrix", "--report", "pdf=x.pdf"], "unknown format `pdf`");
    check_usage(&["matrix", "--jobs", "0"], "--jobs");
    check_usage(&["identities"], "--out");
    check_usage(&["nonsense"], "nonsense");
}

#[test]
fn invalid_number_is_reported_in_plain_words() {
    check_usage(&["matrix", "--jobs", "x"], "'x' for '--jobs <N>': expected a whole number");
    check_usage(&["matrix", "--jobs", "0"], "expected a whole number from 1");
    check_usage(
        &["server", "http://127.0.0.1:1", "--retries", "99999999999999999999"],
        "the number is too large",
    );
    check_usage(&["server", "http://127.0.0.1:1", "--timeout", "x"], "expected a number");
    check_usage(&["identities", "--out", "x", "--seed", "1.5"], "expected a whole number");
}

#[test]
fn help_version_and_completions_are_printed() {
    insta::assert_snapshot!("help", text(&conformance(&["--help"]).stdout));
    insta::assert_snapshot!("help-matrix", text(&conformance(&["matrix", "--help"]).stdout));
    insta::assert_snapshot!("help-identities", text(&conformance(&["identities", "--help"]).stdout));
    let version = conformance(&["--version"]);
    assert_eq!((version.status.code(), text(&version.stdout).starts_with("conformance ")), (Some(0), true));
    let script = text(&conformance(&["completions", "bash"]).stdout);
    assert!(script.contains("_conformance") && script.contains("identities"), "{script}");
}

#[test]
fn cells_are_listed_and_sharded() {
    let list = |arguments: &[&str]| -> Vec<String> {
        let output = conformance(&[&["matrix", "--list"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout).lines().map(str::to_owned).collect()
    };
    let all = list(&[]);
    insta::assert_snapshot!("list-head", all[..70].join("\n"));
    let mut sharded: Vec<String> =
        ["1/3", "2/3", "3/3"].iter().flat_map(|shard| list(&["--shard", shard])).collect();
    let mut sorted = all.clone();
    sharded.sort();
    sorted.sort();
    assert_eq!(sharded, sorted, "the shards are the whole, each cell once");
    assert_eq!(list(&["--select", &format!("id={}", all[1000])]), [all[1000].as_str()]);
}

#[test]
fn identities_are_written_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users.ndjson");
    let path = file.to_str().expect("UTF-8");
    let write = |more: &[&str]| {
        conformance(&[&["identities", "--count", "12", "--seed", "3", "--out", path], more].concat())
    };
    assert_eq!(write(&[]).status.code(), Some(0));
    let first = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(first.lines().count(), 12);
    let again = write(&[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(write(&["--force"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), first);
}
