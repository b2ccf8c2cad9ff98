//! What the connection layer needs to know: where to listen, its limits, and what answers the requests.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, Uri};

use super::tls::TlsConfig;

/// What answers requests.
///
/// If the router panics, the client gets no response and its connection ends (of HTTP/2, the stream), and nothing else
/// does. If the client goes away, the future is dropped where it stands. A client that has ended its side of the
/// connection gets its response.
#[derive(Clone)]
pub(crate) struct HttpApp {
    /// Gets each request with the [`FaultHandle`](super::FaultHandle) of its connection as an extension. A
    /// [`SocketFault`](super::SocketFault) among the extensions of the response is carried out.
    pub(crate) router: Router,
    /// Called for each request that the connection layer rejects.
    pub(crate) on_rejection: Arc<OnRejection>,
}

/// Takes the head of a rejected request if it could be read, the response to it, and the reason.
pub(crate) type OnRejection = dyn Fn(Option<Head<'_>>, &Response<Bytes>, &str) + Send + Sync;

impl fmt::Debug for HttpApp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HttpApp").finish_non_exhaustive()
    }
}

/// The head of a request.
#[derive(Clone, Copy)]
pub(crate) struct Head<'r> {
    pub(crate) method: &'r Method,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
}

impl<'r, B> From<&'r Request<B>> for Head<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self { method: request.method(), uri: request.uri(), headers: request.headers() }
    }
}

impl<'r> From<&'r Parts> for Head<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

/// Where to listen, and how.
#[derive(Debug, Clone)]
pub(crate) struct NetConfig {
    /// The address; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Certificate and key; without them, the port speaks cleartext.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) limits: Limits,
}

impl NetConfig {
    /// Cleartext with the default limits.
    pub(crate) fn new(listen: SocketAddr) -> Self {
        Self { listen, tls: None, limits: Limits::default() }
    }
}

/// What clients may take up. All times are real ones: they protect the server and are no part of what it simulates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long the head of a request may take from its first byte, and how long a TLS handshake. A
    /// connection that is idle between two requests may stay.
    pub(crate) header_timeout: Duration,
    /// How many connections are open at once; one more is answered 503 and closed.
    pub(crate) max_connections: usize,
    /// How long [`Running::stop`](super::Running::stop) waits for in-flight requests before it cuts them off.
    pub(crate) drain: Duration,
    /// How long a closed connection is still read from. Without that, the kernel of a client that is still sending
    /// throws the response away.
    pub(crate) linger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            max_connections: 10_000,
            drain: Duration::from_secs(30),
            linger: Duration::from_secs(2),
        }
    }
}

/// The address is not available.
#[derive(Debug, thiserror::Error)]
#[error("listen at {addr}: {source}; port 0 takes a free one")]
pub(crate) struct ListenError {
    /// The address that was asked for.
    pub(crate) addr: SocketAddr,
    /// The error of the system.
    pub(crate) source: io::Error,
}
