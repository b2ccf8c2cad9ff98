//! A record as it is kept: path, headers and a small body copied into one block, without secrets.
//!
//! Header maps hang on the buffer that they were read into, and are freed in many pieces long after they left the
//! cache. One block is cheaper to make than those are to free, and its size is what it says.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;

use super::operations::ScimOperation;
use super::record::{Known, MAX_STATE_BYTES, Seen, StateChange};
use super::redact::{self, REDACTED};
use crate::hops::Downstreams;

/// A request's body up to here is copied; a larger one has most of its buffer to itself.
const MAX_COPIED: usize = 4 * 1024;

/// A record without its secrets, apart from those in bodies and states.
pub(super) struct Kept {
    pub(super) at: Timestamp,
    pub(super) took: Duration,
    pub(super) method: Method,
    pub(super) status: Option<StatusCode>,
    /// Path with query, request headers, response headers and the request's body, if it is small, one after the
    /// other. Headers are lines of `name:value`: neither can hold a line feed, nor a name a colon.
    block: Vec<u8>,
    /// Where each of the first three ends.
    ends: [usize; 3],
    large_body: Option<Bytes>,
    pub(super) response_body: Bytes,
    pub(super) downstream: Downstreams,
    pub(super) faults: Vec<Arc<str>>,
    pub(super) dialects: Vec<&'static str>,
    pub(super) changes: Vec<StateChange>,
    pub(super) scim: Vec<ScimOperation>,
    /// About how many bytes it takes up, the shared ones included.
    pub(super) weight: usize,
}

impl Kept {
    /// Clears and compacts a record. Bodies and states are left out where the whole would weigh more than `limit`.
    pub(super) fn of(seen: &Seen<'_>, mut known: Known, limit: usize) -> Self {
        for change in &mut known.changes {
            for state in [&mut change.before, &mut change.after] {
                if state.as_ref().is_some_and(|state| state.len() > MAX_STATE_BYTES) {
                    *state = None;
                }
            }
        }
        let state = |state: &Option<Bytes>| state.as_ref().map_or(0, Bytes::len);
        let changes = known.changes.iter().map(|change| 128 + state(&change.before) + state(&change.after));
        let rest = changes.sum::<usize>() + (known.downstream.count() + known.scim.len()) * 128;
        let bodies = seen.request_body.len() + seen.response_body.len();
        let headers = length(seen.headers) + length(seen.response_headers);
        let path = redact::path(seen.uri);
        let estimate = size_of::<Self>() + path.len() + headers + 32 + bodies + rest;
        if estimate <= limit {
            return Self::compact(seen, &path, headers, known, rest);
        }
        let [request, response] = [seen.request_body, seen.response_body].map(|body| {
            if body.len() > 64 {
                Bytes::from(format!("[left out: {} bytes]", body.len()))
            } else {
                body.clone()
            }
        });
        for change in &mut known.changes {
            (change.before, change.after) = (None, None);
        }
        let rest = (known.changes.len() + known.downstream.count() + known.scim.len()) * 128;
        let seen = Seen { request_body: &request, response_body: &response, ..*seen };
        Self::compact(&seen, &path, headers, known, rest)
    }

    /// `headers` is how long all headers are, `rest` what all that is known weighs.
    fn compact(seen: &Seen<'_>, path: &str, headers: usize, known: Known, rest: usize) -> Self {
        let body = seen.request_body;
        let copied = if body.len() <= MAX_COPIED { body.len() } else { 0 };
        // A credential may be shorter than what stands in its place.
        let mut block = Vec::with_capacity(path.len() + headers + copied + 32);
        block.extend_from_slice(path.as_bytes());
        let path_end = block.len();
        write(&mut block, seen.headers);
        let request_end = block.len();
        write(&mut block, seen.response_headers);
        let ends = [path_end, request_end, block.len()];
        block.extend_from_slice(&body[..copied]);
        let large_body = (copied < body.len()).then(|| body.clone());
        let large = large_body.as_ref().map_or(0, Bytes::len);
        let weight = size_of::<Self>() + block.capacity() + large + seen.response_body.len() + rest;
        let Known { downstream, faults, dialects, changes, scim } = known;
        Self {
            at: seen.at,
            took: seen.took,
            method: seen.method.clone(),
            status: seen.status,
            block,
            ends,
            large_body,
            response_body: seen.response_body.clone(),
            downstream,
            faults,
            dialects,
            changes,
            scim,
            weight,
        }
    }

    pub(super) fn path_and_query(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.block[..self.ends[0]])
    }

    pub(super) fn request_headers(&self) -> Vec<(String, String)> {
        headers(&self.block[self.ends[0]..self.ends[1]])
    }

    pub(super) fn response_headers(&self) -> Vec<(String, String)> {
        headers(&self.block[self.ends[1]..self.ends[2]])
    }

    pub(super) fn request_body(&self) -> &[u8] {
        self.large_body.as_deref().unwrap_or(&self.block[self.ends[2]..])
    }
}

/// Nothing of the bodies: there may be secrets in them.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("method", &self.method)
            .field("path", &self.path_and_query())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

fn length(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 2).sum()
}

fn write(block: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.push(b':');
        match redact::scheme(name, value.as_bytes()) {
            None => block.extend_from_slice(value.as_bytes()),
            Some(scheme) => {
                block.extend_from_slice(scheme);
                block.extend_from_slice(REDACTED.as_bytes());
            }
        }
        block.push(b'\n');
    }
}

fn headers(lines: &[u8]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| memchr::memchr(b':', line).map(|at| (text(&line[..at]), text(&line[at + 1..]))))
        .collect()
}
