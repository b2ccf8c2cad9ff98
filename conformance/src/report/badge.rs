//! The report as a badge: an SVG for a README.

use std::fmt::Write as _;

use super::{Report, Summary};
use crate::format::number;

const LABEL: &str = "conformance";

/// Returns the badge.
pub fn write(report: &Report) -> String {
    let (message, colour) = words(&report.summary);
    let label = if report.suite.is_empty() { LABEL.to_owned() } else { format!("{LABEL}: {}", report.suite) };
    draw(&label, &message, colour)
}

/// Returns the text and the colour, which is dark enough beneath white text.
fn words(summary: &Summary) -> (String, &'static str) {
    let Summary { pass, fail, warn, error, stale, .. } = *summary;
    // What was not offered or not tried is neither for nor against.
    let judged = pass + fail + warn + summary.known;
    let of = format!("{} of {}", number(pass), number(judged));
    match (error, fail, stale, warn) {
        (1.., ..) => (format!("{} broke off", number(error)), "#6a4a9c"),
        (_, 1.., ..) => (format!("{of}, {} failed", number(fail)), "#b3261e"),
        (_, _, 1.., _) => (format!("{of}, stale baseline"), "#b3261e"),
        (_, _, _, 1..) => {
            (format!("{of}, {} {}", number(warn), if warn == 1 { "warning" } else { "warnings" }), "#8a5a00")
        }
        _ if judged == 0 => ("nothing was judged".to_owned(), "#5f6368"),
        _ if summary.known > 0 => (format!("{of}, {} known", number(summary.known)), "#1a7f37"),
        _ => (format!("{} passed", number(pass)), "#1a7f37"),
    }
}

/// Returns the approximate width of a text, in tenths of a pixel, at 11 pixels of a sans-serif face.
fn width(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 34,
            'f' | 'r' | 't' | ' ' | '(' | ')' | '-' | '/' => 44,
            'm' | 'w' | 'M' | 'W' => 98,
            'A'..='Z' => 78,
            _ => 67,
        })
        .sum()
}

fn draw(label: &str, message: &str, colour: &str) -> String {
    let (label, message) = (escape(label), escape(message));
    let [left, right] = [&label, &message].map(|text| width(text) / 10 + 14);
    let whole = left + right;
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(svg, "{text}").unwrap_or_default();
    line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" viewBox="0 0 {whole} 20" role="img" aria-labelledby="title">"#
    ));
    line(format_args!(r#"  <title id="title">{label}: {message}</title>"#));
    line(format_args!(r#"  <clipPath id="round"><rect width="{whole}" height="20" rx="3"/></clipPath>"#));
    line(format_args!(r#"  <g clip-path="url(#round)">"#));
    line(format_args!(r##"    <rect width="{left}" height="20" fill="#3c4043"/>"##));
    line(format_args!(r#"    <rect x="{left}" width="{right}" height="20" fill="{colour}"/>"#));
    line(format_args!("  </g>"));
    line(format_args!(
        r##"  <g fill="#fff" font-family="Verdana, DejaVu Sans, Geneva, sans-serif" font-size="11" text-anchor="middle" aria-hidden="true">"##
    ));
    for (at, wide, text) in [(left / 2, left, &label), (left + right / 2, right, &message)] {
        let length = wide - 12;
        line(format_args!(r#"    <text x="{at}" y="14" textLength="{length}">{text}</text>"#));
    }
    line(format_args!("  </g>"));
    line(format_args!("</svg>"));
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(summary: Summary, message: &str, colour: &str) {
        assert_eq!(words(&summary), (message.to_owned(), colour));
        let svg = draw("conformance", message, colour);
        assert!(svg.contains(&format!("<title id=\"title\">conformance: {message}</title>")), "{svg}");
    }

    #[test]
    fn badge_shows_the_worst_verdict() {
        let all = Summary { pass: 1_200, not_advertised: 5, skipped: 2, ..Summary::default() };
        check(all, "1,200 passed", "#1a7f37");
        check(Summary { known: 3, ..all }, "1,200 of 1,203, 3 known", "#1a7f37");
        check(Summary { warn: 1, ..all }, "1,200 of 1,201, 1 warning", "#8a5a00");
        check(Summary { stale: 1, warn: 1, ..all }, "1,200 of 1,201, stale baseline", "#b3261e");
        check(Summary { fail: 2, warn: 1, ..all }, "1,200 of 1,203, 2 failed", "#b3261e");
        check(Summary { error: 1, fail: 2, ..all }, "1 broke off", "#6a4a9c");
        check(Summary::default(), "nothing was judged", "#5f6368");
    }

    #[test]
    fn suite_name_is_escaped() {
        assert!(!draw("a<script>\"&", "b", "#000").contains("<script>"));
    }
}
