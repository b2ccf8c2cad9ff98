//! Waiting for what is to come, and following it live.
//!
//! Whoever follows reads the ring at their own pace and is woken by the number of the latest record. So a slow one
//! costs nothing but what the ring holds anyway, and is told what it has missed; and nobody listening is one atomic read.
//! What several of them read is made readable once ([`Readable`]). A wait looks at records on a thread for blocking work,
//! one wait at a time and with a pause in between, so that no request waits for what waits ask.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;
use utoipa::ToSchema;

use super::exchange::Exchange;
use super::query::JournalQuery;
use super::{Journal, JournalLimits, Shared};
use crate::journal::stored_record::Kept;
use crate::lock;

/// What somebody who follows the journal is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Live {
    /// An exchange that was asked for.
    Exchange {
        /// The exchange.
        exchange: Box<Exchange>,
    },
    /// The journal has forgotten exchanges before they could be told.
    Lagged {
        /// How many, wanted or not.
        missed: u64,
    },
}

/// Follows the journal of one application; ends with the application. A [`Stream`] of [`Live`].
#[derive(Debug)]
pub struct Subscription {
    shared: Weak<Shared>,
    woken: WatchStream<u64>,
    query: JournalQuery,
    /// Up to here everything has been told or passed over.
    seen: u64,
}

/// The time was over before enough exchanges had come.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("wait for {wanted} matching exchanges{}: {matched} came", time(*.within))]
pub struct WaitError {
    /// How many were waited for.
    pub wanted: usize,
    /// How long.
    pub within: Duration,
    /// How many came.
    pub matched: usize,
    /// Those that came, oldest first; of more than the journal may hold the latest.
    pub came: Vec<Exchange>,
}

fn time(within: Duration) -> String {
    if within.is_zero() { " without waiting".to_owned() } else { format!(" within {within:?}") }
}

/// How many records are looked at before others have their turn.
const BATCH: usize = 16;
/// How long a wait that has looked leaves new records alone.
const PAUSE: Duration = Duration::from_millis(20);
/// No wait lasts longer, however long it may: a test has ended by then.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 365);
/// Lets one wait look at a time.
static LOOKING: Semaphore = Semaphore::const_new(1);

/// What a look at the next records comes to.
enum Look {
    Found(Found),
    /// None of these, and there are more.
    More,
}

/// What a subscription finds.
#[derive(Debug)]
pub(crate) enum Found {
    Match(Kept, Arc<Readable>),
    Lagged(u64),
}

/// A record in readable form.
#[derive(Debug)]
pub(crate) struct Readable {
    pub(crate) exchange: Exchange,
    json: OnceLock<String>,
}

impl Readable {
    /// The exchange as JSON, written when first asked for.
    pub(crate) fn json(&self) -> &str {
        self.json.get_or_init(|| {
            crate::or_default(serde_json::to_string(&self.exchange), "write an exchange as JSON")
        })
    }
}

/// How many readable records are held for others who follow.
const MAX_READ: usize = 64;
/// How many bytes they may weigh as they are kept.
const MAX_READ_BYTES: usize = 1024 * 1024;

/// The records that were made readable last, while anybody follows.
#[derive(Debug, Default)]
pub(super) struct Read {
    records: VecDeque<(u64, usize, Arc<Readable>)>,
    bytes: usize,
}

impl Read {
    fn find(&self, seq: u64) -> Option<Arc<Readable>> {
        self.records.iter().rev().find(|(known, ..)| *known == seq).map(|(.., read)| Arc::clone(read))
    }

    #[cfg(test)]
    pub(super) fn weighs(&self) -> usize {
        self.bytes
    }

    fn hold(&mut self, seq: u64, weight: usize, read: Arc<Readable>) {
        self.records.push_back((seq, weight, read));
        self.bytes += weight;
        while self.records.len() > MAX_READ || self.bytes > MAX_READ_BYTES {
            let Some((_, weight, _)) = self.records.pop_front() else { return };
            self.bytes -= weight;
        }
    }
}

/// The exchanges that a wait has seen: as many as the journal itself may hold, and of more the latest.
pub(crate) struct Gathered {
    limits: JournalLimits,
    held: VecDeque<(u64, Kept)>,
    bytes: usize,
    /// How many have come.
    pub(crate) matched: usize,
}

impl Gathered {
    pub(crate) fn within(limits: JournalLimits) -> Self {
        Self { limits, held: VecDeque::new(), bytes: 0, matched: 0 }
    }

    fn take(&mut self, seq: u64, record: Kept) {
        self.matched += 1;
        self.bytes += record.weight;
        self.held.push_back((seq, record));
        // One is always held, or a wait on a journal that keeps nothing would show nothing.
        while self.held.len() > self.limits.exchanges.max(1)
            || (self.bytes > self.limits.bytes && self.held.len() > 1)
        {
            let Some((_, oldest)) = self.held.pop_front() else { return };
            self.bytes -= oldest.weight;
        }
    }
}

impl Journal {
    /// Follows what fits the query from `since_seq` on, or from now on. `limit` and `order` don't count.
    pub(crate) fn subscribe(&self, query: JournalQuery) -> Subscription {
        let woken = WatchStream::from_changes(self.0.last.subscribe());
        let seen = query.since_seq.unwrap_or_else(|| self.last_seq());
        Subscription { shared: Arc::downgrade(&self.0), woken, query, seen }
    }

    /// Waits until `count` exchanges fit the query, those that are there already included; oldest first.
    pub(crate) async fn wait_for(
        &self,
        query: JournalQuery,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Exchange>, WaitError> {
        let end = Instant::now() + within.min(LONGEST_WAIT);
        let subscription = self.subscribe(from_the_beginning(query));
        let mut wait = Wait { subscription, gathered: Gathered::within(self.limits()), count };
        let mut has_paused = true;
        loop {
            // What is there already counts, however short the time is.
            let there = self.last_seq();
            while wait.subscription.seen < there && !wait.has_enough() {
                wait = wait.look().await;
            }
            if wait.has_enough() {
                return Ok(self.shown(&wait.gathered));
            }
            if !has_paused {
                sleep_until(end.min(Instant::now() + PAUSE)).await;
            }
            has_paused = false;
            tokio::select! {
                // The journal is there, so more may come.
                _ = wait.subscription.woken.next() => {}
                () = sleep_until(end) => {
                    let (matched, came) = (wait.gathered.matched, self.shown(&wait.gathered));
                    return Err(WaitError { wanted: count, within, matched, came });
                }
            }
        }
    }

    /// Gathers what fits until `count` have come. `false` where the application is gone before.
    pub(crate) async fn gather(&self, query: JournalQuery, count: usize, gathered: &mut Gathered) -> bool {
        let mut subscription = self.subscribe(from_the_beginning(query));
        while gathered.matched < count {
            match std::future::poll_fn(|context| subscription.poll_found(context)).await {
                Some(Found::Match(record, read)) => gathered.take(read.exchange.seq, record),
                Some(Found::Lagged(_)) => {}
                None => return false,
            }
        }
        true
    }

    /// What a wait shows of what it has gathered.
    pub(crate) fn shown(&self, gathered: &Gathered) -> Vec<Exchange> {
        gathered.held.iter().map(|(seq, record)| self.readable(record, *seq)).collect()
    }

    /// A record in readable form, which others who follow may share.
    fn read(&self, record: &Kept, seq: u64) -> Arc<Readable> {
        // Held while the record is made readable, so that nobody does it a second time. No writer takes this lock.
        let mut read = lock(&self.0.read);
        if let Some(there) = read.find(seq) {
            return there;
        }
        let made = self.read_alone(record, seq);
        read.hold(seq, record.weight, Arc::clone(&made));
        made
    }

    /// A record in readable form, which nobody else asks for now.
    fn read_alone(&self, record: &Kept, seq: u64) -> Arc<Readable> {
        Arc::new(Readable { exchange: self.readable(record, seq), json: OnceLock::new() })
    }
}

/// A wait counts what is there already.
fn from_the_beginning(query: JournalQuery) -> JournalQuery {
    JournalQuery { since_seq: query.since_seq.or(Some(0)), ..query }
}

/// A wait on its way.
struct Wait {
    subscription: Subscription,
    gathered: Gathered,
    count: usize,
}

impl Wait {
    fn has_enough(&self) -> bool {
        self.gathered.matched >= self.count
    }

    /// Looks at the next records where that holds nobody up.
    async fn look(mut self) -> Self {
        // It is never closed.
        let turn = LOOKING.acquire().await;
        let looked = spawn_blocking(move || {
            for _ in 0..BATCH {
                match self.subscription.look() {
                    Some(Look::Found(Found::Match(record, read))) => {
                        self.gathered.take(read.exchange.seq, record);
                    }
                    Some(Look::Found(Found::Lagged(_))) => {}
                    Some(Look::More) | None => break,
                }
                if self.has_enough() {
                    break;
                }
            }
            self
        });
        let looked = looked.await;
        drop(turn);
        match looked.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(wait) => wait,
            Err(Ok(panicked)) => std::panic::resume_unwind(panicked),
            // The runtime ends.
            Err(Err(_)) => std::future::pending().await,
        }
    }
}

impl Subscription {
    /// What comes next; none where the application is gone.
    pub(crate) fn poll_found(&mut self, context: &mut Context<'_>) -> Poll<Option<Found>> {
        loop {
            match self.look() {
                Some(Look::Found(found)) => return Poll::Ready(Some(found)),
                Some(Look::More) => {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => {}
            }
            if ready!(Pin::new(&mut self.woken).poll_next(context)).is_none() {
                return Poll::Ready(None);
            }
        }
    }

    /// Returns whether so many records have come that it is time to look at them; if not, the task is woken by the next.
    pub(crate) fn poll_behind(&mut self, context: &mut Context<'_>) -> bool {
        while let Poll::Ready(Some(_)) = Pin::new(&mut self.woken).poll_next(context) {}
        let Some(shared) = self.shared.upgrade() else { return true };
        let ring = lock(&shared.ring);
        let bearable = (ring.records.len() / 8).clamp(1, BATCH) as u64;
        ring.last.saturating_sub(self.seen) >= bearable
    }

    /// Looks at the next few records. `None` if there are no more, or the application is gone.
    fn look(&mut self) -> Option<Look> {
        let journal = Journal(self.shared.upgrade()?);
        let (missed, batch) = journal.after(self.seen, BATCH);
        if missed > 0 {
            self.seen += missed;
            return Some(Look::Found(Found::Lagged(missed)));
        }
        if batch.is_empty() {
            return None;
        }
        // Others that follow are at the latest records, and share those alone.
        let latest = journal.last_seq().saturating_sub(MAX_READ as u64);
        for (seq, record) in batch {
            self.seen = seq;
            if self.query.may_match(&record, seq) {
                let read =
                    if seq > latest { journal.read(&record, seq) } else { journal.read_alone(&record, seq) };
                if self.query.matches(&read.exchange) {
                    return Some(Look::Found(Found::Match(record, read)));
                }
            }
        }
        Some(Look::More)
    }
}

impl Stream for Subscription {
    type Item = Live;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Live>> {
        let found = ready!(self.poll_found(context));
        Poll::Ready(found.map(|found| match found {
            Found::Match(_, read) => Live::Exchange { exchange: Box::new(read.exchange.clone()) },
            Found::Lagged(missed) => Live::Lagged { missed },
        }))
    }
}
