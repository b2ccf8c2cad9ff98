//! `provisioner explain`: one user's way, and why.

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
    user: String,
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
    let explanation = match not_interrupted(provisioner.explain(&args.user, true)).await {
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
