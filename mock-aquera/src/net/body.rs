//! Bodies of replies.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::BoxError;
use axum::body::Body as AxumBody;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::wire::Line;

/// The body of a reply. The first two are sent with their length, a stream with the length that it knows, or chunked.
pub(crate) enum ReplyBody {
    Empty,
    Full(Bytes),
    Stream(AxumBody),
}

/// Without what it says.
impl fmt::Debug for ReplyBody {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("Empty"),
            Self::Full(bytes) => write!(out, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => out.write_str("Stream"),
        }
    }
}

impl ReplyBody {
    /// The whole body. A stream that fails ends there; one without an end must not be spoiled.
    pub(super) async fn whole(self) -> Bytes {
        match self {
            Self::Empty => Bytes::new(),
            Self::Full(bytes) => bytes,
            Self::Stream(mut stream) => {
                let mut all = Vec::new();
                while let Some(Ok(frame)) = stream.frame().await {
                    if let Some(data) = frame.data_ref() {
                        all.extend_from_slice(data);
                    }
                }
                all.into()
            }
        }
    }
}

impl From<Bytes> for ReplyBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::Empty } else { Self::Full(bytes) }
    }
}

impl From<AxumBody> for ReplyBody {
    fn from(body: AxumBody) -> Self {
        Self::Stream(body)
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => Poll::Ready(
                ready!(Pin::new(stream).poll_frame(context)).map(|frame| frame.map_err(BoxError::from)),
            ),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}

/// A body that tells its line when hyper has all of it.
#[derive(Debug)]
pub(super) struct Outgoing {
    body: ReplyBody,
    line: Option<Arc<Line>>,
}

impl Outgoing {
    pub(super) fn new(body: ReplyBody, line: Option<Arc<Line>>) -> Self {
        Self { body, line }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // hyper lets go of a body as soon as it has taken the last of it, and before it writes that out.
        if let Some(line) = &self.line {
            line.replied();
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
