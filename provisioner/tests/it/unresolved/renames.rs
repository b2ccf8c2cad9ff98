//! A rename with an unknown outcome, at a target that does not show the account under its id: the account is searched for
//! by every sent name, and by `externalId`, before it counts as gone.

use std::time::Duration;

use mock_aquera::Profile;
use provisioner::SyncOptions;
use serde_json::json;

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

const HIDES_IDS: &str = "status=404 method=GET path=/Users/* times=always";
const BY_NAME_ONLY: &str =
    "name = \"x\"\nsummary = \"y\"\n[filter]\nattributes = [\"userName\"]\nunsupported = \"answers-400\"\n";

/// Creates accounts of ada and gus, and renames gus to gustav with a lost response.
async fn lost_rename(preferences: &'static str, profile: &str) -> Bench {
    let options = "concurrency = 1\nmax-attempts = 1\nmax-removals-percent = 100".to_owned();
    let bench = Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await;
    if !profile.is_empty() {
        bench.app.set_profile(Profile::from_toml(profile).unwrap());
    }
    bench.run(&[user("1", "ada"), user("7", "gus")]).await;
    // A write of this kind has been seen to work, so the next one is not read first.
    bench.run(&[user("1", "ida"), user("7", "gus")]).await;
    bench.run(&[user("1", "ada"), user("7", "gus")]).await;
    let fault = bench.app.add_fault("reset phase=after method=PATCH,PUT times=always".parse().unwrap());
    let lines = bench.run(&[user("1", "ada"), user("7", "gustav")]).await;
    assert!(lines.len() == 1 && lines[0].starts_with("gustav attributes update failed "), "{lines:?}");
    bench.app.remove_fault(fault);
    assert_eq!(bench.accounts(), ["ada true", "gustav true"]);
    bench
}

#[tokio::test]
async fn lost_rename_then_leaver_whose_id_is_not_shown_is_removed() {
    for (preferences, operation, left) in
        [(ALL_DISABLE, "disable", vec!["ada true", "gustav false"]), (ALL_DELETE, "delete", vec!["ada true"])]
    {
        for profile in ["", BY_NAME_ONLY] {
            for times in ["2", "always"] {
                let bench = lost_rename(preferences, profile).await;
                bench.users(&[user("1", "ada")]);
                let rule = HIDES_IDS.replace("always", times);
                bench.app.add_fault(rule.parse().unwrap());
                let at = format!("{operation} at {profile:?}, {times}");
                let lines = short(&bench.sync().await);
                assert_eq!(lines, [format!("gustav deleted {operation} success done")], "{at}");
                assert_eq!(bench.accounts(), left, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn lost_rename_then_another_name_whose_id_is_not_shown_makes_no_twin() {
    for profile in ["", BY_NAME_ONLY] {
        let bench = lost_rename(ALL_DISABLE, profile).await;
        bench.users(&[user("1", "ada"), user("7", "gunter")]);
        bench.app.add_fault(HIDES_IDS.parse().unwrap());
        let lines = short(&bench.sync().await);
        assert_eq!(bench.accounts(), ["ada true", "gunter true"], "{profile:?}: {lines:?}");
    }
}

#[tokio::test]
async fn account_that_others_renamed_and_whose_id_is_not_shown_is_found_by_its_external_id() {
    let options = "concurrency = 1\nmax-removals-percent = 100".to_owned();
    let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
    bench.run(&[user("1", "ada"), user("7", "gus")]).await;
    let users = bench.app.users();
    let id = users.iter().find(|user| user["userName"] == "gus").unwrap()["id"].as_str().unwrap();
    bench.app.edit_user(id, |user| {
        drop(user.insert("userName".to_owned(), json!("renamed-by-hand")));
    });
    bench.app.add_fault(HIDES_IDS.parse().unwrap());
    let lines = bench.run(&[user("1", "ada")]).await;
    assert_eq!(lines, ["gus deleted disable success done"]);
    assert_eq!(bench.accounts(), ["ada true", "renamed-by-hand false"]);
}

/// Returns the requests that searched for accounts, each as its path and decoded filter.
fn searches(bench: &Bench) -> Vec<String> {
    let requests = bench.app.journal();
    let gets = requests.iter().filter(|exchange| exchange.method == "GET");
    gets.map(|exchange| exchange.path.clone())
        .filter(|path| path.contains("/Users") && !path.contains("count=1"))
        .collect()
}

#[tokio::test]
async fn account_that_is_gone_is_searched_for_once_by_each_key() {
    for (case, left, full) in [("full run", false, true), ("update", false, false), ("removal", true, false)]
    {
        let options = "concurrency = 1\nmax-removals-percent = 100".to_owned();
        let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
        bench.run(&[user("1", "ada"), user("7", "gus")]).await;
        let users = bench.app.users();
        let id = users.iter().find(|user| user["userName"] == "gus").unwrap()["id"].as_str().unwrap();
        bench.app.remove_user(id);
        bench.clock.advance(Duration::from_mins(5));
        match (left, full) {
            (true, _) => bench.users(&[user("1", "ada")]),
            (false, true) => bench.users(&[user("1", "ada"), user("7", "gus")]),
            (false, false) => {
                bench.users(&[user("1", "ada"), but(user("7", "gus"), json!({ "title": "Manager" }))]);
            }
        }
        bench.app.clear_journal();
        bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
        let searches = searches(&bench);
        let by = |attribute: &str| searches.iter().filter(|path| path.contains(attribute)).count();
        assert_eq!(by("userName"), 1, "{case}: {searches:?}");
        assert_eq!(by("externalId"), 1, "{case}: {searches:?}");
    }
}
