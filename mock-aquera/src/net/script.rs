//! What is played on an HTTP/1 connection instead of a reply. Pure: bytes in, bytes out.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::{Method, Response, StatusCode, Version};

use super::head::{self, Length};
use super::wire::Sabotage;

/// A chunk size that is no hexadecimal number (RFC 9112 §7.1).
const NO_CHUNK_SIZE: &[u8] = b"not-a-size\r\n";

/// Bytes, and how the connection ends after them.
#[derive(Clone, PartialEq)]
pub(super) struct Script {
    pub(super) bytes: Vec<u8>,
    pub(super) then: Ending,
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

impl Script {
    pub(super) fn just(then: Ending) -> Self {
        Self { bytes: Vec::new(), then }
    }

    pub(super) fn closing(bytes: Vec<u8>) -> Self {
        Self { bytes, then: Ending::Close }
    }

    /// What this sabotage makes of a reply. A dribbled one is all there; that its bytes come slowly is the socket's.
    pub(super) fn new(sabotage: Sabotage, asked: &Asked, reply: &Response<Bytes>) -> Self {
        let (head, whole) = (reply, reply.body().as_ref());
        let body = if has_body(asked, head.status()) { whole } else { &[] };
        let with_head = |length, rest: &[u8]| {
            let mut bytes = write_head(asked, head, length);
            bytes.extend_from_slice(rest);
            Self::closing(bytes)
        };
        match sabotage {
            Sabotage::Reset => Self::just(Ending::Reset),
            Sabotage::EmptyReply => Self::just(Ending::Close),
            Sabotage::Hang(time) => Self::just(Ending::Silence(time)),
            Sabotage::Garbage(bytes) => Self::closing(bytes),
            Sabotage::CloseAfter | Sabotage::Dribble { .. } => with_head(Length::Of(whole.len()), body),
            Sabotage::MalformedChunk => with_head(Length::Chunked, &[NO_CHUNK_SIZE, body, b"\r\n"].concat()),
            Sabotage::WrongLength(by) => with_head(Length::Off(whole.len(), by), body),
            Sabotage::Truncate(fraction) if body.is_empty() => {
                let mut bytes = write_head(asked, head, Length::Of(whole.len()));
                bytes.truncate(part(bytes.len(), fraction));
                Self::closing(bytes)
            }
            Sabotage::Truncate(fraction) => {
                with_head(Length::Of(whole.len()), &body[..part(body.len(), fraction)])
            }
        }
    }
}

/// So much of a whole; all of it only for 1 and more, nothing for what is no number.
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

/// A reply as hyper would write it, which says how the connection ends only if it is to.
pub(super) fn write_reply(asked: &Asked, reply: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = write_head(asked, reply, Length::Of(reply.body().len()));
    if has_body(asked, reply.status()) {
        bytes.extend_from_slice(reply.body());
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

fn write_head(asked: &Asked, reply: &Response<Bytes>, length: Length) -> Vec<u8> {
    let mut bytes = Vec::new();
    head::write(&mut bytes, asked.version, reply.status(), reply.headers(), length);
    bytes
}
