//! Writing members: in as many requests as the target needs, and in halves where it refuses some.

use std::collections::VecDeque;

use serde_json::json;

use super::GroupTrouble;
use super::change::Effect;
use super::create::values;
use super::learned::Form;
use super::outcome::GroupPart;
use super::run::GroupRun;
use super::scope::OwnedGroup;
use crate::id_set::IdSet;
use crate::policy::groups::MemberChanges;
use crate::report::groups::{GroupOperation, GroupReason};
use crate::state::groups::FormSupport;
use crate::target::Halt;

/// Whether members are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Add,
    Remove,
}

/// What became of members in several requests.
#[derive(Debug, Default)]
struct Sent {
    done: IdSet,
    refused: IdSet,
    trouble: Option<GroupTrouble>,
    /// Members that were not written because no form of PATCH takes them.
    left: Option<(IdSet, GroupTrouble)>,
    gone: bool,
}

impl GroupRun<'_> {
    /// Removes and adds members, and returns whether the group turned out to be gone.
    pub(super) async fn members(&mut self, owned: &OwnedGroup, changes: MemberChanges) -> Result<bool, Halt> {
        let removed = self.in_chunks(Way::Remove, changes.remove).await?;
        if removed.gone {
            return Ok(true);
        }
        self.removed += removed.done.len();
        self.subject.record.written = self.subject.record.written.without(&removed.done);
        // A target that does not take the one PATCH may take the other.
        let added = self.in_chunks(Way::Add, changes.add).await?;
        if added.gone {
            return Ok(true);
        }
        self.added += added.done.len();
        self.subject.record.written = self.subject.record.written.with(&added.done);
        if !removed.done.is_empty() || !added.done.is_empty() {
            self.parts.push(GroupPart::done(GroupOperation::Update));
        }
        let refused = removed.refused.len() + added.refused.len();
        if refused > 0 {
            let words = removed.trouble.iter().chain(&added.trouble).next().cloned();
            let words = words.map(|trouble| trouble.detail).unwrap_or_default();
            let detail = format!("{refused} members were refused, the first one so: {words}");
            self.fail(GroupOperation::Update, GroupTrouble::new(GroupReason::MembersRefused, detail));
        } else if let Some(trouble) = removed.trouble.into_iter().chain(added.trouble).next() {
            self.fail(GroupOperation::Update, trouble);
        }
        let (mut left, mut why) = (MemberChanges::default(), None);
        if let Some((ids, trouble)) = removed.left {
            (left.remove, why) = (ids, Some(trouble));
        }
        if let Some((ids, trouble)) = added.left {
            (left.add, why) = (ids, Some(trouble));
        }
        match why {
            Some(trouble) => self.members_by_put(owned, left, trouble).await,
            None => Ok(false),
        }
    }

    /// Writes the whole group, since no PATCH of members works; `trouble` is what the PATCH was answered.
    async fn members_by_put(
        &mut self,
        owned: &OwnedGroup,
        changes: MemberChanges,
        trouble: GroupTrouble,
    ) -> Result<bool, Halt> {
        match self.put(owned, &changes).await? {
            Effect::Took => {
                self.added += changes.add.len();
                self.removed += changes.remove.len();
                let written = &self.subject.record.written;
                self.subject.record.written = written.with(&changes.add).without(&changes.remove);
                self.parts.push(GroupPart::done(GroupOperation::Update));
                Ok(false)
            }
            Effect::Gone => Ok(true),
            // Neither took: what the first one was answered says more of the target.
            Effect::Without(..) => {
                self.fail(GroupOperation::Update, trouble);
                Ok(false)
            }
            Effect::Refused(trouble) | Effect::Failed(trouble) => {
                self.fail(GroupOperation::Update, trouble);
                Ok(false)
            }
        }
    }

    /// Writes `members` in chunks. A chunk that is refused is tried in halves, which finds both a limit of size and the
    /// members that the target does not take.
    async fn in_chunks(&mut self, way: Way, members: IdSet) -> Result<Sent, Halt> {
        let capabilities = &self.shared.capabilities;
        let form = capabilities.support(Form::RemoveByPath);
        let mut sent = Sent::default();
        let mut queue: VecDeque<IdSet> = members.chunks(capabilities.chunk()).collect();
        // The smallest number of members that was refused.
        let mut too_many: Option<usize> = None;
        while let Some(chunk) = queue.pop_front() {
            let effect = match way {
                Way::Add => self.add(&chunk).await?,
                Way::Remove => self.remove(&chunk).await?,
            };
            match effect {
                Effect::Took => sent.done = sent.done.with(&chunk),
                Effect::Gone => {
                    sent.gone = true;
                    return Ok(sent);
                }
                Effect::Refused(trouble) if chunk.len() > 1 => {
                    let half = chunk.len().div_ceil(2);
                    too_many = Some(too_many.map_or(half, |known| known.min(half)));
                    for part in chunk.chunks(half).collect::<Vec<_>>().into_iter().rev() {
                        queue.push_front(part);
                    }
                    sent.trouble.get_or_insert(trouble);
                }
                Effect::Refused(trouble) => {
                    if sent.refused.is_empty() {
                        sent.trouble = Some(trouble);
                    }
                    sent.refused = sent.refused.with(&chunk);
                }
                Effect::Failed(trouble) => {
                    sent.trouble = Some(trouble);
                    return Ok(sent);
                }
                Effect::Without(trouble, _) => {
                    if sent.refused.is_empty() {
                        sent.trouble = None;
                    }
                    let rest = queue.drain(..).fold(chunk, |all, part| all.with(&part));
                    sent.left = Some((rest, trouble));
                    return Ok(sent);
                }
            }
        }
        if sent.refused.is_empty() {
            sent.trouble = None;
        }
        // All of them were taken in the end, and in the same form: so it was their number.
        let is_same_form = capabilities.support(Form::RemoveByPath) == form || way == Way::Add;
        if let Some(size) = too_many.filter(|_| sent.refused.is_empty() && is_same_form) {
            capabilities.limit_chunk(size);
        }
        Ok(sent)
    }

    /// Adds members by one PATCH.
    async fn add(&mut self, members: &IdSet) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        if !capabilities.may_send(Form::Add) {
            let detail = "the target did not take a PATCH that adds members before";
            let trouble = GroupTrouble::new(GroupReason::IgnoredByTarget, detail);
            return Ok(Effect::Without(trouble, capabilities.support(Form::Add)));
        }
        let turn = capabilities.turn(Form::Add).await;
        let response =
            self.patch(vec![json!({ "op": "add", "path": "members", "value": values(members) })]).await?;
        let effect = match response.status.as_u16() {
            200..=299 if turn.is_none() => Effect::Took,
            200..=299 if self.holds(members).await?.is_empty() => Effect::Without(
                GroupTrouble::new(
                    GroupReason::IgnoredByTarget,
                    "a PATCH that adds members was answered as done and changed nothing",
                ),
                FormSupport::Ignored,
            ),
            200..=299 => {
                capabilities.note(Form::Add, FormSupport::Works);
                Effect::Took
            }
            _ => self.effect_of(&response).await?,
        };
        drop(turn);
        if let Effect::Without(_, support) = &effect {
            self.failed_forms.push((Form::Add, *support));
        }
        Ok(effect)
    }
}
