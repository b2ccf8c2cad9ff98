//! The way back to the start, for applications that are gone too.

use mock_aquera::MockAquera;
use serde_json::json;

use crate::admin::Admin;
use crate::client::{Client, user};

async fn started() -> MockAquera {
    MockAquera::builder()
        .user(user("ida", json!({"id": "u1"})))
        .users(2)
        .fault("status=503 method=DELETE times=always".parse().unwrap())
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn reset_brings_back_an_application_that_was_removed() {
    let mock = started().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let before = scim.get("/Users").await.json();
    assert_eq!(admin.delete("/applications/default").await.status, 204);
    assert_eq!(admin.post("/reset", json!({})).await.status, 204);
    let shown = admin.read("/applications/default").await;
    assert_eq!(
        (&shown["users"], &shown["faults"]),
        (&json!(3), &json!(["status=503 method=DELETE times=always"]))
    );
    assert_eq!(scim.get("/Users").await.json()["Resources"][0]["id"], before["Resources"][0]["id"]);
    // One that was made in its place, otherwise than at the start, gives way.
    assert_eq!(admin.delete("/applications/default").await.status, 204);
    assert_eq!(admin.put("/applications/default", json!({"profile": "no-delete"})).await.status, 201);
    assert_eq!(admin.post("/reset", json!({})).await.status, 204);
    let shown = admin.read("/applications/default").await;
    assert_eq!((&shown["users"], &shown["profile"]), (&json!(3), &json!("aquera")));
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn request_to_a_removed_application_finds_it_as_it_was_at_the_start() {
    let mock = started().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    let before = scim.get("/Users").await.json()["totalResults"].clone();
    scim.post("/Users", &user("later", json!({}))).await;
    assert_eq!(admin.delete("/applications/default").await.status, 204);
    assert_eq!(scim.get("/Users").await.json()["totalResults"], before);
    assert_eq!(scim.delete("/Users/u1").await.status, 503);
}

#[tokio::test]
async fn application_made_by_put_has_the_faults_of_the_start() {
    let mock = started().await;
    let admin = Admin::of(&mock);
    let by_request = Client::at(mock.scim_url().replace("/scim", "/apps/first/scim"));
    assert_eq!(by_request.get("/Users").await.status, 200);
    let made = admin.put("/applications/second", json!({})).await.json();
    assert_eq!(made["faults"], admin.read("/applications/first").await["faults"]);
    assert_eq!(made["faults"], json!(["status=503 method=DELETE times=always"]));
    assert_eq!(admin.post("/applications/second/reset", json!({})).await.status, 204);
    assert_eq!(admin.read("/applications/second").await["faults"], made["faults"]);
}
