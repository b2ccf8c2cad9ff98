use std::ops::Range;

use serde_json::{Value, json};

use super::*;
use crate::explore::check::{Check, Condition, Expectation};
use crate::explore::rule::Rule;
use crate::explore::session::Transcript;
use crate::subject::server::client::{Credentials, Manners};
use crate::transcript::{Exchange, Received, Sent};

fn exchange(method: &str, path: &str, body: Value, status: u16, answer: Value) -> Exchange {
    Exchange {
        step: String::new(),
        request: Sent {
            method: method.to_owned(),
            url: format!("http://h/scim{path}"),
            headers: Vec::new(),
            body,
        },
        response: Some(Received { status, headers: Vec::new(), body: answer }),
        error: None,
        milliseconds: 0,
    }
}

fn minimal(exchanges: Vec<Exchange>, together: Vec<Range<usize>>) -> Minimal {
    let unique = "conformance-a-1x".to_owned();
    Minimal {
        transcript: Transcript { exchanges, together, unique, ..Transcript::default() },
        hits: 3,
        tries: 3,
    }
}

#[test]
fn requests_at_the_same_time_become_one_step() {
    let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
    let patch = || exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, Value::Null);
    let mut exchanges = vec![
        exchange("POST", "/Users", json!({}), 201, json!({ "id": "7f" })),
        patch(),
        patch(),
        exchange("GET", "/Users/7f", Value::Null, 200, json!({})),
    ];
    let check = Check::at("/emails", Condition::Includes(json!({ "value": "a" })));
    let lost = Violation::new(Rule::SomeOrder, "PATCH", "lost").check(check);
    let text_of = |lost: &Violation, exchanges: &[Exchange]| {
        let text = text(
            lost,
            &minimal(exchanges.to_vec(), vec![Range { start: 1, end: 3 }]),
            Which::Needed,
            &client,
        )
        .expect("a case");
        let file: CaseFile = toml::from_str(&text).expect("a case file");
        assert_eq!(file.case.len(), 1);
        text
    };
    let read_after = text_of(&lost, &exchanges);
    for part in [
        "[[case.step.together]]",
        "every = [",
        "at = \"/emails\"",
        "includes = ",
        "send = \"GET /Users/{{r1.id}}\"",
    ] {
        assert!(read_after.contains(part), "{part} is not in {read_after}");
    }
    exchanges.pop();
    let both = Violation::new(Rule::SomeOrder, "PATCH", "both").check(Expectation::OneSuccess(&[412]));
    assert!(text_of(&both, &exchanges).contains("exactly-one = ["));
}

#[test]
fn finding_becomes_a_case() {
    let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
    let name = json!({ "userName": "conformance-a-1x-1@example.com" });
    let exchanges = vec![
        exchange("POST", "/Users", name.clone(), 201, json!({ "id": "7f" })),
        exchange("GET", "/Users/7f", Value::Null, 200, name),
        exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, Value::Null),
        exchange("GET", "/Users/7f", Value::Null, 200, json!({ "title": "x" })),
    ];
    let minimal = minimal(exchanges, Vec::new());
    let check = Check::value("/title", json!("y's"));
    let violation =
        Violation::new(Rule::PatchStores, "PATCH", "after PATCH title has another value").check(check);
    let text = text(&violation, &minimal, Which::Needed, &client).expect("a case");
    for part in [
        "send = \"POST /Users\"",
        "as = \"r1\"",
        "{{unique}}-1@example.com",
        "send = \"PATCH /Users/{{r1.id}}\"",
        "preparation = true",
        "at = \"/title\"",
        "y's",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let file: CaseFile = toml::from_str(&text).expect("a case file");
    assert_eq!(file.case.len(), 1);
}

#[test]
fn finding_without_an_expectation_is_not_saved() {
    let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
    let minimal = minimal(Vec::new(), Vec::new());
    let violation = Violation::new(Rule::SomeOrder, "PATCH", "lost");
    assert!(matches!(text(&violation, &minimal, Which::Needed, &client), Err(SaveError::Untold(_))));
}

/// Returns the case of a finding whose last request depends on the version of a resource.
fn conditional(header: &str, value: &str, last: Exchange, versions: [&str; 2]) -> String {
    let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
    let etag = |exchange: Exchange, version: &str| {
        let response = exchange
            .response
            .map(|answer| Received { headers: vec![("etag".to_owned(), version.to_owned())], ..answer });
        Exchange { response, ..exchange }
    };
    let user = || json!({ "id": "7f" });
    let mut last = last;
    last.request.headers.push((header.to_owned(), value.to_owned()));
    let exchanges = vec![
        etag(exchange("POST", "/Users", json!({}), 201, user()), versions[0]),
        etag(exchange("PATCH", "/Users/7f", json!({ "Operations": [] }), 200, user()), versions[0]),
        etag(exchange("GET", "/Users/7f", Value::Null, 200, user()), versions[1]),
        last,
    ];
    let violation = Violation::new(Rule::Conditional, "PUT", "it is done").check(Check::status(&["412"]));
    text(&violation, &minimal(exchanges, Vec::new()), Which::Needed, &client).expect("a case")
}

#[test]
fn version_that_was_last_shown_is_that_of_the_next_run() {
    let put = || exchange("PUT", "/Users/7f", json!({}), 412, Value::Null);
    let current = conditional("If-Match", "W/\"2\"", put(), ["W/\"1\"", "W/\"2\""]);
    assert!(current.contains("If-Match = \"{{r1.version}}\""), "{current}");
    assert_eq!(current.matches("send = \"GET /Users/{{r1.id}}\"\nas = \"r1\"").count(), 1, "{current}");
    let earlier = conditional("If-Match", "W/\"1\"", put(), ["W/\"1\"", "W/\"2\""]);
    assert!(earlier.contains("If-Match = 'W/\"1\"'"), "{earlier}");
    assert!(!earlier.contains("send = \"GET"), "{earlier}");
    let read = exchange("GET", "/Users/7f", Value::Null, 200, Value::Null);
    let read = conditional("If-None-Match", "W/\"2\"", read, ["W/\"1\"", "W/\"2\""]);
    assert!(read.contains("If-None-Match = \"{{r1.version}}\""), "{read}");
}

#[test]
fn versions_of_requests_at_the_same_time_are_places() {
    let client = Client::new("http://h/scim", Credentials::None, Manners::default()).expect("a client");
    let user = || json!({ "id": "7f", "meta": { "version": "3" } });
    let put = || {
        let mut put = exchange("PUT", "/Users/7f", json!({}), 200, user());
        put.request.headers.push(("If-Match".to_owned(), "3".to_owned()));
        put
    };
    let exchanges = vec![exchange("POST", "/Users", json!({}), 201, user()), put(), put()];
    let both = Violation::new(Rule::SomeOrder, "PUT", "both").check(Expectation::OneSuccess(&[412]));
    let text = text(&both, &minimal(exchanges, vec![Range { start: 1, end: 3 }]), Which::Needed, &client)
        .expect("a case");
    assert_eq!(text.matches("If-Match = \"{{r1.version}}\"").count(), 2, "{text}");
}
