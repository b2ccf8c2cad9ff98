//! From where administration may be used.

use mock_aquera::{Application, MockAquera};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, finish, http, start};
use crate::raw::{Raw, RawReply};

const RULE: &str = r#"{"rule":"status=503"}"#;

/// Sends these lines to administration; gives the reply.
async fn sent(mock: &MockAquera, method: &str, path: &str, lines: &str, body: &str) -> RawReply {
    let mut raw = Raw::connect(mock.addr()).await;
    let length = body.len();
    raw.send(format!("{method} /_mock{path} HTTP/1.1\r\n{lines}content-length: {length}\r\n\r\n{body}"))
        .await;
    raw.read().await.reply()
}

fn is_untouched(application: &Application) -> bool {
    application.faults().is_empty() && application.user_count() == 1 && !application.clock().state().frozen
}

#[tokio::test]
async fn a_page_of_another_origin_changes_nothing_and_reads_nothing() {
    let mock = start().await;
    let application = mock.default_application();
    application.seed_user(json!({"userName": "ann"}));
    for page in [
        "origin: https://evil.example.com",
        "origin: null",
        "origin: http://localhost:3000",
        "sec-fetch-site: cross-site",
    ] {
        for (method, path, body) in [
            ("POST", "/applications/default/faults", RULE),
            ("POST", "/applications/default/users", r#"{"userName":"x"}"#),
            ("POST", "/applications/default/clock", r#"{"freeze":true}"#),
            ("POST", "/applications/default/reset", ""),
            ("POST", "/reset", ""),
            ("DELETE", "/applications/default/users", ""),
            ("GET", "/applications/default/dump", ""),
            ("OPTIONS", "/applications/default/faults", ""),
        ] {
            let lines = format!("host: localhost\r\n{page}\r\ncontent-type: application/json\r\n");
            let reply = sent(&mock, method, path, &lines, body).await;
            assert_eq!(reply.status, 403, "{page} {method} {path}");
            assert!(String::from_utf8_lossy(&reply.body).contains("--cors"), "{reply:?}");
            assert_eq!(reply.header("access-control-allow-origin"), None);
            assert!(is_untouched(&application), "{page} {method} {path}");
        }
    }
    // A page of its own, such as the index, may.
    let own = "host: localhost\r\norigin: http://localhost\r\ncontent-type: application/json\r\n";
    assert_eq!(sent(&mock, "POST", "/applications/default/faults", own, RULE).await.status, 201);
}

#[tokio::test]
async fn a_host_name_of_somebody_else_leads_nowhere() {
    let mock = start().await;
    for path in ["/applications/default/dump", "", "/metrics"] {
        let reply = sent(&mock, "GET", path, "host: evil.example.com:80\r\n", "").await;
        assert_eq!(reply.status, 403, "{path}");
        assert!(String::from_utf8_lossy(&reply.body).contains("--admin-host evil.example.com"), "{reply:?}");
    }
    assert_eq!(sent(&mock, "GET", "/health", "host: mock\r\n", "").await.status, 200);
    let named = MockAquera::builder()
        .admin_host("Mock")
        .public_url("https://scim.example.com/x".parse().unwrap())
        .start()
        .await
        .unwrap();
    for (host, status) in [("mock:8080", 200), ("SCIM.example.com", 200), ("other", 403), ("192.0.2.1", 200)]
    {
        let reply = sent(&named, "GET", "/applications", &format!("host: {host}\r\n"), "").await;
        assert_eq!(reply.status, status, "{host}");
    }
    // Whoever knows the token knows where it goes.
    let guarded = MockAquera::builder().admin_token("s3cret").start().await.unwrap();
    let lines = "host: mock\r\nauthorization: Bearer s3cret\r\n";
    assert_eq!(sent(&guarded, "GET", "/applications", lines, "").await.status, 200);
    assert_eq!(sent(&guarded, "GET", "/applications", "host: mock\r\n", "").await.status, 401);
    let page = format!("{lines}origin: https://evil.example.com\r\n");
    assert_eq!(sent(&guarded, "GET", "/applications", &page, "").await.status, 403);
}

/// What a page may send unasked has one of the first media types.
#[tokio::test]
async fn a_body_says_that_it_is_json() {
    let mock = start().await;
    let application = mock.default_application();
    application.seed_user(json!({"userName": "ann"}));
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/xml",
    ] {
        let header = if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
        for (method, path, body) in [
            ("POST", "/applications/default/faults", RULE),
            ("POST", "/applications/default/faults", "status=503"),
            ("POST", "/applications/default/users", r#"{"userName":"x"}"#),
            ("POST", "/applications/default/clock", r#"{"freeze":true}"#),
            ("POST", "/applications/default/load", r#"{"userName":"x"}"#),
            ("PUT", "/applications/default/profile", "\"slack\""),
        ] {
            let reply = sent(&mock, method, path, &format!("host: localhost\r\n{header}"), body).await;
            let told = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(
                reply.status == 415 && told.contains("Content-Type: application/json"),
                "{kind} {path} {told}"
            );
            assert!(is_untouched(&application), "{kind} {path}");
        }
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/scim+json"] {
        let lines = format!("host: localhost\r\ncontent-type: {kind}\r\n");
        assert_eq!(
            sent(&mock, "POST", "/applications/default/verify", &lines, r#"{"times":"never"}"#).await.status,
            200,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_named_origin_may_use_everything() {
    let page = "https://console.example.com";
    let mock = MockAquera::builder().cors(page.parse().unwrap()).start().await.unwrap();
    let (client, admin) = (Client::of(&mock), Admin::of(&mock));
    let id = mock.default_application().seed_user(json!({"userName": "ann"}));
    for url in [
        format!("{}/Users", mock.scim_url()),
        format!("{}/applications/default/faults", mock.admin_url()),
        mock.token_url(),
    ] {
        let asked = http()
            .request(Method::OPTIONS, &url)
            .header("origin", page)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization,content-type");
        let answer = finish(asked).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, page), "{url}");
        assert!(answer.header("access-control-allow-methods").contains("PATCH"), "{answer:?}");
        assert_eq!(answer.header("access-control-allow-headers"), "authorization,content-type");
        assert_eq!(answer.header("vary"), "Origin");
    }
    for path in [format!("/Users/{id}"), "/Users".to_owned(), "/nowhere".to_owned()] {
        let answer = finish(client.request(Method::GET, &path).header("origin", page)).await;
        assert_eq!(answer.header("access-control-allow-origin"), page, "{path}");
        assert!(answer.header("access-control-expose-headers").contains("ETag"));
        let other =
            finish(client.request(Method::GET, &path).header("origin", "https://evil.example.com")).await;
        assert_eq!(other.header("access-control-allow-origin"), "", "{path}");
    }
    let made = admin.request(Method::POST, "/applications/default/faults").header("origin", page);
    let made = finish(made.header("content-type", "application/json").body(RULE)).await;
    assert_eq!((made.status, made.header("access-control-allow-origin")), (201, page));
    let asked = http().request(Method::OPTIONS, format!("{}/Users", mock.scim_url())).header("origin", page);
    assert_eq!(finish(asked.bearer_auth("mock-token")).await.status, 503, "no question of a browser");

    // Without the option nothing is said of pages.
    let plain = start().await;
    let answer = finish(Client::of(&plain).request(Method::GET, "/Users").header("origin", page)).await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin"), answer.header("vary")),
        (200, "", "")
    );
}

#[test]
fn origins_are_a_scheme_and_a_host() {
    for origin in ["https://a.example.com", "http://localhost:3000", "https://[::1]:1"] {
        assert!(origin.parse::<mock_aquera::Origin>().is_ok(), "{origin}");
    }
    for origin in ["*", "null", "a.example.com", "https://a.example.com/", "https://a/b", "ftp://a", ""] {
        let error = origin.parse::<mock_aquera::Origin>().unwrap_err().to_string();
        assert!(error.contains("https://console.example.com"), "{origin}: {error}");
    }
}

#[tokio::test]
async fn an_expectation_can_fail_with_a_status() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    Client::of(&mock).get("/Users").await;
    let verify = async |query: &str, times: Value| {
        let body = json!({"request": {"method": "GET", "path": "/Users"}, "times": times});
        let answer = admin.post(&format!("/applications/default/verify{query}"), body).await;
        (answer.status, answer.json()["satisfied"].clone())
    };
    for (query, times, expected) in [
        ("", json!(1), (200, json!(true))),
        ("", json!(2), (200, json!(false))),
        ("?fail=true", json!(1), (200, json!(true))),
        ("?fail", json!(2), (417, json!(false))),
        ("?fail=true", json!({"exactly": 2}), (417, json!(false))),
        ("?fail=true", json!("never"), (417, json!(false))),
        ("?fail=true", json!({"between": {"from": 1, "to": 2}}), (200, json!(true))),
    ] {
        assert_eq!(verify(query, times.clone()).await, expected, "{query} {times}");
    }
    let wrong = json!({"times": -1}).to_string();
    admin.refused(Method::POST, "/applications/default/verify", &wrong, 400, "a whole number").await;
}
