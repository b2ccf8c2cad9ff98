//! From a request to what hyper sends: the handler's reply, or what its sabotage makes of it.

use std::convert::Infallible;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body as AxumBody;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::{Method, Request, Response, Version};
use tokio::time::{Sleep, sleep};

use super::body::{Outgoing, ReplyBody};
use super::caught::{Panicked, caught, caught_now, poll_caught};
use super::head::off;
use super::rules;
use super::script::{Asked, Ending, Script, part};
use super::stage::{Follow, Stage, elapsed};
use super::wire::{Line, Sabotage, Wire};
use super::{Handler, Head, Later};

/// An HTTP/1 exchange. Never ends if the connection is taken from hyper, which drops it with everything else.
pub(super) enum Exchange<'c> {
    /// The reply, until hyper has it. Nothing where the connection is taken from hyper.
    Answered(Option<Response<Outgoing>>),
    Answering {
        asked: Asked,
        wire: &'c Wire,
        reply: Later,
    },
    /// The rest of a body has to come before it can be spoiled.
    Spoiling(Pin<Box<dyn Future<Output = Infallible> + Send + 'c>>),
}

impl<'c> Exchange<'c> {
    /// Lets a handler answer a request.
    pub(super) fn of<H: Handler>(handler: &H, wire: &'c Wire, request: Request<Incoming>) -> Self {
        let asked = Asked { method: request.method().clone(), version: request.version() };
        let line = wire.line();
        let refusal = rules::http1(request.version(), request.headers())
            .or_else(|| line.with_head(line.requests().saturating_sub(1), rules::fragment));
        if let Some(refusal) = refusal {
            let reply = refusal.reply();
            handler.refused(Some(Head::from(&request)), &reply, &refusal.to_string());
            return Self::answered(asked, wire, Ok(reply.map(ReplyBody::from)));
        }
        match caught_now(|| begun(handler, wire, request)) {
            Ok(Ok(reply)) => Self::answered(asked, wire, Ok(reply)),
            Ok(Err(reply)) => {
                // An older client knows no interim reply.
                wire.line().await_reply(asked.version == Version::HTTP_11);
                Self::Answering { asked, wire, reply }
            }
            Err(panicked) => Self::answered(asked, wire, Err(panicked)),
        }
    }

    fn answered(asked: Asked, wire: &'c Wire, reply: Result<Response<ReplyBody>, Panicked>) -> Self {
        let line = wire.line();
        line.await_reply(false);
        let Ok(reply) = reply else {
            tell_of_panic();
            line.take_over(Script::just(Ending::Close));
            return Self::Answered(None);
        };
        match wire.sabotaged() {
            None => {}
            Some(Sabotage::Dribble { chunk, pause }) => line.start_dribble((chunk, pause)),
            Some(sabotage) => {
                return Self::Spoiling(Box::pin(async move {
                    let (head, body) = reply.into_parts();
                    let reply = Response::from_parts(head, body.whole().await);
                    line.take_over(Script::new(sabotage, &asked, &reply));
                    pending().await
                }));
            }
        }
        Self::Answered(Some(reply.map(|body| Outgoing::new(body, Some(Arc::clone(line))))))
    }
}

impl Future for Exchange<'_> {
    type Output = Result<Response<Outgoing>, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match this {
                Self::Answered(reply) => {
                    return reply.take().map_or(Poll::Pending, |reply| Poll::Ready(Ok(reply)));
                }
                Self::Answering { asked, wire, reply } => {
                    let reply = ready!(poll_caught(reply.as_mut(), context));
                    *this = Self::answered(asked.clone(), wire, reply);
                }
                Self::Spoiling(work) => return work.as_mut().poll(context).map(|never| match never {}),
            }
        }
    }
}

/// Resets the stream.
#[derive(Debug, thiserror::Error)]
#[error("the stream is reset on purpose")]
pub(super) struct ResetStream;

/// An HTTP/2 exchange.
pub(super) async fn http2<H: Handler>(
    handler: H,
    wire: Wire,
    stage: Follow,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, ResetStream> {
    let line = Arc::clone(wire.line());
    let has_body = request.method() != Method::HEAD;
    let (mut parts, body) = request.into_parts();
    if let Some(refusal) = rules::http2(&mut parts) {
        let reply = refusal.reply();
        let head = Head { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
        handler.refused(Some(head), &reply, &refusal.to_string());
        let mut reply = reply.map(ReplyBody::from);
        reply.headers_mut().remove(CONNECTION);
        return Ok(if has_body { reply } else { without_body(reply) }.map(|body| Outgoing::new(body, None)));
    }
    let request = Request::from_parts(parts, body);
    let reply = match caught_now(|| begun(&handler, &wire, request)) {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(mut reply)) => caught(reply.as_mut()).await,
        Err(panicked) => Err(panicked),
    };
    let Ok(reply) = reply else {
        tell_of_panic();
        return Err(ResetStream);
    };
    let reply = match wire.sabotaged() {
        None => reply,
        Some(sabotage) => sabotaged(sabotage, reply, &line, &stage).await?,
    };
    Ok(if has_body { reply } else { without_body(reply) }.map(|body| Outgoing::new(body, None)))
}

/// The answer, or what it is waited for with. A request without a body is there whole.
fn begun<H: Handler>(
    handler: &H,
    wire: &Wire,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, Later> {
    let whole = request.body().is_end_stream();
    match whole.then(|| handler.at_once(Head::from(&request), &Bytes::new())).flatten() {
        Some(reply) => Ok(reply.map(ReplyBody::from)),
        None => Err(handler.call(request, wire)),
    }
}

pub(super) fn tell_of_panic() {
    tracing::error!("a request handler panicked; its client gets no answer");
}

/// hyper leaves it to the server to send no body after HEAD.
fn without_body(mut reply: Response<ReplyBody>) -> Response<ReplyBody> {
    if let Some(length) = reply.body().size_hint().exact() {
        reply.headers_mut().entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    reply.map(|_| ReplyBody::Empty)
}

/// What [`Sabotage`] says comes nearest under HTTP/2.
async fn sabotaged(
    sabotage: Sabotage,
    reply: Response<ReplyBody>,
    line: &Line,
    stage: &Follow,
) -> Result<Response<ReplyBody>, ResetStream> {
    let abort = |script| async {
        line.take_over(script);
        pending().await
    };
    match sabotage {
        Sabotage::Reset => abort(Script::just(Ending::Reset)).await,
        Sabotage::Garbage(bytes) => abort(Script::closing(bytes)).await,
        Sabotage::EmptyReply => Err(ResetStream),
        Sabotage::Hang(time) => {
            tokio::select! {
                () = stage.reached(Stage::Drain) => {}
                () = elapsed(time) => {}
            }
            Err(ResetStream)
        }
        Sabotage::CloseAfter => {
            line.end();
            Ok(reply)
        }
        Sabotage::WrongLength(by) => {
            Ok(announced(reply, |length| off(length, by)).await.map(ReplyBody::from))
        }
        Sabotage::MalformedChunk => Ok(announced(reply, length_of).await.map(|_| broken_after(Bytes::new()))),
        Sabotage::Truncate(fraction) => Ok(announced(reply, length_of).await.map(|mut body| {
            body.truncate(part(body.len(), fraction));
            broken_after(body)
        })),
        Sabotage::Dribble { chunk, pause } => Ok(announced(reply, length_of).await.map(|rest| {
            let pieces = Pieces { rest, chunk: chunk.max(1), pause, waiting: None };
            ReplyBody::Stream(AxumBody::new(pieces))
        })),
    }
}

fn length_of(length: usize) -> u64 {
    length as u64
}

/// The whole body, under a `Content-Length` made from its own.
async fn announced(reply: Response<ReplyBody>, length: impl FnOnce(usize) -> u64) -> Response<Bytes> {
    let (mut head, body) = reply.into_parts();
    let body = body.whole().await;
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length(body.len())));
    Response::from_parts(head, body)
}

fn broken_after(rest: Bytes) -> ReplyBody {
    ReplyBody::Stream(AxumBody::new(Broken { rest, settling: None }))
}

/// How long a stream waits before it is reset. A reset overtakes all of its frames that are still queued here, and
/// nothing tells when they have left.
const SETTLE: Duration = Duration::from_millis(50);

/// How much of a body is queued at once: hyper asks for more only when the client's window has room.
const FRAME: usize = 16 * 1024;

/// A body that fails after these bytes.
struct Broken {
    rest: Bytes,
    settling: Option<Pin<Box<Sleep>>>,
}

impl Body for Broken {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            ready!(this.settling.get_or_insert_with(|| Box::pin(sleep(SETTLE))).as_mut().poll(context));
            return Poll::Ready(Some(Err(ResetStream.into())));
        }
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(FRAME.min(this.rest.len()))))))
    }
}

/// A body in pieces with pauses between them.
struct Pieces {
    rest: Bytes,
    chunk: usize,
    pause: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Some(waiting) = &mut this.waiting {
            ready!(waiting.as_mut().poll(context));
        }
        if this.rest.is_empty() {
            return Poll::Ready(None);
        }
        this.waiting = Some(Box::pin(sleep(this.pause)));
        Poll::Ready(Some(Ok(Frame::data(this.rest.split_to(this.chunk.min(this.rest.len()))))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
