//! Plays the suite against every mutant.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mock_aquera::{ApplicationConfig, Auth, MockAquera, Profile};
use tokio::sync::watch;

use crate::case::Case;
use crate::explore;
use crate::mutants::defect::side_by_side;
use crate::mutants::file::Mutant;
use crate::mutants::kill_matrix::{KillTable, Row};
use crate::mutants::load;
use crate::mutants::proxy::Proxy;
use crate::report::{CaseResult, Report};
use crate::select::fits;
use crate::server::discovery::{Blank, Facts};
use crate::server::{self, Options};
use crate::subject::server::client::{Client, Credentials, Manners};

const TOKEN: &str = "mutant-token";

/// The cases that are run against a mutant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Played {
    /// All cases.
    All,
    /// The cases in `found-by`.
    Named,
}

/// Why nothing could be played.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The mock cannot be started.
    #[error("failed to start the mock")]
    Mock(#[from] mock_aquera::StartError),
    /// The proxy in front of the mock cannot be started.
    #[error("failed to start the proxy")]
    Proxy(#[from] std::io::Error),
    /// The profile of the server without a defect is unknown.
    #[error("the mock has no profile `rfc`")]
    NoProfile,
    /// A mutant cannot be set up.
    #[error("failed to set up the mutant `{slug}`")]
    Mutant {
        /// The mutant.
        slug: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The sequences of `explore` that a mutant is played against.
#[derive(Debug, Clone, Copy)]
pub struct Sequences {
    /// The number for a mutant that names a rule of `explore`.
    pub named: usize,
    /// The number for any other mutant.
    pub others: usize,
}

impl Sequences {
    /// The number that the built-in mutants are found with.
    pub const USUAL: Self = Self { named: 60, others: 0 };

    fn of(self, mutant: &Mutant) -> usize {
        if mutant.named_rules().is_empty() { self.others } else { self.named }
    }
}

/// The number of findings at which a mutant is known.
const FINDINGS: usize = 6;

/// The start of the ids of rules in `found-by`.
pub(crate) const EXPLORE: &str = "explore/";

impl Mutant {
    /// Returns the words of the rules that name it.
    fn named_rules(&self) -> BTreeSet<String> {
        self.found_by.iter().filter_map(|id| id.strip_prefix(EXPLORE)).map(ToOwned::to_owned).collect()
    }
}

/// Plays the cases, and sequences of `explore`, against the clean server and against every mutant, `jobs` mutants at a time.
///
/// # Errors
/// [`RunError`].
pub async fn run(
    mutants: Vec<Mutant>,
    cases: &[Case],
    played: Played,
    sequences: Sequences,
    jobs: usize,
    told: impl FnMut(&Row),
) -> Result<KillTable, RunError> {
    let mock = MockAquera::builder().auth(Auth::bearer(TOKEN)).seed(1).start().await;
    let mock = Arc::new(mock?);
    let proxy = Proxy::start().await?;
    let clean = Profile::builtin("rfc").ok_or(RunError::NoProfile)?;
    let everything = sequences.others.max(if mutants.iter().any(|mutant| sequences.of(mutant) > 0) {
        sequences.named
    } else {
        0
    });
    let clean = one(&mock, None, "clean", clean, cases.to_vec(), everything).await?;
    let mut mutants = mutants;
    for mutant in &mut mutants {
        mutant.found_by = named(&mutant.found_by, cases);
    }
    let shared: Arc<[Case]> = cases.into();
    let judge = |mutant| row(mock.clone(), proxy.clone(), mutant, shared.clone(), played, sequences);
    let rows = side_by_side(mutants, jobs, judge, told).await?;
    if let Some(mock) = Arc::into_inner(mock) {
        mock.stop().await;
    }
    Ok(KillTable::new(rows, &clean, cases, played))
}

/// Returns the ids of the cases that patterns name; a pattern that fits none stays, and is told as unknown.
fn named(patterns: &[String], cases: &[Case]) -> Vec<String> {
    let ids = |pattern: &String| {
        let fitting = cases.iter().map(|case| &case.id).filter(|id| fits(pattern, id)).cloned();
        let fitting: Vec<_> = fitting.collect();
        if fitting.is_empty() { vec![pattern.clone()] } else { fitting }
    };
    let mut ids: Vec<_> = patterns.iter().flat_map(ids).collect();
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

async fn row(
    mock: Arc<MockAquera>,
    proxy: Arc<Proxy>,
    mutant: Mutant,
    cases: Arc<[Case]>,
    played: Played,
    sequences: Sequences,
) -> Result<Row, RunError> {
    let profile = load::profile(&mutant)
        .map_err(|error| RunError::Mutant { slug: mutant.slug.clone(), source: error.into() })?;
    let named: BTreeSet<&str> = mutant.found_by.iter().map(String::as_str).collect();
    let cases = cases
        .iter()
        .filter(|case| played == Played::All || named.contains(case.id.as_str()))
        .cloned()
        .collect();
    let sequences = sequences.of(&mutant);
    let report = one(&mock, Some((&proxy, &mutant)), &mutant.slug, profile, cases, sequences).await?;
    Ok(Row::of(&mutant, &report))
}

async fn one(
    mock: &MockAquera,
    proxy: Option<(&Proxy, &Mutant)>,
    name: &str,
    profile: Profile,
    cases: Vec<Case>,
    sequences: usize,
) -> Result<Report, RunError> {
    let invalid = |source| RunError::Mutant { slug: name.to_owned(), source };
    let config = ApplicationConfig { profile, auth: vec![Auth::bearer(TOKEN)], seed: 1 };
    let application = mock.create_application(name, config).map_err(|error| invalid(error.into()))?;
    let upstream = application.scim_url();
    let url = match proxy {
        Some((proxy, mutant)) => proxy.add(mutant.clone(), upstream, format!("Bearer {TOKEN}")),
        None => upstream,
    };
    // A mutant that asks to wait is not worth the wait.
    let manners = Manners { retries: 0, ..Manners::default() };
    let client = Client::new(&url, Credentials::Bearer(TOKEN.to_owned()), manners)
        .map_err(|error| invalid(error.into()))?;
    let facts = Facts::ask(&client).await;
    let (_sender, stop) = watch::channel(false);
    // What is made goes with the application.
    let options =
        Options { jobs: 4, seed: 1, keep: true, keep_exchanges: false, blank: Blank::default(), stop };
    let mut report = server::run(client.clone(), facts.clone(), &cases, options, |_| {}).await;
    if sequences > 0 {
        let named = proxy.map(|(_, mutant)| mutant.named_rules()).unwrap_or_default();
        report.cases.extend(explored(client, facts, sequences, named).await);
    }
    mock.remove_application(name);
    if let Some((proxy, mutant)) = proxy {
        proxy.remove(&mutant.slug);
    }
    Ok(report)
}

/// Returns what `explore` says of a server. It ends when all the named rules, of which there are some, have found something.
async fn explored(
    client: Client,
    facts: Facts,
    sequences: usize,
    mut named: BTreeSet<String>,
) -> Vec<CaseResult> {
    let (sender, stop) = watch::channel(false);
    let ends = !named.is_empty();
    let options = explore::Options {
        jobs: 4,
        // The suite has used the names of its own seed.
        seed: 2,
        steps: 12,
        sequences,
        findings: FINDINGS,
        patience: Duration::from_secs(10),
        time: None,
        blank: Blank::default(),
        stop,
    };
    let runtime = tokio::runtime::Handle::current();
    // Its state cannot move between threads.
    let explored = tokio::task::spawn_blocking(move || {
        let named = std::cell::RefCell::new(&mut named);
        let told = |event: explore::Progress<'_>| {
            if let explore::Progress::Found { rule, .. } = event {
                named.borrow_mut().remove(rule);
                sender.send_replace(ends && named.borrow().is_empty());
            }
        };
        runtime.block_on(explore::explore(&client, &facts, &options, &told))
    })
    .await;
    match explored {
        Ok(Ok(explored)) => explored.report.cases,
        Ok(Err(unexplorable)) => vec![explore::not_explored(&unexplorable)],
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
