//! The document in Markdown (GitHub's form, for its tables).

use std::fmt::Write as _;

use super::{Document, Group, account, capitalized, group_reason, heading, members};
use crate::report::{Outcome, word};
use crate::visible::visible;

/// Returns the document in Markdown.
pub fn to_markdown(document: &Document<'_>) -> String {
    let mut text = format!(
        "# Provisioning run of {}\n\n**{}**\n\n",
        inline(document.connection),
        inline(&document.headline())
    );
    if let Some(stopped) = &document.report.summary.stopped {
        let _ = writeln!(text, "{}\n", inline(&stopped.message));
    }
    text.push_str("| figure | users |\n|---|--:|\n");
    for (name, number) in document.figures() {
        let _ = writeln!(text, "| {name} | {number} |");
    }
    let failed = |group: &&Group<'_>| group.outcome == Outcome::Failed;
    text.push_str("\n## What needs a person\n\n");
    let needs = document.needs();
    for need in &needs {
        let _ = writeln!(text, "{}.\n", inline(&capitalized(need)));
    }
    let has_failed_groups = !document.target_groups(true).0.is_empty();
    if needs.is_empty() && !has_failed_groups && !document.groups.iter().any(|group| failed(&group)) {
        text.push_str("Nothing.\n\n");
    }
    document.groups.iter().filter(failed).for_each(|group| write_group(&mut text, group));
    write_target_groups(&mut text, document, true);
    text.push_str("## Other users by outcome\n\n");
    let others = || document.groups.iter().filter(|group| !failed(group));
    if others().next().is_none() {
        text.push_str("None.\n\n");
    }
    others().for_each(|group| write_group(&mut text, group));
    write_target_groups(&mut text, document, false);
    text.push_str("## The run\n\n| | |\n|---|---|\n");
    for (name, value) in document.facts() {
        let _ = writeln!(text, "| {name} | {} |", inline(&value));
    }
    text.push_str("\n## Requests\n\n| method | endpoint | answer | number |\n|---|---|---|--:|\n");
    for (method, endpoint, answer, number) in document.requests() {
        let _ =
            writeln!(text, "| {} | {} | {} | {number} |", inline(method), inline(endpoint), inline(answer));
    }
    text.push_str("\n## Settings\n\n| setting | value |\n|---|---|\n");
    for setting in &document.settings {
        let _ = writeln!(text, "| {} | {} |", inline(&setting.name), inline(&setting.value));
    }
    text
}

fn write_group(text: &mut String, group: &Group<'_>) {
    let _ =
        writeln!(text, "### {}\n\n{}.\n", inline(&heading(group)), inline(&capitalized(group.explanation())));
    text.push_str("| user | id at the source | account | change | detail |\n|---|---|---|---|---|\n");
    let (listed, others) = group.listed();
    for line in listed {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            inline(line.user_name.as_str()),
            inline(line.source_id.as_str()),
            inline(account(line)),
            word(&line.change),
            inline(line.detail.as_deref().unwrap_or_default()),
        );
    }
    if others > 0 {
        let _ = writeln!(text, "\n… and {others} more: `provisioner log` lists all.");
    }
    text.push('\n');
}

/// Writes the groups of the target that failed, or the others, if there are any.
fn write_target_groups(text: &mut String, document: &Document<'_>, failed: bool) {
    let (listed, others) = document.target_groups(failed);
    if listed.is_empty() {
        return;
    }
    text.push_str(if failed { "### Groups\n\n" } else { "## Other groups by outcome\n\n" });
    text.push_str(
        "| outcome | group | id at the source | id at the target | change | operation | members | reason |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for line in listed {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} |",
            word(&line.outcome),
            inline(&line.name),
            inline(line.source_id.as_str()),
            inline(line.target_id.as_ref().map_or("–", |id| id.as_str())),
            word(&line.change),
            word(&line.operation),
            members(line),
            inline(&group_reason(line)),
        );
    }
    if others > 0 {
        let _ = writeln!(text, "\n… and {others} more: `provisioner log` lists all.");
    }
    text.push('\n');
}

/// Returns `text` as one line that has no markup: what others sent is shown as it is.
fn inline(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let text = visible(text);
    for (at, sign) in text.char_indices() {
        match sign {
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '&' => shown.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                shown.push('\\');
                shown.push(sign);
            }
            // A bare address becomes a link.
            '@' => shown.push_str("&#64;"),
            ':' if text[at..].starts_with("://") => shown.push_str("&#58;"),
            _ => shown.push(sign),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_has_no_markup() {
        assert_eq!(inline("<img src=x>|a`b*c_d\n# x"), "&lt;img src=x&gt;\\|a\\`b\\*c\\_d\\\\n\\# x");
        assert_eq!(inline("http://x.example"), "http&#58;//x.example");
    }
}
