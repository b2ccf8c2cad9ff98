//! `[requests]`.

use reqwest::Method;
use serde_json::{Value, json};

use super::{World, no_case, trying, words};
use crate::client::{Answer, PATCH, finish, user, with_body};

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("requests") {
        trying("requests", &key, &word);
        match key.as_str() {
            "user-agent" => user_agent(&word).await,
            "path-case" => path_case(&word).await,
            "content-type" => content_type(&word).await,
            "max-body" | "max-uri" | "max-headers" => size(&key).await,
            _ => match key.strip_prefix("dialects.") {
                Some(name) => dialect(name, &word).await,
                None => no_case(&key, &word),
            },
        }
    }
}

async fn user_agent(word: &str) {
    let w = World::with("requests", "user-agent", word).await;
    // The client of these tests sends none.
    for path in ["/Users", "/ServiceProviderConfig", "/nowhere"] {
        let without = w.client.get(path).await;
        let with = finish(w.client.request(Method::GET, path).header("user-agent", "tests/1")).await;
        let regular = if path == "/nowhere" { 404 } else { 200 };
        assert_eq!(with.status, regular);
        match word {
            "optional" => assert_eq!(without.status, regular),
            "required-403" => drop(without.scim_error(403, None)),
            "required-400" => drop(without.scim_error(400, None)),
            _ => no_case("user-agent", word),
        }
    }
}

async fn path_case(word: &str) {
    let w = World::with("requests", "path-case", word).await;
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": []});
    let mut answers: Vec<(String, Answer)> = Vec::new();
    for path in [
        "/users",
        "/USERS/",
        "/groups",
        "/serviceProviderConfig",
        "/schemas",
        "/resourcetypes",
        "/RESOURCETYPES/User",
    ] {
        answers.push((path.to_owned(), w.client.get(path).await));
    }
    let own = format!("/users/{}", w.ida_id);
    answers.push((own.clone(), w.client.get(&own).await));
    for (path, body) in
        [("/users/.search", &search), ("/Users/.SEARCH", &search), ("/.Search", &search), ("/bulk", &bulk)]
    {
        answers.push((path.to_owned(), w.client.post(path, body).await));
    }
    answers.push(("/me".to_owned(), finish(w.client.request(Method::TRACE, "/me")).await));
    for (path, answer) in answers {
        match word {
            "exact" if path == "/Users/.SEARCH" => drop(answer.scim_error(405, None)),
            "exact" => drop(answer.scim_error(404, None)),
            // Whose credentials these are nobody said; the path is known.
            "ignored" if path == "/me" => assert!(answer.text.contains("--me"), "{answer:?}"),
            "ignored" => assert_eq!(answer.status, 200, "{path}"),
            _ => no_case("path-case", word),
        }
    }
    // Ids keep their case.
    let shouted = format!("/Users/{}", w.ida_id.to_uppercase());
    assert_eq!(w.client.get(&shouted).await.status, 404);
}

async fn content_type(word: &str) {
    let w = World::with("requests", "content-type", word).await;
    for (n, (kind, lenient)) in [
        ("application/scim+json", true),
        ("Application/SCIM+JSON; charset=utf-8", true),
        ("application/json", false),
        ("text/plain", false),
        ("", false),
    ]
    .into_iter()
    .enumerate()
    {
        let request =
            w.client.request(Method::POST, "/Users").body(user(&format!("u{n}"), json!({})).to_string());
        let answer =
            finish(if kind.is_empty() { request } else { request.header("content-type", kind) }).await;
        match word {
            "lenient" if kind == "application/json" => assert_eq!(answer.status, 201),
            "lenient" | "strict" if lenient => assert_eq!(answer.status, 201, "{kind}"),
            "lenient" | "strict" => drop(answer.scim_error(415, None)),
            _ => no_case("content-type", word),
        }
    }
}

async fn size(key: &str) {
    let w = World::of(&format!("[requests]\n{key} = 1000")).await;
    let of = |length: usize| "x".repeat(length);
    let (small, large, status) = match key {
        "max-body" => {
            let post = |length: usize, name: &str| {
                let body = user(name, json!({"title": of(length)})).to_string();
                w.client
                    .request(Method::POST, "/Users")
                    .header("content-type", "application/scim+json")
                    .body(body)
            };
            (finish(post(700, "a")).await, finish(post(1000, "b")).await, 413)
        }
        "max-uri" => (
            w.client.get(&format!("/Users?x={}", of(900))).await,
            w.client.get(&format!("/Users?x={}", of(1000))).await,
            414,
        ),
        "max-headers" => {
            let get = |length: usize| w.client.request(Method::GET, "/Users").header("x-long", of(length));
            (finish(get(700)).await, finish(get(1000)).await, 431)
        }
        _ => no_case(key, ""),
    };
    assert!(small.status < 300, "{small:?}");
    assert!(large.scim_error(status, None).contains("1000"));
    assert_eq!(w.client.get("/Users").await.status, 200);
}

async fn dialect(name: &str, word: &str) {
    let w = World::of(&format!("[requests.dialects]\n{name} = \"{word}\"")).await;
    let send = |path: &str, body: Value| finish(with_body(w.client.request(Method::PATCH, path), &body));
    let ops = |operations: Value| json!({"schemas": [PATCH], "Operations": operations});
    let title = json!({"op": "replace", "path": "title", "value": "new"});
    let (answer, others): (Answer, Vec<Answer>) = match name {
        "capitalised-op" => {
            (send(&w.ida, ops(json!([{"op": "Replace", "path": "title", "value": "new"}]))).await, vec![])
        }
        "string-booleans" => {
            let post = w.client.post("/Users", &user("eve", json!({"active": "False"}))).await;
            let put = w.client.put(&w.bob, &user("bob", json!({"active": "True"}))).await;
            (
                send(&w.ida, ops(json!([{"op": "replace", "path": "active", "value": "False"}]))).await,
                vec![post, put],
            )
        }
        "dotted-keys" => {
            (send(&w.ida, ops(json!([{"op": "replace", "value": {"name.givenName": "I"}}]))).await, vec![])
        }
        "remove-by-value" => {
            let mails = json!([{"op": "remove", "path": "emails", "value": [{"value": "ida@home"}]}]);
            let mails = send(&w.ida, ops(mails)).await;
            let member = json!([{"op": "remove", "path": "members", "value": [{"value": w.bob_id}]}]);
            (send(&w.team, ops(member)).await, vec![mails])
        }
        "pathless-add" => {
            (send(&w.ida, ops(json!([{"op": "add", "value": {"title": "new"}}]))).await, vec![])
        }
        "single-operation" => {
            let bare = send(&w.ida, title.clone()).await;
            (send(&w.ida, ops(title.clone())).await, vec![bare])
        }
        "missing-schemas" => {
            let post = json!({"userName": "eve"});
            let post = finish(with_body(w.client.request(Method::POST, "/Users"), &post)).await;
            let put = json!({"schemas": [], "userName": "bob"});
            let put = finish(with_body(w.client.request(Method::PUT, &w.bob), &put)).await;
            let search = with_body(w.client.request(Method::POST, "/Users/.search"), &json!({"count": 1}));
            let bulk = json!({"Operations": [{"method": "DELETE", "path": format!("/Groups/{}", "none")}]});
            let bulk = finish(with_body(w.client.request(Method::POST, "/Bulk"), &bulk)).await;
            let others = vec![post, put, finish(search).await, bulk];
            (send(&w.ida, json!({"Operations": [title]})).await, others)
        }
        "duplicate-schemas" => {
            let twice = json!([
                "urn:ietf:params:scim:schemas:core:2.0:User",
                "urn:IETF:params:scim:schemas:core:2.0:User"
            ]);
            let post = w.client.post("/Users", &user("eve", json!({"schemas": twice}))).await;
            let put = w.client.put(&w.bob, &user("bob", json!({"schemas": twice}))).await;
            (send(&w.ida, json!({"schemas": [PATCH, PATCH], "Operations": [title]})).await, vec![post, put])
        }
        "unlisted-extensions" => {
            let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
            let body = |name: &str| user(name, json!({enterprise: {"division": "D"}}));
            let post = w.client.post("/Users", &body("eve")).await;
            let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{"method": "PUT", "path": w.bob, "data": body("bob")}]});
            let bulk = w.client.post("/Bulk", &bulk).await.json()["Operations"][0]["status"].clone();
            assert_eq!(bulk, json!(if word == "accepted" { "200" } else { "400" }));
            (w.client.put(&w.bob, &body("bob")).await, vec![post])
        }
        "bare-manager" => {
            let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
            let schemas = json!(["urn:ietf:params:scim:schemas:core:2.0:User", enterprise]);
            let body = |name: &str| {
                user(name, json!({"schemas": schemas, enterprise: {"manager": w.bob_id, "division": "D"}}))
            };
            let post = w.client.post("/Users", &body("eve")).await;
            let put = w.client.put(&w.bob, &body("bob")).await;
            let path = format!("{enterprise}:manager");
            let patch = send(&w.ida, ops(json!([{"op": "add", "path": path, "value": w.bob_id}]))).await;
            let whole = json!([{"op": "replace", "value": {enterprise: {"manager": w.bob_id}}}]);
            let whole = send(&w.ida, ops(whole)).await;
            let list = json!([{"$ref": "../Users/x", "value": w.bob_id}]);
            let listed = send(&w.ida, ops(json!([{"op": "add", "path": "manager", "value": list}]))).await;
            let zoe =
                json!({"schemas": schemas, enterprise: {"manager": [{"value": w.bob_id}], "division": "D"}});
            let posted = w.client.post("/Users", &user("zoe", zoe)).await;
            if word == "accepted" {
                let manager = json!({"value": w.bob_id});
                for answer in [&post, &put, &patch, &whole, &listed, &posted] {
                    assert_eq!(answer.json()[enterprise]["manager"]["value"], manager["value"], "{answer:?}");
                }
                assert_eq!(post.json()[enterprise]["division"], json!("D"));
            }
            (patch, vec![post, put, whole, listed, posted])
        }
        "filter-after-brackets" => {
            let filter = "emails[type eq \"work\"].value sw \"ida\"";
            let list = w.client.query("/Users", &[("filter", filter)]).await;
            let search =
                json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter});
            let search = w.client.post("/Users/.search", &search).await;
            if word == "accepted" {
                assert_eq!(
                    (&list.json()["totalResults"], &search.json()["totalResults"]),
                    (&json!(1), &json!(1))
                );
            } else {
                assert!(list.scim_error(400, Some("invalidFilter")).contains("behind `]`"), "{list:?}");
            }
            (list, vec![search])
        }
        "filter-missing-spaces" => {
            let list = w.client.query("/Users", &[("filter", "userName eq\"ida\"")]).await;
            let and = w.client.query("/Users", &[("filter", "title eq \"old\"and (active eq true)")]).await;
            let path = json!([{"op": "replace", "path": "emails[type eq\"work\"].value", "value": "new@x"}]);
            let path = send(&w.ida, ops(path)).await;
            if word == "accepted" {
                assert_eq!(
                    (&list.json()["totalResults"], &and.json()["totalResults"]),
                    (&json!(1), &json!(1))
                );
            } else {
                assert!(
                    list.scim_error(400, Some("invalidFilter")).contains("a space is missing after `eq`")
                );
                path.scim_error(400, Some("invalidPath"));
            }
            (list, vec![and, path])
        }
        "filter-literal-case" => {
            let list =
                w.client.query("/Users", &[("filter", "active eq True and userName eq \"ida\"")]).await;
            let null = w.client.query("/Users", &[("filter", "title ne NULL")]).await;
            let path = json!([{"op": "replace", "path": "emails[primary eq TRUE].display", "value": "d"}]);
            let path = if word == "accepted" { null.clone() } else { send(&w.ida, ops(path)).await };
            if word == "accepted" {
                assert_eq!(list.json()["totalResults"], json!(1));
            } else {
                assert!(list.scim_error(400, Some("invalidFilter")).contains("lower case, `true`"));
                path.scim_error(400, Some("invalidPath"));
            }
            (list, vec![null, path])
        }
        "filter-blanks" => {
            let mut others = Vec::new();
            for filter in [
                "userName  eq \"ida\"",
                "userName eq\t\"ida\"",
                "userName eq \"ida\"\n",
                "( userName eq \"ida\" )",
            ] {
                let list = w.client.query("/Users", &[("filter", filter)]).await;
                if word == "accepted" {
                    assert_eq!(list.json()["totalResults"], json!(1), "{filter:?}");
                } else {
                    assert!(list.scim_error(400, Some("invalidFilter")).contains("one space"), "{filter:?}");
                }
                others.push(list);
            }
            let path =
                json!([{"op": "replace", "path": "emails[ type eq \"work\" ].value", "value": "new@x"}]);
            (send(&w.ida, ops(path)).await, others)
        }
        _ => no_case(name, word),
    };
    let journal = w.app.journal();
    for answer in others.iter().chain([&answer]) {
        match word {
            "accepted" => assert!(answer.status < 300, "{name}: {answer:?}"),
            "refused" => assert_eq!(answer.status, 400, "{name}: {answer:?}"),
            _ => no_case(name, word),
        }
        assert!(answer.status < 300 || answer.json()["scimType"].is_string());
    }
    for exchange in &journal {
        let noted: Vec<&str> = exchange.dialects.iter().map(AsRef::as_ref).collect();
        let expected: &[&str] = if word == "accepted" { &[name] } else { &[] };
        assert_eq!(noted, expected);
    }
    if word == "accepted" {
        let (ida, team) = (w.stored(&w.ida).unwrap(), w.stored(&w.team).unwrap());
        match name {
            "string-booleans" => assert_eq!(
                (&ida["active"], &w.stored(&w.bob).unwrap()["active"]),
                (&json!(false), &json!(true))
            ),
            "dotted-keys" => assert_eq!(ida["name"], json!({"givenName": "I", "familyName": "L"})),
            "remove-by-value" => {
                assert_eq!(team["members"].as_array().unwrap().len(), 1);
                assert_eq!(ida["emails"].as_array().unwrap().len(), 1);
            }
            "unlisted-extensions"
            | "bare-manager"
            | "filter-after-brackets"
            | "filter-missing-spaces"
            | "filter-literal-case"
            | "filter-blanks" => {}
            _ => assert_eq!(ida["title"], json!("new")),
        }
    } else {
        let version = w.stored(&w.ida).unwrap()["meta"]["version"].clone();
        assert!(version.as_str().unwrap().starts_with("W/\"1."), "{version}");
    }
    // Other schemas than the right ones are wrong either way.
    let wrong = json!({"schemas": ["urn:x:y:z"], "Operations": [title]});
    send(&w.ida, wrong).await.scim_error(400, Some("invalidSyntax"));
    // What the RFC has is taken either way.
    let plain = json!([title, {"op": "replace", "value": {"nickName": "n"}}, {"op": "remove", "path": "emails[type eq \"work\"]"}]);
    assert_eq!(send(&w.ida, ops(plain)).await.status, 200);
}
