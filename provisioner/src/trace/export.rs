//! Sending of spans to a collector.

use std::fmt;
use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{StatusCode, Url};
use serde_json::json;
use tokio::sync::mpsc;

use super::span::{Span, attributes, text};
use crate::transport::Transport;

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

    /// Sends one batch; whether it was taken.
    async fn send(&self, body: &str) -> bool {
        let mut wait = Duration::from_millis(250);
        for attempt in 1..=ATTEMPTS {
            let request = self
                .transport
                .http
                .post(self.url.clone())
                .timeout(TIMEOUT)
                .headers(self.headers.clone())
                .header(header::CONTENT_TYPE, "application/json")
                .body(body.to_owned());
            match request.send().await {
                Ok(answer) if answer.status().is_success() => return true,
                // OTLP/HTTP: what may be tried again.
                Ok(answer)
                    if !matches!(
                        answer.status(),
                        StatusCode::TOO_MANY_REQUESTS
                            | StatusCode::BAD_GATEWAY
                            | StatusCode::SERVICE_UNAVAILABLE
                            | StatusCode::GATEWAY_TIMEOUT
                    ) =>
                {
                    tracing::debug!(status = answer.status().as_u16(), "the collector refused spans");
                    return false;
                }
                Ok(_) | Err(_) if attempt < ATTEMPTS => tokio::time::sleep(wait).await,
                Ok(_) | Err(_) => {}
            }
            wait *= 2;
        }
        false
    }
}

/// Sends batches until there are no more, and returns the number of spans that the collector did not take.
pub(super) async fn run(collector: Collector, name: String, mut queue: mpsc::Receiver<Vec<Span>>) -> u64 {
    let resource = attributes(&[
        text("service.name", env!("CARGO_PKG_NAME")),
        text("service.version", env!("CARGO_PKG_VERSION")),
        text("provisioner.connection", &name),
    ]);
    let scope = json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") });
    let mut unsent = 0;
    while let Some(batch) = queue.recv().await {
        let spans: Vec<_> = batch.iter().map(Span::to_json).collect();
        let body = json!({ "resourceSpans": [{
            "resource": { "attributes": resource },
            "scopeSpans": [{ "scope": scope, "spans": spans }],
        }] });
        if !collector.send(&body.to_string()).await {
            unsent += batch.len() as u64;
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
