//! Runs a cell: the same steps for the model and for the provisioner, compared after each run.

use mock_aquera::Exchange;
use std::sync::Arc;

use serde_json::Value;

use crate::causes::with_causes;
use crate::matrix::cell::{Auth, Cell, Target, Trial};
use crate::matrix::groups;
use crate::matrix::model::{Expectation, FaultKind, Options, World};
use crate::matrix::run::compare::{Bindings, Difference, Seen, compare};
use crate::matrix::run::configuration::{aquera_toml, bare_toml, source_name, source_ndjson};
use crate::matrix::run::environment::{Environment, EnvironmentError, SharedEnvironment};
use crate::matrix::run::{Played, RunError, Verdict};
use crate::matrix::scenario::Step;
use crate::subject::provisioner::{Configuration, Subject, SubjectError, SyncFlags, Time, contradictions};

/// The number of consecutive runs that must find nothing new, in a cell about that.
const REST: usize = 10;

/// The last line of a cell about its user, and the remaining state of the account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastWord {
    /// Whether a run could not use the connection.
    pub unusable: bool,
    /// `operation`, `outcome` and `reason` of the strongest line; none where nothing was said.
    pub line: Option<[String; 3]>,
    /// The account of that line: active, inactive, or none.
    pub account: Option<bool>,
}

/// A possible state of the world: the model leaves the order of users within a run open.
struct Candidate {
    world: World,
    bindings: Bindings,
}

pub(crate) async fn play(shared: &Arc<SharedEnvironment>, index: usize, cell: Cell) -> Played {
    let played = match cell.trial {
        Trial::Refusal => Ok(refusal(cell)),
        Trial::Groups(trial) => groups::play::play(shared, index, trial).await,
        Trial::Credentials(target) => {
            let steps = vec![
                Step::Rules(vec![crate::matrix::model::Rule {
                    name: "everyone".to_owned(),
                    enabled: true,
                    population: None,
                    group: None,
                    mapped: None,
                }]),
                Step::Put(crate::matrix::scenario::somebody()),
                Step::Credentials(false),
                Step::Sync(Options::default()),
            ];
            scenario(shared, index, cell, target, &steps, 1).await
        }
        Trial::Fault(target, struck) => {
            let mut steps = struck.steps(target.method);
            steps.push(Step::Sync(Options::default()));
            if struck.kind == FaultKind::Refuse {
                // It is the door that is shut, to everybody: a server of its own.
                match SharedEnvironment::open(shared.seed).await {
                    Ok(own) => scenario(&Arc::new(own), index, cell, target, &steps, 1).await,
                    Err(error) => Err(PlayError::Run(Box::new(error))),
                }
            } else {
                scenario(shared, index, cell, target, &steps, 1).await
            }
        }
        Trial::Rest(target, played) => {
            let mut steps = (played.steps)(cell.setting);
            steps.extend(std::iter::repeat_n(Step::Sync(Options::default()), REST));
            scenario(shared, index, cell, target, &steps, REST).await
        }
        Trial::Scenario(target, played) => {
            let mut steps = (played.steps)(cell.setting);
            steps.push(Step::Sync(Options::default()));
            scenario(shared, index, cell, target, &steps, 1).await
        }
    };
    played.unwrap_or_else(|error| Played::error(with_causes(&error)))
}

/// The reason why a cell cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// A mock of the cell's own cannot be set up.
    #[error(transparent)]
    Run(#[from] Box<RunError>),
    /// The mock cannot be set up.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The provisioner cannot be driven.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// The source cannot be written.
    #[error("failed to write the source")]
    Source(#[from] std::io::Error),
    /// An exchange cannot be written as JSON.
    #[error("failed to write an exchange as JSON")]
    Exchange(#[source] serde_json::Error),
    /// The cell has no scenario, so that there is no transcript.
    #[error("the cell has no scenario")]
    NoScenario,
    /// The cell does not pass, so that there is no transcript.
    #[error("the cell {cell} does not pass: {verdict:?}")]
    NotPassed {
        /// The cell's id.
        cell: String,
        /// The verdict.
        verdict: Verdict,
    },
}

/// Returns the exchanges of the last run of a cell's scenario: the journal of the application that is connected.
///
/// # Errors
/// The cell has no scenario, does not pass, or cannot be played.
pub async fn transcript(
    shared: &Arc<SharedEnvironment>,
    index: usize,
    cell: Cell,
) -> Result<Vec<Exchange>, PlayError> {
    let Trial::Scenario(target, played) = cell.trial else { return Err(PlayError::NoScenario) };
    let mut steps = (played.steps)(cell.setting);
    steps.push(Step::Sync(Options::default()));
    let mut exchanges = Vec::new();
    let played = watched(shared, index, cell, target, &steps, 1, |seen, run, runs| {
        if run + 1 == runs {
            exchanges = seen.exchanges.concat();
        }
    });
    match played.await?.verdict {
        Verdict::Pass => Ok(exchanges),
        verdict => Err(PlayError::NotPassed { cell: cell.id(), verdict }),
    }
}

fn refusal(cell: Cell) -> Played {
    let mut named = contradictions(&bare_toml(cell.setting));
    named.sort();
    named.dedup();
    let mut expected: Vec<&str> = cell.setting.contradictions();
    expected.sort_unstable();
    let verdict = if named == expected {
        Verdict::Pass
    } else {
        Verdict::Fail(vec![Difference {
            run: 0,
            what: "the options at fault".to_owned(),
            expected: expected.join(", "),
            actual: if named.is_empty() { "none".to_owned() } else { named.join(", ") },
        }])
    };
    Played { verdict, last: None, exchanges: Vec::new() }
}

/// The real thing, between steps.
struct Real {
    environment: Environment,
    shared: Arc<SharedEnvironment>,
    auth: Auth,
    time: Time,
    subject: Option<Subject>,
    source_written: Option<(String, String)>,
    configured: String,
    configuration: Option<Configuration>,
    seed: u64,
}

async fn scenario(
    shared: &Arc<SharedEnvironment>,
    index: usize,
    cell: Cell,
    target: Target,
    steps: &[Step],
    resting: usize,
) -> Result<Played, PlayError> {
    watched(shared, index, cell, target, steps, resting, |_, _, _| {}).await
}

/// Plays the steps, of which the last `resting` are runs that should find nothing new; `watch` sees each run, its number and how many there are.
async fn watched(
    shared: &Arc<SharedEnvironment>,
    index: usize,
    cell: Cell,
    target: Target,
    steps: &[Step],
    resting: usize,
    mut watch: impl FnMut(&Seen, usize, usize) + Send,
) -> Result<Played, PlayError> {
    let elsewhere = steps.iter().any(|step| matches!(step, Step::PointAt(1..) | Step::Seed(1.., _, _)));
    let environment = Environment::set(shared, index, target, if elsewhere { 2 } else { 1 })?;
    let seed = shared.seed ^ index as u64;
    let mut real = Real {
        environment,
        shared: shared.clone(),
        auth: target.auth,
        time: Time::new(),
        subject: None,
        source_written: None,
        configured: String::new(),
        configuration: None,
        seed,
    };
    let world = World::new(target.profile, target.method, cell.setting);
    let mut candidates = vec![Candidate { world, bindings: Bindings::new() }];
    let mut run = 0;
    let mut before = None;
    let mut last = LastWord { unusable: false, line: None, account: None };
    let runs = steps.iter().filter(|step| matches!(step, Step::Sync(_))).count();
    for step in steps {
        let Step::Sync(options) = step else {
            real.step(step, &mut candidates).await?;
            continue;
        };
        run += 1;
        // The last run is another process: what it knows is what is on the disk. Where a cell has a twin with basic
        // authentication, the twin goes on with what it has in memory.
        let anew = run == runs && target.auth == Auth::Bearer;
        let seen = real.sync(&candidates[0].world, *options, anew).await?;
        watch(&seen, run, runs);
        if run < runs || runs == 1 {
            last.note(&seen);
        }
        let rests = run + resting > runs;
        let mut differences = advance(&mut candidates, run, *options, rests, &seen);
        if rests
            && seen.report.lines.is_empty()
            && before.as_ref().is_some_and(|before| *before != seen.accounts)
        {
            differences.push(Difference {
                run,
                what: "the accounts after a run that says nothing".to_owned(),
                expected: format!("{before:?}"),
                actual: format!("{:?}", seen.accounts),
            });
        }
        let strangers_touched = !real.environment.strangers_untouched();
        // Whoever was never asked cannot have changed; that is looked at now and then all the same.
        let thoroughly = run == runs && index.is_multiple_of(32);
        let bystanders = if thoroughly { shared.bystanders_untouched() } else { shared.bystanders_unasked() };
        if strangers_touched || !bystanders {
            differences.push(Difference {
                run,
                what: "accounts that are none of ours".to_owned(),
                expected: "untouched".to_owned(),
                actual: "touched".to_owned(),
            });
        }
        if !differences.is_empty() {
            real.close().await;
            let exchanges = seen.exchanges.iter().flatten().map(serde_json::to_value);
            let exchanges = exchanges.collect::<Result<_, _>>().map_err(PlayError::Exchange)?;
            return Ok(Played { verdict: Verdict::Fail(differences), last: Some(last), exchanges });
        }
        before = Some(seen.accounts);
    }
    real.close().await;
    Ok(Played { verdict: Verdict::Pass, last: Some(last), exchanges: Vec::new() })
}

/// Plays the run in every world that is still possible, and keeps the worlds that agree with what was seen. Where
/// none does, the differences to the nearest.
fn advance(
    candidates: &mut Vec<Candidate>,
    run: usize,
    options: Options,
    rests: bool,
    seen: &Seen,
) -> Vec<Difference> {
    let mut agreeing: Vec<Candidate> = Vec::new();
    let mut nearest: Option<Vec<Difference>> = None;
    for candidate in candidates.drain(..) {
        let mut outcomes: Vec<(World, Expectation)> = Vec::new();
        // One user has no order.
        let orders: &[bool] = if candidate.world.has_order() { &[false, true] } else { &[false] };
        for &backwards in orders {
            let mut world = candidate.world.clone();
            let mut expectation = world.sync(Options { backwards, ..options });
            // Where nothing is new, nothing is asked.
            expectation.only_connection_test |= rests && expectation.lines.is_empty();
            if !outcomes.iter().any(|outcome| *outcome == (world.clone(), expectation.clone())) {
                outcomes.push((world, expectation));
            }
        }
        for (world, expectation) in outcomes {
            let mut bindings = candidate.bindings.clone();
            let differences = compare(run, &candidate.world, &world, &expectation, seen, &mut bindings);
            if differences.is_empty() {
                agreeing.push(Candidate { world, bindings });
            } else if nearest.as_ref().is_none_or(|nearest| differences.len() < nearest.len()) {
                nearest = Some(differences);
            }
        }
    }
    if agreeing.is_empty() {
        return nearest.unwrap_or_default();
    }
    *candidates = agreeing;
    Vec::new()
}

impl Real {
    async fn step(&mut self, step: &Step, candidates: &mut [Candidate]) -> Result<(), PlayError> {
        let mut seeded = None;
        let url = candidates.first().map_or(0, |candidate| candidate.world.url);
        match step {
            Step::Seed(application, fields, active) => {
                seeded = Some(self.environment.seed(*application, fields, *active));
            }
            Step::Edit(user_name, edit) => self.environment.edit(url, user_name, *edit),
            Step::Fault(rule) => self.environment.fault(url, *rule)?,
            Step::ClearFaults => self.environment.clear_faults(url),
            Step::Profile(name) => self.environment.change_profile(name)?,
            Step::OtherAuthentication => self.auth = self.environment.change_authentication(),
            Step::Credentials(accepted) => self.environment.accept_credentials(*accepted),
            Step::TestConnection => {
                if let Some(candidate) = candidates.first() {
                    self.subject(&candidate.world).await?.test_connection().await?;
                }
                drop(self.environment.take_journal(url));
            }
            // The files are written from the world before each run.
            Step::Put(_)
            | Step::Drop(_)
            | Step::Rules(_)
            | Step::Prefer(_)
            | Step::Toggle(_)
            | Step::ClearMissing(_)
            | Step::ExternalId(_)
            | Step::Exclude(_)
            | Step::MaxRemovals(_)
            | Step::SourceFile(_)
            | Step::Readable(_)
            | Step::PointAt(_)
            | Step::UpdateMethod(_)
            | Step::Sync(_) => {}
        }
        for candidate in candidates {
            candidate.world.step(step);
            if let Some(id) = &seeded {
                candidate.bindings.insert(candidate.world.newest_key(), id.clone());
            }
        }
        Ok(())
    }

    fn write_source(&mut self, world: &World) -> Result<(), PlayError> {
        let path = self.environment.folder.join(source_name(world));
        if !world.source_readable {
            self.source_written = None;
            return if path.exists() { Ok(std::fs::remove_file(path)?) } else { Ok(()) };
        }
        let wanted = (source_name(world), source_ndjson(world));
        if self.source_written.as_ref() != Some(&wanted) {
            std::fs::write(path, &wanted.1)?;
            self.source_written = Some(wanted);
        }
        Ok(())
    }

    /// Returns the provisioner under the present configuration, reopened if that has changed.
    async fn subject(&mut self, world: &World) -> Result<&Subject, PlayError> {
        let text = aquera_toml(world, self.auth, &self.environment.scim_url(world.url));
        let folder = &self.environment.folder;
        let configuration = match &self.configuration {
            Some(configuration) if text == self.configured => configuration.clone(),
            Some(_) | None => {
                let configuration = Configuration::read(&text, folder)?;
                self.configured = text;
                self.configuration = Some(configuration.clone());
                if let Some(subject) = self.subject.take() {
                    subject.close().await;
                }
                configuration
            }
        };
        let subject = match self.subject.take() {
            Some(subject) => subject,
            None => Subject::open(configuration, folder, &self.shared.wire, &self.time, self.seed).await?,
        };
        Ok(self.subject.insert(subject))
    }

    async fn sync(&mut self, world: &World, options: Options, anew: bool) -> Result<Seen, PlayError> {
        self.write_source(world)?;
        if anew {
            self.close().await;
        }
        let report = self.subject(world).await?.sync(flags(options)).await?;
        self.time.pass();
        Ok(Seen {
            report,
            exchanges: [self.environment.take_journal(0), self.environment.take_journal(1)],
            accounts: [self.environment.accounts(0), self.environment.accounts(1)],
            groups: [self.environment.groups(0), self.environment.groups(1)],
        })
    }

    async fn close(&mut self) {
        if let Some(subject) = self.subject.take() {
            subject.close().await;
        }
    }
}

impl LastWord {
    fn note(&mut self, seen: &Seen) {
        self.unusable |= seen.report.exit == 3;
        let worst = |line: &&Value| {
            ["success", "unsynced", "partial", "failed"].iter().position(|word| line["outcome"] == *word)
        };
        let line = seen.report.lines.iter().max_by_key(worst);
        self.line = line.map(|line| {
            ["operation", "outcome", "reason"].map(|key| line[key].as_str().unwrap_or("?").to_owned())
        });
        let account =
            line.and_then(|line| seen.accounts.iter().flatten().find(|user| user["id"] == line["targetId"]));
        self.account = account.map(|user| user["active"] == true);
    }
}

/// Returns the command-line flags for the model's options.
fn flags(options: Options) -> SyncFlags {
    let Options { full, accept_new_source, allow_empty_source, allow_empty_scope, backwards: _ } = options;
    SyncFlags { full, accept_new_source, allow_empty_source, allow_empty_scope }
}
