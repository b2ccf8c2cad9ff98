//! `[application]`: attributes that are not stored, not updated, or read-only.

use mock_aquera::DownstreamOperation::{Create, PartialUpdate, Replace};
use serde_json::{Value, json};

use super::{GROUP, World, no_case};
use crate::client::{downstream, user};

pub(super) async fn case(key: &str, word: &str) {
    match key {
        "not-stored" => {
            not_stored().await;
            parts_are_not_stored().await;
        }
        "not-updated" => not_updated().await,
        "not-stored-reply" => reply(word).await,
        "read-only" => read_only().await,
        _ => no_case(key, word),
    }
}

async fn not_stored() {
    let w = World::of("[application]\nnot-stored = [\"nickName\", \"externalId\"]").await;
    let body = |nick: &str| user("eve", json!({"nickName": nick, "externalId": "E-9", "title": nick}));
    let post = w.client.post("/Users", &body("one")).await;
    assert_eq!(post.status, 201);
    assert_eq!(downstream(&w.app), [(Create, true)]);
    let path = format!("/Users/{}", post.id());
    let put = w.client.put(&path, &body("two")).await;
    assert_eq!((put.status, downstream(&w.app)), (200, vec![(Replace, true)]));
    let version = w.client.get(&path).await.header("etag").to_owned();
    let patch = w.set(&path, "nickName", json!("three")).await;
    assert_eq!((patch.status, downstream(&w.app)), (200, vec![(PartialUpdate, true)]));
    let read = w.client.get(&path).await;
    // Nothing was changed, so there is no new version either.
    assert_eq!(read.header("etag"), version);
    let read = read.json();
    for answer in [post.json(), put.json(), patch.json(), read.clone()] {
        assert!(answer["title"].is_string(), "{answer}");
        assert!(answer.get("nickName").is_none() && answer.get("externalId").is_none(), "{answer}");
    }
    assert_eq!(read["title"], json!("two"));
    let found = w.client.query("/Users", &[("filter", "externalId eq \"E-9\"")]).await.json();
    assert_eq!(found["totalResults"], json!(0));
    // What isn't stored can't be taken.
    let other = w.client.post("/Users", &user("zoe", json!({"externalId": "E-9"}))).await;
    assert_eq!(other.status, 201);
    // What was there before stays, and so does what the list doesn't name.
    let both = json!([{"op": "replace", "value": {"externalId": "E-8", "title": "new", "active": false}}]);
    let ida = w.client.patch(&w.ida, &both).await.json();
    assert_eq!(
        (&ida["externalId"], &ida["title"], &ida["active"]),
        (&json!("E-1"), &json!("new"), &json!(false))
    );
    let group = json!({"schemas": [GROUP], "displayName": "g", "externalId": "E-9", "members": [{"value": w.ida_id}]});
    let group = w.client.post("/Groups", &group).await.json();
    assert_eq!((group.get("externalId"), group["members"].as_array().unwrap().len()), (None, 1));
    w.app.check_consistency().unwrap();
}

async fn parts_are_not_stored() {
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let w = World::of(&format!(
        "[application]\nnot-stored = [\"emails.type\", \"name.givenName\", \"{enterprise}:department\"]"
    ))
    .await;
    let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise], "userName": "eve",
        "name": {"givenName": "E", "familyName": "V"},
        "emails": [{"type": "work", "value": "e@x", "primary": true}],
        enterprise: {"department": "Ops", "division": "D"}});
    let post = w.client.post("/Users", &body).await;
    let path = format!("/Users/{}", post.id());
    let read = w.client.get(&path).await.json();
    assert_eq!((post.status, post.json()), (201, read.clone()));
    assert_eq!(
        (&read["emails"], &read["name"], &read[enterprise]),
        (&json!([{"value": "e@x", "primary": true}]), &json!({"familyName": "V"}), &json!({"division": "D"}))
    );
    // Nothing has the type that the filter asks for.
    let filtered = w.set(&path, "emails[type eq \"work\"].value", json!("new@x")).await;
    filtered.scim_error(400, Some("noTarget"));
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "PATCH", "path": path, "data": {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "name.givenName", "value": "X"}]}}]});
    assert_eq!(w.client.post("/Bulk", &bulk).await.json()["Operations"][0]["status"], json!("200"));
    assert_eq!(w.client.get(&path).await.json(), read);
}

async fn not_updated() {
    let w = World::of("[application]\nnot-updated = [\"name.familyName\", \"userName\"]").await;
    let body =
        |name: &str, family: &str| user(name, json!({"name": {"familyName": family}, "title": family}));
    let post = w.client.post("/Users", &body("eve", "one")).await;
    let path = format!("/Users/{}", post.id());
    let put = w.client.put(&path, &body("zoe", "two")).await;
    let patch = w.set(&path, "name.familyName", json!("three")).await;
    let removed = w.client.patch(&path, &json!([{"op": "remove", "path": "name"}])).await;
    let dotted = json!([{"op": "replace", "value": {"name.familyName": "four", "title": "new"}}]);
    let dotted = w.client.patch(&path, &dotted).await;
    let read = w.client.get(&path).await.json();
    for answer in [&post, &put, &patch, &removed, &dotted] {
        assert!(answer.status == 200 || answer.status == 201, "{answer:?}");
        assert_eq!(
            (&answer.json()["name"], &answer.json()["userName"]),
            (&json!({"familyName": "one"}), &json!("eve"))
        );
    }
    assert_eq!((&read["title"], &read), (&json!("new"), &dotted.json()));
    // The name that was asked for is still free.
    assert_eq!(w.create("zoe").await.status, 201);
    w.app.check_consistency().unwrap();
}

async fn reply(word: &str) {
    let w = World::of(&format!(
        "[application]\nnot-stored = [\"nickName\"]\nnot-updated = [\"title\"]\nnot-stored-reply = \"{word}\""
    ))
    .await;
    let body = |value: &str| user("eve", json!({"nickName": value, "title": value}));
    let post = w.client.post("/Users", &body("one")).await;
    let path = format!("/Users/{}", post.id());
    let put = w.client.put(&path, &body("two")).await;
    let patch = w.set(&path, "title", json!("three")).await;
    let read = w.client.get(&path).await;
    let shown = |answer: &Value| (answer["nickName"].clone(), answer["title"].clone());
    let answers = [&post, &put, &patch].map(|answer| shown(&answer.json()));
    match word {
        "stored" => assert_eq!(
            answers,
            [(Value::Null, json!("one")), (Value::Null, json!("one")), (Value::Null, json!("one"))]
        ),
        "echoed" => {
            let sent = [("one", "one"), ("two", "two")].map(|(nick, title)| (json!(nick), json!(title)));
            assert_eq!(answers[..2], sent);
            assert_eq!(answers[2], (Value::Null, json!("three")));
            assert_eq!(post.json()["meta"], read.json()["meta"]);
        }
        _ => no_case("not-stored-reply", word),
    }
    assert_eq!(shown(&read.json()), (Value::Null, json!("one")));
    assert_eq!(patch.header("etag"), read.header("etag"));
    // Where nothing is withheld, answer and resource are the same.
    let nothing = w.set(&path, "displayName", json!("d")).await;
    assert_eq!(nothing.json(), w.client.get(&path).await.json());
}

async fn read_only() {
    let w = World::of("[application]\nread-only = [\"externalId\"]").await;
    let post = w.client.post("/Users", &user("eve", json!({"externalId": "E-9"}))).await;
    assert!(post.scim_error(400, Some("mutability")).contains("externalId"));
    assert_eq!(downstream(&w.app), [(Create, false)]);
    let patch = w.set(&w.ida, "externalId", json!("E-9")).await;
    patch.scim_error(400, Some("mutability"));
    assert_eq!(downstream(&w.app), [(PartialUpdate, false)]);
    let put = w.client.put(&w.ida, &user("Ida", json!({"externalId": "E-9"}))).await;
    put.scim_error(400, Some("mutability"));
    assert_eq!(downstream(&w.app), [(Replace, false)]);
    let pathless = json!([{"op": "add", "value": {"externalId": "E-9"}}]);
    w.client.patch(&w.ida, &pathless).await.scim_error(400, Some("mutability"));
    // A write that leaves it as it is goes through.
    let same = w.client.put(&w.ida, &user("Ida", json!({"externalId": "E-1", "title": "new"}))).await;
    assert_eq!((same.status, &same.json()["title"]), (200, &json!("new")));
    assert_eq!(w.create("eve").await.status, 201);
    assert_eq!(w.set(&w.ida, "active", json!(false)).await.status, 200);
}

/// What each profile of this kind is known for.
pub(super) async fn profile(w: &World, name: &str) {
    let body = |title: &str, family: &str| {
        user(
            "eve",
            json!({"title": title, "name": {"familyName": family}, "active": true,
                "emails": [{"type": "work", "value": "e@x"}]}),
        )
    };
    let external = |name: &str| user(name, json!({"externalId": "E-9"}));
    let post = w.client.post("/Users", &body("old", "old")).await;
    assert_eq!(post.status, 201);
    let path = format!("/Users/{}", post.id());
    let title = w.set(&path, "title", json!("new")).await;
    let family = w.set(&path, "name.familyName", json!("new")).await;
    let work = w.set(&path, "emails[type eq \"work\"].value", json!("new@x")).await;
    let eve = w.client.get(&path).await.json();
    let zoe = w.client.post("/Users", &external("zoe")).await;
    let put = w.client.put(&path, &user("eve", json!({}))).await;
    let stored = json!({"title": eve["title"], "family": eve["name"]["familyName"], "mail": eve["emails"][0]["value"],
        "external": zoe.json()["externalId"], "active": put.json()["active"]});
    let mut expected =
        json!({"title": "new", "family": "new", "mail": "new@x", "external": "E-9", "active": true});
    let mut statuses = [title.status, family.status, work.status, zoe.status, put.status];
    match name {
        "no-title" => {
            assert_eq!(title.json().get("title"), None);
            expected["title"] = Value::Null;
        }
        "no-title-echoed" => {
            assert_eq!((&title.json()["title"], &post.json()["title"]), (&json!("new"), &json!("old")));
            expected["title"] = Value::Null;
        }
        "no-external-id" => expected["external"] = Value::Null,
        "external-id-read-only" => {
            zoe.scim_error(400, Some("mutability"));
            statuses[3] = 201;
            expected["external"] = Value::Null;
        }
        "drops-email-type" => {
            work.scim_error(400, Some("noTarget"));
            statuses[2] = 200;
            expected["mail"] = json!("e@x");
        }
        "family-name-ignored" => {
            assert_eq!(family.json()["name"], json!({"familyName": "old"}));
            expected["family"] = json!("old");
        }
        "swallows-dotted-paths" => {
            assert_eq!(eve["name.familyName"], json!("new"));
            expected["family"] = json!("old");
        }
        "put-clears-active" => expected["active"] = Value::Null,
        "schemas-optional" => {
            let bare = w.client.request(reqwest::Method::POST, "/Users");
            let bare = crate::client::with_body(bare, &json!({"userName": "bare"}));
            assert_eq!(crate::client::finish(bare).await.status, 201);
        }
        other => panic!("no test sees the profile {other} on the wire"),
    }
    assert_eq!((stored, statuses), (expected, [200, 200, 200, 201, 200]), "{name}");
}
