//! The document as one page: it loads nothing, runs no script, and is read on a phone, in the dark and on paper.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::{Document, Group, account, capitalized, group_reason, heading, members};
use crate::report::{Outcome, word};
use crate::visible::visible;

const STYLE: &str = include_str!("page.css");
/// Groups with more users are closed at first.
const OPEN: usize = 20;

/// Returns the document as a page.
pub fn to_html(document: &Document<'_>) -> String {
    let mut page = String::new();
    head(&mut page, document);
    page.push_str("<main>\n<ul class=\"figures\">\n");
    for (name, number) in document.figures() {
        let class = if number > 0 { outcome_class(name) } else { "" };
        let _ = writeln!(page, "<li><b class=\"{class}\">{number}</b>{name}</li>");
    }
    page.push_str("</ul>\n<h2>What needs a person</h2>\n");
    let failed = |group: &&Group<'_>| group.outcome == Outcome::Failed;
    let needs = document.needs();
    for need in &needs {
        let _ = writeln!(page, "<p class=\"why\">{}.</p>", escaped(&capitalized(need)));
    }
    let has_failed_groups = !document.target_groups(true).0.is_empty();
    if needs.is_empty() && !has_failed_groups && !document.groups.iter().any(|group| failed(&group)) {
        page.push_str("<p>Nothing.</p>\n");
    }
    document.groups.iter().filter(failed).for_each(|group| write_group(&mut page, group));
    write_target_groups(&mut page, document, true);
    page.push_str("<h2>Other users by outcome</h2>\n");
    let others = || document.groups.iter().filter(|group| !failed(group));
    if others().next().is_none() {
        page.push_str("<p>None.</p>\n");
    }
    others().for_each(|group| write_group(&mut page, group));
    write_target_groups(&mut page, document, false);
    page.push_str("<h2>The run</h2>\n<table class=\"facts\"><tbody>\n");
    for (name, value) in document.facts() {
        let _ = writeln!(page, "<tr><th scope=\"row\">{name}</th><td>{}</td></tr>", escaped(&value));
    }
    page.push_str(
        "</tbody></table>\n<h2>Requests</h2>\n<table><thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Endpoint</th>\
         <th scope=\"col\">Answer</th><th scope=\"col\" class=\"number\">Number</th></tr></thead><tbody>\n",
    );
    for (method, endpoint, answer, number) in document.requests() {
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td><code>{}</code></td><td>{}</td><td class=\"number\">{number}</td></tr>",
            escaped(method),
            escaped(endpoint),
            escaped(answer),
        );
    }
    page.push_str("</tbody></table>\n<h2>Settings</h2>\n<table class=\"facts\"><tbody>\n");
    for setting in &document.settings {
        let _ = writeln!(
            page,
            "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td></tr>",
            escaped(&setting.name),
            escaped(&setting.value),
        );
    }
    page.push_str("</tbody></table>\n</main>\n</body>\n</html>\n");
    page
}

fn head(page: &mut String, document: &Document<'_>) {
    let summary = &document.report.summary;
    let failed_groups = summary.groups.as_ref().map_or(0, |groups| groups.failed);
    let class = match (&summary.stopped, summary.failed + failed_groups) {
        (None, 0) => "success",
        (Some(_) | None, _) => "failed",
    };
    let _ = writeln!(
        page,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>{headline} – {connection}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><p class=\"kind\">Provisioning run</p><h1>{connection}</h1><p class=\"verdict {class}\">{headline}</p>",
        STANDARD.encode(Sha256::digest(STYLE.as_bytes())),
        headline = escaped(&document.headline()),
        connection = escaped(document.connection),
    );
    if let Some(stopped) = &summary.stopped {
        let _ = writeln!(page, "<p>{}</p>", escaped(&stopped.message));
    }
    page.push_str("</header>\n");
}

fn outcome_class(figure: &str) -> &'static str {
    match figure {
        "failed" | "failed deprovisions" | "groups failed" => "failed",
        "partial" => "partial",
        "unsynced" => "unsynced",
        "success" => "success",
        _ => "",
    }
}

fn write_group(page: &mut String, group: &Group<'_>) {
    let open = if group.lines.len() <= OPEN { " open" } else { "" };
    let _ = writeln!(
        page,
        "<details{open}><summary><strong class=\"{}\">{}</strong></summary>\n<p class=\"why\">{}.</p>\n\
         <table class=\"users\"><thead><tr><th scope=\"col\">User</th><th scope=\"col\">Id at the source</th>\
         <th scope=\"col\">Account</th><th scope=\"col\">Change</th><th scope=\"col\">Detail</th></tr></thead><tbody>",
        word(&group.outcome),
        escaped(&heading(group)),
        escaped(group.explanation()),
    );
    let (listed, others) = group.listed();
    for line in listed {
        let _ = writeln!(
            page,
            "<tr><td data-name=\"User\">{}</td><td data-name=\"Source id\">{}</td><td data-name=\"Account\">{}</td>\
             <td data-name=\"Change\">{}</td><td data-name=\"Detail\">{}</td></tr>",
            escaped(line.user_name.as_str()),
            escaped(line.source_id.as_str()),
            escaped(account(line)),
            word(&line.change),
            escaped(line.detail.as_deref().unwrap_or_default()),
        );
    }
    page.push_str("</tbody></table>\n");
    if others > 0 {
        let _ = writeln!(page, "<p>… and {others} more: <code>provisioner log</code> lists all.</p>");
    }
    page.push_str("</details>\n");
}

/// Writes the groups of the target that failed, or the others, if there are any.
fn write_target_groups(page: &mut String, document: &Document<'_>, failed: bool) {
    let (listed, others) = document.target_groups(failed);
    if listed.is_empty() {
        return;
    }
    let heading = if failed { "<h3>Groups</h3>" } else { "<h2>Other groups by outcome</h2>" };
    let _ = writeln!(
        page,
        "{heading}\n<table class=\"users\"><thead><tr><th scope=\"col\">Group</th><th scope=\"col\">Id at the source</th>\
         <th scope=\"col\">Id at the target</th><th scope=\"col\">Change</th><th scope=\"col\">Outcome</th>\
         <th scope=\"col\">Members</th><th scope=\"col\">Reason</th></tr></thead><tbody>",
    );
    for line in listed {
        let _ = writeln!(
            page,
            "<tr><td data-name=\"Group\">{}</td><td data-name=\"Source id\">{}</td><td data-name=\"Target id\">{}</td>\
             <td data-name=\"Change\">{}</td><td data-name=\"Outcome\"><strong class=\"{outcome}\">{outcome}</strong>, {}</td>\
             <td data-name=\"Members\">{}</td><td data-name=\"Reason\">{}</td></tr>",
            escaped(&line.name),
            escaped(line.source_id.as_str()),
            escaped(line.target_id.as_ref().map_or("–", |id| id.as_str())),
            word(&line.change),
            word(&line.operation),
            members(line),
            escaped(&group_reason(line)),
            outcome = word(&line.outcome),
        );
    }
    page.push_str("</tbody></table>\n");
    if others > 0 {
        let _ = writeln!(page, "<p>… and {others} more: <code>provisioner log</code> lists all.</p>");
    }
}

/// Returns `text` as text of the page, in one line.
fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in visible(text).chars() {
        match sign {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            _ => shown.push(sign),
        }
    }
    shown
}
