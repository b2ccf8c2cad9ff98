//! A report with one of everything.

use conformance::report::{CaseResult, Known, Report, Summary, Verdict};
use conformance::requirement::{Level, Spec};
use conformance::transcript::{Exchange, Received, Sent};
use serde_json::{Value, json};

pub(crate) fn case(id: &str, verdict: Verdict) -> CaseResult {
    let mut parts = id.split('/');
    let document = match parts.next().unwrap_or_default() {
        "rfc7644" => "RFC 7644",
        "rfc7643" => "RFC 7643",
        other => other,
    };
    let section = parts.next().unwrap_or_default();
    let slug = parts.next().unwrap_or_default();
    CaseResult {
        id: id.to_owned(),
        title: slug.replace('-', " "),
        level: Level::Must,
        verdict,
        requirement: format!("It holds that {}.", slug.replace('-', " ")),
        spec: Spec { document: document.to_owned(), section: section.to_owned(), also: Vec::new() },
        because: None,
        mend: None,
        expected: Value::Null,
        actual: Value::Null,
        known: None,
        example: None,
        cause: None,
        concerns: None,
        tags: Vec::new(),
        milliseconds: 12,
        exchanges: Vec::new(),
    }
}

pub(crate) fn exchange(method: &str, path: &str, body: Value, status: u16, answer: Value) -> Exchange {
    let mut headers = vec![("Authorization".to_owned(), "Bearer [redacted]".to_owned())];
    if !body.is_null() {
        headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
    }
    Exchange {
        step: String::new(),
        request: Sent {
            method: method.to_owned(),
            url: format!("https://scim.vendor.example/v2{path}"),
            headers,
            body,
        },
        response: Some(Received {
            status,
            headers: vec![("content-type".to_owned(), "application/scim+json".to_owned())],
            body: answer,
        }),
        error: None,
        milliseconds: 4,
    }
}

fn keeps_other_values() -> CaseResult {
    let work = json!({ "value": "conformance-1-ada@work.example", "type": "work" });
    let home = json!({ "value": "conformance-1-ada@home.example", "type": "home" });
    let operations = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "add", "path": "emails", "value": [home] }],
    });
    let user = |emails: &[&Value]| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "id": "2819c223", "userName": "conformance-1-ada", "active": true, "emails": emails,
        })
    };
    let mut case = case("rfc7644/3.5.2.1/add-keeps-other-values", Verdict::Fail);
    case.title = "add to a multi-valued attribute keeps the values that are there".into();
    case.requirement = "An add to a multi-valued attribute joins the new values to those it has.".into();
    case.spec.also = vec!["RFC 7643 §2.4".to_owned()];
    case.because =
        Some("after the add, the value that was there is gone: `emails` has 1 value instead of 2".to_owned());
    case.mend = Some("Append to the array; do not assign it.".to_owned());
    case.expected = json!([work, home]);
    case.actual = json!([home]);
    case.tags = vec!["entra".to_owned()];
    case.exchanges = vec![
        exchange("POST", "/Users", user(&[&work]), 201, user(&[&work])),
        exchange("PATCH", "/Users/2819c223", operations, 204, Value::Null),
        exchange("GET", "/Users/2819c223", Value::Null, 200, user(&[&home])),
    ];
    case
}

fn precedence() -> CaseResult {
    let mut case = case("rfc7644/3.4.2.2/and-binds-tighter-than-or", Verdict::Fail);
    case.title = "`and` binds tighter than `or`".into();
    case.requirement = "In a filter without parentheses, `and` is worked out before `or`.".into();
    case.because = Some("the filter found 1 user instead of 2".to_owned());
    case.mend = Some("Give `and` the higher precedence in the filter's grammar.".to_owned());
    case.expected = json!({ "totalResults": 2 });
    case.actual = json!({ "totalResults": 1 });
    case.exchanges = vec![exchange(
        "GET",
        "/Users?filter=userName%20eq%20%22conformance-1-a%22%20or%20active%20eq%20true",
        Value::Null,
        200,
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 1, "Resources": [] }),
    )];
    case
}

fn broken() -> CaseResult {
    let mut case = case("rfc7644/3.6/deleted-is-gone", Verdict::Error);
    case.title = "what was deleted is not found any more".into();
    case.because = Some("the connection was closed before an answer came".to_owned());
    let mut exchange = exchange("DELETE", "/Users/2819c223", Value::Null, 0, Value::Null);
    exchange.response = None;
    exchange.error = Some("connection closed before message completed".to_owned());
    case.exchanges = vec![exchange];
    case
}

fn warning() -> CaseResult {
    let mut case = case("rfc7644/3.1/media-type", Verdict::Warn);
    case.level = Level::Should;
    case.title = "answers are application/scim+json".into();
    case.requirement = "An answer says that it is SCIM by its media type.".into();
    case.because = Some("the answer's Content-Type is application/json".to_owned());
    case.mend = Some("Send Content-Type: application/scim+json.".to_owned());
    case.expected = json!("application/scim+json");
    case.actual = json!("application/json");
    case
}

fn known() -> CaseResult {
    let mut case = case("rfc7643/7/case-exact-is-true", Verdict::Fail);
    case.title = "userName says that its case does not matter".into();
    case.because = Some("caseExact is true".to_owned());
    case.known = Some(Known {
        reason: "the directory behind it compares exactly".to_owned(),
        link: Some("https://tracker.example/SCIM-17".to_owned()),
    });
    case
}

/// One of everything, and some that passed.
pub(crate) fn report() -> Report {
    let mut skipped = case("rfc7644/3.14/if-match", Verdict::Skipped);
    skipped.because = Some("the user could not be created".to_owned());
    let mut not_advertised = case("rfc7644/3.7/bulk-creates", Verdict::NotAdvertised);
    not_advertised.because = Some("bulk is not supported, says ServiceProviderConfig".to_owned());
    let mut cases = vec![
        keeps_other_values(),
        precedence(),
        broken(),
        warning(),
        known(),
        skipped,
        not_advertised,
        case("rfc7644/3.3/created-with-201", Verdict::Pass),
        case("rfc7644/3.4.1/read-by-id", Verdict::Pass),
        case("rfc7644/3.5.2.2/remove-by-value-path", Verdict::Pass),
        case("rfc7643/4.1/user-name-is-required", Verdict::Pass),
    ];
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    let mut report = Report::new("server", "https://scim.vendor.example/v2", cases);
    report.version = "0.1.0".into();
    report.seed = 7;
    report.milliseconds = 431;
    report.facts.insert("patch".to_owned(), "supported".to_owned());
    report.stale =
        vec!["rfc7644/3.6/twice: the case passes now. Take the entry out of the baseline".to_owned()];
    report.summary = Summary { stale: 1, ..Summary::of(&report.cases) };
    report
}

/// Returns a report of `count` cases, of which every third failed.
pub(crate) fn large(count: usize) -> Report {
    let cases = (0..count)
        .map(|number| {
            let mut case = keeps_other_values();
            case.id = format!("rfc7644/3.5.2.1/case-{number:05}");
            if number % 3 > 0 {
                case = CaseResult { id: case.id, ..self::case("rfc7644/3.5.2.1/passes", Verdict::Pass) };
            }
            case
        })
        .collect();
    Report::new("server", "https://scim.vendor.example/v2", cases)
}
