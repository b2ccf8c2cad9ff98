//! `[list]`.

use serde_json::{Value, json};

use super::{GROUP, World, no_case, trying, words};
use crate::client::Answer;

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("list") {
        trying("list", &key, &word);
        match key.as_str() {
            "max-count" | "default-count" | "max-start-index" | "members-cut" => number(&key).await,
            "start-index" | "past-end" | "total-results" | "pages" | "items-per-page" => {
                pages(&key, &word).await;
            }
            "without-filter" => without_filter(&word).await,
            "filtered-groups-start-index" => filtered_groups(&word).await,
            "cursor" => cursor(&word).await,
            "sort" => sort(&word).await,
            "members" | "group-members-in-lists" => members(&key, &word).await,
            "members-past-cut" => past_cut(&word).await,
            _ => no_case(&key, &word),
        }
    }
}

/// With users u0 to u4 and nobody else.
async fn five(switches: &str) -> World {
    let w = World::of(switches).await;
    for id in [&w.ida_id, &w.bob_id] {
        w.app.remove_user(id);
    }
    for n in 0..5 {
        w.app.seed_user(json!({"userName": format!("u{n}"), "title": format!("t{}", 9 - n)}));
    }
    w
}

fn names(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    let list = answer.json();
    let names = list["Resources"].as_array().unwrap().iter();
    names.map(|user| user["userName"].as_str().unwrap().trim_start_matches('u').to_owned()).collect()
}

/// `totalResults`, `startIndex` and `itemsPerPage`.
fn told(answer: &Answer) -> [Value; 3] {
    let list = answer.json();
    ["totalResults", "startIndex", "itemsPerPage"].map(|name| list[name].clone())
}

async fn number(key: &str) {
    match key {
        "max-count" => {
            let w = five("[list]\nmax-count = 2").await;
            let answer = w.client.get("/Users?count=4").await;
            assert_eq!((names(&answer).as_str(), told(&answer)), ("01", [json!(5), json!(1), json!(2)]));
            assert_eq!(names(&w.client.get("/Users").await), "01");
            assert_eq!(names(&w.client.get("/Users?count=0").await), "");
            let config = w.client.get("/ServiceProviderConfig").await.json();
            assert_eq!(
                (&config["filter"]["maxResults"], &config["pagination"]["maxPageSize"]),
                (&json!(2), &json!(2))
            );
        }
        "default-count" => {
            let w = five("[list]\ndefault-count = 2").await;
            assert_eq!(names(&w.client.get("/Users").await), "01");
            assert_eq!(names(&w.client.query("/Users", &[("filter", "userName sw \"u\"")]).await), "01");
            assert_eq!(names(&w.client.get("/Users?count=4").await), "0123");
        }
        "max-start-index" => {
            let w = five("[list]\nmax-start-index = 3").await;
            assert_eq!(names(&w.client.get("/Users?startIndex=3").await), "234");
            w.client.get("/Users?startIndex=4").await.scim_error(400, Some("invalidValue"));
        }
        "members-cut" => {
            let w = World::of("[list]\nmembers-cut = 1").await;
            let read = w.client.get(&w.team).await.json();
            let listed = w.client.get("/Groups").await.json()["Resources"][0].clone();
            assert_eq!(read["members"].as_array().unwrap().len(), 1);
            assert_eq!(read["members"][0]["value"], json!(w.ida_id));
            assert_eq!(listed, read);
            // They are there all the same.
            assert_eq!(w.client.get(&w.bob).await.json()["groups"].as_array().unwrap().len(), 1);
        }
        _ => no_case(key, ""),
    }
}

async fn pages(key: &str, word: &str) {
    let w = five(&format!("[list]\n{key} = \"{word}\"")).await;
    let mut pages = Vec::new();
    for start in ["1", "3", "5"] {
        pages.push(w.client.query("/Users", &[("startIndex", start), ("count", "2")]).await);
    }
    let shown: Vec<String> = pages.iter().map(names).collect();
    let filter = [("filter", "userName sw \"u\""), ("startIndex", "3"), ("count", "2")];
    let filtered = w.client.query("/Users", &filter).await;
    assert_eq!((filtered.status, &filtered.text), (200, &pages[1].text), "a filter that all satisfy");
    let past = w.client.get("/Users?startIndex=9").await;
    let n = |number: i32| json!(number);
    let regular = [n(5), n(3), n(2)];
    match (key, word) {
        ("start-index", "honoured")
        | ("past-end", "empty")
        | ("total-results", "true-total")
        | ("pages", "true-pages")
        | ("items-per-page", "length") => {
            assert_eq!((shown, told(&pages[1])), (vec!["01".into(), "23".into(), "4".into()], regular));
            assert_eq!((names(&past).as_str(), told(&past)), ("", [n(5), n(9), n(0)]));
            assert_eq!(told(&pages[2]), [n(5), n(5), n(1)]);
        }
        ("start-index", "ignored") => {
            assert_eq!((shown, told(&pages[1])), (vec!["01".into(); 3], [n(5), n(1), n(2)]));
        }
        ("start-index", "from-zero") => {
            assert_eq!(
                (shown, told(&pages[1])),
                (vec!["12".into(), "34".into(), String::new()], [n(5), n(3), n(2)])
            );
            let first = w.client.get("/Users?startIndex=0&count=2").await;
            assert_eq!((names(&first).as_str(), told(&first)), ("01", [n(5), n(0), n(2)]));
            assert_eq!(told(&w.client.get("/Users").await)[1], n(0));
        }
        ("past-end", "answers-400") => drop(past.scim_error(400, None)),
        ("past-end", "answers-404") => {
            past.scim_error(404, None);
            // Where there is nothing at all, the first page is not past the end.
            assert_eq!(names(&w.client.query("/Users", &[("filter", "userName eq \"x\"")]).await), "");
        }
        ("total-results", "page-length") => {
            assert_eq!(told(&pages[1]), [n(2), n(3), n(2)]);
            assert_eq!(told(&pages[2])[0], n(1));
        }
        ("total-results", "one-more") => assert_eq!(told(&pages[1])[0], n(6)),
        ("total-results", "missing") => assert_eq!(told(&pages[1]), [Value::Null, n(3), n(2)]),
        ("pages", "repeated") => assert_eq!((shown, told(&pages[1])), (vec!["01".into(); 3], regular)),
        ("pages", "overlapping") => {
            assert_eq!((shown, told(&pages[1])), (vec!["01".into(), "12".into(), "34".into()], regular));
        }
        ("pages", "empty-before-end") => {
            assert_eq!(
                (shown, told(&pages[1])),
                (vec!["01".into(), String::new(), "4".into()], [n(5), n(3), n(0)])
            );
        }
        ("items-per-page", "limit") => assert_eq!(told(&pages[2]), [n(5), n(5), n(2)]),
        ("items-per-page", "missing") => assert_eq!(told(&pages[2]), [n(5), n(5), Value::Null]),
        _ => no_case(key, word),
    }
}

async fn without_filter(word: &str) {
    let w = World::with("list", "without-filter", word).await;
    let (bare, root) = (w.client.get("/Users").await, w.client.get("/").await);
    match word {
        "all" => assert_eq!((told(&bare)[0].clone(), told(&root)[0].clone()), (json!(2), json!(3))),
        "one-synthetic" => {
            let list = bare.json();
            assert_eq!((bare.status, told(&bare)), (200, [json!(1), json!(1), json!(1)]));
            let id = list["Resources"][0]["id"].as_str().unwrap();
            assert_eq!(w.client.get(&format!("/Users/{id}")).await.status, 404);
            assert_eq!(told(&root)[0], json!(1));
        }
        "answers-400" => {
            bare.scim_error(400, Some("tooMany"));
            root.scim_error(400, Some("tooMany"));
        }
        "answers-403" => {
            bare.scim_error(403, None);
            root.scim_error(403, None);
        }
        _ => no_case("without-filter", word),
    }
    let filtered = w.client.query("/Users", &[("filter", "userName eq \"ida\"")]).await.json();
    assert_eq!((&filtered["totalResults"], &filtered["Resources"][0]["id"]), (&json!(1), &json!(w.ida_id)));
    // It is about users.
    assert_eq!(w.client.get("/Groups").await.json()["Resources"][0]["displayName"], json!("old"));
}

async fn filtered_groups(word: &str) {
    let w = World::with("list", "filtered-groups-start-index", word).await;
    w.app.seed("Group", json!({"schemas": [GROUP], "displayName": "older"}));
    let ask = [("filter", "displayName sw \"old\""), ("startIndex", "2")];
    let second = w.client.query("/Groups", &ask).await;
    match word {
        "works" => assert_eq!(second.json()["Resources"][0]["displayName"], json!("older")),
        "answers-501" => drop(second.scim_error(501, None)),
        _ => no_case("filtered-groups-start-index", word),
    }
    for (path, ask) in [
        ("/Groups", &[("filter", "displayName sw \"old\""), ("startIndex", "1")][..]),
        ("/Groups", &[("startIndex", "2")]),
        ("/Users", &[("filter", "title eq \"old\""), ("startIndex", "2")]),
    ] {
        assert_eq!(w.client.query(path, ask).await.status, 200, "{path} {ask:?}");
    }
}

async fn cursor(word: &str) {
    let w = five(&format!("[list]\ncursor = \"{word}\"")).await;
    let config = w.client.get("/ServiceProviderConfig").await.json()["pagination"].clone();
    let by_cursor = w.client.get("/Users?cursor&count=2").await;
    let by_index = w.client.get("/Users?startIndex=3&count=2").await;
    let claims = (config["cursor"].clone(), config["index"].clone());
    let next = by_cursor.json()["nextCursor"].clone();
    match word {
        "both" => {
            assert_eq!((claims, names(&by_index).as_str()), ((json!(true), json!(true)), "23"));
            let second =
                w.client.query("/Users", &[("cursor", next.as_str().unwrap()), ("count", "2")]).await;
            assert_eq!(names(&second), "23");
            assert_eq!(by_index.json()["nextCursor"], Value::Null);
        }
        "none" => {
            assert_eq!(
                (claims, names(&by_index).as_str(), next),
                ((json!(false), json!(true)), "23", Value::Null)
            );
            assert_eq!(
                (names(&by_cursor).as_str(), told(&by_cursor)),
                ("01", [json!(5), json!(1), json!(2)])
            );
        }
        "only" => {
            assert_eq!((claims, names(&by_index).as_str()), ((json!(true), json!(false)), "01"));
            assert_eq!(told(&by_index)[1], Value::Null);
            let next = by_index.json()["nextCursor"].as_str().unwrap().to_owned();
            let second = w.client.query("/Users", &[("cursor", &next), ("count", "2")]).await;
            assert_eq!(names(&second), "23");
            let default = w.client.get("/Users").await.json();
            assert_eq!((&default["startIndex"], &default["totalResults"]), (&Value::Null, &json!(5)));
        }
        _ => no_case("cursor", word),
    }
}

async fn sort(word: &str) {
    let w = five(&format!("[list]\nsort = \"{word}\"")).await;
    let sorted = w.client.get("/Users?sortBy=title").await;
    match word {
        "works" => assert_eq!(names(&sorted), "43210"),
        "ignored" => assert_eq!(names(&sorted), "01234"),
        "answers-400" => drop(sorted.scim_error(400, Some("invalidValue"))),
        "answers-501" => drop(sorted.scim_error(501, None)),
        _ => no_case("sort", word),
    }
    let claimed = w.client.get("/ServiceProviderConfig").await.json()["sort"]["supported"].clone();
    assert_eq!(claimed, json!(word == "works"));
    assert_eq!(names(&w.client.get("/Users").await), "01234");
}

async fn members(key: &str, word: &str) {
    let w = World::with("list", key, word).await;
    let read = w.client.get(&w.team).await.json();
    let listed = w.client.get("/Groups").await.json()["Resources"][0].clone();
    let found = w.client.query("/Groups", &[("filter", "displayName eq \"old\"")]).await.json()["Resources"]
        [0]
    .clone();
    assert_eq!(found, listed);
    let shown = |group: &Value| group.get("members").map(|members| members.as_array().unwrap().len());
    let expected = match (key, word) {
        ("members", "whole") | ("group-members-in-lists", "as-read") => (Some(2), Some(2)),
        ("members", "missing") => (None, None),
        ("members", "empty") => (Some(0), Some(0)),
        ("group-members-in-lists", "missing") => (Some(2), None),
        ("group-members-in-lists", "empty") => (Some(2), Some(0)),
        _ => no_case(key, word),
    };
    assert_eq!((shown(&read), shown(&listed)), expected);
    assert_eq!(w.stored(&w.team).unwrap()["members"].as_array().unwrap().len(), 2);
    assert_eq!(w.client.get(&w.ida).await.json()["groups"].as_array().unwrap().len(), 1);
    // A filter still looks at who is in the group.
    let by_member = format!("members.value eq \"{}\"", w.ida_id);
    let by_member = w.client.query("/Groups", &[("filter", &by_member)]).await.json();
    assert_eq!(by_member["totalResults"], json!(1));
}

async fn past_cut(word: &str) {
    let w = World::of(&format!("[list]\nmembers-cut = 1\nmembers-past-cut = \"{word}\"")).await;
    let eve = w.app.seed_user(json!({"userName": "eve"}));
    assert_eq!(w.set(&w.team, "displayName", json!("new")).await.status, 200);
    let left = |w: &World| {
        let group = w.stored(&w.team).unwrap();
        group["members"].as_array().unwrap().iter().map(|member| member["value"].clone()).collect::<Vec<_>>()
    };
    match word {
        "kept" => assert_eq!(left(&w), [json!(w.ida_id), json!(w.bob_id)]),
        "dropped" => {
            assert_eq!(left(&w), [json!(w.ida_id)]);
            assert_eq!(w.client.get(&w.bob).await.json()["groups"], Value::Null);
            let add = json!([{"op": "add", "path": "members", "value": [{"value": eve}]}]);
            assert_eq!(w.client.patch(&w.team, &add).await.status, 200);
            assert_eq!(left(&w), [json!(w.ida_id), json!(eve)]);
            let again = json!([{"op": "add", "path": "members", "value": [{"value": w.bob_id}]}]);
            assert_eq!(w.client.patch(&w.team, &again).await.status, 200);
            assert_eq!(left(&w), [json!(w.ida_id), json!(w.bob_id)]);
        }
        _ => no_case("members-past-cut", word),
    }
    w.app.check_consistency().unwrap();
}
