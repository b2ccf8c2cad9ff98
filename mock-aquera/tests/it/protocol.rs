//! What holds for every resource: conditions, `/Me`, replies to a PATCH, describing endpoints, and what is refused
//! (RFC 7644 §3.1, §3.5.2, §3.11, §3.12, §3.14, §4).

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mock_aquera::{Auth, ManualClock, MockAquera, PatchReply, Profile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{Answer, Client, PATCH, USER, finish, start, user, with_body};

const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The gateway has no other behaviour than the RFC's: what is tested of one holds for the other.
#[test]
fn aquera_is_rfc() {
    let (aquera, rfc) = (Profile::builtin("aquera").unwrap(), Profile::builtin("rfc").unwrap());
    assert_eq!(aquera.gateway, rfc.gateway);
    assert_eq!(aquera.application, rfc.application);
    assert_eq!((&aquera.filter, &aquera.list), (&rfc.filter, &rfc.list));
    assert_eq!((&aquera.features, &aquera.discovery), (&rfc.features, &rfc.discovery));
    assert_eq!(
        (&aquera.errors, &aquera.replies, &aquera.requests),
        (&rfc.errors, &rfc.replies, &rfc.requests)
    );
}

#[tokio::test]
async fn entity_tags_guard_reads_and_writes() {
    let mock = start().await;
    let client = Client::of(&mock);
    let group = json!({"schemas": [GROUP], "displayName": "crew"});
    for (base, body, patched) in [("/Users", user("a", json!({})), "title"), ("/Groups", group, "externalId")]
    {
        let created = client.post(base, &body).await;
        assert_eq!(created.header("etag"), "W/\"1\"");
        assert_eq!(created.json()["meta"]["version"], json!("W/\"1\""));
        let path = format!("{base}/{}", created.id());
        let send = async |method: Method, name: &str, tag: &str| {
            let body = match method {
                Method::PUT => body.clone(),
                Method::PATCH => {
                    json!({"schemas": [PATCH], "Operations": [{"op": "replace", "path": patched, "value": "t"}]})
                }
                _ => Value::Null,
            };
            finish(with_body(client.request(method, &path).header(name, tag), &body)).await
        };
        for tag in ["W/\"1\"", "\"1\"", "*", "W/\"9\", W/\"1\"", "\"9\",\"1\""] {
            let unchanged = send(Method::GET, "if-none-match", tag).await;
            assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""), "{tag}");
            assert_eq!(unchanged.header("etag"), "W/\"1\"");
            let kept = send(Method::PUT, "if-match", tag).await;
            assert_eq!((kept.status, kept.header("etag")), (200, "W/\"1\""), "{tag}: nothing changed");
            for method in [Method::PUT, Method::PATCH, Method::DELETE] {
                let detail = send(method, "if-none-match", tag).await.scim_error(412, None);
                assert!(detail.contains("If-None-Match"), "{detail}");
            }
        }
        for tag in ["W/\"9\"", "\"9\"", "W/\"9\", \"8\""] {
            for method in [Method::PUT, Method::PATCH, Method::DELETE] {
                let detail = send(method, "if-match", tag).await.scim_error(412, None);
                assert!(detail.contains("W/\"1\"") && detail.contains("If-Match"), "{detail}");
            }
            assert_eq!(send(Method::GET, "if-none-match", tag).await.status, 200);
        }
        let changed = send(Method::PATCH, "if-match", "W/\"1\"").await;
        assert_eq!((changed.status, changed.header("etag")), (200, "W/\"2\""));
        assert_eq!(send(Method::GET, "if-none-match", "W/\"1\"").await.status, 200);
        assert_eq!(send(Method::DELETE, "if-match", "W/\"1\"").await.status, 412);
        assert_eq!(send(Method::DELETE, "if-match", "W/\"2\"").await.status, 204);
        assert_eq!(send(Method::PUT, "if-match", "*").await.status, 404);
    }
}

#[tokio::test]
async fn last_modified_moves_on_a_real_change_only() {
    let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
    let mock = MockAquera::builder().clock(Arc::clone(&clock) as _).start().await.unwrap();
    let client = Client::of(&mock);
    let body = user(
        "ann",
        json!({"title": "t", "active": true, "emails": [{"value": "a@x", "type": "work"}], "password": "p"}),
    );
    let created = client.post("/Users", &body).await;
    let path = format!("/Users/{}", created.id());
    clock.advance(SignedDuration::from_secs(60));
    let emails = json!([{"value": "a@x", "type": "work"}]);
    for operation in [
        json!({"op": "replace", "path": "title", "value": "t"}),
        json!({"op": "replace", "path": "active", "value": true}),
        json!({"op": "add", "path": "emails", "value": emails}),
        json!({"op": "replace", "path": "emails[type eq \"work\"].value", "value": "a@x"}),
        json!({"op": "remove", "path": "nickName"}),
        json!({"op": "replace", "path": "password", "value": "p"}),
        json!({"op": "replace", "value": {"title": "t"}}),
    ] {
        let answer = client.patch(&path, &json!([operation])).await;
        assert_eq!(answer.json()["meta"], created.json()["meta"], "{operation}");
    }
    assert_eq!(client.put(&path, &body).await.json()["meta"], created.json()["meta"]);
    for operation in [
        json!({"op": "replace", "path": "title", "value": "T"}),
        json!({"op": "replace", "path": "password", "value": "q"}),
    ] {
        clock.advance(SignedDuration::from_secs(60));
        let before = client.get(&path).await.json();
        let after = client.patch(&path, &json!([operation])).await.json();
        assert_ne!(after["meta"]["lastModified"], before["meta"]["lastModified"], "{operation}");
        assert_ne!(after["meta"]["version"], before["meta"]["version"], "{operation}");
        assert_eq!(after["meta"]["created"], before["meta"]["created"]);
    }
}

#[tokio::test]
async fn a_patch_is_answered_with_the_user_or_with_nothing() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let title = |value: &str| json!([{"op": "replace", "path": "title", "value": value}]);
    assert_eq!(client.patch(&path, &title("a")).await.status, 200);
    let mut profile = Profile::builtin("rfc").unwrap();
    profile.gateway.patch_reply = PatchReply::NoContent;
    mock.default_application().set_profile(profile);
    let nothing = client.patch(&path, &title("b")).await;
    assert_eq!((nothing.status, nothing.text.as_str(), nothing.header("etag")), (204, "", "W/\"3\""));
    assert_eq!(client.get(&path).await.json()["title"], json!("b"));
    for query in ["attributes=title", "excludedAttributes=meta"] {
        let asked = client.patch(&format!("{path}?{query}"), &title(query)).await;
        assert_eq!((asked.status, &asked.json()["title"]), (200, &json!(query)));
    }
}

#[tokio::test]
async fn me_is_the_account_of_whoever_asks() {
    let builder =
        MockAquera::builder().auth(Auth::bearer("mock-token").as_user("ann")).auth(Auth::basic("bob", "pw"));
    let mock = builder.auth(Auth::bearer("other")).start().await.unwrap();
    let client = Client::of(&mock);
    let detail = client.get("/Me").await.scim_error(404, None);
    assert!(detail.contains("no user `ann`"), "{detail}");
    let made = client.post("/Me", &user("ann", json!({"title": "x"}))).await;
    assert_eq!(made.status, 201, "{made:?}");
    let location = format!("{}/Users/{}", mock.scim_url(), made.id());
    assert_eq!(made.header("location"), location);
    let me = client.get("/Me").await;
    assert_eq!((me.status, me.header("location")), (200, location.as_str()));
    assert_eq!(me.json(), client.get(&format!("/Users/{}", made.id())).await.json());
    assert_eq!(me.json()["meta"]["location"], json!(location));
    let shown = client.get("/Me?attributes=title").await.json();
    assert_eq!((shown.get("userName"), &shown["title"]), (None, &json!("x")));
    let put = client.put("/Me", &user("ann", json!({"title": "y"}))).await;
    assert_eq!((put.status, put.header("location")), (200, location.as_str()));
    let patch = client.patch("/Me", &json!([{"op": "replace", "path": "title", "value": "z"}])).await;
    assert_eq!((patch.status, &patch.json()["title"]), (200, &json!("z")));
    let options = finish(client.request(Method::OPTIONS, "/Me")).await;
    options.scim_error(405, None);
    assert_eq!(options.header("allow"), "GET, POST, PUT, PATCH, DELETE");

    let get = async |auth: &str| {
        let request = reqwest::Method::GET;
        let request = crate::client::http().request(request, format!("{}/Me", mock.scim_url()));
        finish(request.header("authorization", auth)).await
    };
    mock.default_application().seed_user(user("BOB", json!({})));
    assert_eq!(get("Basic Ym9iOnB3").await.json()["userName"], json!("BOB"));
    get("Bearer other").await.scim_error(404, None);
    assert_eq!(client.delete("/Me").await.status, 204);
    client.get("/Me").await.scim_error(404, None);
}

#[tokio::test]
async fn what_is_described_is_so() {
    let mock = start().await;
    let client = Client::of(&mock);
    let config = client.get("/ServiceProviderConfig").await.json();
    for feature in ["patch", "bulk", "filter", "sort", "etag", "changePassword"] {
        assert_eq!(config[feature]["supported"], json!(true), "{feature}");
    }
    assert_eq!(
        (&config["bulk"]["maxOperations"], &config["bulk"]["maxPayloadSize"]),
        (&json!(1000), &json!(1_048_576))
    );
    let types = client.get("/ResourceTypes").await.json();
    let schemas = client.get("/Schemas").await.json();
    let ids: Vec<&Value> =
        schemas["Resources"].as_array().unwrap().iter().map(|schema| &schema["id"]).collect();
    for kind in types["Resources"].as_array().unwrap() {
        assert_eq!(client.get(kind["endpoint"].as_str().unwrap()).await.status, 200);
        let extensions = kind["schemaExtensions"].as_array().into_iter().flatten().map(|e| &e["schema"]);
        for urn in std::iter::once(&kind["schema"]).chain(extensions) {
            assert!(ids.contains(&urn), "{urn}");
        }
        let location = kind["meta"]["location"].as_str().unwrap();
        let own = client.get(location.strip_prefix(&mock.scim_url()).unwrap()).await.json();
        assert_eq!(&own, kind);
    }
    // Everything that a user can have is in the schemas.
    let made = client
        .post("/Users", &user("ann", json!({"emails": [{"value": "a@x", "type": "work"}]})))
        .await
        .json();
    client
        .post("/Groups", &json!({"schemas": [GROUP], "displayName": "c", "members": [{"value": made["id"]}]}))
        .await;
    let shown = client.get(&format!("/Users/{}", made["id"].as_str().unwrap())).await.json();
    let schema = client.get(&format!("/Schemas/{}", USER.to_uppercase())).await.json();
    let named: Vec<&Value> =
        schema["attributes"].as_array().unwrap().iter().map(|attribute| &attribute["name"]).collect();
    for name in
        shown.as_object().unwrap().keys().filter(|name| !["schemas", "id", "meta"].contains(&name.as_str()))
    {
        assert!(named.contains(&&json!(name)), "{name}");
    }
    for path in ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"] {
        for query in ["filter=id%20pr", "FILTER=x"] {
            client.get(&format!("{path}?{query}")).await.scim_error(403, None);
        }
        assert_eq!(
            client.get(&format!("{path}?count=1&startIndex=5&sortBy=name")).await.status,
            200,
            "passed over"
        );
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let answer = finish(with_body(client.request(method, path), &json!({}))).await;
            answer.scim_error(405, None);
            assert_eq!(answer.header("allow"), "GET");
        }
    }
    for path in
        ["/Schemas/urn:none", "/ResourceTypes/None", "/ServiceProviderConfig/x", "/Nothing", "/Users/none"]
    {
        let detail = client.get(path).await.scim_error(404, None);
        assert!(!detail.is_empty());
    }
}

#[tokio::test]
async fn a_head_is_a_get_without_its_body() {
    let mock = start().await;
    let client = Client::of(&mock);
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let (head, get) = (finish(client.request(Method::HEAD, &path)).await, client.get(&path).await);
    assert_eq!((head.status, head.text.as_str(), head.header("etag")), (200, "", get.header("etag")));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
    assert_eq!(finish(client.request(Method::HEAD, "/Users/none")).await.status, 404);
}

#[tokio::test]
async fn media_types_are_taken_leniently() {
    let mock = start().await;
    let client = Client::of(&mock);
    let accept =
        async |value: &str| finish(client.request(Method::GET, "/Users").header("accept", value)).await;
    for good in [
        "application/scim+json",
        "application/json",
        "*/*",
        "application/*",
        "text/html, application/json;q=0.5",
        "application/vnd.example+json",
        "nonsense",
        "",
    ] {
        assert_eq!(accept(good).await.status, 200, "{good}");
    }
    for bad in ["text/html", "application/xml", "application/json;q=0", "image/*;q=0"] {
        accept(bad).await.scim_error(406, None);
    }
    let post = async |kind: &str, name: &str| {
        let request = client.request(Method::POST, "/Users").body(user(name, json!({})).to_string());
        let request = if kind.is_empty() { request } else { request.header("content-type", kind) };
        finish(request).await
    };
    for (at, good) in
        ["application/scim+json", "application/json; charset=utf-8", "APPLICATION/SCIM+JSON;x=y"]
            .iter()
            .enumerate()
    {
        assert_eq!(post(good, &format!("u{at}")).await.status, 201, "{good}");
    }
    for bad in ["", "text/plain", "application/xml", "multipart/form-data"] {
        post(bad, "x").await.scim_error(415, None);
    }
}

#[tokio::test]
async fn too_much_is_refused_in_scim() {
    let mock = start().await;
    let client = Client::of(&mock);
    let long = client.get(&format!("/Users?filter={}", "x".repeat(20_000))).await;
    assert!(long.scim_error(414, None).contains(".search"));
    let headers = finish(client.request(Method::GET, "/Users").header("x-long", "x".repeat(70_000))).await;
    headers.scim_error(431, None);
    let body = user("a", json!({"title": "x".repeat(11 * 1024 * 1024)}));
    let large: Answer = client.post("/Users", &body).await;
    assert!(large.scim_error(413, None).contains("bytes"));
    // One level of nesting after another is no way to break it.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let request =
        client.request(Method::POST, "/Users").header("content-type", "application/json").body(deep);
    finish(request).await.scim_error(400, Some("invalidSyntax"));
    let filter = format!("{}title pr{}", "(".repeat(2000), ")".repeat(2000));
    client.query("/Users", &[("filter", &filter)]).await.scim_error(400, Some("invalidFilter"));
    assert_eq!(client.get("/Users").await.status, 200);
}
