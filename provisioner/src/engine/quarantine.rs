//! The quarantine: when a connection enters it, how long it lasts, and what ends it. Pure functions over the figures of a
//! run, what is stored, and the time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::timestamp;
use crate::config::Config;
use crate::ids::SourceId;
use crate::report::{Outcome, Reason, UserLine};
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
        /// Users for whom the target was asked.
        tried: u64,
        /// Of these, failed.
        failed: u64,
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
        Evidence::Used { tried, failed, .. }
            if *failed >= FAILED_FROM
                && failed.saturating_mul(100) > tried.saturating_mul(FAILED_PERCENT) =>
        {
            enter(QuarantineCause::FailureRate, format!("{failed} of {tried} users failed in one run"))
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

/// The users that failed before a run, with the reasons: a failure that stands does not count again.
#[derive(Debug, Default)]
pub(crate) struct StandingFailures(Mutex<HashMap<SourceId, Reason>>);

impl StandingFailures {
    /// Notes the failure of a user before its task is carried out, if it failed.
    pub(crate) fn note(&self, id: &SourceId, record: &Record) {
        if let Some(told) = record.last_reported.as_ref().filter(|told| told.outcome == Outcome::Failed) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), told.reason);
        }
    }

    /// Returns the evidence in the `lines` of a run. Once a connection is in quarantine (`is_trial`), standing failures
    /// count too: they have to be gone, or a person releases it.
    pub(crate) fn evidence(&self, lines: &[UserLine], is_trial: bool, is_whole: bool) -> Evidence {
        let (mut tried, mut failed) = (0, 0);
        let standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in lines.iter().filter(|line| concerns_target(line.reason)) {
            let has_failed = line.outcome == Outcome::Failed;
            if has_failed && !is_trial && standing.get(&line.source_id) == Some(&line.reason) {
                continue;
            }
            tried += 1;
            failed += u64::from(has_failed);
        }
        Evidence::Used { tried, failed, is_whole }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{ChangeLabel, Operation};

    const NOW: u64 = 1_000_000;
    const HOUR: u64 = 60 * 60;

    fn quarantine(cause: QuarantineCause, times: u32) -> Quarantine {
        let (detail, authentication) = (String::new(), "mine".to_owned());
        Quarantine { cause, since: 5, until: NOW, times, detail, authentication }
    }

    const fn used(tried: u64, failed: u64, is_whole: bool) -> Evidence {
        Evidence::Used { tried, failed, is_whole }
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
        let standing = StandingFailures(Mutex::new(standing));
        assert_eq!(standing.evidence(&lines, false, true), used(3, 2, true));
        assert_eq!(standing.evidence(&lines, true, false), used(4, 3, false));
    }
}
