//! Texts of a hostile subject stay text, in every format.

use conformance::report::text::{self, Paint};
use conformance::report::{Known, Report, Verdict, badge, github, html, json, junit, markdown};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sample;

/// Pieces that mean something to some format, among any characters.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        proptest::sample::select(vec![
            "</script><script>alert(1)</script>",
            "<!--",
            "-->",
            "]]>",
            "\" onload=\"alert(1)",
            "'><img src=x onerror=alert(1)>",
            "</details></main>",
            "</pre>",
            "`````",
            "| a | b |\n",
            "@everyone #1 www.evil.example https://evil.example",
            "\r\n::error::owned\n",
            "%0A::error::",
            "\u{1b}[2J\u{1b}]0;owned\u{7}",
            "\u{202e}\u{2066}",
            "\u{0}\u{fffe}",
            "</title><svg onload=alert(1)>",
            "&lt;script&gt;",
        ])
        .prop_map(str::to_owned),
    ];
    proptest::collection::vec(piece, 1..4).prop_map(|pieces| pieces.concat())
}

fn report_with(text: &str) -> Report {
    let mut report = sample::report();
    text.clone_into(&mut report.subject);
    report.facts.insert(text.to_owned(), text.to_owned());
    report.stale.push(format!("{text}: {text}"));
    for case in &mut report.cases {
        case.title = format!("{} {text}", case.title);
        text.clone_into(&mut case.requirement);
        case.spec.document = format!("{} {text}", case.spec.document);
        if case.verdict != Verdict::Pass {
            case.because = Some(text.to_owned());
            case.mend = Some(text.to_owned());
            case.expected = json!({ text: text });
            case.actual = json!([text, { text: null }]);
        }
        if let Some(Known { reason, link }) = &mut case.known {
            text.clone_into(reason);
            *link = Some(format!("javascript:{text}"));
        }
        for exchange in &mut case.exchanges {
            text.clone_into(&mut exchange.step);
            text.clone_into(&mut exchange.request.url);
            text.clone_into(&mut exchange.request.method);
            exchange.request.headers.push((text.to_owned(), text.to_owned()));
            exchange.request.body = text.into();
            if let Some(answer) = &mut exchange.response {
                answer.headers.push((text.to_owned(), text.to_owned()));
                answer.body = Value::String(text.to_owned());
            }
        }
    }
    report
}

/// The tags of a page, in order; the text of scripts and styles is not looked into.
fn tags(page: &str) -> Vec<(String, String)> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>').expect("a tag ends");
        let (name, attributes) = rest[..end].split_once(' ').unwrap_or((&rest[..end], ""));
        tags.push((name.to_lowercase(), attributes.to_owned()));
        rest = &rest[end + 1..];
        if ["script", "style"].contains(&name) {
            rest = &rest[rest.find(&format!("</{name}>")).expect("its end")..];
        }
    }
    tags
}

/// The tags fit each other, and all are those that the page has of itself.
#[track_caller]
fn check_page(page: &str, own: &[(String, String)]) {
    let names: std::collections::BTreeSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
    let scripts = |tags: &[(String, String)]| tags.iter().filter(|(name, _)| name == "script").count();
    assert_eq!(scripts(&tags(page)), scripts(own));
    let mut open: Vec<String> = Vec::new();
    for (name, attributes) in tags(page) {
        assert!(names.contains(name.as_str()), "<{name} {attributes}>");
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else if !["!doctype", "meta", "input", "rect"].contains(&name.as_str()) {
            open.push(name.clone());
        }
        // Attribute names: what stands outside of quotes.
        let outside: String = attributes.split('"').step_by(2).collect();
        for word in outside.split([' ', '/']).filter(|word| !word.is_empty()) {
            assert!(!word.to_lowercase().starts_with("on"), "<{name} {attributes}>");
        }
        assert!(!attributes.contains("javascript:"), "<{name} {attributes}>");
    }
    assert_eq!(open, Vec::<String>::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, max_shrink_iters: 500, ..ProptestConfig::default() })]

    #[test]
    fn hostile_texts_stay_text(text in hostile()) {
        let report = report_with(&text);
        let own = tags(&html::write(&sample::report()));
        check_page(&html::write(&report), &own);

        let document = junit::write(&report).expect("XML");
        let read = quick_junit::Report::deserialize_from_str(&document).expect("well-formed");
        prop_assert_eq!(read.tests, report.cases.len() + report.stale.len());

        let read = json::read(&json::write(&report).expect("JSON")).expect("a report");
        prop_assert_eq!(&read, &report);

        let told = text::failures(&report, Paint::Plain) + &text::summary(&report, Paint::Plain);
        prop_assert!(!told.contains(|c: char| c.is_control() && c != '\n'), "{told:?}");
        prop_assert!(told.lines().all(|line| !line.starts_with("::")), "{told}");

        let told = github::annotations(&report);
        prop_assert!(!told.contains('\r'));
        for line in told.lines() {
            prop_assert!(line.starts_with("::error ") || line.starts_with("::warning "), "{line}");
        }
        prop_assert_eq!(told.lines().count(), 4 + report.stale.len());

        let told = markdown::write(&report);
        prop_assert!(told.chars().count() <= markdown::MOST);
        let outside = without_fences(&told);
        for word in ["<script", "<img", "@everyone", "https://evil", "onload=\"alert"] {
            prop_assert!(!outside.contains(word), "{word}: {outside}");
        }
        prop_assert_eq!(outside.matches("<details>").count(), outside.matches("</details>").count());

        let badge = badge::write(&Report { suite: text.clone(), ..report });
        prop_assert!(!badge.contains("<script") && !badge.contains("<img"));
    }
}

/// Markdown without its blocks of code.
fn without_fences(text: &str) -> String {
    let mut outside = String::new();
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        match &fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => {
                outside.push_str(line);
                outside.push('\n');
            }
            Some(open) if ticks.len() >= open.len() && line.trim_end().len() == ticks.len() => fence = None,
            Some(_) => {}
        }
    }
    assert_eq!(fence, None, "a block of code is open at the end: {text}");
    outside
}

#[test]
fn check_detects_unescaped_text() {
    let own = tags(&html::write(&sample::report()));
    let page = html::write(&sample::report());
    for bad in [
        "<b onclick=\"x()\">x</b>",
        "<script>x</script>",
        "</div>",
        "<img src=\"x\">",
        "<a href=\"javascript:x\">x</a>",
    ] {
        let page = page.replacen("</main>", &format!("{bad}</main>"), 1);
        let own = own.clone();
        assert!(std::panic::catch_unwind(move || check_page(&page, &own)).is_err(), "{bad}");
    }
    check_page(&page, &own);
}

#[test]
fn large_reports_hold_hostile_titles_as_data() {
    let mut report = sample::large(3_000);
    for case in &mut report.cases {
        case.title = "</script><script>alert(1)</script>".to_owned();
    }
    let own = tags(&html::write(&sample::large(3_000)));
    check_page(&html::write(&report), &own);
}
