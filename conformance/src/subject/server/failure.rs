//! Failures below HTTP.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};

/// The kinds of trouble that need different help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The host name is unknown.
    NameResolution,
    /// Connection refused.
    Refused,
    /// TLS failed.
    Tls,
    /// No answer in time.
    TimedOut,
    /// A connection that once stood ended before an answer began.
    Reset,
    /// The answer is larger than the limit.
    TooLarge,
    /// The request could not be written, so nothing was sent.
    NotSent,
    /// The response is invalid HTTP.
    Malformed,
    /// Anything else: the connection broke.
    Broken,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFailure {
    /// The kind.
    pub kind: FailureKind,
    /// The reason in words, without the URL.
    pub text: String,
}

impl NetworkFailure {
    pub(super) fn new(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl fmt::Display for NetworkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&reqwest::Error> for NetworkFailure {
    fn from(error: &reqwest::Error) -> Self {
        let told = innermost(error);
        let mut cause: Option<&(dyn Error + 'static)> = Some(error);
        while let Some(inner) = cause {
            if let Some(tls) = tls_error(inner) {
                let (words, _) = provisioner::tls::words(tls);
                return Self::new(FailureKind::Tls, format!("TLS failed: {words}"));
            }
            let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
            if kind == Some(ErrorKind::ConnectionRefused) {
                return Self::new(FailureKind::Refused, "the connection was refused");
            }
            if inner.to_string().starts_with("dns error") {
                return Self::new(
                    FailureKind::NameResolution,
                    format!("the host name cannot be resolved: {told}"),
                );
            }
            let ended = matches!(
                kind,
                Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
            );
            if ended && !error.is_connect() && !error.is_timeout() {
                return Self::new(FailureKind::Reset, format!("the connection was reset: {told}"));
            }
            cause = inner.source();
        }
        if is_malformed(&told) {
            return Self::new(FailureKind::Malformed, format!("the answer is not valid HTTP: {told}"));
        }
        let kind = if error.is_timeout() { FailureKind::TimedOut } else { FailureKind::Broken };
        Self::new(kind, told)
    }
}

/// Whether hyper says that the head of an answer is against RFC 9112. What has no status line of HTTP may be another
/// protocol, and is left out.
fn is_malformed(told: &str) -> bool {
    [
        "HTTP header parsed",
        "HTTP status-code parsed",
        "content-length parsed",
        "transfer-encoding parsed",
        "head is too large",
    ]
    .iter()
    .any(|words| told.contains(words))
}

/// Returns the TLS error in `error`, however many times it was wrapped.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<io::Error>()?.get_ref()?)
}

/// Returns the most specific cause.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
