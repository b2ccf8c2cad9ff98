//! `provisioner forget`: drops a user from the state, without a request.

use std::io::{self, IsTerminal as _};

use clap::Args;
use serde::Serialize;

use super::init::Prompt;
use super::output::Output;
use super::{Access, Common};
use crate::engine::manual_link::KnownUser;
use crate::exit::Exit;

#[derive(Debug, Args)]
pub(super) struct ForgetArgs {
    /// The user's id or name at the source, or its account's id at the target.
    user: String,
    #[command(flatten)]
    common: Common,
    /// Forgets without a question.
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary<'a> {
    user: &'a KnownUser,
    forgotten: bool,
    exit_code: u8,
}

pub(super) async fn run(args: &ForgetArgs) -> Exit {
    let provisioner = match args.common.open_for_state(Access::Write).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let user = match provisioner.known_user(&args.user).await {
        Ok(user) => user,
        Err(error) => {
            Output::error(&error.to_string());
            return Exit::Usage;
        }
    };
    match confirmed(args, &user) {
        Ok(true) => {}
        Ok(false) => {
            Output::line("nothing was forgotten");
            return Exit::Done;
        }
        Err(message) => {
            Output::error(&message);
            return Exit::Usage;
        }
    }
    let forgotten = provisioner.forget(&user).await;
    provisioner.close().await;
    if let Err(error) = forgotten {
        Output::store_error(&error);
        return Exit::Usage;
    }
    if args.common.json {
        Output::object(&Summary { user: &user, forgotten: true, exit_code: Exit::Done.code() });
        return Exit::Done;
    }
    Output::line(&format!("{} is forgotten: {}", named(&user), consequence(&user)));
    Exit::Done
}

fn named(user: &KnownUser) -> String {
    format!("user {:?} (id {})", user.user_name.as_str(), user.source_id)
}

/// Returns what becomes of the account.
fn consequence(user: &KnownUser) -> String {
    let unresolved =
        if user.unresolved { "a write whose outcome is not known is forgotten too; " } else { "" };
    match &user.target_id {
        Some(account) => format!(
            "{unresolved}account {account} stays as it is and is no longer managed; if the user is in scope, the next sync looks \
             for an account with its userName and links it"
        ),
        None => format!("{unresolved}no account was linked"),
    }
}

/// Asks for the confirmation.
fn confirmed(args: &ForgetArgs, user: &KnownUser) -> Result<bool, String> {
    if args.yes {
        return Ok(true);
    }
    if !io::stdin().is_terminal() {
        return Err("forget asks for a confirmation on a terminal; without one, run it with --yes".to_owned());
    }
    Output::notice(&format!("{}: {}", named(user), consequence(user)));
    Prompt::new(io::stdin().lock(), false)
        .yes("Forget this user", false)
        .map_err(|error| crate::causes::with_cause(&error))
}
