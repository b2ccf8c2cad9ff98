//! The HTTP client underneath: TLS, proxies, redirects, and what went wrong below HTTP.
//!
//! An `http` target works on a machine without system certificates; for an `https` one the error names the package to
//! install.

use std::error::Error as _;
use std::io;

use reqwest::redirect::Policy;
use rustls::ClientConfig;

use crate::config::Config;
use crate::tls::{self, Advice, TlsError};

/// A pool of connections. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) http: reqwest::Client,
}

/// A client that cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The trusted servers are unknown.
    #[error(transparent)]
    Certificates(#[from] TlsError),
    /// The client library refused its settings.
    #[error("failed to build the HTTP client")]
    Client(#[source] reqwest::Error),
}

impl TransportError {
    /// Returns the way out.
    pub const fn way_out(&self) -> &'static str {
        match self {
            Self::Certificates(error) => error.way_out(),
            Self::Client(_) => "check the proxy settings in the environment",
        }
    }
}

impl Transport {
    /// Creates a transport for the target of `config`: `https` is verified against the system's certificates and its
    /// `ca-file`.
    ///
    /// # Errors
    /// The system has no certificates, `ca-file` cannot be used, or the client library refuses its settings.
    pub fn for_config(config: &Config) -> Result<Self, TransportError> {
        let url = &config.authentication.scim_url;
        if !url.is_https() {
            return Self::for_http(url.is_loopback());
        }
        Self::build(tls::client_config(config.options.ca_file.as_deref())?, url.is_loopback())
    }

    /// Creates a transport for `http` targets only, which needs no certificates; `loopback` bypasses proxies.
    pub fn for_http(loopback: bool) -> Result<Self, TransportError> {
        Self::build(tls::without_certificates()?, loopback)
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

/// The maximum length of a request's URL in the HTTP library.
pub(crate) const LONGEST_URL: usize = 65_534;

/// A failure below HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NetworkError {
    /// The host name is unknown.
    NameResolution(String),
    /// No process listens at the address.
    Refused,
    /// TLS failed.
    Tls(String, Advice),
    /// There was no response in time.
    TimedOut,
    /// The connection broke.
    Broken(String),
    /// The request cannot be sent: its URL has this number of characters.
    TooLong(usize),
    /// The request cannot be built.
    Unbuildable(String),
}

impl std::fmt::Display for NetworkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NameResolution(what) => write!(f, "the host name cannot be resolved ({what})"),
            Self::Refused => f.write_str("the connection was refused"),
            Self::Tls(what, _) => write!(f, "TLS failed ({what})"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Broken(what) => write!(f, "the connection broke ({what})"),
            Self::TooLong(characters) => write!(
                f,
                "the request was not sent: its URL would have {characters} characters, and {LONGEST_URL} are possible; \
                 shorten the user name or the id in it"
            ),
            Self::Unbuildable(what) => write!(f, "the request was not sent: it cannot be built ({what})"),
        }
    }
}

impl NetworkError {
    /// Whether the request could never be sent, however often it were tried.
    pub(crate) const fn is_unsendable(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::Unbuildable(_))
    }
}

impl From<&reqwest::Error> for NetworkError {
    fn from(error: &reqwest::Error) -> Self {
        if error.is_builder() {
            let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            return Self::Unbuildable(cause);
        }
        let mut innermost = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            innermost = inner.to_string();
            if let Some(tls) = tls_error(inner) {
                let (words, advice) = tls::words(tls);
                return Self::Tls(words, advice);
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

/// Returns the TLS error in the chain of `error`.
fn tls_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    tls_error(error.downcast_ref::<io::Error>()?.get_ref()?)
}
