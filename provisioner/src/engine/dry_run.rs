//! A dry run: the report of a sync as it is expected, without a write to the target or the state.

use std::collections::BTreeSet;

use super::groups::plan::lines as group_lines;
use super::outcome::UserOutcome;
use super::plan::outlook;
use super::{PreparedRun, Provisioner, SyncOptions};
use crate::ids::SourceId;
use crate::report::{Outcome, RunReport, UserLine};
use crate::target::Halt;

impl Provisioner {
    /// Returns the report that [`Provisioner::sync`] would return, as far as can be foreseen. Only reads are sent.
    pub async fn dry_run(&self, options: &SyncOptions) -> RunReport {
        let _running = self.running.lock().await;
        // Nothing is written, so no worker takes part.
        let options = &SyncOptions { workers: false, ..options.clone() };
        let report = match self.prepare(options, None).await {
            Err(ended) => ended.report(),
            Ok(prepared) => match self.guard(&prepared, options).await {
                Err(stopped) => {
                    let requests = prepared.context.client.requests();
                    RunReport::new(Vec::new(), prepared.users, requests, Some(stopped))
                }
                Ok(()) => match lines(&prepared).await {
                    Ok((lines, created)) => {
                        let requests = prepared.context.client.requests();
                        let report = RunReport::new(lines, prepared.users, requests, None);
                        match &prepared.groups {
                            Some(groups) => {
                                groups.expected.note_created(created);
                                let lines = group_lines(self.config(), groups);
                                report.with_groups(lines, groups.total, requests, None)
                            }
                            None => report,
                        }
                    }
                    Err(_) => prepared.stopped(),
                },
            },
        };
        report.of_a_dry_run()
    }
}

/// Returns the lines of the users, and those of them whose account is to be made.
async fn lines(prepared: &PreparedRun) -> Result<(Vec<UserLine>, BTreeSet<SourceId>), Halt> {
    let (mut lines, mut created) = (Vec::new(), BTreeSet::new());
    for at in 0..prepared.tasks.len() {
        let Some(task) = prepared.tasks.get(&prepared.context, at).await? else { continue };
        if prepared.groups.is_some() && task.creates() {
            created.insert(task.id.clone());
        }
        let outlook = outlook(&prepared.context, &task);
        let Some((UserOutcome { operation, outcome, reason, detail }, _)) = outlook else { continue };
        lines.push(UserLine {
            failed_deprovision: outcome == Outcome::Failed && task.removes(),
            source_id: task.id,
            user_name: task.record.user_name,
            target_id: task.record.link.map(|link| link.account),
            change: task.label,
            operation,
            outcome,
            reason,
            detail,
        });
    }
    Ok((lines, created))
}
