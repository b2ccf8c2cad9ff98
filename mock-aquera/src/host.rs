//! The grammar of hosts (RFC 3986 §3.2.2).

use std::net::Ipv6Addr;

use memchr::{memchr, memrchr};

/// The longest host name (RFC 1035 §2.3.4).
const MAX_NAME: usize = 255;

/// Returns whether a text is a host, with a port or without: a name of letters, digits, `-`, `.`, `_` and `~`, an IPv4
/// address, or an IPv6 address in brackets. RFC 3986 §3.2.2 allows more, which no host is called, and which could be
/// mistaken for something else where the host is repeated.
pub(crate) fn is_host(text: &[u8]) -> bool {
    if text.starts_with(b"[") {
        return str::from_utf8(text).is_ok_and(is_bracketed);
    }
    let at = memchr(b':', text).unwrap_or(text.len());
    let (name, port) = text.split_at(at);
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    (1..=MAX_NAME).contains(&name.len())
        && name.iter().all(fits)
        && is_port(port.get(1..).unwrap_or_default())
}

/// Returns whether a text is an IPv6 address in brackets, with a port or without.
fn is_bracketed(text: &str) -> bool {
    let (name, port) = split_port(text);
    let address = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
        && is_port(port.unwrap_or_default().as_bytes())
}

/// Returns whether a text is a port, or empty.
fn is_port(text: &[u8]) -> bool {
    let number = text.iter().try_fold(0_u16, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    });
    number.is_some()
}

/// Splits a host into its name and its port. An IPv6 address keeps its brackets.
pub(crate) fn split_port(host: &str) -> (&str, Option<&str>) {
    let from = memrchr(b']', host.as_bytes()).unwrap_or(0);
    match memchr(b':', &host.as_bytes()[from..]) {
        Some(at) => (&host[..from + at], Some(&host[from + at + 1..])),
        None => (host, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_has_a_name_and_at_most_one_port() {
        for host in
            ["h", "a-b._~9", "h:", "h:80", "127.0.0.1:65535", "[::1]", "[::1]:", "[::1]:8080", "h:00080"]
        {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for text in [
            "", ":80", "h:65536", "h:8a", "h:80:80", "a b", "é", "[::1", "::1", "[::1]x", "[h]", "a]:80",
            "h/",
        ] {
            assert!(!is_host(text.as_bytes()), "{text}");
        }
        assert!(is_host("a".repeat(MAX_NAME).as_bytes()) && !is_host("a".repeat(MAX_NAME + 1).as_bytes()));
    }
}
