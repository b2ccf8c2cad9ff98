//! The suite for clients: our provisioner, broken clients, and the program.

use std::process::Command;

use conformance::client::load;
use conformance::client::mutants::run::{fair, judged, run};
use conformance::report::Verdict;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_provisioner_passes_everything() {
    let written = load::built_in().expect("good cases");
    assert!(written.cases.len() >= 40, "{}", written.cases.len());
    for method in ["put", "patch", "auto"] {
        let scenarios = fair(&written.scenarios, method);
        let report = judged(&written, &scenarios, method, None).await.expect("a report");
        let wrong: Vec<_> = report
            .cases
            .iter()
            .filter(|case| matches!(case.verdict, Verdict::Fail | Verdict::Warn | Verdict::Error))
            .map(|case| format!("{method}: {} {:?}", case.id, case.because))
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
        assert!(report.summary.pass >= 60, "{:?}", report.summary);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_broken_client_is_found_and_every_must_case_finds_one() {
    let written = load::built_in().expect("good cases");
    let mutants = written.mutants.clone();
    assert!(mutants.len() >= 30, "{}", mutants.len());
    let table = run(&written, mutants, 2, |_| {}).await.expect("a run");
    assert_eq!(table.text(), "");
    assert!(table.is_complete(), "{}", table.summary());
    insta::assert_snapshot!("client-kill-table", table.markdown());
}

fn conformance(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_conformance")).args(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_program_judges_our_provisioner_and_says_what_is_wrong_with_a_recording() {
    let (code, out, error) = conformance(&["client", "--own", "put", "--scenario", "create"]);
    assert_eq!(code, Some(0), "{out}{error}");
    let (code, _, error) = conformance(&["client", "--journal", "no-such-file.json"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("no-such-file.json"), "{error}");
    let (code, _, error) = conformance(&["client", "--own", "put", "--scenario", "craete"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("create"), "{error}");
}
