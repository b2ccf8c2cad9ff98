//! `provisioner test-connection`.

use serde::Serialize;

use super::interrupt::not_interrupted;
use super::output::Output;
use super::{Access, Common};
use crate::engine::describe_quarantine;
use crate::exit::Exit;

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary {
    succeeded: bool,
    exit_code: u8,
}

pub(super) async fn run(common: &Common) -> Exit {
    let provisioner = match common.open(Access::Write).await {
        Ok(provisioner) => provisioner,
        Err(exit) => return exit,
    };
    let tested = match not_interrupted(provisioner.test_connection()).await {
        Ok(tested) => tested,
        Err(exit) => {
            if common.json {
                Output::object(&Summary { succeeded: false, exit_code: exit.code() });
            }
            return exit;
        }
    };
    let report = match tested {
        Ok(report) => report,
        Err(error) => {
            Output::store_error(&error);
            return Exit::Usage;
        }
    };
    let quarantine = provisioner.quarantine();
    provisioner.close().await;
    let exit = if report.succeeded() { Exit::Done } else { Exit::ConnectionUnusable };
    if common.json {
        Output::object(&report);
        Output::object(&Summary { succeeded: report.succeeded(), exit_code: exit.code() });
        return exit;
    }
    match &report.failure {
        None => {
            Output::line(&report.to_string());
            if let Some(quarantine) = &quarantine {
                Output::line(&describe_quarantine(quarantine));
            }
        }
        Some(failure) => {
            Output::line(&format!("Test Connection Failed ({}): {}", failure.code, failure.message));
            Output::line(&format!("next: {}", failure.next));
            Output::line("the connection cannot be used for provisioning until a test succeeds");
        }
    }
    exit
}
