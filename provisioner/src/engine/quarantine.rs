//! The quarantine: when a connection enters it, how long it lasts, and what ends it. Pure functions over the figures of a
//! run, what is stored, and the time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::timestamp;
use crate::config::Config;
use crate::ids::SourceId;
use crate::report::groups::GroupReason;
use crate::report::{Outcome, Reason, RunReport};
use crate::state::groups::GroupRecord;
use crate::state::{Quarantine, QuarantineCause, Record};

/// The number of failed users from which a run can cause a quarantine.
const FAILED_FROM: u64 = 20;
/// The share of failed users, in percent, above which a run causes a quarantine.
const FAILED_PERCENT: u64 = 40;
/// The waits after the first, the second and each further run in a row that caused a quarantine, in seconds.
const WAITS: [u64; 3] = [6 * 60 * 60, 12 * 60 * 60, 24 * 60 * 60];

/// What a run has shown of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// Nothing: the run ended before the connection was tested, or the target could not be reached.
    Nothing,
    /// The connection test was refused for the credentials, in these words.
    Refused(String),
    /// The connection test succeeded.
    Used {
        /// Users and groups for which the target was asked.
        tried: u64,
        /// Of these, failed.
        failed: u64,
        /// Whether groups are among them.
        has_groups: bool,
        /// Whether the run came to its end.
        is_whole: bool,
    },
}

/// Returns the quarantine after a run with this evidence, or `None` if the connection is in none.
///
/// `now` is in seconds since the epoch; `authentication` is the fingerprint of the authentication in use.
pub(crate) fn after_run(
    evidence: &Evidence,
    before: Option<&Quarantine>,
    now: u64,
    authentication: &str,
) -> Option<Quarantine> {
    let enter = |cause, detail| {
        let times = before.map_or(0, |before| before.times).saturating_add(1);
        let step = usize::try_from(times).unwrap_or(usize::MAX).saturating_sub(1);
        let [.., longest] = WAITS;
        let wait = WAITS.get(step).copied().unwrap_or(longest);
        Some(Quarantine {
            cause,
            since: before.map_or(now, |before| before.since),
            until: now.saturating_add(wait),
            times,
            detail,
            authentication: authentication.to_owned(),
        })
    };
    match evidence {
        Evidence::Nothing => before.cloned(),
        Evidence::Refused(words) => enter(QuarantineCause::BadCredentials, words.clone()),
        Evidence::Used { tried, failed, has_groups, .. }
            if *failed >= FAILED_FROM
                && failed.saturating_mul(100) > tried.saturating_mul(FAILED_PERCENT) =>
        {
            let what = if *has_groups { "users and groups" } else { "users" };
            enter(QuarantineCause::FailureRate, format!("{failed} of {tried} {what} failed in one run"))
        }
        Evidence::Used { tried, is_whole, .. } => before
            .filter(|before| match before.cause {
                // The test has shown that the credentials are accepted.
                QuarantineCause::BadCredentials => false,
                // A run that was stopped before any user has shown nothing.
                QuarantineCause::FailureRate => *tried == 0 && !is_whole,
            })
            .cloned(),
    }
}

/// Whether a run that begins `now` is refused. A time of release that lies further ahead than any wait was stored under
/// another clock, and holds no longer.
pub(crate) fn holds(quarantine: &Quarantine, now: u64) -> bool {
    let [.., longest] = WAITS;
    now < quarantine.until && quarantine.until - now <= longest
}

/// Whether credentials with this fingerprint end the quarantine.
pub(crate) fn is_released_by(quarantine: &Quarantine, authentication: &str) -> bool {
    quarantine.cause == QuarantineCause::BadCredentials && quarantine.authentication != authentication
}

/// Whether a sync of `config` is refused, or tries again first; new credentials end some quarantines.
pub(crate) fn is_quarantined(quarantine: &Quarantine, config: &Config) -> bool {
    !is_released_by(quarantine, &config.authentication.fingerprint())
}

/// Returns why no run is carried out, and the ways out.
pub(crate) fn describe(quarantine: &Quarantine) -> String {
    let until = timestamp(UNIX_EPOCH + Duration::from_secs(quarantine.until));
    let way_out = match quarantine.cause {
        QuarantineCause::BadCredentials => "new credentials end it",
        QuarantineCause::FailureRate => "find the cause with `provisioner status`",
    };
    format!(
        "the connection is in quarantine until {until}, because {} ({}): the first sync after that time tries again; {way_out}, \
         and `provisioner release` lets the next sync run at once",
        quarantine.cause.describe(),
        quarantine.detail
    )
}

/// The users and groups that failed before a run, with the reasons: a failure that stands does not count again.
#[derive(Debug, Default)]
pub(crate) struct StandingFailures {
    users: Mutex<HashMap<SourceId, Reason>>,
    groups: Mutex<HashMap<SourceId, GroupReason>>,
}

impl StandingFailures {
    /// Notes the failure of a user before its task is carried out, if it failed.
    pub(crate) fn note(&self, id: &SourceId, record: &Record) {
        if let Some(told) = record.last_reported.as_ref().filter(|told| told.outcome == Outcome::Failed) {
            self.users.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), told.reason);
        }
    }

    /// Notes the failure of a group before it is carried out, if it failed.
    pub(crate) fn note_group(&self, id: &SourceId, record: &GroupRecord) {
        if let Some(told) = record.last_reported.as_ref().filter(|told| told.outcome == Outcome::Failed) {
            self.groups.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), told.reason);
        }
    }

    /// Returns the evidence in the lines of a `report`. Once a connection is in quarantine (`is_trial`), standing failures
    /// count too: they have to be gone, or a person releases it.
    pub(crate) fn evidence(&self, report: &RunReport, is_trial: bool, is_whole: bool) -> Evidence {
        let (mut tried, mut failed, mut has_groups) = (0, 0, false);
        let mut count = |outcome, is_standing: bool| {
            let has_failed = outcome == Outcome::Failed;
            let counts = !has_failed || is_trial || !is_standing;
            if counts {
                tried += 1;
                failed += u64::from(has_failed);
            }
            counts
        };
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        for line in report.lines.iter().filter(|line| concerns_target(line.reason)) {
            count(line.outcome, users.get(&line.source_id) == Some(&line.reason));
        }
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        for line in report.groups.iter().filter(|line| group_concerns_target(line.reason)) {
            has_groups |= count(line.outcome, groups.get(&line.source_id) == Some(&line.reason));
        }
        Evidence::Used { tried, failed, has_groups, is_whole }
    }
}

/// Whether an outcome with this reason says something of the target, not of the source or the preferences alone.
const fn concerns_target(reason: Reason) -> bool {
    match reason {
        Reason::Done
        | Reason::Linked
        | Reason::AlreadyInactive
        | Reason::AlreadyGone
        | Reason::PartialUpdateUnsupported
        | Reason::IgnoredByTarget
        | Reason::DeletedByTarget
        | Reason::DeleteUnsupported
        | Reason::FilterNotHonoured
        | Reason::HiddenAccount
        | Reason::UserNameTaken
        | Reason::Rejected
        | Reason::Forbidden
        | Reason::Conflict
        | Reason::RateLimited
        | Reason::TargetError
        | Reason::Unreachable => true,
        Reason::CreationOff
        | Reason::DisabledAtSource
        | Reason::UpdationOff
        | Reason::DisableOff
        | Reason::DeprovisionOff
        | Reason::RuleDeletionOff
        | Reason::DisableWithheld
        | Reason::AmbiguousMatch
        | Reason::AccountLinkedElsewhere
        | Reason::InvalidUser => false,
    }
}

/// Whether the outcome of a group with this reason says something of the target.
const fn group_concerns_target(reason: GroupReason) -> bool {
    match reason {
        GroupReason::Done
        | GroupReason::Linked
        | GroupReason::AlreadyGone
        | GroupReason::MembersPending
        | GroupReason::MembersNotShown
        | GroupReason::MembersRefused
        | GroupReason::NameTaken
        | GroupReason::HiddenGroup
        | GroupReason::GroupsUnsupported
        | GroupReason::DeleteUnsupported
        | GroupReason::FilterNotHonoured
        | GroupReason::IgnoredByTarget
        | GroupReason::Rejected
        | GroupReason::Forbidden
        | GroupReason::Conflict
        | GroupReason::RateLimited
        | GroupReason::TargetError
        | GroupReason::Unreachable => true,
        GroupReason::CreateOff
        | GroupReason::UpdateOff
        | GroupReason::Kept
        | GroupReason::RuleDeleted
        | GroupReason::InvalidGroup
        | GroupReason::AmbiguousMatch
        | GroupReason::GroupLinkedElsewhere => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::groups::{GroupChange, GroupLine, GroupOperation};
    use crate::report::{ChangeLabel, Operation, UserLine};

    const NOW: u64 = 1_000_000;
    const HOUR: u64 = 60 * 60;

    fn quarantine(cause: QuarantineCause, times: u32) -> Quarantine {
        let (detail, authentication) = (String::new(), "mine".to_owned());
        Quarantine { cause, since: 5, until: NOW, times, detail, authentication }
    }

    const fn used(tried: u64, failed: u64, is_whole: bool) -> Evidence {
        Evidence::Used { tried, failed, has_groups: false, is_whole }
    }

    #[test]
    fn quarantine_follows_from_figures_history_and_time() {
        use QuarantineCause::{BadCredentials, FailureRate};
        let refused = || Evidence::Refused("401".to_owned());
        for (evidence, before, expected) in [
            // Entering: more than 40 % and at least 20.
            (used(49, 20, true), None, Some((FailureRate, 1, 6))),
            (used(50, 20, true), None, None),
            (used(19, 19, true), None, None),
            (used(20, 20, true), None, Some((FailureRate, 1, 6))),
            (used(20, 20, false), None, Some((FailureRate, 1, 6))),
            (used(100_000, 40_000, true), None, None),
            (used(100_000, 40_001, true), None, Some((FailureRate, 1, 6))),
            (used(0, 0, true), None, None),
            (refused(), None, Some((BadCredentials, 1, 6))),
            (Evidence::Nothing, None, None),
            // Staying: 6, 12, then 24 hours.
            (used(20, 20, true), Some((FailureRate, 1)), Some((FailureRate, 2, 12))),
            (used(20, 20, true), Some((FailureRate, 2)), Some((FailureRate, 3, 24))),
            (used(20, 20, true), Some((FailureRate, 3)), Some((FailureRate, 4, 24))),
            (refused(), Some((BadCredentials, u32::MAX)), Some((BadCredentials, u32::MAX, 24))),
            (refused(), Some((FailureRate, 1)), Some((BadCredentials, 2, 12))),
            (used(20, 20, true), Some((BadCredentials, 1)), Some((FailureRate, 2, 12))),
            // Nothing was shown: it stays as it is, and the next run tries again.
            (Evidence::Nothing, Some((FailureRate, 2)), Some((FailureRate, 2, 0))),
            (Evidence::Nothing, Some((BadCredentials, 2)), Some((BadCredentials, 2, 0))),
            (used(0, 0, false), Some((FailureRate, 1)), Some((FailureRate, 1, 0))),
            // Leaving.
            (used(0, 0, true), Some((FailureRate, 1)), None),
            (used(50, 20, true), Some((FailureRate, 3)), None),
            (used(1, 0, false), Some((FailureRate, 1)), None),
            (used(0, 0, false), Some((BadCredentials, 3)), None),
        ] {
            let before = before.map(|(cause, times)| quarantine(cause, times));
            let after = after_run(&evidence, before.as_ref(), NOW, "mine");
            let found = after.as_ref().map(|now| (now.cause, now.times, (now.until - NOW) / HOUR));
            assert_eq!(found, expected, "{evidence:?} after {before:?}");
            if let Some(after) = after {
                assert_eq!(after.since, if before.is_some() { 5 } else { NOW }, "{evidence:?}");
            }
        }
    }

    #[test]
    fn quarantine_holds_until_its_time_and_no_longer_than_a_day() {
        let held =
            |until: u64| holds(&Quarantine { until, ..quarantine(QuarantineCause::FailureRate, 1) }, NOW);
        for (until, expected) in [
            (NOW + 6 * HOUR, true),
            (NOW + 1, true),
            (NOW, false),
            (NOW - 1, false),
            (NOW + 24 * HOUR, true),
            (NOW + 24 * HOUR + 1, false),
        ] {
            assert_eq!(held(until), expected, "{until}");
        }
    }

    #[test]
    fn new_credentials_release_a_quarantine_for_bad_credentials_only() {
        for (cause, authentication, expected) in [
            (QuarantineCause::BadCredentials, "mine", false),
            (QuarantineCause::BadCredentials, "other", true),
            (QuarantineCause::FailureRate, "mine", false),
            (QuarantineCause::FailureRate, "other", false),
        ] {
            assert_eq!(is_released_by(&quarantine(cause, 1), authentication), expected, "{cause:?}");
        }
    }

    #[test]
    fn standing_failures_and_troubles_of_the_source_do_not_count() {
        let line = |id: &str, outcome, reason| UserLine {
            source_id: id.parse().unwrap(),
            user_name: id.parse().unwrap(),
            target_id: None,
            change: ChangeLabel::Attributes,
            operation: Operation::Update,
            outcome,
            reason,
            detail: None,
            failed_deprovision: false,
        };
        let lines = [
            line("1", Outcome::Failed, Reason::Rejected),
            line("2", Outcome::Failed, Reason::Rejected),
            line("3", Outcome::Failed, Reason::TargetError),
            line("4", Outcome::Failed, Reason::InvalidUser),
            line("5", Outcome::Success, Reason::Done),
            line("6", Outcome::Unsynced, Reason::CreationOff),
        ];
        let standing = [("1", Reason::Rejected), ("3", Reason::Rejected)];
        let standing = standing.into_iter().map(|(id, reason)| (id.parse().unwrap(), reason)).collect();
        let groups = [("1", GroupReason::TargetError)].map(|(id, reason)| (id.parse().unwrap(), reason));
        let standing = StandingFailures {
            users: Mutex::new(standing),
            groups: Mutex::new(groups.into_iter().collect()),
        };
        let report = RunReport::new(lines.to_vec(), 6, 0, None);
        assert_eq!(standing.evidence(&report, false, true), used(3, 2, true));
        assert_eq!(standing.evidence(&report, true, false), used(4, 3, false));
        let group = |id: &str, outcome, reason| GroupLine {
            source_id: id.parse().unwrap(),
            name: id.to_owned(),
            target_id: None,
            change: GroupChange::Members,
            operation: GroupOperation::Update,
            outcome,
            reason,
            members_added: 0,
            members_removed: 0,
            members_pending: 0,
            detail: None,
        };
        let groups = vec![
            group("1", Outcome::Failed, GroupReason::TargetError),
            group("2", Outcome::Failed, GroupReason::TargetError),
            group("3", Outcome::Failed, GroupReason::InvalidGroup),
            group("4", Outcome::Success, GroupReason::Done),
        ];
        let report = report.with_groups(groups, 4, 0, None);
        let with_groups = |tried, failed| Evidence::Used { tried, failed, has_groups: true, is_whole: true };
        assert_eq!(standing.evidence(&report, false, true), with_groups(5, 3));
        assert_eq!(standing.evidence(&report, true, true), with_groups(7, 5));
    }
}
