//! Targets that drop the sub-attribute that selects a value (`type`): the written value is found by itself.

use mock_aquera::Profile;
use serde_json::{Value, json};

use crate::support::{ALL_DISABLE, Bench, Settings, but, user};

const METHODS: [&str; 3] = ["auto", "put", "patch"];

async fn bench(method: &str, more: &str) -> Bench {
    let options = format!("update-method = \"{method}\"\n{more}");
    let bench = Bench::with(
        "drops-email-type",
        Settings { options, preferences: ALL_DISABLE, ..Settings::default() },
    )
    .await;
    bench.run(&[user("1", "ada")]).await;
    // The addresses of another person.
    let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
    bench.app.edit_user(&id, |user| {
        let emails = user["emails"].as_array_mut().unwrap();
        emails.insert(0, json!({ "value": "home@example.net" }));
        emails.push(json!({ "value": "shop@example.net", "primary": true }));
    });
    bench
}

fn emails(bench: &Bench) -> Vec<String> {
    let users = bench.app.users();
    let emails = users[0]["emails"].as_array().cloned().unwrap_or_default();
    let mut emails: Vec<String> =
        emails.iter().map(|email| email["value"].as_str().unwrap().to_owned()).collect();
    emails.sort();
    emails
}

#[tokio::test]
async fn changed_address_without_type_replaces_the_old_one() {
    for method in METHODS {
        let bench = bench(method, "").await;
        for (email, title) in
            [("b@example.org", "Engineer"), ("c@example.org", "Engineer"), ("d@example.org", "Lead")]
        {
            let changed = but(user("1", "ada"), json!({ "email": email, "title": title }));
            let lines = bench.run(std::slice::from_ref(&changed)).await;
            assert_eq!(lines, ["ada attributes update success done"], "{method}, {email}");
            assert_eq!(emails(&bench), [email, "home@example.net", "shop@example.net"], "{method}");
            assert_eq!(bench.run(&[changed]).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn address_without_type_that_is_gone_at_the_source_is_cleared() {
    for method in METHODS {
        let bench = bench(method, "clear-missing-attributes = true").await;
        let without = but(user("1", "ada"), json!({ "email": null }));
        let lines = bench.run(std::slice::from_ref(&without)).await;
        assert_eq!(lines, ["ada attributes update success done"], "{method}");
        assert_eq!(emails(&bench), ["home@example.net", "shop@example.net"], "{method}");
        assert_eq!(bench.run(&[without]).await, [""; 0], "{method}");
    }
}

#[tokio::test]
async fn value_of_somebody_else_that_is_the_same_twice_stays() {
    for method in METHODS {
        let bench = bench(method, "").await;
        let id = bench.app.users()[0]["id"].as_str().unwrap().to_owned();
        // Neither of the two is known to be ours: none is removed.
        bench.app.edit_user(&id, |user| {
            user["emails"]
                .as_array_mut()
                .unwrap()
                .push(json!({ "value": "ada@example.org", "display": "A" }));
        });
        bench.run(&[but(user("1", "ada"), json!({ "email": "b@example.org" }))]).await;
        let twice =
            ["ada@example.org", "ada@example.org", "b@example.org", "home@example.net", "shop@example.net"];
        assert_eq!(emails(&bench), twice, "{method}");
    }
}

#[tokio::test]
async fn parts_of_a_value_without_type_stay_together() {
    let profile = "name = \"x\"\nsummary = \"y\"\n[application]\nnot-stored = [\"addresses.type\"]\n";
    for method in METHODS {
        let options = format!("update-method = \"{method}\"\nclear-missing-attributes = true");
        let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
        bench.app.set_profile(Profile::from_toml(profile).unwrap());
        let at = |address: Value| [but(user("1", "ada"), json!({ "address": address }))];
        bench.run(&at(json!({ "streetAddress": "1 High Street", "locality": "Leeds" }))).await;
        for (address, expected) in [
            (
                json!({ "streetAddress": "1 High Street", "locality": "York" }),
                json!([{ "streetAddress": "1 High Street", "locality": "York" }]),
            ),
            (
                json!({ "streetAddress": "2 Low Street", "locality": "Hull", "postalCode": "HU1" }),
                json!([{ "streetAddress": "2 Low Street", "locality": "Hull", "postalCode": "HU1" }]),
            ),
            (json!({ "locality": "Hull" }), json!([{ "locality": "Hull" }])),
            (json!({}), Value::Null),
        ] {
            let lines = bench.run(&at(address)).await;
            assert_eq!(lines, ["ada attributes update success done"], "{method}: {expected}");
            assert_eq!(bench.app.users()[0]["addresses"], expected, "{method}");
        }
    }
}

#[tokio::test]
async fn value_without_type_that_is_cleared_in_all_its_parts_is_removed_once() {
    let profile = "name = \"x\"\nsummary = \"y\"\n[application]\nnot-stored = [\"addresses.type\"]\n";
    let options = "update-method = \"patch\"\nclear-missing-attributes = true".to_owned();
    let bench = Bench::with("aquera", Settings { options, ..Settings::default() }).await;
    bench.app.set_profile(Profile::from_toml(profile).unwrap());
    let address = json!({ "streetAddress": "1 High Street", "locality": "Leeds" });
    bench.run(&[but(user("1", "ada"), json!({ "address": address }))]).await;
    bench.app.clear_journal();
    assert_eq!(bench.run(&[user("1", "ada")]).await, ["ada attributes update success done"]);
    assert_eq!(bench.app.users()[0]["addresses"], Value::Null);
    let journal = bench.app.journal();
    let patch = journal.iter().find(|exchange| exchange.method == "PATCH").unwrap();
    let operations = &patch.request_body.as_ref().unwrap()["Operations"];
    assert_eq!(*operations, json!([{ "op": "remove", "path": "addresses[locality eq \"Leeds\"]" }]));
}
