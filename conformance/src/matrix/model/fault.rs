//! Faults as symbols: what of a request still happens, and what the client gets to see.

use crate::matrix::model::gateway::Reply;
use crate::matrix::model::types::World;

/// The kinds that the mock has, each with one measure. What each does is copied by hand from the mock's own page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FaultKind {
    /// A SCIM error takes the place of the answer.
    Status(u16),
    /// The answer comes later.
    Latency,
    /// No answer for a while, then the connection ends.
    Hang,
    /// The connection is reset.
    Reset,
    /// The connection ends without a byte.
    EmptyReply,
    /// A chunk of the answer has no size.
    MalformedChunk,
    /// Half of the body, then the connection ends.
    Truncate,
    /// Random bytes instead of an answer.
    Garbage,
    /// The answer comes in small pieces.
    Dribble,
    /// The announced length is greater than the body.
    LongLength,
    /// The announced length is less than the body, which is no JSON any more.
    ShortLength,
    /// The answer calls itself a web page.
    WrongType,
    /// The answer is whole, then the connection ends unannounced.
    CloseAfter,
    /// New connections are refused for a moment.
    Refuse,
    /// The token expires.
    ExpireToken,
    /// 401 once.
    Unauthorized,
    /// All credentials are refused from now on.
    Revoke,
}

/// The answer that the client gets in place of the true one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    Status(u16),
    /// No answer, or an incomplete one.
    Broken,
    /// The true answer, with a body that says nothing.
    Cut,
    /// The true answer.
    Harmless,
}

impl FaultKind {
    /// All kinds, and each status with a meaning of its own.
    pub const ALL: [Self; 35] = [
        Self::Status(400),
        Self::Status(401),
        Self::Status(403),
        Self::Status(404),
        Self::Status(405),
        Self::Status(408),
        Self::Status(409),
        Self::Status(410),
        Self::Status(412),
        Self::Status(413),
        Self::Status(415),
        Self::Status(422),
        Self::Status(429),
        Self::Status(500),
        Self::Status(501),
        Self::Status(502),
        Self::Status(503),
        Self::Status(504),
        Self::Status(505),
        Self::Latency,
        Self::Hang,
        Self::Reset,
        Self::EmptyReply,
        Self::MalformedChunk,
        Self::Truncate,
        Self::Garbage,
        Self::Dribble,
        Self::LongLength,
        Self::ShortLength,
        Self::WrongType,
        Self::CloseAfter,
        Self::Refuse,
        Self::ExpireToken,
        Self::Unauthorized,
        Self::Revoke,
    ];

    /// Returns the fault as the mock's rules spell it.
    pub fn rule(self) -> String {
        let rule = match self {
            Self::Status(status) => return format!("status={status}"),
            Self::Latency => "latency=2ms",
            Self::Hang => "hang=3ms",
            Self::Reset => "reset",
            Self::EmptyReply => "empty-reply",
            Self::MalformedChunk => "malformed-chunk",
            Self::Truncate => "truncate=0.5",
            Self::Garbage => "garbage=64",
            Self::Dribble => "dribble=128/1ms",
            Self::LongLength => "wrong-length=+10",
            Self::ShortLength => "wrong-length=-3",
            Self::WrongType => "wrong-type=text/html",
            Self::CloseAfter => "close-after",
            Self::Refuse => "refuse=3ms",
            Self::ExpireToken => "expire-token",
            Self::Unauthorized => "unauthorized",
            Self::Revoke => "revoke",
        };
        rule.to_owned()
    }

    /// Returns the word in cell ids.
    pub fn slug(self) -> String {
        match self {
            Self::Status(status) => format!("status-{status}"),
            Self::LongLength => "wrong-length-more".to_owned(),
            Self::ShortLength => "wrong-length-less".to_owned(),
            kind => kind.rule().split('=').next().unwrap_or_default().to_owned(),
        }
    }

    /// Whether it spoils the true answer, so that the request has taken effect by then.
    pub fn spoils_the_answer(self) -> bool {
        match self {
            Self::MalformedChunk
            | Self::Truncate
            | Self::Dribble
            | Self::LongLength
            | Self::ShortLength
            | Self::WrongType
            | Self::CloseAfter => true,
            Self::Status(_)
            | Self::Latency
            | Self::Hang
            | Self::Reset
            | Self::EmptyReply
            | Self::Garbage
            | Self::Refuse
            | Self::ExpireToken
            | Self::Unauthorized
            | Self::Revoke => false,
        }
    }

    /// Whether it can also strike after the effect, and only the answer is lost then.
    pub fn can_lose_the_answer(self) -> bool {
        match self {
            Self::Status(503 | 504) | Self::Hang | Self::Reset | Self::EmptyReply | Self::Garbage => true,
            Self::Status(_)
            | Self::Latency
            | Self::MalformedChunk
            | Self::Truncate
            | Self::Dribble
            | Self::LongLength
            | Self::ShortLength
            | Self::WrongType
            | Self::CloseAfter
            | Self::Refuse
            | Self::ExpireToken
            | Self::Unauthorized
            | Self::Revoke => false,
        }
    }

    fn strike(self) -> Strike {
        match self {
            Self::Status(status) => Strike::Status(status),
            Self::Hang
            | Self::Reset
            | Self::EmptyReply
            | Self::MalformedChunk
            | Self::Truncate
            | Self::Garbage
            | Self::LongLength => Strike::Broken,
            Self::ShortLength => Strike::Cut,
            Self::Latency | Self::Dribble | Self::WrongType | Self::CloseAfter | Self::Refuse => {
                Strike::Harmless
            }
            Self::ExpireToken | Self::Unauthorized | Self::Revoke => Strike::Status(401),
        }
    }
}

/// The requests that a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// All requests.
    Any,
    /// The requests of a method.
    Method(&'static str),
    /// Look-ups, and the second half of the connection test.
    List,
    /// Reads by id.
    Read,
}

/// A fault at the mock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultRule {
    /// The kind of fault.
    pub kind: FaultKind,
    /// Whether the request takes effect first, so that only its answer is lost.
    pub after_effect: bool,
    /// The requests that it applies to.
    pub on: On,
    /// The number of matching requests that pass first.
    pub skip: u32,
    /// The number of times; none: until the faults are cleared.
    pub times: Option<u32>,
}

impl FaultRule {
    /// Returns a rule that answers a status, `times` times, without an effect.
    pub fn status(status: u16, times: u32, on: On) -> Self {
        Self { kind: FaultKind::Status(status), after_effect: false, on, skip: 0, times: Some(times) }
    }

    /// Returns the fault as a rule of the mock.
    pub fn rule(self) -> String {
        let mut text = self.kind.rule();
        match self.on {
            On::Any => {}
            On::Method(method) => append!(text, " method={method}"),
            On::List => text.push_str(" method=GET path=/Users"),
            On::Read => text.push_str(" method=GET path=/Users/*"),
        }
        if self.skip > 0 {
            append!(text, " after={}", self.skip);
        }
        match self.times {
            Some(times) => append!(text, " times={times}"),
            None => text.push_str(" times=always"),
        }
        if self.after_effect && !self.kind.spoils_the_answer() {
            text.push_str(" phase=after");
        }
        text
    }
}

/// A rule, and the number of requests that it has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: FaultRule,
    seen: u32,
    struck: u32,
}

impl Fault {
    pub(crate) fn new(rule: FaultRule) -> Self {
        Self { rule, seen: 0, struck: 0 }
    }

    fn strikes(&mut self) -> bool {
        self.seen += 1;
        let strikes = self.seen > self.rule.skip && self.rule.times.is_none_or(|times| self.struck < times);
        self.struck += u32::from(strikes);
        strikes
    }
}

/// A request, as far as faults tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    List,
    Read,
    Post,
    Put,
    Patch,
    Delete,
}

impl Request {
    fn is_meant(self, on: On) -> bool {
        match on {
            On::Any => true,
            On::List => self == Self::List,
            On::Read => self == Self::Read,
            On::Method(method) => {
                method
                    == match self {
                        Self::List | Self::Read => "GET",
                        Self::Post => "POST",
                        Self::Put => "PUT",
                        Self::Patch => "PATCH",
                        Self::Delete => "DELETE",
                    }
            }
        }
    }
}

impl World {
    /// Sends a request: its effect, unless a fault comes first, and its answer.
    pub(crate) fn request(&mut self, request: Request, effect: impl FnOnce(&mut Self) -> Reply) -> Reply {
        let mut met = self.faults.iter_mut().filter(|fault| request.is_meant(fault.rule.on));
        let rule = met.find_map(|fault| fault.strikes().then_some(fault.rule));
        let Some(rule) = rule else { return effect(self) };
        // The answer to a DELETE has no body that its end could be lost of.
        let bodiless = request == Request::Delete
            && matches!(rule.kind, FaultKind::MalformedChunk | FaultKind::LongLength);
        let strike = if bodiless { Strike::Harmless } else { rule.kind.strike() };
        if strike == Strike::Harmless {
            return effect(self);
        }
        let late = rule.after_effect || rule.kind.spoils_the_answer();
        let answer = if late { effect(self) } else { Reply::Success };
        match strike {
            Strike::Status(status) => Reply::Error(status),
            Strike::Broken => Reply::Broken,
            Strike::Cut if answer == Reply::Success => Reply::Cut,
            Strike::Cut | Strike::Harmless => answer,
        }
    }
}
