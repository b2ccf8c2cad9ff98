//! The connection layer: sockets, TLS, HTTP/1.1 and HTTP/2, and responses that go wrong on purpose.
//!
//! [`bind`] takes connections and hands each request to the router of an [`HttpApp`], with the [`FaultHandle`] of its
//! connection. The response is sent as it is, unless it carries a [`SocketFault`]. HTTP itself is hyper's. This layer adds
//! what protects a server from its clients: limits in time and number, SCIM errors for what is no HTTP (RFC 7644 §3.12),
//! and an end that lets in-flight responses arrive.
//!
//! Which protocol a connection speaks is settled by ALPN, and without it by the first bytes (RFC 9113 §3.3).
//!
//! Each module uses those that come before it alone: `api`, `fault`, `connection_state`, `socket`, `service`, `connection`,
//! `listener`. The others are used by these and use none of them but `api`.

mod api;
mod body;
mod catch_panic;
mod connection;
mod connection_state;
mod error_response;
mod fault;
mod listener;
mod listening_socket;
mod request_rules;
mod response_head;
mod service;
mod shutdown;
mod socket;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;

pub(crate) use api::{Head, HttpApp, ListenError, NetConfig};
pub(crate) use connection_state::FaultHandle;
pub(crate) use fault::SocketFault;
pub use tls::TlsError;
pub(crate) use tls::{Authority, TlsConfig};

use listener::Listener;

/// A listening socket that nobody accepts from yet: a client that connects waits.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: Listener,
    tls: Option<TlsConfig>,
}

/// Begins to listen.
///
/// # Errors
/// The address is not available.
///
/// # Panics
/// Outside a tokio runtime.
pub(crate) fn bind(NetConfig { listen, tls, limits }: NetConfig) -> Result<Bound, ListenError> {
    let listener = Listener::open(listen, limits).map_err(|source| ListenError { addr: listen, source })?;
    Ok(Bound { listener, tls })
}

impl Bound {
    /// The address that it listens at.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.socket.addr
    }

    /// Answers in the background from now on.
    pub(crate) fn serve(self, app: HttpApp) -> Running {
        let Self { listener, tls } = self;
        let running = listener.clone().run(app, tls.map(TlsConfig::acceptor));
        listener.tasks.spawn(running);
        Running(listener)
    }
}

/// A server that answers. Dropping it stops it like [`Running::stop`], but waits for nothing.
#[derive(Debug)]
pub(crate) struct Running(Listener);

#[cfg(test)]
impl Running {
    /// The address that it listens at.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.0.socket.addr
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.0.connections()
    }

    /// Closes the listening socket for this long.
    pub(crate) fn refuse_connections(&self, time: std::time::Duration) {
        self.0.socket.refuse_connections(time);
    }
}

impl Running {
    /// Stops: no connection is accepted any more, idle ones end, the others end with the in-flight response. Returns once
    /// all have ended.
    pub(crate) async fn stop(self) {
        let Listener { limits, shutdown, tasks, .. } = &self.0;
        self.drain();
        if tokio::time::timeout(limits.drain, tasks.wait()).await.is_err() {
            shutdown.abort.cancel();
            tasks.wait().await;
        }
    }

    fn drain(&self) {
        self.0.shutdown.drain.cancel();
        self.0.socket.close();
        self.0.tasks.close();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.drain();
    }
}
