//! A client for one request to a server, for the commands that ask one.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::Failure;

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// The longest explanation of a server that is repeated, in bytes.
const MAX_TOLD: usize = 500;
/// How a server begins that speaks TLS alone and is not spoken to so (RFC 8446 §5.1).
const TLS_ALERT: &[u8] = &[0x15, 0x03];

/// A server.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
    /// The path of the URL.
    pub(super) path: String,
}

impl Server {
    /// The server of a URL, whose authority stands in a file where it begins with https.
    pub(super) fn of(url: &str, ca: &Path) -> Result<Self, Failure> {
        let uri: Uri =
            url.parse().map_err(|error| Failure::usage(format!("read the URL `{url}`: {error}")))?;
        let tls = match uri.scheme_str() {
            Some("http") => None,
            Some("https") => Some(trusting(ca)?),
            _ => return Err(bad_url(url)),
        };
        let authority = uri.authority().ok_or_else(|| bad_url(url))?;
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        Ok(Self { host: authority.host().to_owned(), port, tls, path: uri.path().to_owned() })
    }

    /// `HOST:PORT`, for messages.
    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Sends one request; headers are whole lines. Each read may take as long as `patience`.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
        patience: Duration,
    ) -> io::Result<Answer> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<_> = (bare, self.port).to_socket_addrs()?.collect();
        let mut last = io::Error::other("the name has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(patience))?;
                    stream.set_write_timeout(Some(patience))?;
                    let mut request = format!(
                        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
                        self.name(),
                        body.len()
                    )
                    .into_bytes();
                    request.extend_from_slice(body);
                    let Some(config) = &self.tls else { return exchange(stream, &request) };
                    let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
                    let connection =
                        ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
                    return exchange(StreamOwned::new(connection, stream), &request).map_err(explained);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// The message of a refusal after a colon; empty if no message fits on a line.
    pub(super) fn told(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let told = ["detail", "error"].into_iter().find_map(|name| body[name].as_str());
        let fits = |text: &&str| text.len() <= MAX_TOLD && !text.contains(char::is_control);
        told.filter(fits).map_or_else(String::new, |told| format!(": {told}"))
    }
}

/// An error under TLS, with the way out where the server seems to speak another protocol.
fn explained(error: io::Error) -> io::Error {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match of_tls {
        Some(
            rustls::Error::InvalidMessage(_)
            | rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
        ) => io::Error::other(
            "it does not agree on TLS; if it speaks plain HTTP, use a URL that begins with http://",
        ),
        _ => error,
    }
}

fn exchange(mut stream: impl Read + Write, request: &[u8]) -> io::Result<Answer> {
    stream.write_all(request)?;
    stream.flush()?;
    let mut text = Vec::new();
    match stream.take(MAX_ANSWER).read_to_end(&mut text) {
        // Not every server says goodbye under TLS.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !text.is_empty() => {}
        read => drop(read?),
    }
    answer(&text).ok_or_else(|| {
        io::Error::other(if text.starts_with(TLS_ALERT) {
            "it answers in TLS; use a URL that begins with https://"
        } else {
            "that is not HTTP"
        })
    })
}

fn answer(text: &[u8]) -> Option<Answer> {
    let end = memchr::memmem::find(text, b"\r\n\r\n")?;
    let head = str::from_utf8(&text[..end]).ok()?;
    let status = head.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?.to_owned();
    let body = &text[end + 4..];
    let is_chunked = head.lines().skip(1).any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("transfer-encoding:") && line.trim_end().ends_with("chunked")
    });
    let body = if is_chunked { unchunked(body)? } else { body.to_vec() };
    Some(Answer { status, body })
}

/// A body without its chunks (RFC 9112 §7.1).
fn unchunked(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = memchr::memmem::find(text, b"\r\n")?;
        let size = str::from_utf8(&text[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let behind = text.get(end + 2..)?;
        body.extend_from_slice(behind.get(..size)?);
        text = behind.get(size + 2..)?;
    }
}

fn bad_url(url: &str) -> Failure {
    Failure::usage(format!("read the URL `{url}`: it looks like http://HOST:PORT or https://HOST:PORT"))
}

/// Trusts the authority in a file and nobody else.
fn trusting(file: &Path) -> Result<Arc<ClientConfig>, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("read the authority {}: {error}; --ca names another file", file.display()))
    };
    let pem = fs::read(file).map_err(|error| failed(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"it holds no PEM block `CERTIFICATE`"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_in_both_framings() {
        let read = |text: &str| answer(text.as_bytes()).map(|read| (read.status, read.body));
        let whole = |body: &str| Some(("200".to_owned(), body.as_bytes().to_vec()));
        assert_eq!(read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), whole("{}"));
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n";
        assert_eq!(read(chunked), whole("{}"));
        for bad in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 200 OK\r\n", &chunked[..60]] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn explanation_of_a_server_is_one_line_of_text() {
        for (body, told) in [
            (r#"{"detail":"no"}"#, ": no"),
            (r#"{"error":"no"}"#, ": no"),
            (r#"{"detail":"a\u001b[2Jb"}"#, ""),
            (r#"{"detail":1}"#, ""),
            ("<html>", ""),
        ] {
            let answer = Answer { status: "400".to_owned(), body: body.into() };
            assert_eq!(answer.told(), told, "{body}");
        }
    }
}
