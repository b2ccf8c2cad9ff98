//! The state in PostgreSQL: the same content as the file, in the schema `provisioner` of a database.
//!
//! One connection does everything. Its session holds the lock of the run, so a run that lost the database has lost its lock and
//! its way to write together. The connection is driven by a thread of its own: that is how a read can be waited for outside of async code.

mod batch;
mod connect;
mod groups;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, mpsc};

use futures_util::TryStreamExt as _;
use futures_util::future::try_join5;
use jiff::Timestamp;
use tokio_postgres::{Client, Row, Statement};

use self::batch::{Audit, Batch, Results};
pub(super) use self::batch::{restored, storable};
use self::connect::prepare;
pub(super) use self::connect::{connect, lock_key};
pub(super) use self::groups::AllGroups;
use super::database::{ReadError, parse_record};
use super::index::{Index, IndexRow};
use super::location::PostgresUrl;
use super::store::{Access, Durability, Known, StoreError};
use super::{ConnectionRecord, Record, StateChange, Withdrawal, WithdrawalKind};
use crate::audit::AuditEntry;
use crate::ids::{ScimUrl, SourceId};

const PUT: &str = "
WITH input AS (
  SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[])
    AS input (source_id, account, fingerprint, rule, flags, record)
), put AS (
  INSERT INTO provisioner.subject (target, source_id, account, fingerprint, rule, flags)
  SELECT $1, source_id, account, fingerprint, rule, flags FROM input
  ON CONFLICT (target, source_id) DO UPDATE SET account = excluded.account, fingerprint = excluded.fingerprint,
    rule = excluded.rule, flags = excluded.flags
  RETURNING row, source_id
)
INSERT INTO provisioner.record (row, target, source_id, record)
SELECT put.row, $1, put.source_id, input.record FROM put JOIN input USING (source_id)
ON CONFLICT (row) DO UPDATE SET record = excluded.record";

const REMOVE: &str = "
WITH gone AS (DELETE FROM provisioner.subject WHERE target = $1 AND source_id = ANY ($2::text[]) RETURNING row)
DELETE FROM provisioner.record USING gone WHERE record.row = gone.row";

const RESULTS: &str = "
INSERT INTO provisioner.result (target, source_id, run, position, result)
SELECT $1, * FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[])
ON CONFLICT (target, source_id) DO UPDATE SET run = excluded.run, position = excluded.position, result = excluded.result, taken = false";

const AUDIT: &str = "
INSERT INTO provisioner.audit (target, at, entry)
SELECT $1, at, entry FROM unnest($2::bigint[], $3::text[]) WITH ORDINALITY AS input (at, entry, number) ORDER BY number";

/// The error of a database. Values of a row, which PostgreSQL tells in the details of an error, are left out.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PostgresError(String);

impl From<tokio_postgres::Error> for PostgresError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(match error.as_db_error() {
            Some(told) => format!("{} (SQLSTATE {})", told.message(), told.code().code()),
            None => crate::causes::with_cause(&error),
        })
    }
}

impl PostgresError {
    pub(super) fn of_queue(error: &str) -> Self {
        Self(format!("the job queue: {error}"))
    }
}

/// An open database.
pub(super) struct Postgres {
    client: Client,
    put: Statement,
    remove: Statement,
    results: Statement,
    audit: Statement,
    target: i64,
    /// The key of the lock that workers share while they work, and that the coordinator has alone while it decides.
    gate: i64,
    url: String,
    address: PostgresUrl,
    scim_url: ScimUrl,
    /// The runtime of the thread that drives the connection. It ends when the client is dropped.
    runtime: tokio::runtime::Handle,
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postgres")
            .field("url", &self.url)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl Postgres {
    /// Opens (and makes, for writing) the state for `scim_url`. `None` if there is nothing, and nothing may be written.
    pub(super) async fn open(
        url: &PostgresUrl,
        scim_url: &ScimUrl,
        durability: Durability,
        access: Access,
    ) -> Result<Option<(Self, Known)>, StoreError> {
        let failed = |error: tokio_postgres::Error| StoreError::postgres(url, error);
        let (client, runtime) = connect(url).await?;
        client
            .batch_execute(match (access, durability) {
                (Access::Read, _) => "SET default_transaction_read_only = on",
                (Access::Write | Access::Work, Durability::Full) => "SET synchronous_commit = on",
                (Access::Write | Access::Work, Durability::Off) => "SET synchronous_commit = off",
            })
            .await
            .map_err(failed)?;
        // A machine that is gone holds its locks until the server has noticed.
        client
            .batch_execute(
                "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3",
            )
            .await
            .map_err(failed)?;
        if !prepare(&client, url, access).await? {
            return Ok(None);
        }
        let gate = lock_key("gate", scim_url.to_string().as_str());
        if access == Access::Write {
            let row = client
                .query_one(
                    "SELECT pg_try_advisory_lock($1)",
                    &[&lock_key("run", scim_url.to_string().as_str())],
                )
                .await;
            if !row.map_err(failed)?.get::<_, bool>(0) {
                return Err(StoreError::DatabaseInUse(url.to_string()));
            }
            // Jobs of a run that was cut off are over; those in work come to their end first.
            close_gate(&client, scim_url.to_string().as_str(), gate).await.map_err(failed)?;
        }
        let (found, known) = load(&client, scim_url, url).await?;
        let target = match found {
            Some(target) => target,
            None if access == Access::Read => return Ok(None),
            None => {
                // Of several that are started first, one makes it.
                let insert = "INSERT INTO provisioner.target (url, record) VALUES ($1, '{}') \
                              ON CONFLICT (url) DO UPDATE SET url = excluded.url RETURNING id";
                client.query_one(insert, &[&scim_url.to_string()]).await.map_err(failed)?.get(0)
            }
        };
        if access == Access::Write {
            let times = || known.withdrawals.iter().map(|withdrawal| withdrawal.at);
            let old = times().max().map_or(0, |newest| newest - 2 * 24 * 60 * 60);
            let delete = "DELETE FROM provisioner.removal WHERE target = $1 AND at < $2";
            client.execute(delete, &[&target, &old]).await.map_err(failed)?;
        }
        let put = client.prepare(PUT).await.map_err(failed)?;
        let remove = client.prepare(REMOVE).await.map_err(failed)?;
        let results = client.prepare(RESULTS).await.map_err(failed)?;
        let audit = client.prepare(AUDIT).await.map_err(failed)?;
        let (address, scim_url) = (url.clone(), scim_url.clone());
        let url = url.to_string();
        Ok(Some((
            Self { client, put, remove, results, audit, target, gate, url, address, scim_url, runtime },
            known,
        )))
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn address(&self) -> &PostgresUrl {
        &self.address
    }

    pub(super) const fn target(&self) -> i64 {
        self.target
    }

    pub(super) const fn gate(&self) -> i64 {
        self.gate
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Ends the present run: no job begins any more. Returns when no worker is at work.
    pub(super) async fn close_gate(&self) -> Result<(), tokio_postgres::Error> {
        close_gate(&self.client, &self.scim_url.to_string(), self.gate).await
    }

    /// Reads what is known of the target as a whole.
    pub(super) async fn known(&self) -> Result<Known, StoreError> {
        load(&self.client, &self.scim_url, &self.address).await.map(|(_, known)| known)
    }

    /// Returns the address without the password.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Gives the lock of the run back. The connection ends with the last holder of this.
    pub(super) async fn close(&self) {
        if let Err(error) = self.client.batch_execute("SELECT pg_advisory_unlock_all()").await {
            let error = PostgresError::from(error);
            tracing::warn!(%error, "failed to unlock the state database; it unlocks itself when the connection ends");
        }
    }

    /// Waits for `read` outside of async code.
    pub(super) fn wait<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl AsyncReadOf<T>,
    ) -> Result<T, ReadError> {
        let (done, result) = mpsc::channel();
        let this = Arc::clone(self);
        self.runtime.spawn(async move { drop(done.send(read.call(&this).await)) });
        result.recv().unwrap_or_else(|_| Err(PostgresError("the connection was closed".to_owned()).into()))
    }

    /// Writes the changes in one transaction and one round trip.
    pub(super) async fn write(&self, changes: &[&StateChange]) -> Result<(), PostgresError> {
        let batch = Batch::of(changes)?;
        let (client, target) = (&self.client, &self.target);
        let begin = async { client.batch_execute("BEGIN").await };
        let removed = async {
            if !batch.removed.is_empty() {
                client.execute(&self.remove, &[target, &batch.removed]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let put = async {
            if !batch.ids.is_empty() {
                let Batch { ids, accounts, fingerprints, rules, flags, records, .. } = &batch;
                client
                    .execute(&self.put, &[target, ids, accounts, fingerprints, rules, flags, records])
                    .await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let connection = async {
            if let Some(record) = &batch.connection {
                client
                    .execute("UPDATE provisioner.target SET record = $2 WHERE id = $1", &[target, record])
                    .await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let withdrawals = async {
            if !batch.withdrawn_at.is_empty() {
                let insert = "INSERT INTO provisioner.removal (target, at, disable) \
                              SELECT $1, * FROM unnest($2::bigint[], $3::boolean[])";
                client.execute(insert, &[target, &batch.withdrawn_at, &batch.disabled]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let source = async {
            if let Some(identity) = batch.source {
                let insert = "INSERT INTO provisioner.source (target, identity) VALUES ($1, $2) \
                              ON CONFLICT (target) DO UPDATE SET identity = excluded.identity";
                client.execute(insert, &[target, &identity]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let audit = async {
            let Audit { at, entries, kept_since } = &batch.audit;
            if !entries.is_empty() {
                client.execute(&self.audit, &[target, at, entries]).await?;
            }
            if let Some(since) = kept_since {
                let delete = "DELETE FROM provisioner.audit WHERE target = $1 AND at < $2";
                client.execute(delete, &[target, since]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        let results = async {
            let Results { ids, runs, positions, texts } = &batch.results;
            if !ids.is_empty() {
                client.execute(&self.results, &[target, ids, runs, positions, texts]).await?;
            }
            Ok::<(), tokio_postgres::Error>(())
        };
        // The users' statements are on their way before the first of them is answered. The rest is rare.
        let written = async {
            try_join5(begin, removed, put, audit, results).await?;
            connection.await?;
            withdrawals.await?;
            source.await?;
            self.write_groups(&batch.groups).await
        };
        let written: Result<(), tokio_postgres::Error> = written.await;
        match written {
            Ok(()) => client.batch_execute("COMMIT").await.map_err(PostgresError::from),
            Err(error) => {
                // A connection that is gone has rolled back by itself.
                drop(client.batch_execute("ROLLBACK").await);
                Err(error.into())
            }
        }
    }

    /// Reads what a run has to know of every user.
    pub(super) async fn index(&self) -> Result<Index, ReadError> {
        let query = "SELECT row, source_id, account, fingerprint, rule, flags FROM provisioner.subject \
                     WHERE target = $1 ORDER BY source_id";
        let mut rows = pin!(self.client.query_raw(query, [self.target]).await?);
        let mut index = Index::default();
        while let Some(row) = rows.try_next().await? {
            index.push(&IndexRow {
                row: row.try_get(0)?,
                source_id: &restored(row.try_get(1)?),
                account: row.try_get(2)?,
                fingerprint: row.try_get(3)?,
                rule: row.try_get(4)?,
                flags: row.try_get(5)?,
            })?;
        }
        Ok(index)
    }

    /// Reads the records in `rows`, in that order.
    pub(super) async fn records(&self, rows: &[i64]) -> Result<Vec<(SourceId, Record)>, ReadError> {
        let query = "SELECT row, source_id, record FROM provisioner.record WHERE row = ANY ($1)";
        let found = self.found(query, rows).await?;
        in_order(rows, &found, |row| parse_record(&restored(row.try_get(1)?), row.try_get(2)?))
    }

    /// Reads the ids of the users in `rows`, in that order.
    pub(super) async fn source_ids(&self, rows: &[i64]) -> Result<Vec<SourceId>, ReadError> {
        let query = "SELECT row, source_id FROM provisioner.record WHERE row = ANY ($1)";
        let found = self.found(query, rows).await?;
        in_order(rows, &found, |row| restored(row.try_get(1)?).parse().map_err(ReadError::record))
    }

    /// Reads the record of a user.
    pub(super) async fn record_of(&self, id: &SourceId) -> Result<Option<Record>, ReadError> {
        let query = "SELECT record.record FROM provisioner.subject JOIN provisioner.record USING (row) \
                     WHERE subject.target = $1 AND subject.source_id = $2";
        let row = self.client.query_opt(query, &[&self.target, &storable(id.as_str())]).await?;
        row.map(|row| Ok(parse_record(id.as_str(), row.try_get(0)?)?.1)).transpose()
    }

    async fn found(&self, query: &str, rows: &[i64]) -> Result<HashMap<i64, Row>, ReadError> {
        let found = self.client.query(query, &[&rows]).await?;
        found.into_iter().map(|row| Ok((row.try_get(0)?, row))).collect()
    }

    /// Reads every record, by id.
    pub(super) async fn all_records(&self) -> Result<BTreeMap<SourceId, Arc<Record>>, ReadError> {
        let query = "SELECT source_id, record FROM provisioner.record WHERE target = $1";
        let mut rows = pin!(self.client.query_raw(query, [self.target]).await?);
        let mut records = BTreeMap::new();
        while let Some(row) = rows.try_next().await? {
            let (id, record) = parse_record(&restored(row.try_get(0)?), row.try_get(1)?)?;
            records.insert(id, Arc::new(record));
        }
        Ok(records)
    }
}

/// A read that [`Postgres::wait`] carries out on the thread of the connection.
pub(super) trait AsyncReadOf<T>: Send + 'static {
    fn call(self, database: &Postgres) -> impl Future<Output = Result<T, ReadError>> + Send;
}

/// The read of every record.
pub(super) struct AllRecords;

impl AsyncReadOf<BTreeMap<SourceId, Arc<Record>>> for AllRecords {
    async fn call(self, database: &Postgres) -> Result<BTreeMap<SourceId, Arc<Record>>, ReadError> {
        database.all_records().await
    }
}

/// The read of records by their rows.
pub(super) struct RecordsIn(pub(super) Vec<i64>);

impl AsyncReadOf<Vec<(SourceId, Record)>> for RecordsIn {
    async fn call(self, database: &Postgres) -> Result<Vec<(SourceId, Record)>, ReadError> {
        database.records(&self.0).await
    }
}

/// The read of ids by their rows.
pub(super) struct IdsIn(pub(super) Vec<i64>);

impl AsyncReadOf<Vec<SourceId>> for IdsIn {
    async fn call(self, database: &Postgres) -> Result<Vec<SourceId>, ReadError> {
        database.source_ids(&self.0).await
    }
}

/// Calls `each` with every entry of the audit log from `since` on, oldest first, with the SCIM URL it belongs to.
pub(super) async fn read_audit_log(
    url: &PostgresUrl,
    since: Timestamp,
    each: &mut (dyn FnMut(&str, AuditEntry) + Send),
) -> Result<(), StoreError> {
    let (client, _) = connect(url).await?;
    if !prepare(&client, url, Access::Read).await? {
        return Ok(());
    }
    let read = async {
        let query = "SELECT url, entry FROM provisioner.audit JOIN provisioner.target ON target = target.id \
                     WHERE at >= $1 ORDER BY audit.id";
        let mut rows = pin!(client.query_raw(query, [since.as_second()]).await?);
        while let Some(row) = rows.try_next().await? {
            each(row.try_get(0)?, serde_json::from_str(row.try_get(1)?).map_err(ReadError::record)?);
        }
        Ok(())
    };
    read.await.map_err(|error: ReadError| error.in_database(&url.to_string()))
}

fn in_order<T>(
    rows: &[i64],
    found: &HashMap<i64, Row>,
    parse: impl Fn(&Row) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    rows.iter()
        .map(|row| {
            let gone = || PostgresError("a user that was read before is gone".to_owned());
            parse(found.get(row).ok_or_else(gone)?)
        })
        .collect()
}

/// Ends the run of a SCIM URL and takes its gate, which waits for workers.
async fn close_gate(client: &Client, scim_url: &str, gate: i64) -> Result<(), tokio_postgres::Error> {
    let end = "UPDATE provisioner.run SET run = run.run + 1 FROM provisioner.target WHERE target.id = run.target AND url = $1";
    client.execute(end, &[&scim_url]).await?;
    if !client.query_one("SELECT pg_try_advisory_lock($1)", &[&gate]).await?.get::<_, bool>(0) {
        tracing::info!("waiting for workers to end their requests");
        client.execute("SELECT pg_advisory_lock($1)", &[&gate]).await?;
    }
    Ok(())
}

/// Loads the target of this URL, if it is stored, and what is known of it.
async fn load(
    client: &Client,
    scim_url: &ScimUrl,
    url: &PostgresUrl,
) -> Result<(Option<i64>, Known), StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::postgres(url, error);
    let query = "SELECT id, record, identity FROM provisioner.target \
                 LEFT JOIN provisioner.source ON source.target = id WHERE url = $1";
    let Some(row) = client.query_opt(query, &[&scim_url.to_string()]).await.map_err(failed)? else {
        return Ok((None, Known::default()));
    };
    let target: i64 = row.get(0);
    let connection: ConnectionRecord = serde_json::from_str(row.get(1))
        .map_err(|error| StoreError::DatabaseRecord { url: url.to_string(), source: error.into() })?;
    let query = "SELECT at, disable FROM provisioner.removal WHERE target = $1 ORDER BY at";
    let withdrawals = client.query(query, &[&target]).await.map_err(failed)?;
    let withdrawals = withdrawals.iter().map(|row| Withdrawal {
        at: row.get(0),
        kind: if row.get(1) { WithdrawalKind::Disable } else { WithdrawalKind::Removal },
    });
    Ok((Some(target), Known { connection, withdrawals: withdrawals.collect(), source: row.get(2) }))
}
