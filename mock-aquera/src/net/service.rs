//! From a request to what hyper sends: the response of the router, or what its fault makes of it.

use std::convert::Infallible;
use std::future::{pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Body as AxumBody;
use futures_util::FutureExt as _;
use futures_util::future::Either;
use futures_util::stream::unfold;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Version};
use tokio::time::sleep;
use tower::Service as _;

use super::api::{Head, HttpApp};
use super::body::{ResponseBody, whole};
use super::catch_panic::{catch_panic, poll_catching};
use super::connection_state::{ConnectionState, FaultHandle};
use super::error_response::Rejection;
use super::fault::{Asked, Ending, FaultResponse, SocketFault, announced_length, part};
use super::request_rules;
use super::response_head::off;
use super::shutdown::{ShutdownSignal, elapsed};

/// An HTTP/1 exchange. Never ends if the connection is taken from hyper, which drops it with everything else.
pub(super) fn http1<'c>(
    app: &'c HttpApp,
    connection: &'c Arc<ConnectionState>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + 'c {
    let asked = Asked { method: request.method().clone(), version: request.version() };
    let rejection = request_rules::http1(request.version(), request.headers())
        .or_else(|| connection.with_head(connection.requests().saturating_sub(1), request_rules::fragment));
    let answer = match rejection {
        Some(rejection) => Either::Left(ready(rejected(app, Head::from(&request), &rejection))),
        None => Either::Right(answer(app, FaultHandle::new(connection), request)),
    };
    async move {
        let mut answer = pin!(answer);
        let mut is_polled_again = false;
        let answered = poll_fn(|context| {
            let polled = poll_catching(answer.as_mut(), context);
            if polled.is_pending() {
                // Most requests with a body are answered at the second poll, and need nobody to watch for their client.
                if std::mem::replace(&mut is_polled_again, true) {
                    // An older client knows no interim response.
                    connection.awaits_response.store(asked.version == Version::HTTP_11, Relaxed);
                } else {
                    context.waker().wake_by_ref();
                }
            }
            polled
        });
        let answered = answered.await;
        connection.awaits_response.store(false, Relaxed);
        let Ok(mut response) = answered else {
            log_panic();
            connection.take_over(FaultResponse::just(Ending::Close));
            return pending().await;
        };
        match response.extensions_mut().remove::<SocketFault>() {
            None => {}
            Some(SocketFault::Dribble { chunk, pause }) => connection.start_dribble((chunk, pause)),
            // Boxed: hyper moves this future, and few requests get here.
            Some(fault) => match Box::pin(play(connection, fault, &asked, response)).await {},
        }
        Ok(response.map(|body| ResponseBody { body, connection: Some(Arc::clone(connection)) }))
    }
}

/// Plays what a fault makes of a response, in its place.
async fn play(
    connection: &ConnectionState,
    fault: SocketFault,
    asked: &Asked,
    response: Response<AxumBody>,
) -> Infallible {
    let (head, body) = response.into_parts();
    let response = Response::from_parts(head, whole(body).await);
    connection.take_over(FaultResponse::new(fault, asked, &response));
    pending().await
}

/// Lets the router answer a request.
fn answer(
    app: &HttpApp,
    handle: FaultHandle,
    mut request: Request<Incoming>,
) -> impl Future<Output = Response<AxumBody>> + use<> {
    if let Some(uri) = request_rules::normal_uri(request.uri()) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(handle);
    app.router.clone().call(request).map(|answered| {
        let Ok(mut response) = answered;
        // RFC 9110 §8.6: the router announces a length of 0, which in a 304 would be that of another response.
        if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    })
}

/// Returns the response to a rejected request, and reports it.
fn rejected(app: &HttpApp, head: Head<'_>, rejection: &Rejection) -> Response<AxumBody> {
    let response = rejection.response();
    (app.on_rejection)(Some(head), &response, &rejection.to_string());
    response.map(AxumBody::from)
}

/// Resets the stream.
#[derive(Debug, thiserror::Error)]
#[error("the stream is reset on purpose")]
pub(super) struct ResetStream;

/// An HTTP/2 exchange.
pub(super) async fn http2(
    app: HttpApp,
    connection: Arc<ConnectionState>,
    handle: FaultHandle,
    shutdown: ShutdownSignal,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ResetStream> {
    let is_head = request.method() == Method::HEAD;
    let (mut parts, body) = request.into_parts();
    let response = if let Some(rejection) = request_rules::http2(&mut parts) {
        let mut response = rejected(&app, Head::from(&parts), &rejection);
        response.headers_mut().remove(CONNECTION);
        let length = response.body().size_hint().exact().unwrap_or_default();
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        response
    } else {
        let request = Request::from_parts(parts, body);
        let Ok(mut response) = catch_panic(pin!(answer(&app, handle, request))).await else {
            log_panic();
            return Err(ResetStream);
        };
        match response.extensions_mut().remove::<SocketFault>() {
            None => response,
            Some(fault) => faulty(fault, response, &connection, &shutdown).await?,
        }
    };
    // hyper leaves it to the server to send no body after HEAD.
    let response = if is_head { response.map(|_| AxumBody::empty()) } else { response };
    Ok(response.map(|body| ResponseBody { body, connection: None }))
}

fn log_panic() {
    tracing::error!("a request handler panicked; its client gets no answer");
}

/// What [`SocketFault`] says comes nearest under HTTP/2.
async fn faulty(
    fault: SocketFault,
    response: Response<AxumBody>,
    connection: &ConnectionState,
    shutdown: &ShutdownSignal,
) -> Result<Response<AxumBody>, ResetStream> {
    let play_now = |response| async {
        connection.play_now(response);
        pending().await
    };
    match fault {
        SocketFault::Reset => play_now(FaultResponse::just(Ending::Reset)).await,
        SocketFault::Garbage(bytes) => play_now(FaultResponse::closing(bytes)).await,
        SocketFault::EmptyReply => Err(ResetStream),
        SocketFault::Hang(time) => {
            tokio::select! {
                () = shutdown.drain.cancelled() => {}
                () = elapsed(time) => {}
            }
            Err(ResetStream)
        }
        SocketFault::CloseAfter => {
            connection.go_away();
            Ok(response)
        }
        SocketFault::WrongLength(by) => {
            Ok(announced(response, |length| off(length, by)).await.map(AxumBody::from))
        }
        SocketFault::MalformedChunk => {
            Ok(announced(response, length_of).await.map(|_| broken_after(Bytes::new())))
        }
        SocketFault::Truncate(fraction) => Ok(announced(response, length_of).await.map(|mut body| {
            body.truncate(part(body.len(), fraction));
            broken_after(body)
        })),
        SocketFault::Dribble { chunk, pause } => {
            Ok(announced(response, length_of).await.map(|body| in_pieces(body, chunk.max(1), pause)))
        }
    }
}

fn length_of(length: usize) -> u64 {
    length as u64
}

/// The whole body, under a `Content-Length` made from its own.
async fn announced(response: Response<AxumBody>, length: impl FnOnce(usize) -> u64) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let mut response = Response::from_parts(head, whole(body).await);
    let announced = HeaderValue::from(length(announced_length(&response)));
    response.headers_mut().insert(CONTENT_LENGTH, announced);
    response
}

/// How long a stream waits before it is reset. A reset overtakes all of its frames that are still queued here, and
/// nothing tells when they have left.
const SETTLE: Duration = Duration::from_millis(50);

/// How much of a body is queued at once: hyper asks for more only when the client's window has room.
const FRAME: usize = 16 * 1024;

/// A body that fails after these bytes.
fn broken_after(body: Bytes) -> AxumBody {
    AxumBody::from_stream(unfold(body, |mut rest| async {
        if rest.is_empty() {
            sleep(SETTLE).await;
            return Some((Err(ResetStream), rest));
        }
        let frame = rest.split_to(FRAME.min(rest.len()));
        Some((Ok(frame), rest))
    }))
}

/// A body in pieces with pauses between them.
fn in_pieces(body: Bytes, chunk: usize, pause: Duration) -> AxumBody {
    AxumBody::from_stream(unfold((body, Duration::ZERO), move |(mut rest, before)| async move {
        if rest.is_empty() {
            return None;
        }
        sleep(before).await;
        let piece = rest.split_to(chunk.min(rest.len()));
        Some((Ok::<_, Infallible>(piece), (rest, pause)))
    }))
}
