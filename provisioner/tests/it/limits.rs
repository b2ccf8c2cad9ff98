//! Limits of size: responses that are not read, and requests that cannot be sent.

mod listing;

use provisioner::Clock as _;
use serde_json::{Value, json};

use crate::scripted::{Answer, target};
use crate::support::{Bench, user};

fn account(padding: usize) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "7", "userName": "ada", "active": true,
        "nickName": "x".repeat(padding),
    })
}

fn reason(report: &provisioner::RunReport) -> (String, String) {
    let line = serde_json::to_value(&report.lines[0]).unwrap();
    (line["reason"].as_str().unwrap().to_owned(), line["detail"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn response_above_the_limit_reports_its_size() {
    const LARGE: usize = 9 << 20;
    for (made, read, status) in [(LARGE, 0, 201), (0, LARGE, 200)] {
        let mut bench = Bench::new("aquera").await;
        bench.settings.options = "max-attempts = 1".to_owned();
        let script = move |asked: &crate::scripted::Asked| match (asked.method.as_str(), &*asked.path) {
            ("POST", _) => Answer::scim(201, &account(made)),
            ("GET", "/scim/Users/7") => Answer::scim(200, &account(read)),
            ("GET", _) => Answer::list(&[]),
            _ => Answer::scim(200, &account(0)),
        };
        bench.settings.scim_url = Some(target(script).await);
        bench.users(&[user("1", "ada")]);
        let mut report = bench.sync().await;
        if status == 200 {
            bench.users(&[]);
            let options = provisioner::SyncOptions { allow_empty_source: true, ..Default::default() };
            report = bench.sync_with(options).await;
        }
        let (reason, detail) = reason(&report);
        let expected =
            format!("the target answered {status} with more than 8 MiB, which is too large to be read");
        assert_eq!(reason.as_str(), "target-error");
        assert_eq!(detail.as_str(), expected.as_str());
    }
}

#[tokio::test]
async fn user_name_that_fits_no_url_is_told_without_a_request() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", &"n".repeat(125_000))]);
    let before = bench.clock.now();
    let report = bench.sync().await;
    let (reason, detail) = reason(&report);
    assert_eq!(reason, "invalid-user", "{detail}");
    assert!(detail.starts_with("the request was not sent: its URL would have 125"), "{detail}");
    assert!(detail.contains("shorten the user name"), "{detail}");
    assert_eq!(report.summary.requests, 2, "the connection test");
    assert_eq!(bench.app.journal().len(), 2);
    assert_eq!(bench.clock.now(), before, "nothing is tried again");
}
