//! Carrying out the Remove Action: a read first, then Delete or Disable, never one for the other.

use reqwest::{Method as Verb, StatusCode};

use super::outcome::OutcomePart;
use super::resolve::find_again;
use super::task::TaskStep;
use super::user::{TaskResult, TaskRun};
use super::write::{AccountWrite, WriteOutcome, write};
use crate::mapping::{Desired, TargetPath};
use crate::policy::{AccountState, Leave, LeaveDecision, decide_leave};
use crate::preferences::RemoveAction;
use crate::report::{Operation, Outcome, Reason};
use crate::state::index::Key;
use crate::state::{DisableKind, Intent, Link, LinkState};
use crate::target::client::Request;
use crate::target::lookup::{Lookup, Read, Searched};
use crate::target::resource::Account;
use crate::target::{Halt, Trouble};

/// Runs the task of a user that has left; `last` makes a refusal for want of support final.
pub(crate) async fn run(
    mut work: TaskRun<'_>,
    decision: LeaveDecision,
    leave: Leave,
    last: bool,
) -> Result<TaskResult, Halt> {
    let action = match decision {
        LeaveDecision::Remove(action) => action,
        LeaveDecision::Nothing => return work.finish(None, None).await,
        LeaveDecision::DeprovisionOff => {
            if let Some(link) = &mut work.task.record.link
                && !matches!(link.state, LinkState::Pending(_))
            {
                link.state = LinkState::Withheld(leave);
            }
            work.task.parts.extend(not_removed(decision));
            return work.finish(None, None).await;
        }
        LeaveDecision::AlreadyGone | LeaveDecision::RuleDeletionOff => {
            work.unlink();
            work.task.parts.extend(not_removed(decision));
            return work.finish(None, None).await;
        }
    };
    let Some(link) = work.task.record.link.clone() else { return work.finish(None, None).await };
    let operation = match action {
        RemoveAction::Delete => Operation::Delete,
        RemoveAction::Disable => Operation::Disable,
    };
    if let Some(trouble) = work.task.held.take() {
        fail(&mut work, operation, trouble, leave);
        return work.finish(None, None).await;
    }
    let keys = work.task.record.keys_at(&link);
    let read = work.context.client.read(&link.account, &keys).await;
    let mut link = link;
    let present = match read {
        Ok(Read::Found(account)) => Ok(Present::At(account)),
        // An account that a cut-off disable deleted is not searched for elsewhere.
        Ok(Read::Gone(_)) if work.task.record.intent == Some(Intent::Disable) => {
            Ok(Present::Gone(Lookup::None))
        }
        Ok(Read::Gone(searched)) => follow(&mut work, &mut link, &searched).await,
        Err(halt) => Err(halt),
    };
    match present {
        Err(Halt::Stopped) => return Err(Halt::Stopped),
        Err(Halt::Failed(trouble)) => fail(&mut work, operation, trouble, leave),
        Ok(Present::Gone(instead)) => gone(&mut work, operation, &instead, leave).await?,
        Ok(Present::At(account)) => match action {
            RemoveAction::Delete => delete(&mut work, &link, leave).await?,
            RemoveAction::Disable if !account.active() => {
                set_link_state(&mut work, LinkState::Removed);
                work.push(OutcomePart::none(Outcome::Success, Reason::AlreadyInactive));
            }
            RemoveAction::Disable => disable(&mut work, &link, leave).await?,
        },
    }
    let again = if last { None } else { work.second_try(|| TaskStep::Left { decision, leave }) };
    work.finish(None, again).await
}

/// Returns the part for a user whose account is not removed, or `None` if it is to be removed, or if there is nothing to
/// report.
pub(crate) const fn not_removed(decision: LeaveDecision) -> Option<OutcomePart> {
    match decision {
        LeaveDecision::Nothing | LeaveDecision::Remove(_) => None,
        LeaveDecision::AlreadyGone => Some(OutcomePart::none(Outcome::Success, Reason::AlreadyGone)),
        LeaveDecision::DeprovisionOff => Some(OutcomePart::none(Outcome::Partial, Reason::DeprovisionOff)),
        LeaveDecision::RuleDeletionOff => Some(OutcomePart::none(Outcome::Partial, Reason::RuleDeletionOff)),
    }
}

/// Whether the account of a user that has left is there.
enum Present {
    /// The account exists under the id in the link.
    At(Box<Account>),
    /// The account is gone; the result of the search by the user's keys.
    Gone(Lookup),
}

/// Looks for an account that took the place of the one that is gone. The link follows it if it has the same `externalId`
/// and a name that the account had.
async fn follow(work: &mut TaskRun<'_>, link: &mut Link, searched: &Searched) -> Result<Present, Halt> {
    let name = work.task.record.name_at(link);
    let keys = work.task.record.keys_at(link);
    let found = find_again(work.context, &work.task.id, &keys, &name, searched).await?;
    let is_ours =
        |account: &Account| keys.external_id().is_some() && account.external_id() == keys.external_id();
    let account = match found {
        Lookup::One(account)
            if is_ours(&account)
                && work.context.claim(&account.id, &work.task.id) == Key::from(&work.task.id) =>
        {
            account
        }
        other => return Ok(Present::Gone(other)),
    };
    work.context.release(&link.account);
    link.account = account.id.clone();
    link.carries.extend(account.project([&TargetPath::user_name()].into_iter()));
    work.task.record.link = Some(link.clone());
    Ok(Present::At(account))
}

fn set_link_state(work: &mut TaskRun<'_>, state: LinkState) {
    if let Some(link) = &mut work.task.record.link {
        link.state = state;
        link.active &= state != LinkState::Removed;
    }
}

fn fail(work: &mut TaskRun<'_>, operation: Operation, trouble: Trouble, leave: Leave) {
    set_link_state(work, LinkState::Pending(leave));
    work.failed(operation, trouble);
}

/// Handles an account that is not found; `instead` is found by its keys. Usually a gone account is the goal of a removal,
/// but not shortly after a write or after a Disable that was cut off.
async fn gone(
    work: &mut TaskRun<'_>,
    operation: Operation,
    instead: &Lookup,
    leave: Leave,
) -> Result<(), Halt> {
    let origin = work.task.record.link.as_ref().and_then(Link::external_id);
    if let Some(trouble) = work.context.not_shown_yet(&work.task.record, origin, instead) {
        fail(work, operation, trouble, leave);
        return Ok(());
    }
    let cut_off = work.task.record.intent.take();
    work.unlink();
    if cut_off == Some(Intent::Disable) {
        work.context.learn(|learned| learned.disable = DisableKind::Withheld).await?;
        let detail = "a disable was cut off, and the account is gone";
        work.failed(Operation::Disable, Trouble::new(Reason::DeletedByTarget, detail));
    } else {
        let preferences = work.context.config.preferences;
        let decision = decide_leave(preferences, leave, AccountState::LinkedGone);
        if let Some(part) = not_removed(decision) {
            work.push(part);
        }
    }
    Ok(())
}

async fn delete(work: &mut TaskRun<'_>, link: &Link, leave: Leave) -> Result<(), Halt> {
    work.intend(Intent::Delete).await?;
    let client = &work.context.client;
    let segments = ["Users", link.account.as_str()];
    let response = match client.send(Request::new(&Verb::DELETE, &segments)).await {
        Ok(response) => response,
        Err(Halt::Stopped) => return Err(Halt::Stopped),
        Err(Halt::Failed(trouble)) => {
            fail(work, Operation::Delete, trouble, leave);
            return Ok(());
        }
    };
    if response.status.is_success() {
        work.context.capabilities.deletes_work();
        work.context.learn(|learned| learned.delete_failure = None).await?;
        work.unlink();
        work.push(OutcomePart::done(Operation::Delete));
        return Ok(());
    }
    let mut trouble = response.trouble();
    if matches!(response.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
        // Where DELETE works for others, the refusal is about this user.
        if work.context.capabilities.has_deleted() {
            trouble.reason = Reason::Rejected;
        } else {
            trouble.reason = Reason::DeleteUnsupported;
            work.context.learn(|learned| learned.delete_failure = Some(Reason::DeleteUnsupported)).await?;
        }
    } else if trouble.reason == Reason::Rejected {
        // The account decides, not the response.
        let keys = work.task.record.keys_at(link);
        match client.read(&link.account, &keys).await {
            Ok(Read::Gone(_)) => {
                if let Some(trouble) = work.context.account_not_shown(link.written) {
                    fail(work, Operation::Delete, trouble, leave);
                } else {
                    work.unlink();
                    work.push(OutcomePart::done(Operation::Delete));
                }
                return Ok(());
            }
            Ok(Read::Found(_)) | Err(Halt::Failed(_)) => {}
            Err(Halt::Stopped) => return Err(Halt::Stopped),
        }
    }
    fail(work, Operation::Delete, trouble, leave);
    Ok(())
}

async fn disable(work: &mut TaskRun<'_>, link: &Link, leave: Leave) -> Result<(), Halt> {
    work.intend(Intent::Disable).await?;
    let wanted = Desired::only_user_name(&work.task.record.name_at(link));
    let keys = work.task.record.keys_at(link);
    let request = AccountWrite {
        account: &link.account,
        keys: &keys,
        wanted: &wanted,
        link,
        paths: &[],
        active: Some(false),
        base: None,
    };
    let written = match write(work.context, request).await {
        Ok(written) => written,
        Err(Halt::Failed(trouble)) => WriteOutcome::Refused(trouble),
        Err(Halt::Stopped) => return Err(Halt::Stopped),
    };
    match written {
        WriteOutcome::Done(effects) if effects.active != Some(false) => {
            work.wrote();
            set_link_state(work, LinkState::Removed);
            work.push(OutcomePart::done(Operation::Disable));
        }
        WriteOutcome::Done(_) => {
            let trouble = Trouble::new(Reason::IgnoredByTarget, "answered as done, and still active");
            fail(work, Operation::Disable, trouble, leave);
        }
        WriteOutcome::Ignored(_, detail) => {
            fail(work, Operation::Disable, Trouble::new(Reason::IgnoredByTarget, detail), leave);
        }
        WriteOutcome::Refused(trouble) => fail(work, Operation::Disable, trouble, leave),
        WriteOutcome::Taken(detail) => {
            fail(work, Operation::Disable, Trouble::new(Reason::Rejected, detail), leave);
        }
        WriteOutcome::Gone(_) => {
            work.task.record.intent = None;
            gone(work, Operation::Disable, &Lookup::None, leave).await?;
        }
        // After a Disable an account that is not found is deleted.
        WriteOutcome::DeletedByTarget | WriteOutcome::Hidden => {
            work.unlink();
            let detail = "the account is gone after it was to be disabled";
            work.failed(Operation::Disable, Trouble::new(Reason::DeletedByTarget, detail));
        }
        WriteOutcome::Withheld => {
            let detail = "an earlier disable deleted an account at this target";
            fail(work, Operation::Disable, Trouble::new(Reason::DisableWithheld, detail), leave);
        }
    }
    Ok(())
}
