//! The scope of a run: users that are owned by a rule, have left, or are left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::Config;
use crate::ids::{SourceId, UserName};
use crate::mapping::{Desired, Mapping, MappingError, TargetPath};
use crate::policy::Leave;
use crate::report::Outcome;
use crate::rule::Rule;
use crate::source::{Snapshot, SourceUser, fingerprint};
use crate::state::{Intent, Learned, Link, LinkState, Record, StateChange};

/// The users of a run.
pub(crate) struct Scope {
    /// The users that may have something to do.
    pub(crate) subjects: Vec<Subject>,
    /// All users in the source.
    pub(crate) present: BTreeSet<SourceId>,
}

/// A user that may have something to do.
pub(crate) struct Subject {
    pub(crate) id: SourceId,
    pub(crate) standing: ScopeStatus,
    pub(crate) record: Record,
}

/// The status of a user with respect to the rules.
pub(crate) enum ScopeStatus {
    /// Owned by a rule.
    Owned(Box<Owned>),
    /// Linked, and no longer owned by any rule.
    Left(Leave),
}

/// A user as the source and the rules define it.
pub(crate) struct Owned {
    pub(crate) enabled: bool,
    pub(crate) wanted: Result<Desired, MappingError>,
    /// The paths that the mapping may write.
    pub(crate) targets: Arc<[TargetPath]>,
    /// Digest of everything the evaluation depends on.
    pub(crate) fingerprint: String,
}

/// A rule with the values that are computed once per run.
struct PreparedRule<'a> {
    rule: &'a Rule,
    mapping: &'a Mapping,
    targets: Arc<[TargetPath]>,
    fingerprint: String,
}

/// Returns the users that a run has to examine, in the order of the source, then the missing ones by id.
///
/// Users whose data are unchanged since the last run are left out, unless the run is `full`. Records that serve no user
/// any longer go into `changes`; `records` loses those that were looked at.
pub(crate) fn subjects(
    config: &Config,
    snapshot: Snapshot,
    records: &mut BTreeMap<SourceId, Arc<Record>>,
    full: bool,
    learned: &Learned,
    changes: &mut Vec<StateChange>,
) -> Scope {
    let present = snapshot.users.iter().map(|user| user.id.clone()).collect();
    let rules = prepare(config);
    let mut subjects = Vec::new();
    for user in snapshot.users {
        let record = records.remove(&user.id);
        let owner = rules.iter().find(|prepared| prepared.rule.enabled && prepared.rule.matches(&user));
        let Some(owner) = owner else {
            let last = record.as_ref().and_then(|record| record.rule.as_ref());
            let is_frozen = record.as_ref().is_some_and(|record| is_frozen(config, record))
                || rules.iter().any(|prepared| !prepared.rule.enabled && prepared.rule.matches(&user));
            if is_frozen || excluded(config, record.as_deref()) {
                continue;
            }
            let rule_is_there = last.is_none_or(|last| rules.iter().any(|one| one.rule.name == *last));
            let leave = if rule_is_there { Leave::LeftScope } else { Leave::RuleDeleted };
            subjects.extend(left(user.id, record, leave, changes));
            continue;
        };
        subjects.extend(owned(config, user, record, owner, full, learned));
    }
    for (id, record) in std::mem::take(records) {
        if !is_frozen(config, &record) && !excluded(config, Some(&record)) {
            subjects.extend(left(id, Some(record), Leave::Deleted, changes));
        }
    }
    subjects.retain(|subject| full || !waits_for_full(config, subject));
    Scope { subjects, present }
}

/// Whether the rule that owned the user is turned off.
pub(super) fn is_frozen(config: &Config, record: &Record) -> bool {
    record
        .rule
        .as_ref()
        .is_some_and(|name| config.rules.iter().any(|rule| rule.name == *name && !rule.enabled))
}

fn prepare(config: &Config) -> Vec<PreparedRule<'_>> {
    let settings = format!("{:?} {}", config.preferences, config.options.clear_missing_attributes);
    config
        .rules
        .iter()
        .map(|rule| PreparedRule {
            rule,
            mapping: &rule.mapping,
            targets: rule.mapping.targets(),
            fingerprint: format!("{} {} {settings}", rule.fingerprint(), rule.mapping.fingerprint()),
        })
        .collect()
}

pub(super) fn excluded(config: &Config, record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.names().any(|name| config.options.exclude.contains(&name)))
}

fn owned(
    config: &Config,
    user: SourceUser,
    record: Option<Arc<Record>>,
    owner: &PreparedRule<'_>,
    full: bool,
    learned: &Learned,
) -> Option<Subject> {
    let fingerprint = fingerprint([user.digest().as_str(), owner.fingerprint.as_str()]);
    if !full && record.as_ref().is_some_and(|record| settled(record, &fingerprint, learned)) {
        return None;
    }
    if excluded(config, record.as_deref()) {
        return None;
    }
    let wanted = owner.mapping.apply(&user);
    let name = match &wanted {
        Ok(wanted) => Some(wanted.user_name()),
        Err(_) => user.username.parse::<UserName>().ok(),
    };
    let name = name.or_else(|| record.as_ref().map(|record| record.user_name.clone()))?;
    if config.options.exclude.contains(&name) {
        return None;
    }
    let mut record = record.map_or_else(|| Record::new(name.clone()), Arc::unwrap_or_clone);
    // The sent name stays known when the source's present name replaces it.
    record.posted = record.unresolved_create(&user.id);
    record.user_name = name;
    record.rule = Some(owner.rule.name.clone());
    let targets = Arc::clone(&owner.targets);
    let owned = Owned { enabled: user.enabled, wanted, targets, fingerprint };
    let standing = ScopeStatus::Owned(Box::new(owned));
    Some(Subject { id: user.id, standing, record })
}

/// Whether everything that the last evaluation depended on is as it was, and it left nothing to try again.
fn settled(record: &Record, fingerprint: &str, learned: &Learned) -> bool {
    let as_it_was = record.fingerprint.as_deref() == Some(fingerprint);
    let failed =
        record.last_reported.as_ref().is_some_and(|last_reported| last_reported.outcome == Outcome::Failed);
    let at_rest = record.link.as_ref().is_none_or(|link| link.state == LinkState::Owned);
    let has_news = record.link.as_ref().is_some_and(|link| link.has_news(learned));
    let is_late = record.link.as_ref().is_some_and(|link| link.late_disable.is_some());
    as_it_was && !failed && at_rest && !has_news && !is_late && record.intent.is_none()
}

fn left(
    id: SourceId,
    record: Option<Arc<Record>>,
    leave: Leave,
    changes: &mut Vec<StateChange>,
) -> Option<Subject> {
    let record = record?;
    match (&record.link, record.intent) {
        (Some(Link { state: LinkState::Removed, .. }), None) => None,
        (Some(_), _) | (None, Some(Intent::Create)) => {
            let record = Arc::unwrap_or_clone(record);
            // A failed removal keeps its cause even if the rule changes; only a deletion overrides it.
            let leave = match record.link.as_ref().map(|link| link.state) {
                Some(LinkState::Pending(pending)) if leave != Leave::Deleted => pending,
                Some(_) | None => leave,
            };
            Some(Subject { id, standing: ScopeStatus::Left(leave), record })
        }
        // Without an account there is nothing to remove, and nothing to remember.
        (None, _) => {
            changes.push(StateChange::Remove(id));
            None
        }
    }
}

/// Whether the removal of this user would be caused by nothing but a change of the preferences.
fn waits_for_full(config: &Config, subject: &Subject) -> bool {
    let ScopeStatus::Left(leave) = subject.standing else { return false };
    let Some(Link { state: LinkState::Withheld(withheld), .. }) = subject.record.link else { return false };
    let news = withheld == Leave::LeftScope && leave != Leave::LeftScope;
    !news && config.preferences.deprovisions().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Operation, Reason};
    use crate::state::LastReported;

    #[test]
    fn user_is_settled_if_nothing_changed_and_nothing_is_left_to_try() {
        let name: UserName = "ada".parse().unwrap();
        let record = Record { fingerprint: Some("now".to_owned()), ..Record::new(name) };
        let learned = Learned::default();
        assert!(settled(&record, "now", &learned));
        assert!(!settled(&record, "before", &learned));
        let created = Record { intent: Some(Intent::Create), ..record.clone() };
        assert!(!settled(&created, "now", &learned));
        for (outcome, is_settled) in [
            (Outcome::Success, true),
            (Outcome::Partial, true),
            (Outcome::Failed, false),
            (Outcome::Unsynced, true),
        ] {
            let last = LastReported {
                operation: Operation::None,
                outcome,
                reason: Reason::Done,
                detail: None,
                to_write: None,
                wanted_active: Some(true),
                failed_deprovision: false,
                since: String::new(),
            };
            let record = Record { last_reported: Some(last), ..record.clone() };
            assert_eq!(settled(&record, "now", &learned), is_settled, "{outcome:?}");
        }
    }
}
