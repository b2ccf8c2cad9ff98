//! Requests that are there whole, answered on the spot.
//!
//! Most requests come in one piece, and most are answered without waiting for anything. They need little of what an
//! HTTP server must be able to do, and getting ready for the rest took it as long as reading and answering them. So
//! they are read and answered right here. Whatever is out of the ordinary (a head in pieces, a chunked or a large body,
//! `Expect`, HTTP/1.0, the last request of a connection, a mistake, an answer that is held up or spoiled) stays where it
//! is, and the connection is hyper's from there on.

use std::future::{Future as _, poll_fn};
use std::mem::MaybeUninit;
use std::pin::pin;
use std::task::Poll;

use httparse::Status;
use hyper::body::Bytes;
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE,
};
use hyper::{HeaderMap, Method, Uri};

use super::caught::caught_now;
use super::connection::Rest;
use super::sending::Sending;
use super::service::tell_of_panic;
use super::socket::Socket;
use super::stage::{Follow, Stage};
use super::{Handler, Head};
use crate::reply::spare;

/// How large a body may be, in bytes, to be waited for here.
const MAX_BODY: usize = 64 * 1024;

/// How many headers there may be.
const MAX_HEADERS: usize = 32;

/// Answers such requests until the connection is over. Nothing where hyper has to go on with it.
pub(super) async fn serve<H: Handler>(handler: &H, socket: &mut Socket, stage: &Follow) -> Option<Rest> {
    let mut alarm = stage.alarm();
    let mut drain = pin!(stage.reached(Stage::Drain));
    let mut sending = Sending::default();
    let mut awaited = 1;
    loop {
        while socket.ahead().len() < awaited {
            let more = poll_fn(|context| {
                if let Poll::Ready(read) = socket.poll_ahead(context) {
                    return Poll::Ready(Some(read));
                }
                if alarm.due() && drain.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                Poll::Pending
            });
            match more.await? {
                Ok(0) if socket.ahead().is_empty() => return Some(Rest::Close),
                Ok(0) => return None,
                Ok(_) => {}
                Err(_) => return Some(Rest::Nothing),
            }
        }
        let request = match Sight::of(socket.ahead()) {
            Sight::Whole(request) => request,
            Sight::Awaited(length) => {
                awaited = length;
                continue;
            }
            Sight::Other => return None,
        };
        let Ok(reply) = caught_now(|| handler.at_once(request.head(), &request.body)) else {
            tell_of_panic();
            return Some(Rest::Close);
        };
        sending.begin(reply?);
        socket.take(request.length);
        spare::give(request.headers);
        awaited = 1;
        if poll_fn(|context| socket.poll_reply(&mut sending, context)).await.is_err() {
            return Some(Rest::Nothing);
        }
    }
}

struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    /// How many bytes all of it is.
    length: usize,
}

impl Request {
    fn head(&self) -> Head<'_> {
        Head { method: &self.method, uri: &self.uri, headers: &self.headers }
    }
}

/// What there is of a request.
enum Sight {
    Whole(Request),
    /// Its head; with its body it will be so many bytes.
    Awaited(usize),
    /// Nothing for here.
    Other,
}

impl Sight {
    fn of(got: &[u8]) -> Self {
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut []);
        // Copied, so that what the request holds on to is no larger than what it is.
        let got = Bytes::copy_from_slice(got);
        let Ok(Status::Complete(head_length)) = head.parse_with_uninit_headers(&got, &mut lines) else {
            return Self::Other;
        };
        let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else {
            return Self::Other;
        };
        let Some(method) = usual(method) else { return Self::Other };
        let Some(body_length) = body_length(head.headers) else { return Self::Other };
        let length = head_length + body_length;
        if got.len() < length {
            return Self::Awaited(length);
        }
        let Ok(uri) = Uri::from_maybe_shared(got.slice_ref(target.as_bytes())) else { return Self::Other };
        let mut headers = spare::take();
        for line in &*head.headers {
            let name = HeaderName::from_bytes(line.name.as_bytes());
            let value = HeaderValue::from_maybe_shared(got.slice_ref(line.value));
            let (Ok(name), Ok(value)) = (name, value) else { return Self::Other };
            headers.append(name, value);
        }
        let body = got.slice(head_length..length);
        Self::Whole(Request { method, uri, headers, body, length })
    }
}

/// A method that says nothing of how the connection goes on.
fn usual(method: &str) -> Option<Method> {
    Some(match method {
        "GET" => Method::GET,
        "POST" => Method::POST,
        "PUT" => Method::PUT,
        "PATCH" => Method::PATCH,
        "DELETE" => Method::DELETE,
        _ => return None,
    })
}

/// The length of the body, where nothing but this is said of it and of the connection.
fn body_length(lines: &[httparse::Header<'_>]) -> Option<usize> {
    let mut length = None;
    for line in lines {
        let is = |name: &HeaderName| line.name.eq_ignore_ascii_case(name.as_str());
        match line.name.len() {
            6 if is(&EXPECT) => return None,
            7 if is(&UPGRADE) => return None,
            10 if is(&CONNECTION) && !line.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            14 if is(&CONTENT_LENGTH) => {
                let all_digits = line.value.iter().all(u8::is_ascii_digit);
                let value = std::str::from_utf8(line.value).ok().filter(|_| all_digits)?;
                let value = value.parse().ok().filter(|value| *value <= MAX_BODY)?;
                if length.replace(value).is_some() {
                    return None;
                }
            }
            17 if is(&TRANSFER_ENCODING) => return None,
            _ => {}
        }
    }
    Some(length.unwrap_or(0))
}
