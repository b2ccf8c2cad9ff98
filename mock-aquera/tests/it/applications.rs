//! Many applications behind one server, each on its own.

use mock_aquera::{ApplicationConfig, ApplicationError, Auth, Fault, MAX_APPLICATIONS, MockAquera, Profile};
use serde_json::json;

use crate::client::{Client, start, user};

fn at(mock: &MockAquera, name: &str) -> Client {
    Client::at(format!("http://{}/apps/{name}/scim", mock.addr()))
}

#[tokio::test]
async fn one_is_made_at_the_first_request_that_is_let_in() {
    let mock = MockAquera::builder()
        .profile(Profile::builtin("no-delete").unwrap())
        .fault(Fault::status(503))
        .user(user("demo", json!({})))
        .start()
        .await
        .unwrap();
    let anonymous = crate::client::http().get(format!("http://{}/apps/new/scim/Users", mock.addr()));
    crate::client::finish(anonymous).await.scim_error(401, None);
    assert!(mock.application("new").is_none());

    let client = at(&mock, "new");
    client.get("/Users").await.scim_error(503, None);
    assert_eq!(
        client.get("/Users").await.json()["totalResults"],
        json!(0),
        "its fault is used up, and it is empty"
    );
    let id = client.post("/Users", &user("demo", json!({}))).await.id();
    client.delete(&format!("/Users/{id}")).await.scim_error(405, None);

    let made = mock.application("new").unwrap();
    assert_eq!((made.name(), made.users().len()), ("new", 1));
    assert_eq!(made.scim_url(), format!("http://{}/apps/new/scim", mock.addr()));
    assert_eq!(made.user(&id).unwrap()["meta"]["location"], json!(format!("{}/Users/{id}", made.scim_url())));
    assert_eq!(mock.default_application().users().len(), 1);
    assert_eq!(mock.default_application().journal().len(), 0);
    Client::of(&mock).get("/Users").await.scim_error(503, None);
}

#[tokio::test]
async fn one_made_by_hand_has_its_own_settings() {
    let mock = start().await;
    let profile = Profile::builtin("patch-405").unwrap();
    let config = || ApplicationConfig { profile: profile.clone(), auth: vec![Auth::bearer("own")], seed: 5 };
    let made = mock.create_application("a", config()).unwrap();
    at(&mock, "a").get("/Users").await.scim_error(401, None);
    assert_eq!(made.profile(), profile);
    assert_eq!(mock.create_application("a", config()).unwrap_err(), ApplicationError::Exists("a".to_owned()));
    assert_eq!(
        mock.create_application("a/b", config()).unwrap_err(),
        ApplicationError::BadName("a/b".to_owned())
    );

    let first = made.seed_user(user("x", json!({})));
    mock.remove_application("a");
    assert!(mock.application("a").is_none());
    let again = mock.create_application("a", config()).unwrap();
    assert!(again.users().is_empty());
    assert_eq!(again.seed_user(user("y", json!({}))), first, "the same seed gives the same ids");
    let other = mock.create_application("b", config()).unwrap();
    assert_ne!(other.seed_user(user("y", json!({}))), first, "but not to another application");
}

#[tokio::test]
async fn a_name_has_rules() {
    let mock = start().await;
    let long = "x".repeat(64);
    assert_eq!(at(&mock, &long).get("/Users").await.status, 200);
    at(&mock, &format!("{long}x")).get("/Users").await.scim_error(404, None);
    at(&mock, "a.b").get("/Users").await.scim_error(404, None);
    at(&mock, "").get("/Users").await.scim_error(404, None);
    assert_eq!(at(&mock, "default").get("/Users").await.status, 200);
    assert_eq!(mock.application_count(), 2, "`default` is the one that was there");
}

#[tokio::test]
async fn there_is_a_limit() {
    let mock = start().await;
    for number in 1..MAX_APPLICATIONS {
        mock.create_application(&format!("a{number}"), ApplicationConfig::default()).unwrap();
    }
    let detail = at(&mock, "one-more").get("/Users").await.scim_error(503, None);
    assert!(detail.contains("10000"), "{detail}");
    let refused = mock.create_application("one-more", ApplicationConfig::default());
    assert_eq!(refused.unwrap_err(), ApplicationError::TooMany);
    mock.remove_application("a1");
    assert_eq!(at(&mock, "one-more").get("/Users").await.status, 200);
}

#[tokio::test]
async fn accounts_can_be_changed_behind_the_back() {
    let mock = start().await;
    let application = mock.default_application();
    let client = Client::of(&mock);
    let id = application.seed_user(json!({"userName": "Twin", "id": "given", "password": "hunter2"}));
    assert_eq!(id, "given");
    assert_eq!(application.user("given").unwrap().get("password"), None);
    let twin = application.seed_user(user("twin", json!({"active": false})));
    assert_eq!(client.get("/Users/given").await.json()["active"], json!(true));
    client.post("/Users", &user("TWIN", json!({}))).await.scim_error(409, Some("uniqueness"));

    assert!(application.edit_user(&twin, |user| {
        user.insert("userName".to_owned(), json!("other"));
    }));
    assert_eq!(client.get(&format!("/Users/{twin}")).await.header("etag"), "W/\"2\"");
    let found = client.get("/Users?filter=userName+eq+%22OTHER%22").await.json();
    assert_eq!(found["Resources"][0]["id"], json!(twin));
    assert!(!application.edit_user("nobody", |_| panic!("there is nothing to change")));

    assert!(application.remove_user("given") && !application.remove_user("given"));
    client.get("/Users/given").await.scim_error(404, None);
    assert_eq!(client.post("/Users", &user("TWIN", json!({}))).await.status, 201);
    let names: Vec<_> = application.users().iter().map(|user| user["userName"].clone()).collect();
    assert_eq!(names, [json!("other"), json!("TWIN")]);
}

#[tokio::test]
async fn dropping_the_server_frees_its_port() {
    let mock = start().await;
    let client = Client::of(&mock);
    assert_eq!(client.get("/Users").await.status, 200);
    let addr = mock.addr();
    mock.stop().await;
    MockAquera::builder().listen(addr).start().await.unwrap();

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let error =
        MockAquera::builder().listen(taken.local_addr().unwrap()).start().await.unwrap_err().to_string();
    assert!(error.contains("port 0"), "{error}");
}
