//! One deviation wherever it can be: one finding with its reason, and everything else judged apart from it.

use std::collections::BTreeMap;

use conformance::report::entries::{self, Entry};
use conformance::report::{Report, Verdict};
use conformance::subject::server::client::Answer;
use serde_json::{Value, json};

use super::front::{Broken, Judged, Seen};

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const OPERATORS: &str = "rfc7644/3.4.2.2/all-operators-are-taken";

/// A server that answers one status in place of another.
async fn with_status(wanted: u16, instead: u16) -> Broken {
    Broken::changed(move |_, answer| {
        if answer.status == wanted {
            answer.status = instead;
            if let Some(body) = answer.json.as_mut().and_then(Value::as_object_mut) {
                body.insert("status".to_owned(), json!(instead.to_string()));
            }
        }
    })
    .await
}

/// Asserts that the failures are one finding, which says this, and that nothing else fails or warns.
#[track_caller]
pub(super) fn assert_one_finding(judged: &Judged, says: &str) {
    let report = judged.report();
    let found = findings(report);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains(says), "{found:#?}");
    assert!(judged.out.contains(says), "{}", judged.out);
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
    assert!(report.summary.pass > 3, "{:?}", report.summary);
}

/// The findings, as the reports tell them: causes, and cases with none. What broke off is not among them.
pub(super) fn findings(report: &Report) -> Vec<String> {
    let told = entries::in_order(report).into_iter().filter_map(|entry| match entry {
        Entry::Cause(cause) => Some(cause.because()),
        Entry::Case(case) => case
            .verdict
            .fails_or_warns()
            .then(|| format!("{}: {}", case.id, case.because.as_deref().unwrap_or_default())),
    });
    told.collect()
}

/// Credentials that may only read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_that_are_all_forbidden_are_one_finding_about_rights() {
    let broken = Broken::answering(|seen| {
        let error = json!({ "schemas": [ERROR], "status": "403", "detail": "read only token" });
        (seen.method != "GET").then(|| Answer { status: 403, json: Some(error), ..Answer::default() })
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.3 | section=3.12 | section=3.4.1 | section=4"]).await;
    let found = findings(judged.report());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("is answered 403, saying: read only token"), "{found:#?}");
    assert!(judged.out.contains("Give the account behind the credentials the right"), "{}", judged.out);
    let skipped = judged.with(Verdict::Skipped);
    let hidden = skipped.iter().filter(|case| case.contains("the credentials may not write"));
    assert!(hidden.count() > 5, "{skipped:#?}");
    assert_eq!(judged.with(Verdict::Error), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_status_in_place_of_another_is_one_finding() {
    for (wanted, instead, select, says) in [
        (
            404,
            400,
            "section=3.4.1 | (section=3.6 & !id=rfc7644/3.6/deletion-is-done-once) | section=3.12 | section=6 | section=3.2 \
             | document=pingone",
            "unknown resources are answered 400 instead of 404",
        ),
        (401, 403, "section=2", "missing and wrong credentials are answered 403 instead of 401"),
        (
            409,
            400,
            "section=3.3 | section=3.5.1 | section=6.9.1 | section=3.12",
            "the answer is 400, where 409 belongs",
        ),
    ] {
        let broken = with_status(wanted, instead).await;
        let judged = broken.judged(&["--select", select]).await;
        assert_one_finding(&judged, says);
        assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
        // The cases about what is gone, or refused, look at that.
        let still = judged.with(Verdict::Fail).into_iter().find(|line| line.contains("still"));
        assert_eq!(still, None);
        assert_eq!(broken.left(), BTreeMap::new());
    }
}

/// A status that only some requests get in place of another is no habit of the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_with_another_status_is_judged_by_its_own_case() {
    let broken = Broken::changed(|seen, answer| {
        let deleted = seen.path.starts_with("/Users/") && !seen.path.ends_with("-nobody");
        if seen.method == "GET" && answer.status == 404 && deleted {
            answer.status = 400;
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.6 | section=3.4.1"]).await;
    let failed = judged.with(Verdict::Fail);
    assert!(failed.iter().any(|line| line.starts_with("rfc7644/3.6/is-gone")), "{failed:#?}");
}

/// Removes an attribute, or a part of its values, wherever it is shown.
fn take_away(value: &mut Value, name: &str, part: Option<&str>) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| take_away(element, name, part)),
        Value::Object(members) => {
            match (members.get_mut(name), part) {
                (Some(_), None) => {
                    members.remove(name);
                }
                (Some(Value::Array(elements)), Some(part)) => {
                    for element in elements.iter_mut().filter_map(Value::as_object_mut) {
                        element.remove(part);
                    }
                }
                _ => {}
            }
            members.values_mut().for_each(|member| take_away(member, name, part));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(super) async fn without(name: &'static str, part: Option<&'static str>) -> Broken {
    let discovery = ["/Schemas", "/ResourceTypes", "/ServiceProviderConfig"];
    Broken::changed(move |seen, answer| {
        if !discovery.iter().any(|known| seen.path.starts_with(known))
            && let Some(json) = &mut answer.json
        {
            take_away(json, name, part);
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attribute_that_never_comes_back_is_one_finding() {
    let patches = "section=3.3 | section=3.5.1 | section=3.5.2 | section=3.5.2.1 | section=3.5.2.2 | section=3.5.2.3 | document=pingone";
    for (name, part, select) in [
        ("title", None, patches),
        ("emails", Some("type"), patches),
        ("members", None, &format!("{patches} | section=3.7")),
    ] {
        let broken = without(name, part).await;
        let judged = broken.judged(&["--select", select]).await;
        let path = part.map_or_else(|| name.to_owned(), |part| format!("{name}.{part}"));
        assert_one_finding(&judged, &format!("`{path}` is sent and never comes back"));
        let skipped = judged.with(Verdict::Skipped);
        assert!(skipped.len() > 5, "{skipped:#?}");
        for line in skipped {
            let why = format!("it could not be tried: `{path}` is sent and never comes back, as rfc7644/");
            let why = line.contains(&why) || line.contains(&why.replace("rfc7644/", "pingone/"));
            assert!(why, "{line}");
        }
        assert!(judged.out.contains("could not be tried without it"), "{}", judged.out);
        let case = judged.report().cases.iter().find(|case| case.verdict == Verdict::Fail).expect("it");
        assert_eq!(case.concerns.as_deref(), Some(path.as_str()));
        assert!(case.mend.as_deref().is_some_and(|mend| mend.starts_with("Store `")), "{:?}", case.mend);
        assert_eq!(broken.left(), BTreeMap::new());
    }
}

/// Whether an account may be used is asked by many cases, and none of them may say that it cannot be disabled.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn active_that_never_comes_back_is_one_finding() {
    let broken = without("active", None).await;
    let select = "section=2.2 | section=3.3 | section=3.5.1 | section=3.5.2 | section=3.5.2.1 | section=3.5.2.3 | section=3.2.2.3 | document=pingone";
    let judged = broken.judged(&["--select", select]).await;
    assert_one_finding(&judged, "`active` is sent and never comes back");
    let skipped = judged.with(Verdict::Skipped);
    assert!(skipped.len() > 8, "{skipped:#?}");
    for line in skipped {
        let why = "it could not be tried: `active` is sent and never comes back, as rfc76";
        assert!(line.contains(why), "{line}");
    }
    for failed in judged.report().cases.iter().filter(|case| case.verdict == Verdict::Fail) {
        assert_eq!(failed.concerns.as_deref(), Some("active"));
        assert!(failed.mend.as_deref().is_some_and(|mend| mend.starts_with("Show `active`")), "{failed:?}");
    }
    assert_eq!(broken.left(), BTreeMap::new());
}

/// A server that shows `active` of those who are active only keeps it: the cases about disabling judge that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn active_that_is_left_out_where_it_is_false_comes_back() {
    let broken = Broken::changed(|_, answer| {
        if let Some(user) = answer.json.as_mut().and_then(Value::as_object_mut)
            && user.get("active") == Some(&json!(false))
        {
            user.remove("active");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.5.2.3 & id=*disables*"]).await;
    let failed = judged.with(Verdict::Fail);
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|line| line.contains("/active is missing")), "{failed:#?}");
}

/// Sends an answer as another media type.
fn send_as(answer: &mut Answer, media_type: &str) {
    answer.headers.retain(|(name, _)| name != "content-type");
    answer.headers.push(("content-type".to_owned(), media_type.to_owned()));
}

/// Errors of another shape lack a `detail` and the media type as they lack the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn errors_of_another_shape_are_one_finding() {
    type Shape = fn(&mut Answer);
    let shapes: [Shape; 4] = [
        |answer| {
            answer.json = None;
            answer.text = "<!DOCTYPE html><title>Sorry</title>".to_owned();
            send_as(answer, "text/html");
        },
        |answer| {
            answer.json = Some(json!({ "error": "bad_request", "message": "something" }));
            send_as(answer, "application/json");
        },
        |answer| answer.json = Some(json!({ "error": "bad_request" })),
        |answer| {
            let mut nothing = Value::Null;
            let body = answer.json.as_mut().unwrap_or(&mut nothing);
            take_away(body, "status", None);
            take_away(body, "detail", None);
        },
    ];
    for shape in shapes {
        let broken = Broken::changed(move |_, answer| {
            if answer.status >= 400 {
                shape(answer);
            }
        })
        .await;
        let judged = broken.judged(&["--select", "section=3.12 | section=3.4.1 | section=2"]).await;
        assert_one_finding(&judged, "errors are not answered with a SCIM error as their body");
        assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
    }
}

/// Their media type alone, and `detail` alone, are findings of their own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn scim_errors_with_another_media_type_or_without_detail_are_recognized() {
    let broken = Broken::changed(|_, answer| {
        if answer.status >= 400 {
            send_as(answer, "text/plain");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.12"]).await;
    assert_one_finding(&judged, "answers are not sent as application/scim+json");
    let broken = Broken::changed(|_, answer| {
        if answer.status >= 400 {
            let mut nothing = Value::Null;
            take_away(answer.json.as_mut().unwrap_or(&mut nothing), "detail", None);
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.12"]).await;
    assert_one_finding(&judged, "/detail is missing");
}

/// An attribute that only one kind of write loses is that write's defect.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_attribute_that_one_method_loses_is_that_methods_finding() {
    let broken = Broken::answering(|seen| {
        if seen.method == "PATCH" {
            seen.text = seen.text.replace("\"title\"", "\"nobodyKnows\"");
        }
        None
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.5.2.3 | document=pingone"]).await;
    let failed = judged.with(Verdict::Fail);
    assert!(!failed.is_empty());
    assert!(failed.iter().all(|line| !line.contains("never comes back")), "{failed:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn members_missing_from_lists_are_one_finding() {
    let broken = Broken::changed(|_, answer| {
        if let Some(resources) = answer.json.as_mut().and_then(|list| list.get_mut("Resources")) {
            take_away(resources, "members", None);
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.7"]).await;
    assert_one_finding(&judged, "`members` is shown of a single resource, and not in lists");
}

/// The answer of a server to filters that it does not evaluate.
#[derive(Debug, Clone, Copy)]
enum Unsupported {
    Refused(u16),
    FindsNothing,
    Ignored,
}

fn uses_more_than_eq(filter: &str) -> bool {
    let outside: String = filter.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = ["ne", "co", "sw", "ew", "pr", "gt", "ge", "lt", "le", "and", "or", "not"];
    outside.contains('(') || outside.to_lowercase().split_whitespace().any(|word| words.contains(&word))
}

async fn filtering_by_eq_only(unsupported: Unsupported) -> Broken {
    Broken::answering(move |seen: &mut Seen| {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
        let in_query = query.iter().find(|(name, _)| name == "filter").map(|(_, filter)| filter.clone());
        let in_body = seen.body.get("filter").and_then(Value::as_str).map(ToOwned::to_owned);
        let filter = in_query.or_else(|| in_body.filter(|_| seen.path.ends_with("/.search")))?;
        if !uses_more_than_eq(&filter) {
            return None;
        }
        match unsupported {
            Unsupported::Refused(status) => {
                let body =
                    json!({ "schemas": [ERROR], "status": status.to_string(), "detail": "not implemented" });
                Some(Answer { status, json: Some(body), ..scim() })
            }
            Unsupported::FindsNothing => {
                let list = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                    "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": [] });
                Some(Answer { status: 200, json: Some(list), ..scim() })
            }
            Unsupported::Ignored => {
                let mut left = url::form_urlencoded::Serializer::new(String::new());
                left.extend_pairs(query.iter().filter(|(name, _)| name != "filter"));
                seen.query = left.finish();
                if let Some(body) = seen.body.as_object_mut() {
                    body.remove("filter");
                    seen.text = seen.body.to_string();
                }
                None
            }
        }
    })
    .await
}

fn scim() -> Answer {
    let header = ("content-type".to_owned(), "application/scim+json".to_owned());
    Answer { headers: vec![header], ..Answer::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_beyond_eq_that_do_not_work_are_one_finding() {
    for (unsupported, says) in [
        (Unsupported::Refused(403), "operators are refused: `ne`, `co`"),
        (Unsupported::Refused(501), "operators are refused: `ne`, `co`"),
        (
            Unsupported::FindsNothing,
            "operators are answered with other resources than they select: `ne`, `co`, `sw`, `ew`, `gt`",
        ),
        (Unsupported::Ignored, "operators are answered with other resources than they select: `ne`, `co`"),
    ] {
        let broken = filtering_by_eq_only(unsupported).await;
        let judged = broken.judged(&["--select", "section=3.4.2.2 | section=3.4.2"]).await;
        let found = findings(judged.report());
        // A bracket that is not closed is another one: the filter is not valid, and has none of the operators.
        let found: Vec<_> = found.iter().filter(|line| !line.contains("unclosed-bracket")).collect();
        assert_eq!(found.len(), 1, "{unsupported:?}: {found:#?}");
        assert!(found[0].contains(says) && found[0].contains("taken: `eq`"), "{unsupported:?}: {found:#?}");
        // What is refused is known to the client; another answer is taken for the truth.
        let verdict = match unsupported {
            Unsupported::Refused(_) => Verdict::Warn,
            Unsupported::FindsNothing | Unsupported::Ignored => Verdict::Fail,
        };
        let operators = judged.case(OPERATORS);
        assert_eq!(operators.verdict, verdict, "{unsupported:?}");
        let example = operators.example.as_deref().unwrap_or_default();
        assert!(example.contains("\"Resources\": [\n"), "{example}");
        assert!(operators.expected.as_array().is_some_and(|shown| shown.len() == 3), "{operators:?}");
        assert!(!judged.out.contains("{\"exactly\""), "{}", judged.out);
        for line in judged.with(Verdict::Skipped) {
            let refused = line.contains("does not work in filters") || line.contains("refuses the filter");
            assert!(refused && line.contains(OPERATORS), "{line}");
        }
        assert!(judged.with(Verdict::Skipped).len() > 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn filters_that_are_not_valid_and_answered_200_are_one_finding() {
    let broken = Broken::changed(|_, answer| {
        let is_filter = |body: &Value| body.get("scimType") == Some(&json!("invalidFilter"));
        if answer.status == 400 && answer.json.as_ref().is_some_and(is_filter) {
            answer.status = 200;
            answer.json = Some(json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
                "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": [] }));
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.4.2.2 | section=3.4.2"]).await;
    assert_one_finding(&judged, "filters that are not valid are answered as if they were");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_schema_that_requires_a_family_name_changes_no_patch() {
    let broken = Broken::changed(|seen, answer| {
        if seen.path.starts_with("/Schemas")
            && let Some(json) = &mut answer.json
        {
            require(json, "familyName");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.5.2.1 | section=3.5.2.3"]).await;
    assert_eq!(findings(judged.report()), Vec::<String>::new());
    assert_eq!(judged.with(Verdict::Skipped), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn required_attributes_are_not_cleared() {
    let broken = Broken::changed(|seen, answer| {
        if seen.path.starts_with("/Schemas")
            && let Some(json) = &mut answer.json
        {
            require(json, "phoneNumbers");
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=2.5"]).await;
    let skipped = judged.with(Verdict::Skipped);
    assert!(
        skipped
            .iter()
            .any(|line| line.contains("it clears phoneNumbers, which the server's schema requires")),
        "{skipped:#?}"
    );
}

fn require(value: &mut Value, attribute: &str) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| require(element, attribute)),
        Value::Object(members) => {
            if members.get("name") == Some(&json!(attribute)) {
                members.insert("required".to_owned(), json!(true));
            }
            members.values_mut().for_each(|member| require(member, attribute));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// RFC 7643 §2.4 says what `primary` means and how often it is there, and leaves to the server who has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_makes_the_first_address_primary_breaks_no_must() {
    fn first_is_primary(value: &mut Value) {
        match value {
            Value::Array(elements) => elements.iter_mut().for_each(first_is_primary),
            Value::Object(members) => {
                let emails = members.get_mut("emails").and_then(Value::as_array_mut);
                for (at, email) in emails.into_iter().flatten().enumerate() {
                    if let Some(email) = email.as_object_mut() {
                        email.remove("primary");
                        if at == 0 {
                            email.insert("primary".to_owned(), json!(true));
                        }
                    }
                }
                members.values_mut().for_each(first_is_primary);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let broken = Broken::changed(|seen, answer| {
        if seen.path.starts_with("/Users")
            && let Some(json) = &mut answer.json
        {
            first_is_primary(json);
        }
    })
    .await;
    let judged = broken.judged(&["--select", "section=3.5.2 & id=*primary*"]).await;
    assert_eq!(judged.with(Verdict::Fail), Vec::<String>::new());
    let warned = judged.with(Verdict::Warn);
    assert_eq!(warned.len(), 4, "{warned:#?}");
    assert!(
        warned.iter().all(|line| line.contains("the value that the client makes primary is not primary"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_are_read_without_the_rfc_at_hand() {
    // Of several things at once, so that each format has several findings.
    let broken = Broken::changed(|seen, answer| {
        answer.headers.retain(|(name, _)| name != "content-type" || seen.path != "/Users");
        if seen.method == "GET"
            && seen.path.starts_with("/Users/")
            && let Some(body) = answer.json.as_mut().and_then(Value::as_object_mut)
        {
            body.remove("schemas");
            body.remove("emails");
        }
        if seen.method == "DELETE" {
            answer.status = 200;
        }
    })
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.md");
    let report = format!("markdown={}", file.display());
    let select = "section=3.1 | section=3.3 | section=3.6 | section=3.5.2.1 | section=3.4.1";
    let judged = broken.judged(&["--select", select, "--report", &report]).await;
    let markdown = std::fs::read_to_string(file).expect("a report");
    for text in [&judged.out, &markdown] {
        for raw in [
            "{\"includes\"",
            "{\"one of\"",
            "{\"lacks\"",
            "sent as ``",
            "sent as <code></code>",
            "why       GET …",
            "\"schemas\": \"…\"",
        ] {
            assert!(!text.contains(raw), "{raw}: {text}");
        }
    }
    let examples: Vec<_> = judged.report().cases.iter().filter_map(|case| case.example.as_deref()).collect();
    assert!(examples.len() > 5, "{examples:#?}");
    for example in examples {
        assert!(!example.contains('…'), "{example}");
        let body = example.split_once("\n\n").map_or(Ok(Value::Null), |(_, body)| serde_json::from_str(body));
        assert!(body.is_ok(), "{example}");
        // 204 has no body; everything else has one, which names its schemas.
        assert!(example.starts_with("204") || example.contains("\"schemas\": [\n"), "{example}");
    }
}
