//! Groups: who is in them, how that is said and changed, and what users know of it (RFC 7643 §4.1.2, §4.2).

use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{ManualClock, MockAquera};
use serde_json::{Value, json};

use crate::client::{Client, start, user};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

fn group(name: &str, members: &Value) -> Value {
    json!({"schemas": [GROUP], "displayName": name, "members": members})
}

/// Users of these names; gives their ids.
async fn people<const N: usize>(client: &Client, names: [&str; N]) -> [String; N] {
    let mut ids = Vec::new();
    for name in names {
        ids.push(client.post("/Users", &user(name, json!({}))).await.id());
    }
    ids.try_into().unwrap()
}

fn members(group: &Value) -> Vec<String> {
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].as_str().unwrap().to_owned()).collect()
}

/// The groups of a user: display and type.
async fn groups_of(client: &Client, id: &str) -> Vec<(String, String)> {
    let user = client.get(&format!("/Users/{id}")).await.json();
    let text = |group: &Value, name: &str| group[name].as_str().unwrap().to_owned();
    let groups = user["groups"].as_array().cloned().unwrap_or_default();
    groups.iter().map(|group| (text(group, "display"), text(group, "type"))).collect()
}

#[tokio::test]
async fn members_are_given_by_id_or_address_and_shown_whole() {
    let mock = start().await;
    let client = Client::of(&mock);
    let [ann, bob, cyd] = people(&client, ["ann", "bob", "cyd"]).await;
    let address = format!("{}/Users/{bob}", mock.scim_url());
    let given = json!([{"value": ann, "type": "User"}, {"$ref": address}, {"value": cyd, "display": "Cyd the cook"}, {"value": ann}]);
    let created = client.post("/Groups", &group("crew", &given)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let at = |id: &str| format!("{}/Users/{id}", mock.scim_url());
    let shown = json!([
        {"value": ann, "$ref": at(&ann), "display": "ann", "type": "User"},
        {"value": bob, "$ref": at(&bob), "display": "bob", "type": "User"},
        {"value": cyd, "$ref": at(&cyd), "display": "Cyd the cook", "type": "User"},
    ]);
    assert_eq!(created.json()["members"], shown);
    let path = format!("/Groups/{}", created.id());
    assert_eq!(client.get(&path).await.json(), created.json());
    // A name of one's own follows the user; one that was given stays.
    let rename = json!([{"op": "replace", "path": "displayName", "value": "Ann Lee"}]);
    client.patch(&format!("/Users/{ann}"), &rename).await;
    client.patch(&format!("/Users/{cyd}"), &rename).await;
    let after = client.get(&path).await.json();
    assert_eq!(
        (&after["members"][0]["display"], &after["members"][2]["display"]),
        (&json!("Ann Lee"), &json!("Cyd the cook"))
    );
    let same = client.put(&path, &after).await;
    assert_eq!(
        same.json()["meta"]["version"],
        created.json()["meta"]["version"],
        "sent back as it is, nothing changes"
    );

    for (bad, said) in [
        (json!([{"value": "nobody"}]), "members[0]: no user or group"),
        (json!([{"value": ann}, {"display": "x"}]), "members[1].value is required"),
        (json!([{"value": ann, "type": "Group"}]), "members[0].type is Group"),
        (json!(["x"]), "members[0] must be an object"),
        (json!("x"), "members must be an array"),
    ] {
        let detail = client.post("/Groups", &group("bad", &bad)).await.scim_error(400, Some("invalidValue"));
        assert!(detail.contains(said), "{detail}");
    }
    let detail =
        client.post("/Groups", &json!({"schemas": [GROUP]})).await.scim_error(400, Some("invalidValue"));
    assert_eq!(detail, "displayName is required");
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn users_know_their_groups_and_cannot_write_them() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mock = MockAquera::builder().clock(Arc::clone(&clock) as _).start().await.unwrap();
    let client = Client::of(&mock);
    let [ann, bob] = people(&client, ["ann", "bob"]).await;
    let ann_path = format!("/Users/{ann}");
    let before = client.get(&ann_path).await;
    assert_eq!(before.json().get("groups"), None);
    let inner = client.post("/Groups", &group("inner", &json!([{"value": ann}]))).await.id();
    let outer = client
        .post("/Groups", &group("outer", &json!([{"value": inner, "type": "Group"}, {"value": bob}])))
        .await
        .id();
    let pairs = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
    };
    assert_eq!(groups_of(&client, &ann).await, pairs(&[("inner", "direct"), ("outer", "indirect")]));
    assert_eq!(groups_of(&client, &bob).await, pairs(&[("outer", "direct")]));

    // A user's entity tag changes with its groups, and nothing else of it does.
    let after = client.get(&ann_path).await;
    assert_ne!(before.header("etag"), after.header("etag"));
    assert_eq!(after.json()["meta"]["version"], json!(after.header("etag")));
    assert_eq!(before.json()["meta"]["lastModified"], after.json()["meta"]["lastModified"]);
    for filter in ["groups.display eq \"outer\"", "groups[type eq \"indirect\" and display eq \"outer\"]"] {
        let list = client.query("/Users", &[("filter", filter)]).await.json();
        assert!(list["totalResults"].as_u64() >= Some(1), "{filter}: {list}");
    }

    for (filter, found) in [
        (format!("members.value eq \"{ann}\""), vec!["inner"]),
        (format!("members[value eq \"{bob}\" and type eq \"User\"]"), vec!["outer"]),
        (format!("members[value eq \"{bob}\" and type eq \"Group\"]"), vec![]),
        (format!("members eq \"{inner}\" and displayName sw \"o\""), vec!["outer"]),
        (format!("members.value eq \"{}\"", ann.to_uppercase()), vec![]),
        ("members.display co \"ANN\"".to_owned(), vec!["inner"]),
    ] {
        let list = client.query("/Groups", &[("filter", &filter)]).await.json();
        let names: Vec<_> = list["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| group["displayName"].as_str().unwrap())
            .collect();
        assert_eq!(names, found, "{filter}");
    }

    // A circle is no harm.
    let circle = json!([{"op": "add", "path": "members", "value": [{"value": outer}]}]);
    assert_eq!(client.patch(&format!("/Groups/{inner}"), &circle).await.status, 200);
    assert_eq!(groups_of(&client, &bob).await, pairs(&[("outer", "direct"), ("inner", "indirect")]));
    assert_eq!(groups_of(&client, &ann).await.len(), 2);

    let put = client.put(&ann_path, &user("ann", json!({"groups": [{"value": "x"}]}))).await;
    assert_eq!((put.status, put.json()["groups"].as_array().unwrap().len()), (200, 2), "read-only in a PUT");
    let patch = json!([{"op": "add", "path": "groups", "value": [{"value": inner}]}]);
    client.patch(&ann_path, &patch).await.scim_error(400, Some("mutability"));

    // Whoever goes leaves nobody dangling, and the groups are changed by that.
    clock.advance(SignedDuration::from_secs(60));
    let version = client.get(&format!("/Groups/{inner}")).await;
    assert_eq!(client.delete(&ann_path).await.status, 204);
    let left = client.get(&format!("/Groups/{inner}")).await;
    assert_eq!(members(&left.json()), std::slice::from_ref(&outer));
    assert_ne!(version.header("etag"), left.header("etag"));
    assert_eq!(left.json()["meta"]["lastModified"], json!("1970-01-01T00:01:00.000Z"));
    assert_eq!(client.delete(&format!("/Groups/{outer}")).await.status, 204);
    let empty = client.get(&format!("/Groups/{inner}")).await.json();
    assert_eq!(empty.get("members"), None, "{empty}");
    assert_eq!(groups_of(&client, &bob).await, []);
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test]
async fn members_are_added_removed_and_replaced() {
    let mock = start().await;
    let client = Client::of(&mock);
    let [ann, bob, cyd] = people(&client, ["ann", "bob", "cyd"]).await;
    let path = format!("/Groups/{}", client.post("/Groups", &group("crew", &json!([]))).await.id());
    let patch = async |operations: Value| {
        let answer = client.patch(&path, &operations).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(client.get(&path).await.json(), answer.json());
        members(&answer.json())
    };
    let by_id = |id: &str| format!("members[value eq \"{id}\"]");
    assert_eq!(
        patch(json!([{"op": "add", "path": "members", "value": [{"value": ann}]}])).await,
        [ann.as_str()]
    );
    assert_eq!(
        patch(json!([{"op": "add", "value": {"members": [{"value": bob}]}}])).await,
        [ann.as_str(), &bob]
    );
    let version = client.get(&path).await.header("etag").to_owned();
    patch(json!([{"op": "add", "path": "members", "value": [{"value": bob, "display": "Bobby"}]}])).await;
    assert_eq!(client.get(&path).await.header("etag"), version, "whoever is there is not added again");
    assert_eq!(patch(json!([{"op": "remove", "path": by_id(&ann)}])).await, [bob.as_str()]);
    assert_eq!(
        patch(json!([{"op": "replace", "path": "members", "value": [{"value": cyd, "display": "C"}]}])).await,
        [cyd.as_str()]
    );
    assert_eq!(client.get(&path).await.json()["members"][0]["display"], json!("C"));
    // The name of the group and its members in one request.
    let both = json!([{"op": "replace", "value": {"displayName": "band"}}, {"op": "add", "path": "members", "value": {"value": ann}}]);
    assert_eq!(patch(both).await, [cyd.as_str(), &ann]);
    let crew = client.get(&path).await.json();
    assert_eq!((&crew["displayName"], &crew["members"][0]["display"]), (&json!("band"), &json!("C")));
    assert_eq!(patch(json!([{"op": "remove", "path": "members[display eq \"c\"]"}])).await, [ann.as_str()]);
    assert_eq!(patch(json!([{"op": "remove", "path": "members"}])).await, Vec::<String>::new());
    assert_eq!(
        patch(json!([{"op": "add", "path": "members", "value": [{"value": ann}, {"value": bob}]}]))
            .await
            .len(),
        2
    );
    assert_eq!(patch(json!([{"op": "replace", "path": "members", "value": []}])).await.len(), 0);

    let nobody = json!([{"op": "remove", "path": by_id(&ann)}]);
    let version = client.get(&path).await.header("etag").to_owned();
    for profile in ["aquera", "strict"] {
        mock.default_application().set_profile(mock_aquera::Profile::builtin(profile).unwrap());
        let answer = client.patch(&path, &nobody).await;
        assert_eq!((answer.status, answer.header("etag")), (200, version.as_str()), "{profile}");
        let several = json!([{"op": "remove", "path": "members[display eq \"nobody\"]"}]);
        assert_eq!(client.patch(&path, &several).await.header("etag"), version, "{profile}");
    }
    mock.default_application().set_profile(mock_aquera::Profile::default());
    let unknown = json!([{"op": "add", "path": "displayName", "value": "x"}, {"op": "add", "path": "members", "value": [{"value": "zz"}]}]);
    let detail = client.patch(&path, &unknown).await.scim_error(400, Some("invalidValue"));
    assert!(detail.starts_with("operation 2: members[0]"), "{detail}");
    assert_eq!(client.get(&path).await.json()["displayName"], json!("band"), "all or nothing");

    let put = client.put(&path, &group("crew", &json!([{"value": ann}]))).await;
    assert_eq!(members(&put.json()), [ann.as_str()]);
    let put = client.put(&path, &json!({"schemas": [GROUP], "displayName": "crew"})).await;
    assert_eq!(put.json().get("members"), None, "a PUT says all");
    mock.default_application().check_consistency().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_members_work() {
    const MANY: usize = 100_000;
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    let list: Vec<Value> = (0..MANY)
        .map(|at| json!({"value": application.seed_user(json!({"userName": format!("u{at}")}))}))
        .collect();
    let id = |at: usize| list[at]["value"].as_str().unwrap().to_owned();
    let created = client.post("/Groups?attributes=displayName", &group("all", &json!(list[1..]))).await;
    assert_eq!(created.status, 201);
    let path = format!("/Groups/{}?attributes=displayName", created.id());
    let count = || application.groups()[0]["members"].as_array().unwrap().len();

    // One comes, one goes: that must not cost what the whole group costs.
    let add = json!([{"op": "add", "path": "members", "value": [{"value": id(0)}]}]);
    let remove = json!([{"op": "remove", "path": format!("members[value eq \"{}\"]", id(1))}]);
    let begun = Instant::now();
    assert_eq!(client.patch(&path, &add).await.status, 200);
    assert_eq!(client.patch(&path, &remove).await.status, 200);
    let few = begun.elapsed();
    assert_eq!(count(), MANY - 1);
    let begun = Instant::now();
    let whole = client.get(path.split('?').next().unwrap()).await;
    let read = begun.elapsed();
    assert_eq!(whole.json()["members"].as_array().unwrap().len(), MANY - 1);
    assert!(few < read * 4, "two changes took {few:?}, reading it all {read:?}");
    let replace = json!([{"op": "replace", "path": "members", "value": list[..MANY / 2]}]);
    assert_eq!(client.patch(&path, &replace).await.status, 200);
    assert_eq!(count(), MANY / 2);
    assert_eq!(groups_of(&client, &id(0)).await.len(), 1);
    assert_eq!(groups_of(&client, &id(MANY - 1)).await.len(), 0);
    assert_eq!(client.delete(&format!("/Users/{}", id(0))).await.status, 204);
    assert_eq!(count(), MANY / 2 - 1);
    application.check_consistency().unwrap();
}
