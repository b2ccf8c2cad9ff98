//! Another system's account with the `externalId` of a user: other systems number their people too.
//!
//! An `externalId` alone proves nothing. Such an account is reported and left alone, and no second one is created.

use std::time::Duration;

use mock_aquera::Profile;
use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

const OUTAGES: [&str; 3] = [
    "status=503 method=POST times=always",
    "status=504 method=POST times=always",
    "reset method=POST times=always phase=before",
];

async fn bench(preferences: &'static str) -> Bench {
    let options = "concurrency = 1\nmax-attempts = 1".to_owned();
    Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await
}

/// Creates a foreign account with the `externalId` 7, and a run whose creates are refused without effect; returns the
/// account's id.
async fn refused_create(bench: &Bench, outage: &str) -> String {
    bench.run(&[user("1", "ada")]).await;
    bench.app.seed_user(json!({ "userName": "admin", "externalId": "7", "active": true, "title": "Root" }));
    let fault = bench.app.add_fault(outage.parse().unwrap());
    let lines = bench.run(&[user("1", "ada"), user("7", "gus")]).await;
    assert!(lines.len() == 1 && lines[0].starts_with("gus enters create failed "), "{lines:?}");
    bench.app.remove_fault(fault);
    id_of(bench, "admin")
}

fn id_of(bench: &Bench, name: &str) -> String {
    let users = bench.app.users();
    let account = users.iter().find(|user| user["userName"] == name).unwrap();
    account["id"].as_str().unwrap().to_owned()
}

/// Asserts that only `wanted` has a line, with the account and the way out, in a plan and in each of two runs, and that
/// nothing is written.
async fn check_left_alone(bench: &Bench, wanted: &str, account: &str, at: &str) {
    let named = |told: &str| {
        assert!(told.contains(account) && told.contains("externalId"), "{at}: {told}");
    };
    let provisioner = bench.open_to_read().await;
    let plan = provisioner.plan(SyncOptions::default()).await.unwrap();
    provisioner.close().await;
    assert_eq!(plan.entries.len(), 1, "{at}: {:?}", plan.entries);
    named(&plan.entries[0].why);
    assert!(!plan.entries[0].why.contains("several accounts"), "{at}: {}", plan.entries[0].why);
    assert_eq!(plan.entries[0].requests, Vec::<String>::new(), "{at}");
    for full in [false, true, false] {
        bench.app.clear_journal();
        let report = bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
        assert_eq!(short(&report), [wanted], "{at}");
        named(report.lines[0].detail.as_deref().unwrap());
        assert_eq!(report.exit.code(), 1, "{at}");
        assert_eq!(bench.writes(), [""; 0], "{at}");
    }
}

#[tokio::test]
async fn foreign_account_with_the_external_id_of_a_refused_create_is_left_alone() {
    let gus = || user("7", "gus");
    for (preferences, outage) in
        [ALL_DISABLE, ALL_DELETE].into_iter().zip(OUTAGES).chain([(ALL_DELETE, OUTAGES[2])])
    {
        for (change, then, name) in [
            ("stays", Some(gus()), "gus enters"),
            ("is renamed", Some(but(gus(), json!({ "username": "gustav" }))), "gustav enters"),
            ("is disabled", Some(but(gus(), json!({ "enabled": false }))), "gus enters"),
            ("is deleted", None, "gus deleted"),
        ] {
            let at = format!("{outage}: gus {change}");
            let bench = bench(preferences).await;
            let id = refused_create(&bench, outage).await;
            bench.users(&[vec![user("1", "ada")], then.clone().into_iter().collect()].concat());
            let wanted = format!("{name} none failed ambiguous-match");
            check_left_alone(&bench, &wanted, &format!("\"admin\" (id {id})"), &at).await;
            assert_eq!(bench.accounts(), ["ada true", "admin true"], "{at}");
            // It is not the user's: with another `externalId` it is nobody's.
            bench.app.edit_user(&id, |user| drop(user.insert("externalId".to_owned(), json!("of-admin"))));
            bench.clock.advance(Duration::from_mins(5));
            bench.sync().await;
            let foreign = bench.app.users().into_iter().find(|user| user["id"] == id.as_str()).unwrap();
            assert_eq!(foreign["title"], json!("Root"), "{at}");
            assert_eq!(foreign["active"], json!(true), "{at}");
            let made = then.filter(|user| user["enabled"] == true).map(|user| user["username"].clone());
            let names: Vec<Value> = bench.app.users().iter().map(|user| user["userName"].clone()).collect();
            assert_eq!(names.len(), 2 + usize::from(made.is_some()), "{at}: {names:?}");
            assert!(made.is_none_or(|made| names.contains(&made)), "{at}: {names:?}");
            assert_eq!(short(&bench.sync().await), [""; 0], "{at}");
        }
    }
}

#[tokio::test]
async fn account_that_is_given_the_name_that_was_sent_is_the_users_own() {
    let bench = bench(ALL_DISABLE).await;
    let id = refused_create(&bench, OUTAGES[0]).await;
    bench.users(&[user("1", "ada"), but(user("7", "gus"), json!({ "username": "gustav" }))]);
    assert_eq!(short(&bench.sync().await), ["gustav enters none failed ambiguous-match"]);
    bench.app.edit_user(&id, |user| drop(user.insert("userName".to_owned(), json!("gus"))));
    assert_eq!(short(&bench.sync().await), ["gustav enters update success done"]);
    assert_eq!(bench.accounts(), ["ada true", "gustav true"]);
    assert_eq!(id_of(&bench, "gustav"), id);
}

#[tokio::test]
async fn posted_account_is_told_from_a_foreign_one_with_its_external_id() {
    let bench = bench(ALL_DISABLE).await;
    bench.app.seed_user(json!({ "userName": "admin", "externalId": "7", "active": true }));
    let fault = bench.app.add_fault("status=503 phase=after method=POST times=always".parse().unwrap());
    let reads =
        bench.app.add_fault("status=503 method=GET path=/Users after=2 times=always".parse().unwrap());
    assert_eq!(bench.run(&[user("7", "gus")]).await, ["gus enters create failed target-error"]);
    bench.app.remove_fault(fault);
    bench.app.remove_fault(reads);
    bench.run(&[user("7", "gus")]).await;
    bench.run(&[but(user("7", "gus"), json!({ "enabled": false }))]).await;
    assert_eq!(bench.accounts(), ["admin true", "gus false"]);
}

#[tokio::test]
async fn account_that_is_gone_is_not_replaced_by_a_foreign_one_with_its_external_id() {
    for (what, users, full, wanted) in [
        ("full", vec![user("1", "ada")], true, "ada attributes none failed ambiguous-match"),
        (
            "update",
            vec![but(user("1", "ada"), json!({ "title": "Lead" }))],
            false,
            "ada attributes update failed ambiguous-match",
        ),
        ("delete", vec![], false, "ada deleted delete failed ambiguous-match"),
        ("disable", vec![], false, "ada deleted disable failed ambiguous-match"),
    ] {
        let bench = bench(if what == "disable" { ALL_DISABLE } else { ALL_DELETE }).await;
        let brook = user("2", "brook");
        bench.run(&[user("1", "ada"), brook.clone()]).await;
        bench.app.remove_user(&id_of(&bench, "ada"));
        bench
            .app
            .seed_user(json!({ "userName": "admin", "externalId": "1", "active": true, "title": "Root" }));
        let id = id_of(&bench, "admin");
        bench.users(&[users, vec![brook]].concat());
        let account = format!("\"admin\" (id {id})");
        for turn in 0..3 {
            bench.app.clear_journal();
            let full = full && turn == 0;
            let report = bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
            let lines = short(&report);
            assert!(
                lines.len() == 1 && lines[0].ends_with(" failed ambiguous-match"),
                "{what} {turn}: {lines:?}"
            );
            assert!(turn > 0 || lines == [wanted], "{what}: {lines:?}");
            assert!(
                report.lines[0].detail.as_deref().unwrap().contains(&account),
                "{what}: {:?}",
                report.lines
            );
            let touched = bench.app.journal().into_iter().any(|exchange| {
                exchange.method == "POST" || (exchange.method != "GET" && exchange.path.contains(&id))
            });
            assert!(!touched, "{what} {turn}: nothing is sent to it, and no twin is made");
            assert_eq!(bench.accounts(), ["admin true", "brook true"], "{what} {turn}");
        }
        // It was not ada's: then hers is gone.
        bench.app.edit_user(&id, |user| drop(user.insert("externalId".to_owned(), json!("of-admin"))));
        bench.clock.advance(Duration::from_mins(5));
        bench.sync().await;
        let mine = matches!(what, "full" | "update");
        let expected: &[&str] =
            if mine { &["ada true", "admin true", "brook true"] } else { &["admin true", "brook true"] };
        assert_eq!(bench.accounts(), expected, "{what}");
        assert_eq!(short(&bench.sync().await), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn several_accounts_that_may_be_the_posted_one_are_named() {
    let target = "name = \"x\"\nsummary = \"y\"\n[application]\nnot-stored = [\"externalId\"]\n";
    let bench = bench(ALL_DISABLE).await;
    bench.app.set_profile(Profile::from_toml(target).unwrap());
    let fault = bench.app.add_fault("status=503 phase=after method=POST times=always".parse().unwrap());
    let reads =
        bench.app.add_fault("status=503 method=GET path=/Users after=2 times=always".parse().unwrap());
    assert_eq!(bench.run(&[user("7", "gus")]).await, ["gus enters create failed target-error"]);
    bench.app.remove_fault(fault);
    bench.app.remove_fault(reads);
    bench.app.seed_user(json!({ "userName": "admin", "externalId": "7", "active": true }));
    let report = bench.sync().await;
    assert_eq!(short(&report), ["gus enters none failed ambiguous-match"]);
    let detail = report.lines[0].detail.as_deref().unwrap();
    for name in ["gus", "admin"] {
        let account = format!("{name:?} (id {})", id_of(&bench, name));
        assert!(detail.contains(&account), "{account} is not in: {detail}");
    }
}
