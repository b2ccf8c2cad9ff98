//! Servers that are none of SCIM, and servers whose discovery is wrong.

use conformance::report::Verdict;
use conformance::subject::server::client::Answer;
use serde_json::{Value, json};

use super::front::{Broken, page};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn server_with_one_answer_for_everything_gets_one_sentence_and_no_case() {
    let json = &[("content-type", "application/scim+json")][..];
    let scim_error = |status: u16, detail: &str| {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "detail": detail,
        });
        page(status, &body.to_string(), json)
    };
    let scim_1 = r#"{"schemas":["urn:scim:schemas:core:1.0"],"totalResults":1,"Resources":[{"id":"1","userName":"x"}]}"#;
    let answers = [
        (
            scim_error(400, "the tenant is suspended"),
            "saying: the tenant is suspended",
            "mend that at the server",
        ),
        (scim_error(403, "the plan lacks SCIM"), "(403, saying: the plan lacks SCIM)", "the right to read"),
        (page(200, "[]", json), "which is no SCIM list", "check the URL"),
        (
            page(200, r#"{"totalResults":null,"Resources":null}"#, json),
            "which is no SCIM list",
            "check the URL",
        ),
        (page(200, scim_1, json), "SCIM 1.1", "the base URL of SCIM 2.0"),
        (
            page(200, "\u{feff}{\"totalResults\":0}", json),
            "the answer's JSON cannot be read: it begins with a byte order mark",
            "the fault is at the server",
        ),
        (
            page(200, r#"{"totalResults":1,"Resources":[{"userName":"\ud800"}]}"#, json),
            "the answer's JSON cannot be read",
            "the fault is at the server",
        ),
        (
            page(501, "<h1>no</h1>", &[("content-type", "text/html")]),
            "answers 501, not implemented",
            "check the URL",
        ),
        (
            page(400, "The plain HTTP request was sent to HTTPS port", &[("content-type", "text/html")]),
            "speaks TLS",
            "https://",
        ),
    ];
    for (answer, message, next) in answers {
        let broken = Broken::answering(move |_| Some(answer.clone())).await;
        broken.judged(&[]).await.assert_unusable(message, next);
    }
}

/// Servers that refuse a list without a filter are judged all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_lists_by_filter_alone_is_judged() {
    let broken = Broken::answering(|seen| {
        let discovery = !seen.path.starts_with("/Users") && !seen.path.starts_with("/Groups");
        let whole = seen.method == "GET" && seen.path == "/Users" && !seen.query.contains("filter");
        let error = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "400" });
        if discovery {
            Some(page(404, "", &[]))
        } else {
            whole.then(|| Answer { status: 400, json: Some(error), ..Answer::default() })
        }
    })
    .await;
    let judged = broken.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert_eq!(judged.report().summary.pass, 1, "{}{}", judged.out, judged.error);
}

/// Changes each resource type that /ResourceTypes lists, or leaves it out.
async fn with_types(change: fn(&mut Value) -> bool) -> Broken {
    Broken::changed(move |seen, answer| {
        let types = answer.json.as_mut().and_then(|json| json.get_mut("Resources")?.as_array_mut());
        if let Some(types) = types.filter(|_| seen.path == "/ResourceTypes") {
            types.retain_mut(change);
            let count = types.len();
            if let Some(json) = &mut answer.json {
                json["totalResults"] = json!(count);
                json["itemsPerPage"] = json!(count);
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn error_in_resource_types_is_one_finding_and_the_run_goes_on() {
    type Change = fn(&mut Value) -> bool;
    let changes: [(Change, &str); 4] = [
        (
            |known| {
                if known["name"] == "Group" {
                    known["endpoint"] = json!("/Teams");
                }
                true
            },
            "rfc7643/6/endpoint-of-groups-answers",
        ),
        (
            |known| {
                if known["name"] == "User" {
                    known["endpoint"] = json!("https://internal.example.com/scim/Users");
                }
                true
            },
            "rfc7643/6/endpoints-answer",
        ),
        (
            |known| {
                known["endpoint"] = json!("");
                true
            },
            "rfc7643/6/have-endpoints",
        ),
        (|known| known["name"] != "User", "rfc7643/6/users-are-among-them"),
    ];
    for (change, id) in changes {
        let broken = with_types(change).await;
        let judged = broken.judged(&["--select", "section=6 | section=3.3 | section=3.6"]).await;
        let failed = judged.with(Verdict::Fail);
        assert!(failed.len() == 1 && failed[0].starts_with(id), "{id}: {failed:#?}");
        assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new(), "{id}");
        assert!(judged.report().summary.pass > 25, "{id}: {:?}", judged.report().summary);
        assert_eq!(judged.code, Some(1), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn schemas_without_attributes_are_one_finding_and_say_as_little_as_none() {
    let broken = Broken::changed(|seen, answer| {
        fn strip(schema: &mut Value) {
            if let Some(members) = schema.as_object_mut() {
                members.remove("attributes");
            }
        }
        if seen.path.starts_with("/Schemas")
            && let Some(json) = &mut answer.json
        {
            match json.get_mut("Resources").and_then(Value::as_array_mut) {
                Some(schemas) => schemas.iter_mut().for_each(strip),
                None => strip(json),
            }
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=7 | section=3.3 | section=3.5.1"]).await;
    let failed = judged.with(Verdict::Fail);
    assert!(failed.len() == 1 && failed[0].starts_with("rfc7643/7/have-attributes"), "{failed:#?}");
    for skipped in judged.with(Verdict::Skipped) {
        assert!(skipped.contains("rfc7643/7/have-attributes says"), "{skipped}");
    }
    for unsaid in judged.with(Verdict::NotAdvertised) {
        assert!(!unsaid.contains("has no attribute"), "{unsaid}");
    }
}

/// Endpoints that are there, and are not those of the resource type.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_endpoint_of_something_else_is_one_finding_and_the_run_goes_on() {
    type Endpoint = fn(&str) -> Option<&'static str>;
    let endpoints: [(&str, Endpoint, &str); 7] = [
        ("User /Groups", |name| (name == "User").then_some("/Groups"), "endpoints-answer"),
        ("User /Schemas", |name| (name == "User").then_some("/Schemas"), "endpoints-answer"),
        ("User /Me", |name| (name == "User").then_some("/Me"), "endpoints-answer"),
        ("User /", |name| (name == "User").then_some("/"), "endpoints-answer"),
        ("Group /Users", |name| (name == "Group").then_some("/Users"), "endpoint-of-groups-answers"),
        ("swapped", |name| Some(if name == "User" { "/Groups" } else { "/Users" }), "endpoints-answer"),
        ("both wrong", |name| Some(if name == "User" { "/People" } else { "/Teams" }), "endpoints-answer"),
    ];
    for (what, endpoint, id) in endpoints {
        // With and without a user and a group that show what is at an endpoint.
        for filled in [false, true] {
            let broken = Broken::changed(move |seen, answer| {
                let types = answer.json.as_mut().and_then(|json| json.get_mut("Resources")?.as_array_mut());
                for known in types.filter(|_| seen.path == "/ResourceTypes").into_iter().flatten() {
                    if let Some(endpoint) = known["name"].as_str().and_then(endpoint) {
                        known["endpoint"] = json!(endpoint);
                    }
                }
            })
            .await;
            if filled {
                let urn = |name: &str| format!("urn:ietf:params:scim:schemas:core:2.0:{name}");
                broken.create("/Users", &json!({ "schemas": [urn("User")], "userName": "ada" })).await;
                broken.create("/Groups", &json!({ "schemas": [urn("Group")], "displayName": "crew" })).await;
            }
            let judged = broken.judged(&["--select", "section=6 | section=3.3 | section=3.6"]).await;
            let failed = judged.with(Verdict::Fail);
            assert!(
                failed.len() == 1 && failed[0].starts_with(&format!("rfc7643/6/{id}")),
                "{what} {filled}: {failed:#?}"
            );
            let skipped = judged.with(Verdict::Skipped);
            assert!(
                skipped.iter().all(|line| line.contains("as rfc7643/6/endpoints-answer says")),
                "{skipped:#?}"
            );
            assert!(skipped.len() <= 1, "{what} {filled}: {skipped:#?}");
            assert!(judged.report().summary.pass > 25, "{what}: {:?}", judged.report().summary);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_empty_list_where_nothing_else_is_of_scim_gets_one_sentence_and_no_case() {
    let list = || {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 0, "Resources": [],
        });
        page(200, &body.to_string(), &[("content-type", "application/scim+json")])
    };
    let next = "it is the base URL, which ends before `/Users`";
    let elsewhere = Broken::answering(move |seen| {
        let is_list = seen.method == "GET" && seen.path == "/Users";
        Some(if is_list { list() } else { page(404, "no", &[("content-type", "text/html")]) })
    })
    .await;
    elsewhere.judged(&[]).await.assert_unusable("a creation is answered 404", next);
    elsewhere.run("probe", &[]).await.assert_unusable("a creation is answered 404", next);
    let alike = Broken::answering(move |_| Some(list())).await;
    alike.judged(&[]).await.assert_unusable("a creation is answered 200 and makes nothing", next);
    // A server without discovery and without users is judged, and no trial stays there.
    let silent = Broken::answering(|seen| {
        let discovery = ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"];
        let hidden = discovery.iter().any(|path| seen.path.starts_with(path));
        hidden.then(|| page(404, "", &[]))
    })
    .await;
    let judged = silent.judged(&["--select", "id=rfc7644/3.3/answers-201"]).await;
    assert_eq!(judged.report().summary.pass, 1, "{}{}", judged.out, judged.error);
    assert!(silent.left().is_empty());
}
