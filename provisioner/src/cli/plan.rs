//! `provisioner plan`: what a sync would send, and why.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::output::{Output, table, trimmed};
use super::{Allow, Common, Use};
use crate::engine::plan::Plan;
use crate::exit::Exit;
use crate::report::{Outcome, word};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    allow: Allow,
    /// Saves the plan for `apply`. It holds attribute names, never their values.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) async fn run(args: &PlanArgs) -> Exit {
    let provisioner = match args.common.open(Use::Look).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let plan = match provisioner.plan(args.allow.options(None)).await {
        Ok(plan) => plan,
        Err(report) => {
            args.common.output().report(&report);
            return report.exit;
        }
    };
    if let Some(file) = &args.out {
        let written = serde_json::to_string_pretty(&plan)
            .map_err(std::io::Error::other)
            .and_then(|text| fs::write(file, text + "\n"));
        if let Err(error) = written {
            eprintln!("error: cannot write the plan to {}: {error}", file.display());
            return Exit::Usage;
        }
    }
    if args.common.json {
        print_json(&plan);
    } else {
        print(&plan);
    }
    Exit::Done
}

fn print_json(plan: &Plan) {
    let tagged = |kind: &str, value: serde_json::Result<serde_json::Value>| {
        if let Ok(serde_json::Value::Object(mut object)) = value {
            object.insert("type".to_owned(), kind.into());
            Output::object(&object);
        }
    };
    for entry in &plan.entries {
        tagged("plan", serde_json::to_value(entry));
    }
    tagged("summary", serde_json::to_value(&plan.summary));
}

fn print(plan: &Plan) {
    if !plan.entries.is_empty() {
        let mut table = table(&["user", "operation", "outcome", "would send", "why"]);
        for entry in plan.entries.iter().take(200) {
            let outcome = match entry.outcome {
                Outcome::Success => word(&entry.outcome),
                Outcome::Unsynced | Outcome::Partial | Outcome::Failed => {
                    format!("{}: {}", word(&entry.outcome), word(&entry.reason))
                }
            };
            table.add_row([
                entry.user_name.as_str().to_owned(),
                word(&entry.operation),
                outcome,
                entry.requests.join("\n"),
                entry.why.clone(),
            ]);
        }
        Output::line(&trimmed(&table));
        if plan.entries.len() > 200 {
            Output::line(&format!("… and {} more: --json lists everybody", plan.entries.len() - 200));
        }
    }
    let summary = &plan.summary;
    Output::line(&format!(
        "{} users in the source, {} impacted: {} existing accounts to link, {} to create, {} to update, {} to enable, \
         {} to disable, {} to remove; {} cannot be provisioned as things stand",
        summary.users,
        summary.impacted,
        summary.links,
        summary.creates,
        summary.updates,
        summary.enables,
        summary.disables,
        summary.removals,
        summary.failed,
    ));
}
