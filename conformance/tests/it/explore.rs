//! Exploration: the clean mock keeps every rule, broken servers are found by name, and findings become cases.

use std::process::Command;
use std::time::Duration;

use conformance::explore::{Explored, LEFT_OUT, Options, Subject, explore, rules};
use conformance::mutants::load as mutants;
use conformance::report::Verdict;
use conformance::server::discovery::{Blank, Facts};
use conformance::subject::server::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use tokio::sync::watch;

const TOKEN: &str = "a-long-token";

async fn mock(profile: &str) -> MockAquera {
    let profile = Profile::builtin(profile).expect("a profile");
    MockAquera::builder().auth(Auth::bearer(TOKEN)).profile(profile).start().await.expect("a mock")
}

/// What a mock was explored with.
struct Used {
    client: Client,
    facts: Facts,
    options: Options,
}

/// Explores a mock in this thread, for the state of an exploration stays in one.
async fn explored(mock: &MockAquera, seed: u64, sequences: usize, jobs: usize) -> (Explored, Used) {
    let client = Client::new(&mock.scim_url(), Credentials::Bearer(TOKEN.to_owned()), Manners::default())
        .expect("a client");
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    // A finding is as small however slow the machine is.
    let (blank, patience) = (Blank::default(), Duration::from_mins(10));
    let options =
        Options { jobs, seed, steps: 12, sequences, findings: 20, patience, time: None, blank, stop };
    let explored = explore(&client, &facts, &options, &|_| ()).await.expect("a server with users");
    (explored, Used { client, facts, options })
}

fn failures(explored: &Explored) -> Vec<String> {
    let wrong = explored.report.cases.iter().filter(|case| case.verdict != Verdict::Pass);
    wrong.map(|case| format!("{} {} {:?}", case.verdict.as_str(), case.id, case.because)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_mock_keeps_every_rule_and_is_left_empty() {
    let mock = mock("rfc").await;
    for seed in [1, 2] {
        let (explored, _) = explored(&mock, seed, 250, 8).await;
        assert_eq!(failures(&explored), Vec::<String>::new(), "seed {seed}");
        assert_eq!(explored.report.facts.get(LEFT_OUT), None, "seed {seed}");
    }
    for (name, count) in mock.default_application().counts() {
        assert_eq!(count, 0, "{name} left behind");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_seed_makes_the_same_requests() {
    // The pages of a whole list depend on what other sequences have.
    let count =
        async |seed| explored(&mock("rfc").await, seed, 130, 1).await.0.report.facts["played"].clone();
    assert_eq!(count(7).await, count(7).await);
    assert_ne!(count(7).await, count(8).await);
}

#[test]
fn each_rule_is_named_by_a_mutant() {
    let mutants = mutants::built_in().expect("good mutants");
    let is_named = |rule: &&str| {
        let id = format!("explore/{rule}");
        mutants.iter().any(|mutant| mutant.found_by.contains(&id))
    };
    let unnamed: Vec<_> = rules().filter(|rule| !is_named(rule)).collect();
    assert_eq!(
        unnamed,
        Vec::<&str>::new(),
        "the kill table plays each mutant against the rule that names it"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finding_is_shrunk_and_played_as_a_case() {
    let mock = mock("patch-ignored-204").await;
    let (explored, Used { client, facts, options }) = explored(&mock, 3, 140, 8).await;
    let finding =
        explored.findings.iter().find(|finding| finding.id().contains("patch-stores/patch-replace-with"));
    let finding = finding.expect("a PATCH that does nothing is found");
    let case = explored.report.cases.iter().find(|case| case.id == finding.id()).expect("its result");
    assert_eq!(case.verdict, Verdict::Fail);
    let writes = case.exchanges.iter().filter(|exchange| exchange.request.method != "GET").count();
    assert_eq!(writes, 2, "a creation and a PATCH of {}", finding.id());

    let folder = tempfile::tempdir().expect("a folder");
    let subject = Subject { client: &client, facts: &facts, options: &options };
    let file = finding.save(folder.path(), subject).await.expect("a case file");
    assert!(folder.path().join(&file).is_file(), "{}", file.display());
    let cases = folder.path().to_str().expect("a path");
    let played = async |mock: &MockAquera| {
        let (url, cases) = (mock.scim_url(), cases.to_owned());
        let run = move || {
            Command::new(env!("CARGO_BIN_EXE_conformance"))
                .args(["server", &url, "--bearer", TOKEN, "--cases", &cases])
                .output()
                .expect("the program runs")
        };
        tokio::task::spawn_blocking(run).await.expect("an end").status.code()
    };
    assert_eq!(played(&mock).await, Some(1), "the case fails where it was found");
    assert_eq!(played(&self::mock("rfc").await).await, Some(0), "the case passes at a clean server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_that_stops_is_told_as_stopped() {
    let mock = mock("rfc").await;
    let client = Client::new(&mock.scim_url(), Credentials::Bearer(TOKEN.to_owned()), Manners::default())
        .expect("a client");
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let (blank, patience) = (Blank::default(), Duration::from_secs(10));
    let options = Options {
        jobs: 1,
        seed: 1,
        steps: 12,
        sequences: 6,
        findings: 20,
        patience,
        time: None,
        blank,
        stop,
    };
    let (stopper, mut stopped) = tokio::sync::mpsc::unbounded_channel::<()>();
    tokio::spawn(async move {
        stopped.recv().await;
        mock.stop().await;
    });
    let told = |_: conformance::explore::Progress<'_>| stopper.send(()).unwrap_or_default();
    let explored = explore(&client, &facts, &options, &told).await.expect("a server with users");
    let told = |id: &str| {
        let case = explored.report.cases.iter().find(|case| case.id == id).expect(id);
        (case.verdict, case.because.clone().unwrap_or_default())
    };
    let (verdict, because) = told("explore/answers");
    assert_eq!(verdict, Verdict::Error);
    assert!(because.starts_with("the server stopped answering: "), "{because}");
    assert_eq!(told("explore/discovery-stays").0, Verdict::Skipped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lacks_are_left_out_and_told() {
    let mock = mock("patch-501").await;
    let (explored, _) = explored(&mock, 1, 130, 8).await;
    let wrong = explored.report.cases.iter().filter(|case| case.verdict.fails_or_warns());
    assert_eq!(wrong.map(|case| &case.id).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(explored.report.facts[LEFT_OUT].contains("PATCH"), "{:?}", explored.report.facts);
    let patch =
        explored.report.cases.iter().find(|case| case.id == "explore/patch-stores").expect("the rule");
    assert_eq!(patch.verdict, Verdict::NotAdvertised);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_explores_and_refuses_bad_options() {
    let mock = mock("rfc").await;
    let url = mock.scim_url();
    let run = async |more: &'static [&'static str]| {
        let url = url.clone();
        let output = tokio::task::spawn_blocking(move || {
            Command::new(env!("CARGO_BIN_EXE_conformance"))
                .args(["explore", &url, "--bearer", TOKEN])
                .args(more)
                .output()
                .expect("the program runs")
        });
        let output = output.await.expect("an end");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, error) = run(&["--sequences", "20", "--seed", "5"]).await;
    assert_eq!(code, Some(0), "{out}{error}");
    assert!(error.contains("20 sequences, ") && out.contains("cases of"), "{out}{error}");
    let (code, _, error) = run(&["--time", "soon"]).await;
    assert_eq!(code, Some(2));
    assert!(error.contains("expected a number of seconds, or a number with a unit"), "{error}");
    let (code, _, error) = run(&["--sequences", "0"]).await;
    assert_eq!(code, Some(2), "{error}");
}
