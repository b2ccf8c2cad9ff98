//! The way of a request: only to the configured origin, and through the proxy that the configuration names.

use std::sync::{Arc, Mutex};

use provisioner::{Config, ConnectionReport, Environment, Provisioner};
use serde_json::json;

use crate::scripted::{Answer, raw_target, target};
use crate::support::{Bench, TOKEN, but, short, user};

/// The heads of the requests that a server got.
type Heads = Arc<Mutex<Vec<String>>>;

/// Starts a server that keeps the head of each request and answers 200 with an empty list; returns its URL.
async fn keeping(heads: &Heads) -> String {
    let heads = Arc::clone(heads);
    raw_target(move |asked| {
        heads.lock().unwrap().push(asked.head.clone());
        let Answer(_, headers, body) = Answer::list(&[]);
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}")
            .into_bytes()
    })
    .await
}

#[tokio::test]
async fn redirect_and_location_of_an_answer_to_a_write_lead_nowhere() {
    let heads = Heads::default();
    let elsewhere = keeping(&heads).await;
    let to: &'static str = Box::leak(format!("location: {elsewhere}/Users/1\r\n").into_boxed_str());
    let link = format!("{elsewhere}/Users/7");
    for status in [301, 302, 307, 308] {
        let link = link.clone();
        let url = target(move |asked| match (asked.method.as_str(), status) {
            ("POST", 301) => Answer::scim(
                201,
                &json!({ "id": "7", "userName": "ada", "active": true, "meta": { "location": link } }),
            ),
            ("GET", 301) if asked.path == "/scim/Users/7" => {
                Answer::scim(200, &json!({ "id": "7", "userName": "ada", "active": true }))
            }
            ("POST", _) => Answer(status, to, String::new()),
            _ => Answer::list(&[]),
        })
        .await;
        let mut bench = Bench::new("aquera").await;
        bench.settings.scim_url = Some(url);
        bench.settings.options = "max-attempts = 1\nallow-private = true".to_owned();
        bench.users(&[user("1", "ada")]);
        let lines = short(&bench.sync().await);
        let expected = if status == 301 { "success" } else { "failed" };
        assert!(lines[0].contains(expected), "{status}: {lines:?}");
    }
    assert_eq!(*heads.lock().unwrap(), [""; 0], "requests were sent to another origin");
}

/// Tests the connection of a configuration with these options.
async fn test(scim_url: &str, options: &str) -> ConnectionReport {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[connection]\nname = \"test\"\n[connection.authentication]\nscim-url = \"{scim_url}\"\n\
         profile = \"bearer-token\"\noauth-access-token = \"{TOKEN}\"\n[connection.preferences]\n\
         [connection.options]\nmax-attempts = 1\nallow-http = true\n{options}\n\
         [source]\nkind = \"file\"\npath = \"users.ndjson\"\n"
    );
    let config = Config::parse(&text, &folder.path().join("aquera.toml")).unwrap();
    let environment = Environment::system(&config, folder.path().join("aquera.db").into(), 1).unwrap();
    let provisioner = Provisioner::open(config, environment).await.unwrap();
    let report = provisioner.test_connection().await.unwrap();
    provisioner.close().await;
    report
}

#[tokio::test]
async fn requests_go_through_the_proxy_with_its_credentials() {
    let heads = Heads::default();
    let proxy = keeping(&heads).await.replace("/scim", "");
    // No name server is asked for the target: the proxy resolves it.
    let options = format!("proxy = \"{proxy}\"\nproxy-user = \"hr\"\nproxy-password = \"pr0xy\"");
    let report = test("http://scim.invalid/scim", &options).await;
    assert!(report.succeeded(), "{report}");
    let sent = heads.lock().unwrap().clone();
    assert!(sent[0].starts_with("GET http://scim.invalid/scim/ServiceProviderConfig HTTP/1.1"), "{sent:?}");
    // hr:pr0xy
    assert!(sent.iter().all(|head| head.contains("Basic aHI6cHIweHk=")), "{sent:?}");
    // A proxy that is written down counts for this machine too.
    heads.lock().unwrap().clear();
    assert!(test("http://127.0.0.1:9/scim", &options).await.succeeded());
    assert!(heads.lock().unwrap()[0].starts_with("GET http://127.0.0.1:9/scim/"), "{heads:?}");
}

#[tokio::test]
async fn proxy_that_does_not_connect_is_told_with_the_way_out() {
    let proxy = raw_target(|asked| {
        let words = if asked.method == "CONNECT" { "Proxy Authentication Required" } else { "Required" };
        format!("HTTP/1.1 407 {words}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").into_bytes()
    })
    .await
    .replace("/scim", "");
    for url in ["https://scim.invalid/scim", "http://scim.invalid/scim"] {
        let options = format!("proxy = \"{proxy}\"\nproxy-user = \"hr\"\nproxy-password = \"pr0xy\"");
        let failure = test(url, &options).await.failure.unwrap();
        assert_eq!(failure.code, "proxy", "{failure:?}");
        assert!(failure.next.contains("proxy"), "{failure:?}");
        assert!(!format!("{failure:?}").contains("pr0xy"), "{failure:?}");
    }
}

#[tokio::test]
async fn proxy_password_that_comes_back_reaches_no_report() {
    let target = target(|asked| match asked.method.as_str() {
        "GET" => Answer::list(&[]),
        _ => Answer::error(400, "the proxy sent pr0xy-secret along"),
    })
    .await;
    let mut bench = Bench::new("aquera").await;
    let proxy = "proxy = \"http://127.0.0.1:9\"\nproxy-user = \"hr\"\nproxy-password = \"pr0xy-secret\"";
    bench.settings.scim_url = Some(target);
    bench.settings.options = format!("max-attempts = 1\n{proxy}");
    bench.users(&[but(user("1", "ada"), json!({ "title": "Lead" }))]);
    // The transport of a bench uses no proxy: the password is known from the configuration.
    let report = bench.sync().await;
    let detail = report.lines[0].detail.clone().unwrap();
    assert!(detail.contains("the proxy sent [redacted] along"), "{detail}");
}
