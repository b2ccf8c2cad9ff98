//! A request as it arrived, with its answer: out of the mock's journal, or out of a file.
//!
//! Files are the journal as the mock's administration gives it (`GET /_mock/applications/NAME/journal`: an object, an
//! array, or an object a line) or an HTTP archive (HAR 1.2). What is no SCIM request is left out and counted.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::json::get;
use crate::query_string::parameters;
use crate::transcript::{Exchange, REDACTED, Received, Sent};

/// The endpoints at which SCIM paths begin: the last segment of the base URL is the one before these.
pub(crate) const ENDPOINTS: [&str; 8] =
    ["Users", "Groups", "ServiceProviderConfig", "ResourceTypes", "Schemas", "Bulk", "Me", ".search"];

/// Shorter than this nothing is a secret.
const LONG_ENOUGH: usize = 6;

/// The start of the text in the mock's journal in place of a body that was too large to keep.
const LEFT_OUT: &str = "[left out: ";

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedExchange {
    /// The time at which the request was received.
    pub at: Option<Timestamp>,
    /// The time from there until the answer was ready.
    pub took: Duration,
    /// The method as sent.
    pub method: String,
    /// Below the base URL, with the query, as sent.
    pub target: String,
    /// The base URL in front of the path, for reports.
    pub base: String,
    /// Names as sent, in order.
    pub headers: Vec<(String, String)>,
    /// JSON, or a string where it is none.
    pub body: Option<Value>,
    /// The status; none: the connection ended without an answer.
    pub status: Option<u16>,
    /// Names as they came.
    pub answer_headers: Vec<(String, String)>,
    /// JSON, or a string where it is none.
    pub answer: Option<Value>,
}

/// Why a file is no journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The line cannot be read as JSON.
    #[error("line {line}: not JSON: {reason}")]
    NotJson {
        /// The line, from 1.
        line: usize,
        /// The reason in words.
        reason: String,
    },
    /// JSON of another kind.
    #[error(
        "neither a journal of mock-aquera (its exchanges as an array, under `exchanges`, or one a line) nor an HTTP archive (HAR 1.2)"
    )]
    Unknown,
    /// An entry is invalid.
    #[error("entry {index}: `{member}` is missing or of the wrong kind")]
    Entry {
        /// The index, from 1.
        index: usize,
        /// The member.
        member: &'static str,
    },
    /// The file is empty.
    #[error("it is empty")]
    Nothing,
    /// The file has no request to a SCIM endpoint.
    #[error("no request in it goes to a SCIM endpoint such as /Users")]
    Empty,
}

/// The content of a journal file.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The exchanges, in the order of their times.
    pub exchanges: Vec<RecordedExchange>,
    /// Entries that are no SCIM requests.
    pub left_out: usize,
}

impl RecordedExchange {
    /// Returns an exchange of the mock; `base` is the path of its SCIM URL.
    pub fn of(exchange: mock_aquera::Exchange, base: &str) -> Self {
        let (base, target) = match exchange.path.strip_prefix(base) {
            Some(target) => (base.to_owned(), target.to_owned()),
            None => split(&exchange.path).unwrap_or_else(|| (String::new(), exchange.path.clone())),
        };
        Self {
            at: Some(exchange.at),
            took: exchange.took,
            method: exchange.method,
            target,
            base,
            headers: exchange.request_headers,
            body: exchange.request_body,
            status: exchange.status.map(|status| status.as_u16()),
            answer_headers: exchange.response_headers,
            answer: exchange.response_body,
        }
    }

    /// Returns the path below the base URL, as sent, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the query as sent.
    pub fn raw_query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// Returns the parameters, decoded as servers do.
    pub fn query(&self) -> Vec<(String, String)> {
        parameters(self.raw_query().unwrap_or_default())
    }

    /// Returns a parameter, or the member of that name of a search's body.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let given = self.query().into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        given.map(|(_, value)| value).or_else(|| {
            let value = get(self.body.as_ref().filter(|_| self.is_search())?, name)?;
            Some(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))
        })
    }

    /// Returns a header field of the request.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// Returns a header field of the answer.
    pub fn answer_header(&self, name: &str) -> Option<&str> {
        find(&self.answer_headers, name)
    }

    /// Returns the token or password of the credentials, or `None` if there is none, or the recording left it out.
    pub fn secret(&self) -> Option<String> {
        let (scheme, rest) = self.header("authorization")?.trim().split_once(' ')?;
        let secret = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => rest.trim().to_owned(),
            "basic" => {
                let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
                pair.split_once(':')?.1.to_owned()
            }
            _ => return None,
        };
        // What is shorter stands in a URL by chance.
        (secret.chars().count() >= LONG_ENOUGH && !secret.contains(REDACTED)).then_some(secret)
    }

    /// Returns the segments of the path, decoded.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path().trim_matches('/');
        path.split('/').filter(|segment| !segment.is_empty()).map(percent_decode).collect()
    }

    /// Returns the id of the user that the path names.
    pub fn user_id(&self) -> Option<String> {
        self.id_below(&["Users"])
    }

    /// Returns the id of the user or group that the path names.
    pub fn resource_id(&self) -> Option<String> {
        self.id_below(&["Users", "Groups"])
    }

    fn id_below(&self, endpoints: &[&str]) -> Option<String> {
        match self.segments().as_slice() {
            [first, id, ..] if id != ".search" => {
                endpoints.iter().any(|endpoint| endpoint.eq_ignore_ascii_case(first)).then(|| id.clone())
            }
            _ => None,
        }
    }

    /// Whether the request is a POST that reads.
    pub fn is_search(&self) -> bool {
        self.method == "POST" && self.path().trim_end_matches('/').ends_with("/.search")
    }

    /// Whether it asks for a change.
    pub fn is_write(&self) -> bool {
        matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE") && !self.is_search()
    }

    /// Whether the request is a list of users without a filter, which shows everybody. A client that asks for one
    /// user or none only checks that the endpoint answers.
    pub fn reads_everybody(&self) -> bool {
        let segments = self.segments();
        let lists = self.method == "GET" && segments.len() == 1 || self.is_search();
        let users = segments.first().is_some_and(|first| first.eq_ignore_ascii_case("Users"));
        lists && users && self.parameter("filter").is_none() && !self.asks_for_one_at_most()
    }

    /// Whether it says that no more than one resource is wanted.
    pub fn asks_for_one_at_most(&self) -> bool {
        self.parameter("count").and_then(|count| count.parse::<i64>().ok()).is_some_and(|count| count <= 1)
    }

    /// Whether it was answered with 2xx.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// Whether both are the same request.
    pub fn is_again(&self, other: &Self) -> bool {
        self.method == other.method && self.target == other.target && self.body == other.body
    }

    /// Returns the time at which the answer was ready.
    pub fn answered_at(&self) -> Option<Timestamp> {
        self.at?.checked_add(jiff::SignedDuration::try_from(self.took).ok()?).ok()
    }

    /// Returns the operations of a PATCH.
    pub fn operations(&self) -> Vec<&Value> {
        if self.method != "PATCH" {
            return Vec::new();
        }
        let all = self.body.as_ref().and_then(|body| get(body, "Operations")).and_then(Value::as_array);
        all.map(|all| all.iter().collect()).unwrap_or_default()
    }

    /// Returns the value that the request sets `active` to, or `None` if it does not set it. A text counts as the
    /// Boolean that it says.
    pub fn sets_active(&self) -> Option<bool> {
        let truth = |value: &Value| match value {
            Value::Bool(active) => Some(*active),
            Value::String(text) => text.to_ascii_lowercase().parse().ok(),
            _ => None,
        };
        if self.method == "PATCH" {
            return self.operations().into_iter().rev().find_map(|operation| {
                let value = get(operation, "value")?;
                match get(operation, "path").and_then(Value::as_str) {
                    Some(path) if last_name(path).eq_ignore_ascii_case("active") => {
                        truth(value.as_array().and_then(|all| all.first()).unwrap_or(value))
                    }
                    Some(_) => None,
                    None => truth(get(value, "active")?),
                }
            });
        }
        let whole = matches!(self.method.as_str(), "POST" | "PUT") && !self.is_search();
        self.body.as_ref().filter(|_| whole).and_then(|body| get(body, "active")).and_then(truth)
    }

    /// Whether it had a body that the recording does not have.
    pub fn has_unseen_body(&self) -> bool {
        let length = self.header("content-length").and_then(|length| length.trim().parse::<u64>().ok());
        self.body.is_none()
            && (length.is_some_and(|length| length > 0) || self.header("transfer-encoding").is_some())
    }

    /// Returns the exchange in short, as in `PUT /Users/7 → 200`.
    pub fn in_short(&self) -> String {
        let status = self.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
        format!("{} {} → {status}", self.method, self.target)
    }

    /// Returns the exchange for a report.
    pub fn exchange(&self, step: &str) -> Exchange {
        let lower = |headers: &[(String, String)]| {
            headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
        };
        Exchange {
            step: step.to_owned(),
            request: Sent {
                method: self.method.clone(),
                url: format!("{}{}", self.base, self.target),
                headers: self.headers.clone(),
                body: self.body.clone().unwrap_or(Value::Null),
            },
            response: self.status.map(|status| Received {
                status,
                headers: lower(&self.answer_headers),
                body: self.answer.clone().unwrap_or(Value::Null),
            }),
            error: self.status.is_none().then(|| "the connection ended without an answer".to_owned()),
            milliseconds: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Returns the name behind the URN of an attribute path.
pub(crate) fn last_name(path: &str) -> &str {
    path.rsplit(':').next().unwrap_or(path).trim()
}

/// Whether a body was not kept, so that nothing can be said of it.
pub(crate) fn is_unknown(body: &Value) -> bool {
    body.as_str().is_some_and(|text| text.starts_with(LEFT_OUT))
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Splits a path to a SCIM endpoint into base path and rest. Returns `None` for other paths.
fn split(path: &str) -> Option<(String, String)> {
    let plain = path.split('?').next().unwrap_or_default();
    let mut at = 0;
    for segment in plain.split('/') {
        if ENDPOINTS.iter().any(|endpoint| endpoint.eq_ignore_ascii_case(segment)) {
            let start = at.max(1) - 1;
            return Some((path[..start].to_owned(), path[start..].to_owned()));
        }
        at += segment.len() + 1;
    }
    None
}

/// Reads a journal file.
///
/// # Errors
/// The text is no recording; the error has the place.
pub fn read(text: &str) -> Result<Journal, JournalError> {
    let entries = entries(text)?;
    let mut journal = Journal { exchanges: Vec::new(), left_out: 0 };
    for (index, entry) in entries.into_iter().enumerate() {
        let read = if entry.get("request").is_some() { of_har(&entry) } else { of_mock(&entry) };
        match read.map_err(|member| JournalError::Entry { index: index + 1, member })? {
            Some(recorded) => journal.exchanges.push(recorded),
            None => journal.left_out += 1,
        }
    }
    if journal.exchanges.is_empty() {
        return Err(JournalError::Empty);
    }
    if journal.exchanges.iter().all(|recorded| recorded.at.is_some()) {
        journal.exchanges.sort_by_key(|recorded| recorded.at);
    }
    Ok(journal)
}

fn entries(text: &str) -> Result<Vec<Value>, JournalError> {
    if text.trim().is_empty() {
        return Err(JournalError::Nothing);
    }
    let whole = match serde_json::from_str::<Value>(text) {
        Ok(whole) => whole,
        Err(error) => return lines(text, &error),
    };
    let inner = ["exchanges", "entries"].iter().find_map(|name| whole.get(name)).and_then(Value::as_array);
    let har = || whole.pointer("/log/entries").and_then(Value::as_array);
    match (inner.or_else(har), &whole) {
        (Some(entries), _) => Ok(entries.clone()),
        (None, Value::Array(entries)) => Ok(entries.clone()),
        (None, Value::Object(_)) if whole.get("method").is_some() => Ok(vec![whole]),
        _ => Err(JournalError::Unknown),
    }
}

fn lines(text: &str, whole: &serde_json::Error) -> Result<Vec<Value>, JournalError> {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let entry = serde_json::from_str(line).map_err(|error| {
            // Where not even the first line is JSON, the whole was meant to be one value.
            let (line, reason) = if entries.is_empty() {
                (whole.line(), whole.to_string())
            } else {
                (index + 1, error.to_string())
            };
            JournalError::NotJson { line, reason }
        })?;
        entries.push(entry);
    }
    if entries.is_empty() { Err(JournalError::Unknown) } else { Ok(entries) }
}

fn of_mock(entry: &Value) -> Result<Option<RecordedExchange>, &'static str> {
    if let Some(exchange) = entry.get("exchange").filter(|_| entry.get("method").is_none()) {
        // A line of the journal's stream.
        return of_mock(exchange);
    }
    let text = |name: &'static str| entry.get(name).and_then(Value::as_str).ok_or(name);
    let (method, path) = (text("method")?, text("path")?);
    let Some((base, target)) = split(path) else { return Ok(None) };
    let headers = |name: &'static str| -> Result<Vec<(String, String)>, &'static str> {
        match entry.get(name).filter(|headers| !headers.is_null()) {
            Some(headers) => serde_json::from_value(headers.clone()).map_err(|_| name),
            None => Ok(Vec::new()),
        }
    };
    let body = |name: &str| entry.get(name).filter(|body| !body.is_null()).cloned();
    let status = entry.get("status").and_then(Value::as_u64).ok_or("status")?;
    Ok(Some(RecordedExchange {
        at: text("at").ok().and_then(|at| at.parse().ok()),
        took: Duration::from_micros(entry.get("took").and_then(Value::as_u64).unwrap_or_default()),
        method: method.to_owned(),
        target,
        base,
        headers: headers("requestHeaders")?,
        body: body("requestBody"),
        status: u16::try_from(status).ok().filter(|status| *status != 0),
        answer_headers: headers("responseHeaders")?,
        answer: body("responseBody"),
    }))
}

fn of_har(entry: &Value) -> Result<Option<RecordedExchange>, &'static str> {
    let request = entry.get("request").ok_or("request")?;
    let method = request.get("method").and_then(Value::as_str).ok_or("request.method")?;
    let url = request.get("url").and_then(Value::as_str).ok_or("request.url")?;
    let (origin, path) = match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            (&url[..scheme.len() + 3 + end], &rest[end..])
        }
        None => ("", url),
    };
    let Some((base, target)) = split(path) else { return Ok(None) };
    let headers = |holder: Option<&Value>| -> Vec<(String, String)> {
        let all = holder.and_then(|holder| holder.get("headers")).and_then(Value::as_array);
        let pair = |header: &Value| {
            let text = |name: &str| header.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
            // HTTP/2's own fields are no header fields.
            Some((text("name").filter(|name| !name.starts_with(':'))?, text("value")?))
        };
        all.map(|all| all.iter().filter_map(pair).collect()).unwrap_or_default()
    };
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let body = |pointer: &str| {
        let text = entry.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(json)
    };
    // A body may be counted and not kept.
    let unseen = request.get("bodySize").and_then(Value::as_i64).filter(|size| *size > 0);
    let unseen = unseen.map(|size| Value::from(format!("{LEFT_OUT}{size} bytes]")));
    let response = entry.get("response");
    let status = response.and_then(|response| response.get("status")).and_then(Value::as_u64);
    let time = entry.get("time").and_then(Value::as_f64).unwrap_or_default().max(0.0) / 1000.0;
    Ok(Some(RecordedExchange {
        at: entry.get("startedDateTime").and_then(Value::as_str).and_then(|at| at.parse().ok()),
        took: Duration::try_from_secs_f64(time).unwrap_or_default(),
        method: method.to_owned(),
        target,
        base: format!("{origin}{base}"),
        headers: headers(Some(request)),
        body: body("/request/postData/text").or(unseen),
        status: status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status != 0),
        answer_headers: headers(response),
        answer: body("/response/content/text"),
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::client::recording::*;

    fn entry(method: &str, path: &str) -> Value {
        json!({"method": method, "path": path, "status": 200, "at": "2026-01-01T00:00:00Z", "took": 1500})
    }

    #[test]
    fn journal_is_parsed_in_each_form() {
        let one = entry("GET", "/apps/a/scim/Users?filter=userName%20eq%20%22a%2Bb%22&count=2");
        for text in [
            json!([one]).to_string(),
            json!({"exchanges": [one]}).to_string(),
            format!("{one}\n{one}\n"),
            one.to_string(),
            json!({"type": "exchange", "exchange": one}).to_string() + "\n" + &one.to_string(),
        ] {
            let journal = read(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let first = &journal.exchanges[0];
            assert_eq!((first.base.as_str(), first.path()), ("/apps/a/scim", "/Users"));
            assert_eq!(first.parameter("FILTER").as_deref(), Some("userName eq \"a+b\""));
            let answered = first.answered_at().expect("a time").to_string();
            assert_eq!(answered, "2026-01-01T00:00:00.0015Z");
        }
    }

    #[test]
    fn http_archive_is_parsed() {
        let archive = json!({"log": {"entries": [
            {"startedDateTime": "2026-01-01T00:00:01Z", "time": 12.5,
             "request": {"method": "PATCH", "url": "https://a.example/v2/Users/7", "headers": [{"name": ":method", "value": "x"}, {"name": "Accept", "value": "*/*"}],
                "postData": {"text": "{\"Operations\":[{\"op\":\"Replace\",\"value\":{\"active\":\"False\"}}]}"}},
             "response": {"status": 0, "headers": []}},
            {"request": {"method": "POST", "url": "https://a.example/oauth/token"}, "response": {"status": 200}},
        ]}});
        let journal = read(&archive.to_string()).expect("an archive");
        assert_eq!(journal.left_out, 1);
        let one = &journal.exchanges[0];
        assert_eq!((one.base.as_str(), one.user_id().as_deref()), ("https://a.example/v2", Some("7")));
        assert_eq!((one.status, one.sets_active(), one.headers.len()), (None, Some(false), 1));
        assert_eq!(one.in_short(), "PATCH /Users/7 → no answer");
    }

    #[test]
    fn secret_is_found_in_its_header() {
        let secret = |authorization: &str| {
            let mut entry = entry("GET", "/Users");
            entry["requestHeaders"] = json!([["Authorization", authorization]]);
            read(&entry.to_string()).expect("a journal").exchanges[0].secret()
        };
        assert_eq!(secret("Bearer a-long-token").as_deref(), Some("a-long-token"));
        assert_eq!(secret("basic YWRhOnBhc3M6d29yZA==").as_deref(), Some("pass:word"));
        for none in ["Bearer [redacted]", "Bearer abc", "Basic ???", "Digest a-long-token", "a-long-token"] {
            assert_eq!(secret(none), None, "{none}");
        }
    }

    #[track_caller]
    fn check_refused(text: &str, told: &str) {
        let error = read(text).expect_err("no journal").to_string();
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn invalid_journal_is_refused_with_the_place() {
        check_refused("hello", "line 1: not JSON");
        check_refused("", "it is empty");
        check_refused(" \n", "it is empty");
        check_refused("{\"a\": 1}", "neither a journal");
        check_refused("[]", "no request in it");
        check_refused(&format!("{}\n{{\n", entry("GET", "/Users")), "line 2: not JSON");
        check_refused(&json!([{"path": "/Users"}]).to_string(), "entry 1: `method` is missing");
        check_refused(&json!([entry("GET", "/oauth/token")]).to_string(), "no request in it");
        check_refused(
            &json!({"log": {"entries": [{"request": {"method": "GET"}}]}}).to_string(),
            "entry 1: `request.url` is missing",
        );
    }

    #[test]
    fn active_is_found_wherever_it_is_set() {
        let check = |method: &str, body: Value, expected: Option<bool>| {
            let mut recorded =
                read(&json!([entry(method, "/Users/7")]).to_string()).expect("one").exchanges.remove(0);
            recorded.body = Some(body);
            assert_eq!(recorded.sets_active(), expected, "{:?}", recorded.body);
        };
        check("PUT", json!({"active": false}), Some(false));
        check("PUT", json!({"Active": "True"}), Some(true));
        check("PUT", json!({"title": "x"}), None);
        check("GET", json!({"active": false}), None);
        check(
            "PATCH",
            json!({"Operations": [{"op": "replace", "path": "active", "value": false}]}),
            Some(false),
        );
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User:active";
        check(
            "PATCH",
            json!({"operations": [{"op": "replace", "path": urn, "value": [{"value": 1}]}]}),
            None,
        );
        check("PATCH", json!({"Operations": [{"op": "add", "value": {"active": true}}]}), Some(true));
        check("PATCH", json!({"Operations": [{"op": "replace", "path": "title", "value": "x"}]}), None);
    }
}
