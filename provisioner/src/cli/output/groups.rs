//! The lines of groups for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{GROUP, LISTED, OPERATION, OUTCOME, Row, legend};
use crate::report::groups::{GroupLine, GroupSummary};
use crate::report::{Outcome, word};

/// Returns the lines of the groups, the worst outcome first. Lines beyond the limit are counted, and each reason is
/// explained once, at the end.
pub(super) fn lines(groups: &[GroupLine], width: usize) -> String {
    let mut text = String::new();
    let mut left_out = 0;
    let mut reasons = BTreeSet::new();
    for outcome in [Outcome::Failed, Outcome::Partial, Outcome::Unsynced, Outcome::Success] {
        for (listed, line) in groups.iter().filter(|line| line.outcome == outcome).enumerate() {
            if listed >= LISTED {
                left_out += 1;
                continue;
            }
            let mut below = Vec::new();
            if line.members_added + line.members_removed > 0 {
                below.push(format!("{} members added, {} removed", line.members_added, line.members_removed));
            }
            below.extend(match (&line.detail, outcome) {
                (None, Outcome::Success) => None,
                (Some(detail), Outcome::Success) => Some(detail.clone()),
                (None, Outcome::Unsynced | Outcome::Partial | Outcome::Failed) => Some(word(&line.reason)),
                (Some(detail), Outcome::Unsynced | Outcome::Partial | Outcome::Failed) => {
                    Some(format!("{}: {detail}", word(&line.reason)))
                }
            });
            if outcome != Outcome::Success {
                reasons.insert((line.reason, line.reason.explain()));
            }
            let lead = [
                (word(&line.outcome), OUTCOME),
                (word(&line.operation), OPERATION),
                ("group".to_owned(), GROUP),
            ];
            let change = word(&line.change);
            text.push_str(&Row { lead: &lead, outcome, user: &line.name, change, below }.render(width));
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "… and {left_out} more groups: --json lists all");
    }
    text.push_str(&legend(reasons, width));
    text
}

/// Returns the figures of the groups of a run, in one line.
pub(super) fn figures(summary: &GroupSummary) -> String {
    format!(
        "{} groups in the source, {} impacted: {} success, {} unsynced, {} partial, {} failed; {} members added, {} removed",
        summary.groups,
        summary.impacted,
        summary.success,
        summary.unsynced,
        summary.partial,
        summary.failed,
        summary.members_added,
        summary.members_removed,
    )
}
