//! What a fault does, and what of it makes sense.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use scim::error::ScimType;

use super::Phase;
use crate::fault::lexer::quoted;
use crate::fault::rng::Draw;
use crate::units::duration;

/// No reply is held back longer than this by a latency that is drawn without an upper end.
const LONGEST_DRAW: Duration = Duration::from_mins(1);
/// The most bytes that are sent instead of a reply.
pub(super) const MOST_GARBAGE: usize = 1024 * 1024;
/// The widest spread of a latency: a draw is then anything from nothing to the longest.
const WIDEST_SIGMA: f64 = 10.0;

/// What happens to a request that a fault strikes.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultKind {
    /// A SCIM error takes the place of the reply (`status=503`).
    Status {
        /// From 200 to 599; any other is answered as 500.
        status: u16,
        /// The `scimType` of the error.
        scim_type: Option<ScimType>,
        /// The `detail` of the error.
        detail: Option<String>,
        /// The value of `Retry-After`, whatever it says.
        retry_after: Option<String>,
    },
    /// The reply comes later (`latency=200ms`). It adds to other latencies, and to whatever else strikes. A client
    /// that gives up while it waits before the effect causes none; after it, the effect stays. The journal shows both
    /// without a status.
    Latency(Latency),
    /// No reply for so long, or until the client gives up (`hang`); then the connection ends.
    Hang(Option<Duration>),
    /// The connection is reset (`reset`).
    Reset,
    /// The connection ends without a byte (`empty-reply`).
    EmptyReply,
    /// A chunked reply with a chunk that has no size (`malformed-chunk`).
    MalformedChunk,
    /// This fraction of the body, then the connection ends (`truncate=0.5`).
    Truncate(f64),
    /// So many random bytes instead of a reply, then the connection ends (`garbage=64`).
    Garbage(usize),
    /// The reply comes in small pieces (`dribble=16/10ms`).
    Dribble {
        /// Bytes in a piece.
        chunk: usize,
        /// Between two pieces.
        pause: Duration,
    },
    /// `Content-Length` is off by so many bytes (`wrong-length=+10`).
    WrongLength(i64),
    /// This `Content-Type` instead of the true one (`wrong-type=text/html`).
    WrongType(String),
    /// A whole reply, and then the connection ends, which nothing announced (`close-after`).
    CloseAfter,
    /// New connections are refused for so long (`refuse=2s`), whatever they are for: administration on the same port
    /// too. The request that set it off is answered as always, and connections that are open stay.
    Refuse(Duration),
    /// The bearer token of the request expires now, and the request is answered 401 (`expire-token`). A client of the
    /// token endpoint fetches another one; a fixed token is good again once the rule is removed.
    ExpireToken,
    /// 401 although the credentials are right (`unauthorized`).
    Unauthorized,
    /// All credentials are refused from now on, whatever the rule was waiting for, until it is removed or its time is
    /// over (`revoke`).
    Revoke,
}

/// How much later a reply comes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Anything between the two, evenly spread.
    Uniform(Duration, Duration),
    /// Mostly near the median, now and then much longer, as networks are; never more than 60 seconds.
    Lognormal {
        /// Half of the draws are below it.
        median: Duration,
        /// How far they spread: 0 not at all, 0.5 like a good network, 1 like a bad one.
        sigma: f64,
    },
}

impl Latency {
    pub(super) fn drawn(self, draw: &mut Draw) -> Duration {
        match self {
            Self::Fixed(span) => span,
            Self::Uniform(least, most) => {
                let wide = most.saturating_sub(least);
                least.saturating_add(
                    Duration::try_from_secs_f64(wide.as_secs_f64() * draw.unit()).unwrap_or(wide),
                )
            }
            Self::Lognormal { median, sigma } => {
                let seconds = median.as_secs_f64() * (sigma * draw.normal()).exp();
                Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_DRAW).min(LONGEST_DRAW)
            }
        }
    }

    fn sane(self) -> Self {
        match self {
            Self::Uniform(least, most) if least > most => Self::Uniform(most, least),
            Self::Lognormal { median, sigma } => {
                let sigma = if sigma.is_nan() { 0.0 } else { sigma.clamp(0.0, WIDEST_SIGMA) };
                Self::Lognormal { median, sigma }
            }
            sane => sane,
        }
    }

    /// Reads `200ms`, `uniform(50ms,200ms)` or `lognormal(120ms,0.5)`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let Some((shape, rest)) = text.split_once('(') else { return duration::parse(text).map(Self::Fixed) };
        let (first, second) = rest.strip_suffix(')')?.split_once(',')?;
        let (first, second) = (duration::parse(first.trim())?, second.trim());
        let latency = match shape {
            "uniform" => Self::Uniform(first, duration::parse(second)?),
            "lognormal" => Self::Lognormal { median: first, sigma: second.parse().ok()? },
            _ => return None,
        };
        // What would have to be corrected was not meant.
        (latency.sane() == latency).then_some(latency)
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(span) => f.write_str(&duration::display(*span)),
            Self::Uniform(least, most) => {
                write!(f, "uniform({},{})", duration::display(*least), duration::display(*most))
            }
            Self::Lognormal { median, sigma } => {
                write!(f, "lognormal({},{sigma})", duration::display(*median))
            }
        }
    }
}

impl FaultKind {
    /// Just this status.
    pub(super) fn status(status: u16) -> Self {
        Self::Status { status, scim_type: None, detail: None, retry_after: None }
    }

    /// The word that a rule has for it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Latency(_) => "latency",
            Self::Hang(_) => "hang",
            Self::Reset => "reset",
            Self::EmptyReply => "empty-reply",
            Self::MalformedChunk => "malformed-chunk",
            Self::Truncate(_) => "truncate",
            Self::Garbage(_) => "garbage",
            Self::Dribble { .. } => "dribble",
            Self::WrongLength(_) => "wrong-length",
            Self::WrongType(_) => "wrong-type",
            Self::CloseAfter => "close-after",
            Self::Refuse(_) => "refuse",
            Self::ExpireToken => "expire-token",
            Self::Unauthorized => "unauthorized",
            Self::Revoke => "revoke",
        }
    }

    /// Whether it spoils the true reply, and so can only strike once there is one.
    pub(super) fn needs_reply(&self) -> bool {
        matches!(
            self,
            Self::MalformedChunk
                | Self::Truncate(_)
                | Self::Dribble { .. }
                | Self::WrongLength(_)
                | Self::WrongType(_)
                | Self::CloseAfter
        )
    }

    /// When it strikes unless a rule says otherwise.
    pub(super) fn usual_phase(&self) -> Phase {
        if self.needs_reply() { Phase::AfterEffect } else { Phase::BeforeEffect }
    }

    /// The nearest that can be carried out, and written as a rule.
    pub(super) fn sane(self) -> Self {
        match self {
            Self::Status { status, scim_type, detail, retry_after } => Self::Status {
                status: if is_status(status) { status } else { StatusCode::INTERNAL_SERVER_ERROR.as_u16() },
                scim_type,
                detail,
                retry_after: retry_after.map(header_text),
            },
            Self::Latency(latency) => Self::Latency(latency.sane()),
            Self::Truncate(part) => Self::Truncate(if part.is_nan() { 0.0 } else { part.clamp(0.0, 1.0) }),
            Self::Garbage(bytes) => Self::Garbage(bytes.clamp(1, MOST_GARBAGE)),
            Self::Dribble { chunk, pause } => Self::Dribble { chunk: chunk.max(1), pause },
            Self::WrongLength(0) => Self::WrongLength(1),
            Self::WrongType(kind) => Self::WrongType(header_text(kind)),
            sane => sane,
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Status { status, scim_type, detail, retry_after } => {
                write!(f, "={status}")?;
                if let Some(scim_type) = scim_type {
                    write!(f, " scim-type={scim_type}")?;
                }
                for (key, value) in [("detail", detail), ("retry-after", retry_after)] {
                    if let Some(value) = value {
                        write!(f, " {key}={}", quoted(value))?;
                    }
                }
                Ok(())
            }
            Self::Latency(latency) => write!(f, "={latency}"),
            Self::Hang(Some(span)) | Self::Refuse(span) => write!(f, "={}", duration::display(*span)),
            Self::Truncate(part) => write!(f, "={part}"),
            Self::Garbage(bytes) => write!(f, "={bytes}"),
            Self::Dribble { chunk: 1, pause } => write!(f, "={}", duration::display(*pause)),
            Self::Dribble { chunk, pause } => write!(f, "={chunk}/{}", duration::display(*pause)),
            Self::WrongLength(off) => write!(f, "={off:+}"),
            Self::WrongType(kind) => write!(f, "={}", quoted(kind)),
            _ => Ok(()),
        }
    }
}

pub(super) fn is_status(status: u16) -> bool {
    (200..600).contains(&status)
}

/// What of the text can be sent as the value of a header.
pub(super) fn header_text(mut text: String) -> String {
    text.retain(is_header_letter);
    text
}

/// Whether the text can be sent as the value of a header as it is.
pub(super) fn is_header_text(text: &str) -> bool {
    text.chars().all(is_header_letter)
}

/// RFC 9110 §5.5, without what only old senders use.
fn is_header_letter(letter: char) -> bool {
    letter == ' ' || letter.is_ascii_graphic()
}
