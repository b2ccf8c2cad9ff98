//! The results of every command: cases with verdicts, in one model that all formats are written from.
//!
//! The JSON is the published form; `schemaVersion` names its version. No report has secrets: [`crate::subject::server`]
//! redacts as it records, and [`crate::redact`] goes over the whole before it is written.

pub mod badge;
pub mod baseline;
pub mod curl;
pub mod diff;
pub mod entries;
pub mod github;
pub mod html;
pub mod json;
pub mod junit;
pub mod labels;
pub mod markdown;
pub mod merge;
pub mod output_format;
pub mod root_causes;
pub mod shard;
pub mod stages;
pub mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::Exit;
use crate::requirement::{Level, Shared, Spec};
use crate::transcript::Exchange;

/// The version of the JSON form that is written.
pub const SCHEMA_VERSION: u32 = 1;

/// The fact that has the expression of `--select`, where not everything was to be run.
pub const SELECTED: &str = "selected";

/// The fact that has the level of `--level`, where less binding requirements were left out.
pub const UP_TO: &str = "level";

/// The fact that has further options which a run like this one needs.
pub const OPTIONS: &str = "options";

/// The result of a case.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All expectations hold.
    Pass,
    /// The subject does not offer what the case is about.
    NotAdvertised,
    /// The case could not be tried: its preparation failed, or it was not allowed to run.
    Skipped,
    /// A SHOULD does not hold.
    Warn,
    /// The subject is wrong.
    Fail,
    /// The harness or the network broke. Neither pass nor fail.
    Error,
}

impl Verdict {
    /// All of them, in the order of summaries.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Warn, Self::NotAdvertised, Self::Skipped, Self::Error];

    /// Returns the word in reports and selections.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::NotAdvertised => "not-advertised",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }

    /// Whether an expectation does not hold, be the failure known or not.
    pub fn fails_or_warns(self) -> bool {
        matches!(self, Self::Fail | Self::Warn)
    }
}

/// A failure that is known and accepted for now (`--baseline`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Known {
    /// Why it is accepted.
    pub reason: String,
    /// The address at which the failure is tracked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// A case and its result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CaseResult {
    /// A stable slug, as in `rfc7644/3.5.2.1/add-keeps-other-values`.
    pub id: String,
    /// The statement that holds if the case passes.
    pub title: String,
    /// The level of the requirement.
    pub level: Level,
    /// The verdict.
    pub verdict: Verdict,
    /// The requirement in plain words.
    pub requirement: String,
    /// The section that states the requirement.
    pub spec: Spec,
    /// Why it ended so, one plain sentence; none for a pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The step that fixes a failure, for the subject's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
    /// An answer that would have passed: the status, header fields, an empty line, the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// The expectation that is behind it, where it has that in common with other cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Shared>,
    /// The attribute that `cause` is about, as in `emails.type`, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concerns: Option<String>,
    /// The expected value; null for a pass.
    #[serde(default)]
    pub expected: Value,
    /// The value that the subject sent; null for a pass.
    #[serde(default)]
    pub actual: Value,
    /// The failure is in the baseline, and counts as known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
    /// Tags for selections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The duration of the case.
    #[serde(default)]
    pub milliseconds: u64,
    /// The exchanges, redacted, in order.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
}

impl CaseResult {
    /// Returns the result of a case that passed, without tags and exchanges.
    pub(crate) fn new(id: String, title: String, level: Level, requirement: String, spec: Spec) -> Self {
        Self {
            id,
            title,
            level,
            verdict: Verdict::Pass,
            requirement,
            spec,
            because: None,
            mend: None,
            example: None,
            cause: None,
            concerns: None,
            expected: Value::Null,
            actual: Value::Null,
            known: None,
            tags: Vec::new(),
            milliseconds: 0,
            exchanges: Vec::new(),
        }
    }
}

/// The number of cases by verdict. A known failure counts in `known` and not in `fail` or `warn`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Cases that passed.
    pub pass: usize,
    /// Failed.
    pub fail: usize,
    /// A SHOULD does not hold.
    pub warn: usize,
    /// Cases about features that the subject does not advertise.
    pub not_advertised: usize,
    /// Cases that were not tried.
    pub skipped: usize,
    /// The harness or the network broke.
    pub error: usize,
    /// Failures and warnings that the baseline knows.
    #[serde(default)]
    pub known: usize,
    /// Entries of the baseline that hold no longer: the case passes, or there is no such case.
    #[serde(default)]
    pub stale: usize,
}

impl Summary {
    /// Counts cases.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a CaseResult>) -> Self {
        let mut summary = Self::default();
        for case in cases {
            *match (case.verdict, &case.known) {
                (Verdict::Fail | Verdict::Warn, Some(_)) => &mut summary.known,
                (Verdict::Pass, _) => &mut summary.pass,
                (Verdict::Fail, None) => &mut summary.fail,
                (Verdict::Warn, None) => &mut summary.warn,
                (Verdict::NotAdvertised, _) => &mut summary.not_advertised,
                (Verdict::Skipped, _) => &mut summary.skipped,
                (Verdict::Error, _) => &mut summary.error,
            } += 1;
        }
        summary
    }

    /// Returns the number of all cases.
    pub fn total(&self) -> usize {
        self.pass + self.fail + self.warn + self.not_advertised + self.skipped + self.error + self.known
    }

    /// Returns the exit code: errors before failures, and a stale baseline is a failure.
    pub fn exit(&self) -> Exit {
        if self.error > 0 {
            Exit::Broken
        } else if self.fail > 0 || self.stale > 0 {
            Exit::Failed
        } else {
            Exit::Passed
        }
    }
}

/// A run of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The command that made it: `server`, `client`, `matrix`, `probe`.
    #[serde(default)]
    pub suite: String,
    /// The subject: a URL without credentials, or a name.
    pub subject: String,
    /// The version of the harness.
    #[serde(default)]
    pub version: String,
    /// The value of `--seed` that repeats the run.
    #[serde(default)]
    pub seed: u64,
    /// The duration of the run.
    #[serde(default)]
    pub milliseconds: u64,
    /// The capabilities that the subject advertises, and other facts worth a line, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, String>,
    /// The part of a whole, as in `2/4`; none for a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The counts.
    pub summary: Summary,
    /// Entries of the baseline that hold no longer, by id, with what to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<String>,
    /// Why the subject could not be judged; then the only case is the connection test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_judged: Option<NotJudged>,
    /// The cases in the order of their ids.
    pub cases: Vec<CaseResult>,
}

/// Why no case was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotJudged {
    /// A stable word, as in `unauthorized`, `not-found` or `timed-out`.
    pub code: String,
    /// The reason in words.
    pub message: String,
    /// The next step for the reader.
    pub next: String,
}

/// The id of the only case in a report of a subject that could not be judged.
pub const CONNECTION_TEST: &str = "connection-test";

impl Report {
    /// Returns a report of these cases, counted; all other fields are empty.
    pub fn new(suite: &str, subject: &str, cases: Vec<CaseResult>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            suite: suite.to_owned(),
            subject: subject.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: 0,
            milliseconds: 0,
            facts: BTreeMap::new(),
            shard: None,
            summary: Summary::of(&cases),
            stale: Vec::new(),
            not_judged: None,
            cases,
        }
    }

    /// Returns a report that says why no case was run: its only case is the connection test, which broke off.
    pub fn not_judged(suite: &str, subject: &str, why: NotJudged) -> Self {
        let case = CaseResult {
            verdict: Verdict::Error,
            because: Some(format!("no case was run: {}", why.message)),
            mend: Some(why.next.clone()),
            tags: vec![format!("{}connection test", labels::ABOUT)],
            ..CaseResult::new(
                CONNECTION_TEST.to_owned(),
                "the connection test passes".to_owned(),
                Level::Must,
                "A list of users can be read. No case is run before that.".to_owned(),
                Spec { document: "RFC 7644".to_owned(), section: "3.4.2".to_owned(), also: Vec::new() },
            )
        };
        Self { not_judged: Some(why), ..Self::new(suite, subject, vec![case]) }
    }

    /// Forgets what a baseline said, before another is applied.
    pub fn forget_known(&mut self) {
        self.stale.clear();
        for case in &mut self.cases {
            case.known = None;
        }
    }
}
