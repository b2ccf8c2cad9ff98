//! Carrying out the decisions: users beside each other, each one's requests in order.

use std::sync::Arc;

use super::context::Context;
use super::correlate::decide_unsettled;
use super::distribute::{Gathered, distribute};
use super::renames;
use super::task::Task;
use super::task_list::TaskList;
use super::user::{TaskResult, run as run_user};
use super::worker_pool::{Progress, in_parallel};
use super::{Environment, PreparedRun};
use crate::exit::Exit;
use crate::report::{Operation, Outcome, Reason, RunReport, Stopped, UserLine};
use crate::state::shared::Shared;
use crate::state::store::StoreError;
use crate::state::{StateChange, WriteKind};
use crate::target::Halt;

/// A task with the position of its line.
pub(super) type Placed = (usize, Task);

/// Carries out the decisions, and returns the report.
pub(crate) async fn run(prepared: PreparedRun, environment: &Environment) -> RunReport {
    let PreparedRun { context, tasks, users, changes, shared, .. } = prepared;
    let total = tasks.len();
    let report = |lines| RunReport::new(lines, users, context.client.requests(), stopped(&context, total));
    if context.save(changes).await.is_err() || context.keep_lessons().await.is_err() {
        return report(Vec::new());
    }
    environment.progress.begin("provisioning", tasks.len());
    let width = users_in_work(context.config.options.concurrency.get());
    let mut lines = Vec::new();
    let mut deferred = Vec::new();
    let mut refused = Vec::new();
    let tasks = Arc::new(tasks);
    let order = if let Some(shared) = &shared {
        match by_others(&context, &tasks, shared, &environment.progress).await {
            Ok(Gathered { lines: told, deferred: begun, refused: again, rest }) => {
                lines = told;
                for at in begun {
                    let task = taken_over(&context, &tasks, at).await;
                    deferred.extend(task.map(|task| (at, task)));
                }
                for (at, line) in again {
                    match taken_over(&context, &tasks, at).await {
                        Some(task) => refused.push((at, line, Box::new(task))),
                        None => lines.extend(line.map(|line| (at, line))),
                    }
                }
                rest
            }
            Err(_) => return report(Vec::new()),
        }
    } else {
        tasks.order()
    };
    let order = Arc::new(order);
    let results = {
        let (shared, order) = (Arc::clone(&context), Arc::clone(&order));
        in_parallel(order.len(), width, &environment.progress, move |index| {
            let (context, tasks, order) = (Arc::clone(&shared), Arc::clone(&tasks), Arc::clone(&order));
            async move {
                let position = *order.get(index)?;
                let task = tasks.get(&context, position as usize).await.ok()??;
                context.standing_failures.note(&task.id, &task.record);
                Some((position as usize, attempt(&context, task, false).await))
            }
        })
        .await
    };
    for (position, ran) in results.into_iter().flatten() {
        match ran {
            Some(TaskResult::Settled(line)) => lines.extend(line.map(|line| (position, line))),
            Some(TaskResult::Deferred(task)) => deferred.push((position, *task)),
            Some(TaskResult::Refused(line, task)) => refused.push((position, line, task)),
            None => {}
        }
    }
    lines.extend(renames::run(&context, deferred).await);
    for (position, line, task) in refused {
        let (id, started) = (task.id.clone(), context.client.now());
        let again =
            async { if task.may_work_now(&context) { once_more(&context, line, *task).await } else { line } };
        let (line, turn) = context.client.recorder().in_turn(&id, started, again).await;
        if let Some(line) = &line {
            context.client.recorder().settled(&turn, context.client.now(), line);
        }
        lines.extend(line.map(|line| (position, line)));
    }
    environment.progress.end();
    lines.sort_by_key(|(position, _)| *position);
    report(lines.into_iter().map(|(_, line)| line).collect())
}

/// Has workers carry out what they can.
///
/// # Errors
/// The run was stopped.
async fn by_others(
    context: &Arc<Context>,
    tasks: &TaskList,
    shared: &Arc<Shared>,
    progress: &Arc<dyn Progress>,
) -> Result<Gathered, Halt> {
    let stop = |error: StoreError| context.stop_for_state(&error);
    // What was learned under other credentials was forgotten in memory only.
    let connection = context.store().connection();
    context.save(vec![StateChange::Connection(Box::new(connection))]).await?;
    let gathered = distribute(context, tasks, shared, progress).await?;
    context.store().reload().await.map_err(stop)?;
    note_what_worked(context, &gathered);
    Ok(gathered)
}

/// Notes which kinds of writes took effect for others, by their lines.
fn note_what_worked(context: &Context, gathered: &Gathered) {
    let refused = gathered.refused.iter().filter_map(|(_, line)| line.as_ref());
    for line in gathered.lines.iter().map(|(_, line)| line).chain(refused) {
        if line.outcome != Outcome::Success || line.reason != Reason::Done {
            continue;
        }
        match line.operation {
            Operation::Update => context.capabilities.note_worked(WriteKind::Attributes),
            Operation::Disable => context.capabilities.note_worked(WriteKind::Disable),
            Operation::Enable => context.capabilities.note_worked(WriteKind::Enable),
            Operation::Delete => context.capabilities.deletes_work(),
            Operation::Create | Operation::Link | Operation::None => {}
        }
    }
}

/// Returns the task of a user with whom a worker has begun.
async fn taken_over(context: &Context, tasks: &TaskList, at: usize) -> Option<Task> {
    let subject = tasks.begun(context, at).await.ok()??;
    decide_unsettled(context, subject, tasks.is_full()).await.ok()?
}

/// Returns how many users are in work at once where `concurrency` requests are in flight.
///
/// Most of them wait for the state, which writes the intents and outcomes of all of them in one transaction: without them
/// each user would cost two waits for the disk. The requests themselves are limited by the client.
pub(super) const fn users_in_work(concurrency: usize) -> usize {
    const EACH: usize = 32;
    const MOST: usize = 512;
    match concurrency {
        0 | 1 => 1,
        more if more.saturating_mul(EACH) < MOST => more * EACH,
        more if more < MOST => MOST,
        more => more,
    }
}

/// Returns why the run was stopped, with the number of settled users; `total` users had something to do.
fn stopped(context: &Context, total: usize) -> Option<(Exit, Stopped)> {
    let (exit, mut stopped) = context.client.stopped()?;
    let done = context.settled();
    let left = total.saturating_sub(done);
    stopped.message = format!("{}; {done} of {total} users were done, {left} are left", stopped.message);
    Some((exit, stopped))
}

pub(super) async fn attempt(context: &Context, task: Task, last: bool) -> Option<TaskResult> {
    let (recorder, id) = (context.client.recorder(), task.id.clone());
    let (ran, turn) = recorder.in_turn(&id, context.client.now(), run_or_fail(context, task, last)).await;
    if let Some(TaskResult::Settled(Some(line))) = &ran {
        recorder.settled(&turn, context.client.now(), line);
    }
    if let Some(TaskResult::Settled(_) | TaskResult::Refused(..)) = &ran {
        context.settle();
    }
    ran
}

async fn run_or_fail(context: &Context, task: Task, last: bool) -> Option<TaskResult> {
    let (id, name, label) = (task.id.clone(), task.record.user_name.clone(), task.label);
    let rule = task.record.rule.clone();
    match run_user(context, task, last).await {
        Ok(ran) => Some(ran),
        Err(Halt::Stopped) => None,
        // Every user is reported: a trouble that no step handled ends here, and is tried again in the next run.
        Err(Halt::Failed(trouble)) => {
            let line = UserLine {
                source_id: id,
                user_name: name,
                target_id: None,
                change: label,
                operation: Operation::None,
                outcome: Outcome::Failed,
                reason: trouble.reason,
                detail: Some(trouble.detail),
                failed_deprovision: false,
            };
            let entry = context.audit(&line, rule.as_ref(), None, None);
            context.save(vec![entry]).await.ok()?;
            Some(TaskResult::Settled(Some(line)))
        }
    }
}

/// Tries the writes once more that were refused for want of support, since such writes have worked for others; `told` is
/// the line of the user if there is no result.
async fn once_more(context: &Context, told: Option<UserLine>, task: Task) -> Option<UserLine> {
    match run_user(context, task, true).await {
        Ok(TaskResult::Settled(line) | TaskResult::Refused(line, _)) => line.or(told),
        Ok(TaskResult::Deferred(_)) | Err(_) => told,
    }
}
