//! An attribute under its URN is the same attribute (RFC 7644 §3.10), for faults, the journal and expectations.

use mock_aquera::{Expect, JournalQuery};
use serde_json::{Value, json};

use crate::client::{Client, USER, start, user};

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[tokio::test]
async fn patch_path_with_a_urn_is_that_of_the_attribute() {
    let mock = start().await;
    let (app, client) = (mock.default_application(), Client::of(&mock));
    let path = format!("/Users/{}", client.post("/Users", &user("ann", json!({}))).await.id());
    let urn = |path: &str| format!("{USER}:{path}");
    let operation = |path: &str, value: Value| json!({"op": "replace", "path": path, "value": value});
    let within = |value: Value| json!({"op": "replace", "value": value});
    let active = json!(false);
    let department = format!("{ENTERPRISE}:department");
    let cases = [
        ("active", operation("active", active.clone())),
        ("active", operation("Active", active.clone())),
        ("active", operation(&urn("active"), active.clone())),
        ("active", operation(&urn("active").to_uppercase(), active.clone())),
        ("active", within(json!({urn("active"): false}))),
        ("active", within(json!({USER: {"active": false}}))),
        ("active", operation(USER, json!({"active": false}))),
        ("name.givenName", operation(&urn("name.givenName"), json!("A"))),
        ("name.givenName", within(json!({urn("name.givenName"): "A"}))),
        ("name.givenName", within(json!({USER: {"name": {"givenName": "A"}}}))),
        (
            "emails[type eq \"work\"].value",
            operation(&urn("emails[type eq \"work\"].value"), json!("a@b.example")),
        ),
        (&department, operation(&department, json!("d"))),
        (&department, within(json!({ENTERPRISE: {"department": "d"}}))),
        (&department, operation(ENTERPRISE, json!({"department": "d"}))),
    ];
    for (attribute, sent) in &cases {
        for asked in [(*attribute).to_owned(), urn(attribute)] {
            if asked.starts_with(USER) && attribute.starts_with("urn:") {
                continue;
            }
            app.clear_journal();
            let struck = app.add_fault(mock_aquera::Fault::status(503).patch_path(&asked));
            let answer = client.patch(&path, &json!([sent])).await;
            assert_eq!(answer.status, 503, "the fault for {asked} does not strike {sent}: {answer:?}");
            app.remove_fault(struck);
            assert_eq!(
                app.query_journal(&JournalQuery::new().patch_path(&asked)).len(),
                1,
                "{asked}: {sent}"
            );
            assert!(app.verify(&Expect::request().patch_path(&asked).times(1)).satisfied, "{asked}: {sent}");
        }
    }
    // An extension's attribute is not the core one of its name.
    app.clear_journal();
    let struck = app.add_fault(mock_aquera::Fault::status(503).patch_path("department"));
    assert_eq!(client.patch(&path, &json!([operation(&department, json!("d"))])).await.status, 200);
    assert_eq!(app.query_journal(&JournalQuery::new().patch_path("department")).len(), 0);
    app.remove_fault(struck);
    // A rename by the URN is one to the journal too.
    let rename = operation(&urn("userName"), json!("bob"));
    assert_eq!(client.patch(&path, &json!([rename])).await.status, 200);
    assert_eq!(app.query_journal(&JournalQuery::new().user_name("bob")).len(), 1);
}
