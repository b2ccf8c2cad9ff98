//! The names of what the harness makes: found by the cases whatever the template's shape, short, and in small letters.

use std::sync::{Arc, Mutex};

use conformance::report::Verdict;
use conformance::subject::server::client::Answer;
use serde_json::{Value, json};

use super::front::{Broken, Seen};

/// Every `userName` in a body.
fn user_names(body: &Value, found: &mut Vec<String>) {
    match body {
        Value::Object(members) => {
            for (name, member) in members {
                if name.eq_ignore_ascii_case("userName") {
                    found.extend(member.as_str().map(ToOwned::to_owned));
                }
                user_names(member, found);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| user_names(element, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn created_users_are_found_with_any_template_prefix() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    let broken = Broken::changed(|_, _| {}).await;
    for shape in ["svc.{{unique}}@acme.test", "svc-{{unique}}", "{{unique}}.svc@acme.test", "ada@acme.test"] {
        std::fs::write(&file, json!({ "userName": shape }).to_string()).expect("a file");
        let template = file.display().to_string();
        let select = "section=3.4.2* | section=3.9 | section=3.4.3 | document=rfc9865 | section=6.4";
        let judged = broken.judged(&["--select", select, "--template", &template]).await;
        assert!(judged.report().summary.pass > 100, "{shape}: {:?}", judged.report().summary);
        assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new(), "{shape}");
        assert_eq!(judged.with(Verdict::Warn), Vec::<String>::new(), "{shape}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn user_names_have_at_most_40_characters() {
    let names = Arc::<Mutex<Vec<String>>>::default();
    let seen = names.clone();
    let broken = Broken::answering(move |asked| {
        user_names(&asked.body, &mut seen.lock().expect("a lock"));
        None
    })
    .await;
    broken.judged(&[]).await;
    let names = names.lock().expect("a lock").clone();
    let long: Vec<_> = names.iter().filter(|name| name.chars().count() > 40).collect();
    assert!(names.len() > 500 && long.is_empty(), "{}: {long:#?}", names.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_takes_small_letters_only_fails_nothing() {
    let refuse = |seen: &mut Seen| {
        let mut names = Vec::new();
        user_names(&seen.body, &mut names);
        let capital = names.iter().any(|name| *name != name.to_lowercase());
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400",
            "scimType": "invalidValue", "detail": "a user name is written in small letters",
        });
        capital.then(|| Answer { status: 400, json: Some(error), ..Answer::default() })
    };
    let broken = Broken::answering(refuse).await;
    let judged =
        broken.judged(&["--select", "section=3.3 | section=3.5.1 | section=3.4.2.2 | section=3.7"]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    assert_eq!(judged.case("rfc7644/3.3/refuses-another-case").verdict, Verdict::NotAdvertised);
    // Where capitals are taken, it is as it was.
    let broken = Broken::changed(|_, _| {}).await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/refuses-another-case"]).await;
    assert_eq!(judged.report().summary.pass, 1, "{}", judged.out);
}
