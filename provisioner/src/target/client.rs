//! Sending requests: credentials, time-outs, retries with backoff, one pause for all where the target asks for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use reqwest::header::{self, HeaderMap};
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use super::redact::Redactor;
use super::response::{Body, Response};
use super::response_body::{self, Limit};
use super::{Halt, Trouble, personal_data};
use crate::clock::Clock;
use crate::config::{Config, Credentials};
use crate::exit::Exit;
use crate::ids::ScimUrl;
use crate::interrupt::Interrupt;
use crate::recording::{Recorder, RequestAnswer};
use crate::report::{Reason, Stopped};
use crate::transport::{LONGEST_URL, NetworkError, Transport};

/// The first wait before another try; doubled each time, with jitter.
const BACKOFF: Duration = Duration::from_millis(500);
/// The longest wait that is not asked for by the target.
const BACKOFF_CAP: Duration = Duration::from_secs(30);
/// The header by which a request is found in the logs of both sides.
const REQUEST_ID: &str = "x-request-id";
const SCIM_JSON: &str = "application/scim+json";

/// One request, relative to the SCIM URL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'a Method,
    pub(crate) segments: &'a [&'a str],
    pub(crate) query: &'a [(&'a str, &'a str)],
    pub(crate) body: Option<&'a Value>,
    pub(crate) if_match: Option<&'a str>,
    /// Whether the response has groups: their members are read as ids.
    pub(crate) is_about_groups: bool,
}

impl<'a> Request<'a> {
    pub(crate) const fn new(method: &'a Method, segments: &'a [&'a str]) -> Self {
        Self { method, segments, query: &[], body: None, if_match: None, is_about_groups: false }
    }

    pub(crate) const fn get(segments: &'a [&'a str]) -> Self {
        Self::new(&Method::GET, segments)
    }

    /// Returns the request with a response that has groups.
    pub(crate) const fn about_groups(self) -> Self {
        Self { is_about_groups: true, ..self }
    }
}

/// The pace that several processes keep together.
pub(crate) trait SharedPace: Send + Sync {
    /// Notes that the target asked for a pause.
    fn pause(&self, wait: Duration);
    /// Waits until a request may be sent; returns whether it still may.
    fn may_send(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>>;
}

/// A connection in use.
pub(crate) struct Client {
    transport: Transport,
    url: ScimUrl,
    credentials: Credentials,
    redactor: Redactor,
    timeout: Duration,
    max_attempts: u32,
    retry_after_cap: Duration,
    clock: Arc<dyn Clock>,
    jitter: Mutex<StdRng>,
    pause_until: Mutex<Option<SystemTime>>,
    requests: AtomicU64,
    /// One permit for each request that may be in flight.
    in_flight: Semaphore,
    stopping: AtomicBool,
    stopped: Mutex<Option<(Exit, Stopped)>>,
    interrupt: Interrupt,
    forbidden_everywhere: OnceCell<bool>,
    recorder: Arc<Recorder>,
    pace: Option<Arc<dyn SharedPace>>,
}

impl Client {
    pub(crate) fn new(
        config: &Config,
        transport: Transport,
        clock: Arc<dyn Clock>,
        seed: u64,
        interrupt: Interrupt,
        recorder: Arc<Recorder>,
    ) -> Self {
        let proxy = config.network.proxy.as_ref().and_then(|proxy| proxy.credentials.as_ref());
        let proxy_password = proxy.map(|(_, password)| password.expose_secret());
        Self {
            transport,
            url: config.authentication.scim_url.clone(),
            credentials: config.authentication.credentials.clone(),
            redactor: Redactor::new(&config.authentication.credentials, proxy_password.into_iter()),
            timeout: config.options.request_timeout,
            max_attempts: config.options.max_attempts.get(),
            retry_after_cap: config.options.retry_after_cap,
            clock,
            jitter: Mutex::new(StdRng::seed_from_u64(seed)),
            pause_until: Mutex::new(None),
            requests: AtomicU64::new(0),
            in_flight: Semaphore::new(config.options.concurrency.get()),
            stopping: AtomicBool::new(false),
            stopped: Mutex::new(None),
            interrupt,
            forbidden_everywhere: OnceCell::new(),
            recorder,
            pace: None,
        }
    }

    /// Returns the client at a pace that it shares with others.
    pub(crate) fn at_pace(self, pace: Arc<dyn SharedPace>) -> Self {
        Self { pace: Some(pace), ..self }
    }

    /// Returns the SCIM URL.
    pub(crate) fn url(&self) -> &ScimUrl {
        &self.url
    }

    /// Returns the present time.
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Returns the recorder of the run.
    pub(crate) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Returns the number of requests that were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Stops the run: no further request is sent. The first reason counts.
    pub(crate) fn stop(&self, exit: Exit, code: &'static str, message: String) {
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        stopped.get_or_insert((exit, Stopped::new(code, message)));
        self.stopping.store(true, Ordering::Release);
    }

    /// Returns why the run was stopped, if it was.
    pub(crate) fn stopped(&self) -> Option<(Exit, Stopped)> {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone();
        stopped.or_else(|| {
            let message = "the run was interrupted; run sync again to go on".to_owned();
            let stopped = Stopped::new("interrupted", message);
            self.interrupt.is_interrupted().then_some((Exit::Interrupted, stopped))
        })
    }

    /// Whether the run was stopped.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire) || self.interrupt.is_interrupted()
    }

    /// Sends a request that may be repeated, until it is answered otherwise than by a passing fault.
    ///
    /// The last response is returned, even if it is an error.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Response, Halt> {
        let mut attempt = 1;
        loop {
            match self.send_once(request).await? {
                Ok(response) if response.is_transient() && attempt < self.max_attempts => {
                    self.back_off(attempt, Some(&response)).await;
                }
                Ok(response) => return self.judge(response).await,
                Err(error) if attempt < self.max_attempts && !error.is_unsendable() => {
                    self.back_off(attempt, None).await;
                }
                Err(error) => return Err(unreachable_target(&error).into()),
            }
            attempt += 1;
        }
    }

    /// Sends a request once: `Ok(Err(_))` is a fault below HTTP.
    pub(crate) async fn send_once(
        &self,
        request: Request<'_>,
    ) -> Result<Result<Response, NetworkError>, Halt> {
        // The semaphore is never closed.
        let _permit = self.in_flight.acquire().await;
        self.wait_for_pause().await;
        if let Some(pace) = &self.pace
            && !pace.may_send().await
        {
            let message = "the state database was out of reach".to_owned();
            self.stop(Exit::Usage, "state", message);
        }
        if self.is_stopping() {
            return Err(Halt::Stopped);
        }
        let sent = self.count_and_exchange(request).await;
        if let Ok(response) = &sent
            && response.status == StatusCode::UNAUTHORIZED
        {
            self.stop(
                Exit::ConnectionUnusable,
                "unauthorized",
                format!(
                    "{} {} was answered 401: the credentials are no longer accepted; renew them, then run test-connection",
                    request.method,
                    self.url.resource(request.segments).path()
                ),
            );
            return Err(Halt::Stopped);
        }
        Ok(sent)
    }

    /// Sends one request and returns its response. Credentials are removed from the response, and values of the request's
    /// user from an error.
    async fn exchange(&self, request: Request<'_>, id: &str) -> Result<Response, NetworkError> {
        let mut response =
            self.exchange_uncleared(request, id).await.map_err(|error| self.redactor.clear_error(error))?;
        self.redactor.clear(&mut response);
        personal_data::clear(&mut response);
        Ok(response)
    }

    async fn exchange_uncleared(&self, request: Request<'_>, id: &str) -> Result<Response, NetworkError> {
        let mut url = self.url.resource(request.segments);
        if !request.query.is_empty() {
            // Spaces as %20: not every server reads `+` as one.
            let query: Vec<String> = request
                .query
                .iter()
                .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
                .collect();
            url.set_query(Some(&query.join("&")));
        }
        if url.as_str().len() > LONGEST_URL {
            return Err(NetworkError::TooLong(url.as_str().len()));
        }
        self.transport.guard().check(&url).map_err(NetworkError::Address)?;
        let builder = self
            .transport
            .http
            .request(request.method.clone(), url)
            .timeout(self.timeout)
            .header(REQUEST_ID, id)
            .header(header::ACCEPT, "application/scim+json, application/json;q=0.9");
        let builder = match &self.credentials {
            Credentials::Basic { user, password } => builder.basic_auth(user, Some(password.expose_secret())),
            Credentials::Bearer { token } => builder.bearer_auth(token.expose_secret()),
        };
        let builder = match request.if_match {
            Some(version) => builder.header(header::IF_MATCH, version),
            None => builder,
        };
        let builder = match request.body {
            Some(body) => builder.header(header::CONTENT_TYPE, SCIM_JSON).body(body.to_string()),
            None => builder,
        };
        let received = builder.send().await.map_err(|error| NetworkError::from(&error))?;
        let limit = match request.query {
            _ if !received.status().is_success() => Limit::Error,
            _ if request.is_about_groups => Limit::Groups,
            [("count", _), ..] => Limit::Page,
            _ => Limit::Account,
        };
        receive(received, limit, &self.redactor).await
    }

    /// Waits before try number `attempt + 1`, and makes all requests wait if the target asked for it.
    pub(crate) async fn back_off(&self, attempt: u32, response: Option<&Response>) {
        self.recorder.retried();
        let now = self.clock.now();
        let asked = response
            .and_then(|response| response.wait(now, self.retry_after_cap))
            .filter(|wait| !wait.is_zero());
        if let Some(wait) = asked {
            if let Some(pace) = &self.pace {
                pace.pause(wait);
            }
            let mut until = self.pause_until.lock().unwrap_or_else(PoisonError::into_inner);
            *until = (*until).max(Some(now + wait));
            return; // `send_once` waits for it
        }
        let longest = BACKOFF.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(BACKOFF_CAP);
        let share = self.jitter.lock().unwrap_or_else(PoisonError::into_inner).random_range(0.5..=1.0);
        self.sleep(longest.mul_f64(share)).await;
    }

    /// Sends one request as [`Client::exchange`] does, and counts it.
    pub(crate) async fn count_and_exchange(&self, request: Request<'_>) -> Result<Response, NetworkError> {
        self.wait_for_pause().await;
        let sent = self.recorder.send(self.clock.now());
        let response = self.exchange(request, &sent.id).await;
        let answer = match &response {
            Ok(response) => RequestAnswer::Status(response.status.as_u16()),
            Err(error) if error.is_unsendable() => return response,
            Err(error) => RequestAnswer::Failed(error.word()),
        };
        self.requests.fetch_add(1, Ordering::Relaxed);
        let (method, now) = (request.method.as_str(), self.clock.now());
        self.recorder.answered(sent, method, request.segments, answer, now);
        response
    }

    /// Returns the credentials in use.
    pub(crate) const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the number of attempts of one request.
    pub(crate) const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    async fn wait_for_pause(&self) {
        loop {
            let until = *self.pause_until.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(wait) = until.and_then(|until| until.duration_since(self.clock.now()).ok()) else {
                return;
            };
            if wait.is_zero() {
                return;
            }
            if self.interrupt.is_interrupted() {
                return;
            }
            self.sleep(wait).await;
        }
    }

    /// Waits for `wait`, or until the run is interrupted.
    async fn sleep(&self, wait: Duration) {
        tokio::select! {
            () = self.clock.sleep(wait) => {}
            () = self.interrupt.interrupted() => {}
        }
    }

    /// Judges a response. A 403 concerns one user, unless the connection test gets it too, which stops the run.
    pub(crate) async fn judge(&self, response: Response) -> Result<Response, Halt> {
        if response.status != StatusCode::FORBIDDEN {
            return Ok(response);
        }
        let everywhere = self
            .forbidden_everywhere
            .get_or_init(|| async {
                let request = Request { query: &[("count", "1")], ..Request::get(&["Users"]) };
                matches!(self.count_and_exchange(request).await, Ok(response) if matches!(response.status.as_u16(), 401 | 403))
            })
            .await;
        if *everywhere {
            let message = "the target answers 403 to reading users too: the credentials have lost their rights; renew them, then run test-connection";
            self.stop(Exit::ConnectionUnusable, "forbidden", message.to_owned());
            return Err(Halt::Stopped);
        }
        Ok(response)
    }
}

async fn receive(
    mut received: reqwest::Response,
    limit: Limit,
    redactor: &Redactor,
) -> Result<Response, NetworkError> {
    let text = |headers: &HeaderMap, name| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let mut response = Response {
        status: received.status(),
        etag: text(received.headers(), header::ETAG),
        location: text(received.headers(), header::LOCATION),
        retry_after: text(received.headers(), header::RETRY_AFTER),
        challenges: received
            .headers()
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok().map(str::to_owned))
            .collect(),
        content_type: text(received.headers(), header::CONTENT_TYPE),
        body: Body::Empty,
        as_read: None,
        echoes: false,
        is_plain: false,
    };
    let mut bytes = Vec::new();
    while let Some(chunk) = received.chunk().await.map_err(|error| NetworkError::from(&error))? {
        if bytes.len() + chunk.len() > limit.bytes() {
            response.body = limit.exceeded();
            return Ok(response);
        }
        bytes.extend_from_slice(&chunk);
    }
    response.is_plain = !redactor.may_be_in(&bytes);
    response.body = match limit {
        Limit::Groups => response_body::parse_groups(&bytes),
        Limit::Error | Limit::Account | Limit::Page => response_body::parse(&bytes),
    };
    Ok(response)
}

pub(crate) fn unreachable_target(error: &NetworkError) -> Trouble {
    if error.is_unsendable() {
        return Trouble::new(Reason::InvalidUser, error.to_string());
    }
    Trouble { unsure: true, ..Trouble::new(Reason::Unreachable, error.to_string()) }
}
