//! Problems with the users of a source that show without a target: the file, its columns, and users that cannot be
//! mapped.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::super::confirmation::{way_out, with_options};
use super::super::output::Output;
use crate::config::{Config, SourceConfig};
use crate::engine::Refusal;
use crate::reader::Inspection;
use crate::rule::Rule;
use crate::source::{AttributeKind, Case, SourceUser};

/// Maximum number of reported problems of the file; the rest is counted.
const TOLD: usize = 10;
/// Users named per problem.
const NAMED: usize = 3;

/// One thing that is wrong, with the users that it is wrong with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// `source`, `mapping`, `refused`; of notes `attribute`, `rule`.
    kind: &'static str,
    rule: Option<String>,
    message: String,
    help: Option<String>,
    /// The number of occurrences.
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

impl Named {
    fn describe(&self) -> String {
        match self.line {
            0 => format!("{:?} (id {})", self.user_name, self.source_id),
            line => format!("{:?} (line {line})", self.user_name),
        }
    }
}

/// Returns every problem of the source file.
pub(super) fn of_source(inspection: &Inspection) -> Vec<Finding> {
    let told = inspection.problems.len().min(TOLD);
    let mut findings: Vec<Finding> = inspection
        .problems
        .iter()
        .take(TOLD)
        .map(|problem| Finding::of_source(problem.to_string(), Some(&way_out(problem)), 1))
        .collect();
    if inspection.count > told {
        let more = inspection.count - told;
        findings.push(Finding::of_source(format!("the source has {more} more problems"), None, more));
    }
    findings
}

/// Returns every mapping and expression that fails for a user, by rule and kind of failure.
pub(super) fn of_mappings(config: &Config, users: &[SourceUser]) -> Vec<Finding> {
    let mut found: BTreeMap<(usize, String), Finding> = BTreeMap::new();
    for user in users {
        let Some((index, rule)) = owner(config, user) else { continue };
        for problem in rule.mapping.problems(user) {
            let message = format!("rule {:?}: {problem}", rule.name.as_str());
            let finding = found.entry((index, message.clone())).or_insert_with(|| Finding {
                kind: "mapping",
                rule: Some(rule.name.to_string()),
                message,
                help: None,
                count: 0,
                users: Vec::new(),
            });
            finding.add(user);
        }
    }
    found.into_values().collect()
}

fn owner<'a>(config: &'a Config, user: &SourceUser) -> Option<(usize, &'a Rule)> {
    config.rules.iter().enumerate().find(|(_, rule)| rule.enabled && rule.matches(user))
}

/// Tells the refusals by `sync` that follow from the state.
pub(super) fn of_refusals(refusals: &[Refusal]) -> Vec<Finding> {
    let refused = |refusal: &Refusal| Finding {
        kind: "refused",
        rule: None,
        message: format!("sync would refuse this: {}", with_options(&refusal.message, &refusal.confirmation)),
        help: None,
        count: 1,
        users: Vec::new(),
    };
    refusals.iter().map(refused).collect()
}

/// Returns a note for each of these rules, which match no user.
pub(super) fn of_empty_rules(rules: &[&Rule]) -> Vec<Finding> {
    const HELP: &str = "look for the values that its filter compares with in the source, or try another one with \
                        `provisioner filter try`";
    let note = |rule: &&Rule| Finding {
        kind: "rule",
        rule: Some(rule.name.to_string()),
        message: format!("rule {:?} matches no user in the source", rule.name.as_str()),
        help: Some(HELP.to_owned()),
        count: 1,
        users: Vec::new(),
    };
    rules.iter().map(note).collect()
}

/// Returns the number of users in scope of an enabled rule.
pub(super) fn in_scope(config: &Config, users: &[SourceUser]) -> usize {
    users.iter().filter(|user| owner(config, user).is_some()).count()
}

/// Attributes of the users that no filter or mapping may name: columns of a CSV file, members of JSON. They do no harm, but
/// a misspelt one is an attribute that no user gets.
pub(super) fn of_attributes(source: &SourceConfig, inspection: &Inspection) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    let note = |path: &str, what: &str| Finding {
        kind: "attribute",
        rule: None,
        message: format!("{what} `{path}` is no attribute of a PingOne user, so nothing reads it"),
        help: Some(match source.attributes.suggest(path) {
            Some(suggest) => format!("did you mean `{suggest}`? Otherwise {DECLARE}"),
            None => DECLARE.to_owned(),
        }),
        count: 0,
        users: Vec::new(),
    };
    for column in &inspection.columns {
        if source.attributes.place(column, Case::Exact).is_none() {
            found.entry(column.clone()).or_insert_with(|| note(column, "column"));
        }
    }
    if inspection.columns.is_empty() {
        for user in &inspection.users {
            for Unknown { path, is_literal } in unknown(source, "", &user.attributes) {
                let finding = || if is_literal { of_literal(&path) } else { note(&path, "member") };
                found.entry(path.clone()).or_insert_with(finding).add(user);
            }
        }
    }
    let told = found.len().min(TOLD);
    let more = found.len() - told;
    let mut notes: Vec<Finding> = found.into_values().take(told).collect();
    if more > 0 {
        let message = format!("{more} more are no attributes of a PingOne user");
        notes.push(Finding { message, count: more, ..note("", "") });
    }
    notes
}

/// The way out for an attribute that the environment defines itself.
const DECLARE: &str = "declare it with custom-attributes under [source]";

/// A member that nothing reads.
struct Unknown {
    path: String,
    /// Whether the name of the member itself has a dot: in JSON a dotted path leads into objects.
    is_literal: bool,
}

/// Returns the finding for a member whose name is a dotted path.
fn of_literal(path: &str) -> Finding {
    let outer = path.split('.').next().unwrap_or(path);
    Finding {
        kind: "attribute",
        rule: None,
        message: format!("a member has the name `{path}`, with the dot in it, so nothing reads it"),
        help: Some(format!(
            "write an object, as in `{{\"{outer}\": {{…}}}}`; dotted names are for the columns of CSV"
        )),
        count: 0,
        users: Vec::new(),
    }
}

/// Returns the dotted paths below `prefix` that lead to no attribute, except what PingOne's API adds for its own
/// use.
fn unknown(source: &SourceConfig, prefix: &str, value: &Value) -> Vec<Unknown> {
    let Value::Object(members) = value else { return Vec::new() };
    let mut paths = Vec::new();
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('_')) {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if name.contains('.') {
            paths.push(Unknown { path, is_literal: true });
            continue;
        }
        match source.attributes.place(&path, Case::Exact) {
            None => paths.push(Unknown { path, is_literal: false }),
            Some(AttributeKind::Parts) => paths.extend(unknown(source, &path, value)),
            Some(AttributeKind::Plain | AttributeKind::Custom) => {}
        }
    }
    paths
}

/// Shows what may be a mistake on stderr.
pub(super) fn show_notes(notes: &[Finding], source: &SourceConfig) {
    for note in notes {
        Output::notice(&format!("note: {}", note.text(source)));
    }
}

/// Prints the finding to stderr.
pub(super) fn show(findings: &[Finding], source: &SourceConfig) {
    for finding in findings {
        Output::error(&finding.text(source));
    }
}

impl Finding {
    /// Counts one more user, and names the first few.
    fn add(&mut self, user: &SourceUser) {
        self.count += 1;
        if self.users.len() < NAMED {
            self.users.push(Named {
                source_id: user.id.to_string(),
                user_name: user.username.clone(),
                line: user.line,
            });
        }
    }

    /// Returns the message with the users and the way out, for a person.
    fn text(&self, source: &SourceConfig) -> String {
        let mut text = self.message.clone();
        if !self.users.is_empty() {
            let named: Vec<String> = self.users.iter().map(Named::describe).collect();
            let rest = self.count - named.len();
            let more =
                if rest > 0 { format!(", and {rest} more in {}", source.place()) } else { String::new() };
            text = format!("{text}: for {}{more}", named.join(", "));
        }
        if let Some(help) = &self.help {
            text = format!("{text}; {help}");
        }
        text
    }

    fn of_source(message: String, help: Option<&str>, count: usize) -> Self {
        let help = help.map(str::to_owned);
        Self { kind: "source", rule: None, message, help, count, users: Vec::new() }
    }
}
