//! `provisioner release`: ends the quarantine of a connection.

use serde::Serialize;

use super::output::Output;
use super::{Access, Common};
use crate::exit::Exit;

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary<'a> {
    connection: &'a str,
    /// Whether the connection was in quarantine.
    released: bool,
    exit_code: u8,
}

pub(super) async fn run(common: &Common) -> Exit {
    let provisioner = match common.open_for_state(Access::Write).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let name = provisioner.config().name.clone();
    let released = provisioner.release().await;
    provisioner.close().await;
    let quarantine = match released {
        Ok(quarantine) => quarantine,
        Err(error) => {
            Output::store_error(&error);
            return Exit::Usage;
        }
    };
    if common.json {
        let released = quarantine.is_some();
        Output::object(&Summary { connection: &name, released, exit_code: Exit::Done.code() });
        return Exit::Done;
    }
    Output::line(&match quarantine {
        Some(quarantine) => format!(
            "connection {name:?} is released from the quarantine because {}: the next sync provisions with it",
            quarantine.cause.describe()
        ),
        None => format!("connection {name:?} is in no quarantine"),
    });
    Exit::Done
}
