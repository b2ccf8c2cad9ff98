//! The failures that a plan expects of a target with a limitation, by an earlier run or the connection test.

use mock_aquera::Profile;
use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

/// Returns each entry of a plan as `user operation outcome reason requests`, and the number of users that cannot be
/// provisioned.
async fn plan(bench: &Bench, users: &[Value]) -> (Vec<String>, u64) {
    bench.users(users);
    let provisioner = bench.open_to_read().await;
    let plan = provisioner.plan(SyncOptions::default()).await.unwrap();
    provisioner.close().await;
    let entry = |entry| {
        let value = serde_json::to_value(entry).unwrap();
        let word = |name: &str| value[name].as_str().unwrap().to_owned();
        let requests = value["requests"].as_array().unwrap().len().to_string();
        [word("userName"), word("operation"), word("outcome"), word("reason"), requests].join(" ")
    };
    (plan.entries.iter().map(entry).collect(), plan.summary.failed)
}

fn people() -> Vec<Value> {
    ["ada", "brook", "cleo", "dora"].map(|name| user(name, name)).to_vec()
}

async fn bench(profile: &str, method: &str) -> Bench {
    let options = format!("update-method = \"{method}\"");
    Bench::with(profile, Settings { options, ..Settings::default() }).await
}

/// Asserts the entries of a plan, and the number of users that cannot be provisioned.
#[track_caller]
fn check(found: &(Vec<String>, u64), expected: &[&str], failed: u64, what: &str) {
    assert_eq!(found.0.iter().map(String::as_str).collect::<Vec<_>>(), expected.to_vec(), "{what}");
    assert_eq!(found.1, failed, "{what}");
}

#[tokio::test]
async fn plan_expects_the_limitation_that_an_earlier_run_showed() {
    for method in ["auto", "put", "patch"] {
        let bench = bench("no-partial-update", method).await;
        let users = people();
        bench.run(&users).await;
        // `ServiceProviderConfig` says that there is no PATCH: with nothing else allowed, the test alone shows the limitation.
        let (first, failed) = if method == "patch" {
            ("ada disable failed partial-update-unsupported", 1)
        } else {
            ("ada disable success done", 0)
        };
        let requests = if method == "put" || method == "auto" { 4 } else { 3 };
        check(&plan(&bench, &users[1..]).await, &[&format!("{first} {requests}")], failed, method);
        bench.run(&users[1..]).await;
        // Ada's removal is pending, and Brook's source disables him.
        let disabled = but(users[1].clone(), json!({ "enabled": false }));
        let next = [disabled, users[2].clone(), users[3].clone()];
        let (entries, failed) = plan(&bench, &next).await;
        assert_eq!(entries.len(), 2, "{method}: {entries:?}");
        assert!(
            entries.iter().all(|entry| entry.contains(" disable failed partial-update-unsupported ")),
            "{method}: {entries:?}"
        );
        assert_eq!(failed, 2, "{method}");
    }
}

#[tokio::test]
async fn repaired_target_is_expected_to_work_after_one_disable() {
    let bench = bench("no-partial-update", "auto").await;
    let users = people();
    bench.run(&users).await;
    bench.run(&users[1..]).await;
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
    bench.run(&users[1..]).await;
    let (entries, failed) = plan(&bench, &users[2..]).await;
    assert!(entries.len() == 1 && entries[0].starts_with("brook disable success done"), "{entries:?}");
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn plan_expects_no_disable_where_one_deleted_an_account() {
    let bench = bench("disable-deletes", "auto").await;
    let users = people();
    bench.run(&users).await;
    bench.run(&users[1..]).await;
    // Only the read before the removal is sent.
    check(&plan(&bench, &users[2..]).await, &["brook disable failed disable-withheld 1"], 1, "withheld");
}

#[tokio::test]
async fn plan_expects_that_attributes_are_not_stored_which_were_not() {
    let bench = bench("no-title", "auto").await;
    let users = people();
    bench.run(&users).await;
    let titled = |title: &str| {
        users.iter().map(|user| but(user.clone(), json!({ "title": title }))).collect::<Vec<_>>()
    };
    bench.run(&titled("Lead")).await;
    let (entries, failed) = plan(&bench, &titled("Head")).await;
    assert!(
        entries.len() == 4 && entries.iter().all(|entry| entry.contains(" update failed ignored-by-target ")),
        "{entries:?}"
    );
    assert_eq!(failed, 4);
    // Another attribute beside it goes through.
    let renamed: Vec<Value> =
        titled("Head").into_iter().map(|user| but(user, json!({ "nickname": "Nick" }))).collect();
    let (entries, failed) = plan(&bench, &renamed).await;
    assert_eq!(entries.len(), 4, "{entries:?}");
    assert!(entries.iter().all(|entry| entry.contains(" update success done ")), "{entries:?}");
    assert_eq!(failed, 0);
}

#[tokio::test]
async fn plan_expects_the_refusals_that_earlier_runs_met() {
    let titled = |user: &Value| but(user.clone(), json!({ "title": "Lead" }));
    for (profile, method, preferences) in [
        ("no-delete", "auto", ALL_DELETE),
        ("thunderid-5110", "patch", ALL_DISABLE),
        ("patch-400", "patch", ALL_DISABLE),
        ("no-put", "put", ALL_DISABLE),
    ] {
        let options = format!("update-method = \"{method}\"");
        let bench = Bench::with(profile, Settings { preferences, options, ..Settings::default() }).await;
        let users = people();
        bench.run(&users).await;
        let changed = [titled(&users[1]), users[2].clone(), users[3].clone()];
        for _ in 0..2 {
            bench.run(&changed).await;
        }
        let (entries, failed) = plan(&bench, &changed).await;
        let told: Vec<String> = short(&bench.sync().await)
            .into_iter()
            .map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                [words[0], words[2], words[3], words[4]].join(" ")
            })
            .collect();
        let expected: Vec<&str> = entries.iter().map(|entry| entry.rsplit_once(' ').unwrap().0).collect();
        assert!(!told.is_empty(), "{profile}");
        assert_eq!(expected, told, "{profile}");
        assert_eq!(failed, told.len() as u64, "{profile}");
    }
}

#[tokio::test]
async fn plan_expects_that_no_delete_works_where_the_last_one_was_not_supported() {
    let settings = Settings { preferences: ALL_DELETE, ..Settings::default() };
    let bench = Bench::with("no-delete", settings).await;
    let users = people();
    bench.run(&users).await;
    bench.run(&users[1..]).await;
    let (entries, _) = plan(&bench, &users[2..]).await;
    assert!(
        entries.len() == 2
            && entries.iter().all(|entry| entry.contains(" delete failed delete-unsupported ")),
        "{entries:?}"
    );
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
    bench.run(&users[1..]).await;
    let (entries, failed) = plan(&bench, &users[2..]).await;
    assert!(entries.len() == 1 && entries[0].starts_with("brook delete success done "), "{entries:?}");
    assert_eq!(failed, 0);
}
