//! Faults: a status instead of the true answer, a number of times.

use std::fmt;
use std::str::FromStr;

use axum::http::{HeaderValue, Method, StatusCode};

use crate::nearest::nearest;

/// When a fault or a [`Hold`](crate::Hold) strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Before the request does anything.
    BeforeEffect,
    /// After the request did what it does, before the answer leaves.
    AfterEffect,
}

/// A rule that answers matching requests with a status of its own.
///
/// Written `status=503 times=2 method=POST retry-after=3 phase=after`; all but `status` may be left out. A fault
/// strikes once unless `times` says more. A value with spaces stands in double quotes.
///
/// ```
/// let fault: mock_aquera::Fault = "status=503 times=2 method=POST".parse()?;
/// assert_eq!(fault, mock_aquera::Fault::status(503).times(2).method("POST"));
/// # Ok::<(), mock_aquera::ParseFaultError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    status: u16,
    times: u32,
    method: Option<String>,
    retry_after: Option<String>,
    phase: Phase,
}

impl Fault {
    /// Answers `status` once. A number that is no HTTP status from 200 to 599 is answered as 500.
    pub fn status(status: u16) -> Self {
        Self { status, times: 1, method: None, retry_after: None, phase: Phase::BeforeEffect }
    }

    /// How many requests it strikes.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Strikes requests with this method only.
    pub fn method(self, method: impl Into<String>) -> Self {
        Self { method: Some(method.into()), ..self }
    }

    /// Sends this `Retry-After`: seconds or an HTTP date, unchecked.
    pub fn retry_after(self, value: impl Into<String>) -> Self {
        Self { retry_after: Some(value.into()), ..self }
    }

    /// Strikes before the effect (the default) or after it.
    pub fn phase(self, phase: Phase) -> Self {
        Self { phase, ..self }
    }

    pub(crate) fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| (200..600).contains(&status.as_u16()))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn strikes_at(&self) -> Phase {
        self.phase
    }

    pub(crate) fn retry_after_header(&self) -> Option<HeaderValue> {
        self.retry_after.as_deref().and_then(|value| HeaderValue::from_str(value).ok())
    }

    fn concerns(&self, method: &Method) -> bool {
        self.method.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method.as_str()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status={} times={}", self.status, self.times)?;
        if let Some(method) = &self.method {
            write!(f, " method={method}")?;
        }
        match &self.retry_after {
            Some(value) if value.contains(char::is_whitespace) => write!(f, " retry-after=\"{value}\"")?,
            Some(value) => write!(f, " retry-after={value}")?,
            None => {}
        }
        match self.phase {
            Phase::BeforeEffect => Ok(()),
            Phase::AfterEffect => f.write_str(" phase=after"),
        }
    }
}

/// Why a text is no [`Fault`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseFaultError {
    /// A word is not `key=value`.
    #[error(
        "`{0}` is not key=value; a rule looks like `status=503 times=2 method=POST retry-after=3 phase=after`"
    )]
    NotAPair(String),
    /// The key is unknown.
    #[error("there is no `{key}` in a fault; did you mean `{nearest}`?")]
    UnknownKey {
        /// What was written.
        key: String,
        /// The key that looks most like it.
        nearest: &'static str,
    },
    /// The value doesn't fit the key.
    #[error("`{value}` does not fit `{key}`, which takes {takes}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// What was written.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A quotation mark has no partner.
    #[error("a quoted value is not closed")]
    OpenQuote,
    /// No `status`.
    #[error("a fault needs `status=NUMBER`")]
    NoStatus,
}

const KEYS: [&str; 5] = ["status", "times", "method", "retry-after", "phase"];

impl FromStr for Fault {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut status = None;
        let mut fault = Self::status(500);
        for word in words(text)? {
            let (key, value) =
                word.split_once('=').ok_or_else(|| ParseFaultError::NotAPair(word.to_owned()))?;
            let value = value.trim_matches('"');
            let bad = |key, takes| ParseFaultError::BadValue { key, value: value.to_owned(), takes };
            match key {
                "status" => {
                    let number = value.parse().ok().filter(|number| (200..600).contains(number));
                    status = Some(number.ok_or_else(|| bad("status", "an HTTP status from 200 to 599"))?);
                }
                "times" => {
                    let times = value.parse().ok().filter(|times| *times > 0);
                    fault.times = times.ok_or_else(|| bad("times", "a number from 1"))?;
                }
                "method" => {
                    let name = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphabetic());
                    fault.method = Some(
                        name.then(|| value.to_ascii_uppercase())
                            .ok_or_else(|| bad("method", "an HTTP method such as POST"))?,
                    );
                }
                "retry-after" => {
                    let header = !value.is_empty() && HeaderValue::from_str(value).is_ok();
                    fault.retry_after = Some(
                        header
                            .then(|| value.to_owned())
                            .ok_or_else(|| bad("retry-after", "seconds or an HTTP date"))?,
                    );
                }
                "phase" => {
                    fault.phase = match value {
                        "before" => Phase::BeforeEffect,
                        "after" => Phase::AfterEffect,
                        _ => return Err(bad("phase", "`before` or `after`")),
                    }
                }
                _ => {
                    return Err(ParseFaultError::UnknownKey {
                        key: key.to_owned(),
                        nearest: nearest(key, KEYS).unwrap_or("status"),
                    });
                }
            }
        }
        fault.status = status.ok_or(ParseFaultError::NoStatus)?;
        Ok(fault)
    }
}

/// Splits at white space outside quotation marks.
fn words(text: &str) -> Result<impl Iterator<Item = &str>, ParseFaultError> {
    if text.matches('"').count() % 2 == 1 {
        return Err(ParseFaultError::OpenQuote);
    }
    let mut quoted = false;
    Ok(text
        .split(move |c: char| {
            quoted ^= c == '"';
            !quoted && c.is_whitespace()
        })
        .filter(|word| !word.is_empty()))
}

/// The faults of one application that still have strikes left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The rules with the strikes that are left to them.
    pub(crate) fn rules(&self) -> Vec<String> {
        self.0.iter().filter(|fault| fault.times > 0).map(Fault::to_string).collect()
    }

    /// The first fault that concerns this request, with one strike used up. The copy tells the rule as it was
    /// before.
    pub(crate) fn strike(&mut self, method: &Method) -> Option<Fault> {
        let at = self.0.iter().position(|fault| fault.times > 0 && fault.concerns(method))?;
        let struck = self.0[at].clone();
        if struck.times == 1 {
            self.0.remove(at);
        } else {
            self.0[at].times -= 1;
        }
        Some(struck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        #[track_caller]
        fn check(text: &str, fault: &Fault) {
            assert_eq!(text.parse::<Fault>().as_ref(), Ok(fault), "{text}");
            assert_eq!(fault.to_string().parse::<Fault>().as_ref(), Ok(fault), "{fault}");
        }
        check("status=503", &Fault::status(503));
        check("  times=2 status=429 retry-after=0 ", &Fault::status(429).times(2).retry_after("0"));
        check(
            "status=500 method=post phase=after",
            &Fault::status(500).method("POST").phase(Phase::AfterEffect),
        );
        check(
            "status=429 retry-after=\"Mon, 23 Nov 2026 10:00:00 GMT\" phase=before",
            &Fault::status(429).retry_after("Mon, 23 Nov 2026 10:00:00 GMT"),
        );
    }

    #[test]
    fn a_bad_rule_says_where() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        check("", "needs `status=NUMBER`");
        check("503", "`503` is not key=value");
        check("status=99", "`99` does not fit `status`");
        check("status=503 times=0", "`0` does not fit `times`");
        check("statsu=503", "did you mean `status`?");
        check("status=503 phase=later", "`before` or `after`");
        check("status=503 method=P0ST", "an HTTP method");
        check("status=503 retry-after=\"3", "not closed");
    }

    #[test]
    fn strikes_are_counted() {
        let mut faults = Faults::default();
        faults.add(Fault::status(503).times(2).method("POST"));
        assert!(faults.strike(&Method::GET).is_none());
        assert!(faults.strike(&Method::POST).is_some());
        assert_eq!(faults.rules(), ["status=503 times=1 method=POST"]);
        assert!(faults.strike(&Method::POST).is_some());
        assert!(faults.strike(&Method::POST).is_none());
        assert!(faults.rules().is_empty());
    }
}
