//! `provisioner filter try` and `provisioner mapping try`: test a filter or a mapping on users of the source before it is
//! written to the file.
//!
//! The argument is checked exactly as in the file, against the attributes of its `[source]`. No credential is needed.

use std::fs;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use toml_edit::DocumentMut;

use super::Common;
use super::output::Output;
use crate::config::{Argument, Config, ConfigError, SourceConfig};
use crate::exit::Exit;
use crate::ids::{RuleName, UserName};
use crate::mapping::Mapping;
use crate::reader::{ReadContext, read_all};
use crate::rule::Rule;
use crate::source::SourceUser;

/// Maximum number of users that are named if a filter is tested on all users.
const NAMED: usize = 10;

#[derive(Debug, Subcommand)]
pub(super) enum FilterCommand {
    /// Shows whether a filter matches a user, or how many users of the source it matches.
    Try(FilterArgs),
}

#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// The filter, as written in a rule: 'population.id eq "employees"'.
    filter: String,
    /// The user's id or name at the source; all users if omitted.
    user: Option<String>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Subcommand)]
pub(super) enum MappingCommand {
    /// Shows the attributes that a user's account would get.
    Try(MappingArgs),
}

#[derive(Debug, Args)]
pub(super) struct MappingArgs {
    /// The user's id or name at the source.
    user: String,
    /// Maps this source attribute instead of using the user's rule.
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with = "expression")]
    source: Option<String>,
    /// Evaluates this CEL expression instead of using the user's rule.
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

pub(super) async fn filter(command: &FilterCommand) -> Exit {
    let FilterCommand::Try(args) = command;
    match match_filter(args).await {
        Ok(()) => Exit::Done,
        Err(exit) => exit,
    }
}

async fn match_filter(args: &FilterArgs) -> Result<(), Exit> {
    let source = source_of(&args.common)?;
    let argument = Argument { name: "the filter", text: &args.filter };
    let filter = argument.filter(&source.attributes).map_err(wrong)?;
    let rule = Rule { name: rule_name()?, enabled: true, filter: Some(filter), mapping: Mapping::default() };
    let users = users(&source).await?;
    let users = match &args.user {
        Some(user) => named(users, user)?,
        None => users,
    };
    let matches = |user: &SourceUser| rule.matches(user);
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
        Output::line(&format!("  … and {} more: --json lists all", matched.len() - NAMED));
    }
    Ok(())
}

pub(super) async fn mapping(command: &MappingCommand) -> Exit {
    let MappingCommand::Try(args) = command;
    let mapped = match tried(args) {
        Ok(tried) => map(args, &tried).await,
        Err(exit) => Err(exit),
    };
    mapped.err().unwrap_or(Exit::Done)
}

/// The rules under test.
struct Tried {
    source: SourceConfig,
    rules: Vec<Rule>,
    /// The only target that is shown.
    only: Option<String>,
}

/// Returns the rules of the file, or one rule with the mapping under test.
fn tried(args: &MappingArgs) -> Result<Tried, Exit> {
    let target = Argument { name: "--target", text: &args.target };
    let argument = |name, text| Argument { name, text };
    let mapping = match (&args.source, &args.expression) {
        (None, None) => {
            let config = rules_of(&args.common)?;
            return Ok(Tried { source: config.source, rules: config.rules, only: None });
        }
        (Some(text), _) => {
            let source = source_of(&args.common)?;
            argument("--source", text).mapped(&target, &source.attributes).map(|mapping| (source, mapping))
        }
        (None, Some(text)) => {
            let source = source_of(&args.common)?;
            argument("--expression", text)
                .computed(&target, &source.attributes)
                .map(|mapping| (source, mapping))
        }
    };
    let (source, mapping) = mapping.map_err(wrong)?;
    let rule = Rule { name: rule_name()?, enabled: true, filter: None, mapping };
    Ok(Tried { source, rules: vec![rule], only: Some(args.target.clone()) })
}

async fn map(args: &MappingArgs, tried: &Tried) -> Result<(), Exit> {
    let only = tried.only.as_deref();
    let users = named(users(&tried.source).await?, &args.user)?;
    let mut failed = false;
    for user in &users {
        let Some(rule) = tried.rules.iter().find(|rule| rule.enabled && rule.matches(user)) else {
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
            Output::error(&format!("{error} (user {})", user.username));
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

/// Returns the name of the rule that holds an argument under test.
fn rule_name() -> Result<RuleName, Exit> {
    "try".parse().map_err(|_| Exit::Usage)
}

/// Returns the source of the file, even if the rest of the file is invalid.
fn source_of(common: &Common) -> Result<SourceConfig, Exit> {
    let (config, source) = Config::load_with_source(&common.config);
    source
        .as_ref()
        .map(SourceConfig::without_push_down)
        .ok_or_else(|| config.err().map_or(Exit::Usage, wrong))
}

/// Returns the configuration with the file's source and rules; credentials may be missing.
fn rules_of(common: &Common) -> Result<Config, Exit> {
    let text = fs::read_to_string(&common.config).map_err(|_| unusable(common))?;
    let mut document: DocumentMut = text.parse().map_err(|_| unusable(common))?;
    let placeholder = "[connection]\nname = \"try\"\n[connection.authentication]\nscim-url = \"http://127.0.0.1/\"\n\
                       profile = \"bearer-token\"\noauth-access-token = \"unused\"\n";
    let mut placeholder: DocumentMut = placeholder.parse().map_err(|error: toml_edit::TomlError| {
        Output::error(&format!("failed to prepare a connection for the trial: {error}"));
        Exit::Usage
    })?;
    if let Some(connection) = placeholder.remove("connection") {
        document["connection"] = connection;
    }
    // Problems are printed with their places in the file.
    Config::parse(&document.to_string(), &common.config).map_err(|_| unusable(common))
}

/// Prints the problems of an argument or of the file.
fn wrong(error: ConfigError) -> Exit {
    Output::config_error(error);
    Exit::Usage
}

/// Prints the problems of the file.
fn unusable(common: &Common) -> Exit {
    common.load().err().unwrap_or(Exit::Usage)
}

async fn users(source: &SourceConfig) -> Result<Vec<SourceUser>, Exit> {
    read_all(source, &ReadContext::system(true)).await.map(|snapshot| snapshot.users).map_err(|error| {
        Output::error(&format!("{error}; {}", error.way_out()));
        Exit::SourceUnreadable
    })
}

/// Returns the users with the id or the user name `user`.
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
        Output::error(&format!("no user in the source has the id or user name `{user}`"));
        return Err(Exit::Usage);
    }
    Ok(found)
}
