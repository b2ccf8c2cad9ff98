//! Sources that are whole and yet look like a mistake: another file behind the path, a rule that no longer matches any user.
//!
//! Either would remove the accounts of all users concerned, so both are refused until a person confirms them.

use std::fmt::Write as _;

use super::census::Census;
use super::scope::excluded;
use crate::config::Config;
use crate::ids::{RuleName, SourceId, UserName};
use crate::report::{Confirmation, Stopped};
use crate::rule::Rule;
use crate::source::SourceUser;
use crate::state::Record;

/// The code of a run that a changed source stops.
const SOURCE_CHANGED: &str = "source-changed";

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

/// Returns the refusals of a source with the users of `census` by a run without a confirmation; `last_source` is that of the last
/// run, and `records` reads users from the state by row.
///
/// # Errors
/// The state cannot be read.
pub(crate) fn refusals<E>(
    census: &Census,
    last_source: Option<&str>,
    records: impl FnOnce(Vec<i64>) -> Result<Vec<(SourceId, Record)>, E>,
) -> Result<Vec<Refusal>, E> {
    let identity = &census.survey.config.source.identity;
    if let Some(last) = last_source.filter(|last| last != identity) {
        return Ok(vec![other_source(last, identity)]);
    }
    if let Some(refusal) = other_users(census) {
        return Ok(vec![refusal]);
    }
    Ok(empty_rules(census, &[], records)?.into_iter().collect())
}

/// Returns the refusal of users from another source than that of the last run.
pub(crate) fn other_source(last: &str, now: &str) -> Refusal {
    let message = format!(
        "the users came from {last} in the last run and would come from {now} now; every user that the new source \
         does not have would count as deleted: confirm the new source if that is meant"
    );
    Refusal { code: SOURCE_CHANGED, message, confirmation: Confirmation::NewSource }
}

/// Returns the refusal of the users of `census` if none of the users that have accounts is among them.
pub(crate) fn other_users(census: &Census) -> Option<Refusal> {
    let (accounts, some_present) = census.owned();
    if census.users == 0 || some_present || accounts < STRANGERS_FROM {
        return None;
    }
    let message = format!(
        "none of the {} users that have accounts is among the {} users in the source, as if another file were behind \
         its path; nothing was sent: correct `path` under [source], or confirm the new source if these are other people \
         by intent",
        accounts, census.users
    );
    Some(Refusal { code: SOURCE_CHANGED, message, confirmation: Confirmation::NewSource })
}

/// A user with an account that no rule holds now.
struct Leaving {
    name: UserName,
    /// The rule that held the user.
    rule: Option<RuleName>,
    /// Whether the user is in the source.
    present: bool,
}

/// Returns the refusal of the rules that match no user, if users with accounts would leave them; `allowed` rules may be
/// empty, and `records` reads users from the state by row.
///
/// Users of a rule that is gone count too: a rule that was renamed, with a wrong filter under the new name, would take their
/// accounts. Leavers of a rule that holds others do not: a seasonal rule may match no user.
///
/// # Errors
/// The state cannot be read.
pub(crate) fn empty_rules<E>(
    census: &Census,
    allowed: &[RuleName],
    records: impl FnOnce(Vec<i64>) -> Result<Vec<(SourceId, Record)>, E>,
) -> Result<Option<Refusal>, E> {
    let rules = &census.survey.config.rules;
    let empty: Vec<&Rule> = census.rules_without_users().filter_map(|at| rules.get(at)).collect();
    // If a source without users is allowed, so are rules without any.
    if census.users == 0 || empty.iter().all(|rule| allowed.contains(&rule.name)) {
        return Ok(None);
    }
    let (rows, present): (Vec<i64>, Vec<bool>) =
        census.leaving().map(|(entry, present)| (entry.row, present)).unzip();
    let leaving = records(rows)?
        .into_iter()
        .zip(present)
        .filter(|((_, record), _)| !excluded(&census.survey.config, Some(record)))
        .map(|((_, record), present)| Leaving { name: record.user_name, rule: record.rule, present })
        .collect::<Vec<_>>();
    Ok(refuse_empty_rules(census, &empty, &leaving, allowed))
}

fn refuse_empty_rules(
    census: &Census,
    empty: &[&Rule],
    leaving: &[Leaving],
    allowed: &[RuleName],
) -> Option<Refusal> {
    let rules = &census.survey.config.rules;
    let by_gone_rules: Vec<&UserName> = leaving
        .iter()
        .filter(|one| {
            one.present && one.rule.as_ref().is_some_and(|name| !rules.iter().any(|rule| rule.name == *name))
        })
        .map(|one| &one.name)
        .collect();
    let mut text = String::new();
    let mut names = Vec::new();
    for rule in empty.iter().filter(|rule| !allowed.contains(&rule.name)) {
        let own: Vec<&UserName> =
            leaving.iter().filter(|one| one.rule.as_ref() == Some(&rule.name)).map(|one| &one.name).collect();
        if own.is_empty() && by_gone_rules.is_empty() {
            continue;
        }
        let separator = if text.is_empty() { "" } else { "; " };
        // Writing into a text cannot fail.
        let _ = write!(text, "{separator}{}", describe(rule, census.users, &own, &by_gone_rules));
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

fn describe(rule: &Rule, users: u64, own: &[&UserName], by_gone_rules: &[&UserName]) -> String {
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
