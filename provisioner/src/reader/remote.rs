//! Requests to the server of a source: retries, `Retry-After`, time-outs, and nothing else.
//!
//! Credentials go to the configured origin only: redirects are not followed, and links are checked.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::header::{self, HeaderMap};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::Value;
use url::Url;

use super::ReadContext;
use crate::causes::with_cause;
use crate::config::RemoteOptions;
use crate::ids::ScimUrl;
use crate::source::{RemoteProblem, SourceProblem, parse_unique};
use crate::transport::{NetworkError, Transport};
use crate::visible::visible;

/// Attempts of one request.
const ATTEMPTS: u32 = 6;
/// The first wait before another attempt; doubled each time, with jitter.
const BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait that the server does not ask for.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// The longest wait that a `Retry-After` is granted.
const RETRY_AFTER_CAP: Duration = Duration::from_mins(2);
/// Bytes of an answer that are read.
const LARGEST: usize = 64 << 20;
/// Characters of a server's code that is passed on.
const LONGEST_CODE: usize = 40;

/// The connection to the server of a source.
pub(super) struct Remote {
    pub(super) http: reqwest::Client,
    timeout: Duration,
    context: ReadContext,
    jitter: StdRng,
}

/// An answer with its whole body.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Option<Value>,
}

/// One attempt's end.
enum Attempt {
    Answered(Answer),
    /// Worth another attempt, after a wait if the server asks for one.
    Again {
        what: String,
        wait: Option<Duration>,
    },
}

impl Remote {
    pub(super) fn new(
        url: &ScimUrl,
        options: &RemoteOptions,
        context: &ReadContext,
    ) -> Result<Self, SourceProblem> {
        let transport = Transport::for_url(url, options.ca_file.as_deref()).map_err(|error| {
            SourceProblem::Remote(RemoteProblem::Unusable {
                what: with_cause(&error),
                way_out: error.way_out(),
            })
        })?;
        Ok(Self {
            http: transport.http,
            timeout: options.request_timeout,
            context: context.clone(),
            jitter: StdRng::seed_from_u64(context.seed),
        })
    }

    /// Sends the request that `build` makes, as often as needed; returns any answer that more attempts would not change.
    pub(super) async fn send(
        &mut self,
        build: impl Fn(&reqwest::Client) -> RequestBuilder + Sync,
    ) -> Result<Answer, SourceProblem> {
        let mut attempt = 1;
        loop {
            let request = build(&self.http).timeout(self.timeout).header(header::ACCEPT, ACCEPTED);
            let tried = self.attempt(request);
            let tried = tokio::select! {
                tried = tried => tried?,
                () = self.context.interrupt.interrupted() => return Err(SourceProblem::Interrupted),
            };
            let (what, wait) = match tried {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Again { what, wait } => (what, wait),
            };
            if attempt == ATTEMPTS {
                return Err(RemoteProblem::Unreachable { what, attempts: attempt }.into());
            }
            let backoff = self.backoff(attempt);
            self.pause(wait.unwrap_or(backoff)).await?;
            attempt += 1;
        }
    }

    /// Returns the present time.
    pub(super) fn now(&self) -> std::time::SystemTime {
        self.context.clock.now()
    }

    /// Waits before the source is read again for the `number`th time.
    pub(super) async fn pause_before_read(&mut self, number: u32) -> Result<(), SourceProblem> {
        let wait = self.backoff(number + 1);
        self.pause(wait).await
    }

    async fn pause(&self, wait: Duration) -> Result<(), SourceProblem> {
        tokio::select! {
            () = self.context.clock.sleep(wait) => Ok(()),
            () = self.context.interrupt.interrupted() => Err(SourceProblem::Interrupted),
        }
    }

    fn backoff(&mut self, attempt: u32) -> Duration {
        let longest = BACKOFF.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(BACKOFF_CAP);
        longest.mul_f64(self.jitter.random_range(0.5..=1.0))
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<Attempt, SourceProblem> {
        let again = |what: String| Attempt::Again { what, wait: None };
        let mut received = match request.send().await {
            Ok(received) => received,
            Err(error) => {
                let error = NetworkError::from(&error.without_url());
                if error.is_unsendable() {
                    return Err(RemoteProblem::Answer(error.to_string()).into());
                }
                return Ok(again(error.to_string()));
            }
        };
        let status = received.status();
        let mut bytes = Vec::new();
        loop {
            match received.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST => {
                    return Err(RemoteProblem::TooLarge(LARGEST).into());
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    let error = NetworkError::from(&error.without_url());
                    return Ok(again(format!("an answer broke off: {error}")));
                }
            }
        }
        if matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504) {
            let wait = self.wait(received.headers());
            return Ok(Attempt::Again { what: format!("the server answered {}", status.as_u16()), wait });
        }
        let body = std::str::from_utf8(&bytes).ok().and_then(|text| parse_unique(text).ok());
        if status.is_success() && body.is_none() {
            // Where the length is not told, an answer that breaks off looks like a whole one.
            return Ok(again("an answer is not whole JSON".to_owned()));
        }
        Ok(Attempt::Answered(Answer { status, body }))
    }

    /// Returns the time for which the server asks to wait.
    fn wait(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // More than fits is no less a wish to wait long.
            text.parse().map_or(RETRY_AFTER_CAP, Duration::from_secs)
        } else {
            let now = self.context.clock.now();
            httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
        };
        Some(wait.min(RETRY_AFTER_CAP))
    }
}

const ACCEPTED: &str = "application/json, application/scim+json, application/hal+json;q=0.9";

impl Answer {
    /// Returns the body of a success.
    ///
    /// # Errors
    ///
    /// The status is another one; `what` was asked for, and `secrets` are kept out of the message.
    pub(super) fn success(self, what: &str, secrets: &[&str]) -> Result<Value, RemoteProblem> {
        let said = self.codes().filter(|codes| !secrets.iter().any(|secret| codes.contains(secret)));
        let said = said.map_or_else(String::new, |codes| format!(": {codes}"));
        let message = format!("{what} was answered {}{said}", self.status.as_u16());
        match (self.status, self.body) {
            (status, Some(body)) if status.is_success() => Ok(body),
            (StatusCode::UNAUTHORIZED, _) => Err(RemoteProblem::Unauthorized(message)),
            (StatusCode::FORBIDDEN, _) => Err(RemoteProblem::Forbidden(message)),
            (StatusCode::BAD_REQUEST, _) => Err(RemoteProblem::BadRequest(message)),
            _ => Err(RemoteProblem::Answer(message)),
        }
    }

    /// Returns the codes of an error: PingOne's `code`, OAuth's `error`, SCIM's `scimType`. The texts beside them are left
    /// out, because servers repeat in them what they were sent: tokens, and personal data.
    fn codes(&self) -> Option<String> {
        let body = self.body.as_ref().filter(|_| !self.status.is_success())?;
        let codes: Vec<&str> = ["code", "error", "scimType"]
            .iter()
            .filter_map(|name| body.get(name).and_then(Value::as_str))
            .filter(|code| is_code(code))
            .collect();
        (!codes.is_empty()).then(|| codes.join(" "))
    }
}

/// Whether `text` has the form of a code: letters and underscores, as in `INVALID_DATA`, `invalid_client`, `invalidFilter`.
fn is_code(text: &str) -> bool {
    let has_letters_only = text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    has_letters_only && (1..=LONGEST_CODE).contains(&text.len())
}

/// Returns the address of the next page if it is below `base`, which the credentials are for.
pub(super) fn checked_link(link: &str, page: &Url, base: &Url) -> Result<Url, RemoteProblem> {
    let invalid = || RemoteProblem::ForeignLink("an invalid address".to_owned());
    let url = page.join(link).map_err(|_| invalid())?;
    // The rest of the address may hold a token.
    let foreign = || RemoteProblem::ForeignLink(visible(&url.origin().ascii_serialization()).into_owned());
    let below = url.path() == base.path() || url.path().starts_with(&format!("{}/", base.path()));
    let is_plain = url.username().is_empty() && url.password().is_none();
    if url.origin() == base.origin() && below && is_plain { Ok(url) } else { Err(foreign()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_to_another_origin_or_path_is_refused() {
        let page: Url = "https://api.example.com/v1/environments/e/users?limit=2".parse().unwrap();
        let base: Url = "https://api.example.com/v1/environments/e/users".parse().unwrap();
        for good in [
            "https://api.example.com/v1/environments/e/users?cursor=x",
            "?cursor=x",
            "https://API.example.com:443/v1/environments/e/users",
        ] {
            assert!(checked_link(good, &page, &base).is_ok(), "{good}");
        }
        for foreign in [
            "https://evil.example.com/v1/environments/e/users",
            "http://api.example.com/v1/environments/e/users",
            "https://api.example.com:444/v1/environments/e/users",
            "https://api.example.com/v1/environments/other/users",
            "https://api.example.com/v1/environments/e/usersx",
            "https://u:p@api.example.com/v1/environments/e/users",
            "//evil.example.com/v1/environments/e/users",
            "http://[",
        ] {
            assert!(checked_link(foreign, &page, &base).is_err(), "{foreign}");
        }
    }
}
