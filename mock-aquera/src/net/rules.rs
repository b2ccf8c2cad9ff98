//! What RFC 9112 and RFC 9113 forbid in the head of a request, and hyper lets pass.

use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
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
        // hyper looks at the last one only.
        codings(headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes))
    })
}

/// Returns why a request with these `Transfer-Encoding` headers is refused (RFC 9112 §6.1: a coding that is not understood
/// is 501, and `chunked` stands once).
fn codings<'h>(headers: impl Iterator<Item = &'h [u8]>) -> Option<Refusal> {
    let mut chunked = 0;
    for coding in headers.flat_map(|header| header.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        if !coding.eq_ignore_ascii_case(b"chunked") {
            return Some(Refusal::UnknownCoding);
        }
        chunked += 1;
    }
    (chunked > 1).then_some(Refusal::ChunkedTwice)
}

/// Returns what is wrong with a head that hyper refuses as malformed.
pub(super) fn malformed(head: &[u8]) -> Refusal {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let version = lines.next().and_then(|line| line.rsplit(|byte| *byte == b' ').next());
    match version.and_then(|version| version.strip_prefix(b"HTTP/")) {
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            if !matches!((major, minor), (b'1', b'0' | b'1')) {
                return Refusal::OtherVersion;
            }
        }
        _ => return Refusal::Malformed,
    }
    let is_coding = |name: &[u8]| name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes());
    let coded = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
        is_coding(name).then(|| &value[1..])
    });
    codings(coded).unwrap_or(Refusal::Malformed)
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

/// Returns what follows a whole request with a head that is known to be good; `None` if the end of it is not there, or not
/// plain to see.
pub(super) fn after_request(text: &[u8]) -> Option<&[u8]> {
    let mut lines = [httparse::EMPTY_HEADER; MAX_LINES];
    let mut head = httparse::Request::new(&mut lines);
    let Ok(httparse::Status::Complete(length)) = head.parse(text) else { return None };
    let mut body = 0;
    for line in &*head.headers {
        if line.name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str()) {
            return None;
        }
        if line.name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()) {
            body = str::from_utf8(line.value).ok()?.trim().parse().ok()?;
        }
    }
    text.get(length.checked_add(body)?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_is_passed_over_with_its_body() {
        let after =
            |text: &'static str| after_request(text.as_bytes()).map(|rest| str::from_utf8(rest).unwrap());
        assert_eq!(after("GET / HTTP/1.1\r\nhost: x\r\n\r\nNEXT"), Some("NEXT"));
        assert_eq!(after("PUT / HTTP/1.1\r\ncontent-length: 2\r\n\r\nabNEXT"), Some("NEXT"));
        assert_eq!(after("PUT / HTTP/1.1\r\ncontent-length: 9\r\n\r\nab"), None);
        assert_eq!(after("PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"), None);
        assert_eq!(after("GET / HT"), None);
    }

    #[test]
    fn malformed_head_is_told_by_its_first_cause() {
        #[track_caller]
        fn check(head: &str, expected: &Refusal) {
            assert_eq!(malformed(head.as_bytes()), *expected, "{head:?}");
        }
        check("GET / HTTP/1.2\r\n", &Refusal::OtherVersion);
        check("GET / HTTP/2.0\r\nHost: h\r\n\r\n", &Refusal::OtherVersion);
        check("GET / HTTP/1.1\r\nbad line\r\n\r\n", &Refusal::Malformed);
        check("GET / XYZ\r\n\r\n", &Refusal::Malformed);
        check("", &Refusal::Malformed);
        let with =
            |codings: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{codings}\r\n\r\nTransfer-Encoding: x");
        check(&with("Transfer-Encoding: gzip"), &Refusal::UnknownCoding);
        check(&with("transfer-encoding: chunked, identity"), &Refusal::UnknownCoding);
        check(&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), &Refusal::ChunkedTwice);
        check(&with("Transfer-Encoding: chunked,chunked"), &Refusal::ChunkedTwice);
        check(&with("Transfer-Encoding: chunked"), &Refusal::Malformed);
    }
}
