//! The audit log: an entry for each line, in the transaction of the outcome, without values unless they are asked for.

use std::path::Path;
use std::process::Command;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use mock_aquera::Phase;
use provisioner::audit::{AuditEntry, RunEntry, UserEntry};
use provisioner::state::location::StateLocation;
use provisioner::state::read_audit_log;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{Bench, Settings, but, short, user};

/// The detail of an entry that was made before a line was.
const READ_BACK: &str = "is read back";

fn entries(state: &Path) -> Vec<AuditEntry> {
    let mut entries = Vec::new();
    let state = StateLocation::File(state.to_owned());
    // A file is read at once.
    read_audit_log(&state, Timestamp::MIN, &mut |_, entry| entries.push(entry))
        .now_or_never()
        .unwrap()
        .unwrap();
    entries
}

/// Returns the entries of the lines: those of accounts that are still to be read back aside.
fn users(state: &Path) -> Vec<UserEntry> {
    let is_line = |entry: &UserEntry| !entry.detail.as_ref().is_some_and(|detail| detail.contains(READ_BACK));
    let user = |entry| match entry {
        AuditEntry::User(entry) => Some(*entry).filter(is_line),
        AuditEntry::Group(_) | AuditEntry::Run(_) | AuditEntry::Command(_) => None,
    };
    entries(state).into_iter().filter_map(user).collect()
}

fn runs(state: &Path) -> Vec<RunEntry> {
    let run = |entry| match entry {
        AuditEntry::Run(entry) => Some(*entry),
        AuditEntry::User(_) | AuditEntry::Group(_) | AuditEntry::Command(_) => None,
    };
    entries(state).into_iter().filter_map(run).collect()
}

fn with_options(options: &str) -> Settings {
    Settings { options: options.to_owned(), ..Settings::default() }
}

/// Returns everything that the audit log of a state file holds, as text.
fn text(state: &Path) -> String {
    let connection = Connection::open(state).unwrap();
    let mut statement = connection.prepare("SELECT entry FROM audit ORDER BY id").unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|row| row.unwrap() + "\n").collect()
}

#[tokio::test]
async fn every_line_of_a_run_has_an_entry_with_the_requests_that_were_sent() {
    let bench = Bench::new("aquera").await;
    let state = bench.path("aquera.db");
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    let report = bench.sync().await;
    let found = users(&state);
    let told =
        |entry: &UserEntry| (entry.source_id.to_string(), entry.target_id.as_ref().map(ToString::to_string));
    let mut lines: Vec<_> = report
        .lines
        .iter()
        .map(|line| (line.source_id.to_string(), line.target_id.as_ref().map(ToString::to_string)))
        .collect();
    let mut logged: Vec<_> = found.iter().map(told).collect();
    lines.sort();
    logged.sort();
    assert_eq!(logged, lines);
    assert!(found.iter().all(|entry| entry.active == Some((None, Some(true)))), "{found:?}");
    assert!(found.iter().all(|entry| entry.rule.as_ref().is_some_and(|rule| rule.as_str() == "everyone")));
    // The same ids are in the target's own journal, each once.
    let sent: Vec<String> = bench
        .app
        .journal()
        .iter()
        .map(|exchange| {
            let header = exchange.request_headers.iter().find(|(name, _)| name == "x-request-id");
            header.unwrap().1.clone()
        })
        .collect();
    let mut distinct = sent.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), sent.len());
    for entry in &found {
        let post = entry.requests.iter().find(|sent| sent.method == "POST").unwrap();
        assert_eq!((post.endpoint.as_str(), post.answer.as_str()), ("Users", "201"));
        assert!(sent.contains(&post.id) && post.id.starts_with(&entry.run), "{post:?}");
    }
    // A run without lines has an entry of its own alone.
    bench.sync().await;
    assert_eq!(users(&state).len(), 2);
    let runs = runs(&state);
    assert_eq!(runs.iter().map(|run| (run.impacted, run.exit_code)).collect::<Vec<_>>(), [(2, 0), (0, 0)]);
    assert_ne!(runs[0].run, "");
}

#[tokio::test]
async fn entry_names_what_changed_and_has_values_only_if_they_are_asked_for() {
    for values in [false, true] {
        let bench = Bench::with("aquera", with_options(&format!("audit-values = {values}"))).await;
        let state = bench.path("aquera.db");
        bench.run(&[user("1", "ada")]).await;
        let changed = but(user("1", "ada"), json!({ "title": "Lead", "enabled": false }));
        assert_eq!(bench.run(std::slice::from_ref(&changed)).await.len(), 1);
        let entry = users(&state).pop().unwrap();
        let title =
            ("title".to_owned(), if values { json!(["Engineer", "Lead"]) } else { json!(["***", "***"]) });
        let attributes: Vec<(String, Value)> =
            entry.attributes.iter().map(|(path, values)| (path.clone(), json!(values))).collect();
        assert_eq!(attributes, [title]);
        assert_eq!(entry.active, Some((Some(true), Some(false))));
        assert_eq!(text(&state).contains("Engineer"), values);
        assert_eq!(text(&state).contains("ada@example.org"), values);
    }
}

#[tokio::test]
async fn password_is_not_kept_though_values_are() {
    let mut settings = with_options("audit-values = true");
    settings.rules =
        "[[rule]]\nname = \"everyone\"\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
                      [[rule.mapping]]\nsource = \"secret\"\ntarget = \"password\"\n"
            .to_owned();
    let bench = Bench::with("aquera", settings).await;
    bench.run(&[but(user("1", "ada"), json!({ "secret": "hunter2-hunter2" }))]).await;
    let entry = users(&bench.path("aquera.db")).pop().unwrap();
    assert_eq!(entry.attributes["password"], (Value::Null, "***".into()));
    assert_eq!(entry.attributes["userName"].1, "ada");
    assert!(!text(&bench.path("aquera.db")).contains("hunter2"));
}

#[tokio::test]
async fn size_of_an_entry_is_bounded() {
    let bench = Bench::with("aquera", with_options("audit-values = true")).await;
    bench.run(&[but(user("1", "ada"), json!({ "title": "é".repeat(100_000) }))]).await;
    let size = text(&bench.path("aquera.db")).lines().map(str::len).max().unwrap();
    assert!(size < 4_000, "{size} bytes");
}

#[tokio::test]
async fn outcome_is_not_stored_without_its_entry() {
    let bench = Bench::new("aquera").await;
    let state = bench.path("aquera.db");
    bench.users(&[]);
    bench.sync_with(provisioner::SyncOptions { allow_empty_source: true, ..Default::default() }).await;
    // An audit log that cannot be written, like a full disk at that moment.
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE (ABORT, 'refused'); END";
    Connection::open(&state).unwrap().execute_batch(refuse).unwrap();
    bench.users(&[user("1", "ada")]);
    let report = bench.sync().await;
    assert_eq!(report.summary.stopped.map(|stopped| stopped.code), Some("state"));
    let provisioner = bench.open_to_read().await;
    let records = provisioner.stored().unwrap().records;
    assert_eq!(records.len(), 1, "the intent is stored");
    assert!(records.values().all(|record| record.last_reported.is_none()), "{records:?}");
    provisioner.close().await;
    assert_eq!(users(&state), []);
    // The run after it finds the account, and says so in both.
    Connection::open(&state).unwrap().execute_batch("DROP TRIGGER refuse").unwrap();
    let report = bench.sync().await;
    assert_eq!(short(&report).len(), 1, "{report:?}");
    assert_eq!(users(&state).len(), 1);
    assert_eq!(bench.accounts(), ["ada true"]);
}

#[tokio::test]
async fn account_of_a_run_that_ended_before_its_read_back_has_an_entry() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    // The connection test, the look-up and the POST come first.
    bench.sync_cut_off(5, Phase::BeforeEffect).await;
    let found = entries(&bench.path("aquera.db"));
    let [AuditEntry::User(created)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        created.target_id.as_ref().map(ToString::to_string).as_deref(),
        bench.app.users()[0]["id"].as_str()
    );
    assert_eq!(created.requests.last().map(|sent| sent.method.as_str()), Some("POST"));
}

#[tokio::test]
async fn user_of_a_run_that_was_cut_off_has_an_entry_once_it_is_settled() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    // The connection test and the look-up are two requests and one.
    bench.sync_cut_off(4, Phase::AfterEffect).await;
    assert_eq!(users(&bench.path("aquera.db")), []);
    bench.sync().await;
    let found = users(&bench.path("aquera.db"));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(bench.accounts(), ["ada true"]);
}

#[tokio::test]
async fn entries_cannot_be_changed_and_go_after_their_retention() {
    let bench = Bench::with("aquera", with_options("audit-retention-days = 30")).await;
    let state = bench.path("aquera.db");
    bench.run(&[user("1", "ada")]).await;
    let changed = Connection::open(&state).unwrap().execute("UPDATE audit SET entry = '{}'", []);
    assert!(changed.unwrap_err().to_string().contains("append-only"));
    let day = std::time::Duration::from_hours(24);
    bench.clock.advance(day * 29);
    bench.run(&[user("1", "ada"), user("2", "eve")]).await;
    assert_eq!(users(&state).len(), 2);
    bench.clock.advance(day * 2);
    bench.sync().await;
    let names: Vec<_> = users(&state).iter().map(|entry| entry.user_name.to_string()).collect();
    assert_eq!(names, ["eve"]);
}

#[tokio::test]
async fn run_entry_names_what_a_person_allowed_and_why_the_run_stopped() {
    let bench = Bench::with("aquera", with_options("max-removals = 0")).await;
    bench.run(&[user("1", "ada"), user("2", "eve")]).await;
    bench.run(&[user("1", "ada")]).await;
    let approved = provisioner::SyncOptions { approve_removals: Some(1), full: true, ..Default::default() };
    bench.sync_with(approved).await;
    let runs = runs(&bench.path("aquera.db"));
    assert_eq!(runs[1].stopped.as_deref(), Some("delete-guard"));
    assert_eq!((runs[1].exit_code, runs[1].command.as_str()), (4, "sync"));
    assert_eq!(runs[2].allowed, ["--full", "--approve-removals 1"]);
    assert_eq!(runs[2].stopped, None);
}

#[tokio::test]
async fn state_file_without_an_audit_log_gets_one() {
    let bench = Bench::new("aquera").await;
    let state = bench.path("aquera.db");
    assert_eq!(entries(&state), []);
    bench.run(&[user("1", "ada")]).await;
    // As a version without an audit log leaves it.
    let connection = Connection::open(&state).unwrap();
    connection.execute_batch("DROP TABLE audit").unwrap();
    drop(connection);
    assert_eq!(entries(&state), []);
    bench.run(&[user("1", "ada"), user("2", "eve")]).await;
    assert_eq!(users(&state).len(), 1);
}

fn log(bench: &Bench, arguments: &[&str]) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    let output =
        command.arg("log").args(arguments).arg("--json").current_dir(bench.folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| !line.contains(READ_BACK));
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn log_shows_the_entries_of_a_user_and_since_a_time() {
    let bench = Bench::new("aquera").await;
    bench.write_config();
    bench.run(&[user("1", "Ada"), user("2", "eve")]).await;
    bench.clock.advance(std::time::Duration::from_hours(48));
    bench.run(&[user("1", "Ada"), but(user("2", "eve"), json!({ "title": "Lead" }))]).await;
    let kinds = |found: &[Value]| {
        found.iter().map(|entry| entry["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let all = log(&bench, &[]);
    assert_eq!(kinds(&all), "user user run user run summary");
    assert!(all[5]["entries"].as_u64().unwrap() >= 5, "{:?}", all[5]);
    // By id, and by name without case.
    for wanted in ["1", "ADA"] {
        let found = log(&bench, &["--user", wanted]);
        assert_eq!(kinds(&found), "user summary", "{wanted}");
        assert_eq!(found[0]["userName"], "Ada");
    }
    let since = all[4]["at"].as_str().unwrap();
    let found = log(&bench, &["--since", since]);
    assert_eq!(kinds(&found), "user run summary");
    assert_eq!((&found[0]["reason"], &found[0]["change"]), (&json!("done"), &json!("attributes")));
    assert_eq!(found[0]["attributes"], json!({ "title": ["***", "***"] }));
    assert_eq!(kinds(&log(&bench, &["--since", "2999-01-01"])), "summary");
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    let output = command.args(["log", "--user", "eve"]).current_dir(bench.folder.path()).env("NO_COLOR", "1");
    let text = String::from_utf8(output.output().unwrap().stdout).unwrap();
    assert!(text.contains("update  eve  (attributes)") && text.contains("title: *** -> ***"), "{text}");
    assert!(text.contains("success: done") && text.contains("PATCH Users/{id} 200 ("), "{text}");
}
