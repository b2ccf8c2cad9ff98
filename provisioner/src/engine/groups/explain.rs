//! The stages of the engine for one group, in words.

use std::collections::BTreeSet;

use serde_json::Value;

use super::decide::{GroupDecision, evaluate};
use super::plan::entry;
use super::scope::{GroupStanding, GroupSubject};
use crate::causes::with_cause;
use crate::engine::explain::{Explanation, Stage};
use crate::engine::{PreparedRun, Provisioner, SyncOptions};
use crate::exit::Exit;
use crate::ids::SourceId;
use crate::reader::{Reader, read_all};
use crate::report::word;
use crate::source::groups::{GroupReader, SourceGroup};
use crate::source::{SourceError, SourceUser};
use crate::state::groups::{GroupLinkState, GroupRecord};

impl Provisioner {
    /// Follows the group with this source id, name at the source or the target, or target id. Reads, and writes nothing.
    pub async fn explain_group(&self, group: &str, allow_empty: bool) -> Explanation {
        let _running = self.running.lock().await;
        let failed = |exit, lines| Explanation { stages: vec![Stage { stage: "found", lines }], exit };
        let config = self.config();
        let Some(groups) = config.source.groups.as_ref() else {
            let lines =
                vec!["the source has no groups: name their file with `groups` under [source]".to_owned()];
            return failed(Exit::Usage, lines);
        };
        let (users, listed) = match self.users_and_groups(allow_empty).await {
            Ok(read) => read,
            Err(error) => {
                let lines = vec![error.to_string(), error.way_out().to_owned()];
                return failed(Exit::SourceUnreadable, lines);
            }
        };
        let read = GroupReader::open(groups, listed).and_then(|mut reader| {
            for user in &users {
                reader.note(user);
            }
            reader.finish()
        });
        let groups = match read {
            Ok(groups) => groups,
            Err(error) => {
                let lines = vec![error.to_string(), error.way_out().to_owned()];
                return failed(Exit::SourceUnreadable, lines);
            }
        };
        let stored = match self.stored() {
            Ok(stored) => stored.groups,
            Err(error) => {
                let lines = vec![with_cause(&error), error.way_out().to_owned()];
                return failed(Exit::Usage, lines);
            }
        };
        let in_source = groups.iter().find(|one| is_meant(one, group));
        let known = match in_source {
            Some(one) => stored.get_key_value(&one.id),
            None => stored.iter().find(|(id, record)| {
                let is_linked = |link: &crate::state::groups::GroupLink| link.id.as_str() == group;
                id.as_str() == group || record.name == group || record.link.as_ref().is_some_and(is_linked)
            }),
        };
        let in_source =
            in_source.or_else(|| known.and_then(|(id, _)| groups.iter().find(|one| one.id == *id)));
        let Some(id) = in_source.map(|one| &one.id).or(known.map(|(id, _)| id)).cloned() else {
            let lines = vec![format!("no group in the source or the state has the id or name {group:?}")];
            return failed(Exit::Usage, lines);
        };
        let record = known.map(|(_, record)| &**record);
        let mut stages = vec![Stage { stage: "found", lines: found(&id, in_source, record) }];
        if let Some(one) = in_source {
            stages.push(Stage { stage: "in-scope", lines: self.rules_of(one) });
        }
        let exit = match self.prepare(&SyncOptions::default(), None).await {
            Ok(prepared) => {
                note_created(&prepared).await;
                stages.extend(decided(config, &id, &prepared));
                Exit::Done
            }
            Err(ended) => {
                stages.push(Stage { stage: "decided", lines: vec![ended.stopped.message] });
                ended.exit
            }
        };
        stages.push(Stage { stage: "sent", lines: sent(record) });
        Explanation { stages, exit }
    }

    async fn users_and_groups(
        &self,
        allow_empty: bool,
    ) -> Result<(Vec<SourceUser>, Vec<Value>), SourceError> {
        let context = self.read_context(allow_empty);
        let source = &self.config().source;
        let listed = super::listed(self.config(), &mut Reader::open(source, &context)).await?;
        Ok((read_all(source, &context).await?.users, listed))
    }

    fn rules_of(&self, group: &SourceGroup) -> Vec<String> {
        let mut has_owner = false;
        let mut lines: Vec<String> = Vec::new();
        for rule in &self.config().group_rules {
            let words = match (rule.matches(group), rule.enabled) {
                (true, true) if !has_owner => {
                    has_owner = true;
                    match rule.display_name(group) {
                        Ok(name) => {
                            format!("matches, and owns the group; its name at the target is {name:?}")
                        }
                        Err(error) => format!("matches, and owns the group; {error}"),
                    }
                }
                (true, true) => "matches too; the first group rule in the file owns".to_owned(),
                (true, false) => "matches, and is turned off".to_owned(),
                (false, _) => "does not match".to_owned(),
            };
            lines.push(format!("group rule {:?}: {words}", rule.name.as_str()));
        }
        if !has_owner {
            lines.push("no enabled group rule owns the group".to_owned());
        }
        lines
    }
}

/// Notes which users are to get an account in the run.
async fn note_created(prepared: &PreparedRun) {
    let Some(groups) = &prepared.groups else { return };
    let mut created = BTreeSet::new();
    for at in 0..prepared.tasks.len() {
        if let Ok(Some(task)) = prepared.tasks.get(&prepared.context, at).await
            && task.creates()
        {
            created.insert(task.id);
        }
    }
    groups.expected.note_created(created);
}

fn is_meant(group: &SourceGroup, asked: &str) -> bool {
    let has = |name: &str| group.attributes.get(name).and_then(Value::as_str) == Some(asked);
    group.id.as_str() == asked || has("name") || has("displayName")
}

fn found(id: &SourceId, group: Option<&SourceGroup>, record: Option<&GroupRecord>) -> Vec<String> {
    let mut lines = vec![match group {
        Some(group) => format!("in the source with {} members, id {id}", group.members.len()),
        None => format!("not in the source: id {id} is gone from it"),
    }];
    lines.push(match record {
        Some(record) => format!("in the state as {:?}", record.name),
        None => "not in the state: no run has processed it".to_owned(),
    });
    lines
}

fn decided(config: &crate::config::Config, id: &SourceId, prepared: &PreparedRun) -> Vec<Stage> {
    let nothing = |words: &str| vec![Stage { stage: "decided", lines: vec![words.to_owned()] }];
    let Some(groups) = &prepared.groups else { return nothing("nothing: there are no group rules") };
    let Some(subject) = groups.subjects.iter().find(|subject| subject.id == *id) else {
        return nothing("nothing: no enabled group rule owns the group, and it has none at the target");
    };
    let evaluation = evaluate(config, subject, &groups.expected);
    let mut compared = vec![match &subject.record.link {
        Some(link) => format!("linked to group {} ({:?})", link.id, link.display_name),
        None => match &subject.found {
            Some(found) => format!("not linked; group {} of the target has its name", found.id),
            None => "not linked, and the target has no group of its name".to_owned(),
        },
    }];
    if let GroupStanding::Owned(owned) = &subject.standing {
        let resolved = groups.expected.resolve(&owned.members);
        compared.push(format!(
            "of {} members in the source {} have an account, {} get one in this run, {} wait for one, and {} are not in scope",
            owned.members.len(),
            resolved.wanted.len(),
            resolved.to_come,
            resolved.pending,
            owned.members.len().saturating_sub(resolved.wanted.len() + resolved.to_come + resolved.pending),
        ));
        compared.push(format!(
            "{} members to add, {} to remove",
            evaluation.changes.add.len() + evaluation.to_come,
            evaluation.changes.remove.len()
        ));
    }
    let lines = match entry(subject, &evaluation, &groups.capabilities) {
        None => vec![standing_words(subject, &evaluation.decision)],
        Some(entry) => {
            let mut lines = vec![
                format!("{} ({}, {})", word(&entry.operation), word(&entry.outcome), word(&entry.reason)),
                format!("because: {}", entry.why),
            ];
            lines.extend(entry.requests.iter().map(|request| format!("would send {request}")));
            lines
        }
    };
    vec![Stage { stage: "compared", lines: compared }, Stage { stage: "decided", lines }]
}

/// Describes a group that a run would not report.
fn standing_words(subject: &GroupSubject, decision: &GroupDecision) -> String {
    match (&subject.record.last_reported, decision) {
        (Some(told), GroupDecision::Owned(_) | GroupDecision::Left(..))
            if told.outcome != crate::report::Outcome::Success =>
        {
            format!("nothing new: {}", told.reason.explain())
        }
        (Some(_) | None, GroupDecision::Owned(_) | GroupDecision::Left(..) | GroupDecision::Fail(_)) => {
            "nothing: the group is as it should be".to_owned()
        }
    }
}

fn sent(record: Option<&GroupRecord>) -> Vec<String> {
    let Some(record) = record else { return vec!["nothing yet".to_owned()] };
    let mut lines = Vec::new();
    if record.intent.is_some() {
        lines.push("a write whose outcome is not known; the next run looks at the group".to_owned());
    }
    if let Some(told) = &record.last_reported {
        lines.push(format!(
            "since {}: {}, {}: {}",
            told.since,
            word(&told.outcome),
            word(&told.reason),
            told.reason.explain()
        ));
        lines.extend(told.detail.clone());
    }
    if let Some(link) = &record.link {
        lines.push(format!("{} members were written or found here", record.written.len()));
        match link.state {
            GroupLinkState::Owned => {}
            GroupLinkState::Kept(leave) => {
                lines.push(format!("left ({}), and kept as its rule says", word(&leave)));
            }
            GroupLinkState::Pending(leave) => {
                lines.push(format!("left ({}), and its deletion is tried in each run", word(&leave)));
            }
        }
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    lines
}
