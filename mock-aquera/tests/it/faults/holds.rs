//! Misbehaviour on demand, and holding a request at its boundaries.

use mock_aquera::{DownstreamOperation, Fault, Phase};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::client::{Client, downstream, start, user};

#[tokio::test]
async fn a_fault_strikes_as_often_as_it_says() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    application.add_fault(Fault::status(503).times(2).method("POST").retry_after("3"));
    assert_eq!(client.get("/Users").await.status, 200);
    for _ in 0..2 {
        let struck = client.post("/Users", &user("a", json!({}))).await;
        struck.scim_error(503, None);
        assert_eq!(struck.header("retry-after"), "3");
        assert!(downstream(&application).is_empty());
    }
    assert!(application.users().is_empty());
    assert_eq!(client.post("/Users", &user("a", json!({}))).await.status, 201);
    let rules: Vec<_> = application.journal().into_iter().map(|exchange| exchange.fault).collect();
    let rule = "status=503 retry-after=3 method=POST times=2".to_owned();
    assert_eq!(rules, [None, Some(rule.clone()), Some(rule), None]);
    let states = application.fault_states();
    assert_eq!((states.len(), states[0].matched, states[0].struck, states[0].spent), (1, 2, 2, true));
    assert!(application.remove_fault(states[0].id) && !application.remove_fault(states[0].id));
    assert!(application.fault_states().is_empty());
}

#[tokio::test]
async fn a_fault_after_the_effect_replaces_the_answer_only() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    application.add_fault(Fault::status(500).phase(Phase::AfterEffect));
    client.post("/Users", &user("a", json!({}))).await.scim_error(500, None);
    assert_eq!(downstream(&application), [(DownstreamOperation::Create, true)]);
    assert_eq!(application.users().len(), 1);
    application.add_fault(Fault::status(503));
    application.clear_faults();
    assert_eq!(client.get("/Users").await.status, 200);
}

#[tokio::test]
async fn wrong_credentials_use_up_no_fault() {
    let mock = start().await;
    mock.default_application().add_fault(Fault::status(503));
    let anonymous = crate::client::http().get(format!("{}/Users", mock.scim_url()));
    crate::client::finish(anonymous).await.scim_error(401, None);
    Client::of(&mock).get("/Users").await.scim_error(503, None);
}

#[tokio::test]
async fn a_fault_looks_into_the_request_and_at_the_account() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    let created = client.post("/Users", &user("Ana", json!({}))).await.json();
    let path = format!("/Users/{}", created["id"].as_str().unwrap());
    application.add_fault(Fault::status(500).user_name("ana").patch_path("active"));
    application.add_fault(Fault::status(502).user_name("BO").resource_type("User").path("/Users"));
    application.add_fault(Fault::status(503).path("/Users/*").method("PUT,GET").nth(2));
    let patch = |path: &str| json!([{"op": "replace", "path": path, "value": false}]);
    let patched = async |attribute: &str| client.patch(&path, &patch(attribute)).await.status;
    assert_eq!(patched("title").await, 400, "`false` is no title; the fault leaves it alone");
    assert_eq!(patched("Active").await, 500);
    assert_eq!(patched("active").await, 200);
    assert_eq!(client.post("/Users", &user("cleo", json!({}))).await.status, 201);
    assert_eq!(client.post("/Users", &user("bo", json!({}))).await.status, 502);
    assert_eq!([client.get(&path).await.status, client.get(&path).await.status], [200, 503]);
}

#[tokio::test]
async fn revoked_credentials_are_refused_until_the_rule_goes() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    let revoked = application.add_fault("revoke after=1".parse().unwrap());
    let statuses = async || [client.get("/Users").await.status, client.get("/Schemas").await.status];
    assert_eq!((statuses().await, statuses().await), ([200, 401], [401, 401]));
    assert!(application.remove_fault(revoked));
    assert_eq!(statuses().await, [200, 200]);
}

/// Sends a POST for this user and gives back the open connection.
async fn posted(mock: &mock_aquera::MockAquera, name: &str) -> TcpStream {
    let body = user(name, json!({})).to_string();
    let mut stream = TcpStream::connect(mock.addr()).await.unwrap();
    let head = format!(
        "POST /scim/Users HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer mock-token\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset instead of an orderly end is an end without an answer too.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_hold_before_the_effect_that_is_dropped_has_none() {
    let mock = start().await;
    let application = mock.default_application();
    let mut hold = application.hold(1, Phase::BeforeEffect);
    let stream = posted(&mock, "a").await;
    hold.reached().await;
    hold.reached().await;
    assert!(application.users().is_empty());
    drop(hold);
    assert_eq!(rest(stream).await, "", "not one byte");
    assert!(application.users().is_empty() && application.journal().is_empty());
}

#[tokio::test]
async fn a_hold_after_the_effect_that_is_dropped_loses_the_reply() {
    let mock = start().await;
    let application = mock.default_application();
    let mut hold = application.hold(1, Phase::AfterEffect);
    let stream = posted(&mock, "a").await;
    hold.reached().await;
    assert_eq!(application.users().len(), 1);
    drop(hold);
    assert_eq!(rest(stream).await, "", "not one byte");
    assert_eq!((application.users().len(), application.journal().len()), (1, 1));
}

#[tokio::test]
async fn a_released_hold_lets_the_answer_go() {
    let mock = start().await;
    let application = mock.default_application();
    for (name, phase) in [("a", Phase::BeforeEffect), ("b", Phase::AfterEffect)] {
        let mut hold = application.hold(2, phase);
        let client = Client::of(&mock);
        assert_eq!(client.get("/Users").await.status, 200, "the first one isn't held");
        let body = user(name, json!({}));
        let (answer, ()) = tokio::join!(client.post("/Users", &body), async {
            hold.reached().await;
            hold.release();
        });
        assert_eq!(answer.status, 201);
        assert_eq!(client.get("/Users").await.status, 200, "nor the third");
    }
}

#[tokio::test]
async fn a_hold_that_was_called_off_holds_nothing() {
    let mock = start().await;
    drop(mock.default_application().hold(1, Phase::BeforeEffect));
    mock.default_application().hold(2, Phase::AfterEffect).release();
    let client = Client::of(&mock);
    assert_eq!(client.get("/Users").await.status, 200);
    assert_eq!(client.get("/Users").await.status, 200);
}

#[tokio::test]
async fn a_client_that_gives_up_while_held_before_the_effect_causes_none() {
    let mock = start().await;
    let application = mock.default_application();
    let mut hold = application.hold(1, Phase::BeforeEffect);
    let stream = posted(&mock, "gone").await;
    hold.reached().await;
    drop(stream);
    hold.abandoned().await;
    hold.release();
    assert_eq!(Client::of(&mock).get("/Users").await.json()["totalResults"], json!(0));
}
