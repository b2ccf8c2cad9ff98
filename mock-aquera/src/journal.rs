//! The journal: what came in, what went out, what it did, and the downstream operations in between.
//!
//! It is a ring, bounded by count and by bytes. Recording copies the heads into one block and shares the bodies; the
//! readable form is made when somebody asks. Both happen outside the journal's lock. Credentials in headers and
//! queries are redacted before anything is kept, secrets in bodies before anything is shown.

mod counters;
mod exchange;
mod har;
mod operations;
mod predicate;
mod query;
mod record;
pub(crate) mod redact;
mod satisfiable;
mod stored_record;
mod subscription;
pub(crate) mod wire;

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use utoipa::ToSchema;

pub(crate) use crate::journal::satisfiable::Asked;
pub(crate) use crate::journal::subscription::{Found, Gathered};
pub use crate::journal::subscription::{Live, Subscription, WaitError};
pub use counters::{Counters, Scrape, render_prometheus};
pub use exchange::{AttributeChange, Change, Exchange, Note, NoteKind};
pub(crate) use har::archive;
pub use har::{HarCreator, har};
pub(crate) use operations::kind_of_route;
pub use operations::{OperationKind, PatchedPath, ScimOperation};
pub use query::{JournalQuery, Order, QueryError, StatusMatch};
pub use record::ChangeKind;
pub(crate) use record::{RequestMetadata, RequestRecord, StateChange};

use crate::journal::stored_record::Kept;
use counters::Counted;

use crate::lock;

/// How much a journal may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct JournalLimits {
    /// How many exchanges; 1,000 unless said otherwise. 0 keeps none, but goes on counting.
    pub exchanges: usize,
    /// About how many bytes; 8 MiB unless said otherwise. An exchange that is larger is kept without its bodies.
    pub bytes: usize,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { exchanges: 1000, bytes: 8 * 1024 * 1024 }
    }
}

/// How much a journal holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JournalSize {
    /// How many exchanges.
    pub exchanges: usize,
    /// About how many bytes.
    pub bytes: usize,
    /// The number of the latest exchange, remembered or not.
    pub last_seq: u64,
}

/// The journal of one application. Clones are handles on the same one.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    application: Arc<str>,
    /// `limits.bytes` of the ring, to be read without its lock.
    max_bytes: AtomicUsize,
    ring: Mutex<Ring>,
    /// The number of the latest record, told only while somebody listens.
    last: watch::Sender<u64>,
    /// What was made readable for those who listen.
    read: Mutex<subscription::Read>,
}

#[derive(Debug, Default)]
struct Ring {
    limits: JournalLimits,
    records: VecDeque<Kept>,
    bytes: usize,
    last: u64,
    counters: Counters,
}

impl Journal {
    /// An empty journal; its exchanges name the application.
    pub(crate) fn of(application: &str) -> Self {
        let ring = Ring::default();
        Self(Arc::new(Shared {
            application: Arc::from(application),
            max_bytes: AtomicUsize::new(ring.limits.bytes),
            ring: Mutex::new(ring),
            last: watch::Sender::new(0),
            read: Mutex::default(),
        }))
    }

    /// Keeps an exchange and returns its number.
    pub(crate) fn record(&self, seen: &RequestRecord<'_>, known: RequestMetadata) -> u64 {
        let counted = Counted::of(seen, known.kind);
        let kept = Kept::of(seen, known, self.0.max_bytes.load(Relaxed));
        let mut ring = lock(&self.0.ring);
        ring.last += 1;
        let seq = ring.last;
        ring.counters.count(&counted, &kept.rest().faults);
        ring.bytes += kept.weight;
        // Mostly it is one record that has to make room.
        let oldest = if ring.is_over(1) { ring.forget() } else { None };
        ring.records.push_back(kept);
        let more = ring.shrink();
        drop(ring);
        // Freed outside the lock.
        drop((oldest, more));
        if self.0.last.receiver_count() > 0 {
            self.0.last.send_replace(seq);
        }
        seq
    }

    /// The exchanges that a query asks for.
    pub(crate) fn query(&self, query: &JournalQuery) -> Vec<Exchange> {
        let limit = query.limit.unwrap_or(usize::MAX);
        let (_, mut records) = self.after(query.since_seq.unwrap_or(0), usize::MAX);
        if query.order == Order::Newest {
            records.reverse();
        }
        let candidates = records.into_iter().filter(|(seq, record)| query.may_match(record, *seq));
        let readable = candidates.map(|(seq, record)| self.readable(&record, seq));
        readable.filter(|exchange| query.matches(exchange)).take(limit).collect()
    }

    /// All exchanges after a number that are remembered, oldest first, made readable one by one.
    pub(crate) fn exchanges_after(&self, seq: u64) -> impl Iterator<Item = Exchange> {
        self.after(seq, usize::MAX).1.into_iter().map(|(seq, record)| self.readable(&record, seq))
    }

    pub(crate) fn last_seq(&self) -> u64 {
        lock(&self.0.ring).last
    }

    pub(crate) fn size(&self) -> JournalSize {
        let ring = lock(&self.0.ring);
        JournalSize { exchanges: ring.records.len(), bytes: ring.bytes, last_seq: ring.last }
    }

    pub(crate) fn limits(&self) -> JournalLimits {
        lock(&self.0.ring).limits
    }

    pub(crate) fn set_limits(&self, limits: JournalLimits) {
        let mut ring = lock(&self.0.ring);
        ring.limits = limits;
        self.0.max_bytes.store(limits.bytes, Relaxed);
        let forgotten = ring.shrink();
        drop(ring);
        drop(forgotten);
    }

    pub(crate) fn clear(&self) {
        let mut ring = lock(&self.0.ring);
        ring.bytes = 0;
        let forgotten = std::mem::take(&mut ring.records);
        drop(ring);
        drop(forgotten);
    }

    pub(crate) fn counters(&self) -> Counters {
        lock(&self.0.ring).counters.clone()
    }

    pub(crate) fn reset_counters(&self) {
        lock(&self.0.ring).counters = Counters::default();
    }

    /// How many records after a number are forgotten, and up to `limit` of the others, oldest first. What is large in them
    /// is not copied.
    fn after(&self, since: u64, limit: usize) -> (u64, Vec<(u64, Kept)>) {
        let ring = lock(&self.0.ring);
        // The number before the oldest that is there.
        let before = ring.last - ring.records.len() as u64;
        let missed = before.saturating_sub(since);
        let skip = usize::try_from(since.saturating_sub(before)).unwrap_or(usize::MAX);
        let numbered = (before + 1..).zip(&ring.records).skip(skip).take(limit);
        (missed, numbered.map(|(seq, kept)| (seq, kept.clone())).collect())
    }

    fn readable(&self, record: &Kept, seq: u64) -> Exchange {
        Exchange::of(record, seq, &self.0.application)
    }
}

impl Ring {
    /// Whether it would hold too much with so many records more. Their bytes are counted already.
    fn is_over(&self, more: usize) -> bool {
        self.records.len() + more > self.limits.exchanges || self.bytes > self.limits.bytes
    }

    /// Lets the oldest record go.
    fn forget(&mut self) -> Option<Kept> {
        let oldest = self.records.pop_front()?;
        self.bytes -= oldest.weight;
        Some(oldest)
    }

    /// Lets go of what is too much.
    fn shrink(&mut self) -> Vec<Kept> {
        let mut forgotten = Vec::new();
        while self.is_over(0)
            && let Some(oldest) = self.forget()
        {
            forgotten.push(oldest);
        }
        forgotten
    }
}

#[cfg(test)]
mod tests;
