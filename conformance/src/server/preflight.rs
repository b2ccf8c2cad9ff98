//! Whether a subject can be judged at all, found out before any case is played: nothing is to be said of a server that
//! is not one, is down, or lets nobody in.

use std::time::Duration;

use serde_json::Value;

use crate::report::{NotJudged, plain};
use crate::server::facts::{Facts, Moved, get, is_list};
use crate::wire::client::{Answer, Client, Request};
use crate::wire::failure::{FailureKind, NetworkFailure};

/// How long one of these requests is waited for because of 429 or 503.
const PATIENCE: Duration = Duration::from_secs(8);

/// Characters of a text that the subject sent.
const TOLD: usize = 200;

/// Why a subject cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection test failed: {message}; {next}")]
pub struct Unusable {
    /// A stable word: `name-resolution`, `refused`, `tls`, `timed-out`, `broken`, `unauthorized`, `forbidden`,
    /// `not-found`, `not-scim`, `redirected`, `rate-limited`, `target-error`, `rejected`.
    pub code: &'static str,
    /// What was found.
    pub message: String,
    /// What to do.
    pub next: String,
}

impl From<Unusable> for NotJudged {
    fn from(unusable: Unusable) -> Self {
        let Unusable { code, message, next } = unusable;
        Self { code: code.to_owned(), message, next }
    }
}

impl Unusable {
    fn new(code: &'static str, message: String, next: impl Into<String>) -> Self {
        Self { code, message, next: next.into() }
    }
}

/// Asks the subject what it is, after finding out that it speaks SCIM and lets the harness in.
///
/// # Errors
/// [`Unusable`]. Discovery that is missing or broken is no error.
pub async fn preflight(client: &Client) -> Result<Facts, Unusable> {
    let config = match ask(client, "/ServiceProviderConfig", false).await {
        Ok(answer) => answer.ok_json(),
        Err(failure) if is_final(&failure) => {
            return Err(network(client, "/ServiceProviderConfig", &failure));
        }
        Err(_) => None,
    };
    let types = ask(client, "/ResourceTypes", false).await.ok().and_then(Answer::ok_json);
    let mut facts = Facts::of(config, types.as_ref(), None);
    let speaks = facts.speaks_scim();
    let named =
        facts.resource_type("User").map_or_else(|| "/Users".to_owned(), |known| known.endpoint.clone());
    if let Err(problem) = test(client, &named, speaks).await {
        if named == "/Users" || test(client, "/Users", speaks).await.is_err() {
            return Err(problem);
        }
        facts.moved.push(Moved::new("User", &named, "/Users", &problem.message));
    }
    let groups = facts.resource_type("Group").map(|known| known.endpoint.clone());
    if let Some(named) = groups.filter(|named| named != "/Groups")
        && let Err(problem) = test(client, &named, speaks).await
        && test(client, "/Groups", speaks).await.is_ok()
    {
        facts.moved.push(Moved::new("Group", &named, "/Groups", &problem.message));
    }
    facts.move_endpoints();
    let schemas = ask(client, "/Schemas", false).await.ok().and_then(Answer::ok_json);
    facts.learn_schemas(schemas.as_ref());
    Ok(facts)
}

impl Answer {
    /// The JSON of a 200.
    fn ok_json(self) -> Option<Value> {
        if self.status == 200 { self.json } else { None }
    }
}

/// Nothing else will get through either.
fn is_final(failure: &NetworkFailure) -> bool {
    match failure.kind {
        FailureKind::NameResolution | FailureKind::Refused | FailureKind::Tls | FailureKind::TimedOut => true,
        FailureKind::Reset | FailureKind::TooLarge | FailureKind::NotSent | FailureKind::Broken => false,
    }
}

async fn ask(client: &Client, path: &str, one: bool) -> Result<Answer, NetworkFailure> {
    let request = Request {
        step: "connection test".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: if one { vec![("count".to_owned(), "1".to_owned())] } else { Vec::new() },
        ..Request::default()
    };
    client.attempt(&request, PATIENCE).await.1
}

/// Whether an endpoint answers as SCIM does. `speaks`: discovery did.
async fn test(client: &Client, endpoint: &str, speaks: bool) -> Result<(), Unusable> {
    let answer = ask(client, endpoint, true).await.map_err(|failure| network(client, endpoint, &failure))?;
    let problem = match judge(client, endpoint, &answer, speaks) {
        Ok(()) => return Ok(()),
        Err(problem) => problem,
    };
    // A server may choke on `count` alone.
    if answer.status == 500
        && let Ok(plain) = ask(client, endpoint, false).await
        && judge(client, endpoint, &plain, speaks).is_ok()
    {
        return Ok(());
    }
    Err(problem)
}

fn judge(client: &Client, endpoint: &str, answer: &Answer, speaks: bool) -> Result<(), Unusable> {
    let url = format!("{}{endpoint}", client.base());
    let failure = |code, message: String, next: &str| Err(Unusable::new(code, message, next));
    let status = answer.status;
    match status {
        200..=299 => {
            let list = answer.json.as_ref().is_some_and(is_list);
            if list || (speaks && answer.json.is_some()) {
                return Ok(());
            }
            let next = "check the URL: it is the base URL, which ends before `/Users`, often in `/scim` or `/scim/v2`";
            failure(
                "not-scim",
                format!("{url} answers {status} with {}, which is no SCIM list", kind(answer)),
                next,
            )
        }
        401 => Err(unauthorized(client, answer)),
        403 => failure(
            "forbidden",
            format!("the credentials may not read {url} (403)"),
            "give the account behind them the right to read and write users and groups",
        ),
        404 | 410 => failure(
            "not-found",
            format!("there is nothing at {url} ({status})"),
            "check the URL: it is the base URL, which ends before `/Users`, often in `/scim` or `/scim/v2`",
        ),
        300..=399 => {
            let to = answer.header("location").map_or_else(
                || "an address that it does not name".to_owned(),
                |to| told(to.split(['?', '#']).next().unwrap_or_default()),
            );
            failure(
                "redirected",
                format!("{url} redirects to {to} ({status})"),
                "redirects are not followed, because credentials would go along: give the final address, and credentials that let the harness in",
            )
        }
        429 => failure(
            "rate-limited",
            format!("{url} keeps answering 429, too many requests"),
            "wait and try again, slower with --rate N (requests a second)",
        ),
        501 | 505 if speaks || is_error(answer) => Ok(()),
        500..=599 => failure(
            "target-error",
            format!("{url} keeps answering {status}{}", says(answer)),
            "the fault is at the server: see its log, and try again",
        ),
        // It speaks SCIM, and refuses this one request.
        _ if is_error(answer) || speaks => Ok(()),
        _ => failure(
            "rejected",
            format!("{url} answers {status} with {}{}", kind(answer), says(answer)),
            "check the URL, and that SCIM is switched on there",
        ),
    }
}

/// Whether the body is a SCIM error.
fn is_error(answer: &Answer) -> bool {
    let Some(body) = answer.json.as_ref() else { return false };
    let schemas = get(body, "schemas").and_then(Value::as_array);
    schemas.into_iter().flatten().filter_map(Value::as_str).any(|urn| {
        urn.get(..29).is_some_and(|start| start.eq_ignore_ascii_case("urn:ietf:params:scim:api:mess"))
    })
}

/// What came, in a few words.
fn kind(answer: &Answer) -> String {
    let media = answer.header("content-type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let start = answer.text.trim_start().get(..1);
    if answer.text.trim().is_empty() {
        "no body".to_owned()
    } else if media.eq_ignore_ascii_case("text/html") || (start == Some("<") && answer.json.is_none()) {
        "a web page".to_owned()
    } else if answer.json.is_some() {
        "other JSON".to_owned()
    } else if media.is_empty() {
        "a body of unknown type".to_owned()
    } else {
        told(media)
    }
}

/// `; it says: …`, where the subject explains itself.
fn says(answer: &Answer) -> String {
    let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
    detail.map_or_else(String::new, |detail| format!(", saying: {}", told(detail)))
}

/// A text of the subject, fit for a line.
fn told(text: &str) -> String {
    plain::one_line(&plain::cut(text, TOLD)).into_owned()
}

fn unauthorized(client: &Client, answer: &Answer) -> Unusable {
    let url = client.base();
    let offered: Vec<&str> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "www-authenticate")
        .filter_map(|(_, value)| value.split_whitespace().next())
        .map(|scheme| scheme.trim_end_matches(','))
        .collect();
    let asks = |scheme: &str| offered.iter().any(|offer| offer.eq_ignore_ascii_case(scheme));
    let asked = if offered.is_empty() {
        "does not say which authentication it asks for".to_owned()
    } else {
        format!("asks for {}", told(&offered.join(" or ")))
    };
    let (message, next) = match client.scheme() {
        None => (
            format!("{url} wants credentials (401) and {asked}; none were given"),
            "give them with --bearer TOKEN or --basic USER:PASSWORD",
        ),
        Some("Basic") if asks("Bearer") && !asks("Basic") => {
            (format!("{url} asks for Bearer and was sent Basic (401)"), "give a token with --bearer TOKEN")
        }
        Some("Bearer") if asks("Basic") && !asks("Bearer") => (
            format!("{url} asks for Basic and was sent Bearer (401)"),
            "give them with --basic USER:PASSWORD",
        ),
        Some(scheme) => (
            format!("{url} refuses the {scheme} credentials (401) and {asked}"),
            "check them for typing errors and expiry",
        ),
    };
    Unusable::new("unauthorized", message, next)
}

fn network(client: &Client, path: &str, failure: &NetworkFailure) -> Unusable {
    let (code, next) = match failure.kind {
        FailureKind::NameResolution => {
            ("name-resolution", "check the host name for typing errors, and this machine's DNS")
        }
        FailureKind::Refused => {
            ("refused", "nothing listens at that host and port: check them, and that the server runs")
        }
        FailureKind::Tls => (
            "tls",
            "check that the port speaks TLS and that the certificate is valid for the host; name a private \
             certificate authority with --ca-file FILE.pem, or take any certificate with --insecure",
        ),
        FailureKind::TimedOut => {
            ("timed-out", "check firewalls and proxies between here and there, or raise --timeout")
        }
        FailureKind::TooLarge => ("not-scim", "check the URL: something else seems to live there"),
        FailureKind::Reset | FailureKind::NotSent | FailureKind::Broken => {
            ("broken", "check that the URL's scheme (http or https) is what the port speaks")
        }
    };
    let message = format!("failed to reach {}{path}: {}", client.base(), told(&failure.text));
    Unusable::new(code, message, next)
}
