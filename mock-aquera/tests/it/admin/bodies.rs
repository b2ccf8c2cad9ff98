//! Bodies of administration that are of another shape than they should be: refused, and nothing is done.

use reqwest::Method;
use serde_json::json;

use crate::admin::Admin;
use crate::client::{Client, finish, http, start};

const APP: &str = "/applications/default";

#[tokio::test]
async fn array_in_place_of_an_object_is_refused_and_nothing_is_done() {
    let mock = start().await;
    let (admin, scim) = (Admin::of(&mock), Client::of(&mock));
    admin.post(&format!("{APP}/clock"), json!({"freeze": true, "now": "2020-01-01T00:00:00Z"})).await;
    let state = async || {
        let mut shown = admin.read(APP).await;
        // How far it is from the time of day goes on changing while it stands.
        shown["clock"]["offsetMs"] = json!(0);
        shown
    };
    let before = state().await;
    for (method, path, body) in [
        (Method::POST, "/clock", "[true]"),
        (Method::POST, "/clock", "[]"),
        (Method::PUT, "/auth", r#"[["none"]]"#),
        (Method::PUT, "", r#"["aquera",["none"]]"#),
        (Method::PUT, "/journal/limits", "[1,1]"),
        (Method::PUT, "/journal/limits", "[]"),
        (Method::POST, "/faults", r#"["reset"]"#),
        (Method::POST, "/journal/wait", "[]"),
        (Method::POST, "/journal/wait", r#"{"request":["GET"]}"#),
        (Method::POST, "/verify", "[]"),
        (Method::POST, "/verify", r#"[{"method":"GET"}]"#),
        (Method::POST, "/verify", r#"{"request":["GET"]}"#),
    ] {
        admin.refused(method, &format!("{APP}{path}"), body, 400, "object").await;
    }
    assert_eq!(state().await, before);
    let unknown = finish(http().get(format!("{}/Users", mock.scim_url()))).await;
    assert_eq!(unknown.status, 401);
    assert_eq!(scim.get("/Users").await.status, 200);
}

#[tokio::test]
async fn verify_without_an_expectation_is_refused_with_an_example() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    Client::of(&mock).get("/Users").await;
    for body in ["{}", r#"{"request":{}}"#, r#"{"headers":{}}"#] {
        admin.refused(Method::POST, &format!("{APP}/verify"), body, 400, "expects nothing").await;
    }
    let never = admin.post(&format!("{APP}/verify"), json!({"times": "never"})).await;
    assert_eq!((never.status, &never.json()["satisfied"]), (200, &json!(false)), "{never:?}");
}

#[tokio::test]
async fn empty_auth_is_refused_with_what_to_write() {
    let mock = start().await;
    let admin = Admin::of(&mock);
    for path in ["/applications/default/auth", "/applications/default", "/applications/other"] {
        admin.refused(Method::PUT, path, r#"{"auth":[]}"#, 400, r#"["none"]"#).await;
    }
    assert_eq!(Client::of(&mock).get("/Users").await.status, 200);
    assert!(mock.application("other").is_none());
}
