//! `provisioner check`: checks the configuration and the source without a request. Every problem of both is reported at
//! once, and each mapping is tried on the users of its rule.

mod findings;

use serde::Serialize;

use super::Common;
use super::confirmation::way_out;
use super::output::Output;
use crate::config::Config;
use crate::engine::{Refusal, duplicate_names, matches, refusals_of, without_users};
use crate::exit::Exit;
use crate::reader::{ReadContext, inspect};
use crate::report::word;
use crate::source::SourceUser;
use crate::state::store::{Access, Durability, Store};
use findings::Finding;

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary<'a> {
    connection: &'a str,
    description: Option<&'a str>,
    scim_url: String,
    enabled: bool,
    rules: usize,
    users: Option<usize>,
    in_scope: Option<usize>,
    #[serde(rename = "namesakes")]
    duplicate_names: usize,
    source_error: Option<String>,
    problems: Vec<Finding>,
    notes: Vec<Finding>,
    exit_code: u8,
}

pub(super) async fn run(common: &Common) -> Exit {
    let (config, source) = Config::load_with_source(&common.config);
    let config = match config {
        Ok(config) => config,
        Err(error) => {
            Output::config_error(error);
            // Problems of the source are reported together with those of the configuration.
            if let Some(source) = source {
                let inspection = inspect(&source, &ReadContext::system(false)).await;
                findings::show(&findings::of_source(&inspection), &source);
            }
            return Exit::Usage;
        }
    };
    let inspection = inspect(&config.source.without_push_down(), &ReadContext::system(false)).await;
    let whole = inspection.count == 0;
    let mut problems = findings::of_source(&inspection);
    problems.extend(findings::of_mappings(&config, &inspection.users));
    let mut notes = findings::of_attributes(&config.source, &inspection);
    let mut clashes = Vec::new();
    let mut matched = Vec::new();
    let (users, in_scope) = if whole {
        let users = &inspection.users;
        matched = matches(&config, users);
        clashes = duplicate_names(&config, users);
        if !users.is_empty() {
            let empty = without_users(&config, &matched);
            let refused = findings::of_refusals(&refusals(common, &config, users).await);
            if refused.is_empty() {
                notes.extend(findings::of_empty_rules(&empty));
            }
            problems.extend(refused);
        }
        (Some(users.len()), Some(findings::in_scope(&config, users)))
    } else {
        (None, None)
    };
    let exit = match (whole, problems.is_empty() && clashes.is_empty()) {
        (false, _) => Exit::SourceUnreadable,
        (true, false) => Exit::SomeFailed,
        (true, true) => Exit::Done,
    };
    if common.output().json {
        clashes.iter().for_each(Output::object);
        let source_error = inspection.problems.first().map(|error| format!("{error}; {}", way_out(error)));
        Output::object(&Summary {
            connection: &config.name,
            description: config.description.as_deref(),
            scim_url: config.authentication.scim_url.to_string(),
            enabled: config.enabled,
            rules: config.rules.len(),
            users,
            in_scope,
            duplicate_names: clashes.len(),
            source_error,
            problems,
            notes,
            exit_code: exit.code(),
        });
        return exit;
    }
    let toggle = if config.enabled { "on" } else { "off: nothing is sent" };
    Output::line(&format!("connection {:?} to {} ({toggle})", config.name, config.authentication.scim_url));
    if let Some(description) = &config.description {
        description.lines().for_each(Output::line);
    }
    let preferences = config.preferences;
    let on = |is_on: bool| if is_on { "on" } else { "off" };
    Output::line(&format!(
        "creation {}, updation {}, disable {}, deprovision {}",
        on(preferences.creates()),
        on(preferences.updates()),
        on(preferences.disables()),
        match preferences.deprovisions() {
            None => "off".to_owned(),
            Some(deprovision) => format!(
                "on (remove action {}, on rule deletion {})",
                word(&deprovision.remove_action),
                on(deprovision.on_rule_deletion)
            ),
        }
    ));
    for (index, rule) in config.rules.iter().enumerate() {
        let state = if rule.enabled { "" } else { " (off: its users are frozen)" };
        let matched = match matched.get(index) {
            Some(0) => ": matches no user in the source".to_owned(),
            Some(count) => format!(": matches {count}"),
            None => String::new(),
        };
        Output::line(&format!("rule {:?}{state}{matched}", rule.name.as_str()));
    }
    for group in &clashes {
        Output::error(&group.describe());
    }
    findings::show(&problems, &config.source);
    findings::show_notes(&notes, &config.source);
    match users.zip(in_scope) {
        Some((users, in_scope)) => {
            Output::line(&format!("{}: {users} users, {in_scope} of them in scope", config.source.identity));
        }
        None => Output::line(&format!("{}: not read whole", config.source.identity)),
    }
    exit
}

/// Returns why a sync would refuse `users`; nothing if there is no state, or it cannot be read.
async fn refusals(common: &Common, config: &Config, users: &[SourceUser]) -> Vec<Refusal> {
    let url = &config.authentication.scim_url;
    let Ok(state) = common.state() else { return Vec::new() };
    let refused = match Store::open(&state, url, Durability::Full, Access::Read).await {
        Ok(store) => refusals_of(config, &store, users).await,
        Err(error) => Err(error),
    };
    refused.unwrap_or_else(|error| {
        Output::notice(&format!("note: the state was not looked at: {error}"));
        Vec::new()
    })
}
