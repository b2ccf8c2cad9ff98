//! Removing members by PATCH, in the form that the target takes.
//!
//! RFC 7644 §3.5.2.2 removes one member by a path with a value filter. Many vendors expect the members in `value` instead; a
//! server that does not know that form takes the same request for the removal of *all* members. So it is sent only where the
//! first form does not work, at first for one member, and read back.

use serde_json::{Value, json};

use super::GroupTrouble;
use super::change::Effect;
use super::create::values;
use super::learned::Form;
use super::run::GroupRun;
use crate::id_set::IdSet;
use crate::report::groups::GroupReason;
use crate::state::groups::FormSupport;
use crate::target::Halt;
use crate::target::groups::{GroupRead, RemoteGroup};

impl GroupRun<'_> {
    /// Removes members by one PATCH, in the first form that works.
    pub(super) async fn remove(&mut self, members: &IdSet) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        let is_fixed = capabilities.is_fixed();
        let mut tried: Vec<(Form, FormSupport)> = Vec::new();
        let mut last: Option<Effect> = None;
        for form in capabilities.removals() {
            if !is_fixed && !capabilities.may_send(*form) {
                continue;
            }
            match self.remove_by(*form, members).await? {
                Effect::Took => {
                    for (form, support) in tried {
                        capabilities.note(form, support);
                    }
                    return Ok(Effect::Took);
                }
                Effect::Without(trouble, support) => {
                    tried.push((*form, support));
                    last = Some(Effect::Without(trouble, support));
                }
                // Only the removal of one member speaks of the form: of several, one may be refused, or their number.
                Effect::Refused(trouble) if members.len() > 1 => return Ok(Effect::Refused(trouble)),
                Effect::Refused(trouble) => {
                    tried.push((*form, FormSupport::Refused));
                    last = Some(Effect::Refused(trouble));
                }
                ended @ (Effect::Failed(_) | Effect::Gone) => return Ok(ended),
            }
        }
        Ok(match last {
            // A form that a person has set is not replaced by another one.
            Some(Effect::Without(trouble, _)) if is_fixed => Effect::Failed(trouble),
            Some(Effect::Refused(trouble)) if is_fixed => Effect::Refused(trouble),
            Some(Effect::Refused(trouble)) => {
                self.failed_forms.extend(tried);
                Effect::Without(trouble, FormSupport::Refused)
            }
            Some(effect) => {
                self.failed_forms.extend(tried);
                effect
            }
            None => {
                let detail = "no form of a PATCH that removes members has worked at this target";
                let trouble = GroupTrouble::new(GroupReason::IgnoredByTarget, detail);
                Effect::Without(trouble, FormSupport::Refused)
            }
        })
    }

    /// Removes members in one form; the first request of a form is read back.
    async fn remove_by(&mut self, form: Form, members: &IdSet) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        let Some(turn) = capabilities.turn(form).await else {
            let response = self.patch(operations(form, members)).await?;
            return match response.status.as_u16() {
                200..=299 => Ok(Effect::Took),
                _ => self.after_refusal(&response, members).await,
            };
        };
        // Only the removal of a member that is there shows anything.
        let GroupRead::Found(before) = self.read().await? else { return Ok(Effect::Gone) };
        let there = self.holds_by(&before, members).await?;
        if there.is_empty() {
            return Ok(Effect::Took);
        }
        // One at first: a server that does not know the form may remove all.
        let first =
            if form == Form::RemoveByValue { there.chunks(1).next().unwrap_or_default() } else { there };
        let response = self.patch(operations(form, &first)).await?;
        let effect = match response.status.as_u16() {
            200..=299 => self.after_first(form, &first, &before).await?,
            _ => self.after_refusal(&response, &first).await?,
        };
        drop(turn);
        let rest = members.without(&first);
        match effect {
            Effect::Took if !rest.is_empty() && form == Form::RemoveByValue => {
                if capabilities.support(form) == FormSupport::RemovesOthers {
                    // Those that were to stay were added again; the rest goes by another form.
                    let detail = "a PATCH that removes members by value removes all of them";
                    let trouble = GroupTrouble::new(GroupReason::IgnoredByTarget, detail);
                    return Ok(Effect::Without(trouble, FormSupport::RemovesOthers));
                }
                Box::pin(self.remove_by(form, &rest)).await
            }
            effect => Ok(effect),
        }
    }

    /// Reads the group after the first request of a form, which was answered as done.
    async fn after_first(&mut self, form: Form, sent: &IdSet, before: &RemoteGroup) -> Result<Effect, Halt> {
        let capabilities = &self.shared.capabilities;
        let GroupRead::Found(after) = self.read().await? else { return Ok(Effect::Gone) };
        let shown = before.members.as_ref().filter(|members| !members.is_empty());
        let Some(shown) = shown else {
            // The members do not show: the account's own `groups` tell whether it is still in the group.
            if let Some(example) = sent.iter().next()
                && self.context().client.is_in_group(&example, &after.id).await? == Some(true)
            {
                return Ok(ignored());
            }
            capabilities.note(form, FormSupport::Works);
            return Ok(Effect::Took);
        };
        let now = after.members.unwrap_or_default();
        if !sent.in_both(&now).is_empty() {
            return Ok(ignored());
        }
        let lost = shown.without(sent).without(&now);
        if lost.is_empty() {
            capabilities.note(form, FormSupport::Works);
            return Ok(Effect::Took);
        }
        capabilities.note(form, FormSupport::RemovesOthers);
        self.context().keep_group_lessons(&capabilities.learned()).await?;
        tracing::warn!(
            lost = lost.len(),
            "the target removed members that a PATCH did not name; they are added again"
        );
        let operation = json!({ "op": "add", "path": "members", "value": values(&lost) });
        let response = self.patch(vec![operation]).await?;
        if !response.status.is_success() {
            // The next run reads the group and adds what it lacks.
            self.unsure = true;
            return Ok(Effect::Failed(GroupTrouble::from(response.trouble())));
        }
        Ok(Effect::Took)
    }

    /// Judges a refused removal: members that the group does not have need no removal.
    async fn after_refusal(
        &self,
        response: &crate::target::response::Response,
        members: &IdSet,
    ) -> Result<Effect, Halt> {
        let effect = self.effect_of(response).await?;
        match effect {
            Effect::Refused(trouble) => {
                let GroupRead::Found(group) = self.read().await? else { return Ok(Effect::Gone) };
                let shows = group.members.is_some();
                let there = self.holds_by(&group, members).await?;
                Ok(if shows && there.is_empty() { Effect::Took } else { Effect::Refused(trouble) })
            }
            other => Ok(other),
        }
    }
}

fn ignored() -> Effect {
    let detail = "a PATCH that removes members was answered as done and changed nothing";
    Effect::Without(GroupTrouble::new(GroupReason::IgnoredByTarget, detail), FormSupport::Ignored)
}

/// Returns the operations that remove `members`.
fn operations(form: Form, members: &IdSet) -> Vec<Value> {
    if form == Form::RemoveByValue {
        return vec![json!({ "op": "remove", "path": "members", "value": values(members) })];
    }
    let path = |id: &str| format!("members[value eq {}]", Value::from(id));
    members.iter().map(|id| json!({ "op": "remove", "path": path(&id) })).collect()
}
