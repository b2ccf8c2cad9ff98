//! Renames to names that were taken: they come last, one after the other, in an order in which each name is free.
//!
//! Where users swap names, in a pair or a longer cycle, no order is free. One account of the cycle takes a temporary name
//! then, which is stored before it is sent: a run that is cut off in between leaves an account that the next run finds by
//! its id or by that name, and renames to the wanted one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::context::Context;
use super::correlate::personal_data;
use super::execute::{Placed, attempt};
use super::task::{Task, TaskStep};
use super::user::TaskResult;
use super::write::{AccountWrite, WriteOutcome, write};
use crate::clock::seconds;
use crate::ids::{SourceId, UserName};
use crate::mapping::{Desired, TargetPath};
use crate::policy::AccountChange;
use crate::report::{Outcome, UserLine};
use crate::source::fingerprint;
use crate::state::{Intent, Link, StateChange};
use crate::target::Halt;
use crate::target::personal_data::with_personal_data;

/// The maximum number of accounts of one cycle that are sent a temporary name: a target that refuses it three times is not
/// asked for each account of a long cycle.
const TRIED: usize = 3;

/// Carries out the deferred renames, and returns their lines with their positions.
pub(crate) async fn run(context: &Context, mut deferred: Vec<Placed>) -> Vec<(usize, UserLine)> {
    let mut lines = Vec::new();
    // The former names of accounts that have a temporary one, and the accounts that could take none.
    let mut moved: HashMap<SourceId, UserName> = HashMap::new();
    let mut refused: BTreeSet<SourceId> = BTreeSet::new();
    let mut held_still: Vec<UserName> = Vec::new();
    while !deferred.is_empty() && !context.client.is_stopping() {
        let index = if let Some(index) = free(&deferred) {
            index
        } else {
            let cycle = cycle(&names(&deferred));
            let is_refused = |index: &usize| refused.contains(&deferred[*index].1.id);
            let is_untried =
                |index: &usize| !is_refused(index) && !moved.contains_key(&deferred[*index].1.id);
            let tried = cycle.iter().filter(|index| is_refused(index)).count();
            let next = cycle.iter().copied().find(|index| is_untried(index)).filter(|_| tried < TRIED);
            if let Some(index) = next {
                let task = &mut deferred[index].1;
                let before = held(task);
                match take_temporary_name(context, task).await {
                    Ok(Ok(())) => {
                        moved.extend(before.map(|name| (task.id.clone(), name)));
                        for index in cycle {
                            deferred[index].1.rename_note = None;
                        }
                    }
                    Ok(Err(detail)) => {
                        refused.insert(task.id.clone());
                        let note = format!(
                            "{} users swap their names, and no account of theirs could take a temporary name: {detail}; \
                             rename one of the accounts at the target by hand",
                            cycle.len()
                        );
                        for index in cycle {
                            deferred[index].1.rename_note = Some(note.clone());
                        }
                    }
                    Err(_) => return lines,
                }
                continue;
            }
            cycle.first().copied().unwrap_or(0)
        };
        let (position, mut task) = deferred.remove(index);
        let (name, wants) = (held(&task), wanted(&task));
        if let Some(former) = moved.get(&task.id)
            && wants.is_some_and(|name| held_still.contains(&name))
        {
            // Another rename of the cycle failed, so the wanted name is not free: the former one is better than none.
            if set_name(context, &mut task, former).await.is_err() {
                return lines;
            }
        }
        let line = finally(context, task).await;
        if line.as_ref().is_some_and(|line| line.outcome == Outcome::Failed) {
            held_still.extend(name);
        }
        lines.extend(line.map(|line| (position, line)));
    }
    lines
}

async fn finally(context: &Context, task: Task) -> Option<UserLine> {
    match attempt(context, task, true).await {
        Some(TaskResult::Settled(line) | TaskResult::Refused(line, _)) => line,
        Some(TaskResult::Deferred(_)) | None => None,
    }
}

/// Returns the user name that the account of a task has.
fn held(task: &Task) -> Option<UserName> {
    task.record.link.as_ref().and_then(Link::user_name)
}

/// Returns the user name that the account of a task is to have.
fn wanted(task: &Task) -> Option<UserName> {
    match &task.step {
        TaskStep::Owned(owned) => Some(owned.wanted.user_name()),
        TaskStep::Fail(_) | TaskStep::Left { .. } => None,
    }
}

/// The user names that an account has and is to have.
pub(super) type Names = (Option<UserName>, Option<UserName>);

fn names(deferred: &[Placed]) -> Vec<Names> {
    deferred.iter().map(|(_, task)| (held(task), wanted(task))).collect()
}

/// Returns a rename whose new name no other one holds, or `None` if each waits for another.
fn free(deferred: &[Placed]) -> Option<usize> {
    let names = names(deferred);
    let is_held = |index: usize, name: &UserName| {
        names.iter().enumerate().any(|(other, (held, _))| other != index && held.as_ref() == Some(name))
    };
    (0..names.len()).find(|index| names[*index].1.as_ref().is_none_or(|name| !is_held(*index, name)))
}

/// Returns the positions of renames each of which wants the name that the next one has, the last one that of the first;
/// empty if there is no such cycle behind the first rename.
fn cycle(names: &[Names]) -> Vec<usize> {
    let holders: HashMap<&UserName, usize> =
        names.iter().enumerate().filter_map(|(index, (held, _))| Some((held.as_ref()?, index))).collect();
    let mut path: Vec<usize> = Vec::new();
    let mut at = (!names.is_empty()).then_some(0);
    while let Some(index) = at {
        if let Some(start) = path.iter().position(|passed| *passed == index) {
            let cycle = path.split_off(start);
            return if cycle.len() > 1 { cycle } else { Vec::new() };
        }
        path.push(index);
        at = names[index].1.as_ref().and_then(|wanted| holders.get(wanted).copied());
    }
    Vec::new()
}

/// Returns the names of a task that renames its account.
pub(super) fn names_of(task: &Task) -> Option<Names> {
    let TaskStep::Owned(owned) = &task.step else { return None };
    let writes = task.account_change().is_some_and(AccountChange::writes_attributes);
    let renames = writes && owned.differs.contains(&TargetPath::user_name());
    renames.then(|| (held(task), wanted(task)))
}

/// Returns the position of one rename of each cycle: the one that is carried out over a temporary name.
pub(super) fn first_of_cycles(names: &[Names]) -> Vec<usize> {
    let holders: HashMap<&UserName, usize> =
        names.iter().enumerate().filter_map(|(index, (held, _))| Some((held.as_ref()?, index))).collect();
    // The walk in which a rename was met; 0 is none.
    let mut met = vec![0; names.len()];
    let mut found = Vec::new();
    for start in 0..names.len() {
        let mut at = Some(start);
        while let Some(index) = at.filter(|index| met.get(*index) == Some(&0)) {
            if let Some(met) = met.get_mut(index) {
                *met = start + 1;
            }
            let next = names.get(index).and_then(|(_, wanted)| holders.get(wanted.as_ref()?)).copied();
            // A rename to the name that it has, in other letters, waits for nobody.
            at = next.filter(|next| *next != index);
        }
        found.extend(at.filter(|index| met.get(*index) == Some(&(start + 1))));
    }
    found
}

/// The beginning of temporary names.
const TEMPORARY: &str = "renaming-";

/// Whether a user name is a temporary one of a swap that was not finished.
pub(crate) fn is_temporary(name: &UserName) -> bool {
    let rest = name.as_str().strip_prefix(TEMPORARY);
    let digest = rest.map(|rest| rest.split('@').next().unwrap_or(rest));
    digest.is_some_and(|digest| digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Returns the temporary name of an account: of the same domain, and the same whenever it is needed.
fn temporary_name(id: &SourceId, now: &UserName) -> Option<UserName> {
    let digest = fingerprint(["temporary user name", id.as_str(), now.as_str()]);
    let domain = now.as_str().rfind('@').and_then(|at| now.as_str().get(at..)).unwrap_or_default();
    format!("{TEMPORARY}{}{domain}", digest.get(..8)?).parse().ok()
}

/// Gives the account of `task` a temporary name; the inner error has the words of a refusal.
async fn take_temporary_name(context: &Context, task: &mut Task) -> Result<Result<(), String>, Halt> {
    let name = held(task).and_then(|name| temporary_name(&task.id, &name));
    match name {
        Some(name) => set_name(context, task, &name).await,
        None => Ok(Err("its userName is not known".to_owned())),
    }
}

/// Renames the account of `task` to `name`; the inner error has the words of a refusal. The intent is stored before the
/// request, and the name after it.
async fn set_name(context: &Context, task: &mut Task, name: &UserName) -> Result<Result<(), String>, Halt> {
    let Some(link) = task.record.link.clone() else { return Ok(Err("it has no account".to_owned())) };
    if context.client.is_stopping() {
        return Err(Halt::Stopped);
    }
    task.record.note_rename(name.clone());
    task.record.intent = Some(Intent::Update);
    // Whatever comes, a further run has to look at the user again.
    task.record.fingerprint = None;
    save(context, task).await?;
    let path = TargetPath::user_name();
    let wanted = Desired::only_user_name(name);
    let keys = task.record.keys_at(&link);
    let paths = [path.clone()];
    let request = AccountWrite {
        account: &link.account,
        keys: &keys,
        wanted: &wanted,
        link: &link,
        paths: &paths,
        active: None,
        base: None,
    };
    let data = personal_data(Some(&wanted), &task.record);
    let written = match with_personal_data(data, Box::pin(write(context, request))).await {
        Err(Halt::Failed(trouble)) => WriteOutcome::Refused(trouble),
        other => other?,
    };
    let refusal = match written {
        WriteOutcome::Done(effects) if !effects.not_stored().contains(&path) => None,
        WriteOutcome::Done(_) => Some(format!("the target did not store {:?}", name.as_str())),
        WriteOutcome::Taken(detail) | WriteOutcome::Ignored(_, detail) => Some(detail),
        WriteOutcome::Refused(trouble) if trouble.unsure => {
            let detail = trouble.detail.clone();
            task.step = TaskStep::Fail(trouble);
            return Ok(Err(detail));
        }
        WriteOutcome::Refused(trouble) => Some(trouble.detail),
        WriteOutcome::Gone(_) | WriteOutcome::Hidden => Some("the account is not found".to_owned()),
        WriteOutcome::DeletedByTarget | WriteOutcome::Withheld => Some("the account is gone".to_owned()),
    };
    if refusal.is_none() {
        let value = name.as_str().into();
        if let Some(link) = &mut task.record.link {
            link.carry(&path, Some(&value), None);
            link.written = Some(seconds(context.client.now()));
        }
        if let TaskStep::Owned(owned) = &mut task.step {
            // What was read before has the former name.
            owned.base = None;
        }
    }
    task.record.resolve_intent();
    save(context, task).await?;
    Ok(refusal.map_or(Ok(()), Err))
}

async fn save(context: &Context, task: &Task) -> Result<(), Halt> {
    context.save(vec![StateChange::Put(task.id.clone(), Arc::new(task.record.clone()))]).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<UserName> {
        (!text.is_empty()).then(|| text.parse().unwrap())
    }

    #[test]
    fn cycle_is_found_from_any_of_its_renames_and_from_those_that_wait_for_it() {
        for (renames, expected) in [
            (&[("a", "b"), ("b", "a")][..], &[0, 1][..]),
            (&[("a", "b"), ("b", "c"), ("c", "a")], &[0, 1, 2]),
            (&[("a", "c"), ("b", "a"), ("c", "b")], &[0, 2, 1]),
            // The first one waits for a cycle, and is in none.
            (&[("d", "a"), ("a", "b"), ("b", "a")], &[1, 2]),
            // Without case, as a target compares.
            (&[("Ada", "BOB"), ("bob", "ADA")], &[0, 1]),
            (&[("a", "b"), ("b", "c")], &[]),
            (&[("a", "a")], &[]),
            (&[("", "a"), ("a", "")], &[]),
            (&[], &[]),
        ] {
            let names: Vec<Names> = renames.iter().map(|(held, wanted)| (name(held), name(wanted))).collect();
            assert_eq!(cycle(&names), expected, "{renames:?}");
        }
    }

    #[test]
    fn one_rename_of_each_cycle_takes_a_temporary_name() {
        for (renames, expected) in [
            (&[("a", "b"), ("b", "a")][..], &[0][..]),
            (&[("a", "b"), ("b", "c"), ("c", "a"), ("x", "y"), ("y", "x")], &[0, 3]),
            (&[("d", "a"), ("a", "b"), ("b", "a")], &[1]),
            (&[("Ada", "ada"), ("b", "c")], &[]),
            (&[("a", "b"), ("b", "c")], &[]),
            (&[], &[]),
        ] {
            let names: Vec<Names> = renames.iter().map(|(held, wanted)| (name(held), name(wanted))).collect();
            assert_eq!(first_of_cycles(&names), expected, "{renames:?}");
        }
    }

    #[test]
    fn temporary_name_is_told_from_others() {
        let temporary = temporary_name(&"1".parse().unwrap(), &"ada@example.org".parse().unwrap()).unwrap();
        assert!(is_temporary(&temporary), "{temporary}");
        for other in ["renaming-ada", "ada", "renaming-", "renaming-1234567g@x"] {
            assert!(!is_temporary(&other.parse().unwrap()), "{other}");
        }
    }

    #[test]
    fn temporary_name_keeps_the_domain_and_differs_by_user() {
        let of = |id: &str, text: &str| temporary_name(&id.parse().unwrap(), &text.parse().unwrap()).unwrap();
        let (ada, bob) = (of("1", "ada@example.org"), of("2", "ada@example.org"));
        assert!(ada.as_str().starts_with("renaming-") && ada.as_str().ends_with("@example.org"), "{ada}");
        assert_ne!(ada, bob);
        assert_eq!(ada, of("1", "ada@example.org"));
        assert_eq!(of("1", "ada").as_str().len(), "renaming-".len() + 8);
    }
}
