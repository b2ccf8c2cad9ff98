//! Requests that are answered past hyper: nobody can tell the difference.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{BODY, Client, Paths, config, patiently, start};
use crate::net::{Running, serve};

/// Ends a connection that nothing else has ended.
const LAST: &[u8] = b"GET /now HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// What a server says to these bytes on a connection of their own, without the times of day.
async fn said(server: &Running, bytes: &[u8]) -> String {
    let mut client = Client::connect(server).await;
    // A server that has refused something may be gone before it was sent all.
    let _ = client.0.write_all(&[bytes, LAST].concat()).await;
    let all = client.rest().await.0;
    let today = |line: &&str| line.starts_with("date: ") && !line.contains(" 1970 ");
    let lines: Vec<&str> = all.split("\r\n").filter(|line| !today(line)).collect();
    assert!(all.is_empty() || lines.len() < all.split("\r\n").count() || all.contains("1970"), "{all}");
    lines.join("\r\n")
}

/// A header line, mostly a sound one.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => ("[a-zA-Z-]{1,12}", "[ -~\t]{0,20}").prop_map(|(name, value)| format!("{name}: {value}\r\n")),
        4 => prop::sample::select(vec![
            "connection: Keep-Alive\r\n", "Authorization:Bearer t\r\n", "accept:  a \t\r\n", "x: \u{e9}\r\n",
        ]).prop_map(str::to_owned),
        1 => prop::sample::select(vec![
            "connection: close\r\n", "connection: upgrade\r\n", "upgrade: h2c\r\n", "Connection: keep-alive, close\r\n",
            "transfer-encoding: chunked\r\n", "content-length: 1\r\n", "content-length: +1\r\n",
            "content-length: \r\n", "x : y\r\n", "bad\r\n", " folded\r\n", "x: y\n", "\u{e9}: y\r\n",
            "content-length: 99999999999999999999\r\n",
        ]).prop_map(str::to_owned),
    ]
}

/// Requests in a row. Several of them have the same headers.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let method =
        prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get"]);
    let path = prop::sample::select(vec![
        "/told",
        "/told/none",
        "/told/known/none",
        "/told/wrong",
        "/told/odd",
        "/told/dated",
        "/now",
        "/echo",
        "/told?a=%20b&c",
        "/told/\"x\"{y}",
        "/told#x",
        "/told/<",
        "//told",
        "http://x/told",
        "*",
        "/told/\u{e9}",
    ]);
    let version =
        prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"]);
    // No chunk begins like this, so whatever was announced, the connection ends.
    let body = "([g-z~][ -~\r\n]{0,40})?";
    let host = prop_oneof![8 => Just("host: x\r\n"), 1 => Just(""), 1 => Just("host: x\r\nhost: x\r\n"), 1 => Just("host: a b\r\n")];
    let lines = (host, prop::collection::vec(line(), 0..40))
        .prop_map(|(host, lines)| [vec![host.to_owned()], lines].concat());
    let heads = prop::collection::vec(lines, 1..3);
    let requests = prop::collection::vec((method, path, version, any::<Index>(), body), 1..6);
    (heads, requests).prop_map(|(heads, requests)| {
        let mut all = String::new();
        for (method, path, version, head, body) in requests {
            let lines = head.get(&heads).concat();
            all.extend([method, " ", path, " ", version, "\r\n", &lines]);
            if !body.is_empty() {
                all.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
            }
            all += "\r\n";
            all += &body;
        }
        all.into_bytes()
    })
}

#[test]
fn it_is_all_the_same_who_answers() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (quick, slow) = runtime.block_on(async {
        let slow = Paths { is_slow: true, ..Paths::default() };
        (start(), serve(config(), slow).unwrap())
    });
    let mut runner = TestRunner::default();
    let outcome = runner.run(&requests(), |bytes| {
        let (one, other) =
            runtime.block_on(async { tokio::join!(said(&quick, &bytes), said(&slow, &bytes)) });
        prop_assert_eq!(one, other, "{}", String::from_utf8_lossy(&bytes));
        Ok(())
    });
    outcome.unwrap();
    runtime.block_on(async {
        for length in [64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 300_000] {
            let head = format!("PUT /told HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
            let bytes = [head.into_bytes(), vec![b'x'; length]].concat();
            let said = [said(&quick, &bytes).await, said(&slow, &bytes).await];
            assert!(said[0].len() > length && said[0] == said[1], "{length}");
        }
    });
}

/// Only past hyper a request with a body is answered at once.
fn only_at_once() -> Running {
    serve(config(), Paths { is_quick: true, ..Paths::default() }).unwrap()
}

fn post(body: &str) -> String {
    format!("POST /told HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn what_is_there_whole_goes_past_hyper() {
    let server = only_at_once();
    let mut client = Client::connect(&server).await;
    let large = "x".repeat(60_000);
    for body in ["one", "two", "", &large, "three"] {
        client.send(&post(body)).await;
        let (head, text) = client.reply().await;
        assert!(head.starts_with("HTTP/1.1 200 ") && text.ends_with(&format!("b\"{body}\"")), "{head}{text}");
    }
    client.send(&[post("one"), post("two"), post("three")].concat()).await;
    for body in ["one", "two", "three"] {
        assert!(client.reply().await.1.ends_with(&format!("b\"{body}\"")));
    }
    // The rest of a body is waited for, whatever else comes with it.
    let both = [post("half a body"), post("next")].concat();
    let (head, rest) = both.split_at(both.find("a body").unwrap());
    client.send(head).await;
    client.get_nothing().await;
    client.send(rest).await;
    for body in ["half a body", "next"] {
        assert!(client.reply().await.1.ends_with(&format!("b\"{body}\"")));
    }
}

#[tokio::test]
async fn what_is_out_of_the_ordinary_is_hypers_from_then_on() {
    let server = only_at_once();
    let mut client = Client::connect(&server).await;
    client.send(&post("one")).await;
    assert!(client.reply().await.1.ends_with("b\"one\""));
    client.get("/").await;
    assert_eq!(client.reply().await.1, BODY);
    client.send(&post("two")).await;
    assert!(client.reply().await.0.starts_with("HTTP/1.1 501 "));
}

#[tokio::test]
async fn a_server_that_stops_waits_for_a_body_on_its_way() {
    let server = start();
    let (mut client, mut gone) = (Client::connect(&server).await, Client::connect(&server).await);
    let request = post("half a body");
    let (head, rest) = request.split_at(request.find("a body").unwrap());
    for client in [&mut client, &mut gone] {
        client.send(head).await;
        client.get_nothing().await;
    }
    let stopping = tokio::spawn(server.stop());
    drop(gone);
    client.get_nothing().await;
    assert!(!stopping.is_finished());
    client.send(rest).await;
    let (all, end) = client.rest().await;
    assert!(all.contains("\r\nconnection: close\r\n") && all.ends_with("b\"half a body\""), "{all}");
    end.unwrap();
    patiently(stopping).await.unwrap();
}

#[tokio::test]
async fn a_server_stops_however_much_is_asked_of_it() {
    let server = start();
    let Client(stream) = Client::connect(&server).await;
    let (mut from, mut to) = stream.into_split();
    let asking = tokio::spawn(async move {
        let many = "GET /now HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
        while to.write_all(many.as_bytes()).await.is_ok() {}
    });
    let mut replies = [0; 1000];
    from.read_exact(&mut replies).await.unwrap();
    let reading = tokio::spawn(async move { while matches!(from.read(&mut replies).await, Ok(1..)) {} });
    patiently(server.stop()).await;
    patiently(async { (asking.await.unwrap(), reading.await.unwrap()) }).await;
}
