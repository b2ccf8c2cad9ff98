//! One connection, from the first byte to the last.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::Body as AxumBody;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use super::api::{HttpApp, Limits};
use super::body::ResponseBody;
use super::connection_state::{ConnectionPhase, ConnectionState, FaultHandle, StreamTasks};
use super::error_response::Rejection;
use super::fault::{Ending, FaultResponse};
use super::listening_socket::ListeningSocket;
use super::request_rules;
use super::service;
use super::shutdown::{ShutdownSignal, elapsed};
use super::socket::{Socket, Stream};

/// What a client of HTTP/2 sends first (RFC 9113 §3.4).
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a TLS client begins: a handshake record of version 3 (RFC 8446 §5.1).
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// The fatal alert `handshake_failure` (RFC 8446 §6).
const TLS_ALERT: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 40];

/// How many requests one HTTP/2 connection may have in flight.
const MAX_STREAMS: u32 = 1000;

/// How large the headers of an HTTP/2 request may be to be refused by us, in bytes: hyper refuses larger ones itself, with
/// a reply that has no body.
const MAX_HEADER_LIST: u32 = 4 * 1024 * 1024;

pub(super) struct Connection {
    pub(super) peer: SocketAddr,
    /// The socket that it came in by.
    pub(super) socket: Arc<ListeningSocket>,
    pub(super) limits: Arc<Limits>,
    pub(super) shutdown: ShutdownSignal,
    /// The tasks of the server.
    pub(super) tasks: TaskTracker,
    pub(super) app: HttpApp,
}

/// What to do once hyper is done with a connection.
enum AfterHyper {
    /// The client has gone.
    Nothing,
    /// Close without waiting for the client: no exchange is going on.
    CloseIdle,
    /// All is written.
    Close,
    PlayFault(FaultResponse),
}

impl Connection {
    /// Serves the connection until it ends or the server aborts.
    pub(super) async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        self.shutdown.abort.run_until_cancelled(self.serve(stream, acceptor)).await;
    }

    fn state(&self) -> Arc<ConnectionState> {
        Arc::new(ConnectionState::new(self.peer, Arc::clone(&self.socket)))
    }

    async fn serve(&self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let state = self.state();
        let opened = tokio::select! {
            opened = timeout(self.limits.header_timeout, open(stream, acceptor, &state)) => opened,
            () = self.shutdown.drain.cancelled() => return,
        };
        // No handshake, no byte.
        let Ok(Some((mut socket, spoken))) = opened else { return };
        let after = match spoken {
            Spoken::Http1 => self.http1(&mut socket, &state).await,
            Spoken::Http2 => self.http2(&mut socket, &state).await,
            Spoken::TlsAlert => AfterHyper::PlayFault(FaultResponse::closing(TLS_ALERT.to_vec())),
            Spoken::Rejected(rejection) => AfterHyper::PlayFault(self.rejected(&rejection)),
            Spoken::Http2Rejected(rejection) => self.http2_rejected(&mut socket, &state, &rejection).await,
        };
        let response = match after {
            AfterHyper::Nothing => return,
            AfterHyper::CloseIdle => {
                let _ = socket.finish().await;
                return;
            }
            AfterHyper::Close => FaultResponse::just(Ending::Close),
            AfterHyper::PlayFault(response) => response,
        };
        self.end(&mut socket, &response).await;
    }

    /// Reports a request whose head could not be read, and returns the response to it.
    fn rejected(&self, rejection: &Rejection) -> FaultResponse {
        (self.app.on_rejection)(None, &rejection.response(), &rejection.to_string());
        rejection.fault_response()
    }

    async fn http1(&self, socket: &mut Socket, state: &Arc<ConnectionState>) -> AfterHyper {
        let mut idle_at_drain = None;
        let outcome = {
            let service = service_fn(|request| {
                state.begin();
                service::http1(&self.app, state, request)
            });
            let mut served = http1::Builder::new()
                // A client that has said all may end its side before the response comes.
                .half_close(true)
                // hyper's would end connections that are merely idle.
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(&mut *socket), service);
            let mut served = Pin::new(&mut served);
            let mut head = HeadTimer::new(self.limits.header_timeout);
            let mut drain = pin!(self.shutdown.drain.cancelled());
            let mut is_draining = false;
            poll_fn(|context| {
                if let Poll::Ready(outcome) = served.as_mut().poll(context) {
                    return Poll::Ready(outcome.map(|()| None));
                }
                if let Some(response) = state.due_response() {
                    return Poll::Ready(Ok(Some(response)));
                }
                if let Poll::Ready(rejection) = head.poll(state, context) {
                    return Poll::Ready(Ok(Some(self.rejected(&rejection))));
                }
                if !is_draining && drain.as_mut().poll(context).is_ready() {
                    is_draining = true;
                    idle_at_drain = state.is(ConnectionPhase::Idle).then(|| state.requests());
                    served.as_mut().graceful_shutdown();
                    // A request that has arrived meanwhile is still answered.
                    context.waker().wake_by_ref();
                } else if is_draining && state.is(ConnectionPhase::Idle) {
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending
            })
            .await
        };
        let rejected = |head: &[u8]| request_rules::rejected_by_hyper(&socket.withheld, head);
        if let Some(rejection) = state.with_head(state.requests(), rejected) {
            return AfterHyper::PlayFault(self.rejected(&rejection));
        }
        match outcome {
            Ok(Some(response)) => AfterHyper::PlayFault(response),
            Ok(None) if idle_at_drain == Some(state.requests()) => AfterHyper::CloseIdle,
            Ok(None) => AfterHyper::Close,
            Err(error) => {
                tracing::debug!(%error, peer = %self.peer, "a connection broke");
                AfterHyper::Nothing
            }
        }
    }

    async fn http2(&self, socket: &mut Socket, state: &Arc<ConnectionState>) -> AfterHyper {
        state.begin();
        let tasks = StreamTasks::new(self.tasks.clone());
        socket.streams = Some(Arc::clone(&tasks.open));
        let service = service_fn(|request| {
            let handle = FaultHandle::of_stream(state, &tasks);
            service::http2(self.app.clone(), Arc::clone(state), handle, self.shutdown.clone(), request)
        });
        let served = http2::Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .serve_connection(TokioIo::new(&mut *socket), service);
        let mut served = pin!(served);
        let mut is_draining = false;
        loop {
            tokio::select! {
                outcome = served.as_mut() => {
                    if let Err(error) = outcome {
                        tracing::debug!(%error, peer = %self.peer, "a connection broke");
                    }
                    return AfterHyper::Close;
                }
                () = state.changed.notified() => {
                    if let Some(response) = state.due_response() {
                        return AfterHyper::PlayFault(response);
                    }
                    if state.goes_away() && !is_draining {
                        is_draining = true;
                        served.as_mut().graceful_shutdown();
                    }
                }
                () = self.shutdown.drain.cancelled(), if !is_draining => {
                    is_draining = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    }

    /// Answers every request with a rejection, to a client that would not understand one in HTTP/1.1.
    async fn http2_rejected(
        &self,
        socket: &mut Socket,
        state: &Arc<ConnectionState>,
        rejection: &Rejection,
    ) -> AfterHyper {
        state.begin();
        let service = service_fn(|_: Request<Incoming>| {
            let mut response = rejection.response();
            (self.app.on_rejection)(None, &response, &rejection.to_string());
            response.headers_mut().remove(CONNECTION);
            let response = response.map(|body| ResponseBody { body: AxumBody::from(body), connection: None });
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let tasks = StreamTasks::new(self.tasks.clone());
        socket.streams = Some(Arc::clone(&tasks.open));
        let served = http2::Builder::new(tasks)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(&mut *socket), service);
        let mut served = pin!(served);
        tokio::select! {
            _ = served.as_mut() => {}
            // A rejected client has no reason to stay.
            () = sleep(self.limits.header_timeout) => {}
            () = self.shutdown.drain.cancelled() => {}
        }
        AfterHyper::Close
    }

    /// Plays the end of a connection.
    async fn end(&self, socket: &mut Socket, response: &FaultResponse) {
        if socket.write(&response.bytes).await.is_err() {
            return;
        }
        match response.ending {
            Ending::Reset => return socket.reset_on_drop(),
            Ending::Close => {}
            Ending::Silence(time) => {
                tokio::select! {
                    () = socket.drain() => {}
                    () = elapsed(time) => {}
                    () = self.shutdown.drain.cancelled() => {}
                }
            }
        }
        if socket.finish().await.is_err() {
            return;
        }
        // Bytes that nobody reads would make the kernel reset the connection, and the client lose the response.
        let _ = timeout(self.limits.linger, socket.drain()).await;
    }
}

/// Tells a client that there are too many connections.
pub(super) async fn reject(stream: TcpStream, connection: &Connection) {
    let mut socket = Socket::new(Stream::Left(stream), connection.state());
    let response = Rejection::TooManyConnections(connection.limits.max_connections).fault_response();
    tokio::select! {
        () = connection.end(&mut socket, &response) => {}
        () = connection.shutdown.drain.cancelled() => {}
    }
}

/// What a client speaks.
enum Spoken {
    Http1,
    Http2,
    /// TLS, which this port does not speak; an alert says so.
    TlsAlert,
    /// Something that this port does not speak.
    Rejected(Rejection),
    /// The same, in HTTP/2.
    Http2Rejected(Rejection),
}

/// Does the handshake, if there is one, and finds out the protocol. Returns `None` if the client goes before that is
/// settled.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    state: &Arc<ConnectionState>,
) -> Option<(Socket, Spoken)> {
    let (stream, agreed) = match acceptor {
        None => (Stream::Left(stream), None),
        Some(_) if begins_with_a_letter(&stream).await => {
            let peer = state.peer;
            tracing::warn!(%peer, "a client sent HTTP without TLS; this port speaks TLS, so its URL begins with https://");
            let mut socket = Socket::new(Stream::Left(stream), Arc::clone(state));
            let rejection = Rejection::TlsNeeded;
            return Some(if socket.begins_with(HTTP2_PREFACE).await.ok()? {
                (socket, Spoken::Http2Rejected(rejection))
            } else {
                (socket, Spoken::Rejected(rejection))
            });
        }
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(tls) => {
                let agreed = tls.get_ref().1.alpn_protocol().map(|protocol| protocol == b"h2");
                (Stream::Right(Box::new(tls)), agreed)
            }
            Err(error) => {
                tracing::debug!(%error, peer = %state.peer, "a TLS handshake failed");
                return None;
            }
        },
    };
    let mut socket = Socket::new(stream, Arc::clone(state));
    let is_http2 = match agreed {
        Some(agreed) => agreed,
        None => socket.begins_with(HTTP2_PREFACE).await.ok()?,
    };
    if socket.ahead().starts_with(TLS_HANDSHAKE) && matches!(socket.stream, Stream::Left(_)) {
        let peer = state.peer;
        tracing::warn!(%peer, "a client began TLS; this port speaks plain HTTP, so its URL begins with http://");
        return Some((socket, Spoken::TlsAlert));
    }
    Some((socket, if is_http2 { Spoken::Http2 } else { Spoken::Http1 }))
}

/// Whether the first byte that comes is a letter, as in HTTP, and not the number of a TLS record. It stays where it is.
async fn begins_with_a_letter(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1..)) && first[0].is_ascii_alphabetic()
}

/// Measures how long the head of a request takes. A timer is set only for one that doesn't arrive in one go.
struct HeadTimer {
    patience: Duration,
    running: Option<(usize, Pin<Box<Sleep>>)>,
}

impl HeadTimer {
    fn new(patience: Duration) -> Self {
        Self { patience, running: None }
    }

    fn poll(&mut self, state: &ConnectionState, context: &mut std::task::Context<'_>) -> Poll<Rejection> {
        let Some(request) = state.awaited_head() else {
            self.running = None;
            return Poll::Pending;
        };
        let timer = match &mut self.running {
            Some((timed, timer)) if *timed == request => timer,
            running => &mut running.insert((request, Box::pin(sleep(self.patience)))).1,
        };
        timer.as_mut().poll(context).map(|()| Rejection::Slow(self.patience))
    }
}
