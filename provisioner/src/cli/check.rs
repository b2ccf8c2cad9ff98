//! `provisioner check`: the configuration and the source, without sending anything.

use serde::Serialize;

use super::Common;
use super::output::Output;
use crate::engine::namesakes;
use crate::exit::Exit;
use crate::report::word;
use crate::rule::Rule;
use crate::source;

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
    namesakes: usize,
    source_error: Option<String>,
    exit_code: u8,
}

pub(super) fn run(common: &Common) -> Exit {
    let config = match common.load() {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let mut clashes = Vec::new();
    let mut matched = Vec::new();
    let (users, in_scope, source_error) = match source::read(&config.source, false) {
        Ok(snapshot) => {
            let owned = |user: &_| config.rules.iter().any(|rule| rule.enabled && rule.matches(user));
            let in_scope = snapshot.users.iter().filter(|user| owned(user)).count();
            let matches = |rule: &Rule| snapshot.users.iter().filter(|user| rule.matches(user)).count();
            matched = config.rules.iter().map(matches).collect();
            clashes = namesakes(&config, &snapshot);
            (Some(snapshot.users.len()), Some(in_scope), None)
        }
        Err(error) => (None, None, Some(format!("cannot {error}; {}", error.way_out()))),
    };
    let exit = match (&source_error, clashes.is_empty()) {
        (Some(_), _) => Exit::SourceUnreadable,
        (None, false) => Exit::SomeFailed,
        (None, true) => Exit::Done,
    };
    if common.output().json {
        clashes.iter().for_each(Output::object);
        Output::object(&Summary {
            connection: &config.name,
            description: config.description.as_deref(),
            scim_url: config.authentication.scim_url.to_string(),
            enabled: config.enabled,
            rules: config.rules.len(),
            users,
            in_scope,
            namesakes: clashes.len(),
            source_error,
            exit_code: exit.code(),
        });
        return exit;
    }
    let toggle = if config.enabled { "on" } else { "off: nothing is sent" };
    Output::line(&format!("connection {:?} to {} ({toggle})", config.name, config.authentication.scim_url));
    if let Some(description) = &config.description {
        Output::line(description);
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
            Some(0) => ": matches nobody in the source".to_owned(),
            Some(count) => format!(": matches {count}"),
            None => String::new(),
        };
        Output::line(&format!("rule {:?}{state}{matched}", rule.name.as_str()));
    }
    for group in &clashes {
        Output::error(&group.describe());
    }
    match (users, in_scope, source_error) {
        (Some(users), Some(in_scope), _) => {
            Output::line(&format!("{}: {users} users, {in_scope} of them in scope", config.source.identity));
        }
        (_, _, error) => {
            Output::error(&error.unwrap_or_default());
            Output::line(&format!("{}: not read", config.source.identity));
        }
    }
    exit
}
