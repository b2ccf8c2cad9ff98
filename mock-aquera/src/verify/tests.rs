use serde_json::json;

use super::*;

fn exchange(seq: u64, method: &str, path: &str, body: &Value) -> Exchange {
    serde_json::from_value(json!({
        "seq": seq, "application": null, "at": "1970-01-01T00:00:00.000Z", "took": 1, "method": method,
        "path": path, "requestHeaders": [["if-match", "W/\"1\""]], "requestBody": body, "status": 200,
        "responseHeaders": [], "responseBody": null, "operations": [], "downstream": [], "changes": [],
        "fault": null, "faults": [], "dialects": [],
    }))
    .unwrap()
}

fn patch(path: &str) -> Value {
    json!({"Operations": [{"op": "replace", "path": path, "value": false}]})
}

fn three() -> Vec<Exchange> {
    vec![
        exchange(
            1,
            "POST",
            "/scim/Users",
            &json!({"userName": "a", "emails": [{"value": "x"}, {"value": "y"}]}),
        ),
        exchange(2, "PUT", "/scim/Users/1", &patch("title")),
        exchange(3, "PATCH", "/scim/Users/1", &patch("active")),
    ]
}

#[test]
fn what_came_is_counted() {
    #[track_caller]
    fn check(expectation: &Expectation, satisfied: bool, matched: u64) {
        let verification = expectation.verify(&three());
        assert_eq!((verification.satisfied, verification.matched), (satisfied, matched), "{verification}");
    }
    let any = Expect::request;
    check(&any(), true, 3);
    check(&any().times(3), true, 3);
    check(&any().times(2), false, 3);
    check(&any().times(4..), false, 3);
    check(&any().times(..=2), false, 3);
    check(&any().times(1..=3), true, 3);
    check(&any().never(), false, 3);
    check(&any().since(1).times(2), true, 2);
    check(&any().method("DELETE").never(), true, 0);
    check(&any().path("/Users/*").times(2), true, 2);
    check(&any().header("If-Match", "W/\"1\"").times(3), true, 3);
    check(&any().header("if-match", "W/\"2\""), false, 0);
    check(&any().body_at("/Operations/0/path", "active").times(1), true, 1);
    check(&any().body_includes(json!({"emails": [{"value": "y"}]})).times(1), true, 1);
    check(&any().body_includes(json!({"Operations": [{"value": false}]})).times(2), true, 2);
    check(&any().body_includes(json!({})).times(3), true, 3);
}

#[test]
fn the_nearest_miss_is_explained() {
    let expectation =
        Expect::request().method("PATCH").path("/Users/*").body_at("/Operations/0/path", "active").times(1);
    let verification = expectation.verify(&three()[..2]);
    assert_eq!(
        verification.to_string(),
        "expected PATCH /Users/* with body /Operations/0/path \"active\" exactly once, but it never came\n\
         nearest of 2 looked at: number 2, PUT /scim/Users/1\n  \
         method is PUT, expected PATCH\n  \
         body /Operations/0/path is \"title\", expected \"active\""
    );
    let json = serde_json::to_value(&verification).unwrap();
    assert_eq!(json["nearestMiss"]["seq"], 2);
    assert_eq!(json["nearestMiss"]["differences"][0], "method is PUT, expected PATCH");
}

#[test]
fn too_many_are_named() {
    let verification = Expect::request().method("PATCH").never().verify(&three());
    assert_eq!(
        verification.to_string(),
        "expected PATCH never, but it came once\n  number 3: PATCH /scim/Users/1 -> 200"
    );
    let many: Vec<Exchange> = (1..=12).map(|seq| exchange(seq, "GET", "/scim/Users", &Value::Null)).collect();
    let text = Expect::request().times(..=1).verify(&many).to_string();
    assert!(
        text.starts_with("expected a request at most once, but it came 12 times\n  number 1: "),
        "{text}"
    );
    assert!(text.ends_with("\n  and 2 more"), "{text}");
}

#[test]
fn nothing_at_all_is_said_too() {
    let verification = Expect::request().times(2..).verify(&[]);
    assert_eq!(
        verification.to_string(),
        "expected a request at least twice, but it never came\nno request came at all"
    );
    assert_eq!(
        Expect::request().never().verify(&[]).to_string(),
        "expected a request never, and it never came"
    );
}

#[test]
fn each_difference_has_its_words() {
    #[track_caller]
    fn check(expectation: &Expectation, expected: &[&str]) {
        let verification = expectation.verify(&three()[2..]);
        assert_eq!(verification.nearest_miss.unwrap().differences, expected);
    }
    let any = Expect::request;
    check(&any().method("PUT"), &["method is PATCH, expected PUT"]);
    check(&any().path("/Groups/*"), &["path is /Users/1, expected /Groups/*"]);
    check(&any().status(404), &["status is 200, expected 404"]);
    check(&any().status_class(5), &["status is 200, expected 5xx"]);
    check(&any().unanswered(), &["status is 200, expected none"]);
    check(&any().fault(true), &["no fault struck, expected one"]);
    check(&any().operation(OperationKind::Patch), &["operation is none, expected patch"]);
    check(&any().resource_type("User"), &["resource type is none, expected User"]);
    check(&any().id("9"), &["id is none, expected \"9\""]);
    check(&any().user_name("a"), &["userName is none, expected \"a\""]);
    check(&any().patch_path("active"), &["it patches nothing, expected \"active\""]);
    check(&any().contains("zzz"), &["\"zzz\" is nowhere in it"]);
    check(&any().header("x-y", "1"), &["it has no header x-y, expected \"1\""]);
    check(&any().header("If-Match", "1"), &["header If-Match is \"W/\"1\"\", expected \"1\""]);
    check(&any().body_at("/x", 1), &["body has no /x, expected 1"]);
    check(
        &any().body_at("", 1),
        &[
            "body as a whole is {\"Operations\":[{\"op\":\"replace\",\"path\":\"active\",\"value\":false}]}, expected 1",
        ],
    );
    check(
        &any().body_includes(json!({"schemas": [], "Operations": [{"path": "title", "value": true}]})),
        &[
            "body /Operations/0/path is \"active\", expected \"title\"",
            "body /Operations/0/value is false, expected true",
            "body has no /schemas, expected []",
        ],
    );
    check(
        &any().body_includes(json!({"Operations": [{}, {"op": "add"}]})),
        &["body /Operations has nothing that includes {\"op\":\"add\"}"],
    );
    let bodyless =
        any().body_at("/a", 1).body_includes(json!({})).verify(&[exchange(1, "GET", "/x", &Value::Null)]);
    assert_eq!(
        bodyless.nearest_miss.unwrap().differences,
        ["there is no body, expected 1 at /a", "there is no body, expected one that includes {}"]
    );
}

#[test]
fn redacted_value_is_compared_by_its_presence_alone() {
    let sent = exchange(
        1,
        "PATCH",
        "/scim/Users/1",
        &json!({"password": "[redacted]", "Operations": [{"path": "password", "value": "[redacted]"}]}),
    );
    let sent = std::slice::from_ref(&sent);
    let any = Expect::request;
    for present in [
        any().body_at("/password", "[redacted]"),
        any().body_includes(json!({"Operations": [{"path": "password", "value": "[redacted]"}]})),
    ] {
        let verification = present.times(1).verify(sent);
        assert!(verification.satisfied && verification.undecided == 0, "{verification}");
    }
    for (value, difference) in [
        (any().body_at("/password", "hunter2"), "body /password is redacted and can't be compared"),
        (
            any().body_includes(json!({"Operations": [{"path": "password", "value": "hunter2"}]})),
            "a value in the body is redacted and can't be compared",
        ),
        (
            any().body_includes(json!({"Operations": [{"value": "hunter2"}]})),
            "body /Operations/0/value is redacted and can't be compared",
        ),
        (
            any().body_at("/Operations/0/value", "hunter2"),
            "body /Operations/0/value is redacted and can't be compared",
        ),
    ] {
        // Whether it came decides, and nobody knows.
        for times in [Times::Exactly(1), Times::AtLeast(1), Times::Never, Times::AtMost(0)] {
            let verification = value.clone().times(times).verify(sent);
            assert!(!verification.satisfied, "{verification}");
            assert_eq!((verification.matched, verification.undecided), (0, 1), "{verification}");
            assert_eq!(verification.nearest_miss.as_ref().unwrap().differences, [difference]);
            let text = verification.to_string();
            assert!(
                text.contains("but that can't be told: what decides about 1 request is redacted"),
                "{text}"
            );
            assert!(!text.contains("\"hunter2\"") || difference.contains("/value"), "{text}");
        }
        // It does not decide.
        assert!(value.clone().times(..=1).verify(sent).satisfied);
        let verification = value.times(2).verify(sent);
        assert_eq!((verification.satisfied, verification.undecided), (false, 0), "{verification}");
    }
}

#[test]
fn an_expectation_is_readable_from_json() {
    let read: Expectation = serde_json::from_value(json!({
        "request": {"method": "PATCH", "userName": "bjensen", "status": "2xx"},
        "headers": {"if-match": "W/\"1\""},
        "bodyAt": {"/a": 1},
        "bodyIncludes": {"b": 2},
        "times": {"between": {"from": 1, "to": 3}},
    }))
    .unwrap();
    let built = Expect::request()
        .method("PATCH")
        .user_name("bjensen")
        .status_class(2)
        .header("if-match", "W/\"1\"")
        .body_at("/a", 1)
        .body_includes(json!({"b": 2}))
        .times(1..=3);
    assert_eq!(read, built);
    assert_eq!(serde_json::from_value::<Expectation>(serde_json::to_value(&built).unwrap()).unwrap(), built);
    assert_eq!(serde_json::from_value::<Expectation>(json!({})).unwrap().times, Times::AtLeast(1));
    let wrong = serde_json::from_value::<Expectation>(json!({"request": {"usrName": "a"}})).unwrap_err();
    assert!(wrong.to_string().starts_with("unknown field `usrName`, expected one of `method`"), "{wrong}");
}

#[test]
fn numbers_of_times_have_their_words() {
    for (times, words) in [
        (Times::from(1), "exactly once"),
        (Times::from(2), "exactly twice"),
        (Times::from(0), "never"),
        (Times::from(3..), "at least 3 times"),
        (Times::from(..=1), "at most once"),
        (Times::from(2..=4), "2 to 4 times"),
        (Times::Never, "never"),
    ] {
        assert_eq!(times.to_string(), words);
    }
}
