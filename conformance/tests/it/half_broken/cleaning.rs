//! What `conformance clean` deletes, what it leaves alone, and what it cannot delete.

use std::collections::BTreeMap;
use std::process::Command;

use conformance::wire::client::{Client, Credentials, Manners, Request};
use serde_json::{Value, json};

use super::front::{Broken, TOKEN};

fn clean(url: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["clean", url, "--bearer", TOKEN])
        .args(more)
        .output()
        .expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn create(broken: &Broken, path: &str, body: &Value) {
    let client = Client::new(&broken.url, Credentials::Bearer(TOKEN.to_owned()), Manners::default());
    let request = Request {
        method: "POST".to_owned(),
        path: path.to_owned(),
        body: Some(body.to_string()),
        ..Request::default()
    };
    let (_, answer) = client.expect("a client").send(&request).await;
    assert_eq!(answer.expect("an answer").status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clean_deletes_what_runs_made_and_leaves_other_names_alone() {
    let broken = Broken::changed(|_, _| {}).await;
    let user = "urn:ietf:params:scim:schemas:core:2.0:User";
    let group = "urn:ietf:params:scim:schemas:core:2.0:Group";
    create(&broken, "/Users", &json!({ "schemas": [user], "userName": "conformance-officer@example.com" }))
        .await;
    create(&broken, "/Groups", &json!({ "schemas": [group], "displayName": "conformance-team" })).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    std::fs::write(&file, r#"{"userName": "svc.{{unique}}@acme.test"}"#).expect("a file");
    let template = file.display().to_string();
    let select = "id=rfc7644/3.3/answers-201 | id=rfc7644/3.3/group-answers-201";
    broken.judged(&["--select", select, "--keep", "--template", &template]).await;
    assert_eq!(broken.left().values().sum::<usize>(), 4);
    let (code, out) = clean(&broken.url, &["--dry-run"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("found User svc.conformance-") && out.contains("nothing was deleted"), "{out}");
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("left alone User conformance-officer@example.com"), "{out}");
    assert!(out.contains("left alone Group conformance-team"), "{out}");
    assert!(out.ends_with("deleted 2 of 2 found\n"), "{out}");
    assert_eq!(broken.left().values().sum::<usize>(), 2, "{:?}", broken.left());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn accounts_that_a_delete_deactivates_are_told_as_such() {
    let broken = Broken::start("delete-deactivates", Box::new(|_| None), Box::new(|_, _| {})).await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert!(judged.error.contains("1 resource stayed at the server"), "{}", judged.error);
    assert!(judged.error.contains("1 of them are deactivated"), "{}", judged.error);
    assert!(!judged.error.contains("conformance clean"), "{}", judged.error);
    let (code, out) = clean(&broken.url, &[]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("and the account is still there, deactivated"), "{out}");
    assert!(out.contains("1 are still there, of which 1 are deactivated"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_cannot_be_read_any_more_is_gone_whatever_the_delete_was_answered() {
    let broken = Broken::changed(|seen, answer| {
        if seen.method == "DELETE" {
            answer.status = 405;
        }
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert_eq!(broken.left(), BTreeMap::new());
    assert!(!judged.error.contains("stayed at the server"), "{}", judged.error);
}
