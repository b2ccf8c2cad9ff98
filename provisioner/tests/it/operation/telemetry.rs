//! Metrics and traces, over real sockets.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::{Arc, Mutex};

use provisioner::SyncOptions;
use provisioner::metrics::{Metrics, MetricsServer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::scripted::{Answer, raw_target, target};
use crate::support::{Bench, TOKEN, but, user};

/// Sends one request and returns the whole answer.
async fn ask(address: std::net::SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{head}\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_count_users_requests_and_runs() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "max-attempts = 2".to_owned();
    bench.app.add_fault("status=503 method=POST times=1".parse().unwrap());
    bench.users(&[user("1", "ada"), but(user("2", "eve"), json!({ "enabled": false }))]);
    let metrics = Arc::new(Metrics::new("Acme \"HR\""));
    let server = MetricsServer::start("0".parse().unwrap(), Arc::clone(&metrics)).await.unwrap();
    assert!(server.address().ip().is_loopback());
    let empty = ask(server.address(), "GET /metrics HTTP/1.1").await;
    for figure in ["last_success_timestamp_seconds", "last_run_timestamp_seconds", "source_users"] {
        assert!(!empty.contains(&format!("provisioner_{figure}{{")), "{figure} is not known: {empty}");
    }
    let provisioner = bench.open().await.observed_by(vec![metrics]);
    provisioner.sync(SyncOptions::default()).await;
    let text = ask(server.address(), "GET /metrics HTTP/1.1").await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    let connection = "connection=\"Acme \\\"HR\\\"\"";
    for line in [
        format!("provisioner_users_total{{{connection},outcome=\"success\",reason=\"done\"}} 1"),
        format!(
            "provisioner_users_total{{{connection},outcome=\"unsynced\",reason=\"disabled-at-source\"}} 1"
        ),
        format!("provisioner_requests_total{{{connection},method=\"POST\",status=\"503\"}} 1"),
        format!("provisioner_requests_total{{{connection},method=\"POST\",status=\"201\"}} 1"),
        format!("provisioner_request_duration_seconds_count{{{connection},method=\"POST\"}} 2"),
        format!("provisioner_runs_total{{{connection},command=\"sync\",exit_code=\"0\"}} 1"),
        format!("provisioner_source_users{{{connection}}} 2"),
        format!("provisioner_running{{{connection}}} 0"),
        format!("provisioner_quarantined{{{connection}}} 0"),
        format!("provisioner_last_success_timestamp_seconds{{{connection}}} 1800000000"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    assert!(text.contains("provisioner_request_retries_total"), "{text}");
    assert!(!text.contains("ada") && !text.contains("eve"), "{text}");
    provisioner.close().await;
}

#[tokio::test]
async fn server_of_metrics_has_one_page_to_read() {
    let metrics = Arc::new(Metrics::new("test"));
    let server = MetricsServer::start("0".parse().unwrap(), metrics).await.unwrap();
    for (head, status) in [
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/x HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("HEAD /metrics HTTP/1.1", "200"),
    ] {
        let answer = ask(server.address(), head).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
    let address = server.address();
    drop(server);
    // The task ends at its next wait; until then the address may still be listened at.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
}

/// Runs the program in the folder of a bench.
async fn run(bench: &Bench, arguments: &[&str], env: &[(&str, &str)]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provisioner"));
    command.args(arguments).current_dir(bench.folder.path()).envs(env.iter().copied()).env("NO_COLOR", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_serves_metrics_while_it_runs() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let scraped = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&scraped);
    let url = target(move |asked| {
        if asked.method == "POST" {
            // In the middle of the run: the look-up was answered, the POST is not.
            let text = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(ask(address, "GET /metrics HTTP/1.1"))
            });
            *kept.lock().unwrap() = text;
            return Answer::scim(201, &json!({ "id": "7", "userName": "ada", "active": true }));
        }
        if asked.path == "/scim/Users/7" {
            return Answer::scim(200, &json!({ "id": "7", "userName": "ada", "active": true }));
        }
        Answer::list(&[])
    })
    .await;
    let mut bench = Bench::new("aquera").await;
    bench.settings.scim_url = Some(url);
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    let port = address.port().to_string();
    let (exit, errors) = run(&bench, &["sync", "--metrics", &port], &[]).await;
    assert_eq!(exit, 0, "{errors}");
    let text = scraped.lock().unwrap().clone();
    assert!(text.contains("provisioner_running{connection=\"test\"} 1"), "{text}");
    assert!(text.contains("method=\"GET\",status=\"200\"}"), "{text}");
    // An address that is taken is told, and nothing is sent.
    let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listening.local_addr().unwrap().port().to_string();
    let (exit, errors) = run(&bench, &["sync", "--metrics", &taken], &[]).await;
    assert_eq!(exit, 2);
    assert!(errors.contains("failed to serve metrics"), "{errors}");
}

/// The requests of a collector: heads and bodies.
type Received = Arc<Mutex<Vec<(String, String, Value)>>>;

/// Starts a collector that refuses the first `refused` requests as not now; returns its URL.
async fn collector(received: &Received, refused: usize) -> String {
    let received = Arc::clone(received);
    raw_target(move |asked| {
        let mut received = received.lock().unwrap();
        received.push((asked.path.clone(), asked.head.clone(), asked.body.clone()));
        let status = if received.len() <= refused { "503 Unavailable" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{}}")
            .into_bytes()
    })
    .await
    .replace("/scim", "")
}

fn spans(received: &Received) -> Vec<Value> {
    let received = received.lock().unwrap();
    received
        .iter()
        .flat_map(|(_, _, body)| {
            body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
        })
        .collect()
}

fn attribute<'a>(span: &'a Value, key: &str) -> &'a Value {
    let attributes = span["attributes"].as_array().unwrap();
    &attributes.iter().find(|attribute| attribute["key"] == key).unwrap()["value"]
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_lead_from_the_run_to_its_users_and_their_requests_without_personal_data() {
    let received = Received::default();
    let url = collector(&received, 0).await;
    let bench = Bench::new("aquera").await;
    bench.users(&[user("source-1", "ada"), user("source-2", "eve")]);
    bench.write_config();
    let headers = [("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20c0llector")];
    let (exit, errors) = run(&bench, &["sync", "--otlp", &url], &headers).await;
    assert_eq!((exit, errors.as_str()), (0, ""));
    {
        let received = received.lock().unwrap();
        assert!(received.iter().all(|(path, _, _)| path == "/v1/traces"), "{received:?}");
        assert!(received.iter().all(|(_, head, _)| head.contains("authorization: Bearer c0llector")));
        let service = &received[0].2["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(service, &json!({ "key": "service.name", "value": { "stringValue": "provisioner" } }));
        let text = format!("{received:?}");
        let accounts = bench.app.users();
        let ids = accounts.iter().map(|account| account["id"].as_str().unwrap());
        for private in ["ada", "eve", "source-1", "Engineer", TOKEN].into_iter().chain(ids) {
            assert!(!text.contains(private), "{private} is in {text}");
        }
    }
    let spans = spans(&received);
    let roots: Vec<_> = spans.iter().filter(|span| span.get("parentSpanId").is_none()).collect();
    assert_eq!(roots.len(), 1, "{spans:?}");
    let root = roots[0];
    assert_eq!(
        (&root["name"], attribute(root, "process.exit.code")),
        (&json!("sync"), &json!({ "intValue": "0" }))
    );
    assert_eq!(root["traceId"].as_str().unwrap().len(), 32);
    assert!(spans.iter().all(|span| span["traceId"] == root["traceId"]));
    let ids: BTreeSet<_> = spans.iter().map(|span| span["spanId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), spans.len(), "ids are distinct");
    assert!(ids.iter().all(|id| id.len() == 16));
    let users: Vec<_> = spans.iter().filter(|span| span["name"] == "user").collect();
    assert_eq!(users.len(), 2);
    let posts: Vec<_> = spans.iter().filter(|span| span["name"] == "POST Users").collect();
    assert_eq!(posts.len(), 2);
    for user in users {
        assert_eq!(user["parentSpanId"], root["spanId"]);
        assert_eq!(attribute(user, "provisioner.operation"), &json!({ "stringValue": "create" }));
        let post = posts.iter().find(|post| post["parentSpanId"] == user["spanId"]).unwrap();
        assert_eq!(attribute(post, "http.response.status_code"), &json!({ "intValue": "201" }));
        let nanoseconds = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u128>().unwrap();
        assert!(nanoseconds(post, "startTimeUnixNano") >= nanoseconds(user, "startTimeUnixNano"));
        assert!(nanoseconds(post, "endTimeUnixNano") <= nanoseconds(user, "endTimeUnixNano"));
    }
    // The request ids are those of the target's journal.
    let sent = attribute(posts[0], "provisioner.request.id")["stringValue"].as_str().unwrap().to_owned();
    assert!(
        bench
            .app
            .journal()
            .iter()
            .any(|exchange| exchange.request_headers.iter().any(|(_, value)| *value == sent))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_that_is_away_changes_nothing_of_a_run() {
    let received = Received::default();
    let bench = Bench::new("aquera").await;
    bench.users(&[user("1", "ada")]);
    bench.write_config();
    // One that is back before the last attempt gets the spans.
    let url = collector(&received, 2).await;
    let (exit, errors) = run(&bench, &["sync", "--otlp", &url], &[]).await;
    assert_eq!((exit, errors.as_str()), (0, ""));
    assert_eq!(received.lock().unwrap().len(), 3);
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (exit, errors) = run(&bench, &["sync", "--otlp", &format!("http://{refused}")], &[]).await;
    assert_eq!(exit, 0);
    assert!(errors.contains("failed to send spans to the collector"), "{errors}");
    let (exit, errors) = run(&bench, &["sync", "--otlp", "collector:4317"], &[]).await;
    assert_eq!(exit, 2);
    assert!(errors.contains("expected http://HOST:PORT"), "{errors}");
}
