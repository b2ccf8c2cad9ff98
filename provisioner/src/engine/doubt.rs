//! Sources that are whole and yet look like a mistake: another file behind the path, a rule that nobody matches any more.
//!
//! Either would take the accounts of everybody concerned, so both are refused until a person says that they are meant.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::scope::{excluded, is_frozen};
use crate::config::Config;
use crate::ids::{RuleName, SourceId, UserName};
use crate::rule::Rule;
use crate::source::Snapshot;
use crate::state::{Mark, Record};

type Records = BTreeMap<SourceId, Arc<Record>>;

/// From how many accounts on it tells something that none of their users is in the source. One user that is re-hired
/// has another id too.
const STRANGERS_FROM: usize = 2;

/// Whether `snapshot` is of other people: none of the users that have accounts is in it.
pub(crate) fn other_users(snapshot: &Snapshot, records: &Records) -> Option<String> {
    let linked = |record: &Arc<Record>| record.link.as_ref().is_some_and(|link| link.mark == Mark::Owned);
    let known = |id: &SourceId| records.get(id).is_some_and(linked);
    if snapshot.users.is_empty() || snapshot.users.iter().any(|user| known(&user.id)) {
        return None;
    }
    let accounts = records.values().filter(|record| linked(record)).count();
    if accounts < STRANGERS_FROM {
        return None;
    }
    Some(format!(
        "none of the {} users that have accounts is among the {} users in the source, as if another file were behind \
         its path; nothing was sent: correct `path` under [source], or if these are other people by intent, run once \
         with --accept-new-source",
        accounts,
        snapshot.users.len()
    ))
}

/// Says which enabled rules match nobody although users with accounts would leave them, save those `allowed` to.
pub(crate) fn empty_rules(
    config: &Config,
    snapshot: &Snapshot,
    records: &Records,
    allowed: &[RuleName],
) -> Option<String> {
    // Whoever has allowed a source without users has allowed rules without any.
    if snapshot.users.is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut options = String::new();
    for rule in config.rules.iter().filter(|rule| rule.enabled && !allowed.contains(&rule.name)) {
        if snapshot.users.iter().any(|user| rule.matches(user)) {
            continue;
        }
        let held: Vec<(&SourceId, &Record)> = records
            .iter()
            .filter(|(_, record)| record.rule.as_ref() == Some(&rule.name))
            .filter(|(_, record)| record.link.as_ref().is_some_and(|link| link.mark == Mark::Owned))
            .map(|(id, record)| (id, &**record))
            .collect();
        let leaving = leaving(config, snapshot, &held);
        if leaving.is_empty() {
            continue;
        }
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing into a text cannot fail.
        let _ = write!(text, "{separator}{}", describe(rule, snapshot.users.len(), &leaving));
        let _ = write!(options, " --allow-empty-scope {}", quoted(rule.name.as_str()));
    }
    if text.is_empty() {
        return None;
    }
    Some(format!(
        "{text}; nothing was sent: correct the filter or export the users again, or if everybody has left, run once with{options}"
    ))
}

/// Those of `held` whom no rule holds now.
fn leaving<'a>(config: &Config, snapshot: &Snapshot, held: &[(&SourceId, &'a Record)]) -> Vec<&'a UserName> {
    let wanted: BTreeSet<&SourceId> = held.iter().map(|(id, _)| *id).collect();
    let elsewhere: BTreeSet<&SourceId> = snapshot
        .users
        .iter()
        .filter(|user| wanted.contains(&user.id) && config.rules.iter().any(|rule| rule.matches(user)))
        .map(|user| &user.id)
        .collect();
    held.iter()
        .filter(|(id, record)| {
            !elsewhere.contains(id) && !excluded(config, Some(record)) && !is_frozen(config, record)
        })
        .map(|(_, record)| &record.user_name)
        .collect()
}

fn describe(rule: &Rule, users: usize, leaving: &[&UserName]) -> String {
    let filter = match &rule.filter {
        Some(filter) => format!(" ({filter})"),
        None => String::new(),
    };
    let accounts = if leaving.len() == 1 { "account" } else { "accounts" };
    format!(
        "rule {:?}{filter} matches none of the {users} users in the source, and {} {accounts} would lose their user ({})",
        rule.name.as_str(),
        leaving.len(),
        some_names(leaving.iter().copied())
    )
}

/// The first few user names, and how many more there are.
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

/// A word of a command line.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:/@+".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_names_are_shown_and_the_others_counted() {
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

    #[test]
    fn rule_names_are_quoted_for_the_shell() {
        for (name, expected) in [("staff", "staff"), ("all staff", "'all staff'"), ("it's", "'it'\\''s'")] {
            assert_eq!(quoted(name), expected);
        }
    }
}
