//! The cases that passed, were not advertised, or were not tried, and the data that is too large for the page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::escape::{self, inline};
use super::{case, is_told};
use crate::format;
use crate::report::{CaseResult, Report, labels};

/// The page has at most this number of elements for cases. Further cases are data, which become elements when a
/// reader searches for them.
const ELEMENTS: usize = 1_500;

pub(super) fn write(page: &mut String, report: &Report, cases: &[&CaseResult]) {
    if cases.is_empty() {
        return;
    }
    let noun = labels::noun(report);
    append!(
        *page,
        "<section id=\"rest\" aria-labelledby=\"rest-title\"><h2 id=\"rest-title\">{} <span class=\"of\">{}</span></h2>\n",
        if cases.iter().any(|case| is_told(case)) {
            "Everything else"
        } else {
            "Passed, not advertised, skipped"
        },
        labels::count(cases.len(), noun)
    );
    let many = cases.len() > ELEMENTS;
    for (subject, mut cases) in in_order(cases) {
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        append!(
            *page,
            "<details class=\"group quiet\"><summary>{} <span class=\"of\">{}</span></summary>\n",
            inline(&subject),
            inline(&counted(&cases))
        );
        if many {
            page.push_str(
                "<p class=\"note\">Too many to list here: search above, or open the JSON report.</p>",
            );
        } else {
            for it in cases {
                element(page, it);
            }
        }
        page.push_str("</details>\n");
    }
    if many {
        append!(
            *page,
            "<ul class=\"found\" id=\"found\" aria-label=\"Found\"></ul>\n<script type=\"application/json\" id=\"data\">{}</script>\n",
            escape::data(&island(cases).to_string())
        );
    }
    page.push_str("</section>\n");
}

/// Returns the cases by subject, in the order in which subjects depend on each other.
fn in_order<'a>(cases: &[&'a CaseResult]) -> Vec<(String, Vec<&'a CaseResult>)> {
    let mut groups: BTreeMap<(usize, String), Vec<&CaseResult>> = BTreeMap::new();
    for case in cases {
        groups.entry(labels::subject(case)).or_default().push(case);
    }
    groups.into_iter().map(|((_, name), cases)| (name, cases)).collect()
}

fn counted(cases: &[&CaseResult]) -> String {
    let summary = crate::report::Summary::of(cases.iter().copied());
    labels::counts(&summary).into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(", ")
}

fn element(page: &mut String, it: &CaseResult) {
    case::open(page, it);
    case::requirement(page, it);
    if !it.exchanges.is_empty() {
        page.push_str("<h4>What was sent and what came</h4><ol class=\"exchanges\">");
        for exchange in &it.exchanges {
            append!(
                *page,
                "<li><code>{}</code></li>",
                inline(&format::cut(&labels::exchange(exchange), 300))
            );
        }
        page.push_str("</ol>");
    }
    page.push_str("</div></details>\n");
}

/// Returns the cases as data. Ids are sorted, so of each only the part is written that differs from the one before.
fn island(cases: &[&CaseResult]) -> Value {
    let mut cases = cases.to_vec();
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    let mut titles = Words::default();
    let mut documents = Words::default();
    let mut last = "";
    let mut lines = Vec::with_capacity(cases.len());
    for it in cases {
        let same = last.char_indices().zip(it.id.chars()).take_while(|((_, a), b)| a == b).count();
        let rest: String = it.id.chars().skip(same).collect();
        let (_, _, class) = case::look(it);
        let mut line = vec![
            json!(same),
            json!(rest),
            json!(class),
            json!(it.level.as_str()),
            json!(documents.number(&it.spec.document)),
            json!(titles.number(&it.title)),
        ];
        if let Some(because) = &it.because {
            line.push(json!(format::one_line(&format::cut(because, 200))));
        }
        lines.push(Value::Array(line));
        last = &it.id;
    }
    json!({ "cases": lines, "titles": titles.words, "documents": documents.words })
}

/// Texts that come often, by number.
#[derive(Default)]
struct Words<'a> {
    numbers: BTreeMap<&'a str, usize>,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    fn number(&mut self, word: &'a str) -> usize {
        *self.numbers.entry(word).or_insert_with(|| {
            self.words.push(word);
            self.words.len() - 1
        })
    }
}
