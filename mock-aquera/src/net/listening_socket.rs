//! The listening socket, which can be closed for a time.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::shutdown::BackOff;
use crate::lock;

/// How many connections may wait in the kernel.
const BACKLOG: u32 = 4096;

/// Longer than any server runs, and short enough to count with.
const NEVER: Duration = Duration::from_secs(1 << 32);

#[derive(Debug)]
pub(super) struct ListeningSocket {
    pub(super) addr: SocketAddr,
    state: Mutex<State>,
    closed: Notify,
}

#[derive(Debug)]
struct State {
    /// `None` while connections are refused, and at the end.
    listener: Option<TcpListener>,
    closed_until: Option<Instant>,
}

impl ListeningSocket {
    pub(super) fn open(addr: SocketAddr) -> io::Result<Self> {
        let listener = listen(addr)?;
        Ok(Self {
            addr: listener.local_addr()?,
            state: Mutex::new(State { listener: Some(listener), closed_until: None }),
            closed: Notify::new(),
        })
    }

    /// Closes the socket before this returns.
    pub(super) fn close(&self) {
        lock(&self.state).listener = None;
        self.closed.notify_one();
    }

    /// Closes the socket for this long. Of two calls, the later end counts.
    pub(super) fn refuse_connections(&self, time: Duration) {
        let end = Instant::now() + time.min(NEVER);
        {
            let mut state = lock(&self.state);
            state.closed_until = state.closed_until.max(Some(end));
            state.listener = None;
        }
        self.closed.notify_one();
    }

    /// Returns the next connection. While the socket is closed there is none.
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        loop {
            let accept = poll_fn(|context| match &lock(&self.state).listener {
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
        let mut back_off = BackOff::default();
        loop {
            let until = lock(&self.state).closed_until;
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
                        let mut state = lock(&self.state);
                        // Closed again meanwhile, for longer.
                        if state.closed_until == until {
                            *state = State { listener: Some(listener), closed_until: None };
                            return;
                        }
                    }
                    Err(error) => {
                        if back_off.is_first() {
                            tracing::error!(%error, addr = %self.addr, "failed to listen at the port again; retrying");
                        }
                        sleep(back_off.wait()).await;
                    }
                },
            }
        }
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Otherwise old connections in TIME_WAIT keep the port for a minute.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}
