//! Administration over HTTP.

mod access;
mod applications;
mod bodies;
mod entry;
mod journal;
mod loads;
mod never;
mod program;
mod reset;
mod strict;
mod transfer;
mod verify;
mod waiting;
mod words;

use mock_aquera::MockAquera;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, finish, http, start, user};

async fn admin(mock: &MockAquera, method: Method, path: &str, body: Option<Value>) -> Answer {
    let request = http().request(method, format!("{}{path}", mock.admin_url()));
    finish(match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    })
    .await
}

/// Whoever administrates a mock.
pub(crate) struct Admin {
    http: reqwest::Client,
    pub(crate) base: String,
}

impl Admin {
    pub(crate) fn of(mock: &MockAquera) -> Self {
        Self { http: http(), base: mock.admin_url() }
    }

    pub(crate) fn at(base: String) -> Self {
        Self { http: http(), base }
    }

    /// Sends NDJSON.
    pub(crate) async fn load(&self, path: &str, lines: String) -> Answer {
        finish(self.request(Method::POST, path).header("content-type", "application/x-ndjson").body(lines))
            .await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        finish(self.request(Method::GET, path)).await
    }

    /// What a GET that succeeds says.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{answer:?}");
        answer.json()
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        finish(self.request(method, path).header("content-type", "application/json").body(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        finish(self.request(Method::DELETE, path)).await
    }

    /// Something that can't be done: checks the shape of the answer, its status, and a part of what it says.
    pub(crate) async fn refused(&self, method: Method, path: &str, body: &str, status: u16, part: &str) {
        let answer = self.send(method.clone(), path, body.to_owned()).await;
        let told = format!("{method} {path} {body}: {answer:?}");
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{told}");
        let message = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(message.contains(part), "{told}");
        assert!(!answer.text.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn an_application_is_configured_seeded_watched_and_removed() {
    let mock = start().await;
    let go = async |method: Method, path: &str, body: Option<Value>| admin(&mock, method, path, body).await;
    let config = json!({"profile": "no-delete", "auth": ["bearer:own"], "seed": 9});
    let made = go(Method::PUT, "/applications/hr", Some(config)).await;
    assert_eq!((made.status, &made.json()["profile"]), (201, &json!("no-delete")));
    let scim = Client::at(made.json()["scimUrl"].as_str().unwrap());
    assert_eq!(scim.get("/Users").await.status, 401);

    let changed = go(Method::PUT, "/applications/hr", Some(json!({"auth": ["bearer:mock-token"]}))).await;
    assert_eq!(
        (changed.status, &changed.json()["profile"]),
        (200, &json!("no-delete")),
        "what isn't said stays"
    );
    let twins = json!([user("twin", json!({})), user("TWIN", json!({"active": false}))]);
    let seeded = go(Method::POST, "/applications/hr/users", Some(twins)).await;
    assert_eq!((seeded.status, seeded.json()["ids"].as_array().unwrap().len()), (201, 2));
    assert_eq!(go(Method::POST, "/applications/hr/users", Some(user("one", json!({})))).await.status, 201);
    assert_eq!(scim.get("/Users").await.json()["totalResults"], json!(3));
    assert_eq!(go(Method::GET, "/applications/hr/users", None).await.json()[1]["userName"], json!("TWIN"));

    let rules =
        go(Method::POST, "/applications/hr/faults", Some(json!({"rule": "status=503 times=2"}))).await;
    assert_eq!((rules.status, &rules.json()["rules"]), (201, &json!(["status=503 times=2"])));
    assert_eq!(scim.get("/Users").await.status, 503);
    let preset = go(Method::POST, "/applications/hr/faults", Some(json!({"rule": "mild"}))).await;
    let rules = preset.json()["rules"].as_array().unwrap().len();
    assert_eq!((preset.status, rules), (201, 1 + mock_aquera::Fault::preset("mild").unwrap().len()));
    assert_eq!(go(Method::DELETE, "/applications/hr/faults", None).await.status, 204);
    let none = json!({"rules": [], "faults": []});
    assert_eq!(go(Method::GET, "/applications/hr/faults", None).await.json(), none);

    let journal = go(Method::GET, "/applications/hr/journal", None).await.json();
    let seen: Vec<_> =
        journal.as_array().unwrap().iter().map(|exchange| exchange["status"].clone()).collect();
    assert_eq!(seen, [401, 200, 503]);
    assert_eq!(journal[1]["downstream"], json!([{"operation": "read", "target": null, "accepted": true}]));
    assert_eq!(journal[1]["path"], json!("/apps/hr/scim/Users"));
    assert_eq!(go(Method::DELETE, "/applications/hr/journal", None).await.status, 204);
    assert_eq!(go(Method::GET, "/applications/hr/journal", None).await.json(), json!([]));

    assert_eq!(go(Method::POST, "/applications/hr/reset", None).await.status, 204);
    assert_eq!(go(Method::GET, "/applications/hr", None).await.json()["users"], json!(0));
    let names: Vec<_> = go(Method::GET, "/applications", None).await.json()["applications"]
        .as_array()
        .unwrap()
        .iter()
        .map(|application| application["name"].clone())
        .collect();
    assert_eq!(names, [json!("default"), json!("hr")]);
    assert_eq!(go(Method::DELETE, "/applications/hr", None).await.status, 204);
    assert_eq!(go(Method::GET, "/health", None).await.json(), json!({"status": "ready", "applications": 1}));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_json() {
    let mock = start().await;
    let check = async |method: Method, path: &str, body: Value, status: u16, part: &str| {
        let answer = admin(&mock, method, path, Some(body)).await;
        let message = answer.json()["error"].as_str().unwrap().to_owned();
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{message}");
        assert!(message.contains(part), "{path}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    };
    check(Method::GET, "/nowhere", Value::Null, 404, "nothing is at this path").await;
    check(Method::POST, "/health", Value::Null, 405, "Allow").await;
    check(Method::GET, "/applications/x/users", Value::Null, 404, "`x`").await;
    check(Method::DELETE, "/applications/x", Value::Null, 404, "`x`").await;
    check(Method::PUT, "/applications/a.b", json!({}), 400, "a.b").await;
    check(Method::PUT, "/applications/x", json!({"profile": "no-delet"}), 400, "did you mean `no-delete`?")
        .await;
    check(Method::PUT, "/applications/x", json!({"auth": ["token:hunter2"]}), 400, "bearer:TOKEN").await;
    check(Method::PUT, "/applications/x", json!({"profil": "aquera"}), 400, "`profil`").await;
    check(Method::PUT, "/applications/default", json!({"seed": 1}), 400, "seed").await;
    check(Method::POST, "/applications/default/users", json!([{}, 1]), 400, "element 2").await;
    check(Method::POST, "/applications/default/faults", json!({"rule": "status=1"}), 400, "`1` does not fit")
        .await;
    let many: Vec<Value> = (0..40_000).map(|at| user(&format!("user{at}@example.com"), json!({}))).collect();
    let seeded = admin(&mock, Method::POST, "/applications/default/users", Some(Value::from(many))).await;
    assert_eq!(seeded.status, 201, "4 MB are not too much here");
    let broken = Admin::of(&mock).send(Method::POST, "/applications/default/faults", "{").await;
    assert_eq!(broken.status, 400);
}
