//! The matrix as a program: a part of it, its tables and its JSON.

use std::process::{Command, Output};

use serde_json::Value;

fn matrix(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_conformance")).arg("matrix").args(arguments).output().expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[test]
fn table_of_one_profile_matches_the_snapshot() {
    let output =
        matrix(&["--select", "profile=no-partial-update & kind=matrix & auth=bearer & method!=patch"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let end = told.find("cells  ").expect("a summary");
    insta::assert_snapshot!("table-no-partial-update", told[..end].trim_end());
    assert!(told[end..].contains("748 run    748 passed      0 failed      0 broke"), "{told}");
}

#[test]
fn limitation_table_matches_the_snapshot() {
    let output = matrix(&["--table", "limitation"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    insta::assert_snapshot!("limitation", told[..told.find("\n\n").expect("the end of the table")]);
}

/// A part of what the whole matrix plays: at least one of each way in which a request can go wrong.
#[test]
fn faults_groups_and_repeated_runs_pass() {
    let check = |select: &str, least: usize| {
        let output = matrix(&["--table", "none", "--json", "--select", select]);
        let told = text(&output.stdout);
        let cells = told.lines().filter(|line| line.contains("\"type\":\"cell\"")).count();
        assert!(output.status.success() && cells >= least, "{select}: {cells} cells, {told}");
    };
    let faults =
        "fault=status-401 | fault=status-501 | fault=status-503 | fault=reset-after-effect | fault=truncate";
    check(&format!("kind=fault & method=auto & ({faults})"), 5 * 9 * 2);
    check("kind=fault & fault=refuse & operation=create", 6);
    check("kind=sequence & profile=aquera & method=put & (scenario=group-* | scenario=member-*)", 40);
    check("kind=rest & profile=no-partial-update & (scenario=deleted | scenario=renamed)", 2);
    check(
        "kind=sequence & setting=*by-disable+rules & method=auto & (profile=no-title-echoed | profile=swallows-dotted-paths | \
         profile=external-id-read-only) & (scenario=title-changed-then-* | scenario=already-there-changed-and-disabled | \
         scenario=target-mended-for-others)",
        15,
    );
    check(
        "kind=groups & (profile=groups-plain | profile=groups-no-value-paths | profile=groups-no-removal)",
        250,
    );
    check("kind=groups & scenario=groups-members & id=*/create-update-delete-*", 16);
    check(
        "kind=sequence & profile=aquera & method=auto & (scenario=revoked-* | scenario=*authentication*)",
        6,
    );
}

#[test]
fn json_lines_agree_with_the_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.json");
    let report = format!("json={}", file.display());
    let select = "scenario=created & profile=aquera & auth=basic & method=auto | kind=refusal";
    let output = matrix(&["--select", select, "--json", "--report", &report]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 42 + 22 + 1);
    let summary = lines.last().expect("a summary");
    assert_eq!(
        (&summary["type"], &summary["cells"], &summary["refusals"]),
        (&"summary".into(), &22.into(), &42.into())
    );
    assert_eq!((&summary["faults"], &summary["tenRunsInARow"]), (&0.into(), &0.into()));
    assert!(lines[..64].iter().all(|line| line["type"] == "cell" && line["verdict"] == "pass"));
    let report: Value = serde_json::from_slice(&std::fs::read(&file).expect("the report")).expect("JSON");
    assert_eq!((&report["schemaVersion"], &report["summary"]["pass"]), (&1.into(), &64.into()));
    let case = &report["cases"][0];
    for key in ["id", "title", "level", "verdict", "requirement", "spec", "expected", "actual", "exchanges"] {
        assert!(case.get(key).is_some(), "a case has {key}: {case}");
    }
}
