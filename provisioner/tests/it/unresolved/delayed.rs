//! Targets whose reads lag behind their writes: an account that is not found a moment after it was written is not gone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use mock_aquera::Profile;
use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::scripted::{Answer, target};
use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

const METHODS: [&str; 3] = ["auto", "put", "patch"];

/// The seconds after a write for which an account that is not found is not gone.
const LAG: u64 = 300;

/// Returns a target that hides each write for a minute.
async fn bench(method: &str, preferences: &'static str) -> Bench {
    let options = format!("update-method = \"{method}\"\nmax-attempts = 1\nconcurrency = 1");
    let bench = Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await;
    bench.app.clock().freeze();
    lag(&bench);
    bench
}

fn lag(bench: &Bench) {
    let profile = "name = \"x\"\nsummary = \"y\"\n[application]\nstale-reads = \"60s\"\n";
    bench.app.set_profile(Profile::from_toml(profile).unwrap());
}

/// Shows later writes at once; earlier ones stay hidden for their minute.
fn keep_up(bench: &Bench) {
    bench.app.set_profile(Profile::builtin("aquera").unwrap());
}

fn wait(bench: &Bench, seconds: u64) {
    bench.clock.advance(Duration::from_secs(seconds));
    bench.app.clock().advance(SignedDuration::from_secs(i64::try_from(seconds).unwrap()));
}

/// Asserts that the next run reports this of one user, and sends nothing.
async fn check_untouched(bench: &Bench, users: &[Value], full: bool, line: &str) {
    bench.users(users);
    bench.app.clear_journal();
    let report = bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
    assert_eq!(short(&report), [line]);
    assert_eq!(bench.writes(), [""; 0], "{line}");
    assert_eq!(report.exit.code(), 1);
    let detail = report.lines[0].detail.clone().unwrap_or_default();
    assert!(detail.contains("5 s ago") && detail.contains("2027-01-15T08:05:00Z"), "{detail}");
}

#[tokio::test]
async fn account_renamed_before_it_shows_gets_no_twin() {
    for method in METHODS {
        for full in [false, true] {
            let bench = bench(method, ALL_DISABLE).await;
            assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create success done"]);
            keep_up(&bench);
            wait(&bench, 5);
            let adele = [user("1", "adele")];
            let operation = if full { "none" } else { "update" };
            let line = format!("adele attributes {operation} failed target-error");
            // Before a decision a user who is read only has no change of its own yet.
            check_untouched(&bench, &adele, full, &line).await;
            assert_eq!(bench.accounts(), ["ada true"], "{method}");
            wait(&bench, 60);
            assert_eq!(bench.run(&adele).await, ["adele attributes update success done"], "{method}");
            assert_eq!(bench.accounts(), ["adele true"], "{method}");
            assert_eq!(bench.run(&adele).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn account_disabled_before_it_shows_stays_managed() {
    for method in METHODS {
        let bench = bench(method, ALL_DISABLE).await;
        bench.run(&[user("1", "ada")]).await;
        keep_up(&bench);
        wait(&bench, 5);
        let disabled = [but(user("1", "ada"), json!({ "enabled": false, "title": "Lead" }))];
        let line = "ada attributes-and-disabled disable failed target-error";
        check_untouched(&bench, &disabled, false, line).await;
        wait(&bench, 60);
        bench.run(&disabled).await;
        assert_eq!(bench.accounts(), ["ada false"], "{method}");
    }
}

#[tokio::test]
async fn removal_of_an_account_that_does_not_show_yet_is_not_already_gone() {
    for (preferences, operation, left) in [
        (ALL_DELETE, "delete", vec!["brook true"]),
        (ALL_DISABLE, "disable", vec!["ada false", "brook true"]),
    ] {
        let bench = bench("auto", preferences).await;
        bench.run(&[user("1", "ada"), user("2", "brook")]).await;
        keep_up(&bench);
        wait(&bench, 5);
        let brook = [user("2", "brook")];
        check_untouched(&bench, &brook, false, &format!("ada deleted {operation} failed target-error")).await;
        assert_eq!(bench.accounts(), ["ada true", "brook true"]);
        wait(&bench, 60);
        assert_eq!(bench.run(&brook).await, [format!("ada retry {operation} success done")]);
        assert_eq!(bench.accounts(), left);
    }
}

#[tokio::test]
async fn account_that_stays_away_is_gone_in_the_end() {
    for method in METHODS {
        let bench = bench(method, ALL_DELETE).await;
        bench.run(&[user("1", "ada"), user("2", "brook")]).await;
        keep_up(&bench);
        for account in bench.app.users() {
            bench.app.remove_user(account["id"].as_str().unwrap());
        }
        wait(&bench, LAG - 1);
        let adele = [user("1", "adele")];
        let lines = bench.run(&adele).await;
        assert_eq!(
            lines,
            ["adele attributes update failed target-error", "brook deleted delete failed target-error"]
        );
        wait(&bench, 1);
        let lines = bench.run(&adele).await;
        assert_eq!(lines, ["adele enters create success done", "brook retry none success already-gone"]);
        assert_eq!(bench.accounts(), ["adele true"], "{method}");
    }
}

#[tokio::test]
async fn create_without_a_clear_answer_is_not_forgotten_before_it_can_show() {
    let changes: [(&str, Vec<Value>, &[&str]); 4] = [
        ("renamed", vec![user("2", "brook"), user("1", "adele")], &["adele true", "brook true"]),
        ("deleted", vec![user("2", "brook")], &["brook true"]),
        (
            "disabled",
            vec![user("2", "brook"), but(user("1", "ada"), json!({ "enabled": false }))],
            &["ada false", "brook true"],
        ),
        // The name is known to be taken by then: no second account is created, and the search goes on.
        ("nothing", vec![user("2", "brook"), user("1", "ada")], &["ada true", "brook true"]),
    ];
    for (change, users, accounts) in changes {
        let bench = bench("auto", ALL_DELETE).await;
        bench.run(&[user("2", "brook")]).await;
        let fault = bench.app.add_fault("status=504 phase=after method=POST".parse().unwrap());
        let lines = bench.run(&[user("2", "brook"), user("1", "ada")]).await;
        assert_eq!(lines, ["ada enters create failed target-error"]);
        bench.app.remove_fault(fault);
        keep_up(&bench);
        wait(&bench, 5);
        let lines = bench.run(&users).await;
        assert!(lines.len() == 1 && lines[0].contains(" failed "), "{change}: {lines:?}");
        assert_eq!(bench.app.user_count(), 2, "{change}: {lines:?}");
        wait(&bench, 60);
        bench.run(&users).await;
        bench.run(&users).await;
        assert_eq!(bench.accounts(), accounts, "{change}");
        let provisioner = bench.open().await;
        let stored = provisioner.stored().unwrap().records;
        provisioner.close().await;
        assert!(stored.values().all(|record| record.intent.is_none()), "{change}: nothing is unresolved");
        let managed = stored.values().filter(|record| record.link.is_some()).count();
        assert_eq!(managed, accounts.len(), "{change}");
    }
}

#[tokio::test]
async fn account_that_hides_behind_its_own_write_gets_no_twin() {
    static POSTS: AtomicUsize = AtomicUsize::new(0);
    static HIDES: AtomicBool = AtomicBool::new(false);
    let url = target(|asked| {
        let ada = json!({ "id": "7", "userName": "ada", "active": true });
        match asked.method.as_str() {
            "POST" => {
                POSTS.fetch_add(1, Ordering::SeqCst);
                Answer::scim(201, &ada)
            }
            "PATCH" => {
                HIDES.store(true, Ordering::SeqCst);
                Answer(204, "", String::new())
            }
            _ if HIDES.load(Ordering::SeqCst) && !asked.path.contains("filter") => Answer::error(404, "none"),
            _ if asked.path.contains("filter") => Answer::list(&[]),
            _ => Answer::scim(200, &ada),
        }
    })
    .await;
    let settings = Settings { scim_url: Some(url), ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    let ada = json!({ "id": "1", "username": "ada", "enabled": true });
    assert_eq!(bench.run(std::slice::from_ref(&ada)).await, ["ada enters create success done"]);
    bench.clock.advance(Duration::from_hours(1));
    let titled = [but(ada, json!({ "title": "Lead" }))];
    assert_eq!(bench.run(&titled).await, ["ada attributes update failed target-error"]);
    bench.clock.advance(Duration::from_secs(30));
    assert!(bench.run(&titled).await[0].ends_with("failed target-error"));
    assert_eq!(POSTS.load(Ordering::SeqCst), 1);
    bench.clock.advance(Duration::from_secs(LAG));
    bench.run(&titled).await;
    assert_eq!(POSTS.load(Ordering::SeqCst), 2, "in the end it is gone");
}
