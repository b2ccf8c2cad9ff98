//! Who gets into administration, and what is found there first.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mock_aquera::MockAquera;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, finish, http, start};

/// The documented methods of each path, with names put into it.
fn documented(document: &Value) -> Vec<(String, BTreeSet<String>)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .map(|(path, operations)| {
            let path = path.replace("{name}", "default").replace("{type}", "User").replace("{id}", "1");
            let methods = operations.as_object().unwrap().keys().map(|method| method.to_uppercase());
            (path.trim_end_matches('/').to_owned(), methods.collect())
        })
        .collect()
}

#[tokio::test]
async fn the_document_has_each_method_of_each_path() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let documented = documented(&admin.read("/openapi.json").await);
    assert_eq!(documented.len(), 27, "all paths are looked at: a new one changes this number");
    for (path, mut methods) in documented {
        // Nobody answers this method: `Allow` says which ones somebody does.
        let answer = finish(admin.request(Method::OPTIONS, &path)).await;
        assert_eq!((answer.status, answer.header("content-type")), (405, "application/json"), "{path}");
        assert!(answer.json()["error"].as_str().unwrap().contains("Allow"), "{answer:?}");
        let allowed: BTreeSet<String> =
            answer.header("allow").split(',').map(|m| m.trim().to_owned()).collect();
        if methods.contains("GET") {
            methods.insert("HEAD".to_owned());
        }
        assert_eq!(allowed, methods, "{path}");
    }
}

#[tokio::test]
async fn the_index_names_the_routes() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for path in ["", "/"] {
        let index = admin.read(path).await;
        assert_eq!(
            (&index["name"], &index["openapi"]),
            (&json!("mock-aquera"), &json!("/_mock/openapi.json"))
        );
        let routes = index["routes"].as_array().unwrap();
        let health = json!({
            "method": "GET", "path": "/_mock/health", "summary": "Tell whether the server is ready. Needs no token.",
        });
        assert!(routes.contains(&health), "{index}");
        assert!(routes.iter().all(|route| !route["summary"].as_str().unwrap().is_empty()));
    }
    let page = finish(admin.request(Method::GET, "").header("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.text.contains("<a href=\"/_mock/health\">") && page.text.contains("/verify"),
        "{}",
        page.text
    );
    admin.refused(Method::GET, "/nowhere", "", 404, "GET /_mock").await;
    admin.refused(Method::POST, "/applications/default/faults/1/2", "", 404, "GET /_mock").await;
    assert_eq!(Client::at(mock.scim_url().replace("/scim", "")).get("/_mockery").await.status, 404);
}

#[tokio::test]
async fn with_a_token_nothing_but_health_is_open() {
    let mock = MockAquera::builder().admin_token("s3cret").start().await.unwrap();
    assert!(!format!("{:?}", MockAquera::builder().admin_token("s3cret")).contains("s3cret"));
    let admin = Admin::of(&mock);
    assert_eq!(admin.read("/health").await["status"], json!("ready"));
    admin.refused(Method::POST, "/health", "", 405, "Allow").await;
    for (path, _) in
        documented(&finish(admin.request(Method::GET, "/openapi.json").bearer_auth("s3cret")).await.json())
    {
        if path != "/health" {
            admin.refused(Method::GET, &path, "", 401, "--admin-token").await;
        }
    }
    for path in ["/", "/nowhere", "/health/", "/applications/default/journal"] {
        admin.refused(Method::GET, path, "", 401, "Authorization").await;
    }
    for wrong in
        ["Bearer s3cre", "Bearer s3cret2", "Bearer", "Basic s3cret", "s3cret", "Bearer mock-token", ""]
    {
        let answer = finish(admin.request(Method::GET, "/applications").header("authorization", wrong)).await;
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(answer.header("www-authenticate").starts_with("Bearer realm="), "{answer:?}");
        assert!(!answer.text.contains("s3cret"));
    }
    for right in ["Bearer s3cret", "bearer  s3cret"] {
        let answer = finish(admin.request(Method::GET, "/applications").header("authorization", right)).await;
        assert_eq!(answer.status, 200, "{right}");
    }
    // It is a key to administration alone.
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200);
    let scim = finish(http().get(format!("{}/Users", mock.scim_url())).bearer_auth("s3cret")).await;
    assert_eq!(scim.status, 401);
}

#[tokio::test]
async fn administration_has_a_port_of_its_own_if_asked_for() {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mock = MockAquera::builder().admin_listen(free).start().await.unwrap();
    let admin = Admin::of(&mock);
    assert!(!admin.base.starts_with(&mock.scim_url().replace("/scim", "")), "{}", admin.base);
    assert_eq!(admin.read("/health").await["applications"], json!(1));
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200);
    let there = Client::at(mock.scim_url().replace("/scim", ""));
    assert_eq!(there.get("/_mock/health").await.status, 404);
    let here = Client::at(admin.base.replace("/_mock", ""));
    assert_eq!(here.get("/scim/Users").await.status, 404);
    assert_eq!(here.get("/").await.status, 404);

    let taken: SocketAddr = admin.base.split('/').nth(2).unwrap().parse().unwrap();
    let error = MockAquera::builder().admin_listen(taken).start().await.unwrap_err();
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    let base = admin.base.clone();
    mock.stop().await;
    assert!(http().get(format!("{base}/health")).send().await.is_err(), "it is closed too");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let length = 128 * 1024 * 1024 + 1;
    let request = admin.request(Method::POST, "/applications/default/users").header("expect", "");
    let request = request.header("content-type", "application/json");
    let answer = finish(request.body(vec![b' '; length])).await;
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains("134217728 bytes"));
}
