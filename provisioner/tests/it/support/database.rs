//! Databases for tests of the PostgreSQL state, in the server that `PROVISIONER_TEST_POSTGRES` names.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

/// Returns a number that no other test has, of this process or another one.
pub(crate) fn unique() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos();
    let number = NUMBER.fetch_add(1, Ordering::Relaxed) << 32 | u64::from(std::process::id());
    u64::try_from(now % u128::from(u64::MAX)).unwrap() ^ number.rotate_left(17)
}

/// A database of its own. It is dropped with the server, which the tests have to themselves.
pub(crate) struct Database {
    pub(crate) url: String,
}

impl Database {
    /// Makes a database, or returns `None` if there is no server and none is needed.
    pub(crate) async fn new() -> Option<Self> {
        let Ok(server) = std::env::var("PROVISIONER_TEST_POSTGRES") else {
            assert!(
                std::env::var_os("CI").is_none(),
                "PROVISIONER_TEST_POSTGRES is not set: .ci/run starts a PostgreSQL server and sets it"
            );
            return None;
        };
        let name = format!("test_{:x}", unique());
        execute(&server, &format!("CREATE DATABASE {name}")).await;
        let mut url = url::Url::parse(&server).unwrap();
        url.set_path(&name);
        Some(Self { url: url.to_string() })
    }

    /// Removes the database, whoever is connected to it.
    pub(crate) async fn remove(self) {
        let (mut url, name) = (url::Url::parse(&self.url).unwrap(), url::Url::parse(&self.url).unwrap());
        url.set_path("postgres");
        let name = name.path().trim_start_matches('/');
        execute(url.as_str(), &format!("DROP DATABASE {name} WITH (FORCE)")).await;
    }

    /// Returns the address of the server.
    pub(crate) fn address(&self) -> String {
        let url = url::Url::parse(&self.url).unwrap();
        format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432))
    }

    /// Returns the URL over a proxy at `port`.
    pub(crate) fn over(&self, port: u16) -> String {
        let mut url = url::Url::parse(&self.url).unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        url.to_string()
    }
}

async fn execute(server: &str, statement: &str) {
    let (client, connection) = tokio_postgres::connect(server, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    client.batch_execute(statement).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
}
