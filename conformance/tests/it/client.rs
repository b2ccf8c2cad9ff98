//! The suite for clients: our provisioner, broken clients, and the program.

#[path = "client/recordings.rs"]
mod recordings;

use std::path::Path;
use std::process::{Command, Stdio};

use conformance::client::mutants::run::{fair, judged, run};
use conformance::client::recording::RecordedExchange;
use conformance::client::scenario::Person;
use conformance::client::trace::{Act, Play, Trace};
use conformance::client::{judge, load, recording};
use conformance::report::Verdict;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_provisioner_passes_all_cases() {
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
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(arguments)
        .env_remove("CONFORMANCE_BEARER")
        .stdin(Stdio::null())
        .output()
        .expect("the program runs");
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

/// The last line of `--json`.
fn summary(out: &str) -> Value {
    serde_json::from_str(out.lines().last().unwrap_or_default()).unwrap_or_default()
}

#[test]
fn a_person_is_told_where_to_point_the_provisioner_and_what_to_do() {
    let (code, out, error) = conformance(&[
        "client",
        "--scenario",
        "update",
        "--timeout",
        "0.2",
        "--quiet",
        "0.1",
        "--bearer",
        "a-token",
        "--by-hand",
    ]);
    assert_eq!(code, Some(3), "{out}{error}");
    for told in [
        "SCIM URL        http://127.0.0.1:",
        "bearer token    a-token",
        "or basic        user conformance, password ",
        "[1 of 4: connect / create]  the provisioner is pointed at the mock",
        "[3 of 4: update / decorated]  attributes change at the source",
        "  Change the user conformance-update-ada@example.com: the last name to Lovelace, the title to Lead analyst.",
        "  Then run a sync of the provisioner",
        "q Enter: stop",
    ] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // That nothing came is one thing to mend, and told once.
    assert_eq!(out.matches("nothing arrived: is the provisioner pointed at the URL").count(), 1, "{out}");
    assert!(out.contains(" more for the same reason"), "{out}");
}

#[test]
fn client_without_a_driver_lists_the_options() {
    let (code, out, error) = conformance(&["client", "--scenario", "update"]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{error}");
    for told in ["there is no terminal", "--drive COMMAND", "--journal FILE", "--own METHOD", "--by-hand"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // What is only printed needs nobody.
    assert_eq!(conformance(&["client", "--list", "--scenario", "update"]).0, Some(0));
}

#[test]
fn broken_command_is_an_error_and_no_failure() {
    let drive = |command: &str, more: &[&str]| {
        conformance(
            &[&["client", "--scenario", "create", "--drive", command, "--timeout", "3"][..], more].concat(),
        )
    };
    for (command, why) in [
        (
            "echo out; echo no source >&2; exit 3",
            "the driver ended with exit code 3; it said: out / no source",
        ),
        ("exec sleep 20", "the driver did not end within 3 s"),
        ("kill -9 $$", "the driver ended with a signal; it said nothing"),
    ] {
        let (code, out, error) = drive(command, &[]);
        assert_eq!(code, Some(3), "{out}{error}");
        assert_eq!(out.matches(&format!("the scenario connect broke off: {why}")).count(), 1, "{out}");
        // Nothing is tried on top of it.
        assert_eq!(error.matches("warning: ").count(), 1, "{error}");
    }
    let (code, out, _) = drive("cat > /dev/null; echo no source; exit 77", &["--json"]);
    assert_eq!(code, Some(0), "{out}");
    assert_eq!(summary(&out)["skipped"], json!(out.lines().count() - 2), "{out}");
    assert!(out.contains("was not played: the driver cannot carry it out: no source"), "{out}");
}

/// Returns the journal of a mock with a careless client; the mock has redacted the token in the URL.
fn journal() -> Value {
    let entry = |method: &str, path: &str, body: Value, status: u16| {
        json!({"at": "2026-01-01T00:00:00Z", "took": 5, "method": method, "path": path, "requestBody": body, "status": status,
            "requestHeaders": [["authorization", "Bearer a-token-of-somebody"], ["user-agent", "careless/1"], ["content-type", "application/scim+json"]]})
    };
    json!([
        entry("GET", "/scim/Users?filter=userName%20eq%20'ada'", Value::Null, 400),
        entry("POST", "/scim/Users", json!({"userName": "ada.lovelace@bank.com", "active": "True"}), 201),
        entry("GET", "/scim/Users?access_token=[redacted]", Value::Null, 200),
        entry("GET", "/scim/Users?session=a-token-of-somebody", Value::Null, 200),
        entry("GET", "/favicon.ico", Value::Null, 404),
    ])
}

/// The same as an HTTP archive.
fn archive(journal: &Value) -> Value {
    let pairs = |headers: &Value| -> Vec<Value> {
        let all = headers.as_array().into_iter().flatten();
        all.map(|pair| json!({"name": pair[0], "value": pair[1]})).collect()
    };
    let entries = journal.as_array().into_iter().flatten().map(|entry| {
        let path = entry["path"].as_str().unwrap_or_default();
        let text = if entry["requestBody"].is_null() { String::new() } else { entry["requestBody"].to_string() };
        json!({"startedDateTime": entry["at"], "time": 0.005,
            "request": {"method": entry["method"], "url": format!("https://scim.example{path}"), "headers": pairs(&entry["requestHeaders"]), "postData": {"text": text}},
            "response": {"status": entry["status"], "headers": []}})
    });
    json!({"log": {"version": "1.2", "entries": entries.collect::<Vec<_>>()}})
}

#[test]
fn a_recording_is_judged_in_each_form_and_keeps_its_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    for (name, text) in
        [("journal.json", journal().to_string()), ("traffic.har", archive(&journal()).to_string())]
    {
        let file = at(name);
        std::fs::write(&file, text).expect("a file");
        let formats = ["json", "html", "junit", "markdown"];
        let reports: Vec<String> = formats.map(|format| format!("{format}={}", at(format))).into();
        let mut arguments = vec!["client", "--journal", &file, "--json"];
        arguments.extend(reports.iter().flat_map(|report| ["--report", report]));
        let (code, out, error) = conformance(&arguments);
        assert_eq!(code, Some(1), "{out}{error}");
        let failed: Vec<String> = out
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|line| line["verdict"] == "fail")
            .filter_map(|line| line["id"].as_str()?.rsplit('/').next().map(str::to_owned))
            .collect();
        // Not among them: the brackets that the mock left in place of a token.
        let expected = [
            "creations-say-their-schemas",
            "active-is-a-boolean",
            "filters-are-well-formed",
            "no-credentials-in-urls",
        ];
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        let mut sorted = failed;
        sorted.sort();
        assert_eq!(sorted, expected, "{name}");
        for format in formats {
            let report = std::fs::read_to_string(at(format)).expect("a report");
            for secret in ["a-token-of-somebody", "lovelace@bank.com"] {
                assert!(!report.contains(secret), "{name}: {secret} is in the report as {format}");
            }
        }
        let (_, out, _) = conformance(&["client", "--journal", &file]);
        assert!(out.contains(&format!("again     conformance client --journal {file} ")), "{out}");
    }
}

#[test]
fn invalid_recording_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file").display().to_string();
    for (text, why) in [
        ("", "it is empty"),
        ("hello", "line 1: not JSON"),
        ("{\"a\": 1}", "neither a journal of mock-aquera"),
        (
            "{\"log\": {\"entries\": [{\"request\": {\"method\": \"GET\", \"url\": \"https://a.example/x\"}}]}}",
            "no request in it goes to a SCIM endpoint",
        ),
    ] {
        std::fs::write(&file, text).expect("a file");
        let (code, _, error) = conformance(&["client", "--journal", &file]);
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(&file) && error.contains(why), "{error}");
    }
}

/// One scenario of one step, in which this arrived.
fn verdict_of(case: &str, scenario: &str, entries: &Value) -> Verdict {
    let exchanges: Vec<RecordedExchange> =
        recording::read(&entries.to_string()).expect("a journal").exchanges;
    let written = load::built_in().expect("good cases");
    let act = Act { step: "create".to_owned(), range: 0..exchanges.len(), ..Act::default() };
    let play = Play { scenario: scenario.to_owned(), acts: vec![act], before: Vec::new() };
    let trace = Trace { exchanges, plays: vec![play], ..Trace::default() };
    let results = judge::all(&written.cases, &trace);
    results.into_iter().find(|result| result.id == case).expect("the case").verdict
}

#[test]
fn reading_the_whole_list_counts_as_a_look_up() {
    let post = |status: u16| json!({"method": "POST", "path": "/scim/Users", "status": status, "requestBody": {"userName": "ada"}});
    let list = json!({"method": "GET", "path": "/scim/Users?startIndex=1&count=100", "status": 200});
    let one = json!({"method": "GET", "path": "/scim/Users?filter=userName%20eq%20%22ada%22", "status": 200});
    let other =
        json!({"method": "GET", "path": "/scim/Users?filter=userName%20eq%20%22bob%22", "status": 200});
    let test = json!({"method": "GET", "path": "/scim/Users?count=1", "status": 200});
    let groups =
        json!({"method": "GET", "path": "/scim/Groups?filter=displayName%20eq%20%22ada%22", "status": 200});
    let blindly = "client/provisioning/lost-replies/creations-are-not-repeated-blindly";
    let before = "client/provisioning/creation/looks-up-before-creating";
    let conflict = "client/rfc7644/3.3/a-conflict-is-looked-into";
    for (look, found) in [(&list, true), (&one, true), (&other, false), (&test, false), (&groups, false)] {
        let (pass, fail, warn) = (Verdict::Pass, Verdict::Fail, Verdict::Warn);
        let lost = json!([post(0), look, post(201)]);
        assert_eq!(verdict_of(blindly, "lost-reply", &lost), if found { pass } else { fail }, "{look}");
        let created = json!([look, post(201)]);
        assert_eq!(verdict_of(before, "create", &created), if found { pass } else { warn }, "{look}");
        let taken = json!([post(409), look]);
        assert_eq!(verdict_of(conflict, "taken", &taken), if found { pass } else { warn }, "{look}");
    }
}

/// The names that the files of scenarios give to people are nobody's account.
#[test]
fn findings_about_somebody_say_the_user_name() {
    let person = |name: &str| Person {
        id: "disable-ada".to_owned(),
        user_name: name.to_owned(),
        given_name: "Ada".to_owned(),
        family_name: "King".to_owned(),
        title: None,
        email: None,
        enabled: false,
    };
    let act = |step: &str, name: &str, range| Act {
        step: step.to_owned(),
        range,
        people: [("ada".to_owned(), person(name))].into(),
        accounts: vec![json!({ "userName": name, "active": true })],
    };
    let entry = |method: &str, path: &str, status: u16, body: Value| {
        json!({"method": method, "path": path, "status": status,
            "requestBody": body, "responseBody": {"id": "7", "userName": body["userName"]}})
    };
    let post = |name: &str| entry("POST", "/scim/Users", 201, json!({ "userName": name }));
    let results = |scenario: &str, acts: Vec<Act>, entries: Value| {
        let exchanges = recording::read(&entries.to_string()).expect("a journal").exchanges;
        let play = Play { scenario: scenario.to_owned(), acts, before: Vec::new() };
        let trace = Trace { exchanges, plays: vec![play], ..Trace::default() };
        judge::all(&load::built_in().expect("good cases").cases, &trace)
    };
    let wrong = |scenario: &str, case: &str, acts: Vec<Act>, entries: Value| {
        let mut wrong = results(scenario, acts, entries);
        wrong.retain(|result| result.verdict.fails_or_warns());
        for result in &wrong {
            let told = json!([result.because, result.expected, result.actual]).to_string();
            let mut words = told.split(|sign: char| !(sign.is_alphanumeric() || "-@.".contains(sign)));
            assert!(words.all(|word| word != "ada"), "{told}");
        }
        wrong.into_iter().find(|result| result.id.ends_with(case)).unwrap_or_else(|| panic!("{case} holds"))
    };
    let name = "Ada@x.example";
    let entries = json!([post(name), entry("DELETE", "/scim/Users/7", 204, Value::Null)]);
    let acts = vec![act("create", name, 0..1), act("disable", name, 1..2)];
    let deleted = wrong("disable", "/disabling-deletes-nobody", acts, entries);
    assert_eq!(deleted.expected, json!("never DELETE about Ada@x.example"));

    let acts = vec![act("create", name, 0..2), act("rename", "Countess@x.example", 2..3)];
    let created =
        wrong("pages", "/an-account-on-any-page-is-found", acts, json!([post(name), post(name), post(name)]));
    let because = created.because.unwrap_or_default();
    assert!(because.contains(" about Ada@x.example or Countess@x.example, not at most 1"), "{because}");
}

/// RFC 7644 §3.4.2.4 obliges nobody to read on, and whoever begins to read page by page wants the rest.
#[test]
fn walk_that_was_begun_must_reach_the_end() {
    let page = |query: &str, start: u64, count: usize| {
        let users = vec![json!({ "id": "1", "userName": "ada" }); count];
        json!({"method": "GET", "path": format!("/scim/Users?{query}"), "status": 200,
            "responseBody": {"totalResults": 5, "startIndex": start, "Resources": users}})
    };
    let to_the_end = "client/rfc7644/3.4.2.4/lists-are-read-to-the-end";
    let first = page("startIndex=1&count=2", 1, 2);
    for (entries, verdict) in [
        (json!([page("count=2", 1, 2)]), Verdict::NotAdvertised),
        (json!([page("", 1, 2)]), Verdict::NotAdvertised),
        (json!([first]), Verdict::Warn),
        (json!([first, page("startIndex=3&count=2", 3, 2)]), Verdict::Warn),
        (json!([first, page("startIndex=3&count=100", 3, 3)]), Verdict::Pass),
    ] {
        assert_eq!(verdict_of(to_the_end, "pages", &entries), verdict, "{entries}");
    }
}

/// A recording may have no bodies, and a request may have none: what a body must be like is asked of neither.
#[test]
fn requests_without_a_body_are_not_judged_by_it() {
    let entry = |method: &str, path: &str, headers: Value, body: Value| json!({"method": method, "path": path, "status": 200, "requestHeaders": headers, "requestBody": body});
    let verdicts = |entries: Value| {
        let exchanges: Vec<RecordedExchange> =
            recording::read(&entries.to_string()).expect("a journal").exchanges;
        let trace = Trace { exchanges, ..Trace::default() };
        judge::all(&load::built_in().expect("good cases").cases, &trace)
    };
    let about_bodies = [
        "client/rfc7643/3/creations-say-their-schemas",
        "client/rfc7643/4.1.1/creations-have-a-user-name",
        "client/rfc7644/3.5.1/replacements-have-a-user-name",
        "client/rfc7644/3.5.2/patches-have-operations",
    ];
    let all = |length: &str| {
        let headers = json!([
            ["Authorization", "Bearer a-long-token"],
            ["Content-Length", length],
            ["Content-Type", "application/scim+json"]
        ]);
        json!([
            entry("POST", "/scim/Users", headers.clone(), Value::Null),
            entry("PUT", "/scim/Users/7", headers.clone(), Value::Null),
            entry("PATCH", "/scim/Users/7", headers, Value::Null),
        ])
    };
    for (length, has_body) in [("0", Verdict::Fail), ("300", Verdict::NotAdvertised)] {
        let results = verdicts(all(length));
        let of = |id: &str| results.iter().find(|result| result.id == id).expect(id).verdict;
        assert_eq!(about_bodies.map(of), [Verdict::NotAdvertised; 4], "{length}");
        assert_eq!(of("client/rfc7644/3.1/bodies-are-json"), Verdict::NotAdvertised, "{length}");
        assert_eq!(of("client/rfc7644/3.1/writes-have-a-body"), has_body, "{length}");
    }
    let put = entry(
        "PUT",
        "/scim/Users/7",
        json!([["Authorization", "Bearer a-long-token"]]),
        json!({"title": "x"}),
    );
    let results = verdicts(json!([put]));
    let result = |id: &str| results.iter().find(|result| result.id == id).expect(id).clone();
    assert_eq!(result(about_bodies[2]).verdict, Verdict::Fail);
    // Whose rule it is, is said; the id stays.
    let rule = result("client/rfc7644/3.5.1/replacements-say-active");
    assert_eq!(
        (rule.verdict, rule.spec.document.as_str()),
        (Verdict::Warn, "What provisioning must not break")
    );
    assert!(rule.spec.also.is_empty(), "{:?}", rule.spec);
    // An HTTP archive without `postData`.
    let archive = json!({"log": {"entries": [{
        "request": {"method": "POST", "url": "https://a.example/scim/v2/Users", "headers": []},
        "response": {"status": 400, "headers": []},
    }]}});
    let exchanges = recording::read(&archive.to_string()).expect("an archive").exchanges;
    let trace = Trace { exchanges, ..Trace::default() };
    let results = judge::all(&load::built_in().expect("good cases").cases, &trace);
    let failed: Vec<_> =
        results.iter().filter(|case| case.verdict == Verdict::Fail).map(|case| &case.id).collect();
    assert!(failed.iter().any(|id| *id == "client/rfc7644/3.1/writes-have-a-body"), "{failed:?}");
    assert!(!failed.iter().any(|id| id.contains("bodies-are")), "{failed:?}");
}

/// Whether there is Python 3. Where all is checked, it has to be there.
fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").stdout(Stdio::null()).status().is_ok();
    assert!(found || std::env::var_os("CI").is_none(), "python3 is missing");
    found
}

#[test]
fn example_driver_passes_its_scenarios() {
    if !has_python() {
        return;
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/python/drive_example.py");
    let folder = tempfile::tempdir().expect("a folder");
    let drive = format!("python3 '{}' '{}'", example.display(), folder.path().join("state.json").display());
    let mut arguments = vec!["client", "--json", "--drive", &drive];
    for scenario in ["create", "update", "disable", "delete", "match", "lost-reply"] {
        arguments.extend(["--scenario", scenario]);
    }
    let (code, out, error) = conformance(&arguments);
    assert_eq!(code, Some(0), "{out}{error}");
    let summary = summary(&out);
    let count = |name: &str| summary[name].as_u64().unwrap_or_default();
    assert_eq!((count("fail"), count("warn"), count("error")), (0, 0, 0), "{out}");
    assert!(count("pass") >= 40, "{summary}");
    assert!(out.contains("the driver cannot carry it out: it does not look for what was created"), "{out}");
}

#[test]
fn a_token_in_a_url_is_found_and_is_in_no_report() {
    if !has_python() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let driver = folder.path().join("driver.py");
    let text = "import json, sys, urllib.request\n\
        brief = json.load(sys.stdin)\n\
        shown = brief['credentials']\n\
        for secret in shown['bearer'], shown['basicPassword']:\n    \
            url = brief['scimUrl'] + '/Users?session=' + secret\n    \
            headers = {'Authorization': 'Bearer ' + shown['bearer'], 'User-Agent': 'leaky ' + secret}\n    \
            urllib.request.urlopen(urllib.request.Request(url, headers=headers)).read()\n    \
            open(sys.argv[1], 'a').write(secret + '\\n')\n";
    std::fs::write(&driver, text).expect("a file");
    let secrets = folder.path().join("secrets");
    let report = folder.path().join("report").display().to_string();
    let drive = format!("python3 '{}' '{}'", driver.display(), secrets.display());
    let reports = ["json", "html", "junit", "markdown"].map(|format| format!("{format}={report}.{format}"));
    let mut arguments = vec!["client", "--scenario", "create", "--drive", &drive];
    arguments.extend(reports.iter().flat_map(|report| ["--report", report]));
    let (code, out, error) = conformance(&arguments);
    assert_eq!(code, Some(1), "{out}{error}");
    assert!(out.contains("no-credentials-in-urls"), "{out}");
    let secrets = std::fs::read_to_string(secrets).expect("secrets");
    assert!(secrets.lines().count() >= 4, "{secrets}");
    let written = ["json", "html", "junit", "markdown"]
        .map(|format| std::fs::read_to_string(format!("{report}.{format}")).expect("a report"));
    for secret in secrets.lines() {
        for text in written.iter().chain([&out]) {
            assert!(!text.contains(secret), "{secret} is in a report");
        }
    }
}
