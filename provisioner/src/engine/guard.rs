//! The delete guard: too many removals and disables stop a run before anything is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Prepared;
use super::doubt::some_names;
use super::task::Task;
use crate::config::Options;
use crate::ids::UserName;
use crate::policy::{Effect, LinkAction};
use crate::report::{ChangeLabel, Outcome, Reason};
use crate::state::WithdrawalKind;

/// How far back finished removals and disables count.
const WINDOW: Duration = Duration::from_hours(24);
/// So many are let pass whatever their share is: the share of a small directory says little.
const SHARE_FROM: u64 = 6;

/// Whether a task takes an account from its user: by the Remove Action, or because the source disabled the user.
///
/// What the target has refused before was let pass once and is not counted again: at a target that cannot disable, the
/// leavers of many weeks would otherwise stop every run.
fn withdraws(task: &Task) -> bool {
    let disables = task
        .decision()
        .is_some_and(|decision| matches!(decision.effect, Effect::Write { active: Some(false), .. }));
    (task.removes() && !(task.label == ChangeLabel::Retry && was_refused(task, None)))
        || (disables && !was_refused(task, Some(false)))
}

/// Whether the same was tried for the user before, and refused by the target for good.
fn was_refused(task: &Task, wanted_active: Option<bool>) -> bool {
    task.record.situation.as_ref().is_some_and(|told| {
        told.outcome == Outcome::Failed
            && told.wanted_active == wanted_active
            && !matches!(
                told.reason,
                Reason::Unreachable | Reason::TargetError | Reason::RateLimited | Reason::Conflict
            )
    })
}

/// Whether the run may be carried out; `approved` is the number of removals and disables that a person has agreed to.
///
/// # Errors
/// A message that says what is too much, whose accounts these are, and the way out.
pub(crate) fn check(
    options: &Options,
    prepared: &Prepared,
    now: SystemTime,
    approved: Option<u32>,
) -> Result<(), String> {
    let concerned: Vec<&Task> = prepared.tasks.iter().filter(|task| withdraws(task)).collect();
    let planned = concerned.len() as u64;
    if planned == 0 || approved.map(u64::from) == Some(planned) {
        return Ok(());
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(WINDOW).as_secs();
    let recent = |kind: WithdrawalKind| {
        let of_late =
            prepared.withdrawals.iter().filter(|one| u64::try_from(one.at).is_ok_and(|at| at > since));
        of_late.filter(|one| one.kind == kind).count() as u64
    };
    let removed = recent(WithdrawalKind::Removal);
    let done = removed + recent(WithdrawalKind::Disable);
    // What was removed of late was managed before.
    let managed = prepared.managed as u64 + removed;
    let limit = limit(options, managed);
    if planned + done <= limit.count {
        return Ok(());
    }
    let names: Vec<&UserName> = concerned.iter().map(|task| &task.record.user_name).collect();
    let after = if done == 0 { String::new() } else { format!(" after {done} in the last 24 hours") };
    Err(format!(
        "{} would be removed or disabled{after}, more than {} in 24 hours ({}): {}: {}. \
         {}Nothing was written. Look at them with `plan`; if they are meant, run once with --approve-removals {planned}, \
         or raise the limit",
        share(&concerned, managed),
        limit.count,
        limit.option,
        some_names(names.into_iter()),
        causes(&concerned),
        shrunk(prepared),
    ))
}

/// How many accounts are concerned, of how many: those that would be linked in this run are not managed yet.
fn share(concerned: &[&Task], managed: u64) -> String {
    let is_new = |task: &&&Task| task.decision().is_some_and(|decision| decision.link == LinkAction::Adopt);
    let (planned, new) = (concerned.len(), concerned.iter().filter(is_new).count());
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

/// How many removals and disables in 24 hours pass.
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
    // All of them is no limit: one account may be disabled and removed on the same day.
    if percent >= 100 {
        return most;
    }
    let share = Limit {
        count: (managed * percent / 100).max(SHARE_FROM - 1),
        option: format!("max-removals-percent = {percent}, from {SHARE_FROM} on"),
    };
    if share.count < most.count { share } else { most }
}

/// What happened to those concerned, in numbers.
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

/// A hint where the source is smaller than it was: a file may have been cut short between two lines.
fn shrunk(prepared: &Prepared) -> String {
    match prepared.users_before {
        Some(before) if prepared.users < before => format!(
            "The source has {} users and had {before} in the last run: if it was cut short, export it again. ",
            prepared.users
        ),
        Some(_) | None => String::new(),
    }
}
