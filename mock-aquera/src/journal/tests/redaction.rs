use super::*;
use crate::verify::{Expectation, verify};

#[test]
fn of_credentials_in_headers_the_scheme_stays() {
    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        let record = with_headers(record(Method::GET, "/scim/Users", ""), &[(name, value), (name, value)]);
        let journal = Journal::of("acme");
        journal.record_whole(record);
        let kept = journal.after(0, usize::MAX).1.remove(0).1.request_headers();
        let values: Vec<&str> =
            kept.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, [expected, expected]);
    }
    check("authorization", "Bearer hunter2", "Bearer [redacted]");
    check("authorization", "Basic aHVudGVyMg==", "Basic [redacted]");
    check("authorization", "bearer hunter2", "bearer [redacted]");
    check("authorization", "hunter2", "[redacted]");
    check("authorization", "hunter2 x", "[redacted]");
    check("proxy-authorization", "Digest username=\"hunter2\"", "Digest [redacted]");
    check("cookie", "session=hunter2", "[redacted]");
}

#[test]
fn headers_that_look_like_secrets_are_not_shown() {
    let headers = [("x-api-key", SECRET), ("x-auth-token", SECRET), ("x-request-id", "1")];
    let exchange = only(with_headers(record(Method::GET, "/scim/Users", ""), &headers));
    assert_eq!(exchange.header("x-api-key"), Some("[redacted]"));
    assert_eq!(exchange.header("X-Auth-Token"), Some("[redacted]"));
    assert_eq!(exchange.header("x-request-id"), Some("1"));
}

#[test]
fn queries_are_cleared() {
    #[track_caller]
    fn check(uri: &str, expected: &str) {
        assert_eq!(only(record(Method::GET, uri, "")).path, expected);
    }
    check("/scim/Users?access_token=hunter2&count=1", "/scim/Users?access_token=[redacted]&count=1");
    check("/scim/Users?a=1&Password=hunter2", "/scim/Users?a=1&Password=[redacted]");
    check("/scim/Users?client%5Fsecret=hunter2", "/scim/Users?client%5Fsecret=[redacted]");
    check("/scim/Users?filter=password%20eq%20%22hunter2%22", "/scim/Users?filter=[redacted]");
    check("/scim/Users?filter=%70assword+eq+%22hunter2%22", "/scim/Users?filter=[redacted]");
    check("http://me:hunter2@host/scim/Users?count=1", "/scim/Users?count=1");
    check(
        "/scim/Users?filter=emails%5Btype%20eq%20%22work%22%5D&count=1",
        "/scim/Users?filter=emails%5Btype%20eq%20%22work%22%5D&count=1",
    );
}

#[test]
fn bodies_are_cleared() {
    #[track_caller]
    fn check(body: &str, expected: &Value) {
        let mut record = record(Method::POST, "/scim/Users", body);
        record.response_body = record.request_body.clone();
        let exchange = only(record);
        assert_eq!(exchange.request_body.as_ref(), Some(expected));
        assert_eq!(exchange.response_body.as_ref(), Some(expected));
    }
    check(r#"{"password":"hunter2","a":1}"#, &json!({"password": "[redacted]", "a": 1}));
    check(r#"{"urn:x:User:Password":"hunter2"}"#, &json!({"urn:x:User:Password": "[redacted]"}));
    check(
        r#"{"Operations":[{"op":"replace","path":"PASSWORD","value":"hunter2"},{"path":"title","value":"x"}]}"#,
        &json!({"Operations": [
            {"op": "replace", "path": "PASSWORD", "value": "[redacted]"},
            {"path": "title", "value": "x"}
        ]}),
    );
    check(
        r#"{"Operations":[{"op":"replace","path":"urn:x:User:password","value":"hunter2"}]}"#,
        &json!({"Operations": [{"op": "replace", "path": "urn:x:User:password", "value": "[redacted]"}]}),
    );
    check(
        r#"{"Operations":[{"op":"remove","path":"x[password eq \"hunter2\"]"}]}"#,
        &json!({"Operations": [{"op": "remove", "path": "[redacted]"}]}),
    );
    check(r#"{"filter":"password eq \"hunter2\""}"#, &json!({"filter": "[redacted]"}));
    check(
        r#"{"access_token":"hunter2","token_type":"Bearer"}"#,
        &json!({"access_token": "[redacted]", "token_type": "Bearer"}),
    );
    check(
        r#"{"Operations":[{"method":"POST","path":"/Users","data":{"password":"hunter2"}}]}"#,
        &json!({"Operations": [{"method": "POST", "path": "/Users", "data": {"password": "[redacted]"}}]}),
    );
    check(r#"{"password":"hunter2""#, &json!("[redacted]"));
    check("plain", &json!("plain"));
}

#[test]
fn forms_are_cleared() {
    let form = "grant_type=client_credentials&client_id=me&client_secret=hunter2";
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let exchange = only(with_headers(record(Method::POST, "/oauth/token", form), &kind));
    let cleared = "grant_type=client_credentials&client_id=me&client_secret=[redacted]";
    assert_eq!(exchange.request_body, Some(json!(cleared)));
    let unlabelled = only(record(Method::POST, "/oauth/token", form));
    assert_eq!(unlabelled.request_body, Some(json!("[redacted]")));
}

/// One exchange with a secret in each place, in every form that leaves the journal.
#[tokio::test]
async fn no_secret_leaves_in_any_form() {
    let journal = Journal::of("acme");
    let mut live = journal.subscribe(JournalQuery::new());
    let body = r#"{"userName":"a","password":"hunter2"}"#;
    let mut record = with_headers(
        record(Method::POST, "/scim/Users?access_token=hunter2", body),
        &[("authorization", "Bearer hunter2"), ("cookie", SECRET), ("x-api-key", SECRET)],
    );
    record.response_headers.insert(header::SET_COOKIE, HeaderValue::from_static(SECRET));
    record.response_body = record.request_body.clone();
    record.changes.push(StateChange {
        resource_type: "User".into(),
        id: "1".into(),
        kind: ChangeKind::Created,
        before: None,
        after: Some(record.request_body.clone()),
    });
    assert!(!format!("{:?}", record.changes).contains("password"));
    journal.record_whole(record);
    let exchanges = journal.query(&JournalQuery::new());
    let live = live.next().await.unwrap();
    let expectation = Expectation::request()
        .header("authorization", "Bearer hunter2")
        .header("x-api-key", SECRET)
        .body_at("/password", SECRET)
        .body_includes(json!({"password": SECRET}))
        .times(2);
    let verification = verify(&journal, &expectation);
    assert_eq!((verification.matched, verification.satisfied), (0, false), "{verification}");
    let present = Expectation::request()
        .header("authorization", "Bearer [redacted]")
        .header("x-api-key", "[redacted]")
        .body_at("/password", "[redacted]")
        .body_includes(json!({"password": "[redacted]"}))
        .times(1);
    assert!(verify(&journal, &present).satisfied);
    let forms = [
        serde_json::to_string(&exchanges).unwrap(),
        har(&exchanges, &HarCreator::default()).to_string(),
        serde_json::to_string(&live).unwrap(),
        format!("{exchanges:?} {live:?} {journal:?}"),
        verification.to_string(),
        serde_json::to_string(&verification).unwrap(),
    ];
    for form in forms {
        assert!(!form.contains(SECRET), "{form}");
    }
    assert!(journal.query(&JournalQuery::new().contains(SECRET)).is_empty());
}
