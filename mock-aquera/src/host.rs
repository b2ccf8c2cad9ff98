//! The grammar of hosts (RFC 3986 §3.2.2).

use std::net::Ipv6Addr;

use memchr::{memchr, memrchr};

/// The longest host name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// Returns whether a text is a host, with a port or without: a name of letters, digits, `-`, `.`, `_` and `~`, an IPv4
/// address, or an IPv6 address in brackets. RFC 3986 §3.2.2 allows more, which no host is called, and which could be
/// mistaken for something else where the host is repeated.
pub(crate) fn is_host(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let (name, port) = split_port(text);
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let is_name = match name.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(fits),
    };
    let is_port = |port: &str| {
        port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
    };
    is_name && port.is_none_or(is_port)
}

/// Splits a host into its name and its port. An IPv6 address keeps its brackets.
pub(crate) fn split_port(host: &str) -> (&str, Option<&str>) {
    let from = memrchr(b']', host.as_bytes()).unwrap_or(0);
    match memchr(b':', &host.as_bytes()[from..]) {
        Some(at) => (&host[..from + at], Some(&host[from + at + 1..])),
        None => (host, None),
    }
}
