//! The engine: from a source snapshot and what is stored to requests, lines and a new state.
//!
//! A run goes through fixed stages: read the source ([`crate::source`]), test the connection, find the users with
//! something to do (`scope`), look up their accounts (`correlate`), decide for every user ([`crate::policy`]), ask the
//! delete guard (`guard`), and only then write (`execute`).

mod capabilities;
mod carry_out;
pub(crate) mod census;
mod context;
mod correlate;
mod create;
mod delete_guard;
mod distribute;
mod dry_run;
mod duplicate_names;
mod environment;
mod execute;
pub mod groups;
mod outcome;
mod plan_hash;
mod quarantine;
mod read_lag;
mod reading;
mod recorded;
mod remove;
mod renames;
mod resolve;
mod scope;
mod source_checks;
mod spool;
mod task;
mod task_list;
mod user;
pub mod work;
mod worker_pool;
mod write;

pub mod explain;
pub mod manual_link;
pub mod plan;

use std::io;
use std::sync::Arc;

use self::census::{CensusBuilder, Survey};
use self::context::{Context, at_pace};
use self::groups::PreparedGroups;
use self::quarantine::Evidence;
use self::recorded::RecordedRun;
use self::task_list::TaskList;
use crate::causes::with_cause;
use crate::clock::{Clock, seconds, timestamp};
use crate::config::Config;
use crate::exit::Exit;
use crate::ids::{RuleName, SourceId};
use crate::recording::Recorder;
use crate::report::{Confirmation, RunReport, Stopped};
use crate::source::{SourceError, SourceProblem, SourceUser};
use crate::state::groups::LearnedGroups;
use crate::state::shared::Shared;
use crate::state::store::{Access, Loaded, Store, StoreError};
use crate::state::{Learned, Quarantine, StateChange, TestRecord, Withdrawal};
use crate::target::client::Client;
use crate::target::connection_test::ConnectionReport;
use cli_support::suggest::nearest;

pub use self::duplicate_names::{DuplicateName, DuplicateUser, duplicate_names};
pub use self::environment::Environment;
pub use self::plan_hash::{InvalidPlanHash, PlanHash};
pub(crate) use self::quarantine::{describe as describe_quarantine, is_quarantined};
pub(crate) use self::source_checks::{Refusal, matches, without_users};
pub use self::worker_pool::Progress;
use crate::interrupt::Interrupt;

/// The options of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncOptions {
    /// Reevaluates every user, reads every linked account, and carries out removals that wait for a full run.
    pub full: bool,
    /// Accepts another `[source]` than that of the last run.
    pub accept_new_source: bool,
    /// Accepts a source without users.
    pub allow_empty_source: bool,
    /// Rules that may match no user although users with accounts leave them.
    pub allow_empty_scope: Vec<RuleName>,
    /// The exact number of removals and disables that a person has approved against the delete guard.
    pub approve_removals: Option<u32>,
    /// The plan that a person has approved against the delete guard.
    pub approve_plan: Option<PlanHash>,
    /// The exact number of deletions of groups, or of members removed from groups, that a person has approved.
    pub approve_group_removals: Option<u32>,
    /// Has workers carry out the decisions; the state is a PostgreSQL database.
    pub workers: bool,
}

/// A connection with its state, ready to run.
pub struct Provisioner {
    config: Arc<Config>,
    environment: Environment,
    store: Arc<Store>,
    interrupt: Interrupt,
    recorded: RecordedRun,
    /// One run at a time.
    running: tokio::sync::Mutex<()>,
}

/// A run up to the point where something would be written.
pub(crate) struct PreparedRun {
    pub(crate) context: Arc<Context>,
    pub(crate) tasks: TaskList,
    pub(crate) users: u64,
    /// Accounts under management, those removed by Disable aside.
    pub(crate) managed: usize,
    /// Recently finished removals and disables.
    pub(crate) withdrawals: Vec<Withdrawal>,
    /// Users in the source of the last run.
    pub(crate) users_before: Option<u64>,
    /// What is shared with the workers that carry out what they can; `None` if there are none.
    pub(crate) shared: Option<Arc<Shared>>,
    /// Records that changed without a request, to be stored with the run.
    pub(crate) changes: Vec<StateChange>,
    /// The groups, where there are group rules or were groups.
    pub(crate) groups: Option<PreparedGroups>,
}

/// A run that ended before anything could be decided.
pub(crate) struct EndedRun {
    pub(crate) exit: Exit,
    pub(crate) stopped: Stopped,
    pub(crate) users: u64,
    pub(crate) requests: u64,
    /// What the run has shown of the connection.
    pub(crate) evidence: Evidence,
}

impl EndedRun {
    fn before_requests(exit: Exit, stopped: Stopped, users: u64) -> Self {
        Self { exit, stopped, users, requests: 0, evidence: Evidence::Nothing }
    }

    fn of_state(error: &StoreError, users: u64) -> Self {
        let message = format!("{}; {}", with_cause(error), error.way_out());
        Self::before_requests(Exit::Usage, Stopped::new("state", message), users)
    }

    fn of_source(error: &SourceError) -> Self {
        if *error.problem() == SourceProblem::Interrupted {
            let stopped =
                Stopped::new("interrupted", "the run was interrupted; run sync again to go on".to_owned());
            return Self::before_requests(Exit::Interrupted, stopped, 0);
        }
        let stopped = Stopped::new("source-unreadable", format!("{error}; {}", error.way_out()));
        let is_empty = *error.problem() == SourceProblem::Empty;
        let confirmation = is_empty.then_some(Confirmation::EmptySource);
        Self::before_requests(Exit::SourceUnreadable, Stopped { confirmation, ..stopped }, 0)
    }

    fn of_spool(error: &io::Error) -> Self {
        let message = format!("failed to write a temporary file beside the state: {error}; free disk space");
        Self::before_requests(Exit::Usage, Stopped::new("state", message), 0)
    }

    fn of_groups(message: String) -> Self {
        let stopped = Stopped::new("source-unreadable", message);
        Self::before_requests(Exit::SourceUnreadable, stopped, 0)
    }

    /// Returns the report of the run.
    pub(crate) fn report(self) -> RunReport {
        let Self { exit, stopped, users, requests, .. } = self;
        RunReport::new(Vec::new(), users, requests, Some((exit, stopped)))
    }
}

impl PreparedRun {
    /// Returns the report of a run that was stopped before anything was written.
    pub(crate) fn stopped(&self) -> RunReport {
        let client = &self.context.client;
        RunReport::new(Vec::new(), self.users, client.requests(), client.stopped())
    }
}

impl Provisioner {
    /// Opens the state for `config`'s SCIM URL, to be written.
    ///
    /// # Errors
    /// The state is in use by another run, or unusable.
    pub async fn open(config: Config, environment: Environment) -> Result<Self, StoreError> {
        Self::open_as(config, environment, Access::Write).await
    }

    /// Opens the state to look at it: beside a run, and without making it.
    ///
    /// # Errors
    /// The state is unusable.
    pub async fn open_to_read(config: Config, environment: Environment) -> Result<Self, StoreError> {
        Self::open_as(config, environment, Access::Read).await
    }

    async fn open_as(config: Config, environment: Environment, access: Access) -> Result<Self, StoreError> {
        let url = &config.authentication.scim_url;
        let store = Store::open(&environment.state, url, environment.durability, access).await?;
        let under = learned_under(&config);
        store.amend_connection(|connection| {
            if connection.learned_under.as_ref() != Some(&under) {
                connection.learned = Learned::default();
                connection.learned_groups = LearnedGroups::default();
                connection.learned_under = Some(under);
            }
            let authentication = config.authentication.fingerprint();
            connection
                .quarantine
                .take_if(|quarantine| quarantine::is_released_by(quarantine, &authentication));
        });
        Ok(Self {
            config: Arc::new(config),
            recorded: RecordedRun::new(&environment),
            environment,
            store: Arc::new(store),
            interrupt: Interrupt::default(),
            running: tokio::sync::Mutex::new(()),
        })
    }

    /// Returns the configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Returns a handle that ends a run early.
    pub fn interrupter(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Returns the provisioner with another interrupt, which several may share.
    #[must_use]
    pub fn interrupted_by(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }

    /// Reads everything that is stored for the SCIM URL of this connection.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn stored(&self) -> Result<Loaded, StoreError> {
        self.store.loaded()
    }

    /// Tests the connection for a person, and forgets what was learned of the target's writes.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn test_connection(&self) -> Result<ConnectionReport, StoreError> {
        let _running = self.running.lock().await;
        self.begin_run("test-connection");
        let report = self.client().test().await;
        let mut connection = self.store.connection();
        connection.learned = Learned::default();
        connection.learned_groups = LearnedGroups::default();
        connection.last_test = Some(self.test_record(&report));
        self.store.write(vec![StateChange::Connection(Box::new(connection))]).await?;
        Ok(report)
    }

    /// Returns the quarantine of the connection, if it is in one.
    pub fn quarantine(&self) -> Option<Quarantine> {
        self.store.connection().quarantine
    }

    /// Ends the quarantine of the connection, and returns it; the next run is carried out at once.
    ///
    /// # Errors
    /// The state cannot be written.
    pub async fn release(&self) -> Result<Option<Quarantine>, StoreError> {
        let _running = self.running.lock().await;
        let mut connection = self.store.connection();
        let quarantine = connection.quarantine.take();
        self.store.write(vec![StateChange::Connection(Box::new(connection))]).await?;
        Ok(quarantine)
    }

    /// Carries out one run: reads the source, tests the connection, decides, writes, and reports.
    pub async fn sync(&self, options: SyncOptions) -> RunReport {
        let _running = self.running.lock().await;
        self.begin_run("sync");
        let prepared = self.prepare(&options, None).await;
        self.carry_out(prepared, &options).await
    }

    /// Ends the work with the state file.
    pub async fn close(self) {
        self.store.close().await;
    }

    fn client(&self) -> Client {
        self.client_with(Arc::clone(&self.environment.clock), self.recorded.recorder())
    }

    fn client_with(&self, clock: Arc<dyn Clock>, recorder: Arc<Recorder>) -> Client {
        let environment = &self.environment;
        Client::new(
            &self.config,
            environment.transport.clone(),
            clock,
            environment.seed,
            self.interrupt.clone(),
            recorder,
        )
    }

    fn now(&self) -> String {
        timestamp(self.environment.clock.now())
    }

    fn test_record(&self, report: &ConnectionReport) -> TestRecord {
        TestRecord { at: self.now(), succeeded: report.succeeded(), message: report.to_string() }
    }

    /// Prepares a run up to the decisions; writes nothing to the target.
    ///
    /// `only` restricts the run to one user.
    pub(crate) async fn prepare(
        &self,
        options: &SyncOptions,
        only: Option<&SourceId>,
    ) -> Result<PreparedRun, EndedRun> {
        let known = self.store.known();
        let ended = |exit, stopped| EndedRun::before_requests(exit, stopped, 0);
        if !self.config.enabled {
            let message = "the connection is off: turn it on with `provisioner enable`, which sets `enabled = true` under \
                           [connection]";
            return Err(ended(Exit::ConnectionUnusable, Stopped::new("connection-off", message.to_owned())));
        }
        let now = seconds(self.environment.clock.now());
        if let Some(quarantine) =
            known.connection.quarantine.as_ref().filter(|quarantine| quarantine::holds(quarantine, now))
        {
            let stopped = Stopped::new("quarantined", quarantine::describe(quarantine));
            return Err(ended(Exit::ConnectionUnusable, stopped));
        }
        if let Some(unknown) = options
            .allow_empty_scope
            .iter()
            .find(|name| self.config.rules.iter().all(|rule| rule.name != **name))
        {
            let names = self.config.rules.iter().map(|rule| rule.name.as_str());
            let meant = nearest(unknown.as_str(), names)
                .map_or_else(String::new, |name| format!("; did you mean {name:?}?"));
            let message =
                format!("unknown rule {:?} among the rules that may match no user{meant}", unknown.as_str());
            return Err(ended(Exit::Usage, Stopped::new("unknown-rule", message)));
        }
        let identity = &self.config.source.identity;
        if let Some(last) = known.source.as_ref().filter(|last| *last != identity)
            && !options.accept_new_source
        {
            return Err(ended(Exit::Usage, source_checks::other_source(last, identity).into()));
        }
        let group_records = self.store.groups().map_err(|error| EndedRun::of_state(&error, 0))?;
        let has_groups = only.is_none() && (!self.config.group_rules.is_empty() || !group_records.is_empty());
        let (census, reader) = self.census(options, only, has_groups).await?;
        let source_groups = reader.map(|reader| groups::read(reader, &group_records, options)).transpose();
        let source_groups = source_groups.map_err(EndedRun::of_groups)?;
        let users = census.users;
        let refused = |exit, refusal: Refusal| EndedRun { users, ..ended(exit, refusal.into()) };
        if !options.accept_new_source
            && let Some(refusal) = source_checks::other_users(&census)
        {
            return Err(refused(Exit::Usage, refusal));
        }
        let records = |rows: Vec<i64>| self.store.records_now(&rows);
        let doubtful = source_checks::empty_rules(&census, &options.allow_empty_scope, records)
            .map_err(|error| EndedRun::of_state(&error, users))?;
        if let Some(refusal) = doubtful {
            return Err(refused(Exit::SourceUnreadable, refusal));
        }
        let duplicate_names =
            self.duplicate_names(&census).map_err(|error| EndedRun::of_state(&error, users))?;
        let shared = self.shared(options).await.map_err(|error| EndedRun::of_state(&error, users))?;
        let client = shared.as_ref().map_or_else(|| self.client(), |shared| at_pace(self.client(), shared));
        let report = client.test().await;
        let requests = client.requests();
        self.store.amend_connection(|connection| connection.last_test = Some(self.test_record(&report)));
        if let Some(failure) = &report.failure {
            let stopped = Stopped::new("connection-test-failed", report.to_string());
            let evidence = if failure.refuses_credentials() {
                Evidence::Refused(failure.message.clone())
            } else {
                Evidence::Nothing
            };
            return Err(EndedRun { exit: Exit::ConnectionUnusable, stopped, users, requests, evidence });
        }
        let mut changes = Vec::new();
        if known.source.as_ref() != Some(identity) {
            changes.push(StateChange::Source(identity.clone()));
        }
        let connection = self.store.connection();
        let config = Arc::clone(&self.config);
        let managed = census.survey.index.entries().iter().filter(|entry| entry.flags().is_managed()).count();
        let context =
            Context::new(config, client, Arc::clone(&self.store), connection, report.claims_patch(), census);
        let context = Arc::new(context.with_duplicate_names(duplicate_names));
        let tasks = correlate::tasks(&context, options.full, &self.environment.progress, &mut changes).await;
        if let Some((exit, mut stopped)) = context.client.stopped() {
            if let Some((done, total)) = context.looked_up() {
                stopped.message = format!(
                    "{}; {done} of {total} users were looked up, and nothing was written",
                    stopped.message
                );
            }
            let evidence = Evidence::Used { tried: 0, failed: 0, has_groups: false, is_whole: false };
            return Err(EndedRun { exit, stopped, users, requests: context.client.requests(), evidence });
        }
        let groups = if has_groups {
            let expected = groups::accounts(&self.config, &self.store).await;
            let mut expected = expected.map_err(|error| EndedRun::of_state(&error, users))?;
            for task in tasks.kept() {
                expected.expect(task);
            }
            let found = source_groups.unwrap_or_default();
            let full = options.full;
            Some(groups::prepare(&context, found, group_records, expected, full, &mut changes).await)
        } else {
            None
        };
        if let Some((exit, stopped)) = context.client.stopped() {
            let evidence = Evidence::Used { tried: 0, failed: 0, has_groups: false, is_whole: false };
            return Err(EndedRun { exit, stopped, users, requests: context.client.requests(), evidence });
        }
        let users_before = known.connection.last_run.map(|run| run.users);
        let mut prepared = PreparedRun {
            context,
            tasks,
            users,
            managed,
            withdrawals: known.withdrawals,
            users_before,
            shared,
            changes,
            groups,
        };
        let now = self.environment.clock.now();
        delete_guard::hold_back(&self.config.options, &mut prepared, now, options.approve_removals);
        Ok(prepared)
    }

    /// Opens what the coordinator shares with its workers, if the run has any.
    async fn shared(&self, options: &SyncOptions) -> Result<Option<Arc<Shared>>, StoreError> {
        if !options.workers {
            return Ok(None);
        }
        self.store.shared(self.config.options.requests_per_second).await.map(Some)
    }
}

/// Returns why a run without a confirmation would refuse `users`, by what `store` has of the last run.
///
/// # Errors
/// The state cannot be read.
pub(crate) async fn refusals_of(
    config: &Config,
    store: &Store,
    users: &[SourceUser],
) -> Result<Vec<Refusal>, StoreError> {
    let survey = Survey::new(Arc::new(config.clone()), store.index().await?, false);
    let folder = store.folder();
    let mut builder = CensusBuilder::new(survey, &folder, None);
    for user in users {
        let examined = builder.survey().examine(user.clone());
        builder.add(examined).map_err(|source| StoreError::Open { path: folder.clone(), source })?;
    }
    let last_source = store.known().source;
    source_checks::refusals(&builder.finish(), last_source.as_deref(), |rows| store.records_now(&rows))
}

/// Returns the settings that what was learned depends on, besides the URL: other credentials or another method invalidate
/// it.
fn learned_under(config: &Config) -> String {
    format!("{} {:?}", config.authentication.fingerprint(), config.options.update_method)
}
