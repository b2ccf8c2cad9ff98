//! `conformance clean`: removes what runs of the harness left at a server.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::json;

use crate::cli::server::Access;
use crate::cli::{Complaint, runtime, say};
use crate::exit::Exit;
use crate::format;
use crate::server::preflight::preflight;
use crate::server::sweep::{self, Cleared, Found, Search, Staying, Stays};

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
            let facts = preflight(&client).await.map_err(Complaint::broken_by)?;
            let Cleared { tried, search } = if self.dry_run {
                let search = sweep::search(&client, &facts).await;
                for one in search.found.iter().rev() {
                    self.tell(one, "found", None)?;
                }
                Cleared { tried: BTreeMap::new(), search }
            } else {
                let told = |one: &Found, outcome: &Result<(), Stays>| match outcome {
                    Ok(()) => self.tell(one, "deleted", None),
                    Err(why) => self.tell(one, "failed", Some(why.to_string())),
                };
                sweep::clear(&client, &facts, |_| true, told).await?
            };
            let Search { found, left_alone, unsearched } = search;
            for one in &left_alone {
                let why = "the name only begins like those of a run";
                self.tell(one, "left alone", Some(why.to_owned()))?;
            }
            for why in &unsearched {
                eprintln!("warning: not searched to the end: {}", format::one_line(why));
            }
            let staying = Staying::of(tried.values().filter_map(|outcome| outcome.as_ref().err()));
            let stay = staying.all;
            let found = if self.dry_run { found.len() } else { tried.len() };
            let deleted = tried.len() - stay;
            if self.json {
                let summary = json!({
                    "type": "summary", "found": found, "deleted": deleted, "failed": stay,
                    "deactivated": staying.deactivated, "leftAlone": left_alone.len(),
                    "notSearched": unsearched, "dryRun": self.dry_run,
                });
                say(&format!("{summary}\n"))?;
            } else if self.dry_run {
                let what = if found == 1 { "resource has" } else { "resources have" };
                say(&format!("{found} {what} a name that a run of conformance made; nothing was deleted\n"))?;
            } else {
                let rest = if stay == 0 { String::new() } else { format!(", {stay} could not be deleted") };
                let by_hand: String = staying.by_hand().into_iter().map(|sentence| sentence + "\n").collect();
                say(&format!("{by_hand}deleted {deleted} of {found} found{rest}\n"))?;
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
        say(&format!("{}\n", format::one_line(&line)))
    }
}
