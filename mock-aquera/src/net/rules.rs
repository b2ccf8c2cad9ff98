//! What RFC 9112 and RFC 9113 forbid in the head of a request, and hyper lets pass.

use hyper::header::{HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Version};

use super::refusal::Refusal;
use crate::address::is_host;

/// How large a head may be, in bytes: what hyper reads at most of HTTP/1.1.
pub(super) const MAX_HEAD: usize = 8192 + 100 * 4096;
/// How many header lines there may be: what hyper reads at most of HTTP/1.1.
pub(super) const MAX_LINES: usize = 100;

/// Returns why an HTTP/1 request is refused; `None` if it is not.
pub(super) fn http1(version: Version, headers: &HeaderMap) -> Option<Refusal> {
    host(version, headers).or_else(|| {
        let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
        let first = codings.next()?;
        // RFC 9112 §6.1: a coding that is not understood is 501. hyper looks at the last one only.
        let is_chunked = first.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        (!is_chunked || codings.next().is_some()).then_some(Refusal::UnknownCoding)
    })
}

/// Returns what is wrong with the `Host` headers of an HTTP/1 request (RFC 9112 §3.2).
pub(super) fn host(version: Version, headers: &HeaderMap) -> Option<Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => None,
        (None, _) => Some(Refusal::NoHost),
        (Some(host), None) if is_host(host.as_bytes()) => None,
        (Some(_), None) => Some(Refusal::BadHost),
        (Some(_), Some(_)) => Some(Refusal::SeveralHosts),
    }
}

/// Returns why an HTTP/2 request is refused; `None` if it is not. Its `:authority` becomes its `Host` header, so that
/// whoever looks at a request finds the host at one place (RFC 9113 §8.3.1).
pub(super) fn http2(parts: &mut Parts) -> Option<Refusal> {
    let lines = parts.headers.len();
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if lines > MAX_LINES || size + target > MAX_HEAD {
        return Some(Refusal::HeadTooLarge);
    }
    if let Some(authority) = parts.uri.authority() {
        match parts.headers.get(HOST) {
            None => {
                let host = HeaderValue::from_str(authority.as_str()).ok()?;
                parts.headers.insert(HOST, host);
            }
            Some(host) if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
            Some(_) => return Some(Refusal::SeveralHosts),
        }
    }
    host(Version::HTTP_2, &parts.headers)
}
