//! The HTTP client underneath: TLS, proxies, redirects, refused addresses, and what went wrong below HTTP.
//!
//! An `http` target works on a machine without system certificates; for an `https` one the error names the package to
//! install.

use std::error::Error as _;
use std::io;
use std::path::Path;
use std::sync::Arc;

use reqwest::redirect::Policy;
use rustls::ClientConfig;
use secrecy::ExposeSecret as _;
use url::Url;

use crate::address::{AddressGuard, RefusedAddress, is_loopback};
use crate::config::{Config, Network, Proxy};
use crate::ids::ScimUrl;
use crate::tls::{self, Advice, TlsError};

/// A pool of connections. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Transport {
    pub(crate) http: reqwest::Client,
    guard: AddressGuard,
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
            Self::Client(_) => {
                "check `proxy` under [connection.options], and the proxy settings in the environment"
            }
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
        let written = [config.authentication.scim_url.as_url()];
        Self::for_urls(&written, config.options.ca_file.as_deref(), &config.network)
    }

    /// Creates a transport for a source at `url`, verified against the system's certificates and `ca_file`.
    ///
    /// # Errors
    /// As [`Transport::for_config`].
    pub(crate) fn for_url(url: &ScimUrl, ca_file: Option<&Path>) -> Result<Self, TransportError> {
        Self::for_urls(&[url.as_url()], ca_file, &Network::default())
    }

    /// Creates a transport for the URLs that the administrator wrote. Other hosts need a public address unless the
    /// settings allow others.
    ///
    /// # Errors
    /// As [`Transport::for_config`].
    pub fn for_urls(
        written: &[&Url],
        ca_file: Option<&Path>,
        network: &Network,
    ) -> Result<Self, TransportError> {
        let proxy = network.proxy.as_ref();
        let hosts = || written.iter().copied().chain(proxy.map(|proxy| &proxy.url));
        let guard = AddressGuard::new(hosts(), network.allow_private);
        let tls = if hosts().any(|url| url.scheme() == "https") {
            tls::client_config(ca_file, network.identity.as_deref())?
        } else {
            tls::without_certificates()?
        };
        let is_loopback = written.iter().all(|url| is_loopback(url));
        Self::build(tls, is_loopback, proxy, guard)
    }

    /// Creates a transport for `http` targets only, which needs no certificates and refuses no address; `loopback` bypasses
    /// proxies.
    pub fn for_http(loopback: bool) -> Result<Self, TransportError> {
        Self::build(tls::without_certificates()?, loopback, None, AddressGuard::new([], true))
    }

    fn build(
        tls: ClientConfig,
        loopback: bool,
        proxy: Option<&Proxy>,
        guard: AddressGuard,
    ) -> Result<Self, TransportError> {
        // A redirect would carry credentials elsewhere, and turn a POST into a GET.
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .dns_resolver(Arc::new(guard.clone()))
            .user_agent(concat!("provisioner/", env!("CARGO_PKG_VERSION")));
        let builder = match proxy {
            Some(Proxy { url, credentials }) => {
                let proxy = reqwest::Proxy::all(url.clone()).map_err(TransportError::Client)?;
                builder.proxy(match credentials {
                    Some((user, password)) => proxy.basic_auth(user, password.expose_secret()),
                    None => proxy,
                })
            }
            None if loopback => builder.no_proxy(),
            None => builder,
        };
        builder.build().map(|http| Self { http, guard }).map_err(TransportError::Client)
    }

    /// Returns the guard over the addresses that are connected to.
    pub fn guard(&self) -> &AddressGuard {
        &self.guard
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
    /// The address of a host that the configuration does not name is not public.
    Address(RefusedAddress),
    /// The proxy refused to connect.
    Proxy(String),
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
            Self::Address(refused) => write!(f, "{refused}"),
            Self::Proxy(what) => write!(f, "the proxy did not connect to the target ({what})"),
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
    /// Returns the stable word of the failure.
    pub(crate) const fn word(&self) -> &'static str {
        match self {
            Self::NameResolution(_) => "name-resolution",
            Self::Refused => "refused",
            Self::Tls(..) => "tls",
            Self::TimedOut => "timed-out",
            Self::Broken(_) => "broken",
            Self::Address(_) => "refused-address",
            Self::Proxy(_) => "proxy",
            Self::TooLong(_) | Self::Unbuildable(_) => "rejected",
        }
    }

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
            if let Some(refused) = inner.downcast_ref::<RefusedAddress>() {
                return Self::Address(refused.clone());
            }
            if innermost.starts_with("dns error") {
                let (mut cause, mut words) = (inner.source(), String::new());
                while let Some(inner) = cause {
                    if let Some(refused) = inner.downcast_ref::<RefusedAddress>() {
                        return Self::Address(refused.clone());
                    }
                    words = inner.to_string();
                    cause = inner.source();
                }
                return Self::NameResolution(words);
            }
            if innermost.starts_with("tunnel error") {
                return Self::Proxy(innermost);
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::address::AddressKind;

    /// Sends a request to this machine by its name, with a transport for another URL.
    async fn reaches_this_machine(written: &str, allow_private: bool) -> Result<(), NetworkError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let network = Network { allow_private, ..Network::default() };
        let transport = Transport::for_urls(&[&written.parse().unwrap()], None, &network).unwrap();
        let sent = transport.http.get(url).send();
        let error = tokio::select! {
            sent = sent => NetworkError::from(&sent.unwrap_err()),
            () = async {
                while listener.accept().is_err() {
                    tokio::task::yield_now().await;
                }
            } => return Ok(()),
        };
        assert!(listener.accept().is_err(), "a connection was made before it was refused");
        Err(error)
    }

    #[tokio::test]
    async fn name_that_leads_to_this_machine_is_connected_to_only_if_it_was_written_or_is_allowed() {
        let refused = RefusedAddress { host: "localhost".to_owned(), kind: AddressKind::Loopback };
        let other = "http://127.0.0.1:1/scim";
        assert_eq!(reaches_this_machine(other, false).await, Err(NetworkError::Address(refused)));
        assert_eq!(reaches_this_machine(other, true).await, Ok(()));
        assert_eq!(reaches_this_machine("http://localhost:1/scim", false).await, Ok(()));
    }
}
