//! Groups: a stage of their own after the users' writes, because members are named by the ids of their accounts.
//!
//! Before anything is written, `prepare` finds the groups in scope and their counterparts at the target, and
//! `decide::evaluate` decides about each as if the users' writes had succeeded: that is the plan, and what the delete guard
//! counts. After the users' writes `run::all` decides again, by the accounts that there are, and writes.

mod accounts;
mod change;
mod create;
mod decide;
mod find;
pub(crate) mod guard;
mod learned;
mod members;
mod outcome;
mod put;
mod remove;
pub(crate) mod run;
mod scope;

pub mod explain;
pub mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use self::accounts::AccountTable;
use self::learned::GroupCapabilities;
use self::scope::GroupSubject;
use super::context::Context;
use super::{EndedRun, SyncOptions};
use crate::config::Config;
use crate::ids::{SourceId, TargetId};
use crate::reader::Reader;
use crate::report::groups::GroupReason;
use crate::source::SourceError;
use crate::source::groups::{GroupPlace, GroupReader, SourceGroup};
use crate::state::StateChange;
use crate::state::groups::GroupRecord;
use crate::target::Trouble;

/// The reason for which one group is not processed further in this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupTrouble {
    pub(crate) reason: GroupReason,
    pub(crate) detail: String,
}

impl GroupTrouble {
    pub(crate) fn new(reason: GroupReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Trouble> for GroupTrouble {
    fn from(trouble: Trouble) -> Self {
        let reason = if crate::target::groups::is_without_groups(&trouble) {
            GroupReason::GroupsUnsupported
        } else {
            trouble.reason.into()
        };
        Self { reason, detail: trouble.detail }
    }
}

/// The groups of a run, before the users' writes.
pub(crate) struct PreparedGroups {
    pub(crate) subjects: Vec<GroupSubject>,
    /// Groups in the source.
    pub(crate) total: u64,
    /// Groups at the target that are linked and not left.
    pub(crate) managed: u64,
    /// The accounts as they are expected after the users' writes.
    pub(crate) expected: AccountTable,
    pub(crate) capabilities: Arc<GroupCapabilities>,
}

/// Finds the groups that a run has to look at, and their counterparts at the target. Reads, and writes nothing.
///
/// Records that serve no group any longer go into `changes`.
pub(crate) async fn prepare(
    context: &Arc<Context>,
    groups: Vec<SourceGroup>,
    records: BTreeMap<SourceId, Arc<GroupRecord>>,
    expected: AccountTable,
    full: bool,
    changes: &mut Vec<StateChange>,
) -> PreparedGroups {
    let total = groups.len() as u64;
    let linked = records.values().filter_map(|record| record.link.as_ref());
    let managed =
        linked.filter(|link| link.state == crate::state::groups::GroupLinkState::Owned).count() as u64;
    let holders: BTreeMap<TargetId, SourceId> = records
        .iter()
        .filter_map(|(id, record)| Some((record.link.as_ref()?.id.clone(), id.clone())))
        .collect();
    // A group whose rule is off keeps its link, whether or not it is in the source.
    let frozen = records.iter().filter(|(_, record)| scope::is_frozen(&context.config.group_rules, record));
    let present: BTreeSet<SourceId> =
        groups.iter().map(|group| &group.id).chain(frozen.map(|(id, _)| id)).cloned().collect();
    let capabilities = Arc::new(GroupCapabilities::new(context.learned_groups(), &context.config.options));
    let mut subjects = scope::subjects(&context.config, groups, records, changes);
    find::counterparts(context, &capabilities, &mut subjects, full).await;
    find::assign(&mut subjects, holders, &present);
    PreparedGroups { subjects, total, managed, expected, capabilities }
}

/// Opens the groups of the source, or returns `None` if there are no group rules: then every group is released, which needs no
/// source.
///
/// # Errors
/// They cannot be read.
pub(crate) async fn reader(
    config: &Config,
    reader: &mut Reader,
    has_groups: bool,
) -> Result<Option<GroupReader>, EndedRun> {
    let Some(source) = config.source.groups.as_ref().filter(|_| has_groups && !config.group_rules.is_empty())
    else {
        return Ok(None);
    };
    let listed = listed(config, reader).await.map_err(|error| EndedRun::of_source(&error))?;
    let opened = GroupReader::open(source, listed);
    opened.map(Some).map_err(|error| EndedRun::of_groups(format!("{error}; {}", error.way_out())))
}

/// Returns the groups that the server of the users lists, those of a rule with their members; none if a file has the groups.
///
/// # Errors
/// They cannot be read whole.
pub(crate) async fn listed(config: &Config, reader: &mut Reader) -> Result<Vec<Value>, SourceError> {
    match config.source.groups.as_ref().map(|source| &source.place) {
        Some(GroupPlace::Server(_)) => {
            let rules = &config.group_rules;
            let is_wanted =
                |group: &Value| rules.iter().any(|rule| rule.enabled && rule.matches_attributes(group));
            reader.groups(&is_wanted).await
        }
        Some(GroupPlace::File(_)) | None => Ok(Vec::new()),
    }
}

/// Reads the groups of the source; the error says what to do.
pub(crate) fn read(
    reader: GroupReader,
    records: &BTreeMap<SourceId, Arc<GroupRecord>>,
    options: &SyncOptions,
) -> Result<Vec<SourceGroup>, String> {
    let groups = reader.finish().map_err(|error| format!("{error}; {}", error.way_out()))?;
    let linked = records.values().filter(|record| record.link.is_some()).count();
    if groups.is_empty() && linked > 0 && !options.allow_empty_source {
        return Err(format!(
            "the source has no groups, and {linked} are managed: export the groups again, or allow an empty source if that is \
             meant"
        ));
    }
    Ok(groups)
}

pub(crate) use self::accounts::accounts;
