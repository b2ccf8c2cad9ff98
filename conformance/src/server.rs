//! `conformance server`: plays cases against a subject, judges the answers, and leaves nothing behind.

pub(crate) mod again;
mod bindings;
pub(crate) mod blank;
pub(crate) mod cleanup;
pub mod cost;
pub(crate) mod deviation;
pub mod discovery;
mod example;
mod findings;
mod fit;
pub(crate) mod hint;
mod judge;
pub mod names;
pub mod preflight;
mod runner;
pub mod sweep;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, watch};

use crate::case::Case;
use crate::case::step::{Action, Step};
use crate::report::labels::count;
use crate::report::{CaseResult, Report, SCHEMA_VERSION, Summary, Verdict};
use crate::server::cleanup::Leftovers;
use crate::server::deviation::Deviation;
use crate::server::discovery::{Blank, Facts};
use crate::server::findings::Findings;
pub use crate::server::hint::HINT;
use crate::server::hint::template_hint;
pub(crate) use crate::server::names::run_name;
use crate::server::sweep::Staying;
use crate::subject::server::client::{Answer, Client};

/// The prefix of the names of all resources that the harness creates.
pub const PREFIX: &str = "conformance-";

/// The fact that has what the server did not delete, by path.
pub const LEFT_BEHIND: &str = "left behind";

/// The fact that counts which of these are accounts that the server's DELETE deactivates and keeps.
pub const DEACTIVATED: &str = "deactivated instead of deleted";

/// The fact that says, of a server without DELETE, how many of these it does not delete, and the status: `3, 405`.
pub const WITHOUT_DELETE: &str = "left for want of DELETE";

/// The fact that says where not everything that the run left could be searched.
pub const UNSEARCHED: &str = "not searched for leftovers";

/// The fact that counts what the run leaves because it is to be kept.
pub const KEPT: &str = "kept at the server";

/// The fact that counts what runs other than this one left.
pub const OF_OTHERS: &str = "left by other runs";

/// The reason of a case or variant that was not tried, or not completed, because the run was ended.
pub const INTERRUPTED: &str = "interrupted";

/// The options of a run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of cases to run in parallel.
    pub jobs: usize,
    /// Names follow from it.
    pub seed: u64,
    /// Resources that the run creates are not deleted.
    pub keep: bool,
    /// Cases that pass keep their exchanges.
    pub keep_exchanges: bool,
    /// Bodies to start from.
    pub blank: Blank,
    /// Becomes true if no further step may be taken.
    pub stop: watch::Receiver<bool>,
}

/// The state that all cases of a run share.
pub(crate) struct RunContext {
    client: Client,
    facts: Facts,
    blank: Blank,
    /// The part of names that all resources of the run share.
    run: String,
    keep: bool,
    keep_exchanges: bool,
    stop: watch::Receiver<bool>,
    leftovers: Leftovers,
    /// Deviations that were passed over.
    deviations: Mutex<BTreeSet<Deviation>>,
    /// The hint for a server that refuses the smallest user.
    refused: OnceLock<String>,
    /// The findings about the server.
    findings: Findings,
    /// Cases in a row that broke off.
    broken: AtomicUsize,
}

/// The run is aborted after this number of consecutive cases that broke off.
const GIVE_UP_AFTER: usize = 12;

impl RunContext {
    /// Notes a deviation that is passed over.
    fn note(&self, deviation: Deviation) {
        self.deviations.lock().unwrap_or_else(PoisonError::into_inner).insert(deviation);
    }

    /// Notes that a user of no special kind cannot be created.
    fn refused(&self, step: &Step, answer: &Answer) {
        let plain = matches!(&step.action, Action::Create { resource_type, with: None, .. }
            if resource_type.eq_ignore_ascii_case("User"));
        if plain
            && let Some(hint) =
                template_hint(answer.status, answer.json.as_ref().unwrap_or(&serde_json::Value::Null))
        {
            self.refused.get_or_init(|| hint);
        }
    }

    /// Counts cases that broke off, for a server that is away has nothing more to be asked.
    fn went(&self, result: &CaseResult) {
        match result.verdict {
            Verdict::Error => {
                self.broken.fetch_add(1, Ordering::Relaxed);
            }
            Verdict::Pass | Verdict::Fail | Verdict::Warn => self.broken.store(0, Ordering::Relaxed),
            Verdict::NotAdvertised | Verdict::Skipped => {}
        }
    }

    /// Returns the reason why the run is given up.
    fn given_up(&self) -> Option<String> {
        let broken = self.broken.load(Ordering::Relaxed);
        (broken >= GIVE_UP_AFTER).then(|| {
            format!("not tried: {GIVE_UP_AFTER} cases in a row broke off, the server gives no answers that say anything")
        })
    }
}

/// Plays the cases, and tells each result as it comes. Those of the report are in the order of their ids.
pub async fn run(
    client: Client,
    facts: Facts,
    cases: &[Case],
    options: Options,
    mut told: impl FnMut(&CaseResult),
) -> Report {
    let started = Instant::now();
    let subject = client.base().to_owned();
    let mut lines = facts.lines();
    let context = Arc::new(RunContext {
        client,
        facts,
        blank: options.blank,
        run: run_name(options.seed),
        keep: options.keep,
        keep_exchanges: options.keep_exchanges,
        stop: options.stop,
        leftovers: Leftovers::default(),
        deviations: Mutex::default(),
        refused: OnceLock::new(),
        findings: Findings::default(),
        broken: AtomicUsize::new(0),
    });
    let mut results = Vec::with_capacity(cases.len());
    let mut unsettled = BTreeSet::new();
    let (exclusive, together): (Vec<_>, Vec<_>) =
        cases.iter().cloned().enumerate().partition(|(_, case)| case.exclusive);
    for (cases, jobs) in [(together, options.jobs.max(1)), (exclusive, 1)] {
        let mut receiver = start(&context, cases, jobs);
        while let Some(result) = receiver.recv().await {
            // Whether a failure stands may become clear at the end.
            if result.verdict.fails_or_warns() {
                unsettled.insert(result.id.clone());
            } else {
                told(&result);
            }
            results.push(result);
        }
    }
    results.sort_by(|a, b| a.id.cmp(&b.id));
    context.findings.settle(&mut results);
    results.iter().filter(|result| unsettled.contains(&result.id)).for_each(told);
    if context.keep {
        let search = sweep::search(&context.client, &context.facts).await;
        let kept =
            search.found.iter().filter(|found| found.run.as_deref() == Some(context.run.as_str())).count();
        if kept > 0 {
            lines.insert(KEPT.to_owned(), count(kept, "resource"));
        }
    } else {
        let mut removed = sweep::remove(&context.client, &context.facts, &context.run).await;
        removed.and(&context.client, context.leftovers.list()).await;
        if removed.others > 0 {
            lines.insert(OF_OTHERS.to_owned(), count(removed.others, "resource"));
        }
        if !removed.unsearched.is_empty() {
            lines.insert(UNSEARCHED.to_owned(), removed.unsearched.join("; "));
        }
        if !removed.stay.is_empty() {
            let paths: Vec<_> = removed.stay.keys().map(String::as_str).collect();
            lines.insert(LEFT_BEHIND.to_owned(), paths.join(", "));
        }
        let staying = Staying::of(removed.stay.values());
        if staying.deactivated > 0 {
            lines.insert(DEACTIVATED.to_owned(), staying.deactivated.to_string());
        }
        if let Some((count, status)) = staying.without_delete {
            lines.insert(WITHOUT_DELETE.to_owned(), format!("{count}, {status}"));
        }
    }
    let deviations = context.deviations.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if !deviations.is_empty() {
        let texts: Vec<_> = deviations.into_iter().map(|deviation| deviation.text(&results)).collect();
        lines.insert("overlooked".to_owned(), texts.join("; "));
    }
    if let Some(hint) = context.refused.get() {
        lines.insert(HINT.to_owned(), hint.clone());
    }
    Report {
        schema_version: SCHEMA_VERSION,
        suite: "server".to_owned(),
        subject,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: options.seed,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        facts: lines,
        shard: None,
        summary: Summary::of(&results),
        stale: Vec::new(),
        not_judged: None,
        cases: results,
    }
}

/// Plays cases in the background, `jobs` at a time.
fn start(context: &Arc<RunContext>, cases: Vec<(usize, Case)>, jobs: usize) -> mpsc::Receiver<CaseResult> {
    let (sender, receiver) = mpsc::channel(64);
    let cases: Arc<[(usize, Case)]> = cases.into();
    let next = Arc::new(AtomicUsize::new(0));
    for _ in 0..jobs.min(cases.len()) {
        let (context, cases, next, sender) = (context.clone(), cases.clone(), next.clone(), sender.clone());
        tokio::spawn(async move {
            while let Some((index, case)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                // A task of its own, so that a panic in it is a verdict and not the end.
                let playing = {
                    let (context, case, index) = (context.clone(), case.clone(), *index);
                    tokio::spawn(async move { runner::play(&context, index, &case).await })
                };
                let result = playing.await.unwrap_or_else(|panic| broken(case, &panic.to_string()));
                if sender.send(result).await.is_err() {
                    break;
                }
            }
        });
    }
    receiver
}

fn broken(case: &Case, why: &str) -> CaseResult {
    CaseResult {
        verdict: Verdict::Error,
        because: Some(format!("the harness broke off: {why}")),
        ..runner::blank_result(case)
    }
}
