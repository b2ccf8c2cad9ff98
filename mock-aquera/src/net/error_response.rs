//! Responses to what never became a request: no HTTP, too large a head, one that did not arrive, one connection too many.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode, Version};
use scim::error::error_body;

use super::fault::{Asked, FaultResponse, write_response};
use crate::reply::SCIM_JSON;

/// How large a head may be, in bytes: what hyper reads at most of HTTP/1.1.
pub(super) const MAX_HEAD: usize = 8192 + 100 * 4096;
/// How many header lines there may be: what hyper reads at most of HTTP/1.1.
pub(super) const MAX_LINES: usize = 100;

/// Why a request is rejected before the router sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Rejection {
    #[error("the head of the request did not arrive within {0:?}")]
    Slow(Duration),
    #[error("the server holds {0} connections already; close some")]
    TooManyConnections(usize),
    #[error("this is no HTTP/1.1 request: its first line or one of its header lines is malformed")]
    Malformed,
    #[error(
        "this server speaks HTTP/1.0, HTTP/1.1 and HTTP/2, and the first line of the request says another version"
    )]
    OtherVersion,
    #[error(
        "the target of the request is longer than 65,534 bytes, the most that the server reads; an application may take \
         less"
    )]
    TargetTooLong,
    #[error(
        "the head of the request is too large: the server reads {MAX_HEAD} bytes and {MAX_LINES} header lines at most, and \
         an application may take less"
    )]
    HeadTooLarge,
    #[error("the request has no Host header; RFC 9112 §3.2 asks for one")]
    NoHost,
    #[error("the request names two hosts; RFC 9112 §3.2 allows one Host header")]
    SeveralHosts,
    #[error("the Host header is not a host name or an address, with a port or without")]
    BadHost,
    #[error(
        "the request has a transfer coding other than `chunked`, which is the only one that is understood"
    )]
    UnknownCoding,
    #[error(
        "the request names the transfer coding `chunked` more than once; RFC 9112 §7.1 allows it once, at the end"
    )]
    ChunkedTwice,
    #[error(
        "the last transfer coding of the request is not `chunked`, so nothing says where its body ends; RFC 9112 §6.3 \
         has such a request refused"
    )]
    NotChunkedLast,
    #[error("nothing follows the last comma in the Transfer-Encoding header; leave the comma out")]
    EmptyLastCoding,
    #[error("the target of the request holds {}, which has to be percent-encoded: write `%{:02X}`", sign(*.0), .0)]
    BadTarget(u8),
    #[error(
        "the target of the request holds `#`, and fragments are not sent (RFC 9112 §3.2); write `%23` for the sign itself"
    )]
    Fragment,
    #[error("this port speaks TLS, and the request came without; use a URL that begins with https://")]
    TlsNeeded,
}

/// A byte of a target, for people.
fn sign(byte: u8) -> String {
    match byte {
        b' ' => "a blank".to_owned(),
        0x21..=0x7e => format!("`{}`", char::from(byte)),
        0x80.. => "a character beyond ASCII".to_owned(),
        _ => "a control character".to_owned(),
    }
}

impl Rejection {
    fn status(&self) -> StatusCode {
        match self {
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyConnections(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Malformed
            | Self::NoHost
            | Self::SeveralHosts
            | Self::BadHost
            | Self::ChunkedTwice
            | Self::NotChunkedLast
            | Self::EmptyLastCoding
            | Self::BadTarget(_)
            | Self::Fragment
            | Self::TlsNeeded => StatusCode::BAD_REQUEST,
            Self::UnknownCoding => StatusCode::NOT_IMPLEMENTED,
            Self::OtherVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }

    /// The response, which says that the connection ends.
    pub(super) fn response(&self) -> Response<Bytes> {
        let status = self.status();
        let body = error_body(status.as_u16(), None, &self.to_string()).to_string();
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, SCIM_JSON);
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        if matches!(self, Self::TooManyConnections(_)) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }

    /// The response, and the end of the connection.
    pub(super) fn fault_response(&self) -> FaultResponse {
        // The request is not known.
        let asked = Asked { method: Method::GET, version: Version::HTTP_11 };
        FaultResponse::closing(write_response(&asked, &self.response()))
    }
}
