//! Results of `probe` for servers that show too little, or deviate.

use conformance::report::Verdict;
use serde_json::{Value, json};

use super::front::{Broken, Seen, page};

/// Changes `active` of each user that is shown.
async fn with_active(change: fn(&mut serde_json::Map<String, Value>)) -> Broken {
    Broken::changed(move |seen, answer| {
        let users = seen.path.starts_with("/Users");
        let members = answer.json.as_mut().and_then(Value::as_object_mut);
        if let Some(user) = members.filter(|members| users && members.contains_key("userName")) {
            change(user);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_active_that_is_never_returned_is_unknown_and_not_ignored() {
    let broken = with_active(|user| drop(user.remove("active"))).await;
    let judged = broken.run("probe", &[]).await;
    let told = &judged.out;
    assert!(told.contains("Enable users creation (works)"), "{told}");
    assert!(told.contains("Enable users disable (unknown)"), "{told}");
    assert!(told.contains("`active` is not returned"), "{told}");
    assert!(!told.contains("does not work"), "{told}");
    let about_active = judged.with(Verdict::Fail).into_iter().filter(|line| line.contains("active"));
    assert_eq!(about_active.count(), 0, "{:#?}", judged.with(Verdict::Fail));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_active_that_is_a_text_is_one_finding() {
    let broken = with_active(|user| {
        if let Some(active) = user.get("active").and_then(Value::as_bool) {
            user.insert("active".to_owned(), json!(if active { "True" } else { "False" }));
        }
    })
    .await;
    let judged = broken.run("probe", &[]).await;
    assert!(judged.out.contains("Enable users creation (works)"), "{}", judged.out);
    assert!(judged.out.contains("Enable users disable (works)"), "{}", judged.out);
    let failed = judged.with(Verdict::Fail);
    assert!(failed.len() == 1 && failed[0].starts_with("probe/active-is-a-boolean"), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn probe_hints_at_a_template_only_where_attributes_are_asked_for() {
    for (status, detail, hinted) in [
        (400, "nickName is required", true),
        (400, "the tenant is suspended", false),
        (409, "nickName is required", false),
    ] {
        let broken = Broken::answering(move |seen| {
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail,
            });
            let creates = seen.method == "POST" && seen.path == "/Users";
            creates.then(|| page(status, &body.to_string(), &[("content-type", "application/scim+json")]))
        })
        .await;
        let judged = broken.run("probe", &[]).await;
        let hint = format!("hint: creating the smallest user is answered {status}, saying: {detail}");
        assert_eq!(judged.error.contains(&hint), hinted, "{}", judged.error);
        assert_eq!(judged.error.contains("--template"), hinted, "{}", judged.error);
        let rating = if hinted { "unknown" } else { "does not work" };
        assert!(judged.out.contains(&format!("Enable users creation ({rating})")), "{}", judged.out);
    }
}

/// The keys of the profile that is written for a server, each with its value.
async fn written(broken: &Broken) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let judged = broken.run("probe", &["--out", &file.display().to_string()]).await;
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{error}: {}", judged.error))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_put_that_ignores_one_attribute_is_no_put_that_keeps_all_others() {
    let instead = |seen: &mut Seen| {
        if seen.method == "PUT" && seen.body.get("userName").is_some() {
            // The title that every account of the probe has.
            seen.body["title"] = json!("Tester");
            seen.text = seen.body.to_string();
        }
        None
    };
    let broken = Broken::start("rfc", Box::new(instead), Box::new(|_, _| {})).await;
    let profile = written(&broken).await;
    assert!(!profile.contains("put-missing-attributes"), "{profile}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_active_that_no_patch_may_write_is_no_client_habit_that_is_refused() {
    let broken = Broken::answering(|seen| {
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "scimType": "mutability",
        });
        (seen.method == "PATCH" && seen.text.contains("active"))
            .then(|| page(400, &error.to_string(), &[("content-type", "application/scim+json")]))
    })
    .await;
    let profile = written(&broken).await;
    for switch in ["capitalised-op", "string-booleans", "disable", "enable"] {
        assert!(!profile.contains(&format!("{switch} = ")), "{profile}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unknown_placeholders_and_queries_in_the_url_are_refused() {
    let broken = Broken::changed(|_, _| {}).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    std::fs::write(&file, r#"{"userName": "{{uniqe}}@acme.test"}"#).expect("a file");
    let judged = broken.run("probe", &["--template", &file.display().to_string()]).await;
    assert_eq!(judged.code, Some(2), "{}", judged.error);
    assert!(
        judged.error.contains("unknown placeholder `{{uniqe}}`; did you mean `{{unique}}`?"),
        "{}",
        judged.error
    );
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_conformance"))
        .args(["server", &format!("{}?key=a-secret", broken.url)])
        .output()
        .expect("the program runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("the URL has a query") && !error.contains("a-secret"), "{error}");
    assert!(broken.seen.lock().expect("a lock").is_empty());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_interrupted_probe_writes_no_profile_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let out = file.display().to_string();
    for signal in ["-INT", "-TERM"] {
        let broken = Broken::unhurried().await;
        let (code, error) = broken.interrupted("probe", &["--out", &out], &[signal]).await;
        assert_eq!(code, Some(3), "{error}");
        assert!(!file.exists(), "{error}");
        assert!(error.contains("forms were not tried to the end, so nothing is said of these"), "{error}");
        assert!(
            error.contains(&format!("{out} is not written: a profile needs a run that comes to its end")),
            "{error}"
        );
        assert!(!error.contains("mock-aquera --profile"), "{error}");
        assert_eq!(broken.left(), std::collections::BTreeMap::new(), "{signal}");
    }
}

/// A user as it is copied from a server: what is read-only there, or in no schema, is not the client's to set.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn read_only_attributes_of_the_template_are_no_loss() {
    let broken = Broken::changed(|_, _| {}).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "a-copied-id",
        "userName": "{{unique}}@example.com",
        "shoeSize": 44,
        "name": { "givenName": "Ada", "familyName": "Prober", "nobility": "Countess" },
        "groups": [{ "value": "a-group" }],
        "meta": { "resourceType": "User", "created": "2020-01-01T00:00:00Z" },
    });
    std::fs::write(&file, user.to_string()).expect("a file");
    let judged = broken.run("probe", &["--template", &file.display().to_string()]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(judged.case("probe/post").verdict, Verdict::Pass);
    assert!(judged.out.contains("Enable users creation (works)"), "{}", judged.out);
    assert!(!judged.out.contains("\"@"), "a name of ours: {}", judged.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn control_characters_are_escaped_in_the_text() {
    let broken = Broken::answering(|seen| {
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400",
            "scimType": "a\u{1b}[31mred\u{7}\u{0}\u{202e}", "detail": "a\u{1b}[31mred",
        });
        (seen.method == "PATCH")
            .then(|| page(400, &error.to_string(), &[("content-type", "application/scim+json")]))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("mine.toml");
    let judged = broken.run("probe", &["--out", &file.display().to_string()]).await;
    let profile = std::fs::read_to_string(&file).expect("a profile");
    for text in [&judged.out, &judged.error, &profile] {
        let obeyed = |sign: char| (sign.is_control() && sign != '\n') || sign == '\u{202e}';
        assert!(!text.contains(obeyed), "{text:?}");
    }
    assert!(judged.out.contains("refused: 400 a\\u{1b}[31mred"), "{}", judged.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_account_whose_fate_cannot_be_read_is_not_judged() {
    // Nobody may read an account that was deleted, nor make one of its name again.
    let deleted = std::sync::Mutex::new(std::collections::BTreeSet::new());
    let broken = Broken::answering(move |seen| {
        let mut deleted = deleted.lock().expect("a lock");
        if seen.method == "DELETE" {
            deleted.insert(seen.path.clone());
        }
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "scimType": "invalidValue",
        });
        let is_away = seen.method == "GET" && deleted.contains(&seen.path);
        is_away.then(|| page(400, &error.to_string(), &[("content-type", "application/scim+json")]))
    })
    .await;
    let judged = broken.run("probe", &[]).await;
    assert_eq!(judged.case("probe/delete").verdict, Verdict::Skipped);
    assert!(judged.out.contains("what became of it cannot be read: GET is answered 400"), "{}", judged.out);
    assert!(judged.out.contains("Remove Action = Delete (unknown)"), "{}", judged.out);
}
