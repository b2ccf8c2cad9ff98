//! `provisioner plan`: shows the requests of a sync with their reasons.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::interrupt::{NOTHING_WRITTEN, not_interrupted};
use super::output::{OPERATION, Output, Row, skipped};
use super::output_files::{OutputFile, create, refuse_overwriting};
use super::terminal::width;
use super::{Access, Allow, Approval, Common};
use crate::engine::plan::Plan;
use crate::exit::Exit;
use crate::report::{Outcome, RunReport, Stopped, word};

/// Maximum number of listed users; `--json` lists all.
const LISTED: usize = 200;

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
    let provisioner = match args.common.open(Access::Read).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    if let Some(file) = &args.out {
        let output = OutputFile { option: "--out", path: file };
        if let Err(error) = refuse_overwriting(provisioner.config(), provisioner.state_file(), &[], &[output])
        {
            Output::error(&error.to_string());
            return Exit::Usage;
        }
    }
    let planned = match not_interrupted(provisioner.plan(args.allow.options(&Approval::default()))).await {
        Ok(planned) => planned,
        Err(exit) => {
            if args.common.json {
                let message = NOTHING_WRITTEN.to_owned();
                let stopped = Some((exit, Stopped::new("interrupted", message)));
                Output::object(&RunReport::new(Vec::new(), 0, 0, stopped).summary);
            }
            return exit;
        }
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(report) => {
            args.common.output().report(&report);
            return report.exit;
        }
    };
    if let Some(file) = &args.out {
        let written = serde_json::to_string_pretty(&plan)
            .map_err(std::io::Error::other)
            .and_then(|text| create(file)?.write_all((text + "\n").as_bytes()));
        if let Err(error) = written {
            Output::error(&format!("failed to write the plan to {}: {error}", file.display()));
            return Exit::Usage;
        }
    }
    if args.common.json {
        print_json(&plan);
    } else {
        print(&plan);
    }
    if plan.guard.is_some() { Exit::DeleteGuard } else { Exit::Done }
}

fn print_json(plan: &Plan) {
    let tagged = |kind: &str, value: serde_json::Result<Value>| match value {
        Ok(Value::Object(mut object)) => {
            object.insert("type".to_owned(), kind.into());
            Output::object(&object);
        }
        Ok(_) => {}
        Err(error) => tracing::error!(%error, kind, "failed to write a result as JSON"),
    };
    for entry in &plan.entries {
        tagged("plan", serde_json::to_value(entry));
    }
    let mut summary = serde_json::to_value(&plan.summary);
    if let Ok(Value::Object(members)) = &mut summary {
        let stopped =
            guard_message(plan).map(|message| json!({ "code": "delete-guard", "message": message }));
        members.insert("hash".to_owned(), plan.hash().to_string().into());
        members.insert("stopped".to_owned(), stopped.into());
        let exit = if plan.guard.is_some() { Exit::DeleteGuard } else { Exit::Done };
        members.insert("exitCode".to_owned(), exit.code().into());
    }
    tagged("summary", summary);
}

/// Returns the message of the delete guard with the option that approves the removals.
fn guard_message(plan: &Plan) -> Option<String> {
    plan.guard.as_ref().map(|message| {
        let hash = plan.hash();
        format!(
            "{message}; --approve {hash} approves exactly this plan, --approve-removals any of that number"
        )
    })
}

fn print(plan: &Plan) {
    let width = width();
    let mut text = String::new();
    for entry in plan.entries.iter().take(LISTED) {
        let mut below = entry.requests.clone();
        if entry.outcome != Outcome::Success {
            below.push(format!("expected: {}, {}", word(&entry.outcome), word(&entry.reason)));
        }
        below.push(format!("because: {}", entry.why));
        let row = Row {
            lead: &[(word(&entry.operation), OPERATION)],
            outcome: entry.outcome,
            user: entry.user_name.as_str(),
            change: word(&entry.change),
            below,
        };
        text.push_str(&row.render(width));
    }
    Output::raw(&text);
    if plan.entries.len() > LISTED {
        Output::line(&format!("… and {} more: --json lists all", plan.entries.len() - LISTED));
    }
    let summary = &plan.summary;
    Output::line(&format!(
        "{} users in the source, {} impacted: {} existing accounts to link, {} to create, {} to update, {} to enable, \
         {} to disable, {} to remove; {} cannot be provisioned as things stand{}",
        summary.users,
        summary.impacted,
        summary.links,
        summary.creates,
        summary.updates,
        summary.enables,
        summary.disables,
        summary.removals,
        summary.failed,
        skipped(summary.excluded, summary.frozen),
    ));
    Output::line(&format!("plan {}", plan.hash()));
    if let Some(message) = guard_message(plan) {
        Output::line(&format!("the delete guard would stop this run: {message}"));
    }
}
