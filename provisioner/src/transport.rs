//! The HTTP client underneath: TLS, proxies, redirects, and what went wrong below HTTP.
//!
//! An `http` target works on a machine without system certificates; an `https` one says there what to install.

use std::error::Error as _;
use std::io;
use std::sync::Arc;

use reqwest::redirect::Policy;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::ids::ScimUrl;

/// A pool of connections. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) http: reqwest::Client,
}

/// Why no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// No certificate authority is known to the system.
    #[error(
        "cannot verify https targets: {0}; install the system's certificate authorities \
         (Debian and Ubuntu: `apt-get install ca-certificates`, Fedora: `dnf install ca-certificates`, Alpine: `apk add ca-certificates`), \
         or point SSL_CERT_FILE at a PEM file"
    )]
    Certificates(String),
    /// The client library refused its settings.
    #[error("cannot make an HTTP client: {0}")]
    Client(reqwest::Error),
}

impl Transport {
    /// A transport that fits `url`: `https` is verified against the system's certificates.
    pub fn for_url(url: &ScimUrl) -> Result<Self, TransportError> {
        if !url.is_https() {
            return Self::for_http(url.is_loopback());
        }
        let tls = tls_builder()?
            .with_platform_verifier()
            .map_err(|error| TransportError::Certificates(error.to_string()))?
            .with_no_client_auth();
        Self::build(tls, url.is_loopback())
    }

    /// A transport for `http` targets only, which needs no certificates; `loopback` bypasses proxies.
    pub fn for_http(loopback: bool) -> Result<Self, TransportError> {
        let tls = tls_builder()?.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
        Self::build(tls, loopback)
    }

    fn build(tls: ClientConfig, loopback: bool) -> Result<Self, TransportError> {
        // A redirect would carry credentials elsewhere, and turn a POST into a GET.
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .user_agent(concat!("provisioner/", env!("CARGO_PKG_VERSION")));
        let builder = if loopback { builder.no_proxy() } else { builder };
        builder.build().map(|http| Self { http }).map_err(TransportError::Client)
    }
}

fn tls_builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TransportError> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::Certificates(error.to_string()))
}

/// What went wrong below HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NetworkError {
    /// The host name is unknown.
    NameResolution(String),
    /// Nobody listens there.
    Refused,
    /// TLS failed.
    Tls(String),
    /// No answer in time.
    TimedOut,
    /// The connection broke.
    Broken(String),
}

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NameResolution(what) => write!(f, "the host name cannot be resolved ({what})"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Tls(what) => write!(f, "TLS failed ({what})"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(what) => write!(f, "the connection broke ({what})"),
        }
    }
}

impl From<&reqwest::Error> for NetworkError {
    fn from(error: &reqwest::Error) -> Self {
        let mut innermost = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            innermost = inner.to_string();
            if let Some(tls) = tls_error(inner) {
                return Self::Tls(tls.to_string());
            }
            let refused = |io: &io::Error| io.kind() == io::ErrorKind::ConnectionRefused;
            if inner.downcast_ref::<io::Error>().is_some_and(refused) {
                return Self::Refused;
            }
            if innermost.starts_with("dns error") {
                let cause = inner.source().map_or_else(String::new, ToString::to_string);
                return Self::NameResolution(cause);
            }
            source = inner.source();
        }
        if error.is_timeout() { Self::TimedOut } else { Self::Broken(innermost) }
    }
}

/// The TLS error in `error`, however many times it was wrapped.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<io::Error>()?.get_ref()?)
}
