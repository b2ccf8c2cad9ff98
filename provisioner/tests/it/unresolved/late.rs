//! A Disable that is still on its way when the provisioner ends, and takes effect after the next run has looked.

use std::time::Duration;

use mock_aquera::Phase;
use serde_json::{Value, json};

use crate::support::{Bench, Settings, but, user};

/// A run that ends while its Disable of ada is at the target; the account's id.
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
        // That is over: what somebody else does to the account is theirs again.
        bench.run(&back).await;
        bench.app.edit_user(&id, |user| drop(user.insert("active".to_owned(), json!(false))));
        assert_eq!(bench.run(&back).await, [""; 0], "{what}");
        assert_eq!(bench.accounts(), ["ada false", "brook true"], "{what}");
    }
}
