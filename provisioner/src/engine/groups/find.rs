//! Finding the counterparts of groups: by name, by `externalId` where a POST may have been cut off, and by one list of all
//! where many are unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use scim::text::lower_case;
use tokio::sync::OnceCell;

use super::super::context::Context;
use super::GroupTrouble;
use super::learned::GroupCapabilities;
use super::scope::{GroupStanding, GroupSubject};
use crate::engine::worker_pool::in_parallel;
use crate::ids::{SourceId, TargetId};
use crate::policy::groups::GroupState;
use crate::report::Reason;
use crate::report::groups::GroupReason;
use crate::state::groups::{GroupIntent, GroupLink};
use crate::target::groups::{GroupLookup, GroupRead, RemoteGroup, is_without_groups};
use crate::target::{Halt, Trouble};

/// The number of groups without a link from which the target is listed once in place of a look-up each.
const LIST_FROM: usize = 10;

/// A look-up or a read, and its result.
enum Answer {
    Lookup(GroupLookup),
    Read(GroupRead),
    Trouble(GroupTrouble),
}

/// All groups of the target, or why they cannot be listed.
type Listed = Result<Vec<RemoteGroup>, Trouble>;

/// Asks the target for each group that has to be looked up or read, and notes the answers.
pub(super) async fn counterparts(
    context: &Arc<Context>,
    capabilities: &Arc<GroupCapabilities>,
    subjects: &mut [GroupSubject],
    full: bool,
) {
    let asked: Vec<usize> = (0..subjects.len()).filter(|at| needs_answer(&subjects[*at], full)).collect();
    let unlinked = asked.iter().filter(|at| subjects[**at].record.link.is_none()).count();
    let list: Arc<OnceCell<Listed>> = Arc::default();
    if unlinked >= LIST_FROM {
        let _ = list.set(all(context).await);
    }
    let questions: Arc<Vec<GroupSubject>> =
        Arc::new(asked.iter().map(|at| GroupSubject { present: None, ..subjects[*at].clone() }).collect());
    let width = context.config.options.concurrency.get();
    let (shared, silent) = (Arc::clone(context), Arc::new(()) as Arc<dyn crate::engine::Progress>);
    let answers = in_parallel(questions.len(), width, &silent, move |index| {
        let (context, questions, list) = (Arc::clone(&shared), Arc::clone(&questions), Arc::clone(&list));
        async move { answer(&context, &questions[index], &list).await }
    })
    .await;
    for (at, answer) in asked.into_iter().zip(answers) {
        note(capabilities, &mut subjects[at], answer);
    }
}

fn needs_answer(subject: &GroupSubject, full: bool) -> bool {
    if subject.trouble.is_some() {
        return false;
    }
    match &subject.standing {
        GroupStanding::Owned(owned) => {
            // After a failure or a changed rule it is not known what the group has.
            let is_settled = subject.record.fingerprint.as_ref() == Some(&owned.fingerprint);
            subject.record.link.is_none() || full || subject.record.intent.is_some() || !is_settled
        }
        GroupStanding::Left { .. } => subject.record.has_unresolved_create(),
    }
}

/// Lists all groups.
async fn all(context: &Context) -> Listed {
    match context.client.all_groups().await {
        Ok(groups) => Ok(groups),
        Err(Halt::Stopped) => Err(Trouble::new(Reason::Unreachable, "the run was stopped")),
        Err(Halt::Failed(trouble)) => {
            tracing::debug!(?trouble, "failed to list the groups; each is looked up");
            Err(trouble)
        }
    }
}

async fn answer(context: &Context, subject: &GroupSubject, list: &OnceCell<Listed>) -> Answer {
    let asked = match &subject.record.link {
        Some(link) => context.client.read_group(&link.id, &link.display_name).await.map(Answer::Read),
        None => look_up(context, subject, list).await,
    };
    match asked {
        Ok(answer) => answer,
        Err(Halt::Stopped) => {
            Answer::Trouble(GroupTrouble::new(GroupReason::Unreachable, "the run was stopped"))
        }
        Err(Halt::Failed(trouble)) => Answer::Trouble(trouble.into()),
    }
}

async fn look_up(context: &Context, subject: &GroupSubject, list: &OnceCell<Listed>) -> Result<Answer, Halt> {
    let client = &context.client;
    let posted = match &subject.record.intent {
        Some(GroupIntent::Create { display_name }) => Some(display_name.as_str()),
        Some(GroupIntent::Update | GroupIntent::Delete) | None => None,
    };
    let found = match list.get() {
        Some(Ok(groups)) => Ok(in_list(groups, subject, posted)),
        // No look-up finds a group where there are none.
        Some(Err(trouble)) if is_without_groups(trouble) => return Err(trouble.clone().into()),
        Some(Err(_)) | None => by_filter(context, subject, posted).await,
    };
    let found = match found {
        // The filter of groups does not work there: the list of all tells too.
        Err(Halt::Failed(trouble)) if trouble.reason == Reason::FilterNotHonoured => {
            match list.get_or_init(|| all(context)).await {
                Ok(groups) => in_list(groups, subject, posted),
                Err(_) => return Err(trouble.into()),
            }
        }
        other => other?,
    };
    let GroupLookup::One(group) = found else { return Ok(Answer::Lookup(found)) };
    // Looked up without its members, which may be many.
    Ok(match client.read_group(&group.id, &subject.record.name).await? {
        GroupRead::Found(group) => Answer::Lookup(GroupLookup::One(group)),
        GroupRead::Gone => Answer::Lookup(GroupLookup::None),
    })
}

async fn by_filter(
    context: &Context,
    subject: &GroupSubject,
    posted: Option<&str>,
) -> Result<GroupLookup, Halt> {
    let client = &context.client;
    if let Some(posted) = posted {
        match client.groups_from(subject.id.as_str()).await {
            Ok(GroupLookup::None) | Err(Halt::Failed(_)) => {}
            other => return other,
        }
        if posted != subject.record.name {
            match client.groups_named(posted).await? {
                GroupLookup::None => {}
                found => return Ok(found),
            }
        }
    }
    client.groups_named(&subject.record.name).await
}

fn in_list(groups: &[RemoteGroup], subject: &GroupSubject, posted: Option<&str>) -> GroupLookup {
    let with = |is: &dyn Fn(&RemoteGroup) -> bool| {
        let found: Vec<RemoteGroup> = groups.iter().filter(|group| is(group)).cloned().collect();
        match found.len() {
            0 => None,
            1 => found.into_iter().next().map(|group| GroupLookup::One(Box::new(group))),
            several => Some(GroupLookup::Several(several)),
        }
    };
    let named = |name: &str| {
        let name = lower_case(name).into_owned();
        move |group: &RemoteGroup| group.display_name.as_deref().is_some_and(|own| *lower_case(own) == *name)
    };
    let ours = posted.and_then(|posted| {
        with(&|group| group.external_id.as_deref() == Some(subject.id.as_str()))
            .or_else(|| with(&named(posted)))
    });
    ours.or_else(|| with(&named(&subject.record.name))).unwrap_or(GroupLookup::None)
}

fn note(capabilities: &GroupCapabilities, subject: &mut GroupSubject, answer: Answer) {
    match answer {
        Answer::Trouble(trouble) => subject.trouble = Some(trouble),
        Answer::Lookup(GroupLookup::None) => subject.state = GroupState::None,
        Answer::Lookup(GroupLookup::Several(_)) => subject.state = GroupState::Ambiguous,
        Answer::Lookup(GroupLookup::One(group)) => {
            subject.present = capabilities.trusted(group.members.as_ref());
            if matches!(subject.standing, GroupStanding::Left { .. }) {
                // A POST that was cut off has made it, and the group left the source since.
                let is_ours = group.external_id.as_deref().is_none_or(|id| id == subject.id.as_str());
                subject.record.link = is_ours.then(|| GroupLink::to(&group));
                subject.state = if is_ours { GroupState::Linked } else { GroupState::None };
                return;
            }
            subject.state = GroupState::UnlinkedMatch;
            subject.found = Some(group);
        }
        Answer::Read(GroupRead::Gone) => subject.state = GroupState::LinkedGone,
        Answer::Read(GroupRead::Found(group)) => {
            subject.state = GroupState::Linked;
            subject.present = capabilities.trusted(group.members.as_ref());
            if let (Some(link), Some(name)) = (&mut subject.record.link, group.display_name) {
                link.display_name = name;
            }
        }
    }
}

/// Assigns each match to one group, in the order of the source. A match that is linked belongs to its holder, unless that is
/// gone from the source: then the link moves.
pub(super) fn assign(
    subjects: &mut Vec<GroupSubject>,
    mut holders: BTreeMap<TargetId, SourceId>,
    present: &BTreeSet<SourceId>,
) {
    let mut moved = BTreeSet::new();
    for subject in subjects.iter_mut() {
        let Some(found) = &subject.found else { continue };
        match holders.get(&found.id) {
            None => {}
            Some(holder) if *holder == subject.id => {}
            Some(holder) => {
                let holder_in_source = present.contains(holder);
                subject.state = GroupState::LinkedElsewhere { holder_in_source };
                if holder_in_source {
                    continue;
                }
                moved.insert(holder.clone());
                subject.moved_from = Some(holder.clone());
            }
        }
        holders.insert(found.id.clone(), subject.id.clone());
    }
    subjects.retain(|subject| !moved.contains(&subject.id));
}
