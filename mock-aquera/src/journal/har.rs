//! Export as an HTTP archive (HAR 1.2), for browsers' tools and for a later judge.
//!
//! What HAR has no place for stands in members that begin with an underscore, as the format allows.

use serde_json::{Value, json};

use super::exchange::Exchange;
use crate::clock;

/// Who made an archive, and where the server was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarCreator {
    /// The name of the program.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Scheme, host and port of the server. None: `http`, and what each request says in `Host`.
    pub origin: Option<String>,
}

impl Default for HarCreator {
    fn default() -> Self {
        Self { name: "mock-aquera".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), origin: None }
    }
}

/// An archive of exchanges, redacted like them. Sizes that aren't known are -1, as the format has it.
pub fn har(exchanges: &[Exchange], creator: &HarCreator) -> Value {
    let origin = |exchange: &Exchange| {
        let host = || format!("http://{}", exchange.header("host").unwrap_or("localhost"));
        creator.origin.clone().unwrap_or_else(host)
    };
    archive(exchanges, creator, &origin)
}

/// An archive of exchanges, each with the origin that its client used.
pub(crate) fn archive(
    exchanges: &[Exchange],
    creator: &HarCreator,
    origin: &dyn Fn(&Exchange) -> String,
) -> Value {
    let entries: Vec<Value> = exchanges.iter().map(|exchange| entry(exchange, &origin(exchange))).collect();
    json!({"log": {
        "version": "1.2",
        "creator": {"name": creator.name, "version": creator.version},
        "entries": entries,
    }})
}

fn entry(exchange: &Exchange, origin: &str) -> Value {
    let time = exchange.took.as_secs_f64() * 1000.0;
    let mut request = json!({
        "method": exchange.method,
        "url": format!("{}{}", origin.trim_end_matches('/'), exchange.path),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&exchange.request_headers),
        "queryString": query(&exchange.path),
        "headersSize": -1,
        "bodySize": size(exchange.header("content-length"), exchange.request_body.as_ref()),
    });
    if let Some(body) = &exchange.request_body {
        let kind = exchange.header("content-type").unwrap_or("application/octet-stream");
        request["postData"] = json!({"mimeType": kind, "text": text(body)});
    }
    let mut entry = json!({
        "startedDateTime": clock::date_time(exchange.at),
        "time": time,
        "request": request,
        "response": response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": time, "receive": 0},
        "_seq": exchange.seq,
        "_operations": exchange.operations,
        "_downstream": exchange.downstream,
        "_changes": exchange.changes,
        "_faults": exchange.faults,
        "_dialects": exchange.dialects,
        "_notes": exchange.notes,
    });
    if let Some(name) = &exchange.application {
        entry["_application"] = Value::from(name.as_str());
    }
    entry
}

fn response(exchange: &Exchange) -> Value {
    let body = exchange.response_body.as_ref();
    let is_redirect = exchange.status.is_some_and(|status| status.is_redirection());
    let mut content = json!({
        "size": match size(exchange.response_header("content-length"), body) {
            -1 => body.map_or(0, |body| text(body).len() as u64),
            known => known.unsigned_abs(),
        },
        "mimeType": exchange.response_header("content-type").unwrap_or_default(),
    });
    if let Some(body) = body {
        content["text"] = Value::from(text(body));
    }
    let mut response = json!({
        "status": exchange.status.map_or(0, |status| status.as_u16()),
        "statusText": exchange.status.and_then(|status| status.canonical_reason()).unwrap_or_default(),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": headers(&exchange.response_headers),
        "content": content,
        "redirectURL": exchange.response_header("location").filter(|_| is_redirect).unwrap_or_default(),
        "headersSize": -1,
        "bodySize": size(exchange.response_header("content-length"), body),
    });
    if exchange.status.is_none() {
        response["_error"] = Value::from("the connection ended without a reply");
    }
    response
}

fn headers(headers: &[(String, String)]) -> Vec<Value> {
    headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn query(path: &str) -> Vec<Value> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.map(|(name, value)| json!({"name": name, "value": value})).collect()
}

fn text(body: &Value) -> String {
    match body {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The size on the wire: redaction may have changed the text.
fn size(declared: Option<&str>, body: Option<&Value>) -> i64 {
    match (declared.and_then(|length| length.parse().ok()), body) {
        (Some(length), _) => length,
        (None, None) => 0,
        (None, Some(_)) => -1,
    }
}
