//! Sending of spans to a collector.

use std::fmt;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::json;
use tokio::sync::mpsc;

use super::span::{Span, attributes, text};
use crate::transport::{NetworkError, Transport};

/// The time that one request gets.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The number of attempts of one request.
const ATTEMPTS: u32 = 3;
/// The path of the traces below the URL of a collector (OTLP/HTTP).
const PATH: &str = "v1/traces";

/// A collector that takes spans.
pub struct Collector {
    transport: Transport,
    url: Url,
    headers: HeaderMap,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector")
            .field("url", &self.url.as_str())
            .field("headers", &self.headers.len())
            .finish()
    }
}

/// A collector that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorError {
    /// The URL is not one of http or https, or has credentials in it.
    #[error("invalid URL of a collector: expected http://HOST:PORT or https://HOST:PORT without credentials")]
    Url,
    /// The headers are not a list of `name=value`.
    #[error("invalid headers of a collector: expected name=value, separated by commas")]
    Headers,
}

impl Collector {
    /// Returns the URL that spans are sent to: below the path of `url`, unless it is that path already.
    ///
    /// # Errors
    /// The URL cannot be used.
    pub fn url(url: &str) -> Result<Url, CollectorError> {
        let mut url: Url = url.parse().map_err(|_| CollectorError::Url)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain {
            return Err(CollectorError::Url);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        if !path.ends_with(PATH) {
            url.set_path(&format!("{path}/{PATH}"));
        }
        Ok(url)
    }

    /// Creates a collector; `headers` are those of `OTEL_EXPORTER_OTLP_HEADERS`, which often hold a token.
    ///
    /// # Errors
    /// The headers do not parse.
    pub fn new(transport: Transport, url: Url, headers: Option<&str>) -> Result<Self, CollectorError> {
        let mut map = HeaderMap::new();
        for pair in headers.unwrap_or_default().split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(CollectorError::Headers)?;
            let value = percent_encoding::percent_decode_str(value.trim());
            let value = value.decode_utf8().map_err(|_| CollectorError::Headers)?;
            let name: HeaderName = name.trim().parse().map_err(|_| CollectorError::Headers)?;
            let mut value = HeaderValue::from_str(&value).map_err(|_| CollectorError::Headers)?;
            value.set_sensitive(true);
            map.append(name, value);
        }
        Ok(Self { transport, url, headers: map })
    }

    /// Returns the origin of the URL: the rest of it may say more than others are to read.
    pub(super) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Sends one batch.
    ///
    /// # Errors
    /// The collector did not take it, and why.
    async fn send(&self, body: &str) -> Result<(), String> {
        let mut wait = Duration::from_millis(250);
        let mut attempt = 1;
        loop {
            let request = self
                .transport
                .http
                .post(self.url.clone())
                .timeout(TIMEOUT)
                .headers(self.headers.clone())
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_owned());
            let cause = match request.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(()),
                Ok(answer) => {
                    let cause = format!("it answered {}", answer.status().as_u16());
                    // OTLP/HTTP: what may be tried again.
                    let is_passing = matches!(
                        answer.status(),
                        StatusCode::TOO_MANY_REQUESTS
                            | StatusCode::BAD_GATEWAY
                            | StatusCode::SERVICE_UNAVAILABLE
                            | StatusCode::GATEWAY_TIMEOUT
                    );
                    if !is_passing {
                        return Err(cause);
                    }
                    cause
                }
                Err(error) => NetworkError::from(&error.without_url()).to_string(),
            };
            if attempt == ATTEMPTS {
                return Err(cause);
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
            wait *= 2;
        }
    }
}

/// Spans that the collector did not take.
#[derive(Debug, Default)]
pub(super) struct Unsent {
    pub(super) spans: u64,
    /// Why, the last time.
    pub(super) cause: String,
}

/// Sends batches until there are no more, and returns the spans that the collector did not take.
pub(super) async fn run(collector: Collector, name: String, mut queue: mpsc::Receiver<Vec<Span>>) -> Unsent {
    let resource = attributes(&[
        text("service.name", env!("CARGO_PKG_NAME")),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("provisioner.connection", &name),
    ]);
    let scope = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    let mut unsent = Unsent::default();
    while let Some(batch) = queue.recv().await {
        let spans: Vec<_> = batch.iter().map(Span::to_json).collect();
        let body = json!({ "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": scope, "spans": spans }],
        }] });
        if let Err(cause) = collector.send(&body.to_string()).await {
            unsent.spans += batch.len() as u64;
            unsent.cause = cause;
        }
    }
    unsent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_go_below_the_url_of_the_collector() {
        for (text, expected) in [
            ("http://127.0.0.1:4318", Some("http://127.0.0.1:4318/v1/traces")),
            ("http://127.0.0.1:4318/", Some("http://127.0.0.1:4318/v1/traces")),
            ("https://otlp.example.com/otlp", Some("https://otlp.example.com/otlp/v1/traces")),
            ("https://otlp.example.com/v1/traces", Some("https://otlp.example.com/v1/traces")),
            ("https://user:s3cret@otlp.example.com", None),
            ("grpc://otlp.example.com:4317", None),
            ("127.0.0.1:4318", None),
        ] {
            assert_eq!(Collector::url(text).ok().as_ref().map(Url::as_str), expected, "{text}");
        }
    }

    #[test]
    fn headers_are_read_and_not_shown() {
        let collector = |headers| {
            let transport = Transport::for_http(true).unwrap();
            Collector::new(transport, "http://127.0.0.1:4318".parse().unwrap(), headers)
        };
        let found = collector(Some("authorization=Bearer%20s3cret, x-scope = a=b,")).unwrap();
        assert_eq!(found.headers["authorization"], "Bearer s3cret");
        assert_eq!(found.headers["x-scope"], "a=b");
        assert!(!format!("{found:?}").contains("s3cret"), "{found:?}");
        assert!(collector(None).unwrap().headers.is_empty());
        for wrong in ["authorization", "a b=c", "a=%0A"] {
            assert!(collector(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
