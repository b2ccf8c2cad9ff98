//! A client that sees every byte, and how a connection ends.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any test takes; where it is over, something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What is to be read of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// A whole reply, as far as its head says.
    Reply(RawReply),
    /// These bytes, which are no whole reply, and then an orderly end.
    Closed(Vec<u8>),
    /// These bytes, and then `ECONNRESET`.
    Reset(Vec<u8>),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RawReply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl RawReply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

impl Came {
    #[track_caller]
    pub(crate) fn reply(self) -> RawReply {
        match self {
            Self::Reply(reply) => reply,
            other => panic!("no reply came, but {other:?}"),
        }
    }

    pub(crate) fn as_reply(&self) -> Option<&RawReply> {
        match self {
            Self::Reply(reply) => Some(reply),
            Self::Closed(_) | Self::Reset(_) => None,
        }
    }

    /// What came before the connection ended in an orderly way.
    #[track_caller]
    pub(crate) fn closed(self) -> Vec<u8> {
        match self {
            Self::Closed(bytes) => bytes,
            other => panic!("no orderly end came, but {other:?}"),
        }
    }
}

impl Raw {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        let stream = timeout(PATIENCE, TcpStream::connect(to)).await.unwrap().unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Writes as far as the other side takes it.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    /// A request with the default token that leaves the connection open.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, body: &str) {
        self.ask_as("mock-token", method, path, body).await;
    }

    pub(crate) async fn ask_as(&mut self, token: &str, method: &str, path: &str, body: &str) {
        self.send(request(token, method, path, body)).await;
    }

    /// The next reply, or what comes in its place.
    pub(crate) async fn read(&mut self) -> Came {
        self.read_answer(false).await
    }

    /// The same, where the reply may have no body whatever its head says. Interim replies are passed over.
    pub(crate) async fn read_answer(&mut self, to_head: bool) -> Came {
        loop {
            if let Some(reply) = self.take_reply(to_head) {
                if (100..200).contains(&reply.status) {
                    continue;
                }
                return Came::Reply(reply);
            }
            match timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.unwrap() {
                Ok(0) => return Came::Closed(std::mem::take(&mut self.buffer)),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Came::Reset(std::mem::take(&mut self.buffer));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Whether nothing at all comes for so long.
    pub(crate) async fn is_silent(&mut self, span: Duration) -> bool {
        self.buffer.is_empty() && timeout(span, self.stream.readable()).await.is_err()
    }

    fn take_reply(&mut self, to_head: bool) -> Option<RawReply> {
        let end = self.buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = std::str::from_utf8(&self.buffer[..end]).ok()?.to_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        if header(&head, "transfer-encoding").is_some() {
            return None;
        }
        let length = if to_head { "0" } else { header(&head, "content-length").unwrap_or("0") };
        let length: usize = length.parse().ok()?;
        if self.buffer.len() < end + length {
            return None;
        }
        let body = self.buffer[end..end + length].to_vec();
        self.buffer.drain(..end + length);
        Some(RawReply { status, head, body })
    }
}

pub(crate) fn request(token: &str, method: &str, path: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/scim+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().skip(1).find_map(|line| {
        let (known, value) = line.split_once(':')?;
        known.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
