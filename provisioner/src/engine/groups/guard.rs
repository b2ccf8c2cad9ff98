//! The delete guard of groups: too many deletions of groups, or too many members taken from them, stop a run before anything
//! is written. It counts apart from that of users, because one group may be worth a hundred of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PreparedGroups;
use super::decide::{GroupDecision, evaluate};
use crate::config::Config;
use crate::policy::groups::{GroupLeaveDecision, GroupWrites, OwnedGroupDecision};
use crate::report::groups::GroupChange;
use crate::state::{Withdrawal, WithdrawalKind};

/// The time for which deletions count.
const WINDOW: Duration = Duration::from_hours(24);
/// The number of deletions that pass at any share.
const SHARE_FROM: u64 = 3;
/// The number of members removed in one run that pass at any share: a small group may empty.
const MEMBERS_FROM: usize = 100;
/// Names in the message.
const NAMED: usize = 5;

/// More deletions or removed members than the guard allows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OverGroupLimit {
    /// Too many groups would be deleted.
    #[error(
        "{planned} of {managed} managed groups would be deleted{after}, more than {limit} in 24 hours ({option}): {names}. \
         Nothing was written. Look at them with a plan; if they are meant, approve exactly {planned} deletions of groups, \
         or raise the limit"
    )]
    Deletions {
        /// Deletions of this run.
        planned: u64,
        managed: u64,
        after: String,
        limit: u64,
        option: String,
        names: String,
    },
    /// Too many members would be removed from groups that stay.
    #[error(
        "{planned} of {written} members would be removed from groups, more than {percent} % (max-removals-percent): {names}. \
         Nothing was written. If the source was cut short, export it again; if they are meant, approve exactly \
         {planned} removals from groups"
    )]
    Members {
        /// Members removed by this run.
        planned: u64,
        written: u64,
        percent: u8,
        names: String,
    },
}

impl OverGroupLimit {
    /// Returns the number that would have to be approved.
    pub(crate) const fn planned(&self) -> u64 {
        match self {
            Self::Deletions { planned, .. } | Self::Members { planned, .. } => *planned,
        }
    }
}

/// Checks whether the run may be carried out; `approved` is the number of deletions of groups, or of members removed from
/// them, that a person has approved.
///
/// # Errors
/// There are more than the limit allows.
pub(crate) fn check(
    config: &Config,
    prepared: &PreparedGroups,
    withdrawals: &[Withdrawal],
    now: SystemTime,
    approved: Option<u32>,
) -> Result<(), Box<OverGroupLimit>> {
    let (mut deleted, mut emptied, mut removed, mut written) = (Vec::new(), Vec::new(), 0_usize, 0_usize);
    for subject in &prepared.subjects {
        written += subject.record.written.len();
        let evaluation = evaluate(config, subject, &prepared.expected);
        match evaluation.decision {
            // A deletion that the target refused before does not stop every run after it.
            GroupDecision::Left(GroupLeaveDecision::Delete, _) if evaluation.label != GroupChange::Retry => {
                deleted.push(subject.record.name.as_str());
            }
            GroupDecision::Owned(OwnedGroupDecision::Linked(GroupWrites::Write(_))) => {
                // Users who leave are counted by the guard of users.
                let staying = prepared.expected.staying(&evaluation.changes.remove);
                if staying > 0 {
                    removed += staying;
                    emptied.push(subject.record.name.as_str());
                }
            }
            GroupDecision::Owned(_) | GroupDecision::Left(..) | GroupDecision::Fail(_) => {}
        }
    }
    check_deletions(config, prepared.managed, &deleted, withdrawals, now, approved)?;
    let percent = config.options.max_removals_percent;
    let allowed = (written * usize::from(percent) / 100).max(MEMBERS_FROM);
    let is_approved = approved.is_some_and(|number| u64::from(number) == removed as u64);
    if percent >= 100 || removed <= allowed || is_approved {
        return Ok(());
    }
    let (planned, written) = (removed as u64, written as u64);
    Err(Box::new(OverGroupLimit::Members { planned, written, percent, names: some(&emptied) }))
}

fn check_deletions(
    config: &Config,
    managed: u64,
    deleted: &[&str],
    withdrawals: &[Withdrawal],
    now: SystemTime,
    approved: Option<u32>,
) -> Result<(), Box<OverGroupLimit>> {
    let planned = deleted.len() as u64;
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(WINDOW).as_secs();
    let is_recent = |one: &&Withdrawal| {
        one.kind == WithdrawalKind::Group && u64::try_from(one.at).is_ok_and(|at| at > since)
    };
    let done = withdrawals.iter().filter(is_recent).count() as u64;
    // Groups deleted in the last 24 hours were managed before.
    let managed = managed + done;
    let most = u64::from(config.options.max_group_removals);
    let percent = u64::from(config.options.max_removals_percent);
    let share = (managed * percent / 100).max(SHARE_FROM - 1);
    let (limit, option) = if percent < 100 && share < most {
        (share, format!("max-removals-percent = {percent}, from {SHARE_FROM} on"))
    } else {
        (most, format!("max-group-removals = {most}"))
    };
    if planned == 0 || planned + done <= limit || approved.is_some_and(|number| u64::from(number) == planned)
    {
        return Ok(());
    }
    let after = if done == 0 { String::new() } else { format!(" after {done} in the last 24 hours") };
    let names = some(deleted);
    Err(Box::new(OverGroupLimit::Deletions { planned, managed, after, limit, option, names }))
}

fn some(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("{name:?}")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
