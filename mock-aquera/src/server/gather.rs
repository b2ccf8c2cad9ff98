//! A request whose body is on its way. Mostly it is there at the second look, whole and in one piece, and is answered
//! on the spot.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody as _};
use bytes::BytesMut;
use hyper::body::Incoming as Coming;
use hyper::{Request, Response};

use super::{respond, unreadable};
use crate::application::{Application, Head, Incoming, Served};
use crate::net::{ReplyBody, Wire};
use crate::problem::Problem;
use crate::reply::spare;

/// How much room a body is given before it is there, in bytes: what a client announces costs nothing.
const MAX_TRUSTED: usize = 1024 * 1024;

/// Waits for a body that says its length, and answers.
pub(super) struct Gathering {
    application: Application,
    wire: Wire,
    path_at: usize,
    state: State,
}

#[expect(clippy::large_enum_variant, reason = "it begins as the large one, and is boxed as a whole")]
enum State {
    Body {
        request: Request<Coming>,
        /// How many bytes are still to come.
        left: u64,
        /// What came of a body in several pieces.
        pieces: BytesMut,
    },
    /// Something holds the answer up.
    Serving(Pin<Box<dyn Future<Output = Served> + Send>>),
    Over,
}

impl Gathering {
    /// How much is to be gathered; nothing where a body doesn't say its length, or says one that is not read.
    pub(super) fn length(application: &Application, body: &Coming) -> Option<u64> {
        body.size_hint().exact().filter(|length| *length <= application.body_limit() as u64)
    }

    pub(super) fn new(
        application: Application,
        path_at: usize,
        request: Request<Coming>,
        length: u64,
        wire: &Wire,
    ) -> Self {
        let state = State::Body { request, left: length, pieces: BytesMut::new() };
        Self { application, wire: wire.clone(), path_at, state }
    }
}

impl Future for Gathering {
    type Output = Response<ReplyBody>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let State::Body { request, left, pieces } = &mut this.state {
            let body = ready!(poll_body(request.body_mut(), left, pieces, context));
            if let Ok(body) = &body
                && let Some(served) = this.application.answer_now(Head::from(&*request), this.path_at, body)
            {
                spare::give(std::mem::take(request.headers_mut()));
                return Poll::Ready(respond(served, &this.wire));
            }
            if let State::Body { request, .. } = std::mem::replace(&mut this.state, State::Over) {
                let (application, path_at) = (this.application.clone(), this.path_at);
                let incoming = Incoming { parts: request.into_parts().0, path_at, body };
                this.state = State::Serving(Box::pin(async move { application.serve(incoming).await }));
            }
        }
        match &mut this.state {
            State::Serving(work) => work.as_mut().poll(context).map(|served| respond(served, &this.wire)),
            State::Body { .. } | State::Over => Poll::Pending,
        }
    }
}

/// The whole body, or what is wrong with it.
fn poll_body(
    body: &mut Coming,
    left: &mut u64,
    pieces: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<Result<Bytes, Problem>> {
    while *left > 0 {
        let data = match ready!(Pin::new(&mut *body).poll_frame(context)) {
            None => break,
            Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            Some(Err(error)) => return Poll::Ready(Err(unreadable(&error))),
        };
        let whole = pieces.is_empty() && data.len() as u64 == *left;
        *left = left.saturating_sub(data.len() as u64);
        if whole {
            return Poll::Ready(Ok(data));
        }
        if pieces.is_empty() {
            let room = usize::try_from(*left).unwrap_or(MAX_TRUSTED).min(MAX_TRUSTED);
            pieces.reserve(data.len() + room);
        }
        pieces.extend_from_slice(&data);
    }
    Poll::Ready(Ok(std::mem::take(pieces).freeze()))
}
