//! Comparison of the model's expectations with the result of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use mock_aquera::{DownstreamOperation, Exchange};
use serde_json::Value;

use crate::matrix::model::{Account, Downstream, Expectation, Fields, Key, Outcome, World, Write};
use crate::matrix::run::configuration::fields_of;
use crate::subject::provisioner::Report;

/// A difference between the model and the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number of the run, from 1; the last one is the run that should find nothing new.
    pub run: usize,
    /// The compared value.
    pub what: String,
    /// The value of the model.
    pub expected: String,
    /// The value of the subject or the mock.
    pub actual: String,
}

/// The result of one run, and the state after it.
pub(crate) struct Seen {
    pub(crate) report: Report,
    pub(crate) exchanges: [Vec<Exchange>; 2],
    pub(crate) accounts: [Vec<Value>; 2],
    pub(crate) groups: [Vec<Value>; 2],
}

/// The id for each symbol.
pub(crate) type Bindings = BTreeMap<Key, String>;

/// Collects the differences of one run.
struct Comparison {
    run: usize,
    differences: Vec<Difference>,
}

impl Comparison {
    /// Compares two values. `what` is formatted only for a difference, because nearly all values agree.
    fn of(&mut self, what: impl Display, expected: impl Into<String>, actual: impl Into<String>) {
        let (expected, actual) = (expected.into(), actual.into());
        if expected != actual {
            self.differences.push(Difference { run: self.run, what: what.to_string(), expected, actual });
        }
    }

    fn number(&mut self, what: impl Display, expected: usize, actual: &Value) {
        if actual.as_u64() != u64::try_from(expected).ok() {
            self.of(what, expected.to_string(), actual.to_string());
        }
    }
}

/// Compares one run with the model: `before` and `after` are the worlds around it.
pub(crate) fn compare(
    run: usize,
    before: &World,
    after: &World,
    expectation: &Expectation,
    seen: &Seen,
    bindings: &mut Bindings,
) -> Vec<Difference> {
    let mut comparison = Comparison { run, differences: Vec::new() };
    if expectation.exit != seen.report.exit {
        comparison.of("exit code", expectation.exit.to_string(), seen.report.exit.to_string());
    }
    for application in 0..2 {
        bind(&after.applications[application], &seen.accounts[application], bindings);
        accounts(&mut comparison, &after.applications[application], &seen.accounts[application], bindings);
        groups(&mut comparison, &after.groups[application], &seen.groups[application], bindings);
        let writes: &[Write] = if application == after.url { &expectation.writes } else { &[] };
        self::writes(&mut comparison, application, writes, &seen.exchanges[application], bindings);
    }
    lines(&mut comparison, before, after, expectation, &seen.report, bindings);
    requests(&mut comparison, after.url, expectation, seen);
    if expectation.exit != 2 {
        summary(&mut comparison, expectation, &seen.report.summary);
    }
    comparison.differences
}

/// Binds new symbols to the ids of new accounts of the same name.
fn bind(expected: &[Account], seen: &[Value], bindings: &mut Bindings) {
    for account in expected {
        if bindings.contains_key(&account.key) {
            continue;
        }
        let unbound = |id: &&str| !bindings.values().any(|bound| bound == id);
        let found = seen
            .iter()
            .filter(|user| fields_of(user).user_name == account.fields.user_name)
            .filter_map(|user| user["id"].as_str())
            .find(unbound);
        if let Some(id) = found {
            bindings.insert(account.key, id.to_owned());
        }
    }
}

fn describe(fields: &Fields, active: bool, unmapped: Option<&str>) -> String {
    let mut text = format!("{} {}", fields.user_name, if active { "active" } else { "inactive" });
    if let Some(id) = &fields.external_id {
        append!(text, " externalId={id}");
    }
    for (attribute, value) in &fields.attributes {
        append!(text, " {}={value}", attribute.target());
    }
    for value in &fields.untyped {
        append!(text, " emails.value={value}");
    }
    if let Some(value) = unmapped {
        append!(text, " displayName={value}");
    }
    text
}

fn accounts(comparison: &mut Comparison, expected: &[Account], seen: &[Value], bindings: &Bindings) {
    let mut seen: BTreeMap<&str, &Value> =
        seen.iter().filter_map(|user| Some((user["id"].as_str()?, user))).collect();
    for account in expected {
        let user = bindings.get(&account.key).and_then(|id| seen.remove(id.as_str()));
        comparison.of(
            format_args!("the account of {}", account.fields.user_name),
            describe(&account.fields, account.active, account.unmapped.as_deref()),
            user.map_or_else(|| "no account".to_owned(), described),
        );
    }
    for user in seen.into_values() {
        comparison.of("an account that should not be", "no account", described(user));
    }
}

/// Compares the members of groups.
fn groups(
    comparison: &mut Comparison,
    expected: &BTreeMap<String, BTreeSet<Key>>,
    seen: &[Value],
    bindings: &Bindings,
) {
    let spell = |members: BTreeSet<&str>| {
        if members.is_empty() {
            "nobody".to_owned()
        } else {
            members.into_iter().collect::<Vec<_>>().join(", ")
        }
    };
    let mut told: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for group in seen {
        let members = group["members"].as_array().into_iter().flatten();
        let members = members.filter_map(|member| member["value"].as_str()).collect();
        told.insert(group["displayName"].as_str().unwrap_or_default(), members);
    }
    for (name, members) in expected {
        let members = members.iter().map(|key| bindings.get(key).map_or("somebody unknown", String::as_str));
        let seen = told.remove(name.as_str()).map_or_else(|| "no group".to_owned(), spell);
        comparison.of(format_args!("the members of group {name}"), spell(members.collect()), seen);
    }
    for name in told.into_keys() {
        comparison.of("a group that should not be", "no group", name);
    }
}

fn described(user: &Value) -> String {
    describe(&fields_of(user), user["active"] == true, user["displayName"].as_str())
}

fn spell(writes: &[(Downstream, bool)]) -> String {
    let spelled: Vec<_> = writes
        .iter()
        .map(|(operation, accepted)| format!("{operation}{}", if *accepted { "" } else { " (refused)" }))
        .collect();
    if spelled.is_empty() { "no write".to_owned() } else { spelled.join(", ") }
}

fn writes(
    comparison: &mut Comparison,
    application: usize,
    expected: &[Write],
    exchanges: &[Exchange],
    bindings: &Bindings,
) {
    let mut wanted: BTreeMap<String, Vec<(Downstream, bool)>> = BTreeMap::new();
    for write in expected {
        let id = write.account.and_then(|key| bindings.get(&key)).cloned().unwrap_or_default();
        wanted.entry(id).or_default().push((write.operation, write.accepted));
    }
    let mut seen: BTreeMap<String, Vec<(Downstream, bool)>> = BTreeMap::new();
    for write in exchanges.iter().flat_map(|exchange| &exchange.downstream) {
        let operation = match write.operation {
            DownstreamOperation::Read => continue,
            DownstreamOperation::Create => Downstream::Create,
            DownstreamOperation::Replace => Downstream::Replace,
            DownstreamOperation::PartialUpdate => Downstream::PartialUpdate,
            DownstreamOperation::Delete => Downstream::Delete,
        };
        // A Create that was refused made no account, whatever id it was to have.
        let id = if operation == Downstream::Create && !write.accepted { None } else { write.target.clone() };
        seen.entry(id.unwrap_or_default()).or_default().push((operation, write.accepted));
    }
    let everyone: BTreeSet<&String> = wanted.keys().chain(seen.keys()).collect();
    let none = Vec::new();
    for id in everyone {
        comparison.of(
            format_args!("downstream writes to account {id:?} of application {application}"),
            spell(wanted.get(id).unwrap_or(&none)),
            spell(seen.get(id).unwrap_or(&none)),
        );
    }
}

fn lines(
    comparison: &mut Comparison,
    before: &World,
    after: &World,
    expectation: &Expectation,
    report: &Report,
    bindings: &Bindings,
) {
    let mut seen: BTreeMap<&str, &Value> = BTreeMap::new();
    for line in &report.lines {
        let id = line["sourceId"].as_str().unwrap_or_default();
        if seen.insert(id, line).is_some() {
            comparison.of(format_args!("lines of user {id}"), "one", "several");
        }
    }
    let everyone: BTreeSet<&str> =
        expectation.lines.keys().map(String::as_str).chain(seen.keys().copied()).collect();
    for id in everyone {
        let expected = expectation.lines.get(id);
        let word = |line: &Value, key: &str| line[key].as_str().unwrap_or("?").to_owned();
        let actual = seen
            .get(id)
            .map(|line| ["change", "operation", "outcome", "reason"].map(|key| word(line, key)).join(" "));
        let silence = || "no line".to_owned();
        comparison.of(
            format_args!("the line of user {id}"),
            expected.map_or_else(silence, ToString::to_string),
            actual.unwrap_or_else(silence),
        );
        let Some(line) = seen.get(id) else { continue };
        let names = [after.source.get(id).map(|user| user.user_name.clone()), before.last_known_name(id)];
        let said = word(line, "userName");
        if names.iter().any(Option::is_some) && !names.contains(&Some(said.clone())) {
            comparison.of(
                format_args!("userName in the line of {id}"),
                names.into_iter().flatten().collect::<Vec<_>>().join(" or "),
                said,
            );
        }
        if let Some(account) = after.account_of(id).and_then(|key| bindings.get(&key)) {
            comparison.of(format_args!("targetId in the line of {id}"), account, word(line, "targetId"));
        }
        comparison.of(format_args!("type of the line of {id}"), "user", word(line, "type"));
    }
}

/// Requests that a run which may not write can make.
fn is_connection_test(exchange: &Exchange) -> bool {
    let path = exchange.path.as_str();
    exchange.method == "GET" && (path.ends_with("/ServiceProviderConfig") || path.ends_with("/Users?count=1"))
}

fn requests(comparison: &mut Comparison, url: usize, expectation: &Expectation, seen: &Seen) {
    let unwanted = |exchanges: &[Exchange], test_allowed: bool| {
        let unwanted: Vec<_> = exchanges
            .iter()
            .filter(|exchange| !(test_allowed && is_connection_test(exchange)))
            .map(|exchange| format!("{} {}", exchange.method, exchange.path))
            .collect();
        if unwanted.is_empty() { "none".to_owned() } else { unwanted.join(", ") }
    };
    comparison.of("requests to the other application", "none", unwanted(&seen.exchanges[1 - url], false));
    if expectation.silent {
        comparison.of("requests of a run that may send none", "none", unwanted(&seen.exchanges[url], false));
    } else if expectation.only_connection_test {
        let what = "requests beyond the connection test";
        comparison.of(what, "none", unwanted(&seen.exchanges[url], true));
    }
}

fn summary(comparison: &mut Comparison, expectation: &Expectation, summary: &Value) {
    let outcomes = [Outcome::Success, Outcome::Unsynced, Outcome::Partial, Outcome::Failed];
    for outcome in outcomes {
        let seen = &summary[outcome.as_str()];
        comparison.number(format_args!("summary: {outcome}"), expectation.count(outcome), seen);
    }
    comparison.number("summary: impacted", expectation.lines.len(), &summary["impacted"]);
    let failed = expectation.failed_deprovisions;
    comparison.number("summary: failedDeprovisions", failed, &summary["failedDeprovisions"]);
    if summary["type"] != "summary" {
        comparison.of("summary: type", "\"summary\"", summary["type"].to_string());
    }
}
