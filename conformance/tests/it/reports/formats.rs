//! Each format of one report, as it is read.

use conformance::report::output_format::Format;
use conformance::report::text::{self, Paint};
use conformance::report::{Report, Summary, Verdict, badge, github, html, junit, markdown, root_causes};
use conformance::requirement::Level;
use conformance::requirement::Shared;
use serde_json::{Value, json};

use super::sample;

#[test]
fn text_report_matches_the_snapshot() {
    let report = sample::report();
    let told = format!("{}{}", text::failures(&report, Paint::Plain), text::summary(&report, Paint::Plain));
    assert!(told.find("FAIL ").expect("a failure") < told.find("WARN ").expect("a warning"), "{told}");
    assert!(!told.contains("case-exact-is-true"), "what is known needs nobody's attention: {told}");
    assert!(!told.contains('\u{1b}'));
    insta::assert_snapshot!("report-text", told);
    assert!(text::failures(&report, Paint::Colours).contains("\u{1b}[1;31mFAIL "));
}

#[test]
fn junit_report_matches_the_snapshot() {
    let report = sample::report();
    let written = junit::write(&report).expect("XML");
    let read = quick_junit::Report::deserialize_from_str(&written).expect("JUnit");
    assert_eq!((read.tests, read.failures, read.errors), (12, 3, 1), "a stale entry is a failure too");
    insta::assert_snapshot!("report-junit", written);
}

#[test]
fn markdown_report_matches_the_snapshot() {
    insta::assert_snapshot!("report-markdown", markdown::write(&sample::report()));
    let fine = Report::new("server", "https://h.example", vec![sample::case("rfc7644/3.3/a", Verdict::Pass)]);
    assert!(markdown::write(&fine).starts_with("### Conformance (server): ✅ 1 case passed\n"));
}

#[test]
fn markdown_is_cut_at_the_limit() {
    for count in [1, 100, 2_000] {
        let text = markdown::write(&sample::large(count));
        let length = text.chars().count();
        assert!(length <= markdown::MOST, "{count}: {length}");
        assert_eq!(text.contains("were cut to keep this short"), count > 100, "{count}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}

#[test]
fn annotations_match_the_snapshot() {
    let told = github::annotations(&sample::report());
    insta::assert_snapshot!("report-annotations", told);
    let many = github::annotations(&sample::large(100));
    assert_eq!(many.matches("::error ").count(), 10);
    assert!(many.ends_with("::notice::24 more are in the step's summary and in the reports\n"), "{many}");
}

#[test]
fn badge_matches_the_snapshot() {
    let mut report = sample::report();
    insta::assert_snapshot!("report-badge", badge::write(&report));
    report.summary = Summary { pass: 3, ..Summary::default() };
    assert!(badge::write(&report).contains("<title id=\"title\">conformance: server: 3 passed</title>"));
}

#[test]
fn page_matches_the_snapshot() {
    let page = html::write(&sample::report());
    let main = &page[page.find("<main").expect("a main part")..page.find("</main>").expect("its end")];
    let at = |text: &str| main.find(text).unwrap_or_else(|| panic!("{text} is not in {main}"));
    assert!(at("What to mend, in this order") < at("Case by case"));
    assert!(at("Append to the array") < at("Send Content-Type"), "a MUST comes before a SHOULD");
    insta::assert_snapshot!("report-page", main);
}

#[test]
fn page_loads_nothing() {
    let page = html::write(&sample::report());
    for word in
        ["<link", "<img", "<iframe", "@import", "url(", " src=", "fetch(", "XMLHttpRequest", "import("]
    {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn large_runs_stay_small_pages() {
    let page = html::write(&sample::large(500));
    assert!(page.len() < 4_000_000, "{} bytes for 500 cases", page.len());
    let page = html::write(&sample::large(42_000));
    assert!(page.len() < 16_000_000, "{} bytes for 42,000 cases", page.len());
    assert!(page.contains("id=\"data\""), "what passed is data");
    assert!(page.contains("13,000 more did not go well"), "and so is what is too much to be told");
}

#[test]
fn empty_report_is_written_in_every_format() {
    let nothing = Report::new("server", "https://h.example", Vec::new());
    for format in Format::ALL {
        assert!(!format.write(&nothing).expect("it is written").is_empty());
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    assert!(text::summary(&nothing, Paint::Plain).ends_with("nothing was run\n"));
}

/// The cause comes first: the cases' own advice would point at sorting, which was never tried.
#[test]
fn a_refusal_behind_many_cases_comes_first() {
    let says = |verdict: Verdict, name: &str, status: u16, wanted: Value| {
        let mut case = sample::case(&format!("rfc7644/3.4.2.3/{name}"), verdict);
        let what =
            |value: &Value| json!([{ "step": "list Users", "what": "status", "value": value, "why": "…" }]);
        case.because = Some(format!(
            "list Users: the answer is {status}, where 200 belongs; it says: no `sw` here (\"{name}\", 4{status})"
        ));
        case.mend = Some("Sort.".to_owned());
        (case.expected, case.actual) = (what(&wanted), what(&json!(status)));
        let path = format!("/Users?filter=userName%20sw%20%22{name}%22");
        case.exchanges = vec![sample::exchange("GET", &path, Value::Null, status, json!({}))];
        case
    };
    let one = |name: &str| says(Verdict::Fail, name, 400, json!([200, 204]));
    let mut cases = vec![
        sample::case("rfc7644/3.3/own", Verdict::Fail),
        one("a"),
        one("b"),
        // Others that look alike: another status, and a refusal that is asked for.
        says(Verdict::Fail, "other", 500, json!(200)),
        says(Verdict::Fail, "asked-for", 400, json!(409)),
        says(Verdict::Pass, "passed", 400, json!(200)),
    ];
    cases[0].mend = Some("Its own advice.".to_owned());
    assert_eq!(
        root_causes::of(&Report::new("server", "https://h.example", cases.clone())),
        [],
        "two are no many"
    );
    cases.push(one("c"));
    let report = Report::new("server", "https://h.example", cases);
    let [cause] = &root_causes::of(&report)[..] else { panic!("{:?}", root_causes::of(&report)) };
    assert!(matches!(cause.kind, root_causes::Kind::Refusal { status: 400, .. }), "{cause:?}");
    assert_eq!(cause.cases.len(), 3);
    let because =
        "`GET /v2/Users?filter=userName%20sw%20%22a%22` is answered 400, saying: no `sw` here (\"a\", 4400)";
    assert_eq!(cause.because(), because);

    let told = text::failures(&report, Paint::Plain);
    assert!(told.starts_with(&format!("CAUSE {because}\n      means     3 cases stopped there")), "{told}");
    assert!(told.contains("among     rfc7644/3.4.2.3/a, rfc7644/3.4.2.3/b, rfc7644/3.4.2.3/c\n"), "{told}");
    // The cause stands for its cases.
    assert!(told.contains("FAIL  rfc7644/3.3/own") && !told.contains("FAIL  rfc7644/3.4.2.3/a "), "{told}");
    let page = html::write(&report);
    let points =
        &page[page.find("class=\"points\"").expect("points")..page.find("id=\"toolbar\"").expect("an end")];
    let at = |text: &str| points.find(text).unwrap_or_else(|| panic!("{text} is not in {points}"));
    assert!(at("What is behind several cases") < at("Its own advice."));
    // Only those that it does not explain say it.
    assert_eq!(points.matches("Sort.").count(), 1, "{points}");
    assert!(markdown::write(&report).contains("> **One refusal behind 3 cases:** "));
}

/// An expectation that several cases share is one finding; a SHOULD does not come before a MUST, and habits stand apart.
#[test]
fn a_shared_expectation_is_one_finding_in_its_place() {
    let of = |id: &str, verdict: Verdict, level: Level| {
        let mut case = sample::case(id, verdict);
        case.level = level;
        case.because = Some(format!("because of {id}"));
        case
    };
    let shared = |id: &str, cause: Shared, verdict: Verdict, level: Level| {
        let mut case = of(id, verdict, level);
        case.mend = Some("Its own.".to_owned());
        case.example = Some("404 Not Found\n\n{\n  \"status\": \"404\"\n}".to_owned());
        case.cause = Some(cause);
        case
    };
    let mut habit = of("rfc7644/3.5.2/entra-habit", Verdict::Warn, Level::May);
    habit.tags = vec!["entra".to_owned()];
    let report = Report::new(
        "server",
        "https://h.example",
        vec![
            shared("rfc7644/3.12/a", Shared::ErrorStatus, Verdict::Fail, Level::Must),
            shared("rfc7644/3.12/b", Shared::ErrorStatus, Verdict::Fail, Level::Must),
            shared("rfc7644/3.12/c", Shared::ErrorType, Verdict::Warn, Level::Should),
            shared("rfc7644/3.12/d", Shared::ErrorType, Verdict::Warn, Level::Should),
            of("rfc7644/3.4.2.4/pages", Verdict::Fail, Level::Must),
            of("rfc7644/3.5.2.2/removes-one-member", Verdict::Fail, Level::Must),
            of("rfc7644/3.5.2.3/disables-a-user", Verdict::Fail, Level::Must),
            of("rfc7644/3.3/answers-201", Verdict::Fail, Level::Must),
            of("rfc7644/3.4.2.2/eq-finds-the-equal", Verdict::Fail, Level::Must),
            habit,
        ],
    );
    let told = text::failures(&report, Paint::Plain);
    let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("{words} is not in {told}"));
    let order = [
        "FAIL  rfc7644/3.3/answers-201",
        "FAIL  rfc7644/3.4.2.2/eq-finds-the-equal",
        "FAIL  rfc7644/3.5.2.3/disables-a-user",
        "FAIL  rfc7644/3.4.2.4/pages",
        "FAIL  rfc7644/3.5.2.2/removes-one-member",
        "CAUSE errors do not say `scimType`",
        "Optional, and habits of single clients",
        "WARN  rfc7644/3.5.2/entra-habit",
    ];
    for pair in order.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{} comes before {}: {told}", pair[0], pair[1]);
    }
    assert!(
        at("CAUSE `status` in errors is not the HTTP status as a string") < at("CAUSE errors do not say")
    );
    assert!(at("example   404 Not Found {\"status\":\"404\"}") > 0);
    // The cases of a cause say nothing more for themselves.
    assert!(!told.contains("FAIL  rfc7644/3.12") && !told.contains("Its own."), "{told}");
    let annotations = github::annotations(&report);
    assert_eq!(annotations.matches("::error ").count(), 6, "{annotations}");
    assert_eq!(annotations.matches("::warning ").count(), 2, "{annotations}");
    let pulled = markdown::write(&report);
    assert!(pulled.contains("> **One cause behind 2 cases:** ") && !pulled.contains("Its own."), "{pulled}");
}

/// A SHOULD of creation does not come before a MUST of paging, and causes are needed as much as their most needed case.
#[test]
fn findings_in_each_format_stand_in_the_same_order() {
    let of = |id: &str, level: Level| {
        let verdict = if level == Level::Must { Verdict::Fail } else { Verdict::Warn };
        let mut case = sample::case(id, verdict);
        case.level = level;
        case.because = Some(format!("why {}", case.title));
        case.mend = Some(format!("advice for {}", case.title));
        case
    };
    let shared = |id: &str, cause: Shared, level: Level| {
        let mut case = of(id, level);
        case.cause = Some(cause);
        case
    };
    let refused = |name: &str| {
        let mut case = of(&format!("rfc7644/3.5.2.2/{name}-of-a-group"), Level::Must);
        let what = |value: Value| json!([{ "step": "patch", "what": "status", "value": value, "why": "…" }]);
        case.because = Some("patch: the answer is 501, where 200 belongs; it says: no".to_owned());
        (case.expected, case.actual) = (what(json!(200)), what(json!(501)));
        case.exchanges = vec![sample::exchange("PATCH", "/Groups/7", json!({}), 501, json!({}))];
        case
    };
    let (must, should) = (Level::Must, Level::Should);
    let mut cases: Vec<_> = ["a", "b", "c", "d", "e"].into_iter().map(refused).collect();
    cases.extend([
        shared("rfc7644/2/wrong-credentials", Shared::Credentials, must),
        shared("rfc7644/2/without-credentials", Shared::Credentials, must),
        shared("rfc7644/3.12/a", Shared::ErrorStatus, must),
        shared("rfc7644/3.12/b", Shared::ErrorStatus, must),
        shared("rfc7644/3.12/m", Shared::ErrorBody, must),
        shared("rfc7644/3.12/n", Shared::ErrorBody, must),
        shared("rfc7644/3.12/o", Shared::ErrorBody, must),
        of("rfc7644/3.3/creates-a-user", must),
        of("rfc7644/3.4.2.2/finds-a-user", must),
        of("rfc7644/3.5.2.3/disables-a-user", must),
        of("rfc7644/3.4.2.4/pages", must),
        of("rfc7644/3.3/shows-what-was-created", should),
        of("rfc7644/3.4.2.2/finds-more", should),
        of("rfc7644/3.5.2/takes-a-habit", Level::May),
    ]);
    for slug in ["v", "w", "x", "y", "z"] {
        cases.push(shared(&format!("rfc7644/3.3/{slug}"), Shared::ErrorType, should));
    }
    let report = Report::new("server", "https://h.example", cases);
    let page = html::write(&report);
    let points =
        &page[page.find("class=\"points\"").expect("points")..page.find("id=\"toolbar\"").expect("an end")];
    for told in [&text::failures(&report, Paint::Plain), points, &markdown::write(&report)] {
        let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("{words} is not in {told}"));
        let order = [
            "missing and wrong credentials are answered",
            "/Groups/7",
            "errors are not answered with a SCIM error",
            "in errors is not the HTTP status",
            "why creates a user",
            "why finds a user",
            "why disables a user",
            "why pages",
            "errors do not say",
            "why shows what was created",
            "why finds more",
            "why takes a habit",
        ];
        for pair in order.windows(2) {
            assert!(at(pair[0]) < at(pair[1]), "{} comes before {}: {told}", pair[0], pair[1]);
        }
    }
}

#[test]
fn must_failures_never_stand_under_the_heading_of_what_is_optional() {
    let of = |id: &str, verdict: Verdict, level: Level| {
        let mut case = sample::case(id, verdict);
        case.level = level;
        case
    };
    let refused = |name: &str| {
        let mut case = of(&format!("rfc7644/3.4.2.3/{name}"), Verdict::Fail, Level::Must);
        let what = |value: Value| json!([{ "step": "list", "what": "status", "value": value, "why": "…" }]);
        case.because = Some("list: the answer is 400, where 200 belongs; it says: no".to_owned());
        (case.expected, case.actual) = (what(json!(200)), what(json!(400)));
        case.exchanges = vec![sample::exchange("GET", "/Users", Value::Null, 400, json!({}))];
        case
    };
    let report = Report::new(
        "server",
        "https://h.example",
        vec![
            of("rfc7644/3.5.2/optional", Verdict::Fail, Level::May),
            of("rfc7644/3.6/broke-off", Verdict::Error, Level::Must),
            of("rfc7644/3.3/own", Verdict::Fail, Level::Must),
            of("rfc7644/3.3/warns", Verdict::Warn, Level::Should),
            refused("a"),
            refused("b"),
            refused("c"),
        ],
    );
    let told = text::failures(&report, Paint::Plain);
    let at = |words: &str| told.find(words).unwrap_or_else(|| panic!("{words} is not in {told}"));
    let heading = at("Optional, and habits of single clients");
    assert!(heading < at("FAIL  rfc7644/3.5.2/optional"), "{told}");
    for before in ["FAIL  rfc7644/3.3/own", "ERROR rfc7644/3.6/broke-off", "WARN  rfc7644/3.3/warns", "CAUSE"]
    {
        assert!(at(before) < heading, "{before}: {told}");
    }
    assert!(told.contains("among     rfc7644/3.4.2.3/a, rfc7644/3.4.2.3/b, rfc7644/3.4.2.3/c\n"), "{told}");
    assert_eq!(told.matches("rfc7644/3.4.2.3/a").count(), 1, "{told}");
    let pulled = markdown::write(&report);
    let heading = pulled.find("Optional, and habits").expect("a heading");
    assert!(pulled.find("rfc7644/3.6/broke-off").is_some_and(|at| at < heading), "{pulled}");
}

/// The request is named where only the terminal is read.
#[test]
fn findings_name_their_requests() {
    let mut case = sample::case("client/rfc7643/3/creations-say-their-schemas", Verdict::Fail);
    case.exchanges = (1..=5)
        .map(|at| sample::exchange("POST", &format!("/Users?at={at}"), json!({}), 201, json!({})))
        .collect();
    let told =
        |suite: &str| text::failures(&Report::new(suite, "a client", vec![case.clone()]), Paint::Plain);
    let client = told("client");
    assert!(
        client.contains("request   POST https://scim.vendor.example/v2/Users?at=1 -> 201 Created"),
        "{client}"
    );
    assert_eq!(client.matches("request   ").count(), 3, "{client}");
    assert_eq!(told("server").matches("request   POST https://scim.vendor.example/v2/Users?at=5").count(), 1);
}

#[test]
fn junit_is_well_formed_for_any_text() {
    for sign in ['\u{0}', '\u{8}', '\u{1b}', '\u{b}', '\u{fffe}', '\u{ffff}', '\u{fdd0}', '\u{85}'] {
        let mut report = sample::report();
        let text = format!("a{sign}b \\ud800 ]]>");
        for case in &mut report.cases {
            case.because = Some(text.clone());
            case.example = Some(text.clone());
            case.id.push(sign);
            case.actual = json!({ text.clone(): text });
        }
        report.subject = text.clone();
        let written = junit::write(&report).expect("XML");
        let bad = |c: char| !matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        assert!(!written.contains(bad), "{sign:?}");
        // A character that XML does not allow is not allowed as a reference either.
        assert!(!written.contains("&#0;") && !written.to_lowercase().contains("&#xfffe;"), "{sign:?}");
        quick_junit::Report::deserialize_from_str(&written).expect("JUnit");
    }
}
