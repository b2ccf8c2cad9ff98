//! Accepts connections until the server drains, as many as the limit allows.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::api::{HttpApp, Limits};
use super::catch_panic::catch_panic;
use super::connection::{self, Connection};
use super::listening_socket::ListeningSocket;
use super::shutdown::{BackOff, ShutdownSignal};

/// How many connections over the limit are told so at the same time; the others are just closed.
const MAX_REJECTIONS: usize = 64;

/// A listening socket and the connections that came in by it.
#[derive(Debug, Clone)]
pub(super) struct Listener {
    pub(super) socket: Arc<ListeningSocket>,
    pub(super) limits: Arc<Limits>,
    /// One for each connection that may be open.
    permits: Arc<Semaphore>,
    /// One for each connection over the limit that is told so.
    rejections: Arc<Semaphore>,
    pub(super) shutdown: ShutdownSignal,
    /// Everything that runs on behalf of the server.
    pub(super) tasks: TaskTracker,
}

impl Listener {
    pub(super) fn open(addr: SocketAddr, limits: Limits) -> io::Result<Self> {
        Ok(Self {
            socket: Arc::new(ListeningSocket::open(addr)?),
            permits: Arc::new(Semaphore::new(limits.max_connections.min(Semaphore::MAX_PERMITS))),
            rejections: Arc::new(Semaphore::new(MAX_REJECTIONS)),
            limits: Arc::new(limits),
            shutdown: ShutdownSignal::default(),
            tasks: TaskTracker::new(),
        })
    }

    /// How many connections are open.
    #[cfg(test)]
    pub(super) fn connections(&self) -> usize {
        self.limits.max_connections - self.permits.available_permits()
    }

    /// Accepts connections until the server drains.
    pub(super) async fn run(self, app: HttpApp, acceptor: Option<TlsAcceptor>) {
        let mut back_off = BackOff::default();
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.shutdown.drain.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    back_off = BackOff::default();
                    self.admit(stream, peer, &app, acceptor.as_ref());
                }
                Err(error) if is_caused_by_client(&error) => {}
                Err(error) => {
                    if back_off.is_first() {
                        tracing::error!(%error, "failed to accept a connection; retrying");
                    }
                    sleep(back_off.wait()).await;
                }
            }
        }
        self.socket.close();
    }

    fn admit(&self, stream: TcpStream, peer: SocketAddr, app: &HttpApp, acceptor: Option<&TlsAcceptor>) {
        // Without this a client waits for the delayed acknowledgement of a small response.
        let _ = stream.set_nodelay(true);
        let connection = Connection {
            peer,
            socket: Arc::clone(&self.socket),
            limits: Arc::clone(&self.limits),
            shutdown: self.shutdown.child(),
            tasks: self.tasks.clone(),
            app: app.clone(),
        };
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            let acceptor = acceptor.cloned();
            self.tasks.spawn(async move {
                if catch_panic(pin!(connection.run(stream, acceptor))).await.is_err() {
                    tracing::error!("a connection panicked and is closed");
                }
                drop(permit);
            });
        } else if acceptor.is_none()
            // A handshake for the sake of a rejection is not worth it.
            && let Ok(permit) = Arc::clone(&self.rejections).try_acquire_owned()
        {
            self.tasks.spawn(async move {
                connection::reject(stream, &connection).await;
                drop(permit);
            });
        }
    }
}

/// Whether the client gave up; the server is fine.
fn is_caused_by_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
