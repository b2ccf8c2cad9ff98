//! Faults of a response at the socket, and the bytes that one plays on an HTTP/1 connection.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::CONTENT_LENGTH;
use hyper::{Method, Response, StatusCode, Version};

use super::response_head::{self, Length};

/// A chunk size that is no hexadecimal number (RFC 9112 §7.1).
const NO_CHUNK_SIZE: &[u8] = b"not-a-size\r\n";

/// What happens to a response instead of its being sent: an extension of the response.
///
/// HTTP/2 carries many responses on one connection, so most kinds end the stream alone there; each says what
/// comes nearest. A response that has no body (to HEAD, 204, 304) has none with a fault either.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SocketFault {
    /// The connection is reset: the client reads `ECONNRESET`. HTTP/2: the same, with every stream on it.
    Reset,
    /// The connection ends before the first byte. HTTP/2: the stream is reset before any header.
    EmptyReply,
    /// Nothing is sent for this long, or until the client goes; then the connection ends. HTTP/2: then the stream is
    /// reset. What else came in on an HTTP/1.1 connection is never answered.
    Hang(Option<Duration>),
    /// A chunked body whose first chunk has a size that is no number; then the connection ends. HTTP/2, which has no
    /// chunks: the head, then the stream is reset.
    MalformedChunk,
    /// The head with the whole length, this fraction of the body (of the head, where there is no body), then the
    /// connection ends. HTTP/2: then the stream is reset.
    Truncate(f64),
    /// These bytes instead of a response, then the connection ends. HTTP/2: the same, amid the frames.
    Garbage(Vec<u8>),
    /// The true response, in pieces of so many bytes with pauses between them; the connection stays. HTTP/2: the body in
    /// pieces.
    Dribble {
        /// Bytes in a piece; 0 counts as 1.
        chunk: usize,
        /// Between two pieces.
        pause: Duration,
    },
    /// The true body under a `Content-Length` that is off by so much, then the connection ends. HTTP/2: the same, and
    /// the connection stays.
    WrongLength(i64),
    /// The true response, which does not say that the connection ends, then it ends. HTTP/2: the true response, then
    /// GOAWAY, and the end once the other streams are through.
    CloseAfter,
}

/// Bytes that are written past hyper, and how the connection ends after them.
#[derive(Clone, PartialEq)]
pub(super) struct FaultResponse {
    pub(super) bytes: Vec<u8>,
    pub(super) ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Close,
    Reset,
    /// Close once the client has gone or the time is over.
    Silence(Option<Duration>),
}

/// The request that is answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) version: Version,
}

impl FaultResponse {
    pub(super) fn just(ending: Ending) -> Self {
        Self { bytes: Vec::new(), ending }
    }

    pub(super) fn closing(bytes: Vec<u8>) -> Self {
        Self { bytes, ending: Ending::Close }
    }

    /// What this fault makes of a response. A dribbled one is all there; the socket writes it slowly.
    pub(super) fn new(fault: SocketFault, asked: &Asked, response: &Response<Bytes>) -> Self {
        let (head, length) = (response, announced_length(response));
        let body = if has_body(asked, head.status()) { response.body().as_ref() } else { &[] };
        let with_head = |length, rest: &[u8]| {
            let mut bytes = write_head(asked, head, length);
            bytes.extend_from_slice(rest);
            Self::closing(bytes)
        };
        match fault {
            SocketFault::Reset => Self::just(Ending::Reset),
            SocketFault::EmptyReply => Self::just(Ending::Close),
            SocketFault::Hang(time) => Self::just(Ending::Silence(time)),
            SocketFault::Garbage(bytes) => Self::closing(bytes),
            SocketFault::MalformedChunk if has_body(asked, head.status()) => {
                with_head(Length::Chunked, &[NO_CHUNK_SIZE, body, b"\r\n"].concat())
            }
            SocketFault::CloseAfter | SocketFault::Dribble { .. } | SocketFault::MalformedChunk => {
                with_head(Length::Of(length), body)
            }
            SocketFault::WrongLength(by) => with_head(Length::Off(length, by), body),
            SocketFault::Truncate(fraction) if body.is_empty() => {
                let mut bytes = write_head(asked, head, Length::Of(length));
                bytes.truncate(part(bytes.len(), fraction));
                Self::closing(bytes)
            }
            SocketFault::Truncate(fraction) => {
                with_head(Length::Of(length), &body[..part(body.len(), fraction)])
            }
        }
    }
}

/// Returns the length that a response announces: that of its body, save in a response to HEAD.
pub(super) fn announced_length(response: &Response<Bytes>) -> usize {
    let header = response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    header.unwrap_or(response.body().len())
}

/// Returns a part of `whole`: all of it only for 1 and more, nothing for NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "the fraction is between 0 and 1, and a byte more or less is no matter"
)]
pub(super) fn part(whole: usize, fraction: f64) -> usize {
    if fraction >= 1.0 {
        return whole;
    }
    ((whole as f64 * fraction.max(0.0)) as usize).min(whole.saturating_sub(1))
}

/// Returns a response as hyper would write it, which says how the connection ends only if it is to.
pub(super) fn write_response(asked: &Asked, response: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = write_head(asked, response, Length::Of(response.body().len()));
    if has_body(asked, response.status()) {
        bytes.extend_from_slice(response.body());
    }
    bytes
}

/// RFC 9110 §6.4.1.
fn has_body(asked: &Asked, status: StatusCode) -> bool {
    asked.method != Method::HEAD
        && !status.is_informational()
        && status != StatusCode::NO_CONTENT
        && status != StatusCode::NOT_MODIFIED
}

fn write_head(asked: &Asked, response: &Response<Bytes>, length: Length) -> Vec<u8> {
    let mut bytes = Vec::new();
    response_head::write(&mut bytes, asked.version, response.status(), response.headers(), length);
    bytes
}
