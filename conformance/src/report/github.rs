//! The output for GitHub: annotations, and a summary of the step.

use std::path::PathBuf;

use super::{Report, Verdict, markdown};
use crate::format;
use crate::report::entries::{self, Entry};
use crate::report::labels;

/// GitHub shows no more of each kind.
const OF_A_KIND: usize = 10;

/// The features of GitHub's runner; none anywhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Whether the runner interprets lines like `::error::`.
    pub annotations: bool,
    /// The file that the step's summary is appended to.
    pub summary: Option<PathBuf>,
}

impl Surroundings {
    /// Reads them from the environment.
    pub fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            annotations: variable("GITHUB_ACTIONS").as_deref() == Some("true"),
            summary: variable("GITHUB_STEP_SUMMARY").filter(|file| !file.is_empty()).map(PathBuf::from),
        }
    }
}

/// Returns one line for each case that needs attention, up to the number that is shown.
pub fn annotations(report: &Report) -> String {
    let mut text = String::new();
    let mut told = [0_usize; 2];
    let annotated = entries::in_order(report).into_iter().flat_map(|entry| match entry {
        Entry::Case(case) => vec![(None, case)],
        // Of a shared expectation the first case speaks for all.
        Entry::Cause(cause) if cause.says_all() => {
            let first = cause.cases.first().copied();
            first.map(|case| (Some(cause), case)).into_iter().collect()
        }
        Entry::Cause(cause) => cause.cases.into_iter().map(|case| (None, case)).collect(),
    });
    for (behind, case) in annotated {
        let (kind, at) = if case.verdict == Verdict::Warn { ("warning", 0) } else { ("error", 1) };
        told[at] += 1;
        if told[at] > OF_A_KIND {
            continue;
        }
        let because = match &behind {
            Some(cause) => cause.because(),
            None => case.because.clone().unwrap_or_else(|| case.title.clone()),
        };
        let mend = behind.map(|cause| cause.advice(report)).or_else(|| case.mend.clone());
        let mend = mend.map_or_else(String::new, |mend| format!("\nMend: {mend}"));
        let message = format!(
            "{}{}\n{}, {}",
            format::one_line(&because),
            format::lines(&mend),
            labels::level(case.level),
            format::one_line(&labels::spec(&case.spec))
        );
        append!(text, "::{kind} title={}::{}\n", property(&format::one_line(&case.id)), data(&message));
    }
    for stale in report.stale.iter().take(OF_A_KIND.saturating_sub(told[1])) {
        append!(
            text,
            "::error title={}::{}\n",
            property("stale baseline entry"),
            data(&format::one_line(stale))
        );
    }
    let left_out: usize = told.iter().map(|told| told.saturating_sub(OF_A_KIND)).sum();
    if left_out > 0 {
        append!(
            text,
            "::notice::{}\n",
            data(&format!("{left_out} more are in the step's summary and in the reports"))
        );
    }
    text
}

/// Returns the line for a run that failed to start.
pub fn complaint(message: &str) -> String {
    format!("::error title=conformance::{}\n", data(&format::lines(message)))
}

/// Returns the text for the step's summary.
pub fn summary(report: &Report) -> String {
    format!("{}\n", markdown::write(report))
}

/// Returns the text of a workflow command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns the value of a property of a workflow command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflow_commands_are_escaped() {
        assert_eq!(data("a%b\r\nc"), "a%25b%0D%0Ac");
        assert_eq!(property("a,b::c%\n"), "a%2Cb%3A%3Ac%25%0A");
    }

    #[test]
    fn annotations_need_a_github_runner() {
        let variable = |name: &str| match name {
            "GITHUB_ACTIONS" => Some("true".to_owned()),
            "GITHUB_STEP_SUMMARY" => Some("/tmp/summary".to_owned()),
            _ => None,
        };
        let there = Surroundings::of(variable);
        assert_eq!((there.annotations, there.summary), (true, Some("/tmp/summary".into())));
        assert_eq!(Surroundings::of(|_| Some(String::new())), Surroundings::default());
    }
}
