//! Slow, huge and half-open clients hold nobody else up.

use std::time::Duration;

use mock_aquera::{Application, ApplicationConfig, MockAquera};
use serde_json::json;
use tokio::time::timeout;

use crate::client::{Client, start, user};
use crate::raw::{Came, PATIENCE, Raw, request};

/// What a well-behaved client does meanwhile: it reads, writes and lists.
async fn others_are_served(mock: &MockAquera, application: &Application) {
    let before = application.user_count();
    let client = Client::of(mock);
    let work = async {
        for nth in 0..10 {
            let made = client.post("/Users", &user(&format!("other-{nth}"), json!({}))).await;
            assert_eq!(made.status, 201);
            assert_eq!(client.get(&format!("/Users/{}", made.id())).await.status, 200);
            assert_eq!(client.query("/Users", &[("filter", "title co \"nothing\"")]).await.status, 200);
            assert_eq!(client.delete(&format!("/Users/{}", made.id())).await.status, 204);
        }
    };
    timeout(PATIENCE, work).await.unwrap();
    assert_eq!(application.user_count(), before);
    application.check_consistency().unwrap();
}

#[tokio::test]
async fn heads_that_come_a_byte_at_a_time() {
    let mock = start().await;
    let application = mock.default_application();
    let slow: Vec<_> = (0..20)
        .map(|nth| {
            let addr = mock.addr();
            tokio::spawn(async move {
                let mut raw = Raw::connect(addr).await;
                let body = user(&format!("slow-{nth}"), json!({})).to_string();
                for byte in request("mock-token", "POST", "/scim/Users", &body).bytes() {
                    raw.send([byte]).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                raw.read().await.reply().status
            })
        })
        .collect();
    others_are_served(&mock, &application).await;
    for slow in slow {
        assert_eq!(slow.await.unwrap(), 201, "slow is not wrong");
    }
    assert_eq!(application.user_count(), 20);
}

#[tokio::test]
async fn bodies_that_never_come_whole() {
    let mock = start().await;
    let application = mock.default_application();
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let mut raw = Raw::connect(mock.addr()).await;
        let whole = request("mock-token", "POST", "/scim/Users", &user("never", json!({})).to_string());
        raw.send(&whole[..whole.len() - 1]).await;
        waiting.push(raw);
    }
    others_are_served(&mock, &application).await;
    for raw in &mut waiting {
        assert!(raw.is_silent(Duration::ZERO).await);
    }
    drop(waiting);
    others_are_served(&mock, &application).await;
    assert_eq!(application.user_count(), 0, "half a request has no effect");
}

#[tokio::test]
async fn a_body_without_end_is_cut_off_at_the_limit() {
    let mock = start().await;
    let application = mock.default_application();
    let addr = mock.addr();
    let endless = tokio::spawn(async move {
        let mut raw = Raw::connect(addr).await;
        raw.send(
            "POST /scim/Users HTTP/1.1\r\nhost: x\r\nauthorization: Bearer mock-token\r\n\
             content-type: application/scim+json\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await;
        let chunk = [b"10000\r\n".as_slice(), &vec![b' '; 0x10000], b"\r\n"].concat();
        // More than the limit, and no end.
        for _ in 0..200 {
            raw.send(&chunk).await;
        }
        raw.read().await
    });
    others_are_served(&mock, &application).await;
    let reply = endless.await.unwrap().reply();
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(String::from_utf8_lossy(&reply.body).contains("10485760 bytes"), "{reply:?}");
}

#[tokio::test]
async fn connections_that_say_nothing() {
    let mock = start().await;
    let application = mock.default_application();
    let mut idle = Vec::new();
    for nth in 0..200 {
        let mut raw = Raw::connect(mock.addr()).await;
        if nth % 2 == 0 {
            raw.ask("GET", "/scim/Users", "").await;
            assert_eq!(raw.read().await.reply().status, 200);
        }
        idle.push(raw);
    }
    others_are_served(&mock, &application).await;
    for raw in &mut idle {
        raw.ask("GET", "/scim/Users", "").await;
        assert_eq!(raw.read().await.reply().status, 200, "an idle connection is still good");
    }
    timeout(PATIENCE, mock.stop()).await.unwrap();
    for raw in &mut idle {
        assert!(matches!(raw.read().await, Came::Closed(rest) if rest.is_empty()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_up_to_the_limit_and_beyond() {
    let mock = start().await;
    let application = mock.default_application();
    let large = |name: &str, size: usize| user(name, json!({"title": "x".repeat(size)})).to_string();
    let (fits, exceeds) = (large("fits", 9 * 1024 * 1024), large("exceeds", 11 * 1024 * 1024));
    let addr = mock.addr();
    let sent = tokio::spawn(async move {
        let mut raw = Raw::connect(addr).await;
        raw.ask("POST", "/scim/Users", &fits).await;
        let first = raw.read().await.reply();
        raw.ask("POST", "/scim/Users", &exceeds).await;
        (first.status, raw.read().await.reply().status)
    });
    others_are_served(&mock, &mock.create_application("other", ApplicationConfig::default()).unwrap()).await;
    assert_eq!(sent.await.unwrap(), (201, 413));
    assert_eq!(application.user_count(), 1);
    application.check_consistency().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replies_that_nobody_reads() {
    let mock = start().await;
    let application = mock.default_application();
    for nth in 0..100 {
        application.seed_user(user(&format!("u{nth}"), json!({"title": "x".repeat(100 * 1024)})));
    }
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.ask("GET", "/scim/Users?count=100", "").await;
        deaf.push(raw);
    }
    // Eight such replies are more than the journal holds: its number counts them all the same.
    let answered = async {
        while application.last_seq() < 8 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, answered).await.unwrap();
    others_are_served(&mock, &application).await;
    let reply = deaf.remove(0).read().await.reply();
    assert!(reply.status == 200 && reply.body.len() > 10_000_000, "whoever reads late gets all of it");
}
