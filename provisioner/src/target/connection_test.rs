//! Test Connection: the steps that work or fail, and the way out.

use std::fmt;

use reqwest::StatusCode;
use scim::json::get_ci;
use serde::Serialize;
use serde_json::Value;

use super::client::{Client, Request};
use super::response::{Body, Response};
use crate::config::Credentials;
use crate::transport::NetworkError;

/// The result of the connection test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "connection-test", rename_all = "camelCase")]
pub struct ConnectionReport {
    /// The SCIM URL that was tested.
    pub scim_url: String,
    /// The failure; `None` if the connection can be used.
    pub failure: Option<TestFailure>,
    /// The support of PATCH by ServiceProviderConfig; `None` if it does not tell.
    pub claims_patch: Option<bool>,
    /// The number of users at the target, if it tells.
    pub users: Option<u64>,
}

/// The reason for which the connection cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestFailure {
    /// A stable word: `name-resolution`, `refused`, `tls`, `timed-out`, `broken`, `unauthorized`, `forbidden`, `not-found`, `not-scim`,
    /// `proxy`, `refused-address`, `redirected`, `rate-limited`, `target-error`, `rejected`.
    pub code: &'static str,
    /// The problem.
    pub message: String,
    /// The way out.
    pub next: String,
}

impl TestFailure {
    /// Whether the target refused the credentials, or refused them the right to read users.
    pub(crate) fn refuses_credentials(&self) -> bool {
        matches!(self.code, "unauthorized" | "forbidden")
    }
}

impl ConnectionReport {
    /// Whether the connection can be used for provisioning.
    pub const fn succeeded(&self) -> bool {
        self.failure.is_none()
    }

    pub(crate) const fn claims_patch(&self) -> Option<bool> {
        self.claims_patch
    }
}

impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(failure) = &self.failure {
            return write!(f, "connection test failed: {}; {}", failure.message, failure.next);
        }
        write!(f, "connection test succeeded: {} answers as SCIM", self.scim_url)?;
        if let Some(users) = self.users {
            write!(f, ", {users} users")?;
        }
        f.write_str(match self.claims_patch {
            Some(true) => ", says that it supports PATCH",
            Some(false) => ", says that it has no PATCH",
            None => ", does not say whether it supports PATCH",
        })
    }
}

/// A user name that no account has.
const NOBODY: &str = "connection-test@provisioner.invalid";

/// Whether the status may be about the parameter `count` and not about the connection.
fn may_refuse_pages(response: &Response) -> bool {
    matches!(
        response.status,
        StatusCode::BAD_REQUEST | StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_IMPLEMENTED
    )
}

impl Client {
    /// Asks for ServiceProviderConfig, which may be missing, and for one user, which decides: discovery may be public.
    pub(crate) async fn test(&self) -> ConnectionReport {
        let mut report = ConnectionReport {
            scim_url: self.url().to_string(),
            failure: None,
            claims_patch: None,
            users: None,
        };
        let discovery = match self.probe(Request::get(&["ServiceProviderConfig"])).await {
            Ok(response) => response,
            Err(error) => {
                report.failure = Some(self.network_failure(&error));
                return report;
            }
        };
        if discovery.status == StatusCode::OK {
            report.claims_patch = claims_patch(&discovery);
        }
        let request = Request { query: &[("count", "1")], ..Request::get(&["Users"]) };
        match self.probe(request).await {
            Err(error) => report.failure = Some(self.network_failure(&error)),
            Ok(response) => match self.judge_list(&response) {
                Ok(users) => report.users = users,
                Err(_) if may_refuse_pages(&response) && self.answers_look_up().await => {}
                Err(failure) => report.failure = Some(failure),
            },
        }
        report
    }

    /// Whether the target answers a look-up, which is what a run asks: some fail at `count` alone.
    async fn answers_look_up(&self) -> bool {
        let filter = format!("userName eq \"{NOBODY}\"");
        let request = Request { query: &[("filter", &filter)], ..Request::get(&["Users"]) };
        match self.probe(request).await {
            Ok(response) => response.is_scim_not_found() || self.judge_list(&response).is_ok(),
            Err(_) => false,
        }
    }

    /// Sends a request as [`Client::send`] does, without its consequences for a run.
    async fn probe(&self, request: Request<'_>) -> Result<Response, NetworkError> {
        let mut attempt = 1;
        loop {
            let sent = self.count_and_exchange(request).await;
            let transient = match &sent {
                Ok(response) => response.is_transient(),
                Err(NetworkError::Broken(_)) => true,
                // A problem that a short wait does not solve.
                Err(
                    NetworkError::NameResolution(_)
                    | NetworkError::Refused
                    | NetworkError::Tls(..)
                    | NetworkError::TimedOut
                    | NetworkError::Address(_)
                    | NetworkError::Proxy(_)
                    | NetworkError::TooLong(_)
                    | NetworkError::Unbuildable(_),
                ) => false,
            };
            if !transient || attempt >= self.max_attempts() {
                return sent;
            }
            self.back_off(attempt, sent.as_ref().ok()).await;
            attempt += 1;
        }
    }

    fn judge_list(&self, response: &Response) -> Result<Option<u64>, TestFailure> {
        let url = self.url().resource(&["Users"]);
        let failure =
            |code, message: String, next: &str| Err(TestFailure { code, message, next: next.to_owned() });
        let status = response.status.as_u16();
        match status {
            200 => {}
            401 => return Err(self.unauthorized(response)),
            403 => {
                let next = "give the account behind these credentials the right to read and write users";
                return failure(
                    "forbidden",
                    format!("the credentials are accepted but not allowed to read {url} (403)"),
                    next,
                );
            }
            404 => {
                let next = "check the SCIM URL: it ends before `/Users`, often in `/scim` or `/scim/v2`";
                return failure("not-found", format!("there is nothing at {url} (404)"), next);
            }
            300..=399 => {
                let to = response.location.as_deref().unwrap_or("an address it does not name");
                let next = "redirects are not followed, because credentials would go along: set scim-url to the final address";
                return failure("redirected", format!("{url} redirects to {to} ({status})"), next);
            }
            407 => {
                let next = "set proxy-user and proxy-password under [connection.options]";
                return failure("proxy", format!("the proxy asks for credentials before {url} (407)"), next);
            }
            429 => {
                let next = "wait, then test again; ask the vendor for the limit";
                return failure(
                    "rate-limited",
                    format!("{url} keeps answering 429, too many requests"),
                    next,
                );
            }
            500..=599 => {
                let next = "the fault is at the target: test again later, and tell its operator";
                return failure("target-error", format!("{url}: {}", response.describe()), next);
            }
            _ => {
                let next = "check the SCIM URL and that the application is set up in Aquera";
                return failure("rejected", format!("{url}: {}", response.describe()), next);
            }
        }
        let list = response.object().filter(|list| {
            let says_list = get_ci(list, "schemas").and_then(Value::as_array).is_some_and(|schemas| {
                schemas.iter().any(|urn| {
                    urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(scim::schema::LIST_URN))
                })
            });
            says_list || get_ci(list, "totalResults").is_some_and(Value::is_u64)
        });
        if let Body::Excess(what) = &response.body {
            let next =
                "the target ignores `count=1` and returns all users: ask its operator to enable pagination";
            return failure("rejected", format!("{url} answers 200 with {what}"), next);
        }
        let Some(list) = list else {
            let kind = response.content_type.as_deref().unwrap_or("no content type");
            let next = "check the SCIM URL: a web page or another API seems to live there";
            return failure(
                "not-scim",
                format!("{url} answers 200 with {kind}, which is no SCIM list"),
                next,
            );
        };
        Ok(get_ci(list, "totalResults").and_then(Value::as_u64))
    }

    fn unauthorized(&self, response: &Response) -> TestFailure {
        let offered: Vec<&str> =
            response.challenges.iter().filter_map(|challenge| challenge.split_whitespace().next()).collect();
        let asks = |scheme: &str| offered.iter().any(|offer| offer.eq_ignore_ascii_case(scheme));
        let (sent, other, profile) = match self.credentials() {
            Credentials::Basic { .. } => ("Basic", "Bearer", "bearer-token"),
            Credentials::Bearer { .. } => ("Bearer", "Basic", "basic-auth"),
        };
        let (message, next) = if offered.is_empty() {
            (
                "the target refuses the credentials (401) and does not say which authentication it asks for"
                    .to_owned(),
                format!(
                    "check the credentials; or the application takes another profile: try `profile = \"{profile}\"`"
                ),
            )
        } else if !asks(sent) && asks(other) {
            (
                format!("the target asks for {other} authentication and was sent {sent} (401)"),
                format!(
                    "set `profile = \"{profile}\"` under [connection.authentication] with its credentials"
                ),
            )
        } else if asks(sent) {
            (
                format!("the target takes {sent} authentication and refuses these credentials (401)"),
                "check them for typing errors and expiry, and that they belong to this application in Aquera"
                    .to_owned(),
            )
        } else {
            (
                format!("the target asks for {} authentication (401)", offered.join(" or ")),
                "this connection can send Basic and Bearer: ask for one of these to be set up".to_owned(),
            )
        };
        TestFailure { code: "unauthorized", message, next }
    }

    fn network_failure(&self, error: &NetworkError) -> TestFailure {
        let url = self.url();
        let next = match error {
            NetworkError::NameResolution(_) => {
                "check the host name in scim-url for typing errors, and this machine's DNS".to_owned()
            }
            NetworkError::Refused => {
                "nothing listens at that host and port: check the port in scim-url, and that the service runs".to_owned()
            }
            NetworkError::Tls(_, advice) => advice.next().to_owned(),
            NetworkError::TimedOut => {
                "check firewalls and proxies between here and there, or raise request-timeout".to_owned()
            }
            NetworkError::Broken(_) => {
                "check that scim-url's scheme (http or https) is what the port speaks, then test again".to_owned()
            }
            NetworkError::Address(_) => {
                "set allow-private = true under [connection.options] if this host is to be used".to_owned()
            }
            NetworkError::Proxy(_) => {
                "check `proxy` under [connection.options] and its credentials, or the proxy variables of the environment".to_owned()
            }
            NetworkError::TooLong(_) | NetworkError::Unbuildable(_) => {
                "check scim-url: no request can be made of it".to_owned()
            }
        };
        TestFailure { code: error.word(), message: format!("{url}: {error}"), next }
    }
}

fn claims_patch(response: &Response) -> Option<bool> {
    get_ci(get_ci(response.object()?, "patch")?.as_object()?, "supported")?.as_bool()
}
