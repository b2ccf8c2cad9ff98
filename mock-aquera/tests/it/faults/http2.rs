//! The main kinds of faults over HTTP/2, where a connection carries many requests.

use std::net::{Shutdown, TcpStream as Socket};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mock_aquera::{Application, Exchange, MockAquera, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::{start, user};
use crate::raw::PATIENCE;

type Sender = SendRequest<Full<Bytes>>;

async fn connect(mock: &MockAquera) -> Sender {
    let stream = TcpStream::connect(mock.addr()).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn send(sender: &Sender, method: &str, body: String) -> hyper::Result<Response<Incoming>> {
    let request = Request::builder()
        .method(method)
        .uri("http://mock/scim/Users")
        .header("authorization", "Bearer mock-token")
        .header("content-type", "application/scim+json")
        .body(Full::from(body))
        .unwrap();
    timeout(PATIENCE, sender.clone().send_request(request)).await.unwrap()
}

async fn post(sender: &Sender) -> hyper::Result<Response<Incoming>> {
    send(sender, "POST", user("a", json!({})).to_string()).await
}

/// The whole body, or that there was none.
async fn body(reply: Response<Incoming>) -> hyper::Result<Value> {
    let bytes = timeout(PATIENCE, reply.into_body().collect()).await.unwrap()?.to_bytes();
    Ok(serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(bytes.len())))
}

/// A mock that one rule has been added to, and a connection to it.
async fn under(rule: &str) -> (MockAquera, Application, Sender) {
    let mock = start().await;
    let application = mock.default_application();
    application.add_fault(rule.parse().unwrap());
    let sender = connect(&mock).await;
    (mock, application, sender)
}

#[track_caller]
fn check(application: &Application, rule: &str, made: bool, status: u16) {
    let Exchange { status: journaled, faults, changes, .. } = application.journal().swap_remove(0);
    assert_eq!(faults, [rule.to_owned()]);
    assert_eq!(application.user_count(), usize::from(made), "users after {rule}");
    assert_eq!(changes.len(), usize::from(made), "changes of {rule}");
    assert_eq!(journaled, StatusCode::from_u16(status).ok(), "status of {rule}");
}

/// The connection is still good for other requests.
async fn stays(sender: &Sender) -> bool {
    matches!(send(sender, "GET", String::new()).await, Ok(reply) if reply.status() == 200)
}

/// A request that the mock has taken up and not answered yet, and the socket that it came by.
async fn waiting(application: &Application, mock: &MockAquera) -> (JoinHandle<hyper::Result<Value>>, Socket) {
    let socket = Socket::connect(mock.addr()).unwrap();
    socket.set_nonblocking(true).unwrap();
    let stream = TcpStream::from_std(socket.try_clone().unwrap()).unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let reply = tokio::spawn(async move { body(post(&sender).await?).await });
    while application.fault_states().iter().all(|state| state.matched == 0) {
        tokio::task::yield_now().await;
    }
    (reply, socket)
}

/// A client that has said all and ends its side of the connection still wants its reply, however long it takes.
#[tokio::test]
async fn client_that_ends_its_side_gets_its_late_reply() {
    let mock = start().await;
    let application = mock.default_application();
    // Longer than the mock waits before it asks whether the client is still there.
    application.add_fault("latency=700ms".parse().unwrap());
    let (reply, socket) = waiting(&application, &mock).await;
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(timeout(PATIENCE, reply).await.unwrap().unwrap().unwrap()["userName"], json!("a"));
    assert_eq!(application.user_count(), 1);
    assert_eq!(application.journal()[0].status, Some(StatusCode::CREATED));
}

/// The opposite: nobody is there any more, which the mock finds out by asking.
#[tokio::test]
async fn client_that_has_gone_ends_what_it_waited_for() {
    let mock = start().await;
    let application = mock.default_application();
    application.add_fault("latency=1h".parse().unwrap());
    let (_reply, socket) = waiting(&application, &mock).await;
    socket.shutdown(Shutdown::Both).unwrap();
    let given_up = async {
        while application.journal().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, given_up).await.unwrap();
    assert_eq!(application.journal()[0].status, None);
    assert_eq!(application.user_count(), 0);
}

#[tokio::test]
async fn a_status_is_answered_in_either_phase() {
    for (rule, made) in [("status=503 retry-after=3", false), ("status=503 retry-after=3 phase=after", true)]
    {
        let (_mock, application, sender) = under(rule).await;
        let reply = post(&sender).await.unwrap();
        assert_eq!((reply.status().as_u16(), &reply.headers()["retry-after"]), (503, &"3".parse().unwrap()));
        assert_eq!(body(reply).await.unwrap()["status"], json!("503"));
        check(&application, rule, made, 503);
        assert!(stays(&sender).await);
    }
}

#[tokio::test]
async fn a_stream_that_is_lost_leaves_the_others() {
    for (rule, made) in [
        ("empty-reply", false),
        ("empty-reply phase=after", true),
        ("hang=0.05s", false),
        ("hang=0.05s phase=after", true),
    ] {
        let (_mock, application, sender) = under(rule).await;
        assert!(post(&sender).await.is_err(), "{rule}");
        let canonical = rule.replace("0.05s", "50ms");
        check(&application, &canonical, made, 0);
        assert!(stays(&sender).await, "{rule}");
    }
}

#[tokio::test]
async fn a_reset_and_garbage_end_the_connection_with_all_its_streams() {
    for (rule, made) in [
        ("reset", false),
        ("reset phase=after", true),
        ("garbage=64", false),
        ("garbage=64 phase=after", true),
    ] {
        let (mock, application, sender) = under(rule).await;
        assert!(post(&sender).await.is_err(), "{rule}");
        check(&application, rule, made, 0);
        assert!(!stays(&sender).await, "{rule}");
        assert!(stays(&connect(&mock).await).await, "{rule}: another connection is as good as ever");
    }
}

#[tokio::test]
async fn a_reply_that_breaks_off_breaks_off_in_its_body() {
    for rule in ["truncate=0.5", "malformed-chunk"] {
        let (_mock, application, sender) = under(rule).await;
        let reply = post(&sender).await.unwrap();
        assert_eq!(reply.status(), 201);
        assert!(body(reply).await.is_err(), "{rule}");
        check(&application, rule, true, 201);
        assert!(stays(&sender).await, "{rule}");
    }
}

#[tokio::test]
async fn a_wrong_length_is_noticed() {
    let (_mock, application, sender) = under("wrong-length=+10").await;
    // Whoever reads it may take it for a malformed message as a whole (RFC 9113 §8.1.1).
    let outcome = match post(&sender).await {
        Ok(reply) => body(reply).await,
        Err(error) => Err(error),
    };
    assert!(outcome.is_err(), "{outcome:?}");
    check(&application, "wrong-length=+10", true, 201);
}

#[tokio::test]
async fn the_true_reply_comes_slowly_under_another_type_or_last() {
    for rule in ["dribble=64/1ms", "wrong-type=text/html", "latency=20ms", "close-after"] {
        let (_mock, application, sender) = under(rule).await;
        let reply = post(&sender).await.unwrap();
        let html = reply.headers()["content-type"] == "text/html";
        assert_eq!((reply.status().as_u16(), html), (201, rule.starts_with("wrong-type")), "{rule}");
        assert_eq!(body(reply).await.unwrap()["userName"], json!("a"), "{rule}");
        check(&application, rule, true, 201);
        assert_eq!(stays(&sender).await, rule != "close-after", "{rule}");
    }
}
