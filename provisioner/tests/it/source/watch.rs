//! `provisioner watch` from outside: what makes it run, what it survives, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::source::pingone::fake::Fake;
use crate::support::{Bench, Settings, but, user};

/// A watching program. Its lines come one by one; a test that waits for one that never comes ends with the test's process.
struct Watch {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A wait that only a broken program uses up.
const PATIENCE: Duration = Duration::from_mins(1);

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

impl Watch {
    fn start(bench: &Bench, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
        command
            .args(["watch", "-c", "aquera.toml", "--json"])
            .args(arguments)
            .args(if arguments.contains(&"--interval") { &[][..] } else { &["--interval", "20ms"] })
            .current_dir(bench.folder.path())
            .env("COLUMNS", "400")
            .env("NO_COLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        Self { child, stdout, stderr }
    }

    /// Waits for the end of the next run, and returns its summary.
    async fn summary(&mut self) -> Value {
        loop {
            let line = self.line(true).await;
            let object: Value = serde_json::from_str(&line).unwrap();
            if object["type"] == "summary" {
                return object;
            }
        }
    }

    /// Waits for a line on stderr with this text.
    async fn told(&mut self, text: &str) -> String {
        loop {
            let line = self.line(false).await;
            if line.contains(text) {
                return line;
            }
        }
    }

    #[expect(clippy::unused_async, reason = "a step like the others, which wait")]
    async fn line(&mut self, out: bool) -> String {
        let stream = if out { &self.stdout } else { &self.stderr };
        tokio::task::block_in_place(|| stream.recv_timeout(PATIENCE)).unwrap_or_else(|_| {
            let rest: Vec<String> = self.stderr.try_iter().collect();
            panic!("nothing came; stderr: {rest:?}")
        })
    }

    /// Sends SIGTERM, and returns the exit code.
    #[cfg(unix)]
    #[expect(clippy::unused_async, reason = "a step like the others, which wait")]
    async fn end(mut self) -> Option<i32> {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        tokio::task::block_in_place(|| self.child.wait()).unwrap().code()
    }
}

/// Returns the number of impacted users of a summary.
fn impacted(summary: &Value) -> u64 {
    summary["impacted"].as_u64().unwrap()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn changed_file_makes_a_run_and_a_failed_run_is_survived() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let mut watch = Watch::start(&bench, &[]);
    assert!(watch.told("sync:").await.contains("the watch began"));
    assert_eq!(impacted(&watch.summary().await), 1);
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    assert!(watch.told("sync:").await.contains("a file changed"));
    assert_eq!(impacted(&watch.summary().await), 1);
    // Half a file, then a whole one.
    std::fs::write(bench.path("users.ndjson"), "{\"id\":\"1\",").unwrap();
    assert_eq!(watch.summary().await["stopped"]["code"], "source-unreadable");
    watch.told("the run ended with exit code 5; the next trigger tries again").await;
    bench.users(&[user("1", "ada"), user("2", "eve"), user("3", "kim")]);
    assert_eq!(impacted(&watch.summary().await), 1);
    // The configuration is a file too.
    let config = std::fs::read_to_string(bench.path("aquera.toml")).unwrap();
    std::fs::write(bench.path("aquera.toml"), "nonsense").unwrap();
    watch.told("the run ended with exit code 2").await;
    std::fs::write(bench.path("aquera.toml"), config + "filter = 'username ne \"kim\"'\n").unwrap();
    assert_eq!(impacted(&watch.summary().await), 1);
    assert_eq!(bench.accounts(), ["ada true", "eve true", "kim false"]);
    assert_eq!(watch.end().await, Some(0));
}

/// Returns a client and the address at which `watch` listens.
async fn listener(watch: &mut Watch) -> (reqwest::Client, String) {
    let told = watch.told("listening for webhooks at ").await;
    let address = told.rsplit_once(" at ").unwrap().1.trim().to_owned();
    let tls = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    (reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap(), address)
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn webhook_is_authenticated_durable_and_answered_by_one_run() {
    let fake = Fake::start(vec![user("1", "ada")]).await;
    let table = fake.source("") + "[watch]\nwebhook-header = \"X-Key\"\nwebhook-secret = \"hook-secret\"\n";
    let bench = Bench::with("aquera", Settings { source_table: Some(table), ..Settings::default() }).await;
    bench.write_config();
    let mut watch = Watch::start(&bench, &["--webhook", "127.0.0.1:0"]);
    let (client, address) = listener(&mut watch).await;
    assert_eq!(impacted(&watch.summary().await), 1);
    let post = |key: &'static str, body: String| {
        let request = client.post(&address).header("X-Key", key).body(body);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let events =
        |count: usize| Value::from(vec![json!({ "action": { "type": "USER.UPDATED" } }); count]).to_string();
    let file = bench.path("aquera.db.events");
    for (key, body, status) in [
        ("wrong", events(1), 401),
        ("hook-secret", "nonsense".to_owned(), 400),
        ("hook-secret", "[]".to_owned(), 200),
    ] {
        assert_eq!(post(key, body).await, status);
        assert!(!file.exists());
    }
    assert_eq!(client.get(&address).send().await.unwrap().status().as_u16(), 405);
    fake.with(|state| state.users.push(user("2", "eve")));
    // The target is away: the events are kept until a run succeeds.
    bench.app.add_fault(mock_aquera::Fault::status(404).times(9));
    assert_eq!(post("hook-secret", events(500)).await, 200);
    assert_eq!(watch.summary().await["stopped"]["code"], "connection-test-failed");
    assert!(file.exists());
    bench.app.clear_faults();
    for _ in 0..5 {
        assert_eq!(post("hook-secret", events(100)).await, 200);
    }
    assert_eq!(impacted(&watch.summary().await), 1);
    while file.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(watch.end().await, Some(0));
    assert_eq!(bench.accounts(), ["ada true", "eve true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_killed_watch_are_answered_by_the_next() {
    let fake = Fake::start(vec![user("1", "ada")]).await;
    let table = fake.source("") + "[watch]\nwebhook-user = \"hook\"\nwebhook-password = \"hook-secret\"\n";
    let bench = Bench::with("aquera", Settings { source_table: Some(table), ..Settings::default() }).await;
    bench.write_config();
    let mut watch = Watch::start(&bench, &["--webhook", "0", "--interval", "1h"]);
    let (client, address) = listener(&mut watch).await;
    watch.summary().await;
    let request = client.post(&address).basic_auth("hook", Some("hook-secret")).body("[{}]");
    assert_eq!(request.send().await.unwrap().status().as_u16(), 200);
    drop(watch);
    assert!(bench.path("aquera.db.events").exists(), "acknowledged, and not yet answered");
    fake.with(|state| state.users[0] = but(user("1", "ada"), json!({ "title": "Chief" })));
    let mut watch = Watch::start(&bench, &["--webhook", "0"]);
    assert_eq!(impacted(&watch.summary().await), 1);
    let seen = bench.path("aquera.db.events");
    // The file is removed behind the summary.
    while seen.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn signal_ends_a_run_at_its_next_request() {
    let bench = Bench::new("aquera").await;
    bench.users(&(0..20).map(|at| user(&at.to_string(), &format!("u{at}"))).collect::<Vec<_>>());
    bench.write_config();
    let mut hold = bench.app.hold(5, mock_aquera::Phase::BeforeEffect);
    let mut watch = Watch::start(&bench, &[]);
    hold.reached().await;
    let sent = Command::new("kill").args(["-TERM", &watch.child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    watch.told("stopping after the requests in flight").await;
    drop(hold);
    assert_eq!(watch.summary().await["stopped"]["code"], "interrupted");
    assert_eq!(tokio::task::block_in_place(|| watch.child.wait()).unwrap().code(), Some(130));
    assert!(bench.accounts().len() < 20);
}

#[tokio::test]
async fn watch_that_has_nothing_to_watch_is_a_usage_error() {
    let fake = Fake::start(Vec::new()).await;
    let bench =
        Bench::with("aquera", Settings { source_table: Some(fake.source("")), ..Settings::default() }).await;
    bench.write_config();
    for (arguments, told) in [
        (&[][..], "nothing to watch"),
        (&["--webhook", "0"], "webhook-header and webhook-secret"),
        (&["--schedule", "61 * * * *"], "MON-FRI"),
        (&["--webhook", "somewhere"], "expected a port such as 9000"),
        (&["--interval", "0s"], "expected a time such as 2s"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_provisioner"))
            .args(["watch", "-c", "aquera.toml"])
            .args(arguments)
            .current_dir(bench.folder.path())
            .env("COLUMNS", "400")
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(told), "{arguments:?}: {stderr}");
    }
}

/// The series goes on over the runs, and begins with what is stored.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn watch_serves_metrics_over_all_its_runs_and_says_what_caused_them() {
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let mut watch = Watch::start(&bench, &["--metrics", "0"]);
    let told = watch.told("serving metrics at http://").await;
    let address = told.rsplit_once("http://").unwrap().1.trim().trim_end_matches("/metrics").to_owned();
    assert_eq!(impacted(&watch.summary().await), 1);
    bench.users(&[user("1", "ada"), user("2", "eve")]);
    assert_eq!(impacted(&watch.summary().await), 1);
    let text = metrics(&address).await;
    for line in [
        "provisioner_runs_total{connection=\"test\",command=\"sync\",exit_code=\"0\"} 2",
        "provisioner_source_users{connection=\"test\"} 2",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(text.contains("provisioner_run_duration_seconds{"), "{text}");
    assert_eq!(watch.end().await, Some(0));
    let mut who = Vec::new();
    provisioner::state::read_audit_log(&bench.path("aquera.db"), jiff::Timestamp::MIN, &mut |_, entry| {
        if let provisioner::audit::AuditEntry::Run(entry) = entry {
            who.push(entry.who);
        }
    })
    .unwrap();
    assert_eq!(who.len(), 2);
    assert_ne!(who[0], "file-change");
    assert_eq!(who[1], "file-change");
    // Before its first run, a later watch tells of the earlier ones.
    std::fs::write(bench.path("users.ndjson"), "{").unwrap();
    let mut later = Watch::start(&bench, &["--metrics", "0"]);
    let told = later.told("serving metrics at http://").await;
    let address = told.rsplit_once("http://").unwrap().1.trim().trim_end_matches("/metrics").to_owned();
    assert_eq!(later.summary().await["stopped"]["code"], "source-unreadable");
    let text = metrics(&address).await;
    assert!(text.contains("provisioner_last_success_timestamp_seconds{connection=\"test\"} 1"), "{text}");
    assert!(!text.contains("provisioner_source_users{"), "not read, not known: {text}");
    later.end().await;
}

async fn metrics(address: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
