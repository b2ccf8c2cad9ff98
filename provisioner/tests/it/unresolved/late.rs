//! A Disable that takes effect after the next run has looked, and an account that is gone after a write was cut off.

use std::time::Duration;

use mock_aquera::Phase;
use serde_json::{Value, json};

use crate::support::{ALL_DISABLE, Bench, Settings, but, short, user};

/// Runs a sync that ends while its Disable of ada is at the target; returns the account's id.
async fn cut_off_disable(users: &[Value]) -> (Bench, String) {
    let options = "concurrency = 1\nmax-attempts = 1".to_owned();
    let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
    bench.run(&[user("1", "ada"), user("2", "brook")]).await;
    bench.users(users);
    // The test (2), the read, the PATCH.
    bench.sync_cut_off(4, Phase::BeforeEffect).await;
    assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    let id = bench.app.users().iter().find(|user| user["userName"] == "ada").unwrap()["id"].clone();
    (bench, id.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn disable_that_takes_effect_after_the_restart_is_undone() {
    let disabled = [but(user("1", "ada"), json!({ "enabled": false })), user("2", "brook")];
    let gone = [user("2", "brook")];
    for (what, leaves, returns) in [
        ("enabled again", &disabled[..], user("1", "ada")),
        ("re-hired under another id", &gone[..], user("3", "ada")),
    ] {
        let (bench, id) = cut_off_disable(leaves).await;
        let back = [returns, user("2", "brook")];
        bench.run(&back).await;
        assert_eq!(bench.accounts(), ["ada true", "brook true"], "{what}");
        bench.app.edit_user(&id, |user| drop(user.insert("active".to_owned(), json!(false))));
        bench.clock.advance(Duration::from_mins(15));
        let lines = bench.run(&back).await;
        assert!(lines.len() == 1 && lines[0].starts_with("ada "), "{what}: {lines:?}");
        assert!(lines[0].ends_with(" enable success done"), "{what}: {lines:?}");
        assert_eq!(bench.accounts(), ["ada true", "brook true"], "{what}");
        // The late Disable is over: a later change by another system is left alone.
        bench.run(&back).await;
        bench.app.edit_user(&id, |user| drop(user.insert("active".to_owned(), json!(false))));
        assert_eq!(bench.run(&back).await, [""; 0], "{what}");
        assert_eq!(bench.accounts(), ["ada false", "brook true"], "{what}");
    }
}

#[tokio::test]
async fn link_to_a_gone_account_is_dropped_from_the_state() {
    const CREATION_OFF: &str = "enable-users-updation = true\nenable-users-disable = true";
    let options = "concurrency = 1\nmax-attempts = 1".to_owned();
    let settings = Settings { preferences: CREATION_OFF, options, ..Settings::default() };
    let mut bench = Bench::with("aquera", settings).await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters none unsynced creation-off"]);
    bench.settings.preferences = ALL_DISABLE;
    // The test (2), the look-up, the POST.
    bench.sync_cut_off(4, Phase::AfterEffect).await;
    bench.settings.preferences = CREATION_OFF;
    bench.users(&[but(user("1", "ada"), json!({ "title": "Lead" }))]);
    // The test (2), the look-up of the account, the PATCH: the account is linked, and no run has reported on it.
    bench.sync_cut_off(4, Phase::BeforeEffect).await;
    let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench.app.remove_user(&id);
    bench.clock.advance(Duration::from_mins(15));
    assert_eq!(short(&bench.sync().await), [""; 0], "nothing that has not been reported before");
    let provisioner = bench.open().await;
    let linked = provisioner.stored().unwrap().records.values().any(|record| record.link.is_some());
    assert!(!linked, "{:?}", provisioner.stored().unwrap());
    provisioner.close().await;
}
