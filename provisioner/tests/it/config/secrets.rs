//! A credential that is also part of user data: it is no echo there, and values for comparisons are not cleared.

use serde_json::json;

use crate::support::{Bench, Settings, TOKEN, but, short, user};

fn members() -> serde_json::Value {
    let address = format!("gus@{TOKEN}.example");
    json!({ "username": address, "email": address, "title": TOKEN, "nickname": format!("the {TOKEN}") })
}

#[tokio::test]
async fn users_whose_data_hold_the_credential_are_created_linked_and_found_again() {
    let gus = but(user("7", "gus"), members());
    let name = format!("gus@{TOKEN}.example");
    let options = "concurrency = 1\nmax-attempts = 1".to_owned();
    let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
    bench.users(std::slice::from_ref(&gus));
    let report = bench.sync().await;
    assert_eq!(short(&report), [format!("{name} enters create success done")]);
    assert_eq!(report.lines[0].detail, None);
    // A new state knows no account, and finds it by its name.
    std::fs::remove_file(bench.path("aquera.db")).unwrap();
    let report = bench.sync().await;
    assert_eq!(short(&report), [format!("{name} enters link success linked")]);
    let full = provisioner::SyncOptions { full: true, ..Default::default() };
    assert_eq!(short(&bench.sync_with(full).await), [""; 0]);
    // So does a run after a create whose answer was lost.
    std::fs::remove_file(bench.path("aquera.db")).unwrap();
    bench.app.remove_user(bench.app.users()[0]["id"].as_str().unwrap());
    let fault = bench.app.add_fault("status=503 phase=after method=POST times=always".parse().unwrap());
    let reads =
        bench.app.add_fault("status=503 method=GET path=/Users after=2 times=always".parse().unwrap());
    assert_eq!(short(&bench.sync().await), [format!("{name} enters create failed target-error")]);
    bench.app.remove_fault(fault);
    bench.app.remove_fault(reads);
    let report = bench.sync().await;
    assert_eq!(short(&report), [format!("{name} enters link success linked")]);
    assert_eq!(short(&bench.sync().await), [""; 0]);
    // The account is removed like any other.
    let report = {
        bench.users(&[user("1", "ada")]);
        bench.sync().await
    };
    assert!(short(&report).contains(&format!("{name} deleted disable success done")), "{report:?}");
}

#[tokio::test]
async fn values_beside_the_mapped_ones_are_sent_back_by_put_as_they_were_read() {
    let options = "update-method = \"put\"".to_owned();
    let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
    let url = format!("https://example.org/{TOKEN}");
    bench.app.seed_user(json!({ "userName": "ada", "active": true, "profileUrl": url }));
    bench.run(&[user("1", "ada")]).await;
    let lines = bench.run(&[but(user("1", "ada"), json!({ "title": "Lead" }))]).await;
    assert_eq!(lines, ["ada attributes update success done"]);
    assert_eq!(bench.app.users()[0]["title"], "Lead");
    assert_eq!(bench.app.users()[0]["profileUrl"], url.as_str());
    let state = std::fs::read(bench.path("aquera.db")).unwrap();
    assert!(!state.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()), "the state has the token");
}
