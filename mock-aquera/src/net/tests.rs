//! The layer as a client sees it, at the socket.

mod fault;
mod http2;
mod limits;
mod rules;
mod shutdown;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{DATE, ETAG, HeaderValue};
use axum::response::Response;
use http_body_util::BodyExt as _;
use hyper::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::{FaultHandle, Head, HttpApp, ListenError, NetConfig, Running, SocketFault};

const BODY: &str = r#"{"userName":"alice"}"#;

/// Longer than any test takes; where it is over, something hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers by path, and adds faults to the responses at the paths that it was told.
#[derive(Clone, Default)]
struct Paths {
    faults: Arc<HashMap<String, SocketFault>>,
    arrived: Arc<Notify>,
    go_on: Arc<Notify>,
}

fn serve(config: NetConfig, paths: Paths) -> Result<Running, ListenError> {
    let router = Router::new().fallback(move |request| paths.clone().answer(request));
    Ok(super::bind(config)?.serve(HttpApp { router, on_rejection: Arc::new(|_, _, _| {}) }))
}

impl Paths {
    async fn answer(self, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let handle: FaultHandle = request.extensions().get().cloned().unwrap();
        if path.starts_with("/told") {
            let (head, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return Response::default() };
            return told(Head::from(&head), &body.to_bytes());
        }
        let body = match path.as_str() {
            "/panic" => panic!("a handler that panics, for a test"),
            "/refuse" => {
                handle.refuse_connections(Duration::from_millis(50));
                Body::empty()
            }
            "/refuse-for-good" => {
                handle.refuse_connections(Duration::MAX);
                Body::empty()
            }
            "/wait" => {
                self.arrived.notify_one();
                self.go_on.notified().await;
                Body::from(BODY)
            }
            "/stream" => {
                let pieces = ["one ", "two ", "three"].map(Ok::<_, io::Error>);
                Body::from_stream(tokio_stream::iter(pieces))
            }
            "/echo" => Body::from(request.into_body().collect().await.unwrap().to_bytes()),
            "/version" => Body::from(format!("{:?}", request.version())),
            "/peer" => Body::from(handle.peer().to_string()),
            "/none" => Body::empty(),
            "/large" => Body::from(vec![b'x'; 8 * 1024 * 1024]),
            _ => Body::from(BODY),
        };
        let mut response = Response::new(body);
        if path == "/none" {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        if let Some(fault) = self.faults.get(&path) {
            response.extensions_mut().insert(fault.clone());
        }
        response
    }
}

/// Says what was asked.
fn told(head: Head<'_>, body: &Bytes) -> Response {
    let path = head.uri.path();
    let text = format!("{} {} {:?} {body:?}", head.method, head.uri, head.headers);
    let mut response = Response::new(if path.ends_with("/none") { Body::empty() } else { Body::from(text) });
    let status = match path {
        "/told/none" => StatusCode::NO_CONTENT,
        "/told/known/none" => StatusCode::NOT_MODIFIED,
        "/told/wrong" => StatusCode::BAD_REQUEST,
        "/told/odd" => StatusCode::from_u16(299).unwrap(),
        _ => StatusCode::OK,
    };
    *response.status_mut() = status;
    response.headers_mut().insert(ETAG, HeaderValue::from_static("W/\"1\""));
    if path == "/told/dated" {
        response.headers_mut().insert(DATE, HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
    }
    response
}

fn config() -> NetConfig {
    let mut config = NetConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    config.limits.linger = Duration::from_millis(200);
    config
}

fn start() -> Running {
    serve(config(), Paths::default()).unwrap()
}

/// A server with a fault at `/faulty`.
fn with_fault(fault: SocketFault) -> Running {
    serve(config(), faulty(fault)).unwrap()
}

fn faulty(fault: SocketFault) -> Paths {
    let faults = [("/faulty".to_owned(), fault.clone()), ("/none".to_owned(), fault)];
    Paths { faults: Arc::new(faults.into_iter().collect()), ..Paths::default() }
}

/// A client that sees every byte.
struct Client(TcpStream);

impl Client {
    async fn connect(server: &Running) -> Self {
        Self(TcpStream::connect(server.addr()).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Nothing is said for a while.
    async fn get_nothing(&mut self) {
        let said = tokio::time::timeout(Duration::from_millis(50), self.0.read_u8()).await;
        assert!(said.is_err(), "{said:?}");
    }

    async fn get(&mut self, path: &str) {
        self.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await;
    }

    /// One reply that says its length: head and body.
    async fn reply(&mut self) -> (String, String) {
        let head = self.head().await;
        let mut body = vec![0; content_length(&head)];
        self.0.read_exact(&mut body).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    /// Everything up to the end of the connection, and how it ends.
    async fn rest(&mut self) -> (String, io::Result<()>) {
        let mut all = Vec::new();
        let end = patiently(self.0.read_to_end(&mut all)).await.map(|_| ());
        (String::from_utf8(all).unwrap(), end)
    }
}

async fn patiently<F: Future>(work: F) -> F::Output {
    tokio::time::timeout(PATIENCE, work).await.unwrap()
}

fn content_length(head: &str) -> usize {
    let line = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    line.map_or(0, |length| length.parse().unwrap())
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let server = start();
    let mut client = Client::connect(&server).await;
    for _ in 0..3 {
        client.get("/").await;
        let (head, body) = client.reply().await;
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert_eq!(body, BODY);
    }
    client.get("/none").await;
    assert!(client.reply().await.0.starts_with("HTTP/1.1 204 No Content\r\n"));
    client.send("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(client.reply().await.1, "hello");
    client.get("/peer").await;
    assert_eq!(client.reply().await.1, client.0.local_addr().unwrap().to_string());
    client.get("/stream").await;
    assert!(client.head().await.contains("transfer-encoding: chunked\r\n"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start();
    let mut client = Client::connect(&server).await;
    let one = |n: usize| format!("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{n:02}");
    client.send(&(0..50).map(one).collect::<String>()).await;
    for n in 0..50 {
        assert_eq!(client.reply().await.1, format!("{n:02}"));
    }
}

#[tokio::test]
async fn an_announced_body_is_sent_once_it_is_wanted() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.send("POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n").await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello").await;
    assert_eq!(client.reply().await.1, "hello");
}

#[tokio::test]
async fn a_connection_that_is_not_to_be_kept_ends_after_the_reply() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let (all, end) = client.rest().await;
    assert!(all.ends_with(BODY), "{all}");
    end.unwrap();
}

#[tokio::test]
async fn panic_in_handler_ends_its_connection_alone() {
    let server = start();
    let mut other = Client::connect(&server).await;
    let mut unlucky = Client::connect(&server).await;
    other.get("/").await;
    assert_eq!(other.reply().await.1, BODY);
    unlucky.get("/panic").await;
    assert_eq!(unlucky.rest().await.0, "");
    other.get("/now").await;
    assert_eq!(other.reply().await.1, BODY);
}

#[tokio::test]
async fn stopping_lets_the_reply_on_its_way_arrive() {
    let handler = Paths::default();
    let server = serve(config(), handler.clone()).unwrap();
    let addr = server.addr();
    let (mut busy, mut idle) = (Client::connect(&server).await, Client::connect(&server).await);
    let mut fresh = Client::connect(&server).await;
    let mut half = Client::connect(&server).await;
    idle.get("/").await;
    idle.reply().await;
    half.send("GET / HTTP/1.1\r\nhos").await;
    busy.get("/wait").await;
    handler.arrived.notified().await;

    let stopping = tokio::spawn(server.stop());
    idle.rest().await.1.unwrap();
    fresh.rest().await.1.unwrap();
    half.rest().await.1.unwrap();
    assert_eq!(TcpStream::connect(addr).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    assert!(!stopping.is_finished());
    handler.go_on.notify_one();
    let (all, end) = busy.rest().await;
    assert!(all.ends_with(BODY), "{all}");
    end.unwrap();
    patiently(stopping).await.unwrap();
}

#[tokio::test]
async fn stopping_waits_for_no_idle_client_to_notice() {
    let mut config = config();
    config.limits.linger = Duration::MAX;
    config.limits.drain = Duration::MAX;
    let server = serve(config, Paths::default()).unwrap();
    let mut idle = Client::connect(&server).await;
    idle.get("/").await;
    idle.reply().await;
    patiently(server.stop()).await;
    idle.rest().await.1.unwrap();
}

#[tokio::test]
async fn stopping_waits_no_longer_than_it_may() {
    let handler = Paths::default();
    let mut config = config();
    config.limits.drain = Duration::from_millis(50);
    let server = serve(config, handler.clone()).unwrap();
    let mut client = Client::connect(&server).await;
    client.get("/wait").await;
    handler.arrived.notified().await;
    patiently(server.stop()).await;
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn a_dropped_server_stops() {
    let server = start();
    let addr = server.addr();
    let mut idle = Client::connect(&server).await;
    idle.get("/").await;
    idle.reply().await;
    drop(server);
    assert_eq!(TcpStream::connect(addr).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    idle.rest().await.1.unwrap();
}

#[tokio::test]
async fn refused_connections_are_taken_again_at_the_same_port() {
    let server = start();
    let mut open = Client::connect(&server).await;
    open.get("/refuse").await;
    open.reply().await;
    let mut late = patiently(async {
        loop {
            match TcpStream::connect(server.addr()).await {
                Ok(stream) => return Client(stream),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    })
    .await;
    for client in [&mut late, &mut open] {
        client.get("/").await;
        assert_eq!(client.reply().await.1, BODY);
    }
}

#[tokio::test]
async fn a_port_in_use_is_told() {
    let server = start();
    let error = serve(NetConfig::new(server.addr()), Paths::default()).unwrap_err();
    assert!(error.to_string().starts_with(&format!("listen at {}: ", server.addr())), "{error}");
}

#[tokio::test]
async fn while_connections_are_refused_the_open_ones_stay() {
    let server = start();
    let mut open = Client::connect(&server).await;
    open.get("/refuse-for-good").await;
    open.reply().await;
    server.refuse_connections(Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(30)).await;
    assert_eq!(TcpStream::connect(server.addr()).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    open.get("/").await;
    assert_eq!(open.reply().await.1, BODY);
    patiently(server.stop()).await;
}
