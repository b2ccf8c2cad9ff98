//! Where to listen, as the command line says it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::str::FromStr;

use super::super::Failure;

/// The port unless another one is given.
pub(super) const DEFAULT_PORT: u16 = 8080;

/// A host and a port, each maybe left out: `9000`, `:9000`, `localhost:9000`, `0.0.0.0`, `[::1]:9000`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ListenAddress {
    host: Option<String>,
    port: Option<u16>,
}

/// What asks for TLS, where a URL begins with https.
const TLS_HINT: &str = ", and --tls self-signed or --tls-cert for TLS";

/// Why a text is no address to listen at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ListenAddressError {
    #[error("the port `{0}` is not a number from 0 to 65535")]
    Port(String),
    #[error("it is a URL; write the address alone: {expected}{tls}")]
    Url { expected: String, tls: &'static str },
    #[error("expected PORT, HOST or HOST:PORT, such as 9000, 0.0.0.0:9000, localhost:9000 or [::1]:9000")]
    Form,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Some((scheme, rest)) = text.split_once("://") {
            let expected = rest.split('/').next().unwrap_or_default().to_owned();
            let is_https = scheme.eq_ignore_ascii_case("https");
            return Err(ListenAddressError::Url { expected, tls: if is_https { TLS_HINT } else { "" } });
        }
        let port = |text: &str| text.parse::<u16>().map_err(|_| ListenAddressError::Port(text.to_owned()));
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self { host: Some(address.to_string()), port: None });
        }
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self { host: None, port: Some(port(text)?) });
        }
        let (host, given) = crate::host::split_port(text);
        let given = given.map(port).transpose()?;
        if host.is_empty() && given.is_some() {
            return Ok(Self { host: None, port: given });
        }
        if host == "*" {
            return Ok(Self { host: Some(Ipv4Addr::UNSPECIFIED.to_string()), port: given });
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_some_and(|address| address.parse::<IpAddr>().is_err())
            || !crate::host::is_host(host.as_bytes())
        {
            return Err(ListenAddressError::Form);
        }
        Ok(Self { host: Some(bare.unwrap_or(host).to_owned()), port: given })
    }
}

impl ListenAddress {
    /// The socket address. A name that has several is listened at by its IPv4 address.
    pub(super) fn resolve(&self, option: &str, port: Option<u16>) -> Result<SocketAddr, Failure> {
        let port = match (self.port, port) {
            (Some(one), Some(other)) if one != other => {
                let why = format!("it says port {one}, and --port says {other}; give one of them");
                return Err(Failure::usage(format!("use {option}: {why}")));
            }
            (one, other) => one.or(other).unwrap_or(DEFAULT_PORT),
        };
        let Some(host) = &self.host else { return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) };
        let found = (host.as_str(), port).to_socket_addrs();
        let mut found: Vec<SocketAddr> = found
            .map_err(|error| Failure::usage(format!("use {option}: `{host}` has no address: {error}")))?
            .collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        let first = found.first().copied();
        first.ok_or_else(|| Failure::usage(format!("use {option}: `{host}` has no address")))
    }
}

/// What to do where an address can't be listened at.
pub(super) fn advice(option: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            let port = if option == "--listen" {
                "--port N, or --port 0 for a free one"
            } else {
                "another port in it"
            };
            format!(
                "; another program, maybe another mock-aquera, uses this port: end it, or choose {port} ({option})"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!("; ports below 1024 often need more rights; choose another with {option}")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!("; this machine does not have that address; {option} 0.0.0.0 listens at all it has")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            let read: ListenAddress = text.parse().unwrap();
            assert_eq!(read.resolve("--listen", None).unwrap().to_string(), expected, "{text}");
        }
        check("9000", "127.0.0.1:9000");
        check("0", "127.0.0.1:0");
        check(":9000", "127.0.0.1:9000");
        check("localhost:9000", "127.0.0.1:9000");
        check("localhost", "127.0.0.1:8080");
        check("0.0.0.0", "0.0.0.0:8080");
        check("0.0.0.0:9000", "0.0.0.0:9000");
        check("192.0.2.1:0", "192.0.2.1:0");
        check("[::1]:9000", "[::1]:9000");
        check("[::1]", "[::1]:8080");
        check("::1", "[::1]:8080");
        check("[::]:80", "[::]:80");
        check("*:9000", "0.0.0.0:9000");
        check("*", "0.0.0.0:8080");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_forms() {
        #[track_caller]
        fn check(text: &str, part: &str) {
            let error = text.parse::<ListenAddress>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        check("", "localhost:9000");
        check(":", "port ``");
        check("localhost:http", "port `http` is not a number");
        check("127.0.0.1:99999", "port `99999`");
        check("99999", "port `99999`");
        check("http://localhost:9000", "write the address alone: localhost:9000");
        check("https://localhost:9000/scim", "localhost:9000, and --tls self-signed");
        check("a b:9000", "HOST:PORT");
        check("[x]:9000", "HOST:PORT");
    }

    #[test]
    fn the_port_may_be_given_by_itself() {
        let resolve = |text: &str, port| text.parse::<ListenAddress>().unwrap().resolve("--listen", port);
        assert_eq!(resolve("0.0.0.0", Some(9000)).unwrap().to_string(), "0.0.0.0:9000");
        assert_eq!(resolve("9000", Some(9000)).unwrap().to_string(), "127.0.0.1:9000");
        let error = resolve("0.0.0.0:80", Some(9000)).unwrap_err().message;
        assert!(error.contains("port 80, and --port says 9000"), "{error}");
    }
}
