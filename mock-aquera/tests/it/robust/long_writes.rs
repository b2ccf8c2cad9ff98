//! Writes that take long: they hold up nobody else, and beyond a bound they are refused.

use mock_aquera::{Application, MockAquera, Phase};
use serde_json::{Value, json};

use crate::client::{Answer, Client, PATCH, finish, http, start, user, with_body};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

async fn ida(client: &Client, emails: usize) -> String {
    let email = |n: usize| json!({"value": format!("e{n}@example.com")});
    let body = user("ida", json!({"emails": (0..emails).map(email).collect::<Vec<_>>()}));
    format!("/Users/{}", client.post("/Users", &body).await.id())
}

/// A PATCH that looks at each of 2,000 values for each of its operations, and then sets the title.
fn long_patch(operations: usize) -> Value {
    let mut all = vec![json!({"op": "remove", "path": "emails[not (value pr)]"}); operations];
    all.push(json!({"op": "add", "path": "title", "value": "long"}));
    json!({"schemas": [PATCH], "Operations": all})
}

/// Begins a write and returns once the server has it.
async fn begun(
    application: &Application,
    request: reqwest::RequestBuilder,
) -> tokio::task::JoinHandle<Answer> {
    let mut hold = application.hold(1, Phase::BeforeEffect);
    let writing = tokio::spawn(finish(request));
    hold.reached().await;
    hold.release();
    writing
}

#[tokio::test]
async fn long_write_does_not_hold_up_other_requests() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = ida(&client, 2000).await;
    let patch = with_body(client.request(reqwest::Method::PATCH, &path), &long_patch(150));
    let writing = begun(&mock.default_application(), patch).await;
    let health = http().get(format!("{}/health", mock.admin_url())).send().await.unwrap();
    assert_eq!(health.status(), 200);
    assert_eq!(client.get(&format!("{path}?attributes=userName")).await.status, 200);
    assert_eq!(client.post("/Users", &user("bob", json!({}))).await.status, 201);
    assert!(!writing.is_finished(), "the others waited for the long write");
    let written = writing.await.unwrap();
    assert_eq!((written.status, &written.json()["title"]), (200, &json!("long")));
}

/// How many users there are while a request is on its way, each time that they are counted.
async fn counted_during(
    client: &Client,
    request: impl Future<Output = Answer> + Send + 'static,
) -> (Vec<u64>, Answer) {
    let writing = tokio::spawn(request);
    let mut counts = Vec::new();
    while !writing.is_finished() {
        let list = client.get("/Users?count=0").await.json();
        counts.push(list["totalResults"].as_u64().unwrap());
    }
    (counts, writing.await.unwrap())
}

/// A request that loads `count` users.
fn load(mock: &MockAquera, count: u64) -> reqwest::RequestBuilder {
    let lines: Vec<_> = (0..count).map(|n| format!("{{\"id\":\"u{n}\",\"userName\":\"u{n}\"}}\n")).collect();
    http()
        .post(format!("{}/applications/default/load", mock.admin_url()))
        .header("content-type", "application/x-ndjson")
        .body(lines.concat())
}

/// Which thread runs is up to the machine, so both are tried until a list has shown a part of the users. Were the lock
/// held all the time, no list ever would.
#[tokio::test]
async fn others_are_served_while_many_users_are_loaded_and_removed() {
    const MANY: u64 = 4000;
    let mock = start().await;
    let client = Client::of(&mock);
    let in_between = |counts: &[u64]| counts.iter().any(|count| (1..MANY).contains(count));
    let (mut while_loaded, mut while_removed) = (false, false);
    for _ in 0..100 {
        let (counts, loaded) = counted_during(&client, finish(load(&mock, MANY))).await;
        assert_eq!(loaded.status, 201, "{loaded:?}");
        while_loaded |= in_between(&counts);
        let delete = http().delete(format!("{}/applications/default/users", mock.admin_url()));
        let (counts, deleted) = counted_during(&client, finish(delete)).await;
        assert_eq!((deleted.status, &deleted.json()["removed"]), (200, &json!(MANY)));
        while_removed |= in_between(&counts);
        mock.default_application().check_consistency().unwrap();
        if while_loaded && while_removed {
            return;
        }
    }
    panic!("the others waited: for the load {}, for the removal {}", !while_loaded, !while_removed);
}

/// Who is faster than a load makes it fail, and it takes out again what it put in.
#[tokio::test]
async fn load_that_meets_a_name_on_its_way_leaves_nothing_behind() {
    const MANY: u64 = 4000;
    let mock = start().await;
    let client = Client::of(&mock);
    let writing = tokio::spawn(finish(load(&mock, MANY)));
    while mock.default_application().user_count() == 0 && !writing.is_finished() {
        tokio::task::yield_now().await;
    }
    let last = format!("u{}", MANY - 1);
    let made = client.post("/Users", &user(&last, json!({}))).await;
    let loaded = writing.await.unwrap();
    let (status, left) = (loaded.status, mock.default_application().user_count() as u64);
    // Whoever was first has the name.
    let expected = if made.status == 201 { (400, 1) } else { (201, MANY) };
    assert_eq!((status, left), expected, "{made:?} {loaded:?}");
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn write_during_a_long_one_is_not_lost() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = ida(&client, 2000).await;
    for method in [reqwest::Method::PATCH, reqwest::Method::PUT] {
        let body = match method {
            reqwest::Method::PATCH => long_patch(100),
            _ => user(
                "ida",
                json!({"emails": vec![json!({"value": "x@example.com"}); 1], "title": "a".repeat(200_000)}),
            ),
        };
        let writing =
            begun(&mock.default_application(), with_body(client.request(method.clone(), &path), &body)).await;
        let nick = json!([{"op": "add", "path": "nickName", "value": method.as_str()}]);
        assert_eq!(client.patch(&path, &nick).await.status, 200);
        assert_eq!(writing.await.unwrap().status, 200);
        let now = client.get(&path).await.json();
        if method == reqwest::Method::PATCH {
            assert_eq!((&now["title"], &now["nickName"]), (&json!("long"), &json!("PATCH")));
        } else {
            assert_eq!(now["title"].as_str().map(str::len), Some(200_000));
        }
    }
}

#[tokio::test]
async fn more_work_than_the_bound_is_refused_with_too_many() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = ida(&client, 200).await;
    let terms = vec!["value pr"; 256].join(" or ");
    let operations = vec![json!({"op": "remove", "path": format!("emails[not ({terms})]")}); 40];
    let detail = client.patch(&path, &Value::from(operations)).await.scim_error(400, Some("tooMany"));
    assert!(detail.starts_with("operation 40: ") && detail.contains("2000000 values"), "{detail}");
}

#[tokio::test]
async fn members_written_out_are_changed_in_one_go() {
    let mock = start().await;
    let client = Client::of(&mock);
    let mut ids = Vec::new();
    for name in ["ann", "bob", "cyd"] {
        ids.push(client.post("/Users", &user(name, json!({}))).await.id());
    }
    let members = json!([{"value": ids[0]}, {"value": ids[1]}]);
    let group = json!({"schemas": [GROUP], "displayName": "crew", "members": members});
    let path = format!("/Groups/{}", client.post("/Groups", &group).await.id());
    let at_large =
        json!({"op": "remove", "path": format!("members[type eq \"User\" and value eq \"{}\"]", ids[0])});
    let operations = json!([
        at_large,
        {"op": "add", "path": "members", "value": [{"value": ids[2]}]},
        {"op": "remove", "path": format!("members[value eq \"{}\"]", ids[1])},
    ]);
    let answer = client.patch(&path, &operations).await;
    let shown = answer.json();
    let left: Vec<&str> =
        shown["members"].as_array().unwrap().iter().map(|member| member["value"].as_str().unwrap()).collect();
    assert_eq!(left, [ids[2].as_str()]);
    let nobody = json!([
        {"op": "add", "path": "externalId", "value": "e"},
        at_large,
        {"op": "replace", "path": "members[value eq \"nobody\"].type", "value": "User"},
    ]);
    let detail = client.patch(&path, &nobody).await.scim_error(400, Some("noTarget"));
    assert!(detail.starts_with("operation 3: "), "{detail}");
}

#[tokio::test]
async fn bulk_of_member_changes_ends_with_the_last_version() {
    let mock = start().await;
    let client = Client::of(&mock);
    let mut members = Vec::new();
    for n in 0..4 {
        members.push(client.post("/Users", &user(&format!("u{n}"), json!({}))).await.id());
    }
    let all: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
    let group = json!({"schemas": [GROUP], "displayName": "crew", "members": all});
    let path = format!("/Groups/{}", client.post("/Groups", &group).await.id());
    let removal = |id: &String| {
        let operation = json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")});
        json!({"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": [operation]}})
    };
    let operations: Vec<Value> = members.iter().map(removal).collect();
    let answer = client.post("/Bulk", &json!({"schemas": [BULK], "Operations": operations})).await.json();
    let versions: Vec<&str> = answer["Operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|done| done["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["W/\"2\"", "W/\"3\"", "W/\"4\"", "W/\"5\""]);
    assert_eq!(client.get(&path).await.json().get("members"), None);
}
