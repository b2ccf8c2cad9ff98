//! Reading the source in a run: every user is examined once, and the groups are read beside them.

use std::sync::Arc;

use super::census::{Census, CensusBuilder, Survey};
use super::duplicate_names::DuplicateName;
use super::{EndedRun, Environment, Provisioner, SyncOptions, groups};
use crate::ids::SourceId;
use crate::reader::{ReadContext, Reader, Step};
use crate::source::groups::GroupReader;
use crate::state::store::StoreError;

impl Provisioner {
    /// Reads the source, and examines each of its users; `only` is the user that the run is about, if it is about one. The
    /// groups of the source are read too, if `has_groups`.
    ///
    /// # Errors
    /// The source or the state cannot be read.
    pub(super) async fn census(
        &self,
        options: &SyncOptions,
        only: Option<&SourceId>,
        has_groups: bool,
    ) -> Result<(Census, Option<GroupReader>), EndedRun> {
        let mut builder = self.census_builder(options, only).await?;
        let mut reader = Reader::open(&self.config.source, &self.read_context(options.allow_empty_source));
        let mut groups = groups::reader(&self.config, &mut reader, has_groups).await?;
        loop {
            match reader.next().await.map_err(|error| EndedRun::of_source(&error))? {
                Step::Batch(users) => {
                    for user in users {
                        if let Some(groups) = &mut groups {
                            groups.note(&user);
                        }
                        let examined = builder.survey().examine(user);
                        builder.add(examined).map_err(|error| EndedRun::of_spool(&error))?;
                    }
                }
                Step::Restart => {
                    builder = self.census_builder(options, only).await?;
                    groups = groups.map(GroupReader::without_notes);
                }
                Step::AskMissing => {
                    let ids = self.store.source_ids(&builder.missing());
                    reader.look_up(ids.map_err(|error| EndedRun::of_state(&error, 0))?);
                }
                Step::End(_) => break,
            }
        }
        let mut census = builder.finish();
        let missing = census.missing();
        if missing.len() > 1 {
            let ids =
                self.store.source_ids(&missing).map_err(|error| EndedRun::of_state(&error, census.users))?;
            census.sort_missing(ids);
        }
        Ok((census, groups))
    }

    async fn census_builder(
        &self,
        options: &SyncOptions,
        only: Option<&SourceId>,
    ) -> Result<CensusBuilder, EndedRun> {
        let index = self.store.index().await.map_err(|error| EndedRun::of_state(&error, 0))?;
        let survey = Survey::new(Arc::clone(&self.config), index, options.full);
        let folder = self.environment.state.folder();
        Ok(CensusBuilder::new(survey, folder, only))
    }

    /// Returns what reading the source needs.
    pub(crate) fn read_context(&self, allow_empty: bool) -> ReadContext {
        let Environment { clock, seed, .. } = &self.environment;
        let (clock, interrupt) = (Arc::clone(clock), self.interrupt.clone());
        ReadContext { clock, interrupt, seed: *seed, allow_empty }
    }

    pub(super) fn duplicate_names(&self, census: &Census) -> Result<Vec<DuplicateName>, StoreError> {
        census.duplicate_names(|row| {
            let record = self.store.records_now(&[row])?.pop();
            Ok::<_, StoreError>(record.map(|(id, record)| (id, record.user_name)))
        })
    }
}
