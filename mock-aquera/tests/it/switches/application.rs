//! `[application]`.

use mock_aquera::DownstreamOperation::{Create, Delete, PartialUpdate, Replace};
use serde_json::{Value, json};

use super::{GROUP, World, no_case, trying, words};
use crate::client::{downstream, user};

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("application") {
        trying("application", &key, &word);
        match key.as_str() {
            "create" | "replace" | "partial-update" => operation(&key, &word).await,
            "delete" => delete(&word).await,
            "deactivated-users" => deactivated(&word).await,
            "ids" => ids(&word).await,
            "user-name-value" | "email-value" => kept(&key, &word).await,
            "max-values" => max_values().await,
            "not-stored" | "not-updated" | "not-stored-reply" | "read-only" => {
                super::stored::case(&key, &word).await;
            }
            "stale-reads" => super::stale::reads_show_what_was().await,
            _ => no_case(&key, &word),
        }
    }
}

async fn operation(key: &str, word: &str) {
    let w = World::with("application", key, word).await;
    let (answer, operation, group) = match key {
        "create" => {
            let group = w.client.post("/Groups", &json!({"schemas": [GROUP], "displayName": "g"})).await;
            (w.create("eve").await, Create, group)
        }
        "replace" => {
            let group = w.client.put(&w.team, &json!({"schemas": [GROUP], "displayName": "new"})).await;
            (w.client.put(&w.ida, &user("Ida", json!({}))).await, Replace, group)
        }
        _ => (
            w.set(&w.ida, "title", json!("new")).await,
            PartialUpdate,
            w.set(&w.team, "displayName", json!("new")).await,
        ),
    };
    let accepted = match word {
        "accepted" => true,
        "refused-501" => {
            answer.scim_error(501, None);
            group.scim_error(501, None);
            false
        }
        _ => no_case(key, word),
    };
    assert_eq!((answer.status < 300, group.status < 300), (accepted, accepted));
    let journal = w.app.journal();
    let last = &journal[journal.len() - 1].downstream[0];
    assert!(last.accepted == accepted);
    assert!(journal.iter().flat_map(|exchange| &exchange.downstream).any(|d| d.operation == operation));
    let (ida, count) = (w.stored(&w.ida).unwrap(), w.app.user_count());
    let untouched = (&ida["title"], count) == (&json!("old"), 2);
    assert_eq!(untouched, !accepted);
}

async fn delete(word: &str) {
    let w = World::with("application", "delete", word).await;
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
    assert_eq!(downstream(&w.app), [(Delete, true)]);
    let read = w.client.get(&w.ida).await;
    let listed =
        w.client.query("/Users", &[("filter", "userName eq \"ida\"")]).await.json()["totalResults"].clone();
    let again = w.create("ida").await;
    let same_external = w.client.post("/Users", &user("other", json!({"externalId": "E-1"}))).await;
    match word {
        "removes" => {
            assert_eq!((read.status, listed, again.status, same_external.status), (404, json!(0), 201, 201));
        }
        "deactivates" => {
            assert_eq!((read.status, &read.json()["active"], listed), (200, &json!(false), json!(1)));
            again.scim_error(409, Some("uniqueness"));
            assert_eq!(same_external.status, 201);
        }
        "hides" => {
            read.scim_error(404, None);
            assert_eq!(listed, json!(0));
            assert!(again.scim_error(409, Some("uniqueness")).contains("userName"));
            assert!(same_external.scim_error(409, Some("uniqueness")).contains("externalId"));
            assert_eq!(w.client.delete(&w.ida).await.status, 404);
            assert_eq!(w.client.get("/Users").await.json()["totalResults"], json!(1));
        }
        _ => no_case("delete", word),
    }
    let members = w.client.get(&w.team).await.json()["members"].as_array().unwrap().len();
    assert_eq!(members, if word == "deactivates" { 2 } else { 1 });
    // What isn't a user can't be deactivated.
    assert_eq!(w.client.delete(&w.team).await.status, 204);
    assert_eq!(w.client.get(&w.team).await.status, 404);
    w.app.check_consistency().unwrap();
}

async fn deactivated(word: &str) {
    let w = World::with("application", "deactivated-users", word).await;
    let names = |list: &Value| {
        let resources = list["Resources"].as_array().unwrap().iter();
        resources.map(|user| user["userName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let list = w.client.get("/Users").await.json();
    let by_name = w.client.query("/Users", &[("filter", "userName eq \"bob\"")]).await.json();
    let by_flag =
        w.client.query("/Users", &[("filter", "active eq false"), ("sortBy", "userName")]).await.json();
    let by_cursor = w.client.get("/Users?cursor&count=1").await.json();
    let root = w.client.get("/").await.json();
    let read = w.client.get(&w.bob).await;
    match word {
        "readable" => {
            assert_eq!(names(&list), ["Ida", "bob"]);
            assert_eq!((names(&by_name), names(&by_flag)), (vec!["bob".to_owned()], vec!["bob".to_owned()]));
            assert_eq!((read.status, &root["totalResults"]), (200, &json!(3)));
            assert!(by_cursor["nextCursor"].is_string());
        }
        "answer-404" => {
            assert_eq!((names(&list), &list["totalResults"]), (vec!["Ida".to_owned()], &json!(1)));
            for empty in [by_name, by_flag] {
                assert_eq!((names(&empty).len(), &empty["totalResults"]), (0, &json!(0)));
            }
            assert_eq!((names(&by_cursor), &by_cursor["nextCursor"]), (vec!["Ida".to_owned()], &Value::Null));
            assert_eq!(root["totalResults"], json!(2));
            read.scim_error(404, None);
            w.set(&w.bob, "active", json!(true)).await.scim_error(404, None);
            w.client.put(&w.bob, &user("bob", json!({"active": true}))).await.scim_error(404, None);
            w.client.delete(&w.bob).await.scim_error(404, None);
            w.create("bob").await.scim_error(409, Some("uniqueness"));
            // The write that does it is answered like any other.
            assert_eq!(w.set(&w.ida, "active", json!(false)).await.status, 200);
            w.client.get(&w.ida).await.scim_error(404, None);
            w.set(&w.ida, "title", json!("new")).await.scim_error(404, None);
        }
        _ => no_case("deactivated-users", word),
    }
}

async fn ids(word: &str) {
    let w = World::with("application", "ids", word).await;
    assert_eq!(w.client.delete(&w.ida).await.status, 204);
    let eve = w.create("eve@x/y z").await;
    let bulk = w
        .client
        .post(
            "/Bulk",
            &json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "POST", "path": "/Users", "bulkId": "a", "data": user("zoe", json!({}))}]}),
        )
        .await;
    let zoe = bulk.json()["Operations"][0]["location"].as_str().unwrap().to_owned();
    let of_eve = eve.id();
    match word {
        "fresh" => assert!(of_eve != w.ida_id && of_eve.len() == 36, "{of_eve}"),
        "reused" => {
            assert_eq!(of_eve, w.ida_id);
            assert_eq!(w.client.get(&w.ida).await.json()["userName"], json!("eve@x/y z"));
        }
        "user-name" => {
            assert_eq!(of_eve, "eve@x/y z");
            assert!(zoe.ends_with("/Users/zoe"), "{zoe}");
            let location = eve.header("location").strip_prefix(&w.mock.scim_url()).unwrap().to_owned();
            assert_eq!(
                location,
                "/Users/eve%40x%2Fy%20z".replace("%40", if location.contains('@') { "@" } else { "%40" })
            );
            assert_eq!(w.client.get(&location).await.json()["userName"], json!("eve@x/y z"));
            // The id stays when the name changes.
            assert_eq!(w.set("/Users/zoe", "userName", json!("zed")).await.status, 200);
            assert_eq!(w.client.get("/Users/zoe").await.json()["userName"], json!("zed"));
            assert_ne!(w.create("zoe").await.id(), "zoe");
        }
        _ => no_case("ids", word),
    }
    w.app.check_consistency().unwrap();
}

async fn kept(key: &str, word: &str) {
    let w = World::with("application", key, word).await;
    let body = |name: &str| user(name, json!({"emails": [{"type": "work", "value": "EVE@X"}]}));
    let post = w.client.post("/Users", &body(" Eve ")).await;
    let path = format!("/Users/{}", post.id());
    let posted = post.json();
    let put = w.client.put(&path, &body(" EVE ")).await.json();
    let named = w.set(&path, "userName", json!(" eVe ")).await.json();
    let mailed = w.set(&path, "emails[type eq \"work\"].value", json!("Eve@X")).await.json();
    let names = [&posted["userName"], &put["userName"], &named["userName"]];
    let mails = [&posted["emails"][0]["value"], &put["emails"][0]["value"], &mailed["emails"][0]["value"]];
    let expected_names = match (key, word) {
        ("user-name-value", "lower-cased") => [" eve "; 3],
        ("user-name-value", "trimmed") => ["Eve", "EVE", "eVe"],
        ("user-name-value" | "email-value", _) => [" Eve ", " EVE ", " eVe "],
        _ => no_case(key, word),
    };
    let expected_mails = match (key, word) {
        ("email-value", "lower-cased") => ["eve@x"; 3],
        (_, "kept" | "lower-cased" | "trimmed") => ["EVE@X", "EVE@X", "Eve@X"],
        _ => no_case(key, word),
    };
    assert_eq!(names.map(|name| name.as_str().unwrap()), expected_names);
    assert_eq!(mails.map(|mail| mail.as_str().unwrap()), expected_mails);
    assert_eq!(w.client.get(&path).await.json(), mailed);
}

async fn max_values() {
    let w = World::of("[application.max-values]\nemails = 1").await;
    let mails = json!([{"type": "work", "value": "a@x"}, {"type": "home", "value": "b@x"}]);
    let two = w.client.post("/Users", &user("eve", json!({"emails": mails}))).await;
    assert!(two.scim_error(400, Some("invalidValue")).contains("emails"));
    let one = w
        .client
        .post(
            "/Users",
            &user("eve", json!({"emails": [mails[0]], "phoneNumbers": [{"value": "1"}, {"value": "2"}]})),
        )
        .await;
    assert_eq!(one.status, 201);
    let path = format!("/Users/{}", one.id());
    let add = json!([{"op": "add", "path": "emails", "value": [mails[1]]}]);
    w.client.patch(&path, &add).await.scim_error(400, Some("invalidValue"));
    w.client.put(&path, &user("eve", json!({"emails": mails}))).await.scim_error(400, Some("invalidValue"));
    assert_eq!(w.set(&path, "emails", json!([mails[1]])).await.json()["emails"], json!([mails[1]]));
}
