//! The head of an HTTP/1 response, as hyper would write it.

use hyper::header::{CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use hyper::{HeaderMap, StatusCode, Version};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

/// How the body is announced.
#[derive(Debug, Clone, Copy)]
pub(super) enum Length {
    Of(usize),
    Off(usize, i64),
    Chunked,
}

/// A length that is off by so much, but not below zero.
pub(super) fn off(length: usize, by: i64) -> u64 {
    u64::try_from(i64::try_from(length).unwrap_or(i64::MAX).saturating_add(by)).unwrap_or(0)
}

/// Writes the first line, the headers, the length, the date and the empty line.
pub(super) fn write(
    into: &mut Vec<u8>,
    version: Version,
    status: StatusCode,
    headers: &HeaderMap,
    length: Length,
) {
    into.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    into.extend_from_slice(status.as_str().as_bytes());
    into.push(b' ');
    into.extend_from_slice(status.canonical_reason().unwrap_or("<none>").as_bytes());
    into.extend_from_slice(b"\r\n");
    let mut is_dated = false;
    for (name, value) in headers {
        is_dated |= *name == DATE;
        if *name != CONTENT_LENGTH && *name != TRANSFER_ENCODING {
            line(into, name.as_str(), value.as_bytes());
        }
    }
    let mut digits = itoa::Buffer::new();
    match length {
        // RFC 9110 §8.6: no length where there can be no body; of a 304 it would be that of another reply.
        Length::Of(0) if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => {}
        Length::Of(length) => line(into, CONTENT_LENGTH.as_str(), digits.format(length).as_bytes()),
        Length::Off(length, by) => {
            line(into, CONTENT_LENGTH.as_str(), digits.format(off(length, by)).as_bytes());
        }
        Length::Chunked => line(into, TRANSFER_ENCODING.as_str(), b"chunked"),
    }
    if !is_dated {
        let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()).unwrap_or_default();
        line(into, DATE.as_str(), now.as_bytes());
    }
    into.extend_from_slice(b"\r\n");
}

fn line(into: &mut Vec<u8>, name: &str, value: &[u8]) {
    into.extend_from_slice(name.as_bytes());
    into.extend_from_slice(b": ");
    into.extend_from_slice(value);
    into.extend_from_slice(b"\r\n");
}
