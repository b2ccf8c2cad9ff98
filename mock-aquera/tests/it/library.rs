//! The library as a test of somebody's client uses it.

use std::time::Duration;

use mock_aquera::{Auth, Expect, Fault, JournalQuery, MockAquera, Phase, Profile, StatusCode};
use reqwest::Method;
use serde_json::{Value, json};

use crate::client::{PATCH, USER, finish, http, with_body};

/// A client that is to be tested: it makes a user, and tries again a few times where the endpoint is busy.
struct Provisioning {
    url: String,
}

impl Provisioning {
    async fn create(&self, user_name: &str) -> u16 {
        let body = json!({"schemas": [USER], "userName": user_name});
        for _ in 0..3 {
            let request = http().request(Method::POST, format!("{}/Users", self.url)).bearer_auth("a-token");
            let answer = finish(with_body(request, &body)).await;
            if answer.status != 503 {
                return answer.status;
            }
        }
        503
    }

    async fn disable(&self, id: &str) -> u16 {
        let operation = json!({"op": "replace", "path": "active", "value": false});
        let body = json!({"schemas": [PATCH], "Operations": [operation]});
        let request =
            http().request(Method::PATCH, format!("{}/Users/{id}", self.url)).bearer_auth("a-token");
        finish(with_body(request, &body)).await.status
    }
}

async fn start(profile: &str) -> (MockAquera, Provisioning) {
    let builder =
        MockAquera::builder().auth(Auth::bearer("a-token")).profile(Profile::builtin(profile).unwrap());
    let mock = builder.user(json!({"id": "u-1", "userName": "ida@example.com"})).start().await.unwrap();
    let client = Provisioning { url: mock.scim_url() };
    (mock, client)
}

#[tokio::test]
async fn a_client_gets_over_an_outage() {
    let (mock, client) = start("aquera").await;
    let application = mock.default_application();
    let _expected = application.expect(
        Expect::request().method("POST").status(201).body_at("/userName", "ben@example.com").times(1),
    );
    {
        let outage = application.scoped_fault(Fault::status(503).method("POST").times(2));
        assert_eq!(client.create("ben@example.com").await, 201);
        assert_eq!((outage.matched(), outage.struck()), (2, 2));
    }
    assert!(application.faults().is_empty());
    let refused = application.query_journal(&JournalQuery::new().status(503));
    assert_eq!(refused.len(), 2);
    assert!(refused.iter().all(|exchange| !exchange.faults.is_empty()));
}

#[tokio::test]
async fn an_expectation_that_fails_says_what_was_nearly_it() {
    let (mock, client) = start("no-partial-update").await;
    let application = mock.default_application();
    assert_eq!(client.disable("u-1").await, 501);
    let expected = Expect::request().method("PATCH").status(200).times(1);
    let verification = application.verify(&expected);
    assert!(!verification.satisfied);
    assert_eq!(verification.nearest_miss.as_ref().map(|miss| miss.method.as_str()), Some("PATCH"));

    let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _expected = application.expect(expected.since(0));
    }));
    let told = *judged.unwrap_err().downcast::<String>().unwrap();
    assert!(told.contains("exactly once") && told.contains("501"), "{told}");
    assert_eq!(application.user("u-1").unwrap()["active"], json!(true));
}

#[tokio::test]
async fn a_request_is_held_while_the_test_looks() {
    let (mock, client) = start("aquera").await;
    let application = mock.default_application();
    let mut hold = application.hold(1, Phase::AfterEffect);
    let request = tokio::spawn(async move { client.disable("u-1").await });
    hold.reached().await;
    // Done, though nobody has been told yet.
    assert_eq!(application.user("u-1").unwrap()["active"], Value::Bool(false));
    assert!(!request.is_finished());
    hold.release();
    assert_eq!(request.await.unwrap(), 200);
    let writes =
        application.wait_for(JournalQuery::new().method("PATCH"), 1, Duration::from_mins(1)).await.unwrap();
    assert_eq!(writes[0].status, Some(StatusCode::OK));
}

#[tokio::test]
async fn fault_that_can_never_strike_keeps_the_server_from_starting() {
    let start = async |fault: Fault| MockAquera::builder().fault(fault).start().await;
    let error = start(Fault::status(503).method("POTS")).await.unwrap_err().to_string();
    assert!(
        error.starts_with("use the fault `status=503 method=POTS`: the rule can never strike"),
        "{error}"
    );
    let error = start(Fault::status(503).resource_type("Usr")).await.unwrap_err().to_string();
    assert!(error.contains("did you mean `User`?"), "{error}");
    let mock = start(Fault::status(503).path("/Users/*")).await.unwrap();
    let application = mock.default_application();
    assert!(application.check_fault(&Fault::reset().path("/scim/Users")).is_err());
    assert!(application.check_fault(&Fault::reset().path("/Users")).is_ok());
}
