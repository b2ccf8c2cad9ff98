//! Refusals for want of support: the report at the end of a run is true of the whole run.

use provisioner::state::MethodSupport;
use serde_json::{Value, json};

use crate::learning::learned;
use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

fn users() -> Vec<Value> {
    ["ada", "brook", "cleo", "dora"].iter().enumerate().map(|(n, name)| user(&n.to_string(), name)).collect()
}

fn all(members: &Value) -> Vec<Value> {
    users().into_iter().map(|user| but(user, members.clone())).collect()
}

async fn bench(method: &str, preferences: &'static str) -> Bench {
    let options = format!("update-method = \"{method}\"\nconcurrency = 1\nmax-removals-percent = 100");
    let bench = Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await;
    bench.run(&users()).await;
    bench.app.clear_journal();
    bench
}

fn id_of(bench: &Bench, name: &str) -> String {
    bench.app.users().iter().find(|user| user["userName"] == name).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Returns a line for each of these operations; all are done except the first, which is refused.
#[track_caller]
fn check(lines: &[String], operation: &str, first: &str) {
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].ends_with(&format!(" {operation} {first}")), "{lines:?}");
    assert!(lines[1..].iter().all(|line| line.ends_with(&format!(" {operation} success done"))), "{lines:?}");
}

#[tokio::test]
async fn one_501_to_the_first_patch_of_a_run_is_made_good_at_its_end() {
    for status in [405, 501] {
        let bench = bench("patch", ALL_DISABLE).await;
        bench.app.add_fault(format!("status={status} method=PATCH times=1").parse().unwrap());
        let lines = bench.run(&all(&json!({ "title": "Lead" }))).await;
        check(&lines, "update", "success done");
        let refused = format!("PATCH {status}");
        assert_eq!(bench.writes(), [&*refused, "PATCH 200", "PATCH 200", "PATCH 200", "PATCH 200"]);
        assert_eq!(learned(&bench).await.patch, MethodSupport::Works);
        assert_eq!(bench.run(&all(&json!({ "title": "Lead" }))).await, [""; 0]);
    }
}

#[tokio::test]
async fn user_whose_patch_is_refused_where_others_work_is_rejected() {
    let bench = bench("patch", ALL_DISABLE).await;
    let rule = format!("status=501 method=PATCH path=/Users/{} times=always", id_of(&bench, "ada"));
    bench.app.add_fault(rule.parse().unwrap());
    bench.users(&all(&json!({ "title": "Lead" })));
    let report = bench.sync().await;
    check(&short(&report), "update", "failed rejected");
    assert_eq!(report.summary.failed, 1, "each user is counted once");
    assert_eq!(report.summary.success, 3, "each user is counted once");
    assert_eq!(bench.writes().iter().filter(|write| *write == "PATCH 501").count(), 2);
}

#[tokio::test]
async fn first_disable_that_is_refused_is_tried_again_where_the_next_one_works() {
    for (method, refused) in [("patch", 1), ("put", 1), ("auto", 2)] {
        for (what, then) in
            [("disable", all(&json!({ "enabled": false, "title": "Lead" }))), ("removal", Vec::new())]
        {
            let mut then = then;
            then.push(user("9", "zoe"));
            let bench = bench(method, ALL_DISABLE).await;
            bench.app.add_fault(format!("status=501 method=PATCH,PUT times={refused}").parse().unwrap());
            bench.users(&then);
            let options = provisioner::SyncOptions { accept_new_source: true, ..Default::default() };
            let report = bench.sync_with(options).await;
            let mut lines = short(&report);
            lines.retain(|line| !line.starts_with("zoe"));
            check(&lines, "disable", "success done");
            assert_eq!(report.summary.failed_deprovisions, 0, "{method}");
            let mut active = bench.accounts();
            active.retain(|account| account.ends_with("true"));
            assert_eq!(active, ["zoe true"], "{method}, {what}");
            assert_eq!(learned(&bench).await.disable_failure, None, "{method}, {what}");
        }
    }
}

#[tokio::test]
async fn user_whose_disable_alone_is_refused_by_both_methods_is_rejected() {
    for method in ["patch", "put", "auto"] {
        let bench = bench(method, ALL_DISABLE).await;
        let rule = format!("status=501 method=PATCH,PUT path=/Users/{} times=always", id_of(&bench, "ada"));
        bench.app.add_fault(rule.parse().unwrap());
        let lines = bench.run(&all(&json!({ "enabled": false }))).await;
        check(&lines, "disable", "failed rejected");
    }
}

#[tokio::test]
async fn delete_that_is_refused_where_others_work_is_tried_again() {
    for status in [405, 501] {
        for (times, first) in [("1", "success done"), ("always", "failed rejected")] {
            let bench = bench("auto", ALL_DELETE).await;
            let ada = id_of(&bench, "ada");
            let rule = format!("status={status} method=DELETE path=/Users/{ada} times={times}");
            bench.app.add_fault(rule.parse().unwrap());
            bench.users(&[user("9", "zoe")]);
            let options = provisioner::SyncOptions { accept_new_source: true, ..Default::default() };
            let report = bench.sync_with(options).await;
            let mut lines = short(&report);
            lines.retain(|line| !line.starts_with("zoe"));
            check(&lines, "delete", first);
            assert_eq!(report.summary.failed_deprovisions, u64::from(times == "always"));
        }
    }
}

#[tokio::test]
async fn method_that_no_user_could_use_is_told_as_unsupported_without_another_try() {
    let bench = bench("patch", ALL_DISABLE).await;
    bench.app.add_fault("status=501 method=PATCH times=always".parse().unwrap());
    let lines = bench.run(&all(&json!({ "title": "Lead" }))).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.ends_with(" update failed partial-update-unsupported")),
        "{lines:?}"
    );
    assert_eq!(bench.writes().len(), 4, "{:?}", bench.writes());
}

#[tokio::test]
async fn disable_that_took_effect_before_the_second_try_is_counted_once() {
    let bench = bench("patch", ALL_DISABLE).await;
    // A Disable is known to work, attributes are not.
    let disabled = |user: Value| but(user, json!({ "enabled": false }));
    let mut then = users();
    then[1] = disabled(then[1].clone());
    bench.run(&then).await;
    // Of Ada both together and then the title alone are refused; the Disable between them is not.
    bench.app.add_fault("status=501 method=PATCH patch-path=title times=2".parse().unwrap());
    then[0] = disabled(but(then[0].clone(), json!({ "title": "Lead" })));
    then[2] = but(then[2].clone(), json!({ "title": "Lead" }));
    bench.app.clear_journal();
    let lines = bench.run(&then).await;
    assert_eq!(
        lines,
        ["ada attributes-and-disabled disable success done", "cleo attributes update success done"]
    );
    assert_eq!(bench.writes(), ["PATCH 501", "PATCH 200", "PATCH 501", "PATCH 200", "PATCH 200"]);
    let provisioner = bench.open().await;
    assert_eq!(provisioner.stored().unwrap().withdrawals.len(), 2);
    provisioner.close().await;
}

#[tokio::test]
async fn title_that_is_not_stored_fails_no_user_whose_second_disable_works() {
    let bench = bench("patch", ALL_DISABLE).await;
    bench.app.set_profile(mock_aquera::Profile::builtin("no-title").unwrap());
    bench.app.add_fault("status=501 method=PATCH times=1".parse().unwrap());
    bench.users(&all(&json!({ "enabled": false, "title": "Lead" })));
    let report = bench.sync().await;
    check(&short(&report), "disable", "success done");
    let detail = report.lines[0].detail.clone().unwrap_or_default();
    assert!(detail.contains("not stored by the target: title"), "{detail}");
}
