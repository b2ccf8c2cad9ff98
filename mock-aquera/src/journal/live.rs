//! Waiting for what is to come, and following it live.
//!
//! Whoever follows reads the ring at their own pace and is woken by the number of the latest record. So a slow one
//! costs nothing but what the ring holds anyway, and is told what it has missed; and nobody listening is one atomic read.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};
use utoipa::ToSchema;

use super::exchange::Exchange;
use super::query::JournalQuery;
use super::{Journal, Shared};

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
#[error("see {wanted} matching exchanges within {within:?}: {} came", .came.len())]
pub struct WaitError {
    /// How many were waited for.
    pub wanted: usize,
    /// How long.
    pub within: Duration,
    /// Those that came.
    pub came: Vec<Exchange>,
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
        let mut came = Vec::new();
        let mut live =
            self.subscribe(JournalQuery { since_seq: Some(query.since_seq.unwrap_or(0)), ..query });
        let enough = async {
            while came.len() < count {
                match live.next().await {
                    Some(Live::Exchange { exchange }) => came.push(*exchange),
                    Some(Live::Lagged { .. }) => {}
                    None => std::future::pending().await,
                }
            }
        };
        match tokio::time::timeout(within, enough).await {
            Ok(()) => Ok(came),
            Err(_) => Err(WaitError { wanted: count, within, came }),
        }
    }
}

impl Subscription {
    /// What can be told at once. None: nothing more for now, or the application is gone.
    fn at_hand(&mut self) -> Option<Live> {
        let journal = Journal(self.shared.upgrade()?);
        loop {
            let (missed, batch) = journal.after(self.seen, 64);
            if missed > 0 {
                self.seen += missed;
                return Some(Live::Lagged { missed });
            }
            if batch.is_empty() {
                return None;
            }
            for (seq, record) in batch {
                self.seen = seq;
                if self.query.may_match(&record, seq) {
                    let exchange = journal.readable(&record, seq);
                    if self.query.matches(&exchange) {
                        return Some(Live::Exchange { exchange: Box::new(exchange) });
                    }
                }
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Live;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Live>> {
        loop {
            if let Some(live) = self.at_hand() {
                return Poll::Ready(Some(live));
            }
            if ready!(Pin::new(&mut self.woken).poll_next(context)).is_none() {
                return Poll::Ready(None);
            }
        }
    }
}
