//! Bodies that are sent in chunks (RFC 9112 §7.1), so that no length is told in advance.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use http_body::{Body, Frame};

/// Bytes of a chunk: a small body has several.
const CHUNK: usize = 64;

/// Returns a body of which no length is told in advance.
pub(super) fn in_chunks(body: &[u8]) -> reqwest::Body {
    reqwest::Body::wrap(Chunks(body.chunks(CHUNK).map(<[u8]>::to_vec).collect()))
}

struct Chunks(VecDeque<Vec<u8>>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk.into()))))
    }
}
