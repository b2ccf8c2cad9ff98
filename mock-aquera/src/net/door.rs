//! The listening socket: who comes in, who is turned away, and when it is closed.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::caught::caught;
use super::connection::{self, Connection};
use super::stage::{Follow, Stage};
use super::{Handler, Limits, TlsConfig};
use crate::lock;

/// How many connections may wait in the kernel.
const BACKLOG: u32 = 4096;

/// How many of those over the limit are told so at the same time; the others are just closed.
const MAX_TURNED_AWAY: usize = 64;

/// The shortest and the longest wait after the system would give no connection, and before it is asked again for the port.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Longer than any server runs, and short enough to count with.
const NEVER: Duration = Duration::from_secs(1 << 32);

#[derive(Debug)]
pub(super) struct Door {
    addr: SocketAddr,
    limits: Limits,
    socket: Mutex<Listening>,
    closed: Notify,
    inside: AtomicUsize,
    turned_away: AtomicUsize,
}

#[derive(Debug)]
struct Listening {
    /// None while connections are refused, and at the end.
    listener: Option<TcpListener>,
    closed_until: Option<Instant>,
}

impl Door {
    pub(super) fn open(addr: SocketAddr, limits: Limits) -> io::Result<Self> {
        let listener = listen(addr)?;
        Ok(Self {
            addr: listener.local_addr()?,
            limits,
            socket: Mutex::new(Listening { listener: Some(listener), closed_until: None }),
            closed: Notify::new(),
            inside: AtomicUsize::new(0),
            turned_away: AtomicUsize::new(0),
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn connections(&self) -> usize {
        self.inside.load(Relaxed)
    }

    /// Closes the socket, before this returns.
    pub(super) fn close(&self) {
        lock(&self.socket).listener = None;
        self.closed.notify_one();
    }

    /// Closes the socket for this long.
    pub(super) fn refuse(&self, time: Duration) {
        let end = Instant::now() + time.min(NEVER);
        {
            let mut socket = lock(&self.socket);
            socket.closed_until = socket.closed_until.max(Some(end));
            socket.listener = None;
        }
        self.closed.notify_one();
    }

    /// Takes connections until the server drains.
    pub(super) async fn accept<H: Handler>(
        self: Arc<Self>,
        handler: H,
        tls: Option<TlsConfig>,
        stage: Follow,
    ) {
        let acceptor = tls.map(TlsConfig::acceptor);
        let mut back_off = BACK_OFF.0;
        loop {
            let accepted = tokio::select! {
                biased;
                () = stage.reached(Stage::Drain) => break,
                accepted = self.next() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    back_off = BACK_OFF.0;
                    self.admit(stream, peer, &handler, acceptor.as_ref(), &stage);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    if back_off == BACK_OFF.0 {
                        tracing::error!(%error, "no connection can be taken at the moment; trying again");
                    }
                    sleep(back_off).await;
                    back_off = (back_off * 2).min(BACK_OFF.1);
                }
            }
        }
        self.close();
    }

    fn admit<H: Handler>(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        handler: &H,
        acceptor: Option<&tokio_rustls::TlsAcceptor>,
        stage: &Follow,
    ) {
        // Small answers leave at once: without this a client waits for the delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let (door, stage) = (Arc::clone(self), stage.clone());
        let Some(place) = Place::take(&door, |door| (&door.inside, door.limits.max_connections)) else {
            // A handshake for the sake of a refusal is not worth it.
            if acceptor.is_none()
                && let Some(place) = Place::take(&door, |door| (&door.turned_away, MAX_TURNED_AWAY))
            {
                tokio::spawn(async move {
                    connection::turn_away(stream, peer, &door, &stage).await;
                    drop(place);
                });
            }
            return;
        };
        let (handler, acceptor) = (handler.clone(), acceptor.cloned());
        tokio::spawn(async move {
            let connection = Connection { peer, door, stage, handler };
            if caught(pin!(connection.run(stream, acceptor))).await.is_err() {
                tracing::error!("a connection panicked and is closed");
            }
            drop(place);
        });
    }

    /// The next connection. While the socket is closed there is none.
    async fn next(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let accept = poll_fn(|context| match &lock(&self.socket).listener {
                Some(listener) => listener.poll_accept(context),
                None => Poll::Pending,
            });
            tokio::select! {
                accepted = accept => return accepted,
                () = self.closed.notified() => self.reopen().await,
            }
        }
    }

    /// Waits until the socket may be open, and opens it.
    async fn reopen(&self) {
        let mut back_off = BACK_OFF.0;
        loop {
            let until = lock(&self.socket).closed_until;
            match until {
                // Closed for good, or open already.
                None => return,
                Some(until) if Instant::now() < until => {
                    // Woken when the time gets longer.
                    tokio::select! {
                        () = sleep_until(until) => {}
                        () = self.closed.notified() => {}
                    }
                }
                Some(_) => match listen(self.addr) {
                    Ok(listener) => {
                        let mut socket = lock(&self.socket);
                        // Closed again meanwhile, for longer.
                        if socket.closed_until == until {
                            *socket = Listening { listener: Some(listener), closed_until: None };
                            return;
                        }
                    }
                    Err(error) => {
                        if back_off == BACK_OFF.0 {
                            tracing::error!(%error, addr = %self.addr, "the port can't be had back; trying again");
                        }
                        sleep(back_off).await;
                        back_off = (back_off * 2).min(BACK_OFF.1);
                    }
                },
            }
        }
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise what is left of old connections keeps the port for a minute.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

/// The client changed its mind; nothing is wrong here.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// One of a limited number, given back on drop.
struct Place {
    door: Arc<Door>,
    counter: fn(&Door) -> (&AtomicUsize, usize),
}

impl Place {
    fn take(door: &Arc<Door>, counter: fn(&Door) -> (&AtomicUsize, usize)) -> Option<Self> {
        let (taken, most) = counter(door);
        // Only the one task that takes connections counts up.
        if taken.load(Relaxed) >= most {
            return None;
        }
        taken.fetch_add(1, Relaxed);
        Some(Self { door: Arc::clone(door), counter })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        (self.counter)(&self.door).0.fetch_sub(1, Relaxed);
    }
}
