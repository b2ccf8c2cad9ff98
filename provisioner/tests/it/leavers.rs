//! Leavers whose Disable or removal must not depend on something else: a refused attribute, a failing mapping, an account
//! that moved at the target; and accounts of others.

use std::time::Duration;

use mock_aquera::Profile;
use serde_json::{Value, json};

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, user};

const METHODS: [&str; 3] = ["auto", "put", "patch"];

async fn bench(profile: &str, method: &str, preferences: &'static str, rules: &str) -> Bench {
    let options = format!("update-method = \"{method}\"\nmax-attempts = 2");
    Bench::with(profile, Settings { options, preferences, rules: rules.to_owned(), ..Settings::default() })
        .await
}

const EVERYONE: &str = "[[rule]]\nname = \"everyone\"\n";

/// Returns the number of active accounts.
fn active(bench: &Bench) -> usize {
    bench.app.users().iter().filter(|user| user["active"] == true).count()
}

fn untitled(id: &str, name: &str) -> Value {
    json!({ "id": id, "username": name, "enabled": true })
}

/// Disables and enables ada, each time with a title that is refused.
async fn check_refused_title(bench: &Bench, what: &str) {
    let people = [untitled("1", "ada"), untitled("2", "brook")];
    for (enabled, accounts, operation) in [(false, 1, "disable"), (true, 2, "enable")] {
        let ada = but(people[0].clone(), json!({ "enabled": enabled, "title": "Lead" }));
        let lines = bench.run(&[ada, people[1].clone()]).await;
        assert_eq!(active(bench), accounts, "{what}: {lines:?}");
        assert!(lines.len() == 1 && lines[0].contains(&format!(" {operation} failed ")), "{what}: {lines:?}");
    }
}

#[tokio::test]
async fn refused_attribute_keeps_no_account_active() {
    let read_only = "name = \"x\"\nsummary = \"y\"\n[application]\nread-only = [\"title\"]\n";
    for method in METHODS {
        let bench = bench("aquera", method, ALL_DISABLE, EVERYONE).await;
        bench.app.set_profile(Profile::from_toml(read_only).unwrap());
        bench.run(&[untitled("1", "ada"), untitled("2", "brook")]).await;
        check_refused_title(&bench, method).await;
    }
    for status in [400, 403, 500] {
        let bench = bench("aquera", "patch", ALL_DISABLE, EVERYONE).await;
        bench.run(&[untitled("1", "ada"), untitled("2", "brook")]).await;
        bench.app.add_fault(
            format!("status={status} method=PATCH patch-path=title times=always").parse().unwrap(),
        );
        check_refused_title(&bench, &status.to_string()).await;
    }
    // A missing response is no reason either, as long as the account can be read.
    for fault in ["reset", "empty-reply"] {
        let bench = bench("aquera", "patch", ALL_DISABLE, EVERYONE).await;
        bench.run(&[untitled("1", "ada"), untitled("2", "brook")]).await;
        bench.app.add_fault(format!("{fault} method=PATCH patch-path=title times=always").parse().unwrap());
        check_refused_title(&bench, fault).await;
    }
}

#[tokio::test]
async fn target_that_is_away_is_asked_once_for_both() {
    let bench = bench("aquera", "patch", ALL_DISABLE, EVERYONE).await;
    let people = [untitled("1", "ada"), untitled("2", "brook")];
    bench.run(&people).await;
    bench.run(&[but(people[0].clone(), json!({ "enabled": false })), people[1].clone()]).await;
    // The read behind the write fails too; those of the connection test do not.
    bench.app.add_fault("status=503 method=PATCH times=always".parse().unwrap());
    let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench
        .app
        .add_fault(format!("status=503 method=GET path=/Users/{id} after=1 times=always").parse().unwrap());
    bench.app.clear_journal();
    let lines = bench.run(&[but(people[0].clone(), json!({ "title": "Lead" })), people[1].clone()]).await;
    assert_eq!(lines, ["ada attributes-and-enabled enable failed target-error"]);
    assert_eq!(bench.writes(), ["PATCH 503"; 2], "as often as max-attempts allows");
}

#[tokio::test]
async fn refused_external_id_keeps_no_account_active() {
    for method in METHODS {
        let bench = bench("external-id-read-only", method, ALL_DISABLE, EVERYONE).await;
        bench.app.seed_user(json!({ "userName": "ada", "active": true }));
        bench.run(&[user("1", "ada")]).await;
        let lines = bench.run(&[but(user("1", "ada"), json!({ "enabled": false }))]).await;
        assert_eq!(active(&bench), 0, "{method}: {lines:?}");
    }
}

#[tokio::test]
async fn user_who_cannot_be_mapped_is_disabled_and_enabled_all_the_same() {
    let rules = "[[rule]]\nname = \"staff\"\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
        [[rule.mapping]]\nexpression = \"user.name.given\"\ntarget = \"displayName\"\n";
    let bench = bench("aquera", "auto", ALL_DISABLE, rules).await;
    let ada = but(user("1", "ada"), json!({ "name": { "given": "Ada" } }));
    bench.run(std::slice::from_ref(&ada)).await;
    let nameless = user("1", "ada");
    for (enabled, change, accounts) in [(false, "disabled disable", 0), (true, "enabled enable", 1)] {
        let lines = bench.run(&[but(nameless.clone(), json!({ "enabled": enabled }))]).await;
        assert_eq!(lines, [format!("ada {change} failed invalid-user")]);
        assert_eq!(active(&bench), accounts);
    }
    // Without a change of `active` nothing is sent, and the user is failed as before.
    bench.app.clear_journal();
    let lines = bench.run(std::slice::from_ref(&nameless)).await;
    assert!(lines.len() == 1 && lines[0].ends_with("none failed invalid-user"), "{lines:?}");
    assert_eq!(bench.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn repaired_target_gets_no_more_leavers_than_the_guard_allows() {
    for (preferences, refusal) in [
        (ALL_DELETE, "status=400 method=DELETE times=always"),
        (ALL_DISABLE, "status=400 method=PATCH,PUT times=always"),
    ] {
        let bench = bench("aquera", "auto", preferences, EVERYONE).await;
        let users: Vec<Value> = (0..30).map(|n| user(&n.to_string(), &format!("user{n:02}"))).collect();
        bench.run(&users).await;
        let fault = bench.app.add_fault(refusal.parse().unwrap());
        for left in [25, 20, 15, 10, 5, 1] {
            let report = {
                bench.users(&users[..left]);
                bench.sync().await
            };
            assert_eq!(report.summary.failed_deprovisions, (users.len() - left) as u64, "{preferences}");
        }
        assert_eq!(active(&bench), 30);
        bench.app.remove_fault(fault);
        // A fifth of thirty accounts is removed, and the lines of the others have the number to approve.
        let report = bench.sync().await;
        assert_eq!(active(&bench), 24, "{preferences}");
        assert_eq!(report.summary.success, 6);
        assert_eq!(report.summary.failed_deprovisions, 23);
        let held = report.lines.iter().filter(|line| {
            line.detail.as_deref().is_some_and(|detail| {
                detail.contains("approve 29 removals and disables to let all of them through")
            })
        });
        assert_eq!(held.count(), 23, "{preferences}");
        // No more are removed on the same day.
        bench.sync().await;
        assert_eq!(active(&bench), 24, "{preferences}");
        bench.clock.advance(Duration::from_hours(25));
        bench.sync().await;
        assert_eq!(active(&bench), 19, "{preferences}");
        // A person may approve all of them.
        let approved = provisioner::SyncOptions { approve_removals: Some(18), ..Default::default() };
        let report = bench.sync_with(approved).await;
        assert_eq!(report.summary.success, 18, "{preferences}");
        assert_eq!(active(&bench), 1, "{preferences}");
    }
}

#[tokio::test]
async fn account_that_has_another_id_and_its_own_name_is_found_again() {
    let moved = |bench: &Bench| {
        let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
        bench.app.remove_user(&id);
        bench.app.seed_user(json!({ "userName": "Ada", "externalId": "1", "active": true }));
    };
    // With a full run, with an update, and with a removal.
    for (what, users, left) in [
        ("full", vec![user("1", "ada"), user("2", "brook")], vec!["ada true", "brook true"]),
        (
            "update",
            vec![but(user("1", "ada"), json!({ "title": "Lead" })), user("2", "brook")],
            vec!["ada true", "brook true"],
        ),
        ("removal", vec![user("2", "brook")], vec!["brook true"]),
    ] {
        let bench = bench("aquera", "auto", ALL_DELETE, EVERYONE).await;
        bench.run(&[user("1", "ada")]).await;
        moved(&bench);
        bench.users(&users);
        let options = provisioner::SyncOptions { full: what == "full", ..Default::default() };
        let report = bench.sync_with(options).await;
        assert_eq!(report.exit.code(), 0, "{what}");
        assert_eq!(bench.accounts(), left, "{what}");
    }
}

#[tokio::test]
async fn account_made_by_hand_is_not_taken_for_one_whose_create_was_cut_off() {
    for (what, later) in
        [("leaves", vec![user("k", "kim")]), ("is renamed", vec![user("k", "kim"), user("1", "adele")])]
    {
        let bench = bench("aquera", "auto", ALL_DELETE, EVERYONE).await;
        // The first create shows that the target keeps `externalId`.
        bench.run(&[user("k", "kim")]).await;
        let fault = bench.app.add_fault("reset method=POST phase=before times=always".parse().unwrap());
        let lines = bench.run(&[user("k", "kim"), user("1", "ada")]).await;
        assert!(lines[0].starts_with("ada enters create failed"), "{lines:?}");
        bench.app.remove_fault(fault);
        bench.app.seed_user(json!({ "userName": "ada", "title": "made by hand", "active": true }));
        bench.run(&later).await;
        let by_hand: Vec<Value> =
            bench.app.users().into_iter().filter(|user| user["title"] == "made by hand").collect();
        assert!(by_hand.len() == 1 && by_hand[0]["userName"] == "ada", "{what}: {by_hand:?}");
    }
}

#[tokio::test]
async fn write_that_was_answered_leaves_nothing_unresolved() {
    let bench = bench("no-title", "auto", ALL_DISABLE, EVERYONE).await;
    bench.run(&[user("1", "ada")]).await;
    for turn in 0..3 {
        bench.run(&[but(user("1", "ada"), json!({ "title": "Lead" }))]).await;
        let provisioner = bench.open_to_read().await;
        let unresolved: Vec<_> = provisioner
            .stored()
            .unwrap()
            .records
            .into_values()
            .filter(|record| record.intent.is_some())
            .collect();
        provisioner.close().await;
        assert!(unresolved.is_empty(), "run {turn}: {unresolved:?}");
    }
}
