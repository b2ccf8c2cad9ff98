//! `conformance clean`: removes what runs of the harness left at a server.

use clap::Args;
use serde_json::json;

use crate::cli::server::Access;
use crate::cli::{Complaint, runtime, say};
use crate::exit::Exit;
use crate::report::plain;
use crate::server::preflight::preflight;
use crate::server::sweep::{self, Found, Search, Stays};

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
            let Search { found, left_alone, unsearched } = sweep::search(&client, &facts).await;
            let (mut stay, mut deactivated) = (0_usize, 0_usize);
            // Groups first: a server may not let go of a member.
            for one in found.iter().rev() {
                let outcome = if self.dry_run { Ok(()) } else { sweep::delete(&client, &one.path).await };
                stay += usize::from(outcome.is_err());
                deactivated += usize::from(matches!(outcome, Err(Stays::Deactivated(_))));
                let word = match (&outcome, self.dry_run) {
                    (Err(_), _) => "failed",
                    (Ok(()), true) => "found",
                    (Ok(()), false) => "deleted",
                };
                self.tell(one, word, outcome.err().map(|why| why.to_string()))?;
            }
            for one in &left_alone {
                let why = "the name only begins like those of a run";
                self.tell(one, "left alone", Some(why.to_owned()))?;
            }
            for why in &unsearched {
                eprintln!("warning: not searched: {}", plain::one_line(why));
            }
            let deleted = if self.dry_run { 0 } else { found.len() - stay };
            if self.json {
                let summary = json!({
                    "type": "summary", "found": found.len(), "deleted": deleted, "failed": stay,
                    "deactivated": deactivated, "leftAlone": left_alone.len(),
                    "notSearched": unsearched, "dryRun": self.dry_run,
                });
                say(&format!("{summary}\n"))?;
            } else if self.dry_run {
                let what = if found.len() == 1 { "resource has" } else { "resources have" };
                say(&format!(
                    "{} {what} a name that a run of conformance made; nothing was deleted\n",
                    found.len()
                ))?;
            } else {
                let rest = match (stay, deactivated) {
                    (0, _) => String::new(),
                    (stay, 0) => format!(", {stay} could not be deleted"),
                    (stay, deactivated) => format!(
                        ", {stay} are still there, of which {deactivated} are deactivated: this server keeps accounts \
                         that are deleted, so remove them by its own administration"
                    ),
                };
                say(&format!("deleted {deleted} of {} found{rest}\n", found.len()))?;
            }
            Ok(if stay > 0 || !unsearched.is_empty() { Exit::Failed } else { Exit::Passed })
        })
    }

    fn tell(&self, found: &Found, outcome: &str, why: Option<String>) -> Result<(), Complaint> {
        let Found { path, resource_type, name, .. } = found;
        if self.json {
            let line = json!({
                "type": "resource", "outcome": outcome.replace(' ', "-"), "resourceType": resource_type, "name": name,
                "path": path, "detail": why,
            });
            return say(&format!("{line}\n"));
        }
        let why = why.map_or_else(String::new, |why| format!(": {why}"));
        let line = format!("{outcome} {resource_type} {name} ({path}){why}");
        say(&format!("{}\n", plain::one_line(&line)))
    }
}
