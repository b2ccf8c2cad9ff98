//! What a run leaves out, ends with, or is caused by is said: in the summary, in documents, in status and in the log.

use std::sync::Arc;

use mock_aquera::{Auth, Fault};
use provisioner::SyncOptions;
use provisioner::audit::{AuditEntry, CommandEntry};
use provisioner::document::{Document, RunNotes, SourceDigest, to_html, to_markdown};
use provisioner::interrupt::Interrupt;
use provisioner::state::read_audit_log;
use serde_json::{Value, json};

use super::people;
use crate::program::{err, objects, out, run};
use crate::support::{ALL_DELETE, Bench, Settings, but, read, short, user};

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn commands(bench: &Bench) -> Vec<CommandEntry> {
    let mut found = Vec::new();
    read_audit_log(&bench.path("aquera.db"), jiff::Timestamp::MIN, &mut |_, entry| {
        if let AuditEntry::Command(entry) = entry {
            found.push(*entry);
        }
    })
    .unwrap();
    found
}

#[tokio::test]
async fn document_of_a_dry_run_says_that_nothing_was_written() {
    let bench = Bench::new("aquera").await;
    bench.app.seed_user(json!({ "userName": "eve", "active": true }));
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    bench.write_config();
    let arguments = ["sync", "--dry-run", "--report", "html=run.html", "--report", "markdown=run.md"];
    let done = run(&arguments, bench.folder.path()).await;
    assert_eq!(done.status.code(), Some(0), "{}", err(&done));
    for file in ["run.html", "run.md"] {
        let text = read(&bench.path(file));
        assert!(text.contains("Dry run, nothing was written: 2 users would be done"), "{file}: {text}");
        assert!(text.contains("sync --dry-run") || text.contains("sync \\-\\-dry-run"), "{file}: {text}");
        assert!(text.contains("expected success: done, create (1 user)"), "{file}: {text}");
        assert!(text.to_lowercase().contains("would be carried out"), "{file}: {text}");
        assert!(
            !text.to_lowercase().contains(">carried out") && !text.contains("users done"),
            "{file}: {text}"
        );
        assert!(!text.contains("unknown"), "{file} has the beginning and the end: {text}");
    }
    assert!(!bench.path("aquera.db").exists());
}

#[tokio::test]
async fn document_of_a_stopped_run_names_the_reason_and_the_way_out() {
    let options = "max-removals = 1\nconcurrency = 1".to_owned();
    let bench =
        Bench::with("aquera", Settings { preferences: ALL_DELETE, options, ..Settings::default() }).await;
    let users = people(10);
    bench.users(&users);
    bench.sync().await;
    bench.write_config();
    bench.users(&users[3..]);
    let folder = bench.folder.path();
    let stopped = run(&["sync", "--report", "markdown=run.md"], folder).await;
    assert_eq!(stopped.status.code(), Some(4));
    let text = read(&bench.path("run.md"));
    let needs = text.split("## What needs a person").nth(1).unwrap().split("##").next().unwrap();
    assert!(needs.contains("delete-guard") && needs.contains("approve-removals 3"), "{needs}");
    assert!(!needs.contains("Nothing."), "{needs}");
    let approved = run(&["sync", "--approve-removals", "3", "--report", "markdown=run.md"], folder).await;
    assert_eq!(approved.status.code(), Some(0), "{}", err(&approved));
    let text = read(&bench.path("run.md"));
    assert!(text.contains("| Allowed or approved | --approve-removals 3 |"), "{text}");
}

#[tokio::test]
async fn document_of_an_interrupted_run_says_how_to_go_on() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    let notes = Arc::new(RunNotes::default());
    let interrupt = Interrupt::default();
    interrupt.interrupt();
    let provisioner = bench.open().await.observed_by(vec![Arc::clone(&notes) as Arc<_>]);
    let provisioner = provisioner.interrupted_by(interrupt);
    let report = provisioner.sync(SyncOptions::default()).await;
    assert_eq!(report.exit.code(), 130);
    let document = Document::new(provisioner.config(), &report, &notes, "ada", SourceDigest::None);
    for text in [to_html(&document), to_markdown(&document)] {
        assert!(text.contains("The run was stopped (interrupted)"), "{text}");
        assert!(text.contains("run sync again"), "{text}");
    }
    provisioner.close().await;
}

#[tokio::test]
async fn run_that_enters_quarantine_says_so() {
    let bench = Bench::new("aquera").await;
    bench.users(&people(20));
    bench.app.add_fault(Fault::status(400).method("POST").times(20));
    bench.write_config();
    let folder = bench.folder.path();
    let done = run(&["sync", "--json", "--report", "markdown=run.md"], folder).await;
    assert_eq!(done.status.code(), Some(1));
    let summary = objects(&done).pop().unwrap();
    for text in [summary["quarantine"].as_str().unwrap(), &err(&done), &read(&bench.path("run.md"))] {
        let text = one_line(text);
        assert!(text.to_lowercase().contains("the connection is in quarantine until"), "{text}");
        assert!(text.contains("provisioner release"), "{text}");
    }
    // A run that it refuses does not take the place of the last run.
    let before = objects(&run(&["status", "--json"], folder).await).pop().unwrap()["lastRun"].clone();
    assert_eq!(before["failed"], 20);
    let refused = run(&["sync", "--json"], folder).await;
    assert_eq!(refused.status.code(), Some(3));
    assert_eq!(objects(&refused).pop().unwrap()["quarantine"], Value::Null, "it was in it before");
    let after = objects(&run(&["status", "--json"], folder).await).pop().unwrap();
    assert_eq!(after["lastRun"], before);
    // Refused credentials put a connection into it, too.
    let other = Bench::new("aquera").await;
    other.app.set_auth(vec![Auth::bearer("another")]);
    other.users(&people(1));
    assert!(other.sync().await.summary.quarantine.is_some());
}

#[tokio::test]
async fn commands_of_a_person_are_in_the_audit_log() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    bench.app.add_fault(Fault::status(400).method("POST").times(20));
    bench.sync().await;
    bench.app.clear_faults();
    bench.write_config();
    let folder = bench.folder.path();
    let account = bench.app.seed_user(json!({ "userName": "eva", "active": true }));
    let adopt = ["adopt", "eve", "--account", &account, "--allow-other-name"];
    assert_eq!(run(&adopt, folder).await.status.code(), Some(0));
    assert_eq!(run(&["forget", "2", "--yes"], folder).await.status.code(), Some(0));
    assert_eq!(run(&["test-connection"], folder).await.status.code(), Some(0));
    assert_eq!(run(&["release"], folder).await.status.code(), Some(0));
    let entries = commands(&bench);
    let told: Vec<_> = entries.iter().map(|entry| entry.command.as_str()).collect();
    assert_eq!(told, ["adopt", "forget", "test-connection"], "nothing was released");
    assert!(entries.iter().all(|entry| !entry.who.is_empty() && !entry.at.is_empty()));
    let adopted = &entries[0];
    assert_eq!(adopted.source_id.as_ref().unwrap().as_str(), "2");
    assert_eq!(adopted.target_id.as_ref().unwrap().as_str(), account);
    assert!(adopted.detail.contains("by hand") && adopted.detail.contains("another userName was allowed"));
    assert!(entries[1].detail.contains(&account), "{}", entries[1].detail);

    let quarantined = Bench::new("aquera").await;
    quarantined.users(&people(20));
    quarantined.app.add_fault(Fault::status(400).method("POST").times(20));
    quarantined.sync().await;
    quarantined.write_config();
    assert_eq!(run(&["release"], quarantined.folder.path()).await.status.code(), Some(0));
    let released = commands(&quarantined);
    assert_eq!(released[0].command, "release");
    assert!(released[0].detail.contains("20 of 20 users failed"), "{}", released[0].detail);
}

#[tokio::test]
async fn users_that_are_left_alone_are_counted_and_explained() {
    let mut bench = Bench::new("aquera").await;
    let rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n[[rule]]\nname = \"guests\"\nfilter = 'title eq \"Guest\"'\n";
    bench.settings.rules = rules.to_owned();
    let guest = |id: &str, name: &str| but(user(id, name), json!({ "title": "Guest" }));
    bench.users(&[
        user("1", "ada"),
        user("2", "eve"),
        guest("3", "gus"),
        guest("4", "hal"),
        guest("5", "ivy"),
    ]);
    assert_eq!(bench.sync().await.summary.success, 5);
    bench.settings.rules = format!("{rules}enabled = false\n");
    bench.settings.options = "exclude = [\"eve\"]\nmax-removals-percent = 100".to_owned();
    // Ada changes, eve is excluded and changes, gus is frozen and changes, hal is frozen and gone, ivy is as before.
    let more = json!({ "nickname": "x" });
    bench.users(&[
        but(user("1", "ada"), more.clone()),
        but(user("2", "eve"), more.clone()),
        but(guest("3", "gus"), more),
        guest("5", "ivy"),
        guest("6", "new"),
    ]);
    bench.write_config();
    let folder = bench.folder.path();
    for arguments in [&["plan", "--json"][..], &["sync", "--dry-run", "--json"], &["sync", "--json"]] {
        let summary = objects(&run(arguments, folder).await).pop().unwrap();
        assert_eq!((&summary["excluded"], &summary["frozen"]), (&json!(1), &json!(3)), "{arguments:?}");
    }
    let told = one_line(&out(&run(&["sync", "--full"], folder).await));
    assert!(told.contains("left alone: 1 named by exclude, 3 of a rule that is turned off"), "{told}");
    let plan = one_line(&out(&run(&["plan"], folder).await));
    assert!(plan.contains("left alone: 1 named by exclude, 3 of a rule"), "{plan}");
    let status = objects(&run(&["status", "--json"], folder).await).pop().unwrap();
    assert_eq!((&status["excluded"], &status["frozen"]), (&json!(1), &json!(3)), "of the known users");
    for (name, expected) in [
        ("ada", "nothing has changed since the last run"),
        ("eve", "`exclude` names \"eve\""),
        ("gus", "rule \"guests\" is turned off"),
        ("hal", "rule \"guests\" is turned off"),
    ] {
        let told = one_line(&out(&run(&["explain", name], folder).await));
        assert!(told.contains(expected), "{name}: {told}");
        assert!(!told.contains("excluded or frozen"), "{name}: {told}");
    }
}

#[tokio::test]
async fn account_that_exclude_protects_is_not_adopted() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "exclude = [\"root\"]".to_owned();
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let account = bench.app.seed_user(json!({ "userName": "Root", "active": true }));
    let adopt = ["adopt", "ada", "--account", &account, "--allow-other-name"];
    let refused = run(&adopt, bench.folder.path()).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(one_line(&err(&refused)).contains("which `exclude` names"), "{}", err(&refused));
    assert!(bench.open_to_read().await.stored().unwrap().records.is_empty());
}

#[tokio::test]
async fn plan_of_a_swap_names_the_temporary_rename_and_a_failed_one_is_told() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "update-method = \"patch\"\nconcurrency = 1".to_owned();
    bench.users(&[user("1", "ada"), user("2", "bob")]);
    bench.sync().await;
    bench.users(&[user("1", "bob"), user("2", "ada")]);
    bench.write_config();
    let folder = bench.folder.path();
    let plan = objects(&run(&["plan", "--json"], folder).await);
    let extra: Vec<_> = plan.iter().filter(|entry| entry.to_string().contains("a temporary one")).collect();
    assert_eq!(extra.len(), 1, "{plan:?}");
    // Ada's account takes the temporary name, and then neither name.
    let id = bench.app.users().iter().find(|user| user["userName"] == "ada").unwrap()["id"].clone();
    let other = bench.app.users().iter().find(|user| user["userName"] == "bob").unwrap()["id"].clone();
    bench.app.add_fault(Fault::status(400).method("PATCH").id(other.as_str().unwrap()).after(1).always());
    bench.app.add_fault(Fault::status(400).method("PATCH").id(id.as_str().unwrap()).after(2).always());
    let done = run(&["sync", "--json"], folder).await;
    let names: Vec<Value> = bench.app.users().iter().map(|user| user["userName"].clone()).collect();
    let temporary = names.iter().filter_map(Value::as_str).find(|name| name.starts_with("renaming-"));
    let temporary = temporary.unwrap_or_else(|| panic!("{names:?}: {}", out(&done)));
    let lines = out(&done);
    assert!(lines.contains(temporary) && lines.contains("swap their names"), "{lines}");
    let status = one_line(&out(&run(&["status"], folder).await));
    assert!(status.contains(&format!("has the temporary userName \"{temporary}\"")), "{status}");
    assert!(status.contains("a swap of names was not finished"), "{status}");
    bench.app.clear_faults();
    bench.sync().await;
    assert_eq!(bench.accounts(), ["ada true", "bob true"]);
    assert!(short(&bench.sync().await).is_empty());
}

#[tokio::test]
async fn logs_have_no_colour_where_stderr_is_no_terminal() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{refused}/secret-path");
    let mut command = crate::program::provisioner(&["sync", "--otlp", &url], bench.folder.path());
    command.env_remove("NO_COLOR");
    let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = err(&done);
    assert!(told.contains("failed to send spans to the collector"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told:?}");
    assert!(told.contains(&format!("http://{refused}")) && !told.contains("secret-path"), "{told}");
    assert!(told.contains("refused"), "the cause: {told}");
}

#[tokio::test]
async fn person_without_a_name_in_the_environment_is_told_by_number() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let mut command = crate::program::provisioner(&["sync"], bench.folder.path());
    for name in ["USER", "LOGNAME", "USERNAME", "SUDO_USER"] {
        command.env_remove(name);
    }
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let mut who = Vec::new();
    read_audit_log(&bench.path("aquera.db"), jiff::Timestamp::MIN, &mut |_, entry| {
        if let AuditEntry::Run(entry) = entry {
            who.push(entry.who);
        }
    })
    .unwrap();
    assert_eq!(who.len(), 1);
    assert_eq!(who[0].starts_with("uid "), cfg!(unix), "{who:?}");
}

#[tokio::test]
async fn commands_that_send_nothing_need_no_secret() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    std::fs::write(bench.path("token.txt"), crate::support::TOKEN).unwrap();
    let text = bench.config_text().replace(
        &format!("oauth-access-token = \"{}\"", crate::support::TOKEN),
        "oauth-access-token = { file = \"token.txt\" }",
    );
    std::fs::write(bench.path("aquera.toml"), text).unwrap();
    let folder = bench.folder.path();
    assert_eq!(run(&["sync"], folder).await.status.code(), Some(0));
    let before = objects(&run(&["status", "--json"], folder).await).pop().unwrap();
    std::fs::remove_file(bench.path("token.txt")).unwrap();
    let after = objects(&run(&["status", "--json"], folder).await).pop().unwrap();
    assert_eq!(after, before, "what was learned under the credentials is still shown");
    let listed = objects(&run(&["list", "--json"], folder).await);
    assert_eq!(listed[0]["state"], "on", "{listed:?}");
    assert_eq!(listed[0]["lastRun"]["impacted"], 2, "{listed:?}");
    assert_eq!(run(&["release"], folder).await.status.code(), Some(0));
    assert_eq!(run(&["forget", "2", "--yes"], folder).await.status.code(), Some(0));
    let learned = objects(&run(&["status", "--json"], folder).await).pop().unwrap()["learned"].clone();
    assert_eq!(learned, before["learned"], "neither forget nor release dropped it");
    let refused = run(&["sync"], folder).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(err(&refused).contains("token.txt"), "{}", err(&refused));
    std::fs::write(bench.path("aquera.toml"), "nonsense").unwrap();
    assert_eq!(run(&["status"], folder).await.status.code(), Some(2));
}

#[tokio::test]
async fn run_that_was_cut_off_has_an_entry_after_the_next_one() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.sync_cut_off(4, mock_aquera::Phase::AfterEffect).await;
    bench.sync().await;
    let mut runs = Vec::new();
    read_audit_log(&bench.path("aquera.db"), jiff::Timestamp::MIN, &mut |_, entry| {
        if let AuditEntry::Run(entry) = entry {
            runs.push((entry.command, entry.stopped, entry.exit_code));
        }
    })
    .unwrap();
    let cut_off = ("sync".to_owned(), Some("cut-off".to_owned()), 130);
    assert_eq!(runs, [cut_off, ("sync".to_owned(), None, 0)]);
    bench.sync().await;
    assert!(bench.open_to_read().await.stored().unwrap().connection.begun.is_none());
}

#[tokio::test]
async fn problems_of_a_configuration_are_shown_up_to_ten_and_counted() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    let rules: String = (0..111).map(|at| format!("[[rule]]\nname = \"r{at}\"\nfilter = \"(\"\n")).collect();
    std::fs::write(bench.path("aquera.toml"), bench.config_text() + &rules).unwrap();
    let refused = run(&["sync"], bench.folder.path()).await;
    let told = err(&refused);
    assert!(told.contains("111 problems") && told.contains("the first 10 are shown"), "{told}");
    assert!(told.contains("\"r9\"") && !told.contains("\"r42\""), "{}", told.len());
}
