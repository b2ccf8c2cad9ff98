//! Answers that cannot be read, byte by byte as they come.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Runs the program against a server that answers every request with these bytes.
async fn told(answer: &'static [u8]) -> (Option<i32>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/scim", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 16 << 10];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer).await;
            });
        }
    });
    let output = tokio::task::spawn_blocking(move || {
        Command::new(env!("CARGO_BIN_EXE_conformance")).args(["server", &url]).output()
    });
    let output = output.await.expect("a task").expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_in_another_encoding_is_no_wrong_url() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/scim+json\r\n\r\n{\"totalResults\":1,\"Resources\":[{\"id\":\"1\",\"userName\":\"J\xfcrgen\"}]}"[..],
        &b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"totalResults\":1,\"Resources\":[{\"id\":\"1\",\"userName\":\"J\xfcrgen\"}]}"[..],
    ] {
        let (code, error) = told(answer).await;
        assert_eq!(code, Some(3), "{error}");
        assert!(error.contains("the answer's JSON cannot be read: it is not UTF-8 (byte 55 is 0xfc)"), "{error}");
        assert!(error.contains("the fault is at the server"), "{error}");
        assert!(!error.contains("check the URL"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_http_is_no_wrong_scheme() {
    let (code, error) =
        told(b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Note: a\x0bb\r\nContent-Length: 2\r\n\r\n{}").await;
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("the answer is not valid HTTP: invalid HTTP header parsed"), "{error}");
    assert!(error.contains("the fault is at the server, or at a proxy before it"), "{error}");
    assert!(!error.contains("scheme"), "{error}");
    // What answers in another protocol is another port, or another scheme.
    let (code, error) = told(b"\x15\x03\x03\x00\x02\x02\x46").await;
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("check that the URL's scheme (http or https) is what the port speaks"), "{error}");
}
