//! The connection layer: sockets, TLS, HTTP/1.1 and HTTP/2, and replies that go wrong on purpose.
//!
//! [`serve`] takes connections and hands each request to a [`Handler`], with the [`Wire`] that it came in by. What
//! the handler returns is sent as it is, unless it asked the wire for a [`Sabotage`]. HTTP itself is hyper's, save for
//! the plainest of requests ([`plain`]). This layer adds what a well-mannered server owes to clients with bad manners:
//! limits in time and number, replies to what is no HTTP, and an end that lets replies on their way arrive. It knows
//! nothing of SCIM but the shape of an error (RFC 7644 §3.12).
//!
//! Which protocol a connection speaks is settled by ALPN, and without it by the first bytes (RFC 9113 §3.3).

mod body;
mod caught;
mod connection;
mod door;
mod head;
mod plain;
mod refusal;
mod rules;
mod script;
mod sending;
mod service;
mod socket;
mod stage;
#[cfg(test)]
mod tests;
mod tls;
mod turn;
mod wire;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Bytes, Incoming};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use tokio::sync::watch;

pub(crate) use body::ReplyBody;
pub use tls::TlsError;
pub(crate) use tls::{Authority, TlsConfig};
pub(crate) use wire::{Sabotage, Wire};

use door::Door;
use stage::Stage;

/// What answers requests.
///
/// If it panics, the client gets no answer and its connection ends (of HTTP/2, the stream), and nothing else does. If
/// the client goes away, the future is dropped where it stands. A client that has ended its side of the connection is
/// waited for as long as it is there.
pub(crate) trait Handler: Clone + Send + Sync + 'static {
    /// Answers a request that is there whole, if nothing holds the answer up and nothing is to happen to it on its way.
    /// Otherwise nothing has been done, and [`Handler::call`] is asked.
    fn at_once(&self, head: Head<'_>, body: &Bytes) -> Option<Response<Bytes>>;

    /// Answers any request. [`Handler::at_once`] was asked before only where there is no body.
    fn call(&self, request: Request<Incoming>, wire: &Wire) -> Later;

    /// Is told of a request that this layer refused by itself. Its head is there where it could be read.
    fn refused(&self, head: Option<Head<'_>>, reply: &Response<Bytes>, why: &str);
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

/// A reply that is still to come.
pub(crate) type Later = Pin<Box<dyn Future<Output = Response<ReplyBody>> + Send>>;

/// Where to listen, and how.
#[derive(Debug, Clone)]
pub(crate) struct NetConfig {
    /// The address; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Certificate and key; without, the port speaks cleartext.
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) limits: Limits,
}

impl NetConfig {
    /// Cleartext with the limits that suit most.
    pub(crate) fn new(listen: SocketAddr) -> Self {
        Self { listen, tls: None, limits: Limits::default() }
    }
}

/// What a client may take up. All times are real ones: they protect the server and are no part of what it simulates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How long the head of a request may take from its first byte, and how long a TLS handshake. A
    /// connection that is idle between two requests may stay.
    pub(crate) header_timeout: Duration,
    /// How many connections are open at once; one more is answered 503 and closed.
    pub(crate) max_connections: usize,
    /// How long [`Running::stop`] waits for replies on their way before it cuts them off.
    pub(crate) drain: Duration,
    /// How long a connection that was ended is still read from, so that what the client is sending doesn't make its
    /// kernel throw the reply away.
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

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListenError {
    /// The address can't be had.
    #[error("listen at {addr}: {source}; port 0 takes a free one")]
    Bind {
        /// What was asked for.
        addr: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// An address that is listened at, though nobody answers yet: a client that connects waits.
#[derive(Debug)]
pub(crate) struct Bound {
    door: Arc<Door>,
    tls: Option<TlsConfig>,
}

/// Begins to listen.
///
/// # Errors
/// The address can't be listened at.
///
/// # Panics
/// Outside a tokio runtime.
pub(crate) fn bind(config: NetConfig) -> Result<Bound, ListenError> {
    let NetConfig { listen, tls, limits } = config;
    let door = Door::open(listen, limits).map_err(|source| ListenError::Bind { addr: listen, source })?;
    Ok(Bound { door: Arc::new(door), tls })
}

impl Bound {
    /// The address that it listens at.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    /// Answers in the background from now on.
    pub(crate) fn serve<H: Handler>(self, handler: H) -> Running {
        let Self { door, tls } = self;
        let (stage, follow) = watch::channel(Stage::Serve);
        tokio::spawn(Arc::clone(&door).accept(handler, tls, stage::Follow::new(follow)));
        Running { door, stage }
    }
}

/// Begins to listen, and answers in the background from then on.
///
/// # Errors
/// The address can't be listened at.
#[cfg(test)]
pub(crate) fn serve<H: Handler>(config: NetConfig, handler: H) -> Result<Running, ListenError> {
    Ok(bind(config)?.serve(handler))
}

/// A server that answers. Dropping it stops it like [`Running::stop`], but waits for nothing.
#[derive(Debug)]
pub(crate) struct Running {
    door: Arc<Door>,
    /// Everything that runs on behalf of this server holds a receiver.
    stage: watch::Sender<Stage>,
}

#[cfg(test)]
impl Running {
    /// The address that it listens at.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.door.addr()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.door.connections()
    }

    /// Closes the listening socket for this long; see [`Wire::refuse_connections`].
    pub(crate) fn refuse_connections(&self, time: Duration) {
        self.door.refuse(time);
    }
}

impl Running {
    /// Stops: no connection is taken any more, idle ones end, the others end with the reply on its way. Returns once
    /// all have ended.
    pub(crate) async fn stop(self) {
        self.stage.send_replace(Stage::Drain);
        self.door.close();
        if tokio::time::timeout(self.door.limits().drain, self.stage.closed()).await.is_err() {
            self.stage.send_replace(Stage::Abort);
            self.stage.closed().await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.door.close();
    }
}
