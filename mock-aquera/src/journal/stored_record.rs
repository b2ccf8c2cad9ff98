//! A record as it is kept: path, headers and a small body copied into one block, without secrets.
//!
//! Header maps hang on the buffer that they were read into, and are freed in many pieces long after they left the
//! cache. One block is cheaper to make than those are to free, and its size is what it says.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use jiff::Timestamp;

use super::exchange::Note;
use super::record::{MAX_STATE_BYTES, RequestMetadata, RequestRecord, StateChange};
use super::redact::{self, REDACTED};
use crate::downstream::{self, Downstream, DownstreamOperation, Downstreams};

/// A request's body up to here is copied; a larger one has most of its buffer to itself.
const MAX_COPIED: usize = 4 * 1024;

/// The room for writing blocks that a thread goes on holding, in bytes.
const MAX_ROOM: usize = 64 * 1024;

thread_local! {
    /// Where blocks are written before their length is known.
    static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A record without its secrets, apart from those in bodies and states. Clones share what is large.
///
/// It is small on purpose: each record is written to memory that has left the cache, and so is the one that it
/// replaces.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(super) at: Timestamp,
    /// In microseconds.
    took: u64,
    /// The [`Part`]s, one after the other.
    block: Arc<[u8]>,
    /// Where each part ends.
    ends: [u32; Part::COUNT],
    pub(super) status: Option<StatusCode>,
    /// Whether the downstream operations were carried out.
    accepted: bool,
    pub(super) response_body: Bytes,
    /// The downstream operations of most requests, on the target in the block.
    operations: &'static [DownstreamOperation],
    rest: Option<Arc<Rest>>,
    /// About how many bytes it takes up, the shared ones included.
    pub(super) weight: usize,
}

/// What stands in a block, in its order.
#[derive(Clone, Copy)]
enum Part {
    Method,
    /// Path and query.
    Path,
    /// Lines of `name:value`: neither can hold a line feed, nor a name a colon.
    RequestHeaders,
    ResponseHeaders,
    /// The id of the account that the downstream operations are about; nothing where they are about none.
    Target,
    /// The request's body, if it is small.
    RequestBody,
}

impl Part {
    const COUNT: usize = Self::RequestBody as usize + 1;
}

/// What most records lack.
pub(super) struct Rest {
    /// The request's body, if it is large.
    request_body: Option<Bytes>,
    downstream: Vec<Downstream>,
    /// The rules that struck, the one that decided first.
    pub(super) faults: Vec<Arc<str>>,
    /// What was let pass although the RFC has it otherwise.
    pub(super) dialects: Vec<&'static str>,
    /// What in the request had no effect.
    pub(super) notes: Vec<Note>,
    pub(super) changes: Vec<StateChange>,
}

impl Rest {
    fn is_nothing(&self) -> bool {
        let Self { request_body, downstream, faults, dialects, notes, changes } = self;
        request_body.is_none()
            && changes.is_empty()
            && downstream.is_empty()
            && faults.is_empty()
            && dialects.is_empty()
            && notes.is_empty()
    }

    /// About how many bytes it takes up.
    fn weight(&self) -> usize {
        let length = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len);
        let changes = self.changes.iter().map(|change| 128 + length(&change.before) + length(&change.after));
        size_of::<Self>()
            + length(&self.request_body)
            + changes.sum::<usize>()
            + (self.downstream.len() + 2 * self.notes.len()) * 128
    }
}

impl Kept {
    pub(super) fn took(&self) -> Duration {
        Duration::from_micros(self.took)
    }

    /// Clears and compacts a record. Bodies and states are left out where the whole would weigh more than `limit`.
    pub(super) fn of(seen: &RequestRecord<'_>, known: RequestMetadata, limit: usize) -> Self {
        ROOM.with_borrow_mut(|room| {
            let kept = Self::written(room, seen, known, limit);
            if room.capacity() > MAX_ROOM {
                *room = Vec::new();
            }
            kept
        })
    }

    fn written(room: &mut Vec<u8>, seen: &RequestRecord<'_>, known: RequestMetadata, limit: usize) -> Self {
        let RequestMetadata { downstream, faults, dialects, notes, changes, .. } = known;
        let (operations, target, accepted, many) = match downstream {
            Downstreams::None => (Default::default(), None, false, Vec::new()),
            Downstreams::Few { operations, target, accepted } => (operations, target, accepted, Vec::new()),
            Downstreams::Many(many) => (Default::default(), None, false, many),
        };
        let mut rest = Rest { request_body: None, downstream: many, faults, dialects, notes, changes };
        for change in &mut rest.changes {
            for state in [&mut change.before, &mut change.after] {
                state.take_if(|state| state.len() > MAX_STATE_BYTES);
            }
        }
        room.clear();
        let mut ends = [0; Part::COUNT];
        let mut end = |part: Part, room: &Vec<u8>| {
            ends[part as usize] = u32::try_from(room.len()).unwrap_or(u32::MAX);
        };
        room.extend_from_slice(seen.method.as_str().as_bytes());
        end(Part::Method, room);
        room.extend_from_slice(redact::path(seen.uri).as_bytes());
        end(Part::Path, room);
        write(room, seen.headers);
        end(Part::RequestHeaders, room);
        write(room, seen.response_headers);
        end(Part::ResponseHeaders, room);
        if let Some(target) = &target {
            room.extend_from_slice(target.as_str().as_bytes());
        }
        end(Part::Target, room);

        let heads = size_of::<Self>() + room.len();
        let bodies = seen.request_body.len() + seen.response_body.len();
        let is_rest = !rest.is_nothing();
        let too_much = heads + bodies + if is_rest { rest.weight() } else { 0 } > limit;
        let left_out = too_much.then(|| {
            for change in &mut rest.changes {
                (change.before, change.after) = (None, None);
            }
            [seen.request_body, seen.response_body].map(instead_of)
        });
        let [request, response] = match &left_out {
            None => [seen.request_body, seen.response_body],
            Some([request, response]) => [request, response],
        };
        if request.len() <= MAX_COPIED {
            room.extend_from_slice(request);
        } else {
            rest.request_body = Some(request.clone());
        }
        end(Part::RequestBody, room);
        let rest = (is_rest || rest.request_body.is_some()).then(|| Arc::new(rest));
        Self {
            at: seen.at,
            took: u64::try_from(seen.took.as_micros()).unwrap_or(u64::MAX),
            block: Arc::from(room.as_slice()),
            ends,
            status: seen.status,
            accepted,
            response_body: response.clone(),
            operations,
            weight: size_of::<Self>()
                + room.len()
                + response.len()
                + rest.as_ref().map_or(0, |rest| rest.weight()),
            rest,
        }
    }

    fn part(&self, part: Part) -> &[u8] {
        let at = part as usize;
        let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.block.get(from as usize..self.ends[at] as usize).unwrap_or_default()
    }

    pub(super) fn method(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.part(Part::Method))
    }

    pub(super) fn path_and_query(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.part(Part::Path))
    }

    pub(super) fn request_headers(&self) -> Vec<(String, String)> {
        headers(self.part(Part::RequestHeaders))
    }

    pub(super) fn response_headers(&self) -> Vec<(String, String)> {
        headers(self.part(Part::ResponseHeaders))
    }

    pub(super) fn request_body(&self) -> &[u8] {
        self.rest().request_body.as_deref().unwrap_or_else(|| self.part(Part::RequestBody))
    }

    /// The downstream operations one by one, as they are told.
    pub(super) fn downstream(&self) -> Vec<Downstream> {
        let told = &self.rest().downstream;
        if !told.is_empty() {
            return told.clone();
        }
        let target = String::from_utf8_lossy(self.part(Part::Target));
        downstream::told(self.operations, Some(&*target).filter(|target| !target.is_empty()), self.accepted)
    }

    /// What most records lack: nothing of it where this one does.
    pub(super) fn rest(&self) -> &Rest {
        static NOTHING: Rest = Rest {
            request_body: None,
            downstream: Vec::new(),
            faults: Vec::new(),
            dialects: Vec::new(),
            notes: Vec::new(),
            changes: Vec::new(),
        };
        self.rest.as_deref().unwrap_or(&NOTHING)
    }
}

/// What stands in the place of a body that is too large.
fn instead_of(body: &Bytes) -> Bytes {
    if body.len() > 64 { Bytes::from(format!("[left out: {} bytes]", body.len())) } else { body.clone() }
}

/// Nothing of the bodies: there may be secrets in them.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept")
            .field("method", &self.method())
            .field("path", &self.path_and_query())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
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
