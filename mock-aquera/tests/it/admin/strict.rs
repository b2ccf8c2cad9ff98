//! Requests to administration that say more than their route takes: refused, and nothing is done.

use mock_aquera::MockAquera;
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Client, finish, user};

const APP: &str = "/applications/default";

/// The documented operations, with names put into their paths.
async fn operations(admin: &Admin) -> Vec<(Method, String, Value)> {
    let document = admin.read("/openapi.json").await;
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, operations)| {
        let path = path.replace("{name}", "default").replace("{type}", "User").replace("{id}", "u1");
        operations.as_object().unwrap().iter().map(move |(method, operation)| {
            (method.to_uppercase().parse().unwrap(), path.clone(), operation.clone())
        })
    });
    all.collect()
}

/// A mock with something in it that could be lost.
async fn filled() -> MockAquera {
    let mock = MockAquera::builder()
        .user(user("ida", json!({"id": "u1"})))
        .user(user("bob", json!({})))
        .resource("Group", json!({"displayName": "all", "members": [{"value": "u1"}]}))
        .fault("status=503 user-name=nobody times=always".parse().unwrap())
        .start()
        .await
        .unwrap();
    Client::of(&mock).get("/Users").await;
    mock
}

/// What administration shows of it, the times aside.
async fn state(admin: &Admin) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["", "/users", "/groups", "/faults", "/journal", "/profile", "/auth", "/journal/limits"] {
        let mut shown = admin.read(&format!("{APP}{path}")).await;
        if let Value::Object(members) = &mut shown {
            members.remove("clock");
        }
        all.push(shown);
    }
    all
}

#[tokio::test]
async fn unknown_query_parameter_is_refused_by_every_route_and_nothing_is_done() {
    let mock = filled().await;
    let admin = Admin::of(&mock);
    let before = state(&admin).await;
    let all = operations(&admin).await;
    assert_eq!(all.len(), 45, "all operations are looked at: a new one changes this number");
    for (method, path, _) in &all {
        let path = format!("{path}?nonsense=1");
        admin.refused(method.clone(), &path, "{}", 400, "unknown query parameter `nonsense`").await;
    }
    // The slash at the end of the base is the same route.
    admin.refused(Method::GET, "/?nonsense=1", "", 400, "`nonsense`").await;
    let head = finish(admin.request(Method::HEAD, &format!("{APP}/users?nonsense=1"))).await;
    assert_eq!(head.status, 400);
    assert_eq!(state(&admin).await, before);
}

#[tokio::test]
async fn body_is_refused_where_none_is_taken_and_nothing_is_done() {
    let mock = filled().await;
    let admin = Admin::of(&mock);
    let before = state(&admin).await;
    let mut checked = 0;
    for (method, path, operation) in operations(&admin).await {
        if operation.get("requestBody").is_none() {
            for body in [r#"{"userName":"ida"}"#, "[]", "ida"] {
                admin.refused(method.clone(), &path, body, 400, "takes no body").await;
            }
            checked += 1;
        }
    }
    assert_eq!(checked, 32, "all operations without a body are looked at: a new one changes this number");
    let large = " ".repeat(70_000);
    admin.refused(Method::DELETE, &format!("{APP}/users"), &large, 400, "takes no body").await;
    assert_eq!(state(&admin).await, before);
    // What says nothing asks for nothing.
    for body in ["", "{}", " null\n"] {
        assert_eq!(admin.send(Method::GET, &format!("{APP}/users"), body).await.status, 200, "{body:?}");
    }
}

#[tokio::test]
async fn refusal_says_how_to_get_what_was_meant() {
    let mock = filled().await;
    let admin = Admin::of(&mock);
    let check = async |method: Method, path: &str, part: &str| {
        admin.refused(method, &format!("{APP}{path}"), "", 400, part).await;
    };
    check(Method::DELETE, "/users?userName=ida", "resources/User/ID removes one").await;
    check(Method::DELETE, "/groups?displayName=all", "resources/Group/ID removes one").await;
    check(Method::DELETE, "/resources/User?id=u1", "resources/TYPE/ID removes one").await;
    check(Method::DELETE, "/faults?id=1", "faults/ID removes one").await;
    check(Method::DELETE, "/journal?status=404", "empties the whole journal").await;
    check(Method::DELETE, "?what=data", "reset?what=").await;
    check(Method::GET, "/users?filter=userName", "the SCIM endpoint has filters").await;
    check(Method::POST, "/reset?wat=data", "did you mean `what`?").await;
    check(Method::POST, "/reset?What=date", "did you mean `data`?").await;
    check(Method::POST, "/reset?what=", "what can").await;
    check(Method::POST, "/load?replce=true", "did you mean `replace`?").await;
    // A wait gets all that fits: how many is `count`.
    check(Method::GET, "/journal/wait?limit=1", "`limit`").await;
    check(Method::GET, "/journal/stream?order=newest", "`order`").await;
    assert_eq!(mock.default_application().user_count(), 2);
}
