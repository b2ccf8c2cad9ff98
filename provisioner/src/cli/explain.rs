//! `provisioner explain`: the way of one user or group, and why.

use clap::Args;
use serde::Serialize;

use super::interrupt::not_interrupted;
use super::output::Output;
use super::terminal::{width, wrapped};
use super::{Access, Common};
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The user's id or name at the source, or its account's id at the target.
    #[arg(required_unless_present = "group")]
    user: Option<String>,
    /// A group in place of a user: its id or name at the source, or its id at the target.
    #[arg(long, value_name = "GROUP", conflicts_with = "user")]
    group: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary {
    stages: usize,
    exit_code: u8,
}

pub(super) async fn run(args: &ExplainArgs) -> Exit {
    let provisioner = match args.common.open(Access::Read).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let explained = async {
        match (&args.user, &args.group) {
            (_, Some(group)) => provisioner.explain_group(group, true).await,
            (user, None) => provisioner.explain(user.as_deref().unwrap_or_default(), true).await,
        }
    };
    let explanation = match not_interrupted(explained).await {
        Ok(explanation) => explanation,
        Err(exit) => {
            if args.common.json {
                Output::object(&Summary { stages: 0, exit_code: exit.code() });
            }
            return exit;
        }
    };
    let width = width();
    for stage in &explanation.stages {
        if args.common.json {
            Output::object(stage);
            continue;
        }
        Output::line(&stage.stage.replace('-', " "));
        for line in &stage.lines {
            Output::raw(&(wrapped(line, width, 2) + "\n"));
        }
    }
    if args.common.json {
        Output::object(&Summary { stages: explanation.stages.len(), exit_code: explanation.exit.code() });
    }
    explanation.exit
}
