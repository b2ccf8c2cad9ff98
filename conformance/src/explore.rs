//! `conformance explore`: a model plays against a server.
//!
//! Random sequences of requests are judged by rules that hold whatever is asked in whatever order: an answer says what the next read
//! says, a resource that nobody addressed stays, a filter finds what matches it. `calibrate` learns what the subject lacks, which
//! is left out; `session` plays a sequence beside a `model` of its resources; a violation is shrunk to the fewest requests
//! (`shrink`), and can be written as a case (`case_file`).

mod attributes;
mod calibrate;
mod case_file;
mod check;
mod discovery;
mod model;
mod operation;
mod rule;
mod session;
mod shrink;
mod value;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use proptest::strategy::Strategy as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::sync::watch;

pub use crate::explore::calibrate::Unexplorable;
pub use crate::explore::case_file::{SaveError, Subject};
use crate::explore::rule::{Rule, Violation};
use crate::explore::session::{EndsAt, Stop, play};
use crate::explore::shrink::Minimal;
use crate::explore::world::World;
use crate::report::{CaseResult, Report, Summary, Verdict};
use crate::requirement::Level;
use crate::server::discovery::{Blank, Facts};
use crate::server::sweep;
use crate::subject::server::client::Client;

/// The fact that says what the subject lacks or refuses, and was left out.
pub const LEFT_OUT: &str = "left out";

/// The fact that counts the sequences and requests.
pub const PLAYED: &str = "played";

/// The run is given up after this number of sequences in a row without an answer.
const GIVE_UP_AFTER: usize = 12;

/// Returns the words of the rules.
pub fn rules() -> impl Iterator<Item = &'static str> {
    Rule::ALL.iter().map(|rule| rule.slug())
}

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of sequences to play in parallel.
    pub jobs: usize,
    /// Sequences and names follow from it.
    pub seed: u64,
    /// The largest number of operations in a sequence.
    pub steps: usize,
    /// The number of sequences.
    pub sequences: usize,
    /// No sequence is begun after this number of findings.
    pub findings: usize,
    /// The time to shrink one finding.
    pub patience: Duration,
    /// No sequence is begun after this time.
    pub time: Option<Duration>,
    /// Bodies to start from.
    pub blank: Blank,
    /// Becomes true if no further sequence may be begun.
    pub stop: watch::Receiver<bool>,
}

/// A violation of a rule, with the fewest requests that show it.
#[derive(Debug)]
pub struct Finding {
    violation: Violation,
    minimal: Minimal,
    /// The number of times that it was met, those of shrinking aside.
    count: usize,
}

impl Finding {
    /// Returns the id of the finding in reports.
    pub fn id(&self) -> String {
        format!("explore/{}", self.violation.key())
    }

    /// Writes the finding as a case file below a folder, and returns its path below that. The case is played first.
    ///
    /// # Errors
    /// The finding cannot be told as a case, the case does not fail, or the file cannot be written.
    pub async fn save(&self, folder: &Path, subject: Subject<'_>) -> Result<std::path::PathBuf, SaveError> {
        case_file::save(&self.violation, &self.minimal, folder, subject).await
    }

    fn verdict(&self) -> Verdict {
        match self.violation.level {
            Level::Must if self.minimal.is_certain() => Verdict::Fail,
            _ => Verdict::Warn,
        }
    }

    fn result(&self) -> CaseResult {
        let Violation { rule, level, why, expected, actual, .. } = &self.violation;
        let mut because = why.clone();
        if !self.minimal.is_certain() {
            append!(
                because,
                "; it was reproduced {} of {} times on fresh resources",
                self.minimal.hits,
                self.minimal.tries
            );
        }
        if self.count > 1 {
            append!(because, "; it was met {} times", self.count);
        }
        CaseResult {
            verdict: self.verdict(),
            because: Some(because),
            mend: Some(rule.hint().to_owned()),
            expected: expected.clone(),
            actual: actual.clone(),
            tags: vec![rule.slug().to_owned()],
            exchanges: self.minimal.transcript.exchanges.clone(),
            ..CaseResult::new(
                self.id(),
                rule.title().to_owned(),
                *level,
                rule.requirement().to_owned(),
                self.violation.spec(),
            )
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Explored {
    /// A case for each finding, and one for each rule that held.
    pub report: Report,
    /// The findings.
    pub findings: Vec<Finding>,
    /// What the server does not do, by kind, each with what it is about.
    pub left_out: BTreeMap<String, Vec<String>>,
    /// Resources that the server did not delete, by path.
    pub left_behind: Vec<String>,
}

impl Explored {
    /// Returns what was left out in a line for each kind, with at most `most` of what it is about.
    pub fn left_out_briefly(&self, most: usize) -> Vec<String> {
        self.left_out.iter().map(|(kind, about)| lack(kind, about, most)).collect()
    }
}

/// Explores a subject. `told` is told of each finding, and of each sequence that was played, as it comes.
///
/// # Errors
/// The smallest user cannot be created and read.
pub async fn explore(
    client: &Client,
    facts: &Facts,
    options: &Options,
    told: &dyn Fn(Progress<'_>),
) -> Result<Explored, Unexplorable> {
    let started = Instant::now();
    let Some(user) = facts.resource_type("User") else {
        return Err(Unexplorable::new("the server has no users"));
    };
    let run = crate::server::run_name(options.seed);
    let mut world = World::new(client, facts, &options.blank, user, run.clone());
    world.calibrate().await?;
    let world = world;
    let (played, broken, found) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let goes_on = || {
        !*options.stop.borrow()
            && options.time.is_none_or(|time| started.elapsed() < time)
            && broken.load(Ordering::Relaxed) < GIVE_UP_AFTER
            && found.load(Ordering::Relaxed) < options.findings
    };
    let numbers = stream::iter(0..options.sequences as u64);
    let told = |event: Progress<'_>| {
        if matches!(event, Progress::Found { .. }) {
            found.fetch_add(1, Ordering::Relaxed);
        }
        told(event);
    };
    let mut findings: Vec<Finding> = numbers
        .take_while(|_| std::future::ready(goes_on()))
        .map(|number| one(&world, options, number, &broken, &played, &told))
        .buffer_unordered(options.jobs.max(1))
        .filter_map(std::future::ready)
        .collect()
        .await;
    for finding in &mut findings {
        finding.count = world.count(&finding.violation.key());
    }
    let stopped = stopped(&world).await;
    if stopped.is_none() {
        findings.extend(discovery::changed(&world, facts).await);
    }
    findings.sort_by_key(Finding::id);
    let mut removed = sweep::remove(client, facts, &run).await;
    removed.and(client, world.leftovers.list()).await;
    let left_behind: Vec<String> = removed.stay.into_keys().collect();
    let played = played.load(Ordering::Relaxed);
    let mut cases = results(&findings, &world, played);
    if let Some(why) = stopped {
        for case in cases.iter_mut().filter(|case| case.id.ends_with(Rule::DiscoveryStays.slug())) {
            case.verdict = Verdict::Skipped;
            case.because = Some("the server stopped answering".to_owned());
        }
        cases.push(unanswered(format!("the server stopped answering: {why}")));
    } else if broken.load(Ordering::Relaxed) >= GIVE_UP_AFTER {
        cases.push(unanswered(format!("given up: {GIVE_UP_AFTER} sequences in a row got no answer")));
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    let mut lines = facts.lines();
    let requests = world.requests.load(Ordering::Relaxed);
    lines.insert(PLAYED.to_owned(), format!("{played} sequences, {requests} requests"));
    let left_out = world.limits();
    if !left_out.is_empty() {
        let all = left_out.iter().map(|(kind, about)| lack(kind, about, usize::MAX));
        lines.insert(LEFT_OUT.to_owned(), all.collect::<Vec<_>>().join("; "));
    }
    if !left_behind.is_empty() {
        lines.insert(crate::server::LEFT_BEHIND.to_owned(), left_behind.join(", "));
    }
    let report = Report {
        seed: options.seed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        facts: lines,
        summary: Summary::of(&cases),
        ..Report::new("explore", client.base(), cases)
    };
    Ok(Explored { report, findings, left_out, left_behind })
}

/// Returns a kind of thing that was left out, with at most `most` of what it is about.
fn lack(kind: &str, about: &[String], most: usize) -> String {
    let some = about.get(..most).unwrap_or(about);
    match about.len() - some.len() {
        0 if some.is_empty() => kind.to_owned(),
        0 => format!("{kind}: {}", some.join(", ")),
        more => format!("{kind}: {} and {more} more", some.join(", ")),
    }
}

/// The progress of a run.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A sequence was played.
    Played,
    /// A sequence broke off, for this reason.
    Broken(&'a str),
    /// A violation was found, and is being shrunk.
    Found {
        /// The word of the rule.
        rule: &'static str,
        /// What is wrong.
        why: &'a str,
    },
}

/// Plays the sequence of a number, and shrinks what it finds.
async fn one(
    world: &World<'_>,
    options: &Options,
    number: u64,
    broken: &AtomicUsize,
    played: &AtomicUsize,
    told: &dyn Fn(Progress<'_>),
) -> Option<Finding> {
    let strategy = operation::first(world.scope, usize::try_from(number).unwrap_or(usize::MAX))
        .unwrap_or_else(|| operation::sequences(world.scope, options.steps));
    let mut runner = runner(options.seed, number);
    let mut tree = strategy.new_tree(&mut runner).ok()?;
    let first = play(world, &proptest::strategy::ValueTree::current(&tree), EndsAt::New).await;
    played.fetch_add(1, Ordering::Relaxed);
    told(Progress::Played);
    match first.end {
        Ok(()) | Err(Stop::Ended) => {
            broken.store(0, Ordering::Relaxed);
            None
        }
        Err(Stop::Broken(why)) => {
            broken.fetch_add(1, Ordering::Relaxed);
            told(Progress::Broken(&why));
            None
        }
        Err(Stop::Found(violation)) => {
            broken.store(0, Ordering::Relaxed);
            told(Progress::Found { rule: violation.rule.slug(), why: &violation.why });
            let (violation, minimal) = shrink::shrink(
                world,
                &mut tree,
                *violation,
                first.transcript,
                (options.patience, &options.stop),
            )
            .await;
            Some(Finding { violation, minimal, count: 1 })
        }
    }
}

/// Returns the source of chance of a sequence, which depends on the seed and the number alone.
fn runner(seed: u64, number: u64) -> TestRunner {
    let mut bytes = [0_u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Returns a result for each finding, and for each rule without any.
fn results(findings: &[Finding], world: &World<'_>, played: usize) -> Vec<CaseResult> {
    let mut cases: Vec<_> = findings.iter().map(Finding::result).collect();
    for rule in Rule::ALL {
        if findings.iter().any(|finding| finding.violation.rule == *rule) {
            continue;
        }
        let missing = missing(*rule, world);
        let (verdict, because) = match missing {
            Some(why) => (Verdict::NotAdvertised, Some(why.to_owned())),
            None if played == 0 && *rule != Rule::DiscoveryStays => {
                (Verdict::Skipped, Some("no sequence was played".to_owned()))
            }
            None => (Verdict::Pass, None),
        };
        cases.push(CaseResult { verdict, because, ..rule_result(*rule) });
    }
    cases
}

fn rule_result(rule: Rule) -> CaseResult {
    CaseResult {
        tags: vec![rule.slug().to_owned()],
        ..CaseResult::new(
            format!("explore/{}", rule.slug()),
            rule.title().to_owned(),
            Level::Must,
            rule.requirement().to_owned(),
            rule.spec(),
        )
    }
}

/// Returns why a rule could not be tried with this subject.
fn missing(rule: Rule, world: &World<'_>) -> Option<&'static str> {
    let scope = world.scope;
    let (is_there, why) = match rule {
        Rule::PatchStores => (scope.patch, "the server has no PATCH"),
        Rule::BulkStores => (scope.bulk, "bulk requests are not advertised"),
        Rule::FilterFinds => (scope.filter, "filters are not supported"),
        Rule::SearchAgrees => (scope.filter && world.can.search, "the server has no .search"),
        Rule::PagesPartition => (world.can.scoped, "filters are not supported"),
        Rule::SortOrders => (scope.sort, "sorting is not advertised"),
        Rule::Conditional => (scope.etag, "entity tags are not advertised"),
        Rule::Membership => {
            (scope.groups.is_some() && world.can.user_groups, "users do not show their groups")
        }
        Rule::LargeGroups | Rule::NestedGroups | Rule::MembersAreTold => {
            (scope.groups.is_some(), "groups do not show their members")
        }
        Rule::BulkVersions => (scope.bulk && scope.etag, "bulk requests or entity tags are not advertised"),
        Rule::NeedsCredentials => (scope.credentials, "no credentials were given, so none can be left out"),
        Rule::SecretStaysHidden => (scope.password, "the schema has no password"),
        _ => (true, ""),
    };
    (!is_there).then_some(why)
}

/// Returns why the server gives no answer any more, if it gives none.
async fn stopped(world: &World<'_>) -> Option<String> {
    let request = world::query(&world.user.endpoint, &[("count", "1")]);
    let (exchange, answer) = world.client.send(&request).await;
    answer.is_none().then(|| exchange.error.unwrap_or_else(|| "no answer".to_owned()))
}

/// Returns the result for a subject whose smallest user cannot be created and read: the first rule is broken.
pub(crate) fn not_explored(why: &Unexplorable) -> CaseResult {
    CaseResult {
        verdict: Verdict::Fail,
        because: Some(why.to_string()),
        mend: Some(Rule::CreateStores.hint().to_owned()),
        ..rule_result(Rule::CreateStores)
    }
}

/// Returns the result for a server that gives no answers.
fn unanswered(why: String) -> CaseResult {
    CaseResult {
        verdict: Verdict::Error,
        because: Some(why),
        ..CaseResult::new(
            "explore/answers".to_owned(),
            "the server answers".to_owned(),
            Level::Must,
            "Each request is answered.".to_owned(),
            Rule::NoServerError.spec(),
        )
    }
}
