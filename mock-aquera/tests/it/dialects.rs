//! What widespread clients send beside the letter of RFC 7644 §3.5.2: taken by default and noted, refused by `strict`.

use mock_aquera::{MockAquera, Profile};
use serde_json::{Value, json};

use crate::client::{Client, PATCH, finish, start, user, with_body};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

async fn patch(client: &Client, path: &str, body: &Value) -> crate::client::Answer {
    finish(with_body(client.request(reqwest::Method::PATCH, path), body)).await
}

fn noted(mock: &MockAquera) -> Vec<String> {
    mock.default_application().journal().pop().unwrap().dialects
}

#[tokio::test]
async fn each_is_taken_and_noted_and_strict_refuses_it() {
    let mock = start().await;
    let client = Client::of(&mock);
    let ann = client.post("/Users", &user("ann", json!({"title": "Cook"}))).await.id();
    let given = json!({"schemas": [GROUP], "displayName": "crew", "members": [{"value": ann}]});
    let crew = client.post("/Groups", &given).await.id();
    let (user_path, group_path) = (format!("/Users/{ann}"), format!("/Groups/{crew}"));
    let message = |operations: Value| json!({"schemas": [PATCH], "Operations": operations});
    let taken = [
        (
            "capitalised-op",
            &user_path,
            message(json!([{"op": "Replace", "path": "title", "value": "a"}])),
            "title",
            json!("a"),
        ),
        (
            "string-booleans",
            &user_path,
            message(json!([{"op": "replace", "path": "active", "value": "False"}])),
            "active",
            json!(false),
        ),
        (
            "dotted-keys",
            &user_path,
            message(json!([{"op": "replace", "value": {"name.givenName": "Ann"}}])),
            "name",
            json!({"givenName": "Ann"}),
        ),
        (
            "remove-by-value",
            &group_path,
            message(json!([{"op": "remove", "path": "members", "value": [{"value": ann}]}])),
            "members",
            Value::Null,
        ),
        (
            "pathless-add",
            &user_path,
            message(json!([{"op": "add", "value": {"nickName": "A"}}])),
            "nickName",
            json!("A"),
        ),
        (
            "single-operation",
            &user_path,
            json!({"op": "replace", "path": "title", "value": "b"}),
            "title",
            json!("b"),
        ),
        (
            "single-operation",
            &user_path,
            json!({"schemas": [PATCH], "Operations": {"op": "replace", "path": "title", "value": "c"}}),
            "title",
            json!("c"),
        ),
    ];
    for (dialect, path, body, attribute, value) in &taken {
        let answer = patch(&client, path, body).await;
        assert_eq!(answer.status, 200, "{dialect}: {answer:?}");
        assert_eq!(answer.json().get(attribute).unwrap_or(&Value::Null), value, "{dialect}");
        assert_eq!(noted(&mock), [*dialect], "{body}");
    }
    let again = json!({"schemas": [GROUP], "displayName": "crew", "members": [{"value": ann}]});
    assert_eq!(client.put(&group_path, &again).await.status, 200);
    assert_eq!(noted(&mock), Vec::<String>::new(), "what the RFC knows is not noted");
    for (name, written) in [("POST", "true"), ("PUT", "TRUE")] {
        let body = user("bob", json!({"active": written}));
        let answer = if name == "POST" {
            client.post("/Users", &body).await
        } else {
            client.put(&user_path, &user("ann", json!({"active": written}))).await
        };
        assert_eq!((answer.status / 100, &answer.json()["active"]), (2, &json!(true)), "{name}");
        assert_eq!(noted(&mock), ["string-booleans"], "{name}");
    }

    mock.default_application().set_profile(Profile::builtin("strict").unwrap());
    let (before_user, before_group) =
        (client.get(&user_path).await.json(), client.get(&group_path).await.json());
    // RFC 7644 §3.5.2.1 lets an add go without a path.
    for (dialect, path, body, ..) in taken.iter().filter(|(dialect, ..)| *dialect != "pathless-add") {
        let answer = patch(&client, path, body).await;
        assert_eq!(answer.status, 400, "{dialect}: {answer:?}");
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{dialect}");
        assert_eq!(noted(&mock), Vec::<String>::new(), "{dialect}");
    }
    let detail = client
        .post("/Users", &user("cyd", json!({"active": "true"})))
        .await
        .scim_error(400, Some("invalidValue"));
    assert!(detail.contains("active must be true or false"), "{detail}");
    assert_eq!(client.get(&user_path).await.json(), before_user);
    assert_eq!(client.get(&group_path).await.json(), before_group);
}

#[tokio::test]
async fn several_at_once_are_all_noted() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let body = json!({"op": "Add", "value": {"active": "False", "name.givenName": "Ann"}});
    let answer = patch(&client, &path, &body).await;
    assert_eq!((answer.status, &answer.json()["active"]), (200, &json!(false)), "{answer:?}");
    let mut found = noted(&mock);
    found.sort_unstable();
    assert_eq!(
        found,
        ["capitalised-op", "dotted-keys", "pathless-add", "single-operation", "string-booleans"]
    );
}

#[tokio::test]
async fn removal_of_an_empty_list_removes_nobody() {
    let mock = start().await;
    let client = Client::of(&mock);
    let ann = client.post("/Users", &user("ann", json!({"emails": [{"value": "a@x"}]}))).await.id();
    let given = json!({"schemas": [GROUP], "displayName": "crew", "members": [{"value": ann}]});
    let crew = format!("/Groups/{}", client.post("/Groups", &given).await.id());
    let ann = format!("/Users/{ann}");
    for (path, attribute) in [(&crew, "members"), (&ann, "emails")] {
        let nothing = json!([{"op": "remove", "path": attribute, "value": []}]);
        let answer = client.patch(path, &nothing).await;
        assert_eq!(answer.json()[attribute].as_array().map(Vec::len), Some(1), "{answer:?}");
        assert_eq!(noted(&mock), ["remove-by-value"], "{attribute}");
    }
    mock.default_application().set_profile(Profile::builtin("strict").unwrap());
    for (path, attribute) in [(&crew, "members"), (&ann, "emails")] {
        let nothing = json!([{"op": "remove", "path": attribute, "value": []}]);
        client.patch(path, &nothing).await.scim_error(400, Some("invalidValue"));
        assert_eq!(client.get(path).await.json()[attribute].as_array().map(Vec::len), Some(1));
        // Without a value, or with null, it is the removal of the RFC.
        let all = json!([{"op": "remove", "path": attribute, "value": null}]);
        let answer = client.patch(path, &all).await;
        assert_eq!((answer.status, answer.json().get(attribute)), (200, None), "{attribute}");
    }
}

#[tokio::test]
async fn one_urn_twice_in_schemas_is_refused_by_strict_in_patches_too() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let core = "urn:ietf:params:scim:schemas:core:2.0:User";
    let twice = json!([{"op": "replace", "path": "schemas", "value": [core, core]}]);
    let answer = client.patch(&path, &twice).await;
    assert_eq!((answer.status, &answer.json()["schemas"]), (200, &json!([core])));
    assert_eq!(noted(&mock), ["duplicate-schemas"]);
    mock.default_application().set_profile(Profile::builtin("strict").unwrap());
    let detail = client.patch(&path, &twice).await.scim_error(400, Some("invalidValue"));
    assert!(detail.contains("schemas names ") && detail.ends_with(" twice"), "{detail}");
    let within = json!([{"op": "replace", "value": {"schemas": [core, core], "title": "t"}}]);
    client.patch(&path, &within).await.scim_error(400, Some("invalidValue"));
}

#[tokio::test]
async fn extension_that_schemas_does_not_name_is_noted_and_refused_by_strict() {
    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let mock = start().await;
    let client = Client::of(&mock);
    let ops = |name: &str, schemas: Value| {
        user(name, json!({"schemas": schemas, (ENTERPRISE): {"department": "d"}}))
    };
    let core = json!([crate::client::USER]);
    let both = json!([crate::client::USER, ENTERPRISE.to_uppercase()]);
    let made = client.post("/Users", &ops("ann", core.clone())).await;
    assert_eq!((made.status, &made.json()[ENTERPRISE]["department"]), (201, &json!("d")));
    assert_eq!(noted(&mock), ["unlisted-extensions"]);
    let path = format!("/Users/{}", made.id());
    assert_eq!(client.put(&path, &ops("ann", core.clone())).await.status, 200);
    assert_eq!(noted(&mock), ["unlisted-extensions"]);
    // Whatever stands first, and an extension without a value needs no name.
    assert_eq!(client.put(&path, &ops("ann", both.clone())).await.status, 200);
    assert_eq!(noted(&mock), Vec::<String>::new());
    let empty = json!({"userName": "ann", (ENTERPRISE): {}, "schemas": core});
    assert_eq!(client.put(&path, &empty).await.status, 200);
    assert_eq!(noted(&mock), Vec::<String>::new());
    let bulk = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [
        {"method": "PUT", "path": path, "data": ops("ann", core.clone())}]});
    assert_eq!(client.post("/Bulk", &bulk).await.json()["Operations"][0]["status"], json!("200"));
    assert_eq!(noted(&mock), ["unlisted-extensions"]);

    mock.default_application().set_profile(Profile::builtin("strict").unwrap());
    for answer in [
        client.post("/Users", &ops("bob", core.clone())).await,
        client.put(&path, &ops("ann", core.clone())).await,
    ] {
        let detail = answer.scim_error(400, Some("invalidValue"));
        assert!(detail.contains("schemas") && detail.contains(ENTERPRISE), "{detail}");
    }
    assert_eq!(client.post("/Users", &ops("bob", both)).await.status, 201);
    assert_eq!(client.put(&path, &empty).await.status, 200);
}
