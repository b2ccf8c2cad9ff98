//! Clients with bad manners.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{BODY, Client, PATIENCE, Paths, config, patiently, serve, start};

/// The reply is SCIM's error of this status, and ends the connection.
pub(super) async fn check_refusal(client: &mut Client, status: u16, about: &str) {
    let (all, end) = client.rest().await;
    let (head, body) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no reply: {all}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    assert!(head.contains("content-type: application/scim+json"), "{head}");
    assert!(head.contains("connection: close"), "{head}");
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
    assert_eq!(body["status"], status.to_string());
    assert!(body["detail"].as_str().unwrap().contains(about), "{body}");
    end.unwrap();
}

#[tokio::test]
async fn what_is_no_http_is_refused_in_scim() {
    let server = start();
    for nonsense in ["nonsense\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n", "\x16\x02\x01\x02\r\n\r\n"] {
        let mut client = Client::connect(&server).await;
        client.send(nonsense).await;
        check_refusal(&mut client, 400, "malformed").await;
    }
}

#[tokio::test]
async fn nonsense_after_a_request_is_refused_after_its_reply() {
    let server = start();
    let mut client = Client::connect(&server).await;
    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n").await;
    assert_eq!(client.reply().await.1, BODY);
    check_refusal(&mut client, 400, "malformed").await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_in_scim() {
    let server = start();
    let mut client = Client::connect(&server).await;
    let many = "x-many: y\r\n".repeat(200);
    client.send(&format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n")).await;
    check_refusal(&mut client, 431, "100 header lines").await;

    let mut client = Client::connect(&server).await;
    client.send(&format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(600_000))).await;
    check_refusal(&mut client, 431, "too large").await;

    let mut client = Client::connect(&server).await;
    client.send(&format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(70_000))).await;
    check_refusal(&mut client, 414, "65,534").await;
}

#[tokio::test]
async fn a_slow_head_is_timed_out_and_holds_nobody_up() {
    let mut config = config();
    config.limits.header_timeout = Duration::from_millis(300);
    let server = serve(config, Paths::default()).unwrap();
    let mut idle = Client::connect(&server).await;
    idle.get("/").await;
    idle.reply().await;
    let mut slow = Client::connect(&server).await;
    slow.send("GET / HTTP/1.1\r\nhost").await;
    let mut slow_later = Client::connect(&server).await;
    slow_later.get("/").await;
    slow_later.reply().await;
    slow_later.send("GET / HT").await;
    let mut silent = Client::connect(&server).await;

    let mut other = Client::connect(&server).await;
    for _ in 0..20 {
        other.get("/").await;
        assert_eq!(other.reply().await.1, BODY);
    }
    check_refusal(&mut slow, 408, "300ms").await;
    check_refusal(&mut slow_later, 408, "300ms").await;
    assert_eq!(silent.rest().await.0, "", "who never says anything is not told anything");
    idle.get("/").await;
    assert_eq!(idle.reply().await.1, BODY, "an idle connection stays");
}

#[tokio::test]
async fn a_head_in_pieces_is_understood() {
    let server = start();
    let mut client = Client::connect(&server).await;
    for piece in ["P", "OST /echo HT", "TP/1.1\r\nhost: x\r\nconte", "nt-length: 2\r\n\r", "\nh", "i"] {
        client.send(piece).await;
        client.0.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.reply().await.1, "hi");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let mut config = config();
    config.limits.max_connections = 2;
    let server = serve(config, Paths::default()).unwrap();
    let mut inside = [Client::connect(&server).await, Client::connect(&server).await];
    for client in &mut inside {
        client.get("/").await;
        client.reply().await;
    }
    let mut third = Client::connect(&server).await;
    third.get("/").await;
    check_refusal(&mut third, 503, "holds 2 connections").await;
    drop(inside);
    patiently(async {
        while server.connections() == 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let mut fourth = Client::connect(&server).await;
    fourth.get("/").await;
    assert_eq!(fourth.reply().await.1, BODY);
}

#[tokio::test]
async fn who_reads_nothing_holds_nobody_up() {
    let server = start();
    let mut deaf = Client::connect(&server).await;
    deaf.get("/large").await;
    let mut other = Client::connect(&server).await;
    other.get("/").await;
    assert_eq!(patiently(other.reply()).await.1, BODY);
    drop(deaf);
}

#[tokio::test]
async fn who_sends_a_body_that_nobody_reads_gets_to_the_reply() {
    let mut config = config();
    config.limits.linger = PATIENCE;
    let server = serve(config, Paths::default()).unwrap();
    let mut client = Client::connect(&server).await;
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 99000000\r\n\r\n").await;
    // Far more than fits between them: without somebody who reads it, this fails.
    client.send(&"x".repeat(32 * 1024 * 1024)).await;
    let (all, end) = client.rest().await;
    assert!(all.ends_with(BODY), "{all}");
    end.unwrap();
}

#[tokio::test]
async fn no_bytes_hurt() {
    let server = start();
    let mut random = StdRng::seed_from_u64(7);
    let beginnings: [&[u8]; 5] = [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"POST /echo HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST /echo HTTP/1.1\r\ncontent-length: 40\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for round in 0..200 {
        let mut client = Client::connect(&server).await;
        let mut bytes = beginnings[round % beginnings.len()].to_vec();
        let more = random.random_range(0..200);
        bytes.extend((0..more).map(|_| random.random::<u8>()));
        // Some are turned away before all is sent.
        let _ = client.0.write_all(&bytes).await;
        let _ = client.0.shutdown().await;
        let _ = patiently(client.0.read_to_end(&mut Vec::new())).await;
    }
    let mut client = Client::connect(&server).await;
    client.get("/").await;
    assert_eq!(client.reply().await.1, BODY);
    drop(client);
    patiently(server.stop()).await;
}
