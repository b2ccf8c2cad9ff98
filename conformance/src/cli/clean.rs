//! `conformance clean`: removes what runs of the harness left at a server.

use clap::Args;
use serde_json::json;

use crate::cli::server::Access;
use crate::cli::{Complaint, runtime, say};
use crate::exit::Exit;
use crate::report::plain;
use crate::server::PREFIX;
use crate::server::preflight::preflight;
use crate::server::sweep::{self, Found, Search};

#[derive(Debug, Args)]
pub(super) struct Clean {
    /// The SCIM base URL, as in https://example.com/scim/v2
    #[arg(value_name = "URL")]
    url: String,
    #[command(flatten)]
    access: Access,
    /// List what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object a line, the last one a summary
    #[arg(long)]
    json: bool,
}

impl Clean {
    pub(super) fn run(&self) -> Result<Exit, Complaint> {
        let client = self.access.client(&self.url)?;
        runtime()?.block_on(async {
            let facts = preflight(&client).await.map_err(|error| Complaint::broken(error.to_string()))?;
            let Search { found, unsearched } = sweep::search(&client, &facts, PREFIX).await;
            let mut stay = 0_usize;
            // Groups first: a server may not let go of a member.
            for one in found.iter().rev() {
                let outcome = if self.dry_run { Ok(()) } else { sweep::delete(&client, &one.path).await };
                stay += usize::from(outcome.is_err());
                self.tell(one, outcome.err().as_deref())?;
            }
            for why in &unsearched {
                eprintln!("warning: not searched: {}", plain::one_line(why));
            }
            let deleted = if self.dry_run { 0 } else { found.len() - stay };
            if self.json {
                let summary = json!({
                    "type": "summary", "found": found.len(), "deleted": deleted, "failed": stay,
                    "notSearched": unsearched, "dryRun": self.dry_run,
                });
                say(&format!("{summary}\n"))?;
            } else if self.dry_run {
                let what = if found.len() == 1 { "resource has" } else { "resources have" };
                say(&format!(
                    "{} {what} a name that starts with {PREFIX}; nothing was deleted\n",
                    found.len()
                ))?;
            } else {
                let rest = if stay == 0 { String::new() } else { format!(", {stay} could not be deleted") };
                say(&format!("deleted {deleted} of {} found{rest}\n", found.len()))?;
            }
            Ok(if stay > 0 || !unsearched.is_empty() { Exit::Failed } else { Exit::Passed })
        })
    }

    fn tell(
        &self,
        Found { path, resource_type, name }: &Found,
        failed: Option<&str>,
    ) -> Result<(), Complaint> {
        let outcome = match (failed, self.dry_run) {
            (Some(_), _) => "failed",
            (None, true) => "found",
            (None, false) => "deleted",
        };
        if self.json {
            let line = json!({
                "type": "resource", "outcome": outcome, "resourceType": resource_type, "name": name, "path": path,
                "detail": failed,
            });
            return say(&format!("{line}\n"));
        }
        let why = failed.map_or_else(String::new, |why| format!(": {why}"));
        let line = format!("{outcome} {resource_type} {name} ({path}){why}");
        say(&format!("{}\n", plain::one_line(&line)))
    }
}
