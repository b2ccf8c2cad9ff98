//! The suite for servers: against the mock, clean and with every mutant; and the program.

use std::process::Command;

use conformance::case::load;
use conformance::mutants::load as mutants;
use conformance::mutants::run::{Played, Sequences, run};
use conformance::report::{Report, Verdict};
use conformance::server::discovery::{Blank, Facts};
use conformance::server::{self, Options};
use conformance::subject::server::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, Fault, MockAquera, Profile};
use tokio::sync::watch;

async fn judged(mock: &MockAquera, select: &str, manners: Manners) -> Report {
    let client = Client::new(&mock.scim_url(), Credentials::Bearer("a-long-token".to_owned()), manners)
        .expect("a client");
    let mut cases = load::built_in().expect("good cases");
    cases.retain(|case| case.id.starts_with(select));
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let options =
        Options { jobs: 8, seed: 11, keep: false, keep_exchanges: false, blank: Blank::default(), stop };
    server::run(client, facts, &cases, options, |_| {}).await
}

async fn mock(profile: &str) -> MockAquera {
    MockAquera::builder()
        .auth(Auth::bearer("a-long-token"))
        .profile(Profile::builtin(profile).expect("a profile"))
        .start()
        .await
        .expect("a mock")
}

fn told(report: &Report) -> Vec<String> {
    let wrong =
        report.cases.iter().filter(|case| !matches!(case.verdict, Verdict::Pass | Verdict::NotAdvertised));
    wrong.map(|case| format!("{} {} {:?}", case.verdict.as_str(), case.id, case.because)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clean_mock_passes_all_cases_and_is_left_empty() {
    let mock = mock("rfc").await;
    let report = judged(&mock, "", Manners::default()).await;
    assert_eq!(told(&report), Vec::<String>::new());
    assert!(report.cases.len() >= 400, "{}", report.cases.len());
    for (name, count) in mock.default_application().counts() {
        assert_eq!(count, 0, "{name} left behind");
    }
    assert!(!report.facts.contains_key("left behind"));
}

/// Cases that have what saved findings need.
const OWN_CASE: &str = r#"
[[case]]
slug = "own"
title = "lists by search, totals, resources of bulk requests, other versions"
level = "must"
requirement = "r"
exclusive = true

[[case.step]]
bulk = """[{"method": "POST", "path": "/Users", "bulkId": "a", "data": {"...": "{{User.new-a}}"}},
    {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"...": "{{User.new-b}}"}},
    {"method": "POST", "path": "/Users", "bulkId": "c", "data": {"...": "{{User.new-c}}"}}]"""
as = "b"

[[case.step]]
send = "GET /Users/{{b.2.id}}"
as = "before"
expect = [{ status = [200] }, { at = "/meta/version", equals = '"{{b.2.version}}"' }]

[[case.step]]
send = "PATCH {{b.2.path}}"
body = """{"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
    "Operations": [{"op": "replace", "path": "title", "value": "x"}]}"""

[[case.step]]
send = "GET /Users/{{b.2.id}}"
expect = [{ header = "ETag", differs = "{{before.version}}" }]

[[case.step]]
walk = "User"
by = "search"
query = { count = 2 }
expect = [{ status = [200] }, { lists = ["b.*"] }, { total = "as-listed" }]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_of_a_folder_names_the_resources_of_a_bulk_request() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("rfc7644/3.7");
    std::fs::create_dir_all(&below).expect("a folder");
    let play = async |text: &str| {
        std::fs::write(below.join("own.toml"), text).expect("a file");
        let mock = mock("rfc").await;
        let credentials = Credentials::Bearer("a-long-token".to_owned());
        let client = Client::new(&mock.scim_url(), credentials, Manners::default()).expect("a client");
        let cases = load::folder(folder.path()).expect("good cases");
        let facts = Facts::ask(&client).await;
        let (_sender, stop) = watch::channel(false);
        let options =
            Options { jobs: 1, seed: 1, keep: false, keep_exchanges: true, blank: Blank::default(), stop };
        server::run(client, facts, &cases, options, |_| {}).await
    };
    let report = play(OWN_CASE).await;
    assert_eq!(told(&report), Vec::<String>::new());
    let pages = report.cases[0].exchanges.iter().filter(|one| one.request.url.ends_with("/.search"));
    assert_eq!(pages.map(|one| one.request.body["startIndex"].clone()).collect::<Vec<_>>(), [1, 3]);
    let wrong =
        play(&OWN_CASE.replace("differs = \"{{before.version}}\"", "equals = \"{{before.version}}\"")).await;
    assert!(told(&wrong)[0].starts_with("fail "), "{:?}", told(&wrong));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unadvertised_features_are_not_judged_and_broken_ones_fail() {
    let report = judged(&mock("patch-501").await, "rfc7644/3.5.2", Manners::default()).await;
    let other: Vec<_> = report
        .cases
        .iter()
        .filter(|case| case.verdict != Verdict::NotAdvertised)
        .map(|case| &case.id)
        .collect();
    assert!(other.is_empty(), "{other:?}");
    let report = judged(&mock("patch-ignored-204").await, "pingone/", Manners::default()).await;
    assert!(report.summary.fail >= 3, "{:?}", report.summary);
    let failed = report.cases.iter().find(|case| case.id.ends_with("a-user-is-disabled-by-patch"));
    let failed = failed.expect("the case");
    assert_eq!(failed.verdict, Verdict::Fail);
    assert_eq!(failed.because.as_deref(), Some("read the user: the user is still active"));
    assert!(!failed.exchanges.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_discovery_does_not_stop_the_rest() {
    let profile = "name = \"mute\"\nsummary = \"no discovery\"\nextends = \"rfc\"\n[discovery]\n\
        service-provider-config = \"answers-404\"\nschemas = \"answers-404\"\nresource-types = \"answers-404\"\n";
    let mock = MockAquera::builder()
        .auth(Auth::bearer("a-long-token"))
        .profile(Profile::from_toml(profile).expect("a profile"))
        .start()
        .await
        .expect("a mock");
    let report = judged(&mock, "rfc7644/3.6/", Manners::default()).await;
    assert_eq!(told(&report), Vec::<String>::new());
    assert!(report.summary.pass > 10, "{:?}", report.summary);
}

/// RFC 7644 §3.12 lets a server not know a comparison: then what was to be found by it is not judged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_filters_by_eq_alone_is_not_blamed_for_the_rest() {
    let mock = mock("hcp-terraform").await;
    let report = judged(&mock, "rfc", Manners::default()).await;
    // It says that it filters: what it refuses is one warning, and neither wrong nor unsaid forty times.
    let of = |verdict: Verdict| report.cases.iter().filter(move |case| case.verdict == verdict);
    let warned: Vec<_> = of(Verdict::Warn).map(|case| case.id.as_str()).collect();
    assert_eq!(warned, ["rfc7644/3.4.2.2/all-operators-are-taken"]);
    let because = of(Verdict::Warn).find_map(|case| case.because.as_deref()).unwrap_or_default();
    assert!(
        because.starts_with("filters are advertised, and these operators are refused: `ne`, `co`"),
        "{because}"
    );
    assert!(because.contains("taken: `eq`"), "{because}");
    assert_eq!(of(Verdict::Fail).chain(of(Verdict::Error)).count(), 0, "{:?}", told(&report));
    let refused = |case: &&conformance::report::CaseResult| {
        case.because.as_deref().is_some_and(|because| because.contains("the server refuses the filter"))
    };
    assert!(of(Verdict::Skipped).all(|case| refused(&case)), "{:?}", told(&report));
    assert!(of(Verdict::Skipped).count() > 30);
    let names_it = |case: &conformance::report::CaseResult| {
        case.because.as_deref().is_some_and(|because| {
            because.ends_with("; rfc7644/3.4.2.2/all-operators-are-taken says which operators it refuses")
        })
    };
    assert!(of(Verdict::Skipped).all(names_it), "{:?}", told(&report));
    assert_eq!(of(Verdict::NotAdvertised).filter(refused).count(), 0);
    assert!(report.summary.pass > 400, "{:?}", report.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answer_429_is_retried() {
    let mock = mock("rfc").await;
    let fault: Fault = "429 retry-after=0 times=3".parse().unwrap_or_else(|_| Fault::status(429).times(3));
    mock.default_application().add_fault(fault);
    let report = judged(&mock, "rfc7644/3.6/", Manners::default()).await;
    assert_eq!(told(&report), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutant_is_found_and_every_must_case_finds_one() {
    let mutants = mutants::built_in().expect("good mutants");
    assert!(mutants.len() >= 150, "{}", mutants.len());
    let cases = load::built_in().expect("good cases");
    let table = run(mutants, &cases, Played::Named, Sequences::USUAL, 2, |_| {}).await.expect("a run");
    assert_eq!(table.text(), "");
    assert!(table.is_complete(), "{}", table.summary());
    insta::assert_snapshot!("kill-table", table.markdown());
    // What people read says the same.
    let read = |name: &str| {
        std::fs::read_to_string(format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"))).expect(name)
    };
    let anew = "write it anew: conformance mutants --table docs/mutants.md";
    assert!(read("docs/mutants.md").ends_with(&table.markdown()), "docs/mutants.md: {anew}");
    assert!(read("README.md").contains(&table.by_subject()), "README.md: {anew}, and copy its first table");
}

fn conformance(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_conformance")).args(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn program_judges_a_server_or_explains_why_it_cannot() {
    let mock = mock("rfc").await;
    let url = mock.scim_url();
    let select = ["--select", "id=rfc7644/3.6/*"];
    let run = |more: &[&str]| conformance(&[&["server", &url][..], more, &select[..]].concat());
    let (code, out, _) = run(&["--bearer", "a-long-token"]);
    assert_eq!(code, Some(0), "{out}");
    let (code, _, error) = run(&["--bearer", "wrong-token-indeed"]);
    assert_eq!(code, Some(3));
    assert!(
        error.contains("refuses the Bearer credentials (401)") && !error.contains("wrong-token-indeed"),
        "{error}"
    );
    let (code, _, error) = conformance(&["server", "http://127.0.0.1:1/scim", "--bearer", "x"]);
    assert_eq!(code, Some(3));
    assert!(error.contains("failed to reach http://127.0.0.1:1/scim"), "{error}");
    let (code, _, error) = conformance(&["server", "not-a-url"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("invalid URL `not-a-url`: expected http or https"), "{error}");
    let (code, out, _) = conformance(&["explain", "rfc7644/3.6/is-gone"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("RFC 7644 §3.6") && out.contains("delete ada"), "{out}");
    for (id, told) in [
        ("probe/patch-inactive-entra", "PATCH with the operations [{\"op\":\"Replace\""),
        ("post-manager-id", "Before      no account, and another user"),
        ("probe/post-manager-id", "Before      no account, and another user"),
        ("client/rfc7644/3.1/bodies-are-json", "Holds when each"),
        ("rfc7643/2.3/keeps-text/put/list/quotes", "replace ada"),
        ("rfc7643/2.3/keeps-text", "rfc7643/2.3/keeps-text/put/list/quotes"),
    ] {
        let (code, out, error) = conformance(&["explain", id]);
        assert_eq!(code, Some(0), "{error}");
        assert!(out.contains(id) && out.contains(told), "{out}");
    }
    let (code, _, error) = conformance(&["explain", "probe/patch-inactiv"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("did you mean `probe/patch-inactive`?"), "{error}");
    let (code, _, error) = conformance(&["explain", "rfc7644/3.6/is-gne"]);
    assert_eq!(code, Some(2));
    assert!(error.contains("did you mean `rfc7644/3.6/is-gone`?"), "{error}");
}
