//! Faults: rules that make requests go wrong, and what has become of them.
//!
//! A rule says which requests it concerns, which of those it strikes, before or after their effect, and what happens
//! then; one grammar serves the command line, files, administration and the library. Everything here is pure:
//! it decides. The server carries out.

mod engine;
mod error;
mod grammar;
mod kind;
mod lexer;
mod matching;
mod preset;
mod rng;
mod satisfiable;
#[cfg(test)]
mod tests;
mod trigger;

use std::time::Duration;

use scim::error::ScimType;

use crate::units::glob::Glob;

pub(crate) use crate::fault::lexer::{Word, words};
pub(crate) use crate::fault::satisfiable::{METHODS, Places, unknown_method};
pub use engine::{FaultId, FaultState};
pub(crate) use engine::{Faults, Strikes, Struck};
pub use error::{ParseFaultError, ParseFaultsError};
use kind::header_text;
pub use kind::{FaultKind, Latency};
use matching::Matching;
pub(crate) use matching::{Subject, patch_paths, user_name};
pub use trigger::Moment;
use trigger::{Times, Trigger};

/// When a fault or a [`Hold`](crate::Hold) strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before the request does anything.
    BeforeEffect,
    /// After the request did what it does, before the answer leaves.
    AfterEffect,
}

/// A rule that makes matching requests go wrong.
///
/// As text it is words with white space between them, values with spaces in double quotes:
/// - one thing that happens: `status=503` (with `scim-type`, `detail`, `retry-after` if wanted), `latency=200ms` (or
///   `uniform(50ms,200ms)`, `lognormal(120ms,0.5)`), `hang` or `hang=30s`, `reset`, `empty-reply`,
///   `malformed-chunk`, `truncate=0.5`, `garbage=64`, `dribble=10ms` or `dribble=16/10ms`, `wrong-length=+10`,
///   `wrong-type=text/html`, `close-after`, `refuse=2s`, `expire-token`, `unauthorized`, `revoke`;
/// - which requests: `method=PUT,PATCH`, `path=/Users/*` (`*` within a segment, `**` any number of segments), `type=User`, `id=…`,
///   `user-name=…`, `patch-path=active`; `nth=3` means the third of those alone;
/// - when: `times=2` (at most) or `times=always`, `every=10`, `after=5` (not the first five), `probability=0.2`,
///   `from=+10s`, `until=2026-11-23T10:00:00Z`, `ttl=30s` (the rule goes so long after it was added);
/// - `phase=before` or `phase=after` the effect of the request.
///
/// A rule that doesn't say when strikes once; one that says it otherwise than by `times`, without end.
///
/// A text whose rule could never strike (`method=POTS`, `path=/scim/Users`, `times=0`) is refused.
///
/// A request whose credentials are wrong is answered 401 before any rule looks at it. Of the others each one counts for
/// every rule that matches, whatever else is wrong with it.
///
/// ```
/// use mock_aquera::Fault;
///
/// let fault: Fault = "status=503 times=2 method=POST".parse()?;
/// assert_eq!(fault, Fault::status(503).times(2).method("POST"));
/// assert_eq!(fault.to_string(), "status=503 method=POST times=2");
/// # Ok::<(), mock_aquera::ParseFaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    kind: FaultKind,
    matching: Matching,
    trigger: Trigger,
    phase: Phase,
}

impl Fault {
    /// Does this to any request, once. Numbers that can't be carried out are replaced by the nearest that can.
    pub fn new(kind: FaultKind) -> Self {
        let kind = kind.sane();
        let phase = kind.usual_phase();
        Self { kind, matching: Matching::default(), trigger: Trigger::default(), phase }
    }

    /// Answers `status`. A number that is no HTTP status from 200 to 599 is answered as 500.
    pub fn status(status: u16) -> Self {
        Self::new(FaultKind::status(status))
    }

    /// Makes the reply wait.
    pub fn latency(span: Duration) -> Self {
        Self::new(FaultKind::Latency(Latency::Fixed(span)))
    }

    /// Never replies.
    pub fn hang() -> Self {
        Self::new(FaultKind::Hang(None))
    }

    /// Resets the connection.
    pub fn reset() -> Self {
        Self::new(FaultKind::Reset)
    }

    /// Refuses all credentials from the first request on that it strikes, until it is removed or its time is over.
    pub fn revoke() -> Self {
        Self::new(FaultKind::Revoke)
    }

    /// What happens to a request that it strikes.
    pub fn kind(&self) -> &FaultKind {
        &self.kind
    }

    /// Strikes so many requests at most.
    pub fn times(mut self, times: u32) -> Self {
        self.trigger.times = Some(Times::UpTo(times));
        self
    }

    /// Strikes without end.
    pub fn always(mut self) -> Self {
        self.trigger.times = Some(Times::Always);
        self
    }

    /// Strikes only the match of this number since it was added, counted from one.
    pub fn nth(mut self, nth: u32) -> Self {
        self.trigger.nth = Some(nth.max(1));
        self
    }

    /// Strikes every so manieth match.
    pub fn every(mut self, every: u32) -> Self {
        self.trigger.every = Some(every.max(1));
        self
    }

    /// Leaves the first matches alone, so many of them.
    pub fn after(mut self, after: u32) -> Self {
        self.trigger.after = Some(after);
        self
    }

    /// Strikes a match with this probability, from 0 to 1.
    pub fn probability(mut self, probability: f64) -> Self {
        let sane = if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) };
        self.trigger.probability = Some(sane);
        self
    }

    /// Strikes from this instant on.
    pub fn from(mut self, moment: impl Into<Moment>) -> Self {
        self.trigger.from = Some(moment.into());
        self
    }

    /// Strikes before this instant only.
    pub fn until(mut self, moment: impl Into<Moment>) -> Self {
        self.trigger.until = Some(moment.into());
        self
    }

    /// Goes so long after it was added.
    pub fn ttl(mut self, span: Duration) -> Self {
        self.trigger.ttl = Some(span);
        self
    }

    /// Strikes requests with this method only, or with one of several that have commas between them. Unchecked:
    /// what isn't a method matches nothing.
    pub fn method(mut self, method: impl Into<String>) -> Self {
        let methods = method.into();
        self.matching.methods =
            Some(methods.split(',').map(|name| name.trim().to_ascii_uppercase()).collect());
        self
    }

    /// Strikes only requests whose path below the base URL matches: `*` matches anything within a segment, `**` any number
    /// of segments, none included, so `/Users/**` matches `/Users` too.
    pub fn path(mut self, glob: impl AsRef<str>) -> Self {
        self.matching.path = Some(Glob::new(glob.as_ref()));
        self
    }

    /// Strikes requests about resources of this type only.
    pub fn resource_type(mut self, name: impl Into<String>) -> Self {
        self.matching.resource_type = Some(name.into());
        self
    }

    /// Strikes requests about the resource with this id only.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.matching.id = Some(id.into());
        self
    }

    /// Strikes requests about the user of this name only, compared without case.
    pub fn user_name(mut self, name: impl Into<String>) -> Self {
        self.matching.user_name = Some(name.into());
        self
    }

    /// Strikes PATCH requests only that have an operation on this path, compared without case.
    pub fn patch_path(mut self, path: impl Into<String>) -> Self {
        self.matching.patch_path = Some(path.into());
        self
    }

    /// Strikes before the effect (mostly the default) or after it. A fault that spoils the true reply always strikes
    /// after it.
    pub fn phase(mut self, phase: Phase) -> Self {
        if !self.kind.needs_reply() {
            self.phase = phase;
        }
        self
    }

    /// Sends this `Retry-After` with a status: seconds, an HTTP date, or something else that makes no sense.
    /// Characters that no header can carry are left out.
    pub fn retry_after(mut self, value: impl Into<String>) -> Self {
        if let FaultKind::Status { retry_after, .. } = &mut self.kind {
            *retry_after = Some(header_text(value.into()));
        }
        self
    }

    /// Sends this `scimType` with a status.
    pub fn scim_type(mut self, keyword: ScimType) -> Self {
        if let FaultKind::Status { scim_type, .. } = &mut self.kind {
            *scim_type = Some(keyword);
        }
        self
    }

    /// Sends this `detail` with a status.
    pub fn detail(mut self, value: impl Into<String>) -> Self {
        if let FaultKind::Status { detail, .. } = &mut self.kind {
            *detail = Some(value.into());
        }
        self
    }
}
