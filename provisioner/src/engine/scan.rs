//! Looking through the state and the source without keeping either in memory.

use std::collections::HashSet;

use super::Provisioner;
use crate::ids::SourceId;
use crate::reader::read_matching;
use crate::source::{SourceError, SourceUser};
use crate::state::Record;
use crate::state::index::Key;
use crate::state::store::StoreError;

/// The number of records that are in memory at a time.
const RECORDS: usize = 1024;

impl Provisioner {
    /// Calls `each` with every stored user.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(crate) async fn scan(&self, mut each: impl FnMut(SourceId, Record)) -> Result<(), StoreError> {
        let index = self.store.index().await?;
        let rows: Vec<i64> = index.entries().iter().map(|entry| entry.row).collect();
        drop(index);
        for rows in rows.chunks(RECORDS) {
            for (id, record) in self.store.records_now(rows)? {
                each(id, record);
            }
        }
        Ok(())
    }

    /// Returns what is stored of a user.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) async fn record_of(&self, id: &SourceId) -> Result<Option<Record>, StoreError> {
        let index = self.store.index().await?;
        let row =
            index.find(Key::from(id)).and_then(|place| index.entries().get(place)).map(|entry| entry.row);
        let Some(row) = row else { return Ok(None) };
        Ok(self.store.records_now(&[row])?.pop().map(|(_, record)| record))
    }

    /// Returns the users of the source that `name` may mean, by `is_named`, and those with one of `ids`.
    ///
    /// # Errors
    /// The source cannot be read whole.
    pub(super) async fn users_named(
        &self,
        name: &str,
        is_named: &(dyn Fn(&str) -> bool + Sync),
        ids: &HashSet<SourceId>,
        allow_empty: bool,
    ) -> Result<Vec<SourceUser>, SourceError> {
        let everybody = self.config().source.without_push_down();
        let is_meant = |user: &SourceUser| {
            user.id.as_str() == name
                || ids.contains(&user.id)
                || is_named(&user.username)
                || self.mapped_name(user).is_some_and(|mapped| is_named(mapped.as_str()))
        };
        read_matching(&everybody, &self.read_context(allow_empty), is_meant).await
    }
}
