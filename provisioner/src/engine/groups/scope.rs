//! The groups of a run: those that a group rule owns, and those that have left.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use scim::text::lower_case;

use super::GroupTrouble;
use crate::config::Config;
use crate::group_rule::GroupRule;
use crate::id_set::IdSet;
use crate::ids::{RuleName, SourceId};
use crate::policy::Leave;
use crate::policy::groups::{GroupDeletion, GroupState};
use crate::report::groups::GroupReason;
use crate::source::fingerprint;
use crate::source::groups::SourceGroup;
use crate::state::StateChange;
use crate::state::groups::{GroupIntent, GroupRecord};
use crate::target::groups::RemoteGroup;

/// A group that may have something to do.
#[derive(Clone)]
pub(crate) struct GroupSubject {
    pub(crate) id: SourceId,
    pub(crate) record: GroupRecord,
    pub(crate) standing: GroupStanding,
    /// The state at the target, as far as is known.
    pub(crate) state: GroupState,
    /// The match of a group that is not linked.
    pub(crate) found: Option<Box<RemoteGroup>>,
    /// The members that the target was seen to have, if it was asked.
    pub(crate) present: Option<IdSet>,
    /// The group that held this group's match so far, and is gone from the source.
    pub(crate) moved_from: Option<SourceId>,
    /// The reason for which nothing can be decided.
    pub(crate) trouble: Option<GroupTrouble>,
}

/// The standing of a group with respect to the group rules.
#[derive(Clone)]
pub(crate) enum GroupStanding {
    /// Owned by a group rule.
    Owned(OwnedGroup),
    /// Linked, and no longer owned by any rule.
    Left {
        leave: Leave,
        /// The switch of the rule that owned it.
        deletion: GroupDeletion,
    },
}

/// A group as the source and its rule define it.
#[derive(Clone)]
pub(crate) struct OwnedGroup {
    /// The position of its rule in the configuration.
    pub(crate) rule: usize,
    /// The name that it should have at the target.
    pub(crate) name: String,
    /// The source ids of its members.
    pub(crate) members: IdSet,
    /// Digest of rule, name and external id.
    pub(crate) fingerprint: String,
}

impl GroupSubject {
    /// Returns the group as its rule defines it, unless it has left.
    pub(crate) const fn owned(&self) -> Option<&OwnedGroup> {
        match &self.standing {
            GroupStanding::Owned(owned) => Some(owned),
            GroupStanding::Left { .. } => None,
        }
    }

    fn new(id: SourceId, record: GroupRecord, standing: GroupStanding) -> Self {
        let state = if record.link.is_some() { GroupState::Linked } else { GroupState::None };
        Self { id, record, standing, state, found: None, present: None, moved_from: None, trouble: None }
    }
}

/// Returns the groups in the order of the source, then the missing ones by id.
///
/// A group whose rule is turned off is left alone. Records that serve no group any longer go into `changes`.
pub(crate) fn subjects(
    config: &Config,
    groups: Vec<SourceGroup>,
    records: BTreeMap<SourceId, Arc<GroupRecord>>,
    changes: &mut Vec<StateChange>,
) -> Vec<GroupSubject> {
    let mut records = records;
    let mut subjects = Vec::new();
    for group in groups {
        let record = records.remove(&group.id).map(Arc::unwrap_or_clone);
        let owner = config.group_rules.iter().position(|rule| rule.enabled && rule.matches(&group));
        let rules = &config.group_rules;
        if let Some(rule) = owner {
            subjects.push(owned(rules, rule, group, record));
            continue;
        }
        let is_off = rules.iter().any(|rule| !rule.enabled && rule.matches(&group));
        if !is_off && !record.as_ref().is_some_and(|record| is_frozen(rules, record)) {
            subjects.extend(left(rules, group.id, record, Leave::LeftScope, changes));
        }
    }
    for (id, record) in records {
        if !is_frozen(&config.group_rules, &record) {
            let record = Arc::unwrap_or_clone(record);
            subjects.extend(left(&config.group_rules, id, Some(record), Leave::Deleted, changes));
        }
    }
    refuse_duplicates(&mut subjects);
    subjects
}

fn rule_of<'a>(rules: &'a [GroupRule], name: Option<&RuleName>) -> Option<&'a GroupRule> {
    rules.iter().find(|rule| Some(&rule.name) == name)
}

/// Whether the rule that owned the group is turned off.
pub(super) fn is_frozen(rules: &[GroupRule], record: &GroupRecord) -> bool {
    rule_of(rules, record.rule.as_ref()).is_some_and(|rule| !rule.enabled)
}

fn owned(
    rules: &[GroupRule],
    position: usize,
    group: SourceGroup,
    record: Option<GroupRecord>,
) -> GroupSubject {
    let rule = &rules[position];
    let name = rule.display_name(&group);
    let trouble =
        name.as_ref().err().map(|error| GroupTrouble::new(GroupReason::InvalidGroup, error.to_string()));
    let known = record.as_ref().map(|record| record.name.clone());
    let name = name.ok().or(known).unwrap_or_else(|| group.id.to_string());
    let mut record = record.unwrap_or_else(|| GroupRecord::new(name.clone()));
    record.name.clone_from(&name);
    record.rule = Some(rule.name.clone());
    let fingerprint = fingerprint([rule.fingerprint().as_str(), name.as_str(), group.id.as_str()]);
    let owned = OwnedGroup { rule: position, name, members: group.members, fingerprint };
    GroupSubject { trouble, ..GroupSubject::new(group.id, record, GroupStanding::Owned(owned)) }
}

fn left(
    rules: &[GroupRule],
    id: SourceId,
    record: Option<GroupRecord>,
    leave: Leave,
    changes: &mut Vec<StateChange>,
) -> Option<GroupSubject> {
    let record = record?;
    if record.link.is_none() && !matches!(record.intent, Some(GroupIntent::Create { .. })) {
        changes.push(StateChange::RemoveGroup(id));
        return None;
    }
    let rule = rule_of(rules, record.rule.as_ref());
    // Without its rule nothing says that the group may be deleted.
    let (leave, deletion) = match rule {
        Some(rule) => (leave, rule.switches.deletion),
        None => (Leave::RuleDeleted, GroupDeletion::Keep),
    };
    Some(GroupSubject::new(id, record, GroupStanding::Left { leave, deletion }))
}

/// Two groups of one name cannot be told apart at the target: those of them that are not linked are refused.
fn refuse_duplicates(subjects: &mut [GroupSubject]) {
    let mut names: HashMap<String, usize> = HashMap::new();
    let key = |owned: &OwnedGroup| lower_case(&owned.name).into_owned();
    for owned in subjects.iter().filter_map(GroupSubject::owned) {
        *names.entry(key(owned)).or_default() += 1;
    }
    for subject in subjects.iter_mut().filter(|subject| subject.record.link.is_none()) {
        let Some(count) = subject.owned().and_then(|owned| names.get(&key(owned))).copied() else { continue };
        if count > 1 && subject.trouble.is_none() {
            let detail =
                format!("{count} groups of the source have the name {:?} at the target", subject.record.name);
            subject.trouble = Some(GroupTrouble::new(GroupReason::AmbiguousMatch, detail));
        }
    }
}
