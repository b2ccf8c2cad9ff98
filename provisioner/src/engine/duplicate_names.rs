//! Users of the source whose accounts would have one user name: the target accepts at most one of them.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::config::Config;
use crate::ids::{SourceId, UserName};
use crate::rule::Rule;
use crate::source::SourceUser;

/// Users in scope whose user names are the same to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "namesakes", rename_all = "camelCase")]
pub struct DuplicateName {
    /// Two or more, in the order of the file.
    pub users: Vec<DuplicateUser>,
}

/// One of several users of one user name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateUser {
    /// The user's id at the source.
    pub source_id: SourceId,
    /// The user name as its rule maps it.
    pub user_name: UserName,
    /// The line of the source file; 0 if the source is none.
    pub line: usize,
}

impl DuplicateName {
    /// Describes which users have the same user name.
    pub fn describe(&self) -> String {
        let each: Vec<String> = self
            .users
            .iter()
            .map(|user| {
                let line = if user.line == 0 { String::new() } else { format!(", line {}", user.line) };
                format!("{:?} (id {}{line})", user.user_name.as_str(), user.source_id)
            })
            .collect();
        format!("{} have the same userName to a target, which gives it to one account only", joined(&each))
    }
}

/// Joins texts as people list them.
fn joined(texts: &[String]) -> String {
    match texts {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// Returns the rule that owns a user: the first enabled one that matches.
pub(crate) fn owner<'a>(config: &'a Config, user: &SourceUser) -> Option<&'a Rule> {
    config.rules.iter().find(|rule| rule.enabled && rule.matches(user))
}

/// Returns all users in scope that share their user name with others, in the order of the file.
pub fn duplicate_names(config: &Config, users: &[SourceUser]) -> Vec<DuplicateName> {
    let mut first: HashMap<UserName, usize> = HashMap::with_capacity(users.len());
    let mut groups: BTreeMap<usize, Vec<DuplicateUser>> = BTreeMap::new();
    for (index, user) in users.iter().enumerate() {
        let Some(name) = owner(config, user).and_then(|rule| rule.mapping.user_name(user)) else { continue };
        if config.options.exclude.contains(&name) {
            continue;
        }
        let duplicate_user = |user: &SourceUser, user_name: UserName| DuplicateUser {
            source_id: user.id.clone(),
            user_name,
            line: user.line,
        };
        let Some((known, other)) = first.get_key_value(&name) else {
            first.insert(name, index);
            continue;
        };
        let group = groups.entry(*other).or_insert_with(|| {
            users.get(*other).map(|user| duplicate_user(user, known.clone())).into_iter().collect()
        });
        group.push(duplicate_user(user, name));
    }
    groups.into_values().map(|users| DuplicateName { users }).collect()
}
