//! What several processes share that carry out one run: which run it is, who works on which user, results, permits, lessons, and the
//! pace of requests. PostgreSQL only.
//!
//! Locks that keep two processes from one user belong to the session that writes the state ([`Postgres`]): a process that has lost its locks
//! cannot store an intent either, so it sends nothing. Everything else goes over a second session, beside the transactions of the first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio_postgres::Client;

use super::Learned;
use super::database::ReadError;
use super::location::PostgresUrl;
use super::postgres::{Postgres, connect, lock_key, restored, storable};
use super::store::StoreError;
use super::{ConnectionRecord, Record};
use crate::ids::{SourceId, TargetId};

/// How long a process waits before it asks again for what another one holds.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The place of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobPlace {
    /// The run that it belongs to.
    pub run: i64,
    /// The position of its user in the run.
    pub position: i64,
}

/// The answer to a worker that is about to carry out a job.
#[derive(Debug)]
pub(crate) enum Begun {
    /// Another process decides, or works on the user.
    Later,
    /// The run is over.
    Stale,
    /// The job was carried out; its worker died before it could tell the queue.
    Settled,
    /// The user is this worker's; its record.
    Ready(Option<Box<Record>>),
}

/// A kind of write of which only one is in flight until its effect is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PermitKind {
    Create,
    Attributes,
    Disable,
    Enable,
}

/// A job in work.
#[derive(Debug)]
struct InWork {
    place: JobPlace,
    has_result: bool,
}

/// The shared part of a run.
pub(crate) struct Shared {
    main: Arc<Postgres>,
    side: Client,
    /// The number of the second session, which no other session has at the same time.
    session: i32,
    runtime: tokio::runtime::Handle,
    url: PostgresUrl,
    target: i64,
    gate: i64,
    in_work: Mutex<HashMap<SourceId, InWork>>,
    lost: AtomicBool,
    paused_until: Mutex<Option<Instant>>,
    /// Requests per second of all workers together, and what this process may send of them now.
    rate: Option<f64>,
    tokens: tokio::sync::Mutex<f64>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("url", &self.url).field("target", &self.target).finish_non_exhaustive()
    }
}

impl Shared {
    pub(super) async fn open(main: Arc<Postgres>, rate: Option<f64>) -> Result<Arc<Self>, StoreError> {
        let url = main.address().clone();
        let (side, runtime) = connect(&url).await?;
        let target = main.target();
        let insert = "INSERT INTO provisioner.pace (target) VALUES ($1) ON CONFLICT DO NOTHING";
        side.execute(insert, &[&target]).await.map_err(|error| StoreError::postgres(&url, error))?;
        let session = side.query_one("SELECT pg_backend_pid()", &[]).await;
        let session: i32 = session.map_err(|error| StoreError::postgres(&url, error))?.get(0);
        let shared = Arc::new(Self {
            session,
            gate: main.gate(),
            main,
            side,
            runtime,
            url,
            target,
            in_work: Mutex::default(),
            lost: AtomicBool::new(false),
            paused_until: Mutex::new(None),
            rate,
            tokens: tokio::sync::Mutex::new(0.0),
        });
        tokio::spawn(follow_pauses(Arc::downgrade(&shared)));
        Ok(shared)
    }

    pub(crate) fn address(&self) -> &PostgresUrl {
        &self.url
    }

    /// Returns the number of this process among those of the run.
    pub(crate) const fn session(&self) -> i32 {
        self.session
    }

    /// Returns the schema of the job queue of this connection.
    pub(crate) fn queue_schema(&self) -> String {
        format!("provisioner_jobs_{}", self.target)
    }

    /// Whether the database was out of reach: this process sends nothing any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.side.is_closed() || self.main.is_closed()
    }

    fn failed(&self, error: tokio_postgres::Error) -> StoreError {
        self.lost.store(true, Ordering::Release);
        StoreError::postgres(&self.url, error)
    }

    // ---- the coordinator ----

    /// Begins a new run with its `settings`, and lets workers in; `now` is the time by which all of them work.
    pub(crate) async fn begin_run(&self, settings: &str, now: SystemTime) -> Result<i64, StoreError> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let run = async {
            self.side.execute("DELETE FROM provisioner.result WHERE target = $1", &[&self.target]).await?;
            self.side.execute("DELETE FROM provisioner.claim WHERE target = $1", &[&self.target]).await?;
            let begin = "INSERT INTO provisioner.run (target, run, settings, ahead) \
                 VALUES ($1, 1, $2, $3 - extract(epoch FROM clock_timestamp())::float8) \
                 ON CONFLICT (target) DO UPDATE SET run = run.run + 1, settings = excluded.settings, ahead = excluded.ahead, \
                 stopped = NULL RETURNING run";
            let run: i64 = self.side.query_one(begin, &[&self.target, &settings, &now]).await?.try_get(0)?;
            self.main.client().execute("SELECT pg_advisory_unlock($1)", &[&self.gate]).await?;
            Ok(run)
        };
        run.await.map_err(|error| self.failed(error))
    }

    /// Empties the job queue. No worker is at work.
    pub(crate) async fn clear_queue(&self) -> Result<(), StoreError> {
        let schema = self.queue_schema();
        let clear = format!("DELETE FROM {schema}._private_jobs");
        self.side.batch_execute(&clear).await.map_err(|error| self.failed(error))
    }

    /// Ends the run: no further job begins. Returns when no worker is at work.
    pub(crate) async fn end_run(&self) -> Result<(), StoreError> {
        self.main.close_gate().await.map_err(|error| self.failed(error))
    }

    /// Returns results that were not returned yet.
    pub(crate) async fn take_results(&self, run: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let take = "UPDATE provisioner.result SET taken = true WHERE target = $1 AND source_id IN ( \
                      SELECT source_id FROM provisioner.result WHERE target = $1 AND run = $2 AND NOT taken LIMIT 4096 \
                    ) RETURNING position, result";
        let rows = self.side.query(take, &[&self.target, &run]).await.map_err(|error| self.failed(error))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Returns why a worker has stopped the run, if one has.
    pub(crate) async fn stopped(&self, run: i64) -> Result<Option<String>, StoreError> {
        let query = "SELECT stopped FROM provisioner.run WHERE target = $1 AND run = $2";
        let row =
            self.side.query_opt(query, &[&self.target, &run]).await.map_err(|error| self.failed(error))?;
        Ok(row.and_then(|row| row.get(0)))
    }

    // ---- the workers ----

    /// Returns the settings of `run` and its present time, or `None` if it is over.
    ///
    /// The time is the coordinator's, carried on by the database's clock: the delete guard and look-ups compare times of several
    /// processes.
    pub(crate) async fn settings(&self, run: i64) -> Result<Option<(String, SystemTime)>, StoreError> {
        let query = "SELECT settings, ahead + extract(epoch FROM clock_timestamp())::float8 FROM provisioner.run \
                     WHERE target = $1 AND run = $2";
        let row =
            self.side.query_opt(query, &[&self.target, &run]).await.map_err(|error| self.failed(error))?;
        Ok(row.map(|row| {
            let since_epoch = Duration::try_from_secs_f64(row.get(1)).unwrap_or_default();
            (row.get(0), UNIX_EPOCH + since_epoch)
        }))
    }

    /// Returns the record of the connection as it is now.
    pub(crate) async fn connection(&self) -> Result<ConnectionRecord, StoreError> {
        let (_, record) = self.connection_text().await?;
        Ok(record)
    }

    async fn connection_text(&self) -> Result<(String, ConnectionRecord), StoreError> {
        let query = "SELECT record FROM provisioner.target WHERE id = $1";
        let row = self.side.query_one(query, &[&self.target]).await.map_err(|error| self.failed(error))?;
        let text: String = row.get(0);
        let record = serde_json::from_str(&text).map_err(|error| StoreError::DatabaseRecord {
            url: self.url.to_string(),
            source: error.into(),
        })?;
        Ok((text, record))
    }

    /// Stops the run for all workers.
    pub(crate) async fn stop(&self, run: i64, why: &str) -> Result<(), StoreError> {
        let update =
            "UPDATE provisioner.run SET stopped = coalesce(stopped, $3) WHERE target = $1 AND run = $2";
        let stopped = self.side.execute(update, &[&self.target, &run, &why]).await;
        stopped.map(drop).map_err(|error| self.failed(error))
    }

    /// Takes the user of a job, unless another process has it.
    pub(crate) async fn begin(&self, place: JobPlace, id: &SourceId) -> Result<Begun, StoreError> {
        {
            let mut in_work = self.in_work();
            // A lock that this session holds already would be given to it once more.
            if in_work.contains_key(id) {
                return Ok(Begun::Later);
            }
            in_work.insert(id.clone(), InWork { place, has_result: false });
        }
        let begun = self.begin_alone(place, id).await;
        if !matches!(begun, Ok(Begun::Ready(_))) {
            self.in_work().remove(id);
        }
        begun
    }

    async fn begin_alone(&self, place: JobPlace, id: &SourceId) -> Result<Begun, StoreError> {
        let client = self.main.client();
        let lock = "SELECT gate, CASE WHEN gate THEN pg_try_advisory_lock($2) ELSE false END \
                    FROM (SELECT pg_try_advisory_lock_shared($1) AS gate OFFSET 0) AS shared";
        let user = self.lock_of(id);
        let row = client.query_one(lock, &[&self.gate, &user]).await.map_err(|error| self.failed(error))?;
        let (gate, mine): (bool, bool) = (row.get(0), row.get(1));
        if !gate {
            return Ok(Begun::Later);
        }
        if !mine {
            let unlock = "SELECT pg_advisory_unlock_shared($1)";
            client.execute(unlock, &[&self.gate]).await.map_err(|error| self.failed(error))?;
            return Ok(Begun::Later);
        }
        let query = "SELECT \
             EXISTS (SELECT FROM provisioner.run WHERE target = $1 AND run = $3 AND stopped IS NULL), \
             EXISTS (SELECT FROM provisioner.result WHERE target = $1 AND source_id = $2 AND run = $3), \
             (SELECT record.record FROM provisioner.subject JOIN provisioner.record USING (row) \
              WHERE subject.target = $1 AND subject.source_id = $2)";
        let storable = storable(id.as_str());
        let row = client
            .query_one(query, &[&self.target, &storable, &place.run])
            .await
            .map_err(|error| self.failed(error))?;
        let (current, settled, record): (bool, bool, Option<&str>) = (row.get(0), row.get(1), row.get(2));
        let begun = match (current, settled) {
            (false, _) => Begun::Stale,
            (true, true) => Begun::Settled,
            (true, false) => match record.map(serde_json::from_str).transpose() {
                Ok(record) => Begun::Ready(record),
                Err(error) => {
                    // The gate must not stay shut for a record that nobody can read.
                    self.unlock(user).await?;
                    let source = error.into();
                    return Err(StoreError::DatabaseRecord { url: self.url.to_string(), source });
                }
            },
        };
        if !matches!(begun, Begun::Ready(_)) {
            self.unlock(user).await?;
        }
        Ok(begun)
    }

    /// Gives the user of a job back.
    pub(crate) async fn end(&self, id: &SourceId) -> Result<(), StoreError> {
        self.in_work().remove(id);
        self.unlock(self.lock_of(id)).await
    }

    async fn unlock(&self, user: i64) -> Result<(), StoreError> {
        let unlock = "SELECT pg_advisory_unlock($2), pg_advisory_unlock_shared($1)";
        let unlocked = self.main.client().execute(unlock, &[&self.gate, &user]).await;
        unlocked.map(drop).map_err(|error| self.failed(error))
    }

    fn lock_of(&self, id: &SourceId) -> i64 {
        lock_key("user", &format!("{} {}", self.target, id.as_str()))
    }

    fn in_work(&self) -> std::sync::MutexGuard<'_, HashMap<SourceId, InWork>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the place of the job in whose course the user is settled, and notes that its result is stored with the record.
    pub(crate) fn settles(&self, id: &SourceId) -> Option<JobPlace> {
        let mut in_work = self.in_work();
        let job = in_work.get_mut(id)?;
        job.has_result = true;
        Some(job.place)
    }

    /// Whether the result of the job of a user was stored with its record.
    pub(crate) fn has_result(&self, id: &SourceId) -> bool {
        self.in_work().get(id).is_some_and(|job| job.has_result)
    }

    /// Assigns an account to a user unless another user holds it, and returns the holder.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub(crate) fn claim(
        self: &Arc<Self>,
        account: &TargetId,
        user: &SourceId,
    ) -> Result<SourceId, StoreError> {
        self.ask_holder(account, Some(user)).map(|holder| holder.unwrap_or_else(|| user.clone()))
    }

    /// Returns the holder of an account.
    ///
    /// # Errors
    /// The database cannot be asked.
    pub(crate) fn holder(self: &Arc<Self>, account: &TargetId) -> Result<Option<SourceId>, StoreError> {
        self.ask_holder(account, None)
    }

    fn ask_holder(
        self: &Arc<Self>,
        account: &TargetId,
        user: Option<&SourceId>,
    ) -> Result<Option<SourceId>, StoreError> {
        let (done, result) = mpsc::channel();
        let this = Arc::clone(self);
        let (account, user) =
            (account.as_str().to_owned(), user.map(|user| storable(user.as_str()).into_owned()));
        self.runtime.spawn(async move {
            let holder = async {
                // A holder in the state counts before one of this run.
                let query = "SELECT coalesce( \
                     (SELECT source_id FROM provisioner.subject WHERE target = $1 AND account = $2), \
                     (SELECT source_id FROM provisioner.claim WHERE target = $1 AND account = $2))";
                let held: Option<String> =
                    this.side.query_one(query, &[&this.target, &account]).await?.try_get(0)?;
                let Some(user) = user.filter(|_| held.is_none()) else { return Ok(held) };
                let insert = "INSERT INTO provisioner.claim (target, account, source_id) VALUES ($1, $2, $3) \
                     ON CONFLICT (target, account) DO UPDATE SET source_id = claim.source_id RETURNING source_id";
                this.side.query_one(insert, &[&this.target, &account, &user]).await?.try_get(0).map(Some)
            };
            drop(done.send(holder.await));
        });
        match result.recv() {
            Ok(Ok(Some(holder))) => restored(&holder)
                .parse()
                .map(Some)
                .map_err(|error| ReadError::record(error).in_database(&self.url.to_string())),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(error)) => Err(self.failed(error)),
            Err(mpsc::RecvError) => Err(StoreError::Closed),
        }
    }

    /// Waits until no other process is about to find out whether this kind of write works.
    pub(crate) async fn permit(self: &Arc<Self>, kind: PermitKind) -> Result<SharedPermit, StoreError> {
        let key = lock_key("permit", &format!("{} {kind:?}", self.target));
        loop {
            let row = self.side.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).await;
            if row.map_err(|error| self.failed(error))?.get(0) {
                return Ok(SharedPermit { shared: Arc::clone(self), key });
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Adds what was learned since `before` to what all have learned, and returns the result.
    pub(crate) async fn share(&self, before: &Learned, learned: &Learned) -> Result<Learned, StoreError> {
        loop {
            let (text, mut record) = self.connection_text().await?;
            let merged = merge(before, learned, &record.learned);
            if merged == record.learned {
                return Ok(merged);
            }
            record.learned = merged;
            let encoded = serde_json::to_string(&record).unwrap_or_default();
            let update = "UPDATE provisioner.target SET record = $3 WHERE id = $1 AND record = $2";
            let updated = self.side.execute(update, &[&self.target, &text, &encoded]).await;
            if updated.map_err(|error| self.failed(error))? == 1 {
                return Ok(record.learned);
            }
        }
    }

    /// Notes that the target has asked for a pause; all workers keep it.
    pub(crate) fn pause(self: &Arc<Self>, wait: Duration) {
        self.pause_here(wait);
        let this = Arc::clone(self);
        self.runtime.spawn(async move {
            // The database's clock, which all share.
            let update = "UPDATE provisioner.pace SET paused_until = \
                 greatest(paused_until, clock_timestamp() + make_interval(secs => $2)) WHERE target = $1";
            if let Err(error) = this.side.execute(update, &[&this.target, &wait.as_secs_f64()]).await {
                drop(this.failed(error));
            }
        });
    }

    fn pause_here(&self, wait: Duration) {
        let mut until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Instant::now().checked_add(wait));
    }

    /// Waits until a request may be sent; returns whether it still may.
    pub(crate) async fn may_send(&self) -> bool {
        loop {
            if self.is_lost() {
                return false;
            }
            let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            let wait = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
                continue;
            }
            match self.token().await {
                Ok(true) => return true,
                Ok(false) => tokio::time::sleep(ASK_AGAIN).await,
                Err(_) => return false,
            }
        }
    }

    /// Takes one token of the shared bucket, which holds those of one second; they are fetched a tenth of a second ahead.
    async fn token(&self) -> Result<bool, StoreError> {
        let Some(rate) = self.rate else { return Ok(true) };
        let mut tokens = self.tokens.lock().await;
        if *tokens < 1.0 {
            let want = (rate / 10.0).max(1.0).floor();
            let fetch = "WITH bucket AS ( \
                   SELECT least($2, tokens + $2 * greatest(0, extract(epoch FROM clock_timestamp() - refilled)::float8)) AS filled \
                   FROM provisioner.pace WHERE target = $1 FOR UPDATE \
                 ) UPDATE provisioner.pace SET refilled = clock_timestamp(), \
                   tokens = bucket.filled - least($3, floor(bucket.filled)) \
                 FROM bucket WHERE target = $1 RETURNING least($3, floor(bucket.filled))";
            let row = self.side.query_one(fetch, &[&self.target, &rate.max(1.0), &want]).await;
            *tokens += row.map_err(|error| self.failed(error))?.get::<_, f64>(0);
        }
        let taken = *tokens >= 1.0;
        if taken {
            *tokens -= 1.0;
        }
        Ok(taken)
    }
}

/// Keeps the pauses that other workers were asked for.
async fn follow_pauses(shared: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let Some(shared) = shared.upgrade() else { return };
        let query = "SELECT extract(epoch FROM paused_until - clock_timestamp())::float8 FROM provisioner.pace \
                     WHERE target = $1 AND paused_until > clock_timestamp()";
        match shared.side.query_opt(query, &[&shared.target]).await {
            Ok(Some(row)) => {
                shared.pause_here(Duration::try_from_secs_f64(row.get(0)).unwrap_or(Duration::ZERO));
            }
            Ok(None) => {}
            Err(error) => {
                drop(shared.failed(error));
                return;
            }
        }
    }
}

/// Leave to send the first write of a kind, held by one process.
#[derive(Debug)]
pub(crate) struct SharedPermit {
    shared: Arc<Shared>,
    key: i64,
}

impl Drop for SharedPermit {
    fn drop(&mut self) {
        let (shared, key) = (Arc::clone(&self.shared), self.key);
        self.shared.runtime.spawn(async move {
            if let Err(error) = shared.side.execute("SELECT pg_advisory_unlock($1)", &[&key]).await {
                drop(shared.failed(error));
            }
        });
    }
}

/// Returns `theirs` with everything in which `mine` differs from `before`.
pub(crate) fn merge(before: &Learned, mine: &Learned, theirs: &Learned) -> Learned {
    let value = |learned: &Learned| serde_json::to_value(learned).unwrap_or_default();
    let merged = merge_values(&value(before), &value(mine), value(theirs));
    serde_json::from_value(merged).unwrap_or_else(|_| mine.clone())
}

fn merge_values(before: &Value, mine: &Value, theirs: Value) -> Value {
    match (mine, theirs) {
        (Value::Object(mine), Value::Object(mut theirs)) => {
            for (name, mine) in mine {
                let before = before.get(name).unwrap_or(&Value::Null);
                let merged = merge_values(before, mine, theirs.remove(name).unwrap_or(Value::Null));
                theirs.insert(name.clone(), merged);
            }
            Value::Object(theirs)
        }
        (mine, theirs) if mine == before => theirs,
        (mine, _) => mine.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{DisableKind, MethodSupport};

    #[test]
    fn lessons_of_several_workers_are_merged() {
        let before = Learned::default();
        let mine = Learned { patch: MethodSupport::Works, ..Learned::default() };
        let theirs =
            Learned { disable: DisableKind::Withheld, put: MethodSupport::Unusable, ..Learned::default() };
        let merged = merge(&before, &mine, &theirs);
        assert_eq!(merged, Learned { patch: MethodSupport::Works, ..theirs.clone() });
        assert_eq!(merge(&before, &before, &theirs), theirs, "nothing new here");
        assert_eq!(merge(&merged, &merged, &before), before, "a lesson that was forgotten stays so");
    }
}
