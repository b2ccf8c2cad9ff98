//! Everything out of an application, and in again.

use mock_aquera::{Load, MockAquera, Profile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::client::{Answer, Client, USER, start, user};

const APP: &str = "/applications/default";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Users, nested groups in a circle, versions above one, times that have passed.
async fn fill(mock: &MockAquera) {
    let (admin, scim) = (Admin::of(mock), Client::of(mock));
    admin.post(&format!("{APP}/clock"), json!({"freeze": true, "now": "2026-01-01T00:00:00Z"})).await;
    let more = json!({"externalId": "e1", "emails": [{"value": "ida@x", "type": "work"}],
        "schemas": [USER, ENTERPRISE], (ENTERPRISE): {"department": "Ops"}});
    let ida = scim.post("/Users", &user("ida", more)).await.id();
    let bob = scim.post("/Users", &user("bob", json!({"active": false}))).await.id();
    let group = async |name: &str, members: Value| {
        let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
        let made = scim.post("/Groups", &body).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.id()
    };
    let outer = group("outer", json!([])).await;
    let inner = group("inner", json!([{"value": bob, "display": "Robert"}, {"value": ida}])).await;
    let last = group("last", json!([{"value": ida}, {"value": outer}])).await;
    admin.post(&format!("{APP}/clock"), json!({"advance": "1h"})).await;
    let no_active = json!([{"op": "remove", "path": "active"}]);
    assert_eq!(scim.patch(&format!("/Users/{bob}"), &no_active).await.status, 200);
    let title = json!([{"op": "replace", "path": "title", "value": "Nurse"}]);
    assert_eq!(scim.patch(&format!("/Users/{ida}"), &title).await.status, 200);
    // In the order in which they joined, and not in that of the groups.
    let add = |id: &str| json!([{"op": "add", "path": "members", "value": [{"value": id}]}]);
    for (group, member) in [(&outer, &inner), (&inner, &last), (&outer, &ida)] {
        assert_eq!(scim.patch(&format!("/Groups/{group}"), &add(member)).await.status, 200);
    }
}

#[tokio::test]
async fn what_is_dumped_comes_back_as_it_was() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    fill(&mock).await;
    let before = admin.get(&format!("{APP}/dump?format=ndjson")).await;
    assert_eq!((before.status, before.header("content-type")), (200, "application/x-ndjson"));
    assert_eq!(before.text.lines().count(), 5, "{}", before.text);
    let listed = scim.get("/Users").await.json();
    let as_array = admin.read(&format!("{APP}/dump")).await;
    let lines: Vec<Value> = before.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(as_array, Value::from(lines));
    assert_eq!(admin.read(&format!("{APP}/dump?format=json")).await, as_array);

    let pretty = serde_json::to_string_pretty(&as_array).unwrap();
    for (body, as_it_stands) in [(&before.text, true), (&pretty, false)] {
        for how in ["", "?unchecked=true", "?replace=true", "?unchecked&replace"] {
            if !how.contains("replace") {
                admin.send(Method::POST, &format!("{APP}/reset?what=data"), "").await;
            }
            let loaded = admin.send(Method::POST, &format!("{APP}/load{how}"), body.clone()).await;
            assert_eq!((loaded.status, loaded.json()), (201, json!({"loaded": 5})), "{how}");
            assert_eq!(admin.read(&format!("{APP}/dump")).await, as_array, "{how}");
            if as_it_stands && !how.contains("unchecked") {
                assert_eq!(admin.get(&format!("{APP}/dump?format=ndjson")).await.text, before.text, "{how}");
            }
            assert_eq!(scim.get("/Users").await.json(), listed, "{how}");
            assert_eq!(admin.read(&format!("{APP}/consistency")).await, json!({"consistent": true}));
        }
    }
    // Into another application: the addresses are its own.
    admin.put("/applications/copy", json!({})).await;
    assert_eq!(admin.send(Method::POST, "/applications/copy/load", before.text.clone()).await.status, 201);
    let copied = admin.get("/applications/copy/dump").await.text.replace("/apps/copy/scim", "/scim");
    let without_version = |mut all: Value| {
        // The version of a user has to do with its groups' addresses.
        for resource in all.as_array_mut().unwrap() {
            resource["meta"]["version"].take();
        }
        all
    };
    assert_eq!(without_version(serde_json::from_str(&copied).unwrap()), without_version(as_array.clone()));
    let found = Client::at(mock.application("copy").unwrap().scim_url());
    let found = found.query("/Users", &[("filter", "emails.value eq \"ida@x\"")]).await.json();
    assert_eq!(found["totalResults"], json!(1), "it is in the indexes");

    let empty = admin.send(Method::POST, &format!("{APP}/load?replace=true"), "").await;
    assert_eq!((empty.status, empty.json()), (201, json!({"loaded": 0})));
    assert_eq!(admin.read(&format!("{APP}/dump")).await, json!([]));
    assert_eq!(admin.get(&format!("{APP}/dump?format=ndjson")).await.text, "");
}

#[tokio::test]
async fn the_library_dumps_and_loads_too() {
    let mock = start().await;
    fill(&mock).await;
    let application = mock.default_application();
    let before = application.dump();
    assert_eq!(application.load(&before, Load { replace: true, ..Load::default() }), Ok(5));
    assert_eq!(application.dump(), before);
    assert_eq!(
        application.load(b"{\"userName\":\"new\",\"meta\":{\"resourceType\":\"user\"}}", Load::default()),
        Ok(1)
    );
    assert_eq!(application.user_count(), 3);
    let error = application.load(&before, Load::default()).unwrap_err();
    assert_eq!(error.problems.first().map(|problem| problem.line), Some(1));
    assert!(error.to_string().starts_with("load the resources, so none was kept; line 1: "), "{error}");
    assert!(error.to_string().ends_with("more"), "{error}");
}

#[tokio::test]
async fn a_load_is_taken_whole_or_not_at_all() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    let there = json!({"userName": "there", "id": "there", "externalId": "x"});
    admin.post(&format!("{APP}/users"), there).await;
    let before = mock.default_application().dump();
    let lines = [
        json!({"schemas": [USER], "userName": "fine", "id": "fine"}).to_string(),
        String::new(),
        json!({"schemas": [USER], "userName": "FINE"}).to_string(),
        json!({"schemas": [USER], "userName": "There"}).to_string(),
        json!({"schemas": [USER], "userName": "x", "id": "there"}).to_string(),
        json!({"schemas": [USER], "userName": "y", "id": "fine"}).to_string(),
        "{\"userName\":".to_owned(),
        "7".to_owned(),
        json!({"schemas": ["urn:x"], "userName": "z"}).to_string(),
        json!({"schemas": [USER], "userName": "z", "active": "maybe"}).to_string(),
        json!({"schemas": [USER]}).to_string(),
        json!({"meta": {"resourceType": "Device"}}).to_string(),
        json!({"schemas": [USER], "userName": "w", "id": 7}).to_string(),
    ];
    let answer = admin.send(Method::POST, &format!("{APP}/load"), lines.join("\n")).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let problems = answer.json()["problems"].clone();
    let told: Vec<(u64, &str)> = problems
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap(), problem["detail"].as_str().unwrap()))
        .collect();
    let expected = [
        (3, "userName \"fine\" is there twice"),
        (4, "userName \"there\" belongs to a resource that is there"),
        (5, "the id \"there\" already; replace=true"),
        (6, "the id \"fine\" is there twice"),
        (7, "the text ends too early: the value of `userName` is missing"),
        (8, "a resource is a JSON object"),
        (9, "write `schemas`"),
        (10, "active"),
        (11, "userName"),
        (12, "`Device`; there are User, Group"),
        (13, "`id` is a text"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for ((line, detail), (expected_line, part)) in told.iter().zip(expected) {
        assert!(
            *line == expected_line && detail.contains(part),
            "{line}: {detail}, expected {expected_line}: {part}"
        );
    }
    let error = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("line 3: ") && error.contains("and 6 more"), "{error}");
    assert_eq!(mock.default_application().dump(), before);

    // What only shows once the rest is in.
    let group = |members: Value| json!({"schemas": [GROUP], "displayName": "g", "members": members});
    let load = async |resources: Value, query: &str| -> Answer {
        let text = serde_json::to_string_pretty(&resources).unwrap();
        admin.send(Method::POST, &format!("{APP}/load{query}"), text).await
    };
    let new = json!({"schemas": [USER], "userName": "new", "id": "new"});
    let bad =
        json!([new, group(json!([{"value": "new"}])), group(json!([{"value": "new"}, {"value": "nobody"}]))]);
    let answer = load(bad.clone(), "").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.json()["problems"][0]["detail"].as_str().unwrap().contains("members[1]"), "{answer:?}");
    assert_eq!(mock.default_application().dump(), before);
    assert_eq!(load(bad.clone(), "?replace=true").await.status, 400);
    assert_eq!(mock.default_application().dump(), before);
    assert_eq!(load(bad, "?unchecked=true").await.json(), json!({"loaded": 3}));
    let counts = mock.default_application().counts();
    assert_eq!(counts, [("User".to_owned(), 2), ("Group".to_owned(), 2)]);
    mock.default_application().check_consistency().unwrap();

    let twins =
        json!([{"schemas": [USER], "userName": "t"}, {"schemas": [USER], "userName": "T", "active": 3}]);
    assert_eq!(load(twins, "?unchecked=true").await.json(), json!({"loaded": 2}));

    for (query, part) in [
        ("?uncheckd=true", "did you mean `unchecked`?"),
        ("?unchecked=yes", "true or false"),
        ("?replace=1", "true or false"),
        ("?x=1", "this route takes unchecked, replace"),
    ] {
        admin.refused(Method::POST, &format!("{APP}/load{query}"), "", 400, part).await;
    }
    admin.refused(Method::POST, &format!("{APP}/load"), "[\n{},\n{]", 400, "line 3").await;
    admin.refused(Method::GET, &format!("{APP}/dump?format=xml"), "", 400, "json or ndjson").await;
    admin.refused(Method::GET, &format!("{APP}/dump?fromat=json"), "", 400, "did you mean `format`?").await;
    admin.refused(Method::POST, "/applications/x/load", "", 404, "`x`").await;
    admin.refused(Method::GET, "/applications/x/dump", "", 404, "`x`").await;
    admin.refused(Method::GET, "/applications/x/consistency", "", 404, "`x`").await;
}

#[tokio::test]
async fn a_load_is_checked_as_the_profile_has_it() {
    let strict = Profile::builtin("strict").unwrap();
    let mock = MockAquera::builder().profile(strict).start().await.unwrap();
    let admin = Admin::of(&mock);
    let line = json!({"schemas": [USER], "userName": "a", "active": "True"}).to_string();
    admin.refused(Method::POST, &format!("{APP}/load"), &line, 400, "line 1: ").await;
    let mild = start().await;
    let admin = Admin::of(&mild);
    assert_eq!(admin.send(Method::POST, &format!("{APP}/load"), line).await.status, 201);
}
