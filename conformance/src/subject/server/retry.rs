//! Decides whether, and after how long, a request is sent again because its answer asks for it.

use std::time::{Duration, SystemTime};

use crate::subject::server::client::Answer;

/// The handling of a request that is refused, but may have had an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsure {
    /// The request is sent again.
    SendAgain,
    /// The response is returned at once: the caller finds out first whether the request had an effect.
    HandBack,
}

/// Returns the time to wait before a request is sent again, if its response says nothing of the subject's behaviour:
/// 429 and 503, which refuse it, and the response of a proxy for a server that is away, if sending twice does no
/// harm.
pub(crate) fn wait_asked(method: &str, answer: &Answer, tries: u32) -> Option<Duration> {
    let named = retry_after(answer);
    let again = match answer.status {
        429 | 503 => true,
        502 | 504 => is_safe(method),
        _ => false,
    };
    // Where no time is named: a second, then two, then four …
    again.then(|| named.unwrap_or_else(|| backoff(tries)))
}

/// Returns the wait after this number of attempts, if the answer names no time.
pub(crate) fn backoff(tries: u32) -> Duration {
    Duration::from_secs(1 << tries.min(5))
}

/// Whether a request changes nothing (RFC 9110 §9.2.1).
pub(crate) fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Returns the time that a response asks to wait (RFC 9110 §10.2.3): seconds or a date. Returns `None` if it does not
/// say.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use crate::subject::server::retry::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let asked = |value: &str| {
            retry_after(&Answer {
                headers: vec![("retry-after".to_owned(), value.to_owned())],
                ..Answer::default()
            })
        };
        assert_eq!(asked("7"), Some(Duration::from_secs(7)));
        assert_eq!(asked("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO), "a date that is past");
        assert_eq!(asked("soon"), None);
        let later = SystemTime::now() + Duration::from_hours(1);
        assert!(asked(&httpdate::fmt_http_date(later)) > Some(Duration::from_secs(3500)));
    }

    #[test]
    fn other_answers_are_not_retried() {
        #[track_caller]
        fn assert_wait(method: &str, status: u16, named: Option<&str>, expected: Option<u64>) {
            let headers =
                named.map(|named| ("retry-after".to_owned(), named.to_owned())).into_iter().collect();
            let answer = Answer { status, headers, ..Answer::default() };
            assert_eq!(
                wait_asked(method, &answer, 2),
                expected.map(Duration::from_secs),
                "{method} {status}"
            );
        }
        assert_wait("POST", 429, None, Some(4));
        assert_wait("POST", 429, Some("3"), Some(3));
        assert_wait("POST", 503, Some("3"), Some(3));
        assert_wait("POST", 503, None, Some(4));
        // What it did is not known.
        assert_wait("POST", 502, None, None);
        assert_wait("DELETE", 504, None, None);
        assert_wait("GET", 503, None, Some(4));
        assert_wait("GET", 502, None, Some(4));
        for status in [200, 400, 500, 501] {
            assert_wait("GET", status, Some("3"), None);
        }
    }
}
