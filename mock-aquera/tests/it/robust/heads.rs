//! Heads and bodies that are wrong are told in plain words.

use reqwest::Method;
use serde_json::json;

use crate::client::{Client, finish, start, user};
use crate::raw::Raw;

#[tokio::test]
async fn transfer_coding_and_version_are_refused_with_the_true_reason() {
    let mock = start().await;
    for (line, coding, status, part) in [
        ("POST /scim/Users HTTP/1.1", "gzip", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "identity", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "x", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "chunked, x", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "chunked\r\nTransfer-Encoding: x", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "", 400, "RFC 9112 §6.3"),
        ("POST /scim/Users HTTP/1.1", "gzip, chunked", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "gzip,, chunked", 501, "transfer coding"),
        ("POST /scim/Users HTTP/1.1", "chunked, chunked", 400, "more than once"),
        ("POST /scim/Users HTTP/1.1", "chunked\r\nTransfer-Encoding: chunked", 400, "more than once"),
        ("POST /scim/Users HTTP/1.2", "chunked", 505, "another version"),
        ("POST /scim/Users HTTP/2.0", "chunked", 505, "another version"),
    ] {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.send(format!("{line}\r\nHost: h\r\nTransfer-Encoding: {coding}\r\n\r\n0\r\n\r\n")).await;
        let reply = raw.read().await.reply();
        let body = String::from_utf8(reply.body).unwrap();
        assert!(reply.status == status && body.contains(part), "{line} {coding}: {} {body}", reply.status);
    }
}

#[tokio::test]
async fn empty_elements_beside_a_transfer_coding_are_passed_over() {
    let mock = start().await;
    for (nth, coding) in [", ,chunked", "chunked,", "chunked ,\t, ", ",chunked,"].into_iter().enumerate() {
        let body = user(&format!("te-{nth}"), json!({})).to_string();
        let head = format!(
            "POST /scim/Users HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer mock-token\r\n\
             Content-Type: application/scim+json\r\nTransfer-Encoding: {coding}\r\n\r\n"
        );
        let mut raw = Raw::connect(mock.addr()).await;
        // The second one by a connection that hyper has from the first.
        for status in [201, 409] {
            raw.send(format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
            assert_eq!(raw.read().await.reply().status, status, "{coding:?}");
        }
    }
}

#[tokio::test]
async fn fragment_in_the_target_is_refused_and_has_no_effect() {
    let mock = start().await;
    let client = Client::of(&mock);
    for name in ["ann", "ben"] {
        client.post("/Users", &user(name, json!({}))).await;
    }
    for (method, target) in [
        ("DELETE", "/_mock/applications/default/users#ann"),
        ("DELETE", "/_mock/applications/default/users#"),
        ("GET", "/scim/Users#x"),
        ("GET", "/scim/Users?count=1#x"),
    ] {
        // First on its own connection, then behind a request of each kind.
        for before in ["", "GET", "POST"] {
            let mut raw = Raw::connect(mock.addr()).await;
            if !before.is_empty() {
                raw.ask(before, "/scim/Users", "").await;
                raw.read().await.reply();
            }
            raw.send(format!(
                "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mock-token\r\n\r\n"
            ))
            .await;
            let reply = raw.read().await.reply();
            let body = String::from_utf8(reply.body).unwrap();
            assert_eq!(reply.status, 400, "{before} {method} {target}: {body}");
            assert!(body.contains("`#`") && body.contains("`%23`"), "{body}");
        }
    }
    assert_eq!(mock.default_application().user_count(), 2);
}

#[tokio::test]
async fn sign_that_a_target_may_not_hold_is_named_with_its_code() {
    let mock = start().await;
    for (target, sign, code) in [
        ("/scim/Users?filter=userName%20eq%20\"x\"", "`\"`", "`%22`"),
        ("/scim/Users?filter=a<b", "`<`", "`%3C`"),
        ("/scim/Users?filter=a>b", "`>`", "`%3E`"),
        ("/scim/Users/a<b", "`<`", "`%3C`"),
        ("/scim/Users?filter=userName eq 1", "a blank", "`%20`"),
        ("/scim/Users?filter=userName eq \"x\"", "a blank", "`%20`"),
        ("/scim/Users?filter=a\tb", "a control character", "`%09`"),
    ] {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.ask("GET", target, "").await;
        let reply = raw.read().await.reply();
        let body = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 400, "{target}: {body}");
        let detail = serde_json::from_str::<serde_json::Value>(&body).unwrap()["detail"].clone();
        let detail = detail.as_str().unwrap();
        assert!(detail.contains(sign) && detail.contains(code), "{target}: {detail}");
    }
}

#[tokio::test]
async fn letter_that_is_percent_encoded_is_the_letter_itself() {
    let mock = start().await;
    let hr = mock.create_application("hr", mock_aquera::ApplicationConfig::default()).unwrap();
    let client = Client::of(&mock);
    let ida = client.post("/Users", &user("ida", json!({}))).await.id();
    let encoded = ida.replace('-', "%2D");
    for (method, target, body, status) in [
        ("GET", "/scim/%55sers?count=0", "", 200),
        ("GET", "/%73cim/Users", "", 200),
        ("GET", "/apps/%68r/scim/Users", "", 200),
        ("GET", "/scim/ServiceProvider%43onfig", "", 200),
        ("GET", &*format!("/scim/%55sers/{encoded}"), "", 200),
        ("GET", "/_mock/%61pplications", "", 200),
        ("GET", "/%5Fmock/applications/%64efault", "", 200),
        ("POST", "/%6Fauth/token", "grant_type=client_credentials", 404),
        ("PUT", &*format!("/scim/%55sers/{encoded}"), &*user("ida", json!({})).to_string(), 200),
        // A slash that is encoded separates nothing.
        ("GET", "/scim%2FUsers", "", 404),
    ] {
        let mut raw = Raw::connect(mock.addr()).await;
        let told = format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mock-token\r\n\
             Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        raw.send(told).await;
        let reply = raw.read().await.reply();
        assert_eq!(reply.status, status, "{method} {target}: {}", String::from_utf8_lossy(&reply.body));
    }
    assert_eq!(hr.journal().len(), 1);
    // Rules and questions see the same path.
    mock.default_application().add_fault("status=503 path=/Users".parse().unwrap());
    assert_eq!(client.get("/%55sers").await.status, 503);
    let asked = mock_aquera::JournalQuery::new().path("/Users").status(503);
    assert_eq!(mock.default_application().query_journal(&asked).len(), 1);
}

#[tokio::test]
async fn body_that_is_no_json_is_told_in_plain_words_with_its_place() {
    let mock = start().await;
    let client = Client::of(&mock);
    for (path, body, part) in [
        ("/Users", "", "it is empty"),
        ("/Users", "{\"userName\":", "(line 1, column 12)"),
        ("/Users", "{\n\"userName\":\"a\",}", "(line 2, column 16)"),
        ("/Users/.search", "[1,]", "(line 1, column 4)"),
        ("/Bulk", "", "it is empty"),
    ] {
        let request = client.request(Method::POST, path).header("content-type", "application/scim+json");
        let detail = finish(request.body(body)).await.scim_error(400, Some("invalidSyntax"));
        assert!(detail.contains(part) && !detail.contains("EOF"), "{path} {body}: {detail}");
    }
}
