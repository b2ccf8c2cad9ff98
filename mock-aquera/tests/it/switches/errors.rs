//! `[errors]` and `[replies]`.

use mock_aquera::Fault;
use reqwest::Method;
use serde_json::{Value, json};

use super::{World, no_case, trying, words};
use crate::client::{Answer, finish, http, user, with_body};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

#[tokio::test]
async fn every_word_of_errors_is_seen() {
    for (key, word) in words("errors") {
        trying("errors", &key, &word);
        for (name, status, scim_type, answer) in every_error(&key, &word).await {
            assert_eq!(answer.status, status, "{name}: {answer:?}");
            match key.as_str() {
                "body" => body(&word, status, scim_type, &answer),
                "content-type" => {
                    let kind = match word.as_str() {
                        "fitting" | "scim" => "application/scim+json",
                        "json" => "application/json",
                        "html" => "text/html; charset=utf-8",
                        "missing" => "",
                        _ => no_case(&key, &word),
                    };
                    assert_eq!(answer.header("content-type"), kind, "{name}");
                    assert_eq!(answer.json()["status"], json!(status.to_string()));
                }
                "scim-type" => {
                    let expected = match word.as_str() {
                        "present" => scim_type,
                        "missing" => None,
                        _ => no_case(&key, &word),
                    };
                    answer.scim_error(status, expected);
                }
                _ => no_case(&key, &word),
            }
            // What isn't the body stays.
            match status {
                401 => assert!(answer.header("www-authenticate").starts_with("Bearer"), "{name}"),
                405 => assert_eq!(answer.header("allow"), "GET, POST", "{name}"),
                429 => assert!(!answer.header("retry-after").is_empty(), "{name}"),
                _ => {}
            }
        }
        inside_bulk(&key, &word).await;
    }
}

type Error = (&'static str, u16, Option<&'static str>, Answer);

/// One of each kind of error.
async fn every_error(key: &str, word: &str) -> Vec<Error> {
    let w = World::of(&format!(
        "[errors]\n{key} = \"{word}\"\n[requests]\nmax-body = 4000\nmax-uri = 4000\nmax-headers = 4000\n\
         [gateway]\ndelete = \"answers-501\"\n[[rate-limit]]\nmethods = \"put\"\nrequests = 1"
    ))
    .await;
    let client = &w.client;
    let mut errors: Vec<Error> = Vec::new();
    errors.push(("path", 404, None, client.get("/nowhere").await));
    errors.push(("id", 404, None, client.get("/Users/nobody").await));
    errors.push(("schema", 404, None, client.get("/Schemas/urn:none").await));
    let bare = http().get(format!("{}/Users", w.mock.scim_url()));
    errors.push(("no credentials", 401, None, finish(bare).await));
    errors.push(("method", 405, None, finish(client.request(Method::PATCH, "/Users")).await));
    errors.push(("taken", 409, Some("uniqueness"), w.create("ida").await));
    errors.push(("filter", 400, Some("invalidFilter"), client.get("/Users?filter=x").await));
    errors.push((
        "syntax",
        400,
        Some("invalidSyntax"),
        finish(with_body(client.request(Method::POST, "/Users"), &json!([]))).await,
    ));
    errors.push((
        "path in PATCH",
        400,
        Some("noTarget"),
        w.set(&w.ida, "emails[type eq \"x\"].value", json!("y")).await,
    ));
    let plain = client.request(Method::POST, "/Users").header("content-type", "text/plain").body("x");
    errors.push(("media type", 415, None, finish(plain).await));
    let html = client.request(Method::GET, "/Users").header("accept", "text/html");
    errors.push(("accept", 406, None, finish(html).await));
    let large = user("large", json!({"title": "x".repeat(5000)}));
    errors.push(("body", 413, None, client.post("/Users", &large).await));
    errors.push(("uri", 414, None, client.get(&format!("/Users?x={}", "x".repeat(5000))).await));
    let headers = client.request(Method::GET, "/Users").header("x-large", "x".repeat(5000));
    errors.push(("headers", 431, None, finish(headers).await));
    let old = with_body(
        client.request(Method::PATCH, &w.ida),
        &json!({"schemas": [crate::client::PATCH],
        "Operations": [{"op": "add", "path": "title", "value": "x"}]}),
    );
    errors.push(("version", 412, None, finish(old.header("if-match", "W/\"9\"")).await));
    errors.push(("not implemented", 501, None, client.delete(&w.ida).await));
    w.app.add_fault(Fault::status(503));
    errors.push(("fault", 503, None, client.get("/Users").await));
    assert_eq!(client.put(&w.ida, &user("Ida", json!({}))).await.status, 200);
    errors.push(("limit", 429, None, client.put(&w.ida, &user("Ida", json!({}))).await));
    errors
}

#[track_caller]
fn body(word: &str, status: u16, scim_type: Option<&str>, answer: &Answer) {
    let kind = answer.header("content-type");
    let urn = json!(["urn:ietf:params:scim:api:messages:2.0:Error"]);
    match word {
        "scim" => drop(answer.scim_error(status, scim_type)),
        "numeric-status" => {
            let body = answer.json();
            assert_eq!(
                (kind, &body["status"], &body["schemas"]),
                ("application/scim+json", &json!(status), &urn)
            );
            assert_eq!(body["scimType"].as_str(), scim_type);
        }
        "scim-1-1" => {
            let body = answer.json();
            assert_eq!((kind, &body["Errors"][0]["code"]), ("application/json", &json!(status.to_string())));
            assert!(!body["Errors"][0]["description"].as_str().unwrap().is_empty());
            assert_eq!(body.as_object().unwrap().len(), 1);
        }
        "schema-for-schemas" => {
            let body = answer.json();
            assert_eq!(
                (kind, &body["schema"], &body["schemas"]),
                ("application/scim+json", &urn, &Value::Null)
            );
            assert_eq!(body["exceptionRequestId"].as_str().unwrap().len(), 36);
        }
        "html" => {
            assert_eq!(kind, "text/html; charset=utf-8");
            assert!(answer.text.starts_with("<!DOCTYPE html>") && answer.text.contains(&status.to_string()));
        }
        "problem-json" => {
            let body = answer.json();
            assert_eq!(
                (kind, &body["status"], &body["type"]),
                ("application/problem+json", &json!(status), &json!("about:blank"))
            );
            assert!(body["title"].is_string() && body["detail"].is_string());
        }
        "plain-text" => {
            assert_eq!(kind, "text/plain; charset=utf-8");
            assert!(answer.text.len() > 5 && !answer.text.starts_with('{'), "{}", answer.text);
        }
        "empty" => assert_eq!((kind, answer.text.as_str()), ("", "")),
        _ => no_case("body", word),
    }
}

/// The errors of single operations look like the others.
async fn inside_bulk(key: &str, word: &str) {
    let w = World::with("errors", key, word).await;
    let operations = json!([
        {"method": "POST", "path": "/Users", "bulkId": "a", "data": user("ida", json!({}))},
        {"method": "DELETE", "path": "/Me"},
    ]);
    let answer = w.client.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations})).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/scim+json"));
    let body = answer.json();
    for (at, status, scim_type) in [(0, "409", "uniqueness"), (1, "400", "invalidValue")] {
        let told = &body["Operations"][at];
        assert_eq!(told["status"], json!(status));
        let response = &told["response"];
        match (key, word) {
            ("body", "numeric-status") => {
                assert_eq!(response["status"], json!(status.parse::<u16>().unwrap()));
            }
            ("body", "scim-1-1") => assert_eq!(response["Errors"][0]["code"], json!(status)),
            ("body", "schema-for-schemas") => assert!(response["schema"].is_array()),
            ("body", "problem-json") => assert_eq!(response["type"], json!("about:blank")),
            ("body", "html" | "plain-text") => assert!(response.is_string(), "{response}"),
            ("body", "empty") => assert_eq!(told.get("response"), None),
            ("scim-type", "missing") => {
                assert_eq!((&response["status"], response.get("scimType")), (&json!(status), None));
            }
            _ => {
                assert_eq!((&response["status"], &response["scimType"]), (&json!(status), &json!(scim_type)));
            }
        }
    }
}

#[tokio::test]
async fn an_application_that_nobody_made_yet_has_the_errors_of_the_command_line() {
    let profile = mock_aquera::Profile::builtin("salesforce").unwrap();
    let mock = mock_aquera::MockAquera::builder().profile(profile).start().await.unwrap();
    let url = mock.scim_url().replace("/scim", "/apps/new/scim/Users");
    let answer = finish(http().get(url)).await;
    assert_eq!((answer.status, &answer.json()["Errors"][0]["code"]), (401, &json!("401")));
    assert!(answer.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn every_word_of_replies_is_seen() {
    for (key, word) in words("replies") {
        trying("replies", &key, &word);
        let w = World::with("replies", &key, &word).await;
        let post = w.create("eve").await;
        let put = w.client.put(&w.ida, &user("Ida", json!({"title": "new"}))).await;
        let list = w.client.get("/Users").await;
        let read = w.client.get(&w.ida).await;
        let patch = w.set(&w.ida, "title", json!("newer")).await;
        let id = w.app.users()[2]["id"].as_str().unwrap().to_owned();
        match key.as_str() {
            "content-type" => {
                let kind = match word.as_str() {
                    "scim" => "application/scim+json",
                    "json" => "application/json",
                    "json-charset" => "application/json; charset=utf-8",
                    _ => no_case(&key, &word),
                };
                let config = w.client.get("/ServiceProviderConfig").await;
                for answer in [&post, &put, &list, &read, &patch, &config] {
                    assert_eq!(answer.header("content-type"), kind);
                }
                w.client.get("/Users/x").await.scim_error(404, None);
            }
            "location" | "meta-location" => {
                let path = format!("/Users/{id}");
                let expected = match word.as_str() {
                    "absolute" => Some(format!("{}{path}", w.mock.scim_url())),
                    "relative" => Some(format!("/scim{path}")),
                    "missing" => None,
                    _ => no_case(&key, &word),
                };
                let absolute = Some(format!("{}{path}", w.mock.scim_url()));
                let header = post.headers.get("location").map(|value| value.to_str().unwrap().to_owned());
                let meta = |resource: &Value| resource["meta"]["location"].as_str().map(str::to_owned);
                let metas = [meta(&post.json()), meta(&list.json()["Resources"][2])];
                let (for_header, for_meta) =
                    if key == "location" { (expected, absolute) } else { (absolute, expected) };
                assert_eq!((header, metas), (for_header, [for_meta.clone(), for_meta]));
            }
            "create-body" | "put-body" => {
                let (answer, other) = if key == "create-body" { (&post, &put) } else { (&put, &post) };
                match word.as_str() {
                    "whole" => {
                        assert!(answer.json()["id"].is_string());
                        assert_eq!([post.status, put.status], [201, 200]);
                    }
                    "empty" => {
                        assert_eq!((answer.text.as_str(), answer.header("content-type")), ("", ""));
                        assert_eq!(
                            [post.status, put.status],
                            [201, if key == "put-body" { 204 } else { 200 }]
                        );
                        assert!(answer.header("etag").starts_with("W/"));
                        // Who names attributes is owed them.
                        let zoe = user("zoe", json!({}));
                        let asked = match key.as_str() {
                            "create-body" => w.client.post("/Users?attributes=userName", &zoe).await,
                            _ => w.client.put(&format!("{}?attributes=userName", w.ida), &zoe).await,
                        };
                        assert_eq!(asked.json()["userName"], json!("zoe"));
                    }
                    _ => no_case(&key, &word),
                }
                assert!(other.json()["id"].is_string());
                assert!(post.header("location").ends_with(&id));
                assert_eq!(read.json()["title"], json!("new"));
            }
            _ => no_case(&key, &word),
        }
    }
}
