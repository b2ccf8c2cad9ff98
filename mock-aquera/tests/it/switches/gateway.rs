//! `[gateway]`.

use mock_aquera::DownstreamOperation::{Delete, PartialUpdate, Replace};
use serde_json::{Value, json};

use super::{GROUP, World, no_case, trying, words};
use crate::client::{downstream, user};

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("gateway") {
        trying("gateway", &key, &word);
        case(&key, &word).await;
    }
}

async fn case(key: &str, word: &str) {
    match (key, word) {
        ("patch", _) => {
            let w = World::with("gateway", key, word).await;
            patch(&w, word, &w.ida, "title").await;
            patch(&w, word, &w.team, "displayName").await;
        }
        ("group-patch", _) => {
            let other = if word == "works" { "answers-501" } else { "works" };
            let w = World::of(&format!("[gateway]\npatch = \"{other}\"\ngroup-patch = \"{word}\"")).await;
            patch(&w, word, &w.team, "displayName").await;
            patch(&w, other, &w.ida, "title").await;
        }
        ("put", _) => {
            let w = World::with("gateway", key, word).await;
            put(&w, word, &w.ida, "title", user("Ida", json!({"title": "new"}))).await;
            put(&w, word, &w.team, "displayName", json!({"schemas": [GROUP], "displayName": "new"})).await;
        }
        ("group-put", _) => {
            let other = if word == "works" { "answers-501" } else { "works" };
            let w = World::of(&format!("[gateway]\nput = \"{other}\"\ngroup-put = \"{word}\"")).await;
            put(&w, word, &w.team, "displayName", json!({"schemas": [GROUP], "displayName": "new"})).await;
            put(&w, other, &w.ida, "title", user("Ida", json!({"title": "new"}))).await;
        }
        ("delete", _) => {
            let w = World::with("gateway", key, word).await;
            delete(&w, word, &w.ida).await;
            delete(&w, word, &w.team).await;
        }
        ("group-delete", _) => {
            let other = if word == "works" { "answers-501" } else { "works" };
            let w = World::of(&format!("[gateway]\ndelete = \"{other}\"\ngroup-delete = \"{word}\"")).await;
            delete(&w, word, &w.team).await;
            delete(&w, other, &w.ida).await;
        }
        ("patch-reply", _) => patch_reply(word).await,
        ("max-patch-operations" | "max-member-changes" | "max-members", _) => limits(key).await,
        ("patch-value-filters" | "patch-paths" | "replace-all-members", _) => forms(key, word).await,
        ("patch-dotted-paths", _) => dotted_paths(word).await,
        ("active-change", _) => active_change(word).await,
        ("put-without-active" | "put-missing-attributes", _) => omissions(key, word).await,
        ("enable" | "disable" | "create-disabled", _) => active(key, word).await,
        ("unknown-attributes" | "canonical-values" | "unknown-member", _) => values(key, word).await,
        _ => no_case(key, word),
    }
}

async fn patch(w: &World, word: &str, path: &str, attribute: &str) {
    let before = w.client.get(path).await.json();
    let answer = w.set(path, attribute, json!("new")).await;
    let after = w.client.get(path).await.json();
    let changed = match word {
        "works" => {
            assert_eq!((answer.status, &answer.json()), (200, &after));
            true
        }
        "answers-400" => {
            answer.scim_error(400, Some("invalidSyntax"));
            false
        }
        "answers-403" => {
            answer.scim_error(403, None);
            false
        }
        "answers-404-html" => {
            assert_eq!((answer.status, answer.header("content-type")), (404, "text/html; charset=utf-8"));
            assert!(answer.text.contains("<html"), "{}", answer.text);
            false
        }
        "answers-405" => {
            answer.scim_error(405, None);
            assert_eq!(answer.header("allow"), "GET, PUT, DELETE");
            false
        }
        "answers-501" => {
            answer.scim_error(501, None);
            false
        }
        "ignored-200" => {
            assert_eq!((answer.status, &answer.json()), (200, &before));
            false
        }
        "ignored-204" => {
            assert_eq!((answer.status, answer.text.as_str()), (204, ""));
            false
        }
        "lies-200" => {
            assert_eq!((answer.status, &answer.json()[attribute]), (200, &json!("new")));
            false
        }
        "applied-then-404" => {
            answer.scim_error(404, None);
            true
        }
        "applied-then-500" => {
            answer.scim_error(500, None);
            true
        }
        _ => no_case("patch", word),
    };
    if changed {
        assert_eq!(after[attribute], json!("new"), "{word}");
    } else {
        assert_eq!(after, before, "{word}");
    }
}

async fn put(w: &World, word: &str, path: &str, attribute: &str, body: Value) {
    let before = w.client.get(path).await.json();
    let answer = w.client.put(path, &body).await;
    let after = w.client.get(path).await.json();
    match word {
        "works" => {
            assert_eq!((answer.status, &answer.json(), &after[attribute]), (200, &after, &json!("new")));
            return;
        }
        "html-404" => {
            assert_eq!((answer.status, answer.header("content-type")), (404, "text/html; charset=utf-8"));
        }
        "answers-400" => drop(answer.scim_error(400, Some("invalidSyntax"))),
        "answers-405" => {
            answer.scim_error(405, None);
            assert_eq!(answer.header("allow"), "GET, PATCH, DELETE");
        }
        "answers-501" => drop(answer.scim_error(501, None)),
        "ignored-200" => assert_eq!((answer.status, &answer.json()), (200, &before)),
        _ => no_case("put", word),
    }
    assert_eq!(after, before, "{word}");
}

async fn delete(w: &World, word: &str, path: &str) {
    let answer = w.client.delete(path).await;
    let after = w.client.get(path).await.status;
    match word {
        "works" => {
            assert_eq!((answer.status, after), (204, 404));
            return;
        }
        "answers-403" => drop(answer.scim_error(403, None)),
        "answers-405" => {
            answer.scim_error(405, None);
            assert_eq!(answer.header("allow"), "GET, PUT, PATCH");
        }
        "answers-501" => drop(answer.scim_error(501, None)),
        "ignored-204" => assert_eq!((answer.status, answer.text.as_str()), (204, "")),
        _ => no_case("delete", word),
    }
    assert_eq!(after, 200, "{word}");
}

async fn patch_reply(word: &str) {
    let w = World::with("gateway", "patch-reply", word).await;
    for (path, attribute, value) in [
        (&w.ida, "title", json!("new")),
        (&w.ida, "name.givenName", json!("I")),
        (&w.team, "displayName", json!("new")),
        (&w.team, "members", json!([{"value": w.bob_id}])),
    ] {
        let answer = w.set(path, attribute, value.clone()).await;
        let read = w.client.get(path).await;
        assert_eq!(answer.header("etag"), read.header("etag"));
        match word {
            "200" => assert_eq!((answer.status, answer.json()), (200, read.json())),
            "204" => {
                assert_eq!((answer.status, answer.text.as_str()), (204, ""), "{attribute}");
                // RFC 7644 §3.5.2: who names attributes is owed them.
                let asked = w.set(&format!("{path}?attributes=id"), attribute, value).await;
                assert_eq!((asked.status, &asked.json()["id"]), (200, &read.json()["id"]));
            }
            _ => no_case("patch-reply", word),
        }
    }
}

async fn limits(key: &str) {
    let w = World::of(&format!("[gateway]\n{key} = 2")).await;
    let operation = json!({"op": "replace", "path": "title", "value": "new"});
    let ids: Vec<Value> =
        (0..3).map(|n| json!({"value": w.app.seed_user(json!({"userName": format!("u{n}")}))})).collect();
    let add = |count: usize| json!({"op": "add", "path": "members", "value": ids[..count]});
    match key {
        "max-patch-operations" => {
            assert_eq!(w.client.patch(&w.ida, &json!([operation, operation])).await.status, 200);
            let three = w.client.patch(&w.ida, &json!([operation, operation, operation])).await;
            assert!(three.scim_error(400, Some("tooMany")).contains('2'));
        }
        "max-member-changes" => {
            let group =
                |count: usize| json!({"schemas": [GROUP], "displayName": "g", "members": ids[..count]});
            w.client.post("/Groups", &group(3)).await.scim_error(400, Some("tooMany"));
            let small = w.client.post("/Groups", &group(2)).await;
            assert_eq!(small.status, 201);
            w.client.patch(&w.team, &json!([add(3)])).await.scim_error(400, Some("tooMany"));
            // The request counts, not the operation.
            let remove = json!({"op": "remove", "path": format!("members[value eq \"{}\"]", w.ida_id)});
            w.client.patch(&w.team, &json!([remove, add(2)])).await.scim_error(400, Some("tooMany"));
            w.client.put(&w.team, &group(1)).await.scim_error(400, Some("tooMany"));
            assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 2);
            assert_eq!(w.client.patch(&w.team, &json!([remove, add(1)])).await.status, 200);
            // Who stays isn't changed.
            assert_eq!(w.client.put(&format!("/Groups/{}", small.id()), &group(3)).await.status, 200);
        }
        "max-members" => {
            w.client.patch(&w.team, &json!([add(1)])).await.scim_error(413, None);
            let group = json!({"schemas": [GROUP], "displayName": "g", "members": ids});
            w.client.post("/Groups", &group).await.scim_error(413, None);
            w.client.put(&w.team, &group).await.scim_error(413, None);
            let swap = json!([{"op": "replace", "path": "members", "value": ids[..2]}]);
            assert_eq!(w.client.patch(&w.team, &swap).await.status, 200);
        }
        _ => no_case(key, ""),
    }
}

async fn forms(key: &str, word: &str) {
    let w = World::with("gateway", key, word).await;
    let filtered = w.set(&w.ida, "emails[type eq \"work\"].value", json!("new@x")).await;
    let plain = w.set(&w.ida, "title", json!("new")).await;
    let pathless = w.client.patch(&w.ida, &json!([{"op": "replace", "value": {"title": "newer"}}])).await;
    let members = json!([{"value": w.ida_id}]);
    let replaced = w.set(&w.team, "members", members.clone()).await;
    let inside = w.client.patch(&w.team, &json!([{"op": "replace", "value": {"members": members}}])).await;
    let removed = w.client.patch(&w.team, &json!([{"op": "remove", "path": "members"}])).await;
    let statuses = [&filtered, &plain, &pathless, &replaced, &inside, &removed].map(|answer| answer.status);
    match (key, word) {
        (_, "works") => assert_eq!(statuses, [200; 6]),
        ("patch-value-filters", "answers-400") => {
            assert_eq!(statuses, [400, 200, 200, 200, 200, 200]);
            filtered.scim_error(400, Some("invalidPath"));
        }
        ("patch-paths", "answers-400") => {
            assert_eq!(statuses, [400, 400, 200, 400, 200, 400]);
            plain.scim_error(400, Some("invalidPath"));
        }
        ("replace-all-members", "answers-400") => {
            assert_eq!(statuses, [200, 200, 200, 400, 400, 400]);
            removed.scim_error(400, Some("invalidValue"));
            let put = json!({"schemas": [GROUP], "displayName": "g", "members": members});
            w.client.put(&w.team, &put).await.scim_error(400, Some("invalidValue"));
            let one = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", w.ida_id)}]);
            assert_eq!(w.client.patch(&w.team, &one).await.status, 200);
            assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 1);
        }
        _ => no_case(key, word),
    }
}

async fn active_change(word: &str) {
    let w = World::with("gateway", "active-change", word).await;
    let enabled = w.set(&w.bob, "active", json!(true)).await;
    assert_eq!((enabled.status, &enabled.json()["active"]), (200, &json!(true)));
    let expected = if word == "replace" { Replace } else { PartialUpdate };
    assert_eq!(downstream(&w.app), [(expected, true)]);
    let put = w
        .client
        .put(&w.bob, &user("bob", json!({"title": "old", "externalId": "E-2", "active": false})))
        .await;
    assert_eq!((put.status, &put.json()["active"]), (200, &json!(false)));
    let (expected, status) = match word {
        "partial-update" => (PartialUpdate, 200),
        "replace" => (Replace, 200),
        "delete" => (Delete, 404),
        _ => no_case("active-change", word),
    };
    assert_eq!(downstream(&w.app), [(expected, true)]);
    assert_eq!(w.client.get(&w.bob).await.status, status);
    assert_eq!(w.set(&w.ida, "active", json!(false)).await.status, 200);
    assert_eq!(w.client.get(&w.ida).await.status, status);
}

async fn omissions(key: &str, word: &str) {
    let w = World::with("gateway", key, word).await;
    let active = |path: &str| w.stored(path).unwrap()["active"].clone();
    for (path, name) in [(&w.ida, "Ida"), (&w.bob, "bob")] {
        assert_eq!(w.client.put(path, &user(name, json!({"nickName": "n"}))).await.status, 200);
    }
    let ida = w.client.get(&w.ida).await.json();
    match (key, word) {
        (_, "removes") | ("put-without-active", _) => {
            assert_eq!(
                (&ida["title"], &ida["emails"], &ida["nickName"]),
                (&Value::Null, &Value::Null, &json!("n"))
            );
        }
        ("put-missing-attributes", "keeps") => {
            assert_eq!((&ida["title"], &ida["nickName"]), (&json!("old"), &json!("n")));
            assert_eq!(ida["emails"].as_array().unwrap().len(), 2);
            let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
            for (name, value) in [("department", "Ops"), ("division", "D")] {
                let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
                    "userName": "Ida", enterprise: {name: value}});
                assert_eq!(w.client.put(&w.ida, &body).await.status, 200);
            }
            let kept = &w.client.get(&w.ida).await.json()[enterprise];
            assert_eq!(*kept, json!({"department": "Ops", "division": "D"}));
            let group = json!({"schemas": [GROUP], "displayName": "new"});
            assert_eq!(w.client.put(&w.team, &group).await.json()["members"].as_array().unwrap().len(), 2);
        }
        _ => no_case(key, word),
    }
    let expected = match word {
        "activates" => [json!(true), json!(true)],
        "deactivates" => [json!(false), json!(false)],
        "clears" => [Value::Null, Value::Null],
        _ => [json!(true), json!(false)],
    };
    assert_eq!([active(&w.ida), active(&w.bob)], expected, "{word}");
    if word == "clears" {
        assert!(!w.client.get(&w.bob).await.json().as_object().unwrap().contains_key("active"));
        // Absent is not inactive.
        let inactive = w.client.query("/Users", &[("filter", "active eq false")]).await.json();
        assert_eq!(inactive["totalResults"], json!(0));
        let put = w.client.put(&w.bob, &user("bob", json!({"active": false}))).await;
        assert_eq!((put.status, active(&w.bob)), (200, json!(false)));
        w.app.check_consistency().unwrap();
    }
}

async fn dotted_paths(word: &str) {
    let w = World::with("gateway", "patch-dotted-paths", word).await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let department = format!("{enterprise}:department");
    let path = w.set(&w.ida, "name.givenName", json!("new")).await;
    let keys = json!([{"op": "replace", "value": {"name.familyName": "N", "nickName": "n"}}]);
    let keys = w.client.patch(&w.ida, &keys).await;
    let filtered = w.set(&w.ida, "emails[type eq \"work\"].value", json!("new@x")).await;
    let extension = w.set(&w.ida, &department, json!("Ops")).await;
    let read = w.client.get(&w.ida).await.json();
    assert_eq!([path.status, keys.status, filtered.status, extension.status], [200; 4]);
    // Without a dot, or with a filter, a path leads where it should.
    assert_eq!(
        (&read["nickName"], &read["emails"][0]["value"], &read[enterprise]["department"]),
        (&json!("n"), &json!("new@x"), &json!("Ops"))
    );
    assert_eq!(extension.json(), read);
    match word {
        "works" => {
            assert_eq!(read["name"], json!({"givenName": "new", "familyName": "N"}));
            assert!(read.get("name.givenName").is_none());
        }
        "swallowed" => {
            assert_eq!(read["name"], json!({"givenName": "Ida", "familyName": "L"}));
            assert_eq!((&read["name.givenName"], &read["name.familyName"]), (&json!("new"), &json!("N")));
            assert_eq!(path.json()["name.givenName"], json!("new"));
            let remove = json!([{"op": "remove", "path": "name.givenName"}]);
            let removed = w.client.patch(&w.ida, &remove).await.json();
            assert_eq!((removed.get("name.givenName"), &removed["name"]), (None, &read["name"]));
        }
        _ => no_case("patch-dotted-paths", word),
    }
}

async fn active(key: &str, word: &str) {
    let w = World::with("gateway", key, word).await;
    let enable = w.set(&w.bob, "active", json!(true)).await;
    let both = json!([{"op": "replace", "path": "title", "value": "new"}, {"op": "replace", "path": "active", "value": false}]);
    let disable = w.client.patch(&w.ida, &both).await;
    let create = w.client.post("/Users", &user("eve", json!({"active": false}))).await;
    let statuses = [enable.status, disable.status, create.status];
    let stored = |path: &str| w.stored(path).unwrap()["active"].clone();
    match (key, word) {
        (_, "works") => {
            assert_eq!(statuses, [200, 200, 201]);
            assert_eq!((stored(&w.bob), stored(&w.ida)), (json!(true), json!(false)));
            assert_eq!(create.json()["active"], json!(false));
        }
        ("enable", "answers-400") => {
            assert_eq!(statuses, [400, 200, 201]);
            enable.scim_error(400, Some("invalidValue"));
            assert_eq!(stored(&w.bob), json!(false));
            let put = w.client.put(&w.bob, &user("bob", json!({"active": true}))).await;
            put.scim_error(400, Some("invalidValue"));
        }
        ("disable", "answers-400") => {
            assert_eq!(statuses, [200, 400, 201]);
            disable.scim_error(400, Some("invalidValue"));
            let ida = w.stored(&w.ida).unwrap();
            assert_eq!((&ida["active"], &ida["title"]), (&json!(true), &json!("old")));
            let put = w.client.put(&w.ida, &user("Ida", json!({"active": false}))).await;
            put.scim_error(400, Some("invalidValue"));
        }
        ("disable", "ignored-200") => {
            assert_eq!(statuses, [200, 200, 201]);
            assert_eq!((&disable.json()["active"], &disable.json()["title"]), (&json!(true), &json!("new")));
            let put = w.client.put(&w.ida, &user("Ida", json!({"active": false, "title": "newer"}))).await;
            assert_eq!(
                (put.status, &put.json()["active"], &put.json()["title"]),
                (200, &json!(true), &json!("newer"))
            );
            assert_eq!(stored(&w.ida), json!(true));
        }
        ("create-disabled", "answers-400") => {
            assert_eq!(statuses, [200, 200, 400]);
            create.scim_error(400, Some("invalidValue"));
            assert_eq!(w.app.user_count(), 2);
        }
        ("create-disabled", "creates-enabled") => {
            assert_eq!((statuses, &create.json()["active"]), ([200, 200, 201], &json!(true)));
            assert_eq!(stored(&format!("/Users/{}", create.id())), json!(true));
        }
        _ => no_case(key, word),
    }
}

async fn values(key: &str, word: &str) {
    let w = World::with("gateway", key, word).await;
    let odd = json!({"type": "odd", "value": "x@y"});
    let nobody = json!([{"value": w.ida_id}, {"value": "nobody"}]);
    let group = json!({"schemas": [GROUP], "displayName": "g", "members": nobody});
    let (post, put, patch) = match key {
        "unknown-attributes" => (
            w.client.post("/Users", &user("eve", json!({"shoe": 43}))).await,
            w.client.put(&w.ida, &user("Ida", json!({"shoe": 43, "title": "new"}))).await,
            w.client.patch(&w.ida, &json!([{"op": "replace", "value": {"shoe": 43, "title": "new"}}])).await,
        ),
        "canonical-values" => (
            w.client.post("/Users", &user("eve", json!({"emails": [odd]}))).await,
            w.client.put(&w.ida, &user("Ida", json!({"emails": [odd]}))).await,
            w.client.patch(&w.ida, &json!([{"op": "add", "path": "emails", "value": [odd]}])).await,
        ),
        "unknown-member" => (
            w.client.post("/Groups", &group).await,
            w.client.put(&w.team, &group).await,
            w.client.patch(&w.team, &json!([{"op": "add", "path": "members", "value": nobody}])).await,
        ),
        _ => no_case(key, word),
    };
    let all = [&post, &put, &patch];
    match (key, word) {
        ("unknown-attributes", "dropped") => {
            assert_eq!(all.map(|answer| answer.status), [201, 200, 200]);
            assert!(all.iter().all(|answer| answer.json()["shoe"].is_null()));
            assert_eq!(patch.json()["title"], json!("new"));
            // A path is what the operation is about: RFC 7644 §3.5.2 has it refused.
            assert_eq!(w.set(&w.ida, "shoe", json!(43)).await.status, 400);
        }
        ("unknown-attributes", "refused") => {
            assert_eq!(all.map(|answer| answer.status), [400; 3]);
            assert!(post.text.contains("shoe") && patch.text.contains("shoe"));
        }
        ("canonical-values", "suggested") => {
            assert_eq!(all.map(|answer| answer.status), [201, 200, 200]);
            assert_eq!(post.json()["emails"][0]["type"], json!("odd"));
        }
        ("canonical-values", "enforced") => {
            for answer in all {
                assert!(answer.scim_error(400, Some("invalidValue")).contains("emails"));
            }
        }
        ("unknown-member", "refused") => {
            for answer in all {
                assert!(answer.scim_error(400, Some("invalidValue")).contains("members[1]"));
            }
        }
        ("unknown-member", "dropped") => {
            assert_eq!(all.map(|answer| answer.status), [201, 200, 200]);
            for answer in all {
                assert_eq!(answer.json()["members"].as_array().unwrap().len(), 1);
            }
        }
        _ => no_case(key, word),
    }
}
