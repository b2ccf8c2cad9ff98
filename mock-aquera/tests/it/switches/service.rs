//! `[discovery]` and `[features]`.

use mock_aquera::Auth;
use reqwest::Method;
use serde_json::{Value, json};

use super::{World, no_case, trying, words};
use crate::client::{finish, http, user};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

#[tokio::test]
async fn every_word_of_discovery_is_seen() {
    for (key, word) in words("discovery") {
        trying("discovery", &key, &word);
        match key.as_str() {
            "patch" | "bulk" | "filter" | "sort" | "etag" | "change-password" => claim(&key, &word).await,
            "lacks" => lacks(&word).await,
            "service-provider-config" | "schemas" | "resource-types" => endpoint(&key, &word).await,
            "access" => access(&word).await,
            _ => no_case(&key, &word),
        }
    }
}

/// What is said, where it works and where it does not.
async fn claim(key: &str, word: &str) {
    let (member, without) = match key {
        "patch" => ("patch", "[gateway]\npatch = \"answers-501\""),
        "bulk" => ("bulk", "[features]\nbulk = \"answers-501\""),
        "filter" => ("filter", "[filter]\nsubset = \"none\""),
        "sort" => ("sort", "[list]\nsort = \"ignored\""),
        "etag" => ("etag", "[features]\netag = \"none\""),
        "change-password" => ("changePassword", "[features]\nchange-password = \"answers-501\""),
        _ => no_case(key, word),
    };
    let claimed = match word {
        "truthful" => [true, false],
        "claimed" => [true, true],
        "denied" => [false, false],
        _ => no_case(key, word),
    };
    for (more, claimed) in ["", without].into_iter().zip(claimed) {
        let w = World::of(&format!("[discovery]\n{key} = \"{word}\"\n{more}")).await;
        let config = w.client.get("/ServiceProviderConfig").await.json();
        assert_eq!(config[member]["supported"], json!(claimed), "{more}");
        if key == "bulk" {
            assert_eq!(config["bulk"]["maxOperations"], json!(if claimed { 1000 } else { 0 }));
        }
        // What is said is all that changes.
        let works = more.is_empty();
        assert_eq!(w.set(&w.ida, "title", json!("new")).await.status == 200, works || key != "patch");
        assert_eq!(w.client.get(&w.ida).await.headers.contains_key("etag"), works || key != "etag");
        let filtered = w.client.query("/Users", &[("filter", "title pr")]).await.status;
        assert_eq!(filtered == 200, works || key != "filter");
    }
}

async fn lacks(word: &str) {
    let whole = World::of("").await.client.get("/ServiceProviderConfig").await.json();
    let w = World::of(&format!("[discovery]\nlacks = [\"{word}\"]")).await;
    let mut without = w.client.get("/ServiceProviderConfig").await.json();
    let pointer = format!("/{}", word.replace('.', "/"));
    assert!(without.pointer(&pointer).is_none(), "{without}");
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    let lacking = whole.pointer(&pointer).unwrap().clone();
    without.pointer_mut(holder).unwrap()[name] = lacking;
    // The port differs.
    let mut whole = whole;
    for config in [&mut without, &mut whole] {
        config["meta"]["location"] = Value::Null;
    }
    assert_eq!(without, whole);
}

async fn endpoint(key: &str, word: &str) {
    let w = World::with("discovery", key, word).await;
    let paths: &[&str] = match key {
        "service-provider-config" => &["/ServiceProviderConfig"],
        "schemas" => &["/Schemas", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"],
        _ => &["/ResourceTypes", "/ResourceTypes/User"],
    };
    for path in ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes"].iter().chain(paths) {
        let answer = w.client.get(path).await;
        match word {
            _ if !paths.contains(path) => assert_eq!(answer.status, 200, "{path}"),
            "served" => assert_eq!(answer.status, 200, "{path}"),
            "answers-404" => drop(answer.scim_error(404, None)),
            "answers-501" => drop(answer.scim_error(501, None)),
            _ => no_case(key, word),
        }
    }
}

async fn access(word: &str) {
    let w = World::with("discovery", "access", word).await;
    for path in
        ["/ServiceProviderConfig", "/Schemas", "/ResourceTypes", "/ResourceTypes/User", "/Users", "/nowhere"]
    {
        let url = format!("{}{path}", w.mock.scim_url());
        let bare = finish(http().get(&url)).await;
        let wrong = finish(http().get(&url).bearer_auth("wrong")).await;
        let open = match word {
            "guarded" => false,
            "public" => !["/Users", "/nowhere"].contains(&path),
            _ => no_case("access", word),
        };
        for answer in [bare, wrong] {
            assert_eq!(answer.status, if open { 200 } else { 401 }, "{path}");
        }
    }
}

#[tokio::test]
async fn every_word_of_features_is_seen() {
    for (key, word) in words("features") {
        trying("features", &key, &word);
        match key.as_str() {
            "me" | "bulk" | "search" | "change-password" => feature(&key, &word).await,
            "bulk-max-operations" | "bulk-max-payload" => bulk_limit(&key).await,
            "etag" => etag(&word).await,
            _ => no_case(&key, &word),
        }
    }
}

fn bulk(count: usize) -> Value {
    let one = |n: usize| json!({"method": "POST", "path": "/Users", "bulkId": n.to_string(), "data": user(&format!("u{n}"), json!({}))});
    json!({"schemas": [BULK], "Operations": (0..count).map(one).collect::<Vec<_>>()})
}

async fn feature(key: &str, word: &str) {
    let w = World::with("features", key, word).await;
    w.app.set_auth(vec![Auth::bearer("mock-token").as_user("ida")]);
    let password = user("Ida", json!({"title": "new", "password": "hunter2"}));
    let answers = match key {
        "me" => vec![w.client.get("/Me").await, w.set("/Me", "title", json!("new")).await],
        "bulk" => vec![w.client.post("/Bulk", &bulk(2)).await],
        "search" => {
            let body = json!({"schemas": [SEARCH], "filter": "title pr"});
            vec![w.client.post("/.search", &body).await, w.client.post("/Users/.search", &body).await]
        }
        _ => {
            let inside = json!([{"op": "replace", "value": {"title": "new", "password": "hunter2"}}]);
            vec![
                w.client.put(&w.ida, &password).await,
                w.set(&w.ida, "password", json!("hunter2")).await,
                w.client.patch(&w.ida, &inside).await,
            ]
        }
    };
    for answer in &answers {
        match word {
            "works" => assert_eq!(answer.status, 200, "{answer:?}"),
            "answers-404" => drop(answer.scim_error(404, None)),
            "answers-501" => drop(answer.scim_error(501, None)),
            _ => no_case(key, word),
        }
        assert!(!answer.text.contains("hunter2"));
    }
    let works = word == "works";
    let config = w.client.get("/ServiceProviderConfig").await.json();
    match key {
        "bulk" => {
            assert_eq!(
                (config["bulk"]["supported"].clone(), w.app.user_count()),
                (json!(works), if works { 4 } else { 2 })
            );
        }
        "change-password" => {
            assert_eq!(config["changePassword"]["supported"], json!(works));
            assert_eq!(w.stored(&w.ida).unwrap()["title"], json!(if works { "new" } else { "old" }));
            // A first password is no change.
            assert_eq!(w.client.post("/Users", &user("eve", json!({"password": "x"}))).await.status, 201);
        }
        "me" => {
            assert_eq!(w.stored(&w.ida).unwrap()["title"], json!(if works { "new" } else { "old" }));
        }
        _ => {}
    }
    assert_eq!(w.client.get("/Users").await.status, 200);
}

async fn bulk_limit(key: &str) {
    let small = bulk(2);
    let limit = if key == "bulk-max-operations" { 2 } else { small.to_string().len() };
    let w = World::of(&format!("[features]\n{key} = {limit}")).await;
    let config = w.client.get("/ServiceProviderConfig").await.json()["bulk"].clone();
    let name = if key == "bulk-max-operations" { "maxOperations" } else { "maxPayloadSize" };
    assert_eq!(config[name], json!(limit));
    assert!(w.client.post("/Bulk", &bulk(3)).await.scim_error(413, None).contains(name));
    assert_eq!(w.app.user_count(), 2);
    assert_eq!(w.client.post("/Bulk", &small).await.status, 200);
    assert_eq!(w.app.user_count(), 4);
}

async fn etag(word: &str) {
    let w = World::with("features", "etag", word).await;
    let read = w.client.get(&w.ida).await;
    let post = w.create("eve").await;
    let with = |method: Method, name: &str, tag: &str| w.client.request(method, &w.ida).header(name, tag);
    let first = w.stored(&w.ida).unwrap()["meta"]["version"].as_str().unwrap().to_owned();
    let fresh = finish(with(Method::GET, "if-none-match", &first)).await;
    let changed = w.set(&w.ida, "title", json!("new")).await;
    let late = finish(with(Method::DELETE, "if-match", &first)).await;
    match word {
        "works" => {
            assert_eq!((read.header("etag"), post.header("etag")), (first.as_str(), "W/\"1\""));
            assert!(changed.header("etag").starts_with("W/\"2."));
            assert_eq!((fresh.status, fresh.text.as_str()), (304, ""));
            late.scim_error(412, None);
            let after = w.client.get(&w.ida).await;
            assert_eq!(after.json()["meta"]["version"], json!(after.header("etag")));
            assert_eq!(after.header("etag"), changed.header("etag"));
        }
        "none" => {
            for answer in [&read, &post, &fresh, &changed] {
                assert!(answer.status < 300 && !answer.headers.contains_key("etag"), "{answer:?}");
                assert_eq!(answer.json()["meta"].get("version"), None);
            }
            let list = w.client.get("/Users").await.json();
            assert_eq!(list["Resources"][0]["meta"].get("version"), None);
            assert_eq!(late.status, 204);
        }
        _ => no_case("etag", word),
    }
}
