use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::*;
use crate::{Fault, MockAquera};

/// A follower that sent its request and has read the head of the answer.
fn follow(mock: &MockAquera) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(mock.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(
        stream,
        "GET /_mock/applications/default/journal/stream HTTP/1.1\r\nHost: {}\r\n\r\n",
        mock.addr()
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    (stream, String::from_utf8(head).unwrap())
}

fn ask(stream: &mut TcpStream) {
    let name = "x".repeat(60_000);
    let request =
        format!("GET /scim/Users/{name} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer mock-token\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let (mut answer, mut room) = (Vec::new(), vec![0; 65_536]);
    // The answer repeats the id.
    while answer.len() < 60_000 || !answer.ends_with(b"}") {
        let read = stream.read(&mut room).unwrap();
        assert_ne!(read, 0);
        answer.extend_from_slice(&room[..read]);
    }
}

/// Lets the server run beside this thread, which uses sockets that block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_that_does_not_read_is_cut_off_and_requests_never_wait_for_it() {
    let builder = MockAquera::builder().follower_patience(Duration::from_millis(200));
    let mut profile = crate::Profile::default();
    profile.requests.max_uri = 100_000.try_into().unwrap();
    let mock = Arc::new(builder.profile(profile).start().await.unwrap());
    let server = Arc::clone(&mock);
    blocking(move || {
        let (mut lazy, head) = follow(&server);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let (mut eager, _) = follow(&server);
        let reader = std::thread::spawn(move || {
            let mut room = vec![0; 1 << 20];
            let mut seen = 0;
            while let Ok(read) = eager.read(&mut room)
                && read > 0
            {
                seen += read;
            }
            seen
        });
        let mut client = TcpStream::connect(server.addr()).unwrap();
        // Until the buffers of both kernels are full, the patience is over, and the connection is gone.
        let mut asked = 0_usize;
        loop {
            ask(&mut client);
            asked += 1;
            // A peek tells of a reset, without reading what was sent.
            let alive = asked.is_multiple_of(50) && write!(lazy, "\r\n").is_ok();
            if asked.is_multiple_of(50) && !alive {
                break;
            }
            assert!(asked < 20_000, "it is never cut off");
        }
        drop((client, lazy));
        reader
    })
    .await;
    drop(mock);
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_are_limited_in_number_and_give_their_place_back() {
    let mock = Arc::new(MockAquera::builder().start().await.unwrap());
    let server = Arc::clone(&mock);
    blocking(move || {
        let mut all: Vec<_> = (0..MAX_FOLLOWERS).map(|_| follow(&server)).collect();
        assert!(all.iter().all(|(_, head)| head.starts_with("HTTP/1.1 200")));
        let (mut refused, head) = follow(&server);
        assert!(head.starts_with("HTTP/1.1 503"), "{head}");
        let mut text = [0; 40];
        refused.read_exact(&mut text).unwrap();
        assert!(text.starts_with(b"{\"error\":\"64 clients follow"), "{}", String::from_utf8_lossy(&text));
        all.pop();
        // The server notices the end when it pleases.
        while !follow(&server).1.starts_with("HTTP/1.1 200") {
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await;
}

#[tokio::test]
async fn follower_that_falls_behind_is_told_and_dropped() {
    let mock = MockAquera::builder().fault(Fault::status(503).always()).start().await.unwrap();
    let application = mock.default_application();
    let journal = application.journal_ring();
    journal.set_limits(crate::JournalLimits { exchanges: 2, ..Default::default() });
    let place = Arc::new(tokio::sync::Semaphore::new(1)).try_acquire_owned().unwrap();
    let mut events = Events {
        subscription: journal.subscribe(JournalQuery::new()),
        ending: Box::pin(std::future::pending()),
        handed: Arc::new(Handed { place, at: Mutex::default() }),
        gathering: None,
        fresh: false,
        told: false,
        over: false,
    };
    let addr = mock.addr();
    let ask = async |count: usize| {
        blocking(move || {
            for _ in 0..count {
                let mut stream = TcpStream::connect(addr).unwrap();
                let head = "Host: h\r\nAuthorization: Bearer mock-token\r\nConnection: close\r\n\r\n";
                write!(stream, "GET /scim/Users HTTP/1.1\r\n{head}").unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
            }
        })
        .await;
    };
    let mut next = async || {
        let event = std::future::poll_fn(|context| Pin::new(&mut events).poll_next(context)).await?.unwrap();
        Some(format!("{event:?}"))
    };
    // What was forgotten before it told anything is only told.
    ask(3).await;
    let told: Value = json!(next().await);
    assert!(told.to_string().contains("missed") && !told.to_string().contains("dropped"), "{told}");
    for _ in 0..2 {
        assert!(next().await.unwrap().contains("503"));
    }
    ask(3).await;
    let told = next().await.unwrap();
    assert!(told.contains("lagged") && told.contains("dropped"), "{told}");
    assert_eq!(next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_follower_that_does_not_read_is_cut_off_and_gives_its_place_back() {
    use http_body_util::Empty;
    use hyper::body::Bytes;
    use hyper_util::rt::{TokioExecutor, TokioIo};

    let builder = MockAquera::builder().follower_patience(Duration::from_millis(100));
    let mock = Arc::new(builder.start().await.unwrap());
    let socket = tokio::net::TcpStream::connect(mock.addr()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        // No event fits.
        .initial_stream_window_size(16)
        .handshake(TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    let base = format!("http://{}", mock.addr());
    let get = |path: &str| hyper::Request::get(format!("{base}{path}")).body(Empty::<Bytes>::new()).unwrap();
    let mut lazy = Vec::new();
    for _ in 0..MAX_FOLLOWERS {
        let reply = sender.send_request(get("/_mock/applications/default/journal/stream")).await.unwrap();
        assert_eq!(reply.status(), 200);
        lazy.push(reply.into_body());
    }
    let server = Arc::clone(&mock);
    blocking(move || {
        assert!(follow(&server).1.starts_with("HTTP/1.1 503"));
        // hyper holds one event that finds no room; what comes behind it waits.
        for _ in 0..3 {
            let mut stream = TcpStream::connect(server.addr()).unwrap();
            let head = "Host: h\r\nAuthorization: Bearer mock-token\r\nConnection: close\r\n\r\n";
            write!(stream, "GET /scim/Users HTTP/1.1\r\n{head}").unwrap();
            stream.read_to_string(&mut String::new()).unwrap();
        }
        // Until the patience is over.
        let mut tried = 0;
        while !follow(&server).1.starts_with("HTTP/1.1 200") {
            tried += 1;
            assert!(tried < 6_000, "they keep their places");
            std::thread::sleep(Duration::from_millis(5));
        }
    })
    .await;
    // The connection stays.
    let health = tokio::time::timeout(Duration::from_mins(1), sender.send_request(get("/_mock/health")));
    assert_eq!(health.await.unwrap().unwrap().status(), 200);
    drop(lazy);
}
