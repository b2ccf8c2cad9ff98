//! `provisioner filter try` and `provisioner mapping try`: a filter or a mapping on users of the source, before it goes into the file.
//!
//! What is tried becomes a rule of a configuration that has the file's `[source]` and nothing else of it, so it is read and checked
//! exactly as in the file, and no credential has to be there.

use std::fs;
use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::Common;
use super::output::Output;
use crate::config::Config;
use crate::exit::Exit;
use crate::ids::UserName;
use crate::rule::Rule;
use crate::source::{self, SourceUser};

/// Users named where a filter was tried on everybody.
const NAMED: usize = 10;

#[derive(Debug, Subcommand)]
pub(super) enum FilterCommand {
    /// Says whether a filter matches a user, or how many users of the source it matches.
    Try(FilterArgs),
}

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// The filter, as it would stand in a rule: 'population.id eq "employees"'.
    filter: String,
    /// The user's id or name at the source; everybody if left out.
    user: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
pub(super) enum MappingCommand {
    /// Shows what a user's account would carry.
    Try(MappingArgs),
}

#[derive(Debug, Args)]
pub(super) struct MappingArgs {
    /// The user's id or name at the source.
    user: String,
    /// Tries this source attribute instead of the mapping of the user's rule.
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with = "expression")]
    source: Option<String>,
    /// Tries this CEL expression instead of the mapping of the user's rule.
    #[arg(long, value_name = "CEL")]
    expression: Option<String>,
    /// The target attribute of --source or --expression.
    #[arg(long, value_name = "PATH", default_value = "displayName")]
    target: String,
    #[command(flatten)]
    common: Common,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "user", rename_all = "camelCase")]
struct Match<'a> {
    source_id: &'a str,
    user_name: &'a str,
    matches: bool,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "attribute", rename_all = "camelCase")]
struct Attribute<'a> {
    user_name: &'a str,
    target: String,
    value: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename = "summary", rename_all = "camelCase")]
struct Summary {
    users: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    matched: Option<usize>,
    exit_code: u8,
}

pub(super) fn filter(command: &FilterCommand) -> Exit {
    let FilterCommand::Try(args) = command;
    let mut rule = Table::new();
    rule["name"] = value("filter try");
    rule["filter"] = value(args.filter.as_str());
    match tried(&args.common, Some(rule)).and_then(|config| match_filter(args, &config)) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn match_filter(args: &FilterArgs, config: &Config) -> Result<(), Exit> {
    let users = users(config)?;
    let users = match &args.user {
        Some(user) => named(users, user)?,
        None => users,
    };
    let matches = |user: &SourceUser| config.rules.iter().any(|rule| rule.matches(user));
    let matched: Vec<&SourceUser> = users.iter().filter(|user| matches(user)).collect();
    if args.common.json {
        for user in &users {
            Output::object(&Match {
                source_id: user.id.as_str(),
                user_name: &user.username,
                matches: matches(user),
            });
        }
        let summary =
            Summary { users: users.len(), matched: Some(matched.len()), exit_code: Exit::Done.code() };
        Output::object(&summary);
        return Ok(());
    }
    if args.user.is_some() {
        for user in &users {
            let verdict = if matches(user) { "matches" } else { "does not match" };
            Output::line(&format!("the filter {verdict} {} (id {})", user.username, user.id));
        }
        return Ok(());
    }
    Output::line(&format!("the filter matches {} of {} users", matched.len(), users.len()));
    for user in matched.iter().take(NAMED) {
        Output::line(&format!("  {} (id {})", user.username, user.id));
    }
    if matched.len() > NAMED {
        Output::line(&format!("  … and {} more: --json lists everybody", matched.len() - NAMED));
    }
    Ok(())
}

pub(super) fn mapping(command: &MappingCommand) -> Exit {
    let MappingCommand::Try(args) = command;
    let origin = match (&args.source, &args.expression) {
        (Some(source), _) => Some(("source", source)),
        (None, Some(expression)) => Some(("expression", expression)),
        (None, None) => None,
    };
    let rule = origin.map(|(key, text)| {
        let mut mappings = ArrayOfTables::new();
        // A rule without a mapping for `userName` is refused.
        if !args.target.eq_ignore_ascii_case("userName") {
            mappings.push(line("source", "username", "userName"));
        }
        mappings.push(line(key, text, &args.target));
        let mut rule = Table::new();
        rule["name"] = value("mapping try");
        rule["mapping"] = Item::ArrayOfTables(mappings);
        rule
    });
    let only = rule.is_some().then_some(args.target.as_str());
    match tried(&args.common, rule).and_then(|config| map(args, &config, only)) {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

fn line(key: &str, text: &str, target: &str) -> Table {
    let mut mapping = Table::new();
    mapping[key] = value(text);
    mapping["target"] = value(target);
    mapping
}

fn map(args: &MappingArgs, config: &Config, only: Option<&str>) -> Result<(), Exit> {
    let users = named(users(config)?, &args.user)?;
    let mut failed = false;
    for user in &users {
        let Some(rule) = config.rules.iter().find(|rule| rule.enabled && rule.matches(user)) else {
            Output::error(&format!("no enabled rule matches {}: nothing is mapped", user.username));
            failed = true;
            continue;
        };
        failed |= !show(args, user, rule, only);
    }
    let exit = if failed { Exit::SomeFailed } else { Exit::Done };
    if args.common.json {
        Output::object(&Summary { users: users.len(), matched: None, exit_code: exit.code() });
    }
    if failed { Err(exit) } else { Ok(()) }
}

/// Shows what `rule` makes of `user`, all of it or the target `only`; returns `false` if it cannot be mapped.
fn show(args: &MappingArgs, user: &SourceUser, rule: &Rule, only: Option<&str>) -> bool {
    let wanted = match rule.mapping.apply(user) {
        Ok(wanted) => wanted,
        Err(error) => {
            Output::error(&format!("failed to {error} (user {})", user.username));
            return false;
        }
    };
    if only.is_none() && !args.common.json {
        Output::line(&format!("rule {:?} maps {} (id {}) to", rule.name.as_str(), user.username, user.id));
    }
    let mut is_shown = false;
    for (path, found) in wanted.iter() {
        let target = path.to_string();
        if only.is_some_and(|only| !only.eq_ignore_ascii_case(&target)) {
            continue;
        }
        is_shown = true;
        let secret = path.attribute().eq_ignore_ascii_case("password");
        let redacted = Value::from("[redacted]");
        let found = if secret { &redacted } else { found };
        if args.common.json {
            Output::object(&Attribute { user_name: &user.username, target, value: Some(found) });
        } else {
            Output::line(&format!("  {target} = {found}"));
        }
    }
    if let (false, Some(only)) = (is_shown, only) {
        if args.common.json {
            Output::object(&Attribute { user_name: &user.username, target: only.to_owned(), value: None });
        } else {
            Output::line(&format!("  {only} has no value for {}: it is not written", user.username));
        }
    }
    true
}

/// The configuration with the file's source and `rule` as its only rule; without one, the file's rules.
fn tried(common: &Common, rule: Option<Table>) -> Result<Config, Exit> {
    // What is wrong with the file is told as everywhere.
    let text = fs::read_to_string(&common.config).map_err(|_| unusable(common))?;
    let mut document: DocumentMut = text.parse().map_err(|_| unusable(common))?;
    let placeholder = "[connection]\nname = \"try\"\n[connection.authentication]\nscim-url = \"http://127.0.0.1/\"\n\
                       profile = \"bearer-token\"\noauth-access-token = \"unused\"\n";
    let connection = placeholder.parse::<DocumentMut>().ok().and_then(|mut own| own.remove("connection"));
    document["connection"] = connection.unwrap_or_default();
    if let Some(rule) = rule {
        let mut rules = ArrayOfTables::new();
        rules.push(rule);
        document["rule"] = Item::ArrayOfTables(rules);
    }
    let folder = common.config.parent().unwrap_or(Path::new(""));
    Config::parse(&document.to_string(), &folder.join("what is tried")).map_err(|error| {
        eprintln!("{:?}", miette::Report::new(error));
        Exit::Usage
    })
}

/// Says what is wrong with the file.
fn unusable(common: &Common) -> Exit {
    common.load().err().unwrap_or(Exit::Usage)
}

fn users(config: &Config) -> Result<Vec<SourceUser>, Exit> {
    source::read(&config.source, true).map(|snapshot| snapshot.users).map_err(|error| {
        Output::error(&format!("failed to {error}; {}", error.way_out()));
        Exit::SourceUnreadable
    })
}

/// The users with the id or the user name `user`.
fn named(users: Vec<SourceUser>, user: &str) -> Result<Vec<SourceUser>, Exit> {
    let name: Option<UserName> = user.parse().ok();
    let found: Vec<SourceUser> = users
        .into_iter()
        .filter(|one| {
            one.id.as_str() == user
                || name.as_ref().is_some_and(|name| one.username.parse::<UserName>().as_ref() == Ok(name))
        })
        .collect();
    if found.is_empty() {
        Output::error(&format!("nobody in the source has the id or user name `{user}`"));
        return Err(Exit::Usage);
    }
    Ok(found)
}
