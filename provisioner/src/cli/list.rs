//! `provisioner list`: the connections of a directory with their state and last run, without a request.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde::Serialize;

use super::Common;
use super::directory::files;
use super::output::Output;
use super::status::ShownQuarantine;
use crate::causes::with_cause;
use crate::config::Config;
use crate::engine::is_quarantined;
use crate::exit::Exit;
use crate::state::location::StateLocation;
use crate::state::store::{Access, Durability, Store};
use crate::state::{ConnectionRecord, RunRecord};

/// One connection.
#[derive(Serialize)]
#[serde(tag = "type", rename = "connection", rename_all = "camelCase")]
struct Listed {
    file: String,
    connection: Option<String>,
    scim_url: Option<String>,
    /// `on`, `off`, `quarantined`, or `invalid`: its configuration or its state cannot be read.
    state: &'static str,
    state_file: Option<String>,
    quarantine: Option<ShownQuarantine>,
    last_run: Option<RunRecord>,
    problem: Option<String>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary {
    connections: usize,
    exit_code: u8,
}

pub(super) async fn run(common: &Common) -> Exit {
    let directory = common.config.is_dir();
    if directory && common.names_state_file() {
        Output::error("--state concerns one connection: name its file with -c");
        return Exit::Usage;
    }
    let files = match directory.then(|| files(&common.config)) {
        Some(Ok(files)) => files,
        Some(Err(exit)) => return exit,
        None => vec![common.config.clone()],
    };
    let mut all = Vec::new();
    for file in files {
        all.push(listed(Common { config: file, state: common.state.clone(), json: common.json }).await);
    }
    let exit = if all.iter().any(|one| one.problem.is_some()) { Exit::Usage } else { Exit::Done };
    for one in &all {
        if common.json {
            Output::object(one);
        } else {
            print(one);
        }
    }
    if common.json {
        Output::object(&Summary { connections: all.len(), exit_code: exit.code() });
    }
    exit
}

async fn listed(common: Common) -> Listed {
    let file = common.config.display().to_string();
    let invalid = |problem: String| Listed {
        file: file.clone(),
        connection: None,
        scim_url: None,
        state: "invalid",
        state_file: None,
        quarantine: None,
        last_run: None,
        problem: Some(problem),
    };
    let config = match Config::load(&common.config) {
        Ok(config) => config,
        Err(error) => return invalid(format!("{error}: `provisioner check -c {file}` shows what is wrong")),
    };
    let (name, url) = (Some(config.name.clone()), Some(config.authentication.scim_url.to_string()));
    let opened = match common.state() {
        Ok(state) => stored(&config, &state).await.map(|record| (state, record)),
        Err(error) => Err(error.to_string()),
    };
    let (state_file, record) = match opened {
        Ok(opened) => opened,
        Err(problem) => return Listed { connection: name, scim_url: url, ..invalid(problem) },
    };
    let quarantined = record.quarantine.as_ref().filter(|quarantine| is_quarantined(quarantine, &config));
    Listed {
        connection: name,
        scim_url: url,
        state: match (config.enabled, quarantined) {
            (false, _) => "off",
            (true, Some(_)) => "quarantined",
            (true, None) => "on",
        },
        state_file: Some(state_file.to_string()),
        quarantine: quarantined.map(ShownQuarantine::from),
        last_run: record.last_run.clone(),
        problem: None,
        ..invalid(String::new())
    }
}

async fn stored(config: &Config, state: &StateLocation) -> Result<ConnectionRecord, String> {
    let url = &config.authentication.scim_url;
    match Store::open(state, url, Durability::Full, Access::Read).await {
        Ok(store) => Ok(store.connection()),
        Err(error) => Err(format!("{}; {}", with_cause(&error), error.way_out())),
    }
}

fn print(one: &Listed) {
    let name = one.connection.as_deref().unwrap_or("-");
    let file = PathBuf::from(&one.file);
    let file = file.file_name().map_or_else(|| one.file.clone(), |file| file.to_string_lossy().into_owned());
    let mut text = format!("{file}: {name:?}, {}", one.state);
    if let Some(quarantine) = &one.quarantine {
        let _ = write!(text, " until {}", quarantine.until);
    }
    match (&one.problem, &one.last_run) {
        (Some(problem), _) => {
            let _ = write!(text, ", {problem}");
        }
        (None, None) => text.push_str(", never run"),
        (None, Some(RunRecord { at, exit, impacted, failed, users: _ })) => {
            let _ = write!(text, ", last run {at}: exit {exit}, {impacted} impacted, {failed} failed");
        }
    }
    if let Some(url) = &one.scim_url {
        let _ = write!(text, ", {url}");
    }
    Output::line(&text);
}
