//! Expectations about what came in, and the explanation where it didn't.
//!
//! ```
//! use mock_aquera::Expect;
//!
//! let expectation = Expect::request()
//!     .method("PATCH")
//!     .user_name("bjensen")
//!     .body_at("/Operations/0/path", "active")
//!     .times(1);
//! assert_eq!(expectation.times.to_string(), "exactly once");
//! ```
//!
//! [`Application::verify`](crate::Application::verify) judges one against the journal. The request that fails the
//! fewest of the criteria is the nearest miss, and the verification says what it lacks.

mod body;
mod shell;
mod times;

use std::collections::BTreeMap;
use std::fmt;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

pub use crate::verify::shell::ParseExpectationError;
pub use times::Times;

use crate::journal::redact::{self, REDACTED};
use crate::journal::{Exchange, Journal, JournalQuery, OperationKind, QueryError, StatusMatch, wire};

/// Another name of [`Expectation`], for `Expect::request()`.
pub type Expect = Expectation;

/// How many requests of which kind are to come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Expectation {
    /// Which requests; `limit` and `order` don't count.
    #[serde(deserialize_with = "crate::parse_message::object")]
    pub request: JournalQuery,
    /// Values of request headers. Those of credentials are redacted: `[redacted]` asks whether there are any,
    /// `Bearer [redacted]` for their scheme.
    pub headers: BTreeMap<String, String>,
    /// Values in the request's body, by JSON pointer. A password is redacted: `[redacted]` asks whether there is one.
    pub body_at: BTreeMap<String, Value>,
    /// What the request's body contains: each member that is given, in an array each element in any order.
    pub body_includes: Option<Value>,
    /// How many; at least one unless said otherwise.
    pub times: Times,
}

/// What became of an expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether so many came as were expected.
    pub satisfied: bool,
    /// How many fit.
    pub matched: u64,
    /// How many were expected, in words.
    pub expected: String,
    /// Which requests were expected, in words.
    pub request: String,
    /// The first of those that fit.
    pub matches: Vec<Seen>,
    /// How many requests were looked at.
    pub looked_at: u64,
    /// How many more may fit, where that decides: what they are compared by is redacted.
    #[serde(default)]
    pub undecided: u64,
    /// Where too few fit, or it can't be told: the request that fails the fewest criteria, the latest of several.
    pub nearest_miss: Option<Miss>,
}

/// A request that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Its number in the journal.
    pub seq: u64,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// The status of the response. `None` if there was none; in JSON: 0.
    #[serde(with = "wire::status")]
    #[schema(value_type = u16)]
    pub status: Option<StatusCode>,
}

/// A request that nearly fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Miss {
    /// Its number in the journal.
    pub seq: u64,
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub path: String,
    /// What it lacks, in plain words, one criterion each.
    pub differences: Vec<String>,
}

/// What a request lacks, in plain words.
enum Difference {
    Known(String),
    /// It may lack nothing: what would tell is redacted.
    Hidden(String),
}

impl Difference {
    fn text(self) -> String {
        match self {
            Self::Known(text) | Self::Hidden(text) => text,
        }
    }
}

/// So many of the requests that fit are named.
const MAX_NAMED: usize = 10;

/// Judges what a journal remembers.
pub(crate) fn verify(journal: &Journal, expectation: &Expectation) -> Verification {
    let since = expectation.request.since_seq.unwrap_or(0);
    expectation.judge(journal.exchanges_after(since))
}

impl Expectation {
    /// Any request, at least once.
    pub fn request() -> Self {
        Self::default()
    }

    /// Requests that a query asks for.
    pub fn of(request: JournalQuery) -> Self {
        Self { request, ..Self::default() }
    }

    /// Cut or refused without an answer.
    pub fn unanswered(mut self) -> Self {
        self.request.status = Some(StatusMatch::None);
        self
    }

    /// With this header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    /// With this value at a JSON pointer of the body.
    pub fn body_at(mut self, pointer: impl Into<String>, value: impl Into<Value>) -> Self {
        self.body_at.insert(pointer.into(), value.into());
        self
    }

    /// With a body that contains this.
    pub fn body_includes(mut self, part: impl Into<Value>) -> Self {
        self.body_includes = Some(part.into());
        self
    }

    /// So many times: a number, or a range like `1..`, `..=3` or `1..=3`.
    pub fn times(mut self, times: impl Into<Times>) -> Self {
        self.times = times.into();
        self
    }

    /// Not at all.
    pub fn never(self) -> Self {
        self.times(Times::Never)
    }

    /// Makes sure that the numbers and the places in bodies can be meant.
    pub(crate) fn can_be_satisfied(&self) -> Result<(), QueryError> {
        let never =
            |criterion: String, why: &str| Err(QueryError::NeverMatches { criterion, why: why.to_owned() });
        if let Times::Between { from, to } = self.times
            && from > to
        {
            return never(format!("times={from}..{to}"), "it ends before it begins");
        }
        if let Some(pointer) = self.body_at.keys().find(|at| !at.is_empty() && !at.starts_with('/')) {
            let why = format!("a JSON pointer begins with a slash; write `/{pointer}`");
            return never(format!("bodyAt {pointer}"), &why);
        }
        let is_name = |name: &str| name.parse::<axum::http::HeaderName>().is_ok();
        match self.headers.keys().find(|name| !is_name(name)) {
            Some(name) => never(format!("header {name}"), "no header has such a name"),
            None => self.can_be_compared(),
        }
    }

    /// Makes sure that the journal keeps what is expected.
    fn can_be_compared(&self) -> Result<(), QueryError> {
        let hidden = |criterion: String, instead: String| Err(QueryError::Redacted { criterion, instead });
        for (name, value) in &self.headers {
            if redact::expected_header(name, value) != *value {
                let scheme = if name.eq_ignore_ascii_case("authorization") {
                    ", or with the scheme, such as `Bearer [redacted]`,"
                } else {
                    ""
                };
                return hidden(format!("header {name}"), format!("`{REDACTED}`{scheme}"));
            }
        }
        if let Some((at, _)) =
            self.body_at.iter().find(|(at, value)| redact::expected_at(at, value) != **value)
        {
            return hidden(format!("bodyAt {at}"), format!("`{REDACTED}`"));
        }
        match &self.body_includes {
            Some(part) if redact::expected_at("", part) != *part => {
                hidden("a secret in bodyIncludes".to_owned(), format!("`{REDACTED}` in its place"))
            }
            _ => Ok(()),
        }
    }

    /// Whether an exchange is one of those that are expected.
    pub fn matches(&self, exchange: &Exchange) -> bool {
        self.request.matches(exchange) && self.more_differences(exchange).is_empty()
    }

    /// Judges exchanges, given in the order in which they came.
    pub fn verify(&self, exchanges: &[Exchange]) -> Verification {
        self.judge(exchanges)
    }

    pub(crate) fn judge<E: std::borrow::Borrow<Exchange>>(
        &self,
        exchanges: impl IntoIterator<Item = E>,
    ) -> Verification {
        let (mut matched, mut undecided, mut looked_at) = (0, 0, 0);
        let mut matches = Vec::new();
        let mut nearest: Option<((bool, usize), Miss)> = None;
        for exchange in exchanges {
            let exchange = exchange.borrow();
            if self.request.since_seq.is_some_and(|since| exchange.seq <= since) {
                continue;
            }
            looked_at += 1;
            let mut differences = self.more_differences(exchange);
            let of_query = self.request.differences(exchange);
            differences.splice(0..0, of_query.into_iter().map(Difference::Known));
            let is_open = differences.iter().all(|one| matches!(one, Difference::Hidden(_)));
            undecided += u64::from(is_open && !differences.is_empty());
            let rank = (!is_open, differences.len());
            if differences.is_empty() {
                matched += 1;
                if matches.len() < MAX_NAMED {
                    matches.push(Seen {
                        seq: exchange.seq,
                        method: exchange.method.clone(),
                        path: exchange.path.clone(),
                        status: exchange.status,
                    });
                }
            } else if nearest.as_ref().is_none_or(|(known, _)| rank <= *known) {
                let miss = Miss {
                    seq: exchange.seq,
                    method: exchange.method.clone(),
                    path: exchange.path.clone(),
                    differences: differences.into_iter().map(Difference::text).collect(),
                };
                nearest = Some((rank, miss));
            }
        }
        let satisfied = self.times.allows(matched) && self.times.allows(matched + undecided);
        if satisfied || !self.times.allows_any(matched..=matched + undecided) {
            undecided = 0;
        }
        Verification {
            satisfied,
            matched,
            expected: self.times.to_string(),
            request: self.to_string(),
            matches,
            looked_at,
            undecided,
            nearest_miss: nearest
                .map(|(_, miss)| miss)
                .filter(|_| undecided > 0 || self.times.wants_more_than(matched)),
        }
    }

    /// What is checked beyond the query.
    fn more_differences(&self, exchange: &Exchange) -> Vec<Difference> {
        let mut differences = Vec::new();
        for (name, written) in &self.headers {
            let wanted = &redact::expected_header(name, written);
            let mut values =
                exchange.request_headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            differences.push(match values.clone().next() {
                None => Difference::Known(format!("it has no header {name}, expected \"{wanted}\"")),
                Some((_, is)) if !values.any(|(_, is)| redact::header_fits(is, wanted)) => {
                    Difference::Known(format!("header {name} is \"{is}\", expected \"{wanted}\""))
                }
                Some(_) if written != wanted => {
                    Difference::Hidden(format!("header {name} is redacted and can't be compared"))
                }
                Some(_) => continue,
            });
        }
        let sent = exchange.request_body.as_ref();
        differences.extend(self.body_at.iter().filter_map(|(at, wanted)| body::at(sent, at, wanted)));
        if let Some(part) = &self.body_includes {
            differences.extend(body::includes(sent, part));
        }
        differences
    }
}

/// Declares methods that an expectation takes over from its query.
macro_rules! asking {
    ($($(#[$about:meta])* $name:ident($value:ident: $type:ty);)*) => {
        impl Expectation {$(
            $(#[$about])*
            pub fn $name(mut self, $value: $type) -> Self {
                self.request = self.request.$name($value);
                self
            }
        )*}
    };
}

asking! {
    /// With this method.
    method(method: impl Into<String>);
    /// At this path, whole or below the base URL; `*` is anything in a segment, `**` any segments.
    path(glob: impl Into<String>);
    /// That ask for this.
    operation(kind: OperationKind);
    /// About this resource type.
    resource_type(name: impl Into<String>);
    /// About this resource.
    id(id: impl Into<String>);
    /// About this user.
    user_name(name: impl Into<String>);
    /// That patch this.
    patch_path(path: impl Into<String>);
    /// Answered with this.
    status(status: u16);
    /// Answered with a status of this class: 4 for 400 to 499.
    status_class(class: u8);
    /// That a fault struck, or that none did.
    fault(struck: bool);
    /// After this one.
    since(seq: u64);
    /// With this text in the path or a body.
    contains(text: impl Into<String>);
}

/// Which requests are expected, in words: `PATCH with userName "bjensen"`.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let query = &self.request;
        f.write_str(query.method.as_deref().unwrap_or("a request"))?;
        if let Some(path) = &query.path {
            write!(f, " {path}")?;
        }
        let text =
            |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} \"{value}\""));
        let criteria = [
            query.operation.map(|kind| format!("operation {kind}")),
            text("resource type", &query.resource_type),
            text("id", &query.id),
            text("userName", &query.user_name),
            query.patch_path.as_deref().map(|path| format!("PATCH path \"{}\"", redact::expected_path(path))),
            query.status.map(|status| format!("status {status}")),
            query.fault.map(|struck| if struck { "a fault" } else { "no fault" }.to_owned()),
            text("the text", &query.contains),
        ];
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| format!("header {name} \"{}\"", redact::expected_header(name, value)));
        let values = self
            .body_at
            .iter()
            .map(|(at, value)| format!("body {at} {}", body::short(&redact::expected_at(at, value))));
        let part = self
            .body_includes
            .iter()
            .map(|part| format!("a body that includes {}", body::short(&redact::expected_at("", part))));
        let all: Vec<String> =
            criteria.into_iter().flatten().chain(headers).chain(values).chain(part).collect();
        if !all.is_empty() {
            write!(f, " with {}", all.join(", "))?;
        }
        match query.since_seq {
            Some(since) => write!(f, " after number {since}"),
            None => Ok(()),
        }
    }
}

/// Several lines that say what was expected, what came, and what the nearest request lacks.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let came = match self.matched {
            0 => "it never came".to_owned(),
            1 => "it came once".to_owned(),
            n => format!("it came {n} times"),
        };
        let but = if self.satisfied { "and" } else { "but" };
        write!(f, "expected {} {}, {but} ", self.request, self.expected)?;
        match self.undecided {
            0 => f.write_str(&came)?,
            1 => f.write_str("that can't be told: what decides about 1 request is redacted")?,
            n => write!(f, "that can't be told: what decides about {n} requests is redacted")?,
        }
        for seen in &self.matches {
            let status =
                seen.status.map_or_else(|| "no reply".to_owned(), |status| status.as_u16().to_string());
            write!(f, "\n  number {}: {} {} -> {status}", seen.seq, seen.method, seen.path)?;
        }
        let more = self.matched.saturating_sub(self.matches.len() as u64);
        if more > 0 {
            write!(f, "\n  and {more} more")?;
        }
        match &self.nearest_miss {
            Some(miss) => {
                write!(
                    f,
                    "\nnearest of {} looked at: number {}, {} {}",
                    self.looked_at, miss.seq, miss.method, miss.path
                )?;
                miss.differences.iter().try_for_each(|difference| write!(f, "\n  {difference}"))
            }
            None if !self.satisfied && self.looked_at == 0 => f.write_str("\nno request came at all"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
