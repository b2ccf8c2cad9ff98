//! A worker: carries out the jobs of runs that a coordinator has decided.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions};
use serde::{Deserialize, Serialize};

use super::context::Context;
use super::correlate::{decide_again, decide_unsettled};
use super::distribute::{JobQueue, JobResult, RunSettings, UserJob, configuration, digest};
use super::execute::{attempt, users_in_work};
use super::user::TaskResult;
use super::{Environment, Provisioner};
use crate::causes::with_cause;
use crate::clock::SetClock;
use crate::config::Config;
use crate::interrupt::Interrupt;
use crate::recording::{Actor, Recorder, Recording};
use crate::state::StateChange;
use crate::state::shared::{Begun, JobPlace, Shared};
use crate::state::store::{Access, StoreError};

/// How long a worker waits before it asks again for a user or a database that it cannot have now.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The signs of life of a worker: another one takes its jobs five seconds after the last.
const HEARTBEAT: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(2);
const DEAD_AFTER: Duration = Duration::from_secs(5);

/// A job as the queue knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Job(UserJob);

impl TaskHandler for Job {
    const IDENTIFIER: &'static str = super::distribute::IDENTIFIER;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        match context.get_ext::<Handle>().and_then(|handle| handle.0.upgrade()) {
            Some(worker) => worker.carry_out(self.0).await,
            None => Err("the worker is ending".to_owned()),
        }
    }
}

#[derive(Clone)]
struct Handle(Weak<Worker>);

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handle")
    }
}

/// The present run, as a worker sees it.
struct Running {
    run: i64,
    context: Arc<Context>,
    full: bool,
}

struct Worker {
    provisioner: Provisioner,
    shared: Arc<Shared>,
    running: tokio::sync::Mutex<Option<Running>>,
}

/// Carries out jobs until it is interrupted. A database that is out of reach is tried again.
///
/// # Errors
/// The state is no database, or has another layout.
pub async fn work(config: Config, environment: Environment, interrupt: Interrupt) -> Result<(), StoreError> {
    loop {
        match work_once(config.clone(), environment.clone(), &interrupt).await {
            Ok(()) if interrupt.is_interrupted() => return Ok(()),
            Ok(()) => tracing::warn!("the state database was out of reach; the worker connects again"),
            Err(error @ (StoreError::DatabaseUnusable { .. } | StoreError::DatabaseWrite { .. })) => {
                if interrupt.is_interrupted() {
                    return Ok(());
                }
                tracing::warn!(error = with_cause(&error), "the worker tries again");
            }
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = interrupt.interrupted() => return Ok(()),
        }
    }
}

async fn work_once(
    config: Config,
    environment: Environment,
    interrupt: &Interrupt,
) -> Result<(), StoreError> {
    let concurrency = users_in_work(config.options.concurrency.get());
    let mut provisioner = Provisioner::open_as(config, environment, Access::Work).await?;
    provisioner.interrupt = interrupt.clone();
    let shared = provisioner.store.shared(provisioner.config.options.requests_per_second).await?;
    let queue = JobQueue::open(shared.address(), &shared.queue_schema(), 4).await?;
    let worker =
        Arc::new(Worker { provisioner, shared: Arc::clone(&shared), running: tokio::sync::Mutex::new(None) });
    let ending = {
        let (shared, interrupt) = (Arc::clone(&shared), interrupt.clone());
        async move {
            loop {
                tokio::select! {
                    () = interrupt.interrupted() => return,
                    () = tokio::time::sleep(ASK_AGAIN) => if shared.is_lost() { return },
                }
            }
        }
    };
    let failed = |error: &dyn fmt::Display| StoreError::queue(shared.address(), &error.to_string());
    let jobs = WorkerOptions::default()
        .database(queue.database.clone())
        .schema(shared.queue_schema().as_str())
        .concurrency(concurrency)
        .poll_interval(Duration::from_millis(500))
        .local_queue(LocalQueueConfig::default().with_size(concurrency.clamp(1, 256)))
        .complete_job_batch_delay(Duration::from_millis(5))
        .heartbeat_interval(HEARTBEAT)
        .sweep_interval(SWEEP)
        .sweep_threshold(DEAD_AFTER)
        .recovery_delay(Duration::ZERO)
        .add_extension(Handle(Arc::downgrade(&worker)))
        .define_job::<Job>()
        .listen_os_shutdown_signals(false)
        .shutdown_signal(ending)
        .init()
        .await
        .map_err(|error| failed(&error))?;
    tracing::info!("the worker waits for jobs");
    let result = jobs.run().await;
    worker.provisioner.store.close().await;
    if interrupt.is_interrupted() || shared.is_lost() {
        return Ok(());
    }
    result.map_err(|error| failed(&error))
}

impl Worker {
    /// Carries out one job. An error gives it back to the queue.
    async fn carry_out(&self, job: UserJob) -> Result<(), String> {
        let place = JobPlace { run: job.run, position: job.position };
        let id = job.id.clone();
        let text = |error: StoreError| with_cause(&error);
        let record = loop {
            if self.provisioner.interrupt.is_interrupted() || self.shared.is_lost() {
                return Err("the worker is ending".to_owned());
            }
            match self.shared.begin(place, &id).await.map_err(text)? {
                Begun::Later => tokio::time::sleep(ASK_AGAIN).await,
                Begun::Stale | Begun::Settled => return Ok(()),
                Begun::Ready(record) => break record,
            }
        };
        let settled = self.settle(job, record.map(|record| *record)).await;
        self.shared.end(&id).await.map_err(text)?;
        settled
    }

    async fn settle(&self, job: UserJob, record: Option<crate::state::Record>) -> Result<(), String> {
        let place = JobPlace { run: job.run, position: job.position };
        let Some((context, full)) = self.context_of(job.run).await? else { return Ok(()) };
        let id = job.id.clone();
        let is_as_decided = record.as_ref().map(digest) == job.record;
        let Some(subject) = job.into_subject(record) else { return Err("the job cannot be read".to_owned()) };
        let task = if is_as_decided {
            Ok(decide_again(&context, subject, full))
        } else {
            // Another worker began with it, and its end is not known.
            decide_unsettled(&context, subject, full).await
        };
        let result = match task {
            Ok(Some(task)) => attempt(&context, task, false).await,
            Ok(None) => Some(TaskResult::Settled(None)),
            Err(_) => None,
        };
        let result = match result {
            Some(TaskResult::Settled(line)) => JobResult::new(line.as_ref(), true),
            Some(TaskResult::Refused(line, _)) => JobResult::new(line.as_ref(), false),
            Some(TaskResult::Deferred(_)) => JobResult::Deferred,
            None => return self.stopped(&context, place.run).await,
        };
        if !self.shared.has_result(&id) {
            let change = StateChange::Result { place, id, result: result.to_json() };
            if context.save(vec![change]).await.is_err() {
                return Err("the state cannot be written".to_owned());
            }
        }
        Ok(())
    }

    /// Tells all why the run was stopped here, unless it concerns this worker only.
    async fn stopped(&self, context: &Context, run: i64) -> Result<(), String> {
        if let Some((_, stopped)) = context.client.stopped()
            && !["state", "interrupted"].contains(&stopped.code)
        {
            let why = format!("{}: {}", stopped.code, stopped.message);
            self.shared.stop(run, &why).await.map_err(|error| with_cause(&error))?;
        }
        Err("the run was stopped".to_owned())
    }

    /// Returns the context of `run`, or `None` if the run is over.
    async fn context_of(&self, run: i64) -> Result<Option<(Arc<Context>, bool)>, String> {
        let mut running = self.running.lock().await;
        if let Some(Running { context, full, .. }) = running.as_ref().filter(|running| running.run == run) {
            return Ok(Some((Arc::clone(context), *full)));
        }
        let text = |error: StoreError| with_cause(&error);
        let Some((settings, now)) = self.shared.settings(run).await.map_err(text)? else { return Ok(None) };
        let settings: RunSettings = serde_json::from_str(&settings).map_err(|error| error.to_string())?;
        let provisioner = &self.provisioner;
        if settings.configuration != configuration(&provisioner.config) {
            let message =
                "the worker's configuration differs from the coordinator's: use the same file for both";
            tracing::error!(message);
            return Err(message.to_owned());
        }
        let connection = self.shared.connection().await.map_err(text)?;
        let recording =
            Recording { actor: Actor::Person(settings.actor), ..provisioner.environment.recording.clone() };
        let recorded = format!("{}-{}", settings.recorded, self.shared.session());
        let recorder = Arc::new(Recorder::new(&recording, recorded));
        let context = Context::for_worker(
            Arc::clone(&provisioner.config),
            provisioner.client_with(Arc::new(SetClock::new(now)), recorder),
            Arc::clone(&provisioner.store),
            connection,
            (settings.claims_patch, settings.full),
            Arc::clone(&self.shared),
        );
        let context = Arc::new(context);
        *running = Some(Running { run, context: Arc::clone(&context), full: settings.full });
        Ok(Some((context, settings.full)))
    }
}
