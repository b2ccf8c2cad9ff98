//! What changed between two reports of one suite.

use std::collections::BTreeMap;

use crate::format;
use crate::report::{CaseResult, Report, Verdict, labels};

/// The cases that ended otherwise.
#[derive(Debug, Default)]
pub struct Difference<'a> {
    /// Cases that fail now and did not before, with the verdict before; `None` if they are new.
    pub broken: Vec<(Option<Verdict>, &'a CaseResult)>,
    /// Cases that failed before and do not now, with the verdict before.
    pub mended: Vec<(Verdict, &'a CaseResult)>,
    /// Other changes of a verdict.
    pub changed: Vec<(Verdict, &'a CaseResult)>,
    /// Ids of cases that are in the old report alone.
    pub gone: Vec<&'a str>,
    /// The number of cases that are in the new report alone and do not fail.
    pub new: usize,
    /// The number of cases that ended as before.
    pub same: usize,
}

fn is_bad(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Fail | Verdict::Error)
}

/// Compares two reports.
pub fn difference<'a>(old: &'a Report, new: &'a Report) -> Difference<'a> {
    let before: BTreeMap<&str, &CaseResult> = old.cases.iter().map(|case| (case.id.as_str(), case)).collect();
    let mut difference = Difference::default();
    for case in &new.cases {
        match before.get(case.id.as_str()).map(|case| case.verdict) {
            None if is_bad(case.verdict) => difference.broken.push((None, case)),
            None => difference.new += 1,
            Some(verdict) if verdict == case.verdict => difference.same += 1,
            Some(verdict) if is_bad(case.verdict) && !is_bad(verdict) => {
                difference.broken.push((Some(verdict), case));
            }
            Some(verdict) if is_bad(verdict) && !is_bad(case.verdict) => {
                difference.mended.push((verdict, case));
            }
            Some(verdict) => difference.changed.push((verdict, case)),
        }
    }
    let now: std::collections::BTreeSet<&str> = new.cases.iter().map(|case| case.id.as_str()).collect();
    difference.gone = before.keys().filter(|id| !now.contains(**id)).copied().collect();
    difference
}

impl Difference<'_> {
    /// Returns the difference in Markdown, for a pull request.
    pub fn markdown(&self, old: &Report, new: &Report) -> String {
        let mut text = format!(
            "### Conformance of {}: {}\n\n",
            format::one_line(&new.subject),
            match (self.broken.len(), self.mended.len()) {
                (0, 0) => "no case fails anew".to_owned(),
                (0, mended) => format!("{} mended", labels::count(mended, "case")),
                (broken, 0) => format!("{} broken", labels::count(broken, "case")),
                (broken, mended) => format!("{} broken, {mended} mended", labels::count(broken, "case")),
            }
        );
        let count = |report: &Report| {
            let parts: Vec<_> = labels::counts(&report.summary).into_iter().map(|(_, text)| text).collect();
            parts.join(", ")
        };
        append!(text, "| | |\n|---|---|\n| before | {} |\n| now | {} |\n\n", count(old), count(new));
        let mut table = |title: &str, rows: &[(String, &CaseResult)]| {
            if rows.is_empty() {
                return;
            }
            append!(text, "**{title}**\n\n| case | before | now | why |\n|---|---|---|---|\n");
            for (before, case) in rows.iter().take(ROWS) {
                let why = case.because.as_deref().unwrap_or_default();
                let cell = |text: &str| format::one_line(text).replace('|', "\\|");
                append!(
                    text,
                    "| `{}` | {before} | {} | {} |\n",
                    cell(&case.id),
                    labels::verdict(case.verdict),
                    cell(&format::cut(why, CELL))
                );
            }
            if rows.len() > ROWS {
                append!(text, "\n… and {} more\n", rows.len() - ROWS);
            }
            text.push('\n');
        };
        let before = |verdict: Option<Verdict>| verdict.map_or("new", labels::verdict).to_owned();
        let broken: Vec<_> = self.broken.iter().map(|(verdict, case)| (before(*verdict), *case)).collect();
        let mended: Vec<_> =
            self.mended.iter().map(|(verdict, case)| (before(Some(*verdict)), *case)).collect();
        let changed: Vec<_> =
            self.changed.iter().map(|(verdict, case)| (before(Some(*verdict)), *case)).collect();
        table("Broken", &broken);
        table("Mended", &mended);
        table("Changed otherwise", &changed);
        if !self.gone.is_empty() {
            append!(
                text,
                "{} of the old report are not in the new one.\n",
                labels::count(self.gone.len(), "case")
            );
        }
        if self.new > 0 {
            append!(text, "{} are new and do not fail.\n", labels::count(self.new, "case"));
        }
        text
    }

    /// Returns the difference for a terminal: a line a case.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |head: &str, before: &str, case: &CaseResult| {
            let why = case.because.as_deref().unwrap_or_default();
            append!(
                text,
                "{head:<7} {}  {before} -> {}{}{}\n",
                format::one_line(&case.id),
                labels::verdict(case.verdict),
                if why.is_empty() { "" } else { ": " },
                format::one_line(&format::cut(why, CELL))
            );
        };
        for (verdict, case) in &self.broken {
            line("BROKEN", verdict.map_or("new", labels::verdict), case);
        }
        for (verdict, case) in &self.mended {
            line("MENDED", labels::verdict(*verdict), case);
        }
        for (verdict, case) in &self.changed {
            line("CHANGED", labels::verdict(*verdict), case);
        }
        for id in &self.gone {
            append!(text, "GONE    {}\n", format::one_line(id));
        }
        append!(
            text,
            "{} broken, {} mended, {} changed otherwise, {} new, {} gone, {} as before\n",
            self.broken.len(),
            self.mended.len(),
            self.changed.len(),
            self.new,
            self.gone.len(),
            self.same
        );
        text
    }
}

/// Rows of a table.
const ROWS: usize = 50;

/// Characters of a reason.
const CELL: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirement::{Level, Spec};

    fn report(cases: &[(&str, Verdict)]) -> Report {
        let spec = Spec { document: "RFC 7644".to_owned(), section: "3.3".to_owned(), also: Vec::new() };
        let case = |(id, verdict): &(&str, Verdict)| CaseResult {
            verdict: *verdict,
            because: Some("a | b".to_owned()),
            ..CaseResult::new((*id).to_owned(), "t".to_owned(), Level::Must, "r".to_owned(), spec.clone())
        };
        Report::new("server", "http://h", cases.iter().map(case).collect())
    }

    #[test]
    fn cases_are_told_by_what_became_of_them() {
        let old =
            report(&[("a", Verdict::Pass), ("b", Verdict::Fail), ("c", Verdict::Pass), ("d", Verdict::Pass)]);
        let new = report(&[
            ("a", Verdict::Fail),
            ("b", Verdict::Pass),
            ("c", Verdict::Warn),
            ("e", Verdict::Fail),
            ("f", Verdict::Pass),
        ]);
        let difference = difference(&old, &new);
        assert_eq!(
            difference.text(),
            "BROKEN  a  passed -> failed: a | b\nBROKEN  e  new -> failed: a | b\nMENDED  b  failed -> passed: a | b\n\
             CHANGED c  passed -> warning: a | b\nGONE    d\n\
             2 broken, 1 mended, 1 changed otherwise, 1 new, 1 gone, 0 as before\n"
        );
        let markdown = difference.markdown(&old, &new);
        assert!(
            markdown.starts_with("### Conformance of http://h: 2 cases broken, 1 mended\n"),
            "{markdown}"
        );
        assert!(markdown.contains("| `a` | passed | failed | a \\| b |"), "{markdown}");
    }

    #[test]
    fn equal_reports_have_no_difference() {
        let old = report(&[("a", Verdict::Fail)]);
        let difference = difference(&old, &old);
        assert!(difference.broken.is_empty() && difference.mended.is_empty());
        assert_eq!(difference.same, 1);
    }
}
