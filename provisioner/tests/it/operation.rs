//! What a person does around a run: looking at it first, approving exactly one plan, and ending it.

mod audit;
mod directory;
mod manual_link;
mod output_files;
mod quarantine;
mod run_document;
mod telemetry;
mod told;

use std::process::Stdio;

use mock_aquera::Phase;
use provisioner::engine::PlanHash;
use provisioner::{RunReport, SyncOptions};
use serde_json::{Value, json};

use crate::program::{err, objects, out, provisioner, run};
use crate::support::{ALL_DELETE, Bench, Settings, but, short, user};

fn people(count: usize) -> Vec<Value> {
    (0..count).map(|n| user(&n.to_string(), &format!("user{n:03}"))).collect()
}

/// Returns a bench with ten linked users, of whom the guard lets one go.
async fn guarded() -> (Bench, Vec<Value>) {
    let options = "max-removals = 1\nconcurrency = 1".to_owned();
    let bench =
        Bench::with("aquera", Settings { preferences: ALL_DELETE, options, ..Settings::default() }).await;
    let users = people(10);
    bench.users(&users);
    assert_eq!(bench.sync().await.exit.code(), 0);
    (bench, users)
}

async fn hash(bench: &Bench) -> PlanHash {
    bench.open_to_read().await.plan(SyncOptions::default()).await.unwrap().hash()
}

async fn approve(bench: &Bench, hash: &PlanHash) -> RunReport {
    bench.sync_with(SyncOptions { approve_plan: Some(hash.clone()), ..SyncOptions::default() }).await
}

#[tokio::test]
async fn approved_plan_passes_the_guard_and_no_other_one_does() {
    let (bench, users) = guarded().await;
    bench.users(&users[3..]);
    let meant = hash(&bench).await;
    assert_eq!(hash(&bench).await, meant, "a plan made again is the same");

    // The same number of removals, of another user.
    let mut other = users[2..].to_vec();
    other.pop();
    other.remove(1);
    bench.users(&other);
    let report = approve(&bench, &meant).await;
    assert_eq!(report.exit.code(), 4);
    let message = report.summary.stopped.unwrap().message;
    assert!(message.contains(&meant.to_string()) && message.contains("was approved"), "{message}");

    // The same removals, and an attribute that changed since.
    let mut changed = users[3..].to_vec();
    changed[0] = but(changed[0].clone(), json!({ "title": "Lead" }));
    bench.users(&changed);
    assert_eq!(approve(&bench, &meant).await.exit.code(), 4);
    // Other settings.
    bench.users(&users[3..]);
    let full = SyncOptions { full: true, approve_plan: Some(meant.clone()), ..SyncOptions::default() };
    assert_eq!(bench.sync_with(full).await.exit.code(), 4, "a full run is another plan");
    assert_eq!(bench.app.users().len(), 10, "nothing was written");

    let report = approve(&bench, &meant).await;
    assert_eq!(report.exit.code(), 0, "{:?}", report.summary);
    assert_eq!(bench.app.users().len(), 7);
}

#[tokio::test]
async fn hash_of_a_plan_is_printed_by_plan_guard_and_taken_by_sync_and_apply() {
    let (bench, users) = guarded().await;
    bench.write_config();
    bench.users(&users[2..]);
    let folder = bench.folder.path();
    let plan = run(&["plan", "--json", "--out", "plan.json"], folder).await;
    let summary = objects(&plan).pop().unwrap();
    let hash = summary["hash"].as_str().unwrap().to_owned();
    assert!(out(&run(&["plan"], folder).await).contains(&format!("plan {hash}")));
    for arguments in [&["sync"][..], &["apply", "plan.json"], &["sync", "--dry-run"]] {
        let stopped = run(arguments, folder).await;
        assert_eq!(stopped.status.code(), Some(4), "{arguments:?}");
        let told = err(&stopped).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("--approve {hash} (exactly this plan)")), "{arguments:?}: {told}");
        assert!(told.contains("--approve-removals 2"), "{arguments:?}: {told}");
    }
    let wrong = run(&["apply", "plan.json", "--approve", "000000000000"], folder).await;
    assert_eq!(wrong.status.code(), Some(4), "{}", err(&wrong));
    let invalid = run(&["sync", "--approve", "yes"], folder).await;
    assert_eq!(invalid.status.code(), Some(2));
    assert!(err(&invalid).contains("12 hex characters"), "{}", err(&invalid));
    let both = run(&["sync", "--approve", &hash, "--approve-removals", "2"], folder).await;
    assert_eq!(both.status.code(), Some(2), "one approval at a time");
    assert_eq!(bench.app.users().len(), 10);
    let applied = run(&["apply", "plan.json", "--approve", &hash], folder).await;
    assert_eq!(applied.status.code(), Some(0), "{}", err(&applied));
    assert_eq!(bench.app.users().len(), 8);
}

#[tokio::test]
async fn dry_run_tells_what_sync_does_and_writes_nothing() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "concurrency = 1\nmax-removals-percent = 100".to_owned();
    bench.app.seed_user(json!({ "userName": "hal", "active": true, "externalId": "8" }));
    let before = ["ada", "brook", "cleo", "dara"].map(|name| user(name, name));
    bench.users(&before);
    bench.sync().await;
    let [ada, brook, cleo, _] = before;
    bench.users(&[
        but(ada, json!({ "title": "Lead" })),
        but(brook, json!({ "enabled": false })),
        cleo,
        user("7", "gus"),
        user("8", "hal"),
    ]);
    bench.write_config();
    let folder = bench.folder.path();
    let state = std::fs::read(bench.path("aquera.db")).unwrap();
    bench.app.clear_journal();

    let dry = run(&["sync", "--dry-run", "--json"], folder).await;
    assert_eq!(dry.status.code(), Some(0), "{}", err(&dry));
    assert!(bench.writes().is_empty(), "{:?}", bench.writes());
    assert_eq!(std::fs::read(bench.path("aquera.db")).unwrap(), state, "the state is as it was");
    let told = out(&run(&["sync", "--dry-run"], folder).await);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.ends_with("dry run: nothing was written"), "{told}");
    let mut expected = objects(&dry);
    assert_eq!(expected.last().unwrap()["dryRun"], true);

    let wet = run(&["sync", "--json"], folder).await;
    assert_eq!(wet.status.code(), Some(0), "{}", err(&wet));
    let mut done = objects(&wet);
    assert_eq!(done.last().unwrap().get("dryRun"), None);
    for lines in [&mut expected, &mut done] {
        let summary = lines.last_mut().unwrap().as_object_mut().unwrap();
        summary.remove("requests");
        summary.remove("dryRun");
        for line in lines {
            // The id of an account that is made is not known before.
            if line["operation"] == "create" {
                line["targetId"] = Value::Null;
            }
        }
    }
    assert_eq!(expected, done);
}

#[tokio::test]
async fn dry_run_makes_no_state() {
    let bench = Bench::new("aquera").await;
    bench.users(&people(2));
    bench.write_config();
    let dry = run(&["sync", "--dry-run"], bench.folder.path()).await;
    assert_eq!(dry.status.code(), Some(0), "{}", err(&dry));
    assert!(!bench.path("aquera.db").exists());
    assert_eq!(bench.app.users(), [Value::Null; 0]);
}

/// The real program, ended by two signals while a request is held: it ends although that request is not answered.
#[cfg(unix)]
#[tokio::test]
async fn second_ctrl_c_ends_at_once_and_the_next_run_resumes() {
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    for phase in [Phase::BeforeEffect, Phase::AfterEffect] {
        let mut bench = Bench::new("aquera").await;
        bench.settings.options = "concurrency = 1".to_owned();
        bench.users(&people(5));
        bench.write_config();
        let folder = bench.folder.path();
        // Two requests of the test, five look-ups, the first POST and its read-back, then the third POST.
        let mut held = bench.app.hold(11, phase);
        let mut command = tokio::process::Command::from(provisioner(&["sync", "--json"], folder));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        held.reached().await;
        let pid = child.id().unwrap().to_string();
        let mut stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        for expected in ["a second Ctrl-C stops at once", "stopped at once"] {
            let signal = std::process::Command::new("kill").args(["-INT", &pid]).status();
            assert!(signal.unwrap().success());
            let told = stderr.next_line().await.unwrap().unwrap();
            assert!(told.contains(expected), "{told}");
        }
        assert_eq!(child.wait().await.unwrap().code(), Some(130), "{phase:?}");
        drop(held);

        let resumed = run(&["sync", "--json"], folder).await;
        assert_eq!(resumed.status.code(), Some(0), "{phase:?}: {}", err(&resumed));
        assert_eq!(bench.app.users().len(), 5, "{phase:?}: no account twice");
        let again = run(&["sync", "--json"], folder).await;
        assert_eq!(objects(&again).len(), 1, "{phase:?}: nothing is left to do: {}", out(&again));
    }
}

#[tokio::test]
async fn users_of_a_dry_run_and_of_a_run_with_failures_are_the_same() {
    let bench = Bench::new("no-partial-update").await;
    bench.users(&people(2));
    bench.sync().await;
    bench.users(&people(1));
    assert_eq!(bench.sync().await.exit.code(), 1);
    let dry = bench.open_to_read().await.dry_run(&SyncOptions::default()).await;
    let wet = bench.sync().await;
    assert_eq!((dry.exit, short(&dry)), (wet.exit, short(&wet)));
    assert_eq!(dry.summary.failed_deprovisions, 1);
}
