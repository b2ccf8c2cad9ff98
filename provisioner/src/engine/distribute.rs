//! Decisions as jobs for workers: the coordinator of a run queues them, gathers the results, and keeps the rest for itself.
//!
//! A job has what its decision follows from, not the decision: the worker decides by the same function from the same record. What follows from
//! answers of the target (accounts that were found or read) is carried out by the coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{Database, JobSpec, RawJobSpec, WorkerUtils};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::context::Context;
use super::scope::{Owned, ScopeStatus, Subject};
use super::task_list::TaskList;
use super::user::with_clash;
use super::worker_pool::Progress;
use crate::exit::Exit;
use crate::ids::{RuleName, SourceId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::policy::Leave;
use crate::report::UserLine;
use crate::source::fingerprint;
use crate::state::Record;
use crate::state::location::PostgresUrl;
use crate::state::shared::Shared;
use crate::state::store::StoreError;
use crate::target::Halt;

/// The name of the jobs in the queue.
pub(super) const IDENTIFIER: &str = "provisioner_user";
/// How many jobs are queued ahead of the workers, so that a run of millions does not copy all of its users into the queue.
const AHEAD: usize = 16_384;
/// How many jobs are queued by one statement.
const CHUNK: usize = 1024;
/// How often results are looked for.
const GATHER: Duration = Duration::from_millis(100);

/// The input of one user's decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UserJob {
    pub(super) run: i64,
    pub(super) position: i64,
    pub(super) id: SourceId,
    pub(super) user_name: UserName,
    pub(super) rule: Option<RuleName>,
    pub(super) standing: Standing,
    /// Digest of the record from which the coordinator decided; `None` if there was none.
    pub(super) record: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(super) enum Standing {
    Owned {
        enabled: bool,
        wanted: BTreeMap<TargetPath, Value>,
        targets: Vec<TargetPath>,
        fingerprint: String,
    },
    Left(Leave),
}

impl Standing {
    fn of(status: &ScopeStatus) -> Option<Self> {
        Some(match status {
            ScopeStatus::Owned(owned) => {
                let wanted = owned.wanted.as_ref().ok()?;
                Self::Owned {
                    enabled: owned.enabled,
                    wanted: wanted.iter().map(|(path, value)| (path.clone(), value.clone())).collect(),
                    targets: owned.targets.to_vec(),
                    fingerprint: owned.fingerprint.clone(),
                }
            }
            ScopeStatus::Left(leave) => Self::Left(*leave),
        })
    }

    fn into_status(self) -> Option<ScopeStatus> {
        Some(match self {
            Self::Owned { enabled, wanted, targets, fingerprint } => {
                let wanted = Ok(Desired::new(wanted)?);
                ScopeStatus::Owned(Box::new(Owned { enabled, wanted, targets: targets.into(), fingerprint }))
            }
            Self::Left(leave) => ScopeStatus::Left(leave),
        })
    }
}

impl UserJob {
    /// Returns the user as the coordinator saw it, with its present record.
    pub(super) fn into_subject(self, record: Option<Record>) -> Option<Subject> {
        let mut record = record.unwrap_or_else(|| Record::new(self.user_name.clone()));
        record.posted = record.unresolved_create(&self.id);
        if matches!(self.standing, Standing::Owned { .. }) {
            (record.user_name, record.rule) = (self.user_name, self.rule);
        }
        Some(Subject { id: self.id, standing: self.standing.into_status()?, record })
    }
}

/// Returns the digest by which a record is recognised.
pub(super) fn digest(record: &Record) -> String {
    let text = serde_json::to_string(record).unwrap_or_default();
    fingerprint(std::iter::once(text.as_str()))
}

/// The settings of a run that its workers need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RunSettings {
    /// Digest of the settings that decisions and requests depend on.
    pub(super) configuration: String,
    pub(super) claims_patch: Option<bool>,
    pub(super) full: bool,
    /// The id of the coordinator's run, which those of the workers begin with.
    pub(super) recorded: String,
    /// Who caused the run.
    pub(super) actor: String,
}

impl RunSettings {
    pub(super) fn of(context: &Context, full: bool) -> Self {
        Self {
            configuration: configuration(&context.config),
            claims_patch: context.capabilities.claims_patch(),
            full,
            recorded: context.client.recorder().run().to_owned(),
            actor: context.client.recorder().actor().to_owned(),
        }
    }
}

/// Returns the digest of the settings that have to be the same for the coordinator and all workers.
pub(super) fn configuration(config: &crate::config::Config) -> String {
    let settings = format!(
        "{} {} {:?} {:?} {} {:?}",
        config.authentication.scim_url,
        config.authentication.fingerprint(),
        config.preferences,
        config.options.update_method,
        config.options.clear_missing_attributes,
        config.options.exclude,
    );
    fingerprint(std::iter::once(settings.as_str()))
}

/// The result of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub(super) enum JobResult {
    Settled {
        line: Option<Value>,
        failed_deprovision: bool,
    },
    /// The rename is carried out after all other users.
    Deferred,
    /// A write was refused for want of support.
    Refused {
        line: Option<Value>,
        failed_deprovision: bool,
    },
}

impl JobResult {
    pub(super) fn new(line: Option<&UserLine>, is_final: bool) -> Self {
        let failed_deprovision = line.is_some_and(|line| line.failed_deprovision);
        let line = line.and_then(|line| serde_json::to_value(line).ok());
        if is_final {
            Self::Settled { line, failed_deprovision }
        } else {
            Self::Refused { line, failed_deprovision }
        }
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Returns the line of a result; a worker does not know which users share a name.
fn line(context: &Context, line: Option<Value>, failed_deprovision: bool) -> Option<UserLine> {
    let line: UserLine = serde_json::from_value(line?).ok()?;
    let detail = with_clash(line.detail.clone(), context.clash(&line.source_id));
    Some(UserLine { failed_deprovision, detail, ..line })
}

/// The results of the workers, by the position of the user.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) lines: Vec<(usize, UserLine)>,
    pub(super) deferred: Vec<usize>,
    pub(super) refused: Vec<(usize, Option<UserLine>)>,
    /// The positions that the coordinator carries out itself.
    pub(super) rest: Vec<u32>,
}

/// The job queue of a connection.
pub(super) struct JobQueue {
    utils: WorkerUtils,
    pub(super) database: Database,
}

impl JobQueue {
    /// Opens the queue, and makes it the first time.
    pub(super) async fn open(
        url: &PostgresUrl,
        schema: &str,
        connections: usize,
    ) -> Result<Self, StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::queue(url, &error.to_string());
        let database = graphile_worker::tokio_postgres::TokioPostgresDatabase::from_config(
            url.config().clone(),
            connections,
        )
        .map_err(|error| failed(&error))?;
        let database = Database::from(database);
        let utils = WorkerUtils::new(database.clone(), schema);
        utils.migrate().await.map_err(|error| failed(&error))?;
        Ok(Self { utils, database })
    }

    async fn add(&self, url: &PostgresUrl, jobs: &[UserJob]) -> Result<(), StoreError> {
        let failed = |error: &dyn std::fmt::Display| StoreError::queue(url, &error.to_string());
        let raw = jobs
            .iter()
            .map(|job| {
                let payload = serde_json::to_value(job)?;
                Ok(RawJobSpec { identifier: IDENTIFIER.to_owned(), payload, spec: JobSpec::default() })
            })
            .collect::<serde_json::Result<Vec<_>>>()
            .map_err(|error| failed(&error))?;
        self.utils.add_raw_jobs(&raw).await.map(drop).map_err(|error| failed(&error))
    }
}

/// Queues what workers can carry out, and waits for the results.
///
/// # Errors
/// The state or the queue is out of reach: the run is stopped.
pub(super) async fn distribute(
    context: &Arc<Context>,
    tasks: &TaskList,
    shared: &Arc<Shared>,
    progress: &Arc<dyn Progress>,
) -> Result<Gathered, Halt> {
    let stop = |error: StoreError| context.stop_for_state(&error);
    let (mut waiting, rest): (Vec<u32>, Vec<u32>) =
        tasks.order().into_iter().partition(|at| tasks.follows_from_data(*at as usize));
    waiting.reverse();
    let mut gathered = Gathered { rest, ..Gathered::default() };
    if waiting.is_empty() {
        return Ok(gathered);
    }
    let schema = shared.queue_schema();
    let queue = JobQueue::open(shared.address(), &schema, 2).await.map_err(stop)?;
    // Jobs of a run that was cut off are of no use any more.
    shared.clear_queue().await.map_err(stop)?;
    let settings = serde_json::to_string(&RunSettings::of(context, tasks.is_full())).unwrap_or_default();
    let run = shared.begin_run(&settings, context.client.now()).await.map_err(stop)?;
    tracing::info!(users = waiting.len(), "queued for workers; `provisioner work` carries them out");
    let mut open = 0_usize;
    let mut ended = Ok(());
    loop {
        while open < AHEAD && !waiting.is_empty() && ended.is_ok() {
            let chunk: Vec<u32> = (0..CHUNK).map_while(|_| waiting.pop()).collect();
            let jobs = match jobs_of(context, tasks, run, &chunk, &mut gathered.rest).await {
                Ok(jobs) => jobs,
                Err(halt) => {
                    ended = Err(halt);
                    break;
                }
            };
            if let Err(error) = queue.add(shared.address(), &jobs).await {
                ended = Err(stop(error));
                break;
            }
            open += jobs.len();
        }
        let results = shared.take_results(run).await.map_err(stop)?;
        let none = results.is_empty();
        for (position, result) in results {
            let ended = gathered.take(context, position, &result, progress).await;
            open = open.saturating_sub(ended);
        }
        if ended.is_err() || context.client.is_stopping() || (open == 0 && waiting.is_empty()) {
            break;
        }
        if let Some(why) = shared.stopped(run).await.map_err(stop)? {
            let (exit, message) = if why.starts_with("unauthorized") || why.starts_with("forbidden") {
                (Exit::ConnectionUnusable, why)
            } else {
                (Exit::Usage, why)
            };
            context.client.stop(exit, "worker", format!("a worker stopped the run: {message}"));
            break;
        }
        if none {
            tokio::time::sleep(GATHER).await;
        }
    }
    // From here on no worker is at work.
    shared.end_run().await.map_err(stop)?;
    loop {
        let results = shared.take_results(run).await.map_err(stop)?;
        if results.is_empty() {
            break;
        }
        for (position, result) in results {
            gathered.take(context, position, &result, progress).await;
        }
    }
    shared.clear_queue().await.map_err(stop)?;
    let record = shared.connection().await.map_err(stop)?;
    context.relearn(record);
    ended.map(|()| gathered)
}

async fn jobs_of(
    context: &Arc<Context>,
    tasks: &TaskList,
    run: i64,
    positions: &[u32],
    rest: &mut Vec<u32>,
) -> Result<Vec<UserJob>, Halt> {
    let mut jobs = Vec::with_capacity(positions.len());
    for position in positions {
        let Some((subject, stored)) = tasks.subject(context, *position as usize).await? else { continue };
        context.standing_failures.note(&subject.id, &subject.record);
        let Some(standing) = Standing::of(&subject.standing) else {
            rest.push(*position);
            continue;
        };
        let job = UserJob {
            run,
            position: i64::from(*position),
            id: subject.id,
            user_name: subject.record.user_name,
            rule: subject.record.rule,
            standing,
            record: stored,
        };
        // PostgreSQL's JSON cannot hold U+0000.
        if serde_json::to_string(&job).is_ok_and(|text| !text.contains("\\u0000")) {
            jobs.push(job);
        } else {
            rest.push(*position);
        }
    }
    Ok(jobs)
}

impl Gathered {
    /// Takes a result; returns how many jobs it ends.
    async fn take(
        &mut self,
        context: &Context,
        position: i64,
        result: &str,
        progress: &Arc<dyn Progress>,
    ) -> usize {
        let Ok(at) = usize::try_from(position) else { return 0 };
        match serde_json::from_str(result) {
            Ok(JobResult::Settled { line: told, failed_deprovision }) => {
                context.settle();
                if let Some(line) = line(context, told, failed_deprovision) {
                    // For metrics and traces here; the worker has stored the audit entry.
                    let (recorder, now) = (context.client.recorder(), context.client.now());
                    let ((), turn) = recorder.in_turn(&line.source_id, now, std::future::ready(())).await;
                    recorder.settled(&turn, now, &line);
                    self.lines.push((at, line));
                }
            }
            Ok(JobResult::Refused { line: told, failed_deprovision }) => {
                context.settle();
                self.refused.push((at, line(context, told, failed_deprovision)));
            }
            Ok(JobResult::Deferred) => self.deferred.push(at),
            Err(error) => {
                tracing::error!(%error, "failed to read the result of a job");
                return 1;
            }
        }
        progress.advance();
        1
    }
}
