//! The stages of the engine for one user, in words: found, in scope, mapped, compared, decided, sent, and why.

use serde::Serialize;

use super::duplicate_names::owner;
use super::plan::entry;
use super::{Provisioner, SyncOptions, duplicate_names};
use crate::exit::Exit;
use crate::ids::{SourceId, UserName};
use crate::reader::read_all;
use crate::report::word;
use crate::source::SourceUser;
use crate::state::{LinkState, Record};

/// One stage of the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename = "stage", rename_all = "camelCase")]
pub struct Stage {
    /// `found`, `in-scope`, `mapped`, `compared`, `decided`, `sent`.
    pub stage: &'static str,
    /// The facts, one per line.
    pub lines: Vec<String>,
}

/// The explanation for one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// `Done`, or why the way could not be followed to its end.
    pub exit: Exit,
}

impl Provisioner {
    /// Follows the user with this source id, user name or target id. Reads, and writes nothing.
    pub async fn explain(&self, user: &str, allow_empty: bool) -> Explanation {
        let _running = self.running.lock().await;
        let mut stages = Vec::new();
        let stored = match self.stored() {
            Ok(stored) => stored,
            Err(error) => {
                let lines = vec![error.to_string(), error.way_out().to_owned()];
                stages.push(Stage { stage: "found", lines });
                return Explanation { stages, exit: Exit::Usage };
            }
        };
        let snapshot = match read_all(
            &self.config().source.without_push_down(),
            &self.read_context(allow_empty),
        )
        .await
        {
            Ok(snapshot) => snapshot,
            Err(error) => {
                stages.push(Stage {
                    stage: "found",
                    lines: vec![error.to_string(), error.way_out().to_owned()],
                });
                return Explanation { stages, exit: Exit::SourceUnreadable };
            }
        };
        let name: Option<UserName> = user.parse().ok();
        let named =
            |other: &str| name.as_ref().is_some_and(|name| other.parse::<UserName>().as_ref() == Ok(name));
        let in_source = match self.candidates(&snapshot.users, user, &named).as_slice() {
            [] => None,
            [only] => Some(*only),
            several => {
                let mut lines = vec![format!(
                    "{} users of the source have the user name {user:?}{}; name one by its id",
                    several.len(),
                    if several.iter().all(|one| named(&one.username)) { "" } else { " or are mapped to it" }
                )];
                lines.extend(several.iter().map(|one| {
                    let mapped = self.mapped_name(one).filter(|name| name.as_str() != one.username);
                    let mapped =
                        mapped.map(|name| format!(", mapped to {:?}", name.as_str())).unwrap_or_default();
                    let line = match one.line {
                        0 => String::new(),
                        line => format!(", line {line} of the source"),
                    };
                    format!("{:?}, id {}{line}{mapped}", one.username, one.id)
                }));
                stages.push(Stage { stage: "found", lines });
                return Explanation { stages, exit: Exit::Usage };
            }
        };
        let known = match in_source {
            Some(one) => stored.records.get_key_value(&one.id),
            None => stored.records.iter().find(|(id, record)| {
                id.as_str() == user
                    || named(record.user_name.as_str())
                    || record.link.as_ref().is_some_and(|link| link.account.as_str() == user)
            }),
        };
        let in_source =
            in_source.or_else(|| known.and_then(|(id, _)| snapshot.users.iter().find(|one| one.id == *id)));
        let Some(id) = in_source.map(|one| &one.id).or_else(|| known.map(|(id, _)| id)).cloned() else {
            let lines = vec![format!("no user in the source or the state has the id or user name {user:?}")];
            stages.push(Stage { stage: "found", lines });
            return Explanation { stages, exit: Exit::Usage };
        };
        let record = known.map(|(_, record)| &**record);
        let mut lines = found(&id, in_source, record);
        let clash = duplicate_names(self.config(), &snapshot.users)
            .into_iter()
            .find(|group| group.users.iter().any(|one| one.source_id == id));
        lines.extend(clash.map(|group| group.describe()));
        stages.push(Stage { stage: "found", lines });
        if let Some(one) = in_source {
            stages.push(Stage { stage: "in-scope", lines: self.in_scope(one) });
            stages.push(Stage { stage: "mapped", lines: self.mapped(one) });
        }
        let exit = self.decided(&id, record, &mut stages).await;
        stages.push(Stage { stage: "sent", lines: sent(record) });
        Explanation { stages, exit }
    }

    /// Returns the users that `asked` may mean: the one with this id, else those with this exact name, else all with the
    /// same user name. The user name of a rule counts as well as that of the source.
    pub(super) fn candidates<'a>(
        &self,
        users: &'a [SourceUser],
        asked: &str,
        named: &dyn Fn(&str) -> bool,
    ) -> Vec<&'a SourceUser> {
        if let Some(one) = users.iter().find(|one| one.id.as_str() == asked) {
            return vec![one];
        }
        let with = |is: &dyn Fn(&str) -> bool| -> Vec<&'a SourceUser> {
            let mapped = |one: &SourceUser| self.mapped_name(one).is_some_and(|name| is(name.as_str()));
            users.iter().filter(|one| is(&one.username) || mapped(one)).collect()
        };
        let spelled = with(&|name| name == asked);
        if spelled.is_empty() { with(named) } else { spelled }
    }

    /// Returns the user name that the rule of `user` produces.
    pub(super) fn mapped_name(&self, user: &SourceUser) -> Option<UserName> {
        owner(self.config(), user)?.mapping.user_name(user)
    }

    fn in_scope(&self, user: &SourceUser) -> Vec<String> {
        let mut owner = None;
        let mut lines: Vec<String> = Vec::new();
        for rule in &self.config().rules {
            let matches = rule.matches(user);
            let words = match (matches, rule.enabled) {
                (true, true) if owner.is_none() => {
                    owner = Some(&rule.name);
                    "matches, and owns the user"
                }
                (true, true) => "matches too; the first rule in the file owns",
                (true, false) => {
                    "matches, and is turned off: its users are left alone unless another rule owns them"
                }
                (false, _) => "does not match",
            };
            lines.push(format!("rule {:?}: {words}", rule.name.as_str()));
        }
        if owner.is_none() {
            lines.push("no enabled rule owns the user".to_owned());
        }
        lines
    }

    fn mapped(&self, user: &SourceUser) -> Vec<String> {
        let rule = self.config().rules.iter().find(|rule| rule.enabled && rule.matches(user));
        let Some(rule) = rule else { return vec!["not mapped: no enabled rule owns the user".to_owned()] };
        match rule.mapping.apply(user) {
            Err(error) => vec![error.to_string()],
            Ok(wanted) => wanted
                .iter()
                .map(|(path, value)| {
                    let secret = path.attribute().eq_ignore_ascii_case("password");
                    if secret { format!("{path} = [redacted]") } else { format!("{path} = {value}") }
                })
                .collect(),
        }
    }

    async fn decided(&self, id: &SourceId, record: Option<&Record>, stages: &mut Vec<Stage>) -> Exit {
        let prepared = match self.prepare(&SyncOptions::default(), Some(id)).await {
            Ok(prepared) => prepared,
            Err(ended) => {
                stages.push(Stage { stage: "decided", lines: vec![ended.stopped.message] });
                return ended.exit;
            }
        };
        let mut compared = vec![match record.and_then(|record| record.link.as_ref()) {
            Some(link) => format!("linked to account {} (active: {})", link.account, link.active),
            None => "not linked to an account".to_owned(),
        }];
        let Ok(task) = prepared.tasks.get(&prepared.context, 0).await else {
            let stopped = prepared.stopped();
            let message = stopped.summary.stopped.map(|stopped| stopped.message);
            stages.push(Stage { stage: "decided", lines: message.into_iter().collect() });
            return stopped.exit;
        };
        let Some(task) = task else {
            let waits = record
                .and_then(|record| record.link.as_ref())
                .is_some_and(|link| matches!(link.state, LinkState::Withheld(_)));
            compared
                .push("nothing has changed since the last run, or the user is excluded or frozen".to_owned());
            stages.push(Stage { stage: "compared", lines: compared });
            let lines = if waits {
                vec!["nothing: its removal would be caused by a changed preference alone, and waits for a full run".to_owned()]
            } else {
                vec!["nothing".to_owned()]
            };
            stages.push(Stage { stage: "decided", lines });
            return Exit::Done;
        };
        if let super::task::TaskStep::Owned(owned) = &task.step {
            compared.push(if owned.differs.is_empty() {
                "the account carries every mapped attribute, as far as is known".to_owned()
            } else {
                format!("differs in {}", super::outcome::names(&owned.differs))
            });
            compared.push(format!("enabled at the source: {}", owned.enabled));
        }
        stages.push(Stage { stage: "compared", lines: compared });
        let lines = match entry(&prepared.context, &task) {
            None => vec!["nothing".to_owned()],
            Some(entry) => {
                let mut lines = vec![
                    format!("{} ({}, {})", word(&entry.operation), word(&entry.outcome), word(&entry.reason)),
                    format!("because: {}", entry.why),
                ];
                lines.extend(entry.requests.iter().map(|request| format!("would send {request}")));
                lines
            }
        };
        stages.push(Stage { stage: "decided", lines });
        Exit::Done
    }
}

fn found(id: &SourceId, user: Option<&SourceUser>, record: Option<&Record>) -> Vec<String> {
    let mut lines = Vec::new();
    match user {
        Some(user) => lines.push(format!(
            "in the source as {:?}, id {id}, {}",
            user.username,
            if user.enabled { "enabled" } else { "disabled" }
        )),
        None => lines.push(format!("not in the source: id {id} is gone from it")),
    }
    match record {
        Some(record) => lines.push(format!("in the state as {:?}", record.user_name.as_str())),
        None => lines.push("not in the state: no run has processed it".to_owned()),
    }
    lines
}

fn sent(record: Option<&Record>) -> Vec<String> {
    let Some(record) = record else { return vec!["nothing yet".to_owned()] };
    let mut lines = Vec::new();
    if let Some(intent) = record.intent {
        lines.push(format!("a {} whose outcome is not known; the next run looks it up", word(&intent)));
    }
    if let Some(last_reported) = &record.last_reported {
        lines.push(format!(
            "since {}: {}, {}: {}",
            last_reported.since,
            word(&last_reported.outcome),
            word(&last_reported.reason),
            last_reported.reason.explain_for(last_reported.operation)
        ));
        lines.extend(last_reported.detail.clone());
    }
    if let Some(link) = &record.link {
        let carried: Vec<String> = link.carries.keys().map(ToString::to_string).collect();
        lines.push(format!("the account was last seen or sent with {}", carried.join(", ")));
        match link.state {
            LinkState::Owned => {}
            LinkState::Removed => {
                lines.push("removed by disable; nothing more is sent until the user returns".to_owned());
            }
            LinkState::Withheld(leave) => {
                lines.push(format!("left ({}), and the preferences keep the account", word(&leave)));
            }
            LinkState::Pending(leave) => {
                lines.push(format!("left ({}), and its removal is tried in each run", word(&leave)));
            }
        }
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}
