//! The quarantine: entered after too many failures or refused credentials, tried again after 6, 12 and 24 hours.

use std::time::Duration;

use mock_aquera::{Auth, Fault};
use provisioner::RunReport;
use provisioner::report::Reason;
use provisioner::state::{Quarantine, QuarantineCause};
use serde_json::{Value, json};

use crate::program::{err, objects, out, run};
use crate::support::{Bench, user};

const HOUR: Duration = Duration::from_hours(1);

fn people(count: usize) -> Vec<Value> {
    (0..count).map(|n| user(&n.to_string(), &format!("user{n:03}"))).collect()
}

fn code(report: &RunReport) -> (u8, &'static str) {
    (report.exit.code(), report.summary.stopped.as_ref().map_or("", |stopped| stopped.code))
}

async fn quarantine(bench: &Bench) -> Option<Quarantine> {
    bench.open_to_read().await.stored().unwrap().connection.quarantine
}

/// Makes `failing` of `count` creates fail, and runs.
async fn run_with_failures(count: usize, failing: u32) -> (Bench, RunReport) {
    let bench = Bench::new("aquera").await;
    bench.users(&people(count));
    bench.app.add_fault(Fault::status(400).method("POST").times(failing));
    let report = bench.sync().await;
    assert_eq!(report.summary.failed, u64::from(failing));
    (bench, report)
}

#[tokio::test]
async fn connection_enters_quarantine_above_40_percent_and_from_20_failures() {
    for (count, failing, expected) in [(19, 19, false), (20, 20, true), (50, 20, false), (49, 20, true)] {
        let (bench, report) = run_with_failures(count, failing).await;
        assert_eq!(code(&report), (1, ""), "the run itself comes to its end");
        let at = format!("{failing} of {count}");
        let found = quarantine(&bench).await;
        assert_eq!(found.is_some(), expected, "{at}");
        bench.app.clear_journal();
        let next = bench.sync().await;
        assert_eq!(code(&next), if expected { (3, "quarantined") } else { (0, "") }, "{at}");
        assert_eq!(bench.app.journal().is_empty(), expected, "{at}: no request is sent in quarantine");
    }
}

#[tokio::test]
async fn quarantine_is_tried_again_after_6_12_and_24_hours() {
    let (bench, _) = run_with_failures(30, 30).await;
    bench.app.add_fault("status=400 method=POST times=always".parse().unwrap());
    for hours in [6, 12, 24, 24] {
        bench.clock.advance(HOUR * (hours - 1) + Duration::from_mins(59));
        assert_eq!(code(&bench.sync().await), (3, "quarantined"), "a minute before {hours} hours");
        bench.clock.advance(Duration::from_mins(1));
        assert_eq!(code(&bench.sync().await), (1, ""), "after {hours} hours");
    }
    bench.app.clear_faults();
    bench.clock.advance(HOUR * 24);
    let mended = bench.sync().await;
    assert_eq!(code(&mended), (0, ""));
    assert_eq!(mended.summary.success, 30);
    assert_eq!(quarantine(&bench).await, None);
    assert_eq!(code(&bench.sync().await), (0, ""));
}

#[tokio::test]
async fn failures_that_stand_cause_no_quarantine_of_their_own() {
    // 25 of 100 are refused for good; from the second run on they are all that there is to do.
    let bench = Bench::new("aquera").await;
    bench.users(&people(100));
    for n in 0..25 {
        let fault = Fault::status(400).method("POST").user_name(format!("user{n:03}")).always();
        bench.app.add_fault(fault);
    }
    for _ in 0..3 {
        let report = bench.sync().await;
        assert_eq!((code(&report), report.summary.failed), ((1, ""), 25));
        assert_eq!(quarantine(&bench).await, None);
    }
}

#[tokio::test]
async fn users_that_cannot_be_mapped_cause_no_quarantine() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.rules = "[[rule]]\nname = \"everyone\"\n[[rule.mapping]]\nexpression = 'user.nickname'\n\
        target = \"userName\"\n"
        .to_owned();
    bench.users(&people(30));
    let report = bench.sync().await;
    assert_eq!((report.summary.failed, report.lines[0].reason), (30, Reason::InvalidUser));
    assert_eq!(quarantine(&bench).await, None);
}

#[tokio::test]
async fn refused_credentials_cause_a_quarantine_which_new_ones_release() {
    let mut bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.app.set_auth(vec![Auth::bearer("another-token")]);
    assert_eq!(code(&bench.sync().await), (3, "connection-test-failed"));
    let found = quarantine(&bench).await.unwrap();
    assert_eq!(found.cause, QuarantineCause::BadCredentials);
    bench.app.clear_journal();
    assert_eq!(code(&bench.sync().await), (3, "quarantined"));
    assert!(bench.app.journal().is_empty(), "the refused credentials are not sent again");

    bench.settings.token = "another-token".to_owned();
    assert_eq!(code(&bench.sync().await), (0, ""));
    assert_eq!(quarantine(&bench).await, None);
}

#[tokio::test]
async fn new_credentials_do_not_release_a_quarantine_for_failures() {
    let (mut bench, _) = run_with_failures(20, 20).await;
    bench.app.set_auth(vec![Auth::bearer("another-token")]);
    bench.settings.token = "another-token".to_owned();
    assert_eq!(code(&bench.sync().await), (3, "quarantined"));
}

#[tokio::test]
async fn target_that_is_away_causes_no_quarantine_and_ends_none() {
    let mut bench = Bench::new("aquera").await;
    bench.users(&people(20));
    let url = bench.settings.scim_url.replace("http://127.0.0.1:1/scim".to_owned());
    assert_eq!(code(&bench.sync().await), (3, "connection-test-failed"));
    assert_eq!(quarantine(&bench).await, None);
    bench.settings.scim_url = url;
    bench.app.add_fault(Fault::status(400).method("POST").times(20));
    bench.sync().await;
    bench.clock.advance(HOUR * 6);
    bench.app.add_fault(Fault::status(503).always());
    let times = quarantine(&bench).await.unwrap().times;
    assert_eq!(code(&bench.sync().await), (3, "connection-test-failed"));
    assert_eq!(quarantine(&bench).await.unwrap().times, times, "nothing was shown");
}

#[tokio::test]
async fn quarantine_is_said_by_every_command_and_released_by_a_person() {
    // The commands ask the system's clock.
    let bench = Bench::new("aquera").await;
    bench.users(&people(20));
    bench.write_config();
    let folder = bench.folder.path();
    bench.app.add_fault(Fault::status(400).method("POST").times(20));
    assert_eq!(run(&["sync"], folder).await.status.code(), Some(1));

    for command in [&["sync"][..], &["plan"], &["sync", "--dry-run"]] {
        let refused = run(command, folder).await;
        let told = err(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(refused.status.code(), Some(3), "{command:?}: {told}");
        for part in ["in quarantine until", "20 of 20 users failed", "`provisioner release`"] {
            assert!(told.contains(part), "{command:?}: {told}");
        }
    }
    let summary = objects(&run(&["sync", "--json"], folder).await).pop().unwrap();
    assert_eq!((&summary["stopped"]["code"], &summary["exitCode"]), (&json!("quarantined"), &json!(3)));
    let status = objects(&run(&["status", "--json"], folder).await).pop().unwrap();
    assert_eq!(status["quarantine"]["cause"], "failure-rate");
    assert_eq!(status["quarantine"]["times"], 1);
    assert!(status["quarantine"]["until"].as_str().unwrap().ends_with('Z'), "{status}");
    assert!(out(&run(&["status"], folder).await).contains("in quarantine until"));
    let listed = objects(&run(&["list", "--json"], folder).await);
    assert_eq!(listed[0]["state"], "quarantined");
    assert_eq!(listed[0]["quarantine"], status["quarantine"]);

    // A test by a person shows that the target answers, not that users succeed.
    let tested = run(&["test-connection"], folder).await;
    assert_eq!(tested.status.code(), Some(0));
    assert!(out(&tested).contains("`provisioner release`"), "{}", out(&tested));
    assert_eq!(run(&["sync"], folder).await.status.code(), Some(3));

    let released = run(&["release"], folder).await;
    assert_eq!(released.status.code(), Some(0), "{}", err(&released));
    assert!(out(&released).contains("is released"), "{}", out(&released));
    let synced = run(&["sync"], folder).await;
    assert_eq!(synced.status.code(), Some(0), "{}", err(&synced));
    assert_eq!(bench.app.users().len(), 20);
    assert!(out(&run(&["release"], folder).await).contains("in no quarantine"));
}
