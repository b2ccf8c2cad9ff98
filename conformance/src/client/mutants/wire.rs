//! HTTP/1.1 by hand: what a broken client sends must not be mended by a library on its way.

use std::io;
use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No head and no body of ours is longer.
const MOST: usize = 1 << 20;

/// A request as it stands on the wire.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Message {
    /// Reads a request. None where the connection ends first.
    pub(super) async fn read(stream: &mut TcpStream) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if bytes.len() > MOST || stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length: usize = length.and_then(|(_, length)| length.parse().ok()).unwrap_or_default();
        while bytes.len() < end + 4 + length.min(MOST) {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(None);
            }
        }
        let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
        Ok(Some(Self { method: method.to_owned(), target: target.to_owned(), headers, body }))
    }

    /// Replaces the path, and leaves the query as it is.
    pub(super) fn set_path(&mut self, path: &str) {
        let query = self.target.find('?').map_or("", |at| &self.target[at..]);
        self.target = format!("{path}{query}");
    }

    /// Edits the body, if it is JSON.
    pub(super) fn edit_json(&mut self, edit: impl FnOnce(&mut Value)) {
        if let Ok(mut json) = serde_json::from_str::<Value>(&self.body) {
            edit(&mut json);
            self.body = json.to_string();
        }
    }

    /// Sends it on a connection of its own, and gives all that comes back.
    pub(super) async fn send(&self, to: SocketAddr) -> Answer {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            if !["content-length", "connection"].contains(&name.to_ascii_lowercase().as_str()) {
                append!(text, "{name}: {value}\r\n");
            }
        }
        if !self.body.is_empty() || matches!(self.method.as_str(), "POST" | "PUT" | "PATCH") {
            append!(text, "content-length: {}\r\n", self.body.len());
        }
        append!(text, "connection: close\r\n\r\n{}", self.body);
        let mut answer = Vec::new();
        if let Ok(mut stream) = TcpStream::connect(to).await {
            let sent = stream.write_all(text.as_bytes()).await;
            // What broke on the way shows in what came.
            drop(sent);
            drop(stream.read_to_end(&mut answer).await);
        }
        Answer(answer)
    }
}

/// An answer as it stands on the wire; empty where none came.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer(pub(super) Vec<u8>);

impl Answer {
    /// Returns an answer without a body.
    pub(super) fn bare(status: u16) -> Self {
        Self(
            format!("HTTP/1.1 {status} Made Up\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into_bytes(),
        )
    }

    pub(super) fn status(&self) -> Option<u16> {
        let text = std::str::from_utf8(self.0.get(..12)?).ok()?;
        text.strip_prefix("HTTP/1.1 ")?.parse().ok()
    }
}
