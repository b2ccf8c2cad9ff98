//! Sources that are whole and yet look like a mistake: another file behind the path, a rule that no longer matches any user.
//!
//! Either would remove the accounts of all users concerned, so both are refused until a person confirms them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::scope::{excluded, is_frozen};
use crate::config::Config;
use crate::ids::{RuleName, SourceId, UserName};
use crate::report::{Confirmation, Stopped};
use crate::rule::Rule;
use crate::source::SourceUser;
use crate::state::store::Loaded;
use crate::state::{LinkState, Record};

/// The code of a run that a changed source stops.
const SOURCE_CHANGED: &str = "source-changed";

type Records = BTreeMap<SourceId, Arc<Record>>;

/// From how many accounts on it tells something that none of their users is in the source. One user that is re-hired
/// has another id too.
const STRANGERS_FROM: usize = 2;

/// Returns how many of `users` each rule matches, in the order of the configuration.
pub(crate) fn matches(config: &Config, users: &[SourceUser]) -> Vec<usize> {
    config.rules.iter().map(|rule| users.iter().filter(|user| rule.matches(user)).count()).collect()
}

/// Returns the enabled rules that match no user, given the number of users that each rule `matches`.
pub(crate) fn without_users<'a>(config: &'a Config, matches: &[usize]) -> Vec<&'a Rule> {
    let rules = config.rules.iter().zip(matches);
    rules.filter(|(rule, matches)| rule.enabled && **matches == 0).map(|(rule, _)| rule).collect()
}

/// Returns the enabled rules that match none of `users`.
pub(crate) fn match_nobody<'a>(config: &'a Config, users: &[SourceUser]) -> Vec<&'a Rule> {
    let matches_nobody = |rule: &&Rule| rule.enabled && !users.iter().any(|user| rule.matches(user));
    config.rules.iter().filter(matches_nobody).collect()
}

/// A source that looks like a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The confirmation with which a run accepts the source.
    pub(crate) confirmation: Confirmation,
}

impl From<Refusal> for Stopped {
    fn from(Refusal { code, message, confirmation }: Refusal) -> Self {
        Self::new(code, message).confirmed_by(confirmation)
    }
}

/// Returns the refusals of a source with these users by a run without a confirmation; `empty` are the rules that match no user.
pub(crate) fn refusals(
    config: &Config,
    users: &[SourceUser],
    stored: &Loaded,
    empty: &[&Rule],
) -> Vec<Refusal> {
    let last_source = stored.source.as_ref().filter(|last| **last != config.source.identity);
    if let Some(last) = last_source {
        return vec![other_source(last, &config.source.identity)];
    }
    other_users(users, &stored.records)
        .or_else(|| empty_rules(config, users, &stored.records, empty, &[]))
        .into_iter()
        .collect()
}

/// Returns the refusal of users from another source than that of the last run.
pub(crate) fn other_source(last: &str, now: &str) -> Refusal {
    let message = format!(
        "the users came from {last} in the last run and would come from {now} now; every user that the new source \
         does not have would count as deleted: confirm the new source if that is meant"
    );
    Refusal { code: SOURCE_CHANGED, message, confirmation: Confirmation::NewSource }
}

/// Whether `record` has an account that its user's leaving would cost.
fn is_linked(record: &Record) -> bool {
    record.link.as_ref().is_some_and(|link| link.state == LinkState::Owned)
}

/// Returns the refusal of `users` if none of the users that have accounts is among them.
pub(crate) fn other_users(users: &[SourceUser], records: &Records) -> Option<Refusal> {
    let known = |id: &SourceId| records.get(id).is_some_and(|record| is_linked(record));
    if users.is_empty() || users.iter().any(|user| known(&user.id)) {
        return None;
    }
    let accounts = records.values().filter(|record| is_linked(record)).count();
    if accounts < STRANGERS_FROM {
        return None;
    }
    let message = format!(
        "none of the {} users that have accounts is among the {} users in the source, as if another file were behind \
         its path; nothing was sent: correct `path` under [source], or confirm the new source if these are other people \
         by intent",
        accounts,
        users.len()
    );
    Some(Refusal { code: SOURCE_CHANGED, message, confirmation: Confirmation::NewSource })
}

/// A user with an account that no rule holds now.
struct Leaving<'a> {
    name: &'a UserName,
    /// The rule that held the user.
    rule: Option<&'a RuleName>,
    /// Whether the user is in the source.
    present: bool,
}

/// Returns the refusal of the `empty` rules, which match no user, if users with accounts would leave them; `allowed` rules may be
/// empty.
///
/// Users of a rule that is gone count too: a rule that was renamed, with a wrong filter under the new name, would take their
/// accounts. Leavers of a rule that holds others do not: a seasonal rule may match no user.
pub(crate) fn empty_rules(
    config: &Config,
    users: &[SourceUser],
    records: &Records,
    empty: &[&Rule],
    allowed: &[RuleName],
) -> Option<Refusal> {
    // If a source without users is allowed, so are rules without any.
    if users.is_empty() {
        return None;
    }
    if empty.iter().all(|rule| allowed.contains(&rule.name)) {
        return None;
    }
    let leaving = leaving(config, users, records);
    let by_gone_rules: Vec<&UserName> = leaving
        .iter()
        .filter(|one| {
            one.present && one.rule.is_some_and(|name| !config.rules.iter().any(|rule| rule.name == *name))
        })
        .map(|one| one.name)
        .collect();
    let mut text = String::new();
    let mut names = Vec::new();
    for rule in empty.iter().filter(|rule| !allowed.contains(&rule.name)) {
        let own: Vec<&UserName> =
            leaving.iter().filter(|one| one.rule == Some(&rule.name)).map(|one| one.name).collect();
        if own.is_empty() && by_gone_rules.is_empty() {
            continue;
        }
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing into a text cannot fail.
        let _ = write!(text, "{separator}{}", describe(rule, users.len(), &own, &by_gone_rules));
        names.push(rule.name.clone());
    }
    if text.is_empty() {
        return None;
    }
    let meant = if by_gone_rules.is_empty() { "if everybody has left" } else { "if that is meant" };
    let rules = if names.len() == 1 { "this rule" } else { "these rules" };
    let message = format!(
        "{text}; nothing was sent: correct the filter or export the users again, or {meant}, allow {rules} to match no user"
    );
    let confirmation = Confirmation::EmptyScope(names);
    Some(Refusal { code: "rule-matches-nobody", message, confirmation })
}

/// Returns the users with an account that no rule owns now.
fn leaving<'a>(config: &Config, users: &[SourceUser], records: &'a Records) -> Vec<Leaving<'a>> {
    let present: BTreeSet<&SourceId> = users.iter().map(|user| &user.id).collect();
    let held: BTreeSet<&SourceId> = users
        .iter()
        .filter(|user| records.contains_key(&user.id) && config.rules.iter().any(|rule| rule.matches(user)))
        .map(|user| &user.id)
        .collect();
    records
        .iter()
        .filter(|(id, record)| {
            is_linked(record)
                && !held.contains(id)
                && !excluded(config, Some(record))
                && !is_frozen(config, record)
        })
        .map(|(id, record)| Leaving {
            name: &record.user_name,
            rule: record.rule.as_ref(),
            present: present.contains(id),
        })
        .collect()
}

fn describe(rule: &Rule, users: usize, own: &[&UserName], by_gone_rules: &[&UserName]) -> String {
    let filter = match &rule.filter {
        Some(filter) => format!(" ({filter})"),
        None => String::new(),
    };
    let mut text =
        format!("rule {:?}{filter} matches none of the {users} users in the source", rule.name.as_str());
    let accounts =
        |names: &[&UserName]| format!("{} account{}", names.len(), if names.len() == 1 { "" } else { "s" });
    if !own.is_empty() {
        let _ = write!(
            text,
            ", and {} would lose their user ({})",
            accounts(own),
            some_names(own.iter().copied())
        );
    }
    if !by_gone_rules.is_empty() {
        let _ = write!(
            text,
            ", and {} would lose their user because another rule is gone ({})",
            accounts(by_gone_rules),
            some_names(by_gone_rules.iter().copied())
        );
    }
    text
}

/// Returns the first few user names, and the number of the others.
pub(crate) fn some_names<'a>(names: impl ExactSizeIterator<Item = &'a UserName>) -> String {
    const SHOWN: usize = 3;
    let all = names.len();
    // A name is data: what could move the cursor is escaped.
    let mut shown: Vec<String> = names.take(SHOWN).map(|name| format!("{:?}", name.as_str())).collect();
    match (all - shown.len(), shown.pop()) {
        (0, Some(last)) if shown.is_empty() => last,
        (0, Some(last)) => format!("{} and {last}", shown.join(", ")),
        (more, Some(last)) => {
            shown.push(last);
            format!("{} and {more} more", shown.join(", "))
        }
        (_, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_names_are_shown_and_the_others_counted() {
        for (count, expected) in [
            (1, "\"u0\""),
            (2, "\"u0\" and \"u1\""),
            (3, "\"u0\", \"u1\" and \"u2\""),
            (4, "\"u0\", \"u1\", \"u2\" and 1 more"),
            (90, "\"u0\", \"u1\", \"u2\" and 87 more"),
        ] {
            let names: Vec<UserName> = (0..count).map(|at| format!("u{at}").parse().unwrap()).collect();
            assert_eq!(some_names(names.iter()), expected);
        }
        let odd: UserName = "a\u{202e}b\n".parse().unwrap();
        assert_eq!(some_names([&odd].into_iter()), "\"a\\u{202e}b\\n\"");
    }
}
