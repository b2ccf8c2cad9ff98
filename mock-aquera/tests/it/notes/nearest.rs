//! Messages quote what was sent, and name what was probably meant.

use mock_aquera::MockAquera;
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, PATCH, USER, finish, start, user, with_body};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// The texts of the notes on the last exchange.
fn notes(mock: &MockAquera) -> String {
    let notes = mock.default_application().journal().pop().unwrap().notes;
    notes.into_iter().map(|note| note.text).collect::<Vec<_>>().join("; ")
}

#[track_caller]
fn assert_says(answer: &Answer, parts: &[&str]) {
    let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
    for part in parts {
        assert!(detail.contains(part), "{detail}\nlacks {part}");
    }
}

#[tokio::test]
async fn patch_requests_are_refused_with_what_was_sent_and_meant() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let send = async |body: Value| finish(with_body(client.request(Method::PATCH, &path), &body)).await;
    let message = |members: Value| {
        let mut body = json!({"schemas": [PATCH]});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        body
    };
    let operation = |operation: Value| message(json!({"Operations": [operation]}));
    for (body, parts) in [
        (
            operation(json!({"op": "repalce", "path": "active", "value": false})),
            &["operation 1", "`repalce`", "did you mean `replace`?"][..],
        ),
        (
            operation(json!({"op": "update", "path": "active", "value": false})),
            &["`update`", "add, remove or replace"],
        ),
        (
            operation(json!({"op": 5, "path": "active", "value": false})),
            &["a number as `op`", "add, remove or replace"],
        ),
        (operation(json!({"operation": "replace", "path": "active"})), &["no `op`", "`operation`"]),
        (operation(json!({"opp": "replace", "path": "active"})), &["no `op`", "`opp`"]),
        (
            operation(json!({"op": "replace", "path": "active", "valeu": false})),
            &["needs a value", "`valeu`", "did you mean `value`?"],
        ),
        (
            operation(json!({"op": "replace", "pth": "active", "value": false})),
            &["`pth`", "did you mean `path`?"],
        ),
        (
            operation(json!({"op": "remove", "pathh": "active"})),
            &["needs a path", "`pathh`", "did you mean `path`?"],
        ),
        (
            message(json!({"Operation": [{"op": "remove", "path": "title"}]})),
            &["no `Operations`", "`Operation`", "did you mean `Operations`?"],
        ),
        (message(json!({"Operations": []})), &["`Operations` is empty"]),
        (message(json!({"Operations": "x"})), &["`Operations` is a text", "array"]),
        (
            operation(json!({"op": "replace", "path": "/active", "value": false})),
            &["`/active`", "did you mean `active`?"],
        ),
        (
            operation(json!({"op": "replace", "path": "/name/givenName", "value": "x"})),
            &["did you mean `name.givenName`?"],
        ),
        (operation(json!({"op": "replace", "path": "/urn:x", "value": "x"})), &["`/`"]),
    ] {
        let answer = send(body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_says(&answer, parts);
    }
    assert!(!send(message(json!({"Operations": []}))).await.text.contains("no `Operations`"));
    let extra = message(json!({"Operations": [{"op": "add", "path": "title", "value": "x"}], "extra": 1}));
    assert_eq!(send(extra).await.status, 200);
    assert!(notes(&mock).contains("extra"), "{}", notes(&mock));
}

#[tokio::test]
async fn queries_name_what_was_meant_and_what_is_passed_over() {
    let mock = start().await;
    let client = Client::of(&mock);
    let id = client.post("/Users", &user("ann", json!({}))).await.id();
    assert_says(&client.get("/Users?sortBy=userNme").await, &["userNme", "did you mean `userName`?"]);
    assert_says(&client.get("/Users?sortBy=name.familyNam").await, &["did you mean `name.familyName`?"]);
    let search =
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "sortBy": "titel"});
    assert_says(&client.post("/Users/.search", &search).await, &["did you mean `title`?"]);
    for parameter in ["filter=title+pr", "count=1", "sortBy=title", "startIndex=2", "cursor"] {
        assert_eq!(client.get(&format!("/Users/{id}?{parameter}")).await.status, 200, "{parameter}");
        let name = parameter.split('=').next().unwrap();
        assert!(notes(&mock).contains(name), "{parameter}: {}", notes(&mock));
    }
    for (filter, noted) in [
        ("schemas eq \"urn:foo\"", true),
        ("schemas ne \"urn:foo\"", true),
        (&*format!("schemas eq \"{}\"", USER.to_uppercase()), false),
        (&*format!("schemas eq \"{ENTERPRISE}\""), false),
        ("schemas co \"User\"", false),
    ] {
        assert_eq!(client.query("/Users", &[("filter", filter)]).await.status, 200, "{filter}");
        assert_eq!(notes(&mock).contains("schemas"), noted, "{filter}: {}", notes(&mock));
    }
    // Advice that was followed is not followed by other advice.
    client.query("/Users", &[("filter", "active co \"t\"")]).await;
    assert!(notes(&mock).contains("`eq`"), "{}", notes(&mock));
}

#[tokio::test]
async fn read_only_sub_attributes_that_are_left_out_are_noted() {
    let mock = start().await;
    let client = Client::of(&mock);
    let manager = |name: &str| {
        user(
            name,
            json!({"schemas": [USER, ENTERPRISE], (ENTERPRISE): {"manager": {"value": "1", "displayName": "Boss"}}}),
        )
    };
    let made = client.post("/Users", &manager("ann")).await;
    assert_eq!(made.status, 201);
    let path = format!("{ENTERPRISE}:manager.displayName");
    assert!(notes(&mock).contains(&path), "{}", notes(&mock));
    let at = format!("/Users/{}", made.id());
    assert_eq!(client.put(&at, &manager("ann")).await.status, 200);
    assert!(notes(&mock).contains(&path), "{}", notes(&mock));
    let operation = json!({"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "2", "displayName": "Chief"}});
    assert_eq!(client.patch(&at, &json!([operation])).await.status, 200);
    assert!(notes(&mock).contains(&path), "{}", notes(&mock));
    // What is written back as it was read says nothing new.
    let read = client.get(&at).await.json();
    assert_eq!(client.put(&at, &read).await.status, 200);
    assert_eq!(notes(&mock), "");
}
