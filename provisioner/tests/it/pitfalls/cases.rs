//! Cases of `docs/pitfalls.md` that no other file of tests is about.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use mock_aquera::{Fault, Phase};
use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::scripted::{Answer, target};
use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, short, user};

const FULL: SyncOptions = SyncOptions {
    full: true,
    accept_new_source: false,
    allow_empty_source: false,
    allow_empty_scope: Vec::new(),
    approve_removals: None,
    approve_plan: None,
    approve_group_removals: None,
    workers: false,
};

async fn bench(preferences: &'static str, options: &str) -> Bench {
    let options = format!("concurrency = 1\nmax-removals-percent = 100\n{options}");
    Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await
}

#[tokio::test]
async fn conflict_with_an_empty_look_up_is_final_and_sent_once_a_run() {
    static POSTS: AtomicUsize = AtomicUsize::new(0);
    let url = target(|asked| match asked.method.as_str() {
        "POST" => {
            POSTS.fetch_add(1, Ordering::Relaxed);
            Answer::error(409, "taken")
        }
        _ => Answer::list(&[]),
    });
    let scim_url = Some(url.await);
    let bench = Bench::with("aquera", Settings { scim_url, ..Settings::default() }).await;
    for run in 1..=2 {
        bench.users(&[user("1", "ada")]);
        let report = bench.sync().await;
        assert_eq!(short(&report), ["ada enters create failed hidden-account"], "run {run}");
        assert_eq!(POSTS.load(Ordering::Relaxed), run, "one POST a run");
        let detail = report.lines[0].detail.as_deref().unwrap();
        assert!(detail.contains("409"), "{detail}");
    }
}

#[tokio::test]
async fn several_accounts_of_one_name_are_refused() {
    let account = |id: &str| json!({ "id": id, "userName": "ada", "active": true });
    let url = target(move |asked| match asked.method.as_str() {
        "GET" => Answer::list(&[account("7"), account("8")]),
        _ => Answer::error(500, "no write is expected"),
    });
    let scim_url = Some(url.await);
    let bench = Bench::with("aquera", Settings { scim_url, ..Settings::default() }).await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters none failed ambiguous-match"]);
}

#[tokio::test]
async fn account_with_the_users_email_and_another_name_is_not_taken() {
    let bench = bench(ALL_DISABLE, "").await;
    let email = json!([{ "value": "ada@example.org", "type": "work", "primary": true }]);
    let other = bench.app.seed_user(json!({ "userName": "admin", "active": true, "emails": email }));
    let before = bench.app.user(&other);
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create success done"]);
    assert_eq!(bench.accounts(), ["ada true", "admin true"]);
    assert_eq!(bench.app.user(&other), before);
}

#[tokio::test]
async fn inactive_account_of_the_name_is_linked_and_enabled() {
    let bench = bench(ALL_DISABLE, "").await;
    bench.app.seed_user(json!({ "userName": "ada", "active": false }));
    let lines = bench.run(&[user("1", "ada")]).await;
    assert!(lines.len() == 1 && lines[0].starts_with("ada enters enable success"), "{lines:?}");
    assert_eq!(bench.accounts(), ["ada true"], "no second account");
}

#[tokio::test]
async fn run_that_is_cut_off_repeats_no_finished_work() {
    let bench = bench(ALL_DISABLE, "").await;
    let users = ["ada", "brook", "carol"].map(|name| user(&format!("id-{name}"), name));
    bench.users(&users);
    // Two requests of the test, three look-ups, the first POST with its read-back, the second and the third POST.
    bench.sync_cut_off(9, Phase::BeforeEffect).await;
    assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    bench.app.clear_journal();
    assert_eq!(short(&bench.sync().await), ["carol enters create success done"]);
    let repeated = |path: &str| path.contains("ada") || path.contains("brook");
    assert!(
        !bench.app.journal().iter().any(|exchange| repeated(&exchange.path)),
        "{:?}",
        bench.app.journal()
    );
}

#[tokio::test]
async fn refused_create_leaves_no_link() {
    let bench = bench(ALL_DISABLE, "").await;
    bench.app.add_fault(Fault::status(400).times(1).method("POST"));
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create failed rejected"]);
    let stored = bench.open_to_read().await.stored().unwrap();
    let record = stored.records.values().next().unwrap();
    assert_eq!((&record.link, record.intent), (&None, None));
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters create success done"]);
}

#[tokio::test]
async fn user_that_comes_back_into_scope_is_enabled_or_made_again() {
    for (preferences, expected) in
        [(ALL_DISABLE, "ada returns enable success done"), (ALL_DELETE, "ada enters create success done")]
    {
        let mut bench = bench(preferences, "").await;
        bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'title eq \"Engineer\"'\n".to_owned();
        let guest = but(user("1", "ada"), json!({ "title": "Guest" }));
        bench.run(&[user("1", "ada"), user("2", "brook")]).await;
        let left = bench.run(&[guest, user("2", "brook")]).await;
        assert!(left.len() == 1 && left[0].starts_with("ada left-scope"), "{left:?}");
        assert_eq!(bench.run(&[user("1", "ada"), user("2", "brook")]).await, [expected]);
        assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    }
}

#[tokio::test]
async fn changed_mapping_is_written_for_users_that_have_not_changed() {
    let mut bench = bench(ALL_DISABLE, "").await;
    bench.run(&[user("1", "ada")]).await;
    bench.settings.rules =
        "[[rule]]\nname = \"everyone\"\n[[rule.mapping]]\nsource = \"username\"\ntarget = \"userName\"\n\
        [[rule.mapping]]\nexpression = '\"Chief \" + user.title'\ntarget = \"title\"\n"
            .to_owned();
    assert_eq!(short(&bench.sync().await), ["ada attributes update success done"]);
    assert_eq!(bench.app.users()[0]["title"], "Chief Engineer");
}

#[tokio::test]
async fn removals_that_a_preference_alone_would_cause_wait_for_a_full_run() {
    let without = "enable-users-creation = true\nenable-users-updation = true\nenable-users-disable = true\n\
        enable-users-deprovision = false\n";
    let mut bench = bench(without, "").await;
    bench.run(&[user("1", "ada"), user("2", "brook")]).await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["brook deleted none partial deprovision-off"]);
    bench.settings.preferences = ALL_DISABLE;
    assert_eq!(short(&bench.sync().await), [""; 0], "nobody left since");
    assert_eq!(bench.accounts(), ["ada true", "brook true"]);
    assert_eq!(short(&bench.sync_with(FULL).await), ["brook deleted disable success done"]);
    assert_eq!(bench.accounts(), ["ada true", "brook false"]);
}

#[tokio::test]
async fn preference_that_is_turned_on_is_applied_to_users_that_have_not_changed() {
    let without = "enable-users-creation = false\nenable-users-updation = true\nenable-users-disable = true\n\
        enable-users-deprovision = true\nremove-action = \"disable\"\n";
    let mut bench = bench(without, "").await;
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada enters none unsynced creation-off"]);
    bench.settings.preferences = ALL_DISABLE;
    assert_eq!(short(&bench.sync().await), ["ada enters create success done"]);
}

#[tokio::test]
async fn value_that_is_gone_or_null_is_cleared_only_where_that_is_asked_for() {
    let null = but(user("1", "ada"), json!({ "title": null }));
    let mut absent = user("1", "ada");
    absent.as_object_mut().unwrap().remove("title");
    for method in ["patch", "put"] {
        for without in [&null, &absent] {
            for (clear, title) in [(false, json!("Engineer")), (true, Value::Null)] {
                let options = format!("update-method = \"{method}\"\nclear-missing-attributes = {clear}");
                let bench = bench(ALL_DISABLE, &options).await;
                bench.run(&[user("1", "ada")]).await;
                let report = bench.run(std::slice::from_ref(without)).await;
                let at = format!("{method}, {without}, clear: {clear}: {report:?}");
                assert_eq!(bench.app.users()[0]["title"], title, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn accounts_of_nobody_in_the_source_are_never_written() {
    for preferences in [ALL_DISABLE, ALL_DELETE] {
        let bench = bench(preferences, "").await;
        let strangers: Vec<String> = ["stranger", "service", "admin"]
            .iter()
            .map(|name| bench.app.seed_user(json!({ "userName": name, "active": true })))
            .collect();
        bench.run(&[user("1", "ada"), user("2", "brook")]).await;
        bench.run(&[user("2", "brook")]).await;
        bench.users(&[but(user("2", "brook"), json!({ "enabled": false }))]);
        bench.sync_with(FULL).await;
        bench.users(&[]);
        bench.sync_with(SyncOptions { allow_empty_source: true, ..FULL }).await;
        for exchange in bench.app.journal().iter().filter(|exchange| exchange.method != "GET") {
            assert!(strangers.iter().all(|id| !exchange.path.contains(id.as_str())), "{exchange:?}");
        }
        let left = bench.accounts();
        assert!(
            ["admin true", "service true", "stranger true"]
                .iter()
                .all(|one| left.contains(&(*one).to_owned()))
        );
    }
}

#[tokio::test]
async fn disable_that_was_answered_as_done_and_changed_nothing_is_failed() {
    let account = Mutex::new(json!({ "id": "7", "userName": "ada", "active": true }));
    let url = target(move |asked| {
        let mut account = account.lock().unwrap();
        match asked.method.as_str() {
            "GET" if asked.path.contains("filter") => Answer::list(&[]),
            "GET" => Answer::scim(200, &account),
            "POST" => {
                *account = asked.body.clone();
                account["id"] = "7".into();
                Answer::scim(201, &account)
            }
            // It says that the account is inactive, and leaves it as it is.
            _ => {
                let mut lie = account.clone();
                lie["active"] = false.into();
                Answer::scim(200, &lie)
            }
        }
    });
    let scim_url = Some(url.await);
    let bench = Bench::with("aquera", Settings { scim_url, ..Settings::default() }).await;
    bench.run(&[user("1", "ada")]).await;
    let lines = bench.run(&[but(user("1", "ada"), json!({ "enabled": false }))]).await;
    assert_eq!(lines, ["ada disabled disable failed ignored-by-target"]);
}

#[tokio::test]
async fn every_user_that_is_skipped_is_told_with_its_reason() {
    let without = "enable-users-creation = false\nenable-users-updation = false\nenable-users-disable = false\n\
        enable-users-deprovision = false\n";
    let mut bench = bench(ALL_DISABLE, "").await;
    bench.run(&[user("1", "ada"), user("2", "brook"), user("3", "cleo")]).await;
    bench.settings.preferences = without;
    let lines = bench
        .run(&[
            but(user("1", "ada"), json!({ "title": "Lead" })),
            user("3", "cleo"),
            user("4", "dara"),
            but(user("5", "eli"), json!({ "enabled": false })),
        ])
        .await;
    let reasons: Vec<&str> = lines.iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(
        reasons,
        ["updation-off", "creation-off", "disabled-at-source", "deprovision-off"],
        "{lines:?}"
    );
}
