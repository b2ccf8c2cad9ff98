//! `[[rate-limit]]`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{Auth, Fault, Phase};
use reqwest::Method;
use serde_json::json;

use super::{GROUP, World, no_case, trying, words};
use crate::client::{finish, user, with_body};

#[tokio::test]
async fn every_word_is_seen() {
    for (key, word) in words("rate-limit") {
        trying("rate-limit", &key, &word);
        match key.as_str() {
            "per" => per(&word).await,
            "methods" => methods(&word).await,
            "retry-after" => retry_after(&word).await,
            "resource-type" => resource_type().await,
            "requests" | "window" | "burst" => bucket().await,
            "status" => status().await,
            "max-concurrent" => concurrent().await,
            _ => no_case(&key, &word),
        }
    }
}

async fn limited(switches: &str) -> World {
    let w = World::of(&format!("[[rate-limit]]\n{switches}")).await;
    w.app.clock().freeze_at("2026-11-24T10:00:00.5Z".parse::<Timestamp>().unwrap());
    w
}

async fn per(word: &str) {
    let w = limited(&format!("per = \"{word}\"\nrequests = 1")).await;
    w.app.set_auth(vec![Auth::bearer("mock-token"), Auth::bearer("other")]);
    // Who isn't let in isn't counted.
    let stranger = crate::client::http().get(format!("{}/Users", w.mock.scim_url()));
    assert_eq!(finish(stranger.bearer_auth("wrong")).await.status, 401);
    let mut statuses = vec![w.client.get(&w.ida).await.status];
    // The same endpoint, whatever the id, and another one.
    statuses.push(w.client.get(&w.bob).await.status);
    statuses.push(w.client.get("/Users?count=1").await.status);
    let with_other = crate::client::http().get(format!("{}{}", w.mock.scim_url(), w.ida));
    statuses.push(finish(with_other.bearer_auth("other")).await.status);
    let expected = match word {
        "token" => [200, 429, 429, 200],
        "route" => [200, 429, 200, 429],
        "application" => [200, 429, 429, 429],
        _ => no_case("per", word),
    };
    assert_eq!(statuses, expected);
    // Another application has its own.
    let config = mock_aquera::ApplicationConfig { profile: w.app.profile(), ..Default::default() };
    w.mock.create_application("second", config).unwrap();
    let second = crate::client::Client::at(w.mock.scim_url().replace("/scim", "/apps/second/scim"));
    assert_eq!(second.get("/Users").await.status, 200);
}

async fn methods(word: &str) {
    let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
    let counted: &[&str] = match word {
        "all" => &["get", "search", "post", "put", "patch", "delete"],
        "reads" => &["get", "search"],
        "writes" => &["post", "put", "patch", "delete"],
        "post" => &["post"],
        "put" => &["put"],
        "patch" => &["patch"],
        "delete" => &["delete"],
        _ => no_case("methods", word),
    };
    for method in ["get", "search", "post", "put", "patch", "delete"] {
        let w = limited(&format!("methods = \"{word}\"\nrequests = 1")).await;
        let mut statuses = Vec::new();
        for n in 0..2 {
            let answer = match method {
                "get" => w.client.get("/Users").await,
                "search" => w.client.post("/.search", &search).await,
                "post" => w.create(&format!("u{n}")).await,
                "put" => w.client.put(&w.ida, &user("Ida", json!({}))).await,
                "patch" => w.set(&w.ida, "title", json!("new")).await,
                _ => w.client.delete(&w.ida).await,
            };
            statuses.push(answer.status);
        }
        assert!(statuses[0] < 300, "{method}");
        assert_eq!(statuses[1] == 429, counted.contains(&method), "{word} {method} {statuses:?}");
    }
}

async fn retry_after(word: &str) {
    // Ten seconds until the next one.
    let w = limited(&format!("requests = 6\nwindow = \"60s\"\nburst = 1\nretry-after = \"{word}\"")).await;
    assert_eq!(w.client.get("/Users").await.status, 200);
    let answer = w.client.get("/Users").await;
    answer.scim_error(429, None);
    let expected = match word {
        "seconds" => "10",
        "date" => "Tue, 24 Nov 2026 10:00:11 GMT",
        "zero" => "0",
        "missing" => "",
        "too-short" => "5",
        "negative" => "-1",
        "garbage" => "soon",
        _ => no_case("retry-after", word),
    };
    assert_eq!(answer.header("retry-after"), expected);
    assert_eq!(answer.headers.contains_key("retry-after"), word != "missing");
    w.app.clock().advance(SignedDuration::from_secs(9));
    assert_eq!(w.client.get("/Users").await.status, 429);
    w.app.clock().advance(SignedDuration::from_secs(1));
    assert_eq!(w.client.get("/Users").await.status, 200);
}

async fn resource_type() {
    let w = limited("resource-type = \"Group\"\nrequests = 1").await;
    for _ in 0..3 {
        assert_eq!(w.client.get("/Users").await.status, 200);
        assert_eq!(w.client.get("/Schemas").await.status, 200);
    }
    assert_eq!(w.client.get("/Groups").await.status, 200);
    let post = with_body(
        w.client.request(Method::POST, "/Groups"),
        &json!({"schemas": [GROUP], "displayName": "g"}),
    );
    finish(post).await.scim_error(429, None);
}

async fn bucket() {
    let w = limited("requests = 2\nwindow = \"10s\"\nburst = 3").await;
    let take = async |count: usize| {
        let mut got = 0;
        for _ in 0..count {
            got += usize::from(w.client.get("/Users").await.status == 200);
        }
        got
    };
    assert_eq!(take(5).await, 3);
    w.app.clock().advance(SignedDuration::from_secs(5));
    assert_eq!(take(3).await, 1);
    w.app.clock().advance(SignedDuration::from_secs(100));
    assert_eq!(take(5).await, 3);
    // Refused requests change nothing, and the journal has them.
    assert_eq!(w.create("eve").await.status, 429);
    assert_eq!(w.app.user_count(), 2);
    assert_eq!(w.app.journal().pop().unwrap().downstream.len(), 0);
    w.app.reset();
    assert_eq!(w.client.get("/Users").await.status, 200);
}

async fn status() {
    let w = limited("requests = 1\nstatus = 503").await;
    assert_eq!(w.client.get("/Users").await.status, 200);
    let answer = w.client.get("/Users").await;
    answer.scim_error(503, None);
    assert_eq!(answer.header("retry-after"), "60");
}

async fn concurrent() {
    let w = limited("max-concurrent = 1").await;
    // One that waits is on its way until it is answered, or its client gives up.
    w.app.add_fault(Fault::latency(Duration::from_hours(1)).method("DELETE").phase(Phase::BeforeEffect));
    let slow = tokio::spawn(finish(w.client.request(Method::DELETE, &w.ida)));
    let seen = async |wanted: u16| {
        for _ in 0..1000 {
            let answer = w.client.get("/Users").await;
            if answer.status == wanted {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{wanted} was not seen")
    };
    let refused = seen(429).await;
    refused.scim_error(429, None);
    assert_eq!(refused.header("retry-after"), "1");
    slow.abort();
    let _: Result<_, _> = slow.await;
    seen(200).await;
    assert_eq!(w.app.user_count(), 2);
}
