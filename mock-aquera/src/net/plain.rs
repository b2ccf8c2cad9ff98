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
use hyper::{HeaderMap, Method, Uri, Version};
use memchr::memchr;

use super::caught::caught_now;
use super::connection::Rest;
use super::rules;
use super::sending::Sending;
use super::service::tell_of_panic;
use super::socket::Socket;
use super::stage::{Follow, Stage};
use super::{Handler, Head};

/// How large a body may be, in bytes, to be waited for here.
const MAX_BODY: usize = 64 * 1024;

/// How many headers there may be.
const MAX_HEADERS: usize = 32;

/// Answers such requests until the connection is over. Nothing where hyper has to go on with it.
pub(super) async fn serve<H: Handler>(handler: &H, socket: &mut Socket, stage: &Follow) -> Option<Rest> {
    let mut alarm = stage.alarm();
    let mut drain = pin!(stage.reached(Stage::Drain));
    let mut sending = Sending::default();
    let mut reader = Reader::default();
    let mut awaited = 1;
    loop {
        while socket.ahead().len() < awaited {
            let more = poll_fn(|context| {
                // Asked first: a client that never stops sending must not keep a server from stopping.
                if alarm.due() && drain.as_mut().poll(context).is_ready() {
                    return Poll::Ready(None);
                }
                socket.poll_ahead(context).map(Some)
            });
            match more.await? {
                Ok(0) if socket.ahead().is_empty() => return Some(Rest::Close),
                Ok(0) => return None,
                Ok(_) => {}
                Err(_) => return Some(Rest::Nothing),
            }
        }
        let request = match reader.look(socket.ahead())? {
            Sight::Whole(request) => request,
            Sight::Awaited(length) => {
                awaited = length;
                continue;
            }
        };
        let head = Head { method: &request.method, uri: &request.uri, headers: &reader.headers };
        let Ok(reply) = caught_now(|| handler.at_once(head, &request.body)) else {
            tell_of_panic();
            return Some(Rest::Close);
        };
        sending.begin(reply?);
        socket.take(request.length);
        awaited = 1;
        if poll_fn(|context| socket.poll_reply(&mut sending, context)).await.is_err() {
            return Some(Rest::Nothing);
        }
    }
}

/// A request without its headers.
struct Request {
    method: Method,
    uri: Uri,
    body: Bytes,
    /// How many bytes all of it is.
    length: usize,
}

/// What there is of a request.
enum Sight {
    Whole(Request),
    /// Its head; with its body it will be so many bytes.
    Awaited(usize),
}

/// Reads the requests of one connection. Most clients send the same headers with each, so those are kept.
#[derive(Default)]
struct Reader {
    /// The header lines as they came, with the empty one; nothing where they are not to be known again.
    lines: Vec<u8>,
    headers: HeaderMap,
    /// How long a body they announce.
    body_length: usize,
}

impl Reader {
    /// Nothing where it is nothing for here.
    fn look(&mut self, got: &[u8]) -> Option<Sight> {
        let first = First::of(got);
        let known = first.as_ref().filter(|first| {
            !self.lines.is_empty()
                && got.get(first.length..).is_some_and(|rest| rest.starts_with(&self.lines))
        });
        let (method, target, head_length) = match known {
            Some(first) => (first.method.clone(), first.target, first.length + self.lines.len()),
            None => self.read(got, first)?,
        };
        // What stands behind it would be lost unseen.
        if memchr(b'#', target).is_some() {
            return None;
        }
        let length = head_length + self.body_length;
        if got.len() < length {
            return Some(Sight::Awaited(length));
        }
        // Copied, so that what a request holds on to is no larger than what it is.
        let uri = Uri::from_maybe_shared(Bytes::copy_from_slice(target)).ok()?;
        let body = Bytes::copy_from_slice(&got[head_length..length]);
        Some(Sight::Whole(Request { method, uri, body, length }))
    }

    /// Reads a whole head: the method, the target and how long it is.
    fn read<'g>(&mut self, got: &'g [u8], first: Option<First<'g>>) -> Option<(Method, &'g [u8], usize)> {
        self.lines.clear();
        self.headers.clear();
        let mut lines = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut []);
        let Ok(Status::Complete(length)) = head.parse_with_uninit_headers(got, &mut lines) else {
            return None;
        };
        let (Some(method), Some(target), Some(1)) = (head.method, head.path, head.version) else {
            return None;
        };
        let method = usual(method.as_bytes())?;
        self.body_length = body_length(head.headers)?;
        for line in &*head.headers {
            let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
            self.headers.append(name, HeaderValue::from_bytes(line.value).ok()?);
        }
        if rules::host(Version::HTTP_11, &self.headers).is_some() {
            return None;
        }
        let target = target.as_bytes();
        if let Some(first) = first.filter(|first| first.method == method && first.target == target) {
            self.lines.extend_from_slice(&got[first.length..length]);
        }
        Some((method, target, length))
    }
}

/// The first line of a request.
struct First<'g> {
    method: Method,
    target: &'g [u8],
    /// With its end.
    length: usize,
}

impl<'g> First<'g> {
    /// Nothing where there is any doubt.
    fn of(got: &'g [u8]) -> Option<Self> {
        let end = memchr(b'\n', got)?;
        let line = got[..end].strip_suffix(b" HTTP/1.1\r")?;
        let space = memchr(b' ', line)?;
        let (method, target) = (usual(&line[..space])?, &line[space + 1..]);
        let is_plain = target.iter().all(u8::is_ascii_graphic);
        is_plain.then_some(Self { method, target, length: end + 1 })
    }
}

/// A method that says nothing of how the connection goes on.
fn usual(method: &[u8]) -> Option<Method> {
    Some(match method {
        b"GET" => Method::GET,
        b"POST" => Method::POST,
        b"PUT" => Method::PUT,
        b"PATCH" => Method::PATCH,
        b"DELETE" => Method::DELETE,
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
