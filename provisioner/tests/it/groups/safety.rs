//! Groups under crashes, lost replies, guards, plans, and targets that contradict themselves.

use mock_aquera::{Fault, Phase};
use provisioner::{Exit, SyncOptions};
use serde_json::{Value, json};

use super::{Bench, bench, group, in_short, people, settings};

#[tokio::test]
async fn creation_that_was_cut_off_makes_no_second_group() {
    for phase in [Phase::BeforeEffect, Phase::AfterEffect] {
        let bench = bench("").await;
        let users = people(&["1"]);
        bench.run_groups(&users, &[]).await;
        bench.groups(&[group("a", "A", &["1"])]);
        // The connection test takes two requests, the look-up one.
        bench.sync_cut_off(4, phase).await;
        let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
        assert_eq!(bench.members(), ["A: 1"], "{phase:?}: {lines:?}");
        assert_eq!(lines.len(), 1, "{phase:?}");
        assert_eq!(
            bench.run_groups(&users, &[group("a", "A", &["1"])]).await,
            Vec::<String>::new(),
            "{phase:?}"
        );
    }
}

#[tokio::test]
async fn creation_that_was_cut_off_and_renamed_is_found_by_its_external_id() {
    let bench = bench("").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[]).await;
    bench.groups(&[group("a", "A", &["1"])]);
    bench.sync_cut_off(4, Phase::AfterEffect).await;
    bench.run_groups(&users, &[group("a", "Alpha", &["1"])]).await;
    assert_eq!(bench.members(), ["Alpha: 1"]);
}

#[tokio::test]
async fn write_that_was_cut_off_is_finished_by_the_next_run() {
    for phase in [Phase::BeforeEffect, Phase::AfterEffect] {
        let bench = bench("").await;
        let users = people(&["1", "2", "3"]);
        bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
        bench.groups(&[group("a", "A", &["1", "3"])]);
        // Two requests of the connection test, and the read before the first removal.
        bench.sync_cut_off(4, phase).await;
        bench.run_groups(&users, &[group("a", "A", &["1", "3"])]).await;
        assert_eq!(bench.members(), ["A: 1 3"], "{phase:?}");
    }
}

#[tokio::test]
async fn lost_reply_to_a_creation_is_resolved_by_a_look_up() {
    let bench = bench("").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[]).await;
    bench.app.add_fault(Fault::status(503).times(1).method("POST").phase(Phase::AfterEffect));
    let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    assert_eq!(lines, ["A enters create success done +0 -0"]);
    assert_eq!(bench.members(), ["A: 1"]);
}

#[tokio::test]
async fn group_that_was_deleted_out_of_band_is_made_again() {
    let bench = bench("").await;
    let users = people(&["1", "2"]);
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    let id = bench.app.groups()[0]["id"].as_str().unwrap().to_owned();
    assert!(bench.app.remove("Group", &id));
    let lines = bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
    assert_eq!(lines, ["A members create success done +2 -0"]);
    assert_eq!(bench.members(), ["A: 1 2"]);
}

#[tokio::test]
async fn guard_stops_a_run_that_would_delete_many_groups_and_lets_the_approved_number_through() {
    let bench = bench("deletion = \"delete\"").await;
    let users = people(&["1"]);
    let groups: Vec<Value> =
        (0..12).map(|number| group(&format!("g{number}"), &format!("G{number}"), &["1"])).collect();
    bench.run_groups(&users, &groups).await;
    bench.groups(&groups[5..]);
    let report = bench.sync().await;
    assert_eq!((report.exit, bench.app.groups().len()), (Exit::DeleteGuard, 12));
    let stopped = report.summary.stopped.unwrap().message;
    assert!(
        stopped.contains("5 of 12 managed groups would be deleted, more than 2 in 24 hours"),
        "{stopped}"
    );
    let approve = |number| SyncOptions { approve_group_removals: Some(number), ..SyncOptions::default() };
    assert_eq!(bench.sync_with(approve(4)).await.exit, Exit::DeleteGuard);
    let report = bench.sync_with(approve(5)).await;
    assert_eq!((report.exit, bench.app.groups().len()), (Exit::Done, 7));
    // Deletions of the last 24 hours count.
    bench.groups(&groups[6..]);
    assert_eq!(bench.sync().await.exit, Exit::DeleteGuard);
}

#[tokio::test]
async fn guard_stops_a_run_that_would_take_many_members_from_groups() {
    let bench = bench("").await;
    let ids: Vec<String> = (0..30).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let users = people(&ids);
    let with = |members: &[&str]| -> Vec<Value> {
        (0..5).map(|number| group(&format!("g{number}"), &format!("G{number}"), members)).collect()
    };
    bench.run_groups(&users, &with(&ids)).await;
    bench.groups(&with(&ids[..5]));
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::DeleteGuard);
    assert!(report.summary.stopped.unwrap().message.starts_with("125 of 150 members would be removed"));
    assert_eq!(bench.members()[0].split(' ').count(), 31);
}

#[tokio::test]
async fn groups_that_cannot_be_read_whole_stop_the_run() {
    let bench = bench("deletion = \"delete\"").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    for text in ["", "{\"id\":\"a\",\"name\":\"A\"}\n", "{\"id\":\"a\""] {
        std::fs::write(bench.path("groups.ndjson"), text).unwrap();
        let report = bench.sync().await;
        assert_eq!(report.exit, Exit::SourceUnreadable, "{text}");
        assert_eq!(bench.members(), ["A: 1"], "{text}");
    }
}

#[tokio::test]
async fn ambiguous_and_foreign_matches_are_refused() {
    let bench = bench("").await;
    bench.app.seed("Group", json!({ "displayName": "A" }));
    bench.app.seed("Group", json!({ "displayName": "a" }));
    let users = people(&["1"]);
    let lines = bench.run_groups(&users, &[group("a", "A", &["1"]), group("b", "B", &[])]).await;
    assert_eq!(lines[0], "A enters none failed ambiguous-match +0 -0");
    // A second group of the source has the name of a linked one.
    let lines = bench.run_groups(&users, &[group("b", "B", &[]), group("c", "b", &["1"])]).await;
    assert_eq!(lines, ["b enters none failed ambiguous-match +0 -0"]);
    // The first one is gone from the source: its group moves to the second, and nothing is deleted.
    let lines = bench.run_groups(&users, &[group("c", "b", &["1"])]).await;
    assert_eq!(lines, ["b enters update success done +1 -0"]);
    assert_eq!(bench.members(), ["A: ", "a: ", "b: 1"]);
}

#[tokio::test]
async fn plan_tells_the_groups_and_goes_stale_when_they_change() {
    let bench = bench("").await;
    let users = people(&["1", "2"]);
    bench.users(&users);
    bench.groups(&[group("a", "A", &["1", "2"])]);
    let reader = bench.open_to_read().await;
    let plan = reader.plan(SyncOptions::default()).await.unwrap();
    reader.close().await;
    let entry = serde_json::to_value(&plan.groups[0]).unwrap();
    assert_eq!(entry["requests"], json!(["POST Groups (displayName, externalId, 2 members)"]));
    assert_eq!(entry["membersAdded"], 2);
    assert_eq!(plan.summary.groups.as_ref().unwrap().creates, 1);
    assert_eq!(bench.app.groups().len(), 0);
    bench.groups(&[group("a", "A", &["1"])]);
    let writer = bench.open().await;
    let stale = writer.apply(&plan, SyncOptions::default()).await.unwrap_err().to_string();
    assert!(stale.contains("what is to be done for group a has changed"), "{stale}");
    bench.groups(&[group("a", "A", &["1", "2"])]);
    let report = writer.apply(&plan, SyncOptions::default()).await.unwrap();
    writer.close().await;
    assert_eq!(in_short(&report), ["A enters create success done +2 -0"]);
    let summary = serde_json::to_value(&report.summary).unwrap();
    assert_eq!(summary["groups"]["membersAdded"], 2);
}

#[tokio::test]
async fn explanation_follows_a_group() {
    let bench = bench("").await;
    bench.run_groups(&people(&["1", "2"]), &[group("a", "A", &["1"])]).await;
    bench.groups(&[group("a", "A", &["1", "2", "9"])]);
    let reader = bench.open_to_read().await;
    let explained = reader.explain_group("A", true).await;
    reader.close().await;
    let text = format!("{explained:?}");
    for part in [
        "of 3 members in the source 2 have an account",
        "1 members to add, 0 to remove",
        "(add 1 members)",
        "group rule \\\"all\\\": matches, and owns the group",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[tokio::test]
async fn target_without_groups_fails_the_groups_and_not_the_users() {
    let profile = json!({ "name": "own", "summary": "s", "extends": "rfc" });
    let profile = mock_aquera::Profile::from_json(&profile).unwrap();
    let bench = Bench::with_profile(profile, settings("", "")).await;
    bench.app.add_fault(Fault::status(404).path("/Groups/**").always());
    bench.users(&people(&["1"]));
    bench.groups(&[group("a", "A", &["1"])]);
    let report = bench.sync().await;
    assert_eq!(report.exit, Exit::SomeFailed);
    assert_eq!(in_short(&report), ["A enters create failed groups-unsupported +0 -0"]);
    assert_eq!(report.summary.success, 1);
}

#[tokio::test]
async fn state_of_a_version_without_groups_gets_their_table() {
    let bench = bench("").await;
    let users = people(&["1"]);
    bench.run_groups(&users, &[]).await;
    let state = rusqlite::Connection::open(bench.path("aquera.db")).unwrap();
    state.execute_batch("DROP TABLE grouping; PRAGMA user_version = 3").unwrap();
    drop(state);
    bench.groups(&[group("a", "A", &["1"])]);
    let reader = bench.open_to_read().await;
    assert_eq!(reader.plan(SyncOptions::default()).await.unwrap().groups.len(), 1);
    reader.close().await;
    let lines = bench.run_groups(&users, &[group("a", "A", &["1"])]).await;
    assert_eq!(lines, ["A enters create success done +1 -0"]);
    assert_eq!(bench.run_groups(&users, &[group("a", "A", &["1"])]).await, Vec::<String>::new());
}

/// The state has the members packed, and a change of one of them rewrites nothing but that.
#[tokio::test]
async fn stored_members_are_the_accounts_that_were_written() {
    let bench = bench("").await;
    let users = people(&["1", "2"]);
    bench.run_groups(&users, &[group("a", "A", &["1", "2"])]).await;
    bench.run_groups(&users, &[group("a", "A", &["2"])]).await;
    let reader = bench.open_to_read().await;
    let groups = reader.stored().unwrap().groups;
    reader.close().await;
    let record = groups.values().next().unwrap();
    let account = bench.app.users().iter().find(|user| user["userName"] == "user-2").unwrap()["id"].clone();
    let written: Vec<String> = record.written.iter().map(|id| id.to_string()).collect();
    assert_eq!(written, [account.as_str().unwrap()]);
    assert_eq!(record.written.as_bytes().len(), 17);
    assert_eq!(record.intent, None);
}
