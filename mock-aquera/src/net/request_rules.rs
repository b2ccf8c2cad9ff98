//! What RFC 9112 and RFC 9113 forbid in the head of a request and hyper accepts, and what hyper rejects.

use std::borrow::Cow;

use hyper::header::{CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{HeaderMap, Uri, Version};
use memchr::memchr;

use super::error_response::{MAX_HEAD, MAX_LINES, Rejection};
use crate::host::is_host;
use crate::text::normal_path;

/// Returns why an HTTP/1 request is refused; `None` if it is not.
pub(super) fn http1(version: Version, headers: &HeaderMap) -> Option<Rejection> {
    host(version, headers).or_else(|| {
        // hyper looks at the last one only.
        codings(headers.get_all(TRANSFER_ENCODING).iter().map(HeaderValue::as_bytes))
    })
}

/// Returns why a request with these `Transfer-Encoding` headers is refused (RFC 9112 §6.1 and §6.3: `chunked` stands once and
/// last, and any other coding that is not understood is 501). Empty elements count for nothing (RFC 9110 §5.6.1.2).
fn codings<'h>(headers: impl Iterator<Item = &'h [u8]>) -> Option<Rejection> {
    let mut headers = headers.peekable();
    headers.peek()?;
    let (mut chunked, mut others, mut ends_chunked) = (0_u32, 0_u32, false);
    for coding in headers.flat_map(|header| header.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        if coding.is_empty() {
            continue;
        }
        ends_chunked = coding.eq_ignore_ascii_case(b"chunked");
        chunked += u32::from(ends_chunked);
        others += u32::from(!ends_chunked);
    }
    match (ends_chunked, others, chunked) {
        (false, ..) => Some(Rejection::NotChunkedLast),
        (true, 1.., _) => Some(Rejection::UnknownCoding),
        (true, 0, 2..) => Some(Rejection::ChunkedTwice),
        (true, 0, _) => None,
    }
}

/// Puts blanks in the place of empty elements behind the last transfer coding, which hyper takes for a coding that it does
/// not know. They count for nothing (RFC 9110 §5.6.1.2).
pub(super) fn drop_empty_codings(head: &mut [u8]) {
    // Most heads have no such sign anywhere.
    if memchr(b',', head).is_none() {
        return;
    }
    let mut rest = head;
    while !rest.is_empty() {
        let (line, below) = rest.split_at_mut(memchr(b'\n', rest).map_or(rest.len(), |end| end + 1));
        rest = below;
        match line {
            [b'\n' | b'\r'] | [b'\r', b'\n'] => return,
            [b't' | b'T', ..] => {}
            _ => continue,
        }
        let Some(colon) = memchr(b':', line) else { continue };
        let (name, value) = line.split_at_mut(colon + 1);
        if !is_coding(&name[..colon]) {
            continue;
        }
        for byte in value.iter_mut().rev() {
            match byte {
                b',' => *byte = b' ',
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ => break,
            }
        }
    }
}

fn is_coding(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(TRANSFER_ENCODING.as_str().as_bytes())
}

/// Returns what is wrong with a head that hyper refuses as malformed.
fn malformed(head: &[u8]) -> Rejection {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let version = first.rsplit(|byte| *byte == b' ').next();
    match version.and_then(|version| version.strip_prefix(b"HTTP/")) {
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            if !matches!((major, minor), (b'1', b'0' | b'1')) {
                return Rejection::OtherVersion;
            }
        }
        _ => return Rejection::Malformed,
    }
    if let Some(sign) = target(first).and_then(forbidden) {
        return Rejection::BadTarget(sign);
    }
    let coded: Vec<&[u8]> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
            is_coding(name).then(|| value[1..].trim_ascii())
        })
        .collect();
    // In a head that came in pieces, or behind another request.
    let ends_empty = coded.last().is_some_and(|last| last.ends_with(b","));
    codings(coded.into_iter())
        .or_else(|| ends_empty.then_some(Rejection::EmptyLastCoding))
        .unwrap_or(Rejection::Malformed)
}

/// Returns the target in the first line of a request, blanks in it included.
fn target(line: &[u8]) -> Option<&[u8]> {
    let method_end = line.iter().position(|byte| *byte == b' ')?;
    let target_end = line.iter().rposition(|byte| *byte == b' ')?;
    line.get(method_end + 1..target_end)
}

/// Returns the first byte of a target that may not stand in one; `None` if there is none.
fn forbidden(target: &[u8]) -> Option<u8> {
    let never = |byte: &u8| byte.is_ascii_control() || matches!(byte, b' ' | b'"' | b'<' | b'>');
    if let Some(byte) = target.iter().copied().find(|byte| never(byte)) {
        return Some(byte);
    }
    // RFC 3986 §3.3 and §3.4 forbid these too, though not all servers mind.
    let rare = |byte: &u8| !byte.is_ascii() || b"\\^`{|}[]".contains(byte);
    if Uri::try_from(target).is_ok() { None } else { target.iter().copied().find(rare) }
}

/// Returns that a head has a fragment in its target, which libraries drop unseen (RFC 9112 §3.2 leaves no room for one).
pub(super) fn fragment(head: &[u8]) -> Option<Rejection> {
    // Most heads have no such sign anywhere.
    memchr(b'#', head)?;
    let line = head.split(|byte| *byte == b'\n').next()?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    target(line)?.contains(&b'#').then_some(Rejection::Fragment)
}

/// Returns what is wrong with the `Host` headers of an HTTP/1 request (RFC 9112 §3.2).
pub(super) fn host(version: Version, headers: &HeaderMap) -> Option<Rejection> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => None,
        (None, _) => Some(Rejection::NoHost),
        (Some(host), None) if is_host(host.as_bytes()) => None,
        (Some(_), None) => Some(Rejection::BadHost),
        (Some(_), Some(_)) => Some(Rejection::SeveralHosts),
    }
}

/// Returns why an HTTP/2 request is refused; `None` if it is not. Its `:authority` becomes its `Host` header, so that
/// whoever looks at a request finds the host at one place (RFC 9113 §8.3.1).
pub(super) fn http2(parts: &mut Parts) -> Option<Rejection> {
    let lines = parts.headers.len();
    let size: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if lines > MAX_LINES || size + target > MAX_HEAD {
        return Some(Rejection::HeadTooLarge);
    }
    if let Some(authority) = parts.uri.authority() {
        match parts.headers.get(HOST) {
            None => {
                let host = HeaderValue::from_str(authority.as_str()).ok()?;
                parts.headers.insert(HOST, host);
            }
            Some(host) if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
            Some(_) => return Some(Rejection::SeveralHosts),
        }
    }
    host(Version::HTTP_2, &parts.headers)
}

/// Returns what follows a whole request with a head that hyper has read; `None` if the end of the request is not there, or
/// its body is chunked.
pub(super) fn after_request(text: &[u8]) -> Option<&[u8]> {
    // RFC 9112 §2.2: empty lines may come first.
    let start = text.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
    let (mut at, mut body) = (start, 0);
    for line in text[start..].split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        let line = line.strip_suffix(b"\n")?.trim_ascii_end();
        if line.is_empty() {
            return text.get(at.checked_add(body)?..);
        }
        let Some(colon) = memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if is_coding(name) {
            return None;
        }
        if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str().as_bytes()) {
            body = str::from_utf8(value).ok()?.trim().parse().ok()?;
        }
    }
    None
}

/// Returns the rejection that hyper means by a response of its own, which says no more than a status, to a request that
/// begins with `head`; `None` if it is no such response.
pub(super) fn rejected_by_hyper(withheld: &[u8], head: &[u8]) -> Option<Rejection> {
    let status = withheld.strip_prefix(b"HTTP/1.1 ").or_else(|| withheld.strip_prefix(b"HTTP/1.0 "))?;
    Some(match status.get(..3)? {
        b"431" => Rejection::HeadTooLarge,
        b"414" => Rejection::TargetTooLong,
        _ => malformed(head),
    })
}

/// Returns the target with the path that everything compares with: `/scim/%55sers` is `/scim/Users` (RFC 9110 §4.2.3);
/// `None` if it is in that form already.
pub(super) fn normal_uri(uri: &Uri) -> Option<Uri> {
    let Cow::Owned(path) = normal_path(uri.path()) else { return None };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
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
        assert_eq!(after("\r\nGET /: HTTP/1.1\nhost: x\n\nNEXT"), Some("NEXT"));
        assert_eq!(after("GET / HT"), None);
        assert_eq!(after("GET / HTTP/1.1\r\nhost: x\r\n"), None);
    }

    #[test]
    fn path_alone_is_normalized() {
        let uri = "http://h:1/%61?b=%61".parse().unwrap();
        assert_eq!(normal_uri(&uri).unwrap().to_string(), "http://h:1/a?b=%61");
        assert_eq!(normal_uri(&"/scim/Users?filter=%61".parse().unwrap()), None);
    }

    #[test]
    fn malformed_head_is_told_by_its_first_cause() {
        #[track_caller]
        fn check(head: &str, expected: &Rejection) {
            assert_eq!(malformed(head.as_bytes()), *expected, "{head:?}");
        }
        check("GET / HTTP/1.2\r\n", &Rejection::OtherVersion);
        check("GET / HTTP/2.0\r\nHost: h\r\n\r\n", &Rejection::OtherVersion);
        check("GET / HTTP/1.1\r\nbad line\r\n\r\n", &Rejection::Malformed);
        check("GET / XYZ\r\n\r\n", &Rejection::Malformed);
        check("", &Rejection::Malformed);
        let with =
            |codings: &str| format!("POST / HTTP/1.1\r\nHost: h\r\n{codings}\r\n\r\nTransfer-Encoding: x");
        check(&with("Transfer-Encoding: gzip, chunked"), &Rejection::UnknownCoding);
        check(&with("Transfer-Encoding: gzip"), &Rejection::NotChunkedLast);
        check(&with("transfer-encoding: chunked, identity"), &Rejection::NotChunkedLast);
        check(&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: x"), &Rejection::NotChunkedLast);
        check(&with("Transfer-Encoding:"), &Rejection::NotChunkedLast);
        check(&with("Transfer-Encoding: ,chunked"), &Rejection::Malformed);
        check(&with("Transfer-Encoding: chunked ,"), &Rejection::EmptyLastCoding);
        check(&with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), &Rejection::ChunkedTwice);
        check(&with("Transfer-Encoding: chunked,chunked"), &Rejection::ChunkedTwice);
        check(&with("Transfer-Encoding: chunked"), &Rejection::Malformed);
        for (target, byte) in [
            ("/a?b=\"", b'"'),
            ("/a b", b' '),
            ("/a  b", b' '),
            ("/<#", b'<'),
            ("/a\tb", b'\t'),
            ("/a\u{7f}", 0x7f),
            ("http://h/^?a=b\\>", b'>'),
        ] {
            check(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n"), &Rejection::BadTarget(byte));
        }
        check("GET  HTTP/1.1\r\nHost: h\r\n\r\n", &Rejection::Malformed);
    }

    #[test]
    fn empty_codings_at_the_end_are_blanks_in_the_first_head_alone() {
        let mut head =
            *b"POST /a, HTTP/1.1\r\nX: a,\r\ntransfer-encoding: chunked, ,\r\n\r\nTransfer-Encoding: chunked,\r\n";
        drop_empty_codings(&mut head);
        let expected =
            b"POST /a, HTTP/1.1\r\nX: a,\r\ntransfer-encoding: chunked   \r\n\r\nTransfer-Encoding: chunked,\r\n";
        assert_eq!(str::from_utf8(&head), str::from_utf8(expected));
    }

    #[test]
    fn fragment_is_found_in_the_target_alone() {
        for (head, found) in [
            ("GET /a#b HTTP/1.1\r\n\r\n", true),
            ("GET /a?b# HTTP/1.1\r\n", true),
            ("GET /a HTTP/1.1\r\nX: #\r\n\r\n", false),
            ("G#T /a HTTP/1.1\r\n\r\n", false),
            ("", false),
        ] {
            assert_eq!(fragment(head.as_bytes()).is_some(), found, "{head}");
        }
    }
}
