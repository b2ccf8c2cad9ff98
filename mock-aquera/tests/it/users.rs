//! The life of users over HTTP, with every way it can go wrong (RFC 7644 §3).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{DownstreamOperation, ManualClock, MockAquera};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Client, USER, downstream, finish, start, user, with_body};

#[tokio::test]
async fn a_user_is_created_read_replaced_patched_and_deleted() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mock = MockAquera::builder().clock(Arc::clone(&clock) as _).start().await.unwrap();
    let client = Client::of(&mock);

    let created = client.post("/Users", &user("Ida", json!({"title": "Nurse", "password": "hunter2"}))).await;
    assert_eq!(created.status, 201);
    let id = created.id();
    let location = format!("{}/Users/{id}", mock.scim_url());
    assert_eq!((created.header("location"), created.header("etag")), (location.as_str(), "W/\"1\""));
    assert_eq!(created.header("content-type"), "application/scim+json");
    let meta = json!({
        "resourceType": "User", "version": "W/\"1\"", "location": location,
        "created": "1970-01-01T00:00:00.000Z", "lastModified": "1970-01-01T00:00:00.000Z",
    });
    assert_eq!(
        created.json(),
        user("Ida", json!({"title": "Nurse", "active": true, "id": id, "meta": meta})),
        "all of it, and no password"
    );
    assert_eq!(client.get(&format!("/Users/{id}")).await.json(), created.json());

    clock.advance(SignedDuration::from_secs(60));
    let path = format!("/Users/{id}");
    let replaced = client.put(&path, &user("ida2", json!({"id": "other", "meta": {"version": "x"}}))).await;
    assert_eq!((replaced.status, replaced.header("etag")), (200, "W/\"2\""));
    let body = replaced.json();
    assert_eq!((&body["id"], &body["userName"], body.get("title")), (&json!(id), &json!("ida2"), None));
    assert_eq!(body["meta"]["created"], "1970-01-01T00:00:00.000Z");
    assert_eq!(body["meta"]["lastModified"], "1970-01-01T00:01:00.000Z");

    let patched = client.patch(&path, &json!([{"op": "replace", "path": "active", "value": false}])).await;
    assert_eq!((patched.status, &patched.json()["active"]), (200, &json!(false)));
    assert_eq!(client.get(&path).await.json(), patched.json());

    let deleted = client.delete(&path).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
    client.get(&path).await.scim_error(404, None);
    client.put(&path, &user("ida2", json!({}))).await.scim_error(404, None);
    assert_eq!(downstream(&mock.default_application()), [(DownstreamOperation::Replace, false)]);
    client.patch(&path, &json!([{"op": "remove", "path": "title"}])).await.scim_error(404, None);
    client.delete(&path).await.scim_error(404, None);
}

#[tokio::test]
async fn a_put_without_active_keeps_it_and_a_post_without_it_is_active() {
    let mock = start().await;
    let client = Client::of(&mock);
    let id = client.post("/Users", &user("a", json!({"active": false}))).await.id();
    let path = format!("/Users/{id}");
    assert_eq!(client.put(&path, &user("a", json!({"title": "x"}))).await.json()["active"], json!(false));
    assert_eq!(client.post("/Users", &user("b", json!({}))).await.json()["active"], json!(true));
    let removed = client.patch(&path, &json!([{"op": "remove", "path": "active"}])).await;
    // Whoever doesn't say whether the account is in use says that it is.
    assert_eq!((removed.status, removed.json().get("active")), (200, None));
}

#[tokio::test]
async fn a_write_that_changes_nothing_makes_no_version() {
    let mock = start().await;
    let client = Client::of(&mock);
    let created = client.post("/Users", &user("a", json!({"title": "x"}))).await;
    let path = format!("/Users/{}", created.id());
    assert_eq!(client.put(&path, &created.json()).await.json(), created.json());
    let patched = client.patch(&path, &json!([{"op": "replace", "path": "title", "value": "x"}])).await;
    assert_eq!(patched.json(), created.json());
}

#[tokio::test]
async fn a_user_name_is_unique_without_case() {
    let mock = start().await;
    let client = Client::of(&mock);
    let ann = client.post("/Users", &user("Ann", json!({}))).await.id();
    let bob = client.post("/Users", &user("bob", json!({}))).await.id();
    let application = mock.default_application();

    client.post("/Users", &user("aNN", json!({}))).await.scim_error(409, Some("uniqueness"));
    assert_eq!(downstream(&application), [(DownstreamOperation::Create, false)]);
    client.put(&format!("/Users/{bob}"), &user("ANN", json!({}))).await.scim_error(409, Some("uniqueness"));
    assert_eq!(downstream(&application), [(DownstreamOperation::Replace, false)]);
    let rename = json!([{"op": "replace", "path": "userName", "value": "ann"}]);
    client.patch(&format!("/Users/{bob}"), &rename).await.scim_error(409, Some("uniqueness"));
    assert_eq!(client.get(&format!("/Users/{bob}")).await.json()["userName"], json!("bob"));

    assert_eq!(
        client.patch(&format!("/Users/{ann}"), &rename).await.status,
        200,
        "its own name in another case"
    );
    assert_eq!(client.delete(&format!("/Users/{ann}")).await.status, 204);
    assert_eq!(client.patch(&format!("/Users/{bob}"), &rename).await.status, 200, "free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_equal_creates_one_succeeds() {
    let mock = start().await;
    let client = Arc::new(Client::of(&mock));
    let all: Vec<_> = (0..32)
        .map(|at| {
            let client = Arc::clone(&client);
            let name = if at % 2 == 0 { "one@example.com" } else { "ONE@example.com" };
            tokio::spawn(async move { client.post("/Users", &user(name, json!({}))).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    assert_eq!(mock.default_application().users().len(), 1);
}

#[tokio::test]
async fn bad_bodies_are_refused_with_their_place() {
    let mock = start().await;
    let client = Client::of(&mock);
    let id = client.post("/Users", &user("a", json!({}))).await.id();
    let before = mock.default_application().users();
    let send = async |method: Method, kind: Option<&str>, body: &str| {
        let path = if method == Method::POST { "/Users".to_owned() } else { format!("/Users/{id}") };
        let mut request = client.request(method, &path).body(body.to_owned());
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        finish(request).await
    };
    let scim = Some("application/scim+json");
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        send(method.clone(), scim, "{").await.scim_error(400, Some("invalidSyntax"));
        send(method.clone(), scim, "").await.scim_error(400, Some("invalidSyntax"));
        send(method.clone(), scim, "[]").await.scim_error(400, Some("invalidSyntax"));
        send(method.clone(), Some("text/plain"), "{}").await.scim_error(415, None);
        send(method.clone(), None, "{}").await.scim_error(415, None);
        let large = format!("\"{}\"", "x".repeat(11 * 1024 * 1024));
        send(method, scim, &large).await.scim_error(413, None);
    }
    for method in [Method::POST, Method::PUT] {
        for (body, place) in [
            (json!({"schemas": [USER]}), "userName"),
            (json!({"schemas": [USER], "userName": ""}), "userName"),
            (json!({"schemas": [USER], "userName": "b", "active": "no"}), "active"),
            (json!({"schemas": [USER], "userName": "b", "name": "B"}), "name"),
            (json!({"schemas": [USER], "userName": "b", "emails": [{"value": 1}]}), "emails[0].value"),
            (json!({"userName": "b"}), "schemas"),
        ] {
            let detail = send(method.clone(), Some("application/json; charset=utf-8"), &body.to_string())
                .await
                .scim_error(400, Some("invalidValue"));
            assert!(detail.contains(place), "{detail}");
        }
    }
    for (operations, scim_type) in [
        (json!([{"op": "replace", "path": "shoe", "value": 1}]), "invalidPath"),
        (json!([{"op": "replace", "path": "emails[", "value": 1}]), "invalidPath"),
        (json!([{"op": "replace", "path": "title", "value": 1}]), "invalidValue"),
        (json!([{"op": "replace", "path": "id", "value": "x"}]), "mutability"),
        (json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "x"}]), "noTarget"),
        (json!([{"op": "remove"}]), "noTarget"),
        (
            json!([{"op": "replace", "path": "title", "value": "new"}, {"op": "remove", "path": "id"}]),
            "mutability",
        ),
    ] {
        client.patch(&format!("/Users/{id}"), &operations).await.scim_error(400, Some(scim_type));
    }
    assert_eq!(mock.default_application().users(), before, "nothing of all this had an effect");
}

#[tokio::test]
async fn what_is_nowhere_or_not_possible_is_said_in_scim() {
    let mock = start().await;
    let client = Client::of(&mock);
    let check = async |method: Method, path: &str, status: u16, allow: &str| {
        let answer = finish(client.request(method, path)).await;
        answer.scim_error(status, None);
        assert_eq!(answer.header("allow"), allow, "{path}");
    };
    check(Method::POST, "", 405, "GET").await;
    check(Method::GET, "/Shoes", 404, "").await;
    check(Method::GET, "/users", 404, "").await;
    check(Method::GET, "/Users/a/b", 404, "").await;
    check(Method::GET, "/Me", 404, "").await;
    check(Method::GET, "/Bulk", 405, "POST").await;
    check(Method::GET, "/Users/.search", 405, "POST").await;
    check(Method::DELETE, "/Users", 405, "GET, POST").await;
    check(Method::POST, "/Users/x", 405, "GET, PUT, PATCH, DELETE").await;
    check(Method::PUT, "/ServiceProviderConfig", 405, "GET").await;
    check(Method::POST, "/Schemas", 405, "GET").await;
    let elsewhere = Client::at(format!("http://{}", mock.addr()));
    for path in ["/", "/elsewhere", "/apps/x", "/apps/x/scimitar"] {
        elsewhere.get(path).await.scim_error(404, None);
    }
}

#[tokio::test]
async fn conditions_are_honoured() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("a", json!({}))).await.id());
    let check = async |method: Method, name: &str, tag: &str, status: u16| {
        let body = match method {
            Method::PUT => user("a", json!({"title": "t"})),
            Method::PATCH => json!({"schemas": [crate::client::PATCH],
                "Operations": [{"op": "replace", "path": "title", "value": "t"}]}),
            _ => Value::Null,
        };
        let answer = finish(with_body(client.request(method, &path).header(name, tag), &body)).await;
        assert_eq!(answer.status, status, "{name}: {tag}: {answer:?}");
        answer
    };
    for method in [Method::PUT, Method::PATCH, Method::DELETE] {
        check(method, "if-match", "W/\"99\"", 412).await.scim_error(412, None);
    }
    check(Method::GET, "if-none-match", "W/\"1\"", 304).await;
    check(Method::GET, "if-none-match", "W/\"2\"", 200).await;
    check(Method::PUT, "if-match", "W/\"7\", W/\"1\"", 200).await;
    check(Method::PATCH, "if-match", "\"2\"", 200).await;
    check(Method::DELETE, "if-match", "*", 204).await;
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let mock = start().await;
    let client = Client::of(&mock);
    for (name, title) in
        [("ann", "Nurse"), ("Bob", "Cook"), ("cyd", "Nurse"), ("dee", "Cook"), ("o\"eve", "Pilot")]
    {
        let more = json!({"title": title, "emails": [{"value": "x@example.com", "type": "work"}]});
        assert_eq!(client.post("/Users", &user(name, more)).await.status, 201);
    }
    let check = async |query: &[(&str, &str)], total: usize, names: &[&str]| {
        let answer = client.query("/Users", query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let list = answer.json();
        assert_eq!(list["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"]));
        assert_eq!((&list["totalResults"], &list["itemsPerPage"]), (&json!(total), &json!(names.len())));
        let found: Vec<_> = list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|user| user["userName"].as_str().unwrap())
            .collect();
        assert_eq!(found, names, "{query:?}");
    };
    let everyone = ["ann", "Bob", "cyd", "dee", "o\"eve"];
    check(&[], 5, &everyone).await;
    check(&[("startIndex", "2"), ("count", "2")], 5, &["Bob", "cyd"]).await;
    check(&[("startIndex", "5"), ("count", "9")], 5, &["o\"eve"]).await;
    check(&[("startIndex", "6")], 5, &[]).await;
    check(&[("startIndex", "-3"), ("count", "1")], 5, &["ann"]).await;
    check(&[("count", "0")], 5, &[]).await;
    check(&[("count", "-1")], 5, &[]).await;
    check(&[("filter", "userName eq \"BOB\"")], 1, &["Bob"]).await;
    check(&[("filter", "USERNAME EQ \"bob\"")], 1, &["Bob"]).await;
    check(&[("filter", "userName eq \"o\\\"eve\"")], 1, &["o\"eve"]).await;
    check(&[("filter", "userName eq \"nobody\"")], 0, &[]).await;
    check(&[("filter", "title eq \"nurse\""), ("count", "1")], 2, &["ann"]).await;
    check(&[("filter", "title eq \"Nurse\" and not (userName sw \"a\")")], 1, &["cyd"]).await;
    check(
        &[("filter", "emails[type eq \"work\" and value ew \".com\"]"), ("startIndex", "4")],
        5,
        &["dee", "o\"eve"],
    )
    .await;
    check(&[("filter", "meta.resourceType eq \"User\" and userName gt \"c\"")], 3, &["cyd", "dee", "o\"eve"])
        .await;

    let bad = client.query("/Users", &[("filter", "userName eqq \"a\"")]).await;
    let detail = bad.scim_error(400, Some("invalidFilter"));
    assert!(detail.contains("unknown operator \"eqq\""), "{detail}");
    assert!(detail.contains("at byte 9"), "{detail}");
    client.get("/Users?count=many").await.scim_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn a_filtered_answer_agrees_with_the_index() {
    let mock = start().await;
    let application = mock.default_application();
    let twin = application.seed_user(user("Twin", json!({})));
    let other = application.seed_user(user("TWIN", json!({})));
    application.seed_user(user("else", json!({})));
    let client = Client::of(&mock);
    for filter in ["userName eq \"twin\"", "userName eq \"twin\" and active eq true"] {
        let list = client.query("/Users", &[("filter", filter)]).await.json();
        let ids: Vec<_> = list["Resources"].as_array().unwrap().iter().map(|user| &user["id"]).collect();
        assert_eq!(ids, [&json!(twin), &json!(other)], "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_of_many_operations_meet_each_other_and_lose_nothing() {
    let mock = start().await;
    let client = Arc::new(Client::of(&mock));
    let path = format!("/Users/{}", client.post("/Users", &user("ida", json!({}))).await.id());
    let adds = |from: usize, count: usize| -> Value {
        (from..from + count)
            .map(
                |n| json!({"op": "add", "path": "emails", "value": [{"value": format!("m{n}@example.com")}]}),
            )
            .collect()
    };
    let writers = (0..8).map(|writer| {
        let (client, path, operations) = (Arc::clone(&client), path.clone(), adds(writer * 50, 50));
        tokio::spawn(async move { client.patch(&path, &operations).await.status })
    });
    for writer in writers.collect::<Vec<_>>() {
        assert_eq!(writer.await.unwrap(), 200);
    }
    assert_eq!(client.get(&path).await.json()["emails"].as_array().unwrap().len(), 400);
    // A wrong operation among many changes nothing, and is told by its number.
    let mut wrong = adds(400, 20);
    wrong.as_array_mut().unwrap().push(json!({"op": "replace", "path": "active", "value": 1}));
    let detail = client.patch(&path, &wrong).await.scim_error(400, Some("invalidValue"));
    assert!(detail.starts_with("operation 21"), "{detail}");
    let most = client.patch(&path, &adds(400, 1000)).await;
    assert_eq!((most.status, most.json()["emails"].as_array().unwrap().len()), (200, 1400));
    let detail = client.patch(&path, &adds(0, 1001)).await.scim_error(400, Some("tooMany"));
    assert!(detail.contains("1001") && detail.contains("1000"), "{detail}");
    mock.default_application().check_consistency().unwrap();
}
