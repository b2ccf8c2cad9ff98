//! What is wrong with the users of a source, as far as it shows without a target: the file, its columns, and who cannot
//! be mapped.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::output::Output;
use crate::config::Config;
use crate::rule::Rule;
use crate::source::{Inspection, SourceConfig, SourceUser};

/// Problems of the file told at most; the rest is counted.
const TOLD: usize = 10;
/// Users named per problem.
const NAMED: usize = 3;

/// One thing that is wrong, with the users that it is wrong with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// `source`, `mapping`.
    kind: &'static str,
    rule: Option<String>,
    message: String,
    help: Option<String>,
    /// How often it is so.
    count: usize,
    users: Vec<Named>,
}

/// A user, and the line where it stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    source_id: String,
    user_name: String,
    line: usize,
}

/// Everything that is wrong with the file itself.
pub(super) fn of_source(inspection: &Inspection) -> Vec<Finding> {
    let told = inspection.problems.len().min(TOLD);
    let mut findings: Vec<Finding> = inspection
        .problems
        .iter()
        .take(TOLD)
        .map(|problem| Finding::of_source(format!("failed to {problem}"), Some(problem.way_out()), 1))
        .collect();
    if inspection.count > told {
        let more = inspection.count - told;
        findings.push(Finding::of_source(format!("the source has {more} problems more"), None, more));
    }
    findings
}

/// Every mapping and expression that fails for somebody, by rule and kind of failure.
pub(super) fn of_mappings(config: &Config, users: &[(usize, SourceUser)]) -> Vec<Finding> {
    let mut found: BTreeMap<(usize, String), Finding> = BTreeMap::new();
    for (line, user) in users {
        let Some((index, rule)) = owner(config, user) else { continue };
        for problem in rule.mapping.problems(user) {
            let message = format!("rule {:?} fails to {problem}", rule.name.as_str());
            let finding = found.entry((index, message.clone())).or_insert_with(|| Finding {
                kind: "mapping",
                rule: Some(rule.name.to_string()),
                message,
                help: None,
                count: 0,
                users: Vec::new(),
            });
            finding.count += 1;
            if finding.users.len() < NAMED {
                finding.users.push(Named {
                    source_id: user.id.to_string(),
                    user_name: user.username.clone(),
                    line: *line,
                });
            }
        }
    }
    found.into_values().collect()
}

fn owner<'a>(config: &'a Config, user: &SourceUser) -> Option<(usize, &'a Rule)> {
    config.rules.iter().enumerate().find(|(_, rule)| rule.enabled && rule.matches(user))
}

/// The users who are in scope of an enabled rule.
pub(super) fn in_scope(config: &Config, users: &[(usize, SourceUser)]) -> usize {
    users.iter().filter(|(_, user)| owner(config, user).is_some()).count()
}

/// Shows what is wrong on stderr.
pub(super) fn show(findings: &[Finding], source: &SourceConfig) {
    for finding in findings {
        let mut text = finding.message.clone();
        if !finding.users.is_empty() {
            let named: Vec<String> = finding
                .users
                .iter()
                .map(|user| format!("{:?} (line {})", user.user_name, user.line))
                .collect();
            let rest = finding.count - named.len();
            let more = if rest > 0 {
                format!(", and {rest} more in {}", source.path.display())
            } else {
                String::new()
            };
            text = format!("{text}: for {}{more}", named.join(", "));
        }
        if let Some(help) = &finding.help {
            text = format!("{text}; {help}");
        }
        Output::error(&text);
    }
}

impl Finding {
    fn of_source(message: String, help: Option<&str>, count: usize) -> Self {
        let help = help.map(str::to_owned);
        Self { kind: "source", rule: None, message, help, count, users: Vec::new() }
    }
}
