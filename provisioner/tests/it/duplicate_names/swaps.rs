//! Users that swap names, in pairs and longer cycles, converge in one run; so does a run that is killed in between.

use mock_aquera::Fault;
use provisioner::SyncOptions;
use serde_json::{Value, json};

use crate::support::{ALL_DISABLE, Bench, Settings, but, short, user};

/// Returns users with ids from 1 on and these names.
fn named(names: &[&str]) -> Vec<Value> {
    names.iter().enumerate().map(|(at, name)| user(&(at + 1).to_string(), name)).collect()
}

async fn bench(method: &str, names: &[&str]) -> Bench {
    let options = format!("update-method = \"{method}\"\nconcurrency = 1\nmax-removals-percent = 100");
    let settings = Settings { preferences: ALL_DISABLE, options, ..Settings::default() };
    let bench = Bench::with("aquera", settings).await;
    bench.run(&named(names)).await;
    bench
}

/// Returns `externalId userName` of every account.
fn holders(bench: &Bench) -> Vec<String> {
    let mut holders: Vec<String> = bench
        .app
        .users()
        .iter()
        .map(|user| {
            [&user["externalId"], &user["userName"]].map(|one| one.as_str().unwrap().to_owned()).join(" ")
        })
        .collect();
    holders.sort();
    holders
}

fn expected(names: &[&str]) -> Vec<String> {
    names.iter().enumerate().map(|(at, name)| format!("{} {name}", at + 1)).collect()
}

#[tokio::test]
async fn users_that_swap_names_converge_in_one_run() {
    for method in ["patch", "put", "auto"] {
        for (before, after) in [
            (&["ada", "bob"][..], &["bob", "ada"][..]),
            (&["ada@example.org", "bob@example.org"], &["Bob@example.org", "Ada@example.org"]),
            (&["ada", "bob", "cleo"], &["bob", "cleo", "ada"]),
            (&["ada", "bob", "cleo", "dara"], &["dara", "ada", "bob", "cleo"]),
            // Two pairs, beside a rename that waits for nobody.
            (&["ada", "bob", "cleo", "dara", "eli"], &["bob", "ada", "dara", "cleo", "fay"]),
        ] {
            let bench = bench(method, before).await;
            bench.users(&named(after));
            let report = bench.sync().await;
            let at = format!("{method}: {before:?} to {after:?}");
            assert_eq!(report.exit.code(), 0, "{at}: {:?}", short(&report));
            assert_eq!(holders(&bench), expected(after), "{at}");
            assert_eq!(report.lines.len(), after.len(), "{at}: each is reported once");
            bench.app.clear_journal();
            assert_eq!(bench.sync().await.lines, [], "{at}");
            assert!(bench.writes().is_empty(), "{at}");
        }
    }
}

#[tokio::test]
async fn swap_beside_other_changes_writes_those_too() {
    let bench = bench("patch", &["ada", "bob"]).await;
    let mut after = named(&["bob", "ada"]);
    after[0] = but(after[0].clone(), json!({ "title": "Lead" }));
    after[1] = but(after[1].clone(), json!({ "enabled": false }));
    bench.users(&after);
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 0, "{:?}", report.lines);
    assert_eq!(holders(&bench), expected(&["bob", "ada"]));
    assert_eq!(bench.accounts(), ["ada false", "bob true"]);
    assert!(bench.app.users().iter().any(|user| user["userName"] == "bob" && user["title"] == "Lead"));
}

#[tokio::test]
async fn target_that_refuses_the_temporary_name_is_told_and_nothing_is_lost() {
    let bench = bench("patch", &["ada", "bob"]).await;
    let fault = "status=400 method=PATCH,PUT times=2 after=2";
    bench.users(&named(&["bob", "ada"]));
    bench.app.add_fault(fault.parse().unwrap());
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 1);
    for line in &report.lines {
        let detail = line.detail.as_deref().unwrap_or_default();
        assert!(detail.contains("swap their names") && detail.contains("by hand"), "{detail}");
        assert!(detail.contains("400"), "{detail}");
    }
    assert_eq!(holders(&bench), expected(&["ada", "bob"]), "both have their former names");
    let again = bench.sync().await;
    assert_eq!(again.exit.code(), 0, "{:?}", again.lines);
    assert_eq!(holders(&bench), expected(&["bob", "ada"]));
}

#[tokio::test]
async fn former_name_comes_back_where_another_rename_of_the_cycle_fails() {
    let bench = bench("patch", &["ada", "bob"]).await;
    let id = bench.app.users().iter().find(|user| user["userName"] == "bob").unwrap()["id"].clone();
    // Both are answered 409, ada takes the temporary name, and bob's account is refused the name of ada.
    let fault = Fault::status(400).method("PATCH").id(id.as_str().unwrap()).after(1).always();
    bench.users(&named(&["bob", "ada"]));
    bench.app.add_fault(fault);
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 1);
    assert_eq!(holders(&bench), expected(&["ada", "bob"]), "{:?}", report.lines);
    bench.app.clear_faults();
    assert_eq!(bench.sync().await.exit.code(), 0);
    assert_eq!(holders(&bench), expected(&["bob", "ada"]));
}

#[tokio::test]
async fn swap_that_is_taken_back_after_a_cut_off_leaves_no_temporary_name() {
    let whole = bench("patch", &["ada", "bob"]).await;
    whole.users(&named(&["bob", "ada"]));
    whole.app.clear_journal();
    whole.sync().await;
    let requests = whole.app.journal().len();
    // Two requests of the test, then both renames, which are answered 409, and the way over the temporary name.
    assert!(requests >= 7, "{requests}");
    for request in 3..=requests {
        for phase in [mock_aquera::Phase::BeforeEffect, mock_aquera::Phase::AfterEffect] {
            for full in [false, true] {
                let bench = bench("patch", &["ada", "bob"]).await;
                bench.users(&named(&["bob", "ada"]));
                bench.sync_cut_off(request, phase).await;
                bench.users(&named(&["ada", "bob"]));
                let at = format!("request {request}, {phase:?}, full: {full}");
                let report = bench.sync_with(SyncOptions { full, ..SyncOptions::default() }).await;
                assert_eq!(report.exit.code(), 0, "{at}: {:?}", report.lines);
                assert_eq!(holders(&bench), expected(&["ada", "bob"]), "{at}");
            }
        }
    }
}

#[tokio::test]
async fn lost_reply_to_the_temporary_name_is_resolved_by_the_next_run() {
    let bench = bench("patch", &["ada", "bob", "cleo"]).await;
    bench.users(&named(&["bob", "cleo", "ada"]));
    bench.app.add_fault("reset phase=after method=PATCH,PUT times=9 after=3".parse().unwrap());
    bench.sync().await;
    bench.app.clear_faults();
    let again = bench.sync().await;
    assert_eq!(again.exit.code(), 0, "{:?}", again.lines);
    assert_eq!(holders(&bench), expected(&["bob", "cleo", "ada"]));
}
