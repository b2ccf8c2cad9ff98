//! Connections to the database, each driven by a thread of its own, and the tables.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::oneshot;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::PostgresError;
use crate::causes::with_cause;
use crate::state::database::LAYOUT;
use crate::state::location::PostgresUrl;
use crate::state::store::{Access, StoreError};
use crate::tls::client_config;

/// As in a file, `subject` has what a run asks of every user, and `record` the rest. Accounts are checked for uniqueness at the end of a
/// transaction, because a batch may hand one over.
const CREATE: &str = "
CREATE SCHEMA provisioner;
CREATE TABLE provisioner.layout (version BIGINT NOT NULL);
CREATE TABLE provisioner.target (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, url TEXT COLLATE \"C\" NOT NULL UNIQUE, record TEXT NOT NULL
);
CREATE TABLE provisioner.subject (
  target BIGINT NOT NULL REFERENCES provisioner.target (id), source_id TEXT COLLATE \"C\" NOT NULL,
  account TEXT COLLATE \"C\", fingerprint TEXT, rule TEXT, flags BIGINT NOT NULL,
  row BIGINT GENERATED ALWAYS AS IDENTITY,
  PRIMARY KEY (target, source_id), UNIQUE (target, account) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE provisioner.record (row BIGINT PRIMARY KEY, target BIGINT NOT NULL, source_id TEXT COLLATE \"C\" NOT NULL, record TEXT NOT NULL);
CREATE TABLE provisioner.removal (
  target BIGINT NOT NULL REFERENCES provisioner.target (id), at BIGINT NOT NULL, disable BOOLEAN NOT NULL
);
CREATE INDEX removal_target ON provisioner.removal (target, at);
CREATE TABLE provisioner.source (target BIGINT PRIMARY KEY REFERENCES provisioner.target (id), identity TEXT NOT NULL);
CREATE TABLE provisioner.audit (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, target BIGINT NOT NULL REFERENCES provisioner.target (id),
  at BIGINT NOT NULL, entry TEXT NOT NULL
);
CREATE TABLE provisioner.grouping (
  target BIGINT NOT NULL REFERENCES provisioner.target (id), source_id TEXT COLLATE \"C\" NOT NULL,
  group_id TEXT COLLATE \"C\", record TEXT NOT NULL, members BYTEA NOT NULL, PRIMARY KEY (target, source_id)
);
CREATE INDEX audit_target ON provisioner.audit (target, at);
CREATE FUNCTION provisioner.refuse_change () RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON provisioner.audit
  FOR EACH STATEMENT EXECUTE FUNCTION provisioner.refuse_change ();
CREATE TABLE provisioner.run (
  target BIGINT PRIMARY KEY REFERENCES provisioner.target (id), run BIGINT NOT NULL, settings TEXT NOT NULL,
  ahead DOUBLE PRECISION NOT NULL, stopped TEXT
);
CREATE TABLE provisioner.result (
  target BIGINT NOT NULL REFERENCES provisioner.target (id), source_id TEXT COLLATE \"C\" NOT NULL, run BIGINT NOT NULL,
  position BIGINT NOT NULL, result TEXT NOT NULL, taken BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY (target, source_id)
);
CREATE INDEX result_waiting ON provisioner.result (target, run) WHERE NOT taken;
CREATE TABLE provisioner.claim (
  target BIGINT NOT NULL REFERENCES provisioner.target (id), account TEXT COLLATE \"C\" NOT NULL,
  source_id TEXT COLLATE \"C\" NOT NULL, PRIMARY KEY (target, account)
);
CREATE TABLE provisioner.pace (
  target BIGINT PRIMARY KEY REFERENCES provisioner.target (id),
  paused_until TIMESTAMPTZ NOT NULL DEFAULT '-infinity', tokens DOUBLE PRECISION NOT NULL DEFAULT 0,
  refilled TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);
";

/// Returns the key of an advisory lock. Others that use the same database have other keys, as far as chance goes.
pub(in crate::state) fn lock_key(purpose: &str, name: &str) -> i64 {
    let digest = Sha256::digest(format!("provisioner {purpose} {name}"));
    digest.first_chunk().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

/// Connects, on a thread of its own that drives the connection until its client is dropped.
pub(in crate::state) async fn connect(
    url: &PostgresUrl,
) -> Result<(Client, tokio::runtime::Handle), StoreError> {
    let config = url.config().clone();
    let tls = if url.uses_tls() {
        let roots = std::env::var_os("PGSSLROOTCERT").map(PathBuf::from);
        let settings = client_config(roots.as_deref(), None)
            .map_err(|error| StoreError::database_unusable(url, PostgresError(with_cause(&error))))?;
        Some(MakeRustlsConnect::new(settings))
    } else {
        None
    };
    let (connected, result) = oneshot::channel();
    let drive = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(connected.send(Err(PostgresError(error.to_string())))),
        };
        let handle = runtime.handle().clone();
        runtime.block_on(async move {
            let ended = match tls {
                Some(tls) => match config.connect(tls).await {
                    Ok((client, connection)) => {
                        drop(connected.send(Ok((client, handle))));
                        connection.await
                    }
                    Err(error) => return drop(connected.send(Err(error.into()))),
                },
                None => match config.connect(NoTls).await {
                    Ok((client, connection)) => {
                        drop(connected.send(Ok((client, handle))));
                        connection.await
                    }
                    Err(error) => return drop(connected.send(Err(error.into()))),
                },
            };
            if let Err(error) = ended {
                // The caller that notices it tells the reason.
                tracing::debug!(error = %PostgresError::from(error), "the connection to the state database ended");
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    };
    let failed = |error| StoreError::database_unusable(url, error);
    std::thread::Builder::new()
        .name("state-database".to_owned())
        .spawn(drive)
        .map_err(|error| failed(PostgresError(error.to_string())))?;
    let ended = || PostgresError("the thread of the connection ended".to_owned());
    result.await.map_err(|_| failed(ended()))?.map_err(failed)
}

/// Checks the layout, and makes it in a new database; returns whether there is one.
pub(super) async fn prepare(client: &Client, url: &PostgresUrl, access: Access) -> Result<bool, StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::postgres(url, error);
    let exists = "SELECT to_regclass('provisioner.layout') IS NOT NULL";
    let exists = async || client.query_one(exists, &[]).await.map(|row| row.get::<_, bool>(0));
    if !exists().await.map_err(failed)? {
        if access == Access::Read {
            return Ok(false);
        }
        // Two that come at the same time make it once.
        let key = lock_key("layout", "");
        client.execute("SELECT pg_advisory_lock($1)", &[&key]).await.map_err(failed)?;
        let made = async {
            if !exists().await? {
                let insert = format!("INSERT INTO provisioner.layout VALUES ({LAYOUT})");
                client.batch_execute(&format!("BEGIN; {CREATE} {insert}; COMMIT")).await?;
            }
            client.execute("SELECT pg_advisory_unlock($1)", &[&key]).await
        };
        made.await.map_err(failed)?;
    }
    let found: i64 =
        client.query_one("SELECT version FROM provisioner.layout", &[]).await.map_err(failed)?.get(0);
    if found == LAYOUT {
        return Ok(true);
    }
    Err(StoreError::DatabaseLayout { url: url.to_string(), found })
}
