//! The journal as the handle on an application shows it.

use std::time::Duration;

use super::Application;
use crate::journal::{Counters, Exchange, JournalLimits, JournalQuery, JournalSize, Subscription, WaitError};
use crate::verify::{Expectation, Verification, verify};

impl Application {
    /// What the journal remembers, oldest first.
    pub fn journal(&self) -> Vec<Exchange> {
        self.query_journal(&JournalQuery::new())
    }

    /// The exchanges that a query asks for.
    pub fn query_journal(&self, query: &JournalQuery) -> Vec<Exchange> {
        self.journal_ring().query(query)
    }

    /// The number of the latest exchange; 0 before the first. With [`JournalQuery::since`], only what comes next.
    pub fn last_seq(&self) -> u64 {
        self.journal_ring().last_seq()
    }

    /// Empties the journal; `seq` goes on counting.
    pub fn clear_journal(&self) {
        self.journal_ring().clear();
    }

    /// How much the journal may hold from now on.
    pub fn set_journal_limits(&self, limits: JournalLimits) {
        self.journal_ring().set_limits(limits);
    }

    /// How much the journal may hold.
    pub fn journal_limits(&self) -> JournalLimits {
        self.journal_ring().limits()
    }

    /// How much the journal holds.
    pub fn journal_size(&self) -> JournalSize {
        self.journal_ring().size()
    }

    /// How many requests fit an expectation, and what the nearest one lacks where they are too few.
    pub fn verify(&self, expectation: &Expectation) -> Verification {
        verify(self.journal_ring(), expectation)
    }

    /// Waits until `count` exchanges fit the query, those that are there already included; oldest first. Of more than
    /// the journal may hold, the latest are returned.
    ///
    /// # Errors
    ///
    /// The time was over first.
    pub async fn wait_for(
        &self,
        query: JournalQuery,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Exchange>, WaitError> {
        self.journal_ring().wait_for(query, count, within).await
    }

    /// Follows the exchanges that a query asks for, from its `since_seq` on or from now on.
    pub fn follow_journal(&self, query: JournalQuery) -> Subscription {
        self.journal_ring().subscribe(query)
    }

    /// What has been counted since the start or the last reset.
    pub fn counters(&self) -> Counters {
        self.journal_ring().counters()
    }

    /// Counts from zero again; the journal and its `seq` stay.
    pub fn reset_counters(&self) {
        self.journal_ring().reset_counters();
    }
}
