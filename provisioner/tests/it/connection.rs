//! Test Connection over real sockets: each failure, and the way out.

mod network;
mod tls;

use mock_aquera::{Auth, MockAquera};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::{Bench, TOKEN, user};

/// Starts a server that answers every request with the same bytes.
async fn answering(reply: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                if socket.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    drop(socket.write_all(reply.as_bytes()).await);
                }
            });
        }
    });
    format!("http://{address}/scim")
}

/// Returns the code and the message of the failed test of a connection to `url`.
async fn failure(bench: &mut Bench, url: String) -> (String, String) {
    bench.settings.scim_url = Some(url);
    let provisioner = bench.open().await;
    let report = provisioner.test_connection().await.unwrap();
    assert!(!report.succeeded());
    assert!(
        provisioner.stored().unwrap().connection.last_test.is_some_and(|test| !test.succeeded),
        "a failed test is kept"
    );
    // The connection can be saved, but not used.
    bench.users(&[user("1", "ada")]);
    let run = provisioner.sync(provisioner::SyncOptions::default()).await;
    assert_eq!(run.exit.code(), 3);
    assert_eq!(run.lines.len(), 0);
    provisioner.close().await;
    let failure = report.failure.unwrap();
    assert!(!failure.next.is_empty());
    (failure.code.to_owned(), failure.message)
}

#[tokio::test]
async fn connection_failure_has_its_own_code() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.options = "max-attempts = 2\nrequest-timeout = \"300ms\"".to_owned();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = answering(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
    );
    let moved = answering(
        "HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    let down = answering("HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let forbidden = answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let limited =
        answering("HTTP/1.1 429 Slow\r\nretry-after: 9\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let garbage = answering("not http at all\r\n\r\n");
    let mock = bench.mock.scim_url();
    // One of the hosts is another machine.
    bench.settings.options.push_str("\nallow-http = true");
    for (code, url, words) in [
        // A label of more than 63 letters is refused by the resolver itself: no name server has to answer in time.
        ("name-resolution", format!("http://{}.invalid/scim", "x".repeat(64)), "cannot be resolved"),
        ("refused", format!("http://{free}/scim"), "refused"),
        ("timed-out", format!("http://{}/scim", silent.local_addr().unwrap()), "no answer in time"),
        ("not-found", mock.replace("/scim", "/wrong"), "/wrong/Users (404)"),
        ("not-scim", page.await, "text/html"),
        ("redirected", moved.await, "https://elsewhere.example/"),
        ("target-error", down.await, "503"),
        ("forbidden", forbidden.await, "403"),
        ("rate-limited", limited.await, "429"),
        ("broken", garbage.await, "broke"),
        ("tls", mock.replace("http://", "https://"), "TLS failed"),
    ] {
        let (found, message) = failure(&mut bench, url).await;
        assert_eq!(found, code, "{message}");
        assert!(message.contains(words), "{code}: {message}");
        assert!(!message.contains(TOKEN));
    }
}

#[tokio::test]
async fn refusal_names_the_authentication_that_the_target_asks_for() {
    let mut bench = Bench::new("aquera").await;
    let url = bench.mock.scim_url();
    bench.app.set_auth(vec![Auth::basic("user", "password")]);
    let (code, message) = failure(&mut bench, url.clone()).await;
    assert_eq!(code, "unauthorized");
    assert!(message.contains("asks for Basic authentication and was sent Bearer"), "{message}");
    bench.app.set_auth(vec![Auth::bearer("another")]);
    let (_, message) = failure(&mut bench, url).await;
    assert!(message.contains("takes Bearer authentication and refuses these credentials"), "{message}");
}

#[tokio::test]
async fn failed_connection_test_is_the_only_request() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.token = "wrong".to_owned();
    bench.users(&[user("1", "ada")]);
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 3);
    let paths: Vec<String> = bench.app.journal().into_iter().map(|exchange| exchange.path).collect();
    assert_eq!(paths, ["/scim/ServiceProviderConfig", "/scim/Users?count=1"]);
    assert_eq!(bench.app.users().len(), 0);
}

#[tokio::test]
async fn connection_that_is_off_sends_no_request() {
    let mut bench = Bench::new("aquera").await;
    bench.settings.connection = "enabled = false";
    bench.users(&[user("1", "ada")]);
    let report = bench.sync().await;
    assert_eq!(report.exit.code(), 3);
    assert_eq!(bench.app.journal().len(), 0);
}

#[tokio::test]
async fn missing_discovery_is_tolerated() {
    let list = "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:ListResponse\"],\"totalResults\":0,\"Resources\":[]}";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let read = socket.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let (status, body) =
                if request.contains("/Users?") { ("200 OK", list) } else { ("404 Not Found", "") };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-type: application/scim+json\r\nconnection: close\r\n");
            drop(
                socket
                    .write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes())
                    .await,
            );
        }
    });
    let mut bench = Bench::new("aquera").await;
    bench.settings.scim_url = Some(format!("http://{address}/scim/"));
    let provisioner = bench.open().await;
    let report = provisioner.test_connection().await.unwrap();
    assert!(report.succeeded(), "{report}");
    assert_eq!(report.claims_patch, None);
}

#[tokio::test]
async fn test_by_a_person_forgets_what_was_learned() {
    let bench = Bench::new("patch-ignored-200").await;
    let mut changed = user("1", "ada");
    bench.run(std::slice::from_ref(&changed)).await;
    changed["title"] = "Lead".into();
    bench.run(&[changed]).await;
    let learned = |provisioner: &provisioner::Provisioner| {
        format!("{:?}", provisioner.stored().unwrap().connection.learned)
    };
    let provisioner = bench.open().await;
    assert!(learned(&provisioner).contains("patch: Unusable, put: Works"), "{}", learned(&provisioner));
    provisioner.test_connection().await.unwrap();
    let forgotten = provisioner.stored().unwrap().connection.learned;
    assert_eq!(forgotten, provisioner::state::Learned::default());
    provisioner.close().await;
}

#[tokio::test]
async fn redirect_is_not_followed_with_credentials() {
    let other = MockAquera::builder().auth(Auth::bearer(TOKEN)).start().await.unwrap();
    let reply = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/Users?count=1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        other.scim_url()
    );
    let mut bench = Bench::new("aquera").await;
    let url = answering(Box::leak(reply.into_boxed_str())).await;
    let (code, _) = failure(&mut bench, url).await;
    assert_eq!(code, "redirected");
    assert_eq!(other.default_application().journal().len(), 0);
}

#[tokio::test]
async fn target_that_fails_at_count_is_usable_if_it_answers_look_ups() {
    for (fault, usable) in [
        ("status=500 method=GET path=/Users times=1", true),
        ("status=400 method=GET path=/Users times=1", true),
        ("status=500 method=GET path=/Users times=2", false),
    ] {
        let mut bench = Bench::new("aquera").await;
        bench.settings.options = "max-attempts = 1".to_owned();
        bench.app.add_fault(fault.parse().unwrap());
        let report = bench.open().await.test_connection().await.unwrap();
        assert_eq!(report.succeeded(), usable, "{fault}: {report}");
    }
}
