//! Many operations in one request (RFC 7644 §3.7).

use mock_aquera::{MockAquera, OperationKind, Profile};
use serde_json::{Value, json};

use crate::client::{Answer, Client, PATCH, start, user};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
const RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

#[expect(clippy::needless_pass_by_value, reason = "called with json!")]
fn post(path: &str, bulk_id: &str, data: Value) -> Value {
    json!({"method": "POST", "path": path, "bulkId": bulk_id, "data": data})
}

#[expect(clippy::needless_pass_by_value, reason = "called with json!")]
fn group(name: &str, members: Value) -> Value {
    json!({"schemas": [GROUP], "displayName": name, "members": members})
}

async fn send(client: &Client, operations: Value) -> Answer {
    client.post("/Bulk", &json!({"schemas": [REQUEST], "Operations": operations})).await
}

async fn bulk(client: &Client, operations: Value) -> Vec<Value> {
    let answer = send(client, operations).await;
    assert_eq!((answer.status, &answer.json()["schemas"]), (200, &json!([RESPONSE])), "{answer:?}");
    answer.json()["Operations"].as_array().unwrap().clone()
}

fn statuses(operations: &[Value]) -> Vec<&str> {
    operations.iter().map(|operation| operation["status"].as_str().unwrap()).collect()
}

fn id_of(operation: &Value) -> String {
    operation["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}

fn members(mock: &MockAquera, id: &str) -> Vec<String> {
    let group = mock.default_application().resource("Group", id).unwrap();
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn each_operation_has_its_answer() {
    let mock = start().await;
    let client = Client::of(&mock);
    let old = client.post("/Users", &user("old", json!({}))).await.id();
    let path = format!("/Users/{old}");
    let patch = json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": "title", "value": "p"}]});
    let done = bulk(
        &client,
        json!([
            post("/Users", "one", user("ann", json!({}))),
            {"method": "PUT", "path": path, "data": user("old", json!({"title": "t"}))},
            {"method": "patch", "path": path, "data": patch, "version": "W/\"2\""},
            {"method": "PATCH", "path": path, "data": patch, "version": "W/\"1\""},
            post("/Users", "two", user("ANN", json!({}))),
            post("/Users", "three", json!({"schemas": [], "userName": 1})),
            {"method": "DELETE", "path": "/Users/none"},
            {"method": "DELETE", "path": path},
            {"method": "PUT", "path": path, "bulkId": "four", "data": user("old", json!({}))},
            {"method": "DELETE", "path": "/Users"},
            post("/Shoes", "five", json!({})),
        ]),
    )
    .await;
    assert_eq!(
        statuses(&done),
        ["201", "200", "200", "412", "409", "400", "404", "204", "404", "400", "400"]
    );
    let ann = &done[0];
    let location = ann["location"].as_str().unwrap();
    assert_eq!(location, format!("{}/Users/{}", mock.scim_url(), id_of(ann)));
    assert_eq!(
        (&ann["method"], &ann["bulkId"], &ann["version"]),
        (&json!("POST"), &json!("one"), &json!("W/\"1\""))
    );
    assert_eq!(ann.get("response"), None);
    assert_eq!(
        (&done[2]["version"], &done[2]["location"]),
        (&json!("W/\"3\""), &json!(format!("{}{path}", mock.scim_url())))
    );
    assert_eq!(done[7]["location"], done[2]["location"]);
    assert_eq!(done[8]["bulkId"], json!("four"));
    for (failed, scim_type) in
        [(3, None), (4, Some("uniqueness")), (5, Some("invalidValue")), (6, None), (9, Some("invalidValue"))]
    {
        let response = &done[failed]["response"];
        assert_eq!(response["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
        assert_eq!(response["status"], done[failed]["status"]);
        assert_eq!(response.get("scimType").and_then(Value::as_str), scim_type, "{response}");
        assert!(response["detail"].as_str().is_some_and(|detail| detail.len() > 5));
    }
    assert_eq!(done[4].get("location"), None, "nothing was made");
    let last = mock.default_application().journal().pop().unwrap();
    assert!(last.operations.len() >= 11, "the journal shows what is inside: {}", last.operations.len());
    assert!(last.operations.iter().any(|operation| operation.kind == OperationKind::Delete));
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn references_lead_to_what_others_make() {
    let mock = start().await;
    let client = Client::of(&mock);
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let done = bulk(
        &client,
        json!([
            // It comes before those that it refers to.
            post("/Groups", "crew", group("crew", json!([{"value": "bulkId:ann"}, {"value": "bulkId:bob", "type": "User"}]))),
            post("/Users", "ann", user("ann", json!({}))),
            post("/Users", "bob", user("bob", json!({enterprise: {"manager": {"value": "bulkId:ann"}}}))),
            {"method": "PATCH", "path": "/Groups/bulkId:crew", "data": {"schemas": [PATCH], "Operations": [
                {"op": "remove", "path": "members[value eq \"bulkId:ann\"]"},
                {"op": "replace", "path": "displayName", "value": "band"}]}},
            {"method": "PUT", "path": "/Users/bulkId:ann", "data": user("ann", json!({"title": "Boss"}))},
            post("/Users", "gone", user("gone", json!({}))),
            {"method": "DELETE", "path": "/Users/bulkId:gone"},
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201", "201", "201", "200", "200", "201", "204"], "{done:?}");
    let (crew, ann, bob) = (id_of(&done[0]), id_of(&done[1]), id_of(&done[2]));
    assert_eq!(members(&mock, &crew), std::slice::from_ref(&bob));
    let application = mock.default_application();
    assert_eq!(application.user(&bob).unwrap()[enterprise]["manager"]["value"], json!(ann));
    assert_eq!(application.user(&ann).unwrap()["title"], json!("Boss"));
    assert_eq!(application.resource("Group", &crew).unwrap()["displayName"], json!("band"));
    assert_eq!(application.user_count(), 2);

    let done = bulk(
        &client,
        json!([
            post("/Users", "bad", user("ANN", json!({}))),
            post("/Groups", "needs", group("needs", json!([{"value": "bulkId:bad"}]))),
            post("/Groups", "lost", group("lost", json!([{"value": "bulkId:nobody"}]))),
            {"method": "DELETE", "path": "/Users/bulkId:nobody"},
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["409", "409", "400", "400"], "{done:?}");
    assert!(done[1]["response"]["detail"].as_str().unwrap().contains("`bad`"));
    assert!(done[2]["response"]["detail"].as_str().unwrap().contains("`nobody`"));
    application.check_consistency().unwrap();
}

#[tokio::test]
async fn circles_close() {
    let mock = start().await;
    let client = Client::of(&mock);
    let done = bulk(
        &client,
        json!([
            post("/Groups", "a", group("a", json!([{"type": "Group", "value": "bulkId:b"}]))),
            post("/Groups", "b", group("b", json!([{"type": "Group", "value": "bulkId:c"}]))),
            post("/Groups", "c", group("c", json!([{"type": "Group", "value": "bulkId:a"}]))),
            post("/Groups", "self", group("self", json!([{"value": "bulkId:self"}]))),
        ]),
    )
    .await;
    assert_eq!(statuses(&done), ["201"; 4], "{done:?}");
    let ids: Vec<String> = done.iter().map(id_of).collect();
    for (from, to) in [(0, 1), (1, 2), (2, 0), (3, 3)] {
        assert_eq!(members(&mock, &ids[from]), [ids[to].clone()], "{from}");
    }
    for (operation, id) in done.iter().zip(&ids) {
        let group = client.get(&format!("/Groups/{id}")).await;
        assert_eq!(
            operation["version"],
            json!(group.header("etag")),
            "the version that is told is the one that is"
        );
    }
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn errors_end_it_where_that_is_asked_for() {
    let mock = start().await;
    let client = Client::of(&mock);
    let operations = json!([
        post("/Users", "1", user("a", json!({}))),
        post("/Users", "2", user("a", json!({}))),
        post("/Users", "3", user("b", json!({}))),
        post("/Users", "4", user("b", json!({}))),
        post("/Users", "5", user("c", json!({}))),
    ]);
    for (limit, expected) in [
        (json!(1), vec!["201", "409"]),
        (json!(2), vec!["409", "409"]),
        (json!(9), vec!["409", "409", "409", "409", "201"]),
        (Value::Null, vec!["409"; 5]),
    ] {
        let body = json!({"schemas": [REQUEST], "failOnErrors": limit, "Operations": operations});
        let answer = client.post("/Bulk", &body).await;
        let done = answer.json()["Operations"].as_array().unwrap().clone();
        let expected: Vec<&str> = match limit.as_u64() {
            Some(9) => vec!["409", "409", "201", "409", "201"],
            _ => expected,
        };
        assert_eq!((answer.status, statuses(&done)), (200, expected), "{limit}");
    }
}

#[tokio::test]
async fn both_limits_answer_413_and_bad_requests_400() {
    let mock = start().await;
    let client = Client::of(&mock);
    let mut profile = Profile::builtin("rfc").unwrap();
    (profile.features.bulk_max_operations, profile.features.bulk_max_payload) = (2, 2000);
    mock.default_application().set_profile(profile);
    let config = client.get("/ServiceProviderConfig").await.json();
    assert_eq!(
        (&config["bulk"]["maxOperations"], &config["bulk"]["maxPayloadSize"]),
        (&json!(2), &json!(2000))
    );
    let one = |at: usize| json!({"method": "DELETE", "path": format!("/Users/{at}")});
    assert_eq!(send(&client, json!([one(1), one(2)])).await.status, 200);
    let detail = send(&client, json!([one(1), one(2), one(3)])).await.scim_error(413, None);
    assert!(detail.contains("maxOperations") && detail.contains('2'), "{detail}");
    let large = post("/Users", "x", user("x", json!({"title": "x".repeat(2000)})));
    let detail = send(&client, json!([large])).await.scim_error(413, None);
    assert!(detail.contains("maxPayloadSize") && detail.contains("2000"), "{detail}");
    assert_eq!(mock.default_application().user_count(), 0);

    for (bad, said) in [
        (json!({"Operations": []}), "schemas"),
        (json!({"schemas": [REQUEST]}), "Operations"),
        (json!({"schemas": [REQUEST], "Operations": [1]}), "Operations[0]"),
        (
            json!({"schemas": [REQUEST], "Operations": [{"method": "GET", "path": "/Users"}]}),
            "Operations[0].method",
        ),
        (json!({"schemas": [REQUEST], "Operations": [{"method": "DELETE"}]}), "Operations[0].path"),
        (
            json!({"schemas": [REQUEST], "Operations": [{"method": "POST", "path": "/Users", "data": {}}]}),
            "bulkId is required",
        ),
        (
            json!({"schemas": [REQUEST], "Operations": [{"method": "PUT", "path": "/Users/1"}]}),
            "data is required",
        ),
        (json!({"schemas": [REQUEST], "failOnErrors": 0, "Operations": []}), "failOnErrors"),
        (
            json!({"schemas": [REQUEST], "Operations": [post("/Users", "a", json!({})), post("/Users", "a", json!({}))]}),
            "used twice",
        ),
    ] {
        let detail = client.post("/Bulk", &bad).await.scim_error(400, Some("invalidSyntax"));
        assert!(detail.contains(said), "{bad}: {detail}");
    }
}
