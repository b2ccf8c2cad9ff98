//! The delete guard: too many removals and disables stop a run before anything is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::PreparedRun;
use super::source_checks::some_names;
use super::task::{Task, TaskStep};
use crate::config::Options;
use crate::ids::UserName;
use crate::policy::AccountChange;
use crate::report::{ChangeLabel, Outcome, Reason};
use crate::state::WithdrawalKind;
use crate::target::Trouble;

/// The time for which finished removals and disables count.
const WINDOW: Duration = Duration::from_hours(24);
/// The number of removals that pass at any share: the share of a small directory means little.
const SHARE_FROM: u64 = 6;

/// Whether a task takes an account from its user: by the Remove Action, or because the source disabled the user.
fn withdraws(task: &Task) -> Option<Withdraws> {
    let disables = task.account_change().and_then(AccountChange::active) == Some(false);
    let again = if task.removes() {
        task.label == ChangeLabel::Retry && was_refused(task, None)
    } else if disables {
        was_refused(task, Some(false))
    } else {
        return None;
    };
    Some(if again { Withdraws::Again } else { Withdraws::Anew })
}

/// The way in which a task takes an account from its user.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Withdraws {
    /// For the first time, or after a failure of the moment.
    Anew,
    /// The target refused it before. It does not stop a run: at a target that cannot disable, the leavers of many weeks would
    /// stop every run. But no more of them are tried than the limit allows, since a mended target carries them all out.
    Again,
}

/// The figures that the limit is about.
struct Figures {
    anew: u64,
    again: u64,
    /// The removals and disables that took effect in the last 24 hours.
    done: u64,
    managed: u64,
    limit: Limit,
}

impl Figures {
    fn of(options: &Options, prepared: &PreparedRun, now: SystemTime) -> Self {
        let count = |which: Withdraws| {
            prepared.tasks.kept().filter(|task| withdraws(task) == Some(which)).count() as u64
        };
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(WINDOW).as_secs();
        let recent = |kind: WithdrawalKind| {
            let of_late =
                prepared.withdrawals.iter().filter(|one| u64::try_from(one.at).is_ok_and(|at| at > since));
            of_late.filter(|one| one.kind == kind).count() as u64
        };
        let removed = recent(WithdrawalKind::Removal);
        // Accounts removed in the last 24 hours were managed before.
        let managed = prepared.managed as u64 + removed;
        Self {
            anew: count(Withdraws::Anew),
            again: count(Withdraws::Again),
            done: removed + recent(WithdrawalKind::Disable),
            managed,
            limit: limit(options, managed),
        }
    }

    /// Whether a person has approved this number, of the new ones or of all.
    fn is_approved(&self, approved: Option<u32>) -> bool {
        approved.map(u64::from).is_some_and(|number| number == self.anew || number == self.anew + self.again)
    }
}

/// Holds back removals and disables that the target refused before, as many as would exceed the limit if they took effect now.
pub(crate) fn hold_back(
    options: &Options,
    prepared: &mut PreparedRun,
    now: SystemTime,
    approved: Option<u32>,
) {
    let Figures { anew, again, done, limit, .. } = Figures::of(options, prepared, now);
    let all = anew + again;
    if approved.map(u64::from) == Some(all) {
        return;
    }
    let room = usize::try_from(limit.count.saturating_sub(anew + done)).unwrap_or(usize::MAX);
    let mut tasks: Vec<&mut Task> =
        prepared.tasks.kept_mut().filter(|task| withdraws(task) == Some(Withdraws::Again)).collect();
    // Users that were held back last time come first.
    tasks.sort_by_key(|task| !was_held(task));
    for task in tasks.into_iter().skip(room) {
        let Some(reason) = task.record.last_reported.as_ref().map(|told| told.reason) else { continue };
        let detail = format!(
            "{HELD}: {again} removals and disables that the target refused before would be tried again, more than the {room} \
             that the delete guard has left for 24 hours ({}); approve {all} removals and disables to let all of them through",
            limit.option
        );
        task.held = Some(Trouble::new(reason, detail));
        if let TaskStep::Owned(owned) = &mut task.step {
            owned.decision = owned.decision.map_change(AccountChange::without_active);
        }
    }
}

/// The beginning of the detail of a user whose removal or disable was held back.
const HELD: &str = "not tried in this run";

fn was_held(task: &Task) -> bool {
    let detail = task.record.last_reported.as_ref().and_then(|told| told.detail.as_deref());
    detail.is_some_and(|detail| detail.starts_with(HELD))
}

/// Whether the same was tried for the user before, and refused by the target for good.
fn was_refused(task: &Task, wanted_active: Option<bool>) -> bool {
    task.record.last_reported.as_ref().is_some_and(|told| {
        told.outcome == Outcome::Failed
            && told.wanted_active == wanted_active
            && !matches!(
                told.reason,
                Reason::Unreachable | Reason::TargetError | Reason::RateLimited | Reason::Conflict
            )
    })
}

/// More removals and disables than the delete guard allows.
#[derive(Debug, thiserror::Error)]
#[error(
    "{accounts} would be removed or disabled{after}, more than {} in 24 hours ({}): {names}: {causes}. \
     {source_shrank}Nothing was written. Look at them with a plan; if they are meant, approve exactly {planned} \
     removals and disables, or raise the limit",
    limit.count,
    limit.option
)]
pub(crate) struct OverLimit {
    planned: u64,
    limit: Limit,
    accounts: String,
    after: String,
    names: String,
    causes: String,
    source_shrank: String,
}

impl OverLimit {
    /// Returns the number of removals and disables that would have to be approved.
    pub(crate) const fn planned(&self) -> u64 {
        self.planned
    }
}

/// Checks whether the run may be carried out; `approved` is the number of removals and disables that a person has approved.
///
/// # Errors
/// There are more than the limit allows.
pub(crate) fn check(
    options: &Options,
    prepared: &PreparedRun,
    now: SystemTime,
    approved: Option<u32>,
) -> Result<(), Box<OverLimit>> {
    let figures = Figures::of(options, prepared, now);
    if figures.anew == 0 || figures.is_approved(approved) {
        return Ok(());
    }
    let concerned: Vec<&Task> =
        prepared.tasks.kept().filter(|task| withdraws(task) == Some(Withdraws::Anew)).collect();
    let Figures { anew: planned, done, managed, limit, .. } = figures;
    if planned + done <= limit.count {
        return Ok(());
    }
    let names: Vec<&UserName> = concerned.iter().map(|task| &task.record.user_name).collect();
    let after = if done == 0 { String::new() } else { format!(" after {done} in the last 24 hours") };
    Err(Box::new(OverLimit {
        planned,
        limit,
        accounts: share(&concerned, managed),
        after,
        names: some_names(names.into_iter()),
        causes: causes(&concerned),
        source_shrank: shrunk(prepared),
    }))
}

/// Returns the number of accounts concerned and of all. Accounts that this run would link are not managed yet.
fn share(concerned: &[&Task], managed: u64) -> String {
    let (planned, new) = (concerned.len(), concerned.iter().filter(|task| task.adopts()).count());
    let accounts = |count: u64| if count == 1 { "account" } else { "accounts" };
    if new == 0 {
        return format!("{planned} of {managed} managed {}", accounts(managed));
    }
    let those = if new == planned { "which".to_owned() } else { format!("{new} of which") };
    format!(
        "{planned} {}, {those} would be linked in this run ({managed} are managed so far),",
        accounts(planned as u64)
    )
}

/// The maximum number of removals and disables in 24 hours.
#[derive(Debug)]
struct Limit {
    count: u64,
    /// The option behind it, as it is written.
    option: String,
}

fn limit(options: &Options, managed: u64) -> Limit {
    let most = Limit {
        count: u64::from(options.max_removals),
        option: format!("max-removals = {}", options.max_removals),
    };
    let percent = u64::from(options.max_removals_percent);
    // A limit of all accounts is no limit: one account may be disabled and removed on the same day.
    if percent >= 100 {
        return most;
    }
    let share = Limit {
        count: (managed * percent / 100).max(SHARE_FROM - 1),
        option: format!("max-removals-percent = {percent}, from {SHARE_FROM} on"),
    };
    if share.count < most.count { share } else { most }
}

/// Returns the causes with their numbers of users.
fn causes(concerned: &[&Task]) -> String {
    let count = |labels: &[ChangeLabel]| concerned.iter().filter(|task| labels.contains(&task.label)).count();
    let kinds = [
        (count(&[ChangeLabel::Deleted]), "gone from the source"),
        (count(&[ChangeLabel::LeftScope]), "matched by no rule any longer"),
        (count(&[ChangeLabel::RuleDeleted]), "of a rule that was deleted"),
        (count(&[ChangeLabel::Retry]), "left earlier, and not removed yet"),
    ];
    let told: usize = kinds.iter().map(|(count, _)| count).sum();
    let disabled = (concerned.len() - told, "disabled at the source");
    let parts: Vec<String> = kinds
        .into_iter()
        .chain([disabled])
        .filter(|(count, _)| *count > 0)
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    parts.join(", ")
}

/// Returns a hint if the source has fewer users than before: a file may have been cut short between two lines.
fn shrunk(prepared: &PreparedRun) -> String {
    match prepared.users_before {
        Some(before) if prepared.users < before => format!(
            "The source has {} users and had {before} in the last run: if it was cut short, export it again. ",
            prepared.users
        ),
        Some(_) | None => String::new(),
    }
}
