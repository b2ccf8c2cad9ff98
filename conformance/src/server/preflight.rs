//! The connection test before any case: a server is not judged if it is no SCIM server, is down, or refuses the
//! credentials.

use std::time::Duration;

use serde_json::{Value, json};

use crate::format;
use crate::json::get;
use crate::report::NotJudged;
use crate::server::deviation::resources::id_of;
use crate::server::discovery::{Facts, Moved, ResourceType, USER, id_text, resources, usual_endpoint};
use crate::server::sweep;
use crate::subject::server::client::{Answer, Client, Request};
use crate::subject::server::failure::{FailureKind, NetworkFailure};
use crate::subject::server::retry::Unsure;

/// The time that one of these requests waits because of 429 or 503.
const PATIENCE: Duration = Duration::from_secs(8);

/// The start of the URNs of the schemas of RFC 7643.
const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";

/// Characters of a text that the subject sent.
const TOLD: usize = 200;

/// Why a subject cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("connection test failed: {message}; {next}")]
pub struct Unusable {
    /// A stable word: `name-resolution`, `refused`, `tls`, `timed-out`, `broken`, `unauthorized`, `forbidden`,
    /// `not-found`, `not-scim`, `redirected`, `rate-limited`, `target-error`, `rejected`.
    pub code: &'static str,
    /// The reason.
    pub message: String,
    /// The next step for the reader.
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

/// Reads the discovery documents of the subject, after a check that it speaks SCIM and accepts the credentials.
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
    // Users first, for a subject without is none that can be judged.
    for (name, usual) in [("User", "/Users"), ("Group", "/Groups")] {
        let Some(known) = facts.resource_type(name) else {
            if name == "User" {
                test(client, usual, speaks).await?;
                facts.list_unlisted_users();
            }
            continue;
        };
        let named = address(client, known);
        if named == usual {
            facts.use_endpoint(name, usual);
            if name == "User" {
                test(client, usual, speaks).await?;
            }
            continue;
        }
        let mut is_there = false;
        let why = if named.is_empty() {
            "it names no endpoint".to_owned()
        } else if named.trim_matches('/').is_empty() {
            "that is the base URL".to_owned()
        } else if !named.starts_with('/') && !client.is_at_home(&named) {
            "it is at another server than the base URL".to_owned()
        } else {
            match test(client, &named, speaks).await {
                Ok(()) => {
                    let Some(why) = of_something_else(client, name, &named).await else {
                        facts.use_endpoint(name, &named);
                        continue;
                    };
                    is_there = true;
                    why
                }
                Err(problem) => problem.message,
            }
        };
        match test(client, usual, speaks).await {
            Ok(()) => facts.moved.push(Moved::new(name, &named, usual, &why)),
            // Nothing better is known.
            Err(_) if is_there => facts.use_endpoint(name, &named),
            Err(problem) if name == "User" => return Err(problem),
            Err(_) => {}
        }
    }
    facts.move_endpoints();
    let schemas = ask(client, "/Schemas", false).await.ok().and_then(Answer::ok_json);
    facts.learn_schemas(schemas.as_ref());
    Ok(facts)
}

/// Returns a description of the content of an endpoint that /ResourceTypes names for a resource type if it is
/// something else: by its resources, or, without any, by its name. Returns `None` if it may be the type's.
async fn of_something_else(client: &Client, name: &str, endpoint: &str) -> Option<String> {
    let answer = ask(client, endpoint, true).await.ok().filter(Answer::is_success)?;
    let document = answer.json?;
    if !is_scim_list(&document) {
        return Some("it answers with no list".to_owned());
    }
    let kind = |resource: &Value| {
        let meta = get(resource, "meta").and_then(|meta| get(meta, "resourceType")?.as_str());
        let of_urn = |urn: &str| urn.strip_prefix(CORE).map(ToOwned::to_owned);
        let schemas = get(resource, "schemas").and_then(Value::as_array);
        let mut kinds = schemas.into_iter().flatten().filter_map(|urn| of_urn(urn.as_str()?));
        meta.map(ToOwned::to_owned).or_else(|| kinds.next())
    };
    if let Some(kind) = resources(&document).iter().find_map(kind) {
        return (!kind.eq_ignore_ascii_case(name)).then(|| format!("it lists {}", told(&kind)));
    }
    let others = ["User", "Group"].into_iter().filter(|other| *other != name);
    let mut taken = others.filter_map(usual_endpoint).chain(["/Schemas", "/ResourceTypes", "/Bulk", "/Me"]);
    taken
        .any(|taken| endpoint.eq_ignore_ascii_case(taken))
        .then(|| "that is the endpoint of something else".to_owned())
}

/// Tries whether users can be created where nothing but an empty list says that this is a SCIM server: many a URL answers
/// with one. What the trial makes is deleted.
///
/// # Errors
/// [`Unusable`] where there is nothing that creates.
pub async fn try_creation(client: &Client, facts: &Facts) -> Result<(), Unusable> {
    let Some(users) = facts.resource_type("User").filter(|_| !facts.are_said()) else { return Ok(()) };
    let endpoint = users.endpoint.as_str();
    let Ok(list) = ask(client, endpoint, true).await else { return Ok(()) };
    let is_empty = |list: &Value| {
        resources(list).is_empty() && get(list, "totalResults").is_none_or(|total| *total == 0)
    };
    if !list.is_success() || !list.json.as_ref().is_some_and(is_empty) {
        return Ok(());
    }
    // A user without a name, which a SCIM server refuses.
    let request = Request {
        step: "connection test".to_owned(),
        method: "POST".to_owned(),
        path: endpoint.to_owned(),
        body: Some(json!({ "schemas": [USER] }).to_string()),
        ..Request::default()
    };
    let Ok(answer) = client.attempt(&request, PATIENCE, Unsure::HandBack).await.1 else { return Ok(()) };
    let made = match answer.json.as_ref().and_then(|made| id_text(get(made, "id")?)) {
        Some(id) => Some(format!("{endpoint}/{}", Client::segment(&id))),
        None => answer.header("location").and_then(|location| client.below(location)),
    };
    let what = match (answer.status, made) {
        (200..=299, Some(path)) => {
            // Whatever comes of it: it has no name by which it could be found again.
            drop(sweep::delete(client, &path).await);
            return Ok(());
        }
        (200..=299, None) => format!("{} and makes nothing", answer.status),
        (404 | 405 | 410 | 501, _) => answer.status.to_string(),
        _ => return Ok(()),
    };
    Err(Unusable::new(
        "not-scim",
        format!(
            "{}{endpoint} answers with an empty list, and nothing else there is of SCIM: there is no discovery, and a \
             creation is answered {what}",
            client.base()
        ),
        "check the URL: it is the base URL, which ends before `/Users`, often in `/scim` or `/scim/v2`",
    ))
}

/// Returns the endpoint that /ResourceTypes names: below the base URL, or an address elsewhere as it is; empty if it
/// names none.
fn address(client: &Client, known: &ResourceType) -> String {
    match &known.named {
        None => known.endpoint.clone(),
        Some(named) if named.contains("://") => {
            client.below(named).map_or_else(|| named.clone(), |path| path.trim_end_matches('/').to_owned())
        }
        Some(named) => named.clone(),
    }
}

impl Answer {
    /// Returns the JSON of a 200.
    fn ok_json(self) -> Option<Value> {
        if self.status == 200 { self.json } else { None }
    }
}

/// Whether all further requests will fail in the same way.
fn is_final(failure: &NetworkFailure) -> bool {
    match failure.kind {
        FailureKind::NameResolution | FailureKind::Refused | FailureKind::Tls | FailureKind::TimedOut => true,
        FailureKind::Reset
        | FailureKind::TooLarge
        | FailureKind::NotSent
        | FailureKind::Malformed
        | FailureKind::Broken => false,
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
    let mut outcome = client.attempt(&request, PATIENCE, Unsure::SendAgain).await.1;
    for _ in 0..2 {
        // It may be so just now only.
        let again = match &outcome {
            Ok(answer) => answer.status == 500,
            Err(failure) => matches!(failure.kind, FailureKind::Reset | FailureKind::Broken),
        };
        if !again {
            break;
        }
        outcome = client.attempt(&request, PATIENCE, Unsure::SendAgain).await.1;
    }
    outcome
}

/// Whether an endpoint answers as SCIM does. `speaks`: discovery did.
async fn test(client: &Client, endpoint: &str, speaks: bool) -> Result<(), Unusable> {
    let answer = ask(client, endpoint, true).await.map_err(|failure| network(client, endpoint, &failure))?;
    let problem = match judge(client, endpoint, &answer, speaks) {
        Ok(()) => return Ok(()),
        Err(problem) => problem,
    };
    // A server may choke on `count` alone, or list nothing without a filter.
    if matches!(answer.status, 500 | 501) || (answer.status == 400 && is_error(&answer)) {
        if let Ok(plain) = ask(client, endpoint, false).await
            && judge(client, endpoint, &plain, speaks).is_ok()
        {
            return Ok(());
        }
        if answer.status != 500 && is_filtered(client, endpoint).await {
            return Ok(());
        }
    }
    Err(problem)
}

/// Whether the endpoint answers a filter with a list.
async fn is_filtered(client: &Client, endpoint: &str) -> bool {
    let attribute = if endpoint.to_ascii_lowercase().contains("group") { "displayName" } else { "userName" };
    let request = Request {
        step: "connection test".to_owned(),
        method: "GET".to_owned(),
        path: endpoint.to_owned(),
        query: vec![("filter".to_owned(), format!("{attribute} eq \"{}nobody\"", crate::server::PREFIX))],
        ..Request::default()
    };
    let answer = client.attempt(&request, PATIENCE, Unsure::SendAgain).await.1;
    answer.is_ok_and(|answer| answer.is_success() && answer.json.as_ref().is_some_and(is_scim_list))
}

/// Whether this is a list of SCIM: one that counts, one that has resources, or one of a bare array of resources. Any JSON
/// API answers `[]`.
fn is_scim_list(document: &Value) -> bool {
    let is_resource = |resource: &Value| {
        id_of(resource).is_some()
            && ["schemas", "userName", "displayName", "meta"].iter().any(|name| get(resource, name).is_some())
    };
    match document {
        Value::Array(elements) => !elements.is_empty() && elements.iter().all(is_resource),
        other => {
            let total = get(other, "totalResults");
            let counts = total.is_some_and(|total| {
                total.is_number() || total.as_str().is_some_and(|text| text.parse::<u64>().is_ok())
            });
            let listed = resources(other);
            counts
                || get(other, "Resources").is_some_and(Value::is_array)
                || (!listed.is_empty() && listed.iter().all(is_resource))
        }
    }
}

/// Whether a document says that it is of SCIM 1.1, and of no other version.
fn is_scim_1(document: &Value) -> bool {
    let says = |start: &str| {
        let urns = |value: &Value| {
            let all = get(value, "schemas").and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).any(|urn| urn.to_ascii_lowercase().starts_with(start))
        };
        urns(document) || resources(document).iter().any(urns)
    };
    says("urn:scim:schemas:") && !says("urn:ietf:params:scim:")
}

fn judge(client: &Client, endpoint: &str, answer: &Answer, speaks: bool) -> Result<(), Unusable> {
    let url = format!("{}{endpoint}", client.base());
    let failure = |code, message: String, next: &str| Err(Unusable::new(code, message, next));
    let status = answer.status;
    match status {
        200..=299 => {
            if answer.json.as_ref().is_some_and(is_scim_1) {
                return failure(
                    "not-scim",
                    format!(
                        "{url} answers with SCIM 1.1 (urn:scim:schemas:core:1.0), and SCIM 2.0 is what is judged"
                    ),
                    "give the base URL of SCIM 2.0, often in `/scim/v2`, or switch it on there",
                );
            }
            let list = answer.json.as_ref().is_some_and(is_scim_list);
            if list || (speaks && answer.json.is_some()) {
                return Ok(());
            }
            if let Some(why) = unreadable(answer) {
                return failure(
                    "not-scim",
                    format!("{url} answers {status}, and the answer's JSON cannot be read: {why}"),
                    "the fault is at the server: send JSON as RFC 8259 has it, in UTF-8",
                );
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
            format!("the credentials may not read {url} (403{})", says(answer)),
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
        501 | 505 if speaks => Ok(()),
        501 | 505 => failure(
            "rejected",
            format!("{url} answers {status}, not implemented, with {}{}", kind(answer), says(answer)),
            "check the URL, and that SCIM is switched on there",
        ),
        500..=599 => failure(
            "target-error",
            format!("{url} keeps answering {status}{}", says(answer)),
            "the fault is at the server: see its log, and try again",
        ),
        400 if wants_tls(client, answer) => failure(
            "tls",
            format!("the port of {url} speaks TLS, and the URL begins with http:// (400)"),
            "write https:// in place of http://",
        ),
        // It speaks SCIM, and refuses this one request.
        _ if speaks => Ok(()),
        _ => failure(
            "rejected",
            format!("{url} answers {status} with {}{}", kind(answer), says(answer)),
            if is_error(answer) {
                "what it says is about every request: mend that at the server, and try again"
            } else {
                "check the URL, and that SCIM is switched on there"
            },
        ),
    }
}

/// Whether a server says that plain HTTP came to a port that speaks TLS.
fn wants_tls(client: &Client, answer: &Answer) -> bool {
    let text = answer.text.to_ascii_lowercase();
    client.base().starts_with("http://")
        && ["https port", "speaks tls", "to an https"].iter().any(|words| text.contains(words))
}

/// Returns why a body that is meant to be JSON cannot be read, or `None` if it is JSON, or nothing of the kind.
fn unreadable(answer: &Answer) -> Option<String> {
    if answer.json.is_some() {
        return None;
    }
    let text = answer.text.as_str();
    if text.starts_with('\u{feff}') {
        return Some("it begins with a byte order mark".to_owned());
    }
    let declared =
        answer.header("content-type").is_some_and(|media| media.to_ascii_lowercase().contains("json"));
    let looks = text.trim_start().starts_with(['{', '[']);
    let meant = declared && !text.trim().is_empty() && !text.trim_start().starts_with('<');
    if !looks && !meant {
        return None;
    }
    if let Some((number, byte)) = answer.not_utf8 {
        return Some(format!("it is not UTF-8 (byte {number} is {byte:#04x})"));
    }
    serde_json::from_str::<Value>(text).err().map(|error| error.to_string())
}

/// Whether the body is a SCIM error.
fn is_error(answer: &Answer) -> bool {
    let Some(body) = answer.json.as_ref() else { return false };
    let schemas = get(body, "schemas").and_then(Value::as_array);
    schemas.into_iter().flatten().filter_map(Value::as_str).any(|urn| {
        urn.get(..29).is_some_and(|start| start.eq_ignore_ascii_case("urn:ietf:params:scim:api:mess"))
    })
}

/// Describes an answer in a few words.
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

/// Returns `; it says: …` if the subject explains itself.
fn says(answer: &Answer) -> String {
    let detail = answer.json.as_ref().and_then(|body| get(body, "detail")?.as_str());
    detail.map_or_else(String::new, |detail| format!(", saying: {}", told(detail)))
}

/// Returns a text of the subject, shortened for a line.
fn told(text: &str) -> String {
    format::one_line(&format::cut(text, TOLD)).into_owned()
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
        FailureKind::Malformed => {
            ("broken", "the fault is at the server, or at a proxy before it: see what it sends with curl -v")
        }
        FailureKind::Reset | FailureKind::NotSent | FailureKind::Broken => {
            ("broken", "check that the URL's scheme (http or https) is what the port speaks")
        }
    };
    let message = format!("failed to reach {}{path}: {}", client.base(), told(&failure.text));
    Unusable::new(code, message, next)
}
