//! Each answer has its line, those that no application gave included.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use mock_aquera::MockAquera;
use reqwest::Method;

use crate::admin::Admin;
use crate::raw::Raw;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn refused_request_has_its_line_and_its_journal_entry() {
    let lines = Lines::default();
    let mock = MockAquera::builder().request_log(lines.clone()).start().await.unwrap();
    let many = "a: b\r\n".repeat(101);
    for (head, status) in [
        ("GET /scim/Users?no HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /scim/Users?two HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("GET /scim/Users?bad HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400),
        (
            "POST /scim/Users?te HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
                .to_owned(),
            501,
        ),
        ("GET / HTTP/3.1\r\nHost: h\r\n\r\n".to_owned(), 505),
        ("nonsense\r\n\r\n".to_owned(), 400),
        (format!("GET /scim/Users HTTP/1.1\r\nHost: h\r\n{many}\r\n"), 431),
        ("GET /oauth/token HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 405),
        ("POST /oauth/token HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned(), 404),
        ("GET /apps/none/oauth/token HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 405),
        ("GET /_mock/applications HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 403),
    ] {
        let mut raw = Raw::connect(mock.addr()).await;
        raw.send(&head).await;
        assert_eq!(raw.read().await.reply().status, status, "{head}");
    }
    Admin::of(&mock).refused(Method::GET, "/nowhere", "", 404, "nothing").await;

    let journal = mock.default_application().journal();
    let seen: Vec<(u16, &str)> = journal
        .iter()
        .map(|one| (one.status.map_or(0, |status| status.as_u16()), one.path.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            (400, "/scim/Users?no"),
            (400, "/scim/Users?two"),
            (400, "/scim/Users?bad"),
            (501, "/scim/Users?te"),
            (405, "/oauth/token"),
            (404, "/oauth/token"),
        ]
    );
    mock.stop().await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    for line in [
        "400 GET /scim/Users?no  the request has no Host header",
        "400 GET /scim/Users?two  the request names two hosts",
        "400 GET /scim/Users?bad  the Host header is not a host name",
        "505 -  this server speaks HTTP/1.0, HTTP/1.1 and HTTP/2",
        "400 -  this is no HTTP/1.1 request",
        "431 -  the head of the request is too large",
        "405 GET /oauth/token  GET is not supported here",
        "404 POST /oauth/token  no token endpoint is here",
        "405 GET /apps/none/oauth/token  GET is not supported here",
        "403 GET /_mock/applications  administration is not served under the host name",
        "501 POST /scim/Users?te  the request has a transfer coding",
        "404 GET /_mock/nowhere  nothing is at this path",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}: {text}");
    }
}
