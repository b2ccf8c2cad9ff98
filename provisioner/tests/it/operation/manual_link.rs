//! `forget` and `adopt`: links that a person drops or makes.

use mock_aquera::Fault;
use serde_json::{Value, json};

use crate::program::{err, objects, out, run};
use crate::support::{Bench, short, user};

fn id_of(bench: &Bench, name: &str) -> String {
    let users = bench.app.users();
    let user = users.iter().find(|user| user["userName"] == name).unwrap();
    user["id"].as_str().unwrap().to_owned()
}

async fn linked(users: &[Value]) -> Bench {
    let bench = Bench::new("aquera").await;
    bench.users(users);
    bench.sync().await;
    bench.write_config();
    bench
}

#[tokio::test]
async fn forgotten_user_is_named_by_id_name_or_account_and_costs_no_request() {
    for by in ["source id", "user name", "account"] {
        let bench = linked(&[user("1", "ada"), user("2", "brook")]).await;
        let name = match by {
            "source id" => "1".to_owned(),
            "user name" => "ADA".to_owned(),
            _ => id_of(&bench, "ada"),
        };
        bench.app.clear_journal();
        let done = run(&["forget", &name, "--yes", "--json"], bench.folder.path()).await;
        assert_eq!(done.status.code(), Some(0), "{by}: {}", err(&done));
        assert_eq!(objects(&done)[0]["user"]["sourceId"], "1", "{by}");
        assert!(bench.app.journal().is_empty(), "{by}: no request");
        let provisioner = bench.open_to_read().await;
        let known: Vec<String> =
            provisioner.stored().unwrap().records.keys().map(ToString::to_string).collect();
        drop(provisioner);
        assert_eq!(known, ["2"], "{by}");

        // Gone from the source, a forgotten user's account is nobody's to remove.
        bench.users(&[user("2", "brook")]);
        assert_eq!(short(&bench.sync().await), [""; 0], "{by}");
        assert_eq!(bench.accounts(), ["ada true", "brook true"], "{by}");
        // Back in it, the account is linked again.
        bench.users(&[user("1", "ada"), user("2", "brook")]);
        assert_eq!(short(&bench.sync().await), ["ada enters link success linked"], "{by}");
    }
}

#[tokio::test]
async fn forget_needs_a_confirmation_and_one_user() {
    let bench = linked(&[user("1", "ada"), user("ada", "brook")]).await;
    let folder = bench.folder.path();
    let unconfirmed = run(&["forget", "brook"], folder).await;
    assert_eq!(unconfirmed.status.code(), Some(2));
    assert!(err(&unconfirmed).contains("--yes"), "{}", err(&unconfirmed));
    let unknown = run(&["forget", "zoe", "--yes"], folder).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(err(&unknown).contains("unknown user \"zoe\""), "{}", err(&unknown));
    // One user has this name, and another one this id.
    let ambiguous = run(&["forget", "ada", "--yes"], folder).await;
    assert_eq!(ambiguous.status.code(), Some(2));
    let told = err(&ambiguous).split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["2 users are named \"ada\"", "\"ada\" (id 1, account", "\"brook\" (id ada, account"] {
        assert!(told.contains(part), "{told}");
    }
    assert_eq!(bench.open_to_read().await.stored().unwrap().records.len(), 2, "nothing was forgotten");
}

#[tokio::test]
async fn adopted_account_is_read_linked_and_updated_by_the_next_sync() {
    let bench = Bench::new("aquera").await;
    let account = bench.app.seed_user(json!({ "userName": "a.lovelace", "active": true, "title": "Guest" }));
    bench.app.seed_user(json!({ "userName": "ada.old", "active": true }));
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let folder = bench.folder.path();
    let refused = run(&["adopt", "ada", "--account", &account], folder).await;
    assert_eq!(refused.status.code(), Some(1));
    let told = err(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("has the userName \"a.lovelace\"") && told.contains("--allow-other-name"),
        "{told}"
    );

    bench.app.clear_journal();
    let adopted = run(&["adopt", "1", "--account", &account, "--allow-other-name"], folder).await;
    assert_eq!(adopted.status.code(), Some(0), "{}", err(&adopted));
    assert_eq!(bench.app.journal().len(), 1, "one read");
    assert!(bench.writes().is_empty());
    let report = bench.sync().await;
    assert_eq!(short(&report), ["ada attributes update success done"]);
    let now = bench.app.user(&account).unwrap();
    assert_eq!((&now["userName"], &now["title"]), (&json!("ada"), &json!("Engineer")));
    assert_eq!(bench.app.users().len(), 2, "no account was made");

    let again = run(&["adopt", "ada", "--account", &account], folder).await;
    assert_eq!(again.status.code(), Some(0));
    assert!(out(&again).contains("already"), "{}", out(&again));
}

#[tokio::test]
async fn account_that_is_not_the_users_is_not_adopted() {
    let bench = linked(&[user("1", "ada"), user("2", "brook")]).await;
    let free = bench.app.seed_user(json!({ "userName": "cleo", "active": true }));
    bench.users(&[user("1", "ada"), user("2", "brook"), user("3", "cleo")]);
    let folder = bench.folder.path();
    let ada = id_of(&bench, "ada");
    for (name, account, exit, part) in [
        ("cleo", ada.as_str(), 1, "is linked to user \"ada\" (id 1"),
        ("cleo", "no-such-id", 1, "no account with the id no-such-id"),
        ("brook", free.as_str(), 1, "forget the user first"),
        ("zoe", free.as_str(), 2, "unknown user \"zoe\""),
    ] {
        let refused = run(&["adopt", name, "--account", account, "--allow-other-name"], folder).await;
        let told = err(&refused).split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(refused.status.code(), Some(exit), "{name}, {account}: {told}");
        assert!(told.contains(part), "{name}, {account}: {told}");
    }
    assert_eq!(bench.open_to_read().await.stored().unwrap().records.len(), 2, "nobody was linked");
    assert!(
        bench.writes().iter().all(|write| write.starts_with("POST")),
        "nothing but the first run's creates"
    );

    // A user that no rule owns would be removed by the next sync.
    let mut bench = bench;
    bench.settings.rules = "[[rule]]\nname = \"staff\"\nfilter = 'username ne \"cleo\"'\n".to_owned();
    bench.write_config();
    let refused = run(&["adopt", "cleo", "--account", &free], bench.folder.path()).await;
    assert_eq!(refused.status.code(), Some(1), "{}", err(&refused));
    assert!(err(&refused).contains("no enabled rule owns"), "{}", err(&refused));

    bench.settings.connection = "enabled = false";
    bench.write_config();
    bench.app.clear_journal();
    let off = run(&["adopt", "cleo", "--account", &free], bench.folder.path()).await;
    assert_eq!(off.status.code(), Some(3), "{}", err(&off));
    assert!(bench.app.journal().is_empty());
}

#[tokio::test]
async fn account_of_a_user_that_is_gone_moves_to_the_adopting_one() {
    let bench = linked(&[user("1", "ada"), user("2", "brook")]).await;
    let account = id_of(&bench, "ada");
    bench.users(&[user("2", "brook"), user("9", "ada.new")]);
    let moved = run(&["adopt", "9", "--account", &account, "--allow-other-name"], bench.folder.path()).await;
    assert_eq!(moved.status.code(), Some(0), "{}", err(&moved));
    assert_eq!(short(&bench.sync().await), ["ada.new attributes update success done"]);
    assert_eq!(bench.accounts(), ["ada.new true", "brook true"], "nobody is removed");
}

#[tokio::test]
async fn account_that_cannot_be_read_is_not_adopted() {
    let mut bench = linked(&[user("1", "ada")]).await;
    bench.settings.options = "max-attempts = 1".to_owned();
    bench.write_config();
    bench.users(&[user("1", "ada"), user("3", "cleo")]);
    let account = bench.app.seed_user(json!({ "userName": "cleo", "active": true }));
    for status in [401, 403, 500] {
        let fault = bench.app.add_fault(Fault::status(status).always());
        let failed = run(&["adopt", "cleo", "--account", &account], bench.folder.path()).await;
        assert_eq!(failed.status.code(), Some(3), "{status}: {}", err(&failed));
        bench.app.remove_fault(fault);
    }
    assert_eq!(bench.open_to_read().await.stored().unwrap().records.len(), 1);
}
