//! Targets that the tests define: effects that count as stored, and values that are never judged.

mod untyped;

use std::sync::Mutex;

use provisioner::SyncOptions;
use provisioner::state::PathSupport;
use serde_json::{Value, json};

use crate::learning::{learned, run, somebody};
use crate::scripted::{Answer, target};
use crate::support::{Bench, Settings, but, short};

#[tokio::test]
async fn accounts_that_cannot_be_disabled_do_not_keep_the_others_active() {
    // Three accounts of eight stay active whatever is sent.
    let accounts = Mutex::new(Vec::<Value>::new());
    let url = target(move |asked| {
        let mut accounts = accounts.lock().unwrap();
        let id = asked.path.rsplit('/').next().unwrap().to_owned();
        match asked.method.as_str() {
            "POST" => {
                let mut account = asked.body.clone();
                account["id"] = format!("id{}", accounts.len()).into();
                accounts.push(account.clone());
                Answer::scim(201, &account)
            }
            "PATCH" => {
                let account = accounts.iter_mut().find(|account| account["id"] == id.as_str()).unwrap();
                let number: usize = id[2..].parse().unwrap();
                if number >= 3 {
                    account["active"] = asked.body["Operations"][0]["value"].clone();
                }
                Answer::scim(200, account)
            }
            "GET" if asked.path.contains("filter") => Answer::list(&[]),
            _ => Answer::scim(200, accounts.iter().find(|account| account["id"] == id.as_str()).unwrap()),
        }
    })
    .await;
    let options = "update-method = \"patch\"\nmax-removals-percent = 100\nconcurrency = 1".to_owned();
    let bench = Bench::with("aquera", Settings { scim_url: Some(url), options, ..Settings::default() }).await;
    let users: Vec<Value> = (0..9).map(|n| somebody(&n.to_string(), &format!("user{n}"))).collect();
    bench.users(&users);
    bench.sync().await;
    bench.users(&users[8..]);
    bench.sync().await;
    // Failed ones come last in the next run, so the others are settled by now.
    let lines = short(&bench.sync().await);
    let failed = lines.iter().filter(|line| line.ends_with("failed ignored-by-target")).count();
    assert_eq!(failed, 3, "{lines:?}");
}

#[tokio::test]
async fn values_that_the_target_keeps_in_its_own_form_have_taken_effect() {
    // Lower-cases e-mail addresses, groups telephone numbers anew, cuts titles, adds `primary` and another address.
    let accounts = Mutex::new(Vec::<Value>::new());
    let url = target(move |asked| {
        let mut accounts = accounts.lock().unwrap();
        match asked.method.as_str() {
            "POST" | "PUT" => {
                let mut account = asked.body.clone();
                account["id"] = "7".into();
                let mails = account["emails"].as_array().unwrap();
                let mail =
                    mails.iter().find(|mail| mail["type"] == "work").unwrap()["value"].as_str().unwrap();
                let mail = mail.to_lowercase();
                account["emails"] = json!([
                    { "type": "home", "value": "home@example.org", "primary": true },
                    { "type": "work", "value": mail, "display": mail, "primary": false },
                ]);
                let phone: String = account["phoneNumbers"][0]["value"]
                    .as_str()
                    .unwrap()
                    .chars()
                    .filter(|c| *c != ' ')
                    .collect();
                account["phoneNumbers"][0]["value"] = phone.into();
                let title: String = account["title"].as_str().unwrap().chars().take(4).collect();
                account["title"] = title.into();
                *accounts = vec![account.clone()];
                if asked.method == "POST" {
                    Answer::scim(201, &account)
                } else {
                    Answer(204, "", String::new())
                }
            }
            "GET" if asked.path.contains("filter") => Answer::list(&accounts),
            "GET" => Answer::scim(200, &accounts[0]),
            other => panic!("{other}"),
        }
    })
    .await;
    let options = "update-method = \"put\"".to_owned();
    let bench = Bench::with("aquera", Settings { scim_url: Some(url), options, ..Settings::default() }).await;
    let ada = but(
        somebody("1", "ada"),
        json!({ "email": "Ada@Example.org", "primaryPhone": "+1 555 0100", "title": "Engineer" }),
    );
    bench.users(std::slice::from_ref(&ada));
    let report = bench.sync().await;
    assert_eq!(short(&report), ["ada enters create success done"]);
    assert_eq!(report.lines[0].detail.as_deref(), Some("stored in another form by the target: title"));
    let full = SyncOptions { full: true, ..SyncOptions::default() };
    assert_eq!(
        short(&bench.sync_with(full.clone()).await),
        [""; 0],
        "what the target made of it is no difference"
    );
    // Answered without a body: believed at first, and recognised when it is read.
    let ada = but(ada, json!({ "email": "Ada.L@Example.org", "title": "Principal" }));
    bench.users(std::slice::from_ref(&ada));
    assert_eq!(short(&bench.sync().await), ["ada attributes update success done"]);
    let ada = but(ada, json!({ "title": "Architect" }));
    bench.users(std::slice::from_ref(&ada));
    assert_eq!(short(&bench.sync().await), ["ada attributes update success done"]);
    for _ in 0..2 {
        let lines = short(&bench.sync_with(full.clone()).await);
        assert!(lines.iter().all(|line| line.ends_with("success done")), "{lines:?}");
    }
    assert_eq!(short(&bench.sync_with(full.clone()).await), [""; 0]);
    assert!(
        learned(&bench).await.paths.put.values().all(|support| *support == PathSupport::Stored),
        "{:?}",
        learned(&bench).await
    );
}

#[tokio::test]
async fn attribute_never_returned_by_schema_is_not_judged() {
    // An extension whose pin is never shown, and whose room is not stored.
    let account = Mutex::new(Value::Null);
    let url = target(move |asked| {
        let mut account = account.lock().unwrap();
        match asked.method.as_str() {
            "POST" | "PUT" => {
                *account = asked.body.clone();
                account["id"] = "7".into();
                account.as_object_mut().unwrap().remove("urn:example:Hr");
                Answer::scim(201, &account)
            }
            "GET" if asked.path.ends_with("/Schemas") => {
                Answer::list(&[json!({ "id": "urn:example:Hr", "attributes": [
                { "name": "pin", "returned": "never" }, { "name": "room" }
            ] })])
            }
            "GET" if asked.path.contains("filter") => Answer::list(&[]),
            _ => Answer::scim(200, &account),
        }
    })
    .await;
    let mut bench = Bench::with(
        "aquera",
        Settings {
            scim_url: Some(url),
            options: "update-method = \"put\"".to_owned(),
            ..Settings::default()
        },
    )
    .await;
    let map = |source: &str, target: &str| {
        format!("[[rule.mapping]]\nsource = \"{source}\"\ntarget = \"{target}\"\n")
    };
    bench.settings.rules = format!(
        "[[rule]]\nname = \"everyone\"\n{}{}{}",
        map("username", "userName"),
        map("title", "urn:example:Hr:pin"),
        map("nickname", "urn:example:Hr:room")
    );
    let ada = somebody("1", "ada");
    bench.users(std::slice::from_ref(&ada));
    let report = bench.sync().await;
    assert_eq!(report.lines[0].detail.as_deref(), Some("not stored by the target: urn:example:Hr:room"));
    let report = run(&bench, &[but(ada.clone(), json!({ "title": "4711" }))], false).await;
    assert_eq!(report, (0, vec!["ada attributes update success done".to_owned()]));
    let report = run(&bench, &[but(ada, json!({ "title": "4711", "nickname": "A 12" }))], false).await;
    assert_eq!(report, (1, vec!["ada attributes update failed ignored-by-target".to_owned()]));
    let known = learned(&bench).await;
    let path = |text: &str| text.parse().unwrap();
    assert_eq!(known.paths.put.get(&path("urn:example:Hr:pin")), Some(&PathSupport::NeverReturned));
    assert_eq!(known.paths.put.get(&path("urn:example:Hr:room")), Some(&PathSupport::NotStored));
}
