//! Each fault of a response, in HTTP/1.1.

use std::io;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;

use super::{BODY, Client, content_length, patiently, with_fault};
use crate::net::SocketFault;

/// What a client reads that had a good reply before, up to the end, and how that looks.
async fn read(fault: SocketFault, path: &str) -> (String, io::Result<()>) {
    let server = with_fault(fault);
    let mut client = Client::connect(&server).await;
    client.get("/good").await;
    assert_eq!(client.reply().await.1, BODY);
    client.get(path).await;
    client.rest().await
}

fn split(all: &str) -> (&str, &str) {
    all.split_once("\r\n\r\n").unwrap()
}

#[tokio::test]
async fn reset() {
    let (all, end) = read(SocketFault::Reset, "/faulty").await;
    assert_eq!((all.as_str(), end.unwrap_err().kind()), ("", io::ErrorKind::ConnectionReset));
}

#[tokio::test]
async fn empty_reply() {
    let (all, end) = read(SocketFault::EmptyReply, "/faulty").await;
    assert_eq!(all, "");
    end.unwrap();
}

#[tokio::test]
async fn an_empty_reply_to_a_client_that_is_still_sending_is_no_reset() {
    let server = with_fault(SocketFault::EmptyReply);
    let mut client = Client::connect(&server).await;
    client.send("POST /faulty HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await;
    client.send(&"x".repeat(50_000)).await;
    let (all, end) = client.rest().await;
    assert_eq!(all, "");
    end.unwrap();
}

#[tokio::test]
async fn hang_for_a_time() {
    let started = std::time::Instant::now();
    let (all, end) = read(SocketFault::Hang(Some(Duration::from_millis(150))), "/faulty").await;
    assert_eq!(all, "");
    end.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn hang_until_the_client_goes_and_stopping_ends_it() {
    let server = with_fault(SocketFault::Hang(None));
    let (mut one, mut other) = (Client::connect(&server).await, Client::connect(&server).await);
    for client in [&mut one, &mut other] {
        client.get("/good").await;
        client.reply().await;
        client.get("/faulty").await;
    }
    let silence = tokio::time::timeout(Duration::from_millis(100), one.0.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(server.connections(), 2);
    drop(one);
    patiently(async {
        while server.connections() == 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    patiently(server.stop()).await;
    assert_eq!(other.rest().await.0, "");
}

#[tokio::test]
async fn malformed_chunk() {
    let (all, end) = read(SocketFault::MalformedChunk, "/faulty").await;
    let (head, body) = split(&all);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("transfer-encoding: chunked") && !head.contains("content-length"), "{head}");
    assert_eq!(body, format!("not-a-size\r\n{BODY}\r\n"));
    end.unwrap();
}

#[tokio::test]
async fn truncate() {
    async fn check(fraction: f64, expected: &str) {
        let (all, end) = read(SocketFault::Truncate(fraction), "/faulty").await;
        let (head, body) = split(&all);
        assert_eq!((content_length(&format!("{head}\r\n")), body), (BODY.len(), expected), "{fraction}");
        end.unwrap();
    }
    check(0.0, "").await;
    check(0.5, &BODY[..BODY.len() / 2]).await;
    check(0.999, &BODY[..BODY.len() - 1]).await;
    check(1.0, BODY).await;
    check(f64::NAN, "").await;
}

#[tokio::test]
async fn without_a_body_the_head_is_truncated() {
    let (all, end) = read(SocketFault::Truncate(0.5), "/none").await;
    assert!(all.starts_with("HTTP/1.1 204") && !all.contains("\r\n\r\n"), "{all}");
    end.unwrap();
}

#[tokio::test]
async fn garbage() {
    let (all, end) = read(SocketFault::Garbage(b"\x01\x02 no HTTP".to_vec()), "/faulty").await;
    assert_eq!(all, "\x01\x02 no HTTP");
    end.unwrap();
}

#[tokio::test]
async fn wrong_length() {
    async fn check(by: i64, expected: usize) {
        let (all, end) = read(SocketFault::WrongLength(by), "/faulty").await;
        let (head, body) = split(&all);
        assert_eq!((content_length(head), body), (expected, BODY), "{by}");
        end.unwrap();
    }
    check(3, BODY.len() + 3).await;
    check(-3, BODY.len() - 3).await;
    check(i64::MIN, 0).await;
}

#[tokio::test]
async fn close_after() {
    let server = with_fault(SocketFault::CloseAfter);
    let mut client = Client::connect(&server).await;
    client.get("/good").await;
    let (mut good, _) = client.reply().await;
    client.get("/faulty").await;
    let (mut head, body) = client.reply().await;
    assert_eq!(body, BODY);
    for head in [&mut good, &mut head] {
        // The second may have changed, and nothing else.
        *head = head.lines().filter(|line| !line.starts_with("date: ")).collect();
    }
    assert_eq!(good, head, "no byte tells that the connection ends");
    client.rest().await.1.unwrap();
}

#[tokio::test]
async fn dribble() {
    let server = with_fault(SocketFault::Dribble { chunk: 10, pause: Duration::from_millis(5) });
    let mut client = Client::connect(&server).await;
    let started = std::time::Instant::now();
    client.get("/faulty").await;
    let mut most = 0;
    let mut all = Vec::new();
    while !all.ends_with(BODY.as_bytes()) {
        let before = all.len();
        patiently(client.0.read_buf(&mut all)).await.unwrap();
        most = most.max(all.len() - before);
    }
    let pauses = u32::try_from(all.len() / 10 - 1).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(5) * pauses, "{pauses} pauses");
    assert!(most < all.len(), "all came at once");
    client.get("/good").await;
    assert_eq!(client.reply().await.1, BODY, "the connection stays, at full speed");
}

#[tokio::test]
async fn the_replies_before_a_faulty_one_arrive_whole() {
    let server = with_fault(SocketFault::Reset);
    let mut client = Client::connect(&server).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.send(&[get("/good"), get("/version"), get("/none")].concat()).await;
    assert_eq!(client.reply().await.1, BODY);
    assert_eq!(client.reply().await.1, "HTTP/1.1");
    assert_eq!(client.rest().await.1.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

    // Those that don't fit into the kernel's buffers too.
    let server = with_fault(SocketFault::EmptyReply);
    let mut client = Client::connect(&server).await;
    client.send(&[get("/large"), get("/faulty")].concat()).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.reply().await.1.len(), 8 * 1024 * 1024);
    let (all, end) = client.rest().await;
    assert_eq!(all, "");
    end.unwrap();
}

#[tokio::test]
async fn what_follows_a_dribbled_request_is_answered() {
    let server = with_fault(SocketFault::Dribble { chunk: 64, pause: Duration::from_millis(1) });
    let mut client = Client::connect(&server).await;
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    client.send(&[get("/faulty"), get("/good"), get("/faulty")].concat()).await;
    for _ in 0..3 {
        assert_eq!(patiently(client.reply()).await.1, BODY);
    }
}

#[tokio::test]
async fn head_gets_no_body_whatever_happens() {
    let server = with_fault(SocketFault::CloseAfter);
    let mut client = Client::connect(&server).await;
    client.send("HEAD /faulty HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (all, _) = client.rest().await;
    let (head, body) = split(&all);
    assert_eq!((content_length(&format!("{head}\r\n")), body), (BODY.len(), ""));
}
