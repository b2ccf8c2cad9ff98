//! The scope of a run: users that are owned by a rule, have left, or are left alone.

use std::io;
use std::sync::Arc;

use super::census::{Census, OwnedUser, Pending};
use crate::config::Config;
use crate::ids::SourceId;
use crate::mapping::{Desired, MappingError, TargetPath};
use crate::policy::Leave;
use crate::report::Outcome;
use crate::state::{Intent, Learned, Link, LinkState, Record, StateChange};

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

/// Returns a pending user with what is wanted of it, or `None` if there is nothing to do for it; `record` is what is stored of
/// it.
///
/// A record that serves no user any longer goes into `changes`.
///
/// # Errors
/// The spool cannot be read.
pub(crate) fn subject(
    census: &Census,
    pending: Pending,
    record: Option<(SourceId, Record)>,
    full: bool,
    learned: &Learned,
    changes: &mut Vec<StateChange>,
) -> io::Result<Option<Subject>> {
    let config = &census.survey.config;
    let subject = match pending {
        Pending::Owned { spooled, .. } => {
            let user = census.spooled(spooled)?;
            owned(census, user, record.map(|(_, record)| record), full, learned)
        }
        Pending::Left { leave, .. } => match record {
            Some((_, record)) if excluded(config, Some(&record)) => {
                census.note_excluded();
                None
            }
            Some((id, record)) => left(id, record, leave, changes),
            None => None,
        },
        Pending::Other { .. } => None,
    };
    Ok(subject.filter(|subject| full || !waits_for_full(config, subject)))
}

pub(super) fn excluded(config: &Config, record: Option<&Record>) -> bool {
    record.is_some_and(|record| record.names().any(|name| config.options.exclude.contains(&name)))
}

fn owned(
    census: &Census,
    user: OwnedUser,
    record: Option<Record>,
    full: bool,
    learned: &Learned,
) -> Option<Subject> {
    let config = &census.survey.config;
    let OwnedUser { id, enabled, rule, fingerprint, wanted, name } = user;
    let owner = config.rules.get(rule)?;
    if !full && record.as_ref().is_some_and(|record| settled(record, &fingerprint, learned)) {
        return None;
    }
    let name = name.or_else(|| record.as_ref().map(|record| record.user_name.clone()))?;
    if excluded(config, record.as_ref()) || config.options.exclude.contains(&name) {
        census.note_excluded();
        return None;
    }
    let mut record = record.unwrap_or_else(|| Record::new(name.clone()));
    // The sent name stays known when the source's present name replaces it.
    record.posted = record.unresolved_create(&id);
    record.user_name = name;
    record.rule = Some(owner.name.clone());
    let targets = census.survey.targets(rule);
    let owned = Owned { enabled, wanted, targets, fingerprint };
    Some(Subject { id, standing: ScopeStatus::Owned(Box::new(owned)), record })
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

fn left(id: SourceId, record: Record, leave: Leave, changes: &mut Vec<StateChange>) -> Option<Subject> {
    match (&record.link, record.intent) {
        (Some(Link { state: LinkState::Removed, .. }), None) => None,
        (Some(_), _) | (None, Some(Intent::Create)) => {
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
    use crate::ids::UserName;
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
