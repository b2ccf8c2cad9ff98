//! `provisioner adopt`: links a user to an account that a person names.

use clap::Args;
use serde::Serialize;

use super::interrupt::not_interrupted;
use super::output::Output;
use super::{Access, Common};
use crate::engine::manual_link::{AdoptError, Adopted};
use crate::exit::Exit;
use crate::ids::TargetId;

#[derive(Debug, Args)]
pub(super) struct AdoptArgs {
    /// The user's id or name at the source.
    user: String,
    /// The id of the account at the target.
    #[arg(long, value_name = "ID")]
    account: TargetId,
    #[command(flatten)]
    common: Common,
    /// Links the account although its userName differs from the user's.
    #[arg(long)]
    allow_other_name: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary<'a> {
    adopted: Option<&'a Adopted>,
    message: Option<String>,
    exit_code: u8,
}

pub(super) async fn run(args: &AdoptArgs) -> Exit {
    let provisioner = match args.common.open(Access::Write).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let adopted = not_interrupted(provisioner.adopt(&args.user, &args.account, args.allow_other_name)).await;
    provisioner.close().await;
    let adopted = match adopted {
        Ok(adopted) => adopted,
        Err(exit) => return exit,
    };
    let (exit, message) = match &adopted {
        Ok(_) => (Exit::Done, None),
        Err(AdoptError::OtherName(..)) => {
            let options = "run again with --allow-other-name to confirm it";
            (Exit::SomeFailed, adopted.as_ref().err().map(|error| format!("{error}; {options}")))
        }
        Err(error) => (exit(error), Some(error.to_string())),
    };
    if args.common.json {
        Output::object(&Summary { adopted: adopted.as_ref().ok(), message, exit_code: exit.code() });
        return exit;
    }
    match (&adopted, message) {
        (Ok(adopted), _) => Output::line(&told(adopted, &args.account)),
        (Err(_), message) => Output::error(&message.unwrap_or_default()),
    }
    exit
}

fn told(adopted: &Adopted, account: &TargetId) -> String {
    let user = format!("user {:?} (id {})", adopted.user.user_name.as_str(), adopted.user.source_id);
    if adopted.already {
        return format!("{user} is linked to account {account} already");
    }
    let moved = match &adopted.moved_from {
        Some(former) => format!(", which was linked to user {former}, who is gone from the source"),
        None => String::new(),
    };
    format!("{user} is linked to account {account}{moved}; the next sync compares it with the source")
}

const fn exit(error: &AdoptError) -> Exit {
    match error {
        AdoptError::User(_) | AdoptError::Store(_) => Exit::Usage,
        AdoptError::Off | AdoptError::Unread(..) => Exit::ConnectionUnusable,
        AdoptError::Source(_) => Exit::SourceUnreadable,
        AdoptError::NotOwned(_)
        | AdoptError::Unmapped(..)
        | AdoptError::HasAccount(..)
        | AdoptError::LinkedElsewhere(..)
        | AdoptError::Gone(_)
        | AdoptError::Excluded(..)
        | AdoptError::OtherName(..) => Exit::SomeFailed,
    }
}
