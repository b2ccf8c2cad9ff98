//! Deviating servers on real sockets: the mock behind a proxy that changes its answers, judged by the findings.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use conformance::case::{Case, load};
use conformance::report::{CaseResult, Report, Verdict, entries, root_causes};
use conformance::requirement::Shared;
use conformance::server::discovery::{Blank, Facts};
use conformance::server::{self, Options};
use conformance::subject::server::client::{Client, Credentials, Manners};
use mock_aquera::{Auth, MockAquera, Profile};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A request: the method, the path below the base URL with its query, the body.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: String,
    body: &'a Value,
}

/// An answer.
struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

/// A deviation of a server.
#[derive(Clone, Copy)]
struct Odd {
    /// Refuses a request, with this status, in a SCIM error.
    refuses: fn(&Asked<'_>) -> Option<(u16, &'static str)>,
    /// Changes an answer.
    tells: fn(&Asked<'_>, &mut Told),
}

const PLAIN: Odd = Odd { refuses: |_| None, tells: |_, _| {} };

struct Front {
    odd: Odd,
    upstream: String,
    own: String,
    http: reqwest::Client,
}

async fn serve(State(front): State<Arc<Front>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 24).await.expect("a body");
    let text = String::from_utf8_lossy(&bytes).replace(&front.own, &front.upstream);
    let path = parts.uri.path().trim_start_matches("/scim").to_owned();
    let query = parts.uri.query().unwrap_or_default();
    let json: Value = serde_json::from_str(&text).unwrap_or_default();
    let decoded = percent_encoding::percent_decode_str(query).decode_utf8_lossy().into_owned();
    let asked = Asked { method: &parts.method, path: &path, query: decoded, body: &json };
    let mut told = if let Some((status, why)) = (front.odd.refuses)(&asked) {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string(), "scimType": "invalidValue", "detail": why });
        Told { status, headers: HeaderMap::new(), body }
    } else {
        let url = format!("{}{path}{}{query}", front.upstream, if query.is_empty() { "" } else { "?" });
        let mut headers = parts.headers.clone();
        for name in ["host", "content-length", "connection"] {
            headers.remove(name);
        }
        let sent = front.http.request(parts.method.clone(), url).headers(headers).body(text.clone());
        let came = sent.send().await.expect("the mock answers");
        let (status, headers) = (came.status().as_u16(), came.headers().clone());
        let text = came.text().await.expect("a text").replace(&front.upstream, &front.own);
        Told { status, headers, body: serde_json::from_str(&text).unwrap_or_default() }
    };
    if let Some(location) = told.headers.get("location").and_then(|value| value.to_str().ok()) {
        let location = location.replace(&front.upstream, &front.own);
        told.headers.insert("location", HeaderValue::from_str(&location).expect("a value"));
    }
    (front.odd.tells)(&asked, &mut told);
    let body = if told.body.is_null() { String::new() } else { told.body.to_string() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(told.status).expect("a status");
    for (name, value) in &told.headers {
        if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    if !response.headers().contains_key("content-type") {
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/scim+json"));
    }
    response
}

/// The suite against an odd server.
async fn judged(odd: Odd, blank: Blank, profile: Profile, select: &str) -> Report {
    let mut cases = load::built_in().expect("good cases");
    cases.retain(|case| case.id.starts_with(select));
    judged_by(odd, blank, profile, &cases).await
}

/// Returns the cases, each rule that holds at several places at the first of them.
fn rules_at_one_place() -> Vec<Case> {
    let mut cases = load::built_in().expect("good cases");
    let mut seen = BTreeSet::new();
    cases.retain(|case| seen.insert(case.id.split('/').take(3).collect::<Vec<_>>().join("/")));
    cases
}

/// Some cases against an odd server.
async fn judged_by(odd: Odd, blank: Blank, profile: Profile, cases: &[Case]) -> Report {
    let mock = MockAquera::builder()
        .auth(Auth::bearer("a-long-token"))
        .profile(profile)
        .start()
        .await
        .expect("a mock");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
    let own = format!("http://{}/scim", listener.local_addr().expect("an address"));
    // Another test may have been first.
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    let front = Arc::new(Front { odd, upstream: mock.scim_url(), own: own.clone(), http });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(serve).with_state(front)).await });
    let client = Client::new(&own, Credentials::Bearer("a-long-token".to_owned()), Manners::default())
        .expect("a client");
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    let options = Options { jobs: 8, seed: 11, keep: true, keep_exchanges: true, blank, stop };
    let report = server::run(client, facts, cases, options, |_| {}).await;
    mock.stop().await;
    report
}

/// The suite against an odd server, each rule at one place.
async fn against(odd: Odd) -> Report {
    let rfc = Profile::builtin("rfc").expect("a profile");
    judged_by(odd, Blank::default(), rfc, &rules_at_one_place()).await
}

fn wrong(report: &Report) -> Vec<&CaseResult> {
    let is_wrong = |case: &&CaseResult| {
        matches!(case.verdict, Verdict::Fail | Verdict::Warn | Verdict::Error | Verdict::Skipped)
    };
    report.cases.iter().filter(is_wrong).collect()
}

fn lines(cases: &[&CaseResult]) -> Vec<String> {
    cases.iter().map(|case| format!("{} {} {:?}", case.verdict.as_str(), case.id, case.because)).collect()
}

/// All that is wrong has one cause, which is one finding with an example.
#[track_caller]
fn check_one_cause(report: &Report, shared: Shared, least: usize) {
    let wrong = wrong(report);
    assert!(wrong.iter().all(|case| case.cause == Some(shared)), "{:#?}", lines(&wrong));
    assert!(wrong.len() >= least, "{:#?}", lines(&wrong));
    let found = root_causes::of(report);
    let [cause] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&cause.kind, cause.cases.len()), (&root_causes::Kind::Shared(shared, None), wrong.len()));
    assert!(cause.example().is_some_and(|example| !example.is_empty()), "{cause:?}");
}

#[track_caller]
fn check_clean(report: &Report) {
    assert_eq!(lines(&wrong(report)), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_for_status_is_one_finding() {
    let report = against(Odd {
        tells: |_, told| {
            if told.status >= 400 && told.body.is_object() {
                told.body["status"] = json!(told.status);
            }
        },
        ..PLAIN
    })
    .await;
    check_one_cause(&report, Shared::ErrorStatus, 3);
    for case in wrong(&report) {
        let because = case.because.as_deref().unwrap_or_default();
        assert!(because.contains("`status` in the error is the number"), "{}: {because}", case.id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_bodies_of_another_shape_are_one_finding() {
    let report = against(Odd {
        tells: |_, told| {
            if told.status >= 400 {
                // As SCIM 1.1 has it.
                told.body = json!({ "Errors": [{ "description": "no", "code": told.status.to_string() }] });
            }
        },
        ..PLAIN
    })
    .await;
    let wrong = wrong(&report);
    // What such a body cannot have, as `detail`, belongs to the same finding.
    assert!(wrong.iter().all(|case| case.cause == Some(Shared::ErrorBody)), "{:#?}", lines(&wrong));
    assert!(wrong.len() >= 4, "{:#?}", lines(&wrong));
    let conflict =
        report.cases.iter().find(|case| case.id == "rfc7644/3.3/refuses-a-second-one").expect("it");
    assert_eq!(conflict.verdict, Verdict::Pass, "the status is judged apart from the body");
}

/// Removes a part of each `meta`, or all of it.
fn each_meta(value: &mut Value, part: Option<&str>) {
    match value {
        Value::Object(members) => {
            match (part, members.get_mut("meta").and_then(Value::as_object_mut)) {
                (Some(part), Some(meta)) => drop(meta.remove(part)),
                _ => drop(members.remove("meta")),
            }
            members.values_mut().for_each(|member| each_meta(member, part));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| each_meta(element, part)),
        _ => {}
    }
}

/// Asserts that the failures are one finding, of this cause or of one case alone.
#[track_caller]
fn check_one_finding(report: &Report, shared: Shared) {
    let failed: Vec<_> = wrong(report).into_iter().filter(|case| case.verdict != Verdict::Skipped).collect();
    assert!(failed.iter().all(|case| case.cause == Some(shared)), "{:#?}", lines(&failed));
    assert_eq!(entries::in_order(report).len(), 1, "{:#?}", lines(&failed));
    let skipped: Vec<_> = wrong(report).into_iter().filter(|case| case.verdict == Verdict::Skipped).collect();
    let told =
        |case: &&CaseResult| case.because.as_deref().is_some_and(|because| because.contains("said meta."));
    assert!(skipped.iter().all(told), "{:#?}", lines(&skipped));
    assert!(report.summary.pass > 500, "{:?}", report.summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_location_that_is_nowhere_is_one_finding() {
    let report = against(Odd {
        tells: |asked, told| {
            told.headers.remove("location");
            if !asked.path.starts_with("/Bulk") {
                each_meta(&mut told.body, Some("location"));
            }
        },
        ..PLAIN
    })
    .await;
    check_one_cause(&report, Shared::Location, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_sends_location_gets_one_finding() {
    let odd = Odd { tells: |_, told| drop(told.headers.remove("location")), ..PLAIN };
    check_one_finding(&against(odd).await, Shared::Location);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_without_meta_are_one_finding() {
    let odd = Odd { tells: |_, told| each_meta(&mut told.body, None), ..PLAIN };
    check_one_finding(&against(odd).await, Shared::Meta);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meta_without_location_is_one_finding() {
    let odd = Odd { tells: |_, told| each_meta(&mut told.body, Some("location")), ..PLAIN };
    check_one_finding(&against(odd).await, Shared::Location);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meta_without_resource_type_is_one_finding() {
    let odd = Odd { tells: |_, told| each_meta(&mut told.body, Some("resourceType")), ..PLAIN };
    check_one_finding(&against(odd).await, Shared::ResourceType);
}

/// The sub-attribute that a schema lacks is neither sent nor asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_without_the_type_of_emails_is_no_failure() {
    fn emails_with_type(body: &Value) -> bool {
        let emails = body.get("emails").and_then(Value::as_array);
        emails.is_some_and(|emails| emails.iter().any(|email| email.get("type").is_some()))
    }
    let report = against(Odd {
        refuses: |asked| emails_with_type(asked.body).then_some((400, "emails have no type here")),
        tells: |asked, told| {
            if asked.path.starts_with("/Schemas") {
                each_attribute(&mut told.body, "emails", &mut |emails| {
                    if let Some(parts) = emails["subAttributes"].as_array_mut() {
                        parts.retain(|part| part["name"] != "type");
                    }
                });
            }
        },
    })
    .await;
    check_clean(&report);
    let kept = report.cases.iter().find(|case| case.id == "rfc7644/3.3/keeps-what-was-sent").expect("it");
    assert_eq!(kept.verdict, Verdict::Pass);
}

/// Calls `change` for each definition of an attribute in schemas.
fn each_attribute(schemas: &mut Value, name: &str, change: &mut dyn FnMut(&mut Value)) {
    match schemas {
        Value::Object(members) => {
            if let Some(attributes) = members.get_mut("attributes").and_then(Value::as_array_mut) {
                attributes.iter_mut().filter(|attribute| attribute["name"] == name).for_each(&mut *change);
            }
            if let Some(resources) = members.get_mut("Resources") {
                each_attribute(resources, name, change);
            }
        }
        Value::Array(elements) => {
            for element in elements.iter_mut() {
                each_attribute(element, name, change);
            }
        }
        _ => {}
    }
}

/// Bodies that a case writes whole have what the schema demands: a PUT with null, one of an unknown id, refused writes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_requires_a_formatted_name_is_no_failure() {
    fn is_user(body: &Value) -> bool {
        body.get("userName").is_some() && body.get("Operations").is_none()
    }
    let report = against(Odd {
        refuses: |asked| {
            let writes = asked.method == Method::POST && asked.path == "/Users"
                || asked.method == Method::PUT && asked.path.starts_with("/Users/");
            let lacks = |body: &Value| body.pointer("/name/formatted").and_then(Value::as_str).is_none();
            let bulk = asked.path == "/Bulk"
                && asked.body["Operations"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| is_user(&one["data"]) && lacks(&one["data"])));
            (writes && is_user(asked.body) && lacks(asked.body) || bulk)
                .then_some((422, "name.formatted is required"))
        },
        tells: |asked, told| {
            if asked.path.starts_with("/Schemas") {
                each_attribute(&mut told.body, "name", &mut |name| {
                    name["required"] = json!(true);
                    for part in name["subAttributes"].as_array_mut().into_iter().flatten() {
                        if part["name"] == "formatted" {
                            part["required"] = json!(true);
                        }
                    }
                });
            }
        },
    })
    .await;
    // A user without a name cannot be, so who has none cannot be looked for.
    let wrong: Vec<_> = wrong(&report).into_iter().filter(|case| case.verdict != Verdict::Skipped).collect();
    assert_eq!(lines(&wrong), Vec::<String>::new());
}

/// A member needs the address of the user: it is the true one, and not made up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_that_requires_references_is_no_failure() {
    fn refers(members: &Value) -> bool {
        let all = members.as_array().cloned().unwrap_or_else(|| vec![members.clone()]);
        all.iter().all(|member| {
            let (id, reference) = (member["value"].as_str(), member["$ref"].as_str());
            id.is_some_and(|id| id.starts_with("bulkId:"))
                || id
                    .zip(reference)
                    .is_some_and(|(id, reference)| reference.ends_with(&format!("/Users/{id}")))
        })
    }
    let report = against(Odd {
        refuses: |asked| {
            let mut sent = vec![asked.body.get("members").cloned()];
            for operation in asked.body["Operations"].as_array().into_iter().flatten() {
                let adds = operation["op"].as_str().is_some_and(|op| !op.eq_ignore_ascii_case("remove"));
                sent.push(operation.get("value").filter(|_| adds && operation["path"] == "members").cloned());
                sent.push(operation.pointer("/value/members").cloned());
            }
            let bad = sent
                .iter()
                .flatten()
                .any(|members| !members.as_array().is_some_and(Vec::is_empty) && !refers(members));
            (asked.path.starts_with("/Groups") && bad).then_some((400, "a member needs its $ref"))
        },
        tells: |asked, told| {
            if asked.path.starts_with("/Schemas") {
                each_attribute(&mut told.body, "members", &mut |members| {
                    for part in members["subAttributes"].as_array_mut().into_iter().flatten() {
                        if part["name"] == "$ref" {
                            part["required"] = json!(true);
                        }
                    }
                });
            }
        },
    })
    .await;
    check_clean(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_template_that_fills_lists_is_no_failure() {
    let mut blank = Blank::default();
    blank.templates.insert(
        "user".to_owned(),
        json!({
            "nickName": "Tem", "title": "Template", "displayName": "Template",
            "name": { "givenName": "Tem", "familyName": "Plate" },
            "emails": [{ "value": "{{unique}}@template.example", "type": "work" }, { "value": "{{unique}}@home.example", "type": "home" }],
            "phoneNumbers": [{ "value": "+1-555-0199", "type": "work" }],
        }),
    );
    let profile = Profile::builtin("rfc").expect("a profile");
    check_clean(&judged(PLAIN, blank, profile, "").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relative_locations_are_no_failure() {
    fn relative(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if let Some(location) = members.get_mut("meta").and_then(|meta| meta.get_mut("location")) {
                    let text = location.as_str().unwrap_or_default();
                    *location = json!(text.split("/scim/").last());
                }
                members.values_mut().for_each(relative);
            }
            Value::Array(elements) => elements.iter_mut().for_each(relative),
            _ => {}
        }
    }
    let report = against(Odd {
        tells: |_, told| {
            relative(&mut told.body);
            let location = told.headers.get("location").and_then(|value| value.to_str().ok());
            if let Some(location) = location.and_then(|location| location.split("/scim/").last()) {
                told.headers.insert("location", HeaderValue::from_str(location).expect("a value"));
            }
        },
        ..PLAIN
    })
    .await;
    check_clean(&report);
}

/// A PUT that leaves `active` out may clear it (RFC 7644 §3.5.1): no case asks otherwise, and no case leaves it out by chance.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_that_clears_active_is_no_failure() {
    let report = against(Odd {
        tells: |asked, told| {
            let cleared = asked.method == Method::PUT
                && asked.path.starts_with("/Users/")
                && asked.body.get("active").is_none();
            if let Some(members) = told.body.as_object_mut().filter(|_| cleared && told.status == 200) {
                members.remove("active");
            }
        },
        ..PLAIN
    })
    .await;
    check_clean(&report);
}

/// Absent is not inactive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_active_is_not_taken_for_inactive() {
    let odd = Odd {
        tells: |asked, told| {
            if asked.method == Method::GET && told.body.get("active") == Some(&json!(false)) {
                told.body.as_object_mut().expect("a user").remove("active");
            }
        },
        ..PLAIN
    };
    let profile = Profile::builtin("rfc").expect("a profile");
    let report = judged(odd, Blank::default(), profile, "pingone/connection/a-user-is-disabled-by-p").await;
    let wrong = wrong(&report);
    assert_eq!(wrong.len(), 2, "{:#?}", lines(&wrong));
    for case in wrong {
        assert_eq!(case.because.as_deref(), Some("read the user: /active is missing, and should be false"));
    }
}

/// Another case of `eq`, or of the attribute's name, is no further feature if `eq` works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_and_names_in_one_case_only_are_found() {
    let odd = Odd {
        refuses: |asked| {
            let odd = asked.query.contains(" EQ ") || asked.query.contains("USERNAME ");
            odd.then_some((400, "no such operator, no such attribute"))
        },
        ..PLAIN
    };
    let profile = Profile::builtin("rfc").expect("a profile");
    let report = judged(odd, Blank::default(), profile, "rfc7644/3.4.2.2/").await;
    let failed: Vec<_> = wrong(&report).iter().map(|case| (case.verdict, case.id.as_str())).collect();
    assert_eq!(
        failed,
        [
            (Verdict::Fail, "rfc7644/3.4.2.2/attribute-names-without-case"),
            (Verdict::Fail, "rfc7644/3.4.2.2/operators-without-case"),
        ]
    );
}

/// A skipped case names only its own filter if all operators work, or none was asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_case_says_the_filter_that_was_refused_in_this_run() {
    let odd = Odd {
        refuses: |asked| {
            let of_emails = asked.query.contains("filter=") && asked.query.contains("emails");
            of_emails.then_some((400, "e-mails are not searched"))
        },
        ..PLAIN
    };
    for select in ["rfc7644/3.4.2.2/", "rfc7644/3.4.2.2/two-"] {
        let report = judged(odd, Blank::default(), Profile::builtin("rfc").expect("a profile"), select).await;
        let operators = report.cases.iter().find(|case| case.id.ends_with("/all-operators-are-taken"));
        assert!(operators.is_none_or(|case| case.verdict == Verdict::Pass), "{operators:?}");
        let skipped: Vec<_> = report.cases.iter().filter(|case| case.verdict == Verdict::Skipped).collect();
        assert!(!skipped.is_empty(), "{select}");
        for case in skipped {
            let because = case.because.as_deref().unwrap_or_default();
            assert!(
                because.contains("the server refuses the filter `") && because.contains("emails"),
                "{because}"
            );
            assert!(because.ends_with("(400, saying: e-mails are not searched)"), "{because}");
        }
    }
}

/// Reports have no words of a case file's own vocabulary, whatever is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_speak_of_no_placeholder_and_of_no_fixture() {
    let odd = Odd {
        refuses: |asked| (asked.method == Method::PUT).then_some((404, "no")),
        tells: |asked, told| {
            if asked.method == Method::GET && asked.query.contains("filter") {
                told.body["Resources"] = json!([{ "id": "another" }]);
                told.body["totalResults"] = json!(1);
            } else if asked.method == Method::PATCH && told.status < 300 {
                told.status = 500;
            }
        },
    };
    let rfc = Profile::builtin("rfc").expect("a profile");
    let report = judged_by(odd, Blank::default(), rfc, &rules_at_one_place()).await;
    assert!(report.summary.fail > 50, "{:?}", report.summary);
    let names = ["ada", "bob", "cid", "zoe", "boss", "chief", "crew", "band", "twin"];
    for case in wrong(&report) {
        let texts = [&case.because, &case.mend, &case.example];
        let steps = case.exchanges.iter().map(|exchange| &exchange.step);
        for text in texts.into_iter().flatten().chain(steps) {
            assert!(!text.contains("{{"), "{}: {text}", case.id);
            let words: Vec<_> = text
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '@' && c != '.')
                .collect();
            assert!(!names.iter().any(|name| words.contains(name)), "{}: {text}", case.id);
        }
        if case.verdict == Verdict::Fail {
            assert!(
                case.example.as_deref().is_some_and(|example| example.len() > 3),
                "{} has no example",
                case.id
            );
        }
    }
}
