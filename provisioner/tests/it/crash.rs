//! A run that is killed at any point and started again converges, without duplicates.
//!
//! The real program is killed while the mock holds one of its requests, before or after its effect: at every request
//! boundary of a run that creates, adopts, updates, renames, disables, enables and removes.

mod campaign;
mod workers;

use std::process::Stdio;
use std::time::Duration;

use mock_aquera::Phase;
use serde_json::json;
use tokio::process::Command;

use crate::support::{ALL_DELETE, ALL_DISABLE, Bench, Settings, but, user};

fn before() -> Vec<serde_json::Value> {
    vec![
        user("1", "ada"),
        user("2", "brook"),
        user("3", "cleo"),
        user("4", "dara"),
        user("5", "eli"),
        user("6", "fay"),
    ]
}

/// One user of each kind: changed, renamed, disabled, disabled and changed, gone, and two new ones (one has an account).
fn after() -> Vec<serde_json::Value> {
    vec![
        but(user("1", "ada"), json!({ "title": "Lead" })),
        user("2", "bruce"),
        but(user("3", "cleo"), json!({ "enabled": false })),
        but(user("4", "dara"), json!({ "enabled": false, "title": "Lead" })),
        user("6", "fay"),
        user("7", "gus"),
        user("8", "hal"),
    ]
}

/// The users before and after the run that is killed.
type Change = [fn() -> Vec<serde_json::Value>; 2];

/// Three users that exchange their names.
const SWAP: Change = [
    || vec![user("1", "ada"), user("2", "brook"), user("3", "cleo")],
    || vec![user("1", "brook"), user("2", "cleo"), but(user("3", "ada"), json!({ "title": "Lead" }))],
];

async fn prepared(preferences: &'static str, method: &str, [before, after]: Change) -> Bench {
    let options = format!("update-method = \"{method}\"\nconcurrency = 1\nmax-removals-percent = 100");
    let bench = Bench::with("aquera", Settings { preferences, options, ..Settings::default() }).await;
    bench.app.seed_user(json!({ "userName": "stranger", "active": true, "title": "Guest" }));
    bench.run(&before()).await;
    bench.app.seed_user(json!({ "userName": "hal", "active": true }));
    bench.users(&after());
    bench.write_config();
    bench.app.clear_journal();
    bench
}

/// Returns the content of the target in the end, without ids and `meta`.
fn target(bench: &Bench) -> Vec<serde_json::Value> {
    let mut users = bench.app.users();
    for user in &mut users {
        let user = user.as_object_mut().unwrap();
        user.remove("id");
        user.remove("meta");
    }
    users.sort_by_key(|user| user["userName"].to_string());
    users
}

async fn kill_at_every_boundary(
    preferences: &'static str,
    method: &str,
    change: Change,
    expected_requests: usize,
) {
    let whole = prepared(preferences, method, change).await;
    whole.sync().await;
    let expected = target(&whole);
    let requests = whole.app.journal().len();
    assert_eq!(requests, expected_requests, "{method}: requests of the whole run");

    for nth in 1..=requests {
        for phase in [Phase::BeforeEffect, Phase::AfterEffect] {
            let bench = prepared(preferences, method, change).await;
            let mut hold = bench.app.hold(nth, phase);
            let mut child = Command::new(env!("CARGO_BIN_EXE_provisioner"))
                .args(["sync", "-c"])
                .arg(bench.path("aquera.toml"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            tokio::select! {
                () = hold.reached() => {}
                status = child.wait() => panic!("{method}: the run ended before request {nth}: {status:?}"),
                () = tokio::time::sleep(Duration::from_mins(1)) => panic!("{method}: request {nth} was not sent"),
            }
            child.kill().await.unwrap();
            drop(hold);

            let report = bench.sync().await;
            let at = format!("{method}, killed at request {nth} of {requests}, {phase:?}");
            assert_eq!(report.exit.code(), 0, "{at}: {:?}", report.lines);
            assert_eq!(target(&bench), expected, "{at}");
            bench.app.clear_journal();
            let again = bench.sync().await;
            assert_eq!(again.lines, [], "{at}: a further run has nothing to say");
            assert_eq!(bench.writes(), [""; 0], "{at}: a further run writes nothing");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_run_converges_with_put_and_delete() {
    kill_at_every_boundary(ALL_DELETE, "put", [before, after], 22).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_run_converges_with_patch_and_disable() {
    kill_at_every_boundary(ALL_DISABLE, "patch", [before, after], 24).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_swap_of_names_converges_with_put() {
    kill_at_every_boundary(ALL_DISABLE, "put", SWAP, 18).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_swap_of_names_converges_with_patch() {
    kill_at_every_boundary(ALL_DISABLE, "patch", SWAP, 16).await;
}
