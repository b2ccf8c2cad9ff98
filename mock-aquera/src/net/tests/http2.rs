//! HTTP/2 without TLS, and what a faulty reply is there.

use std::io;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{Method, Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{BODY, Paths, config, content_length, patiently, serve, start, with_fault};
use crate::net::{Running, SocketFault};

struct Client {
    sender: http2::SendRequest<Empty<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
}

/// A reply, as far as it came.
#[derive(Debug, PartialEq)]
enum Got {
    Whole(String),
    /// The head came with this length, then so much of the body, then the stream broke.
    Broken(usize, String),
    Nothing,
}

impl Client {
    async fn connect(server: &Running) -> Self {
        let stream = TcpStream::connect(server.addr()).await.unwrap();
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        Self { sender, connection: tokio::spawn(connection) }
    }

    async fn get(&mut self, path: &str) -> Got {
        self.ask(Method::GET, path).await
    }

    async fn ask(&mut self, method: Method, path: &str) -> Got {
        let uri = format!("http://localhost{path}");
        let request = Request::builder().method(method).uri(uri).body(Empty::new()).unwrap();
        let Ok(reply) = patiently(self.sender.send_request(request)).await else { return Got::Nothing };
        assert_eq!(reply.version(), Version::HTTP_2);
        let (head, mut body) = reply.into_parts();
        let length = format!("content-length: {}", head.headers["content-length"].to_str().unwrap());
        let mut text = String::new();
        while let Some(frame) = patiently(body.frame()).await {
            match frame {
                Ok(frame) => text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap()),
                Err(_) => return Got::Broken(content_length(&length), text),
            }
        }
        Got::Whole(text)
    }

    /// The faulty reply, and whether the connection serves on.
    async fn faulty(fault: SocketFault) -> (Got, Got) {
        let server = with_fault(fault);
        let mut client = Self::connect(&server).await;
        assert_eq!(client.get("/version").await, Got::Whole("HTTP/2.0".to_owned()));
        (client.get("/faulty").await, client.get("/good").await)
    }
}

fn whole() -> Got {
    Got::Whole(BODY.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_share_a_connection() {
    let handler = Paths::default();
    let server = serve(config(), handler.clone()).unwrap();
    let mut client = Client::connect(&server).await;
    let waiting = Request::builder().uri("http://localhost/wait").body(Empty::new()).unwrap();
    let waiting = tokio::spawn(client.sender.send_request(waiting));
    handler.arrived.notified().await;
    assert_eq!(client.get("/").await, whole());
    assert_eq!(client.ask(Method::HEAD, "/").await, Got::Whole(String::new()));
    assert_eq!(client.get("/panic").await, Got::Nothing);
    assert_eq!(client.get("/now").await, whole(), "a panic ends its stream alone");

    // Stopping waits for the stream that is open.
    let stopping = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!stopping.is_finished());
    handler.go_on.notify_one();
    let reply = patiently(waiting).await.unwrap().unwrap();
    assert_eq!(reply.into_body().collect().await.unwrap().to_bytes(), BODY);
    patiently(stopping).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_ends_with_the_server() {
    let server = start();
    let mut client = Client::connect(&server).await;
    assert_eq!(client.get("/").await, whole());
    patiently(server.stop()).await;
    patiently(client.connection).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_the_stream_alone() {
    async fn check(fault: SocketFault, expected: Got) {
        let told = format!("{fault:?}");
        assert_eq!(Client::faulty(fault).await, (expected, whole()), "{told}");
    }
    let broken = |text: &str| Got::Broken(BODY.len(), text.to_owned());
    check(SocketFault::EmptyReply, Got::Nothing).await;
    check(SocketFault::Hang(Some(Duration::from_millis(20))), Got::Nothing).await;
    check(SocketFault::MalformedChunk, broken("")).await;
    check(SocketFault::Truncate(0.5), broken(&BODY[..BODY.len() / 2])).await;
    check(SocketFault::Truncate(0.0), broken("")).await;
    // The client counts, as RFC 9113 §8.1.1 demands, and drops what ends too early.
    check(SocketFault::WrongLength(3), Got::Broken(BODY.len() + 3, String::new())).await;
    check(SocketFault::Dribble { chunk: 3, pause: Duration::from_millis(1) }, whole()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hang_is_silence_for_one_stream() {
    let server = with_fault(SocketFault::Hang(None));
    let mut client = Client::connect(&server).await;
    let request = Request::builder().uri("http://localhost/faulty").body(Empty::new()).unwrap();
    let hanging = client.sender.send_request(request);
    assert_eq!(client.get("/good").await, whole());
    let mut hanging = std::pin::pin!(hanging);
    assert!(tokio::time::timeout(Duration::from_millis(50), hanging.as_mut()).await.is_err());
    // Stopping ends it.
    patiently(server.stop()).await;
    assert!(patiently(hanging).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_the_connection() {
    async fn check(fault: SocketFault, expected: Got) -> hyper::Result<()> {
        let server = with_fault(fault);
        let mut client = Client::connect(&server).await;
        assert_eq!(client.get("/good").await, whole());
        assert_eq!(client.get("/faulty").await, expected);
        patiently(client.connection).await.unwrap()
    }
    let reset = check(SocketFault::Reset, Got::Nothing).await.unwrap_err();
    let mut source: &dyn std::error::Error = &reset;
    while let Some(deeper) = source.source() {
        source = deeper;
    }
    let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
    assert_eq!(kind, Some(io::ErrorKind::ConnectionReset), "{reset:?}");
    check(SocketFault::Garbage(vec![0xff; 64]), Got::Nothing).await.unwrap_err();
    check(SocketFault::CloseAfter, whole()).await.unwrap();
}
