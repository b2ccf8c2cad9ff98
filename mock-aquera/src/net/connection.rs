//! One connection, from the first byte to the last.

use std::convert::Infallible;
use std::future::{Future as _, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Handler;
use super::body::{Outgoing, ReplyBody};
use super::door::Door;
use super::plain;
use super::refusal::Refusal;
use super::script::{Ending, Script};
use super::service::{self, Exchange};
use super::socket::{Socket, Stream};
use super::stage::{Follow, Stage, elapsed};
use super::wire::{Line, Phase, StreamTasks, Wire};

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

pub(super) struct Connection<H> {
    pub(super) peer: SocketAddr,
    pub(super) door: Arc<Door>,
    pub(super) stage: Follow,
    pub(super) handler: H,
}

/// What is left to do once hyper has gone.
pub(super) enum Rest {
    /// There is nobody to be told anything.
    Nothing,
    /// Nothing was being said: the end is a farewell to nobody in particular.
    Leave,
    /// All is written.
    Close,
    Play(Script),
}

impl<H: Handler> Connection<H> {
    /// Serves it until it ends, in one way or another.
    pub(super) async fn run(self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let stage = self.stage.clone();
        let mut work = pin!(self.serve(stream, acceptor));
        let mut alarm = stage.alarm();
        let mut abort = pin!(stage.reached(Stage::Abort));
        poll_fn(|context| {
            if work.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            if alarm.due() { abort.as_mut().poll(context) } else { Poll::Pending }
        })
        .await;
    }

    async fn serve(&self, stream: TcpStream, acceptor: Option<TlsAcceptor>) {
        let line = Arc::new(Line::new(self.peer, Arc::clone(&self.door)));
        let patience = self.door.limits().header_timeout;
        let opened = tokio::select! {
            opened = timeout(patience, open(stream, acceptor, &line)) => opened,
            () = self.stage.reached(Stage::Drain) => return,
        };
        // No handshake, no byte.
        let Ok(Some((mut socket, spoken))) = opened else { return };
        let rest = match spoken {
            Spoken::Http1 => self.http1(&mut socket, &line).await,
            Spoken::Http2 => self.http2(&mut socket, &line).await,
            Spoken::TlsAlert => Rest::Play(Script::closing(TLS_ALERT.to_vec())),
            Spoken::Refused(refusal) => Rest::Play(self.refused(&refusal)),
            Spoken::Http2Refused(refusal) => self.http2_refused(&mut socket, &line, &refusal).await,
        };
        let script = match rest {
            Rest::Nothing => return,
            Rest::Leave => {
                let _ = socket.finish().await;
                return;
            }
            Rest::Close => Script::just(Ending::Close),
            Rest::Play(script) => script,
        };
        end(&mut socket, &script, self.door.limits().linger, &self.stage).await;
    }

    /// Tells of a request whose head could not be read, and gives the answer to it.
    fn refused(&self, refusal: &Refusal) -> Script {
        self.handler.refused(None, &refusal.reply(), &refusal.to_string());
        refusal.script()
    }

    async fn http1(&self, socket: &mut Socket, line: &Arc<Line>) -> Rest {
        if let Some(rest) = plain::serve(&self.handler, socket, &self.stage).await {
            return rest;
        }
        let mut idle_at_drain = None;
        let outcome = {
            let wire = Wire::connection(line);
            let service = service_fn(|request| {
                line.begin();
                Exchange::of(&self.handler, &wire, request)
            });
            let mut served = http1::Builder::new()
                // A client that has said all may end its side before the answer comes.
                .half_close(true)
                // hyper's would end connections that are merely idle.
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(&mut *socket), service);
            let mut served = Pin::new(&mut served);
            let mut head = HeadTimer::new(self.door.limits().header_timeout);
            let mut alarm = self.stage.alarm();
            let mut drain = pin!(self.stage.reached(Stage::Drain));
            let mut is_draining = false;
            poll_fn(|context| {
                if let Poll::Ready(outcome) = served.as_mut().poll(context) {
                    return Poll::Ready(outcome.map(|()| None));
                }
                if let Some(script) = line.script_to_play() {
                    return Poll::Ready(Ok(Some(script)));
                }
                if let Poll::Ready(refusal) = head.poll(line, context) {
                    return Poll::Ready(Ok(Some(self.refused(&refusal))));
                }
                if !is_draining && alarm.due() && drain.as_mut().poll(context).is_ready() {
                    is_draining = true;
                    idle_at_drain = line.is(Phase::Idle).then(|| line.requests());
                    served.as_mut().graceful_shutdown();
                    // A request that has arrived meanwhile is still answered.
                    context.waker().wake_by_ref();
                } else if is_draining && line.is(Phase::Idle) {
                    return Poll::Ready(Ok(None));
                }
                Poll::Pending
            })
            .await
        };
        let refused = |head: &[u8]| Refusal::of(&socket.withheld, head);
        if let Some(refusal) = line.with_head(line.requests(), refused) {
            return Rest::Play(self.refused(&refusal));
        }
        match outcome {
            Ok(Some(script)) => Rest::Play(script),
            Ok(None) if idle_at_drain == Some(line.requests()) => Rest::Leave,
            Ok(None) => Rest::Close,
            Err(error) => {
                tracing::debug!(%error, peer = %self.peer, "a connection broke");
                Rest::Nothing
            }
        }
    }

    async fn http2(&self, socket: &mut Socket, line: &Arc<Line>) -> Rest {
        line.begin();
        let tasks = StreamTasks::default();
        socket.streams = Some(tasks.open());
        let service = service_fn(|request| {
            let wire = Wire::stream(line, &tasks);
            service::http2(self.handler.clone(), wire, self.stage.clone(), request)
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
                    return Rest::Close;
                }
                () = line.changed.notified() => {
                    if let Some(script) = line.script() {
                        return Rest::Play(script);
                    }
                    if line.ends() && !is_draining {
                        is_draining = true;
                        served.as_mut().graceful_shutdown();
                    }
                }
                () = self.stage.reached(Stage::Drain), if !is_draining => {
                    is_draining = true;
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

impl<H: Handler> Connection<H> {
    /// Answers every request with a refusal, to a client that would not understand one in HTTP/1.1.
    async fn http2_refused(&self, socket: &mut Socket, line: &Arc<Line>, refusal: &Refusal) -> Rest {
        line.begin();
        let service = service_fn(|_: Request<Incoming>| {
            let mut reply = refusal.reply();
            self.handler.refused(None, &reply, &refusal.to_string());
            reply.headers_mut().remove(CONNECTION);
            let reply = reply.map(|body| Outgoing::new(ReplyBody::from(body), None));
            std::future::ready(Ok::<_, Infallible>(reply))
        });
        let tasks = StreamTasks::default();
        socket.streams = Some(tasks.open());
        let served = http2::Builder::new(tasks)
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(&mut *socket), service);
        let mut served = pin!(served);
        tokio::select! {
            _ = served.as_mut() => {}
            // Nobody who is refused has a reason to stay.
            () = sleep(self.door.limits().header_timeout) => {}
            () = self.stage.reached(Stage::Drain) => {}
        }
        Rest::Close
    }
}

/// What a client speaks.
enum Spoken {
    Http1,
    Http2,
    /// TLS, which this port does not speak; an alert says so.
    TlsAlert,
    /// What this port does not speak; it is told so.
    Refused(Refusal),
    /// The same, in HTTP/2.
    Http2Refused(Refusal),
}

/// Does the handshake, if there is one, and finds out the protocol. Returns `None` if the client goes before that is
/// settled.
async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    line: &Arc<Line>,
) -> Option<(Socket, Spoken)> {
    let (stream, agreed) = match acceptor {
        None => (Stream::Plain(stream), None),
        Some(_) if begins_with_a_letter(&stream).await => {
            let peer = line.peer;
            tracing::warn!(%peer, "a client sent HTTP without TLS; this port speaks TLS, so its URL begins with https://");
            let mut socket = Socket::new(Stream::Plain(stream), Arc::clone(line));
            let refusal = Refusal::TlsNeeded;
            return Some(if socket.begins_with(HTTP2_PREFACE).await.ok()? {
                (socket, Spoken::Http2Refused(refusal))
            } else {
                (socket, Spoken::Refused(refusal))
            });
        }
        Some(acceptor) => match acceptor.accept(stream).await {
            Ok(tls) => {
                let agreed = tls.get_ref().1.alpn_protocol().map(|protocol| protocol == b"h2");
                (Stream::Tls(Box::new(tls)), agreed)
            }
            Err(error) => {
                tracing::debug!(%error, peer = %line.peer, "a TLS handshake failed");
                return None;
            }
        },
    };
    let mut socket = Socket::new(stream, Arc::clone(line));
    let is_http2 = match agreed {
        Some(agreed) => agreed,
        None => socket.begins_with(HTTP2_PREFACE).await.ok()?,
    };
    if socket.ahead().starts_with(TLS_HANDSHAKE) && matches!(socket.stream, Stream::Plain(_)) {
        let peer = line.peer;
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

/// Plays the end of a connection.
async fn end(socket: &mut Socket, script: &Script, linger: Duration, stage: &Follow) {
    if socket.write(&script.bytes).await.is_err() {
        return;
    }
    match script.then {
        Ending::Reset => return socket.stream.reset_on_drop(),
        Ending::Close => {}
        Ending::Silence(time) => {
            tokio::select! {
                () = socket.drain() => {}
                () = elapsed(time) => {}
                () = stage.reached(Stage::Drain) => {}
            }
        }
    }
    if socket.finish().await.is_err() {
        return;
    }
    // Bytes that nobody reads would make the kernel reset the connection, and the client lose the reply.
    let _ = timeout(linger, socket.drain()).await;
}

/// Tells a client that there are too many.
pub(super) async fn turn_away(stream: TcpStream, peer: SocketAddr, door: &Arc<Door>, stage: &Follow) {
    let limits = door.limits();
    let line = Arc::new(Line::new(peer, Arc::clone(door)));
    let mut socket = Socket::new(Stream::Plain(stream), line);
    let script = Refusal::TooManyConnections(limits.max_connections).script();
    tokio::select! {
        () = end(&mut socket, &script, limits.linger, stage) => {}
        () = stage.reached(Stage::Drain) => {}
    }
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

    fn poll(&mut self, line: &Line, context: &mut std::task::Context<'_>) -> Poll<Refusal> {
        let Some(request) = line.awaited_head() else {
            self.running = None;
            return Poll::Pending;
        };
        let timer = match &mut self.running {
            Some((timed, timer)) if *timed == request => timer,
            running => &mut running.insert((request, Box::pin(sleep(self.patience)))).1,
        };
        timer.as_mut().poll(context).map(|()| Refusal::Slow(self.patience))
    }
}
