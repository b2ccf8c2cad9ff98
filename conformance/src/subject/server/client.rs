//! A client for one subject: credentials, pace, patience, and retries where the subject asks for them.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::sync::watch;
use url::Url;

use crate::redact::Redactor;
use crate::subject::server::bounded::{Bound, LARGE, bounded, bounded_text};
use crate::subject::server::chunks::in_chunks;
pub use crate::subject::server::credentials::Credentials;
use crate::subject::server::credentials::WrongAuth;
use crate::subject::server::failure::{FailureKind, NetworkFailure, innermost};
use crate::subject::server::notices::Notices;
use crate::subject::server::pace::{MIN_RATE, Pace};
use crate::subject::server::retry::{Unsure, wait_asked};
use crate::subject::server::room::{Room, Rooms};
use crate::subject::server::tls::{self, TlsError};
use crate::transcript::{Exchange, REDACTED, Received, Sent};

/// The characters that a query value or a path segment contains unescaped.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same of a path segment (RFC 3986 §3.3), where a URN stays readable.
const SEGMENT: &AsciiSet =
    &PLAIN.remove(b':').remove(b'@').remove(b'!').remove(b'$').remove(b'*').remove(b',').remove(b'=');

/// A larger body is not read: parsed, it takes many times its length in memory.
const MAX_BODY: usize = 8 << 20;

/// Header fields of an answer that are recorded.
const MAX_FIELDS: usize = 100;

/// Waiting for one answer because of refusals lasts at most this long after an interruption.
const WAIT_WHEN_STOPPED: Duration = Duration::from_secs(5);

/// The limits and headers of requests to the subject.
#[derive(Debug, Clone)]
pub struct Manners {
    /// The time limit for one response.
    pub timeout: Duration,
    /// Requests a second; none: as fast as it goes.
    pub rate: Option<f64>,
    /// Requests a second below which refusals slow nothing down.
    pub min_rate: f64,
    /// The number of retries of a request that was answered 429 or 503, or 502 or 504.
    pub retries: u32,
    /// The time that one request waits in all because of such responses. A longer Retry-After is not observed.
    pub longest_wait: Duration,
    /// Header fields that go with every request.
    pub headers: Vec<(String, String)>,
    /// A PEM file of certificates to trust beside those that the system knows.
    pub ca_file: Option<PathBuf>,
    /// Take any certificate.
    pub insecure: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            rate: None,
            min_rate: MIN_RATE,
            retries: 10,
            longest_wait: Duration::from_mins(2),
            headers: Vec::new(),
            ca_file: None,
            insecure: false,
        }
    }
}

/// A request.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The purpose, as in `patch ada`.
    pub step: String,
    /// The method, as in `GET`.
    pub method: String,
    /// Below the base URL, with a leading slash; or absolute, at the same origin. Without a query.
    pub path: String,
    /// Names and values, not yet escaped.
    pub query: Vec<(String, String)>,
    /// Header fields besides those of every request.
    pub headers: Vec<(String, String)>,
    /// The body as it is sent.
    pub body: Option<String>,
    /// A body that is no text, in place of `body`.
    pub bytes: Option<Vec<u8>>,
    /// The body is sent in chunks, without its length.
    pub chunked: bool,
    /// Credentials to send in place of the right ones.
    pub auth: Option<WrongAuth>,
}

/// A response.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status, as in 204.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text; bytes that are no UTF-8 are replaced.
    pub text: String,
    /// The first byte of the body that is no UTF-8: its number, from 1, and itself.
    pub not_utf8: Option<(usize, u8)>,
    /// The body where it is JSON.
    pub json: Option<Value>,
    /// The body with ids as they were sent, where these are no texts: what a client sends back.
    pub raw: Option<Value>,
    /// The room that a large body takes, free again with the answer.
    pub room: Room,
    /// The request was sent before, and that may have had an effect, which the answer may be about.
    pub repeated: bool,
    /// The server speaks HTTP/1.0.
    pub is_http_1_0: bool,
}

impl Answer {
    /// Returns the first header field of a name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Frees the room that a large body takes: answers that are awaited together would wait for each other's.
    #[must_use]
    pub(crate) fn without_room(self) -> Self {
        Self { room: Room::default(), ..self }
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        self.status / 100 == 2
    }
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL is not one.
    #[error("invalid URL `{0}`: expected http or https, as in https://example.com/scim/v2")]
    Url(String),
    /// A secret in the URL would end up in logs.
    #[error("the URL holds credentials")]
    CredentialsInUrl,
    /// The URL has a query, which would be lost because paths and queries are appended to it.
    #[error("the URL has a query, which would be lost")]
    QueryInUrl,
    /// TLS.
    #[error("failed to set up TLS")]
    Tls(#[from] TlsError),
    /// The HTTP client refuses its settings.
    #[error("failed to make an HTTP client")]
    Http(#[source] reqwest::Error),
}

/// The reason why a request is not sent.
#[derive(Debug, thiserror::Error)]
enum BuildError {
    #[error("`{url}` is no URL: {reason}")]
    Url { url: String, reason: url::ParseError },
    #[error("{0} is at another origin than the subject, so nothing is sent there")]
    OtherOrigin(Url),
    #[error("`{0}` is no method")]
    Method(String),
    #[error("{}", innermost(.0))]
    Http(reqwest::Error),
}

/// A client for one subject.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: reqwest::Client,
    base: Url,
    credentials: Credentials,
    manners: Manners,
    pace: Pace,
    /// The limit on memory for large responses.
    rooms: Rooms,
    notices: Notices,
    /// Becomes true if requests must no longer wait.
    stop: OnceLock<watch::Receiver<bool>>,
}

impl Client {
    /// Returns a client for the SCIM service whose endpoints are below `url`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn new(url: &str, credentials: Credentials, manners: Manners) -> Result<Self, ClientError> {
        let base = base_of(url)?;
        let http = http(&base, &manners)?;
        Ok(Self::with(http, base, credentials, manners))
    }

    /// Returns a client like this one for another service. The connections are shared where it is at the same origin.
    ///
    /// # Errors
    /// [`ClientError`].
    pub(crate) fn at(&self, url: &str) -> Result<Self, ClientError> {
        let base = base_of(url)?;
        let Inner { manners, credentials, .. } = &*self.0;
        let is_shared = base.origin() == self.0.base.origin();
        let http = if is_shared { self.0.http.clone() } else { http(&base, manners)? };
        Ok(Self::with(http, base, credentials.clone(), manners.clone()))
    }

    fn with(http: reqwest::Client, base: Url, credentials: Credentials, manners: Manners) -> Self {
        let (pace, stop) = (Pace::new(manners.rate, manners.min_rate), OnceLock::new());
        let (notices, rooms) = (Notices::default(), Rooms::default());
        Self(Arc::new(Inner { http, base, credentials, manners, pace, rooms, notices, stop }))
    }

    /// Cuts waits short once `stop` becomes true.
    pub fn stop_with(&self, stop: watch::Receiver<bool>) {
        drop(self.0.stop.set(stop));
    }

    /// Requests a second that the subject is likely to bear, by how it answered so far.
    pub fn bearable_rate(&self) -> f64 {
        self.0.pace.bearable()
    }

    #[cfg(test)]
    pub(crate) fn rooms(&self) -> &Rooms {
        &self.0.rooms
    }

    /// Returns the base URL, without a slash at its end.
    pub fn base(&self) -> &str {
        self.0.base.as_str().trim_end_matches('/')
    }

    /// Whether the harness has credentials at all.
    pub fn has_credentials(&self) -> bool {
        self.0.credentials != Credentials::None
    }

    /// Returns the scheme of the credentials; `None` without any.
    pub fn scheme(&self) -> Option<&'static str> {
        match self.0.credentials {
            Credentials::None => None,
            Credentials::Bearer(_) => Some("Bearer"),
            Credentials::Basic { .. } => Some("Basic"),
        }
    }

    /// Returns a redactor that removes the credentials from reports.
    pub fn redactor(&self) -> Redactor {
        let own = self.0.manners.headers.iter().map(|(_, value)| value.clone());
        let secrets = self.0.credentials.secrets().into_iter().chain(own);
        secrets.fold(Redactor::new(), |redactor, secret| redactor.secret(&secret))
    }

    /// Escapes a path segment.
    pub fn segment(text: &str) -> String {
        utf8_percent_encode(text, SEGMENT).to_string()
    }

    /// Whether an absolute URL is at the subject's origin. Credentials are sent nowhere else.
    pub fn is_at_home(&self, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| url.origin() == self.0.base.origin())
    }

    /// Escapes a query value.
    pub fn value(text: &str) -> String {
        utf8_percent_encode(text, PLAIN).to_string()
    }

    /// Returns the path below the base URL of an absolute URL that is below it.
    pub fn below(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let base = &self.0.base;
        if url.origin() != base.origin() {
            return None;
        }
        let path = url.path().strip_prefix(base.path().trim_end_matches('/'))?;
        path.starts_with('/').then(|| path.to_owned())
    }

    /// Sends a request and waits for its answer, again and again while the subject asks to wait (RFC 6585 §4, RFC 9110
    /// §15.6.4). Says what happened; no answer where the network broke.
    ///
    /// A connection that was kept alive and is reset before an answer begins tells nothing of the subject's behaviour:
    /// the request is sent once more.
    pub async fn send(&self, request: &Request) -> (Exchange, Option<Answer>) {
        let (exchange, outcome) = self.attempt(request, self.0.manners.longest_wait, Unsure::SendAgain).await;
        (exchange, outcome.ok())
    }

    /// Sends a request like [`Self::send`], but waits at most `patience` because of refusals, and returns the kind of
    /// failure if there is no response. `when_unsure` decides about a request that was refused with a status that
    /// does not say that nothing was done.
    pub(crate) async fn attempt(
        &self,
        request: &Request,
        patience: Duration,
        when_unsure: Unsure,
    ) -> (Exchange, Result<Answer, NetworkFailure>) {
        let mut tries = 0;
        let mut waited = Duration::ZERO;
        let (mut reset, mut unsure) = (false, false);
        loop {
            self.0.pace.turn().await;
            let sent = Instant::now();
            let (exchange, mut outcome) = self.once(request).await;
            if let Ok(answer) = &mut outcome {
                answer.repeated = reset || unsure;
            }
            let failed = outcome.as_ref().err().map(|failure| failure.kind);
            // What became of a POST has to be looked up.
            if !reset && failed == Some(FailureKind::Reset) && request.method != "POST" {
                reset = true;
                continue;
            }
            let wait = outcome.as_ref().ok().and_then(|answer| wait_asked(&request.method, answer, tries));
            let Some(wait) = wait else {
                self.0.pace.answered();
                return (exchange, outcome);
            };
            if tries >= self.0.manners.retries || waited + wait > patience {
                self.slow_down(sent, Duration::ZERO, &outcome);
                return (exchange, outcome);
            }
            // A 429 is given before anything is done.
            let is_unsure = outcome.as_ref().is_ok_and(|answer| answer.status != 429);
            if is_unsure && when_unsure == Unsure::HandBack {
                self.slow_down(sent, wait, &outcome);
                return (exchange, outcome);
            }
            unsure |= is_unsure;
            tries += 1;
            waited += wait;
            self.slow_down(sent, wait, &outcome);
            if let Ok(answer) = &outcome {
                self.tell_wait(answer.status, waited, tries);
            }
            self.wait(wait).await;
        }
    }

    /// Slows all requests down after a refusal, and tells of a rate that is slow.
    fn slow_down(&self, sent: Instant, wait: Duration, outcome: &Result<Answer, NetworkFailure>) {
        let slow = self.0.pace.refused(sent, wait);
        if let (Some(rate), Ok(answer)) = (slow, outcome) {
            self.0.notices.slows(self.base(), answer.status, rate);
        }
    }

    /// Reports a request that waits for long: `waited` in all, before it is sent for the `tries`th time again.
    pub(crate) fn tell_wait(&self, status: u16, waited: Duration, tries: u32) {
        self.0.notices.waits(self.base(), status, waited, tries);
    }

    /// Returns the number of times that a request may be sent again.
    pub(crate) fn retries(&self) -> u32 {
        self.0.manners.retries
    }

    /// Returns the time that one request waits in all because of refusals.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.0.manners.longest_wait
    }

    /// Has long waits told by `tell`.
    pub fn notify_with(&self, tell: impl Fn(&str) + Send + Sync + 'static) {
        self.0.notices.go_to(tell);
    }

    /// Waits, at most until somebody wants the end.
    pub(crate) async fn wait(&self, wait: Duration) {
        let Some(stop) = self.0.stop.get() else { return tokio::time::sleep(wait).await };
        let mut stop = stop.clone();
        if *stop.borrow() {
            self.0.pace.open();
            return tokio::time::sleep(wait.min(WAIT_WHEN_STOPPED)).await;
        }
        let stopped = tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await;
        if matches!(stopped, Ok(Ok(_))) {
            self.0.pace.open();
        }
    }

    async fn once(&self, request: &Request) -> (Exchange, Result<Answer, NetworkFailure>) {
        let started = Instant::now();
        let (sent, built) = self.build(request);
        let outcome = match built {
            Ok(built) => self.fetch(built).await,
            Err(error) => Err(NetworkFailure::new(FailureKind::NotSent, error.to_string())),
        };
        let (response, error) = match &outcome {
            Ok(answer) => (Some(show(answer)), None),
            Err(failure) => (None, Some(failure.text.clone())),
        };
        let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        (Exchange { step: request.step.clone(), request: sent, response, error, milliseconds }, outcome)
    }

    /// Returns the request for the network, and for the report.
    fn build(&self, request: &Request) -> (Sent, Result<reqwest::Request, BuildError>) {
        let inner = &*self.0;
        let mut url = if request.path.starts_with('/') {
            format!("{}{}", self.base(), request.path)
        } else {
            request.path.clone()
        };
        for (index, (name, value)) in request.query.iter().enumerate() {
            let lead = if index > 0 || url.contains('?') { '&' } else { '?' };
            append!(url, "{lead}{}={}", utf8_percent_encode(name, PLAIN), utf8_percent_encode(value, PLAIN));
        }
        let mut headers: Vec<(String, String)> =
            vec![("Accept".to_owned(), "application/scim+json".to_owned())];
        if request.body.is_some() || request.bytes.is_some() {
            headers.push(("Content-Type".to_owned(), "application/scim+json".to_owned()));
        }
        let authorization = match request.auth {
            None => inner.credentials.header(),
            Some(how) => inner.credentials.wrong(how),
        };
        headers.extend(authorization.map(|value| ("Authorization".to_owned(), value)));
        for own in [&inner.manners.headers, &request.headers] {
            headers.retain(|(known, _)| !own.iter().any(|(name, _)| known.eq_ignore_ascii_case(name)));
            headers.extend(own.iter().filter(|(_, value)| !value.is_empty()).cloned());
        }
        let bytes = request.bytes.as_ref().map(|bytes| bytes.escape_ascii().to_string());
        let body = bytes.as_deref().or(request.body.as_deref()).unwrap_or_default();
        let body = recorded(serde_json::from_str(body).ok().as_ref(), body);
        let own =
            |name: &str| inner.manners.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name));
        let shown = |name: &str, value: &str| match value.split_once(' ') {
            _ if !own(name) && !name.eq_ignore_ascii_case("authorization") => value.to_owned(),
            // What the caller adds may be an API key of any name.
            Some((scheme @ ("Bearer" | "Basic"), _)) => format!("{scheme} {REDACTED}"),
            _ => REDACTED.to_owned(),
        };
        let sent = Sent {
            method: request.method.clone(),
            url: url.clone(),
            headers: headers.iter().map(|(name, value)| (name.clone(), shown(name, value))).collect(),
            body,
        };
        let built = (|| {
            let url = Url::parse(&url).map_err(|reason| BuildError::Url { url: url.clone(), reason })?;
            if url.origin() != inner.base.origin() {
                return Err(BuildError::OtherOrigin(url));
            }
            let method = reqwest::Method::from_bytes(request.method.as_bytes())
                .map_err(|_| BuildError::Method(request.method.clone()))?;
            let mut builder = inner.http.request(method, url);
            for (name, value) in &headers {
                builder = builder.header(name, value);
            }
            let body = request.bytes.clone().or_else(|| Some(request.body.clone()?.into_bytes()));
            if let Some(body) = body {
                builder = builder.body(if request.chunked { in_chunks(&body) } else { body.into() });
            }
            builder.build().map_err(BuildError::Http)
        })();
        (sent, built)
    }

    async fn fetch(&self, request: reqwest::Request) -> Result<Answer, NetworkFailure> {
        let patience = self.0.manners.timeout;
        let mut until = tokio::time::Instant::now() + patience;
        let late = |_| {
            let text = format!("no answer within {} s", patience.as_secs_f64());
            NetworkFailure::new(FailureKind::TimedOut, text)
        };
        let sent = tokio::time::timeout_at(until, self.0.http.execute(request)).await.map_err(late)?;
        let mut response = sent.map_err(|error| NetworkFailure::from(&error))?;
        let status = response.status().as_u16();
        let text_of = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let fields = response.headers().iter();
        let headers = fields.map(|(name, value)| (name.as_str().to_owned(), text_of(value))).collect();
        let (mut body, mut room) = (Vec::new(), Room::default());
        while let Some(chunk) = tokio::time::timeout_at(until, response.chunk())
            .await
            .map_err(late)?
            .map_err(|error| NetworkFailure::new(FailureKind::Broken, innermost(&error)))?
        {
            if body.len() + chunk.len() > MAX_BODY {
                let text = format!("the answer is larger than {} MiB, which is not read", MAX_BODY >> 20);
                return Err(NetworkFailure::new(FailureKind::TooLarge, text));
            }
            if body.len() <= LARGE && body.len() + chunk.len() > LARGE {
                // The server is not to blame for this wait.
                let asked = tokio::time::Instant::now();
                room = self.0.rooms.take().await;
                until += asked.elapsed();
            }
            body.extend_from_slice(&chunk);
        }
        let json = serde_json::from_slice(&body).ok();
        let (text, not_utf8) = match String::from_utf8(body) {
            Ok(text) => (text, None),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes().get(at).map(|byte| (at + 1, *byte));
                (String::from_utf8_lossy(error.as_bytes()).into_owned(), byte)
            }
        };
        let is_http_1_0 = response.version() == reqwest::Version::HTTP_10;
        Ok(Answer { status, headers, text, not_utf8, json, room, is_http_1_0, ..Answer::default() })
    }
}

/// Returns an answer for the transcript, cut to the size that a report can hold.
fn show(answer: &Answer) -> Received {
    let headers = answer.headers.iter().take(MAX_FIELDS);
    let headers = headers.map(|(name, value)| (name.clone(), bounded_text(value, Bound::SIDE))).collect();
    Received { status: answer.status, headers, body: recorded(answer.json.as_ref(), &answer.text) }
}

/// Returns a body for the transcript: JSON as JSON, other text as a string, null if there is none.
fn recorded(json: Option<&Value>, text: &str) -> Value {
    let bound = if text.len() > LARGE { Bound::LARGE_BODY } else { Bound::BODY };
    match json {
        Some(json) => bounded(json, bound),
        None if text.is_empty() => Value::Null,
        None => Value::from(bounded_text(text, bound)),
    }
}

/// Returns the base URL of a service, without a slash at its end.
fn base_of(url: &str) -> Result<Url, ClientError> {
    let bad = || ClientError::Url(url.to_owned());
    let mut base = Url::parse(url).map_err(|_| bad())?;
    if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
        return Err(bad());
    }
    if !base.username().is_empty() || base.password().is_some() {
        return Err(ClientError::CredentialsInUrl);
    }
    if base.query().is_some_and(|query| !query.is_empty()) {
        return Err(ClientError::QueryInUrl);
    }
    base.set_query(None);
    base.set_fragment(None);
    let path = base.path().trim_end_matches('/').to_owned();
    base.set_path(&path);
    Ok(base)
}

fn http(base: &Url, manners: &Manners) -> Result<reqwest::Client, ClientError> {
    let tls = tls::config(base.scheme() == "https", manners.ca_file.as_deref(), manners.insecure)?;
    let mut builder = reqwest::Client::builder().tls_backend_preconfigured(tls);
    // A proxy cannot reach this machine's own ports.
    let loopback = match base.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if loopback {
        builder = builder.no_proxy();
    }
    builder
        .redirect(Policy::none())
        .user_agent(concat!("conformance/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(ClientError::Http)
}

#[cfg(test)]
mod tests {
    use crate::subject::server::client::*;

    #[test]
    fn base_urls_are_normalized_or_refused() {
        let client = |url| Client::new(url, Credentials::None, Manners::default());
        assert_eq!(
            client("http://127.0.0.1:9/scim/v2/").expect("a client").base(),
            "http://127.0.0.1:9/scim/v2"
        );
        assert_eq!(client("http://127.0.0.1:9").expect("a client").base(), "http://127.0.0.1:9");
        let refused = client("http://u:p@127.0.0.1/").expect_err("refused");
        assert!(matches!(refused, ClientError::CredentialsInUrl), "{refused:?}");
        let refused = client("http://127.0.0.1/scim?key=1").expect_err("refused");
        assert!(matches!(refused, ClientError::QueryInUrl), "{refused:?}");
        client("http://127.0.0.1/scim?").expect("nothing is lost");
        for bad in ["scim", "ftp://example.com", "http://"] {
            client(bad).expect_err(bad);
        }
        let client = client("http://127.0.0.1:9/scim").expect("a client");
        assert_eq!(client.below("http://127.0.0.1:9/scim/Users/1").as_deref(), Some("/Users/1"));
        assert_eq!(client.below("http://127.0.0.1:9/scimitar/Users/1"), None);
        assert_eq!(client.below("http://127.0.0.1:10/scim/Users/1"), None);
    }
}
