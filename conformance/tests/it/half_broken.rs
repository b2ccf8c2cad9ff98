//! Servers that are broken in one way wherever they can be, judged by the report that the program writes of them.

#[path = "half_broken/causes.rs"]
mod causes;
#[path = "half_broken/cleaning.rs"]
mod cleaning;
#[path = "half_broken/discovery.rs"]
mod discovery;
#[path = "half_broken/filters.rs"]
mod filters;
#[path = "half_broken/front.rs"]
mod front;
#[path = "half_broken/naming.rs"]
mod naming;
#[path = "half_broken/probed.rs"]
mod probed;
#[path = "half_broken/shapes.rs"]
mod shapes;
#[path = "half_broken/unreadable.rs"]
mod unreadable;
#[path = "half_broken/unsteady.rs"]
mod unsteady;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::{Arc, Mutex};

use conformance::report::Verdict;
use conformance::subject::server::client::Answer;
use serde_json::{Value, json};

use front::{Broken, Seen, TOKEN, is_first, page};

/// The number of the first resource: so long that it is in no id of the mock by chance.
const FIRST_NUMBER: usize = 1_000_000;

/// Every `id`, and what members and groups refer to, as numbers.
fn number_ids(value: &mut Value, numbers: &Mutex<Vec<String>>) {
    let number = |id: &mut Value| {
        if let Some(text) = id.as_str() {
            let mut known = numbers.lock().expect("a lock");
            let at = known.iter().position(|known| known == text).unwrap_or_else(|| {
                known.push(text.to_owned());
                known.len() - 1
            });
            *id = json!(FIRST_NUMBER + at);
        }
    };
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| number_ids(element, numbers)),
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "id" => number(member),
                    "members" | "groups" => {
                        for reference in member.as_array_mut().into_iter().flatten() {
                            if let Some(id) = reference.get_mut("value") {
                                number(id);
                            }
                        }
                    }
                    _ => number_ids(member, numbers),
                }
            }
        }
        _ => {}
    }
}

/// A server of numeric ids: it knows them in paths, filters and bodies, as texts and as numbers.
async fn with_numeric_ids() -> Broken {
    let numbers = Arc::<Mutex<Vec<String>>>::default();
    let known = numbers.clone();
    let is_discovery = |path: &str| {
        ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"].iter().any(|known| path.starts_with(known))
    };
    let instead = move |seen: &mut Seen| {
        for (at, id) in known.lock().expect("a lock").iter().enumerate().rev() {
            let number = (FIRST_NUMBER + at).to_string();
            seen.path = seen.path.replace(&number, id);
            seen.query = seen.query.replace(&number, id);
            seen.text = seen.text.replace(&format!(":{number}"), &format!(":\"{id}\"")).replace(&number, id);
        }
        None
    };
    let change = move |seen: &Seen, answer: &mut Answer| {
        if answer.status < 300
            && !is_discovery(&seen.path)
            && let Some(json) = &mut answer.json
        {
            number_ids(json, &numbers);
        }
    };
    Broken::start("rfc", Box::new(instead), Box::new(change)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numeric_ids_are_the_first_finding_and_the_rest_is_judged() {
    let broken = with_numeric_ids().await;
    let judged = broken
        .judged(&["--select", "section=3.1 | section=3.3 | section=3.4.1 | section=3.5.1 | section=3.6"])
        .await;
    assert!(judged.report().cases.len() > 60, "{}", judged.report().cases.len());
    let id = judged.case("rfc7643/3.1/id-is-a-text");
    assert_eq!(id.verdict, Verdict::Fail);
    assert!(judged.first().contains("rfc7643/3.1/id-is-a-text"), "{}", judged.out);
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
    let failed = judged.with(Verdict::Fail);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(judged.report().facts["overlooked"].contains("ids are numbers"), "{:?}", judged.report().facts);
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creations_answered_200_are_one_finding_for_users_and_one_for_groups() {
    let broken = Broken::changed(|seen, answer| {
        if seen.method == "POST" && answer.status == 201 {
            answer.status = 200;
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.3 | section=3.6 | document=pingone"]).await;
    let failed = judged.with(Verdict::Fail);
    let ids: Vec<_> = failed.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(ids, ["rfc7644/3.3/answers-201", "rfc7644/3.3/group-answers-201"], "{failed:#?}");
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_meta_the_cases_about_meta_fail_and_no_others() {
    fn strip(value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            Value::Object(members) => {
                members.remove("meta");
                members.values_mut().for_each(strip);
            }
            _ => {}
        }
    }
    let broken = Broken::changed(|seen, answer| {
        if !seen.path.starts_with("/Schemas")
            && let Some(json) = &mut answer.json
        {
            strip(json);
        }
    })
    .await;
    let judged =
        broken.judged(&["--select", "section=3.3 | section=3.5.1 | section=3.6 | section=3.1"]).await;
    for failed in judged.with(Verdict::Fail) {
        assert!(failed.contains("/meta") || failed.contains("meta."), "{failed}");
    }
    assert!(judged.report().summary.pass > 60, "{:?}", judged.report().summary);
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn lists_without_resources_are_one_finding_and_what_needs_them_is_skipped() {
    let broken = Broken::changed(|_, answer| {
        if let Some(list) = answer.json.as_mut().and_then(Value::as_object_mut)
            && list.contains_key("totalResults")
        {
            list.remove("Resources");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.4.2 | section=3.3 | document=pingone"]).await;
    let without = judged.case("rfc7644/3.4.2/without-a-filter");
    assert_eq!(without.verdict, Verdict::Fail);
    assert!(
        without.because.as_deref().is_some_and(|because| because.contains("no Resources")),
        "{without:?}"
    );
    for skipped in judged.with(Verdict::Skipped) {
        assert!(skipped.contains("lists have no Resources"), "{skipped}");
    }
    let failed = judged.with(Verdict::Fail);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    // Nobody can be found by name here, and nobody stays all the same.
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bare_arrays_are_taken_for_lists() {
    let broken = Broken::changed(|seen, answer| {
        if seen.method == "GET" && matches!(seen.path.as_str(), "/Users" | "/Groups") && answer.status == 200
        {
            let resources = answer.json.as_ref().and_then(|list| list.get("Resources")).cloned();
            answer.json = Some(resources.unwrap_or_else(|| json!([])));
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.4.2 | document=pingone"]).await;
    assert_eq!(judged.case("rfc7644/3.4.2/without-a-filter").verdict, Verdict::Fail);
    assert_eq!(judged.case("rfc7644/3.4.2/resources-are-whole").verdict, Verdict::Pass);
    assert!(judged.report().facts["overlooked"].contains("bare arrays"), "{:?}", judged.report().facts);
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn unusable_server_gets_one_sentence_and_no_case() {
    type Instead = fn(&mut Seen) -> Option<Answer>;
    let cases: [(Instead, &str, &str); 7] = [
        (
            |_| Some(page(200, "<!doctype html><title>Sign in</title>", &[("content-type", "text/html")])),
            "answers 200 with a web page, which is no SCIM list",
            "check the URL",
        ),
        (
            |_| Some(page(302, "", &[("location", "https://login.example.com/?state=secret")])),
            "redirects to https://login.example.com/ (302)",
            "redirects are not followed",
        ),
        (
            |_| Some(page(403, "{}", &[])),
            "the credentials may not read",
            "give the account behind them the right",
        ),
        (
            |_| Some(page(401, "", &[("www-authenticate", "Basic realm=\"x\"")])),
            "asks for Basic and was sent Bearer (401)",
            "--basic USER:PASSWORD",
        ),
        (
            |_| Some(page(503, "busy", &[("retry-after", "0")])),
            "keeps answering 503",
            "the fault is at the server",
        ),
        (
            |_| Some(page(404, "no", &[])),
            "there is nothing at",
            "it is the base URL, which ends before `/Users`",
        ),
        (
            |_| Some(page(200, r#"{"hello": "world"}"#, &[("content-type", "application/json")])),
            "answers 200 with other JSON",
            "check the URL",
        ),
    ];
    for (instead, message, next) in cases {
        for command in ["server", "probe"] {
            let broken = Broken::answering(instead).await;
            let judged = broken.run(command, &["--min-rate", "1000"]).await;
            judged.assert_unusable(message, next);
            let seen = broken.seen.lock().expect("a lock").clone();
            assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn closed_port_is_reported_as_refused() {
    let run = |url: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args(["server", url, "--bearer", TOKEN])
            .output()
            .expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, error) = run("http://127.0.0.1:1/scim");
    assert_eq!(code, Some(3));
    assert!(error.contains("connection test failed: failed to reach http://127.0.0.1:1/scim"), "{error}");
    assert!(error.contains("the connection was refused; nothing listens at that host and port"), "{error}");
    let (code, error) = run("http://no-such-host.invalid/scim");
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("check the host name"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn occasional_429_is_retried_and_never_a_verdict() {
    let broken =
        Broken::answering(|seen| (seen.number % 3 == 0).then(|| page(429, "", &[("retry-after", "1")])))
            .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.6/is-gone"]).await;
    assert_eq!(judged.code, Some(0), "{}{}", judged.out, judged.error);
    assert_eq!(judged.report().summary.pass, 1);
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_ends_up_away_breaks_the_cases_off_and_the_rest_is_not_tried() {
    for (status, told) in [(429, "--rate"), (503, "the server is away")] {
        let broken = Broken::answering(move |seen| {
            (seen.method != "GET").then(|| page(status, "", &[("retry-after", "0")]))
        })
        .await;
        let select = ["--select", "section=3.3 | section=3.6", "--jobs", "2"];
        let hasty = ["--retries", "1", "--min-rate", "1000"];
        let judged = broken.judged(&[&select[..], &hasty].concat()).await;
        assert_eq!(judged.code, Some(3), "{}", judged.out);
        assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
        let errors = judged.with(Verdict::Error);
        assert!((12..20).contains(&errors.len()), "{errors:#?}");
        assert!(errors.iter().all(|error| error.contains(told)), "{errors:#?}");
        for skipped in judged.with(Verdict::Skipped) {
            assert!(skipped.contains("not tried"), "{skipped}");
        }
    }
}

/// A crash on one odd request is a finding; the same status for everything is none.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_500_is_a_verdict_only_where_it_comes_again_and_others_are_answered() {
    let crashes = |seen: &mut Seen| seen.method == "POST" && seen.body == Value::Null;
    let broken = Broken::answering(move |seen| crashes(seen).then(|| page(500, "Traceback …", &[]))).await;
    let id = "rfc7644/3.12/broken-json";
    let ids = ["--select", "section=3.12"];
    let judged = broken.judged(&ids).await;
    let failed = judged.with(Verdict::Fail);
    assert!(failed.iter().any(|line| line.contains("the answer is 500")), "{id}: {failed:#?}");
    // Once for each resource: the second time it is answered as it should be, whatever other cases ask meanwhile.
    let asked = Mutex::default();
    let broken = Broken::answering(move |seen| {
        let first = seen.method == "GET"
            && seen.path.len() > "/Users/".len()
            && seen.path.starts_with("/Users/")
            && is_first(&asked, &seen.path);
        first.then(|| page(500, "", &[]))
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.4.1"]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert!(judged.report().summary.pass > 3, "{:?}", judged.report().summary);
    // Everything, once the run has begun.
    let broken = Broken::answering(|seen| (seen.number > 5).then(|| page(500, "", &[]))).await;
    let judged = broken.judged(&["--select", "section=3.4.1 | section=3.6"]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(judged.code, Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_wrong_endpoint_is_one_finding_and_the_usual_one_is_used() {
    let broken = Broken::changed(|seen, answer| {
        if seen.path.starts_with("/ResourceTypes")
            && let Some(json) = &mut answer.json
        {
            let text = json.to_string().replace("\"endpoint\":\"/Users\"", "\"endpoint\":\"/People\"");
            *json = serde_json::from_str(&text).expect("JSON");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=6 | section=3.3 | section=3.6"]).await;
    let failed = judged.with(Verdict::Fail);
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(
        failed[0].starts_with("rfc7643/6/endpoints-answer: GET /People: the answer is 404"),
        "{failed:#?}"
    );
    assert!(judged.report().facts["wrong endpoints"].contains("/ResourceTypes says /People"));
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    assert_eq!(broken.left(), BTreeMap::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn user_names_are_shaped_like_addresses_wherever_a_case_makes_one_up() {
    let broken = Broken::answering(|seen| {
        fn names<'a>(body: &'a Value, found: &mut Vec<&'a str>) {
            match body {
                Value::Object(members) => {
                    for (name, member) in members {
                        if name.eq_ignore_ascii_case("userName") {
                            found.extend(member.as_str().filter(|name| !name.is_empty()));
                        }
                        names(member, found);
                    }
                }
                Value::Array(elements) => elements.iter().for_each(|element| names(element, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        names(&seen.body, &mut found);
        let odd =
            found.iter().find(|name| !name.ends_with("@example.com") && !name.ends_with("@corp.example"))?;
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400",
            "scimType": "invalidValue", "detail": format!("{odd} is no e-mail address"),
        });
        Some(Answer { status: 400, json: Some(error), ..Answer::default() })
    })
    .await;
    let select = [
        "--select",
        "section=3.3 | section=3.5.1 | section=3.7 | section=3.2 | section=2.3 | document=pingone | section=3.4.2.2",
    ];
    let judged = broken.judged(&select).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    std::fs::write(&file, r#"{"userName": "{{unique}}@corp.example"}"#).expect("a file");
    let template = file.display().to_string();
    let judged = broken.judged(&[&select[..], &["--template", &template]].concat()).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    assert_eq!(broken.left(), BTreeMap::new());
}

/// A server that requires more of a user than its schema says, all of which the template has.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn required_attributes_of_the_template_are_no_failure() {
    let broken = Broken::answering(|seen| {
        let writes = ["POST", "PUT"].contains(&seen.method.as_str())
            && seen.path.starts_with("/Users")
            && !seen.path.contains(".search")
            && seen.body.is_object();
        let lacks = |name: &&str| {
            let value = seen.body.get(*name);
            value.is_none_or(|value| value.is_null() || *value == json!([]))
        };
        let refuses = writes && ["displayName", "userType", "emails"].iter().any(lacks);
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "scimType": "invalidValue",
            "detail": "displayName, userType and emails are required",
        });
        refuses.then(|| page(400, &error.to_string(), &[("content-type", "application/scim+json")]))
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user.json");
    let emails = json!([{ "value": "{{unique}}@corp.example", "type": "work" }]);
    let user = json!({
        "userName": "{{unique}}", "displayName": "D", "userType": "staff", "emails": emails,
    });
    std::fs::write(&file, user.to_string()).expect("a file");
    let template = file.display().to_string();
    let select = "document=rfc7643 | section=3.3 | section=3.5.1 | section=3.5.2.1 | section=3.5.2.3 | section=3.7 | section=3.4.2.2";
    let judged = broken.judged(&["--select", select, "--template", &template]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    let skipped = judged.with(Verdict::Skipped);
    assert!(
        skipped.iter().any(|line| line.starts_with("rfc7644/3.5.2.1/sets-an-absent-list")),
        "{skipped:#?}"
    );
    for line in skipped {
        assert!(
            line.contains("it is without `emails`, which the template has and the server seems to require"),
            "{line}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn refusal_of_the_smallest_user_hints_at_a_template() {
    let broken = Broken::answering(|seen| {
        let lacks = seen.method == "POST" && seen.path == "/Users" && seen.body.get("title").is_none();
        let error = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400", "detail": "title is required",
        });
        lacks.then(|| Answer { status: 400, json: Some(error), ..Answer::default() })
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.6"]).await;
    assert!(
        judged.error.contains("hint: creating the smallest user is answered 400, saying: title is required; if it asks for more attributes"),
        "{}",
        judged.error
    );
    assert!(judged.error.contains("--template FILE.json"), "{}", judged.error);
}

/// Accounts that the server keeps under a new id, that it tells nobody, or that a DELETE does not remove.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn resources_that_stay_are_reported() {
    // The answer to a creation is an error, though it took effect; its id is nowhere to be seen.
    let broken = Broken::changed(|seen, answer| {
        if seen.method == "POST" && seen.path == "/Users" && answer.status == 201 {
            answer.status = 400;
            answer.json = Some(json!({ "detail": "no" }));
            answer.headers.clear();
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.6"]).await;
    assert!(judged.error.contains("which create and delete about"), "{}", judged.error);
    assert_eq!(broken.left(), BTreeMap::new(), "found by their names");
    // A 204 that does nothing.
    let broken = Broken::answering(|seen| (seen.method == "DELETE").then(|| page(204, "", &[]))).await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.6/is-gone"]).await;
    let left = broken.left();
    assert_eq!(left.get("Users").or_else(|| left.values().next()), Some(&1), "{left:?}");
    assert!(judged.error.contains("1 resource stayed at the server"), "{}", judged.error);
    let command = format!("conformance clean {}", broken.url);
    assert!(judged.error.contains(&command), "{}", judged.error);
    // The command, against the mock itself, where DELETE works.
    let clean = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .args(["clean", &broken.mock.scim_url(), "--bearer", TOKEN])
            .args(more)
            .output()
            .expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (code, out) = clean(&["--dry-run"]);
    assert_eq!(code, Some(0));
    assert!(out.contains("found User conformance-") && out.contains("nothing was deleted"), "{out}");
    assert_eq!(broken.left(), left);
    let (code, out) = clean(&[]);
    assert_eq!((code, out.lines().last()), (Some(0), Some("deleted 1 of 1 found")), "{out}");
    assert_eq!(broken.left(), BTreeMap::new());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn interrupted_run_cleans_up() {
    for signal in ["-TERM", "-HUP", "-INT"] {
        let broken = Broken::unhurried().await;
        let (code, error) = broken.interrupted("server", &[], &[signal]).await;
        assert_eq!(code, Some(3), "{signal}");
        assert_eq!(broken.left(), BTreeMap::new(), "{signal}");
        let cases = error.lines().find(|line| line.ends_with("so nothing is said of these"));
        assert!(
            cases
                .is_some_and(|line| line.starts_with("interrupted: ")
                    && line.contains("cases were not tried to the end")),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_are_small_whatever_the_server_sends() {
    let broken = Broken::changed(|seen, answer| {
        if seen.path.starts_with("/Users")
            && let Some(json) = answer.json.as_mut().and_then(Value::as_object_mut)
        {
            json.insert("padding".to_owned(), json!(vec![json!({ "value": "x".repeat(500) }); 400]));
        }
    })
    .await;
    // Each rule at one place is enough.
    let select = ["--select", "(section=3.6 | section=3.3) & !id=rfc7644/*/*/*"];
    let judged = broken.judged(&select).await;
    let passed = judged.report().cases.iter().filter(|case| case.verdict == Verdict::Pass);
    assert!(passed.clone().count() > 20);
    assert!(passed.clone().all(|case| case.exchanges.is_empty()));
    assert!(
        judged.bytes < 300_000,
        "{} {:#?} {:#?}",
        judged.bytes,
        judged.with(Verdict::Warn),
        judged.with(Verdict::Skipped)
    );
    let kept = broken.judged(&[&select[..], &["--keep-exchanges"]].concat()).await;
    let passed = kept.report().cases.iter().filter(|case| case.verdict == Verdict::Pass);
    assert!(passed.clone().any(|case| !case.exchanges.is_empty()));
    // 200 kB an answer, of which a sixteenth part is kept.
    let largest = kept.report().cases.iter().flat_map(|case| &case.exchanges);
    let largest = largest.map(|exchange| json!(exchange).to_string().len()).max();
    assert!(largest.is_some_and(|largest| largest < 40_000), "{largest:?}");
}
