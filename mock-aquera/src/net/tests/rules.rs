//! What HTTP forbids; and clients that end their side before the answer comes.

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use tokio::io::AsyncWriteExt as _;

use super::limits::check_refusal;
use super::{BODY, Client, Paths, config, patiently, serve, start};
use crate::net::Running;

#[tokio::test]
async fn forbidden_requests_are_rejected() {
    let long = format!("host: {}", "a".repeat(300));
    let table: &[(&str, u16, &str)] = &[
        ("", 400, "no Host"),
        ("host: x\r\nhost: x", 400, "two hosts"),
        ("host: x\r\nHost: y", 400, "two hosts"),
        ("host: a b", 400, "Host header is not"),
        ("host: a/b", 400, "Host header is not"),
        ("host: a\"<b", 400, "Host header is not"),
        ("host: u@h", 400, "Host header is not"),
        ("host: x, y", 400, "Host header is not"),
        ("host:", 400, "Host header is not"),
        ("host: x:99999", 400, "Host header is not"),
        ("host: [::1", 400, "Host header is not"),
        (&long, 400, "Host header is not"),
        ("host: x\r\ntransfer-encoding: x, chunked", 501, "transfer coding"),
        ("host: x\r\ntransfer-encoding: gzip, chunked", 501, "transfer coding"),
        ("host: x\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked", 501, "transfer coding"),
        ("host: x\r\ntransfer-encoding: chunked, chunked", 400, "more than once"),
        ("host: x\r\ntransfer-encoding: chunked, x", 400, "RFC 9112 §6.3"),
        ("host: x\r\ntransfer-encoding: identity", 400, "RFC 9112 §6.3"),
        ("host: x\r\ncontent-length: 1\r\ncontent-length: 2", 400, "malformed"),
        ("host: x\r\ncontent-length: 1, 2", 400, "malformed"),
        ("host: x\r\ncontent-length: -1", 400, "malformed"),
        ("host: x\r\nx: a\r\n b", 400, "malformed"),
        ("host: x\r\n x: a", 400, "malformed"),
        ("host: x\r\nx: a\rb", 400, "malformed"),
        ("host: x\r\nx : a", 400, "malformed"),
        ("host: x\r\nx: a\0b", 400, "malformed"),
    ];
    let server = &start();
    for (lines, status, about) in table {
        for path in ["/now", "/told"] {
            let mut client = Client::connect(server).await;
            let end = if lines.is_empty() { "" } else { "\r\n" };
            client.send(&format!("POST {path} HTTP/1.1\r\n{lines}{end}\r\n")).await;
            check_refusal(&mut client, *status, about).await;
        }
    }
}

#[tokio::test]
async fn http_1_0_needs_no_host_and_has_no_transfer_coding() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.send("GET /now HTTP/1.0\r\n\r\n").await;
    assert!(client.rest().await.0.ends_with(BODY));
    let mut client = Client::connect(&server).await;
    client.send("POST /told HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
    check_refusal(&mut client, 400, "malformed").await;
}

/// RFC 9112 §6.3: the chunks count, and nothing is read behind them.
#[tokio::test]
async fn a_length_beside_chunks_is_ignored_and_ends_the_connection() {
    let server = start();
    for lines in
        ["content-length: 3\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 3"]
    {
        let mut client = Client::connect(&server).await;
        let smuggled = "GET /told HTTP/1.1\r\nhost: x\r\n\r\n";
        client
            .send(&format!("POST /echo HTTP/1.1\r\nhost: x\r\n{lines}\r\n\r\n2\r\nhi\r\n0\r\n\r\n{smuggled}"))
            .await;
        let (all, end) = client.rest().await;
        assert!(all.contains("connection: close\r\n") && all.ends_with("\r\n\r\nhi"), "{all}");
        end.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_has_said_all_gets_its_answer() {
    let server = start();
    for request in [
        "GET /now HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /now HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /now HTTP/1.0\r\n\r\n",
        "POST /told HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi",
        "POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /now HTTP/1.1\r\nhost: x\r\n\r\n",
    ] {
        for pieces in [1, 2] {
            let mut client = Client::connect(&server).await;
            let (first, second) = request.split_at(request.len() / pieces);
            client.send(first).await;
            if pieces > 1 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            client.send(second).await;
            client.0.shutdown().await.unwrap();
            let (all, end) = client.rest().await;
            assert_eq!(
                all.matches(" 200 OK\r\n").count(),
                request.matches(" HTTP/").count(),
                "{request}{all}"
            );
            end.unwrap();
        }
    }
}

#[tokio::test]
async fn a_client_that_has_said_all_is_waited_for() {
    let handler = Paths::default();
    let server = serve(config(), handler.clone()).unwrap();
    let mut client = Client::connect(&server).await;
    client.get("/wait").await;
    client.0.shutdown().await.unwrap();
    handler.arrived.notified().await;
    client.get_nothing().await;
    // It is told that its request is not forgotten, which shows whether it is there.
    for _ in 0..2 {
        assert_eq!(client.head().await, "HTTP/1.1 102 Processing\r\n\r\n");
    }
    handler.go_on.notify_one();
    let (all, end) = client.rest().await;
    assert!(all.starts_with("HTTP/1.1 200 OK") && all.ends_with(BODY), "{all}");
    end.unwrap();
}

#[tokio::test]
async fn half_a_head_is_not_answered() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.send("GET /now HTTP/1.1\r\nhost").await;
    client.0.shutdown().await.unwrap();
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn tls_on_a_port_without_it_is_answered_with_an_alert() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.0.write_all(&[0x16, 0x03, 0x01, 0x00, 0x05, 1, 0, 0, 1, 3]).await.unwrap();
    let mut all = Vec::new();
    patiently(tokio::io::AsyncReadExt::read_to_end(&mut client.0, &mut all)).await.unwrap();
    assert_eq!(all, [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40]);
}

mod http2 {
    use http_body_util::BodyExt as _;
    use hyper::client::conn::http2;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use serde_json::Value;
    use tokio::net::TcpStream;

    use super::*;

    async fn ask(server: &Running, headers: &[(&str, &str)]) -> (u16, String) {
        let stream = TcpStream::connect(server.addr()).await.unwrap();
        let (mut sender, connection) =
            http2::Builder::new(TokioExecutor::new()).handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder().uri("http://localhost/told");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply =
            patiently(sender.send_request(request.body(Empty::<Bytes>::new()).unwrap())).await.unwrap();
        let status = reply.status().as_u16();
        let body = patiently(reply.into_body().collect()).await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn heads_are_limited_as_in_http_1_1() {
        let server = start();
        let many: Vec<(String, &str)> = (0..101).map(|at| (format!("x-{at}"), "y")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let (just, large) = ("y".repeat(400_000), "y".repeat(600_000));
        for (headers, status) in [
            (&many[..], 431),
            (&[("x", large.as_str())], 431),
            (&[("x", just.as_str())], 200),
            (&many[..99], 200),
        ] {
            let (got, body) = ask(&server, headers).await;
            assert_eq!(got, status, "{} {:.200}", headers.len(), body);
            if status == 431 {
                let body: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(body["status"], "431");
                assert!(body["detail"].as_str().unwrap().contains("100 header lines"), "{body}");
            }
        }
    }

    #[tokio::test]
    async fn the_authority_is_the_host() {
        let server = start();
        let (status, told) = ask(&server, &[]).await;
        assert!(status == 200 && told.contains(r#""host": "localhost""#), "{told}");
        assert_eq!(ask(&server, &[("host", "LOCALHOST")]).await.0, 200);
        let (status, told) = ask(&server, &[("host", "other")]).await;
        assert!(status == 400 && told.contains("two hosts"), "{told}");
    }
}
