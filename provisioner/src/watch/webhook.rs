//! PingOne's webhooks: events in batches, authenticated, and answered 200 once they are durable.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use base64::Engine as _;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use super::pending::PendingEvents;
use super::{Trigger, Wanted};
use crate::clock::{Clock, timestamp};
use crate::config::WebhookCredentials;

/// Bytes of one request: 500 events, each far larger than PingOne's.
const LARGEST: usize = 16 << 20;

/// A listener for webhooks, until it is dropped.
#[derive(Debug)]
pub struct WebhookListener {
    address: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for WebhookListener {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Clone)]
struct Receiver {
    header: String,
    /// The expected value of the header.
    expected: SecretString,
    pending: Arc<PendingEvents>,
    wanted: Wanted,
    clock: Arc<dyn Clock>,
}

impl WebhookListener {
    /// Listens at `address`; events are kept in `pending` and want a run.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at.
    pub async fn start(
        address: SocketAddr,
        credentials: &WebhookCredentials,
        pending: Arc<PendingEvents>,
        wanted: Wanted,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (header, expected) = match credentials {
            WebhookCredentials::Header { name, secret } => (name.clone(), secret.clone()),
            WebhookCredentials::Basic { user, password } => {
                let pair = format!("{user}:{}", password.expose_secret());
                let value = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
                (header::AUTHORIZATION.as_str().to_owned(), SecretString::from(value))
            }
        };
        let receiver = Receiver { header, expected, pending, wanted, clock };
        let router = Router::new()
            .route("/", post(receive))
            .route("/{*path}", post(receive))
            .layer(DefaultBodyLimit::max(LARGEST))
            .with_state(receiver);
        let server = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "failed to listen for webhooks");
            }
        });
        Ok(Self { address, server })
    }

    /// Returns the address, with the port that was free.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    if !receiver.is_authentic(&headers) {
        tracing::warn!("a webhook with wrong credentials was refused");
        return (StatusCode::UNAUTHORIZED, "the credentials are wrong\n");
    }
    let count = match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(events)) => events.len(),
        Ok(Value::Object(_)) => 1,
        Ok(_) | Err(_) => return (StatusCode::BAD_REQUEST, "expected an array of events as JSON\n"),
    };
    if count == 0 {
        return (StatusCode::OK, "no event\n");
    }
    let (pending, now) = (Arc::clone(&receiver.pending), timestamp(receiver.clock.now()));
    match tokio::task::spawn_blocking(move || pending.add(count, &now)).await {
        Ok(Ok(())) => {
            receiver.wanted.add(Trigger::Webhook);
            (StatusCode::OK, "received\n")
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "failed to keep the events of a webhook beside the state; it is sent again");
            (StatusCode::SERVICE_UNAVAILABLE, "the events cannot be kept\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the events cannot be kept\n"),
    }
}

impl Receiver {
    /// Whether the request has the credentials, in a time that tells nothing about them.
    fn is_authentic(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(&self.header).map_or(&b""[..], |value| value.as_bytes());
        let digest = |bytes: &[u8]| Sha256::digest(bytes);
        digest(sent).ct_eq(&digest(self.expected.expose_secret().as_bytes())).into()
    }
}
