//! Users with whom another process has begun.

use super::{Found, ask, decide, settle_create};
use crate::engine::context::Context;
use crate::engine::scope::Subject;
use crate::engine::task::Task;
use crate::target::Halt;

/// Decides about a user whose last requests have an unknown end, from what its account shows.
///
/// # Errors
/// The run was stopped.
pub(crate) async fn decide_unsettled(
    context: &Context,
    mut subject: Subject,
    full: bool,
) -> Result<Option<Task>, Halt> {
    let mut changes = Vec::new();
    let found = match ask(context, &subject, None, full).await {
        found if found.is_stopped() => return Err(Halt::Stopped),
        Found::Resolved(created, lookup) => {
            settle_create(context, &mut subject, created, lookup, &mut changes)
        }
        found => found,
    };
    let task = decide(context, subject, found, full, &mut changes);
    context.save(changes).await?;
    Ok(task)
}
