//! Faults and expectations that end with what made them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mock_aquera::{Application, Expect, Expectation, Fault, JournalLimits};
use serde_json::json;

use crate::client::{Client, start, user};

#[tokio::test]
async fn a_scoped_fault_goes_with_its_guard() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    {
        let outage = application.scoped_fault(Fault::status(503).always().method("GET"));
        client.get("/Users").await.scim_error(503, None);
        client.get("/Groups").await.scim_error(503, None);
        assert_eq!(client.post("/Users", &user("a", json!({}))).await.status, 201);
        assert_eq!((outage.matched(), outage.struck()), (2, 2));
        assert_eq!(outage.state().unwrap().rule, "status=503 method=GET times=always");
        assert_eq!(application.fault_states()[0].id, outage.id());
    }
    assert_eq!(client.get("/Users").await.status, 200);
    assert!(application.fault_states().is_empty());
}

#[tokio::test]
async fn a_guard_whose_fault_is_gone_already_minds_nothing() {
    let mock = start().await;
    let application = mock.default_application();
    let (first, second) =
        (application.scoped_fault(Fault::status(503)), application.scoped_fault(Fault::reset()));
    application.clear_faults();
    assert_eq!((first.state(), first.struck()), (None, 0));
    let third = application.scoped_fault(Fault::status(500));
    drop((first, second));
    assert_eq!(application.faults(), ["status=500"], "nobody else's fault goes with it");
    drop(third);
    assert!(application.faults().is_empty());
}

#[tokio::test]
async fn a_guard_goes_with_a_test_that_panics() {
    let mock = start().await;
    let application = mock.default_application();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _fault = application.scoped_fault(Fault::revoke());
        panic!("as a failing test does");
    }));
    assert!(panicked.is_err() && application.faults().is_empty());
}

/// What an expectation says when it is judged, if anything.
fn judged(application: &Application, expectation: Expectation) -> Option<String> {
    let expected = application.expect(expectation);
    said(|| expected.verify())
}

fn said(work: impl FnOnce()) -> Option<String> {
    let panicked = catch_unwind(AssertUnwindSafe(work)).err()?;
    Some(panicked.downcast_ref::<String>().unwrap().clone())
}

#[tokio::test]
async fn an_expectation_that_is_met_says_nothing() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    client.post("/Users", &user("before", json!({}))).await;
    let created = application.expect(Expect::request().method("POST").path("/Users").times(1));
    let deleted = application.expect(Expect::request().method("DELETE").never());
    assert!(!created.verification().satisfied, "what came before does not count");
    client.post("/Users", &user("bjensen", json!({}))).await;
    assert!(created.verification().satisfied);
    drop(created);
    deleted.verify();
    assert_eq!(judged(&application, Expect::request().method("POST").since(0).times(2)), None);
}

#[tokio::test]
async fn an_expectation_that_is_not_met_panics_with_the_nearest_miss() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    let expected = application
        .expect(Expect::request().method("POST").user_name("bjensen").body_at("/active", false).times(1));
    let line = line!() - 1;
    client.get("/Users").await;
    client.post("/Users", &user("bjensen", json!({"active": true}))).await;
    let message = said(|| drop(expected)).unwrap();
    for part in [
        "expected POST with userName \"bjensen\", body /active false after number 0 exactly once",
        "but it never came",
        "nearest of 2 looked at: number 2, POST /scim/Users",
        "body /active is true, expected false",
        "guards.rs",
        &format!(":{line}:"),
    ] {
        assert!(message.contains(part), "{part} is not in:\n{message}");
    }
    let too_many = judged(&application, Expect::request().since(0).never()).unwrap();
    assert!(too_many.contains("never, but it came 2 times"), "{too_many}");
}

#[tokio::test]
async fn an_expectation_that_is_given_up_or_meets_a_panic_says_nothing() {
    let mock = start().await;
    let application = mock.default_application();
    application.expect(Expect::request().method("DELETE")).cancel();
    // A second panic while the first one unwinds would abort the process, and this test with it.
    let first = catch_unwind(AssertUnwindSafe(|| {
        let _expected = application.expect(Expect::request().method("DELETE"));
        panic!("the first failure");
    }));
    assert_eq!(first.unwrap_err().downcast_ref::<&str>(), Some(&"the first failure"));
}

#[tokio::test]
async fn an_expectation_says_when_the_journal_was_too_small() {
    let mock = start().await;
    let (application, client) = (mock.default_application(), Client::of(&mock));
    application.set_journal_limits(JournalLimits { exchanges: 1, ..JournalLimits::default() });
    let expected = application.expect(Expect::request().method("POST").times(1));
    client.post("/Users", &user("a", json!({}))).await;
    client.get("/Users").await;
    let message = said(|| expected.verify()).unwrap();
    assert!(message.contains("forgotten 1 of the 2 requests"), "{message}");
}
