//! The groups in the database, and what they ask of the users.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt as _;

use super::batch::Groups;
use super::{AsyncReadOf, Postgres, restored};
use crate::id_set::IdSet;
use crate::ids::SourceId;
use crate::state::database::{ReadError, UserAccount};
use crate::state::groups::GroupRecord;
use crate::state::index::Flags;

/// The read of every group.
pub(in crate::state) struct AllGroups;

impl AsyncReadOf<BTreeMap<SourceId, Arc<GroupRecord>>> for AllGroups {
    async fn call(self, database: &Postgres) -> Result<BTreeMap<SourceId, Arc<GroupRecord>>, ReadError> {
        database.groups().await
    }
}

impl Postgres {
    async fn groups(&self) -> Result<BTreeMap<SourceId, Arc<GroupRecord>>, ReadError> {
        let query = "SELECT source_id, record, members FROM provisioner.grouping WHERE target = $1";
        let mut rows = pin!(self.client.query_raw(query, [self.target]).await?);
        let mut groups = BTreeMap::new();
        while let Some(row) = rows.try_next().await? {
            let mut record: GroupRecord = serde_json::from_str(row.try_get(1)?).map_err(ReadError::record)?;
            record.written = IdSet::from_bytes(row.try_get(2)?).map_err(ReadError::record)?;
            let id: SourceId = restored(row.try_get(0)?).parse().map_err(ReadError::record)?;
            groups.insert(id, Arc::new(record));
        }
        Ok(groups)
    }

    /// Hands every user to `take`, in the order of their ids; with its record only if `with_records`.
    pub(in crate::state) async fn accounts(
        &self,
        with_records: bool,
        mut take: impl FnMut(UserAccount<'_>) + Send,
    ) -> Result<(), ReadError> {
        let query = if with_records {
            "SELECT subject.source_id, account, rule, flags, record.record FROM provisioner.subject \
             JOIN provisioner.record USING (row) WHERE subject.target = $1 ORDER BY subject.source_id"
        } else {
            "SELECT source_id, account, rule, flags, NULL::text FROM provisioner.subject WHERE target = $1 ORDER BY source_id"
        };
        let mut rows = pin!(self.client.query_raw(query, [self.target]).await?);
        while let Some(row) = rows.try_next().await? {
            let record = match row.try_get::<_, Option<&str>>(4)? {
                Some(record) => Some(serde_json::from_str(record).map_err(ReadError::record)?),
                None => None,
            };
            take(UserAccount {
                source_id: &restored(row.try_get(0)?),
                account: row.try_get(1)?,
                rule: row.try_get(2)?,
                is_owned: Flags::from_bits(row.try_get(3)?).is_owned(),
                record,
            });
        }
        Ok(())
    }

    /// Writes the groups within the transaction that is open.
    pub(super) async fn write_groups(&self, groups: &Groups<'_>) -> Result<(), tokio_postgres::Error> {
        let Groups { removed, ids, links, records, members } = groups;
        if !removed.is_empty() {
            let delete =
                "DELETE FROM provisioner.grouping WHERE target = $1 AND source_id = ANY ($2::text[])";
            self.client.execute(delete, &[&self.target, removed]).await?;
        }
        if !ids.is_empty() {
            let insert = "INSERT INTO provisioner.grouping (target, source_id, group_id, record, members) \
                          SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bytea[]) \
                          ON CONFLICT (target, source_id) DO UPDATE SET group_id = excluded.group_id, \
                          record = excluded.record, members = excluded.members";
            self.client.execute(insert, &[&self.target, ids, links, records, members]).await?;
        }
        Ok(())
    }
}
