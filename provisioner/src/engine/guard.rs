//! The delete guard: too many removals stop a run before anything is written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Prepared;
use super::task::Task;
use crate::config::Options;

/// How far back finished removals count.
const WINDOW: Duration = Duration::from_hours(24);
/// From how many managed accounts on the percentage counts.
const PERCENT_FROM: u64 = 100;

/// Whether the run's removals may be carried out; `approved` is the number a person has agreed to.
///
/// # Errors
/// A message that says what is too much, and the way out.
pub(crate) fn check(
    options: &Options,
    prepared: &Prepared,
    now: SystemTime,
    approved: Option<u32>,
) -> Result<(), String> {
    let planned = prepared.tasks.iter().filter(|task| task.removes()).count() as u64;
    if planned == 0 || approved.map(u64::from) == Some(planned) {
        return Ok(());
    }
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(WINDOW).as_secs();
    let recent =
        prepared.removals.iter().filter(|at| u64::try_from(**at).is_ok_and(|at| at > since)).count() as u64;
    let managed = prepared.managed as u64 + recent;
    let way_out = format!(
        "nothing was written; look at them with `plan`, and if they are meant, run once with --approve-removals {planned}, or raise the limit"
    );
    let removals = if recent == 0 {
        format!("{planned} accounts would be removed")
    } else {
        format!("{planned} accounts would be removed after {recent} in the last 24 hours")
    };
    if planned + recent > u64::from(options.max_removals) {
        let names = first_names(&prepared.tasks);
        return Err(format!("{removals} ({names}), and max-removals is {}: {way_out}", options.max_removals));
    }
    if managed >= PERCENT_FROM && (planned + recent) * 100 > u64::from(options.max_removals_percent) * managed
    {
        let names = first_names(&prepared.tasks);
        return Err(format!(
            "{removals} ({names}) of {managed} managed ones, and max-removals-percent is {}: {way_out}",
            options.max_removals_percent
        ));
    }
    Ok(())
}

/// A few of those concerned, by source id, so that the message can be acted on.
fn first_names(tasks: &[Task]) -> String {
    let mut ids: Vec<&str> =
        tasks.iter().filter(|task| task.removes()).map(|task| task.id.as_str()).take(4).collect();
    if ids.len() > 3 {
        ids.pop();
        return format!("{}, …", ids.join(", "));
    }
    ids.join(", ")
}
