//! The program from outside: its messages, exit codes and output.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::{Bench, but, user};

pub(crate) fn provisioner(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command.args(arguments).current_dir(folder).env("COLUMNS", "140").env("NO_COLOR", "1");
    command
}

pub(crate) async fn run(arguments: &[&str], folder: &Path) -> Output {
    let mut command = provisioner(arguments, folder);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub(crate) fn objects(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn help_of_every_command_matches_the_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for command in [
        &["--help"][..],
        &["check", "--help"],
        &["test-connection", "--help"],
        &["plan", "--help"],
        &["apply", "--help"],
        &["sync", "--help"],
        &["status", "--help"],
        &["log", "--help"],
        &["explain", "--help"],
        &["release", "--help"],
        &["forget", "--help"],
        &["adopt", "--help"],
        &["list", "--help"],
        &["completions", "--help"],
    ] {
        let output = run(command, folder.path()).await;
        assert!(output.status.success());
        writeln!(text, "$ provisioner {}\n{}", command.join(" "), out(&output)).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn invalid_number_is_reported_in_plain_words() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, part) in [
        (&["sync", "--concurrency", "x"][..], "'x' for '--concurrency <N>': expected a whole number"),
        (&["sync", "--concurrency", "0"], "expected a whole number from 1"),
        (&["sync", "--approve-removals", "x"], "expected a whole number"),
        (&["apply", "p.json", "--approve-removals", "99999999999999999999999"], "the number is too large"),
        (
            &["apply", "p.json", "--approve-removals", "4294967296"],
            "expected a whole number from 0 to 4294967295",
        ),
    ] {
        let output = run(arguments, folder.path()).await;
        let told = err(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert_eq!(out(&output).as_str(), "", "{arguments:?}: {told}");
        assert!(told.contains(part), "{arguments:?}: {told}");
    }
}

/// `RUST_LOG` as compose files leave it empty, and with a typing mistake.
#[tokio::test]
async fn rust_log_that_cannot_be_read_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for (filter, part) in [
        ("", None),
        ("warn,provisioner=debug", None),
        ("garbage==", Some("`garbage==`")),
        ("provisioner=dbug", Some("did you mean `debug`?")),
        ("dbug", Some("did you mean `debug`?")),
    ] {
        let mut command = provisioner(&["check"], folder.path());
        command.env("RUST_LOG", filter);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let told = err(&output);
        assert_eq!(output.status.code(), Some(2), "{filter}: {told}");
        assert_eq!(told.contains("RUST_LOG"), part.is_some(), "{filter}: {told}");
        assert!(part.is_none_or(|part| told.contains(part)), "{filter}: {told}");
    }
}

#[tokio::test]
async fn sync_prints_lines_and_a_summary_for_programs() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "enabled": false }))]);
    bench.write_config();
    let output = run(&["sync", "-c", "aquera.toml", "--json"], bench.folder.path()).await;
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let mut lines = objects(&output);
    let id = bench.app.users()[0]["id"].clone();
    assert_eq!(lines[0]["targetId"], id);
    lines[0]["targetId"] = "the id".into();
    assert_eq!(
        lines,
        [
            json!({ "type": "user", "sourceId": "1", "userName": "ada", "targetId": "the id", "change": "enters",
                "operation": "create", "outcome": "success", "reason": "done", "detail": null }),
            json!({ "type": "user", "sourceId": "2", "userName": "brook", "targetId": null, "change": "enters",
                "operation": "none", "outcome": "unsynced", "reason": "disabled-at-source", "detail": null }),
            json!({ "type": "summary", "impacted": 2, "success": 1, "unsynced": 1, "partial": 0, "failed": 0,
                "failedDeprovisions": 0, "users": 2, "requests": 6, "stopped": null, "exitCode": 0 }),
        ]
    );
}

#[tokio::test]
async fn every_exit_but_2_ends_with_a_summary() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "max-removals = 0".to_owned();
    bench.users(&[user("1", "ada"), user("2", "brook")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    let exit =
        |output: &Output| (output.status.code(), objects(output).last().map(|last| last["exitCode"].clone()));
    let sync = ["sync", "-c", "aquera.toml", "--json"];
    let done = run(&sync, &folder).await;
    assert_eq!(exit(&done), (Some(0), Some(json!(0))));

    bench.users(&[user("1", "ada")]);
    let guarded = run(&sync, &folder).await;
    assert_eq!(exit(&guarded), (Some(4), Some(json!(4))));
    assert_eq!(bench.accounts(), ["ada true", "brook true"], "before the first removal");
    let words = objects(&guarded)[0]["stopped"]["message"].as_str().unwrap().to_owned();
    assert!(words.contains("--approve-removals 1"), "{words}");

    bench.users(&[]);
    let empty = run(&sync, &folder).await;
    assert_eq!(exit(&empty), (Some(5), Some(json!(5))));

    bench.users(&[user("1", "ada")]);
    let approved = run(&["sync", "-c", "aquera.toml", "--json", "--approve-removals", "1"], &folder).await;
    assert_eq!(exit(&approved), (Some(0), Some(json!(0))));
    assert_eq!(bench.accounts(), ["ada true", "brook false"]);

    bench.settings.connection = "enabled = false";
    bench.write_config();
    let off = run(&sync, &folder).await;
    assert_eq!(exit(&off), (Some(3), Some(json!(3))));

    bench.settings.connection = "";
    bench.settings.source = "people.ndjson";
    bench.write_config();
    std::fs::copy(bench.path("users.ndjson"), bench.path("people.ndjson")).unwrap();
    let moved = run(&sync, &folder).await;
    assert_eq!(moved.status.code(), Some(2));
    let accepted = run(&["sync", "-c", "aquera.toml", "--json", "--accept-new-source"], &folder).await;
    assert_eq!(exit(&accepted), (Some(0), Some(json!(0))), "{}", err(&accepted));
}

#[tokio::test]
async fn plan_reports_that_the_guard_would_stop_it() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "max-removals = 1".to_owned();
    bench.users(&[user("1", "ada"), user("2", "brook"), user("3", "cleo")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    assert_eq!(run(&["sync", "-c", "aquera.toml"], &folder).await.status.code(), Some(0));
    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "enabled": false }))]);
    let message = "2 of 3 managed accounts would be removed or disabled, more than 1 in 24 hours (max-removals = 1): \
        \"brook\" and \"cleo\": 1 gone from the source, 1 disabled at the source.";
    let plan = run(&["plan", "-c", "aquera.toml", "--out", "plan.json"], &folder).await;
    assert_eq!(plan.status.code(), Some(4));
    // Lines are broken for the terminal.
    let told = out(&plan).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("the delete guard would stop this run: {message}")), "{told}");
    let plan = run(&["plan", "-c", "aquera.toml", "--json"], &folder).await;
    assert_eq!(plan.status.code(), Some(4));
    let summary = objects(&plan).pop().unwrap();
    assert_eq!(summary["exitCode"], json!(4));
    assert_eq!(summary["stopped"]["code"], json!("delete-guard"));
    assert!(summary["stopped"]["message"].as_str().unwrap().starts_with(message), "{summary}");
    // The plan is kept all the same: it may be approved.
    let apply = |extra: &'static [&'static str]| {
        let mut arguments = vec!["apply", "plan.json", "-c", "aquera.toml"];
        arguments.extend(extra);
        let folder = folder.clone();
        async move { run(&arguments, &folder).await.status.code() }
    };
    assert_eq!(apply(&[]).await, Some(4));
    assert_eq!(apply(&["--approve-removals", "2"]).await, Some(0));
    assert_eq!(bench.accounts(), ["ada true", "brook false", "cleo false"]);
}

#[tokio::test]
async fn empty_rule_is_refused_by_each_command_and_allowed_by_name() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    assert_eq!(run(&["sync", "-c", "aquera.toml"], &folder).await.status.code(), Some(0));
    bench.users(&[but(user("1", "ada"), json!({ "title": "Guest" }))]);
    for command in ["sync", "plan"] {
        let refused = run(&[command, "-c", "aquera.toml"], &folder).await;
        assert_eq!(refused.status.code(), Some(5), "{command}");
        assert!(err(&refused).contains("--allow-empty-scope staff"), "{}", err(&refused));
    }
    let allow = ["--allow-empty-scope", "staff"];
    let plan = run(&["plan", "-c", "aquera.toml", "--out", "plan.json", allow[0], allow[1]], &folder).await;
    assert_eq!(plan.status.code(), Some(0), "{}", err(&plan));
    assert_eq!(run(&["apply", "plan.json", "-c", "aquera.toml"], &folder).await.status.code(), Some(5));
    let applied = run(&["apply", "plan.json", "-c", "aquera.toml", allow[0], allow[1]], &folder).await;
    assert_eq!(applied.status.code(), Some(0), "{}", err(&applied));
    assert_eq!(bench.accounts(), ["ada false"]);
}

#[tokio::test]
async fn misspelt_attribute_in_a_filter_is_refused_by_every_command() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'enabld eq true'\n".to_owned();
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    for command in ["check", "plan", "sync"] {
        let refused = run(&[command, "-c", "aquera.toml"], bench.folder.path()).await;
        assert_eq!(refused.status.code(), Some(2), "{command}");
        assert!(err(&refused).contains("did you mean `enabled`?"), "{}", err(&refused));
    }
}

#[tokio::test]
async fn plan_lists_the_requests_and_goes_stale() {
    let bench = Bench::new("aquera").await;
    bench.app.seed_user(json!({ "userName": "brook", "active": true }));
    bench.users(&[user("1", "ada"), user("2", "brook")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    let plan = run(&["plan", "-c", "aquera.toml", "--out", "plan.json"], &folder).await;
    assert!(out(&plan).contains("1 existing accounts to link, 1 to create, 1 to update"), "{}", out(&plan));
    assert!(bench.writes().is_empty());
    assert!(!bench.path("aquera.db").exists(), "a plan does not even make a state");
    let saved = crate::support::read(&bench.path("plan.json"));
    assert!(!saved.contains("Engineer") && !saved.contains("example.org"), "no attribute values: {saved}");

    bench.users(&[user("1", "ada"), but(user("2", "brook"), json!({ "title": "Lead" }))]);
    let stale = run(&["apply", "plan.json", "-c", "aquera.toml"], &folder).await;
    assert_eq!(stale.status.code(), Some(2));
    assert!(err(&stale).contains("stale"), "{}", err(&stale));
    assert!(bench.writes().is_empty());

    run(&["plan", "-c", "aquera.toml", "--out", "plan.json"], &folder).await;
    let applied = run(&["apply", "plan.json", "-c", "aquera.toml"], &folder).await;
    assert_eq!(applied.status.code(), Some(0), "{}", err(&applied));
    assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    let again = run(&["apply", "plan.json", "-c", "aquera.toml"], &folder).await;
    assert_eq!(again.status.code(), Some(2), "a plan is good for one time");
}

#[tokio::test]
async fn explain_follows_one_user() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    bench.users(&[but(user("1", "ada"), json!({ "title": "Lead" }))]);
    let output = run(&["explain", "ADA", "-c", "aquera.toml", "--json"], bench.folder.path()).await;
    let stages: Vec<Value> = objects(&output).iter().map(|stage| stage["stage"].clone()).collect();
    assert_eq!(
        stages,
        [
            json!("found"),
            json!("in-scope"),
            json!("mapped"),
            json!("compared"),
            json!("decided"),
            json!("sent"),
            Value::Null
        ]
    );
    let text = out(&output);
    for words in ["differs in title", "would send PATCH", "because: attributes changed", "owns the user"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let nobody = run(&["explain", "zoe", "-c", "aquera.toml"], bench.folder.path()).await;
    assert_eq!(nobody.status.code(), Some(2));
}

#[tokio::test]
async fn status_shows_the_state_of_each_user() {
    let bench = Bench::new("no-partial-update").await;
    bench.users(&[user("1", "ada"), user("2", "brook")]);
    bench.write_config();
    run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    bench.users(&[user("1", "ada")]);
    let failed = run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    assert_eq!(failed.status.code(), Some(1));
    let output = run(&["status", "-c", "aquera.toml", "--json"], bench.folder.path()).await;
    let lines = objects(&output);
    assert_eq!(lines[0]["reason"], "partial-update-unsupported");
    let summary = lines.last().unwrap();
    assert_eq!(summary["pendingDeprovisions"], json!(1));
    assert_eq!(summary["linked"], json!(1));
    assert_eq!(summary["lastRun"]["exit"], 1);
}

#[tokio::test]
async fn http_target_needs_no_certificates_and_an_https_one_says_what_to_install() {
    let mut bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    std::fs::write(bench.path("empty.pem"), "").unwrap();
    let folder = bench.folder.path().to_owned();
    let without = |arguments: &'static [&'static str]| {
        let mut command = provisioner(arguments, &folder);
        command.env("SSL_CERT_FILE", folder.join("empty.pem")).env("SSL_CERT_DIR", folder.join("none"));
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let http = without(&["sync", "-c", "aquera.toml"]).await.unwrap();
    assert_eq!(http.status.code(), Some(0), "{}", err(&http));
    if cfg!(any(target_os = "macos", target_os = "windows")) {
        return; // there the system verifies, not a file
    }
    bench.settings.scim_url = Some("https://127.0.0.1:1/scim".to_owned());
    bench.write_config();
    let https = without(&["sync", "-c", "aquera.toml"]).await.unwrap();
    assert_eq!(https.status.code(), Some(3));
    assert!(err(&https).contains("ca-certificates"), "{}", err(&https));
}

#[tokio::test]
async fn state_in_use_is_left_alone() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let held = bench.open().await;
    let second = run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    assert_eq!(second.status.code(), Some(2));
    assert!(err(&second).contains("another run uses it"), "{}", err(&second));
    held.close().await;
}

#[tokio::test]
async fn damaged_state_is_named() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    std::fs::write(bench.path("aquera.db"), "this is no database, and long enough to be looked at as one")
        .unwrap();
    let output = run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("aquera.db"), "{}", err(&output));
    assert!(bench.app.journal().is_empty());
}

#[tokio::test]
async fn check_foresees_what_sync_refuses() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
    let others = [user("8", "eve"), user("9", "flo")];
    bench.users(&[user("1", "ada"), user("2", "brook")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    let check = async || run(&["check", "-c", "aquera.toml"], &folder).await;
    let without_a_state = |users: &[Value]| bench.users(users);
    without_a_state(&[but(user("1", "ada"), json!({ "title": "Guest" }))]);
    let noted = check().await;
    assert_eq!(noted.status.code(), Some(0), "{}", err(&noted));
    assert!(err(&noted).starts_with("note: rule \"staff\" matches no user in the source"), "{}", err(&noted));

    bench.users(&[user("1", "ada"), user("2", "brook")]);
    assert_eq!(run(&["sync", "-c", "aquera.toml"], &folder).await.status.code(), Some(0));
    assert_eq!(check().await.status.code(), Some(0));
    for (users, expected) in [
        (vec![but(user("1", "ada"), json!({ "title": "Guest" }))], "--allow-empty-scope staff"),
        (others.to_vec(), "--accept-new-source"),
    ] {
        bench.users(&users);
        let refused = check().await;
        assert_eq!(refused.status.code(), Some(1), "{expected}: {}", err(&refused));
        let told = err(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.starts_with("error: sync would refuse this: ") && told.contains(expected), "{told}");
        let summary = objects(&run(&["check", "-c", "aquera.toml", "--json"], &folder).await).pop().unwrap();
        assert_eq!(summary["exitCode"], json!(1));
        assert_eq!(summary["problems"][0]["kind"], json!("refused"));
        assert!([5, 2].contains(&run(&["sync", "-c", "aquera.toml"], &folder).await.status.code().unwrap()));
    }
    // A state that cannot be read is no mistake of the configuration.
    std::fs::write(bench.path("other.db"), "this is no database, and long enough to be seen as none")
        .unwrap();
    bench.users(&[user("1", "ada")]);
    let unread = run(&["check", "-c", "aquera.toml", "--state", "other.db"], &folder).await;
    assert_eq!(unread.status.code(), Some(0), "{}", err(&unread));
}

#[tokio::test]
async fn ignored_disable_has_advice_of_its_own() {
    let mut bench = Bench::new("unitycatalog-423").await;
    bench.settings.options = "update-method = \"patch\"".to_owned();
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path().to_owned();
    run(&["sync", "-c", "aquera.toml"], &folder).await;
    bench.users(&[but(user("1", "ada"), json!({ "enabled": false }))]);
    for command in ["sync", "status", "explain"] {
        let mut arguments = vec![command, "-c", "aquera.toml"];
        arguments.extend(Some("ada").filter(|_| command == "explain"));
        let told = out(&run(&arguments, &folder).await).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("deactivate the account at the target by hand"), "{command}: {told}");
        assert!(!told.contains("out of the mapping"), "{command}: {told}");
    }
}

#[tokio::test]
async fn connection_that_is_off_names_the_command_that_turns_it_on() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.connection = "enabled = false";
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let off = run(&["sync", "-c", "aquera.toml"], bench.folder.path()).await;
    assert!(err(&off).contains("turn it on with `provisioner enable`"), "{}", err(&off));
}
