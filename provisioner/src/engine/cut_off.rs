//! Runs whose end was not stored: the process was killed, or a second Ctrl-C ended it at once. The beginning of a run is stored
//! before it writes, and the next run completes the entry in the audit log.

use super::{Provisioner, SyncOptions};
use crate::audit::{AuditEntry, RunEntry};
use crate::causes::with_cause;
use crate::exit::Exit;
use crate::state::{BegunRun, StateChange};

/// The word for the end of such a run.
const CUT_OFF: &str = "cut-off";

impl Provisioner {
    /// Stores the entry of an earlier run that was cut off, and notes the beginning of the present one; the latter is stored
    /// before the first write to the target.
    pub(super) async fn begin_stored_run(&self, command: &'static str, options: &SyncOptions) {
        self.begin_run(command);
        let mut connection = self.store.connection();
        if let Some(begun) = connection.begun.take() {
            let entry = AuditEntry::Run(Box::new(entry(begun, self.now())));
            let changes = vec![StateChange::Connection(Box::new(connection)), StateChange::Audit(entry)];
            if let Err(error) = self.store.write(changes).await {
                tracing::warn!(
                    error = with_cause(&error),
                    "failed to store the entry of a run that was cut off"
                );
            }
        }
        let begun = self.begun_run(options);
        self.store.amend_connection(|connection| connection.begun = Some(begun));
    }
}

fn entry(begun: BegunRun, now: String) -> RunEntry {
    let BegunRun { run, command, who, started, allowed } = begun;
    RunEntry {
        at: now,
        started,
        run,
        who,
        command,
        allowed,
        impacted: 0,
        failed: 0,
        requests: 0,
        stopped: Some(CUT_OFF.to_owned()),
        exit_code: Exit::Interrupted.code(),
    }
}
